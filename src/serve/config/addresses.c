/*
 * Addresses of a configuration: where upstreams are, in the one form in which they are sent and
 * recorded, and where the server listens.
 */
#include "serve/config/fields.h"

#include <arpa/inet.h>
#include <string.h>

#include "assay/base/text.h"

enum { PORT_MAX = 65535, HTTP_PORT = 80, HTTPS_PORT = 443 };

static bool take_port(struct span text, uint64_t *port)
{
    return text_u64(text, port) && *port <= PORT_MAX;
}

static bool is_numeric(int family, struct arena *a, struct span text)
{
    struct in6_addr parsed; /* room for either */
    const char *s = arena_str(a, text);
    return s && inet_pton(family, s, &parsed) == 1;
}

/* ---- upstreams ---- */

static bool is_name(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || (c == '.' && i && s.p[i - 1] != '.');
        if (!ok)
            return false;
    }
    return s.n > 0;
}

/* Whoever resolves dots on the way would send another path than the recorded one. */
static bool has_dots(struct span path)
{
    while (path.n) {
        const uint8_t *slash = memchr(path.p, '/', path.n);
        struct span part = span_sub(path, 0, slash ? (size_t)(slash - path.p) : path.n);
        if (span_is(part, ".") || span_is(part, "..") || memmem(part.p, part.n, "%2e", 3) ||
            memmem(part.p, part.n, "%2E", 3))
            return true;
        path = span_sub(path, part.n + (slash != NULL), path.n);
    }
    return false;
}

/* NAME, a number or [v6], and a port where it is not the scheme's own, which nobody sends. */
static bool judge_host(struct upstream_config *u, struct span text, uint64_t own, struct arena *a)
{
    bool v6 = text.n && text.p[0] == '[';
    const uint8_t *end = memchr(text.p, v6 ? ']' : ':', text.n);
    size_t n = end ? (size_t)(end - text.p) + v6 : text.n;
    struct span host = span_sub(text, 0, n), rest = span_sub(text, n, text.n);
    uint64_t port = own;
    bool ok = v6 ? end && is_numeric(AF_INET6, a, span_sub(host, 1, n - 2)) : is_name(host);
    if (rest.n)
        ok = ok && rest.p[0] == ':' && take_port(span_sub(rest, 1, rest.n), &port) && port;
    u->host = port == own ? host : text;
    return ok;
}

/* Scheme, host, and no user, query or fragment; a path without a slash at its end. */
bool serve_settings_judge_url(struct upstream_config *u, struct arena *a, struct err *e)
{
    struct span rest = u->url;
    bool plain = span_starts(rest, "http://");
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= ' ' || rest.p[i] >= 0x7f || strchr("@?#\\", rest.p[i]))
            return err_set(e, ERR_CONFIG, "the url of an upstream holds a byte that it may not");
    if (!plain && !span_starts(rest, "https://"))
        return err_set(e, ERR_CONFIG, "the url of an upstream begins with http:// or https://");
    while (rest.n && rest.p[rest.n - 1] == '/')
        rest.n--;
    rest = span_sub(rest, plain ? 7 : 8, rest.n);
    const uint8_t *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
    size_t n = slash ? (size_t)(slash - rest.p) : rest.n;
    u->path = span_sub(rest, n, rest.n);
    if (n == 0 || !judge_host(u, span_sub(rest, 0, n), plain ? HTTP_PORT : HTTPS_PORT, a))
        return err_set(e, ERR_CONFIG,
                       "the url of an upstream has no host, or a port that is none: expected "
                       "SCHEME://NAME:PORT/PATH, v6 in brackets");
    if (has_dots(u->path))
        return err_set(e, ERR_CONFIG, "the path of an upstream's url has parts of dots alone");
    u->url_text = arena_printf(a, "%s%.*s%.*s", plain ? "http://" : "https://", (int)u->host.n,
                               (const char *)u->host.p, (int)u->path.n, (const char *)u->path.p);
    u->url = u->url_text ? span_str(u->url_text) : SPAN_EMPTY;
    return u->url_text || err_set(e, ERR_MEMORY, "out of memory");
}

/* ---- where the server listens ---- */

/* ADDRESS:PORT, the address numeric, v6 in brackets. */
static bool judge_listen(const char **address, unsigned *port, struct span text, struct arena *a,
                         struct err *e)
{
    uint64_t n = 0;
    const uint8_t *colon = memrchr(text.p, ':', text.n);
    size_t at = colon ? (size_t)(colon - text.p) : 0;
    struct span host = span_sub(text, 0, at);
    bool v6 = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (v6)
        host = span_sub(host, 1, host.n - 2);
    if (!colon || !is_numeric(v6 ? AF_INET6 : AF_INET, a, host) ||
        !take_port(span_sub(text, at + 1, text.n), &n))
        return err_set(e, ERR_CONFIG,
                       "an address to listen on is ADDRESS:PORT, the address a number, like "
                       "127.0.0.1:8080 or [::1]:8080");
    *port = (unsigned)n;
    *address = arena_str(a, host);
    return *address || err_set(e, ERR_MEMORY, "out of memory");
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* Beyond this machine nobody is served without a key, unless somebody says so. */
static bool judge_openness(const struct settings *s, const char *address, struct err *e)
{
    if (!address || is_loopback(address) || s->keys.count || s->open)
        return true;
    return err_set(e, ERR_CONFIG,
                   "%s is not loopback and there are no keys: whoever reaches it would be "
                   "served; add keys (assay serve --make-key NAME) or say open: true",
                   address);
}

bool serve_settings_judge_addresses(struct settings *s, struct err *e)
{
    if (!judge_listen(&s->address, &s->port, s->listen, s->arena, e) ||
        (s->admin_listen.n &&
         !judge_listen(&s->admin_address, &s->admin_port, s->admin_listen, s->arena, e)))
        return false;
    if (s->admin_address && s->port && s->port == s->admin_port &&
        strcmp(s->address, s->admin_address) == 0)
        return err_set(e, ERR_CONFIG, "listen and admin_listen are one address");
    return judge_openness(s, s->address, e) && judge_openness(s, s->admin_address, e);
}
