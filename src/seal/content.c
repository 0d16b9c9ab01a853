/*
 * Content under AES-256-GCM in chunks. Every field has a key of its own,
 * HMAC(record key, field name), so that no two fields can share a nonce and
 * one field can be disclosed without the others.
 *
 * Plaintext: r (32) || u64be length || data || zeros up to the Padme length.
 * Chunk i: 64 KiB of it, nonce u32be 0 || u64be i, followed by its 16-byte tag.
 */
#include "seal/seal.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

enum {
    TAG = 16,
    NONCE = 12,
    ORIGIN_MAX = 65535,
    HEADER = SEAL_SALT + 8,
    SEALED_CHUNK = SEAL_CHUNK + TAG
};

/* PURBs, section 4.4: at most 12 % more, and only O(log log n) bits of length leak. */
static uint64_t padme(uint64_t n)
{
    if (n < 2)
        return n;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(n);
    unsigned bits = exponent ? 32 - (unsigned)__builtin_clz(exponent) : 1;
    uint64_t mask = exponent > bits ? (UINT64_C(1) << (exponent - bits)) - 1 : 0;
    return (n + mask) & ~mask;
}

bool seal_field_key(struct seal_key *out, const struct seal_key *record_key, struct span field,
                    struct err *e)
{
    static const char domain[] = "assay/field/v1";
    struct digest d;
    struct buf b;
    buf_init(&b, sizeof domain + 8 + field.n);
    buf_put(&b, domain, sizeof domain);
    seal_put_framed(&b, field);
    bool ok = buf_ok(&b) ? seal_hmac(record_key, buf_span(&b), &d, e)
                         : err_set(e, ERR_MEMORY, "out of memory for a field's key");
    buf_free(&b);
    if (ok)
        memcpy(out->b, d.b, SEAL_KEY);
    seal_wipe(&d, sizeof d);
    return ok;
}

/* One direction of one field: context, key and what is authenticated. */
struct stream {
    EVP_CIPHER_CTX *ctx;
    struct buf aad;
    size_t fixed; /* bytes of aad before the chunk number */
    bool encrypt;
};

static bool stream_open(struct stream *s, bool encrypt, const struct seal_key *field_key,
                        struct span origin, const struct seal_id *record, struct span field)
{
    static const char domain[] = "assay/seal/v1";
    s->encrypt = encrypt;
    s->ctx = EVP_CIPHER_CTX_new();
    buf_init(&s->aad, sizeof domain + origin.n + field.n + 64);
    buf_put(&s->aad, domain, sizeof domain);
    seal_put_framed(&s->aad, origin);
    buf_put(&s->aad, record->b, SEAL_ID);
    seal_put_framed(&s->aad, field);
    s->fixed = s->aad.n;
    return s->ctx && origin.n <= ORIGIN_MAX && buf_ok(&s->aad) &&
           EVP_CipherInit_ex(s->ctx, EVP_aes_256_gcm(), NULL, field_key->b, NULL, encrypt) == 1;
}

static void stream_close(struct stream *s)
{
    EVP_CIPHER_CTX_free(s->ctx);
    buf_free(&s->aad);
    ERR_clear_error();
}

/* n bytes from `in` to `out` and the tag after them, or against it. */
static bool stream_chunk(struct stream *s, uint64_t number, bool last, const uint8_t *in, size_t n,
                         uint8_t *out, uint8_t tag[TAG])
{
    uint8_t nonce[NONCE] = {0};
    int got = 0, rest = 0;
    store_u64be(nonce + 4, number);
    s->aad.n = s->fixed;
    buf_put_u64be(&s->aad, number);
    buf_put_u8(&s->aad, last);
    if (!buf_ok(&s->aad) || EVP_CipherInit_ex(s->ctx, NULL, NULL, NULL, nonce, -1) != 1 ||
        EVP_CipherUpdate(s->ctx, NULL, &got, s->aad.p, (int)s->aad.n) != 1 ||
        EVP_CipherUpdate(s->ctx, out, &got, in, (int)n) != 1)
        return false;
    if (!s->encrypt && EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) != 1)
        return false;
    if (EVP_CipherFinal_ex(s->ctx, out + got, &rest) != 1)
        return false;
    return !s->encrypt || EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1;
}

/* Bytes [at, at+n) of r || length || data || zeros. */
static void plaintext(uint8_t *out, uint64_t at, size_t n, const uint8_t *header, struct span data)
{
    size_t i = 0;
    for (; i < n && at + i < HEADER; i++)
        out[i] = header[at + i];
    uint64_t from = at + i - HEADER;
    size_t copy = from >= data.n                  ? 0
                  : data.n - (size_t)from < n - i ? data.n - (size_t)from
                                                  : n - i;
    if (copy)
        memcpy(out + i, data.p + from, copy);
    memset(out + i + copy, 0, n - i - copy);
}

static bool encrypt_all(struct buf *out, struct stream *s, const uint8_t *header, struct span data,
                        uint64_t total)
{
    uint8_t plain[SEAL_CHUNK], sealed[SEALED_CHUNK];
    bool ok = true;
    for (uint64_t at = 0, i = 0; ok && at < total; at += SEAL_CHUNK, i++) {
        size_t n = total - at < SEAL_CHUNK ? (size_t)(total - at) : SEAL_CHUNK;
        plaintext(plain, at, n, header, data);
        ok = stream_chunk(s, i, at + n == total, plain, n, sealed, sealed + n);
        buf_put(out, sealed, n + TAG);
    }
    seal_wipe(plain, sizeof plain);
    return ok && buf_ok(out);
}

bool seal_encrypt(struct buf *out, struct sealed_field *f, const struct seal_key *record_key,
                  struct span origin, const struct seal_id *record, struct span data, struct err *e)
{
    struct seal_key key;
    uint8_t header[HEADER];
    size_t from = out->n;
    struct stream s = {.ctx = NULL};
    if (f->name.n == 0 || f->name.n > SEAL_NAME_MAX)
        return err_set(e, ERR_USAGE, "a sealed field's name has 1 to %d bytes", SEAL_NAME_MAX);
    if (!seal_random(header, SEAL_SALT, e) || !seal_field_key(&key, record_key, f->name, e) ||
        !seal_commit(&f->commitment, f->name, header, data, e))
        return false;
    store_u64be(header + SEAL_SALT, data.n);
    bool ok = stream_open(&s, true, &key, origin, record, f->name) &&
              encrypt_all(out, &s, header, data, padme(HEADER + data.n));
    stream_close(&s);
    seal_wipe(&key, sizeof key);
    seal_wipe(header, sizeof header);
    if (!ok)
        return err_set(e, ERR_MEMORY, "sealing failed: out of memory");
    f->size = out->n - from;
    f->ciphertext = sha256_of((struct span){out->p + from, (size_t)f->size});
    return true;
}

static bool decrypt_all(uint8_t *out, struct stream *s, struct span sealed)
{
    for (uint64_t at = 0, i = 0; at < sealed.n; at += SEALED_CHUNK, i++) {
        size_t n = sealed.n - at < SEALED_CHUNK ? sealed.n - (size_t)at : SEALED_CHUNK;
        uint8_t tag[TAG];
        if (n <= TAG)
            return false;
        memcpy(tag, sealed.p + at + n - TAG, TAG);
        if (!stream_chunk(s, i, at + n == sealed.n, sealed.p + at, n - TAG, out + i * SEAL_CHUNK,
                          tag))
            return false;
    }
    return true;
}

/* r, length and data from the opened bytes; the padding must be zero and exact. */
static bool unpack(struct span *data, uint8_t r[SEAL_SALT], const uint8_t *plain, size_t n)
{
    if (n < HEADER)
        return false;
    uint64_t length = __builtin_bswap64(load_u64le(plain + SEAL_SALT));
    if (length > n - HEADER || padme(HEADER + length) != n)
        return false;
    for (size_t i = HEADER + (size_t)length; i < n; i++)
        if (plain[i])
            return false;
    memcpy(r, plain, SEAL_SALT);
    *data = (struct span){plain + HEADER, (size_t)length};
    return true;
}

bool seal_open(struct span *data, uint8_t r[SEAL_SALT], const struct sealed_field *f,
               const struct seal_key *field_key, struct span origin, const struct seal_id *record,
               struct span ciphertext, struct arena *a, struct err *e)
{
    struct digest d = sha256_of(ciphertext);
    struct stream s = {.ctx = NULL};
    if (ciphertext.n != f->size || !digest_eq(&d, &f->ciphertext))
        return err_set(e, ERR_INTEGRITY, "the ciphertext is not the one that the leaf names");
    size_t chunks = (ciphertext.n + SEALED_CHUNK - 1) / SEALED_CHUNK;
    uint8_t *plain = ciphertext.n > chunks * TAG ? arena_alloc(a, ciphertext.n) : NULL;
    if (!plain)
        return err_set(e, ciphertext.n > chunks * TAG ? ERR_MEMORY : ERR_INTEGRITY,
                       "the ciphertext cannot be opened");
    bool ok = stream_open(&s, false, field_key, origin, record, f->name) &&
              decrypt_all(plain, &s, ciphertext) &&
              unpack(data, r, plain, ciphertext.n - chunks * TAG);
    stream_close(&s);
    if (!ok) {
        seal_wipe(plain, ciphertext.n);
        return err_set(e, ERR_INTEGRITY, "the ciphertext does not open with this key");
    }
    if (!seal_commit(&d, f->name, r, *data, e))
        return false;
    return digest_eq(&d, &f->commitment) ||
           err_set(e, ERR_INTEGRITY, "the content is not the one that the leaf commits to");
}
