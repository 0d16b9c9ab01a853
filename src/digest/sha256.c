/*
 * SHA-256 by OpenSSL's EVP, which picks the processor's own instructions.
 * A digest that could not be taken must never look like one, so a refusal of
 * the library after the context exists ends the program.
 */
#include "assay/digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { JOINED = 256 };

struct sha256 {
    EVP_MD_CTX *ctx;
};

static EVP_MD *algorithm;
static pthread_key_t own; /* one context a thread, for sha256_of */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void free_own(void *s)
{
    sha256_free(s);
}

static void prepare(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (pthread_key_create(&own, free_own) != 0)
        abort();
}

static void demand(bool ok)
{
    if (!ok)
        abort();
}

struct sha256 *sha256_new(void)
{
    pthread_once(&once, prepare);
    struct sha256 *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->ctx = EVP_MD_CTX_new();
    if (!s->ctx || !algorithm || EVP_DigestInit_ex2(s->ctx, algorithm, NULL) != 1) {
        sha256_free(s);
        return NULL;
    }
    return s;
}

void sha256_free(struct sha256 *s)
{
    if (!s)
        return;
    EVP_MD_CTX_free(s->ctx);
    free(s);
}

void sha256_start(struct sha256 *s)
{
    demand(EVP_DigestInit_ex2(s->ctx, NULL, NULL) == 1);
}

void sha256_update(struct sha256 *s, const void *p, size_t n)
{
    demand(EVP_DigestUpdate(s->ctx, p, n) == 1);
}

void sha256_finish(struct sha256 *s, struct digest *out)
{
    demand(EVP_DigestFinal_ex(s->ctx, out->b, NULL) == 1);
}

/* The calling thread's context; the key frees it when the thread ends. */
static struct sha256 *own_context(void)
{
    static _Thread_local struct sha256 *mine;
    if (!mine) {
        mine = sha256_new();
        demand(mine && pthread_setspecific(own, mine) == 0);
    }
    return mine;
}

struct digest sha256_of(struct span bytes)
{
    struct digest out;
    struct sha256 *s = own_context();
    sha256_start(s);
    sha256_update(s, bytes.p, bytes.n);
    sha256_finish(s, &out);
    return out;
}

struct digest sha256_of_parts(const struct span *parts, size_t count)
{
    struct digest out;
    struct sha256 *s = own_context();
    uint8_t joined[JOINED]; /* an update costs more than a short part does */
    size_t n = 0;
    sha256_start(s);
    for (size_t i = 0; i < count; i++) {
        if (n && parts[i].n > sizeof joined - n) {
            sha256_update(s, joined, n);
            n = 0;
        }
        if (parts[i].n > sizeof joined)
            sha256_update(s, parts[i].p, parts[i].n);
        else if (parts[i].n)
            memcpy(joined + n, parts[i].p, parts[i].n);
        n += parts[i].n > sizeof joined ? 0 : parts[i].n;
    }
    if (n)
        sha256_update(s, joined, n);
    explicit_bzero(joined, sizeof joined); /* parts may be keys */
    sha256_finish(s, &out);
    return out;
}

struct digest merkle_leaf(struct span data)
{
    const struct span parts[] = {{(const uint8_t *)"\x00", 1}, data};
    return sha256_of_parts(parts, 2);
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
    return memcmp(a->b, b->b, DIGEST_SIZE) == 0;
}

const char *digest_hex(char out[DIGEST_HEX + 1], const struct digest *d)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        out[2 * i] = digits[d->b[i] >> 4];
        out[2 * i + 1] = digits[d->b[i] & 15];
    }
    out[DIGEST_HEX] = '\0';
    return out;
}

static int nibble(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_from_hex(struct digest *out, struct span hex)
{
    struct digest d;
    if (hex.n != DIGEST_HEX)
        return false;
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        int high = nibble(hex.p[2 * i]), low = nibble(hex.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        d.b[i] = (uint8_t)(high << 4 | low);
    }
    *out = d;
    return true;
}
