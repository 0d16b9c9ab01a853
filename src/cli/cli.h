/*
 * The command line's own types: one table of commands from which dispatch,
 * help, the manual page and shell completion are all made.
 *
 * Only src/cli prints or exits. A command is a function over its parsed
 * options and operands that returns an exit status.
 */
#ifndef ASSAY_CLI_CLI_H
#define ASSAY_CLI_CLI_H

#include "assay/base/err.h"
#include "cli/options.h"
#include "cli/output.h"

/* DESIGN section 8. When several apply: 4, 3, 2, 5, 1. */
enum exit_status {
    EXIT_PASS = 0,
    EXIT_DIFFERENT = 1, /* policy failed; for diff --exit-code: not identical */
    EXIT_USAGE = 2,
    EXIT_INCOMPLETE = 3, /* unreadable or incomplete */
    EXIT_INTEGRITY = 4,
    EXIT_EXPIRED = 5,
    EXIT_INTERRUPTED = 130 /* as a shell reports death by SIGINT */
};

struct command;

/* One run of one command. */
struct call {
    const struct command *command;
    const void *args; /* the struct that the command's options fill */
    char *const *operands;
    size_t count;
    struct out *out; /* standard output */
};

struct command {
    const char *name;             /* one word, or two: "log show" */
    const char *group;            /* heading it stands under; NULL: hidden */
    const char *operands;         /* "PATH..." */
    const char *summary;          /* one line, no full stop */
    const char *description;      /* paragraphs, one a line */
    const struct option *options; /* up to one without a name; NULL: none */
    size_t min, max;              /* operands */
    int (*run)(const struct call *call);
    const char *examples; /* "command|what it does" lines; NULL: none */
};

extern const struct command commands[]; /* up to one without a name */
extern const struct option common_options[];

/* The command that the first of `count` words name; *used: how many of them its name took.
 * NULL when there is none; *used is then how many words to call unknown. */
const struct command *command_find(size_t count, char *const *words, size_t *used);

/* What each exit status means, for help and the manual. */
struct status_text {
    int status;
    const char *text;
};
extern const struct status_text status_texts[]; /* up to one without a text */

int cli_main(int argc, char **argv);
/* Says on standard error that there is no command of these words; returns EXIT_USAGE. */
int unknown_command(size_t count, char *const *words);
/* As a command's arguments that are wrong in a way the table cannot say; returns EXIT_USAGE. */
int usage_error(const struct command *c, const struct err *e);
/* The graver of two statuses. */
int exit_graver(int a, int b);
/* `assay: FILE: offset N: TEXT` on standard error; returns the exit status of the error. */
int cli_error(const struct err *e);

int run_inspect(const struct call *call);
int run_diff(const struct call *call);
int run_digest(const struct call *call);
int run_record(const struct call *call);
int run_log_init(const struct call *call);
int run_log_witness(const struct call *call);
int run_log_show(const struct call *call);
int run_log_checkpoint(const struct call *call);
int run_log_prove(const struct call *call);
int run_log_export(const struct call *call);
int run_verify(const struct call *call);
int run_log_query(const struct call *call);
int run_log_sample(const struct call *call);
int run_log_stats(const struct call *call);
int run_log_erase(const struct call *call);
int run_log_hold(const struct call *call);
int run_log_disclose(const struct call *call);
int run_log_rotate_key(const struct call *call);
int run_log_seal_off(const struct call *call);
int run_log_retention(const struct call *call);
int run_log_reindex(const struct call *call);
int run_log_backup(const struct call *call);
int run_log_restore(const struct call *call);
int run_help(const struct call *call);
int run_version(const struct call *call);
int run_man(const struct call *call);
int run_completion(const struct call *call);

void help_overview(struct out *o);
/* The commands whose names begin with this word; false when there are none. */
bool help_family(struct out *o, const char *word);
void help_command(struct out *o, const struct command *c);

#endif
