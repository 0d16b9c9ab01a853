/*
 * Functions of one number. The double ones are fdlibm's kernels (Copyright
 * (C) 1993 by Sun Microsystems, Inc.; freely granted permission to use, copy,
 * modify and distribute, provided that this notice is preserved), evaluated
 * with IEEE operations and explicit fma alone; they make tables when a model
 * is loaded and noise when a token is drawn.
 */
#include "numerics/lane.h"

static double double_of(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint64_t double_bits(double d)
{
    uint64_t b;
    memcpy(&b, &d, sizeof b);
    return b;
}

/* The nearest integer of |x| < 2^51, halves to even. */
static double nearest(double x)
{
    const double magic = 0x1.8p52;
    volatile double t = x + magic; /* no compiler may see through this one */
    return t - magic;
}

double numerics_exp_double(double x)
{
    if (isnan(x))
        return x;
    if (x > 709.79)
        return (double)INFINITY;
    if (x < -746.0)
        return 0.0;
    double n = nearest(x * 1.44269504088896338700e+00);
    double hi = fma(n, -6.93147180369123816490e-01, x);
    double lo = n * 1.90821492927058770002e-10;
    double r = hi - lo, t = r * r;
    double p = fma(t, 4.13813679705723846039e-08, -1.65339022054652515390e-06);
    p = fma(t, p, 6.61375632143793436117e-05);
    p = fma(t, p, -2.77777777770155933842e-03);
    p = fma(t, p, 1.66666666666666019037e-01);
    double c = r - t * p;
    double y = 1.0 - ((lo - (r * c) / (2.0 - c)) - hi);
    int k = (int)n, half = k >> 1;
    return y * double_of((uint64_t)(half + 1023) << 52) *
           double_of((uint64_t)(k - half + 1023) << 52);
}

double numerics_log_double(double x)
{
    if (isnan(x) || x < 0.0)
        return (double)NAN;
    if (x == 0.0)
        return -(double)INFINITY;
    if (isinf(x))
        return x;
    int k = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k = -54;
    }
    uint64_t b = double_bits(x);
    k += (int)(b >> 52) - 1023;
    double m = double_of((b & 0xfffffffffffffu) | 0x3ff0000000000000u);
    if (m > 1.41421356237309504880) {
        m *= 0.5;
        k++;
    }
    double f = m - 1.0, s = f / (2.0 + f), z = s * s, w = z * z, dk = (double)k;
    double odd = fma(w, 1.531383769920937332e-01, 2.222219843214978396e-01);
    odd = w * fma(w, odd, 3.999999999940941908e-01);
    double even = fma(w, 1.479819860511658591e-01, 1.818357216161805012e-01);
    even = fma(w, even, 2.857142874366239149e-01);
    even = z * fma(w, even, 6.666666666666735130e-01);
    double square = 0.5 * f * f;
    double low = fma(dk, 1.90821492927058770002e-10, s * (square + (even + odd)));
    return dk * 6.93147180369123816490e-01 - ((square - low) - f);
}

double numerics_pow_double(double x, double y)
{
    return numerics_exp_double(y * numerics_log_double(x));
}

static double kernel_sin(double x)
{
    double z = x * x;
    double p = fma(z, 1.58969099521155010221e-10, -2.50507602534068634195e-08);
    p = fma(z, p, 2.75573137070700676789e-06);
    p = fma(z, p, -1.98412698298579493134e-04);
    p = fma(z, p, 8.33333333332248946124e-03);
    p = fma(z, p, -1.66666666666666324348e-01);
    return fma(z * x, p, x);
}

static double kernel_cos(double x)
{
    double z = x * x;
    double p = fma(z, -1.13596475577881948265e-11, 2.08757232129817482790e-09);
    p = fma(z, p, -2.75573143513906633035e-07);
    p = fma(z, p, 2.48015872894767294178e-05);
    p = fma(z, p, -1.38888888888741095749e-03);
    p = fma(z, p, 4.16666666666666019037e-02);
    return fma(z * z, p, fma(-0.5, z, 1.0));
}

/* x - n pi/2 with pi/2 in three parts: exact to the last place for |x| <= 2^30. */
static double reduced(double x, int *quadrant)
{
    double n = nearest(x * 6.36619772367581382433e-01);
    double r = fma(-n, 0x1.921fb54442d18p+0, x);
    r = fma(-n, 0x1.1a62633145c07p-54, r);
    r = fma(-n, -0x1.f1976b7ed8fbcp-110, r);
    *quadrant = (int)((int64_t)n & 3);
    return r;
}

double numerics_sin_double(double x)
{
    int q;
    double r = reduced(x, &q);
    double v = q & 1 ? kernel_cos(r) : kernel_sin(r);
    return q & 2 ? -v : v;
}

double numerics_cos_double(double x)
{
    int q;
    double r = reduced(x, &q);
    double v = q & 1 ? kernel_sin(r) : kernel_cos(r);
    return q == 1 || q == 2 ? -v : v;
}

float numerics_log(float x)
{
    return (float)numerics_log_double((double)x);
}

float numerics_sin(float x)
{
    return (float)numerics_sin_double((double)x);
}

float numerics_cos(float x)
{
    return (float)numerics_cos_double((double)x);
}

float numerics_exp(float x)
{
    return lane_exp(x);
}

float numerics_tanh(float x)
{
    return lane_tanh(x);
}

uint16_t numerics_half(float x)
{
    return lane_half(x);
}

float numerics_from_half(uint16_t h)
{
    return lane_from_half(h);
}

uint16_t numerics_bfloat(float x)
{
    return lane_bfloat(x);
}

float numerics_from_bfloat(uint16_t b)
{
    return lane_from_bfloat(b);
}
