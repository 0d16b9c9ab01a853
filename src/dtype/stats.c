/*
 * Statistics over tensor elements: the definition, in plain C, and the merge.
 * Sums are of doubles: the square of a float is exact there, so a fused and a
 * separate multiplication agree, and a lane of a chunk holds at most 4096
 * terms. |error of sum| is below 4100 * 2^-53 * (sum of |x|) for a chunk, plus
 * 2^-53 of the running total for every chunk merged; the same for squares.
 */
#include "dtype/lanes.h"

#include <assert.h>

void stats_init(struct stats *s)
{
    *s = (struct stats){.min = INFINITY, .max = -INFINITY};
}

static void lanes_init(struct lanes *l)
{
    *l = (struct lanes){.zeros = 0};
    for (int i = 0; i < LANES; i++) {
        l->min[i] = INFINITY;
        l->max[i] = -INFINITY;
    }
}

ALWAYS_INLINE void add_one(struct lanes *l, size_t lane, double x)
{
    if (isnan(x)) {
        l->nan++;
    } else if (isinf(x)) {
        l->inf++;
    } else {
        l->zeros += x == 0.0;
        l->sum[lane] += x;
        l->squares[lane] += x * x;
        l->min[lane] = x < l->min[lane] ? x : l->min[lane];
        l->max[lane] = x > l->max[lane] ? x : l->max[lane];
    }
}

ALWAYS_INLINE bool all_finite(const float *v)
{
    uint32_t most = 0;
    for (int i = 0; i < LANES; i++) {
        uint32_t bits;
        memcpy(&bits, v + i, sizeof bits);
        bits &= 0x7fffffffu;
        most = bits > most ? bits : most;
    }
    return most < 0x7f800000u;
}

ALWAYS_INLINE void add_row(struct lanes *l, const float *v)
{
    uint32_t zeros = 0;
    for (int i = 0; i < LANES; i++)
        zeros += v[i] == 0.0f;
    l->zeros += zeros;
    for (int i = 0; i < LANES; i++) {
        double x = (double)v[i];
        l->sum[i] += x;
        l->squares[i] += x * x;
        l->min[i] = x < l->min[i] ? x : l->min[i];
        l->max[i] = x > l->max[i] ? x : l->max[i];
    }
}

void lanes_plain(struct lanes *l, const float *v, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        if (all_finite(v + i)) {
            add_row(l, v + i);
            continue;
        }
        for (size_t j = 0; j < LANES; j++)
            add_one(l, j, (double)v[i + j]);
    }
    for (; i < n; i++)
        add_one(l, i % LANES, (double)v[i]);
}

void lanes_wide(struct lanes *l, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_one(l, i % LANES, v[i]);
}

/* Lane j takes in lane j + 8, then j + 4, j + 2, j + 1. */
static void fold(struct stats *s, struct lanes *l, uint64_t count)
{
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int j = 0; j < half; j++) {
            l->sum[j] += l->sum[j + half];
            l->squares[j] += l->squares[j + half];
            l->min[j] = l->min[j + half] < l->min[j] ? l->min[j + half] : l->min[j];
            l->max[j] = l->max[j + half] > l->max[j] ? l->max[j + half] : l->max[j];
        }
    }
    *s = (struct stats){
        .count = count,
        .nan = l->nan,
        .inf = l->inf,
        .zeros = l->zeros,
        .min = l->min[0] + 0.0, /* which of -0 and +0 came first must not show */
        .max = l->max[0] + 0.0,
        .sum = l->sum[0],
        .sum_squares = l->squares[0],
    };
}

static lanes_fn *lanes_add(void)
{
#if DTYPE_X86
    static lanes_fn *const by_isa[ISA_COUNT] = {lanes_plain, lanes_avx2, lanes_avx512};
    return by_isa[isa_best()];
#else
    return lanes_plain;
#endif
}

union batch {
    float f[DECODE_BATCH];
    double d[DECODE_BATCH / 2];
};

void stats_chunk(struct stats *s, enum dtype t, const uint8_t *src, size_t blocks, bool big_endian)
{
    assert((size_t)t < DTYPE_COUNT);
    _Alignas(64) union batch b;
    struct lanes l;
    lanes_init(&l);
    lanes_fn *add = lanes_add();
    bool wide = decoders[t]->widen != NULL;
    size_t block = dtypes[t].block;
    size_t room = (wide ? DECODE_BATCH / 2 : DECODE_BATCH) / block;
    uint64_t count = (uint64_t)blocks * block;
    while (blocks > 0) {
        size_t n = blocks < room ? blocks : room;
        if (wide) {
            decode_wide(t, src, n, big_endian, b.d);
            lanes_wide(&l, b.d, n * block);
        } else {
            dtype_decode(t, src, n, big_endian, b.f);
            add(&l, b.f, n * block);
        }
        src += n * dtypes[t].bytes;
        blocks -= n;
    }
    fold(s, &l, count);
}

void stats_merge(struct stats *s, const struct stats *next)
{
    s->count += next->count;
    s->nan += next->nan;
    s->inf += next->inf;
    s->zeros += next->zeros;
    s->sum += next->sum;
    s->sum_squares += next->sum_squares;
    s->min = next->min < s->min ? next->min : s->min;
    s->max = next->max > s->max ? next->max : s->max;
}

static uint64_t finite_count(const struct stats *s)
{
    return s->count - s->nan - s->inf;
}

double stats_mean(const struct stats *s)
{
    return finite_count(s) > 0 ? s->sum / (double)finite_count(s) : NAN;
}

double stats_rms(const struct stats *s)
{
    return finite_count(s) > 0 ? sqrt(s->sum_squares / (double)finite_count(s)) : NAN;
}
