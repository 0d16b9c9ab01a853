/*
 * A configuration read against tables of its fields.
 *
 * A table says what a mapping may hold and where each value goes in the
 * caller's struct; what the document does not name stays as the caller preset
 * it. A key that no table knows is an error with its line and the nearest name
 * ("unknown key 'alow' at line 12; did you mean 'allow'?"), for a key that is
 * quietly ignored is a rule that quietly does not hold. The first fault wins.
 */
#ifndef ASSAY_CONFIG_H
#define ASSAY_CONFIG_H

#include "assay/yaml.h"

enum config_type {
    CONFIG_TEXT,    /* struct span; min and max bound its bytes (max 0: none) */
    CONFIG_WORD,    /* int: index into `words` */
    CONFIG_INTEGER, /* uint64_t within min..max (max 0: none) */
    CONFIG_DECIMAL, /* struct span: the number's text, exponent and all */
    CONFIG_BOOL,    /* bool */
    CONFIG_BYTES,   /* uint64_t: an integer, or a text like "7 GiB" or "500 MB"; min..max */
    CONFIG_TEXTS,   /* struct config_texts; one text stands for a list of one */
    CONFIG_OBJECT,  /* the nested struct itself, by `fields` */
    CONFIG_OBJECTS, /* struct config_objects of structs of `size` bytes, by `fields` */
    CONFIG_ANY      /* struct json as it stands */
};

struct config_texts {
    struct span *items; /* decoded, in the arena */
    size_t *lines;      /* where each stands */
    size_t count;
};

struct config_objects {
    void *items;
    size_t count;
};

struct config_field {
    const char *name; /* NULL ends a table */
    enum config_type type;
    size_t at; /* offsetof in the struct */
    bool required;
    uint64_t min, max;                 /* of lists: their number of items */
    const char *const *words;          /* NULL-ended, of CONFIG_WORD; of CONFIG_TEXTS: the
                                          texts that are known, or NULL for any */
    const struct config_field *fields; /* of CONFIG_OBJECT and CONFIG_OBJECTS */
    size_t size;                       /* of one struct of CONFIG_OBJECTS */
    size_t line;                       /* CONFIG_LINE(...) of a size_t that gets the line */
};

/* A field's `line`: 1 + the offset, so that 0 means that nobody asks. */
#define CONFIG_LINE(type, member) (offsetof(type, member) + 1)

/* Read mapping `v` of document `y` into *out. Texts are decoded into `a`. */
bool config_read(void *out, const struct yaml *y, struct json v, const struct config_field *fields,
                 struct arena *a, struct err *e) ASSAY_MUST_CHECK;

/* ERR_CONFIG naming the file of `y` and the line of `v`: for what a table cannot say. */
bool config_error(const struct yaml *y, size_t line, struct err *e, const char *fmt, ...)
    ASSAY_PRINTF(4, 5);

#ifdef ASSAY_ANALYSIS
/* As in err.h: what this returns, for analyzers that see one file at a time. */
#define config_error(...) ((void)config_error(__VA_ARGS__), false)
#endif

#endif
