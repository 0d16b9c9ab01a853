/*
 * Calls that an owner left open when it ended without warning: each gets an
 * outcome `crash`, so that no intent stays without one.
 */
#include <stdlib.h>

#include "log/store.h"

enum { AT_ONCE = 1000, BODY_MAX = 1024 };

/* What the intent promised. Only where the whole answer had to be durable first is it known
 * that nothing of it left. */
static bool write_body(struct buf *body, uint64_t intent, struct span durability)
{
    bool nothing_left = span_is(durability, "answer");
    buf_clear(body);
    buf_printf(body,
               "{\"attempts\":0,\"durability\":\"%.*s\",\"error\":\"%s\",\"intent\":%llu,"
               "\"outcome\":\"crash\",\"released_bytes\":0}",
               (int)durability.n, (const char *)durability.p,
               nothing_left ? "crash" : "crash: bytes released are not known",
               (unsigned long long)intent);
    return buf_ok(body);
}

static bool outcome_of(struct log *l, uint64_t intent, struct span leaf, struct item **out,
                       struct err *e)
{
    struct record record;
    struct span durability = SPAN_EMPTY;
    struct buf body;
    struct arena *a = arena_new(1 << 20);
    buf_init(&body, BODY_MAX);
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for a record");
    ok = ok && record_decode(&record, leaf, a, e);
    if (ok && !json_string(json_get(record.body, "durability"), &durability))
        ok = err_set(e, ERR_INTEGRITY,
                     "entry %llu is listed as an open call and is none (assay log reindex)",
                     (unsigned long long)intent);
    ok = ok && (write_body(&body, intent, durability) || err_set(e, ERR_MEMORY, "out of memory"));
    struct log_entry entry = {.kind = RECORD_CALL_OUTCOME, .body = buf_span(&body)};
    ok = ok && item_new(l, &entry, out, e);
    buf_free(&body);
    arena_free(a);
    return ok;
}

/* Outcomes for the next open intents, in order. */
static bool gather(struct log *l, struct item **first, uint64_t *count, struct err *e)
{
    struct item **last = first;
    sqlite3_stmt *st = sql_prepare(l->store.db,
                                   "SELECT o.seq, r.leaf FROM open_intent o JOIN record r "
                                   "ON r.seq = o.seq ORDER BY o.seq LIMIT ?1",
                                   e);
    if (!st)
        return false;
    sqlite3_bind_int(st, 1, AT_ONCE);
    int step;
    bool ok = true;
    while (ok && (step = sqlite3_step(st)) == SQLITE_ROW) {
        ok = outcome_of(l, (uint64_t)sqlite3_column_int64(st, 0), sql_blob(st, 1), last, e);
        if (ok) {
            last = &(*last)->next;
            ++*count;
        }
    }
    ok = ok && (step == SQLITE_DONE || sql_fail(l->store.db, "reading open calls", e));
    sqlite3_finalize(st);
    return ok;
}

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

bool close_intents(struct log *l, uint64_t *closed, struct err *e)
{
    uint64_t before;
    *closed = 0;
    do {
        struct item *items = NULL;
        before = *closed;
        bool ok = gather(l, &items, closed, e);
        if (ok && items)
            ok = store_commit(l, items, e) && all_taken(items, e);
        free_items(l, items);
        if (!ok)
            return false;
    } while (*closed > before);
    return true;
}
