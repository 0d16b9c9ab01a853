/*
 * Private to the licence reader: licence texts as words, and the fingerprints
 * of known licences. The generator in tools/ uses the same words, so that both
 * sides agree on every byte.
 */
#ifndef MODEL_LICENCE_H
#define MODEL_LICENCE_H

#include "assay/model.h"

enum {
    LICENCE_BLOCK = 4,          /* words in one fingerprint block */
    LICENCE_MAX_TEXT = 4 << 20, /* bytes of one licence text that are matched */
    LICENCE_MAX_REPEATS = 64,   /* places considered for one repeated block */
    LICENCE_NOTICE_WORDS = 24,  /* a copyright line is not longer */
    LICENCE_STRAY_WORDS = 16    /* titles and the like around a text */
};

/* One word after the SPDX matching guidelines (License List annex B). */
struct word {
    uint32_t hash;
    uint32_t at;     /* offset in the text */
    uint32_t length; /* bytes in the text */
    bool notice;     /* in a copyright line, which guideline B.9 ignores */
};

struct words {
    struct word *items;
    size_t count;
};

/* Case, punctuation, bullets, whitespace, comment signs and varietal spelling
 * are gone; false when out of memory. */
bool licence_words(struct words *out, struct span text, struct arena *a) ASSAY_MUST_CHECK;
/* Fingerprint of LICENCE_BLOCK words. */
uint32_t licence_block(const struct word *w);

/* A run of blocks without variable parts. */
struct licence_segment {
    uint32_t first, count; /* blocks */
    uint16_t gap;          /* words that may stand before it */
    bool optional;         /* title, how-to-apply: may be absent */
};

struct licence_reference {
    const char *spdx;
    uint32_t segment, segments; /* range of licence_segments */
};

extern const uint32_t licence_blocks[];
extern const struct licence_segment licence_segments[];
extern const struct licence_reference licence_references[];
extern const size_t licence_reference_count;

/* How well a text matches one reference. */
struct licence_match {
    const struct licence_reference *reference; /* NULL: nothing came near */
    double share;        /* matched / (the reference's blocks + inserted words) */
    size_t missing;      /* blocks of the reference that the text lacks */
    size_t inserted;     /* words within that the reference lacks */
    size_t stray;        /* words around it that belong to nothing */
    uint32_t altered_at; /* offset of the first difference within */
    uint32_t stray_at;   /* offset of the first stray word */
};

bool licence_compare(struct licence_match *out, const struct words *w,
                     struct arena *a) ASSAY_MUST_CHECK;

#endif
