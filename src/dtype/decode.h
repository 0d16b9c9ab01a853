/*
 * Private to src/dtype: what a decoder of one element type is, and the few
 * reads all of them share. A family file writes each type once, in plain C;
 * the macros below compile that one text for every instruction set. No
 * expression is contracted or reordered, so all of them give the same bits.
 */
#ifndef ASSAY_DTYPE_DECODE_H
#define ASSAY_DTYPE_DECODE_H

#include <math.h>
#include <string.h>

#include "assay/dtype.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "decoders read little-endian in place");

#if defined(__x86_64__)
#define DTYPE_X86 1
#define TARGET_AVX2 __attribute__((target("avx2,f16c")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,f16c")))
#else
#define DTYPE_X86 0
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Elements decoded at a time: the buffer stays in the first-level cache. */
enum { DECODE_BATCH = 4096, BLOCK_MAX_BYTES = 292 };

enum isa { ISA_PLAIN, ISA_AVX2, ISA_AVX512, ISA_COUNT };

/* What this machine has, no higher than the last isa_limit. */
enum isa isa_best(void);
/* For tests: use nothing above `highest`. Results never depend on it. */
void isa_limit(enum isa highest);

/* `count` values of `width` bytes from `offset`: what byte order applies to. */
struct field {
    uint16_t offset;
    uint16_t width;
    uint16_t count;
};

typedef void decode_fn(const uint8_t *restrict src, size_t blocks, float *restrict dst);
typedef void widen_fn(const uint8_t *restrict src, size_t blocks, double *restrict dst);

struct decoder {
    decode_fn *run[ISA_COUNT]; /* NULL: as the set below */
    widen_fn *widen;           /* types that a float cannot hold; NULL for all others */
    struct field fields[3];    /* ends at width 0 */
};

#define DTYPE(name, block, bytes, gguf, safetensors, kind)                                         \
    extern const struct decoder decoder_##name;                                                    \
    enum { BLOCK_##name = (block), BYTES_##name = (bytes) };
#include "assay/dtypes.def"
#undef DTYPE

extern const struct decoder *const decoders[DTYPE_COUNT];

/* dtype_decode to double, for the types whose decoder has `widen`. */
void decode_wide(enum dtype t, const uint8_t *src, size_t blocks, bool big_endian, double *dst);

ALWAYS_INLINE uint16_t le16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

ALWAYS_INLINE uint32_t le32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

ALWAYS_INLINE float float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/*
 * IEEE binary16, exactly. Subnormals go through 0.5 + m * 2^-24 - 0.5, which
 * no flush-to-zero mode and no slow path of the processor can touch; a NaN is
 * made quiet, as the conversion instructions do.
 */
ALWAYS_INLINE float float_of_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t rest = h & 0x7fffu;
    float small = float_of_bits(0x3f000000u | rest) - 0.5f;
    uint32_t small_bits;
    memcpy(&small_bits, &small, sizeof small_bits);
    uint32_t normal = (rest << 13) + (112u << 23);
    uint32_t special = 0x7f800000u | (rest << 13) | (rest > 0x7c00u ? 0x400000u : 0);
    uint32_t bits = rest < 0x0400u ? small_bits : rest >= 0x7c00u ? special : normal;
    return float_of_bits(sign | bits);
}

ALWAYS_INLINE float half_at(const uint8_t *p)
{
    return float_of_half(le16(p));
}

/*
 * A scale that is not finite makes NaNs whose sign and payload depend on the
 * processor and on operand order; one NaN stands for all of them.
 */
ALWAYS_INLINE void settle(float *dst, size_t n, float scales)
{
    if (__builtin_expect(scales - scales == 0.0f, 1))
        return;
    for (size_t i = 0; i < n; i++) {
        if (isnan(dst[i]))
            dst[i] = float_of_bits(0x7fc00000u);
    }
}

/*
 * BLOCKS(Q4_0, one, fields...): a decoder from `float one(src, dst)`, which
 * decodes one block and returns a value that is finite when its scales are.
 */
#define BLOCK_LOOP(NAME, one, suffix, target)                                                      \
    target static void one##suffix(const uint8_t *restrict src, size_t blocks,                     \
                                   float *restrict dst)                                            \
    {                                                                                              \
        for (; blocks > 0; blocks--, src += BYTES_##NAME, dst += BLOCK_##NAME)                     \
            settle(dst, BLOCK_##NAME, one(src, dst));                                              \
    }
/*
 * SCALARS(U8, one, fields...): a decoder from `float one(src)` of one element. The inner
 * loop has a fixed length, which is what lets the compiler use vectors.
 */
#define SCALAR_LOOP(NAME, one, suffix, target)                                                     \
    target static void one##suffix(const uint8_t *restrict src, size_t blocks,                     \
                                   float *restrict dst)                                            \
    {                                                                                              \
        for (; blocks >= 32; blocks -= 32, src += 32 * BYTES_##NAME, dst += 32) {                  \
            for (size_t j = 0; j < 32; j++)                                                        \
                dst[j] = one(src + j * BYTES_##NAME);                                              \
        }                                                                                          \
        for (size_t j = 0; j < blocks; j++)                                                        \
            dst[j] = one(src + j * BYTES_##NAME);                                                  \
    }

#if DTYPE_X86
#define DECODER(LOOP, NAME, one, ...)                                                              \
    LOOP(NAME, one, _plain, )                                                                      \
    LOOP(NAME, one, _avx2, TARGET_AVX2)                                                            \
    const struct decoder decoder_##NAME = {{one##_plain, one##_avx2, NULL}, NULL, {__VA_ARGS__}};
#else
#define DECODER(LOOP, NAME, one, ...)                                                              \
    LOOP(NAME, one, _plain, )                                                                      \
    const struct decoder decoder_##NAME = {{one##_plain, NULL, NULL}, NULL, {__VA_ARGS__}};
#endif
#define BLOCKS(NAME, one, ...) DECODER(BLOCK_LOOP, NAME, one, __VA_ARGS__)
#define SCALARS(NAME, one, ...) DECODER(SCALAR_LOOP, NAME, one, __VA_ARGS__)

#endif
