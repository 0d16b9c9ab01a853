/*
 * GET /v1/receipts/ID. Opening content waits for the log, so it is done in a thread of its
 * own, one receipt after the other; the answer goes out from the loop. Only who made
 * the call gets it: the intent's keyed hash must be that of the asking credential.
 */
#include "serve/receipts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "assay/base/text.h"

enum { QUEUE_MAX = 64, RECEIPT_BYTES = 128 << 20, TRIES = 15, WAIT_US = 200000 };

enum found { FOUND, NOT_FOUND, NOT_YOURS, NOT_YET, FAILED };

struct job {
    struct guest guest;
    struct job *next;
    struct conn *conn; /* loop's thread; NULL: the client left */
    struct caller who;
    struct ledger_call call;
    bool by_entry; /* call.intent is any entry of it */
    enum found found;
    struct buf text;
};

struct receipts {
    struct service *service;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct job *first, **last; /* asked for */
    struct job *done;
    struct loop_event *ready;
    size_t count;
    int event;
    bool stopping, running;
    char *folder;
};

/* ---- in the thread ---- */

struct search {
    uint64_t intent;
    uint64_t outcome;
    bool found;
};

static bool look_for_outcome(void *arg, uint64_t seq, struct span leaf)
{
    struct search *s = arg;
    struct record r;
    uint64_t intent = UINT64_MAX;
    struct arena *a = arena_new(1 << 20);
    if (a && record_decode(&r, leaf, a, NULL) && r.head.kind == RECORD_CALL_OUTCOME)
        s->found = json_u64(json_get(r.body, "intent"), &intent) && intent == s->intent;
    s->outcome = seq;
    arena_free(a);
    return !s->found;
}

/* The intent of the call that an entry belongs to. */
static bool intent_of(struct log_reader *r, uint64_t seq, uint64_t *intent)
{
    struct record record;
    struct span leaf;
    struct arena *a = arena_new(1 << 20);
    bool ok = a && log_reader_leaf(r, seq, a, &leaf, NULL) && record_decode(&record, leaf, a, NULL);
    *intent = seq;
    if (ok && record.head.kind != RECORD_CALL_INTENT)
        ok = json_u64(json_get(record.body, "intent"), intent) &&
             (record.head.kind == RECORD_CALL_OUTCOME || record.head.kind == RECORD_CALL_WINDOW);
    arena_free(a);
    return ok;
}

static bool is_theirs(struct log_reader *r, const struct job *j)
{
    struct record record;
    struct span leaf, hex = SPAN_EMPTY;
    struct digest credential;
    struct arena *a = arena_new(1 << 20);
    bool ok = a && log_reader_leaf(r, j->call.intent, a, &leaf, NULL) &&
              record_decode(&record, leaf, a, NULL);
    if (ok && !json_string(json_get(record.body, "credential"), &hex))
        ok = !j->who.has_credential; /* an open server: nobody has a key */
    else if (ok)
        ok = j->who.has_credential && digest_from_hex(&credential, hex) &&
             digest_eq(&credential, &j->who.credential);
    arena_free(a);
    return ok;
}

static enum found resolve(struct log_reader *r, struct job *j)
{
    struct search s = {.found = false};
    if (!j->by_entry)
        return is_theirs(r, j) ? FOUND : NOT_YOURS;
    if (!intent_of(r, j->call.intent, &s.intent))
        return NOT_FOUND;
    j->call.intent = s.intent;
    if (!is_theirs(r, j))
        return NOT_YOURS;
    if (!log_reader_walk(r, s.intent + 1, look_for_outcome, &s, NULL) || !s.found)
        return NOT_YET;
    j->call.outcome = s.outcome;
    return FOUND;
}

static void work(struct receipts *rs, struct job *j)
{
    struct log_reader *r = NULL;
    struct err e = ERR_INIT;
    j->found = FAILED;
    if (!log_reader_open(&r, rs->folder, &e))
        return;
    j->found = resolve(r, j);
    log_reader_close(r);
    /* The newest entries are signed within a second. */
    for (int i = 0; j->found == FOUND && i < TRIES; i++) {
        err_clear(&e);
        buf_clear(&j->text);
        if (log_call_receipt(rs->service->log, j->call.intent, j->call.outcome, &j->text, &e))
            return;
        if (e.code != ERR_USAGE)
            break;
        usleep(WAIT_US);
    }
    if (j->found == FOUND)
        j->found = e.code == ERR_USAGE ? NOT_YET : FAILED;
}

static void *run(void *arg)
{
    struct receipts *rs = arg;
    const uint64_t one = 1;
    pthread_mutex_lock(&rs->lock);
    while (!rs->stopping) {
        struct job *j = rs->first;
        if (!j) {
            pthread_cond_wait(&rs->filled, &rs->lock);
            continue;
        }
        rs->first = j->next;
        if (!rs->first)
            rs->last = &rs->first;
        pthread_mutex_unlock(&rs->lock);
        work(rs, j);
        pthread_mutex_lock(&rs->lock);
        j->next = rs->done;
        rs->done = j;
        if (write(rs->event, &one, sizeof one) != sizeof one)
            rs->stopping = true; /* an eventfd that cannot count: it does not happen */
    }
    pthread_mutex_unlock(&rs->lock);
    return NULL;
}

/* ---- in the loop ---- */

static void answer(struct job *j)
{
    switch (j->found) {
    case FOUND:
        reply_large(j->conn, "application/json", buf_span(&j->text));
        break;
    case NOT_FOUND:
    case NOT_YOURS: /* not told apart: whether there is such a call is the caller's alone */
        reply_error(j->conn, 404, "invalid_request_error", "receipt_not_found",
                    "There is no call of that name by this key.");
        break;
    case NOT_YET:
        reply_error(j->conn, 409, "invalid_request_error", "receipt_not_ready",
                    "The call is not over, or not signed yet; try again in a second.");
        break;
    case FAILED:
        reply_error(j->conn, 410, "invalid_request_error", "receipt_unavailable",
                    "The call's content cannot be opened: erased, or damaged.");
        break;
    }
}

static void free_job(struct job *j)
{
    if (j->text.p)
        seal_wipe(j->text.p, j->text.cap);
    buf_free(&j->text);
    free(j);
}

static void on_ready(void *arg)
{
    struct receipts *rs = arg;
    uint64_t count;
    if (read(rs->event, &count, sizeof count) < 0)
        return;
    pthread_mutex_lock(&rs->lock);
    struct job *j = rs->done;
    rs->done = NULL;
    pthread_mutex_unlock(&rs->lock);
    for (struct job *next; j; j = next) {
        next = j->next;
        rs->count--;
        if (j->conn) {
            conn_set_user(j->conn, NULL);
            answer(j);
        }
        free_job(j);
    }
}

static void on_gone(struct guest *g)
{
    struct job *j = (struct job *)(void *)g;
    conn_set_user(j->conn, NULL);
    j->conn = NULL;
}

void receipt_begin(struct service *s, struct conn *c, struct span what, const struct caller *who)
{
    struct receipts *rs = s->receipts;
    struct job *j = rs->count < QUEUE_MAX ? calloc(1, sizeof *j) : NULL;
    if (!j) {
        reply_error(c, 503, "server_error", "busy", "Too many receipts are asked for at once.");
        return;
    }
    buf_init(&j->text, RECEIPT_BYTES);
    if (!ledger_find(s->ledger, what, &j->call)) {
        j->by_entry = true;
        if (!text_u64(what, &j->call.intent)) {
            free_job(j);
            reply_error(c, 404, "invalid_request_error", "receipt_not_found",
                        "There is no call of that name by this key.");
            return;
        }
    }
    j->conn = c;
    j->who = *who;
    j->who.key = NULL; /* of a configuration that may go */
    rs->count++;
    j->guest.gone = on_gone;
    conn_set_user(c, &j->guest);
    pthread_mutex_lock(&rs->lock);
    *rs->last = j;
    rs->last = &j->next;
    pthread_cond_signal(&rs->filled);
    pthread_mutex_unlock(&rs->lock);
}

bool receipts_start(struct service *s, struct err *e)
{
    struct receipts *rs = calloc(1, sizeof *rs);
    if (!rs)
        return err_set(e, ERR_MEMORY, "out of memory for receipts");
    s->receipts = rs;
    rs->service = s;
    rs->last = &rs->first;
    rs->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rs->folder = strndup((const char *)s->settings->log.p, s->settings->log.n);
    pthread_mutex_init(&rs->lock, NULL);
    pthread_cond_init(&rs->filled, NULL);
    rs->ready = rs->event >= 0 ? loop_readable(s->loop, rs->event, on_ready, rs) : NULL;
    if (!rs->ready || !rs->folder)
        return err_set(e, ERR_MEMORY, "out of memory for receipts");
    rs->running = pthread_create(&rs->thread, NULL, run, rs) == 0;
    return rs->running || err_set(e, ERR_MEMORY, "cannot start a thread for receipts");
}

void receipts_stop(struct service *s)
{
    struct receipts *rs = s->receipts;
    if (!rs)
        return;
    pthread_mutex_lock(&rs->lock);
    rs->stopping = true;
    pthread_cond_signal(&rs->filled);
    pthread_mutex_unlock(&rs->lock);
    if (rs->running)
        pthread_join(rs->thread, NULL);
    *rs->last = rs->done;
    for (struct job *next, *j = rs->first; j; j = next) {
        next = j->next;
        free_job(j);
    }
    loop_event_free(rs->ready);
    if (rs->event >= 0)
        close(rs->event);
    pthread_mutex_destroy(&rs->lock);
    pthread_cond_destroy(&rs->filled);
    free(rs->folder);
    free(rs);
    s->receipts = NULL;
}
