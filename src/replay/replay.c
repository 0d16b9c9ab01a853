/*
 * Executing a logged call again. Prompt and answer go through the model in one
 * prefill; every position's state is compared with the digest that was
 * recorded, and its token with the one that is drawn there now.
 */
#include "replay/replay.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "assay/numerics.h"

enum { PATIENCE_MS = 50 }; /* between two looks at whether to stop */

/* What happens to a request; told in the thread that steps the engine. */
struct run {
    const struct recorded *c;
    const struct recorded_part *part;
    struct replay *out;
    struct engine *g;
    bool beside; /* another thread steps */
    const atomic_bool *stop;
    pthread_mutex_t lock;
    pthread_cond_t over;
    /* until `ended`, which stands behind the lock, of the other thread */
    enum engine_finish finish;
    struct err error;
    struct digest embedding;
    bool differs, ended;
};

/* ---- is it possible at all ------------------------------------------------ */

static bool impossible(struct replay *out, const char *why)
{
    struct buf b;
    buf_init(&b, sizeof out->reason - 1);
    buf_put_str(&b, why);
    memset(out->reason, 0, sizeof out->reason);
    if (buf_ok(&b))
        memcpy(out->reason, b.p, b.n);
    buf_free(&b);
    out->verdict = REPLAY_IMPOSSIBLE;
    return false;
}

static bool same(const struct digest *logged, bool have, const struct digest *now)
{
    return logged == NULL || (have && digest_eq(logged, now));
}

static bool adapters_are(const struct recorded *c, const struct engine_info *i)
{
    struct json list = json_get(c->parameters, "adapters");
    if (json_count(list) != i->adapter_count)
        return false;
    size_t k = 0;
    for (struct json a = json_first(list); json_type(a) != JSON_MISSING; a = json_next(a), k++) {
        struct digest d;
        struct span hex;
        double scale;
        if (!json_string(json_get(a, "tensor_root"), &hex) || !digest_from_hex(&d, hex) ||
            !json_double(json_get(a, "scale"), &scale) ||
            !digest_eq(&d, &i->adapters[k].tensor_root) || scale != i->adapters[k].scale)
            return false;
    }
    return true;
}

static bool possible(const struct recorded *c, const struct engine *g, struct replay *out)
{
    const struct engine_info *i = g ? engine_info(g) : NULL;
    const struct exchange_model *m = &c->call.model;
    uint64_t context = 0, numerics = 0;
    struct span cache = SPAN_EMPTY;
    if (!i)
        return impossible(out, "there is no engine here that could compute it");
    if (m->tensor_root == NULL || !digest_eq(m->tensor_root, &i->tensor_root))
        return impossible(out, "the weights are others than those of the call: its tensor root "
                               "stands in the entry");
    if (!json_u64(json_get(c->parameters, "numerics"), &numerics) || numerics != i->numerics)
        return impossible(out, "the call was computed by another version of the numerics");
    if (!same(m->tokenizer, i->has_tokenizer, &i->tokenizer))
        return impossible(out, "the tokenizer is another one than the call's");
    if (!json_string(json_get(c->parameters, "cache"), &cache) ||
        !span_is(cache, dtype_name(i->cache)))
        return impossible(out, "the call's keys and values were kept in another type");
    if (!json_u64(json_get(c->parameters, "context"), &context) || context != i->context)
        return impossible(out, "the call was computed with another context size");
    if (!adapters_are(c, i))
        return impossible(out, "the adapters are others than the call's");
    size_t given = c->embed ? c->part_count : c->count_out;
    if (given == 0 || (c->embed && c->digests.n == 0))
        return impossible(out, "the call gave no token that could be compared");
    if (c->digests.n != given * DIGEST_SIZE || c->logits.n != c->count_out * 4)
        return impossible(out, "the call's positions were not recorded whole");
    return true;
}

/* ---- comparing ------------------------------------------------------------ */

static bool compare(void *arg, const struct engine_token *t)
{
    struct run *r = arg;
    const struct recorded *c = r->c;
    uint64_t i = r->part->first + t->index;
    uint32_t bits = load_u32le(c->logits.p + 4 * i);
    bool state = memcmp(c->digests.p + DIGEST_SIZE * i, t->digest.b, DIGEST_SIZE) == 0;
    if (state && t->drawn == t->id) {
        r->out->compared++;
        return true;
    }
    r->differs = true;
    r->out->first = i;
    r->out->logged = t->id;
    r->out->drawn = t->drawn;
    memcpy(&r->out->logged_logit, &bits, sizeof bits);
    r->out->logit = t->logit;
    r->out->margin = t->margin;
    return false;
}

static void finish(void *arg, const struct engine_result *result)
{
    struct run *r = arg;
    (void)pthread_mutex_lock(&r->lock);
    r->finish = result->finish;
    r->error = result->error;
    if (result->embedding != NULL)
        r->embedding = embedding_digest(result);
    r->out->prefill_us += result->prefill_us + result->decode_us;
    r->ended = true;
    (void)pthread_cond_signal(&r->over);
    (void)pthread_mutex_unlock(&r->lock);
}

/* ---- computing ------------------------------------------------------------ */

static bool step_until_over(struct run *r, struct err *e)
{
    bool work = true;
    while (!r->ended && work) {
        if (!engine_step(r->g, &work, e))
            return false;
    }
    return true;
}

/* The request is the engine's until it says that it is over, also when nobody wants it any more. */
static bool wait_until_over(struct run *r, uint64_t id)
{
    bool stopped = false;
    (void)pthread_mutex_lock(&r->lock);
    while (!r->ended) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PATIENCE_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&r->over, &r->lock, &until);
        if (!r->ended && !stopped && atomic_load(r->stop)) {
            stopped = true;
            engine_cancel(r->g, id);
        }
    }
    (void)pthread_mutex_unlock(&r->lock);
    return !stopped;
}

static bool run_part(struct run *r, struct err *e)
{
    struct engine_request request;
    uint64_t id;
    struct err why = ERR_INIT;
    r->ended = false;
    if (!recorded_request(r->c, r->part, &request, &why)) {
        (void)impossible(r->out, why.text);
        return true;
    }
    request.token = compare;
    request.done = finish;
    request.arg = r;
    if (!engine_submit(r->g, &request, &id, &why)) {
        (void)impossible(r->out, why.text);
        return true;
    }
    if (!r->beside && !step_until_over(r, e))
        return false;
    if (r->beside && !wait_until_over(r, id))
        return err_set(e, ERR_INTERRUPTED, "the replay was interrupted");
    if (r->finish == ENGINE_FAILED) {
        *e = r->error;
        return false;
    }
    return true;
}

static void compare_embedding(struct run *r, uint64_t i)
{
    r->differs = memcmp(r->c->digests.p + DIGEST_SIZE * i, r->embedding.b, DIGEST_SIZE) != 0;
    r->out->compared += !r->differs;
    r->out->first = i;
}

/* Answer for answer, until one differs; those that were not begun have nothing to compare. */
static bool execute(struct run *r, struct err *e)
{
    bool ok = true;
    r->out->verdict = REPLAY_MATCH;
    for (size_t i = 0; ok && i < r->c->part_count && r->out->verdict == REPLAY_MATCH; i++) {
        r->part = &r->c->parts[i];
        if (r->part->count == 0 && !r->c->embed)
            continue;
        ok = run_part(r, e);
        if (ok && r->c->embed && r->out->verdict == REPLAY_MATCH)
            compare_embedding(r, i);
        if (r->differs)
            r->out->verdict = REPLAY_MISMATCH;
    }
    return ok;
}

/* ---- its own entry -------------------------------------------------------- */

static void put_digest(struct json_writer *w, const char *key, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];
    jw_key(w, key);
    jw_str(w, digest_hex(hex, d));
}

static bool record(struct replay *out, struct log *l, const struct recorded *c,
                   const struct engine *g, struct err *e)
{
    static const char *const words[] = {"match", "mismatch", "impossible"};
    struct buf b;
    struct json_writer w;
    buf_init(&b, RECORD_MAX);
    jw_init(&w, json_sink_buf, &b, false);
    jw_object(&w);
    if (out->verdict != REPLAY_IMPOSSIBLE) {
        jw_key(&w, "compared");
        jw_u64(&w, out->compared);
    } else {
        jw_key(&w, "reason");
        jw_str(&w, out->reason);
    }
    jw_key(&w, "entry");
    jw_u64(&w, out->outcome);
    if (out->verdict == REPLAY_MISMATCH) {
        jw_key(&w, "first_difference");
        jw_u64(&w, out->first);
    }
    jw_key(&w, "model");
    jw_object(&w);
    jw_key(&w, "name");
    jw_string(&w, c->call.model.name);
    jw_key(&w, "numerics");
    char numerics[] = {(char)('0' + NUMERICS_VERSION), '\0'};
    _Static_assert(NUMERICS_VERSION < 10, "one digit");
    jw_str(&w, numerics);
    if (g)
        put_digest(&w, "tensor_root", &engine_info(g)->tensor_root);
    jw_end_object(&w);
    jw_key(&w, "result");
    jw_str(&w, words[out->verdict]);
    jw_key(&w, "software");
    jw_str(&w, "assay " ASSAY_VERSION);
    jw_end_object(&w);
    struct log_entry entry = {.kind = RECORD_REPLAY, .body = buf_span(&b)};
    bool ok = (buf_ok(&b) || err_set(e, ERR_MEMORY, "no memory for the replay's entry")) &&
              log_append(l, &entry, &out->receipt, e);
    buf_free(&b);
    return ok;
}

/* The log's words tell erased content from damaged content; its code does not. */
static bool was_erased(const struct err *why)
{
    return why->code == ERR_INTEGRITY && strstr(why->text, "erased") != NULL;
}

static bool open_and_execute(struct run *run, struct recorded *c, struct log *l,
                             struct log_reader *r, struct err *e)
{
    struct err why = ERR_INIT;
    struct replay *out = run->out;
    if (c->call.route != EXCHANGE_ENGINE) {
        (void)impossible(out, "the call was computed by an upstream");
        return true;
    }
    if (!recorded_open(c, l, r, &why)) {
        out->erased = was_erased(&why);
        if (why.code == ERR_INTEGRITY || why.code == ERR_USAGE) {
            (void)impossible(out, why.text);
            return true;
        }
        *e = why;
        return false;
    }
    return !possible(c, run->g, out) || execute(run, e);
}

static bool replay(struct run given, struct log *l, struct log_reader *r, uint64_t seq,
                   struct err *e)
{
    struct recorded c;
    struct run *run = &given;
    struct replay *out = given.out;
    *out = (struct replay){.verdict = REPLAY_IMPOSSIBLE};
    given.c = &c;
    if (pthread_mutex_init(&run->lock, NULL) != 0)
        return err_set(e, ERR_MEMORY, "no memory for a replay");
    (void)pthread_cond_init(&run->over, NULL);
    bool ok = recorded_find(&c, r, seq, e);
    if (ok) {
        out->outcome = c.outcome_seq;
        out->intent = c.intent_seq;
        out->logged_us = c.outcome.timings.prefill + c.outcome.timings.decode;
        ok = open_and_execute(run, &c, l, r, e);
        out->prompt = c.count_in;
    }
    ok = ok && record(out, l, &c, run->g, e);
    arena_free(c.arena);
    (void)pthread_cond_destroy(&run->over);
    (void)pthread_mutex_destroy(&run->lock);
    return ok;
}

bool replay_run(struct replay *out, struct log *l, struct log_reader *r, uint64_t seq,
                struct engine *g, struct err *e)
{
    return replay((struct run){.out = out, .g = g}, l, r, seq, e);
}

bool replay_beside(struct replay *out, struct log *l, struct log_reader *r, uint64_t seq,
                   struct engine *g, const atomic_bool *stop, struct err *e)
{
    return replay((struct run){.out = out, .g = g, .beside = true, .stop = stop}, l, r, seq, e);
}

bool replay_fits(bool *fits, struct log *l, struct log_reader *r, uint64_t seq,
                 const struct engine *g, struct err *e)
{
    struct recorded c;
    struct replay none;
    struct err why = ERR_INIT;
    bool ok = recorded_find(&c, r, seq, e);
    *fits = ok && c.call.route == EXCHANGE_ENGINE && recorded_open(&c, l, r, &why) &&
            possible(&c, g, &none);
    arena_free(c.arena);
    return ok;
}

bool replay_context(uint32_t *context, struct log *l, struct log_reader *r, uint64_t seq,
                    struct err *e)
{
    struct recorded c;
    uint64_t v = 0;
    bool ok = recorded_find(&c, r, seq, e) && recorded_open(&c, l, r, e);
    if (ok && json_u64(json_get(c.parameters, "context"), &v) && v <= UINT32_MAX)
        *context = (uint32_t)v;
    arena_free(c.arena);
    return ok;
}

struct list {
    struct arena *a;
    uint64_t *all;
    size_t n, cap;
    bool failed;
};

static bool note_outcome(void *arg, uint64_t seq, struct span leaf)
{
    struct list *l = arg;
    struct record_head head;
    struct err e = ERR_INIT;
    if (!record_check(&head, NULL, leaf, &e) || head.kind != RECORD_CALL_OUTCOME)
        return true;
    uint64_t *all = arena_grow(l->a, l->all, l->n, &l->cap, sizeof *all);
    if (all == NULL) {
        l->failed = true;
        return false;
    }
    l->all = all;
    l->all[l->n++] = seq;
    return true;
}

bool replay_list(uint64_t **out, size_t *count, struct log_reader *r, struct arena *a,
                 struct err *e)
{
    struct list l = {.a = a};
    if (!log_reader_walk(r, 0, note_outcome, &l, e))
        return false;
    *count = 0;
    *out = l.all;
    for (size_t i = 0; i < l.n; i++) { /* of the engine alone */
        struct recorded c;
        struct err none = ERR_INIT;
        if (recorded_find(&c, r, l.all[i], &none) && c.call.route == EXCHANGE_ENGINE)
            l.all[(*count)++] = l.all[i];
        arena_free(c.arena);
    }
    return !l.failed || err_set(e, ERR_MEMORY, "no memory for the list of calls");
}
