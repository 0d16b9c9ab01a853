/* Private to src/verify. */
#ifndef VERIFY_VERIFY_H
#define VERIFY_VERIFY_H

#include "assay/verify.h"

/*
 * The checkpoint of a parsed note as `t` demands it: origin, a signature of one
 * of `keys`, witnesses. With no keys the signature is not checked, and *out says so.
 */
bool checkpoint_judge(struct verified *out, const struct note *n, const struct trust *t,
                      const struct note_key *keys, size_t key_count,
                      struct err *e) ASSAY_MUST_CHECK;
/* Take the first line of *rest, without its line end. False when there is none. */
bool take_line(struct span *rest, struct span *line) ASSAY_MUST_CHECK;
/* What follows `prefix` in a line; false when it begins otherwise. */
bool line_after(struct span line, const char *prefix, struct span *rest) ASSAY_MUST_CHECK;

/* Members that a newer bundle may have are refused: they may bear on its meaning. */
bool bundle_members(struct json v, const char *const *names, struct err *e) ASSAY_MUST_CHECK;
/* The contents of out->record's fields, held against its commitments. */
bool bundle_fields(struct verified *out, struct json fields, struct arena *a,
                   struct err *e) ASSAY_MUST_CHECK;
/* A caller's receipt of a whole call: call.c. */
bool verify_call(struct verified *out, struct json bundle, const struct trust *t, struct arena *a,
                 struct err *e) ASSAY_MUST_CHECK;

#endif
