/*
 * What running a program costs: seconds by the wall clock, peak memory, exit status.
 */
#ifndef SUPPORT_COST_H
#define SUPPORT_COST_H

struct cost {
    double seconds, mib;
    int status; /* 255: it did not exit */
};

/* Runs argv[0] with its output thrown away; argv ends with NULL. */
struct cost cost_of(const char *const *argv);

#endif
