/*
 * The two renderings of a comparison, and the models that it is between.
 */
#ifndef ASSAY_CLI_DIFF_VIEW_H
#define ASSAY_CLI_DIFF_VIEW_H

#include "assay/inspect.h"
#include "cli/args.h"
#include "cli/output.h"

struct comparison {
    struct model *a, *b;
    struct arena *arena;
    struct diff diff;
    bool has_diff;
    bool interrupted;
    bool unread; /* a tensor could not be located or read */
    bool complete;
};

void diff_text(struct out *o, const struct comparison *c, const struct diff_args *args);
void diff_json(struct out *o, const struct comparison *c, const struct diff_args *args);
/* Name of a compared tensor, as B has it where B has it. */
struct span diff_name(const struct tensor_diff *d);
/* Does the change come with distances? */
bool diff_measured(const struct tensor_diff *d);

#endif
