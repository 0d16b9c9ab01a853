/*
 * Training data: documents as token ids, with what counts in the loss, and the
 * order in which they are read. A window is a row of a batch: whole documents
 * one after the other, each ended by the end-of-text token.
 */
#ifndef TRAIN_DATA_H
#define TRAIN_DATA_H

#include "assay/digest.h"
#include "assay/tokenizer.h"
#include "train/config.h"
#include "train/layout.h"

enum { DATA_MAX_FILE = 1 << 30 };

/* One file as it was read. */
struct data_file {
    const char *path, *name; /* name: its last part */
    struct span bytes;
    struct digest digest;
    uint64_t rows;
};

struct documents {
    uint32_t *tokens;
    uint8_t *counts; /* of each token: whether predicting it counts */
    size_t token_count, token_cap;
    size_t *starts; /* count + 1 */
    size_t count, cap;
    uint64_t skipped; /* too long, as asked */
};

/* Opens and hashes; the bytes are the arena's. */
bool data_read_file(struct data_file *out, const char *path, struct arena *a,
                    struct err *e) ASSAY_MUST_CHECK;
/* Every text that the file holds, for training a vocabulary. */
typedef bool data_text_fn(void *arg, struct span text, struct err *e);
bool data_texts(const struct data_file *f, const struct config_file *c, data_text_fn *fn, void *arg,
                struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* How its texts become tokens, in windows of `context` positions. */
struct data_reading {
    const struct tokenizer *tokenizer;
    const struct template *chats; /* NULL: ChatML */
    size_t context;
};
/* Append its documents. */
bool data_documents(struct documents *d, struct data_file *f, const struct config_file *c,
                    const struct data_reading *how, struct arena *a,
                    struct err *e) ASSAY_MUST_CHECK;

/* ---- order ---- */

struct window {
    size_t first, count; /* in `order` */
};

/* One way through all documents. */
struct epoch {
    uint64_t number;
    size_t *order; /* documents */
    struct window *windows;
    size_t count;
};

/* Epoch `number` by the seed; seed 0 with `in_order` keeps the files' order. */
bool epoch_make(struct epoch *out, const struct documents *d, uint64_t seed, uint64_t number,
                bool in_order, bool packing, size_t context, struct arena *a,
                struct err *e) ASSAY_MUST_CHECK;
/* The window's positions into rows of `length`; what is beyond it does not count. Returns
 * positions in use. */
size_t window_fill(const struct documents *d, const struct epoch *p, size_t window, size_t length,
                   uint32_t *tokens, uint32_t *targets, uint8_t *counts);

#endif
