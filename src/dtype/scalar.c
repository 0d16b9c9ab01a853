/*
 * Plain numbers of 8 bits and more: floats, integers, booleans, complex.
 * Types that a float cannot hold exactly also have a decoder to double, which
 * the statistics use, so that a minimum of int32 is that integer.
 */
#include "dtype/decode.h"

#if DTYPE_X86
#include <immintrin.h>
#endif

static void f32_all(const uint8_t *restrict src, size_t blocks, float *restrict dst)
{
    if (blocks > 0)
        memcpy(dst, src, blocks * sizeof *dst);
}
const struct decoder decoder_F32 = {{f32_all, NULL, NULL}, NULL, {{0, 4, 1}}};

/* bfloat16 is the upper half of a binary32. */
ALWAYS_INLINE float bf16(const uint8_t *p)
{
    return float_of_bits((uint32_t)le16(p) << 16);
}
SCALARS(BF16, bf16, {0, 2, 1})

SCALAR_LOOP(F16, half_at, _plain, )

#if DTYPE_X86
TARGET_AVX2 static void half_at_avx2(const uint8_t *restrict src, size_t blocks,
                                     float *restrict dst)
{
    size_t i = 0;
    for (; i + 8 <= blocks; i += 8) {
        __m128i h = _mm_loadu_si128((const __m128i_u *)(const void *)(src + 2 * i));
        _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(h));
    }
    half_at_plain(src + 2 * i, blocks - i, dst + i);
}
const struct decoder decoder_F16 = {{half_at_plain, half_at_avx2, NULL}, NULL, {{0, 2, 1}}};
#else
const struct decoder decoder_F16 = {{half_at_plain, NULL, NULL}, NULL, {{0, 2, 1}}};
#endif

/* A boolean is a byte; anything but 0 is true. */
ALWAYS_INLINE float boolean(const uint8_t *p)
{
    return *p != 0 ? 1.0f : 0.0f;
}
SCALARS(BOOL, boolean, {0, 0, 0})

ALWAYS_INLINE float u8(const uint8_t *p)
{
    return (float)*p;
}
SCALARS(U8, u8, {0, 0, 0})

ALWAYS_INLINE float i8(const uint8_t *p)
{
    return (float)(int8_t)*p;
}
SCALARS(I8, i8, {0, 0, 0})

ALWAYS_INLINE float u16(const uint8_t *p)
{
    return (float)le16(p);
}
SCALARS(U16, u16, {0, 2, 1})

ALWAYS_INLINE float i16(const uint8_t *p)
{
    return (float)(int16_t)le16(p);
}
SCALARS(I16, i16, {0, 2, 1})

/* WIDE(U32, 4, c_type): decoders to double and to the nearest float. */
#define WIDE(NAME, one, width, number)                                                             \
    static void one##_widen(const uint8_t *restrict src, size_t blocks, double *restrict dst)      \
    {                                                                                              \
        for (size_t i = 0; i < blocks; i++)                                                        \
            dst[i] = (double)one(src + i * BYTES_##NAME);                                          \
    }                                                                                              \
    static void one##_all(const uint8_t *restrict src, size_t blocks, float *restrict dst)         \
    {                                                                                              \
        for (size_t i = 0; i < blocks; i++)                                                        \
            dst[i] = (float)one(src + i * BYTES_##NAME);                                           \
    }                                                                                              \
    const struct decoder decoder_##NAME = {                                                        \
        {one##_all, NULL, NULL}, one##_widen, {{0, width, number}}};

#define READ(one, type)                                                                            \
    ALWAYS_INLINE type one(const uint8_t *p)                                                       \
    {                                                                                              \
        type v;                                                                                    \
        memcpy(&v, p, sizeof v);                                                                   \
        return v;                                                                                  \
    }

READ(u32, uint32_t)
READ(i32, int32_t)
READ(u64, uint64_t)
READ(i64, int64_t)
READ(f64, double)

/* Real and imaginary part, each binary32; a double holds their squares exactly. */
ALWAYS_INLINE double modulus(const uint8_t *p)
{
    double re = (double)float_of_bits(le32(p));
    double im = (double)float_of_bits(le32(p + 4));
    double square = re * re + im * im;
    return isnan(square) ? (double)NAN : sqrt(square); /* whichever part was NaN, one pattern */
}

/* The same over two binary64, scaled by a power of two where squares would not be numbers. */
ALWAYS_INLINE double modulus_wide(const uint8_t *p)
{
    double re = fabs(f64(p)), im = fabs(f64(p + 8)), larger = re > im ? re : im;
    double scale = larger > 0x1p500 ? 0x1p-600 : larger < 0x1p-500 ? 0x1p600 : 1;
    re *= scale;
    im *= scale;
    double square = re * re + im * im;
    return isnan(square) ? (double)NAN : sqrt(square) / scale;
}

WIDE(U32, u32, 4, 1)
WIDE(I32, i32, 4, 1)
WIDE(U64, u64, 8, 1)
WIDE(I64, i64, 8, 1)
WIDE(F64, f64, 8, 1)
WIDE(C64, modulus, 4, 2)
WIDE(C128, modulus_wide, 8, 2)
