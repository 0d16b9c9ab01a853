/*
 * One merged tensor computed again from its inputs. All are read side by side in
 * pieces; what a method takes from the whole tensor first (products, the
 * magnitude above which deltas are kept, DARE's factors) has passes of its own.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assay/source.h"
#include "provenance/merge.h"

enum { PIECE = 1 << 14, HALF = 1 << 16, WIDEST = 8 };

struct merge_scratch {
    float x[MERGE_INPUTS][PIECE], merged[PIECE];
    uint8_t raw[(size_t)PIECE * WIDEST];
    uint64_t high[MERGE_INPUTS][HALF], low[MERGE_INPUTS][HALF]; /* magnitudes by their bits */
};

struct merge_scratch *merge_scratch_new(void)
{
    return malloc(sizeof(struct merge_scratch));
}

void merge_scratch_free(struct merge_scratch *s)
{
    free(s);
}

/* ---- reading ---- */

static bool read_piece(float *out, const struct model *m, const struct tensor *t, uint64_t first,
                       size_t n, uint8_t *raw, struct err *e)
{
    const struct model_file *f = &m->files[t->data.file];
    size_t bytes = dtypes[t->dtype].bytes;
    if (!source_read(f->source, raw, t->data.offset + first * bytes, n * bytes, e))
        return false;
    dtype_decode(t->dtype, raw, n, f->big_endian, out);
    return true;
}

static void round_all(enum dtype t, float *x, size_t n)
{
    for (size_t i = 0; t != DTYPE_F32 && i < n; i++)
        x[i] = merge_round(t, (double)x[i]);
}

static bool read_all(const struct merge_recipe *r, struct merge_scratch *s, uint64_t first,
                     size_t n, struct err *e)
{
    if (!read_piece(s->merged, r->model, r->merged, first, n, s->raw, e))
        return false;
    for (size_t i = 0; i < r->count; i++) {
        const struct merge_input *in = &r->in[i];
        if (!read_piece(s->x[i], in->model, in->tensor, first, n, s->raw, e))
            return false;
        if (in->tensor->dtype != r->cast)
            round_all(r->cast, s->x[i], n);
    }
    for (size_t i = 0; merge_takes_deltas(r->method) && i < r->count; i++)
        if (i != r->base) {
            for (size_t k = 0; k < n; k++)
                s->x[i][k] -= s->x[r->base][k];
            round_all(r->work, s->x[i], n);
        }
    return true;
}

struct passing {
    const struct merge_recipe *r;
    struct merge_scratch *s;
    struct merge_whole w;
    struct merge_outcome *out;
    double normal[MERGE_INPUTS][MERGE_INPUTS + 1]; /* DARE: equations for the factors */
};

static bool pass(struct passing *p, void visit(struct passing *p, size_t n), struct err *e)
{
    uint64_t all = p->r->merged->elements;
    for (uint64_t at = 0; at < all; at += PIECE) {
        size_t n = (size_t)(all - at < PIECE ? all - at : PIECE);
        if (!read_all(p->r, p->s, at, n, e))
            return false;
        visit(p, n);
    }
    return true;
}

static struct merge_element element(const struct passing *p, size_t k)
{
    struct merge_element x = {.merged = p->s->merged[k]};
    for (size_t i = 0; i < p->r->count; i++)
        x.x[i] = p->s->x[i][k];
    return x;
}

/* ---- products ---- */

/* Of inputs for slerp; for model stock of what they differ from the base by. */
static void add_products(struct passing *p, size_t n)
{
    const struct merge_recipe *r = p->r;
    for (size_t k = 0; k < n; k++) {
        double x[MERGE_INPUTS];
        for (size_t i = 0; i < r->count; i++)
            x[i] = r->method == MERGE_SLERP
                       ? (double)p->s->x[i][k]
                       : (double)merge_round(r->work,
                                             (double)p->s->x[i][k] - (double)p->s->x[r->base][k]);
        for (size_t i = 0; i < r->count; i++)
            for (size_t j = 0; j <= i; j++)
                p->w.gram[i][j] = p->w.gram[j][i] +=
                    i == j || r->method == MERGE_SLERP ? x[i] * x[j]
                                                       : (double)merge_round(r->work, x[i] * x[j]);
    }
}

/* Nearly one direction: a straight line instead of an arc, as mergekit has it. */
static void take_angle(struct passing *p)
{
    size_t a = p->r->base, b = 1 - a;
    double na = sqrt(p->w.gram[a][a]), nb = sqrt(p->w.gram[b][b]), t = p->r->t;
    double dot = p->w.gram[a][b] / (na > 1e-8 ? na : 1) / (nb > 1e-8 ? nb : 1);
    p->w.a = 1 - t;
    p->w.b = t;
    if (fabs(dot) > 0.9995)
        return;
    double angle = acos(dot);
    p->w.a = sin((1 - t) * angle) / sin(angle);
    p->w.b = sin(t * angle) / sin(angle);
}

/* Where on the line from the base to the other the merged tensor comes nearest. */
static void add_line(struct passing *p, size_t n)
{
    const float *base = p->s->x[p->r->base], *other = p->s->x[1 - p->r->base];
    for (size_t k = 0; k < n; k++) {
        double way = (double)other[k] - (double)base[k];
        p->normal[0][0] += way * way;
        p->normal[0][1] += way * ((double)p->s->merged[k] - (double)base[k]);
        p->normal[0][2] += (double)p->s->merged[k] * (double)p->s->merged[k];
    }
}

/* What was rounded moves the place that fits best, too. */
static void take_line(struct passing *p)
{
    bool apart = p->normal[0][0] > 0;
    p->w.b = apart ? p->normal[0][1] / p->normal[0][0] : 0;
    p->w.a = 1 - p->w.b;
    double size = sqrt(p->normal[0][2] / (double)p->r->merged->elements);
    p->w.slack = apart ? 3 * merge_unit(p->r->merged->dtype) * size / sqrt(p->normal[0][0]) : 0;
    p->out->share = apart ? p->w.b : NAN;
}

/* Model stock: how far from the base to the mean, by the mean angle between what they differ from the
 * base by; each step in the type that is computed in. */
static void take_ratio(struct passing *p)
{
    const struct merge_recipe *r = p->r;
    enum dtype t = r->work;
    double sum = 0, n = (double)(r->count - 1), pairs = n * (n - 1) / 2;
    for (size_t i = 0; i < r->count; i++)
        for (size_t j = i + 1; j < r->count; j++)
            if (i != r->base && j != r->base) {
                double size =
                    (double)merge_round(t, (double)merge_round(t, sqrt(p->w.gram[i][i])) *
                                               (double)merge_round(t, sqrt(p->w.gram[j][j])));
                double cosine = (double)merge_round(t, (double)merge_round(t, p->w.gram[i][j]) /
                                                           (size > 1e-6 ? size : 1e-6));
                sum += cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
            }
    double cosine = (double)merge_round(t, pairs > 0 ? sum / pairs : 0);
    double divisor = (double)merge_round(t, 1 + (double)merge_round(t, (n - 1) * cosine));
    p->w.a = fabs(divisor) < 1e-6
                 ? 0
                 : (double)merge_round(t, (double)merge_round(t, n * cosine) / divisor);
}

/* ---- the magnitude above which a delta is kept ---- */

static uint32_t magnitude(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7fffffff;
}

static double of_magnitude(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

static void count_high(struct passing *p, size_t n)
{
    for (size_t i = 0; i < p->r->count; i++)
        for (size_t k = 0; i != p->r->base && k < n; k++)
            p->s->high[i][magnitude(p->s->x[i][k]) >> 16]++;
}

/* Those of the bin in which the threshold lies. */
static void count_low(struct passing *p, size_t n)
{
    for (size_t i = 0; i < p->r->count; i++) {
        uint32_t bin = magnitude((float)p->w.threshold[i]) >> 16;
        for (size_t k = 0; i != p->r->base && k < n; k++) {
            uint32_t m = magnitude(p->s->x[i][k]);
            if (m >> 16 == bin)
                p->s->low[i][m & (HALF - 1)]++;
        }
    }
}

/* How many deltas are kept: mergekit keeps one at the least. */
static uint64_t kept_of(const struct merge_recipe *r, size_t i)
{
    double share = r->in[i].density < 1 ? r->in[i].density : 1;
    double n = share * (double)r->merged->elements;
    return n >= 1 ? (uint64_t)n : 1;
}

/* The bin that holds the last of the `left` largest; `left` becomes how many of it are wanted. */
static uint32_t last_bin(const uint64_t *count, uint64_t *left)
{
    uint32_t bin = HALF - 1;
    while (bin > 0 && count[bin] < *left)
        *left -= count[bin--];
    return bin;
}

static bool take_thresholds(struct passing *p, struct err *e)
{
    const struct merge_recipe *r = p->r;
    uint64_t wanted[MERGE_INPUTS];
    memset(p->s->high, 0, sizeof p->s->high);
    memset(p->s->low, 0, sizeof p->s->low);
    if (!pass(p, count_high, e))
        return false;
    for (size_t i = 0; i < r->count; i++) {
        wanted[i] = kept_of(r, i);
        p->w.threshold[i] =
            of_magnitude(i == r->base ? 0 : last_bin(p->s->high[i], &wanted[i]) << 16);
    }
    if (!pass(p, count_low, e))
        return false;
    for (size_t i = 0; i < r->count; i++) {
        if (i == r->base || r->in[i].density >= 1) {
            p->w.threshold[i] = 0;
            continue;
        }
        uint32_t bin = last_bin(p->s->low[i], &wanted[i]);
        p->w.threshold[i] = of_magnitude((magnitude((float)p->w.threshold[i]) & 0xffff0000) | bin);
        p->w.torn[i] = wanted[i] < p->s->low[i][bin];
        if (r->in[i].density <= 0)
            p->w.threshold[i] = INFINITY;
    }
    return true;
}

/* ---- factors of what is kept ---- */

static void add_sums(struct passing *p, size_t n)
{
    for (size_t i = 0; i < p->r->count; i++)
        for (size_t k = 0; i != p->r->base && k < n; k++) {
            double x = fabs((double)p->s->x[i][k]);
            p->normal[i][0] += x;
            p->normal[i][1] += x >= p->w.threshold[i] ? x : 0;
            p->normal[i][2] += x == p->w.threshold[i];
        }
}

/* TIES with `rescale`: the sum of magnitudes stays what it was. */
static bool take_rescaling(struct passing *p, struct err *e)
{
    memset(p->normal, 0, sizeof p->normal);
    if (!pass(p, add_sums, e))
        return false;
    for (size_t i = 0; i < p->r->count; i++) {
        uint64_t left = kept_of(p->r, i), more;
        uint32_t bin = magnitude((float)p->w.threshold[i]);
        (void)last_bin(p->s->high[i], &left);
        (void)last_bin(p->s->low[i], &left);
        more = (uint64_t)p->normal[i][2] > left ? (uint64_t)p->normal[i][2] - left : 0;
        double kept = p->normal[i][1] - (double)more * of_magnitude(bin);
        if (i != p->r->base && p->r->in[i].density < 1 && kept > 1e-7 && p->normal[i][0] > 1e-7)
            p->w.factor[i] = (double)merge_round(p->r->work, p->normal[i][0] / kept);
    }
    return true;
}

/* What was mixed in, as a sum of kept deltas times the factors that are sought: least squares. */
static void add_equations(struct passing *p, size_t n)
{
    const struct merge_recipe *r = p->r;
    for (size_t k = 0; k < n; k++) {
        struct merge_element x = element(p, k);
        struct merge_answer a = merge_element(r, &p->w, &x, 0);
        double mixed = ((double)x.merged - (double)x.x[r->base]) / r->lambda;
        for (size_t i = 0; i < r->count; i++)
            for (size_t j = 0; a.mixed >> i & 1 && j < r->count; j++)
                p->normal[i][j] += a.mixed >> j & 1 ? a.term[i] * a.term[j] : 0;
        for (size_t i = 0; i < r->count; i++)
            p->normal[i][MERGE_INPUTS] += a.mixed >> i & 1 ? a.term[i] * mixed : 0;
    }
}

/* By Gauss and Seidel, from what was assumed: the deltas hardly depend on one another. */
static void solve(const struct passing *p, double by[MERGE_INPUTS])
{
    for (size_t i = 0; i < MERGE_INPUTS; i++)
        by[i] = 1;
    for (int round = 0; round < 40; round++)
        for (size_t i = 0; i < p->r->count; i++) {
            double rest = p->normal[i][MERGE_INPUTS];
            for (size_t j = 0; j < p->r->count; j++)
                rest -= j == i ? 0 : p->normal[i][j] * by[j];
            if (p->normal[i][i] > 0)
                by[i] = rest / p->normal[i][i];
        }
}

/* mergekit divided by the density, and in version 0.1.5 by what keeps the sum of magnitudes, which
 * depends on what was drawn. Both are near one another: the first is refined. */
static bool take_factors(struct passing *p, struct err *e)
{
    const struct merge_recipe *r = p->r;
    double by[MERGE_INPUTS];
    for (size_t i = 0; r->rescale && i < r->count; i++)
        if (i != r->base && r->in[i].density > 0 && r->in[i].density < 1)
            p->w.factor[i] = 1 / r->in[i].density;
    for (int round = 0; r->rescale && !r->normalize && r->lambda != 0 && round < 3; round++) {
        memset(p->normal, 0, sizeof p->normal);
        if (!pass(p, add_equations, e))
            return false;
        solve(p, by);
        for (size_t i = 0; i < r->count; i++)
            if (p->w.factor[i] != 1 && by[i] > 0.5 && by[i] < 2)
                p->w.factor[i] *= by[i];
    }
    return true;
}

/* ---- the comparison ---- */

/* Can it be told that a delta was kept? Where a consensus may have left it out, it cannot. */
static bool is_told(const struct merge_recipe *r, const struct merge_answer *a, size_t i)
{
    for (size_t j = 0; r->method == MERGE_DARE_TIES && j < r->count; j++)
        if (a->term[j] * a->term[i] < 0)
            return false;
    return merge_is_random(r->method) && fabs(a->term[i]) > 4 * a->bound;
}

static void count_input(struct passing *p, const struct merge_element *x,
                        const struct merge_answer *a, size_t i)
{
    const struct merge_recipe *r = p->r;
    bool base = i == r->base && (merge_takes_deltas(r->method) || r->method == MERGE_MODEL_STOCK);
    bool told = !base && is_told(r, a, i);
    p->out->needed[i] += base || !merge_element(r, &p->w, x, 1u << i).agrees;
    p->out->told[i] += told;
    p->out->kept[i] += told && a->mixed >> i & 1;
}

static void count_elements(struct passing *p, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        struct merge_element x = element(p, k);
        struct merge_answer a = merge_element(p->r, &p->w, &x, 0);
        p->out->elements++;
        p->out->agree += a.agrees;
        p->out->exact += a.exact;
        for (size_t i = 0; a.agrees && i < p->r->count; i++)
            count_input(p, &x, &a, i);
    }
}

/* What the method takes from the whole tensor first. */
static bool take_whole(struct passing *p, struct err *e)
{
    switch (p->r->method) {
    case MERGE_SLERP:
    case MERGE_MODEL_STOCK:
        if (!pass(p, add_products, e))
            return false;
        (p->r->method == MERGE_SLERP ? take_angle : take_ratio)(p);
        return true;
    case MERGE_LINE:
        if (!pass(p, add_line, e))
            return false;
        take_line(p);
        return true;
    case MERGE_TIES:
        return take_thresholds(p, e) && (!p->r->rescale || take_rescaling(p, e));
    case MERGE_DARE_LINEAR:
    case MERGE_DARE_TIES:
        return take_factors(p, e);
    case MERGE_LINEAR:
    case MERGE_TASK_ARITHMETIC:
    case MERGE_PASSTHROUGH:
    case MERGE_OTHER:
        break;
    }
    return true;
}

bool merge_recompute(struct merge_outcome *out, const struct merge_recipe *r,
                     struct merge_scratch *s, struct err *e)
{
    struct passing p = {.r = r, .s = s, .out = out};
    *out = (struct merge_outcome){.elements = 0};
    for (size_t i = 0; i < MERGE_INPUTS; i++)
        p.w.factor[i] = 1;
    if (!take_whole(&p, e))
        return false;
    return pass(&p, count_elements, e);
}
