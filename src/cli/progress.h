/*
 * A progress bar on standard error, and what SIGINT does.
 *
 * The bar appears only on a terminal and only once the work has taken a
 * second. The first SIGINT asks the work to stop, so that what was read so far
 * can be shown as incomplete; the second one ends the program at once.
 */
#ifndef ASSAY_CLI_PROGRESS_H
#define ASSAY_CLI_PROGRESS_H

#include "assay/base/clock.h"

struct progress_bar {
    uint64_t started; /* clock_monotonic */
    bool terminal, shown;
};

struct progress progress_start(struct progress_bar *b);
/* Take the bar off the screen. */
void progress_stop(struct progress_bar *b);

void interrupt_watch(void); /* once, before any work */
bool interrupted(void);

#endif
