/*
 * Random bytes, key wrapping (RFC 3394 by OpenSSL), HMAC and commitments.
 */
#include "seal/seal.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

bool seal_random(void *out, size_t n, struct err *e)
{
    uint8_t *p = out;
    while (n) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return err_errno(e, NULL, "the system gives no random bytes");
        p += got;
        n -= (size_t)got;
    }
    return true;
}

void seal_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

bool seal_key_wrap(struct seal_wrapped *out, const struct seal_key *by, const struct seal_key *key,
                   struct err *e)
{
    int n = 0, rest = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx)
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    bool ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, by->b, NULL) == 1 &&
              EVP_EncryptUpdate(ctx, out->b, &n, key->b, SEAL_KEY) == 1 &&
              EVP_EncryptFinal_ex(ctx, out->b + n, &rest) == 1 && n + rest == SEAL_WRAPPED;
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return ok || err_set(e, ERR_MEMORY, "wrapping a key failed");
}

bool seal_key_unwrap(struct seal_key *out, const struct seal_key *by, const struct seal_wrapped *w,
                     struct err *e)
{
    uint8_t room[SEAL_WRAPPED + 16]; /* OpenSSL may use a block more */
    int n = 0, rest = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx)
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    bool ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, by->b, NULL) == 1 &&
              EVP_DecryptUpdate(ctx, room, &n, w->b, SEAL_WRAPPED) == 1 &&
              EVP_DecryptFinal_ex(ctx, room + n, &rest) == 1 && n + rest == SEAL_KEY;
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    if (ok)
        memcpy(out->b, room, SEAL_KEY);
    OPENSSL_cleanse(room, sizeof room);
    return ok || err_set(e, ERR_INTEGRITY, "a wrapped key does not open with the key above it");
}

bool seal_hmac(const struct seal_key *key, struct span data, struct digest *out, struct err *e)
{
    size_t n = 0;
    bool ok = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key->b, SEAL_KEY, data.p, data.n,
                        out->b, DIGEST_SIZE, &n) != NULL;
    ERR_clear_error();
    return (ok && n == DIGEST_SIZE) || err_set(e, ERR_MEMORY, "HMAC failed");
}

void seal_put_framed(struct buf *out, struct span s)
{
    buf_put_u64be(out, s.n);
    buf_put_span(out, s);
}

bool seal_commit(struct digest *out, struct span field, const uint8_t r[SEAL_SALT],
                 struct span data, struct err *e)
{
    static const char domain[] = "assay/commit/v1";
    uint8_t length[8];
    struct sha256 *s = sha256_new();
    if (!s)
        return err_set(e, ERR_MEMORY, "out of memory for a commitment");
    sha256_start(s);
    sha256_update(s, domain, sizeof domain); /* the NUL ends the domain */
    store_u64be(length, field.n);
    sha256_update(s, length, sizeof length);
    sha256_update(s, field.p, field.n);
    sha256_update(s, r, SEAL_SALT);
    store_u64be(length, data.n);
    sha256_update(s, length, sizeof length);
    sha256_update(s, data.p, data.n);
    sha256_finish(s, out);
    sha256_free(s);
    return true;
}
