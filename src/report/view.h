/*
 * The view: everything a page shows, as one JSON tree that the templates walk.
 * Every text in it passed text_show, so hidden characters are visible; every
 * member is there, empty when there is nothing, because templates look outwards.
 */
#ifndef ASSAY_REPORT_VIEW_H
#define ASSAY_REPORT_VIEW_H

#include "assay/report.h"

/* *view lives in `a`. */
bool view_make(struct json *view, const struct report *r, struct arena *a,
               struct err *e) ASSAY_MUST_CHECK;

/* ---- pieces, for view*.c ---- */
void view_str(struct json_writer *w, const char *key, const char *s);
void view_span(struct json_writer *w, const char *key, struct span s);
void view_printf(struct json_writer *w, const char *key, const char *fmt, ...) ASSAY_PRINTF(3, 4);
const char *view_label(enum claim_status s); /* "not applicable" */
void view_claim(struct json_writer *w, const struct report *r, const struct claim *c);
/* Words for an item of evidence: "model.safetensors, bytes 0 to 2,048". */
const char *evidence_words(const struct claim_evidence *v, struct arena *a);
void view_evidence_table(struct json_writer *w, const struct report *r);
/* The list `charts`. */
void view_charts(struct json_writer *w, const struct report *r);
bool view_has_charts(const struct report *r);

#endif
