/*
 * Proof by execution: the log says which configuration, data and base a run
 * had, and the root of its weights every few steps. From its beginning or from
 * a recorded checkpoint the steps are computed again, and every recorded root and
 * loss on the way must come out the same, to the bit.
 */
#include "cli/replay_training.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/log.h"
#include "assay/train.h"
#include "cli/log_view.h"
#include "cli/progress.h"

enum { REPLAY_ARENA = 1 << 30, CHECKPOINT_MAX = 1 << 30, BODY_MAX = 4096 };

/* What one leaf recorded of the run. */
struct point {
    uint64_t seq, step;
    struct digest root, checkpoint;
    bool has_checkpoint;
    struct span loss; /* decimal; empty: none */
};

struct replaying {
    const struct replay_training_args *args;
    struct out *out;
    struct arena *arena;
    struct log_reader *reader;
    struct train *train;
    struct span run, config;
    struct digest config_digest;
    uint64_t begin; /* entry */
    bool found;
    struct point *points;
    size_t count, cap;
    size_t compared, different;
    uint64_t first_different, to;
    struct err *e;
};

/* ---- reading the log ---- */

static bool digest_member(struct json body, const char *name, struct digest *out)
{
    struct span s;
    return json_string(json_get(body, name), &s) && digest_from_hex(out, s);
}

static struct span loss_of(struct json body)
{
    struct json list = json_get(body, "metrics");
    struct span name, value;
    for (struct json m = json_first(list); json_type(m); m = json_next(m))
        if (json_string(json_get(m, "name"), &name) && span_is(name, "loss") &&
            json_string(json_get(m, "value"), &value))
            return value;
    return SPAN_EMPTY;
}

/* A beginning makes its run the current one, unless another was asked for. */
static void take_beginning(struct replaying *p, uint64_t seq, struct json body, struct span run)
{
    struct span config;
    if (p->args->run && !span_is(run, p->args->run))
        return;
    if (!json_string(json_get(body, "config_text"), &config) ||
        !digest_member(body, "config", &p->config_digest))
        return;
    if (!p->found || !span_eq(run, p->run))
        p->count = 0;
    p->run = run;
    p->config = config;
    p->begin = seq;
    p->found = true;
}

static bool take_point(struct replaying *p, uint64_t seq, struct json body)
{
    struct point x = {.seq = seq, .loss = loss_of(body)};
    if (!json_u64(json_get(body, "step"), &x.step) || !digest_member(body, "weights_root", &x.root))
        return true;
    x.has_checkpoint = digest_member(body, "checkpoint", &x.checkpoint);
    struct point *points = arena_grow(p->arena, p->points, p->count, &p->cap, sizeof *points);
    if (!points)
        return err_set(p->e, ERR_MEMORY, "out of memory for the log's entries");
    p->points = points;
    points[p->count++] = x;
    return true;
}

static bool visit(void *arg, uint64_t seq, struct span leaf)
{
    struct replaying *p = arg;
    struct record r;
    struct record_head head;
    struct span body, run, phase;
    struct err ignored = ERR_INIT;
    if (!record_check(&head, &body, leaf, &ignored) || head.kind != RECORD_TRAINING)
        return true;
    struct span copy = arena_span(p->arena, leaf);
    if (!entry_decode(&r, seq, copy, p->arena, p->e))
        return false;
    if (!json_string(json_get(r.body, "run"), &run) ||
        !json_string(json_get(r.body, "phase"), &phase))
        return true;
    if (span_is(phase, "begin"))
        take_beginning(p, seq, r.body, run);
    return !p->found || !span_eq(run, p->run) || take_point(p, seq, r.body);
}

static bool read_log(struct replaying *p, const char *log)
{
    if (!log_reader_open(&p->reader, log, p->e) || !log_reader_walk(p->reader, 0, visit, p, p->e) ||
        p->e->code != ERR_NONE)
        return false;
    if (!p->found)
        return err_at(p->e, ERR_USAGE, log, ERR_NO_OFFSET,
                      "holds no training run%s that carries its configuration",
                      p->args->run ? " of that name" : "");
    struct digest d = sha256_of(p->config);
    return digest_eq(&d, &p->config_digest) ||
           err_at(p->e, ERR_INTEGRITY, log, ERR_NO_OFFSET,
                  "entry %" PRIu64 ": the configuration is not the one whose digest it records",
                  p->begin);
}

/* ---- executing ---- */

static bool check_checkpoint(struct replaying *p, const char *path, uint64_t step)
{
    struct span bytes;
    for (size_t i = 0; i < p->count; i++) {
        if (p->points[i].step != step || !p->points[i].has_checkpoint)
            continue;
        if (!file_read(&bytes, path, CHECKPOINT_MAX, false, p->arena, p->e))
            return false;
        struct digest d = sha256_of(bytes);
        return digest_eq(&d, &p->points[i].checkpoint) ||
               err_at(p->e, ERR_INTEGRITY, path, ERR_NO_OFFSET,
                      "is not the checkpoint that entry %" PRIu64 " records", p->points[i].seq);
    }
    return err_set(p->e, ERR_USAGE, "the log records no checkpoint after step %" PRIu64, step);
}

static bool begin_at(struct replaying *p)
{
    const struct replay_training_args *a = p->args;
    uint64_t from = a->from.given ? a->from.value : 0;
    const char *path = arena_printf(p->arena, "%s/checkpoint-%08" PRIu64 ".safetensors",
                                    a->checkpoints ? a->checkpoints
                                    : a->folder    ? a->folder
                                                   : ".",
                                    from);
    if (from == 0)
        return true;
    if (!path)
        return err_set(p->e, ERR_MEMORY, "out of memory");
    return check_checkpoint(p, path, from) && train_restore(p->train, path, p->e);
}

static void say_point(struct replaying *p, const struct point *x, bool root, bool loss)
{
    char hex[DIGEST_HEX + 1];
    out_printf(p->out, "  step %-6" PRIu64 " entry %-5" PRIu64 " root %.16s...  ", x->step, x->seq,
               digest_hex(hex, &x->root));
    if (root && loss)
        out_style(p->out, STYLE_GOOD, "reproduced");
    else
        out_style(p->out, STYLE_BAD, root ? "the loss differs" : "DIFFERS");
    out_put(p->out, "\n");
}

/* Every leaf that speaks of the weights after this step; `s` NULL: none was computed. */
static bool compare_at(struct replaying *p, const struct train_step *s)
{
    struct digest root;
    char text[40];
    uint64_t step = train_steps_done(p->train);
    if (!train_root(p->train, &root, p->e))
        return false;
    for (size_t i = 0; i < p->count; i++) {
        const struct point *x = &p->points[i];
        if (x->step != step)
            continue;
        bool same = digest_eq(&root, &x->root);
        bool loss =
            !s || x->loss.n == 0 || span_is(x->loss, text_double(text, sizeof text, s->loss));
        p->compared++;
        if (!same || !loss) {
            p->first_different = p->different++ ? p->first_different : step;
        }
        say_point(p, x, same, loss);
    }
    (void)out_flush(p->out);
    return true;
}

static bool execute(struct replaying *p)
{
    const struct train_facts *f = train_facts(p->train);
    struct train_step s;
    uint64_t at = train_steps_done(p->train);
    uint64_t steps = p->args->steps.given ? p->args->steps.value : f->record_every;
    p->to = steps < f->steps - at ? at + steps : f->steps;
    if (!compare_at(p, NULL))
        return false;
    while (train_steps_done(p->train) < p->to && !interrupted())
        if (!train_step(p->train, &s, p->e) || !compare_at(p, &s))
            return false;
    return !interrupted() || err_set(p->e, ERR_INTERRUPTED, "interrupted");
}

static bool open_run(struct replaying *p)
{
    const struct replay_training_args *a = p->args;
    struct train_options o = {.output = ".", .threads = a->threads, .dry = true};
    if (!train_open_text(&p->train, p->config, a->folder ? a->folder : ".", &o, p->e))
        return false;
    return span_is(p->run, train_run_id(p->train)) ||
           err_set(p->e, ERR_INTEGRITY,
                   "the data or the base are not those of the run: configuration, data and base "
                   "here make run %s, and the log records %.*s",
                   train_run_id(p->train), (int)p->run.n, (const char *)p->run.p);
}

/* ---- the record ---- */

static bool record(struct replaying *p, const char *folder, const struct key_args *keys)
{
    struct log_paths paths = {keys->key, keys->operator_key};
    struct log_receipt receipt;
    struct json_writer w;
    struct log *l = NULL;
    struct buf body;
    buf_init(&body, BODY_MAX);
    jw_init(&w, json_sink_buf, &body, false);
    jw_object(&w);
    jw_key(&w, "compared");
    jw_u64(&w, p->compared);
    jw_key(&w, "entry");
    jw_u64(&w, p->begin);
    if (p->different) {
        jw_key(&w, "first_difference");
        jw_u64(&w, p->first_different);
    }
    jw_key(&w, "result");
    jw_str(&w, p->different ? "mismatch" : "match");
    jw_key(&w, "software");
    jw_str(&w, "assay " ASSAY_VERSION);
    jw_end_object(&w);
    struct log_entry entry = {.kind = RECORD_REPLAY, .body = buf_span(&body)};
    bool ok = (buf_ok(&body) || err_set(p->e, ERR_MEMORY, "out of memory")) &&
              log_open(&l, folder, &paths, p->e) && log_append(l, &entry, &receipt, p->e);
    log_close(l);
    buf_free(&body);
    if (ok)
        out_field(p->out, "recorded", "entry %" PRIu64, receipt.seq);
    return ok;
}

static void say_result(struct replaying *p)
{
    uint64_t from = p->args->from.given ? p->args->from.value : 0;
    if (p->different)
        out_printf(p->out,
                   "\nNot reproduced: the run differs from its record at step %" PRIu64 "\n",
                   p->first_different);
    else if (p->compared < 2)
        out_put(p->out, "\nNothing compared: no entry records these steps; ask for more with "
                        "--steps\n");
    else
        out_printf(p->out,
                   "\nReproduced to the bit: steps %" PRIu64 " to %" PRIu64
                   ", %zu recorded roots compared\n",
                   from, p->to, p->compared);
}

int replay_training(const char *log, const struct replay_training_args *args,
                    const struct key_args *keys, struct out *out)
{
    struct err e = ERR_INIT;
    struct replaying p = {.args = args, .out = out, .e = &e, .arena = arena_new(REPLAY_ARENA)};
    bool ok =
        (p.arena || err_set(&e, ERR_MEMORY, "out of memory")) && read_log(&p, log) && open_run(&p);
    log_reader_close(p.reader); /* before the log is owned, or for as long as steps take */
    if (ok) {
        out_printf(out, "run %.*s, begun in entry %" PRIu64 "\n", (int)p.run.n,
                   (const char *)p.run.p, p.begin);
        ok = begin_at(&p) && execute(&p);
    }
    if (ok) {
        say_result(&p);
        ok = args->no_record || record(&p, log, keys);
    }
    train_close(p.train);
    arena_free(p.arena);
    if (!ok)
        return cli_error(&e);
    return p.different ? EXIT_INTEGRITY : p.compared < 2 ? EXIT_INCOMPLETE : EXIT_PASS;
}
