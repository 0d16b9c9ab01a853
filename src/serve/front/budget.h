/*
 * Private to src/serve: what a key may ask for and have sealed. A budget outlives the configuration
 * that names its key, so that a reload fills nothing up.
 */
#ifndef SERVE_BUDGET_H
#define SERVE_BUDGET_H

#include "serve/config/settings.h"

struct service;

struct budget {
    struct budget *next;
    struct span name; /* a copy */
    double requests, tokens;
    uint64_t filled_ms;
    uint64_t day, sealed; /* bytes sealed on that day */
};

/* NULL: within its budgets, and one request is counted; otherwise what is used up. */
const char *budget_take(struct service *s, const struct key_config *k);
void budget_spend(struct service *s, const struct key_config *k, uint64_t tokens, uint64_t sealed);
void budgets_free(struct service *s);

#endif
