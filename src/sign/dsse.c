/*
 * DSSE: https://github.com/secure-systems-lab/dsse, protocol.md and
 * envelope.md. The signed bytes name the payload's type, so that a signature
 * over one kind of document is none over another.
 */
#include "assay/dsse.h"

void dsse_pae(struct buf *out, struct span type, struct span payload)
{
    buf_printf(out, "DSSEv1 %zu ", type.n);
    buf_put_span(out, type);
    buf_printf(out, " %zu ", payload.n);
    buf_put_span(out, payload);
}

static void put_base64(struct json_writer *w, struct buf *scratch, struct span bytes)
{
    buf_clear(scratch);
    base64_put(scratch, bytes);
    jw_string(w, buf_span(scratch));
    w->failed = w->failed || !buf_ok(scratch);
}

bool dsse_write(struct json_writer *w, const char *type, struct span payload,
                const struct pkey *const *keys, const char *const *keyids, size_t count,
                struct err *e)
{
    struct buf pae, sig, text;
    bool ok = true;
    buf_init(&pae, payload.n + 256);
    buf_init(&sig, 1024);
    buf_init(&text, payload.n * 2 + 4096);
    dsse_pae(&pae, span_str(type), payload);
    jw_object(w);
    jw_key(w, "payload");
    put_base64(w, &text, payload);
    jw_key(w, "payloadType");
    jw_str(w, type);
    jw_key(w, "signatures");
    jw_array(w);
    for (size_t i = 0; i < count && ok; i++) {
        buf_clear(&sig);
        ok = pkey_sign(&sig, keys[i], buf_span(&pae), e);
        jw_object(w);
        jw_key(w, "sig");
        put_base64(w, &text, buf_span(&sig));
        jw_key(w, "keyid");
        jw_str(w, keyids ? keyids[i] : "");
        jw_end_object(w);
    }
    jw_end_array(w);
    jw_end_object(w);
    bool room = buf_ok(&pae) && !w->failed;
    buf_free(&pae);
    buf_free(&sig);
    buf_free(&text);
    return ok && (room || err_set(e, ERR_MEMORY, "out of memory for an envelope"));
}

static bool take_base64(struct span *out, struct json v, const char *name, struct arena *a,
                        struct err *e)
{
    struct span text;
    if (!json_string(v, &text))
        return err_at(e, ERR_FORMAT, NULL, json_offset(v), "the envelope has no \"%s\"", name);
    return base64_decode(text, a, out) ||
           err_at(e, ERR_FORMAT, NULL, json_offset(v), "\"%s\" is not base64", name);
}

bool dsse_read(struct dsse *out, struct json envelope, struct arena *a, struct err *e)
{
    struct json list = json_get(envelope, "signatures");
    *out = (struct dsse){.count = json_count(list)};
    if (json_type(envelope) != JSON_OBJECT)
        return err_at(e, ERR_FORMAT, NULL, json_offset(envelope), "there is no DSSE envelope");
    if (!json_string(json_get(envelope, "payloadType"), &out->type))
        return err_at(e, ERR_FORMAT, NULL, json_offset(envelope),
                      "the envelope has no \"payloadType\"");
    if (!take_base64(&out->payload, json_get(envelope, "payload"), "payload", a, e))
        return false;
    if (json_type(list) != JSON_ARRAY || out->count == 0 || out->count > DSSE_MAX_SIGNATURES)
        return err_at(e, ERR_FORMAT, NULL, json_offset(envelope),
                      "the envelope must have 1 to %d \"signatures\"", DSSE_MAX_SIGNATURES);
    out->signatures = arena_array(a, out->count, sizeof *out->signatures);
    if (!out->signatures)
        return err_set(e, ERR_MEMORY, "out of memory for an envelope");
    struct dsse_signature *s = out->signatures;
    for (struct json m = json_first(list); json_type(m); m = json_next(m), s++) {
        if (!take_base64(&s->sig, json_get(m, "sig"), "sig", a, e))
            return false;
        (void)json_string(json_get(m, "keyid"), &s->keyid); /* optional */
    }
    return true;
}

bool dsse_verify(const struct dsse *d, const struct pkey *k)
{
    struct buf pae;
    buf_init(&pae, d->payload.n + d->type.n + 64);
    dsse_pae(&pae, d->type, d->payload);
    bool ok = false;
    for (size_t i = 0; i < d->count && buf_ok(&pae) && !ok; i++)
        ok = pkey_verify(k, buf_span(&pae), d->signatures[i].sig);
    buf_free(&pae);
    return ok;
}
