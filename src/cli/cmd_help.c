/* help and version: everything said here is read from the tables. */
#include <string.h>

#include "cli/cli.h"

enum { HELP_COLUMN = 26 };

static void print_options(struct out *o, const struct option *table)
{
    for (const struct option *p = table; p && p->name; p++) {
        char name[64];
        snprintf(name, sizeof name, "--%s%s%s", p->name, p->value ? " " : "",
                 p->value ? p->value : "");
        out_printf(o, "  %-*s", HELP_COLUMN - 2, name);
        if (strlen(name) > HELP_COLUMN - 4)
            out_printf(o, "\n%*s", HELP_COLUMN, "");
        out_wrapped_at(o, HELP_COLUMN, p->help);
    }
}

static void print_command(struct out *o, const struct command *c)
{
    char left[64];
    snprintf(left, sizeof left, "%s%s%s", c->name, c->operands[0] ? " " : "", c->operands);
    out_printf(o, "  %-*s", HELP_COLUMN - 2, left);
    if (strlen(left) > HELP_COLUMN - 4)
        out_printf(o, "\n%*s", HELP_COLUMN, "");
    out_wrapped_at(o, HELP_COLUMN, c->summary);
}

void help_overview(struct out *o)
{
    out_put(o, "assay: says exactly what open model files are, without executing them, and keeps\n"
               "an audit log that proves what was recorded\n\n"
               "usage: assay COMMAND [OPTION]... [ARGUMENT]...\n");
    const char *group = NULL;
    for (size_t i = 0; commands[i]; i++) {
        const struct command *c = commands[i];
        if (!c->group)
            continue;
        if (!group || strcmp(group, c->group) != 0)
            out_heading(o, c->group);
        group = c->group;
        print_command(o, c);
    }
    out_put(o, "\n'assay help COMMAND' explains one command.\n");
}

static void print_lines(struct out *o, unsigned indent, const char *lines)
{
    while (*lines) {
        char line[1024];
        size_t n = strcspn(lines, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, lines);
        out_wrapped(o, indent, line);
        lines += n + (lines[n] == '\n');
        if (*lines)
            out_put(o, "\n");
    }
}

static void print_examples(struct out *o, const char *lines)
{
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        size_t bar = strcspn(lines, "|");
        out_printf(o, "  %.*s\n", (int)bar, lines);
        out_printf(o, "      %.*s\n", (int)(n - bar - 1), lines + bar + 1);
        lines += n + (lines[n] == '\n');
    }
}

static void print_statuses(struct out *o, const struct command *c)
{
    for (const struct status_text *s = status_texts; s->text; s++) {
        if (s->command && strcmp(s->command, c->name) != 0)
            continue;
        out_printf(o, "  %-3d  ", s->status);
        out_wrapped_at(o, 7, s->text);
    }
}

void help_of(struct out *o, const struct command *c)
{
    out_printf(o, "assay %s: %s\n\n", c->name, c->summary);
    out_printf(o, "usage: assay %s%s%s%s\n\n", c->name, c->options ? " [OPTION]..." : "",
               c->operands[0] ? " " : "", c->operands);
    print_lines(o, 0, c->description);
    out_heading(o, "Options");
    print_options(o, c->options);
    print_options(o, common_options);
    if (c->examples) {
        out_heading(o, "Examples");
        print_examples(o, c->examples);
    }
    out_heading(o, "Exit status");
    print_statuses(o, c);
}

bool help_family(struct out *o, const char *word)
{
    size_t n = strlen(word);
    bool any = false;
    for (size_t i = 0; commands[i]; i++) {
        const struct command *c = commands[i];
        if (strncmp(c->name, word, n) != 0 || c->name[n] != ' ')
            continue;
        if (!any)
            out_printf(o, "usage: assay %s COMMAND [OPTION]... [ARGUMENT]...\n\n", word);
        any = true;
        print_command(o, c);
    }
    if (any)
        out_printf(o, "\n'assay help %s COMMAND' explains one command.\n", word);
    return any;
}

const struct status_text status_texts[] = {
    {EXIT_PASS, NULL, "everything could be read, and nothing below is the case"},
    {EXIT_DIFFERENT, "check", "the policy says no"},
    {EXIT_DIFFERENT, "diff", "with --exit-code: the two models are not identical"},
    {EXIT_DIFFERENT, "log erase", "a legal hold forbids the erasure"},
    {EXIT_DIFFERENT, "run", "the chat template refuses the conversation"},
    {EXIT_DIFFERENT, "tokenize", "the chat template refuses the conversation"},
    {EXIT_DIFFERENT, "report", "a claim of the report is contradicted"},
    {EXIT_USAGE, NULL, "wrong arguments or configuration"},
    {EXIT_INCOMPLETE, NULL, "something could not be read or only in part, or output not written"},
    {EXIT_INCOMPLETE, "verify",
     "no key was given for a receipt, checkpoint or disclosure: nobody known signed it"},
    {EXIT_INTEGRITY, NULL, "something is not what was signed or recorded"},
    {EXIT_INTEGRITY, "verify", "the key that was given did not sign it"},
    {EXIT_INTEGRITY, "log verify", "the key that was given did not sign it"},
    {EXIT_INTEGRITY, "replay", "the computation gives another answer than the recorded one"},
    {EXIT_EXPIRED, "check", "the policy says no because a waiver ran out"},
    {EXIT_INTERRUPTED, NULL, "interrupted; what was read so far was shown as incomplete"},
    {0, NULL, NULL},
};

static int run_help(const struct call *call)
{
    if (call->count == 0) {
        help_overview(call->out);
        return EXIT_PASS;
    }
    size_t used = 1;
    const struct command *c = command_find(call->count, call->operands, &used);
    if (!c && used == 1 && help_family(call->out, call->operands[0]))
        return EXIT_PASS;
    if (!c || used < call->count)
        return unknown_command(c ? call->count : used, call->operands);
    help_of(call->out, c);
    return EXIT_PASS;
}

static int run_version(const struct call *call)
{
    out_printf(call->out, "assay %s\n", ASSAY_VERSION);
    return EXIT_PASS;
}

const struct command help_command = {"help",
                                     "Help",
                                     "[COMMAND]",
                                     "explain a command",
                                     "Explains a command, or lists all of them.",
                                     NULL,
                                     0,
                                     2,
                                     run_help,
                                     NULL};

const struct command version_command = {
    "version", "Help", "", "print the version", "Prints the version.",
    NULL,      0,      0,  run_version,         NULL};
