/* Private to src/exchange: the members of the three kinds of a call, as JSON. */
#ifndef EXCHANGE_BODY_H
#define EXCHANGE_BODY_H

#include "assay/exchange.h"

extern const char *const exchange_apis[EXCHANGE_APIS];
extern const char *const exchange_routes[EXCHANGE_ROUTES];
extern const char *const exchange_durabilities[EXCHANGE_DURABILITIES];
extern const char *const exchange_results[EXCHANGE_RESULTS];

bool body_of_call(struct buf *out, const struct exchange_call *c);
bool body_of_window(struct buf *out, uint64_t intent, uint64_t number, uint64_t released);
bool body_of_outcome(struct buf *out, const struct exchange_outcome *o,
                     enum exchange_durability durability, uint64_t intent, uint64_t windows);

#endif
