/*
 * Writing a bundle: files in the order of their names' bytes, which is the
 * specification's; a lone file is ".", as the reference implementation
 * verifies it.
 */
#include <string.h>

#include "signature/signature.h"

enum { PAYLOAD_MAX = 128 << 20 };

static void member(struct json_writer *w, const char *key, const char *value)
{
    jw_key(w, key);
    jw_str(w, value);
}

static bool is_signed(const struct signature_order *o, const struct signed_file *f)
{
    return o->lone_file || !signature_ignores(o->ignore, f->name);
}

static bool subject_digest(struct digest *out, const struct signature_order *o, struct err *e)
{
    struct sha256 *h = sha256_new();
    if (!h)
        return err_set(e, ERR_MEMORY, "out of memory for a digest");
    sha256_start(h);
    for (size_t i = 0; i < o->count; i++)
        if (is_signed(o, &o->files[i]))
            sha256_update(h, o->files[i].sha256.b, DIGEST_SIZE);
    sha256_finish(h, out);
    sha256_free(h);
    return true;
}

static void put_resources(struct json_writer *w, const struct signature_order *o)
{
    char hex[DIGEST_HEX + 1];
    jw_key(w, "resources");
    jw_array(w);
    for (size_t i = 0; i < o->count; i++) {
        if (!is_signed(o, &o->files[i]))
            continue;
        jw_object(w);
        member(w, "name", o->lone_file ? "." : o->files[i].name);
        member(w, "algorithm", "sha256");
        member(w, "digest", digest_hex(hex, &o->files[i].sha256));
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_serialization(struct json_writer *w, const struct signature_order *o)
{
    bool links = false;
    for (size_t i = 0; i < o->count; i++)
        links = links || o->files[i].link;
    jw_key(w, "serialization");
    jw_object(w);
    member(w, "method", "files");
    member(w, "hash_type", "sha256");
    jw_key(w, "allow_symlinks");
    jw_bool(w, links);
    jw_key(w, "ignore_paths");
    jw_array(w);
    for (size_t i = 0; !o->lone_file && o->ignore[i]; i++)
        jw_str(w, o->ignore[i]);
    jw_end_array(w);
    jw_end_object(w);
}

static bool put_statement(struct buf *out, const struct signature_order *o, struct err *e)
{
    struct digest d;
    struct json_writer w;
    char hex[DIGEST_HEX + 1];
    if (!subject_digest(&d, o, e))
        return false;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    member(&w, "_type", OMS_STATEMENT);
    jw_key(&w, "subject");
    jw_array(&w);
    jw_object(&w);
    member(&w, "name", o->name);
    jw_key(&w, "digest");
    jw_object(&w);
    member(&w, "sha256", digest_hex(hex, &d));
    jw_end_object(&w);
    jw_end_object(&w);
    jw_end_array(&w);
    member(&w, "predicateType", OMS_PREDICATE);
    jw_key(&w, "predicate");
    jw_object(&w);
    put_resources(&w, o);
    put_serialization(&w, o);
    jw_end_object(&w);
    jw_end_object(&w);
    return (buf_ok(out) && !w.failed) || err_set(e, ERR_MEMORY, "out of memory for a statement");
}

static bool put_chain(struct json_writer *w, const struct signature_order *o, struct err *e)
{
    struct buf der, text;
    bool ok = true;
    buf_init(&der, CERT_MAX_FILE);
    buf_init(&text, 2 * CERT_MAX_FILE);
    jw_key(w, "x509CertificateChain");
    jw_object(w);
    jw_key(w, "certificates");
    jw_array(w);
    for (size_t i = 0; i < o->chain_count && ok; i++) {
        buf_clear(&der);
        buf_clear(&text);
        ok = cert_der(&der, o->chain[i], e);
        base64_put(&text, buf_span(&der));
        jw_object(w);
        jw_key(w, "rawBytes");
        jw_string(w, buf_span(&text));
        jw_end_object(w);
    }
    jw_end_array(w);
    jw_end_object(w);
    ok = ok && (buf_ok(&text) || err_set(e, ERR_MEMORY, "out of memory for a certificate"));
    buf_free(&der);
    buf_free(&text);
    return ok;
}

static bool put_material(struct json_writer *w, const struct signature_order *o, struct err *e)
{
    struct digest d;
    char hex[DIGEST_HEX + 1];
    bool ok;
    jw_key(w, "verificationMaterial");
    jw_object(w);
    if (o->chain_count) {
        ok = put_chain(w, o, e);
    } else {
        ok = pkey_fingerprint(&d, o->key, e);
        jw_key(w, "publicKey");
        jw_object(w);
        member(w, "hint", digest_hex(hex, &d));
        jw_end_object(w);
    }
    jw_key(w, "tlogEntries");
    jw_array(w);
    jw_end_array(w);
    jw_end_object(w);
    return ok;
}

static bool key_fits(const struct signature_order *o, struct err *e)
{
    struct pkey *k = NULL;
    if (!o->chain_count)
        return true;
    if (!cert_key(&k, o->chain[0], e))
        return false;
    bool same = pkey_eq(k, o->key);
    pkey_free(k);
    return same || err_set(e, ERR_CONFIG, "the first certificate is not of the signing key");
}

bool signature_write(struct buf *out, const struct signature_order *o, struct err *e)
{
    struct buf payload;
    struct json_writer w;
    for (size_t i = 0; i < o->count; i++)
        if (!o->files[i].known && is_signed(o, &o->files[i]))
            return err_at(e, ERR_FORMAT, o->files[i].name, ERR_NO_OFFSET,
                          "the file was not read whole, so it cannot be signed");
    if (!key_fits(o, e))
        return false;
    buf_init(&payload, PAYLOAD_MAX);
    jw_init(&w, json_sink_buf, out, true);
    jw_object(&w);
    member(&w, "mediaType", OMS_MEDIA_TYPE);
    bool ok = put_statement(&payload, o, e) && put_material(&w, o, e);
    jw_key(&w, "dsseEnvelope");
    ok = ok && dsse_write(&w, DSSE_INTOTO, buf_span(&payload), &o->key, NULL, 1, e);
    jw_end_object(&w);
    buf_put_u8(out, '\n');
    buf_free(&payload);
    return ok &&
           ((buf_ok(out) && !w.failed) || err_set(e, ERR_MEMORY, "out of memory for a bundle"));
}
