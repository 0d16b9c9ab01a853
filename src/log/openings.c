/*
 * Sealed content opened by the log's owner: one field for a disclosure, or all of a call
 * for the caller's own receipt (docs/log-format.md, "Receipts of calls"), which is no
 * disclosure and no entry, because it shows the caller what the caller said and got.
 */
#include "log/ops.h"

#include <string.h>

#include "assay/base/text.h"

enum { ENTRY_ARENA = 256 << 20, RECEIPT_TEXT_MAX = 1 << 20 };

/* ---- one field ---- */

static bool record_key(struct log *l, uint64_t seq, struct seal_key *out, struct arena *a,
                       struct err *e)
{
    struct seal_wrapped wrapped;
    struct subject_row row;
    int64_t subject = 0;
    bool ok = content_key_of(l->store.db, seq, &subject, &wrapped, e) &&
              subject_row_open(l, subject, &row, a, e);
    ok = ok && seal_key_unwrap(out, &row.key, &wrapped, e);
    seal_wipe(&row, sizeof row);
    return ok;
}

static bool open_ciphertext(struct log *l, const struct record_field *f, const struct record *r,
                            const struct seal_key *key, struct span ciphertext, struct span *data,
                            uint8_t salt[SEAL_SALT], struct arena *a, struct err *e)
{
    struct sealed_field sealed = {f->name, f->commitment, f->ciphertext, f->size};
    struct seal_key field_key;
    struct seal_id id;
    memcpy(id.b, r->head.id, SEAL_ID);
    seal_field_key(&field_key, key, f->name);
    bool ok = seal_open(data, salt, &sealed, &field_key, l->origin, &id, ciphertext, a, e);
    seal_wipe(&field_key, sizeof field_key);
    return ok;
}

bool content_open(struct log *l, const struct record *r, size_t place, struct span *data,
                  uint8_t salt[SEAL_SALT], struct arena *a, struct err *e)
{
    struct seal_key key;
    sqlite3 *db = l->store.db;
    if (!record_key(l, r->head.seq, &key, a, e))
        return false;
    sqlite3_stmt *st = sql_prepare(db, "SELECT ciphertext FROM content WHERE id = ?1", e);
    bool ok = st != NULL;
    if (ok) {
        sqlite3_bind_int64(st, 1, (int64_t)(r->head.seq * LOG_PLACES + place));
        int step = sqlite3_step(st);
        if (step == SQLITE_DONE)
            ok = err_set(e, ERR_INTEGRITY, "the sealed content of entry %llu is missing",
                         (unsigned long long)r->head.seq);
        else
            ok = step == SQLITE_ROW ? open_ciphertext(l, &r->fields[place], r, &key,
                                                      sql_blob(st, 0), data, salt, a, e)
                                    : sql_fail(db, "reading content", e);
    }
    sqlite3_finalize(st);
    seal_wipe(&key, sizeof key);
    return ok;
}

static void put_content(struct json_writer *w, struct span data)
{
    struct buf b;
    if (utf8_invalid(data) == TEXT_VALID) {
        jw_key(w, "content");
        jw_string(w, data);
        return;
    }
    buf_init(&b, OP_BYTES_MAX);
    base64_put(&b, data);
    jw_key(w, "content_base64");
    jw_string(w, buf_span(&b));
    w->failed = w->failed || !buf_ok(&b);
    if (b.p)
        seal_wipe(b.p, b.cap);
    buf_free(&b);
}

void bundle_put_field(struct json_writer *w, struct span field, struct span data,
                      const uint8_t salt[SEAL_SALT])
{
    char hex[DIGEST_HEX + 1];
    struct digest d;
    memcpy(d.b, salt, SEAL_SALT);
    jw_object(w);
    put_content(w, data);
    jw_key(w, "field");
    jw_string(w, field);
    jw_key(w, "salt");
    jw_str(w, digest_hex(hex, &d));
    jw_end_object(w);
}

/* ---- a call ---- */

struct opening {
    uint64_t seq;
    struct buf *out;
};

static bool put_fields(struct log *l, const struct record *r, struct json_writer *w,
                       struct arena *a, struct err *e)
{
    uint8_t salt[SEAL_SALT] = {0};
    struct span data = SPAN_EMPTY;
    jw_array(w);
    for (size_t i = 0; i < r->field_count; i++) {
        if (!content_open(l, r, i, &data, salt, a, e))
            return false;
        bundle_put_field(w, r->fields[i].name, data, salt);
        seal_wipe(salt, sizeof salt);
    }
    jw_end_array(w);
    return !w->failed || err_set(e, ERR_LIMIT, "the call is larger than a receipt holds");
}

static bool open_entry(struct log *l, void *arg, struct err *e)
{
    const struct opening *o = arg;
    struct json_writer w;
    struct record r;
    struct arena *a = arena_new(ENTRY_ARENA);
    jw_init(&w, json_sink_buf, o->out, false);
    bool ok = (a || err_set(e, ERR_MEMORY, "out of memory for a receipt")) &&
              op_leaf(l->store.db, o->seq, &r, a, e) && put_fields(l, &r, &w, a, e);
    if (a)
        arena_wipe(a);
    arena_free(a);
    return ok;
}

static bool put_entry(struct log *l, struct log_reader *r, uint64_t seq, struct buf *out,
                      struct err *e)
{
    struct buf text;
    struct json_writer w;
    struct opening o = {seq, out};
    buf_init(&text, RECEIPT_TEXT_MAX);
    bool ok = log_reader_receipt(r, seq, &text, e);
    if (ok) {
        buf_put_str(out, "{\"receipt\":");
        jw_init(&w, json_sink_buf, out, false);
        jw_string(&w, buf_span(&text));
        buf_put_str(out, ",\"fields\":");
        ok = log_run(l, open_entry, &o, e);
        buf_put_str(out, "}");
    }
    buf_free(&text);
    return ok;
}

static bool put_entries(struct log *l, struct log_reader *r, const uint64_t *seq, size_t count,
                        struct buf *out, struct err *e)
{
    buf_put_str(out, "{\"bundle\":\"assay/receipt/v1\",\"entries\":[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_put_u8(out, ',');
        if (!put_entry(l, r, seq[i], out, e))
            return false;
    }
    buf_put_str(out, "]}\n");
    return buf_ok(out) || err_set(e, ERR_LIMIT, "the call is larger than a receipt holds");
}

bool log_call_receipt(struct log *l, uint64_t intent, uint64_t outcome, struct buf *out,
                      struct err *e)
{
    struct log_reader *r = NULL;
    struct arena *a = arena_new(1 << 20);
    const struct log_call call = {intent, outcome};
    const uint64_t *seq = NULL;
    size_t count = 0;
    if (!log_is_owner(l)) {
        arena_free(a);
        return err_set(e, ERR_USAGE, "only the owner of a log opens a call's content");
    }
    bool ok = (a || err_set(e, ERR_MEMORY, "out of memory for a receipt")) &&
              log_reader_open(&r, l->folder, e) && log_reader_call(r, &call, &seq, &count, a, e) &&
              put_entries(l, r, seq, count, out, e);
    log_reader_close(r);
    arena_free(a);
    return ok;
}
