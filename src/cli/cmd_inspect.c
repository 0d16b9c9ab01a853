/* assay inspect PATH...: each path in turn; the gravest status is the program's. */
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/inspect_view.h"
#include "cli/json_out.h"
#include "cli/progress.h"

static int unreadable(const struct call *call, const char *path, const struct err *e)
{
    const struct inspect_args *args = call->args;
    int status = cli_error(e);
    if (args->json)
        jo_unreadable(call->out, "assay.inspect/1", path, e, call->count == 1);
    return exit_graver(status, EXIT_INCOMPLETE);
}

static int inspect_one(const struct call *call, const char *path)
{
    const struct inspect_args *args = call->args;
    const struct subject_options options = {.digests = !args->no_digest,
                                            .statistics = args->stats,
                                            .cache = !args->no_cache,
                                            .threads = args->threads};
    struct err e = ERR_INIT;
    struct subject s;
    if (!subject_open(&s, path, &options, &e))
        return unreadable(call, path, &e);
    if (args->json)
        inspect_json(call->out, &s, args, call->count == 1);
    else
        inspect_text(call->out, &s, args);
    int status = subject_status(&s);
    subject_close(&s);
    return status;
}

int run_inspect(const struct call *call)
{
    const struct inspect_args *args = call->args;
    int status = EXIT_PASS;
    for (size_t i = 0; i < call->count && !interrupted(); i++) {
        if (i && !args->json)
            out_put(call->out, "\n\n");
        status = exit_graver(status, inspect_one(call, call->operands[i]));
        (void)out_flush(call->out); /* kept in the out; said once at the end */
    }
    return interrupted() ? EXIT_INTERRUPTED : status;
}
