/*
 * Rounds for assay bench: on record, bare, bare, on record, then both replays;
 * so a machine that becomes slower or faster meanwhile favours neither side.
 */
#include "cli/bench_record.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "cli/progress.h"

enum side { RECORDED, BARE, SIDES };

struct rounds {
    struct session *s;
    const struct engine_request *request;
    uint32_t *ids;
    uint64_t prompts; /* made up so far */
    struct bench_lap laps[SIDES][BENCH_ROUNDS_MAX];
    uint64_t outcomes[BENCH_ROUNDS_MAX]; /* entries of the recorded ones */
    double replay[BENCH_ROUNDS_MAX], speed[BENCH_ROUNDS_MAX];
};

void bench_prompt(uint32_t *ids, size_t n, uint64_t round, const struct engine *g)
{
    for (size_t i = 0; i < n; i++) /* another beginning each round: nothing is reused */
        ids[i] = (uint32_t)((i * 7919 + round * 104729 + 1) % engine_info(g)->vocabulary);
}

static double cpu_us(void)
{
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e6 +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

static void keep(void *arg, const struct engine_result *r)
{
    *(struct engine_result *)arg = *r;
}

static bool call_bare(const struct rounds *k, struct engine_request *request,
                      struct engine_result *result, struct err *e)
{
    struct engine *g = k->s->engine;
    bool work = true;
    uint64_t id;
    request->done = keep;
    request->arg = result;
    if (!engine_submit(g, request, &id, e))
        return false;
    while (work) {
        if (!engine_step(g, &work, e))
            return false;
    }
    return true;
}

static bool call_recorded(const struct rounds *k, const struct engine_request *request,
                          struct engine_result *result, uint64_t *seq, struct err *e)
{
    struct reply reply;
    reply.text = (struct buf){0};
    bool ok = session_call(k->s, request, SPAN_EMPTY, NULL, &reply, e);
    *result = reply.result;
    *seq = reply.receipt.seq;
    buf_free(&reply.text);
    return ok;
}

static bool lap(struct rounds *k, unsigned round, enum side which, struct err *e)
{
    struct bench_lap *out = &k->laps[which][round];
    struct engine_request request = *k->request;
    struct engine_result result = {.finish = ENGINE_FAILED, .error = ERR_INIT};
    bench_prompt(k->ids, request.count, k->prompts++, k->s->engine);
    request.tokens = k->ids;
    uint64_t start = clock_monotonic();
    double cpu = cpu_us();
    bool ok = which == RECORDED ? call_recorded(k, &request, &result, &k->outcomes[round], e)
                                : call_bare(k, &request, &result, e);
    if (!ok)
        return false;
    out->processor = (cpu_us() - cpu) / (double)request.max_tokens;
    out->call = (double)(clock_monotonic() - start) / 1e3;
    if (result.finish == ENGINE_FAILED) {
        *e = result.error;
        return false;
    }
    out->decode = (double)(result.answer - 1) * 1e6 / (double)(result.decode_us + 1);
    return !interrupted() || err_set(e, ERR_INTERRUPTED, "interrupted");
}

/* A reader sees the log as it was when it was opened. */
static bool replay_round(struct rounds *k, unsigned round, struct err *e)
{
    struct replay now;
    struct log_reader *r = NULL;
    bool ok = log_reader_open(&r, k->s->folder, e) &&
              replay_run(&now, k->s->log, r, k->outcomes[round], k->s->engine, e);
    log_reader_close(r);
    if (!ok)
        return false;
    if (now.verdict != REPLAY_MATCH)
        return err_set(e, ERR_INTEGRITY, "a call of this measurement was not reproduced");
    k->replay[round] = (double)now.prefill_us;
    k->speed[round] = (double)now.logged_us / (double)(now.prefill_us + 1);
    return true;
}

static bool measure(struct rounds *k, unsigned rounds, struct err *e)
{
    unsigned replayed = 0;
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned turn = 0; turn < SIDES; turn++) {
            enum side which = i % 2 == turn ? RECORDED : BARE;
            if (!lap(k, i, which, e))
                return false;
        }
        for (; (i % 2 == 1 || i + 1 == rounds) && replayed <= i; replayed++) {
            if (!replay_round(k, replayed, e))
                return false;
        }
    }
    return true;
}

/* ---- medians -------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
    qsort(v, n, sizeof *v, by_size);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static double decode_of(const struct bench_lap *l)
{
    return l->decode;
}

static double call_of(const struct bench_lap *l)
{
    return l->call;
}

static double processor_of(const struct bench_lap *l)
{
    return l->processor;
}

/* Of one figure of n laps; with `to`, of its quotients within rounds. */
static double median_of(double (*figure)(const struct bench_lap *), const struct bench_lap *laps,
                        const struct bench_lap *to, unsigned n)
{
    double v[BENCH_ROUNDS_MAX] = {0};
    for (unsigned i = 0; i < n; i++)
        v[i] = figure(&laps[i]) / (to != NULL ? figure(&to[i]) : 1);
    return median(v, n);
}

static struct bench_lap median_lap(const struct bench_lap *laps, unsigned n)
{
    return (struct bench_lap){median_of(decode_of, laps, NULL, n),
                              median_of(call_of, laps, NULL, n),
                              median_of(processor_of, laps, NULL, n)};
}

static void summarise(struct bench_record *out, struct rounds *k, unsigned n)
{
    const struct bench_lap *on = k->laps[RECORDED], *off = k->laps[BARE];
    *out = (struct bench_record){.rounds = n,
                                 .recorded = median_lap(on, n),
                                 .bare = median_lap(off, n),
                                 .decode_ratio = median_of(decode_of, on, off, n),
                                 .call_ratio = median_of(call_of, off, on, n),
                                 .replay = median(k->replay, n),
                                 .replay_ratio = median(k->speed, n)};
}

bool bench_record(struct bench_record *out, struct session *s, const struct engine_request *request,
                  unsigned rounds, struct err *e)
{
    struct rounds k = {.s = s, .request = request};
    rounds = rounds < BENCH_ROUNDS_MAX ? rounds : BENCH_ROUNDS_MAX;
    k.ids = calloc(request->count + 1, sizeof *k.ids);
    bool ok = (k.ids != NULL || err_set(e, ERR_MEMORY, "no memory for a prompt")) &&
              measure(&k, rounds, e);
    if (ok)
        summarise(out, &k, rounds);
    free(k.ids);
    return ok;
}
