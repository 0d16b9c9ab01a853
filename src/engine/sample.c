/*
 * Sampling by counter-based noise: every token of the vocabulary has a number
 * that depends on seed, position and itself alone, and the largest sum of
 * logit / T and Gumbel noise wins. Drawing so is the same as drawing from the
 * softmax, and any position can be checked without those before it.
 */
#include "engine/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/numerics.h"

bool sampler_new(struct sampler *s, uint32_t vocabulary, struct err *e)
{
    *s = (struct sampler){.vocabulary = vocabulary};
    s->z = calloc(vocabulary, sizeof *s->z);
    s->e = calloc(vocabulary, sizeof *s->e);
    s->seen = calloc(vocabulary, sizeof *s->seen);
    s->all = calloc(vocabulary, sizeof *s->all);
    s->then = malloc(sizeof *s->then);
    if (s->z && s->e && s->seen && s->all && s->then)
        return true;
    sampler_free(s);
    return err_set(e, ERR_MEMORY, "no memory to sample from %u tokens", vocabulary);
}

void sampler_free(struct sampler *s)
{
    free(s->z);
    free(s->e);
    free(s->seen);
    free(s->all);
    free(s->then);
    *s = (struct sampler){0};
}

struct engine_sampling engine_greedy(void)
{
    return (struct engine_sampling){.top_p = 1.0f, .typical = 1.0f, .repetition = 1.0f};
}

static bool within(float v, float low, float high, const char *what, struct err *e)
{
    if (v >= low && v <= high)
        return true;
    return err_set(e, ERR_USAGE, "%s %g is not within %g and %g", what, (double)v, (double)low,
                   (double)high);
}

bool sampling_check(const struct engine_sampling *p, uint32_t vocabulary, struct err *e)
{
    if (!within(p->temperature, 0, 100, "temperature", e) || !within(p->top_p, 0, 1, "top_p", e) ||
        !within(p->min_p, 0, 1, "min_p", e) || !within(p->typical, 0, 1, "typical", e) ||
        !within(p->repetition, 0.01f, 100, "repetition penalty", e) ||
        !within(p->frequency, -100, 100, "frequency penalty", e) ||
        !within(p->presence, -100, 100, "presence penalty", e))
        return false;
    if (p->top > ENGINE_MAX_TOP)
        return err_set(e, ERR_USAGE, "%u log probabilities asked for: at most %d are given", p->top,
                       ENGINE_MAX_TOP);
    if (p->bias_count > ENGINE_MAX_BIAS)
        return err_set(e, ERR_USAGE, "%zu logit biases: at most %d", p->bias_count,
                       ENGINE_MAX_BIAS);
    for (size_t i = 0; i < p->bias_count; i++) {
        if (p->bias[i].id >= vocabulary || !(fabsf(p->bias[i].bias) <= 1000.0f))
            return err_set(e, ERR_USAGE,
                           "logit bias %g for token %u: the model has %u tokens, and "
                           "a bias is at most 1000",
                           (double)p->bias[i].bias, p->bias[i].id, vocabulary);
    }
    return true;
}

/* ---- noise ---------------------------------------------------------------- */

/* The finaliser of SplitMix64: a bijection whose every output bit depends on every input bit. */
static uint64_t mixed(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t noise_key(uint64_t seed, uint32_t position)
{
    return mixed(mixed(seed + 0x9e3779b97f4a7c15u) +
                 0x9e3779b97f4a7c15u * ((uint64_t)position + 1));
}

static uint64_t noise_bits(uint64_t key, uint32_t id)
{
    return mixed(key + 0x9e3779b97f4a7c15u * ((uint64_t)id + 1));
}

/* -ln(-ln u), u = (the upper 53 bits + 1/2) / 2^53. */
static double gumbel(uint64_t bits)
{
    double u = ((double)(bits >> 11) + 0.5) * 0x1p-53;
    return -numerics_log_double(-numerics_log_double(u));
}

/* Never below gumbel(bits): -ln(-ln u) <= -ln(1 - u), and 1 - u has as many leading zeros as
 * ~bits. What cannot win needs no logarithm. */
static double gumbel_bound(uint64_t bits)
{
    uint64_t rest = ~bits;
    int zeros = rest == 0 ? 64 : __builtin_clzll(rest);
    return ((double)zeros + 2.0) * 0.69314718056;
}

/* ---- logits --------------------------------------------------------------- */

static void penalise(struct sampler *s, const struct draw *d)
{
    const struct engine_sampling *p = d->p;
    uint32_t first =
        p->penalty_last && p->penalty_last < d->position ? d->position - p->penalty_last : 0;
    if (p->repetition == 1.0f && p->frequency == 0.0f && p->presence == 0.0f)
        return;
    for (uint32_t i = first; i < d->position; i++)
        s->seen[d->history[i]]++;
    for (uint32_t i = first; i < d->position; i++) {
        uint32_t id = d->history[i];
        if (s->seen[id] == 0)
            continue;
        float z = s->z[id];
        z = z > 0 ? z / p->repetition : z * p->repetition;
        z -= (float)s->seen[id] * p->frequency;
        s->z[id] = z - p->presence;
        s->seen[id] = 0; /* once for each token, and clean for the next draw */
    }
}

struct span form_octets(const struct tokenizer *t, uint32_t id, bool *control)
{
    struct token token;
    *control = false;
    if (!tokenizer_token(&token, t, id) || tokenizer_ends(t, id))
        return SPAN_EMPTY;
    *control = token.type == TOKEN_CONTROL;
    bool says = *control || token.type == TOKEN_NORMAL || token.type == TOKEN_USER_DEFINED ||
                token.type == TOKEN_BYTE;
    return says ? token.bytes : SPAN_EMPTY;
}

struct form_octet_set form_alphabet(const struct tokenizer *t)
{
    struct form_octet_set found = {{0}};
    bool control, parts = false;
    for (size_t i = 0; i < tokenizer_size(t); i++) {
        struct span s = form_octets(t, (uint32_t)i, &control);
        if (s.n == 1 && !control)
            form_set_add(&found, *s.p);
        parts = parts || utf8_invalid(s) != TEXT_VALID;
    }
    for (const char *c = FORM_PARTS; !parts && *c != '\0'; c++)
        form_set_add(&found, (uint8_t)*c); /* nothing begins a character and leaves it unfinished */
    return found;
}

/* ---- forms ---- */

static bool is_plain(struct span octets)
{
    for (size_t i = 0; i < octets.n; i++)
        if (octets.p[i] < ' ' || octets.p[i] >= 0x80 || octets.p[i] == '"' || octets.p[i] == '\\')
            return false;
    return true;
}

/* Octets that may be the next one; most tokens are judged by their first. */
static void first_octets(struct sampler *s, const struct form_state *form,
                         struct form_octet_set *plain, struct form_octet_set *framing)
{
    for (unsigned c = 0; c <= UINT8_MAX; c++) {
        const uint8_t octet = (uint8_t)c;
        form_copy(s->then, form);
        if (form_push(s->then, (struct span){&octet, 1}, false))
            form_set_add(plain, octet);
        form_copy(s->then, form);
        if (form_push(s->then, (struct span){&octet, 1}, true))
            form_set_add(framing, octet);
    }
}

/* Whether one token can follow; what says nothing can where the text is free. */
static bool can_follow(struct sampler *s, const struct form_state *form, uint32_t id)
{
    bool control;
    struct span octets = form_octets(s->tokenizer, id, &control);
    form_copy(s->then, form);
    return octets.n == 0 ? form->free : form_push(s->then, octets, control);
}

/* The same within strings, of octets that end none: one way of reading is enough, and most have it. */
static bool string_goes_on(struct sampler *s, const struct form_state *form, struct span octets)
{
    for (uint16_t i = 0; i < form->count; i++) {
        form_copy_one(s->then, form, i);
        if (form_push(s->then, octets, false))
            return true;
    }
    return false;
}

/* What cannot follow in the form cannot be drawn. */
static void hold(struct sampler *s, const struct form_state *form)
{
    struct form_octet_set plain = {{0}}, framing = {{0}};
    uint32_t room;
    bool strings = form_in_strings(form, &room), control;
    first_octets(s, form, &plain, &framing);
    for (uint32_t i = 0; i < s->vocabulary; i++) {
        struct span octets = form_octets(s->tokenizer, i, &control);
        bool can = octets.n != 0 ? form_set_has(control ? &framing : &plain, octets.p[0])
                                 : form->free || (form->may_end && tokenizer_ends(s->tokenizer, i));
        if (can && octets.n > 1 && strings && !control && is_plain(octets))
            can = octets.n <= room || string_goes_on(s, form, octets);
        else if (can && octets.n > 1)
            can = can_follow(s, form, i);
        if (!can)
            s->z[i] = -INFINITY;
    }
}

static void prepare(struct sampler *s, const struct draw *d)
{
    memcpy(s->z, d->logits, s->vocabulary * sizeof *s->z);
    for (size_t i = 0; i < d->p->bias_count; i++)
        s->z[d->p->bias[i].id] += d->p->bias[i].bias;
    penalise(s, d);
    if (d->p->temperature > 0) {
        for (uint32_t i = 0; i < s->vocabulary; i++)
            s->z[i] /= d->p->temperature;
    }
    if (d->form != NULL && !d->form->free)
        hold(s, d->form);
}

/* ---- filters -------------------------------------------------------------- */

static bool filtered(const struct engine_sampling *p)
{
    return p->top_k != 0 || p->top_p < 1.0f || p->min_p > 0.0f || p->typical < 1.0f;
}

static int by_likelihood(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->z != y->z)
        return x->z > y->z ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static size_t gather(struct sampler *s, float least)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s->vocabulary; i++) {
        if (s->z[i] >= least && s->z[i] > -INFINITY)
            s->all[n++] = (struct candidate){s->z[i], s->e[i], i};
    }
    qsort(s->all, n, sizeof *s->all, by_likelihood);
    return n;
}

static double sum_of(const struct candidate *c, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)c[i].e;
    return sum;
}

/* How many of the likeliest hold `share` of `total`; at least one. */
static size_t nucleus(const struct candidate *c, size_t n, double share, double total)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)c[i].e;
        if (sum >= share * total)
            return i + 1;
    }
    return n;
}

struct distance {
    double far;
    struct candidate c;
};

static int by_distance(const void *a, const void *b)
{
    const struct distance *x = a, *y = b;
    if (x->far != y->far)
        return x->far < y->far ? -1 : 1;
    return by_likelihood(&x->c, &y->c);
}

/* Locally typical sampling (arXiv 2202.00666): those whose surprise is nearest to the mean. */
static size_t keep_typical(struct candidate *c, size_t n, double share)
{
    struct distance *d = calloc(n, sizeof *d);
    double total = sum_of(c, n), log_total = numerics_log_double(total), mean = 0;
    if (d == NULL)
        return n;
    for (size_t i = 0; i < n; i++) /* surprise: log total - (z - largest z) */
        mean += (double)c[i].e / total * (log_total - ((double)c[i].z - (double)c[0].z));
    for (size_t i = 0; i < n; i++) {
        double surprise = log_total - ((double)c[i].z - (double)c[0].z);
        d[i] = (struct distance){fabs(surprise - mean), c[i]};
    }
    qsort(d, n, sizeof *d, by_distance);
    double sum = 0;
    size_t kept = 0;
    while (kept < n && (kept == 0 || sum < share * total)) {
        c[kept] = d[kept].c;
        sum += (double)d[kept++].c.e;
    }
    free(d);
    qsort(c, kept, sizeof *c, by_likelihood);
    return kept;
}

/* The candidates left by the filters, likeliest first, each filter over what the one before left. */
static size_t filter(struct sampler *s, const struct engine_sampling *p)
{
    static const float depths[] = {8.0f, 16.0f, 32.0f, INFINITY};
    float most = numerics_max(s->z, s->vocabulary);
    for (uint32_t i = 0; i < s->vocabulary; i++)
        s->e[i] = s->z[i] - most;
    numerics_exp_row(s->e, s->e, s->vocabulary);
    double total = (double)numerics_sum(s->e, s->vocabulary);
    size_t n = 0;
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        n = gather(s, most - depths[i]);
        /* Enough when what lies deeper can no longer be among the kept. */
        if (p->top_k != 0 ? n >= p->top_k
                          : p->typical >= 1.0f && sum_of(s->all, n) >= (double)p->top_p * total)
            break;
    }
    if (p->top_k != 0 && n > p->top_k)
        n = p->top_k;
    if (p->typical < 1.0f)
        n = keep_typical(s->all, n, (double)p->typical);
    bool whole = p->top_k == 0 && p->typical >= 1.0f;
    if (p->top_p < 1.0f)
        n = nucleus(s->all, n, (double)p->top_p, whole ? total : sum_of(s->all, n));
    size_t kept = n > 0;
    while (kept < n && s->all[kept].e >= p->min_p * s->all[0].e)
        kept++;
    return kept;
}

/* ---- the choice ----------------------------------------------------------- */

static double score(const struct draw *d, uint64_t key, float z, uint32_t id)
{
    return d->p->temperature > 0 ? (double)z + gumbel(noise_bits(key, id)) : (double)z;
}

/* The first of the largest; none is a NaN. */
static uint32_t likeliest(const float *z, uint32_t n)
{
    float most = numerics_max(z, n);
    uint32_t i = 0;
    while (i + 1 < n && z[i] != most)
        i++;
    return i;
}

static uint32_t win(struct sampler *s, const struct draw *d, uint64_t key)
{
    uint32_t best = likeliest(s->z, s->vocabulary);
    double most = score(d, key, s->z[best], best);
    for (uint32_t i = 0; i < s->vocabulary; i++) {
        if (i == best || (double)s->z[i] + gumbel_bound(noise_bits(key, i)) < most)
            continue;
        double now = score(d, key, s->z[i], i);
        if (now > most || (now == most && i < best)) {
            most = now;
            best = i;
        }
    }
    return best;
}

static uint32_t win_among(const struct sampler *s, const struct draw *d, uint64_t key, size_t n)
{
    uint32_t best = s->all[0].id;
    double most = score(d, key, s->all[0].z, best);
    for (size_t i = 1; i < n; i++) {
        double now = score(d, key, s->all[i].z, s->all[i].id);
        if (now > most || (now == most && s->all[i].id < best)) {
            most = now;
            best = s->all[i].id;
        }
    }
    return best;
}

static uint32_t choose(struct sampler *s, const struct draw *d)
{
    if (d->p->temperature <= 0)
        return likeliest(s->z, s->vocabulary);
    uint64_t key = noise_key(d->p->seed, d->position);
    if (!filtered(d->p))
        return win(s, d, key);
    return win_among(s, d, key, filter(s, d->p));
}

/* Free text is drawn as it would be without a form; a token that says a trigger, and then what may
 * not follow it, is drawn anew. */
uint32_t sample(struct sampler *s, const struct draw *d)
{
    prepare(s, d);
    uint32_t id = choose(s, d);
    if (d->form == NULL || !d->form->free || can_follow(s, d->form, id))
        return id;
    hold(s, d->form);
    return choose(s, d);
}

float sample_margin(struct sampler *s, const struct draw *d, uint32_t drawn, uint32_t given)
{
    if (drawn == given)
        return 0.0f;
    uint64_t key = noise_key(d->p->seed, d->position);
    if (d->p->temperature > 0 && filtered(d->p)) {
        size_t n = filter(s, d->p), i = 0;
        while (i < n && s->all[i].id != given)
            i++;
        if (i == n)
            return INFINITY;
    }
    return (float)(score(d, key, s->z[drawn], drawn) - score(d, key, s->z[given], given));
}

/* Keeps the likeliest, ties to the lowest id, in a list that is sorted as it grows. */
static void note_top(struct sampler *s, uint32_t top, uint32_t *n, uint32_t id, float logit)
{
    uint32_t i = *n < top ? (*n)++ : top - 1;
    if (i == top - 1 && *n == top && s->top[i].logit >= logit && s->top[i].id != UINT32_MAX)
        return;
    for (; i > 0 && s->top[i - 1].logit < logit; i--)
        s->top[i] = s->top[i - 1];
    s->top[i] = (struct engine_choice){id, logit, 0};
}

float sample_logprobs(struct sampler *s, const struct draw *d, uint32_t id)
{
    float most = numerics_max(d->logits, s->vocabulary);
    for (uint32_t i = 0; i < s->vocabulary; i++)
        s->e[i] = d->logits[i] - most;
    numerics_exp_row(s->e, s->e, s->vocabulary);
    double log_sum = numerics_log_double((double)numerics_sum(s->e, s->vocabulary));
    uint32_t n = 0, top = d->p->top;
    for (uint32_t i = 0; i < ENGINE_MAX_TOP; i++)
        s->top[i].id = UINT32_MAX;
    for (uint32_t i = 0; top > 0 && i < s->vocabulary; i++)
        note_top(s, top, &n, i, d->logits[i]);
    for (uint32_t i = 0; i < n; i++)
        s->top[i].logprob = (float)((double)(s->top[i].logit - most) - log_sum);
    return (float)((double)(d->logits[id] - most) - log_sum);
}
