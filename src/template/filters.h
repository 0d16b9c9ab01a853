/*
 * Private to templates: what the files of filters and methods share.
 */
#ifndef TEMPLATE_FILTERS_H
#define TEMPLATE_FILTERS_H

#include "template/interpreter.h"

/* The value that a filter or method is applied to, as text. */
bool self_string(struct interpreter *x, const struct arguments *a,
                 const struct string **out) ASSAY_MUST_CHECK;
/* A text argument; *given false and *out NULL when it is missing or none. */
bool string_argument(struct interpreter *x, const struct arguments *a, size_t i,
                     const struct string **out, bool *given) ASSAY_MUST_CHECK;
bool whole_argument(struct interpreter *x, const struct arguments *a, size_t i, int64_t missing,
                    int64_t *out) ASSAY_MUST_CHECK;

/* Pairs of a dictionary given, then those named, as dict(), namespace() and update() take them. */
bool dict_take(struct interpreter *x, struct dict *d, const struct arguments *a) ASSAY_MUST_CHECK;

extern const struct function string_filter_methods[];

#endif
