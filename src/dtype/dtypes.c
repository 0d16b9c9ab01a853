/*
 * The table of element types and the ways to find a row of it.
 * Every container's reader asks here, so that a type has one name, one size
 * and one meaning whatever file it came from.
 */
#include "assay/dtype.h"

#include <stddef.h>

const struct dtype_info dtypes[DTYPE_COUNT] = {
#define DTYPE(name, block, bytes, gguf, safetensors, kind)                                         \
    [DTYPE_##name] = {#name, block, bytes, gguf, safetensors, kind},
#include "assay/dtypes.def"
#undef DTYPE
};

/* The statistics rely on it: a chunk is whole blocks of every type. */
#define DTYPE(name, block, bytes, gguf, safetensors, kind)                                         \
    _Static_assert(STATS_CHUNK % (block) == 0, #name " must divide STATS_CHUNK");
#include "assay/dtypes.def"
#undef DTYPE

enum dtype dtype_from_gguf(uint32_t number)
{
    for (size_t i = 0; i < DTYPE_COUNT; i++) {
        if (dtypes[i].gguf >= 0 && (uint32_t)dtypes[i].gguf == number)
            return (enum dtype)i;
    }
    return DTYPE_NONE;
}

enum dtype dtype_from_safetensors(struct span name)
{
    for (size_t i = 0; i < DTYPE_COUNT; i++) {
        if (dtypes[i].safetensors != NULL && span_is(name, dtypes[i].safetensors))
            return (enum dtype)i;
    }
    return DTYPE_NONE;
}

enum dtype dtype_from_name(struct span canonical_name)
{
    for (size_t i = 0; i < DTYPE_COUNT; i++) {
        if (span_is(canonical_name, dtypes[i].name))
            return (enum dtype)i;
    }
    return DTYPE_NONE;
}

const char *dtype_name(enum dtype t)
{
    return (size_t)t < DTYPE_COUNT ? dtypes[t].name : "?";
}

bool dtype_size(enum dtype t, uint64_t elements, uint64_t *bytes)
{
    if ((size_t)t >= DTYPE_COUNT || elements % dtypes[t].block != 0)
        return false;
    return !__builtin_mul_overflow(elements / dtypes[t].block, (uint64_t)dtypes[t].bytes, bytes);
}

double dtype_bits(enum dtype t)
{
    return (size_t)t < DTYPE_COUNT ? 8.0 * dtypes[t].bytes / dtypes[t].block : 0.0;
}
