/*
 * Weights that no training leaves: not finite, all alike, of impossible size;
 * and, when asked for, data in the lowest bits, where changing them changes
 * nothing that a test would notice. Thresholds stand far outside of what the
 * benign models of the tests show (docs/findings.md, "Weights").
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "check/claims.h"

enum { CHUNK = 1 << 20, LANES = 8, LEAST_ELEMENTS = 4096, SHOWN = 160 };

static const double most_magnitude = 1e6, most_rms = 1e3, least_rms = 1e-9;

static bool ends(struct span s, const char *suffix)
{
    return span_ends(s, suffix);
}

static bool is_mask(const struct tensor *t)
{
    return memmem(t->name.p, t->name.n, "mask", 4) != NULL;
}

/* A matrix of the network itself; adapters begin with zeros, biases and norms are often alike. */
static bool is_matrix(const struct tensor *t)
{
    return t->rank >= 2 && t->elements >= LEAST_ELEMENTS &&
           !memmem(t->name.p, t->name.n, "lora_", 5) && !ends(t->name, "bias") && !is_mask(t);
}

static void note(const struct check_input *in, const struct tensor *t, enum rule_id rule,
                 const char *what, double number)
{
    char shown[SHOWN];
    verdict_add(&in->model->verdict, rule, t->data, "\"%s\": %s %.6g",
                text_shown(shown, sizeof shown, t->name), what, number);
}

static void check_statistics(const struct check_input *in, const struct tensor *t,
                             const struct stats *s)
{
    if (s->nan)
        note(in, t, RULE_WEIGHTS_NAN, "elements that are NaN:", (double)s->nan);
    if (s->inf && t->rank > 0 && !is_mask(t))
        note(in, t, RULE_WEIGHTS_INFINITE, "elements that are infinite:", (double)s->inf);
    if (!is_matrix(t) || s->count <= s->nan + s->inf)
        return;
    double rms = stats_rms(s), magnitude = fmax(fabs(s->min), fabs(s->max));
    if (!(magnitude > 0))
        note(in, t, RULE_WEIGHTS_ALIKE, "every element is", 0);
    else if (!(s->min < s->max))
        note(in, t, RULE_WEIGHTS_ALIKE, "every element is", s->min);
    else if (magnitude > most_magnitude || rms > most_rms)
        note(in, t, RULE_WEIGHTS_SCALE, "root mean square", rms);
    else if (rms < least_rms)
        note(in, t, RULE_WEIGHTS_SCALE, "root mean square", rms);
}

/* ---- low bits ---- */

/* Ones in the lowest bit, apart for each place within a byte of hidden data. */
struct plane {
    uint64_t ones[LANES], count[LANES];
    uint64_t bytes[256]; /* of F32: values of the lowest byte */
    uint64_t elements;
};

static size_t width_of(enum dtype t)
{
    const char *n = dtypes[t].name;
    return strcmp(n, "F32") == 0 ? 4 : strcmp(n, "F16") == 0 || strcmp(n, "BF16") == 0 ? 2 : 0;
}

static void take(struct plane *p, const uint8_t *bytes, size_t elements, size_t width, bool big)
{
    for (size_t i = 0; i < elements; i++) {
        uint8_t low = bytes[i * width + (big ? width - 1 : 0)];
        size_t lane = (p->elements + i) % LANES;
        p->ones[lane] += low & 1;
        p->count[lane]++;
        p->bytes[low]++;
    }
    p->elements += elements;
}

/* Natural bits do not know which of eight they are; bytes of text do: their highest bit is 0. */
static bool has_rhythm(const struct plane *p)
{
    double least = 1, most = 0, all = 0;
    for (size_t i = 0; i < LANES; i++) {
        double share = (double)p->ones[i] / (double)p->count[i];
        least = fmin(least, share);
        most = fmax(most, share);
        all += share / LANES;
    }
    double noise = 8 / sqrt((double)p->elements / LANES);
    return all > 0.02 && most - least > fmax(0.12, noise);
}

/* The lowest byte of an F32 weight is nothing (widened from 16 bits) or noise. Text is neither:
 * half of all byte values never come. */
static bool is_text_like(const struct plane *p, size_t width)
{
    uint64_t high = 0, zero = p->bytes[0], ascii = 0;
    if (width != 4)
        return false;
    for (size_t c = 0; c < 256; c++) {
        high += c >= 128 ? p->bytes[c] : 0;
        ascii += c >= 32 && c < 127 ? p->bytes[c] : 0;
    }
    uint64_t used = p->elements - zero;
    return used >= LEAST_ELEMENTS / 4 && (double)ascii > 0.9 * (double)used &&
           (double)high < 0.05 * (double)used;
}

static bool check_plane(const struct check_input *in, const struct tensor *t, uint8_t *chunk,
                        struct err *e)
{
    size_t width = width_of(t->dtype);
    const struct model_file *f = &in->model->files[t->data.file];
    struct plane p = {.elements = 0};
    char shown[SHOWN];
    if (!width || t->elements < LEAST_ELEMENTS || t->rank < 2 || !f->source)
        return true;
    for (uint64_t at = 0; at < t->data.length;) {
        uint64_t left = t->data.length - at;
        size_t n = left < CHUNK ? (size_t)left : CHUNK;
        struct err why = ERR_INIT;
        if (!source_read(f->source, chunk, t->data.offset + at, n, &why)) {
            verdict_add(&in->model->verdict, RULE_READ_IO, t->data, "%s", why.text);
            in->model->verdict.incomplete = true;
            return true;
        }
        take(&p, chunk, n / width, width, f->big_endian);
        at += n;
    }
    if (p.elements >= LEAST_ELEMENTS && (has_rhythm(&p) || is_text_like(&p, width)))
        verdict_add(&in->model->verdict, RULE_WEIGHTS_HIDDEN, t->data,
                    "\"%s\": the lowest bits of %llu elements follow a pattern of eight, as bytes "
                    "of text do",
                    text_shown(shown, sizeof shown, t->name), (unsigned long long)p.elements);
    (void)e;
    return true;
}

/* ---- against the base ---- */

struct pair {
    const struct tensor *a, *b;
    const struct model_file *fa, *fb;
};

/* Bits that may change without anybody noticing: half of the mantissa, and two of few. */
static uint32_t quiet_bits(size_t width)
{
    return width == 4 ? 0x00000FFF : 0x00000003;
}

static uint32_t element(const uint8_t *p, size_t width, bool big)
{
    uint32_t v = 0;
    for (size_t i = 0; i < width; i++)
        v |= (uint32_t)p[big ? width - 1 - i : i] << (8 * i);
    return v;
}

/* *changed: elements that differ in quiet bits alone, or 0 as soon as one differs in others. */
static bool count_quiet(const struct pair *x, size_t width, uint8_t *chunk, uint64_t *changed)
{
    uint8_t *other = chunk + CHUNK;
    *changed = 0;
    for (uint64_t at = 0; at < x->a->data.length; at += CHUNK) {
        uint64_t left = x->a->data.length - at;
        size_t n = left < CHUNK ? (size_t)left : CHUNK;
        if (!source_read(x->fa->source, chunk, x->a->data.offset + at, n, NULL) ||
            !source_read(x->fb->source, other, x->b->data.offset + at, n, NULL))
            return false;
        for (size_t i = 0; i + width <= n; i += width) {
            uint32_t differ = element(chunk + i, width, x->fa->big_endian) ^
                              element(other + i, width, x->fb->big_endian);
            if (differ & ~quiet_bits(width)) {
                *changed = 0;
                return true;
            }
            *changed += differ != 0;
        }
    }
    return true;
}

static void check_pair(const struct check_input *in, const struct tensor *t, uint8_t *chunk)
{
    const struct model *base = in->base->model;
    const struct tensor *b = model_tensor(base, t->name);
    size_t width = width_of(t->dtype);
    uint64_t changed;
    char shown[SHOWN];
    if (!b || !width || b->dtype != t->dtype || b->data.length != t->data.length ||
        t->elements < LEAST_ELEMENTS)
        return;
    struct pair x = {t, b, &in->model->files[t->data.file], &base->files[b->data.file]};
    if (!x.fa->source || !x.fb->source || !count_quiet(&x, width, chunk, &changed) || !changed)
        return;
    verdict_add(
        &in->model->verdict, RULE_WEIGHTS_LOW_BITS, t->data,
        "\"%s\": %llu of %llu elements differ from the given base, in the lowest bits alone",
        text_shown(shown, sizeof shown, t->name), (unsigned long long)changed,
        (unsigned long long)t->elements);
}

bool check_weights(const struct check_input *in, struct err *e)
{
    const struct model *m = in->model;
    for (size_t i = 0; in->scan && in->scan->stats && i < m->tensor_count; i++)
        check_statistics(in, &m->tensors[i], &in->scan->stats[i]);
    if (!in->deep && !in->base)
        return true;
    uint8_t *chunk = malloc(2 * (size_t)CHUNK);
    bool ok = chunk != NULL || err_set(e, ERR_MEMORY, "out of memory for the weights");
    for (size_t i = 0; ok && i < m->tensor_count; i++) {
        if (in->deep)
            ok = check_plane(in, &m->tensors[i], chunk, e);
        if (ok && in->base)
            check_pair(in, &m->tensors[i], chunk);
    }
    free(chunk);
    return ok;
}
