/*
 * Two models of known numbers and their comparison. Side A is usually what
 * transformers stores and side B what a converter of llama.cpp makes of it.
 */
#ifndef SUPPORT_DIFF_BENCH_H
#define SUPPORT_DIFF_BENCH_H

#include "assay/inspect.h"
#include "support/model_builder.h"

struct bench {
    struct builder a, b;
    struct model *ma, *mb;
    struct span bytes_a, bytes_b;
    struct arena *arena;
    struct diff diff;
};

enum container { ST, GGUF };

void bench_start(struct bench *x);
void bench_finish(struct bench *x);
/* Failures fail the test. */
struct model *bench_read(const char *name, struct span bytes);
struct model *bench_build(struct builder *b, enum container c, struct span *bytes);
void bench_compare(struct bench *x, enum container a, enum container b);
/* Of models that stand in x->ma and x->mb. */
void bench_compare_with(struct bench *x, unsigned threads);
void bench_expect(const struct bench *x, enum relation r);
/* Every tensor found its counterpart and not one element differs. */
void bench_expect_mapped(const struct bench *x);

/* A matrix and a norm, in both. */
void bench_two_alike(struct bench *x, enum dtype a, enum dtype b);
/* A BF16 tensor of A with values of its own, and an F32 tensor of B without. */
struct built_tensor *bench_hf(struct bench *x, const char *name, uint64_t rows, uint64_t cols);
struct built_tensor *bench_gguf(struct bench *x, const char *name, uint64_t rows, uint64_t cols);
/* The same values under both names. */
void bench_both(struct bench *x, const char *a, const char *b, uint64_t rows, uint64_t cols);
/* A layer of a llama, its Q and K permuted in B, under the metadata of `arch`. */
void bench_llama(struct bench *x, const char *arch);

void built_copy(struct built_tensor *to, const struct built_tensor *from);
/* As converters permute the rows of heads of this size. */
void built_permute_rows(struct built_tensor *to, const struct built_tensor *from, uint64_t head);

#endif
