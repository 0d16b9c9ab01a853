/*
 * Genesis, key rotation, start, restore and seal-off leaves (docs/log-format.md).
 * A rotation counts only when both keys signed it: the old one vouches for the
 * new, and the new one for being held by the same owner.
 */
#include "verify/keys.h"

#include <string.h>

#include "assay/base/text.h"

enum { SCRATCH = 4 << 20 };

static bool text_member(struct json body, const char *name, struct span *out, struct err *e)
{
    return json_string(json_get(body, name), out) ||
           err_set(e, ERR_FORMAT, "the member %s is missing", name);
}

static bool trusted(const struct trust *t, const struct note_key *k)
{
    for (size_t i = 0; i < t->log_key_count; i++)
        if (span_eq(t->log_keys[i].name, k->name) &&
            memcmp(t->log_keys[i].key.b, k->key.b, SIGN_PUBLIC) == 0)
            return true;
    return false;
}

/* A key of this log: of the type that signs checkpoints, under the log's name. */
static bool adopt(struct keychain *k, struct span vkey, struct arena *a, struct err *e)
{
    struct note_key key;
    if (!note_key_parse(&key, vkey, a, e))
        return false;
    if (key.type != NOTE_ED25519 || !span_eq(key.name, k->origin))
        return err_set(e, ERR_INTEGRITY, "the key does not bear the log's name");
    k->active = key;
    k->active.name = k->origin; /* the same bytes, which stay */
    k->pinned = k->pinned || trusted(k->trust, &key);
    return true;
}

static bool predecessor_ok(struct json p, struct arena *a, struct err *e)
{
    struct span note, vkey;
    struct note_key key;
    struct note n;
    bool valid = false;
    if (json_type(p) == JSON_MISSING)
        return true;
    if (!text_member(p, "checkpoint", &note, e) || !text_member(p, "key", &vkey, e) ||
        !note_key_parse(&key, vkey, a, e) || !note_parse(&n, note, a, e) ||
        !note_verify(&n, &key, 1, &valid, NULL, e))
        return false;
    return valid || err_set(e, ERR_INTEGRITY, "its key did not sign the predecessor's checkpoint");
}

static bool read_genesis(struct keychain *k, uint64_t seq, struct json body, struct arena *a,
                         struct err *e)
{
    struct span origin, vkey;
    char shown[128];
    if (seq != 0)
        return err_set(e, ERR_INTEGRITY, "a genesis leaf stands only at the beginning");
    if (!text_member(body, "origin", &origin, e) || !text_member(body, "key", &vkey, e))
        return false;
    if (k->trust->origin.n && !span_eq(origin, k->trust->origin))
        return err_set(e, ERR_INTEGRITY, "this is the log %s, another than the one expected",
                       text_shown(shown, sizeof shown, origin));
    k->origin = arena_span(k->keep, origin);
    if (origin.n && !k->origin.p)
        return err_set(e, ERR_MEMORY, "out of memory for a log's name");
    return adopt(k, vkey, a, e) && predecessor_ok(json_get(body, "predecessor"), a, e);
}

static bool signature_ok(struct json body, const char *member, const struct note_key *k,
                         struct span message, struct err *e)
{
    struct span hex;
    struct digest half[2];
    uint8_t signature[SIGN_SIGNATURE];
    if (!text_member(body, member, &hex, e))
        return false;
    if (hex.n != 2 * (size_t)SIGN_SIGNATURE || !digest_from_hex(&half[0], span_sub(hex, 0, 64)) ||
        !digest_from_hex(&half[1], span_sub(hex, 64, 64)))
        return err_set(e, ERR_FORMAT, "%s is not the hexadecimal of 64 bytes", member);
    memcpy(signature, half[0].b, DIGEST_SIZE);
    memcpy(signature + DIGEST_SIZE, half[1].b, DIGEST_SIZE);
    return sign_verify(&k->key, message, signature) ||
           err_set(e, ERR_INTEGRITY, "%s does not match the rotation of the key", member);
}

static bool is_active(const struct keychain *k, struct span vkey, struct arena *a, struct err *e)
{
    struct note_key key;
    if (!note_key_parse(&key, vkey, a, e))
        return false;
    return (span_eq(key.name, k->active.name) &&
            memcmp(key.key.b, k->active.key.b, SIGN_PUBLIC) == 0) ||
           err_set(e, ERR_INTEGRITY, "the key named is not the one that was in use");
}

static bool read_key(struct keychain *k, uint64_t seq, struct json body, struct arena *a,
                     struct err *e)
{
    struct span old, new;
    struct buf message;
    if (!text_member(body, "old", &old, e) || !text_member(body, "new", &new, e) ||
        !is_active(k, old, a, e))
        return false;
    buf_init(&message, 4 * (size_t)RECORD_MAX);
    record_key_message(&message, k->origin, seq, old, new);
    struct span m = buf_span(&message);
    bool ok = signature_ok(body, "signature_old", &k->active, m, e) && adopt(k, new, a, e) &&
              signature_ok(body, "signature_new", &k->active, m, e);
    buf_free(&message);
    k->rotations += ok;
    return ok;
}

static bool read_start(struct keychain *k, uint64_t seq, struct json body, struct arena *a,
                       struct err *e)
{
    struct span vkey;
    (void)seq;
    return text_member(body, "key", &vkey, e) && is_active(k, vkey, a, e);
}

static bool read_stop(struct keychain *k, uint64_t seq, struct json body, struct arena *a,
                      struct err *e)
{
    struct span reason;
    (void)seq;
    (void)a;
    if (!text_member(body, "reason", &reason, e))
        return false;
    k->closed = span_is(reason, "seal-off");
    return true;
}

static bool read_restore(struct keychain *k, uint64_t seq, struct json body, struct arena *a,
                         struct err *e)
{
    (void)seq;
    (void)body;
    (void)a;
    (void)e;
    k->restores++;
    return true;
}

typedef bool reader(struct keychain *, uint64_t, struct json, struct arena *, struct err *);

static reader *const readers[RECORD_KINDS] = {[RECORD_GENESIS] = read_genesis,
                                              [RECORD_KEY] = read_key,
                                              [RECORD_START] = read_start,
                                              [RECORD_STOP] = read_stop,
                                              [RECORD_RESTORE] = read_restore};

bool keychain_leaf(struct keychain *k, const struct record_head *h, struct span body, struct err *e)
{
    struct json root;
    reader *read = readers[h->kind];
    if (k->closed)
        return err_set(e, ERR_INTEGRITY, "the log was sealed off before this leaf");
    if (h->seq == 0 && h->kind != RECORD_GENESIS)
        return err_set(e, ERR_INTEGRITY, "a log begins with a genesis leaf");
    if (!read)
        return true;
    struct arena *a = arena_new(SCRATCH);
    if (!a)
        return err_set(e, ERR_MEMORY, "out of memory for a leaf");
    bool ok = json_parse(&root, body, JSON_STRICT, a, e) && read(k, h->seq, root, a, e);
    arena_free(a);
    return ok;
}
