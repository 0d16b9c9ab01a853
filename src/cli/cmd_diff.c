/* assay diff A B: what B is to A. */
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/diff_view.h"
#include "cli/json_out.h"
#include "cli/progress.h"

enum { DIFF_ARENA = 1 << 30 }; /* bytes; the result holds a row a tensor and a line a difference */

static void compare(struct comparison *c, const struct diff_args *args)
{
    struct progress_bar bar;
    struct err e = ERR_INIT;
    const struct diff_options options = {args->threads, progress_start(&bar)};
    c->has_diff = c->arena && inspect_diff(&c->diff, c->a, c->b, c->arena, &options, &e);
    progress_stop(&bar);
    if (!c->arena)
        err_set(&e, ERR_MEMORY, "out of memory");
    c->interrupted = interrupted();
    if (!c->has_diff && e.code != ERR_INTERRUPTED)
        (void)cli_error(&e);
    for (size_t i = 0; c->has_diff && i < c->diff.tensor_count; i++)
        c->unread = c->unread || c->diff.tensors[i].unread;
    c->complete = c->has_diff && !c->unread && !c->interrupted && !c->a->verdict.incomplete &&
                  !c->b->verdict.incomplete && !c->a->verdict.lost && !c->b->verdict.lost;
}

static int status_of(const struct comparison *c, const struct diff_args *args)
{
    if (c->interrupted)
        return EXIT_INTERRUPTED;
    if (!c->complete)
        return EXIT_INCOMPLETE;
    return args->exit_code && c->diff.relation != REL_IDENTICAL ? EXIT_DIFFERENT : EXIT_PASS;
}

static int unreadable(const struct call *call, const char *path, const struct err *e)
{
    const struct diff_args *args = call->args;
    int status = cli_error(e);
    if (args->json)
        jo_unreadable(call->out, "assay.diff/1", path, e, true);
    return exit_graver(status, EXIT_INCOMPLETE);
}

static int run_diff(const struct call *call)
{
    const struct diff_args *args = call->args;
    const struct model_options options = {0};
    struct comparison c = {.arena = NULL};
    struct err e = ERR_INIT;
    int status;
    if (!model_read(&c.a, call->operands[0], &options, &e)) {
        status = unreadable(call, call->operands[0], &e);
        goto out;
    }
    if (!model_read(&c.b, call->operands[1], &options, &e)) {
        status = unreadable(call, call->operands[1], &e);
        goto out;
    }
    c.arena = arena_new(DIFF_ARENA);
    compare(&c, args);
    if (args->json)
        diff_json(call->out, &c, args);
    else
        diff_text(call->out, &c, args);
    status = status_of(&c, args);
out:
    arena_free(c.arena);
    model_free(c.a);
    model_free(c.b);
    return status;
}

#define AT(member) offsetof(struct diff_args, member)
static const struct option diff_table[] = {
    {"tensors", OPTION_FLAG, NULL, AT(tensors), "list every tensor that is not the same"},
    {"all", OPTION_FLAG, NULL, AT(all), "list every tensor and every difference"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON (schema/diff.schema.json)"},
    {"exit-code", OPTION_FLAG, NULL, AT(exit_code), "exit with 1 unless the two are identical"},
    {"threads", OPTION_NUMBER, "N", AT(threads), "use N threads (default: all cores)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command diff_command = {
    "diff",
    "Models",
    "A B",
    "say what model B is to model A",
    "Compares two models tensor by tensor, whatever their containers and element types, and says "
    "in one line what B is to A: identical, re-packed, quantised, fine-tuned, an adapter, of the "
    "same architecture, or unrelated, with the numbers behind it. Metadata, configuration, "
    "tokenizer and chat template differences follow.\n"
    "The exit status is 0 whether or not there are differences, unless --exit-code is given.",
    diff_table,
    2,
    2,
    run_diff,
    "assay diff model-f16.gguf model-q4_0.gguf|how far a quantisation went\n"
    "assay diff model/ model.gguf|is the GGUF file what the folder was\n"};
