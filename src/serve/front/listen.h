/* Private to src/serve: the addresses that the configuration names. */
#ifndef SERVE_LISTEN_H
#define SERVE_LISTEN_H

#include "serve/config/settings.h"

struct service;

bool listen_all(struct service *s, struct err *e) ASSAY_MUST_CHECK;
/* With the certificate and limits of `fresh`; on failure connections go on with those before. */
bool listen_again(struct service *s, const struct settings *fresh, struct err *e) ASSAY_MUST_CHECK;

#endif
