/*
 * Time and cancellation, passed in so that tests are exact.
 */
#ifndef ASSAY_BASE_CLOCK_H
#define ASSAY_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds of the monotonic clock. */
uint64_t clock_monotonic(void);
/* Microseconds since 1970 of the wall clock. */
uint64_t clock_wall(void);

enum { CLOCK_TEXT = 32 };

/* "2026-11-23T14:05:00Z"; beyond the year 9999 its last second. Returns out. */
const char *clock_text(char out[CLOCK_TEXT], uint64_t us);
/* YYYY-MM-DD, then perhaps THH:MM, :SS and Z; always UTC, in microseconds since 1970. */
bool clock_parse(uint64_t *out, const char *text);

/*
 * What long work tells its caller: called from one thread at a time, at most
 * every 100 ms and once at the end. `total` is 0 when unknown. Returning false asks the work
 * to stop, which it does with ERR_INTERRUPTED.
 */
struct progress {
    bool (*report)(void *arg, const char *what, uint64_t done, uint64_t total);
    void *arg;
};

#endif
