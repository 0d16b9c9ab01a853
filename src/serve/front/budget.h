/*
 * Private to src/serve: what a key may ask for and have sealed. A budget outlives the configuration
 * that names its key, so that a reload fills nothing up.
 */
#ifndef SERVE_BUDGET_H
#define SERVE_BUDGET_H

#include "serve/config/settings.h"

struct service;

/* So many a minute, which may be saved up for a minute. */
struct allowance {
    double have; /* below 0: more was spent than there was */
    bool begun;  /* else it is full */
    uint64_t filled_ms;
};

/* Add what has run in since the last time; `now_ms` is of a monotonic clock. */
void allowance_fill(struct allowance *a, uint64_t per_minute, uint64_t now_ms);

struct budget {
    struct budget *next;
    struct span name; /* a copy */
    struct allowance requests, tokens;
    uint64_t day, sealed; /* bytes sealed on that day */
};

/* NULL: within its budgets, and one request is counted; otherwise what is used up. */
const char *budget_take(struct service *s, const struct key_config *k);
void budget_spend(struct service *s, const struct key_config *k, uint64_t tokens, uint64_t sealed);
void budgets_free(struct service *s);

#endif
