/*
 * The corpus of techniques: one case for each way round a scanner that is
 * known, and one for each advisory, as bytes put together here. Payloads are
 * names with harmless constants; nothing is ever run.
 */
#ifndef SUPPORT_HOSTILE_H
#define SUPPORT_HOSTILE_H

#include "assay/finding.h"

/* An advisory about a name that a scanner let through. */
struct hostile_name {
    const char *id;
    const char *module, *name;
};

extern const struct hostile_name hostile_names[];
extern const size_t hostile_name_count;

enum hostile_form { HOSTILE_GLOBAL, HOSTILE_STACK_GLOBAL, HOSTILE_INST, HOSTILE_FORMS };

/* A pickle that calls the name. */
void hostile_call(struct buf *out, const char *module, const char *name, enum hostile_form form);

/* A technique as literal bytes. */
struct hostile_case {
    const char *name;
    const char *bytes;
    size_t n;
    enum rule_id rule;
};

extern const struct hostile_case hostile_pickles[];
extern const size_t hostile_pickle_count;

/* Techniques that need a container; written by a function. */
struct hostile_container {
    const char *name; /* with an extension, for a file */
    void (*write)(struct buf *out);
    enum rule_id rule;
};

extern const struct hostile_container hostile_containers[];
extern const size_t hostile_container_count;

#endif
