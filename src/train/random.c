/* SplitMix64's finaliser over counters, and Box and Muller's way to normal numbers. */
#include "train/random.h"

#include <math.h>

#include "assay/numerics.h"

static uint64_t mix(uint64_t z)
{
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t random_bits(uint64_t seed, enum random_use use, uint64_t of, uint64_t number)
{
    return mix(mix(mix(mix(seed) ^ (uint64_t)use) ^ of) ^ number);
}

/* In (0, 1). */
static double unit(uint64_t bits)
{
    return ((double)(bits >> 12) + 0.5) * 0x1p-52;
}

void random_normal(float *x, size_t n, uint64_t seed, enum random_use use, uint64_t of,
                   float deviation)
{
    const double turn = 6.283185307179586;
    for (size_t i = 0; i < n; i++) {
        double a = unit(random_bits(seed, use, of, 2 * i));
        double b = unit(random_bits(seed, use, of, 2 * i + 1));
        double r = sqrt(-2 * numerics_log_double(a)) * numerics_cos_double(turn * b);
        x[i] = (float)(r * (double)deviation);
    }
}

void random_even(float *x, size_t n, uint64_t seed, enum random_use use, uint64_t of, float most)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((2 * unit(random_bits(seed, use, of, i)) - 1) * (double)most);
}
