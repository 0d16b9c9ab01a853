/* Short writers for JSON that others define: private to the report. */
#ifndef ASSAY_REPORT_PUT_H
#define ASSAY_REPORT_PUT_H

#include "assay/report.h"

void put_str(struct json_writer *w, const char *key, const char *s);  /* NULL: nothing */
void put_span(struct json_writer *w, const char *key, struct span s); /* empty: nothing */
void put_fmt(struct json_writer *w, const char *key, const char *fmt, ...) ASSAY_PRINTF(3, 4);
void put_count(struct json_writer *w, const char *key, uint64_t n); /* as a string: canonical */
void put_hex(struct json_writer *w, const char *key, const struct digest *d);
void put_open(struct json_writer *w, const char *key); /* "key": { */
void put_list(struct json_writer *w, const char *key); /* "key": [ */
/* "urn:uuid:..." made of the claims' root: the same for the same report. */
const char *put_uuid(char out[48], const struct digest *d);
/* Appends what was written, or says why not. */
bool put_done(const struct json_writer *w, struct buf *out, struct err *e) ASSAY_MUST_CHECK;
/* Name of the subject, and its claims' value for a property (NULL: none). */
struct span report_name(const struct report *r);
const char *report_value(const struct report *r, const char *property);
/* Licence as SPDX id, or NULL. */
const char *report_spdx(const struct report *r);

#endif
