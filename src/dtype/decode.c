/*
 * dtype_decode: picks the decoder of a type for this machine, and turns
 * big-endian blocks around first. Only the multi-byte fields of a block are
 * swapped, as the table in each decoder lists them (the fields of the C
 * structures in ggml-common.h); packed bits and bytes stay where they are.
 */
#include <assert.h>
#include <stdatomic.h>

#include "dtype/decode.h"

#if DTYPE_X86
#include <cpuid.h>
#endif

const struct decoder *const decoders[DTYPE_COUNT] = {
#define DTYPE(name, block, bytes, gguf, safetensors, kind) [DTYPE_##name] = &decoder_##name,
#include "assay/dtypes.def"
#undef DTYPE
};

static atomic_int limit = ISA_AVX512;

void isa_limit(enum isa highest)
{
    atomic_store(&limit, (int)highest);
}

#if DTYPE_X86
static enum isa isa_here(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    bool f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
    if (!f16c || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return ISA_PLAIN;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return ISA_AVX512;
    return ISA_AVX2;
}
#else
static enum isa isa_here(void)
{
    return ISA_PLAIN;
}
#endif

enum isa isa_best(void)
{
    static atomic_int known = -1; /* the answer is the same whoever asks first */
    int here = atomic_load_explicit(&known, memory_order_relaxed);
    if (here < 0) {
        here = (int)isa_here();
        atomic_store_explicit(&known, here, memory_order_relaxed);
    }
    int most = atomic_load_explicit(&limit, memory_order_relaxed);
    return (enum isa)(here < most ? here : most);
}

static void swap_fields(uint8_t *block, const struct field *f)
{
    for (; f->width != 0; f++) {
        uint8_t *p = block + f->offset;
        for (unsigned i = 0; i < f->count; i++, p += f->width) {
            for (unsigned a = 0, b = f->width - 1u; a < b; a++, b--) {
                uint8_t t = p[a];
                p[a] = p[b];
                p[b] = t;
            }
        }
    }
}

/* Copies up to `room / bytes` blocks in little-endian order; returns how many. */
static size_t turned(enum dtype t, const uint8_t *src, size_t blocks, uint8_t *dst, size_t room)
{
    size_t bytes = dtypes[t].bytes;
    size_t n = room / bytes < blocks ? room / bytes : blocks;
    memcpy(dst, src, n * bytes);
    for (size_t i = 0; i < n; i++)
        swap_fields(dst + i * bytes, decoders[t]->fields);
    return n;
}

enum { TURN_BYTES = 8192 };

void dtype_decode(enum dtype t, const uint8_t *src, size_t blocks, bool big_endian, float *dst)
{
    assert((size_t)t < DTYPE_COUNT);
    const struct decoder *d = decoders[t];
    enum isa isa = isa_best();
    while (isa > ISA_PLAIN && d->run[isa] == NULL)
        isa--;
    if (!big_endian || d->fields[0].width == 0) {
        d->run[isa](src, blocks, dst);
        return;
    }
    uint8_t little[TURN_BYTES];
    while (blocks > 0) {
        size_t n = turned(t, src, blocks, little, sizeof little);
        d->run[isa](little, n, dst);
        src += n * dtypes[t].bytes;
        dst += n * dtypes[t].block;
        blocks -= n;
    }
}

void decode_wide(enum dtype t, const uint8_t *src, size_t blocks, bool big_endian, double *dst)
{
    uint8_t little[TURN_BYTES];
    while (big_endian && blocks > 0) {
        size_t n = turned(t, src, blocks, little, sizeof little);
        decoders[t]->widen(little, n, dst);
        src += n * dtypes[t].bytes;
        dst += n;
        blocks -= n;
    }
    decoders[t]->widen(src, blocks, dst);
}
