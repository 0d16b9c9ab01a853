/*
 * Ed25519 private keys (RFC 8032) in PKCS#8, through OpenSSL. The file must be
 * one that only its owner may read; memory that held it is wiped.
 */
#include "assay/sign.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "assay/base/file.h"
#include "sign/pkey_private.h"

enum { KEY_FILE_MAX = 65536 };

struct sign_key {
    EVP_PKEY *pkey;
    struct sign_public public;
};

void sign_key_free(struct sign_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    OPENSSL_cleanse(k, sizeof *k);
    free(k);
}

/* Takes ownership of pkey. */
static bool wrap(struct sign_key **out, EVP_PKEY *pkey, const char *path, struct err *e)
{
    *out = NULL;
    struct sign_key *k = pkey ? calloc(1, sizeof *k) : NULL;
    size_t n = SIGN_PUBLIC;
    ERR_clear_error();
    if (!k) {
        EVP_PKEY_free(pkey);
        return err_at(e, ERR_MEMORY, path, ERR_NO_OFFSET, "out of memory for a key");
    }
    k->pkey = pkey;
    if (!EVP_PKEY_is_a(pkey, "ED25519") ||
        EVP_PKEY_get_raw_public_key(pkey, k->public.b, &n) != 1 || n != SIGN_PUBLIC) {
        sign_key_free(k);
        return err_at(e, ERR_UNSUPPORTED, path, ERR_NO_OFFSET,
                      "not an Ed25519 key; make one with: openssl genpkey -algorithm ed25519");
    }
    *out = k;
    return true;
}

bool sign_key_from_seed(struct sign_key **out, const uint8_t seed[32], struct err *e)
{
    return wrap(out, EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32), NULL, e);
}

/* No passphrase is ever asked for: an encrypted key fails here. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1;
}

static EVP_PKEY *decode(struct span s)
{
    BIO *bio = BIO_new_mem_buf(s.p, (int)s.n);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    const unsigned char *der = s.p;
    return pkey ? pkey : d2i_AutoPrivateKey(NULL, &der, (long)s.n);
}

bool sign_key_load(struct sign_key **out, const char *path, struct err *e)
{
    struct span bytes;
    *out = NULL;
    struct arena *a = arena_new(2 * KEY_FILE_MAX);
    if (!a)
        return err_at(e, ERR_MEMORY, path, ERR_NO_OFFSET, "out of memory for a key");
    bool ok = file_read(&bytes, path, KEY_FILE_MAX, true, a, e);
    EVP_PKEY *pkey = ok ? decode(bytes) : NULL;
    if (ok)
        ok = pkey ? wrap(out, pkey, path, e)
                  : err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET,
                           "no unencrypted PKCS#8 private key, PEM or DER, stands here");
    ERR_clear_error();
    arena_wipe(a);
    arena_free(a);
    return ok;
}

static bool write_pem(const struct sign_key *k, const char *path, struct err *e)
{
    char *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio && PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) == 1;
    long n = ok ? BIO_get_mem_data(bio, &pem) : 0;
    ok = ok ? file_create(path, (struct span){(const uint8_t *)pem, (size_t)n}, e)
            : err_at(e, ERR_MEMORY, path, ERR_NO_OFFSET, "out of memory for a key");
    if (pem)
        OPENSSL_cleanse(pem, (size_t)n);
    BIO_free(bio);
    return ok;
}

bool sign_key_create(struct sign_key **out, const char *path, struct err *e)
{
    *out = NULL;
    struct sign_key *k = NULL;
    if (!wrap(&k, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), path, e))
        return false;
    if (!write_pem(k, path, e)) {
        sign_key_free(k);
        return false;
    }
    *out = k;
    return true;
}

struct sign_public sign_key_public(const struct sign_key *k)
{
    return k->public;
}

bool pkey_from_sign_key(struct pkey **out, const struct sign_key *k, struct err *e)
{
    *out = NULL;
    if (EVP_PKEY_up_ref(k->pkey) != 1)
        return err_set(e, ERR_MEMORY, "out of memory for a key");
    return pkey_wrap(out, k->pkey, NULL, e);
}

bool sign_bytes(const struct sign_key *k, struct span message, uint8_t signature[SIGN_SIGNATURE],
                struct err *e)
{
    size_t n = SIGN_SIGNATURE;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
              EVP_DigestSign(ctx, signature, &n, message.p, message.n) == 1 && n == SIGN_SIGNATURE;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok || err_set(e, ERR_MEMORY, "Ed25519 signing failed");
}
