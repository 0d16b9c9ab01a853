/*
 * Who asks, and how much they may. Keys are known by their SHA-256 alone: they are random
 * and long, so that no slow hash is needed. In the log a credential is a keyed
 * hash, under a secret of this log, and the caller a pseudonym.
 */
#include <stdlib.h>
#include <string.h>

#include "serve/service.h"

enum { KEY_LONGEST = 512, MINUTE_MS = 60000, DAY_MS = 86400000 };

void auth_hash(const struct service *s, struct span credential, struct digest *out)
{
    /* HMAC by the secret over the digest's text: seal.h has it for names of this form. */
    char hex[DIGEST_HEX + 1];
    struct digest d = sha256_of(credential);
    struct seal_key key;
    seal_field_key(&key, &s->secret, span_str(digest_hex(hex, &d)));
    memcpy(out->b, key.b, DIGEST_SIZE);
}

/* The client's key: a bearer token, or what Anthropic's and Azure's clients send. */
static struct span key_of(const struct http_request *r)
{
    const struct http_field *f = http_field_find(r, "authorization");
    struct span v;
    if (!f) {
        f = http_field_find(r, "x-api-key");
        if (!f)
            f = http_field_find(r, "api-key");
        return f ? f->value : SPAN_EMPTY;
    }
    v = f->value;
    if (v.n < 7 || !http_name_is(span_sub(v, 0, 7), "bearer "))
        return SPAN_EMPTY;
    v = span_sub(v, 7, v.n);
    while (v.n && v.p[0] == ' ')
        v = span_sub(v, 1, v.n);
    return v;
}

static const struct key_config *by_hash(const struct settings *s, const struct digest *d)
{
    const struct key_config *found = NULL;
    for (size_t i = 0; i < s->keys.count; i++) {
        const struct key_config *k = serve_settings_key(s, i);
        if (k->has_hash && digest_eq(&k->hash, d))
            found = k;
    }
    return found;
}

static const struct key_config *by_certificate(const struct settings *s, const struct digest *d)
{
    for (size_t i = 0; i < s->keys.count; i++) {
        const struct key_config *k = serve_settings_key(s, i);
        if (k->has_certificate && digest_eq(&k->certificate_hash, d))
            return k;
    }
    return NULL;
}

enum auth_result auth_caller(struct service *s, struct conn *c, struct caller *out)
{
    struct span key = key_of(conn_request(c));
    struct digest d;
    *out = (struct caller){.key = NULL};
    if (key.n && key.n <= KEY_LONGEST) {
        d = sha256_of(key);
        out->key = by_hash(s->settings, &d);
        out->has_credential = true;
        auth_hash(s, key, &out->credential);
    } else if (conn_certificate(c, d.b)) {
        out->key = by_certificate(s->settings, &d);
        out->has_credential = true;
        auth_hash(s, (struct span){d.b, DIGEST_SIZE}, &out->credential);
    }
    if (s->settings->keys.count == 0 || out->key)
        return AUTH_OK;
    return key.n ? AUTH_WRONG : AUTH_MISSING;
}

/* ---- budgets ---- */

static struct budget *budget_of(struct service *s, const struct key_config *k)
{
    for (struct budget *b = s->budgets; b; b = b->next)
        if (span_eq(b->name, k->name))
            return b;
    struct budget *b = calloc(1, sizeof *b + k->name.n);
    if (!b)
        return NULL;
    if (k->name.n)
        memcpy(b + 1, k->name.p, k->name.n);
    b->name = (struct span){(const uint8_t *)(b + 1), k->name.n};
    b->requests = (double)k->requests_per_minute;
    b->tokens = (double)k->tokens_per_minute;
    b->filled_ms = loop_now_ms(s->loop);
    b->next = s->budgets;
    s->budgets = b;
    return b;
}

static double filled(double have, uint64_t per_minute, uint64_t ms)
{
    double now = have + (double)per_minute * (double)ms / MINUTE_MS;
    return now < (double)per_minute ? now : (double)per_minute;
}

const char *budget_take(struct service *s, const struct key_config *k)
{
    uint64_t now = loop_now_ms(s->loop), day = service_now_us() / 1000 / DAY_MS;
    if (!k || (!k->requests_per_minute && !k->tokens_per_minute && !k->bytes_per_day))
        return NULL;
    struct budget *b = budget_of(s, k);
    if (!b)
        return "out_of_memory";
    b->requests = filled(b->requests, k->requests_per_minute, now - b->filled_ms);
    b->tokens = filled(b->tokens, k->tokens_per_minute, now - b->filled_ms);
    b->filled_ms = now;
    if (b->day != day) {
        b->day = day;
        b->sealed = 0;
    }
    if (k->requests_per_minute && b->requests < 1)
        return "requests_per_minute";
    if (k->tokens_per_minute && b->tokens <= 0)
        return "tokens_per_minute";
    if (k->bytes_per_day && b->sealed >= k->bytes_per_day)
        return "sealed_per_day";
    b->requests -= 1;
    return NULL;
}

void budget_spend(struct service *s, const struct key_config *k, uint64_t tokens, uint64_t sealed)
{
    if (!k || (!k->tokens_per_minute && !k->bytes_per_day))
        return;
    struct budget *b = budget_of(s, k);
    if (!b)
        return;
    b->tokens -= (double)tokens;
    b->sealed += sealed;
}

void budgets_free(struct service *s)
{
    while (s->budgets) {
        struct budget *next = s->budgets->next;
        free(s->budgets);
        s->budgets = next;
    }
}

/* ---- new keys ---- */

bool serve_make_key(struct span name, struct buf *key, struct buf *entry, struct err *e)
{
    struct digest secret, hash;
    char hex[DIGEST_HEX + 1];
    struct json_writer w;
    if (!seal_random(secret.b, DIGEST_SIZE, e))
        return false;
    buf_printf(key, "assay-%s", digest_hex(hex, &secret));
    hash = sha256_of(buf_span(key));
    seal_wipe(&secret, sizeof secret);
    buf_put_str(entry, "  - name: ");
    jw_init(&w, json_sink_buf, entry, false);
    jw_string(&w, name);
    buf_printf(entry, "\n    sha256: %s\n", digest_hex(hex, &hash));
    return (buf_ok(key) && buf_ok(entry)) || err_set(e, ERR_MEMORY, "out of memory for a key");
}
