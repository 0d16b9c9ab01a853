/*
 * What the operations share: asking the owner, writing their leaves, finding earlier ones.
 */
#include "log/ops.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "assay/base/text.h"
#include "log/socket.h"

enum { OP_WAIT_S = 3600, LEAF_ARENA = 4 << 20 };

const char op_software[] = "assay " ASSAY_VERSION;

static const struct {
    enum op_code code;
    op_run *run;
} operations[] = {
    {OP_ERASE, erase_run},
    {OP_ERASE_RESUME, erase_resume_run},
    {OP_CERTIFICATE, erase_certificate_run},
    {OP_HOLD, hold_run},
    {OP_RELEASE, release_run},
    {OP_DISCLOSE, disclose_run},
    {OP_ROTATE, rotate_run},
    {OP_SEAL_OFF, seal_off_run},
    {OP_CONTENT, content_run},
};

static op_run *find(uint8_t code)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (operations[i].code == code)
            return operations[i].run;
    return NULL;
}

bool op_known(uint8_t code)
{
    return find(code) != NULL;
}

/* ---- over LOG.sock ---- */

bool op_serve(struct log *l, uint8_t code, struct cursor *c, struct buf *result, struct err *e)
{
    struct op_args a;
    struct op_result r = {.n = {0}};
    for (int i = 0; i < OP_NUMBERS; i++)
        a.n[i] = cursor_u64(c);
    for (int i = 0; i < OP_TEXTS; i++) {
        uint32_t n = cursor_u32(c);
        a.s[i] = cursor_take(c, n);
    }
    if (!cursor_check(c, e))
        return false;
    buf_init(&r.bytes, OP_BYTES_MAX);
    bool ok = find(code)(l, &a, &r, e);
    for (int i = 0; ok && i < OP_NUMBERS; i++)
        buf_put_u64le(result, r.n[i]);
    if (ok)
        buf_put_span(result, buf_span(&r.bytes));
    buf_free(&r.bytes);
    return ok;
}

static bool ask(struct log *l, struct span request, struct op_result *r, struct err *e)
{
    struct socket_end owner;
    struct buf answer;
    struct span result;
    if (!socket_connect(&owner, l->folder, OP_WAIT_S,
                        e)) /* an erasure wraps every other key anew */
        return false;
    buf_init(&answer, SOCKET_FRAME_MAX);
    bool ok = socket_call(&owner, request, &answer, &result, e);
    if (ok) {
        struct cursor c = cursor_over(result);
        for (int i = 0; i < OP_NUMBERS; i++)
            r->n[i] = cursor_u64(&c);
        buf_put_span(&r->bytes, cursor_take(&c, cursor_left(&c)));
        ok = cursor_check(&c, e) &&
             (buf_ok(&r->bytes) || err_set(e, ERR_MEMORY, "out of memory for an answer"));
    }
    if (answer.p)
        seal_wipe(answer.p, answer.cap);
    buf_free(&answer);
    socket_close(&owner);
    return ok;
}

bool op_do(struct log *l, enum op_code code, const struct op_args *a, struct op_result *r,
           struct err *e)
{
    struct buf request;
    *r = (struct op_result){.n = {0}};
    buf_init(&r->bytes, OP_BYTES_MAX);
    if (!l->client)
        return find((uint8_t)code)(l, a, r, e);
    buf_init(&request, (size_t)OP_TEXTS * OP_TEXT_MAX + 4096);
    buf_put_u8(&request, (uint8_t)code);
    for (int i = 0; i < OP_NUMBERS; i++)
        buf_put_u64le(&request, a->n[i]);
    for (int i = 0; i < OP_TEXTS; i++) {
        buf_put_u32le(&request, (uint32_t)a->s[i].n);
        buf_put_span(&request, a->s[i]);
    }
    bool ok = buf_ok(&request) ? ask(l, buf_span(&request), r, e)
                               : err_set(e, ERR_LIMIT, "a text is too long for the log");
    buf_free(&request);
    return ok;
}

/* ---- leaves ---- */

void hex_id(char out[2 * SEAL_ID + 1], const struct seal_id *id)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SEAL_ID; i++) {
        out[2 * i] = digits[id->b[i] >> 4];
        out[2 * i + 1] = digits[id->b[i] & 15];
    }
    out[2 * SEAL_ID] = 0;
}

bool id_from_hex(struct seal_id *out, struct span hex)
{
    static const char digits[] = "0123456789abcdef";
    if (hex.n != 2 * SEAL_ID)
        return false;
    for (size_t i = 0; i < hex.n; i++) {
        const char *d = hex.p[i] ? strchr(digits, hex.p[i]) : NULL;
        if (!d)
            return false;
        unsigned v = (unsigned)(d - digits);
        out->b[i / 2] = (uint8_t)(i % 2 ? out->b[i / 2] | v : v << 4);
    }
    return true;
}

void body_open(struct op_body *b)
{
    buf_init(&b->text, 2 * RECORD_MAX);
    jw_init(&b->w, json_sink_buf, &b->text, false);
    jw_object(&b->w);
}

void body_start(struct op_body *b)
{
    body_open(b);
    body_text(b, "software", span_str(op_software));
}

void body_text(struct op_body *b, const char *name, struct span s)
{
    jw_key(&b->w, name);
    jw_string(&b->w, s);
}

void body_number(struct op_body *b, const char *name, uint64_t v)
{
    jw_key(&b->w, name);
    jw_u64(&b->w, v);
}

void body_id(struct op_body *b, const char *name, const struct seal_id *id)
{
    char hex[2 * SEAL_ID + 1];
    hex_id(hex, id);
    body_text(b, name, span_str(hex));
}

void body_ids(struct op_body *b, const char *name, const struct seal_id *ids, size_t count)
{
    char hex[2 * SEAL_ID + 1];
    jw_key(&b->w, name);
    jw_array(&b->w);
    for (size_t i = 0; i < count; i++) {
        hex_id(hex, &ids[i]);
        jw_str(&b->w, hex);
    }
    jw_end_array(&b->w);
}

void body_order(struct op_body *b, const struct log_order *o)
{
    body_text(b, "basis", o->basis);
    body_text(b, "by", o->by);
}

bool body_end(struct op_body *b, struct err *e)
{
    jw_end_object(&b->w);
    return buf_ok(&b->text) || err_set(e, ERR_LIMIT, "a record's members do not fit into a leaf");
}

void body_free(struct op_body *b)
{
    buf_free(&b->text);
}

bool order_ok(const struct log_order *o, struct err *e)
{
    if (o->by.n == 0 || o->basis.n == 0)
        return err_set(e, ERR_USAGE, "say who orders it and why: the log keeps both");
    if (o->by.n > 4096 || o->basis.n > 4096)
        return err_set(e, ERR_USAGE, "who orders it and why: at most 4096 bytes each");
    if (utf8_invalid(o->by) != TEXT_VALID || utf8_invalid(o->basis) != TEXT_VALID)
        return err_set(e, ERR_USAGE, "who orders it and why are not UTF-8 text");
    return true;
}

bool op_write(struct log *l, enum record_kind kind, struct span subject, struct span body,
              struct log_receipt *out, struct err *e)
{
    struct log_entry entry = {.kind = kind, .body = body, .subject = subject};
    struct err why = ERR_INIT;
    uint64_t size = l->store.tree.size;
    *out = (struct log_receipt){.ok = false};
    if (store_append(l, &entry, out, &why))
        return true;
    if (l->store.tree.size != size || why.code == ERR_IO)
        queue_fail(&l->queue, &why);
    return err_at(e, why.code, why.file[0] ? why.file : NULL, why.offset, "%s", why.text);
}

/* ---- earlier leaves ---- */

static bool visit_leaf(struct span leaf, op_visit *visit, void *arg, struct err *e)
{
    struct record r;
    struct arena *a = arena_new(LEAF_ARENA);
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for an entry");
    ok = ok && record_decode(&r, leaf, a, e) && visit(arg, r.head.seq, r.body, e);
    arena_free(a);
    return ok;
}

bool op_each(sqlite3 *db, enum record_kind kind, op_visit *visit, void *arg, struct err *e)
{
    sqlite3_stmt *st =
        sql_prepare(db,
                    "SELECT r.leaf FROM entry AS n JOIN record AS r ON r.seq = n.seq"
                    " WHERE n.kind = ?1 AND n.kind <> 5 AND n.kind <> 6 AND n.kind <> 18"
                    " ORDER BY n.seq",
                    e);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, (int64_t)kind);
    int step = SQLITE_DONE;
    bool ok = true;
    while (ok && (step = sqlite3_step(st)) == SQLITE_ROW)
        ok = visit_leaf(sql_blob(st, 0), visit, arg, e);
    if (ok && step != SQLITE_DONE)
        ok = sql_fail(db, "reading entries", e);
    sqlite3_finalize(st);
    return ok;
}

bool op_leaf(sqlite3 *db, uint64_t seq, struct record *out, struct arena *a, struct err *e)
{
    sqlite3_stmt *st = sql_prepare(db, "SELECT leaf FROM record WHERE seq = ?1", e);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, (int64_t)seq);
    int step = sqlite3_step(st);
    struct span leaf = step == SQLITE_ROW ? arena_span(a, sql_blob(st, 0)) : SPAN_EMPTY;
    bool ok = step == SQLITE_ROW || step == SQLITE_DONE || sql_fail(db, "reading an entry", e);
    sqlite3_finalize(st);
    if (ok && step == SQLITE_DONE)
        return err_set(e, ERR_USAGE, "the log has no entry %llu", (unsigned long long)seq);
    return ok && (leaf.p || err_set(e, ERR_MEMORY, "out of memory for an entry")) &&
           record_decode(out, leaf, a, e);
}
