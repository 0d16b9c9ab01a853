/*
 * Erasure certificates: what an erasure leaf says, its receipt, and the log's signature
 * over both, in one file for the person who asked for it.
 */
#include "log/ops.h"

#include <string.h>

enum { CERTIFICATE_MAX = 1 << 19 };

static bool read_erasure(struct log_reader *reader, uint64_t seq, struct record *out,
                         struct arena *a, struct err *e)
{
    struct span leaf;
    if (!log_reader_leaf(reader, seq, a, &leaf, e) || !record_decode(out, leaf, a, e))
        return false;
    return out->head.kind == RECORD_ERASURE ||
           err_set(e, ERR_USAGE, "entry %llu is not an erasure", (unsigned long long)seq);
}

static void put_text(struct json_writer *w, const struct log *l, const struct record *r,
                     struct span receipt)
{
    jw_object(w);
    jw_key(w, "certificate");
    jw_str(w, "assay/erasure/v1");
    jw_key(w, "entry");
    jw_u64(w, r->head.seq);
    jw_key(w, "erasure");
    jw_raw(w, json_text(r->body));
    jw_key(w, "origin");
    jw_string(w, l->origin);
    jw_key(w, "receipt");
    jw_string(w, receipt);
    jw_key(w, "wall_us");
    jw_u64(w, r->head.wall_us);
    jw_end_object(w);
}

static bool sign_text(struct log *l, struct buf *text, struct buf *out, struct err *e)
{
    buf_put_u8(text, '\n');
    buf_put_span(out, buf_span(text));
    buf_put_u8(out, '\n');
    pthread_rwlock_rdlock(&l->keys);
    bool ok = buf_ok(text) ? note_sign(out, buf_span(text), &l->name, l->key, e)
                           : err_set(e, ERR_MEMORY, "out of memory for a certificate");
    pthread_rwlock_unlock(&l->keys);
    return ok && (buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for a certificate"));
}

bool erase_certificate_run(struct log *l, const struct op_args *args, struct op_result *r,
                           struct err *e)
{
    struct log_reader *reader = NULL;
    struct record record;
    struct buf receipt, text;
    struct json_writer w;
    struct arena *a = arena_new(CERTIFICATE_MAX);
    buf_init(&receipt, CERTIFICATE_MAX);
    buf_init(&text, CERTIFICATE_MAX);
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for a certificate");
    ok = ok && log_reader_open(&reader, l->folder, e) &&
         read_erasure(reader, args->n[0], &record, a, e) &&
         log_reader_receipt(reader, args->n[0], &receipt, e);
    if (ok) {
        jw_init(&w, json_sink_buf, &text, true);
        put_text(&w, l, &record, buf_span(&receipt));
        ok = sign_text(l, &text, &r->bytes, e);
    }
    log_reader_close(reader);
    buf_free(&receipt);
    buf_free(&text);
    arena_free(a);
    return ok;
}

bool log_erase_certificate(struct log *l, uint64_t seq, struct buf *out, struct err *e)
{
    struct op_args a = {.n = {seq}};
    struct op_result r;
    bool ok = op_do(l, OP_CERTIFICATE, &a, &r, e);
    if (ok)
        buf_put_span(out, buf_span(&r.bytes));
    ok = ok && (buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for a certificate"));
    buf_free(&r.bytes);
    return ok;
}
