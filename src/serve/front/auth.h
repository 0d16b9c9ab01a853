/* Private to src/serve: who asks. A caller is known by a key, and in the log by a pseudonym. */
#ifndef SERVE_AUTH_H
#define SERVE_AUTH_H

#include "assay/listener.h"
#include "serve/config/settings.h"

struct service;

struct caller {
    const struct key_config *key; /* NULL: anonymous */
    bool has_credential;
    struct digest credential; /* keyed hash */
};

enum auth_result { AUTH_OK, AUTH_MISSING, AUTH_WRONG };
enum auth_result auth_caller(struct service *s, struct conn *c, struct caller *out);
/* The keyed hash that stands for a credential in the log. */
void auth_hash(const struct service *s, struct span credential, struct digest *out);

#endif
