/*
 * What every JSON output has in common: the sink, the head, numbers that stay
 * exact, places and digests.
 */
#ifndef ASSAY_CLI_JSON_OUT_H
#define ASSAY_CLI_JSON_OUT_H

#include "cli/output.h"
#include "cli/subject.h"

/* Integers above this are written as decimal strings: most readers hold doubles. */
#define JSON_SAFE_INTEGER ((UINT64_C(1) << 53) - 1)

/* One object: pretty when it stands alone, on one line among others. */
void jo_start(struct json_writer *w, struct out *o, bool pretty);
/* `schema` and `version`, which every object begins with. */
void jo_head(struct json_writer *w, const char *schema);
void jo_finish(struct json_writer *w, struct out *o);

void jo_u64(struct json_writer *w, const char *key, uint64_t v);
void jo_number(struct json_writer *w, uint64_t v); /* the value alone */
void jo_signed(struct json_writer *w, int64_t v);
void jo_known(struct json_writer *w, const char *key, uint64_t v); /* 0: null */
void jo_double(struct json_writer *w, const char *key, double v);
void jo_bool(struct json_writer *w, const char *key, bool v);
void jo_str(struct json_writer *w, const char *key, const char *s);  /* NULL: null */
void jo_span(struct json_writer *w, const char *key, struct span s); /* empty: null */
void jo_spans(struct json_writer *w, const char *key, const struct span *s, size_t n);
void jo_digest(struct json_writer *w, const char *key, const struct digest *d, bool known);
/* `file` (or null), `offset` and `length`. */
void jo_origin(struct json_writer *w, const struct model *m, struct origin o);
/* "licences": each place that names one. */
void jo_licences(struct json_writer *w, const struct model *m, const struct facts *f);
/* What every finding shows, of whichever command. */
void jo_finding(struct json_writer *w, const struct model *m, const struct finding *f);
/* A PATH that gave nothing: schema, version, path, complete false, error. */
void jo_unreadable(struct out *o, const char *schema, const char *path, const struct err *e,
                   bool pretty);

/* Member `findings` of a log's entry: how many of each rule; none when there are none. The
 * verdict must be sorted. */
void jo_finding_counts(struct json_writer *w, const struct verdict *v);

/* Members name, type and shape of a tensor. */
void jo_tensor(struct json_writer *w, const struct tensor *t);

#endif
