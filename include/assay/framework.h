/*
 * Frameworks: what a law, a standard or a kind of report asks for, as dated data.
 *
 * One framework is one file of YAML (schema/frameworks/NAME.yaml, part of the
 * program, or any file by its path); docs/reports.md has the grammar. Nothing
 * about a framework stands in code, so adding one is adding a file. A member,
 * property or word that nobody knows is named with its line: the requirement
 * that has it stays, with its fault, and what is wrong beside the requirements
 * makes the file unreadable.
 */
#ifndef ASSAY_FRAMEWORK_H
#define ASSAY_FRAMEWORK_H

#include "assay/base/json.h"
#include "assay/digest.h"

enum { FRAMEWORK_MAX = 32, REQUIREMENT_MAX = 2000, REQUIREMENT_CLAIMS = 64 };

/* From what a requirement can be evidenced; bits. */
enum framework_fill {
    FILL_WEIGHTS = 1,
    FILL_CARD = 2,
    FILL_DATA = 4,
    FILL_TRAINING = 8,
    FILL_LOG = 16,
    FILL_HUMAN = 32
};

/* To whom a requirement's claims go (Model Documentation Form); bits. */
enum framework_recipient { FOR_AIO = 1, FOR_NCA = 2, FOR_DP = 4, FOR_ALL = 7 };

struct requirement {
    const char *id, *title;
    const char *part;          /* heading it stands under */
    const char *note;          /* what the tool cannot show, in a sentence; NULL: none */
    const char *from, *until;  /* YYYY-MM-DD; NULL: always */
    const char *when;          /* a scope word; NULL: whatever the scope */
    const char *const *claims; /* properties that evidence it */
    size_t claim_count;
    unsigned fill;       /* enum framework_fill */
    unsigned recipients; /* enum framework_recipient */
    size_t line;
    const char *fault; /* what cannot be read of it, with the line; NULL: nothing */
};

struct framework {
    const char *id, *title, *version, *source;
    const char *dated;    /* when its text was last compared with the source */
    const char *note;     /* printed on every report; NULL: none */
    const char *name;     /* of the file, as shown */
    struct digest digest; /* of the file */
    struct requirement *requirements;
    size_t count;
    size_t faults; /* requirements that have one */
};

/* By the name of one that is part of the program ("eu-ai-act-gpai"), or by the path of a file. */
bool framework_load(struct framework *out, const char *name, struct arena *a,
                    struct err *e) ASSAY_MUST_CHECK;
/* From text, for tests and fuzzing. */
bool framework_parse(struct framework *out, struct span text, const char *name, struct arena *a,
                     struct err *e) ASSAY_MUST_CHECK;
/* Names of those that are part of the program, in order; NULL beyond the last. */
const char *framework_name(size_t i, struct arena *a);

/* Is the requirement in force on a day (YYYY-MM-DD)? */
bool requirement_applies(const struct requirement *r, const char *day);
/* A date of the form YYYY-MM-DD that exists. */
bool date_ok(struct span s);

/* A row of properties.def. */
struct property {
    const char *id, *title, *unit, *fill;
};
const struct property *property_find(struct span id); /* NULL: no row; human.* has none */
extern const struct property properties[];
extern const size_t property_count;

#endif
