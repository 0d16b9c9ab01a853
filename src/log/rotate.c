/*
 * The log's key changes by a leaf that both keys sign; checkpoints that cover it are
 * signed by the new one. The new key waits beside the old one until that leaf is durable,
 * so that whichever moment a crash picks, one of the two files is the log's key.
 */
#include "log/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/file.h"

enum { KEY_FILE_MAX = 64 << 10, ROTATE_ARENA = 1 << 20 };

struct rotation {
    const struct op_args *args;
    char *next; /* path of the new key until it is the log's */
    struct sign_key *key;
    struct note_key name;
    struct buf old_text, new_text, message;
};

static char *next_path(const struct log *l)
{
    char *path = NULL;
    return asprintf(&path, "%s.next", l->path[PATH_KEY]) < 0 ? NULL : path;
}

/* ---- the new key ---- */

static bool copy_key(const char *from, const char *to, struct err *e)
{
    struct span bytes;
    struct arena *a = arena_new(2 * KEY_FILE_MAX);
    bool ok = a ? file_read(&bytes, from, KEY_FILE_MAX, true, a, e) && file_create(to, bytes, e)
                : err_set(e, ERR_MEMORY, "out of memory for a key");
    if (a)
        arena_wipe(a);
    arena_free(a);
    return ok;
}

static bool make_key(struct rotation *x, struct err *e)
{
    struct span from = x->args->s[0];
    unlink(x->next); /* of a rotation that failed: the log's key is the other file */
    if (from.n == 0)
        return sign_key_create(&x->key, x->next, e);
    char *path = strndup((const char *)from.p, from.n);
    bool ok = path ? copy_key(path, x->next, e) && sign_key_load(&x->key, x->next, e)
                   : err_set(e, ERR_MEMORY, "out of memory for a key");
    free(path);
    return ok;
}

/* The file of the new key becomes the log's; the old one's bytes are overwritten. */
static bool adopt(struct log *l, const char *next, struct err *e)
{
    struct span bytes;
    struct arena *a = arena_new(2 * KEY_FILE_MAX);
    bool ok = a ? file_read(&bytes, next, KEY_FILE_MAX, true, a, e) &&
                      file_replace(l->path[PATH_KEY], bytes, true, e)
                : err_set(e, ERR_MEMORY, "out of memory for a key");
    if (ok)
        unlink(next);
    if (a)
        arena_wipe(a);
    arena_free(a);
    return ok;
}

/* ---- the leaf ---- */

static void put_signature(struct op_body *b, const char *name, const uint8_t s[SIGN_SIGNATURE])
{
    static const char digits[] = "0123456789abcdef";
    char hex[2 * SIGN_SIGNATURE + 1] = "";
    for (size_t i = 0; i < SIGN_SIGNATURE; i++) {
        hex[2 * i] = digits[s[i] >> 4];
        hex[2 * i + 1] = digits[s[i] & 15];
    }
    body_text(b, name, span_str(hex));
}

static bool make_body(struct log *l, struct rotation *x, struct op_body *b, struct err *e)
{
    uint8_t by_old[SIGN_SIGNATURE], by_new[SIGN_SIGNATURE];
    note_key_put(&x->old_text, &l->name);
    note_key_put(&x->new_text, &x->name);
    record_key_message(&x->message, l->origin, l->store.tree.size, buf_span(&x->old_text),
                       buf_span(&x->new_text));
    if (!buf_ok(&x->old_text) || !buf_ok(&x->new_text) || !buf_ok(&x->message))
        return err_set(e, ERR_MEMORY, "out of memory for a rotation");
    if (!sign_bytes(l->key, buf_span(&x->message), by_old, e) ||
        !sign_bytes(x->key, buf_span(&x->message), by_new, e))
        return false;
    body_text(b, "new", buf_span(&x->new_text));
    body_text(b, "old", buf_span(&x->old_text));
    if (x->args->s[1].n)
        body_text(b, "reason", x->args->s[1]);
    put_signature(b, "signature_new", by_new);
    put_signature(b, "signature_old", by_old);
    return body_end(b, e);
}

static void swap_keys(struct log *l, struct rotation *x)
{
    struct sign_key *key = l->key;
    struct note_key name = l->name;
    pthread_rwlock_wrlock(&l->keys);
    l->key = x->key;
    l->name = x->name;
    pthread_rwlock_unlock(&l->keys);
    x->key = key;
    x->name = name;
}

/* The commit is signed at once, by the key that it introduces. */
static bool append_rotation(struct log *l, struct rotation *x, struct err *e)
{
    struct op_body b;
    struct log_receipt r;
    body_open(&b);
    bool ok = store_keep(l, e) && make_body(l, x, &b, e); /* the old key's last checkpoint */
    if (ok) {
        swap_keys(l, x);
        ok = op_write(l, RECORD_KEY, SPAN_EMPTY, buf_span(&b.text), &r, e);
        if (!ok)
            swap_keys(l, x);
    }
    body_free(&b);
    return ok;
}

static bool rotate_job(struct log *l, void *arg, struct err *e)
{
    struct rotation *x = arg;
    struct sign_public public;
    bool ok = make_key(x, e);
    if (ok) {
        public = sign_key_public(x->key);
        ok = note_key_make(&x->name, l->origin, NOTE_ED25519, &public, e);
    }
    if (ok && x->name.id == l->name.id)
        ok = err_set(e, ERR_USAGE, "the new key is the one that the log has");
    if (!ok)
        unlink(x->next);
    /* Where the append fails, the leaf may still be durable: opening the log decides. */
    if (!ok || !append_rotation(l, x, e))
        return false;
    erase_passed(STEP_ROTATED);
    return adopt(l, x->next, e);
}

bool rotate_run(struct log *l, const struct op_args *a, struct op_result *r, struct err *e)
{
    struct rotation x = {.args = a, .next = next_path(l)};
    buf_init(&x.old_text, LOG_NOTE_MAX);
    buf_init(&x.new_text, LOG_NOTE_MAX);
    buf_init(&x.message, 4 * LOG_NOTE_MAX);
    bool ok = x.next || err_set(e, ERR_MEMORY, "out of memory for a rotation");
    ok = ok && log_run(l, rotate_job, &x, e);
    if (ok)
        buf_put_span(&r->bytes, buf_span(&x.new_text));
    sign_key_free(x.key);
    buf_free(&x.old_text);
    buf_free(&x.new_text);
    buf_free(&x.message);
    free(x.next);
    return ok;
}

/* ---- which key signs what ---- */

struct key_search {
    struct arena *arena;
    uint64_t size;      /* of the checkpoint asked for */
    struct span chosen; /* the key that signed until the first rotation at or after it */
    struct span newest; /* of the last rotation */
};

static bool read_rotation(void *arg, uint64_t seq, struct json body, struct err *e)
{
    struct key_search *s = arg;
    struct span old_key, new_key;
    if (!json_string(json_get(body, "old"), &old_key) ||
        !json_string(json_get(body, "new"), &new_key))
        return err_set(e, ERR_INTEGRITY, "entry %llu is no rotation", (unsigned long long)seq);
    if (s->chosen.n == 0 && seq >= s->size)
        s->chosen = arena_span(s->arena, old_key);
    s->newest = arena_span(s->arena, new_key);
    return s->newest.p || err_set(e, ERR_MEMORY, "out of memory for keys");
}

bool rotate_key_at(struct log *l, uint64_t size, struct note_key *out, struct arena *a,
                   struct err *e)
{
    struct key_search s = {.arena = a, .size = size};
    if (!op_each(l->store.db, RECORD_KEY, read_rotation, &s, e))
        return false;
    *out = l->name;
    return s.chosen.n == 0 || note_key_parse(out, s.chosen, a, e);
}

static bool load_next(struct log *l, const char *next, struct span wanted, struct err *e)
{
    struct sign_key *key = NULL;
    struct note_key name;
    struct buf text;
    buf_init(&text, LOG_NOTE_MAX);
    bool ok = sign_key_load(&key, next, e);
    if (ok) {
        struct sign_public public = sign_key_public(key);
        ok = note_key_make(&name, l->origin, NOTE_ED25519, &public, e);
    }
    if (ok) {
        note_key_put(&text, &name);
        ok = span_eq(buf_span(&text), wanted) ||
             err_at(e, ERR_CONFIG, next, ERR_NO_OFFSET, "not the key that the log names");
    }
    ok = ok && adopt(l, next, e);
    if (ok) {
        sign_key_free(l->key);
        l->key = key;
        l->name = name;
        key = NULL;
    }
    sign_key_free(key);
    buf_free(&text);
    return ok;
}

static bool check_newest(struct log *l, const char *next, struct span wanted, struct err *e)
{
    struct buf text;
    buf_init(&text, LOG_NOTE_MAX);
    note_key_put(&text, &l->name);
    bool same = wanted.n == 0 || span_eq(buf_span(&text), wanted);
    buf_free(&text);
    if (same) {
        unlink(next); /* its leaf never became durable */
        return true;
    }
    if (access(next, F_OK) == 0)
        return load_next(l, next, wanted, e);
    return err_at(e, ERR_CONFIG, l->path[PATH_KEY], ERR_NO_OFFSET,
                  "not the key that the log's newest rotation names: %.*s", (int)wanted.n,
                  (const char *)wanted.p);
}

bool rotate_recover(struct log *l, struct err *e)
{
    struct key_search s = {.arena = arena_new(ROTATE_ARENA), .size = UINT64_MAX};
    char *next = next_path(l);
    bool ok = (s.arena && next) || err_set(e, ERR_MEMORY, "out of memory for keys");
    ok = ok && op_each(l->store.db, RECORD_KEY, read_rotation, &s, e) &&
         check_newest(l, next, s.newest, e);
    arena_free(s.arena);
    free(next);
    return ok;
}

bool log_rotate_key(struct log *l, const char *key, struct span reason, struct buf *vkey,
                    struct err *e)
{
    struct op_result r;
    char *path = key ? realpath(key, NULL) : NULL; /* the owner may run in another folder */
    if (key && !path)
        return err_errno(e, key, "the new key cannot be found");
    struct op_args a = {.n = {0}, .s = {span_str(path), reason}};
    bool ok = op_do(l, OP_ROTATE, &a, &r, e);
    if (ok)
        buf_put_span(vkey, buf_span(&r.bytes));
    buf_free(&r.bytes);
    free(path);
    return ok && (buf_ok(vkey) || err_set(e, ERR_MEMORY, "out of memory for a key"));
}
