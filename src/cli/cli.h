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

/* When several apply: 4, 3, 2, 5, 1. */
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

extern const struct command *const commands[]; /* up to NULL */
extern const struct option common_options[];

/* The command that the first of `count` words name; *used: how many of them its name took.
 * NULL when there is none; *used is then how many words to call unknown. */
const struct command *command_find(size_t count, char *const *words, size_t *used);

/* What each exit status means, for help and the manual. */
struct status_text {
    int status;
    const char *command; /* NULL: of every command */
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

/* Each is defined in its cmd_NAME.c, beside its options. */
extern const struct command run_command;
extern const struct command replay_command;
extern const struct command tokenize_command;
extern const struct command bench_command;
extern const struct command check_command;
extern const struct command sign_command;
extern const struct command inspect_command;
extern const struct command diff_command;
extern const struct command digest_command;
extern const struct command quantize_command;
extern const struct command record_command;
extern const struct command verify_command;
extern const struct command log_init_command;
extern const struct command log_show_command;
extern const struct command log_witness_command;
extern const struct command log_checkpoint_command;
extern const struct command log_prove_command;
extern const struct command log_verify_command;
extern const struct command log_query_command;
extern const struct command log_sample_command;
extern const struct command log_stats_command;
extern const struct command log_export_command;
extern const struct command log_disclose_command;
extern const struct command log_erase_command;
extern const struct command log_hold_command;
extern const struct command log_retention_command;
extern const struct command log_rotate_key_command;
extern const struct command log_seal_off_command;
extern const struct command log_backup_command;
extern const struct command log_restore_command;
extern const struct command log_reindex_command;
extern const struct command help_command;
extern const struct command version_command;
extern const struct command completion_command;
extern const struct command man_command;
extern const struct command train_command;
extern const struct command serve_command;
extern const struct command report_command;
extern const struct command report_command;
extern const struct command lineage_command;
extern const struct command attest_command;
extern const struct command record_dataset_command;
extern const struct command record_training_command;
extern const struct command record_model_command;
extern const struct command report_command;
extern const struct command lineage_command;
extern const struct command attest_command;
extern const struct command record_dataset_command;
extern const struct command record_training_command;
extern const struct command record_model_command;

void help_overview(struct out *o);
/* The commands whose names begin with this word; false when there are none. */
bool help_family(struct out *o, const char *word);
void help_of(struct out *o, const struct command *c);

#endif
