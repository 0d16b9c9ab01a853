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

const struct command commands[] = {
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
