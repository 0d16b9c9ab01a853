/*
 * GET /v1/receipts/ID. Opening content waits for the log, so it is an errand, one receipt
 * after the other; the answer goes out from the loop. Only who made the call gets it:
 * the intent's keyed hash must be that of the asking credential.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/text.h"
#include "serve/front/question.h"
#include "serve/front/reply.h"
#include "serve/handlers/handlers.h"
#include "serve/service.h"

enum { RECEIPT_BYTES = 128 << 20, TRIES = 15, WAIT_US = 200000, NAME_MAX_BYTES = 256 };

enum found { FOUND, NOT_FOUND, NOT_YOURS, NOT_YET, FAILED };

struct job {
    struct question question;
    struct service *service;
    struct caller who;
    const char *folder;
    char name[NAME_MAX_BYTES]; /* what was asked for */
    struct log_call call;
    enum found found;
    struct buf text;
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

static bool is_theirs(struct log_reader *r, const struct job *j, uint64_t intent)
{
    struct record record;
    struct span leaf, hex = SPAN_EMPTY;
    struct digest credential;
    struct arena *a = arena_new(1 << 20);
    bool ok =
        a && log_reader_leaf(r, intent, a, &leaf, NULL) && record_decode(&record, leaf, a, NULL);
    if (ok && !json_string(json_get(record.body, "credential"), &hex))
        ok = !j->who.has_credential; /* an open server: nobody has a key */
    else if (ok)
        ok = j->who.has_credential && digest_from_hex(&credential, hex) &&
             digest_eq(&credential, &j->who.credential);
    arena_free(a);
    return ok;
}

struct naming {
    struct log_reader *reader;
    struct job *job;
    bool any, theirs;
};

/* An identifier is whoever's chose it: the newest call of it that is theirs. */
static bool is_named(void *arg, const struct log_call *call)
{
    struct naming *n = arg;
    n->any = true;
    n->theirs = is_theirs(n->reader, n->job, call->intent);
    if (n->theirs)
        n->job->call = *call;
    return !n->theirs;
}

static enum found by_entry(struct log_reader *r, struct job *j, uint64_t entry)
{
    struct search s = {.found = false};
    if (!intent_of(r, entry, &s.intent))
        return NOT_FOUND;
    j->call.intent = s.intent;
    if (!is_theirs(r, j, s.intent))
        return NOT_YOURS;
    if (!log_reader_walk(r, s.intent + 1, look_for_outcome, &s, NULL) || !s.found)
        return NOT_YET;
    j->call.outcome = s.outcome;
    return FOUND;
}

static enum found resolve(struct log_reader *r, struct job *j)
{
    struct naming n = {.reader = r, .job = j};
    uint64_t entry;
    if (!log_reader_calls(r, span_str(j->name), is_named, &n, NULL))
        return FAILED;
    if (n.theirs)
        return FOUND;
    if (!n.any && text_u64(span_str(j->name), &entry))
        return by_entry(r, j, entry);
    return NOT_FOUND;
}

static void work(struct errand *x)
{
    struct job *j = (struct job *)(void *)x;
    struct log_reader *r = NULL;
    struct err e = ERR_INIT;
    j->found = FAILED;
    if (!log_reader_open(&r, j->folder, &e))
        return;
    j->found = resolve(r, j);
    log_reader_close(r);
    /* The newest entries are signed within a second. */
    for (int i = 0; j->found == FOUND && i < TRIES; i++) {
        err_clear(&e);
        buf_clear(&j->text);
        if (log_call_receipt(j->service->log, j->call.intent, j->call.outcome, &j->text, &e))
            return;
        if (e.code != ERR_USAGE)
            break;
        usleep(WAIT_US);
    }
    if (j->found == FOUND)
        j->found = e.code == ERR_USAGE ? NOT_YET : FAILED;
}

/* ---- in the loop ---- */

static void none(struct conn *c)
{
    reply_error(c, 404, "invalid_request_error", "receipt_not_found",
                "There is no call of that name by this key.");
}

static void answer(struct question *q)
{
    const struct job *j = (struct job *)(void *)q;
    switch (j->found) {
    case FOUND:
        reply_large(q->conn, "application/json", buf_span(&j->text));
        break;
    case NOT_FOUND:
    case NOT_YOURS: /* not told apart: whether there is such a call is the caller's alone */
        none(q->conn);
        break;
    case NOT_YET:
        reply_error(q->conn, 409, "invalid_request_error", "receipt_not_ready",
                    "The call is not over, or not signed yet; try again in a second.");
        break;
    case FAILED:
        reply_error(q->conn, 410, "invalid_request_error", "receipt_unavailable",
                    "The call's content cannot be opened: erased, or damaged.");
        break;
    }
}

static void forget(struct question *q)
{
    struct job *j = (struct job *)(void *)q;
    if (j->text.p)
        seal_wipe(j->text.p, j->text.cap);
    buf_free(&j->text);
    free(j);
}

void receipt_begin(struct service *s, struct conn *c, struct span what, const struct caller *who)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j) {
        reply_error(c, 503, "server_error", "out_of_memory", "The server is out of memory.");
        return;
    }
    j->question = (struct question){.errand.work = work, .answer = answer, .forget = forget};
    j->service = s;
    j->folder = s->folder;
    j->who = *who;
    j->who.key = NULL; /* of a configuration that may go */
    buf_init(&j->text, RECEIPT_BYTES);
    if (!handlers_name(j->name, sizeof j->name, what)) {
        forget(&j->question);
        none(c);
        return;
    }
    if (!question_ask(s->receipts, &j->question, c)) {
        forget(&j->question);
        reply_error(c, 503, "server_error", "busy", "Too many receipts are asked for at once.");
    }
}
