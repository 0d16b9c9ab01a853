/*
 * POST /v1/replay/ID: a logged call computed again by the engine that has its weights, beside
 * what it computes for others, and compared. Administrators alone ask, so many times
 * a minute; the answer says whether the call is reproduced and nothing of what was said in
 * it. What came out is an entry of the log before it is answered.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "serve/engine/job.h"
#include "serve/front/question.h"
#include "serve/handlers/handlers.h"
#include "serve/service.h"

enum { WAITING = 16, NAME_BYTES = 256 };

enum found { FOUND, NOT_FOUND, NOT_OVER, FAILED, STOPPED };

struct replays {
    struct errands *errands;
    atomic_bool stop;
    struct allowance allowance; /* of all administrators */
};

struct job {
    struct question question;
    struct service *service;
    char name[NAME_BYTES];
    enum found found;
    struct replay replay;
    struct err err;
};

/* ---- in the thread ---- */

struct search {
    uint64_t outcome;
    bool found;
};

static bool take_first(void *arg, const struct log_call *call)
{
    struct search *s = arg;
    s->outcome = call->outcome;
    s->found = true;
    return false;
}

/* The entry that an identifier or a number means. */
static bool entry_of(const struct job *j, struct log_reader *r, uint64_t *seq)
{
    struct search s = {.found = false};
    if (!log_reader_calls(r, span_str(j->name), take_first, &s, NULL))
        return false;
    *seq = s.outcome;
    return s.found || (text_u64(span_str(j->name), seq) && *seq < log_reader_size(r));
}

/* Whichever engine has what the call was computed with; else the first, which says what it lacks;
 * NULL where there is none, or an error. */
static struct engine *engine_for(const struct job *j, struct log_reader *r, uint64_t seq,
                                 struct err *e)
{
    const struct service *s = j->service;
    bool fits = false;
    for (size_t i = 0; i < s->worker_count; i++) {
        if (!replay_fits(&fits, s->log, r, seq, s->workers[i]->engine, e))
            return NULL;
        if (fits)
            return s->workers[i]->engine;
    }
    return s->worker_count ? s->workers[0]->engine : NULL;
}

static enum found run(struct job *j, struct log_reader *r)
{
    struct service *s = j->service;
    uint64_t seq;
    if (!entry_of(j, r, &seq))
        return NOT_FOUND;
    struct engine *g = engine_for(j, r, seq, &j->err);
    if (j->err.code == ERR_NONE &&
        replay_beside(&j->replay, s->log, r, seq, g, &s->replays->stop, &j->err))
        return FOUND;
    if (j->err.code == ERR_INTERRUPTED)
        return STOPPED;
    /* An intent without outcome, or an entry that is no call. */
    return j->err.code == ERR_USAGE ? NOT_OVER : FAILED;
}

static void work(struct errand *x)
{
    struct job *j = (struct job *)(void *)x;
    struct log_reader *r = NULL;
    j->found = FAILED;
    if (!log_reader_open(&r, j->service->folder, &j->err))
        return;
    j->found = run(j, r);
    log_reader_close(r);
}

/* ---- in the loop ---- */

static void put_number(struct json_writer *w, const char *key, uint64_t n)
{
    jw_key(w, key);
    jw_u64(w, n);
}

static void put_result(struct buf *out, const struct job *j)
{
    static const char *const words[] = {"reproduced", "differs", "impossible"};
    const struct replay *p = &j->replay;
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    jw_key(&w, "object");
    jw_str(&w, "replay");
    jw_key(&w, "id");
    jw_str(&w, j->name);
    put_number(&w, "intent", p->intent);
    put_number(&w, "outcome", p->outcome);
    jw_key(&w, "result");
    jw_str(&w, p->erased ? "erased" : words[p->verdict]);
    if (p->verdict == REPLAY_IMPOSSIBLE) {
        jw_key(&w, "reason");
        jw_str(&w, p->reason);
    } else {
        put_number(&w, "compared", p->compared);
    }
    if (p->verdict == REPLAY_MISMATCH)
        put_number(&w, "first_difference", p->first);
    put_number(&w, "entry", p->receipt.seq);
    jw_end_object(&w);
}

static void answer(struct question *q)
{
    const struct job *j = (struct job *)(void *)q;
    struct buf body;
    switch (j->found) {
    case FOUND:
        buf_init(&body, 65536);
        put_result(&body, j);
        reply_json(q->conn, buf_span(&body));
        buf_free(&body);
        break;
    case NOT_FOUND:
        reply_error(q->conn, 404, "invalid_request_error", "call_not_found",
                    "There is no call of that name.");
        break;
    case NOT_OVER:
        reply_error(q->conn, 409, "invalid_request_error", "not_replayable",
                    "That entry is no call that is over.");
        break;
    case STOPPED:
        reply_error(q->conn, 503, "server_error", "shutting_down", "The server is shutting down.");
        break;
    case FAILED:
        reply_error(q->conn, 500, "server_error", err_name(j->err.code),
                    "The call cannot be computed again: the log or the engine failed.");
        break;
    }
}

static void done(struct question *q)
{
    const struct job *j = (struct job *)(void *)q;
    struct service *s = j->service;
    if (j->found != FOUND)
        return;
    metrics_written(&s->metrics, j->replay.receipt.seq);
    service_say(s, "replay", "\"entry\":%llu,\"outcome\":%llu",
                (unsigned long long)j->replay.receipt.seq, (unsigned long long)j->replay.outcome);
}

static void forget(struct question *q)
{
    free(q);
}

static bool may_ask(struct service *s)
{
    struct allowance *a = &s->replays->allowance;
    allowance_fill(a, s->settings->limits.replays, loop_now_ms(s->loop));
    if (a->have < 1)
        return false;
    a->have--;
    return true;
}

void replay_begin(struct service *s, struct conn *c, struct span what)
{
    char name[NAME_BYTES];
    if (!handlers_name(name, sizeof name, what)) {
        reply_error(c, 404, "invalid_request_error", "call_not_found",
                    "There is no call of that name.");
        return;
    }
    if (!may_ask(s)) {
        s->metrics.refused[REASON_BUDGET]++;
        reply_error(c, 429, "rate_limit_exceeded", "replays_per_minute",
                    "Too many replays are asked for; try again in a minute.");
        return;
    }
    struct job *j = calloc(1, sizeof *j);
    if (j) {
        j->question = (struct question){
            .errand.work = work, .done = done, .answer = answer, .forget = forget};
        j->service = s;
        memcpy(j->name, name, sizeof name);
    }
    if (!j || !question_ask(s->replays->errands, &j->question, c)) {
        free(j);
        reply_error(c, 503, "server_error", "busy", "Too many replays are asked for at once.");
    }
}

bool replays_start(struct service *s, struct err *e)
{
    s->replays = calloc(1, sizeof *s->replays);
    return (s->replays || err_set(e, ERR_MEMORY, "out of memory for replays")) &&
           errands_open(&s->replays->errands, s->loop, 1, WAITING, e);
}

void replays_stop(struct service *s)
{
    if (!s->replays)
        return;
    atomic_store(&s->replays->stop, true);
    errands_close(s->replays->errands);
    free(s->replays);
    s->replays = NULL;
}
