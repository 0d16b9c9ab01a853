/* assay verify of a report's JSON: proves it again and says what could not be. */
#ifndef ASSAY_CLI_VERIFY_REPORT_H
#define ASSAY_CLI_VERIFY_REPORT_H

#include "assay/report.h"
#include "cli/args.h"
#include "cli/cli.h"

/* Shows what was proved; returns the exit status. */
int verify_report(const struct call *call, struct span bytes, const struct verify_args *args,
                  const struct trust *trust, struct arena *a);

#endif
