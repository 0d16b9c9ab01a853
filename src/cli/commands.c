/*
 * The table of commands. Adding a command is a row here, a file cmd_NAME.c and
 * its options; help, the manual page and completion follow by themselves.
 */
#include "cli/cli.h"

#include <string.h>

#include "cli/args.h"

const struct option common_options[] = {
    {"color", OPTION_CHOICE, "auto|always|never", offsetof(struct common_args, colour),
     "colour the text; auto: on a terminal, unless NO_COLOR is set"},
    {"help", OPTION_FLAG, NULL, offsetof(struct common_args, help), "show this help"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

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

#define AT(member) offsetof(struct digest_args, member)
static const struct option digest_options[] = {
    {"tensors", OPTION_FLAG, NULL, AT(tensors), "add the digest of every tensor"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON (schema/digest.schema.json)"},
    {"no-cache", OPTION_FLAG, NULL, AT(no_cache), "take every digest anew and remember none"},
    {"threads", OPTION_NUMBER, "N", AT(threads), "use N threads (default: all cores)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command commands[] = {
    {"inspect", "Models", "PATH...", "say what a model is",
     "Reads a model without executing anything in it and shows what it is: architecture, "
     "parameters, element types, tokenizer, chat template, licence, origin, identity, how much of "
     "its bytes is accounted for, and what is wrong with it.\n"
     "PATH is a GGUF or safetensors file, any part of a split GGUF set, a "
     "*.safetensors.index.json, or a folder as on Hugging Face. Formats are recognised by content, "
     "never by name.\n"
     "Whatever was read before a fault is shown and marked incomplete. Findings alone do not fail: "
     "the exit status is 0 when everything could be read.\n"
     "With --json one PATH gives one JSON object; several give one object a line, also for a PATH "
     "that could not be read.\n"
     "Digests of files that did not change since they were taken come from the digest cache; the "
     "output says so.",
     inspect_options, 1, SIZE_MAX, run_inspect,
     "assay inspect model.gguf|one screen about one file\n"
     "assay inspect --tensors --stats model/|every tensor of a folder with its statistics\n"
     "assay inspect --json a.gguf b.gguf|two objects, one a line\n"},
    {"diff", "Models", "A B", "say what model B is to model A",
     "Compares two models tensor by tensor, whatever their containers and element types, and says "
     "in one line what B is to A: identical, re-packed, quantised, fine-tuned, an adapter, of the "
     "same architecture, or unrelated, with the numbers behind it. Metadata, configuration, "
     "tokenizer and chat template differences follow.\n"
     "The exit status is 0 whether or not there are differences, unless --exit-code is given.",
     diff_table, 2, 2, run_diff,
     "assay diff model-f16.gguf model-q4_0.gguf|how far a quantisation went\n"
     "assay diff model/ model.gguf|is the GGUF file what the folder was\n"},
    {"digest", "Models", "PATH", "print a manifest for sha256sum, and the roots",
     "Prints one line for each file of the model, its SHA-256 and its name, in the form that "
     "`sha256sum -c` verifies when it is run in the model's folder. The roots that identify the "
     "model stand before them in lines that begin with '#', which sha256sum ignores.",
     digest_options, 1, 1, run_digest,
     "assay digest model/ > model.sha256|write the manifest\n"
     "cd model && sha256sum -c ../model.sha256|verify it with coreutils alone\n"},
    {"help", "Help", "[COMMAND]", "explain a command", "Explains a command, or lists all of them.",
     NULL, 0, 1, run_help, NULL},
    {"version", "Help", "", "print the version", "Prints the version.", NULL, 0, 0, run_version,
     NULL},
    {"completion", "Help", "bash", "print a shell completion script",
     "Prints a completion script for the shell, made from the same table as this help.", NULL, 1, 1,
     run_completion, "eval \"$(assay completion bash)\"|complete in this shell\n"},
    {"man", NULL, "", "print the manual page in mdoc", "Prints assay(1) in mdoc.", NULL, 0, 0,
     run_man, NULL},
    {.name = NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}
