/* The configuration of a run: one YAML file, every key known, every number bounded. */
#ifndef TRAIN_CONFIG_H
#define TRAIN_CONFIG_H

#include "assay/config.h"
#include "train/network.h"

enum data_format { DATA_TEXT, DATA_JSONL, DATA_CHAT };
enum data_loss { LOSS_ANSWERS, LOSS_ALL };
enum { CONFIG_MAX_DATASETS = 64 };
enum plain_type { PLAIN_F32, PLAIN_F16, PLAIN_BF16 };
enum data_too_long { TOO_LONG_REFUSE, TOO_LONG_SPLIT, TOO_LONG_SKIP };

struct config_file {
    struct span path; /* as written; relative to the configuration's folder */
    int format, loss, too_long;
};

struct config_dataset {
    struct span name, licence, source, card;
    struct config_objects files; /* struct config_file */
};

/* What only its authors can say of the result; the card has it in their words. */
struct config_card {
    struct config_texts languages, tags;
    struct span authors; /* who made it */
    struct span intended_use, out_of_scope, limitations, bias, how_to_use, contact, citation;
};

struct config_model {
    uint64_t layers, width, ffn, heads, kv_heads, context;
    struct span rope_base, norm_eps; /* decimals */
};

struct config_lora {
    uint64_t rank;
    struct span alpha;
    struct config_texts targets;
};

struct config_steps {
    uint64_t context; /* positions of a window when fine-tuning; a new model has its own */
    uint64_t steps, batch, accumulate, warmup, record_every, checkpoint_every, validate_every;
    struct span rate, least_rate, decay, beta1, beta2, eps, clip;
    bool packing;
};

struct train_config {
    struct yaml yaml;
    struct span text;   /* the whole file */
    const char *folder; /* that its paths start from */
    struct span name, title, description, licence;
    struct span licence_file; /* its text, to stand beside the result; as `path` above */
    struct config_card card;
    uint64_t seed;
    struct span base; /* model to fine-tune; empty: from scratch */
    struct config_model model;
    uint64_t vocabulary;
    struct config_lora lora;
    struct config_objects data;       /* struct config_dataset */
    struct config_objects validation; /* struct config_file */
    struct config_steps steps;
    int safetensors;           /* enum plain_type: of model.safetensors */
    struct config_texts write; /* element types of GGUF files */
    size_t model_line, lora_line, base_line;
};

/* Reads and judges; texts are the arena's. */
bool train_config_read(struct train_config *out, const char *path, struct arena *a,
                       struct err *e) ASSAY_MUST_CHECK;
/* From the text as a log holds it, its paths below `folder`. */
bool train_config_parse(struct train_config *out, struct span text, const char *file,
                        const char *folder, struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* A path of the configuration, to open. NULL when out of memory. */
const char *train_config_path(const struct train_config *c, struct span path, struct arena *a);
double train_config_number(struct span decimal);

#endif
