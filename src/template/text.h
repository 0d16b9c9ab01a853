/*
 * Private to templates: text as Python sees it.
 */
#ifndef TEMPLATE_TEXT_H
#define TEMPLATE_TEXT_H

#include "assay/base/bytes.h"

bool text_is_space(uint32_t code_point); /* str.isspace */
struct span text_strip_left(struct span s);
struct span text_strip_right(struct span s);
/* str.splitlines: where the line that begins at `at` ends, and in *next where the one after it
 * begins, which is its own end when nothing ends it. */
size_t text_line(struct span s, size_t at, size_t *next);

#endif
