/*
 * From argv to a command and from its result to an exit status. What goes
 * wrong with the arguments, and with writing standard output, is said here.
 */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

#include "assay/base/text.h"
#include "cli/args.h"
#include "cli/progress.h"

int exit_graver(int a, int b)
{
    static const int order[] = {EXIT_INTERRUPTED, EXIT_INTEGRITY, EXIT_INCOMPLETE,
                                EXIT_USAGE,       EXIT_EXPIRED,   EXIT_DIFFERENT};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return EXIT_PASS;
}

int cli_error(const struct err *e)
{
    char file[512], text[1024];
    fflush(stdout);
    fputs("assay: ", stderr);
    if (e->file[0])
        fprintf(stderr, "%s: ", text_shown(file, sizeof file, span_str(e->file)));
    if (e->offset != ERR_NO_OFFSET)
        fprintf(stderr, "offset %llu: ", (unsigned long long)e->offset);
    fprintf(stderr, "%s\n", text_shown(text, sizeof text, span_str(e->text)));
    return e->code == ERR_INTERRUPTED ? EXIT_INTERRUPTED : err_exit_status(e->code);
}

int usage_error(const struct command *c, const struct err *e)
{
    fprintf(stderr, "assay %s: %s\n", c->name, e->text);
    fprintf(stderr, "usage: assay %s%s%s%s\nTry 'assay help %s'.\n", c->name,
            c->options ? " [OPTION]..." : "", c->operands[0] ? " " : "", c->operands, c->name);
    return EXIT_USAGE;
}

static bool check_operands(const struct command *c, size_t count, char *const *operands,
                           struct err *e)
{
    char shown[160];
    if (count < c->min && count > 1)
        return err_set(e, ERR_USAGE, "expected %s, and only %zu were given", c->operands, count);
    if (count < c->min)
        return err_set(e, ERR_USAGE, "expected %s, and %s was given", c->operands,
                       count ? "only one" : "nothing");
    if (count > c->max)
        return err_set(e, ERR_USAGE, "one argument too many: '%s'",
                       text_shown(shown, sizeof shown, span_str(operands[c->max])));
    for (size_t i = 0; i < count; i++)
        if (operands[i][0] == '\0')
            return err_set(e, ERR_USAGE, "expected %s, and an empty argument was given",
                           c->operands);
    return true;
}

/* Everything must have reached standard output, or the status says that it did
 * not. A reader that left early (head, less) is no error. */
static int finish(struct out *o, int status)
{
    if (out_flush(o) || o->error == EPIPE)
        return status;
    fprintf(stderr, "assay: standard output: cannot write: %s\n",
            o->error ? strerror(o->error) : "the system refused");
    return exit_graver(status, EXIT_INCOMPLETE);
}

static int run(const struct command *c, int argc, char **argv)
{
    union {
        unsigned char bytes[OPTION_ARGS_SIZE];
        void *alignment;
    } args = {{0}};
    struct common_args common = {0};
    struct option_set sets[] = {{c->options, &args}, {common_options, &common}};
    struct err e = ERR_INIT;
    struct out out;
    size_t count = 0;
    if (!options_parse(sets, 2, argc, argv, &count, &e))
        return usage_error(c, &e);
    out_init(&out, stdout, (enum colour)common.colour);
    if (common.help) {
        help_of(&out, c);
        return finish(&out, EXIT_PASS);
    }
    if (!check_operands(c, count, argv, &e))
        return usage_error(c, &e);
    struct call call = {c, &args, argv, count, &out};
    return finish(&out, c->run(&call));
}

int unknown_command(size_t count, char *const *words)
{
    char name[160], shown[640];
    snprintf(name, sizeof name, "%s%s%s", words[0], count > 1 ? " " : "",
             count > 1 ? words[1] : "");
    struct suggestion near = suggest_start(name, strlen(name));
    for (size_t i = 0; commands[i]; i++)
        if (commands[i]->group)
            suggest_offer(&near, commands[i]->name);
    fprintf(stderr, "assay: unknown command '%s'", text_shown(shown, sizeof shown, span_str(name)));
    if (suggest_best(&near))
        fprintf(stderr, "; did you mean '%s'?", suggest_best(&near));
    fputs("\nTry 'assay help'.\n", stderr);
    return EXIT_USAGE;
}

static const struct command *find_alias(const char *name)
{
    size_t i = 0;
    while (strcmp(commands[i]->name, name) != 0)
        i++;
    return commands[i];
}

/* `assay log` alone says on standard error what there is; `assay log --help` was asked to. */
static bool family_usage(size_t count, char *const *words, int *status)
{
    struct out o;
    bool asked = count == 2 && (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0);
    if (count > 1 && !asked)
        return false;
    out_init(&o, asked ? stdout : stderr, COLOUR_AUTO);
    if (!help_family(&o, words[0]))
        return false;
    *status = asked ? finish(&o, EXIT_PASS) : EXIT_USAGE;
    return true;
}

int cli_main(int argc, char **argv)
{
    static const char *const aliases[][2] = {
        {"--help", "help"}, {"-h", "help"}, {"--version", "version"}, {"-V", "version"}};
    interrupt_watch();
    if (argc < 2) {
        struct out o;
        out_init(&o, stderr, COLOUR_AUTO);
        help_overview(&o);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(argv[1], aliases[i][0]) == 0)
            return run(find_alias(aliases[i][1]), argc - 2, argv + 2);
    size_t used = 1;
    const struct command *c = command_find((size_t)argc - 1, argv + 1, &used);
    int status = EXIT_USAGE;
    if (!c && family_usage((size_t)argc - 1, argv + 1, &status))
        return status;
    if (!c)
        return unknown_command(used, argv + 1);
    return run(c, argc - 1 - (int)used, argv + 1 + used);
}
