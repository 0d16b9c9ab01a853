/*
 * Reads a JSON object a line, {"schema": S, "values": N, "texts": [T...]}, and answers with one:
 * the refusal of the schema, or N values that its form lets through, drawn at random, and whether
 * each text would be let through. Helper of form_peer.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/json.h"
#include "engine/form.h"

enum { LINE = 4 << 20, STEPS = 4000, PATIENCE = 60 };

static uint64_t seed = 1;

static uint32_t drawn(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % below);
}

/* The octet that comes next: any that may, and after a while one that leads to an end. */
static bool step(struct form_state *s, struct buf *text)
{
    struct form_state then[1];
    uint8_t can[256], nearer[256];
    size_t n = 0, ends = 0;
    for (unsigned c = 0; c <= UINT8_MAX; c++) {
        const uint8_t octet = (uint8_t)c;
        form_copy(then, s);
        if (!form_push(then, (struct span){&octet, 1}, false))
            continue;
        can[n++] = octet;
        if (c == '"' || c == '}' || c == ']' || (c > ' ' && form_set_has(&s->form->needs, octet)))
            nearer[ends++] = octet;
    }
    if (n == 0)
        return false;
    bool close = ends && text->n > PATIENCE && drawn(4) != 0;
    uint8_t next = close ? nearer[drawn((uint32_t)ends)] : can[drawn((uint32_t)n)];
    for (int again = 0; again < 3 && (next == ' ' || (next >= '\t' && next <= '\r')); again++)
        next = can[drawn((uint32_t)n)];
    buf_put_u8(text, next);
    return form_push(s, (struct span){&next, 1}, false);
}

static bool value(const struct engine_form *f, struct buf *text)
{
    static struct form_state s;
    form_begin(&s, f);
    for (int i = 0; i < STEPS && !s.over; i++)
        if (!step(&s, text))
            return false;
    return s.over;
}

static bool takes(const struct engine_form *f, struct span text)
{
    static struct form_state s;
    form_begin(&s, f);
    return form_push(&s, text, false) && s.over;
}

static void answer(struct json_writer *w, const struct engine_form *f, struct json line)
{
    uint64_t values = 0;
    struct span text;
    (void)json_u64(json_get(line, "values"), &values);
    jw_key(w, "values");
    jw_array(w);
    for (uint64_t i = 0; i < values; i++) {
        struct buf b;
        buf_init(&b, LINE);
        if (value(f, &b))
            jw_string(w, buf_span(&b));
        else
            jw_null(w);
        buf_free(&b);
    }
    jw_end_array(w);
    jw_key(w, "takes");
    jw_array(w);
    for (struct json t = json_first(json_get(line, "texts")); json_type(t); t = json_next(t))
        jw_bool(w, json_string(t, &text) && takes(f, text));
    jw_end_array(w);
}

static void one(struct span text)
{
    struct arena *a = arena_new(512 << 20);
    const struct engine_form *f = NULL;
    struct engine_form_wrong wrong = {0};
    struct err e = ERR_INIT;
    struct json line, form;
    struct json_writer w;
    struct buf out;
    if (!json_parse(&line, text, JSON_STRICT, a, &e))
        exit(1);
    const char *alternatives =
        arena_printf(a, "[{\"schema\":%s}]", arena_str(a, json_text(json_get(line, "schema"))));
    bool ok = json_parse(&form, span_str(alternatives), JSON_STRICT, a, &e) &&
              engine_form_read(&f, form, a, &wrong, &e);
    buf_init(&out, 256 << 20);
    jw_init(&w, json_sink_buf, &out, false);
    jw_object(&w);
    jw_key(&w, "where");
    jw_str(&w, ok ? "" : wrong.where);
    jw_key(&w, "why");
    jw_str(&w, ok ? "" : e.text);
    if (ok)
        answer(&w, f, line);
    jw_end_object(&w);
    printf("%s\n", buf_cstr(&out));
    fflush(stdout);
    buf_free(&out);
    arena_free(a);
}

int main(void)
{
    char *line = malloc(LINE);
    while (line && fgets(line, LINE, stdin))
        one(span_str(line));
    free(line);
    return 0;
}
