/*
 * What the parts of the GGUF reader share: gguf.c reads the grammar of header
 * and metadata, gguf_tensors.c the tensor infos and where the data stands,
 * gguf_keys.c what well-known keys must hold, gguf_split.c sets of files.
 * Format: docs/gguf.md of the ggml project; limits that only the loader has
 * (gguf.cpp, llama.cpp) are named as such.
 */
#ifndef MODEL_GGUF_H
#define MODEL_GGUF_H

#include "model/reader.h"

enum {
    GGUF_DEFAULT_ALIGNMENT = 32,
    GGUF_LARGE_ALIGNMENT = 1 << 16, /* beyond this nobody writes */
    GGUF_MAX_KEY = 65535,           /* bytes (specification) */
    GGUF_MAX_NAME = 64,             /* bytes; the loader keeps the 64th for a NUL */
    GGUF_MAX_RANK = 4,              /* GGML_MAX_DIMS */
    GGUF_MAX_LAYERS = 512,          /* LLAMA_MAX_LAYERS */
    GGUF_MAX_TOKEN = 4096,          /* bytes; the longest in use has some hundreds */
    GGUF_MAX_STRING = 1 << 30,      /* bytes (loader) */
    GGUF_MAX_ITEMS = 1 << 30,       /* of an array (loader) */
    GGUF_MIN_PAIR = 13,             /* empty key, type, one byte */
    GGUF_MIN_INFO = 24,             /* empty name, rank 0, type, offset */
    /* Our own: what one file may bring into memory. */
    GGUF_MAX_HEADER = 256 << 20, /* bytes before the tensor data */
    GGUF_MAX_PAIRS = 1 << 20,
    GGUF_MAX_TENSORS = 1 << 20
};

/* One file while it is read. */
struct gguf {
    struct model *m;
    uint32_t file;
    struct cursor c;
    struct arena *scratch;           /* freed when the file is read */
    struct map keys;                 /* of this file, to find duplicates */
    struct map foreign;              /* tensor names that another file had already */
    uint64_t tensors, pairs;         /* as claimed */
    size_t first_tensor, first_pair; /* where this file's begin in the model */
    uint32_t alignment;
    bool stopped; /* a finding says why reading ended here */
    bool no_memory;
    /* Counted over the file, noted once. */
    uint64_t odd_keys, odd_key_at;
    struct span odd_key;
};

/* A finding of rule at offset, and reading of this file ends. Returns false. */
bool gguf_stop(struct gguf *g, uint64_t offset, uint64_t length, enum rule_id rule, const char *fmt,
               ...) ASSAY_PRINTF(5, 6);
/* The cursor's fault, unless it was noted already, while reading `what`. Returns cursor_ok. */
bool gguf_fine(struct gguf *g, enum rule_id rule, const char *what);
/* A length-prefixed string that must lie within the file; `what` is for words. */
struct span gguf_string(struct gguf *g, const char *what);
/* UTF-8 and NUL of a name or text that was read at `offset`. */
void gguf_text(struct gguf *g, struct span s, uint64_t offset, const char *what);
/* A pair of this file, or NULL. */
const struct metadata *gguf_pair(const struct gguf *g, const char *key);
/* The claimed count, cut to what the bytes left and our limit allow; *honest is
 * false when it was cut. Faulty claims are noted. */
uint64_t gguf_claimed(struct gguf *g, uint64_t claimed, size_t min_size, uint64_t limit,
                      uint64_t at, const char *what, bool *honest);

void gguf_read_tensors(struct gguf *g, bool claimed_honest);
void gguf_check_keys(struct gguf *g);

/*
 * Split sets (gguf_split.c). A name that ends in -NNNNN-of-NNNNN.gguf:
 * `stem` is what stands before.
 */
struct gguf_part {
    struct span stem;
    uint32_t number, count;
};
bool gguf_part_name(struct gguf_part *out, const char *name);

#endif
