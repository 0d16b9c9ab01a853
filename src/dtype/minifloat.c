/*
 * Floats of 8, 6 and 4 bits: OCP Microscaling v1.0 (E4M3, E5M2, E8M0, E3M2,
 * E2M3, E2M1) and the FNUZ pair of ONNX and safetensors. Every format is at
 * most 256 values, so a table of all of them is made once from the format's
 * three numbers and its rule for the codes that are not finite.
 */
#include <pthread.h>

#include "dtype/decode.h"

enum special {
    ALL_FINITE, /* E2M1, E2M3, E3M2: no infinity, no NaN */
    NAN_ON_TOP, /* E4M3: all ones is NaN, no infinity */
    IEEE,       /* E5M2: exponent of all ones is infinity or NaN */
    FNUZ        /* NaN where minus zero would be; no infinity */
};

struct minifloat {
    int exponent, mantissa, bias;
    enum special special;
};

static const struct minifloat e4m3_format = {4, 3, 7, NAN_ON_TOP};
static const struct minifloat e5m2_format = {5, 2, 15, IEEE};
static const struct minifloat e4m3fnuz_format = {4, 3, 8, FNUZ};
static const struct minifloat e5m2fnuz_format = {5, 2, 16, FNUZ};
static const struct minifloat e2m3_format = {2, 3, 1, ALL_FINITE};
static const struct minifloat e3m2_format = {3, 2, 3, ALL_FINITE};
static const struct minifloat e2m1_format = {2, 1, 1, ALL_FINITE};

static float e4m3_values[256], e5m2_values[256], e4m3fnuz_values[256], e5m2fnuz_values[256];
static float e2m3_values[64], e3m2_values[64], e2m1_values[16];

static bool not_finite(const struct minifloat *f, unsigned code, float *value)
{
    unsigned sign = 1u << (f->exponent + f->mantissa);
    unsigned rest = code & (sign - 1);
    unsigned infinity = sign - (1u << f->mantissa);
    *value = float_of_bits(0x7fc00000u);
    if (f->special == FNUZ)
        return code == sign;
    if (f->special == NAN_ON_TOP)
        return rest == sign - 1;
    if (f->special != IEEE || rest < infinity)
        return false;
    if (rest == infinity)
        *value = (code & sign) != 0 ? -INFINITY : INFINITY;
    return true;
}

static float minifloat(const struct minifloat *f, unsigned code)
{
    float value;
    if (not_finite(f, code, &value))
        return value;
    unsigned sign = 1u << (f->exponent + f->mantissa);
    int exponent = (int)((code & (sign - 1)) >> f->mantissa);
    int mantissa = (int)(code & ((1u << f->mantissa) - 1));
    if (exponent == 0)
        exponent = 1; /* subnormal: no hidden bit */
    else
        mantissa += 1 << f->mantissa;
    value = ldexpf((float)mantissa, exponent - f->bias - f->mantissa);
    return (code & sign) != 0 ? -value : value;
}

static void fill(float *values, unsigned n, const struct minifloat *f)
{
    for (unsigned code = 0; code < n; code++)
        values[code] = minifloat(f, code);
}

static void fill_all(void)
{
    fill(e4m3_values, 256, &e4m3_format);
    fill(e5m2_values, 256, &e5m2_format);
    fill(e4m3fnuz_values, 256, &e4m3fnuz_format);
    fill(e5m2fnuz_values, 256, &e5m2fnuz_format);
    fill(e2m3_values, 64, &e2m3_format);
    fill(e3m2_values, 64, &e3m2_format);
    fill(e2m1_values, 16, &e2m1_format);
}

static pthread_once_t filled = PTHREAD_ONCE_INIT;

#define BYTE_FLOAT(NAME, values)                                                                   \
    static void NAME##_all(const uint8_t *restrict src, size_t blocks, float *restrict dst)        \
    {                                                                                              \
        pthread_once(&filled, fill_all);                                                           \
        for (size_t i = 0; i < blocks; i++)                                                        \
            dst[i] = (values)[src[i]];                                                             \
    }                                                                                              \
    const struct decoder decoder_##NAME = {{NAME##_all, NULL, NULL}, NULL, {{0, 0, 0}}};

BYTE_FLOAT(F8_E4M3, e4m3_values)
BYTE_FLOAT(F8_E5M2, e5m2_values)
BYTE_FLOAT(F8_E4M3FNUZ, e4m3fnuz_values)
BYTE_FLOAT(F8_E5M2FNUZ, e5m2fnuz_values)

/* OCP MX 5.4.1: 2^(e - 127), 255 is NaN, no zero; 2^-127 is a subnormal float. */
ALWAYS_INLINE float e8m0(const uint8_t *p)
{
    uint32_t bits = *p == 0 ? 0x00400000u : *p == 255 ? 0x7fc00000u : (uint32_t)*p << 23;
    return float_of_bits(bits);
}
SCALARS(F8_E8M0, e8m0, {0, 0, 0})

/* Four codes in three bytes, the first in the lowest bits. */
#define SIX_BITS(NAME, values)                                                                     \
    static void NAME##_all(const uint8_t *restrict src, size_t blocks, float *restrict dst)        \
    {                                                                                              \
        pthread_once(&filled, fill_all);                                                           \
        for (; blocks > 0; blocks--, src += 3, dst += 4) {                                         \
            uint32_t bits = src[0] | (uint32_t)src[1] << 8 | (uint32_t)src[2] << 16;               \
            for (unsigned j = 0; j < 4; j++)                                                       \
                dst[j] = (values)[bits >> (6 * j) & 63];                                           \
        }                                                                                          \
    }                                                                                              \
    const struct decoder decoder_##NAME = {{NAME##_all, NULL, NULL}, NULL, {{0, 0, 0}}};

SIX_BITS(F6_E2M3, e2m3_values)
SIX_BITS(F6_E3M2, e3m2_values)

/* E2M1, two to a byte, the first in the low nibble. */
static void f4_all(const uint8_t *restrict src, size_t blocks, float *restrict dst)
{
    pthread_once(&filled, fill_all);
    for (size_t i = 0; i < blocks; i++) {
        dst[2 * i] = e2m1_values[src[i] & 15];
        dst[2 * i + 1] = e2m1_values[src[i] >> 4];
    }
}
const struct decoder decoder_F4 = {{f4_all, NULL, NULL}, NULL, {{0, 0, 0}}};
