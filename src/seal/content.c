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

enum {
    TAG = 16,
    NONCE = 12,
    ORIGIN_MAX = 65535,
    HEADER = SEAL_SALT + 8,
    SEALED_CHUNK = SEAL_CHUNK + TAG,
    JOINED = 256
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

void seal_field_key(struct seal_key *out, const struct seal_key *record_key, struct span field)
{
    static const char domain[] = "assay/field/v1";
    uint8_t length[8];
    const struct span parts[] = {
        {(const uint8_t *)domain, sizeof domain}, seal_length(length, field.n), field};
    struct digest d = seal_hmac(record_key, parts, 3);
    memcpy(out->b, d.b, SEAL_KEY);
    seal_wipe(&d, sizeof d);
}

/* One direction of one field: context, key and what is authenticated with every chunk. */
struct stream {
    EVP_CIPHER_CTX *ctx;
    bool encrypt;
    struct span origin, record, field;
};

static bool stream_open(struct stream *s, bool encrypt, const struct seal_key *field_key,
                        struct span origin, const struct seal_id *record, struct span field)
{
    struct seal_tools *t = seal_tools();
    *s = (struct stream){t ? t->gcm : NULL, encrypt, origin, {record->b, SEAL_ID}, field};
    return s->ctx && origin.n <= ORIGIN_MAX &&
           EVP_CipherInit_ex2(s->ctx, NULL, field_key->b, NULL, encrypt, NULL) == 1;
}

static void stream_close(struct stream *s)
{
    if (s->ctx)
        seal_tool_forget(s->ctx);
}

static bool add_authenticated(struct stream *s, struct span part)
{
    int got = 0;
    return part.n == 0 || EVP_CipherUpdate(s->ctx, NULL, &got, part.p, (int)part.n) == 1;
}

static bool authenticate(struct stream *s, uint64_t number, bool last)
{
    static const char domain[] = "assay/seal/v1";
    uint8_t origin[8], field[8], chunk[9];
    const struct span parts[] = {{(const uint8_t *)domain, sizeof domain},
                                 seal_length(origin, s->origin.n),
                                 s->origin,
                                 s->record,
                                 seal_length(field, s->field.n),
                                 s->field,
                                 {chunk, sizeof chunk}};
    store_u64be(chunk, number);
    chunk[8] = last;
    uint8_t joined[JOINED]; /* each update costs more than a short part does */
    size_t n = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].n > sizeof joined - n) {
            ok = add_authenticated(s, (struct span){joined, n});
            n = 0;
        }
        if (parts[i].n > sizeof joined)
            ok = ok && add_authenticated(s, parts[i]);
        else
            memcpy(joined + n, parts[i].p, parts[i].n);
        n += parts[i].n > sizeof joined ? 0 : parts[i].n;
    }
    return ok && add_authenticated(s, (struct span){joined, n});
}

/* n bytes from `in` to `out` and the tag after them, or against it. */
static bool stream_chunk(struct stream *s, uint64_t number, bool last, const uint8_t *in, size_t n,
                         uint8_t *out, uint8_t tag[TAG])
{
    uint8_t nonce[NONCE] = {0};
    int got = 0, rest = 0;
    store_u64be(nonce + 4, number);
    if (EVP_CipherInit_ex2(s->ctx, NULL, NULL, nonce, -1, NULL) != 1 ||
        !authenticate(s, number, last) || EVP_CipherUpdate(s->ctx, out, &got, in, (int)n) != 1)
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

/* Each chunk where it will stand: `out` has room for all of them and their tags. */
static bool encrypt_all(uint8_t *out, struct stream *s, const uint8_t *header, struct span data,
                        uint64_t total)
{
    bool ok = true;
    for (uint64_t at = 0, i = 0; ok && at < total; at += SEAL_CHUNK, i++) {
        size_t n = total - at < SEAL_CHUNK ? (size_t)(total - at) : SEAL_CHUNK;
        plaintext(out, at, n, header, data);
        ok = stream_chunk(s, i, at + n == total, out, n, out, out + n);
        if (!ok)
            seal_wipe(out, n);
        out += n + TAG;
    }
    return ok;
}

bool seal_encrypt(struct buf *out, struct sealed_field *f, const struct seal_key *record_key,
                  struct span origin, const struct seal_id *record, struct span data, struct err *e)
{
    uint8_t r[SEAL_SALT];
    bool ok = seal_random(r, SEAL_SALT, e) &&
              seal_encrypt_salted(out, f, record_key, origin, record, r, data, e);
    seal_forget();
    seal_wipe(r, sizeof r);
    return ok;
}

void seal_forget(void)
{
    struct seal_tools *t = seal_tools();
    if (t)
        seal_tool_forget(t->gcm);
}

bool seal_encrypt_salted(struct buf *out, struct sealed_field *f, const struct seal_key *record_key,
                         struct span origin, const struct seal_id *record,
                         const uint8_t r[SEAL_SALT], struct span data, struct err *e)
{
    struct seal_key key;
    struct stream s;
    uint8_t header[HEADER];
    if (f->name.n == 0 || f->name.n > SEAL_NAME_MAX)
        return err_set(e, ERR_USAGE, "a sealed field's name has 1 to %d bytes", SEAL_NAME_MAX);
    memcpy(header, r, SEAL_SALT);
    uint64_t total = padme(HEADER + data.n);
    uint64_t size = total + (total + SEAL_CHUNK - 1) / SEAL_CHUNK * TAG;
    uint8_t *to = buf_add(out, (size_t)size);
    store_u64be(header + SEAL_SALT, data.n);
    seal_field_key(&key, record_key, f->name);
    bool ok = stream_open(&s, true, &key, origin, record, f->name) && to &&
              encrypt_all(to, &s, header, data, total);
    if (ok) {
        f->size = size;
        f->ciphertext = sha256_of((struct span){to, (size_t)size});
        seal_commit(&f->commitment, f->name, header, data);
    }
    seal_wipe(&key, sizeof key);
    seal_wipe(header, sizeof header);
    return ok || err_set(e, ERR_MEMORY, "sealing failed: out of memory");
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
    struct stream s;
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
    seal_commit(&d, f->name, r, *data);
    return digest_eq(&d, &f->commitment) ||
           err_set(e, ERR_INTEGRITY, "the content is not the one that the leaf commits to");
}
