/*
 * Members of a canonical leaf without a tree: whoever reads ten million leaves
 * wants a handful of members of each. The text passed record_check before, which
 * refuses all that is not canonical; bounds are kept all the same.
 */
#ifndef ASSAY_REPORT_CANON_H
#define ASSAY_REPORT_CANON_H

#include "assay/base/bytes.h"

struct canon {
    struct span rest;
};

/* Over the members of an object's text, braces included. */
struct canon canon_over(struct span object);
/* The next member: its name without quotes and the text of its value. */
bool canon_next(struct canon *c, struct span *name, struct span *value);
/* A value by its name; empty when absent. */
struct span canon_get(struct span object, const char *name);
/* Of a string's text, what stands between the quotes, escapes as written. */
struct span canon_text(struct span value);
uint64_t canon_count(struct span value); /* 0 for what is no count */

#endif
