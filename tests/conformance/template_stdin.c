/*
 * Renders what standard input asks for, one JSON object a line: template,
 * variables, words, now, add_generation_prompt. Answers one line each: text and
 * the trusted ranges, or the error. Helper of template_peer.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/template.h"

enum { WORDS = 8, LINE = 64 << 20 };

static size_t words(struct template_word *out, struct json object, struct arena *a)
{
    size_t n = 0;
    for (struct json m = json_first(object); json_type(m) && n < WORDS; m = json_next(m), n++) {
        out[n].name = arena_str(a, json_key(m));
        if (!json_string(m, &out[n].text))
            out[n].text = SPAN_EMPTY;
    }
    return n;
}

static void answer(struct json_writer *w, bool ok, const struct rendered *r, const struct err *e)
{
    jw_object(w);
    jw_key(w, "ok");
    jw_bool(w, ok);
    jw_key(w, "text");
    jw_string(w, ok ? buf_span(&r->text) : span_str(e->text));
    jw_key(w, "code");
    jw_str(w, err_name(e->code));
    jw_key(w, "parts");
    jw_array(w);
    for (size_t i = 0; ok && i < r->count; i++) {
        jw_array(w);
        jw_string(w, r->parts[i].text);
        jw_bool(w, r->parts[i].trusted);
        jw_end_array(w);
    }
    jw_end_array(w);
    jw_end_object(w);
}

static void one(struct span line)
{
    struct arena *a = arena_new(512 << 20);
    struct err e = ERR_INIT;
    struct json root;
    struct span source = SPAN_EMPTY;
    struct template *t = NULL;
    struct rendered r = {0};
    struct template_word given[WORDS];
    struct json_writer w;
    struct buf out;
    bool ok = json_parse(&root, line, JSON_KEEP_DUPLICATES, a, &e) &&
              json_string(json_get(root, "template"), &source) && template_new(&t, source, &e);
    struct template_input in = {.words = given};
    if (ok) {
        in.variables = json_get(root, "variables");
        in.word_count = words(given, json_get(root, "words"), a);
        (void)json_i64(json_get(root, "now"), &in.now);
        (void)json_bool(json_get(root, "add_generation_prompt"), &in.add_generation_prompt);
        ok = template_render(&r, t, &in, &e);
    }
    buf_init(&out, 256 << 20);
    jw_init(&w, json_sink_buf, &out, false);
    answer(&w, ok, &r, &e);
    printf("%s\n", buf_cstr(&out));
    fflush(stdout);
    buf_free(&out);
    rendered_free(&r);
    template_free(t);
    arena_free(a);
}

int main(void)
{
    char *line = malloc(LINE);
    while (line && fgets(line, LINE, stdin)) {
        size_t n = strlen(line);
        one((struct span){(const uint8_t *)line, n && line[n - 1] == '\n' ? n - 1 : n});
    }
    free(line);
    return 0;
}
