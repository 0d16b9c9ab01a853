/*
 * Where a model comes from: data sets counted and held against what their cards
 * say, training runs as their own files tell them, and lineage with each edge
 * declared, verified from tensors or contradicted.
 *
 * Data is read once, in constant memory, through one descriptor a file; a file
 * that changes meanwhile is named and leaves the data set incomplete.
 */
#ifndef ASSAY_PROVENANCE_H
#define ASSAY_PROVENANCE_H

#include "assay/base/clock.h"
#include "assay/digest.h"
#include "assay/inspect.h"
#include "assay/tokenizer.h"

enum {
    DATASET_MAX_FILES = 100000,
    DATASET_MAX_DEPTH = 16,
    DATASET_MAX_LINE =
        4 << 20, /* bytes of one row that are looked at; longer ones are hashed whole */
    DATASET_MAX_CARD = 16 << 20, /* bytes of one card */
    DATASET_LANGUAGES = 24,
    DATASET_NOTES = 64
};

/* ---- what a card says ---- */

enum card_kind { CARD_NONE, CARD_CROISSANT, CARD_HUGGING_FACE, CARD_DTA, CARD_PLAIN };
const char *card_kind_name(enum card_kind k); /* "Croissant 1.1" is "Croissant" */

struct card_file {
    const char *name, *sha256; /* sha256 NULL: not said */
    uint64_t bytes;            /* 0: not said */
};

struct card_split {
    const char *name;
    uint64_t rows;
};

/* Texts are NULL when the card does not say it. */
struct dataset_card {
    enum card_kind kind;
    const char *path, *conforms; /* file it stands in; version of its format */
    struct digest digest;        /* of that file */
    const char *name, *description, *version, *licence, *url, *creator, *published;
    const char *source, *collection, *preprocessing, *consent, *personal, *synthetic, *limits,
        *biases, *annotation, *geography, *from_date, *to_date;
    const char **languages;
    size_t language_count;
    uint64_t rows, bytes; /* 0: not said */
    struct card_file *files;
    size_t file_count;
    struct card_split *splits;
    size_t split_count;
    const char *trouble; /* what is wrong with it or missing from it; NULL: nothing */
};

/* Never fails on what a card holds: what could be read is there, and `trouble` says the rest. */
bool dataset_card_read(struct dataset_card *out, const char *path, struct span bytes,
                       struct arena *a, struct err *e) ASSAY_MUST_CHECK;

/* ---- what was counted ---- */

struct dataset_file {
    const char *name; /* below the folder, '/' between parts */
    uint64_t bytes, rows, tokens;
    bool has_rows;  /* its format has rows that are counted here */
    bool by_footer; /* Parquet: `footer_rows` is what its footer says, not counted */
    uint64_t footer_rows, row_groups;
    bool read; /* whole, and it stood still */
    struct digest digest;
};

struct language_share {
    const char *code; /* "en"; "und": none of those known */
    uint64_t bytes;
};

struct dataset_note {
    const char *rule; /* "dataset.rows": what is held against what */
    const char *declared, *counted;
    bool contradicts; /* false: a warning */
};

struct dataset {
    const char *path, *name;
    struct dataset_file *files; /* by name */
    size_t file_count;
    bool complete;
    struct digest manifest_root;
    uint64_t bytes, rows, tokens, empty, duplicates, overlap;
    bool has_rows, has_tokens, has_overlap;
    uint64_t footer_rows, row_groups; /* of Parquet files, in no count above */
    size_t footer_files;
    const char *columns;    /* of the first Parquet file, as its footer names them; NULL: none */
    uint64_t compared_rows; /* among which duplicates and overlap were looked for */
    bool all_compared;      /* false: more than a thousand million, or no room for their hashes */
    uint64_t uncounted;     /* texts not in UTF-8 or beyond DATASET_MAX_LINE: no tokens, or part */
    uint64_t emails;        /* texts that look like e-mail addresses */
    struct language_share languages[DATASET_LANGUAGES]; /* most first */
    size_t language_count;
    const char *first_date, *last_date; /* YYYY-MM-DD met in the data; NULL: none */
    const char *overlap_with;
    struct digest overlap_root; /* manifest root of that one */
    struct dataset_card card;   /* kind CARD_NONE: none was found */
    struct dataset_note notes[DATASET_NOTES];
    size_t note_count;
    struct row_set *hashes; /* of the rows; caller's through dataset_free */
};

struct dataset_options {
    const char *card;                  /* path of the card; NULL: looked for beside the data */
    const struct tokenizer *tokenizer; /* NULL: tokens are not counted */
    const struct dataset *other;       /* overlap with this one; NULL: not asked */
    struct progress progress;
};

/* Memory but for the rows' hashes is in `a`; those of more than a million rows are in a temporary file
 * (TMPDIR, else /var/tmp), eight bytes a row. */
bool dataset_read(struct dataset *out, const char *path, const struct dataset_options *o,
                  struct arena *a, struct err *e) ASSAY_MUST_CHECK;
void dataset_free(struct dataset *d);
/* "en 60.1 %, fr 19.0 %": by bytes of text; NULL: no text was looked at. */
const char *dataset_language_shares(char *out, size_t size, const struct dataset *d);
/* Members of a log's `dataset` entry; with the files when they fit. */
bool dataset_leaf(struct buf *out, const struct dataset *d, const char *source, bool files,
                  struct err *e) ASSAY_MUST_CHECK;

/* ---- training runs ---- */

struct training_run {
    const char *name;
    uint8_t id[16]; /* of the run: from its files, the same each time */
    const char **base_models, **datasets;
    size_t base_count, dataset_count;
    const char *method, *optimizer, *code, *environment, *seed, *software;
    struct {
        const char *name, *value;
    } hyper[64];
    size_t hyper_count;
    const char *started, *finished;
    uint64_t steps, tokens;
    const char *flops, *energy_kwh, *hours, *hardware, *epochs;
    struct {
        const char *name, *value;
    } metrics[32];
    size_t metric_count;
    struct digest config; /* over the files it was read from */
    const char *files[8];
    struct digest file_digest[8];
    uint64_t file_bytes[8];
    size_t file_count;
    const char *trouble;
};

/* A folder with trainer_state.json, training_args, adapter_config.json or training.yaml; or one of
 * these files. */
bool training_read(struct training_run *out, const char *path, struct arena *a,
                   struct err *e) ASSAY_MUST_CHECK;
bool training_leaf(struct buf *out, const struct training_run *t, struct err *e) ASSAY_MUST_CHECK;

/* ---- lineage ---- */

enum edge_status { EDGE_DECLARED, EDGE_VERIFIED, EDGE_CONTRADICTED };
const char *edge_status_name(enum edge_status s);

struct lineage_node {
    const char *name, *kind; /* "model", "dataset" */
    const char *digest;      /* NULL: unknown here */
};

struct lineage_edge {
    size_t from, to;      /* nodes: `to` was made from `from` */
    const char *relation; /* "finetune", "quantized", "adapter", "merge", "trained on" */
    enum edge_status status;
    const char *because; /* the words or numbers behind it */
};

struct lineage {
    struct lineage_node *nodes; /* [0] is the model itself */
    size_t node_count, node_cap;
    struct lineage_edge *edges;
    size_t edge_count, edge_cap;
    const char *trouble; /* a document that names ancestors and cannot be read; NULL: none */
};

/* A model that may be an ancestor, at hand. */
struct lineage_base {
    const char *name;
    struct model *model;
    const struct facts *facts;
    const struct identity *identity;
};

/* What the model's documents claim (card, GGUF metadata, adapter and mergekit configurations), what
 * those of ancestors at hand claim of theirs, and what the tensors say to each of these steps; with
 * the threads and the progress of `o`. */
bool lineage_make(struct lineage *out, struct model *m, const struct facts *f,
                  const struct identity *identity, const struct lineage_base *bases, size_t count,
                  const struct diff_options *o, struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* What to call an ancestor by its path: the repository of a Hugging Face cache, else the last part. */
const char *lineage_base_name(const char *path, struct arena *a);

/* The edges as a tree: each below the one whose ancestor it made, the model's own at depth 1. */
struct lineage_row {
    const struct lineage_edge *edge;
    size_t depth, below; /* below: the row it stands under; SIZE_MAX: the model */
    bool last;           /* of those below the same */
};
enum { LINEAGE_DEPTH = 16 };
/* At most `most` rows, of which there are as many as edges that lead to the model. */
size_t lineage_rows(struct lineage_row *rows, size_t most, const struct lineage *l);

/* One of its own, to add to; names and reasons are shared. */
bool lineage_copy(struct lineage *out, const struct lineage *l, struct arena *a,
                  struct err *e) ASSAY_MUST_CHECK;
/* What is known from elsewhere, such as a log: an ancestor of the model itself. An edge that its
 * documents declare takes status and reason; without one it is new. */
struct lineage_found {
    struct lineage_node ancestor;
    const char *relation;
    enum edge_status status;
    const char *because;
};
bool lineage_add(struct lineage *l, const struct lineage_found *f, struct arena *a,
                 struct err *e) ASSAY_MUST_CHECK;
bool lineage_text(struct buf *out, const struct lineage *l, struct err *e) ASSAY_MUST_CHECK;
bool lineage_json(struct buf *out, const struct lineage *l, struct err *e) ASSAY_MUST_CHECK;
bool lineage_svg(struct buf *out, const struct lineage *l, struct err *e) ASSAY_MUST_CHECK;
/* W3C PROV-JSON, and in-toto with SLSA provenance v1. */
bool lineage_prov(struct buf *out, const struct lineage *l, struct err *e) ASSAY_MUST_CHECK;
bool lineage_slsa(struct buf *out, const struct lineage *l, struct err *e) ASSAY_MUST_CHECK;

#endif
