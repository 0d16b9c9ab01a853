/*
 * Ed25519 private keys (RFC 8032) in PKCS#8, through OpenSSL. The file is
 * opened once, must be a regular file that only its owner may read, and is
 * written with its folder synced before the key is used.
 */
#include "assay/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

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

static bool open_private(int *fd, const char *path, struct err *e)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return err_errno(e, path, "the key cannot be opened");
    if (fstat(*fd, &st) != 0)
        return err_errno(e, path, "the key cannot be examined");
    if (!S_ISREG(st.st_mode) || st.st_size > KEY_FILE_MAX)
        return err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET, "not a key file of at most %d bytes",
                      KEY_FILE_MAX);
    if (st.st_mode & 077)
        return err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET,
                      "others may read this private key (mode %03o); run: chmod 600 on it",
                      (unsigned)(st.st_mode & 0777));
    return true;
}

static bool read_all(int fd, const char *path, uint8_t *bytes, size_t *n, struct err *e)
{
    *n = 0;
    for (;;) {
        ssize_t got = read(fd, bytes + *n, KEY_FILE_MAX - *n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, path, "the key cannot be read");
        if (got == 0)
            return true;
        *n += (size_t)got;
    }
}

/* No passphrase is ever asked for: an encrypted key fails here. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1;
}

static EVP_PKEY *decode(const uint8_t *bytes, size_t n)
{
    BIO *bio = BIO_new_mem_buf(bytes, (int)n);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    const unsigned char *der = bytes;
    return pkey ? pkey : d2i_AutoPrivateKey(NULL, &der, (long)n);
}

bool sign_key_load(struct sign_key **out, const char *path, struct err *e)
{
    int fd = -1;
    size_t n = 0;
    bool ok = false;
    *out = NULL;
    uint8_t *bytes = OPENSSL_secure_malloc(KEY_FILE_MAX);
    if (!bytes) {
        err_at(e, ERR_MEMORY, path, ERR_NO_OFFSET, "out of memory for a key");
        goto out;
    }
    if (!open_private(&fd, path, e) || !read_all(fd, path, bytes, &n, e))
        goto out;
    EVP_PKEY *pkey = decode(bytes, n);
    ok = pkey ? wrap(out, pkey, path, e)
              : err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET,
                       "no unencrypted PKCS#8 private key, PEM or DER, stands here");
out:
    ERR_clear_error();
    if (fd >= 0)
        close(fd);
    OPENSSL_secure_clear_free(bytes, KEY_FILE_MAX);
    return ok;
}

/* The new name is durable only when its folder is. */
static bool sync_folder(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        err_errno(e, path, "the key's folder cannot be synced");
    if (fd >= 0)
        close(fd);
    free(folder);
    return ok;
}

static bool write_pem(int fd, const struct sign_key *k, const char *path, struct err *e)
{
    BIO *bio = BIO_new_fd(fd, BIO_NOCLOSE);
    bool ok = bio && PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) == 1 &&
              fsync(fd) == 0;
    BIO_free(bio);
    return ok ? sync_folder(path, e) : err_errno(e, path, "the key cannot be written");
}

bool sign_key_create(struct sign_key **out, const char *path, struct err *e)
{
    *out = NULL;
    struct sign_key *k = NULL;
    if (!wrap(&k, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), path, e))
        return false;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 ? write_pem(fd, k, path, e) : err_errno(e, path, "the key cannot be created");
    if (fd >= 0)
        close(fd);
    if (!ok) {
        if (fd >= 0)
            unlink(path);
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
