/*
 * assay train CONFIG --log FOLDER --output FOLDER: trains, and appends what
 * happens as it happens: data sets, beginning, every few steps loss, rate and
 * weights root, checkpoints, the end, the model. An interrupt leaves a
 * checkpoint from which --resume goes on to the same weights.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "assay/base/text.h"
#include "assay/log.h"
#include "assay/train.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/option_groups.h"
#include "cli/progress.h"
#include "cli/record_model.h"
#include "cli/show.h"

enum { TRAIN_BODY_MAX = 60000, MAX_DATASETS = 64, SECOND_MS = 1000 };

struct train_args {
    struct key_args keys;
    const char *log, *output;
    unsigned threads;
    bool resume, no_log;
};

struct run {
    const struct train_args *args;
    struct train *train;
    struct log *log; /* NULL: --no-log */
    struct out *out;
    uint64_t started, shown; /* clock_monotonic */
    struct train_step last;
    bool terminal, stepped;
    uint64_t steps_here; /* of this process */
};

/* ---- appending ---- */

static bool append(struct run *r, enum record_kind kind, const struct buf *body,
                   struct log_receipt *receipt, struct err *e)
{
    struct log_entry entry = {.kind = kind, .body = buf_span(body)};
    return log_append(r->log, &entry, receipt, e);
}

static bool append_moment(struct run *r, struct train_moment *m, struct err *e)
{
    struct log_receipt receipt;
    struct rusage use;
    struct buf body;
    if (!r->log)
        return true;
    if (m->phase == TRAIN_END || m->phase == TRAIN_CHECKPOINT) {
        getrusage(RUSAGE_SELF, &use);
        m->wall_ms = (clock_monotonic() - r->started) / 1000000;
        m->cpu_ms = (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * SECOND_MS +
                    (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
        m->memory = (uint64_t)use.ru_maxrss * 1024;
    }
    buf_init(&body, TRAIN_BODY_MAX);
    bool ok = train_body(r->train, m, &body, e) && append(r, RECORD_TRAINING, &body, &receipt, e);
    buf_free(&body);
    return ok;
}

/* The newest entry that enrolled the model of this tensor root. */
struct enrolled {
    char root[DIGEST_HEX + 1];
    uint64_t entry;
    bool found;
};

static bool look_at(void *arg, uint64_t seq, struct span leaf)
{
    struct enrolled *x = arg;
    struct record_head head;
    struct span body, root;
    struct json record;
    struct err ignored = ERR_INIT;
    if (!record_check(&head, &body, leaf, &ignored) || head.kind != RECORD_MODEL)
        return true;
    struct arena *a = arena_new(TRAIN_BODY_MAX * 64);
    if (a && json_parse(&record, body, JSON_STRICT, a, &ignored) &&
        json_string(json_get(record, "tensor_root"), &root) && span_is(root, x->root)) {
        x->entry = seq;
        x->found = true;
    }
    arena_free(a);
    return true;
}

static bool find_base(const struct run *r, struct enrolled *out, struct err *e)
{
    struct log_reader *reader = NULL;
    struct digest root;
    *out = (struct enrolled){.found = false};
    if (!r->log || !train_base(r->train, &root))
        return true;
    digest_hex(out->root, &root);
    bool ok =
        log_reader_open(&reader, r->args->log, e) && log_reader_walk(reader, 0, look_at, out, e);
    log_reader_close(reader);
    return ok;
}

/* The data sets first, so that the beginning can name their entries. */
static bool append_beginning(struct run *r, struct err *e)
{
    uint64_t entries[MAX_DATASETS];
    size_t n = train_dataset_count(r->train);
    for (size_t i = 0; r->log && i < n && i < MAX_DATASETS; i++) {
        struct log_receipt receipt;
        struct buf body;
        buf_init(&body, TRAIN_BODY_MAX);
        bool ok = train_dataset_body(r->train, i, &body, e) &&
                  append(r, RECORD_DATASET, &body, &receipt, e);
        buf_free(&body);
        if (!ok)
            return false;
        entries[i] = receipt.seq;
    }
    struct enrolled base;
    if (!find_base(r, &base, e))
        return false;
    struct train_moment m = {.phase = TRAIN_BEGIN, .datasets = entries};
    m.base = base.found ? &base.entry : NULL;
    return append_moment(r, &m, e);
}

/* ---- steps ---- */

static void show_step(struct run *r)
{
    const struct train_facts *f = train_facts(r->train);
    uint64_t now = clock_monotonic();
    if (!r->terminal || (now - r->shown < 200000000u && r->last.step < f->steps))
        return;
    r->shown = now;
    double seconds = (double)(now - r->started) * 1e-9;
    uint64_t left = (uint64_t)(seconds / (double)r->steps_here * (double)(f->steps - r->last.step));
    fprintf(stderr,
            "\rstep %" PRIu64 "/%" PRIu64 "  loss %.4f  rate %.2e  gradient %.2f  %.2f steps/s  "
            "%" PRIu64 ":%02" PRIu64 " left\033[K",
            r->last.step, f->steps, r->last.loss, r->last.rate, r->last.norm,
            (double)r->steps_here / seconds, left / 60, left % 60);
    fflush(stderr);
}

static bool due(uint64_t step, uint64_t every, uint64_t last)
{
    return step % every == 0 || step == last;
}

static bool after_step(struct run *r, bool stop, struct err *e)
{
    const struct train_facts *f = train_facts(r->train);
    struct train_moment m = {.phase = TRAIN_STEP, .step = &r->last};
    struct digest checkpoint;
    uint64_t step = r->last.step;
    if (due(step, f->validate_every, f->steps)) {
        m.validated = train_validate(r->train, &m.validation, e);
        if (!m.validated && e->code != ERR_NONE)
            return false;
    }
    if (stop || due(step, f->checkpoint_every, f->steps)) {
        if (!train_checkpoint(r->train, &checkpoint, e))
            return false;
        m.phase = TRAIN_CHECKPOINT;
        m.checkpoint = &checkpoint;
    }
    if (m.phase == TRAIN_STEP && !m.validated && !due(step, f->record_every, f->steps))
        return true;
    return append_moment(r, &m, e);
}

static bool steps(struct run *r, struct err *e)
{
    const struct train_facts *f = train_facts(r->train);
    while (train_steps_done(r->train) < f->steps) {
        if (!train_step(r->train, &r->last, e))
            return false;
        r->stepped = true;
        r->steps_here++;
        show_step(r);
        bool stop = interrupted();
        if (!after_step(r, stop, e))
            return false;
        if (stop)
            return err_set(e, ERR_INTERRUPTED,
                           "interrupted after step %" PRIu64 "; a checkpoint is written: --resume "
                           "goes on",
                           r->last.step);
    }
    return true;
}

static void note_failure(struct run *r, const struct err *why)
{
    struct err e = ERR_INIT;
    struct train_moment m = {.phase = TRAIN_FAILED, .error = why->text};
    if (r->stepped)
        m.step = &r->last;
    if (why->code != ERR_INTERRUPTED && !append_moment(r, &m, &e))
        cli_error(&e);
}

/* ---- the end ---- */

static bool append_model(struct run *r, const char *folder, uint64_t *entry, struct err *e)
{
    struct subject_options o = {.digests = true, .threads = r->args->threads};
    struct log_receipt receipt = {.seq = 0};
    struct subject s;
    if (!subject_open(&s, folder, &o, e))
        return false;
    bool ok = record_model(&receipt, r->log, &s, train_run_id(r->train), e);
    subject_close(&s);
    *entry = receipt.seq;
    return ok;
}

static bool finish(struct run *r, struct err *e)
{
    struct train_moment m = {.phase = TRAIN_END, .step = r->stepped ? &r->last : NULL};
    struct digest root;
    char hex[DIGEST_HEX + 1], shown[SHOW_SIZE];
    const char *folder;
    uint64_t entry = 0;
    if (!train_export(r->train, &folder, e) || !train_root(r->train, &root, e) ||
        !append_moment(r, &m, e) || (r->log && !append_model(r, folder, &entry, e)))
        return false;
    show_text(shown, span_str(folder), SHOW_NAME);
    out_printf(r->out, "%s is trained\n", train_facts(r->train)->name);
    out_field(r->out, "weights root", "%s", digest_hex(hex, &root));
    if (r->stepped)
        out_field(r->out, "loss", "%.4f after %" PRIu64 " steps", r->last.loss, r->last.step);
    out_field(r->out, "files", "%s", shown);
    if (r->log)
        out_field(r->out, "recorded", "run %s; the model is entry %" PRIu64, train_run_id(r->train),
                  entry);
    return true;
}

static void say_beginning(struct run *r)
{
    const struct train_facts *f = train_facts(r->train);
    char parameters[32], tokens[32];
    out_printf(r->out, "%s: %s parameters trained, %s tokens in %" PRIu64 " documents\n", f->name,
               text_count(parameters, sizeof parameters, f->trained),
               text_count(tokens, sizeof tokens, f->tokens), f->documents);
    if (f->skipped)
        out_field(r->out, "left out", "%" PRIu64 " documents longer than the context", f->skipped);
    if (train_steps_done(r->train))
        out_field(r->out, "goes on", "after step %" PRIu64, train_steps_done(r->train));
    else if (r->args->resume)
        out_field(r->out, "begins", "at step 1: no checkpoint is there to go on from");
    out_flush(r->out);
}

static bool train_all(struct run *r, struct err *e)
{
    say_beginning(r);
    r->started = clock_monotonic();
    bool ok = append_beginning(r, e) && steps(r, e);
    if (r->terminal)
        fputs("\r\033[K", stderr);
    if (ok)
        return finish(r, e);
    note_failure(r, e);
    return false;
}

static int run_train(const struct call *call)
{
    const struct train_args *args = call->args;
    struct run r = {.args = args, .out = call->out, .terminal = isatty(STDERR_FILENO) == 1};
    struct train_options o = {
        .output = args->output, .threads = args->threads, .resume = args->resume};
    struct log_paths paths = {args->keys.key, args->keys.operator_key};
    struct err e = ERR_INIT;
    if (!args->output || (!args->log && !args->no_log)) {
        err_set(&e, ERR_USAGE, "%s",
                !args->output ? "--output says where everything is written"
                              : "--log says where it is recorded; --no-log: nowhere");
        return usage_error(call->command, &e);
    }
    bool ok = train_open(&r.train, call->operands[0], &o, &e) &&
              (args->no_log || log_open(&r.log, args->log, &paths, &e)) && train_all(&r, &e);
    log_close(r.log);
    train_close(r.train);
    return ok ? EXIT_PASS : cli_error(&e);
}

#define AT(member) offsetof(struct train_args, member)
static const struct option train_options[] = {
    {"log", OPTION_TEXT, "FOLDER", AT(log), "the log that records the run"},
    {"output", OPTION_TEXT, "FOLDER", AT(output), "where checkpoints and the model are written"},
    {"resume", OPTION_FLAG, NULL, AT(resume), "go on from the newest checkpoint there"},
    {"threads", OPTION_NUMBER, "N", AT(threads),
     "use N threads (default: all cores); the weights are the same"},
    {"no-log", OPTION_FLAG, NULL, AT(no_log), "record nothing"},
    KEYS(train_args, keys),
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command train_command = {
    "train",
    "Models",
    "CONFIG",
    "train or fine-tune a small model, on record",
    "Trains a llama-family model from scratch, or a LoRA adapter for one, as the YAML file CONFIG "
    "says. Data sets, configuration, program, every few steps loss, learning rate and the root of "
    "the weights, checkpoints and the final model become entries of the log. The same "
    "configuration and data give the same weights on any number of threads and any processor. An "
    "interrupt writes a checkpoint.",
    train_options,
    1,
    1,
    run_train,
    "assay train orrin.yaml --log audit --output run|train, and record it\n"
    "assay train orrin.yaml --log audit --output run --resume|go on after an interrupt\n"};
