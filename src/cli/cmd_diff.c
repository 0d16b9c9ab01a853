/* assay diff A B: what B is to A. */
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

int run_diff(const struct call *call)
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
