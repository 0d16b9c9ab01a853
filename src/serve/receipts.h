/* Private to src/serve: receipts for callers, made in a thread of their own. */
#ifndef SERVE_RECEIPTS_H
#define SERVE_RECEIPTS_H

#include "serve/service.h"

bool receipts_start(struct service *s, struct err *e) ASSAY_MUST_CHECK;
void receipts_stop(struct service *s);
/* `what`: an answer's identifier, or the number of an entry of the call. */
void receipt_begin(struct service *s, struct conn *c, struct span what, const struct caller *who);

#endif
