/*
 * The JSON reader on any bytes: what it accepts is walked whole, written again,
 * and must read back with the same shape.
 */
#include <stdlib.h>

#include "assay/base/json.h"

enum { ARENA = 64 << 20, OUT = 8 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static size_t walk(struct json v, struct json_writer *w, int depth)
{
    struct span s;
    size_t n = 1, children = 0;
    double d;
    demand(json_end(v) > json_offset(v));
    if (json_type(v) == JSON_STRING) {
        demand(json_string(v, &s));
        jw_string(w, s);
    } else if (json_type(v) == JSON_NUMBER) {
        (void)json_double(v, &d);
        jw_raw(w, json_text(v));
    } else if (json_type(v) == JSON_ARRAY || json_type(v) == JSON_OBJECT) {
        bool object = json_type(v) == JSON_OBJECT;
        (object ? jw_object : jw_array)(w);
        for (struct json m = json_first(v); json_type(m) && depth < 60; m = json_next(m)) {
            if (object) {
                s = json_key(m);
                demand(json_type(json_get_span(v, s)) != JSON_MISSING);
                jw_key_span(w, s); /* a key may hold NUL */
            }
            n += walk(m, w, depth + 1);
            children++;
        }
        demand(depth >= 60 || children == json_count(v));
        (object ? jw_end_object : jw_end_array)(w);
    } else {
        jw_raw(w, json_text(v));
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(ARENA);
    struct err e = ERR_INIT;
    struct json root, again;
    struct buf out;
    struct json_writer w;
    struct span text = {data, size};
    buf_init(&out, OUT);
    bool strict = json_parse(&root, text, JSON_STRICT, a, &e);
    err_clear(&e);
    bool lenient = json_parse(&root, text, JSON_KEEP_DUPLICATES, a, &e);
    demand(lenient || (!strict && e.code != ERR_NONE && e.offset <= size));
    if (lenient) {
        jw_init(&w, json_sink_buf, &out, false);
        size_t n = walk(root, &w, 0);
        err_clear(&e);
        if (!w.failed && n < 100000) {
            demand(json_parse(&again, buf_span(&out), JSON_KEEP_DUPLICATES, a, &e));
            demand(json_type(again) == json_type(root));
        }
    }
    buf_free(&out);
    arena_free(a);
    return 0;
}
