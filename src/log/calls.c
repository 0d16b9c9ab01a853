/*
 * Calls by the identifier of their answer. Identifiers are random and an index in their order
 * would touch a page of the database for every answer; so they are kept in blocks of entries
 * that follow each other, and a search looks into each block, the newest first.
 * The index only says where to look: what is found is judged by its leaf.
 */
#include "log/calls.h"

#include "log/read.h"
#include "log/store.h"

enum {
    BLOCK_BITS = 9,
    BLOCK = 1 << BLOCK_BITS,
    HASH_BITS = 27,
    LOOKED_MAX = 10000,
    LEAF_ARENA = 1 << 20,
    CALL_ENTRIES_MAX = 65536
};

static const char outcomes[] = "SELECT r.seq, r.leaf FROM entry AS n JOIN record AS r ON r.seq = "
                               "n.seq WHERE n.kind = ?1";

/* ---- the index ---- */

uint32_t response_hash(struct span id)
{
    struct digest d = sha256_of(id);
    uint32_t first =
        (uint32_t)d.b[0] << 24 | (uint32_t)d.b[1] << 16 | (uint32_t)d.b[2] << 8 | d.b[3];
    return first >> (32 - HASH_BITS);
}

int64_t response_row(uint64_t seq, uint32_t hash)
{
    return (int64_t)(seq / BLOCK << (HASH_BITS + BLOCK_BITS) | (uint64_t)hash << BLOCK_BITS |
                     seq % BLOCK);
}

/* What is no leaf has no identifier: saying so is for whoever verifies. */
static bool fill_one(sqlite3 *db, sqlite3_stmt *put, uint64_t seq, struct span leaf, struct err *e)
{
    struct record_head h;
    struct entry_index index;
    struct span body;
    if (!record_check(&h, &body, leaf, NULL) || !entry_index_of(&index, h.kind, body, NULL) ||
        !index.has_response)
        return true;
    sqlite3_bind_int64(put, 1, response_row(seq, index.response));
    return sql_run(db, put, "indexing answers", e);
}

bool responses_fill(sqlite3 *db, struct err *e)
{
    sqlite3_stmt *get = sql_prepare(db, outcomes, e);
    sqlite3_stmt *put = get ? sql_prepare(db, RESPONSE_INSERT, e) : NULL;
    int step = SQLITE_DONE;
    bool ok = put != NULL;
    if (ok)
        sqlite3_bind_int64(get, 1, RECORD_CALL_OUTCOME);
    while (ok && (step = sqlite3_step(get)) == SQLITE_ROW)
        ok = fill_one(db, put, (uint64_t)sqlite3_column_int64(get, 0), sql_blob(get, 1), e);
    ok = ok && (step == SQLITE_DONE || sql_fail(db, "reading outcomes", e));
    sqlite3_finalize(get);
    sqlite3_finalize(put);
    return ok;
}

/* ---- finding calls ---- */

struct search {
    struct log_reader *r;
    sqlite3_stmt *st;
    struct span id;
    bool (*visit)(void *arg, const struct log_call *call);
    void *arg;
    size_t looked;
    bool over;
};

/* Whether entry `seq` is an outcome whose answer had that identifier, and of which call. */
static bool judge(struct search *s, uint64_t seq, struct log_call *out, bool *is, struct err *e)
{
    struct record record;
    struct span leaf, id;
    struct arena *a = arena_new(LEAF_ARENA);
    bool ok = a ? log_reader_leaf(s->r, seq, a, &leaf, e)
                : err_set(e, ERR_MEMORY, "out of memory for an entry");
    ok = ok && record_decode(&record, leaf, a, e);
    *is = ok && record.head.kind == RECORD_CALL_OUTCOME &&
          json_string(json_get(record.body, "response_id"), &id) && span_eq(id, s->id) &&
          json_u64(json_get(record.body, "intent"), &out->intent);
    out->outcome = seq;
    arena_free(a);
    return ok;
}

static bool search_block(struct search *s, uint64_t block, uint32_t hash, struct err *e)
{
    struct log_call call;
    bool ok = true, is = false;
    int step = SQLITE_DONE;
    sqlite3_bind_int64(s->st, 1, response_row(block * BLOCK, hash));
    sqlite3_bind_int64(s->st, 2, response_row(block * BLOCK + BLOCK - 1, hash));
    while (ok && !s->over && (step = sqlite3_step(s->st)) == SQLITE_ROW) {
        uint64_t seq = block * BLOCK + (uint64_t)sqlite3_column_int64(s->st, 0) % BLOCK;
        ok = seq >= s->r->size || judge(s, seq, &call, &is, e);
        s->over = (is && !s->visit(s->arg, &call)) || ++s->looked == LOOKED_MAX;
    }
    if (ok && step != SQLITE_ROW && step != SQLITE_DONE)
        ok = sql_fail(s->r->db, "reading the index of answers", e);
    sqlite3_reset(s->st);
    return ok;
}

bool log_reader_calls(struct log_reader *r, struct span response,
                      bool (*visit)(void *arg, const struct log_call *call), void *arg,
                      struct err *e)
{
    static const char text[] =
        "SELECT id FROM response WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC";
    struct search s = {.r = r, .id = response, .visit = visit, .arg = arg};
    int64_t version = 0;
    if (!sql_int(r->db, "PRAGMA user_version", &version, e))
        return false;
    if (version < RESPONSE_SCHEMA)
        return err_set(e, ERR_USAGE,
                       "the log is of an earlier version, without an index of answers: whoever "
                       "opens it to append adds one");
    s.st = sql_prepare(r->db, text, e);
    bool ok = s.st != NULL;
    uint32_t hash = response_hash(response);
    for (uint64_t block = r->size / BLOCK + 1; ok && !s.over && block-- > 0;)
        ok = search_block(&s, block, hash, e);
    sqlite3_finalize(s.st);
    return ok;
}

/* ---- the entries of a call ---- */

struct gathering {
    struct log_call call;
    uint64_t *seq;
    size_t count, cap;
    struct arena *a;
    bool failed;
};

static bool is_of_call(struct span leaf, uint64_t intent)
{
    struct record_head h;
    struct span body;
    struct json root;
    uint64_t named = UINT64_MAX;
    if (!record_check(&h, &body, leaf, NULL))
        return false;
    if (h.kind != RECORD_CALL_WINDOW && h.kind != RECORD_CALL_OUTCOME)
        return false;
    struct arena *a = arena_new(LEAF_ARENA);
    bool ok = a && json_parse(&root, body, JSON_STRICT, a, NULL) &&
              json_u64(json_get(root, "intent"), &named) && named == intent;
    arena_free(a);
    return ok;
}

static bool gather(void *arg, uint64_t seq, struct span leaf)
{
    struct gathering *g = arg;
    if (seq != g->call.intent && !is_of_call(leaf, g->call.intent))
        return seq < g->call.outcome;
    uint64_t *grown = g->count < CALL_ENTRIES_MAX
                          ? arena_grow(g->a, g->seq, g->count, &g->cap, sizeof *g->seq)
                          : NULL;
    g->failed = grown == NULL;
    if (grown) {
        g->seq = grown;
        g->seq[g->count++] = seq;
    }
    return !g->failed && seq < g->call.outcome;
}

bool log_reader_call(struct log_reader *r, const struct log_call *call, const uint64_t **entries,
                     size_t *count, struct arena *a, struct err *e)
{
    struct gathering g = {.call = *call, .a = a};
    bool ok =
        log_reader_walk(r, call->intent, gather, &g, e) &&
        (!g.failed || err_set(e, ERR_LIMIT, "the call has more than %d entries", CALL_ENTRIES_MAX));
    *entries = g.seq;
    *count = ok ? g.count : 0;
    return ok;
}
