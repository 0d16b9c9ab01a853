/* Private to src/serve: the bundled engines of the configuration, as the rest of the server sees them. */
#ifndef SERVE_WORKERS_H
#define SERVE_WORKERS_H

#include "serve/config/settings.h"
#include "serve/front/auth.h"
#include "serve/front/endpoints.h"

struct worker;

/* Load the models and begin to compute; nothing is done when none is configured. */
bool workers_start(struct service *s, struct err *e) ASSAY_MUST_CHECK;
/* Every served name has the weights that were enrolled under it. */
bool workers_agree(const struct service *s, const struct settings *fresh,
                   struct err *e) ASSAY_MUST_CHECK;
void workers_stop(struct service *s);
/* The engine that serves a model; NULL: an upstream does, or nobody. */
struct worker *worker_of(const struct service *s, const struct settings *c, struct span model);
/* Token ids and prompts: what an engine reads of a request, without an answer. */
void engine_tool(struct service *s, struct conn *c, const struct endpoint *ep,
                 const struct caller *who);

#endif
