/*
 * Private to the comparison of two models: pairs of tensors, the view each
 * side has of the elements they share, and the steps of inspect_diff. A pair
 * is compared in one frame of rows and columns; whatever a converter did to
 * the numbers is a property of the view, so the comparison itself knows none
 * of it.
 */
#ifndef INSPECT_DIFF_H
#define INSPECT_DIFF_H

#include "assay/base/map.h"
#include "assay/inspect.h"

enum {
    /* Elements of one unit of work. Fixed, so that sums do not depend on threads. */
    DIFF_CHUNK = 1 << 17,
    /* Units between two ordered merges. */
    DIFF_WAVE = 256
};

/* Where element (row, column) of the shared frame stands in a tensor. */
struct view {
    struct model *model;
    const struct tensor *t;
    uint64_t base;       /* element number of row 0, column 0 */
    uint64_t row_step;   /* elements from a row to the next */
    uint64_t col_step;   /* elements from a column to the next: 1 unless transposed */
    uint64_t group;      /* rows of one expert, where experts do not follow row by row; 0: none */
    uint64_t group_step; /* elements from an expert to the next */
    const struct tensor *scales; /* of MXFP4 as transformers stores it, in two tensors */
    uint64_t head; /* rows of a head whose halves the other side interleaves; 0: none */
    float add;     /* what the other side's converter added to each element */
    bool bounds;   /* read how far rounding may have moved the elements, instead of them */
};

struct sums {
    double aa, bb, ab, dd;
    uint64_t changed, not_finite;
    uint64_t bounded, outside; /* of quantised blocks; beyond the bound of their rounding */
    uint64_t tried, given;     /* quantised again from the finer side; with the same result */
};

struct pair {
    struct tensor_diff d;
    struct view a, b;
    uint64_t rows, cols; /* of the shared frame */
    uint64_t elements;   /* rows * cols */
    bool explained;      /* has no counterpart in the other container by nature */
    bool bytes_only;     /* element type unknown: equality of bytes and no more */
    struct sums sums;
};

struct pairs {
    struct pair *v;
    size_t n, cap;
};

/* ---- diff_names.c ---- */

/* What a converter does to a tensor on its way into a GGUF file. */
enum name_rule {
    NAME_PLAIN,
    NAME_HEADS_Q,  /* rows permuted within query heads, by some architectures */
    NAME_HEADS_K,  /* the same within key heads */
    NAME_NORM,     /* +1 by some architectures */
    NAME_TRANSPOSE /* Conv1D of GPT-2: [in, out] becomes [out, in] */
};

/* Gate and up in one tensor: one after the other, or row by row in turn. */
enum name_part { PART_WHOLE, PART_FIRST_HALF, PART_SECOND_HALF, PART_EVEN, PART_ODD };

/* Two ways to store experts under one name: gpt-oss keeps [in, out], the others [out, in]. */
enum name_layout { LAYOUT_ANY, LAYOUT_OUT_IN, LAYOUT_IN_OUT };

enum { NAME_MAX = 192, NAME_CANDIDATES = 4 };

/* One place in a GGUF file where a tensor of a Hugging Face model may stand. */
struct candidate {
    char name[NAME_MAX];
    enum name_rule rule;
    enum name_part part;
    enum name_layout layout;
    bool blocks; /* MXFP4 without its scales */
    bool bias;
    bool has_expert, has_layer;
    uint64_t expert; /* index into the stacked tensor */
    uint64_t layer;
};

/* Candidates in order of preference; 0 when the name is not in the tables. */
size_t name_candidates(struct candidate out[NAME_CANDIDATES], struct span hf);
/* Is it natural that the other container has no such tensor? */
bool name_explained(struct span name, bool gguf);
/* Do converters permute Q and K, or add 1 to norms, for this architecture? */
bool arch_permutes(struct span arch);
bool arch_shifts_norms(struct span arch);
enum name_layout arch_expert_layout(struct span arch);
/* What the elements decode as. */
enum dtype view_dtype(const struct view *v);
/* Low-rank adapter tensors in either container: 'A', 'B' or 0. On success
 * *stem is the name without the part that says so. */
char name_lora(struct span name, struct span *stem);

/* ---- diff_pairs.c ---- */

/* Which container the tensors of a model stand in; FORMAT_UNKNOWN: has none. */
enum format diff_container(const struct model *m);
/* Every tensor of both models in one pair or none, by name. */
bool diff_pair(struct pairs *out, struct model *a, struct model *b, struct arena *arena,
               struct err *e) ASSAY_MUST_CHECK;
/* Shapes equal but for leading ones. */
bool diff_same_shape(const struct tensor *a, const struct tensor *b);

/* ---- diff_tensors.c ---- */

/* Fill distance, cosine and changed of every pair with both sides. */
bool diff_compare(struct pairs *p, const struct diff_options *opt, struct err *e) ASSAY_MUST_CHECK;

/* ---- diff_entries.c, diff_tokenizer.c ---- */

struct entries {
    struct arena *arena;
    struct diff_entry *v;
    size_t n, cap, more;
    bool failed; /* out of memory */
};

/* Texts are copied; NULL: absent on that side. */
void entry_add(struct entries *x, const char *where, const char *what, const char *a,
               const char *b);
/* A value made safe to show, in the arena; NULL when out of memory. */
const char *entry_shown(struct entries *x, struct span s);
bool diff_documents(struct entries *x, struct model *a, struct model *b) ASSAY_MUST_CHECK;
bool diff_tokenizers(struct entries *x, struct model *a, struct model *b) ASSAY_MUST_CHECK;

/* ---- diff_rounding.c ---- */

/* Is one of the two quantised, in blocks whose rounding has known bounds? */
bool diff_is_bounded(const struct pair *p);
/* How n elements lie to the bounds of both sides' blocks (NULL: values are not quantised). */
void diff_count_outside(struct sums *s, const struct pair *p, const float *a, const float *b,
                        const float *bounds_a, const float *bounds_b, size_t n);
/* The finer side quantised as the coarser one is: is the result that? Scratch for n elements. */
void diff_count_given(struct sums *s, const struct pair *p, const float *a, const float *b,
                      float *floats, uint8_t *bytes, size_t n);

/* ---- diff_relation.c ---- */

bool diff_relation(struct diff *out, const struct pairs *p, const struct model *a,
                   const struct model *b, struct arena *arena, struct err *e) ASSAY_MUST_CHECK;

/* ---- diff_adapter.c ---- */

/* *applies when exactly one side is a low-rank adapter; then *r and its words. */
bool diff_adapter(bool *applies, struct diff *out, enum relation *r, struct buf *text,
                  const struct model *a, const struct model *b,
                  struct arena *arena) ASSAY_MUST_CHECK;

#endif
