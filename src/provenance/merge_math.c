/*
 * The arithmetic of one merged element, step by step in the element types that
 * mergekit computes in, and beside it the most that those steps can be off by
 * where another machine adds in another order. docs/formats/merge.md has both.
 */
#include <math.h>
#include <string.h>

#include "provenance/merge.h"

/* Half of the distance between neighbours, over a number; and the same of the smallest numbers. */
double merge_unit(enum dtype t)
{
    return t == DTYPE_BF16 ? 0x1p-8 : t == DTYPE_F16 ? 0x1p-11 : 0x1p-24;
}

static double smallest(enum dtype t)
{
    return t == DTYPE_F16 ? 0x1p-25 : 0x1p-134;
}

/* As dtype_encode and dtype_decode have it; they are called a few times for every element. */
float merge_round(enum dtype t, double v)
{
    float f = (float)v;
    uint32_t bits;
    uint8_t half[2];
    if (t == DTYPE_BF16 && isfinite(f)) {
        memcpy(&bits, &f, sizeof bits);
        bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
        memcpy(&f, &bits, sizeof f);
    } else if (t == DTYPE_F16) {
        dtype_encode(t, &f, 1, half);
        dtype_decode(t, half, 1, false, &f);
    }
    return f;
}

bool merge_takes_deltas(enum merge_method m)
{
    return m == MERGE_TASK_ARITHMETIC || m == MERGE_TIES || merge_is_random(m);
}

static bool by_consensus(enum merge_method m)
{
    return m == MERGE_TIES || m == MERGE_DARE_TIES;
}

struct judged {
    const struct merge_recipe *r;
    const struct merge_element *x;
    struct merge_answer *answer;
    double nearest;
};

/* One explanation: the value, and how far rounding within it may lead. */
static void offer(struct judged *j, double value, double bound, unsigned mixed)
{
    enum dtype out = j->r->merged->dtype;
    double off = fabs((double)j->x->merged - value);
    bound += merge_unit(out) * fabs(value) + smallest(out);
    if (!(off < j->nearest))
        return;
    j->nearest = off;
    j->answer->agrees = off <= bound;
    j->answer->exact = merge_round(out, value) == j->x->merged;
    j->answer->mixed = mixed;
    j->answer->bound = bound;
}

/* ---- sums of deltas ---- */

struct deltas {
    double weight[MERGE_INPUTS];
    float term[MERGE_INPUTS]; /* weighted, as kept */
    unsigned sure, maybe;     /* of which it is certain that they were kept; of which it is not */
    double slack;             /* of the terms, from their factors */
};

/* Base and what is mixed into it; the majority's sign where there is a consensus, else 0. */
static void offer_sum(struct judged *j, const struct deltas *d, unsigned kept, int sign)
{
    const struct merge_recipe *r = j->r;
    double u = merge_unit(r->work), all = 0, size = 0, divisor = 0;
    unsigned mixes = 0;
    for (size_t i = 0; i < r->count; i++) {
        double term = kept >> i & 1 ? (double)d->term[i] : 0;
        bool counts = i != r->base && (sign == 0 || (term != 0 && (term > 0) == (sign > 0)));
        all += counts ? term : 0;
        size += counts ? fabs(term) : 0;
        divisor += counts ? d->weight[i] : 0;
        mixes |= counts && kept >> i & 1 ? 1u << i : 0;
    }
    bool none = sign ? divisor == 0 : fabs(divisor) < 1e-8;
    double by = r->normalize && !none ? merge_round(r->work, divisor) : 1;
    double mixed = (double)merge_round(r->work, all);
    if (r->normalize)
        mixed = (double)merge_round(r->work, mixed / by);
    if (r->lambda != 1)
        mixed = (double)merge_round(r->work, mixed * r->lambda);
    double base = (double)j->x->x[r->base];
    double value = (double)merge_round(r->work, base + mixed);
    double bound = fabs(r->lambda / by) * (6 * u + d->slack) * size + 2 * u * fabs(value);
    offer(j, value, bound + 4 * smallest(r->work), mixes);
}

/* Where the sum is so small that the order of adding decides its sign, both are tried. */
static void offer_kept(struct judged *j, const struct deltas *d, unsigned kept)
{
    double sum = 0, size = 0;
    if (!by_consensus(j->r->method)) {
        offer_sum(j, d, kept, 0);
        return;
    }
    for (size_t i = 0; i < j->r->count; i++)
        if (kept >> i & 1) {
            sum += (double)d->term[i];
            size += fabs((double)d->term[i]);
        }
    offer_sum(j, d, kept, sum >= 0 ? 1 : -1);
    if (fabs(sum) <= (0x1p-20 + d->slack) * size)
        offer_sum(j, d, kept, sum >= 0 ? -1 : 1);
}

static void gather_deltas(struct deltas *d, const struct judged *j, const struct merge_whole *w,
                          unsigned without)
{
    const struct merge_recipe *r = j->r;
    d->sure = d->maybe = 0;
    d->slack = merge_is_random(r->method) ? 1e-4 : r->rescale ? 4 * merge_unit(r->work) : 0;
    for (size_t i = 0; i < r->count; i++) {
        double x = i == r->base ? 0 : (double)j->x->x[i];
        bool out = i == r->base || without >> i & 1;
        bool drawn = merge_is_random(r->method) && r->in[i].density < 1;
        bool edge = drawn || (w->torn[i] && fabs(x) == w->threshold[i]);
        d->weight[i] = out ? 0 : (double)merge_round(r->work, r->in[i].weight);
        double kept = w->factor[i] == 1 ? x : (double)merge_round(r->work, x * w->factor[i]);
        d->term[i] = out ? 0 : merge_round(r->work, kept * d->weight[i]);
        j->answer->term[i] = (double)d->term[i];
        if (!out && edge)
            d->maybe |= 1u << i;
        else if (!out && fabs(x) >= w->threshold[i])
            d->sure |= 1u << i;
    }
}

static void judge_deltas(struct judged *j, const struct merge_whole *w, unsigned without)
{
    struct deltas d;
    gather_deltas(&d, j, w, without);
    /* All subsets of those in doubt, the empty one last. */
    for (unsigned some = d.maybe;; some = (some - 1) & d.maybe) {
        offer_kept(j, &d, d.sure | some);
        if (some == 0)
            return;
    }
}

/* ---- the others ---- */

static void judge_linear(struct judged *j, unsigned without)
{
    const struct merge_recipe *r = j->r;
    double u = merge_unit(r->work), sum = 0, size = 0, weights = 0;
    for (size_t i = 0; i < r->count; i++) {
        double weight = without >> i & 1 ? 0 : (double)merge_round(r->work, r->in[i].weight);
        double term = (double)merge_round(r->work, weight * (double)j->x->x[i]);
        sum += term;
        size += fabs(term);
        weights += weight;
    }
    double by = r->normalize && weights != 0 ? (double)merge_round(r->work, weights) : 1;
    double value = (double)merge_round(r->work, sum);
    value = r->normalize ? (double)merge_round(r->work, value / by) : value;
    offer(j, value, 4 * u * size / fabs(by) + 2 * smallest(r->work), 0);
}

static void judge_between(struct judged *j, const struct merge_whole *w, unsigned without)
{
    const struct merge_recipe *r = j->r;
    size_t other = 1 - r->base;
    double a = w->a * (double)j->x->x[r->base], b = w->b * (double)j->x->x[other];
    if (without) { /* the other one alone */
        double alone = (double)j->x->x[without >> r->base & 1 ? other : r->base];
        offer(j, alone, 0, 0);
    } else {
        double way = fabs((double)j->x->x[other] - (double)j->x->x[r->base]);
        offer(j, a + b, 0x1p-20 * (fabs(a) + fabs(b)) + w->slack * way, 0);
    }
}

static void judge_stock(struct judged *j, const struct merge_whole *w, unsigned without)
{
    const struct merge_recipe *r = j->r;
    double mean = 0, base = (double)j->x->x[r->base], u = merge_unit(r->work), n = 0;
    for (size_t i = 0; i < r->count; i++)
        if (i != r->base && !(without >> i & 1)) {
            mean = (double)merge_round(r->work, mean + (double)j->x->x[i]);
            n++;
        }
    mean = n > 0 ? (double)merge_round(r->work, mean / n) : base;
    double part = (double)merge_round(r->work, w->a * mean);
    double rest = (double)merge_round(r->work, (double)merge_round(r->work, 1 - w->a) * base);
    double value = (double)merge_round(r->work, part + rest);
    offer(j, value, 4 * u * (fabs(part) + fabs(rest)) + 2 * smallest(r->work), 0);
}

static void judge_copy(struct judged *j, unsigned without)
{
    double scale = j->r->in[0].scale, value = (double)j->x->x[0] * scale;
    if (!without)
        offer(j, scale == 1 ? value : (double)merge_round(j->r->work, value),
              scale == 1 ? 0 : 2 * merge_unit(j->r->work) * fabs(value), 0);
}

struct merge_answer merge_element(const struct merge_recipe *r, const struct merge_whole *w,
                                  const struct merge_element *x, unsigned without)
{
    struct merge_answer answer = {.agrees = false};
    struct judged j = {r, x, &answer, INFINITY};
    switch (r->method) {
    case MERGE_LINEAR:
        judge_linear(&j, without);
        break;
    case MERGE_SLERP:
    case MERGE_LINE:
        judge_between(&j, w, without);
        break;
    case MERGE_MODEL_STOCK:
        judge_stock(&j, w, without);
        break;
    case MERGE_PASSTHROUGH:
        judge_copy(&j, without);
        break;
    case MERGE_TASK_ARITHMETIC:
    case MERGE_TIES:
    case MERGE_DARE_LINEAR:
    case MERGE_DARE_TIES:
        judge_deltas(&j, w, without);
        break;
    case MERGE_OTHER:
        break;
    }
    return answer;
}
