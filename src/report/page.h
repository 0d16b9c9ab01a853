/*
 * Templates: {{x}} is the escaped text of a member, {{#x}}...{{/x}} repeats for
 * each item of a list, enters an object, or stands once when a text or number is
 * there. Names are looked up in the innermost object first. That is all.
 */
#ifndef ASSAY_REPORT_PAGE_H
#define ASSAY_REPORT_PAGE_H

#include "assay/base/json.h"

enum page_escape { PAGE_HTML, PAGE_MARKDOWN };

enum { PAGE_DEPTH = 16 };

/* `name` is a file of reports/templates/, part of the program. */
bool page_render(struct buf *out, const char *name, struct json view, enum page_escape escape,
                 struct err *e) ASSAY_MUST_CHECK;
/* The same over any text, for tests. */
bool page_render_text(struct buf *out, struct span text, struct json view, enum page_escape escape,
                      struct err *e) ASSAY_MUST_CHECK;
/* A file of reports/templates/ as it is; empty when there is none. */
struct span page_asset(const char *name);
/* Escapes as {{x}} does. */
void page_put(struct buf *out, struct span s, enum page_escape escape);

#endif
