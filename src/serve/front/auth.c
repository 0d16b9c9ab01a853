/*
 * Who asks. Keys are known by their SHA-256 alone: they are random
 * and long, so that no slow hash is needed. In the log a credential is a keyed
 * hash, under a secret of this log, and the caller a pseudonym.
 */
#include "serve/front/auth.h"

#include <string.h>

#include "serve/service.h"

enum { KEY_LONGEST = 512 };

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

/* ---- new keys ---- */

bool serve_make_key(struct span name, struct buf *key, struct buf *entry, struct err *e)
{
    struct digest secret, hash;
    char hex[DIGEST_HEX + 1];
    struct json_writer w;
    if (name.n == 0 || name.n > KEY_NAME_MAX)
        return err_set(e, ERR_USAGE, "a key has a name of 1 to %d bytes", KEY_NAME_MAX);
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
