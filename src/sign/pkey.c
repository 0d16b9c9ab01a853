/*
 * Keys of several kinds behind one set of functions, through OpenSSL. What is
 * neither Ed25519 nor ECDSA on a NIST curve is refused when it is loaded, so
 * nothing later has to ask.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "assay/base/file.h"
#include "sign/pkey_private.h"

enum { KEY_FILE_MAX = 65536, SIGNATURE_MAX = 256 };

void pkey_free(struct pkey *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->evp);
    free(k);
}

static bool kind_of(const EVP_PKEY *evp, enum pkey_kind *out)
{
    char group[32] = "";
    if (EVP_PKEY_is_a(evp, "ED25519")) {
        *out = PKEY_ED25519;
        return true;
    }
    if (!EVP_PKEY_is_a(evp, "EC") || EVP_PKEY_get_group_name(evp, group, sizeof group, NULL) != 1)
        return false;
    *out = strcmp(group, "prime256v1") == 0  ? PKEY_P256
           : strcmp(group, "secp384r1") == 0 ? PKEY_P384
                                             : PKEY_P521;
    return *out != PKEY_P521 || strcmp(group, "secp521r1") == 0;
}

bool pkey_wrap(struct pkey **out, EVP_PKEY *evp, const char *path, struct err *e)
{
    enum pkey_kind kind = PKEY_ED25519;
    *out = NULL;
    ERR_clear_error();
    if (!evp)
        return err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET, "no key stands here");
    if (!kind_of(evp, &kind)) {
        EVP_PKEY_free(evp);
        return err_at(e, ERR_UNSUPPORTED, path, ERR_NO_OFFSET,
                      "the key is neither Ed25519 nor ECDSA on P-256, P-384 or P-521");
    }
    struct pkey *k = calloc(1, sizeof *k);
    if (!k) {
        EVP_PKEY_free(evp);
        return err_at(e, ERR_MEMORY, path, ERR_NO_OFFSET, "out of memory for a key");
    }
    *k = (struct pkey){evp, kind};
    *out = k;
    return true;
}

/* No passphrase is ever asked for: an encrypted key fails here. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1;
}

static EVP_PKEY *decode(struct span s, bool private)
{
    BIO *bio = BIO_new_mem_buf(s.p, (int)s.n);
    EVP_PKEY *evp = !bio      ? NULL
                    : private ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
                              : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    const unsigned char *der = s.p;
    if (evp)
        return evp;
    return private ? d2i_AutoPrivateKey(NULL, &der, (long)s.n) : d2i_PUBKEY(NULL, &der, (long)s.n);
}

static bool load(struct pkey **out, const char *path, bool private, struct err *e)
{
    struct span bytes;
    *out = NULL;
    struct arena *a = arena_new(2 * KEY_FILE_MAX);
    if (!a)
        return err_at(e, ERR_MEMORY, path, ERR_NO_OFFSET, "out of memory for a key");
    bool ok = file_read(&bytes, path, KEY_FILE_MAX, private, a, e);
    EVP_PKEY *evp = ok && bytes.n ? decode(bytes, private) : NULL;
    if (ok && !evp)
        ok = err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET,
                    private ? "no unencrypted private key, PEM or DER, stands here"
                            : "no public key, PEM or DER, stands here");
    ok = ok && pkey_wrap(out, evp, path, e);
    ERR_clear_error();
    arena_wipe(a);
    arena_free(a);
    return ok;
}

bool pkey_load_private(struct pkey **out, const char *path, struct err *e)
{
    return load(out, path, true, e);
}

bool pkey_load_public(struct pkey **out, const char *path, struct err *e)
{
    return load(out, path, false, e);
}

bool pkey_from_public(struct pkey **out, struct span s, struct err *e)
{
    return pkey_wrap(out, s.n && s.n <= KEY_FILE_MAX ? decode(s, false) : NULL, NULL, e);
}

bool pkey_from_ed25519(struct pkey **out, const struct sign_public *k, struct err *e)
{
    return pkey_wrap(out, EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->b, SIGN_PUBLIC),
                     NULL, e);
}

enum pkey_kind pkey_kind(const struct pkey *k)
{
    return k->kind;
}

const char *pkey_kind_name(enum pkey_kind kind)
{
    static const char *const names[] = {"Ed25519", "ECDSA P-256", "ECDSA P-384", "ECDSA P-521"};
    return names[kind];
}

bool pkey_eq(const struct pkey *a, const struct pkey *b)
{
    bool same = EVP_PKEY_eq(a->evp, b->evp) == 1;
    ERR_clear_error();
    return same;
}

bool pkey_public_pem(struct buf *out, const struct pkey *k, struct err *e)
{
    char *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio && PEM_write_bio_PUBKEY(bio, k->evp) == 1;
    long n = ok ? BIO_get_mem_data(bio, &pem) : 0;
    if (ok)
        buf_put(out, pem, (size_t)n);
    BIO_free(bio);
    ERR_clear_error();
    return (ok && buf_ok(out)) || err_set(e, ERR_MEMORY, "out of memory for a public key");
}

bool pkey_fingerprint(struct digest *out, const struct pkey *k, struct err *e)
{
    struct buf pem;
    buf_init(&pem, KEY_FILE_MAX);
    bool ok = pkey_public_pem(&pem, k, e);
    *out = sha256_of(buf_span(&pem));
    buf_free(&pem);
    return ok;
}

static const EVP_MD *hash_of(enum pkey_kind kind)
{
    switch (kind) {
    case PKEY_P256:
        return EVP_sha256();
    case PKEY_P384:
        return EVP_sha384();
    case PKEY_P521:
        return EVP_sha512();
    case PKEY_ED25519:
        break;
    }
    return NULL;
}

bool pkey_sign(struct buf *out, const struct pkey *k, struct span message, struct err *e)
{
    uint8_t signature[SIGNATURE_MAX];
    size_t n = sizeof signature;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, hash_of(k->kind), NULL, k->evp) == 1 &&
              EVP_DigestSign(ctx, signature, &n, message.p, message.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    if (!ok)
        return err_set(e, ERR_CONFIG, "signing failed: the key has no private half");
    buf_put(out, signature, n);
    return buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for a signature");
}

static bool verify_ecdsa(const struct pkey *k, struct span message, struct span signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, hash_of(k->kind), NULL, k->evp) == 1 &&
              EVP_DigestVerify(ctx, signature.p, signature.n, message.p, message.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

bool pkey_verify(const struct pkey *k, struct span message, struct span signature)
{
    if (k->kind != PKEY_ED25519)
        return verify_ecdsa(k, message, signature);
    struct sign_public public;
    size_t n = sizeof public.b;
    return signature.n == SIGN_SIGNATURE &&
           EVP_PKEY_get_raw_public_key(k->evp, public.b, &n) == 1 && n == SIGN_PUBLIC &&
           sign_verify(&public, message, signature.p);
}
