/*
 * Training whose whole life can be recorded and executed again, to the bit.
 *
 * A run is a function of its configuration, its data and, when fine-tuning, its
 * base: the same three give the same weights on any number of threads and any
 * instruction set, whether interrupted or not. docs/training.md has the
 * configuration and what each record holds. Nothing here writes to a log: the
 * bodies of its records are made here, the caller appends them.
 */
#ifndef ASSAY_TRAIN_H
#define ASSAY_TRAIN_H

#include "assay/base/clock.h"
#include "assay/digest.h"

struct train;

struct train_options {
    const char *output; /* folder for everything the run writes; made when it is not there */
    unsigned threads;   /* 0: all cores of this process */
    bool resume;        /* go on from the newest checkpoint in it */
    bool dry;           /* write nothing: for replay */
};

/*
 * Read the configuration file, data and base; train the vocabulary; begin the
 * weights or take them from a checkpoint. ERR_CONFIG names line and key,
 * ERR_INTEGRITY a checkpoint that is not of this configuration, data or base.
 */
bool train_open(struct train **out, const char *config, const struct train_options *o,
                struct err *e) ASSAY_MUST_CHECK;
/* The same from a configuration's text, its paths below `folder`. */
bool train_open_text(struct train **out, struct span config, const char *folder,
                     const struct train_options *o, struct err *e) ASSAY_MUST_CHECK;
void train_close(struct train *t); /* NULL is harmless */

/* What is fixed when the run begins. */
struct train_facts {
    const char *name;
    uint64_t seed, steps, parameters, trained; /* of which are trained */
    uint64_t tokens, documents, skipped;       /* of the data; documents longer than the context */
    uint64_t record_every, checkpoint_every, validate_every;
    bool fine_tuning;
};
const struct train_facts *train_facts(const struct train *t);
uint64_t train_steps_done(const struct train *t);

/* What one step did. */
struct train_step {
    uint64_t step;   /* done, with this one */
    uint64_t tokens; /* positions that counted in the loss since the run began */
    double loss;     /* mean over the step's positions, before it */
    double rate;     /* learning rate */
    double norm;     /* of the gradient, before clipping */
};

/* ERR_LIMIT when loss or gradient are not finite: it says where, and nothing has changed. */
bool train_step(struct train *t, struct train_step *out, struct err *e) ASSAY_MUST_CHECK;
/* Mean loss over the validation files; false when there are none, with *e empty. */
bool train_validate(struct train *t, double *loss, struct err *e) ASSAY_MUST_CHECK;
/* Merkle root over the trained tensors in F32 (docs/formats/identity.md): that of
 * model.safetensors, or adapter_model.safetensors, written as F32. */
bool train_root(const struct train *t, struct digest *out, struct err *e) ASSAY_MUST_CHECK;

/* Weights and optimiser as OUTPUT/checkpoint-N.safetensors; *digest: of the file. */
bool train_checkpoint(struct train *t, struct digest *digest, struct err *e) ASSAY_MUST_CHECK;
/* Take weights, optimiser and step from a checkpoint file. */
bool train_restore(struct train *t, const char *path, struct err *e) ASSAY_MUST_CHECK;
/* The model, or the adapter, with its card, below OUTPUT; *folder: where. Borrowed. */
bool train_export(struct train *t, const char **folder, struct err *e) ASSAY_MUST_CHECK;

/* Greedy continuation of a text (special tokens recognised), for samples and cards. */
bool train_sample(struct train *t, struct span prompt, size_t most, struct buf *out,
                  struct err *e) ASSAY_MUST_CHECK;

/* ---- what is recorded: JSON bodies of leaves (docs/log-format.md), appended ---- */

enum train_phase { TRAIN_BEGIN, TRAIN_STEP, TRAIN_CHECKPOINT, TRAIN_END, TRAIN_FAILED };

struct train_moment {
    enum train_phase phase;
    const struct train_step *step; /* NULL: none yet */
    bool validated;
    double validation;                /* loss */
    const struct digest *checkpoint;  /* digest of the file; NULL: none */
    const uint64_t *base;             /* entry that enrolled the base; NULL: none is known */
    const uint64_t *datasets;         /* entries of the data sets' leaves, for TRAIN_BEGIN */
    uint64_t wall_ms, cpu_ms, memory; /* so far; memory: most bytes resident */
    const char *error;                /* TRAIN_FAILED */
};

/* Tensor root of the base; false when there is none. */
bool train_base(const struct train *t, struct digest *root);
size_t train_dataset_count(const struct train *t);
bool train_dataset_body(const struct train *t, size_t i, struct buf *out,
                        struct err *e) ASSAY_MUST_CHECK;
bool train_body(const struct train *t, const struct train_moment *m, struct buf *out,
                struct err *e) ASSAY_MUST_CHECK;
/* Name of the run: the same configuration, data and base give the same. 32 hex digits. */
const char *train_run_id(const struct train *t);

#endif
