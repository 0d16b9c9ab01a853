/* assay lineage: where a model says it comes from, and what the tensors say to that. */
#include <string.h>

#include "assay/base/file.h"
#include "assay/provenance.h"
#include "assay/recorded.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/subject.h"

enum { LINEAGE_ARENA = 512 << 20, LINEAGE_TEXT = 64 << 20 };

struct lineage_args {
    struct option_texts bases;
    const char *log;
    int format;
    unsigned threads;
    bool no_cache;
};

typedef bool render(struct buf *out, const struct lineage *l, struct err *e);
static render *const renders[] = {lineage_text, lineage_json, lineage_svg, lineage_prov,
                                  lineage_slsa};

struct work {
    const struct lineage_args *args;
    struct subject model, bases[OPTION_MAX_TEXTS];
    size_t opened;
    bool has_model, trouble; /* trouble: a document that names ancestors cannot be read */
    struct arena *a;
};

static bool open_one(struct subject *s, const char *path, const struct work *w, struct err *e)
{
    const struct subject_options o = {
        .digests = true, .cache = !w->args->no_cache, .threads = w->args->threads};
    return subject_open(s, path, &o, e) &&
           ((s->has_facts && s->has_identity) ||
            err_at(e, ERR_FORMAT, path, ERR_NO_OFFSET, "too little could be read of it"));
}

/* The run that the log has of this model. */
static bool add_recorded(struct work *w, struct lineage *l, struct err *e)
{
    struct recorded_run run;
    const struct identity *id = &w->model.identity;
    return !w->args->log || !id->has_tensor_root ||
           (recorded_run(&run, w->args->log, &id->tensor_root, w->a, e) &&
            recorded_lineage(l, &run, w->a, e));
}

static bool make(struct work *w, struct buf *out, const char *path, struct err *e)
{
    struct lineage_base bases[OPTION_MAX_TEXTS];
    struct lineage l;
    w->has_model = true;
    if (!open_one(&w->model, path, w, e))
        return false;
    for (size_t i = 0; i < w->args->bases.count; i++) {
        w->opened++;
        if (!open_one(&w->bases[i], w->args->bases.text[i], w, e))
            return false;
        bases[i] =
            (struct lineage_base){lineage_base_name(w->args->bases.text[i], w->a),
                                  w->bases[i].model, &w->bases[i].facts, &w->bases[i].identity};
        if (!bases[i].name)
            return err_set(e, ERR_MEMORY, "out of memory for a lineage");
    }
    struct progress_bar bar;
    const struct diff_options o = {w->args->threads, progress_start(&bar)};
    bool ok = lineage_make(&l, w->model.model, &w->model.facts, &w->model.identity, bases,
                           w->args->bases.count, &o, w->a, e);
    progress_stop(&bar);
    if (!ok)
        return false;
    w->trouble = l.trouble != NULL;
    return add_recorded(w, &l, e) && renders[w->args->format](out, &l, e);
}

static int run_lineage(const struct call *call)
{
    struct work w = {.args = call->args, .a = arena_new(LINEAGE_ARENA)};
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, LINEAGE_TEXT);
    bool ok =
        (w.a || err_set(&e, ERR_MEMORY, "out of memory")) && make(&w, &out, call->operands[0], &e);
    int status = ok ? exit_graver(subject_status(&w.model), w.trouble ? EXIT_INCOMPLETE : EXIT_PASS)
                    : cli_error(&e);
    if (ok)
        (void)fwrite(out.p, 1, out.n, call->out->f);
    if (w.has_model)
        subject_close(&w.model);
    for (size_t i = 0; i < w.opened; i++)
        subject_close(&w.bases[i]);
    buf_free(&out);
    arena_free(w.a);
    return status;
}

#define AT(member) offsetof(struct lineage_args, member)
static const struct option lineage_options[] = {
    {"base", OPTION_TEXTS, "PATH", AT(bases),
     "a model that may be an ancestor, at hand: its tensors are compared; may be repeated"},
    {"log", OPTION_TEXT, "FOLDER", AT(log), "the log in which the model's training was recorded"},
    {"format", OPTION_CHOICE, "text|json|svg|prov|slsa", AT(format),
     "text: a tree; prov: W3C PROV-JSON; slsa: an in-toto statement"},
    {"threads", OPTION_NUMBER, "N", AT(threads), "use N threads (default: all cores)"},
    {"no-cache", OPTION_FLAG, NULL, AT(no_cache), "take every digest anew and remember none"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command lineage_command = {
    "lineage",
    "Reports",
    "MODEL",
    "where a model comes from, and whether the tensors agree",
    "Lists the base models, adapters, merges and data sets that the model's documents name. Each "
    "edge is declared, verified from the tensors of an ancestor given by --base or from a log "
    "given by --log that recorded the model's training, or contradicted by them. A merge is "
    "computed "
    "again from its mergekit configuration when all its parents are at hand. Ancestors at hand are "
    "asked for theirs.",
    lineage_options,
    1,
    1,
    run_lineage,
    "assay lineage model/ --base base/|is it what its card says?\n"
    "assay lineage run/model --log audit|which run and data made it?\n"};
