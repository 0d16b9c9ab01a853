/* Private to src/serve: endpoints that are no calls of a model. */
#ifndef SERVE_HANDLERS_H
#define SERVE_HANDLERS_H

#include "serve/front/auth.h"

/* What a path names, unescaped; false: nothing that could be a name of so many bytes. */
bool handlers_name(char *out, size_t size, struct span path);

/* ---- names of models: models.c ---- */

void models_begin(struct service *s, struct conn *c, const struct caller *who);
/* One of them; `path`: its name as it stands in the request. */
void model_tell(struct service *s, struct conn *c, struct span path, const struct caller *who);
void models_free(struct service *s); /* what is still asked for */

/* ---- receipts.c ---- */

/* `what`: an answer's identifier, or the number of an entry of the call. */
void receipt_begin(struct service *s, struct conn *c, struct span what, const struct caller *who);

/* ---- a logged call computed again: replays.c ---- */

bool replays_start(struct service *s, struct err *e) ASSAY_MUST_CHECK;
void replays_stop(struct service *s);
void replay_begin(struct service *s, struct conn *c, struct span what);

#endif
