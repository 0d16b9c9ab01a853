/*
 * Sigstore bundle v0.3, the part that OMS uses: a key's hint, a chain of
 * certificates, or one certificate with entries of a transparency log, and the
 * envelope beside it.
 */
#include <string.h>

#include "signature/signature.h"

void signature_close(struct signature *s)
{
    for (size_t i = 0; s && i < s->chain_count; i++)
        cert_free(s->chain[i]);
    if (s)
        s->chain_count = 0;
}

enum signature_material signature_material(const struct signature *s)
{
    return s->material;
}

size_t signature_resources(const struct signature *s)
{
    return s->resource_count;
}

struct span signature_subject(const struct signature *s)
{
    return s->subject;
}

static bool take_cert(struct signature *s, struct json v, struct arena *a, struct err *e)
{
    struct span text, der;
    if (!json_string(json_get(v, "rawBytes"), &text) || !base64_decode(text, a, &der))
        return err_at(e, ERR_FORMAT, NULL, json_offset(v),
                      "a certificate's \"rawBytes\" are not base64");
    if (s->chain_count == CERT_MAX_CHAIN)
        return err_at(e, ERR_FORMAT, NULL, json_offset(v), "more than %d certificates",
                      CERT_MAX_CHAIN);
    if (!cert_from_der(&s->chain[s->chain_count], der, e))
        return false;
    s->chain_count++;
    return true;
}

static bool take_chain(struct signature *s, struct json chain, struct arena *a, struct err *e)
{
    struct json list = json_get(chain, "certificates");
    s->material = SIGNED_BY_CHAIN;
    if (json_count(list) == 0)
        return err_at(e, ERR_FORMAT, NULL, json_offset(chain), "the chain holds no certificate");
    for (struct json v = json_first(list); json_type(v); v = json_next(v))
        if (!take_cert(s, v, a, e))
            return false;
    return true;
}

/* Keyless: the log's entry is what says that the short-lived certificate was valid then. */
static bool take_keyless(struct signature *s, struct json material, struct arena *a, struct err *e)
{
    s->material = SIGNED_KEYLESS;
    if (json_count(json_get(material, "tlogEntries")) == 0)
        return err_at(e, ERR_FORMAT, NULL, json_offset(material),
                      "a certificate without \"tlogEntries\": nothing says when it was used");
    return take_cert(s, json_get(material, "certificate"), a, e);
}

static bool take_material(struct signature *s, struct json root, struct arena *a, struct err *e)
{
    struct json m = json_get(root, "verificationMaterial");
    struct json key = json_get(m, "publicKey"), chain = json_get(m, "x509CertificateChain");
    struct json one = json_get(m, "certificate");
    int kinds = (json_type(key) != JSON_MISSING) + (json_type(chain) != JSON_MISSING) +
                (json_type(one) != JSON_MISSING);
    if (json_type(m) != JSON_OBJECT)
        return err_at(e, ERR_FORMAT, NULL, 0, "the bundle has no \"verificationMaterial\"");
    if (kinds != 1)
        return err_at(
            e, ERR_FORMAT, NULL, json_offset(m),
            "the bundle must name one of publicKey, x509CertificateChain and certificate");
    if (json_type(chain) != JSON_MISSING)
        return take_chain(s, chain, a, e);
    if (json_type(one) != JSON_MISSING)
        return take_keyless(s, m, a, e);
    s->material = SIGNED_BY_KEY;
    if (json_type(key) != JSON_OBJECT)
        return err_at(e, ERR_FORMAT, NULL, json_offset(key), "\"publicKey\" is no object");
    (void)json_string(json_get(key, "hint"), &s->hint); /* absent before 1.1: rawBytes instead */
    return true;
}

bool signature_read(struct signature **out, struct span bundle, struct arena *a, struct err *e)
{
    struct json root;
    struct span media;
    *out = NULL;
    struct signature *s = arena_alloc(a, sizeof *s);
    if (!s)
        return err_set(e, ERR_MEMORY, "out of memory for a signature");
    if (bundle.n > SIGNATURE_MAX_BUNDLE)
        return err_set(e, ERR_LIMIT, "the bundle is longer than %d bytes", SIGNATURE_MAX_BUNDLE);
    bool ok = json_parse(&root, bundle, JSON_STRICT, a, e);
    if (ok &&
        (!json_string(json_get(root, "mediaType"), &media) || !span_is(media, OMS_MEDIA_TYPE)))
        ok = err_at(e, ERR_FORMAT, NULL, 0, "not a bundle: \"mediaType\" must be %s",
                    OMS_MEDIA_TYPE);
    ok = ok && take_material(s, root, a, e) &&
         dsse_read(&s->envelope, json_get(root, "dsseEnvelope"), a, e);
    if (ok && !span_is(s->envelope.type, DSSE_INTOTO))
        ok = err_set(e, ERR_FORMAT, "the envelope's payloadType is not %s", DSSE_INTOTO);
    ok = ok && statement_read(s, a, e);
    if (ok)
        *out = s;
    else
        signature_close(s);
    return ok;
}

/* ---- who signed ---- */

static bool by_key(const struct signature *s, const struct signature_trust *t,
                   struct signature_signer *out, struct err *e)
{
    char hex[DIGEST_HEX + 1];
    bool named = false;
    if (t->key_count == 0)
        return err_set(e, ERR_USAGE, "the model is signed by a key: name the public key to trust");
    for (size_t i = 0; i < t->key_count; i++) {
        if (!pkey_fingerprint(&out->fingerprint, t->keys[i], e))
            return false;
        if (s->hint.n && !span_is(s->hint, digest_hex(hex, &out->fingerprint)))
            continue;
        named = true;
        if (dsse_verify(&s->envelope, t->keys[i])) {
            out->kind = pkey_kind(t->keys[i]);
            return true;
        }
    }
    if (!named)
        return err_set(e, ERR_INTEGRITY,
                       "the signature is of another key than the trusted ones: the bundle's hint "
                       "is %.*s",
                       (int)(s->hint.n < 80 ? s->hint.n : 80), (const char *)s->hint.p);
    return err_set(e, ERR_INTEGRITY, "the signature is not valid: no trusted key made it");
}

static bool by_certificate(const struct signature *s, const struct signature_trust *t,
                           struct signature_signer *out, struct err *e)
{
    struct pkey *key = NULL;
    if (t->root_count == 0)
        return err_set(e, ERR_USAGE,
                       "the model is signed by a certificate: name the certificates to trust");
    cert_subject(out->name, sizeof out->name, s->chain[0]);
    out->has_validity = cert_validity(s->chain[0], &out->from, &out->to);
    if (!cert_verify_chain(s->chain, s->chain_count, t->roots, t->root_count, e) ||
        !cert_key(&key, s->chain[0], e))
        return false;
    bool ok = pkey_fingerprint(&out->fingerprint, key, e);
    out->kind = pkey_kind(key);
    if (ok && !dsse_verify(&s->envelope, key))
        ok = err_set(e, ERR_INTEGRITY,
                     "the signature is not valid: the certificate's key did not make it");
    pkey_free(key);
    return ok;
}

bool signature_verify(const struct signature *s, const struct signature_trust *t,
                      struct signature_signer *out, struct err *e)
{
    *out = (struct signature_signer){.material = s->material};
    return s->material == SIGNED_BY_KEY ? by_key(s, t, out, e) : by_certificate(s, t, out, e);
}
