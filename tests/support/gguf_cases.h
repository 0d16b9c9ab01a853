/*
 * GGUF fixtures that several tests share: one small file with every part in
 * it, and the little language in which a case says what it expects.
 */
#ifndef SUPPORT_GGUF_CASES_H
#define SUPPORT_GGUF_CASES_H

#include "support/gguf_writer.h"

/* A whole model: header, scalars of every type, arrays, vocabulary, templates,
 * three tensors. `w` keeps its version and byte order. */
void gc_whole(struct gguf_writer *w);

/* Read what was written; never NULL. Free with model_free. */
struct model *gc_read(const struct gguf_writer *w);
bool gc_found(const struct model *m, enum rule_id rule);
/* Findings of `severity` or worse. */
size_t gc_worse(const struct model *m, enum severity severity);
/* Print a model's findings, for a failing test. */
void gc_print(const struct model *m);

#endif
