/*
 * What the three files of the safetensors reader share: the header being read
 * (safetensors.c), one entry of it (safetensors_entry.c), and the order and
 * cover of the data (safetensors_layout.c).
 */
#ifndef MODEL_SAFETENSORS_H
#define MODEL_SAFETENSORS_H

#include "model/reader.h"

enum {
    SAFETENSORS_PREFIX = 8,    /* the header's length, little-endian */
    SAFETENSORS_DEPTH = 127,   /* containers within one another that serde_json reads */
    SAFETENSORS_MIN_ENTRY = 45 /* bytes of a short entry: what a claimed count is judged by */
};

/* One tensor of the header. Offsets count from the beginning of the data. */
struct entry {
    struct tensor t;
    uint64_t begin, end;
    size_t rank;   /* as declared; t.rank where it fits */
    bool overflow; /* the product of the sizes is beyond 2^64 */
};

struct header {
    struct model *m;
    uint32_t file;
    struct arena *scratch; /* JSON, names and entries while the header is read */
    struct span text;      /* the header's bytes as far as the file has them */
    uint64_t data;         /* file offset where the tensors' bytes begin */
    bool cut;              /* the header ends beyond the file */
    bool no_memory;
    struct entry *entries;
    size_t count, cap;
    size_t unread; /* entries that are refused or do not fit, so their bytes are unaccounted for */
};

/* A finding about bytes [from, to) of the header's text. */
void header_note(struct header *h, size_t from, size_t to, enum rule_id rule, const char *fmt, ...)
    ASSAY_PRINTF(5, 6);

/* One member of the header's object, as an entry: its grammar. False when the
 * reference could not read it; the findings say why. */
bool entry_read(struct header *h, struct json member, struct entry *out);
/* What the entry says: sizes, offsets, rank. Apart, because of two entries of one
 * name the reference reads both and judges the last. False: no usable range. */
bool entry_check(struct header *h, struct entry *e);
/* Findings about a name that a person cannot see or type. */
void entry_check_name(struct header *h, struct span name, size_t from, size_t to);

/* Sort the entries by (begin, end, name), check that they cover the data
 * without hole or overlap, and add them to the model. False: out of memory. */
bool layout_add(struct header *h);

#endif
