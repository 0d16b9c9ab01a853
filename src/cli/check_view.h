/* One check as a screen, as JSON, as annotations of a CI service, and as a log's entry. */
#ifndef ASSAY_CLI_CHECK_VIEW_H
#define ASSAY_CLI_CHECK_VIEW_H

#include "assay/check.h"
#include "cli/args.h"
#include "cli/output.h"
#include "cli/subject.h"

struct checked {
    struct subject s;
    struct check check;
    int status; /* the program's exit status */
};

void check_text(struct out *o, const struct checked *c, const struct check_args *args);
void check_json(struct out *o, const struct checked *c); /* schema/check.schema.json */
/* Workflow commands of GitHub Actions, one a finding that fails. */
void check_annotate(FILE *f, const struct check *c);

/* What the log in `folder` knows of the model. */
bool check_enrolment(struct check_enrolment *out, const char *folder, const struct identity *i,
                     struct err *e) ASSAY_MUST_CHECK;
/* Append a check entry. */
bool check_record(const char *folder, const struct key_args *keys, const struct checked *c,
                  struct err *e) ASSAY_MUST_CHECK;

#endif
