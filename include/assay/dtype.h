/*
 * Element types of tensors: names, sizes, decoding to numbers.
 *
 * One table serves every container: safetensors' 22 types and GGUF's scalar
 * and block types. A block holds `block` elements in `bytes` bytes; scalar
 * types have a block of 1, sub-byte scalars the smallest whole number of bytes.
 * Sources: safetensors/src/tensor.rs (types and bit widths), ggml-common.h
 * (block layouts), OCP Microscaling v1.0 (MX types). Sizes are asserted in
 * tests/unit/test_dtype.c.
 */
#ifndef ASSAY_DTYPE_H
#define ASSAY_DTYPE_H

#include "assay/base/bytes.h"

enum dtype {
#define DTYPE(name, block, bytes, gguf, safetensors, kind) DTYPE_##name,
#include "assay/dtypes.def"
#undef DTYPE
    DTYPE_COUNT
};

#define DTYPE_NONE DTYPE_COUNT

enum dtype_kind {
    DTYPE_FLOAT,   /* plain floating point of any width */
    DTYPE_INTEGER, /* plain integers and booleans */
    DTYPE_BLOCK    /* quantised blocks */
};

struct dtype_info {
    const char *name;        /* canonical, upper case: "BF16", "Q4_K" */
    uint16_t block;          /* elements per block */
    uint16_t bytes;          /* bytes per block */
    int16_t gguf;            /* GGUF type number, or -1 */
    const char *safetensors; /* safetensors name, or NULL */
    enum dtype_kind kind;
};

extern const struct dtype_info dtypes[DTYPE_COUNT];

enum dtype dtype_from_gguf(uint32_t number);            /* DTYPE_NONE when unknown or removed */
enum dtype dtype_from_safetensors(struct span name);    /* DTYPE_NONE when unknown */
enum dtype dtype_from_name(struct span canonical_name); /* DTYPE_NONE when unknown */
const char *dtype_name(enum dtype t);                   /* "?" for DTYPE_NONE */
/* Bytes of `elements` elements; false when they do not fill blocks or overflow. */
bool dtype_size(enum dtype t, uint64_t elements, uint64_t *bytes) ASSAY_MUST_CHECK;
/* Bits per element, exact in sixteenths for every type: bits = 8 * bytes / block. */
double dtype_bits(enum dtype t);

/*
 * Decode `blocks` whole blocks from `src` (blocks * bytes readable) into
 * `dst` (blocks * block floats); t is not DTYPE_NONE. Every type decodes:
 * 64-bit types are rounded to float, a C64 element gives its modulus, a BOOL
 * 0 or 1.
 * A value is one fixed float expression (docs/formats/dtypes.md), the same
 * bits on every processor; NaN from a scale that is not finite is 0x7fc00000.
 */
void dtype_decode(enum dtype t, const uint8_t *src, size_t blocks, bool big_endian, float *dst);

/*
 * The way back, for the types that Assay writes: F32, F16, BF16, Q8_0, Q4_0, Q4_1,
 * Q5_0, Q5_1. Rounds as llama.cpp's reference quantisers do, little-endian, the same
 * bits on every processor. Values are meant to be finite.
 */
bool dtype_encodes(enum dtype t);
void dtype_encode(enum dtype t, const float *src, size_t blocks, uint8_t *dst);

/*
 * How far each value of a quantised block may lie from the one that was rounded to it: half of its
 * step, a whole one at the ends of the block's range, and what 16 bits of scale lose. Known for
 * Q4_0 to Q8_0 and Q2_K to Q6_K; `dst` is left alone where it is not.
 */
bool dtype_bounds_known(enum dtype t);
void dtype_bounds(enum dtype t, const uint8_t *src, size_t blocks, bool big_endian, float *dst);

/*
 * Statistics over the elements of one tensor, independent of how the bytes
 * are cut into calls (whole blocks each), of threads and of instruction set:
 * sums are kept in a fixed order of fixed chunks of STATS_CHUNK elements.
 */
enum { STATS_CHUNK = 65536 }; /* elements; a multiple of every block size */

struct stats {
    uint64_t count;    /* elements seen */
    uint64_t nan, inf; /* of these; the fields below leave them out */
    uint64_t zeros;
    double min, max; /* exact, never -0; +inf and -inf while count == nan + inf */
    double sum, sum_squares;
};

void stats_init(struct stats *s);
/*
 * Sets *s to the statistics of one chunk: all blocks of `src`. Cut a tensor
 * every STATS_CHUNK elements, the last chunk shorter, and merge in order: then
 * neither threads nor read sizes show in the result. `src` needs no alignment.
 */
void stats_chunk(struct stats *s, enum dtype t, const uint8_t *src, size_t blocks, bool big_endian);
/* Fold `next`, the chunk that follows, into `s`. Chunks are merged in order. */
void stats_merge(struct stats *s, const struct stats *next);
double stats_mean(const struct stats *s); /* NaN when nothing finite */
double stats_rms(const struct stats *s);

#endif
