/* Private to src/train: one run, as its parts see it. */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include "assay/model_write.h"
#include "assay/train.h"
#include "train/data.h"
#include "train/vocabulary.h"

/* One data set of the configuration, as it was read. */
struct run_dataset {
    const struct config_dataset *config;
    struct data_file *files;
    size_t count;
    struct digest root; /* manifest root over its files */
    struct digest card;
    bool has_card;
};

/* The model that is fine-tuned. */
struct run_base {
    struct model *model; /* kept for its metadata */
    struct digest tensor_root;
    bool has_root;
    const char *name;
};

struct train {
    struct arena *arena;
    struct train_config config;
    struct train_options options;
    struct train_facts facts;
    struct team *team;
    struct network *network;
    struct activations *activations;
    struct bpe bpe; /* empty when fine-tuning, as are its files' texts */
    struct span tokenizer_json, tokenizer_config;
    struct run_base base;
    struct tokenizer *tokenizer;
    struct digest tokenizer_digest;
    bool has_tokenizer_digest;
    struct template *chats; /* of the base, when there are chats to lay out; NULL: ChatML */
    struct digest chats_digest;
    struct run_dataset *datasets;
    size_t dataset_count;
    struct documents data, validation;
    struct data_file *validation_files; /* as many as the configuration names */
    struct digest validation_root;
    struct span licence_text; /* to stand beside the result; empty: none */

    struct digest config_digest, data_digest, code_digest;
    char run_id[33];
    uint64_t step, tokens;
    double last_validation; /* 0: none yet */

    struct epoch epoch;
    struct arena *epoch_arena;
    uint64_t epoch_first;          /* number of its first window in the whole run */
    uint32_t *tokens_in, *targets; /* a step's windows, context apart */
    uint8_t *counts;
    size_t *used; /* positions of each window */
};

/* src/train/base.c: weights and shape of the base; its vocabulary becomes the run's. */
bool base_open(struct train *t, struct shape *out, struct err *e) ASSAY_MUST_CHECK;
bool base_load(struct train *t, struct err *e) ASSAY_MUST_CHECK;

/* src/train/checkpoint.c */
bool checkpoint_newest(const struct train *t, char **path, struct err *e) ASSAY_MUST_CHECK;

/* src/train/card.c: README.md of the model or adapter. */
bool card_write(struct train *t, const char *folder, const struct digest *root,
                struct err *e) ASSAY_MUST_CHECK;

/* src/train/root.c */
struct digest root_of_files(const struct data_file *files, size_t n);

#endif
