/*
 * One call's entries in their order. The log keeps the order in which records are
 * submitted, so a window needs to wait for nothing but its intent, whose number it
 * names, and an outcome can be submitted right behind the last window.
 */
#include "exchange/book.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/body.h"

/* OUTCOME_ROOM: what an outcome takes when the disk has become full in the meantime. */
enum { BODY_MAX = 16384, OUTCOME_ROOM = 65536 };

/* ---- lifetime: an exchange stays while tickets name it, also while their callbacks run ---- */

static void free_owed(struct owed *o)
{
    if (!o)
        return;
    buf_free(&o->body);
    buf_free(&o->names);
    buf_free(&o->content);
    free(o);
}

static void release(struct exchange *x)
{
    if (!x->freed || x->tickets)
        return;
    free_owed(x->owed);
    free(x);
}

static void settle_ticket(struct exchange *x)
{
    x->tickets--;
    release(x);
}

void exchange_free(struct exchange *x)
{
    if (!x)
        return;
    if (x->opened && !x->ended)
        x->book->open--;
    x->freed = true;
    release(x);
}

bool exchange_is_open(const struct exchange *x)
{
    return x->opened && !x->ended;
}

uint64_t exchange_intent(const struct exchange *x)
{
    return x->intent;
}

uint64_t exchange_windows(const struct exchange *x)
{
    return x->windows;
}

static void tell(const struct exchange *x, exchange_done *done, void *arg,
                 const struct log_receipt *r)
{
    if (done && !x->freed)
        done(arg, r);
}

static void keep(struct exchange *x, const struct log_receipt *r)
{
    book_take(&x->last, r);
    x->last_known = true;
    if (!r->ok && !x->lost)
        x->failure = r->error;
    x->lost = x->lost || !r->ok;
}

/* ---- submitting ---- */

/* What stands behind a record that was not written is not told durable, whatever became of it. */
static void tell_settled(struct exchange *x, const struct ticket *t)
{
    struct log_receipt r = t->receipt;
    if (r.ok && x->lost) {
        r.ok = false;
        r.error = x->failure;
        x->last = r;
    }
    tell(x, t->done, t->arg, &r);
}

static void outcome_settled(struct exchange *x, struct ticket *t)
{
    keep(x, &t->receipt);
    if (!t->receipt.ok && !x->freed) { /* another, smaller one may be tried */
        x->ended = false;
        x->book->open++;
    }
    tell_settled(x, t);
    settle_ticket(x);
}

static void send_owed(struct exchange *x);

static void window_settled(struct exchange *x, struct ticket *t)
{
    keep(x, &t->receipt);
    x->on_way--;
    x->kept += !x->lost;
    tell_settled(x, t);
    if (x->owed && x->on_way == 0)
        send_owed(x);
    settle_ticket(x);
}

/* A name that stands in the leaf as it is; of others the log says what is found of them. */
static bool is_plain(struct span name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < 0x20 || name.p[i] > 0x7e || name.p[i] == '"' || name.p[i] == '\\')
            return false;
    return true;
}

static bool submit(struct exchange *x, enum record_kind kind, const struct buf *body,
                   const struct log_index *index, const struct log_content *content, size_t count,
                   const struct ticket *t, struct err *e)
{
    bool plain = is_plain(index->model) && is_plain(index->response);
    struct log_entry entry = {.kind = kind,
                              .body = buf_span(body),
                              .index = plain ? index : NULL,
                              .owed = kind != RECORD_CALL_INTENT,
                              .subject = x->subject,
                              .content = content,
                              .content_count = count,
                              .reserve = kind == RECORD_CALL_INTENT ? OUTCOME_ROOM : 0};
    struct ticket copy = *t;
    copy.exchange = x;
    x->last_known = false;
    if (!book_submit(x->book, &entry, &copy, e))
        return false;
    x->tickets++;
    return true;
}

static bool submit_window(struct exchange *x, const struct log_content *content, size_t count,
                          uint64_t released, const struct ticket *t, struct err *e)
{
    static const struct log_index none;
    struct buf body;
    buf_init(&body, BODY_MAX);
    bool ok = body_of_window(&body, x->intent, x->windows, released) ||
              err_set(e, ERR_MEMORY, "out of memory for a record");
    ok = ok && submit(x, RECORD_CALL_WINDOW, &body, &none, content, count, t, e);
    buf_free(&body);
    x->windows += ok;
    x->on_way += ok;
    return ok;
}

/* ---- pieces ---- */

/* The next piece of each field; what is left of them stays in `rest`. */
static size_t cut(struct log_content *piece, struct log_content *rest, size_t *rest_count)
{
    size_t n = *rest_count, left = 0;
    for (size_t i = 0; i < n; i++) {
        piece[i].field = rest[i].field;
        piece[i].data = span_sub(rest[i].data, 0, EXCHANGE_PIECE);
    }
    for (size_t i = 0; i < n; i++) {
        struct span more = span_sub(rest[i].data, EXCHANGE_PIECE, rest[i].data.n);
        if (more.n)
            rest[left++] = (struct log_content){rest[i].field, more};
    }
    *rest_count = left;
    return n;
}

static bool take(struct log_content *rest, const struct log_content *content, size_t count,
                 struct err *e)
{
    if (count > EXCHANGE_FIELDS)
        return err_set(e, ERR_LIMIT, "a call hands over at most %d fields at once",
                       EXCHANGE_FIELDS);
    if (count)
        memcpy(rest, content, count * sizeof *rest);
    return true;
}

/* Windows of all but the last pieces, which stay in `piece`. */
static bool spill(struct exchange *x, struct log_content *rest, size_t *rest_count,
                  struct log_content *piece, size_t *count, uint64_t released, struct err *e)
{
    const struct ticket nobody = {.settled = window_settled};
    for (*count = cut(piece, rest, rest_count); *rest_count; *count = cut(piece, rest, rest_count))
        if (!submit_window(x, piece, *count, released, &nobody, e))
            return false;
    return true;
}

/* ---- the intent ---- */

/* Content beyond the intent's own pieces follows in windows, which need its number. */
static void begun(struct exchange *x, struct ticket *t)
{
    struct log_content piece[EXCHANGE_FIELDS];
    struct log_receipt r = t->receipt;
    size_t count = 0;
    keep(x, &r);
    if (!r.ok || x->freed) {
        x->book->open--;
        tell(x, x->begun, x->begun_arg, &r);
        settle_ticket(x);
        return;
    }
    x->opened = true;
    x->intent = r.seq;
    if (x->rest_count) {
        struct ticket last = {.settled = window_settled, .done = x->begun, .arg = x->begun_arg};
        err_clear(&r.error);
        if (spill(x, x->rest, &x->rest_count, piece, &count, 0, &r.error) &&
            submit_window(x, piece, count, 0, &last, &r.error)) {
            settle_ticket(x);
            return;
        }
        r.ok = false;
        keep(x, &r);
    }
    tell(x, x->begun, x->begun_arg, &r);
    settle_ticket(x);
}

static struct exchange *make(struct exchange_book *b, const struct exchange_call *call)
{
    struct exchange *x = calloc(1, sizeof *x + call->subject.n);
    if (!x)
        return NULL;
    x->book = b;
    x->durability = call->durability;
    if (call->subject.n)
        memcpy(x + 1, call->subject.p, call->subject.n);
    x->subject = (struct span){(const uint8_t *)(x + 1), call->subject.n};
    return x;
}

bool exchange_begin(struct exchange **out, struct exchange_book *b,
                    const struct exchange_call *call, const struct log_content *content,
                    size_t count, exchange_done *done, void *arg, struct err *e)
{
    struct log_content piece[EXCHANGE_FIELDS];
    struct buf body;
    *out = NULL;
    if (b->open >= EXCHANGE_OPEN_MAX)
        return err_set(e, ERR_LIMIT, "%d calls are open: try again later", EXCHANGE_OPEN_MAX);
    struct exchange *x = make(b, call);
    if (!x)
        return err_set(e, ERR_MEMORY, "out of memory for a call");
    buf_init(&body, BODY_MAX);
    bool ok =
        body_of_call(&body, call) || err_set(e, ERR_LIMIT, "what the intent says is too long");
    ok = ok && take(x->rest, content, count, e);
    if (ok) {
        struct ticket t = {.settled = begun};
        struct log_index index = {.model = call->model.name};
        x->rest_count = count;
        x->begun = done;
        x->begun_arg = arg;
        count = cut(piece, x->rest, &x->rest_count);
        ok = submit(x, RECORD_CALL_INTENT, &body, &index, piece, count, &t, e);
    }
    buf_free(&body);
    if (!ok) {
        free(x);
        return false;
    }
    b->open++;
    *out = x;
    return true;
}

/* ---- windows and the outcome ---- */

static bool may_write(const struct exchange *x, struct err *e)
{
    if (x->lost)
        return err_set(e, ERR_IO, "the log did not take what came before of this call");
    return exchange_is_open(x) || err_set(e, ERR_USAGE, "the call is not open");
}

bool exchange_window(struct exchange *x, const struct log_content *content, size_t count,
                     uint64_t released, exchange_done *done, void *arg, struct err *e)
{
    struct log_content piece[EXCHANGE_FIELDS], rest[EXCHANGE_FIELDS];
    struct ticket t = {.settled = window_settled, .done = done, .arg = arg};
    size_t left = count;
    if (log_pressed(x->book->log))
        return err_set(e, ERR_LIMIT, "the log's queue is full: write the window later");
    bool ok = may_write(x, e) && take(rest, content, count, e) &&
              spill(x, rest, &left, piece, &count, released, e) &&
              submit_window(x, piece, count, released, &t, e);
    return ok;
}

static bool submit_outcome(struct exchange *x, const struct buf *body,
                           const struct log_index *index, const struct log_content *piece,
                           size_t count, const struct ticket *t, struct err *e)
{
    return submit(x, RECORD_CALL_OUTCOME, body, index, piece, count, t, e);
}

static void send_owed(struct exchange *x)
{
    struct owed *o = x->owed;
    struct log_receipt r = {.ok = false, .error = x->failure};
    x->owed = NULL;
    if (x->lost ||
        !submit_outcome(x, &o->body, &o->index, o->piece, o->count, &o->ticket, &r.error)) {
        if (!x->freed) {
            x->ended = false;
            x->book->open++;
        }
        keep(x, &r);
        tell(x, o->ticket.done, o->ticket.arg, &r);
    }
    free_owed(o);
}

static struct span copied(struct buf *to, struct span s)
{
    size_t at = to->n;
    buf_put_span(to, s);
    return span_sub(buf_span(to), at, s.n);
}

/* All of it is the caller's, who may not keep it. Room is made first, so that spans stay. */
static bool keep_owed(struct exchange *x, const struct buf *body, const struct log_index *index,
                      const struct log_content *piece, size_t count, const struct ticket *t,
                      struct err *e)
{
    struct owed *o = calloc(1, sizeof *o);
    size_t bytes = 0, names = index->model.n + index->outcome.n + index->response.n;
    if (!o)
        return err_set(e, ERR_MEMORY, "out of memory for an outcome");
    for (size_t i = 0; i < count; i++) {
        bytes += piece[i].data.n;
        names += piece[i].field.n;
    }
    buf_init(&o->body, body->n + 1);
    buf_init(&o->names, names + 1);
    buf_init(&o->content, bytes + 1);
    o->ticket = *t;
    o->count = count;
    o->index = *index;
    if (!buf_room(&o->names, names + 1) || !buf_room(&o->content, bytes + 1)) {
        free_owed(o);
        return err_set(e, ERR_MEMORY, "out of memory for an outcome");
    }
    buf_put_span(&o->body, buf_span(body));
    o->index.model = copied(&o->names, index->model);
    o->index.outcome = copied(&o->names, index->outcome);
    o->index.response = copied(&o->names, index->response);
    for (size_t i = 0; i < count; i++)
        o->piece[i] = (struct log_content){copied(&o->names, piece[i].field),
                                           copied(&o->content, piece[i].data)};
    if (!buf_ok(&o->body) || !buf_ok(&o->names) || !buf_ok(&o->content)) {
        free_owed(o);
        return err_set(e, ERR_MEMORY, "out of memory for an outcome");
    }
    x->owed = o;
    return true;
}

bool exchange_end(struct exchange *x, const struct exchange_outcome *outcome,
                  const struct log_content *content, size_t count, exchange_done *done, void *arg,
                  struct err *e)
{
    struct log_content piece[EXCHANGE_FIELDS], rest[EXCHANGE_FIELDS];
    struct ticket t = {.settled = outcome_settled, .done = done, .arg = arg};
    struct buf body;
    size_t left = count;
    if (!exchange_is_open(x))
        return err_set(e, ERR_USAGE, "the call is not open");
    if (x->lost && x->on_way == 0) { /* which was told: it ends with what there is of it */
        x->lost = false;
        x->windows = x->kept;
    }
    if (!take(rest, content, count, e) ||
        !spill(x, rest, &left, piece, &count, outcome->released, e))
        return false;
    buf_init(&body, BODY_MAX);
    bool ok = body_of_outcome(&body, outcome, x->durability, x->intent, x->windows) ||
              err_set(e, ERR_LIMIT, "what the outcome says is too long");
    struct log_index index = {.model = outcome->model.name,
                              .outcome = span_str(exchange_result_name(outcome->result)),
                              .response = outcome->response_id,
                              .has_intent = true,
                              .intent = x->intent};
    if (x->on_way == 0) /* mostly; else it follows when they are durable */
        ok = ok && submit_outcome(x, &body, &index, piece, count, &t, e);
    else
        ok = ok && keep_owed(x, &body, &index, piece, count, &t, e);
    buf_free(&body);
    if (ok) {
        x->ended = true;
        x->book->open--;
    }
    return ok;
}

bool exchange_wait(struct exchange *x, struct log_receipt *out, struct err *e)
{
    while (x->tickets) {
        struct pollfd p = {.fd = x->book->fd, .events = POLLIN};
        exchange_book_push(x->book);
        if (poll(&p, 1, -1) > 0)
            exchange_book_run(x->book);
    }
    if (out)
        *out = x->last;
    if (!x->last_known)
        return err_set(e, ERR_USAGE, "nothing was handed to the log");
    return (x->last.ok && !x->lost) ||
           err_set(e, x->last.error.code ? x->last.error.code : ERR_IO, "%s",
                   x->last.error.text[0] ? x->last.error.text : "the log did not take the record");
}
