/* Private to src/serve: receipts for callers. */
#ifndef SERVE_RECEIPTS_H
#define SERVE_RECEIPTS_H

#include "serve/service.h"

/* `what`: an answer's identifier, or the number of an entry of the call. */
void receipt_begin(struct service *s, struct conn *c, struct span what, const struct caller *who);

#endif
