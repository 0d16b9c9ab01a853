/*
 * struct model: everything that was read from one model, and where it stood.
 *
 * Parsers fill it; inspect, check, engine and report read it. A model is one
 * file, a split set found from any of its parts, or a folder as on Hugging
 * Face. Everything parsed carries its origin (file, offset, length). The model
 * owns one capped arena and the sources of its files; freeing it is one call.
 *
 * Reading never stops at the first fault: what was read stays, the fault is a
 * finding, and verdict.incomplete says that something is missing.
 */
#ifndef ASSAY_MODEL_H
#define ASSAY_MODEL_H

#include "assay/base/json.h"
#include "assay/dtype.h"
#include "assay/finding.h"
#include "assay/source.h"

enum {
    MODEL_MAX_RANK = 8,
    MODEL_MAX_FILES = 100000,
    MODEL_MAX_DEPTH = 16,             /* folders within folders */
    MODEL_MAX_DOCUMENT = 256 << 20,   /* bytes of one JSON, YAML or text file */
    MODEL_MAX_SAFETENSORS = 100000000 /* bytes of a header (tensor.rs MAX_HEADER_SIZE) */
};

enum format {
    FORMAT_UNKNOWN, /* hashed and listed, not parsed */
    FORMAT_GGUF,
    FORMAT_SAFETENSORS,
    FORMAT_JSON,     /* the documents of a folder */
    FORMAT_MARKDOWN, /* model card */
    FORMAT_TEXT,     /* LICENSE, chat_template.jinja, merges.txt */
    FORMAT_PICKLE,
    FORMAT_ZIP, /* and what is made of it: PyTorch, NumPy, Keras */
    FORMAT_TAR,
    FORMAT_GZIP,
    FORMAT_ZLIB,
    FORMAT_HDF5,
    FORMAT_KERAS, /* .keras, a zip */
    FORMAT_ONNX,
    FORMAT_SAVEDMODEL, /* graphs of TensorFlow */
    FORMAT_CODE,       /* programs, scripts, Python source */
    FORMAT_UNREAD,     /* recognised and not read: never clean */
    FORMAT_NUMPY,      /* .npy, or .npz when nothing else is in it */
    FORMAT_PYTORCH,    /* a checkpoint that torch.save wrote, in any of its forms */
    FORMAT_XML,        /* PMML, OpenVINO and other XML */
    FORMAT_COUNT
};

struct model_file {
    const char *name; /* relative to the model's folder, '/'-separated; a lone file's basename */
    const char *path; /* to open or name in messages */
    enum format format;
    struct source *source; /* owned by the model; NULL when it could not be opened */
    uint64_t size;
    uint64_t parsed;    /* bytes accounted for by parsing: header, documents; tensors excluded */
    uint64_t data;      /* offset where the tensor data section begins; 0 without one */
    uint32_t version;   /* GGUF version; 0 otherwise */
    uint32_t alignment; /* GGUF general.alignment; 0 otherwise */
    bool big_endian;
    bool link_outside; /* reached through a symbolic link that leaves the folder */
    bool incomplete;   /* parsing stopped early */
    bool walked;       /* a container read to its last byte: what is odd is a finding of its own */
    bool beside;       /* weights of another set than the model's: judged, in no list */
};

struct tensor {
    struct span name;
    enum dtype dtype; /* DTYPE_NONE: unknown to this build, bytes still located */
    uint32_t rank;
    uint64_t
        shape[MODEL_MAX_RANK]; /* outermost first, as PyTorch prints it; GGUF's order reversed */
    uint64_t elements;
    struct origin entry; /* the header entry that declares it */
    struct origin data;  /* its bytes; offset is absolute in the file */
};

/* A GGUF key-value pair, or one string of safetensors' __metadata__. */
enum value_type { /* numbers as in GGUF, docs/gguf.md "gguf_metadata_value_type" */
                  VALUE_U8 = 0,
                  VALUE_I8,
                  VALUE_U16,
                  VALUE_I16,
                  VALUE_U32,
                  VALUE_I32,
                  VALUE_F32,
                  VALUE_BOOL,
                  VALUE_STRING,
                  VALUE_ARRAY,
                  VALUE_U64,
                  VALUE_I64,
                  VALUE_F64,
                  VALUE_TYPES
};

struct value {
    enum value_type type;
    enum value_type element; /* of an array */
    bool big_endian;
    uint64_t count; /* items of an array */
    union {
        uint64_t u;         /* unsigned types and BOOL */
        int64_t i;          /* signed types */
        double f;           /* F32 and F64 */
        struct span string; /* STRING */
        struct span items;  /* ARRAY: the items' bytes as stored */
    };
};

struct metadata {
    struct span key;
    struct value value;
    struct origin origin; /* key and value together */
};

/* The documents of a folder that Assay understands. */
enum document_kind {
    DOC_CONFIG,             /* config.json */
    DOC_GENERATION_CONFIG,  /* generation_config.json */
    DOC_TOKENIZER,          /* tokenizer.json */
    DOC_TOKENIZER_CONFIG,   /* tokenizer_config.json */
    DOC_SPECIAL_TOKENS_MAP, /* special_tokens_map.json */
    DOC_ADAPTER_CONFIG,     /* adapter_config.json */
    DOC_INDEX,              /* *.safetensors.index.json */
    DOC_COUNT
};

struct document {
    uint32_t file;    /* ORIGIN_NO_FILE: the model has none */
    struct json root; /* JSON_NOTHING when it did not parse */
};

/* A text with its place: chat templates, licences, the card's body. */
struct text {
    struct span bytes;
    struct span name; /* named chat template; empty for the default one */
    struct origin origin;
    bool beside; /* of some tool's file: judged, and not what the model's server renders */
};

/* Model card (README.md): YAML front matter and text. */
struct card {
    struct text front; /* between the --- lines, without them */
    struct text body;
    /* From the front matter; spans are decoded scalars. Absent: empty, count 0. */
    struct span license, license_name, license_link, library, pipeline;
    struct span *base_models, *datasets, *languages, *tags;
    size_t base_model_count, dataset_count, language_count, tag_count;
    struct span base_model_relation; /* quantized, finetune, adapter, merge */
};

/* A LICENSE/COPYING/NOTICE text and what it was matched to. */
struct licence_text {
    struct text text;
    const char *spdx; /* SPDX id, or NULL when it matches none */
    double match;     /* share of the reference's words found in order, 0..1 */
};

struct model {
    struct arena *arena;
    const char *path; /* as given */
    bool folder;

    struct model_file *files; /* folder: sorted by name; split set: by part */
    size_t file_count;
    struct tensor *tensors; /* by file, then as the header lists them */
    size_t tensor_count;
    struct metadata *metadata; /* by file, then as stored */
    size_t metadata_count;

    struct document documents[DOC_COUNT];
    struct text *templates; /* chat templates of every source, in order of discovery */
    size_t template_count;
    struct card card;
    bool has_card;
    struct licence_text *licences;
    size_t licence_count;

    /* Parts of the model may exist that are not listed above: a header, document or file was
     * not read whole, or its tensors have a form or a place that is judged and not listed.
     * Clear when only tensor data is cut off. */
    bool unlisted;
    struct verdict verdict;
};

struct model_options {
    size_t memory_cap; /* arena cap in bytes; 0: 4 GiB */
};

/*
 * Read PATH: file, part of a split set, *.index.json, or folder. Returns false
 * only when there is nothing to show (no such file, not readable, out of
 * memory); anything else is a model with findings. The caller frees *out.
 */
bool model_read(struct model **out, const char *path, const struct model_options *opt,
                struct err *e) ASSAY_MUST_CHECK;
/* One file from memory, for tests and fuzzing; bytes are borrowed. */
bool model_read_memory(struct model **out, const char *name, struct span bytes,
                       struct err *e) ASSAY_MUST_CHECK;
void model_free(struct model *m); /* NULL is harmless */

const char *format_name(enum format f); /* "GGUF", "safetensors" */
/* Is it weights whose names are dotted or slashed paths of modules, as in safetensors? */
bool format_is_torch(enum format f);
const struct tensor *model_tensor(const struct model *m, struct span name); /* NULL when absent */
const struct metadata *model_metadata(const struct model *m,
                                      const char *key); /* NULL when absent */

/* The SPDX id, or a LicenseRef of ours, for a licence as cards and GGUF files
 * name it ("apache-2.0", "llama3.1"); NULL for "other", families and unknown names. */
const char *licence_spdx_from_name(struct span named);

/* Typed reads of metadata: false when absent or of another type. Integers of
 * any width and sign are accepted where the value fits. */
bool metadata_u64(const struct model *m, const char *key, uint64_t *out);
bool metadata_double(const struct model *m, const char *key, double *out);
bool metadata_bool(const struct model *m, const char *key, bool *out);
bool metadata_string(const struct model *m, const char *key, struct span *out);

/* Walk an array's items in order: a fresh iterator is
 * value_items(&v); value_next fills *item (strings borrowed) until false. */
struct value_iter {
    struct cursor c;
    enum value_type element;
    uint64_t left;
};
struct value_iter value_items(const struct value *array);
bool value_next(struct value_iter *it, struct value *item);
const char *value_type_name(enum value_type t);
/* The value as an integer, whatever its integer type. */
bool value_u64(const struct value *v, uint64_t *out);
bool value_double(const struct value *v, double *out);

#endif
