/*
 * The keyring: epoch keys wrapped by the operator's key, one line each, closed
 * by an HMAC over all of it, so that a line cannot be dropped or exchanged:
 *
 *   assay-keyring/v1
 *   origin <name>
 *   epoch <number> <80 hex digits>
 *   ...
 *   mac <64 hex digits>
 *
 * It is replaced as a whole, and the bytes of the old one are overwritten.
 */
#include "seal/seal.h"

#include <stdlib.h>
#include <string.h>

#include "assay/base/file.h"
#include "assay/base/text.h"

enum { FILE_MAX = 16 << 20, EPOCHS_MAX = 100000 };

struct epoch {
    uint64_t number;
    struct seal_wrapped wrapped;
};

struct keyring {
    char *path;
    struct seal_key operator_key;
    struct span origin; /* in the arena */
    struct arena *arena;
    struct epoch *epochs; /* ascending */
    size_t count, cap;
};

/* ---- hexadecimal lines ---- */

static void put_hex(struct buf *b, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%02x", p[i]);
}

static bool get_hex(struct span s, uint8_t *out, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    if (s.n != 2 * n)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *d = s.p[i] ? strchr(digits, s.p[i]) : NULL;
        if (!d)
            return false;
        unsigned v = (unsigned)(d - digits);
        out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | v : v << 4);
    }
    return true;
}

/* The rest of the next line after `word` and a space. */
static bool take_line(struct span *rest, const char *word, struct span *value)
{
    const uint8_t *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    size_t n = lf ? (size_t)(lf - rest->p) : 0, skip = strlen(word);
    if (!lf || !span_starts(*rest, word) || n < skip)
        return false;
    *value = span_sub(*rest, skip, n - skip);
    *rest = span_sub(*rest, n + 1, rest->n);
    return true;
}

static bool read_key(const char *path, struct seal_key *out, struct err *e)
{
    struct span s = SPAN_EMPTY, hex;
    struct arena *a = arena_new(FILE_MAX + 4096);
    bool ok = a ? file_read(&s, path, FILE_MAX, true, a, e)
                : err_set(e, ERR_MEMORY, "out of memory for a key");
    if (ok && (!take_line(&s, "", &hex) || s.n || !get_hex(hex, out->b, SEAL_KEY)))
        ok = err_at(e, ERR_CONFIG, path, 0, "not an operator key: expected 64 hexadecimal digits");
    if (a)
        arena_wipe(a);
    arena_free(a);
    return ok;
}

static bool write_key(const char *path, struct seal_key *out, struct err *e)
{
    struct buf b;
    buf_init(&b, 2 * SEAL_KEY + 1);
    bool ok = seal_random(out->b, SEAL_KEY, e);
    put_hex(&b, out->b, SEAL_KEY);
    buf_put_u8(&b, '\n');
    ok = ok && buf_ok(&b) && file_create(path, buf_span(&b), e);
    if (b.p)
        seal_wipe(b.p, b.cap);
    buf_free(&b);
    return ok;
}

/* ---- the keyring's text ---- */

static void put_text(const struct keyring *k, struct buf *b)
{
    buf_put_str(b, "assay-keyring/v1\norigin ");
    buf_put_span(b, k->origin);
    buf_put_u8(b, '\n');
    for (size_t i = 0; i < k->count; i++) {
        buf_printf(b, "epoch %llu ", (unsigned long long)k->epochs[i].number);
        put_hex(b, k->epochs[i].wrapped.b, SEAL_WRAPPED);
        buf_put_u8(b, '\n');
    }
}

static bool get_epochs(struct keyring *k, struct span *rest, struct err *e)
{
    struct span value;
    while (take_line(rest, "epoch ", &value)) {
        struct epoch x = {.number = 0};
        const uint8_t *space = memchr(value.p, ' ', value.n);
        size_t n = space ? (size_t)(space - value.p) : value.n;
        uint64_t before = k->count ? k->epochs[k->count - 1].number : 0;
        struct epoch *all = arena_grow(k->arena, k->epochs, k->count, &k->cap, sizeof *all);
        if (!all || k->count >= EPOCHS_MAX)
            return err_at(e, ERR_LIMIT, k->path, ERR_NO_OFFSET, "too many epochs");
        k->epochs = all;
        if (!text_u64(span_sub(value, 0, n), &x.number) || x.number <= before ||
            !get_hex(span_sub(value, n + 1, value.n), x.wrapped.b, SEAL_WRAPPED))
            return err_at(e, ERR_CONFIG, k->path, ERR_NO_OFFSET, "epoch line %zu is malformed",
                          k->count + 1);
        all[k->count++] = x;
    }
    return k->count > 0 || err_at(e, ERR_CONFIG, k->path, ERR_NO_OFFSET, "no epoch line");
}

static bool parse(struct keyring *k, struct span text, struct err *e)
{
    struct span rest = text, value;
    struct digest mac, given;
    if (!take_line(&rest, "assay-keyring/v1", &value) || value.n ||
        !take_line(&rest, "origin ", &k->origin))
        return err_at(e, ERR_CONFIG, k->path, 0, "not a keyring of version 1");
    if (!get_epochs(k, &rest, e))
        return false;
    struct span signed_part = span_sub(text, 0, text.n - rest.n);
    if (!take_line(&rest, "mac ", &value) || rest.n || !get_hex(value, given.b, DIGEST_SIZE))
        return err_at(e, ERR_CONFIG, k->path, text.n - rest.n, "expected the mac line and the end");
    mac = seal_hmac(&k->operator_key, &signed_part, 1);
    return digest_eq(&mac, &given) ||
           err_at(e, ERR_INTEGRITY, k->path, ERR_NO_OFFSET,
                  "the keyring was altered or belongs to another operator key");
}

static bool make_text(const struct keyring *k, struct buf *b, struct err *e)
{
    struct digest mac;
    buf_init(b, FILE_MAX);
    put_text(k, b);
    const struct span text = buf_span(b);
    if (!buf_ok(b))
        return err_set(e, ERR_MEMORY, "out of memory for the keyring");
    mac = seal_hmac(&k->operator_key, &text, 1);
    buf_put_str(b, "mac ");
    put_hex(b, mac.b, DIGEST_SIZE);
    buf_put_u8(b, '\n');
    return buf_ok(b) || err_set(e, ERR_MEMORY, "out of memory for the keyring");
}

static bool replace(const struct keyring *k, struct err *e)
{
    struct buf b = {.p = NULL};
    bool ok = make_text(k, &b, e) && file_replace(k->path, buf_span(&b), true, e);
    buf_free(&b);
    return ok;
}

/* ---- the door ---- */

static struct keyring *keyring_new(const char *path, struct err *e)
{
    struct keyring *k = calloc(1, sizeof *k);
    if (k)
        k->arena = arena_new((size_t)4 * FILE_MAX);
    if (k && k->arena)
        k->path = arena_str(k->arena, span_str(path));
    if (!k || !k->path) {
        keyring_close(k);
        err_set(e, ERR_MEMORY, "out of memory for the keyring");
        return NULL;
    }
    return k;
}

void keyring_close(struct keyring *k)
{
    if (!k)
        return;
    seal_wipe(&k->operator_key, sizeof k->operator_key);
    arena_free(k->arena);
    free(k);
}

static bool add_epoch(struct keyring *k, struct err *e)
{
    struct seal_key key;
    struct epoch *all = arena_grow(k->arena, k->epochs, k->count, &k->cap, sizeof *all);
    if (!all)
        return err_set(e, ERR_MEMORY, "out of memory for the keyring");
    k->epochs = all;
    struct epoch x = {.number = k->count ? keyring_epoch(k) + 1 : 1};
    bool ok =
        seal_random(key.b, sizeof key.b, e) && seal_key_wrap(&x.wrapped, &k->operator_key, &key, e);
    seal_wipe(&key, sizeof key);
    if (ok)
        all[k->count++] = x;
    return ok;
}

bool keyring_create(const char *path, const char *operator_key_path, struct span origin,
                    struct err *e)
{
    if (origin.n == 0 || memchr(origin.p, '\n', origin.n))
        return err_set(e, ERR_USAGE, "a log's origin is one line that is not empty");
    struct keyring *k = keyring_new(path, e);
    struct buf b = {.p = NULL};
    if (!k)
        return false;
    k->origin = origin;
    bool ok = write_key(operator_key_path, &k->operator_key, e) && add_epoch(k, e) &&
              make_text(k, &b, e) && file_create(path, buf_span(&b), e);
    buf_free(&b);
    keyring_close(k);
    return ok;
}

bool keyring_open(struct keyring **out, const char *path, const char *operator_key_path,
                  struct err *e)
{
    struct span text;
    struct keyring *k = keyring_new(path, e);
    *out = NULL;
    if (!k)
        return false;
    if (!read_key(operator_key_path, &k->operator_key, e) ||
        !file_read(&text, path, FILE_MAX, true, k->arena, e) || !parse(k, text, e)) {
        keyring_close(k);
        return false;
    }
    *out = k;
    return true;
}

struct span keyring_origin(const struct keyring *k)
{
    return k->origin;
}

uint64_t keyring_epoch(const struct keyring *k)
{
    return k->epochs[k->count - 1].number;
}

bool keyring_key(const struct keyring *k, uint64_t epoch, struct seal_key *out, struct err *e)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->epochs[i].number == epoch)
            return seal_key_unwrap(out, &k->operator_key, &k->epochs[i].wrapped, e);
    return err_at(e, ERR_INTEGRITY, k->path, ERR_NO_OFFSET,
                  "the key of epoch %llu was destroyed or never existed",
                  (unsigned long long)epoch);
}

bool keyring_advance(struct keyring *k, struct err *e)
{
    if (!add_epoch(k, e))
        return false;
    if (replace(k, e))
        return true;
    k->count--;
    return false;
}

bool keyring_destroy_before(struct keyring *k, uint64_t epoch, struct err *e)
{
    size_t gone = 0;
    while (gone < k->count && k->epochs[gone].number < epoch)
        gone++;
    if (gone == k->count)
        return err_set(e, ERR_USAGE, "the current epoch cannot be destroyed; advance first");
    struct epoch *all = k->epochs;
    size_t count = k->count;
    k->epochs = all + gone;
    k->count = count - gone;
    if (gone && !replace(k, e)) {
        k->epochs = all;
        k->count = count;
        return false;
    }
    seal_wipe(all, gone * sizeof *all);
    k->cap -= gone;
    return true;
}
