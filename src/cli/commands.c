/*
 * The table of commands. Adding a command is a file cmd_NAME.c that defines it
 * and a line here; help, the manual page and completion follow by themselves.
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

/* In the order of help and manual; commands of one group stand together. */
/* clang-format off */
const struct command *const commands[] = {
    &inspect_command,
    &diff_command,
    &digest_command,
    &check_command,
    &sign_command,
    &quantize_command,
    &train_command,
    &run_command,
    &replay_command,
    &tokenize_command,
    &bench_command,
    &serve_command,
    &report_command,
    &attest_command,
    &lineage_command,
    &record_model_command,
    &record_dataset_command,
    &record_training_command,
    &record_command,
    &verify_command,
    &log_init_command,
    &log_show_command,
    &log_witness_command,
    &log_checkpoint_command,
    &log_prove_command,
    &log_verify_command,
    &log_query_command,
    &log_sample_command,
    &log_stats_command,
    &log_export_command,
    &log_disclose_command,
    &log_erase_command,
    &log_hold_command,
    &log_retention_command,
    &log_rotate_key_command,
    &log_seal_off_command,
    &log_backup_command,
    &log_restore_command,
    &log_reindex_command,
    &help_command,
    &version_command,
    &completion_command,
    &man_command,
    NULL,
};
/* clang-format on */

const struct command *command_find(size_t count, char *const *words, size_t *used)
{
    *used = 1;
    for (size_t i = 0; commands[i]; i++) {
        const struct command *c = commands[i];
        size_t n = strlen(words[0]);
        if (strncmp(c->name, words[0], n) != 0)
            continue;
        if (c->name[n] == '\0') {
            *used = 1;
            return c;
        }
        if (c->name[n] != ' ' || count < 2)
            continue;
        *used = 2;
        if (strcmp(c->name + n + 1, words[1]) == 0)
            return c;
    }
    return NULL;
}
