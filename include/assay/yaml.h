/*
 * Strict YAML 1.2 (core schema) into the tree of base/json.h, so that every
 * configuration is read by the same code whichever way it was written.
 *
 * What makes one YAML text mean different things to different readers, or cost
 * more than its length, is refused with line and column: anchors and aliases,
 * tags, duplicate keys, keys that are no texts, several documents, numbers
 * with leading zeros, and anything beyond the limits below. Plain words are
 * typed by the core schema alone: `yes`, `no` and `on` are texts. Numbers keep
 * their text. JSON is a subset, so JSON configurations read as well.
 */
#ifndef ASSAY_YAML_H
#define ASSAY_YAML_H

#include "assay/base/json.h"

enum {
    YAML_MAX_TEXT = 4 << 20, /* bytes of one document */
    YAML_MAX_NODES = 200000, /* keys, values, lists and mappings */
    YAML_MAX_DEPTH = 32,     /* lists and mappings within each other */
    YAML_MAX_TREE = 64 << 20 /* bytes of the tree's own text */
};

struct yaml_place;

/* Lives in the arena that it was parsed into; an empty document is a null. */
struct yaml {
    struct json root;
    const char *file; /* borrowed name for messages; may be NULL */
    const struct yaml_place *places;
    size_t place_count;
};

/*
 * Parse one document. The error is ERR_CONFIG and begins with "line L, column
 * C: "; its offset is the byte within text. The text need not live on.
 */
bool yaml_parse(struct yaml *out, struct span text, const char *file, struct arena *a,
                struct err *e) ASSAY_MUST_CHECK;
/* A regular file of at most YAML_MAX_TEXT bytes; `path` is borrowed as its name. */
bool yaml_read(struct yaml *out, const char *path, struct arena *a, struct err *e) ASSAY_MUST_CHECK;

/* Line (from 1) where a value, or a member's key, begins; 0 for what is no node of `y`. */
size_t yaml_line(const struct yaml *y, struct json v);
size_t yaml_key_line(const struct yaml *y, struct json member);

#endif
