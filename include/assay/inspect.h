/*
 * What a model is: architecture, parameters, identity, statistics, coverage,
 * and what one model is to another. Pure functions of struct model; nothing
 * here prints.
 */
#ifndef ASSAY_INSPECT_H
#define ASSAY_INSPECT_H

#include "assay/base/clock.h"
#include "assay/digest.h"
#include "assay/model.h"

/* ---- architecture (src/inspect/architecture.c) ---- */

struct rope {
    double base;         /* theta; 0 when unknown */
    uint64_t dimensions; /* rotated per head; 0 when unknown */
    struct span scaling; /* "linear", "yarn", "llama3", "longrope"...; empty: none */
    double factor;       /* 0 when absent */
    uint64_t original_context;
};

struct parameters {
    uint64_t total;     /* every weight once, tied weights once, no buffers; 0: not countable */
    uint64_t active;    /* per token: experts not routed to left out; equals total when dense */
    uint64_t embedding; /* token (and position) embeddings and output head */
    uint64_t non_embedding;
    uint64_t buffers; /* stored constants, not learned: rope factors, masks; not in total */
};

/* What adapter_config.json, general.type "adapter" or lora_A/lora_B tensors say. */
struct adapter {
    struct span type;     /* "LORA", "lora"; empty: unknown */
    uint64_t rank;        /* largest of the tensors, else as declared; 0: unknown */
    double alpha;         /* 0: unknown */
    struct span *targets; /* modules as the config names them */
    size_t target_count;
};

/* A number of 0 means unknown; nothing is guessed. */
struct architecture {
    const char *family;   /* row of the family table ("llama", "qwen3"...); NULL: unknown */
    struct span declared; /* what the metadata or config calls it, known family or not */
    bool is_adapter;      /* LoRA and the like: no model of its own */
    struct adapter adapter;
    uint64_t layers, width, ffn, heads, kv_heads, head_size;
    uint64_t experts, experts_active, expert_ffn, shared_experts;
    uint64_t vocabulary, context;
    uint64_t window; /* sliding window; 0: none */
    struct rope rope;
    bool tied_known, tied; /* output head shares the token embedding */
    struct parameters parameters;
    uint64_t weight_bytes;      /* of all tensors as stored */
    uint64_t kv_bytes_per_1000; /* F16 keys and values for 1,000 tokens, whole context attended */
    double bits_per_weight;     /* 8 * weight_bytes / elements stored */
};

/* Element types in use. */
struct dtype_use {
    uint64_t tensors, elements, bytes;
};

enum { TOKENIZER_ROLES = 9 };

struct tokenizer_facts {
    const char *kind; /* "BPE", "SPM", "WordPiece", "Unigram", ...; NULL: unknown */
    struct span pre;  /* pre-tokenizer (tokenizer.ggml.pre) or empty */
    uint64_t size;    /* entries, added tokens included */
    uint64_t merges, added;
    struct special {
        const char *role; /* "bos", "eos", "unk", "sep", "pad", "cls", "mask", "eot", "eom" */
        bool has_id;
        uint64_t id;
        struct span text; /* empty when only the id is known */
    } special[TOKENIZER_ROLES];
    size_t special_count;
};

/* Where a licence was named and what it says. */
struct licence_claim {
    const char *where; /* "metadata", "card", "LICENSE" */
    struct span named; /* as written */
    const char *spdx;  /* SPDX id or NULL */
    struct origin origin;
};

struct facts {
    struct architecture architecture;
    struct dtype_use types[DTYPE_COUNT];
    struct tokenizer_facts tokenizer;
    struct span name; /* general.name, card or _name_or_path */
    struct licence_claim licences[8];
    size_t licence_count;
    struct span *base_models, *datasets,
        *languages; /* card, metadata, adapter config: merged, as written */
    size_t base_model_count, dataset_count, language_count;
};

/* Derive everything above; cross-checks (metadata against tensor names and
 * shapes) become findings of the model. Memory is the model's arena. */
bool inspect_facts(struct facts *out, struct model *m, struct err *e) ASSAY_MUST_CHECK;

/* ---- one pass over the bytes (src/inspect/scan.c) ---- */

struct scan_options {
    bool digests;      /* per file and per tensor SHA-256 */
    bool statistics;   /* per tensor struct stats */
    unsigned threads;  /* 0: all cores of this process */
    const char *cache; /* digest cache file; NULL: none */
    struct progress progress;
};

struct coverage {
    uint64_t size;        /* bytes of all files */
    uint64_t parsed;      /* headers and documents */
    uint64_t tensors;     /* tensor data, overlaps once */
    uint64_t padding;     /* zero bytes that alignment explains */
    uint64_t unexplained; /* neither */
    uint64_t hashed;      /* bytes under some file digest */
};

struct scan {
    struct digest *tensor; /* one per model tensor; NULL without digests */
    struct digest *file;   /* one per model file; NULL without digests */
    bool *tensor_ok,
        *file_ok;        /* the digest is set: false where a read failed, or without digests */
    struct stats *stats; /* one per model tensor; NULL without statistics */
    struct coverage coverage;
    bool from_cache; /* at least one digest was taken from the cache */
    uint64_t bytes_read;
};

/* Read failures and changes while reading become findings; false only when
 * interrupted or out of memory. Memory is the model's arena. */
bool inspect_scan(struct scan *out, struct model *m, const struct scan_options *opt,
                  struct err *e) ASSAY_MUST_CHECK;

/* ---- identity (src/inspect/identity.c); bytes in docs/formats/identity.md ---- */

struct identity {
    bool has_tensor_root, has_manifest_root, has_architecture, has_tokenizer, has_template;
    struct digest tensor_root;   /* over tensors sorted by name: name, dtype, shape, digest */
    struct digest manifest_root; /* over files sorted by name: name, size, digest */
    struct digest architecture;  /* of the canonical description */
    struct digest tokenizer;     /* of vocabulary, merges, scores, types, special ids */
    struct digest chat_template; /* of the default template's bytes */
};

bool inspect_identity(struct identity *out, struct model *m, const struct facts *f,
                      const struct scan *s, struct err *e) ASSAY_MUST_CHECK;
/* One leaf's data of the two roots, appended: for who holds bytes that are in no file yet.
 * Of the tensor: name, type, rank and shape. */
void identity_tensor_leaf(struct buf *b, const struct tensor *t, const struct digest *bytes);
void identity_file_leaf(struct buf *b, struct span name, uint64_t size, const struct digest *bytes);
/* The canonical description that the architecture fingerprint hashes: one
 * line of JSON, keys sorted. */
void architecture_canonical(struct buf *out, const struct facts *f);

/* ---- comparison of two models (src/inspect/diff*.c) ---- */

enum tensor_change {
    TENSOR_SAME,
    TENSOR_CHANGED,
    TENSOR_RETYPED,
    TENSOR_RESHAPED,
    TENSOR_ADDED,
    TENSOR_REMOVED
};

struct tensor_diff {
    enum tensor_change change;
    const struct tensor *a, *b; /* NULL on the side that has none */
    bool mapped;                /* names differ between containers and were mapped */
    bool exact;                 /* bytes equal */
    /* Over dequantised values; valid for SAME, CHANGED and RETYPED. */
    double distance; /* |b - a| / |a| (L2) */
    double cosine;
    double changed; /* share of elements that differ */
    /* Elements that are NaN or infinite on either side: left out of distance
     * and cosine; counted as changed unless both sides hold the same. */
    uint64_t not_finite;
    bool unread; /* could not be located, read or laid out: the three above are NaN */
};

enum relation {
    REL_IDENTICAL,
    REL_REPACKED,
    REL_QUANTISED,
    REL_FINE_TUNED,
    REL_ADAPTER,
    REL_SAME_ARCHITECTURE,
    REL_UNRELATED,
    REL_UNDECIDED /* too little was read or compared to say: never a quiet "identical" */
};

struct diff_entry {    /* metadata, config, tokenizer, template: one difference */
    const char *where; /* "metadata", "config", "generation_config", "tokenizer", "chat template" */
    const char *what;  /* key or JSON pointer */
    const char *a, *b; /* shown values; NULL: absent on that side */
};

struct diff {
    struct tensor_diff *tensors; /* by name */
    size_t tensor_count;
    size_t counts[TENSOR_REMOVED + 1]; /* without those that could not be read */
    size_t unread;
    struct diff_entry *entries;
    size_t entry_count;
    size_t entries_more; /* found beyond DIFF_MAX_ENTRIES and not kept */
    enum relation relation;
    bool reversed;       /* quantised or adapter, with A and B exchanged */
    const char *because; /* the numbers behind the relation, one line */
    /* Over all compared tensors, weighted by elements; NaN when none was. */
    double distance, cosine, changed;
};

enum { DIFF_MAX_ENTRIES = 10000 };

struct diff_options {
    unsigned threads;
    struct progress progress;
};

/* Memory is in `arena`. */
bool inspect_diff(struct diff *out, struct model *a, struct model *b, struct arena *arena,
                  const struct diff_options *opt, struct err *e) ASSAY_MUST_CHECK;
const char *relation_name(enum relation r); /* "quantised" */
const char *tensor_change_name(enum tensor_change c);

#endif
