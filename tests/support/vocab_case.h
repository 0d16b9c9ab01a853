/*
 * Small vocabularies as GGUF metadata, and encoding to ids in a line.
 */
#ifndef SUPPORT_VOCAB_CASE_H
#define SUPPORT_VOCAB_CASE_H

#include "assay/tokenizer.h"

struct vocab_case {
    const char *model, *pre;         /* pre NULL: no such key */
    const char *const *tokens;       /* up to NULL */
    const int32_t *types;            /* NULL: all normal */
    const float *scores;             /* NULL: 0, -1, -2 ... */
    const char *const *merges;       /* up to NULL; NULL: no such key */
    const char *template;            /* chat template, or NULL */
    int32_t bos, eos;                /* -1: no such key */
    int8_t space_prefix, bos_wanted; /* -1: no such key */
};

/* Fails the test when it cannot be made. */
struct tokenizer *vocab_new(const struct vocab_case *c);
/* False with the reason in e. */
bool vocab_try(struct tokenizer **out, const struct vocab_case *c, struct err *e);

/* "1 2 3", in a static array; "!" and the error when it fails. */
const char *vocab_ids(const struct tokenizer *t, const char *text, bool trusted, unsigned flags);
const char *vocab_parts(const struct tokenizer *t, const struct marked *parts, size_t n);
/* The text of these ids, in a static array. */
const char *vocab_text(const struct tokenizer *t, const uint32_t *ids, size_t n, unsigned flags);

#endif
