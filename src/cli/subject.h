/*
 * One PATH, read and derived as far as it goes: what inspect and digest show.
 * A step that fails leaves its part empty and the subject incomplete.
 */
#ifndef ASSAY_CLI_SUBJECT_H
#define ASSAY_CLI_SUBJECT_H

#include "assay/inspect.h"

struct subject_options {
    bool digests, statistics, cache;
    unsigned threads;
};

struct subject {
    struct model *model;
    struct facts facts;
    struct scan scan;
    struct identity identity;
    bool has_facts, has_scan, has_coverage, has_identity;
    bool interrupted;
    bool recognised;      /* at least one file is of a known format */
    bool read_all;        /* nothing is missing of what there is */
    bool complete;        /* recognised and read_all */
    bool strict, lenient; /* complete, and a reader of that strictness accepts */
};

/* False when there is nothing to show. */
bool subject_open(struct subject *s, const char *path, const struct subject_options *o,
                  struct err *e) ASSAY_MUST_CHECK;
void subject_close(struct subject *s);
/* Exit status of what was read. */
int subject_status(const struct subject *s);

/* "ChatML": the prompt format whose markers the template holds, or NULL. */
const char *template_kind(struct span template_text);
/* Name of the file an origin stands in, or NULL. */
const char *origin_file(const struct model *m, struct origin o);
/* $XDG_CACHE_HOME/assay/digests or ~/.cache/assay/digests, its folder made; NULL
 * when there is no such place. */
const char *cache_path(char *out, size_t size);

#endif
