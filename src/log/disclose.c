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
           find_field(&r, d->what->field, &place, e) &&
           content_open(l, &r, place, &d->data, d->salt, d->arena, e) && append_leaf(l, d, e);
}

static bool put_bundle(struct buf *out, const struct disclosure *d, struct span receipt,
                       struct err *e)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    jw_key(&w, "bundle");
    jw_str(&w, "assay/disclosure/v1");
    jw_key(&w, "fields");
    jw_array(&w);
    bundle_put_field(&w, d->what->field, d->data, d->salt);
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
           find_field(&r, d->what->field, &place, e) &&
           content_open(l, &r, place, &d->data, d->salt, d->arena, e);
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
