/*
 * assay replay LOG [ENTRY...]: logged calls of the engine are computed again
 * and compared; each replay is an entry of its own. With --training, steps of a
 * logged training run instead (replay_training.c).
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/replay_training.h"
#include "cli/run_session.h"
#include "cli/show.h"

struct replay_args {
    struct engine_args engine;
    struct key_args keys;
    const char *model;
    struct replay_training_args steps;
    bool training, json;
};

struct replaying {
    const struct replay_args *args;
    struct out *out;
    struct log *log;
    struct log_reader *reader;
    struct engine *engine;
    struct arena *arena;
    uint64_t *entries;
    size_t count;
};

static bool entry_of(uint64_t *out, const char *text, struct err *e)
{
    char *end = NULL;
    unsigned long long v = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0')
        return err_set(e, ERR_USAGE, "\"%s\" is no entry number", text);
    *out = v;
    return true;
}

static bool list(struct replaying *p, const struct call *call, struct err *e)
{
    if (call->count == 1)
        return replay_list(&p->entries, &p->count, p->reader, p->arena, e);
    p->count = call->count - 1;
    p->entries = arena_array(p->arena, p->count, sizeof *p->entries);
    if (p->entries == NULL)
        return err_set(e, ERR_MEMORY, "no memory");
    for (size_t i = 0; i < p->count; i++) {
        if (!entry_of(&p->entries[i], call->operands[i + 1], e))
            return false;
    }
    return true;
}

/* The context is part of a call: an engine of another one is loaded anew. */
static bool engine_for(struct replaying *p, uint64_t seq, struct err *e)
{
    struct engine_args args = p->args->engine;
    struct err none = ERR_INIT;
    uint32_t context = 0;
    if (!args.context.given && replay_context(&context, p->log, p->reader, seq, &none) && context)
        args.context = (struct option_u64){true, context};
    if (p->engine != NULL && (context == 0 || engine_info(p->engine)->context == context))
        return true;
    engine_free(p->engine);
    p->engine = NULL;
    return session_load(&p->engine, p->args->model, &args, e);
}

static void say_difference(struct out *o, const struct replay *r)
{
    out_printf(o, "  first difference at token %" PRIu64 " of the answer\n", r->first);
    if (r->drawn != r->logged) {
        out_printf(o, "  recorded     token %u, which a replay does not draw\n", r->logged);
        if (isinf(r->margin))
            out_printf(o, "  replayed     token %u; the recorded one is not among the candidates\n",
                       r->drawn);
        else
            out_printf(o, "  replayed     token %u, ahead by %.6g\n", r->drawn, (double)r->margin);
    }
    if (memcmp(&r->logged_logit, &r->logit, sizeof r->logit) != 0)
        out_printf(o, "  logit        %.9g recorded, %.9g replayed: %.3g apart\n",
                   (double)r->logged_logit, (double)r->logit,
                   fabs((double)r->logged_logit - (double)r->logit));
    else if (r->drawn == r->logged)
        out_put(o, "  state        another hidden state gave the same logit\n");
}

static void say(struct out *o, const struct replay *r)
{
    double now = (double)r->prefill_us / 1e6, then = (double)r->logged_us / 1e6;
    out_printf(o, "entry %" PRIu64 ": ", r->outcome);
    if (r->verdict == REPLAY_IMPOSSIBLE) {
        out_style(o, STYLE_WARN, "not replayed");
        out_printf(o, ": %s", r->reason);
    } else {
        bool match = r->verdict == REPLAY_MATCH;
        out_style(o, match ? STYLE_GOOD : STYLE_BAD, match ? "reproduced" : "DIFFERS");
        out_printf(o, " · %" PRIu64 " tokens equal", r->compared);
        if (match && then > 0 && now > 0)
            out_printf(o, " · %.2f s, and %.2f s when it was given", now, then);
    }
    out_printf(o, " · recorded as entry %" PRIu64 "\n", r->receipt.seq);
    if (r->verdict == REPLAY_MISMATCH)
        say_difference(o, r);
    (void)out_flush(o);
}

static void say_first(struct json_writer *w, const struct replay *r)
{
    jw_key(w, "difference");
    if (r->verdict != REPLAY_MISMATCH) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jo_u64(w, "token", r->first);
    jo_u64(w, "recorded", r->logged);
    jo_u64(w, "replayed", r->drawn);
    jo_double(w, "recorded_logit", (double)r->logged_logit);
    jo_double(w, "replayed_logit", (double)r->logit);
    jw_key(w, "ahead");
    if (isinf(r->margin))
        jw_null(w);
    else
        jw_double(w, (double)r->margin);
    jw_end_object(w);
}

/* One object a call, on one line among others. */
static void say_json(struct out *o, const struct replay *r, bool alone)
{
    static const char *const verdicts[] = {"match", "mismatch", "impossible"};
    struct json_writer w;
    jo_start(&w, o, alone);
    jo_head(&w, "assay.replay/1");
    jo_u64(&w, "outcome", r->outcome);
    jo_u64(&w, "intent", r->intent);
    jo_str(&w, "verdict", verdicts[r->verdict]);
    jo_str(&w, "reason", r->verdict == REPLAY_IMPOSSIBLE ? r->reason : NULL);
    jo_u64(&w, "prompt_tokens", r->prompt);
    jo_u64(&w, "equal_tokens", r->compared);
    say_first(&w, r);
    jo_u64(&w, "replayed_us", r->prefill_us);
    jo_u64(&w, "recorded_us", r->logged_us);
    jo_u64(&w, "entry", r->receipt.seq);
    jo_finish(&w, o);
    (void)out_flush(o);
}

static int status_of(enum replay_verdict v)
{
    return v == REPLAY_MATCH ? EXIT_PASS : v == REPLAY_MISMATCH ? EXIT_INTEGRITY : EXIT_INCOMPLETE;
}

static bool replay_all(struct replaying *p, int *status, struct err *e)
{
    for (size_t i = 0; i < p->count && !interrupted(); i++) {
        struct replay r;
        if (!engine_for(p, p->entries[i], e) ||
            !replay_run(&r, p->log, p->reader, p->entries[i], p->engine, e))
            return false;
        if (p->args->json)
            say_json(p->out, &r, p->count == 1);
        else
            say(p->out, &r);
        *status = exit_graver(*status, status_of(r.verdict));
    }
    if (p->count == 0 && !p->args->json)
        out_put(p->out, "no calls of the engine in this log\n");
    return true;
}

static int training(const struct call *call, const struct replay_args *args)
{
    struct replay_training_args steps = args->steps;
    struct err e = ERR_INIT;
    if (call->count > 1) {
        err_set(&e, ERR_USAGE, "--training takes a log and no entries; --from and --steps choose");
        return usage_error(call->command, &e);
    }
    if (args->json) {
        err_set(&e, ERR_USAGE, "--json is of calls; --training has none");
        return usage_error(call->command, &e);
    }
    steps.threads = args->engine.threads;
    return replay_training(call->operands[0], &steps, &args->keys, call->out);
}

static int run_replay(const struct call *call)
{
    const struct replay_args *args = call->args;
    struct log_paths paths = {args->keys.key, args->keys.operator_key};
    struct replaying p = {.args = args, .out = call->out, .arena = arena_new(64 << 20)};
    struct err e = ERR_INIT;
    int status = EXIT_PASS;
    if (args->training) {
        arena_free(p.arena);
        return training(call, args);
    }
    if (args->model == NULL) {
        err_set(&e, ERR_USAGE, "--model PATH says with which weights to compute the calls again");
        return usage_error(call->command, &e);
    }
    const char *folder = call->operands[0];
    bool ok = (p.arena != NULL || err_set(&e, ERR_MEMORY, "no memory")) &&
              log_open(&p.log, folder, &paths, &e) && log_reader_open(&p.reader, folder, &e) &&
              list(&p, call, &e) && replay_all(&p, &status, &e);
    log_reader_close(p.reader);
    log_close(p.log);
    engine_free(p.engine);
    arena_free(p.arena);
    if (!ok)
        return cli_error(&e);
    return interrupted() ? EXIT_INTERRUPTED : status;
}

#define AT(member) offsetof(struct replay_args, member)
static const struct option replay_options[] = {
    {"model", OPTION_TEXT, "PATH", AT(model), "the weights to compute with"},
    {"adapter", OPTION_TEXTS, "PATH[=X]", AT(engine.adapters),
     "a LoRA adapter, scaled by X; may be repeated"},
    {"context", OPTION_U64, "N", AT(engine.context), "positions (default: as the call had)"},
    {"threads", OPTION_NUMBER, "N", AT(engine.threads), "use N threads (default: all cores)"},
    {"key", OPTION_TEXT, "FILE", AT(keys.key), "the log's signing key (default: log.key)"},
    {"operator-key", OPTION_TEXT, "FILE", AT(keys.operator_key),
     "the key that wraps the keyring (default: operator.key)"},
    {"training", OPTION_FLAG, NULL, AT(training), "replay steps of a training run instead"},
    {"folder", OPTION_TEXT, "FOLDER", AT(steps.folder),
     "with --training: where the data are, as the configuration names them (default: .)"},
    {"checkpoints", OPTION_TEXT, "FOLDER", AT(steps.checkpoints),
     "with --training: where the checkpoints are (default: the same)"},
    {"from", OPTION_U64, "STEP", AT(steps.from),
     "with --training: begin at this recorded checkpoint (default: the beginning)"},
    {"steps", OPTION_U64, "N", AT(steps.steps),
     "with --training: compute so many steps (default: to the next recorded root)"},
    {"run", OPTION_TEXT, "ID", AT(steps.run), "with --training: this run (default: the newest)"},
    {"no-record", OPTION_FLAG, NULL, AT(steps.no_record),
     "with --training: do not record the replay"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON, one object a call"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command replay_command = {
    "replay",
    "Engine",
    "LOG [ENTRY...]",
    "prove logged answers by computing them again",
    "Computes calls of the bundled engine again from their sealed token ids and parameters, prompt "
    "and answer in one pass, and compares every position: the digest of the state and the token "
    "that is drawn there. Without entries, all calls of the log.\n"
    "Says \"reproduced\", or the first token that differs and by how much; exit status 4 then, and "
    "3 when a call could not be replayed (other weights, erased content). Each replay is recorded.",
    replay_options,
    1,
    1000,
    run_replay,
    "assay replay audit 7 --model model.gguf|prove the answer of entry 7\n"
    "assay replay --training audit --steps 40|compute the first steps of a training run again",
};
