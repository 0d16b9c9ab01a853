/*
 * The YAML reader on any bytes: what it accepts has a line for every node and
 * reads back, as the JSON that it became, to the same text.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/yaml.h"

enum { ARENA = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct yaml *y, struct json v)
{
    if (yaml_line(y, v) == 0)
        abort();
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        if (json_type(v) == JSON_OBJECT && yaml_key_line(y, m) == 0)
            abort();
        walk(y, m);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(ARENA);
    struct err e = ERR_INIT;
    struct yaml y, again;
    if (a && yaml_parse(&y, (struct span){data, size}, "fuzz", a, &e)) {
        struct span text = json_text(y.root);
        if (y.place_count)
            walk(&y, y.root);
        /* YAML bounds keys of flow mappings and folds lines that end in U+0085, 2028 or 2029; JSON does neither. */
        bool comparable = text.n < 1000 && !memmem(text.p, text.n, "\xC2\x85", 2) &&
                          !memmem(text.p, text.n, "\xE2\x80\xA8", 3) &&
                          !memmem(text.p, text.n, "\xE2\x80\xA9", 3);
        if (comparable &&
            (!yaml_parse(&again, text, "again", a, &e) || !span_eq(json_text(again.root), text)))
            abort();
    } else if (a && e.code == ERR_NONE) {
        abort();
    }
    arena_free(a);
    return 0;
}
