/*
 * Sealing a log off: its last leaf and its final checkpoint. What continues it is another
 * log, whose genesis names that checkpoint (docs/log-format.md, "Succession").
 */
#include "log/ops.h"
#include "log/read.h"

#include <string.h>

static bool nothing_open(struct log *l, struct err *e)
{
    int64_t intents = 0, pending = 0;
    if (!sql_int(l->store.db, "SELECT count(*) FROM open_intent", &intents, e) ||
        !sql_int(l->store.db, "SELECT count(*) FROM erasure", &pending, e))
        return false;
    if (intents)
        return err_set(e, ERR_USAGE,
                       "%lld calls are still open: stop what serves them, then seal off",
                       (long long)intents);
    return pending == 0 || err_set(e, ERR_USAGE, "an erasure is pending: finish it, then seal off");
}

static bool append_end(struct log *l, struct err *e)
{
    struct op_body b;
    struct log_receipt r;
    body_start(&b);
    body_text(&b, "reason", span_str("seal-off"));
    bool ok = body_end(&b, e) && op_write(l, RECORD_STOP, SPAN_EMPTY, buf_span(&b.text), &r, e);
    body_free(&b);
    return ok;
}

static bool seal_off_job(struct log *l, void *arg, struct err *e)
{
    static const struct err sealed = {ERR_USAGE, ERR_NO_OFFSET, "",
                                      "the log was sealed off and takes no more entries"};
    struct buf *note = arg;
    if (!store_exclude(l, e))
        return false;
    bool ok = nothing_open(l, e) && append_end(l, e) && store_keep(l, e);
    if (ok) {
        l->store.sealed = true;
        buf_put_span(note, buf_span(&l->store.note)); /* what was kept */
        queue_fail(&l->queue, &sealed);
    }
    store_admit(l);
    return ok && (buf_ok(note) || err_set(e, ERR_MEMORY, "out of memory for a checkpoint"));
}

bool seal_off_run(struct log *l, const struct op_args *a, struct op_result *r, struct err *e)
{
    (void)a;
    return log_run(l, seal_off_job, &r->bytes, e);
}

bool log_seal_off(struct log *l, struct buf *checkpoint, struct err *e)
{
    struct op_args a = {.n = {0}};
    struct op_result r;
    bool ok = op_do(l, OP_SEAL_OFF, &a, &r, e);
    if (ok)
        buf_put_span(checkpoint, buf_span(&r.bytes));
    buf_free(&r.bytes);
    return ok && (buf_ok(checkpoint) || err_set(e, ERR_MEMORY, "out of memory for a checkpoint"));
}

/* ---- reading that a log was ---- */

bool sealed_off(sqlite3 *db, uint64_t size, bool *sealed, struct err *e)
{
    struct record r;
    struct span reason;
    struct arena *a = arena_new(4 << 20);
    *sealed = false;
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for an entry");
    ok = ok && (size == 0 || op_leaf(db, size - 1, &r, a, e));
    if (ok && size)
        *sealed = r.head.kind == RECORD_STOP && json_string(json_get(r.body, "reason"), &reason) &&
                  span_is(reason, "seal-off");
    arena_free(a);
    return ok;
}

struct newest_key {
    struct arena *arena;
    struct span key;
};

static bool take_key(void *arg, uint64_t seq, struct json body, struct err *e)
{
    struct newest_key *k = arg;
    struct span key;
    if (!json_string(json_get(body, "new"), &key) && !json_string(json_get(body, "key"), &key))
        return err_set(e, ERR_INTEGRITY, "entry %llu names no key", (unsigned long long)seq);
    k->key = arena_span(k->arena, key);
    return k->key.p || err_set(e, ERR_MEMORY, "out of memory for a key");
}

/* The final checkpoint must be signed, cover everything, and be by the key that is named. */
static bool check_final(const struct predecessor *p, uint64_t size, struct arena *a, struct err *e)
{
    struct note note;
    struct note_key key;
    struct checkpoint c;
    bool valid = false;
    return note_key_parse(&key, p->key, a, e) && note_parse(&note, p->checkpoint, a, e) &&
           checkpoint_parse(&c, note.text, e) && note_verify(&note, &key, 1, &valid, NULL, e) &&
           ((valid && c.size == size) ||
            err_set(e, ERR_INTEGRITY, "the predecessor has no signed checkpoint of its end"));
}

static bool read_predecessor(struct log_reader *r, struct predecessor *out, struct arena *a,
                             struct err *e)
{
    struct buf note;
    struct newest_key k = {.arena = a};
    bool sealed = false;
    if (!sealed_off(r->db, r->size, &sealed, e))
        return false;
    if (!sealed)
        return err_set(e, ERR_USAGE, "the predecessor was not sealed off (assay log seal-off)");
    buf_init(&note, LOG_NOTE_MAX);
    bool ok = op_each(r->db, RECORD_GENESIS, take_key, &k, e) &&
              op_each(r->db, RECORD_KEY, take_key, &k, e) && log_reader_checkpoint(r, &note, e);
    out->key = k.key;
    out->checkpoint = ok ? arena_span(a, buf_span(&note)) : SPAN_EMPTY;
    buf_free(&note);
    return ok && check_final(out, r->size, a, e);
}

bool predecessor_read(const char *folder, struct predecessor *out, struct arena *a, struct err *e)
{
    struct log_reader *r = NULL;
    if (!log_reader_open(&r, folder, e))
        return false;
    bool ok = read_predecessor(r, out, a, e);
    log_reader_close(r);
    if (!ok)
        err_in_file(e, folder);
    return ok;
}
