/* A log with sealed content of several subjects, and a byte search over its files. */
#ifndef SUPPORT_SEALED_LOG_H
#define SUPPORT_SEALED_LOG_H

#include "assay/log.h"
#include "support/folder.h"

void sealed_make(const struct folder *f);
struct log *sealed_open(const struct folder *f);
/* A record about `subject` with the sealed fields `prompt` and `answer`; returns its number. */
uint64_t sealed_append(struct log *l, const char *subject, const char *prompt);

/* Wrapped keys, as they stand in the database now. */
struct sealed_keys {
    uint8_t key[4096][SEAL_WRAPPED];
    size_t count;
};

/* The keys that `query` gives, one column. */
void sealed_keys_of(const struct folder *f, const char *query, struct sealed_keys *out);
/* How many of them some file of the folder holds. */
size_t sealed_keys_found(const struct folder *f, const struct sealed_keys *keys);
int64_t sealed_number(const struct folder *f, const char *query);
/* What a disclosure of the field gives: 0 and the bundle in `out`, or the error's code. */
enum err_code sealed_disclose(struct log *l, uint64_t seq, const char *field, struct buf *out);
/* Root of the first `size` entries. */
struct digest sealed_root(const struct folder *f, uint64_t size);

extern const struct log_order sealed_order;

#endif
