/*
 * One test about an architecture: an arena, models that live as long as the
 * test, and tiny families to tell lies about.
 */
#ifndef SUPPORT_ARCHITECTURE_CASE_H
#define SUPPORT_ARCHITECTURE_CASE_H

#include "inspect/architecture.h"
#include "support/tiny_family.h"

/* Of the running test. */
extern struct arena *case_arena;

/* cmocka's setup and teardown. */
int case_begin(void **state);
int case_end(void **state);

/* The model is freed with the test. */
struct model *case_keep(struct model *m);
struct model *case_model(const struct tiny *t);
struct facts case_facts(struct model *m);
void case_build(struct tiny *t, const char *family, enum format naming);
const char *case_canonical(const struct facts *f);
void case_no_findings(const struct model *m);
/* The first finding of a rule; fails when there is none. */
const struct finding *case_found(const struct model *m, enum rule_id rule);

uint64_t case_elements(const struct tiny *t);
struct metadata *case_key(struct tiny *t, const char *suffix);
struct tensor *case_tensor(struct tiny *t, const char *name);
/* Tensors whose names begin so are gone. */
void case_drop(struct tiny *t, const char *prefix);

#endif
