/* Private to src/serve: requests that became no calls, counted instead of recorded one by one. */
#ifndef SERVE_REFUSED_H
#define SERVE_REFUSED_H

#include "assay/base/err.h"

struct service;

enum refusal { REFUSED_UNAUTHENTICATED, REFUSED_MALFORMED, REFUSED_LIMITED, REFUSALS };

struct refused {
    uint64_t count[REFUSALS];
    uint64_t from_us, to_us;
};

void refused_count(struct service *s, enum refusal what);
/* Once a second: what was counted becomes one leaf. */
void refused_write(struct service *s);

#endif
