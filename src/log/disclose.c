/*
 * Disclosure: one field of one entry, opened to somebody by name. The leaf that says so
 * is durable before a byte of the content leaves (docs/log-format.md, "Disclosures"). Beside it,
 * content for the operator's own programs, which leave an entry of their own (replay).
 */
#include "log/ops.h"

#include <string.h>

#include "assay/base/text.h"

enum { DISCLOSE_ARENA = 256 << 20, RECEIPT_MAX = 1 << 20, RECIPIENT_MAX = 4096 };

struct disclosure {
    const struct log_disclosure *what;
    struct arena *arena;
    struct span data;
    uint8_t salt[SEAL_SALT];
    uint64_t leaf; /* of the disclosure */
};

/* ---- opening ---- */

static bool find_field(const struct record *r, struct span name, size_t *place, struct err *e)
{
    char shown[128];
    for (size_t i = 0; i < r->field_count; i++)
        if (span_eq(r->fields[i].name, name)) {
            *place = i;
            return true;
        }
    text_shown(shown, sizeof shown, name);
    return err_set(e, ERR_USAGE, "entry %llu has no sealed field \"%s\"",
                   (unsigned long long)r->head.seq, shown);
}

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

static bool open_ciphertext(struct log *l, struct disclosure *d, const struct record *r,
                            size_t place, const struct seal_key *key, struct span ciphertext,
                            struct err *e)
{
    const struct record_field *f = &r->fields[place];
    struct sealed_field sealed = {f->name, f->commitment, f->ciphertext, f->size};
    struct seal_key field_key;
    struct seal_id id;
    memcpy(id.b, r->head.id, SEAL_ID);
    seal_field_key(&field_key, key, f->name);
    bool ok =
        seal_open(&d->data, d->salt, &sealed, &field_key, l->origin, &id, ciphertext, d->arena, e);
    seal_wipe(&field_key, sizeof field_key);
    return ok;
}

static bool open_field(struct log *l, struct disclosure *d, const struct record *r, size_t place,
                       struct err *e)
{
    struct seal_key key;
    sqlite3 *db = l->store.db;
    if (!record_key(l, d->what->seq, &key, d->arena, e))
        return false;
    sqlite3_stmt *st = sql_prepare(db, "SELECT ciphertext FROM content WHERE id = ?1", e);
    bool ok = st != NULL;
    if (ok) {
        sqlite3_bind_int64(st, 1, (int64_t)(d->what->seq * LOG_PLACES + place));
        int step = sqlite3_step(st);
        if (step == SQLITE_DONE)
            ok = err_set(e, ERR_INTEGRITY, "the sealed content of entry %llu is missing",
                         (unsigned long long)d->what->seq);
        else
            ok = step == SQLITE_ROW ? open_ciphertext(l, d, r, place, &key, sql_blob(st, 0), e)
                                    : sql_fail(db, "reading content", e);
    }
    sqlite3_finalize(st);
    seal_wipe(&key, sizeof key);
    return ok;
}

/* ---- the leaf, then the bundle ---- */

static bool append_leaf(struct log *l, struct disclosure *d, struct err *e)
{
    struct op_body b;
    struct log_receipt r = {.seq = 0};
    body_start(&b);
    body_order(&b, &d->what->order);
    body_number(&b, "entry", d->what->seq);
    body_text(&b, "field", d->what->field);
    body_text(&b, "recipient", d->what->recipient);
    bool ok =
        body_end(&b, e) && op_write(l, RECORD_DISCLOSURE, SPAN_EMPTY, buf_span(&b.text), &r, e);
    body_free(&b);
    d->leaf = r.seq;
    return ok;
}

static bool disclose_job(struct log *l, void *arg, struct err *e)
{
    struct disclosure *d = arg;
    struct record r;
    size_t place = 0;
    return op_leaf(l->store.db, d->what->seq, &r, d->arena, e) &&
           find_field(&r, d->what->field, &place, e) && open_field(l, d, &r, place, e) &&
           append_leaf(l, d, e);
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

static bool put_bundle(struct buf *out, const struct disclosure *d, struct span receipt,
                       struct err *e)
{
    struct json_writer w;
    char hex[DIGEST_HEX + 1];
    struct digest salt;
    memcpy(salt.b, d->salt, SEAL_SALT);
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    jw_key(&w, "bundle");
    jw_str(&w, "assay/disclosure/v1");
    jw_key(&w, "fields");
    jw_array(&w);
    jw_object(&w);
    put_content(&w, d->data);
    jw_key(&w, "field");
    jw_string(&w, d->what->field);
    jw_key(&w, "salt");
    jw_str(&w, digest_hex(hex, &salt));
    jw_end_object(&w);
    jw_end_array(&w);
    jw_key(&w, "receipt");
    jw_string(&w, receipt);
    jw_end_object(&w);
    return (!w.failed && buf_ok(out)) ||
           err_set(e, ERR_LIMIT, "the disclosed content is larger than a bundle holds");
}

static bool bundle(struct log *l, const struct disclosure *d, struct buf *out, struct err *e)
{
    struct log_reader *reader = NULL;
    struct buf receipt;
    buf_init(&receipt, RECEIPT_MAX);
    bool ok = log_reader_open(&reader, l->folder, e) &&
              log_reader_receipt(reader, d->what->seq, &receipt, e) &&
              put_bundle(out, d, buf_span(&receipt), e);
    log_reader_close(reader);
    buf_free(&receipt);
    return ok;
}

bool disclose_run(struct log *l, const struct op_args *a, struct op_result *r, struct err *e)
{
    struct log_disclosure what = {a->n[0], a->s[0], a->s[3], {a->s[1], a->s[2]}};
    struct disclosure d = {.what = &what};
    if (!order_ok(&what.order, e))
        return false;
    if (what.recipient.n == 0 || what.recipient.n > RECIPIENT_MAX ||
        utf8_invalid(what.recipient) != TEXT_VALID)
        return err_set(e, ERR_USAGE, "say to whom it is disclosed, in at most %d bytes",
                       RECIPIENT_MAX);
    d.arena = arena_new(DISCLOSE_ARENA);
    bool ok = (d.arena || err_set(e, ERR_MEMORY, "out of memory for a disclosure")) &&
              log_run(l, disclose_job, &d, e) && bundle(l, &d, &r->bytes, e);
    r->n[0] = d.leaf;
    seal_wipe(d.salt, sizeof d.salt);
    if (d.arena)
        arena_wipe(d.arena);
    arena_free(d.arena);
    return ok;
}

bool log_disclose(struct log *l, const struct log_disclosure *what, uint64_t *leaf, struct buf *out,
                  struct err *e)
{
    struct op_args a = {.n = {what->seq},
                        .s = {what->field, what->order.by, what->order.basis, what->recipient}};
    struct op_result r;
    bool ok = op_do(l, OP_DISCLOSE, &a, &r, e);
    if (ok) {
        buf_put_span(out, buf_span(&r.bytes));
        *leaf = r.n[0];
        ok = buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for a disclosure");
    }
    if (r.bytes.p)
        seal_wipe(r.bytes.p, r.bytes.cap);
    buf_free(&r.bytes);
    return ok;
}

/* ---- for the log's own operator ---- */

static bool content_job(struct log *l, void *arg, struct err *e)
{
    struct disclosure *d = arg;
    struct record r;
    size_t place = 0;
    return op_leaf(l->store.db, d->what->seq, &r, d->arena, e) &&
           find_field(&r, d->what->field, &place, e) && open_field(l, d, &r, place, e);
}

bool content_run(struct log *l, const struct op_args *a, struct op_result *r, struct err *e)
{
    struct log_disclosure what = {.seq = a->n[0], .field = a->s[0]};
    struct disclosure d = {.what = &what, .arena = arena_new(DISCLOSE_ARENA)};
    bool ok = (d.arena || err_set(e, ERR_MEMORY, "out of memory for an entry's content")) &&
              log_run(l, content_job, &d, e);
    if (ok) {
        buf_put_span(&r->bytes, d.data);
        ok = buf_ok(&r->bytes) || err_set(e, ERR_LIMIT, "the content is too large to hand over");
    }
    seal_wipe(d.salt, sizeof d.salt);
    if (d.arena)
        arena_wipe(d.arena);
    arena_free(d.arena);
    return ok;
}

bool log_open_content(struct log *l, uint64_t seq, struct span field, struct buf *out,
                      struct err *e)
{
    struct op_args a = {.n = {seq}, .s = {field}};
    struct op_result r;
    bool ok = op_do(l, OP_CONTENT, &a, &r, e);
    if (ok) {
        buf_put_span(out, buf_span(&r.bytes));
        ok = buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for an entry's content");
    }
    if (r.bytes.p)
        seal_wipe(r.bytes.p, r.bytes.cap);
    buf_free(&r.bytes);
    return ok;
}
