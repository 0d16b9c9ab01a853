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

static int run_inspect(const struct call *call)
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

#define AT(member) offsetof(struct inspect_args, member)
static const struct option inspect_options[] = {
    {"tensors", OPTION_FLAG, NULL, AT(tensors), "list every tensor"},
    {"metadata", OPTION_FLAG, NULL, AT(metadata), "list all metadata, long arrays shortened"},
    {"stats", OPTION_FLAG, NULL, AT(stats),
     "min, max, mean, RMS, zeros, NaN and Inf of every tensor"},
    {"all", OPTION_FLAG, NULL, AT(all), "list every finding, not a few of each kind"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON (schema/inspect.schema.json)"},
    {"no-digest", OPTION_FLAG, NULL, AT(no_digest), "do not read the weights to take digests"},
    {"no-cache", OPTION_FLAG, NULL, AT(no_cache), "take every digest anew and remember none"},
    {"threads", OPTION_NUMBER, "N", AT(threads), "use N threads (default: all cores)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command inspect_command = {
    "inspect",
    "Models",
    "PATH...",
    "say what a model is",
    "Reads a model without executing anything in it and shows what it is: architecture, "
    "parameters, element types, tokenizer, chat template, licence, origin, identity, how much of "
    "its bytes is accounted for, and what is wrong with it.\n"
    "PATH is a GGUF, safetensors or PyTorch file, any part of a split GGUF set, a "
    "*.safetensors.index.json, or a folder as on Hugging Face. Formats are recognised by content, "
    "never by name.\n"
    "Whatever was read before a fault is shown and marked incomplete. Findings alone do not fail: "
    "the exit status is 0 when everything could be read.\n"
    "With --json one PATH gives one JSON object; several give one object a line, also for a PATH "
    "that could not be read.\n"
    "Digests of files that did not change since they were taken come from the digest cache; the "
    "output says so.",
    inspect_options,
    1,
    SIZE_MAX,
    run_inspect,
    "assay inspect model.gguf|one screen about one file\n"
    "assay inspect --tensors --stats model/|every tensor of a folder with its statistics\n"
    "assay inspect --json a.gguf b.gguf|two objects, one a line\n"};
