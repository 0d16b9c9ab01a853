/*
 * Quantised, or trained as well? Two questions to each block: is it what the
 * reference quantiser makes of the other side's values, to the bit; and does every
 * element lie as near to them as rounding with that block's own step can leave it.
 */
#include "inspect/diff.h"

#include <math.h>
#include <string.h>

static bool is_block(enum dtype t)
{
    return t < DTYPE_COUNT && dtypes[t].kind == DTYPE_BLOCK;
}

static bool known_or_plain(enum dtype t)
{
    return t == DTYPE_F32 || t == DTYPE_F16 || t == DTYPE_BF16 || dtype_bounds_known(t);
}

bool diff_is_bounded(const struct pair *p)
{
    enum dtype a = view_dtype(&p->a), b = view_dtype(&p->b);
    return (is_block(a) || is_block(b)) && known_or_plain(a) && known_or_plain(b) && !p->a.scales &&
           !p->b.scales && p->a.add == 0 && p->b.add == 0;
}

/* The model that was quantised may have been in 16 bits where this one is in 32, or in the other 16. */
static double of_plain(enum dtype t, float x)
{
    return fabs((double)x) * (t == DTYPE_F32 ? 0x1p-9 : 0x1p-11);
}

void diff_count_outside(struct sums *s, const struct pair *p, const float *a, const float *b,
                        const float *bounds_a, const float *bounds_b, size_t n)
{
    enum dtype ta = p->a.t->dtype, tb = p->b.t->dtype;
    for (size_t i = 0; i < n; i++) {
        double bound = bounds_a ? (double)bounds_a[i] : of_plain(ta, a[i]);
        bound += bounds_b ? (double)bounds_b[i] : of_plain(tb, b[i]);
        s->outside += fabs((double)b[i] - (double)a[i]) > bound;
    }
}

static bool all_finite(const float *x, size_t n)
{
    bool finite = true;
    for (size_t i = 0; i < n; i++)
        finite &= isfinite(x[i]) != 0;
    return finite;
}

void diff_count_given(struct sums *s, const struct pair *p, const float *a, const float *b,
                      float *floats, uint8_t *bytes, size_t n)
{
    enum dtype ta = p->a.t->dtype, tb = p->b.t->dtype;
    bool to_b = dtype_bits(tb) < dtype_bits(ta);
    enum dtype to = to_b ? tb : ta;
    const float *from = to_b ? a : b, *want = to_b ? b : a;
    if (ta == tb || !is_block(to) || !dtype_encodes(to) || n % dtypes[to].block != 0)
        return;
    s->tried += n;
    if (!all_finite(from, n))
        return;
    dtype_encode(to, from, n / dtypes[to].block, bytes);
    dtype_decode(to, bytes, n / dtypes[to].block, false, floats);
    for (size_t i = 0; i < n; i++)
        s->given += floats[i] == want[i];
}
