/*
 * Calls that an owner left open when it ended without warning: each gets an
 * outcome `crash`, so that no intent stays without one. It commits to what was
 * durable of the call: how many windows, their bytes, a chain over their leaves.
 */
#include <stdlib.h>
#include <string.h>

#include "log/store.h"

enum { AT_ONCE = 1000, BODY_MAX = 1024, SCRATCH = 1 << 20 };

/* A call without an outcome, and what is durable of it. */
struct call {
    uint64_t seq;
    struct digest chain;
    uint64_t windows, bytes;
    uint64_t released; /* bytes of the answer that may have left */
    char durability[16];
};

struct calls {
    struct call *at; /* ascending by seq */
    size_t count;
};

/*
 * Nothing but what is known. How often the upstream was asked, nobody does. What may have left:
 * where each window was durable first, all before the last one and at most the last one's
 * content, whose size is known padded; where the whole answer was, nothing; where its end
 * alone was, any number of bytes.
 */
static bool write_body(struct buf *body, const struct call *c)
{
    char chain[DIGEST_HEX + 1];
    bool known = strcmp(c->durability, "end") != 0;
    bool window = strcmp(c->durability, "window") == 0;
    buf_clear(body);
    buf_printf(body,
               "{\"durability\":\"%s\",\"error\":\"%s\",\"intent\":%llu,\"outcome\":\"crash\","
               "\"prefix\":{\"bytes\":%llu,\"chain\":\"%s\"},",
               c->durability, known ? "crash" : "crash: bytes released are not known",
               (unsigned long long)c->seq, (unsigned long long)c->bytes,
               digest_hex(chain, &c->chain));
    if (known)
        buf_printf(body, "\"released_bytes\":%llu,",
                   (unsigned long long)(window ? c->released : 0));
    buf_printf(body, "\"windows\":%llu}", (unsigned long long)c->windows);
    return buf_ok(body);
}

static bool outcome_of(struct log *l, const struct call *c, struct item **out, struct err *e)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    bool ok = write_body(&body, c) || err_set(e, ERR_MEMORY, "out of memory for a record");
    struct log_entry entry = {.kind = RECORD_CALL_OUTCOME, .body = buf_span(&body)};
    ok = ok && item_new(l, &entry, out, e);
    buf_free(&body);
    return ok;
}

/* ---- what is open ---- */

static bool read_intent(struct call *c, uint64_t seq, struct span leaf, struct err *e)
{
    struct record record;
    struct span durability;
    struct arena *a = arena_new(SCRATCH);
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for a record");
    ok = ok && record_decode(&record, leaf, a, e);
    *c = (struct call){.seq = seq, .chain = record_hash(leaf)};
    if (ok && (!json_string(json_get(record.body, "durability"), &durability) ||
               durability.n >= sizeof c->durability))
        ok = err_set(e, ERR_INTEGRITY,
                     "entry %llu is listed as an open call and is none (assay log reindex)",
                     (unsigned long long)seq);
    if (ok)
        memcpy(c->durability, durability.p, durability.n);
    arena_free(a);
    return ok;
}

/* The next open calls, in order. */
static bool gather(struct log *l, struct calls *out, struct err *e)
{
    static const char text[] = "SELECT o.seq, r.leaf FROM open_intent o JOIN record r "
                               "ON r.seq = o.seq ORDER BY o.seq LIMIT ?1";
    sqlite3_stmt *st = sql_prepare(l->store.db, text, e);
    int step = SQLITE_DONE;
    bool ok = st != NULL;
    out->count = 0;
    if (ok)
        sqlite3_bind_int(st, 1, AT_ONCE);
    while (ok && (step = sqlite3_step(st)) == SQLITE_ROW)
        ok = read_intent(&out->at[out->count++], (uint64_t)sqlite3_column_int64(st, 0),
                         sql_blob(st, 1), e);
    ok = ok && (step == SQLITE_DONE || sql_fail(l->store.db, "reading open calls", e));
    sqlite3_finalize(st);
    return ok;
}

/* ---- their windows ---- */

static int by_seq(const void *key, const void *c)
{
    uint64_t a = *(const uint64_t *)key, b = ((const struct call *)c)->seq;
    return (a > b) - (a < b);
}

static bool add_window(struct calls *calls, struct span leaf, struct arena *a, struct err *e)
{
    struct record w;
    uint64_t intent = 0, released = 0;
    if (!record_decode(&w, leaf, a, e))
        return false;
    if (!json_u64(json_get(w.body, "intent"), &intent) ||
        !json_u64(json_get(w.body, "released_bytes"), &released))
        return err_set(e, ERR_INTEGRITY, "entry %llu is listed as a window and is none",
                       (unsigned long long)w.head.seq);
    struct call *c = bsearch(&intent, calls->at, calls->count, sizeof *calls->at, by_seq);
    if (!c)
        return true; /* of a call that has ended, or of the next thousand */
    struct digest hash = record_hash(leaf);
    record_prefix_add(&c->chain, &hash);
    c->windows++;
    c->released = released;
    for (size_t i = 0; i < w.field_count; i++) {
        c->bytes += w.fields[i].size;
        c->released += w.fields[i].size;
    }
    return true;
}

static bool follow(struct log *l, struct calls *calls, struct err *e)
{
    static const char text[] = "SELECT r.leaf FROM entry e JOIN record r ON r.seq = e.seq "
                               "WHERE e.kind = ?1 AND e.seq > ?2 ORDER BY e.seq";
    sqlite3_stmt *st = calls->count ? sql_prepare(l->store.db, text, e) : NULL;
    int step = SQLITE_DONE;
    bool ok = st || calls->count == 0;
    if (st) {
        sqlite3_bind_int(st, 1, RECORD_CALL_WINDOW);
        sqlite3_bind_int64(st, 2, (int64_t)calls->at[0].seq);
    }
    while (ok && st && (step = sqlite3_step(st)) == SQLITE_ROW) {
        struct arena *a = arena_new(SCRATCH);
        ok = a ? add_window(calls, sql_blob(st, 0), a, e)
               : err_set(e, ERR_MEMORY, "out of memory for a record");
        arena_free(a);
    }
    ok = ok && (step == SQLITE_DONE || sql_fail(l->store.db, "reading windows", e));
    sqlite3_finalize(st);
    return ok;
}

/* ---- their outcomes ---- */

static bool all_taken(const struct item *items, struct err *e)
{
    for (; items; items = items->next)
        if (!items->receipt.ok)
            return err_set(e, items->receipt.error.code, "%s", items->receipt.error.text);
    return true;
}

static void free_items(struct log *l, struct item *items)
{
    while (items) {
        struct item *next = items->next;
        item_free(l, items);
        items = next;
    }
}

static bool close_some(struct log *l, const struct calls *calls, struct err *e)
{
    struct item *items = NULL, **last = &items;
    bool ok = true;
    for (size_t i = 0; ok && i < calls->count; i++) {
        ok = outcome_of(l, &calls->at[i], last, e);
        if (ok)
            last = &(*last)->next;
    }
    if (ok && items)
        ok = store_commit(l, items, e) && all_taken(items, e);
    free_items(l, items);
    return ok;
}

bool close_intents(struct log *l, uint64_t *closed, struct err *e)
{
    struct calls calls = {.at = calloc(AT_ONCE, sizeof *calls.at)};
    bool ok = calls.at || err_set(e, ERR_MEMORY, "out of memory for open calls");
    *closed = 0;
    do {
        ok = ok && gather(l, &calls, e) && follow(l, &calls, e) && close_some(l, &calls, e);
        *closed += ok ? calls.count : 0;
    } while (ok && calls.count == AT_ONCE);
    free(calls.at);
    return ok;
}
