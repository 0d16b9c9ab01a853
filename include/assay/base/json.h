/*
 * Strict JSON (RFC 8259) in, escaped JSON out.
 *
 * The reader accepts exactly the grammar: UTF-8 checked, no trailing text, no
 * lone surrogates, bounded depth, duplicate keys refused or reported. Every
 * value knows its byte offset, so findings can point at it. Numbers keep their
 * text: integers are read exactly or not at all. The whole document is one
 * flat run of nodes in the caller's arena (16 bytes a value, keys included);
 * the text is borrowed for the document's life. Objects with many members are
 * indexed, so json_get does not walk them.
 *
 * The writer streams: it never holds more than its buffer, so a listing of
 * 100,000 tensors costs no tree.
 */
#ifndef ASSAY_BASE_JSON_H
#define ASSAY_BASE_JSON_H

#include "assay/base/arena.h"

enum json_type {
    JSON_MISSING = 0, /* what looking up an absent member gives */
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_doc;

/* A value by handle: cheap to copy, valid while document and text live. */
struct json {
    const struct json_doc *doc;
    uint32_t node;
};

#define JSON_NOTHING ((struct json){NULL, 0})

enum json_flags {
    JSON_STRICT = 0,
    JSON_KEEP_DUPLICATES = 1, /* note duplicate keys (json_duplicate) instead of failing;
                                 json_get gives the last one, as most readers do */
    JSON_PREFIX = 2           /* text may follow the value; json_end says where it stopped */
};

enum {
    JSON_MAX_DEPTH = 128,
    JSON_MAX_TEXT = 256 << 20 /* bytes of one document */
};

/*
 * Parse `text`. On failure the error carries the byte offset within text,
 * to which the caller adds where text stands in its file.
 */
bool json_parse(struct json *root, struct span text, unsigned flags, struct arena *a,
                struct err *e) ASSAY_MUST_CHECK;

enum json_type json_type(struct json v);
const char *json_type_name(enum json_type t);
/* Offset of the value's first byte within the text, and one past its last. */
size_t json_offset(struct json v);
size_t json_end(struct json v);
/* Number of members or items; 0 for anything else. */
size_t json_count(struct json v);
/* Member by exact, case-sensitive key; JSON_MISSING when absent or v is no object. */
struct json json_get(struct json v, const char *key);
struct json json_get_span(struct json v, struct span key);
/* Follow several keys: json_path(v, "rope_scaling", "factor", NULL). */
struct json json_path(struct json v, ...) __attribute__((sentinel));
/* Iterate: for (m = json_first(v); json_type(m); m = json_next(m)). */
struct json json_first(struct json v);
struct json json_next(struct json item);
/* i-th item, 0-based, by walking. */
struct json json_at(struct json v, size_t i);
/* Key of a member met by json_first/json_next: raw text between the quotes when
 * it holds no escape, else decoded into the document's arena. */
struct span json_key(struct json member);
size_t json_key_offset(struct json member);

/* Typed reads: false (and *out untouched) when the value is of another type or
 * does not fit. Integers accept only integer text without exponent or fraction. */
bool json_u64(struct json v, uint64_t *out);
bool json_i64(struct json v, int64_t *out);
bool json_double(struct json v, double *out);
bool json_bool(struct json v, bool *out);
/* Decoded string; borrowed from the text when it holds no escape. May hold NUL. */
bool json_string(struct json v, struct span *out);
/* Source text of the value. */
struct span json_text(struct json v);
/* First duplicate key found under JSON_KEEP_DUPLICATES: its key offset, or false. */
bool json_duplicate(struct json root, size_t *offset, struct span *key);

/* ---- writer ---- */

typedef bool json_sink(void *arg, const void *p, size_t n); /* false: stop */

struct json_writer {
    json_sink *sink;
    void *arg;
    bool failed;
    bool pretty; /* two-space indentation and line ends */
    int depth;
    uint64_t has_items; /* bit per depth: a comma is due */
    bool after_key;
};

/* Depth of at most 63. Sink errors stick in `failed`. */
void jw_init(struct json_writer *w, json_sink *sink, void *arg, bool pretty);
/* A sink that appends to a struct buf. */
bool json_sink_buf(void *buf, const void *p, size_t n);
void jw_object(struct json_writer *w);
void jw_end_object(struct json_writer *w);
void jw_array(struct json_writer *w);
void jw_end_array(struct json_writer *w);
void jw_key(struct json_writer *w, const char *key);
void jw_key_span(struct json_writer *w, struct span key); /* may hold anything that a string may */
void jw_string(struct json_writer *w, struct span s);     /* invalid UTF-8 becomes U+FFFD */
void jw_str(struct json_writer *w, const char *s);        /* NULL writes null */
void jw_u64(struct json_writer *w, uint64_t v);
void jw_i64(struct json_writer *w, int64_t v);
/* Shortest text that reads back to the same double; NaN and infinities as the
 * strings "NaN", "Infinity", "-Infinity". */
void jw_double(struct json_writer *w, double v);
void jw_float(struct json_writer *w, float v); /* the same to the same float: 0.7 and not 0.69... */
void jw_bool(struct json_writer *w, bool v);
void jw_null(struct json_writer *w);
void jw_raw(struct json_writer *w, struct span json); /* already JSON */

#endif
