/*
 * Random bytes, key wrapping (RFC 3394 over OpenSSL's AES), HMAC and commitments.
 */
#include "seal/seal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>

enum { BLOCK = 64, HMAC_PARTS = 4 };

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

const char *seal_id_hex(char out[SEAL_ID_HEX + 1], const struct seal_id *id)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SEAL_ID; i++) {
        out[2 * i] = digits[id->b[i] >> 4];
        out[2 * i + 1] = digits[id->b[i] & 15];
    }
    out[SEAL_ID_HEX] = '\0';
    return out;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool seal_id_from_hex(struct seal_id *out, struct span s)
{
    if (s.n != SEAL_ID_HEX)
        return false;
    for (size_t i = 0; i < SEAL_ID; i++) {
        int high = hex_digit(s.p[2 * i]), low = hex_digit(s.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out->b[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

void seal_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

/*
 * RFC 3394 section 2.2.1. OpenSSL's own wrapping does not use the processor's AES and takes
 * three times as long, once for every record; it still unwraps, and so checks this.
 */
static bool wrap_blocks(struct seal_wrapped *out, EVP_CIPHER_CTX *aes, const struct seal_key *key)
{
    enum { HALF = 8, STEPS = 6 };
    uint8_t b[2 * HALF], *r = out->b + HALF;
    bool ok = true;
    memset(b, 0xa6, HALF);
    memcpy(r, key->b, SEAL_KEY);
    for (unsigned t = 1; ok && t <= STEPS * SEAL_KEY / HALF; t++) {
        uint8_t *at = r + (t - 1) % (SEAL_KEY / HALF) * HALF;
        int n = 0;
        memcpy(b + HALF, at, HALF);
        ok = EVP_CipherUpdate(aes, b, &n, b, sizeof b) == 1 && n == sizeof b;
        b[HALF - 1] ^= (uint8_t)t;
        memcpy(at, b + HALF, HALF);
    }
    memcpy(out->b, b, HALF);
    OPENSSL_cleanse(b, sizeof b);
    return ok;
}

bool seal_key_wrap(struct seal_wrapped *out, const struct seal_key *by, const struct seal_key *key,
                   struct err *e)
{
    struct seal_tools *t = seal_tools();
    bool ok = t && EVP_CipherInit_ex2(t->block, NULL, by->b, NULL, 1, NULL) == 1 &&
              EVP_CIPHER_CTX_set_padding(t->block, 0) == 1 && wrap_blocks(out, t->block, key);
    if (t)
        seal_tool_forget(t->block);
    return ok || err_set(e, ERR_MEMORY, "wrapping a key failed");
}

static bool unwrap(uint8_t *out, const struct seal_key *by, const struct seal_wrapped *w)
{
    struct seal_tools *t = seal_tools();
    int n = 0, rest = 0;
    bool ok = t && EVP_CipherInit_ex2(t->wrap, NULL, by->b, NULL, 0, NULL) == 1 &&
              EVP_CipherUpdate(t->wrap, out, &n, w->b, SEAL_WRAPPED) == 1 &&
              EVP_CipherFinal_ex(t->wrap, out + n, &rest) == 1 && n + rest == SEAL_KEY;
    if (t)
        seal_tool_forget(t->wrap);
    return ok;
}

bool seal_key_unwrap(struct seal_key *out, const struct seal_key *by, const struct seal_wrapped *w,
                     struct err *e)
{
    uint8_t room[SEAL_WRAPPED + 16];
    bool ok = unwrap(room, by, w);
    if (ok)
        memcpy(out->b, room, SEAL_KEY);
    OPENSSL_cleanse(room, sizeof room);
    return ok || err_set(e, ERR_INTEGRITY, "a wrapped key does not open with the key above it");
}

struct digest seal_hmac(const struct seal_key *key, const struct span *parts, size_t count)
{
    uint8_t inner[BLOCK], outer[BLOCK];
    struct span all[1 + HMAC_PARTS] = {{inner, BLOCK}};
    assert(count <= HMAC_PARTS);
    for (size_t i = 0; i < BLOCK; i++) {
        uint8_t k = i < SEAL_KEY ? key->b[i] : 0;
        inner[i] = k ^ 0x36;
        outer[i] = k ^ 0x5c;
    }
    memcpy(all + 1, parts, count * sizeof *parts);
    struct digest d = sha256_of_parts(all, 1 + count);
    const struct span last[] = {{outer, BLOCK}, {d.b, DIGEST_SIZE}};
    struct digest out = sha256_of_parts(last, 2);
    OPENSSL_cleanse(inner, sizeof inner);
    OPENSSL_cleanse(outer, sizeof outer);
    OPENSSL_cleanse(&d, sizeof d);
    return out;
}

struct span seal_length(uint8_t out[8], uint64_t n)
{
    store_u64be(out, n);
    return (struct span){out, 8};
}

void seal_commit(struct digest *out, struct span field, const uint8_t r[SEAL_SALT],
                 struct span data)
{
    static const char domain[] = "assay/commit/v1"; /* the NUL ends it */
    uint8_t name[8], size[8];
    const struct span parts[] = {{(const uint8_t *)domain, sizeof domain},
                                 seal_length(name, field.n),
                                 field,
                                 {r, SEAL_SALT},
                                 seal_length(size, data.n),
                                 data};
    *out = sha256_of_parts(parts, sizeof parts / sizeof *parts);
}
