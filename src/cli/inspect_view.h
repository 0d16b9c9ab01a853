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
/* `  high      Title [id]`: how each rule's findings begin. */
void findings_head(struct out *o, const struct rule *r);
/* All findings of the rule that begins at index `first`, or those that `keep` wants of them,
 * with what to do; returns how many there are in all. */
typedef bool findings_filter(const void *arg, size_t index);
size_t findings_rule(struct out *o, const struct model *m, size_t first, bool all,
                     findings_filter *keep, const void *arg);
void inspect_json(struct out *o, const struct subject *s, const struct inspect_args *args,
                  bool pretty);

#endif
