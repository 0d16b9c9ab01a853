/*
 * The manual page (mdoc) and the completion script, both from the table of
 * commands, so that neither can say anything else than the program does.
 */
#include <string.h>

#include "assay/base/text.h"
#include "cli/cli.h"

/* Text into mdoc: a line never begins with a control character, backslashes are escaped. */
static void mdoc_text(struct out *o, const char *s, size_t n)
{
    bool start = true;
    for (size_t i = 0; i < n; i++) {
        if (start && (s[i] == '.' || s[i] == '\''))
            out_put(o, "\\&");
        start = s[i] == '\n';
        if (s[i] == '\\')
            out_put(o, "\\e");
        else if (s[i] == '-')
            out_put(o, "\\-");
        else
            out_printf(o, "%c", s[i]);
    }
}

static void mdoc_options(struct out *o, const struct option *table)
{
    for (const struct option *p = table; p && p->name; p++) {
        out_printf(o, ".It Fl Fl %s", p->name);
        if (p->value)
            out_printf(o, " Ar %s", p->value);
        out_put(o, "\n");
        mdoc_text(o, p->help, strlen(p->help));
        out_put(o, ".\n");
    }
}

static void mdoc_paragraphs(struct out *o, const char *lines)
{
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        out_put(o, ".Pp\n");
        mdoc_text(o, lines, n);
        out_put(o, "\n");
        lines += n + (lines[n] == '\n');
    }
}

static void mdoc_examples(struct out *o, const char *lines)
{
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        size_t bar = strcspn(lines, "|");
        out_put(o, ".It Li \"");
        for (size_t i = 0; i < bar; i++)
            lines[i] == '"' ? out_put(o, "\"\"") : mdoc_text(o, lines + i, 1);
        out_put(o, "\"\n");
        mdoc_text(o, lines + bar + 1, n - bar - 1);
        out_put(o, "\n");
        lines += n + (lines[n] == '\n');
    }
}

static void mdoc_command(struct out *o, const struct command *c)
{
    out_printf(o, ".Ss assay %s\n", c->name);
    out_printf(o, "Usage: assay %s%s ", c->name, c->options ? " [OPTION]..." : "");
    mdoc_text(o, c->operands, strlen(c->operands));
    out_put(o, "\n");
    mdoc_paragraphs(o, c->description);
    if (!c->options)
        return;
    out_put(o, ".Bl -tag -width Ds\n");
    mdoc_options(o, c->options);
    out_put(o, ".El\n");
}

static void each_command(struct out *o, void (*print)(struct out *, const struct command *))
{
    for (size_t i = 0; commands[i]; i++)
        if (commands[i]->group)
            print(o, commands[i]);
}

static void synopsis(struct out *o, const struct command *c)
{
    out_printf(o, ".Nm\n.Cm %s\n", c->name);
    if (c->options)
        out_put(o, ".Op Ar OPTION ...\n");
    if (c->operands[0])
        out_printf(o, ".Ar %s\n", c->operands);
}

static void examples(struct out *o, const struct command *c)
{
    if (c->examples)
        mdoc_examples(o, c->examples);
}

static int run_man(const struct call *call)
{
    struct out *o = call->out;
    out_put(o, ".\\\" Made by `assay man` from the table of commands.\n"
               ".Dd $Mdocdate$\n.Dt ASSAY 1\n.Os\n.Sh NAME\n.Nm assay\n"
               ".Nd say exactly what open model files are\n.Sh SYNOPSIS\n");
    each_command(o, synopsis);
    out_put(o, ".Sh DESCRIPTION\n"
               "Reads open model files without executing them and says what they are.\n"
               "Options may stand anywhere among the arguments; \\-\\- ends them.\n"
               ".Sh COMMANDS\n");
    each_command(o, mdoc_command);
    out_put(o, ".Sh COMMON OPTIONS\n.Bl -tag -width Ds\n");
    mdoc_options(o, common_options);
    out_put(o, ".El\n.Sh ENVIRONMENT\n.Bl -tag -width XDG_CACHE_HOME\n"
               ".It Ev NO_COLOR\nNo colour, when set and not empty.\n"
               ".It Ev COLUMNS\nWidth of the text.\n"
               ".It Ev XDG_CACHE_HOME\nWhere the digest cache assay/digests stands; "
               "by default ~/.cache.\n.El\n"
               ".Sh EXIT STATUS\n.Bl -tag -width Ds\n");
    for (const struct status_text *s = status_texts; s->text; s++)
        out_printf(o, ".It %d\n%s%s%s.\n", s->status, s->command ? s->command : "",
                   s->command ? ": " : "", s->text);
    out_put(o, ".El\n.Pp\nFor several paths the gravest applies: 130, 4, 3, 2, 5, 1.\n"
               ".Sh EXAMPLES\n.Bl -tag -width Ds\n");
    each_command(o, examples);
    out_put(o, ".El\n");
    return EXIT_PASS;
}

static void complete_options(struct out *o, const struct option *table)
{
    for (const struct option *p = table; p && p->name; p++)
        out_printf(o, " --%s", p->name);
}

static void complete_command(struct out *o, const struct command *c)
{
    out_printf(o, "    '%s '*) options='", c->name);
    complete_options(o, c->options);
    complete_options(o, common_options);
    out_put(o, "' ;;\n");
}

static bool same_first_word(const struct command *a, const struct command *b)
{
    size_t n = strcspn(a->name, " ");
    return n == strcspn(b->name, " ") && strncmp(a->name, b->name, n) == 0;
}

/* Is it the first in the table whose name begins with its first word? */
static bool begins_family(const struct command *c)
{
    size_t i = 0;
    while (!same_first_word(commands[i], c))
        i++;
    return commands[i] == c;
}

static void complete_name(struct out *o, const struct command *c)
{
    if (begins_family(c))
        out_printf(o, " %.*s", (int)strcspn(c->name, " "), c->name);
}

/* `log)` and the second words of the commands that begin so. */
static void complete_family(struct out *o, const struct command *c)
{
    size_t n = strcspn(c->name, " "), listed = 0;
    for (size_t i = 0; commands[i] && begins_family(c); i++) {
        if (!same_first_word(commands[i], c) || commands[i]->name[n] != ' ')
            continue;
        if (listed++ == 0)
            out_printf(o, "        %.*s) COMPREPLY=($(compgen -W '", (int)n, c->name);
        out_printf(o, " %s", commands[i]->name + n + 1);
    }
    if (listed)
        out_put(o, "' -- \"$word\")); return ;;\n");
}

static int run_completion(const struct call *call)
{
    struct out *o = call->out;
    char shown[80];
    if (strcmp(call->operands[0], "bash") != 0) {
        fprintf(stderr, "assay completion: expected bash, not '%s'\n",
                text_shown(shown, sizeof shown, span_str(call->operands[0])));
        return EXIT_USAGE;
    }
    out_put(o, "# Completion for assay; made by `assay completion bash`.\n"
               "_assay() {\n"
               "    local word=${COMP_WORDS[COMP_CWORD]} options=\n"
               "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
               "        COMPREPLY=($(compgen -W '");
    each_command(o, complete_name);
    out_put(o, "' -- \"$word\"))\n        return\n    fi\n"
               "    if [ \"$COMP_CWORD\" -eq 2 ]; then\n"
               "        case ${COMP_WORDS[1]} in\n");
    each_command(o, complete_family);
    out_put(o, "        esac\n    fi\n"
               "    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]} \" in\n");
    each_command(o, complete_command);
    out_put(o, "    esac\n"
               "    case $word in\n"
               "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
               "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
               "    esac\n}\n"
               "complete -o filenames -F _assay assay\n");
    return EXIT_PASS;
}

const struct command completion_command = {
    "completion",
    "Help",
    "bash",
    "print a shell completion script",
    "Prints a completion script for the shell, made from the same table as this help.",
    NULL,
    1,
    1,
    run_completion,
    "eval \"$(assay completion bash)\"|complete in this shell\n"};

const struct command man_command = {
    "man", NULL,    "",  "print the manual page in mdoc", "Prints assay(1) in mdoc.", NULL, 0,
    0,     run_man, NULL};
