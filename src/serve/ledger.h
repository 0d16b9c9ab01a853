/*
 * Private to src/serve: which entries an answer's identifier stands for. The newest
 * LEDGER_MAX are remembered; older calls are asked for by their entry.
 */
#ifndef SERVE_LEDGER_H
#define SERVE_LEDGER_H

#include "assay/base/bytes.h"

enum { LEDGER_MAX = 65536, LEDGER_BUCKETS = 16384 };

struct ledger;

struct ledger_call {
    uint64_t intent, outcome;
};

struct ledger *ledger_new(void); /* NULL when out of memory */
void ledger_free(struct ledger *l);
void ledger_add(struct ledger *l, const char *id, uint64_t intent, uint64_t outcome);
/* The newest of that identifier. */
bool ledger_find(const struct ledger *l, struct span id, struct ledger_call *out);

#endif
