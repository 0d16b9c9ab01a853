/*
 * X.509 chains through OpenSSL, offline: the trusted roots are those that the
 * caller names and no others, nothing is fetched, and revocation is not asked.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "sign/pkey_private.h"

struct cert {
    X509 *x509;
};

void cert_free(struct cert *c)
{
    if (!c)
        return;
    X509_free(c->x509);
    free(c);
}

static bool wrap(struct cert **out, X509 *x509, struct err *e)
{
    *out = NULL;
    ERR_clear_error();
    if (!x509)
        return err_set(e, ERR_FORMAT, "not an X.509 certificate");
    struct cert *c = calloc(1, sizeof *c);
    if (!c) {
        X509_free(x509);
        return err_set(e, ERR_MEMORY, "out of memory for a certificate");
    }
    c->x509 = x509;
    *out = c;
    return true;
}

bool cert_from_der(struct cert **out, struct span der, struct err *e)
{
    const unsigned char *p = der.p;
    bool fits = der.n > 0 && der.n <= CERT_MAX_FILE;
    X509 *x509 = fits ? d2i_X509(NULL, &p, (long)der.n) : NULL;
    if (x509 && p != der.p + der.n) {
        X509_free(x509);
        x509 = NULL; /* bytes after the certificate */
    }
    return wrap(out, x509, e);
}

/* All PEM blocks; a first block that is no certificate is an error of the file. */
static bool take_pem(struct cert **out, size_t *count, size_t max, struct span s, struct err *e)
{
    BIO *bio = BIO_new_mem_buf(s.p, (int)s.n);
    bool ok = bio != NULL || err_set(e, ERR_MEMORY, "out of memory for a certificate");
    for (X509 *x; ok && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL));) {
        if (*count == max) {
            X509_free(x);
            ok = err_set(e, ERR_CONFIG, "more than %zu certificates", max);
        } else {
            ok = wrap(&out[*count], x, e);
            *count += ok;
        }
    }
    BIO_free(bio);
    ERR_clear_error();
    return ok;
}

bool cert_load(struct cert **out, size_t *count, size_t max, const char *path, struct err *e)
{
    struct span bytes;
    *count = 0;
    struct arena *a = arena_new(2 * CERT_MAX_FILE);
    bool ok = a ? file_read(&bytes, path, CERT_MAX_FILE, false, a, e)
                : err_set(e, ERR_MEMORY, "out of memory for a certificate");
    ok = ok && take_pem(out, count, max, bytes, e);
    if (ok && *count == 0 && max > 0) {
        const unsigned char *p = bytes.p;
        X509 *x = bytes.n ? d2i_X509(NULL, &p, (long)bytes.n) : NULL;
        ERR_clear_error();
        ok = x ? wrap(&out[0], x, e)
               : err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET,
                        "no certificate, PEM or DER, stands here");
        *count = ok;
    }
    if (!ok) {
        err_in_file(e, path);
        while (*count > 0)
            cert_free(out[--*count]);
    }
    arena_free(a);
    return ok;
}

bool cert_der(struct buf *out, const struct cert *c, struct err *e)
{
    unsigned char *der = NULL;
    int n = i2d_X509(c->x509, &der);
    if (n > 0)
        buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    return (n > 0 && buf_ok(out)) || err_set(e, ERR_MEMORY, "out of memory for a certificate");
}

const char *cert_subject(char *out, size_t size, const struct cert *c)
{
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    bool ok = bio && X509_NAME_print_ex(bio, X509_get_subject_name(c->x509), 0, flags) >= 0;
    long n = ok ? BIO_get_mem_data(bio, &text) : 0;
    text_shown(out, size, (struct span){(const uint8_t *)text, (size_t)n});
    BIO_free(bio);
    ERR_clear_error();
    return out;
}

static bool seconds(const ASN1_TIME *t, int64_t *out)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *out = (int64_t)timegm(&tm);
    return true;
}

bool cert_validity(const struct cert *c, int64_t *from, int64_t *to)
{
    return seconds(X509_get0_notBefore(c->x509), from) && seconds(X509_get0_notAfter(c->x509), to);
}

bool cert_key(struct pkey **out, const struct cert *c, struct err *e)
{
    return pkey_wrap(out, X509_get_pubkey(c->x509), NULL, e);
}

static bool may_sign(const X509 *x)
{
    /* OpenSSL answers "everything" where the extension is absent. */
    X509 *leaf = X509_dup(x);
    if (!leaf)
        return false;
    uint32_t flags = X509_get_extension_flags(leaf);
    bool usage = (flags & EXFLAG_KUSAGE) && (X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE);
    bool purpose = (flags & EXFLAG_XKUSAGE) && (X509_get_extended_key_usage(leaf) & XKU_CODE_SIGN);
    X509_free(leaf);
    return usage || purpose;
}

static bool push_all(STACK_OF(X509) * to, struct cert *const *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (sk_X509_push(to, from[i]->x509) <= 0)
            return false;
    return true;
}

bool cert_verify_chain(struct cert *const *chain, size_t count, struct cert *const *roots,
                       size_t root_count, struct err *e)
{
    int64_t from, to;
    if (count == 0)
        return err_set(e, ERR_INTEGRITY, "there is no certificate");
    if (!cert_validity(chain[0], &from, &to))
        return err_set(e, ERR_INTEGRITY, "the certificate's validity cannot be read");
    if (!may_sign(chain[0]->x509))
        return err_set(e, ERR_INTEGRITY,
                       "the certificate's key may not sign: neither the usage digitalSignature "
                       "nor the purpose codeSigning is in it");
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *others = sk_X509_new_null();
    bool ready = store && ctx && others && push_all(others, chain + 1, count - 1);
    for (size_t i = 0; ready && i < root_count; i++)
        ready = X509_STORE_add_cert(store, roots[i]->x509) == 1;
    ready = ready && X509_STORE_CTX_init(ctx, store, chain[0]->x509, others) == 1;
    bool ok = false;
    if (ready) {
        X509_STORE_CTX_set_time(ctx, 0, (time_t)from);
        ok = X509_verify_cert(ctx) == 1 ||
             err_set(e, ERR_INTEGRITY, "the certificate does not lead to a trusted one: %s",
                     X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    sk_X509_free(others);
    ERR_clear_error();
    return ready ? ok : err_set(e, ERR_MEMORY, "out of memory for a certificate chain");
}
