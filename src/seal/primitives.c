/*
 * Random bytes, key wrapping (RFC 3394 by OpenSSL), HMAC and commitments.
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

void seal_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

/* RFC 3394, in one direction or the other; `out` has a block of room more. */
static bool rewrap(uint8_t *out, int wanted, bool wrap, const struct seal_key *by,
                   const uint8_t *in, int size)
{
    struct seal_tools *t = seal_tools();
    int n = 0, rest = 0;
    bool ok = t && EVP_CipherInit_ex2(t->wrap, NULL, by->b, NULL, wrap, NULL) == 1 &&
              EVP_CipherUpdate(t->wrap, out, &n, in, size) == 1 &&
              EVP_CipherFinal_ex(t->wrap, out + n, &rest) == 1 && n + rest == wanted;
    if (t)
        seal_tool_forget(t->wrap);
    return ok;
}

bool seal_key_wrap(struct seal_wrapped *out, const struct seal_key *by, const struct seal_key *key,
                   struct err *e)
{
    uint8_t room[SEAL_WRAPPED + 16];
    bool ok = rewrap(room, SEAL_WRAPPED, true, by, key->b, SEAL_KEY);
    if (ok)
        memcpy(out->b, room, SEAL_WRAPPED);
    return ok || err_set(e, ERR_MEMORY, "wrapping a key failed");
}

bool seal_key_unwrap(struct seal_key *out, const struct seal_key *by, const struct seal_wrapped *w,
                     struct err *e)
{
    uint8_t room[SEAL_WRAPPED + 16];
    bool ok = rewrap(room, SEAL_KEY, false, by, w->b, SEAL_WRAPPED);
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
