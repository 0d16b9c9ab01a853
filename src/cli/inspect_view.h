/*
 * The two renderings of a subject. Both show the same facts; `args` chooses
 * the lists that come with them.
 */
#ifndef ASSAY_CLI_INSPECT_VIEW_H
#define ASSAY_CLI_INSPECT_VIEW_H

#include "cli/args.h"
#include "cli/output.h"
#include "cli/subject.h"

void inspect_text(struct out *o, const struct subject *s, const struct inspect_args *args);
/* --tensors, --stats, --metadata: inspect_lists.c */
void inspect_lists(struct out *o, const struct subject *s, const struct inspect_args *args);
/* Findings by severity, a few places of each: findings_text.c */
void findings_text(struct out *o, const struct model *m, bool all);
void inspect_json(struct out *o, const struct subject *s, const struct inspect_args *args,
                  bool pretty);

#endif
