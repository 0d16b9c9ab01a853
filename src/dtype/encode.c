/*
 * Floats to stored elements: the rounding of llama.cpp's quantize_row_*_ref
 * (ggml-quants.c), so that a file written here equals its, bit for bit.
 * Plain C only: quantising is done once, and the text below is the definition.
 */
#include "dtype/decode.h"

enum { QUANTS = 32, HALF_QUANTS = 16 };

/* To the nearest, ties to even; beyond the largest half to infinity. NaN keeps its sign. */
static uint16_t half_of_float(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (magnitude >= 0x47800000) /* 65536 and more */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x33000000) /* below half of the smallest subnormal */
        return (uint16_t)sign;
    uint32_t exponent = magnitude >> 23, mantissa = (magnitude & 0x7fffff) | 0x800000;
    uint32_t drop = exponent < 113 ? 126 - exponent : 13;
    uint32_t kept = mantissa >> drop, rest = mantissa & ((1u << drop) - 1), half = 1u << (drop - 1);
    kept += rest > half || (rest == half && (kept & 1));
    /* The hidden bit adds one to the exponent; a carry out of the mantissa does so again. */
    uint32_t biased = exponent < 113 ? 0 : exponent - 113;
    return (uint16_t)(sign | ((biased << 10) + kept));
}

static void put_half(uint8_t *p, float f)
{
    uint16_t h = half_of_float(f);
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

static void f32_put(const float *x, uint8_t *p)
{
    memcpy(p, x, sizeof *x);
}

static void f16_put(const float *x, uint8_t *p)
{
    put_half(p, *x);
}

/* The upper half of a binary32, rounded to even; NaN stays one. */
static void bf16_put(const float *x, uint8_t *p)
{
    uint32_t bits;
    memcpy(&bits, x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        bits |= 0x400000;
    else
        bits += 0x7fff + (bits >> 16 & 1);
    p[0] = (uint8_t)(bits >> 16);
    p[1] = (uint8_t)(bits >> 24);
}

/* What a float cast to int8_t or uint8_t means in the reference, defined for every input. */
static int whole(float f)
{
    return f > -1e6f && f < 1e6f ? (int)f : 0;
}

static int at_most(int v, int most)
{
    return v < most ? v : most;
}

/* The value of the largest magnitude, the first of equals. */
static float extreme(const float *x)
{
    float largest = 0, value = 0;
    for (int j = 0; j < QUANTS; j++)
        if (largest < fabsf(x[j])) {
            largest = fabsf(x[j]);
            value = x[j];
        }
    return value;
}

struct range {
    float min, step, inverse;
};

static struct range range_of(const float *x, float steps)
{
    float min = INFINITY, max = -INFINITY;
    for (int j = 0; j < QUANTS; j++) {
        min = x[j] < min ? x[j] : min;
        max = x[j] > max ? x[j] : max;
    }
    float step = (max - min) / steps;
    return (struct range){min, step, step != 0 ? 1.0f / step : 0};
}

static void q8_0_put(const float *x, uint8_t *p)
{
    float d = fabsf(extreme(x)) / 127.0f, inverse = d != 0 ? 1.0f / d : 0;
    put_half(p, d);
    for (int j = 0; j < QUANTS; j++)
        p[2 + j] = (uint8_t)(int8_t)whole(roundf(x[j] * inverse));
}

static void q4_0_put(const float *x, uint8_t *p)
{
    float d = extreme(x) / -8.0f, inverse = d != 0 ? 1.0f / d : 0;
    put_half(p, d);
    for (int j = 0; j < HALF_QUANTS; j++) {
        int low = at_most(whole(x[j] * inverse + 8.5f), 15);
        int high = at_most(whole(x[j + HALF_QUANTS] * inverse + 8.5f), 15);
        p[2 + j] = (uint8_t)(low | high << 4);
    }
}

static void q4_1_put(const float *x, uint8_t *p)
{
    struct range r = range_of(x, 15.0f);
    put_half(p, r.step);
    put_half(p + 2, r.min);
    for (int j = 0; j < HALF_QUANTS; j++) {
        int low = at_most(whole((x[j] - r.min) * r.inverse + 0.5f), 15);
        int high = at_most(whole((x[j + HALF_QUANTS] - r.min) * r.inverse + 0.5f), 15);
        p[4 + j] = (uint8_t)(low | high << 4);
    }
}

static void q5_0_put(const float *x, uint8_t *p)
{
    float d = extreme(x) / -16.0f, inverse = d != 0 ? 1.0f / d : 0;
    uint32_t fifth = 0;
    put_half(p, d);
    for (int j = 0; j < HALF_QUANTS; j++) {
        int low = at_most(whole(x[j] * inverse + 16.5f), 31);
        int high = at_most(whole(x[j + HALF_QUANTS] * inverse + 16.5f), 31);
        p[6 + j] = (uint8_t)((low & 15) | (high & 15) << 4);
        fifth |= (uint32_t)(low >> 4 & 1) << j | (uint32_t)(high >> 4 & 1) << (j + HALF_QUANTS);
    }
    store_u32le(p + 2, fifth);
}

static void q5_1_put(const float *x, uint8_t *p)
{
    struct range r = range_of(x, 31.0f);
    uint32_t fifth = 0;
    put_half(p, r.step);
    put_half(p + 2, r.min);
    for (int j = 0; j < HALF_QUANTS; j++) {
        int low = whole((x[j] - r.min) * r.inverse + 0.5f);
        int high = whole((x[j + HALF_QUANTS] - r.min) * r.inverse + 0.5f);
        p[8 + j] = (uint8_t)((low & 15) | (high & 15) << 4);
        fifth |= (uint32_t)(low >> 4 & 1) << j | (uint32_t)(high >> 4 & 1) << (j + HALF_QUANTS);
    }
    store_u32le(p + 4, fifth);
}

typedef void put_fn(const float *x, uint8_t *p);

static put_fn *encoder(enum dtype t)
{
    static const struct {
        enum dtype type;
        put_fn *put;
    } encoders[] = {
        {DTYPE_F32, f32_put},   {DTYPE_F16, f16_put},   {DTYPE_BF16, bf16_put},
        {DTYPE_Q8_0, q8_0_put}, {DTYPE_Q4_0, q4_0_put}, {DTYPE_Q4_1, q4_1_put},
        {DTYPE_Q5_0, q5_0_put}, {DTYPE_Q5_1, q5_1_put},
    };
    for (size_t i = 0; i < sizeof encoders / sizeof *encoders; i++)
        if (encoders[i].type == t)
            return encoders[i].put;
    return NULL;
}

bool dtype_encodes(enum dtype t)
{
    return encoder(t) != NULL;
}

void dtype_encode(enum dtype t, const float *src, size_t blocks, uint8_t *dst)
{
    put_fn *put = encoder(t);
    for (size_t i = 0; put && i < blocks; i++)
        put(src + i * dtypes[t].block, dst + i * dtypes[t].bytes);
}
