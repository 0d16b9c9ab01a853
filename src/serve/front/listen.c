/*
 * Where the server listens: for callers and, where it is configured, apart for administrators. Both
 * show one certificate, and take another one when the configuration is read again.
 */
#include "serve/front/listen.h"

#include <sys/resource.h>

#include "serve/front/route.h"
#include "serve/service.h"

enum { OWN_DESCRIPTORS = 96 }; /* of the log, its readers and commands, and of the loop */

/* Connections, and one to an upstream for each call, may never take the descriptors that the log needs:
 * who merely connects could stop it. */
static uint64_t connections_of(const struct settings *s)
{
    struct rlimit r;
    uint64_t most = s->limits.connections, listeners = s->admin_address ? 2 : 1;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur == RLIM_INFINITY)
        return most;
    uint64_t free = r.rlim_cur > OWN_DESCRIPTORS ? r.rlim_cur - OWN_DESCRIPTORS : 2;
    uint64_t upstreams = s->limits.calls < free / 2 ? s->limits.calls : free / 2;
    free = (free - upstreams) / listeners;
    return free >= most ? most : free ? free : 1;
}

static struct listener_limits limits_of(const struct settings *s)
{
    return (struct listener_limits){.head = s->limits.head,
                                    .body = s->limits.body,
                                    .connections = connections_of(s),
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
    uint64_t most = connections_of(c);
    if (most < c->limits.connections)
        service_say(s, "connections_limited", "\"connections\":%llu,\"why\":\"RLIMIT_NOFILE\"",
                    (unsigned long long)most);
    return listen_on(s, &s->server, c->address, c->port, false, e) &&
           (!c->admin_address || listen_on(s, &s->admin, c->admin_address, c->admin_port, true, e));
}

bool listen_again(struct service *s, const struct settings *fresh, struct err *e)
{
    struct listener_limits limits = limits_of(fresh);
    return listener_reload(s->server, &fresh->tls_files, &limits, e) &&
           (!s->admin || listener_reload(s->admin, &fresh->tls_files, &limits, e));
}
