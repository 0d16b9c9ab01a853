/*
 * Private to inspect: how an architecture is derived. Metadata or config give
 * claims, tensor names give roles, shapes give proofs; one struct study holds
 * all three while they are compared.
 */
#ifndef INSPECT_ARCHITECTURE_H
#define INSPECT_ARCHITECTURE_H

#include "assay/base/map.h"
#include "inspect/facts.h"

enum {
    ARCH_MAX_LAYERS = 1 << 16, /* per-layer arrays longer than this are not kept */
    ARCH_MAX_NAME = 160        /* bytes of a tensor name that can name a role */
};

/* What a tensor is for. Roles of a layer come after ROLE_LAYER. */
enum role {
    ROLE_UNKNOWN,
    ROLE_TOKEN_EMBEDDING,
    ROLE_POSITION_EMBEDDING,
    ROLE_OUTPUT,
    ROLE_FINAL_NORM,
    ROLE_BUFFER,   /* constants: rope factors, inverse frequencies, masks */
    ROLE_MODALITY, /* vision and audio towers, projectors */
    ROLE_ATTN_NORM,
    ROLE_Q,
    ROLE_K,
    ROLE_V,
    ROLE_QKV,
    ROLE_O,
    ROLE_Q_NORM,
    ROLE_K_NORM,
    ROLE_SINKS,
    ROLE_POST_ATTN_NORM,
    ROLE_FFN_NORM,
    ROLE_POST_FFN_NORM,
    ROLE_GATE,
    ROLE_UP,
    ROLE_GATE_UP,
    ROLE_DOWN,
    ROLE_ROUTER,
    ROLE_EXPERT_GATE,
    ROLE_EXPERT_UP,
    ROLE_EXPERT_GATE_UP,
    ROLE_EXPERT_DOWN,
    ROLE_SHARED_GATE,
    ROLE_SHARED_UP,
    ROLE_SHARED_DOWN,
    ROLE_SHARED_ROUTER,
    ROLE_COUNT
};

#define ROLE_LAYER ROLE_ATTN_NORM
#define ROLE_BIT(role) (UINT64_C(1) << (role))

/* Which of a role's tensors it is. */
enum part {
    PART_WEIGHT,
    PART_BIAS,
    PART_PACKED, /* several weights in one stored element (qweight, _blocks) */
    PART_AUX,    /* scales, zero points, group indices: no weights of their own */
    PART_LORA_A,
    PART_LORA_B
};

/* Layer or expert number of a tensor that has none. */
#define NO_INDEX UINT32_MAX

struct place {
    uint8_t role, part;
    bool counted; /* belongs to the weights that are described */
    uint32_t layer, expert;
};

/* Size of one dimension as an expression of the architecture. */
enum dim {
    DIM_ANY,
    DIM_WIDTH,
    DIM_Q,
    DIM_K,
    DIM_V,
    DIM_O,
    DIM_QKV,
    DIM_FFN,
    DIM_FFN2,
    DIM_EXPERTS,
    DIM_EXPERT_FFN,
    DIM_EXPERT_FFN2,
    DIM_VOCABULARY,
    DIM_POSITIONS,
    DIM_HEADS,
    DIM_Q_NORM,
    DIM_K_NORM,
    DIM_COUNT
};

struct role_info {
    const char *name; /* for people: "attention query" */
    uint8_t rank;
    uint8_t dims[3]; /* enum dim, outermost first */
};

extern const struct role_info roles[ROLE_COUNT];

/* Names of both containers to roles; built once per model. */
struct role_map {
    struct map map;
};

bool role_map_init(struct role_map *r, struct arena *a) ASSAY_MUST_CHECK;
struct place role_of(const struct role_map *r, struct span name);

/* What metadata, config or a default claim. */
enum fact {
    FACT_LAYERS,
    FACT_WIDTH,
    FACT_FFN,
    FACT_HEADS,
    FACT_KV_HEADS,
    FACT_HEAD_SIZE,
    FACT_VALUE_SIZE,
    FACT_EXPERTS,
    FACT_EXPERTS_ACTIVE,
    FACT_EXPERT_FFN,
    FACT_SHARED_EXPERTS,
    FACT_VOCABULARY,
    FACT_CONTEXT,
    FACT_WINDOW,
    FACT_ROPE_DIMENSIONS,
    FACT_ORIGINAL_CONTEXT,
    FACT_COUNT
};

struct claim {
    bool known;
    bool defaulted; /* from the family's table, not from the file */
    uint64_t value; /* of an array: the largest */
    struct origin origin;
    const char *key; /* as the file names it */
    uint64_t *each;  /* per layer, or NULL */
    uint32_t each_count;
};

enum trait {
    TRAIT_QK_NORM_WHOLE = 1,  /* norms span the whole projection, not one head */
    TRAIT_CONV1D = 2,         /* Hugging Face stores layer matrices as [in, out] */
    TRAIT_EXPERTS_IN_OUT = 4, /* the same for fused experts only */
    TRAIT_FUSED_UP = 8        /* GGUF's ffn_up holds gate and up */
};

enum tying { TIED_UNKNOWN, TIED_NO, TIED_YES };

/* One family: one row, whatever the container. */
struct family {
    const char *name;
    const char *gguf; /* general.architecture */
    unsigned traits;
    uint64_t layer;  /* roles that every layer needs */
    uint64_t ffn;    /* and these in a dense layer; 0: has none */
    uint64_t moe;    /* and these in a layer of experts; 0: has none */
    uint64_t global; /* needed outside layers, beyond embedding and final norm */
    uint64_t bias;   /* roles whose bias is needed too; any other may have one */
};

/*
 * A configuration class of transformers: its model_type, the family it belongs
 * to and the values that stand for absent keys. 0: none.
 */
struct config_class {
    const char *model_type;
    const char *architecture; /* in "architectures", where model_type is absent */
    const char *family;
    uint32_t defaults[FACT_COUNT];
    double rope_base;
    enum tying tied;
    bool window_opt_in; /* the window counts only with use_sliding_window */
};

extern const struct family families[];
extern const size_t family_count;

const struct family *family_by_name(const char *name);
const struct family *family_of_gguf(struct span architecture);
const struct config_class *config_class_of(struct span model_type);
const struct config_class *config_class_of_architecture(struct span architecture);

/* Everything while it is compared. */
struct study {
    struct model *m;
    struct facts *out;
    struct architecture *a;
    const struct family *family;
    const struct config_class *class;
    const struct config_class *wrapper; /* the outermost class: whether weights are shared */
    enum format format;                 /* container of the weights that are described */
    uint32_t lead;                      /* file whose metadata speaks, or ORIGIN_NO_FILE */
    struct map keys;                    /* of the lead file: key -> metadata index */
    struct json config;                 /* the text model's part of config.json */
    struct json config_root;
    bool *chosen; /* per file: its tensors are counted */
    struct claim claims[FACT_COUNT];
    enum tying tied_claim;
    struct origin tied_origin;
    struct place *places; /* per tensor */
    uint32_t pack_bits;   /* weights in PART_PACKED tensors: bits each; 0 unknown */
    bool bnb4;            /* 4-bit bitsandbytes: U8 weights are packed */
    bool complete;        /* all that the model lists was read */

    /* proven by tensors; 0 unknown */
    uint64_t found_layers; /* highest layer + 1 */
    uint64_t *have;        /* per layer below the number of tensors: roles with a weight */
    uint64_t *have_bias;
    size_t have_count;
    uint64_t global_have;
    const struct tensor *embedding, *output;
    uint64_t tokens; /* entries of tokenizer.ggml.tokens */
    uint64_t proven[FACT_COUNT];
};

/* weights.c: which files speak for the model. */
bool study_choose(struct study *s) ASSAY_MUST_CHECK;
/* from_gguf.c, from_config.c: claims. */
bool study_gguf(struct study *s) ASSAY_MUST_CHECK;
bool study_config(struct study *s) ASSAY_MUST_CHECK;
/* Metadata of the lead file. */
const struct metadata *study_key(const struct study *s, const char *key);
/* tensors.c: roles and proofs. */
bool study_tensors(struct study *s) ASSAY_MUST_CHECK;
/* crosscheck.c: findings. */
bool study_check(struct study *s) ASSAY_MUST_CHECK;
/* parameters.c: counts and sizes. */
void study_count(struct study *s);
/* adapter.c */
bool study_adapter(struct study *s) ASSAY_MUST_CHECK;

/* Value of a claim for one layer. */
uint64_t claim_at(const struct claim *c, uint64_t layer);
/* A tensor's name, safe to show. */
const char *shown(char out[ARCH_MAX_NAME], struct span s);

/*
 * Parameters that a complete model of these dimensions has, from the
 * architecture alone. False when the family or a dimension is unknown.
 */
bool parameters_expected(struct parameters *out, const struct architecture *a);

#endif
