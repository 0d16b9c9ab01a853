/*
 * What a leaf of each kind may hold: one table that the scanner obeys, the JSON
 * Schemas are written from and docs/log-format.md is compared with. Members
 * stand in bytewise order of their names, which is their order in the leaf.
 */
#ifndef ASSAY_RECORD_TABLE_H
#define ASSAY_RECORD_TABLE_H

#include "assay/record.h"

enum member_type {
    MEMBER_COUNT,     /* integer from 0 to 2^53-1 */
    MEMBER_INTEGER,   /* integer within +-(2^53-1) */
    MEMBER_BOOL,      /* true or false */
    MEMBER_STRING,    /* any text */
    MEMBER_DECIMAL,   /* string: a JSON number, as whoever asked wrote it */
    MEMBER_FIELD,     /* string: the name of a sealed field */
    MEMBER_ID,        /* string: 16 bytes in hexadecimal */
    MEMBER_DIGEST,    /* string: 32 bytes in hexadecimal */
    MEMBER_SIGNATURE, /* string: 64 bytes in hexadecimal */
    MEMBER_WORD,      /* string: one of `words` */
    MEMBER_OBJECT,    /* object of `shape` */
    MEMBER_KIND,      /* envelope: the kind's name */
    MEMBER_BODY,      /* envelope: object of the kind's shape */
    MEMBER_SEALED,    /* envelope: the sealed fields, ascending by name */
    MEMBER_TYPES
};

struct member {
    const char *name;
    uint8_t length; /* of name */
    uint8_t type;   /* enum member_type */
    bool required;
    bool list; /* an array of it */
    const char *const *words;
    const struct shape *shape;
    const char *says;
};

struct shape {
    const char *name;
    const char *says;
    const struct member *members;
    size_t count;
};

enum { ENVELOPE_MEMBERS = 10, SEALED_MEMBERS = 4 };

/* Places in the envelope and in a sealed field, in the order of their names. */
enum envelope_place {
    AT_VERSION,
    AT_BOOT_ID,
    AT_BOOT_US,
    AT_ID,
    AT_KIND,
    AT_RECORD,
    AT_SEALED,
    AT_SEQ,
    AT_SUBJECT,
    AT_WALL_US
};
enum sealed_place { AT_CIPHERTEXT, AT_COMMITMENT, AT_FIELD, AT_SIZE };

extern const struct shape record_envelope;
extern const struct shape record_sealed;
extern const struct shape record_kinds[RECORD_KINDS]; /* name is the kind's */

#endif
