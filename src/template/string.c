/*
 * Strings that remember who wrote them: a list of runs beside the bytes, kept
 * through every operation.
 */
#include "template/interpreter.h"

#include <stdlib.h>
#include <string.h>

#include "assay/unicode.h"

void maker_init(struct maker *m, struct interpreter *x)
{
    *m = (struct maker){.x = x};
    buf_init(&m->text, TEMPLATE_MAX_OUTPUT);
}

void maker_free(struct maker *m)
{
    buf_free(&m->text);
    free(m->runs);
    *m = (struct maker){.x = m->x};
}

void maker_put(struct maker *m, struct span text, bool trusted)
{
    buf_put_span(&m->text, text);
    if (text.n == 0 || !buf_ok(&m->text))
        return;
    if (m->count && m->runs[m->count - 1].trusted == trusted) {
        m->runs[m->count - 1].end = m->text.n;
        return;
    }
    if (m->count == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 8;
        struct run *runs = realloc(m->runs, cap * sizeof *runs);
        if (!runs) {
            m->text.failed = true;
            return;
        }
        m->runs = runs;
        m->cap = cap;
    }
    m->runs[m->count++] = (struct run){m->text.n, trusted};
}

void maker_text(struct maker *m, const char *text)
{
    maker_put(m, span_str(text), true);
}

/* The first run that ends beyond `at`. */
static size_t run_at(const struct string *s, size_t at)
{
    size_t low = 0, high = s->run_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (s->runs[mid].end <= at)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool string_trusted(const struct string *s, size_t at)
{
    return s->runs ? s->runs[run_at(s, at)].trusted : s->trusted;
}

void maker_part(struct maker *m, const struct string *s, size_t from, size_t n)
{
    if (!s->runs) {
        maker_put(m, span_sub(s->text, from, n), s->trusted);
        return;
    }
    size_t end = from + n < s->text.n ? from + n : s->text.n;
    for (size_t r = run_at(s, from); from < end; r++) {
        size_t stop = s->runs[r].end < end ? s->runs[r].end : end;
        maker_put(m, span_sub(s->text, from, stop - from), s->runs[r].trusted);
        from = stop;
    }
}

void maker_string(struct maker *m, const struct string *s)
{
    maker_part(m, s, 0, s->text.n);
}

static bool make(struct interpreter *x, struct string s, struct value *out)
{
    struct string *kept = arena_alloc(x->arena, sizeof *kept);
    if (!kept)
        return no_memory(x);
    *kept = s;
    if (!s.text.p) /* no bytes, but a place: what walks along texts computes with it */
        kept->text = span_str("");
    *out = (struct value){.type = V_STRING, .as.string = kept};
    return spend(x, 1 + s.text.n / 64);
}

bool maker_value(struct maker *m, struct value *out)
{
    struct interpreter *x = m->x;
    struct string s = {.trusted = m->count == 0 || m->runs[0].trusted, .markup = m->markup};
    bool ok = buf_ok(&m->text) || no_memory(x);
    if (ok && m->text.n) {
        s.text = arena_span(x->arena, buf_span(&m->text));
        ok = s.text.p || no_memory(x);
    }
    if (ok && m->count > 1) {
        struct span runs = {(const uint8_t *)m->runs, m->count * sizeof *m->runs};
        s.runs = (const struct run *)(const void *)arena_span(x->arena, runs).p;
        s.run_count = m->count;
        ok = s.runs || no_memory(x);
    }
    maker_free(m);
    return ok && make(x, s, out);
}

bool string_value(struct interpreter *x, struct span text, bool trusted, struct value *out)
{
    return make(x, (struct string){.text = text, .trusted = trusted}, out);
}

bool string_part(struct interpreter *x, const struct string *s, size_t from, size_t n,
                 struct value *out)
{
    struct maker m;
    if (!s->runs)
        return make(x,
                    (struct string){.text = span_sub(s->text, from, n),
                                    .trusted = s->trusted,
                                    .markup = s->markup},
                    out);
    maker_init(&m, x);
    m.markup = s->markup;
    maker_part(&m, s, from, n);
    return maker_value(&m, out);
}

size_t characters(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += (s.p[i] & 0xC0) != 0x80;
    return n;
}

size_t character_offset(struct span s, size_t i)
{
    size_t at = 0, length;
    for (; i && at < s.n; i--, at += length)
        (void)unicode_at(s.p + at, &length);
    return at;
}

bool to_string(struct interpreter *x, struct value v, const struct string **out)
{
    struct maker m;
    struct value s = UNDEFINED;
    if (v.type == V_STRING) {
        *out = v.as.string;
        return true;
    }
    maker_init(&m, x);
    if (!put_value(&m, v)) {
        maker_free(&m);
        return false;
    }
    if (!maker_value(&m, &s))
        return false;
    *out = s.as.string;
    return true;
}
