/*
 * tokenizer_stdin MODEL: answers each line of standard input, a JSON string, with
 * a JSON array of ids, and an array of ids with the text in an array, control
 * tokens shown; or with the error. Trusted text, special tokens added.
 * Helper of tokenizer_peer.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/tokenizer.h"

enum { LINE = 16 << 20 };

static bool decode(const struct tokenizer *t, struct json v, struct err *e)
{
    struct tokens ids = {0};
    struct buf text, out;
    struct json_writer w;
    int64_t id;
    bool ok = true;
    buf_init(&text, LINE);
    buf_init(&out, LINE);
    for (struct json i = json_first(v); ok && json_type(i); i = json_next(i))
        ok = json_i64(i, &id) && tokens_add(&ids, (uint32_t)id, e);
    ok = ok && tokenizer_decode(&text, t, ids.id, ids.n, DECODE_SPECIAL | DECODE_REPLACE_BAD, e);
    jw_init(&w, json_sink_buf, &out, false);
    jw_array(&w);
    jw_string(&w, buf_span(&text));
    jw_end_array(&w);
    if (ok)
        puts(buf_cstr(&out));
    tokens_free(&ids);
    buf_free(&text);
    buf_free(&out);
    return ok;
}

static void one(const struct tokenizer *t, struct span line)
{
    struct arena *a = arena_new(64 << 20);
    struct err e = ERR_INIT;
    struct json v;
    struct span text = SPAN_EMPTY;
    struct tokens ids = {0};
    bool parsed = json_parse(&v, line, JSON_STRICT, a, &e), back = json_type(v) == JSON_ARRAY;
    if (parsed && back && decode(t, v, &e)) {
        fflush(stdout);
    } else if (parsed && !back && json_string(v, &text) &&
               tokenizer_encode_text(&ids, t, text, true, ENCODE_SPECIAL | ENCODE_PROTOCOL, &e)) {
        putchar('[');
        for (size_t i = 0; i < ids.n; i++)
            printf(i ? ",%u" : "%u", ids.id[i]);
        puts("]");
    } else {
        printf("\"%s\"\n", e.text);
    }
    fflush(stdout);
    tokens_free(&ids);
    arena_free(a);
}

int main(int argc, char **argv)
{
    struct model *m = NULL;
    struct tokenizer *t = NULL;
    struct err e = ERR_INIT;
    char *line = malloc(LINE);
    if (argc != 2 || !line || !model_read(&m, argv[1], NULL, &e) || !tokenizer_new(&t, m, &e)) {
        printf("\"%s\"\n", e.text);
        free(line);
        return 1;
    }
    model_free(m);
    puts("[]");
    fflush(stdout);
    while (fgets(line, LINE, stdin)) {
        size_t n = strlen(line);
        one(t, (struct span){(const uint8_t *)line, n && line[n - 1] == '\n' ? n - 1 : n});
    }
    tokenizer_free(t);
    free(line);
    return 0;
}
