/*
 * Merges computed again: what a mergekit configuration orders, tensor by tensor,
 * and whether the merged tensors are what that gives. Private to provenance; the
 * arithmetic is defined in docs/formats/merge.md.
 */
#ifndef ASSAY_PROVENANCE_MERGE_H
#define ASSAY_PROVENANCE_MERGE_H

#include "assay/provenance.h"

enum {
    MERGE_MODELS = 64, /* that a configuration may name */
    MERGE_INPUTS = 8,  /* of one merged tensor, the base included */
    MERGE_SLICES = 512
};

enum merge_method {
    MERGE_OTHER, /* not computed again here, or none was named */
    MERGE_LINEAR,
    MERGE_SLERP,
    MERGE_TASK_ARITHMETIC,
    MERGE_TIES,
    MERGE_DARE_LINEAR,
    MERGE_DARE_TIES,
    MERGE_MODEL_STOCK,
    MERGE_PASSTHROUGH,
    MERGE_LINE /* no method of mergekit: between two, wherever on their line it fits best */
};
/* DARE drops at random: nobody can compute it again, what it may give is bounded. */
bool merge_is_random(enum merge_method m);

/* ---- what was ordered (merge_plan.c) ---- */

struct merge_source {
    size_t model; /* of the plan */
    uint64_t from, to;
    struct json parameters;
};

/* Layers that are made of the same sources. */
struct merge_slice {
    struct merge_source in[MERGE_INPUTS];
    size_t count, base; /* base: among `in`; `count`: none */
    uint64_t layers;
    struct json parameters;
};

struct merge_plan {
    const char *file;    /* it stands in; NULL: there is none */
    const char *trouble; /* it cannot be read, and why; NULL: nothing */
    const char *models[MERGE_MODELS];
    size_t model_count;
    const char *method_name; /* NULL: none is named */
    enum merge_method method;
    const char *unclear; /* why it cannot be computed again; NULL: it can */
    enum dtype work;     /* DTYPE_NONE: as the tensors are */
    bool vocabulary;     /* is made anew: what holds it may have other rows */
    struct merge_slice *slices;
    size_t slice_count;
    struct json parameters;
};

/* `layers`: of the merged model, for configurations that name whole models. */
bool merge_plan_read(struct merge_plan *out, const struct model *m, uint64_t layers,
                     struct arena *a, struct err *e) ASSAY_MUST_CHECK;

enum merge_value { MERGE_ABSENT, MERGE_GIVEN, MERGE_BAD };
/* A parameter for one tensor: of the source (NULL: none), the slice, the whole; `t`: where in a
 * slice's layers, 0 to 1. */
enum merge_value merge_parameter(double *out, const struct merge_plan *p,
                                 const struct merge_slice *s, const struct merge_source *of,
                                 const char *name, struct span tensor, double t);

/* ---- one tensor (merge_tensor.c) ---- */

struct merge_input {
    const struct model *model;
    const struct tensor *tensor;
    double weight, density, scale;
};

struct merge_recipe {
    enum merge_method method;
    struct merge_input in[MERGE_INPUTS];
    size_t count, base; /* base: among `in`; `count`: none */
    const struct model *model;
    const struct tensor *merged;
    enum dtype cast, work; /* what inputs are cast to first; what is computed in */
    double t, lambda;
    bool normalize, rescale;
};

/* All counts are of elements. */
struct merge_outcome {
    uint64_t elements, agree, exact; /* agree: within the bound of rounding; exact: to the bit */
    uint64_t needed[MERGE_INPUTS];   /* that nothing explains without this input */
    uint64_t told[MERGE_INPUTS],     /* DARE: where it can be told whether a delta was kept */
        kept[MERGE_INPUTS];
    double share; /* MERGE_LINE: of the way from the base to the other */
};

struct merge_scratch;
struct merge_scratch *merge_scratch_new(void);
void merge_scratch_free(struct merge_scratch *s);
/* False: something could not be read. */
bool merge_recompute(struct merge_outcome *out, const struct merge_recipe *r,
                     struct merge_scratch *s, struct err *e) ASSAY_MUST_CHECK;

/* The arithmetic of one element, and what is taken from all of a tensor first (merge_math.c). */
struct merge_whole {
    double gram[MERGE_INPUTS][MERGE_INPUTS]; /* products of inputs, or of their deltas */
    double threshold[MERGE_INPUTS];          /* magnitude below which a delta is dropped */
    bool torn[MERGE_INPUTS]; /* some of the deltas of that very magnitude were dropped as well */
    double factor[MERGE_INPUTS]; /* deltas that are kept are multiplied by it */
    double a, b, slack;          /* slerp, line: of either; model stock: share of the mean */
};
/* Half of the distance between neighbours, over a number. */
double merge_unit(enum dtype t);
/* Rounded to an element type. */
float merge_round(enum dtype t, double v);
struct merge_element {
    float merged;
    float x[MERGE_INPUTS]; /* as cast; deltas of all but the base where the method takes deltas */
};
/* Of which inputs deltas are mixed in, in the explanation that comes nearest. */
struct merge_answer {
    bool agrees, exact;
    unsigned mixed;
    double bound, term[MERGE_INPUTS];
};
/* Without the inputs whose bits are in `without`. */
struct merge_answer merge_element(const struct merge_recipe *r, const struct merge_whole *w,
                                  const struct merge_element *x, unsigned without);
bool merge_takes_deltas(enum merge_method m);

/* ---- all of a model (merge_check.c) ---- */

struct merge_result {
    const char *why; /* nothing was computed, because; NULL: it was */
    uint64_t tensors, whole, elements, agree, exact;
    size_t apart; /* tensors that the plan does not make: no layer, input or shape for them */
    enum dtype type;
    uint64_t needed[MERGE_MODELS], told[MERGE_MODELS], kept[MERGE_MODELS];
    double density[MERGE_MODELS]; /* declared, mean over told elements */
    double least, most;           /* MERGE_LINE: shares of the second model */
};

/* `at_hand`: by the plan's models; NULL: not at hand. */
bool merge_check(struct merge_result *out, const struct merge_plan *p, const struct lineage_base *m,
                 const struct lineage_base *const *at_hand, const struct diff_options *o,
                 struct arena *a, struct err *e) ASSAY_MUST_CHECK;
#endif
