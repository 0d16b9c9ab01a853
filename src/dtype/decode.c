/*
 * dtype_decode: picks the decoder of a type for this machine, and turns
 * big-endian blocks around first. Only the multi-byte fields of a block are
 * swapped, as the table in each decoder lists them (the fields of the C
 * structures in ggml-common.h); packed bits and bytes stay where they are.
 */
#include <assert.h>
#include <stdatomic.h>

#include "assay/base/cpu.h"
#include "dtype/decode.h"

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

enum isa isa_best(void)
{
    enum cpu_level level = cpu_level();
    enum isa here = level >= CPU_AVX512 ? ISA_AVX512 : level == CPU_AVX2 ? ISA_AVX2 : ISA_PLAIN;
    int most = atomic_load_explicit(&limit, memory_order_relaxed);
    return (int)here < most ? here : (enum isa)most;
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
