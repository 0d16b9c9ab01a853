/*
 * assay check PATH: reads as inspect does, judges by a policy, writes what was
 * asked for, and ends with a status that a pipeline can act on. Policy, lock,
 * baseline and outputs are opened before the model, so that a mistake in them
 * costs no hour of hashing.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/base/clock.h"
#include "assay/base/file.h"
#include "assay/base/text.h"
#include "cli/args.h"
#include "cli/check_view.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/log_view.h"
#include "cli/model_signature.h"
#include "cli/progress.h"

enum { CHECK_ARENA = 1 << 30, OUTPUT_MAX = 1 << 30 };

/* What the options name, read. */
struct setting {
    const struct check_args *args;
    struct arena *arena;
    struct policy policy;
    struct baseline *baseline;
    struct lock lock;
    struct model_trust trust;
    bool has_lock;
    int64_t today;
};

static const char *lock_path(const struct check_args *args)
{
    return args->lock ? args->lock : "assay.lock";
}

static bool set_up(struct setting *x, struct err *e)
{
    const struct check_args *a = x->args;
    x->today = (int64_t)(clock_wall() / 1000000 / 86400);
    if (a->as_of && !policy_date(&x->today, span_str(a->as_of)))
        return err_set(e, ERR_USAGE, "--as-of %s: no day; write it as 2026-11-25", a->as_of);
    policy_default(&x->policy);
    bool ok = (!a->log || log_is_there(a->log, e)) &&
              (!a->policy || policy_read(&x->policy, a->policy, x->arena, e)) &&
              (!a->baseline || baseline_read(&x->baseline, a->baseline, x->arena, e));
    ok =
        ok && (!x->policy.require.signature || trust_of_policy(&x->trust, &x->policy, x->arena, e));
    x->has_lock = a->lock || a->update_lock || x->policy.require.pinned;
    ok = ok && (!x->has_lock ||
                lock_read(&x->lock, lock_path(a), a->update_lock || !a->lock, x->arena, e));
    if (a->update_lock)
        x->policy.require.pinned = false; /* about to be */
    if (!ok && e->code == ERR_IO)
        e->code = ERR_CONFIG; /* the model is not what cannot be read */
    return ok;
}

/* ---- outputs ---- */

static bool write_file(const char *path, const struct buf *b, struct err *e)
{
    return file_replace(path, buf_span(b), false, e);
}

static bool put_sarif(const char *path, const struct checked *c, bool failing_only, struct err *e)
{
    struct buf b;
    struct sarif_options o = {failing_only, c->status};
    buf_init(&b, OUTPUT_MAX);
    bool ok = check_sarif(&b, &c->check, &o, e) && write_file(path, &b, e);
    buf_free(&b);
    return ok;
}

static bool put_junit(const char *path, const struct checked *c, struct err *e)
{
    struct buf b;
    buf_init(&b, OUTPUT_MAX);
    bool ok = check_junit(&b, &c->check, e) && write_file(path, &b, e);
    buf_free(&b);
    return ok;
}

/* Pinned is what was read whole: a root of half a model would pin nothing. */
static bool update_lock(const struct setting *x, const struct checked *c, struct err *e)
{
    const struct identity *i = &c->s.identity;
    struct lock_entry entry = {.name = check_name(c->s.model->path)};
    struct buf b;
    if (!c->check.complete || !c->s.has_identity)
        return err_at(e, ERR_CONFIG, lock_path(x->args), ERR_NO_OFFSET,
                      "not updated: the model was not read whole");
    entry.manifest_root = i->manifest_root;
    entry.tensor_root = i->tensor_root;
    entry.has_manifest_root = i->has_manifest_root;
    entry.has_tensor_root = i->has_tensor_root;
    buf_init(&b, OUTPUT_MAX);
    bool ok = lock_write(&b, &x->lock, &entry, e) && write_file(lock_path(x->args), &b, e);
    buf_free(&b);
    return ok;
}

static bool put_outputs(const struct setting *x, const struct checked *c, struct err *e)
{
    const struct check_args *a = x->args;
    return (!a->sarif || put_sarif(a->sarif, c, false, e)) &&
           (!a->sarif_failing || put_sarif(a->sarif_failing, c, true, e)) &&
           (!a->junit || put_junit(a->junit, c, e)) && (!a->update_lock || update_lock(x, c, e)) &&
           (!a->log || check_record(a->log, &a->keys, c, e));
}

static bool in_actions(void)
{
    const char *v = getenv("GITHUB_ACTIONS");
    return v && strcmp(v, "true") == 0;
}

/* ---- one check ---- */

static int status_of(const struct checked *c)
{
    static const int statuses[] = {[CHECK_PASS] = EXIT_PASS,
                                   [CHECK_FAIL] = EXIT_DIFFERENT,
                                   [CHECK_INCOMPLETE] = EXIT_INCOMPLETE,
                                   [CHECK_EXPIRED] = EXIT_EXPIRED};
    return c->s.interrupted ? EXIT_INTERRUPTED : statuses[check_result(&c->check)];
}

/* The base, read and compared; `b` is all zero without --base. */
struct based {
    struct subject s;
    struct arena *arena;
    struct diff diff;
    struct check_base input;
};

static bool open_base(struct based *b, const struct setting *x, const struct subject *s,
                      struct err *e)
{
    struct progress_bar bar;
    const struct check_args *a = x->args;
    const struct subject_options options = {.cache = !a->no_cache, .threads = a->threads};
    struct diff_options diff = {.threads = a->threads};
    if (!subject_open(&b->s, a->base, &options, e))
        return false;
    b->input = (struct check_base){.model = b->s.model,
                                   .facts = b->s.has_facts ? &b->s.facts : NULL,
                                   .identity = b->s.has_identity ? &b->s.identity : NULL};
    b->arena = arena_new(CHECK_ARENA);
    diff.progress = progress_start(&bar);
    bool ok = b->arena ? inspect_diff(&b->diff, b->s.model, s->model, b->arena, &diff, e)
                       : err_set(e, ERR_MEMORY, "out of memory");
    progress_stop(&bar);
    b->input.diff = ok ? &b->diff : NULL;
    return ok;
}

static void close_base(struct based *b)
{
    subject_close(&b->s);
    arena_free(b->arena);
}

static int judge(const struct call *call, const struct setting *x, const struct based *base,
                 struct checked *c)
{
    const struct check_args *a = x->args;
    struct subject *s = &c->s;
    struct check_input in = {.model = s->model,
                             .facts = s->has_facts ? &s->facts : NULL,
                             .scan = s->has_scan ? &s->scan : NULL,
                             .identity = s->has_identity ? &s->identity : NULL,
                             .complete = s->complete,
                             .policy = &x->policy,
                             .baseline = x->baseline,
                             .lock = x->has_lock && !a->update_lock ? &x->lock : NULL,
                             .trust = x->policy.require.signature ? &x->trust.trust : NULL,
                             .deep = a->deep,
                             .base = base->input.model ? &base->input : NULL,
                             .today = x->today};
    struct err e = ERR_INIT;
    if (a->log && !check_enrolment(&in.enrolment, a->log, in.identity, &e))
        return cli_error(&e);
    if (!check_run(&c->check, &in, &e))
        return cli_error(&e);
    c->status = status_of(c);
    int status = c->status;
    if (!put_outputs(x, c, &e))
        status = exit_graver(status, cli_error(&e));
    if (a->json)
        check_json(call->out, c);
    else
        check_text(call->out, c, a);
    (void)out_flush(call->out); /* kept in the out; said once at the end */
    if (in_actions())
        check_annotate(a->json ? stderr : call->out->f, &c->check);
    return status;
}

static int check_path(const struct call *call, const struct setting *x)
{
    const struct check_args *a = x->args;
    const struct subject_options options = {
        .digests = true, .statistics = true, .cache = !a->no_cache, .threads = a->threads};
    struct err e = ERR_INIT;
    struct checked c = {.status = EXIT_PASS};
    if (!subject_open(&c.s, call->operands[0], &options, &e)) {
        int status = cli_error(&e);
        if (a->json)
            jo_unreadable(call->out, "assay.check/1", call->operands[0], &e, true);
        return exit_graver(status, EXIT_INCOMPLETE);
    }
    struct based base = {.arena = NULL};
    int status =
        a->base && !open_base(&base, x, &c.s, &e) ? cli_error(&e) : judge(call, x, &base, &c);
    close_base(&base);
    subject_close(&c.s);
    return status;
}

static int run_check(const struct call *call)
{
    struct err e = ERR_INIT;
    struct setting x = {.args = call->args, .arena = arena_new(CHECK_ARENA)};
    int status;
    if (!x.arena)
        err_set(&e, ERR_MEMORY, "out of memory");
    if (x.arena && set_up(&x, &e))
        status = check_path(call, &x);
    else
        status = cli_error(&e);
    trust_close(&x.trust);
    arena_free(x.arena);
    return status;
}

#define AT(member) offsetof(struct check_args, member)
static const struct option check_options[] = {
    {"policy", OPTION_TEXT, "FILE", AT(policy),
     "judge by this policy (YAML, docs/policy.md); without: high and critical findings fail"},
    {"baseline", OPTION_TEXT, "FILE", AT(baseline),
     "findings that this earlier --json output has do not fail"},
    {"lock", OPTION_TEXT, "FILE", AT(lock),
     "the model must have the roots that this file pins (assay.lock)"},
    {"update-lock", OPTION_FLAG, NULL, AT(update_lock), "pin the roots that the model has now"},
    {"base", OPTION_TEXT, "MODEL", AT(base),
     "compare with this model, the base that PATH claims to come from"},
    {"deep", OPTION_FLAG, NULL, AT(deep),
     "also look for data hidden in the weights' lowest bits; reads them twice"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON (schema/check.schema.json)"},
    {"sarif", OPTION_TEXT, "FILE", AT(sarif), "write every finding as SARIF 2.1.0"},
    {"sarif-failing", OPTION_TEXT, "FILE", AT(sarif_failing),
     "write only what fails as SARIF, for code scanning"},
    {"junit", OPTION_TEXT, "FILE", AT(junit), "write JUnit XML"},
    {"log", OPTION_TEXT, "FOLDER", AT(log),
     "record the verdict in this log, and ask it for the "
     "model's enrolment"},
    {"as-of", OPTION_TEXT, "DATE", AT(as_of), "judge waivers as of this day (default: today, UTC)"},
    {"all", OPTION_FLAG, NULL, AT(all), "list every finding, not a few of each kind"},
    {"no-cache", OPTION_FLAG, NULL, AT(no_cache), "take every digest anew and remember none"},
    {"threads", OPTION_NUMBER, "N", AT(threads), "use N threads (default: all cores)"},
    {"key", OPTION_TEXT, "FILE", AT(keys.key), "the log's signing key (default: log.key)"},
    {"operator-key", OPTION_TEXT, "FILE", AT(keys.operator_key),
     "the key that wraps the log's keyring (default: operator.key)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command check_command = {
    "check",
    "Models",
    "PATH",
    "judge a model by a policy",
    "Reads a model without executing anything in it, looks for what is unsafe, damaged or "
    "contradictory, and judges what was found by a policy. The exit status is for pipelines: 0 "
    "passed, 1 failed, 3 not everything could be read, 5 failed on a waiver that ran out, 2 the "
    "policy or an option is wrong.\n"
    "A waiver accepts one rule for one digest until a day; each use is shown and recorded. What "
    "was not read whole never passes, whatever the policy says.\n"
    "In GitHub Actions what fails is also written as annotations. docs/ci.md has ready pieces for "
    "CI services.",
    check_options,
    1,
    1,
    run_check,
    "assay check model/ --policy policy.yaml --sarif check.sarif|the gate of a pipeline\n"
    "assay check model/ --json >baseline.json|keep what there is\n"
    "assay check model/ --baseline baseline.json|fail on what is new\n"};
