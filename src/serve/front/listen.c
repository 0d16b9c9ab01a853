/*
 * Where the server listens: for callers and, where it is configured, apart for administrators. Both
 * show one certificate, and take another one when the configuration is read again.
 */
#include "serve/front/listen.h"

#include "serve/front/route.h"
#include "serve/service.h"

static struct listener_limits limits_of(const struct settings *s)
{
    return (struct listener_limits){.head = s->limits.head,
                                    .body = s->limits.body,
                                    .connections = s->limits.connections,
                                    .head_ms = (unsigned)s->limits.head_ms,
                                    .idle_ms = (unsigned)s->limits.idle_ms,
                                    .body_ms = (unsigned)s->limits.body_ms,
                                    .stall_ms = (unsigned)s->limits.stall_ms,
                                    .low_water = 65536};
}

static bool listen_on(struct service *s, struct listener **out, const char *address, unsigned port,
                      bool admin, struct err *e)
{
    struct listener_limits limits = limits_of(s->settings);
    struct listener_calls calls = route_calls(s, admin);
    return listener_open(out, s->loop, address, port, &s->settings->tls_files, &limits, &calls, e);
}

bool listen_all(struct service *s, struct err *e)
{
    const struct settings *c = s->settings;
    return listen_on(s, &s->server, c->address, c->port, false, e) &&
           (!c->admin_address || listen_on(s, &s->admin, c->admin_address, c->admin_port, true, e));
}

bool listen_again(struct service *s, const struct settings *fresh, struct err *e)
{
    struct listener_limits limits = limits_of(fresh);
    return listener_reload(s->server, &fresh->tls_files, &limits, e) &&
           (!s->admin || listener_reload(s->admin, &fresh->tls_files, &limits, e));
}
