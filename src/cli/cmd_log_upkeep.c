/* assay log reindex, backup, restore. */
#include <inttypes.h>

#include "assay/log.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/show.h"

static int run_log_reindex(const struct call *call)
{
    struct err e = ERR_INIT;
    struct log_reindexed x = {.entries = 0};
    if (!log_reindex(call->operands[0], &x, &e)) {
        err_in_file(&e, call->operands[0]);
        return cli_error(&e);
    }
    out_printf(call->out, "Rebuilt from %" PRIu64 " entries\n", x.entries);
    out_field(call->out, "tiles", "%" PRIu64 ", %" PRIu64 " were wrong", x.tiles, x.wrong_tiles);
    out_field(call->out, "index", "%" PRIu64 " rows were wrong", x.wrong_entries);
    out_field(call->out, "open calls", "%" PRIu64 " rows were wrong", x.wrong_intents);
    return EXIT_PASS;
}

static int run_log_backup(const struct call *call)
{
    const struct backup_args *args = call->args;
    struct err e = ERR_INIT;
    struct log_backed_up x = {.entries = 0};
    char shown[SHOW_SIZE];
    if (!log_backup(call->operands[0], call->operands[1], args->keyring, &x, &e)) {
        err_in_file(&e, call->operands[0]);
        return cli_error(&e);
    }
    show_text(shown, span_str(call->operands[1]), SHOW_NAME);
    out_printf(call->out, "%s holds %" PRIu64 " entries\n", shown, x.entries);
    out_field(call->out, "keyring", "%s",
              x.keyring ? "copied: destroy this copy when something is erased" : "not copied");
    out_field(call->out, "keys", "log.key and operator.key are never copied");
    return EXIT_PASS;
}

static void say_restored(struct out *o, const struct log_restored *x)
{
    out_printf(o, "Restored %" PRIu64 " entries\n", x->entries);
    if (x->lost)
        out_field(o, "lost", "%" PRIu64 " entries that came after the backup", x->lost);
    else
        out_field(o, "lost", "nothing that a head file here knew of");
    if (x->sealed) {
        out_field(o, "sealed off", "it is back as it was, and nothing is appended");
        return;
    }
    out_field(o, "entry", "%" PRIu64 " says so", x->seq);
    out_field(o, "epoch", "%" PRIu64, x->epoch);
}

static int run_log_restore(const struct call *call)
{
    const struct order_args *args = call->args;
    struct log_paths paths = {args->keys.key, args->keys.operator_key};
    struct log_order order = {span_str(args->by), span_str(args->basis)};
    struct log_restored x = {.entries = 0};
    struct err e = ERR_INIT;
    if (order.by.n == 0 || order.basis.n == 0) {
        err_set(&e, ERR_USAGE,
                "--by WHO and --basis TEXT say who restores and why; both stand in the log in "
                "clear");
        return usage_error(call->command, &e);
    }
    if (!log_restore(call->operands[0], call->operands[1], &paths, &order, &x, &e)) {
        err_in_file(&e, call->operands[1]);
        return cli_error(&e);
    }
    say_restored(call->out, &x);
    return EXIT_PASS;
}

static const struct option log_backup_options[] = {
    {"keyring", OPTION_FLAG, NULL, offsetof(struct backup_args, keyring),
     "copy the keyring too: such a copy must be destroyed when something is erased"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

const struct command log_backup_command = {
    "log backup",
    "Audit log",
    "FOLDER TO",
    "copy a log while it is written",
    "Copies the log as it is at one moment to the new folder TO. The signing key and the "
    "operator's key are never copied; keep copies of them elsewhere.",
    log_backup_options,
    2,
    2,
    run_log_backup,
    "assay log backup audit /backup/2026-11-23|a copy\n"};

#define AT(member) offsetof(struct order_args, member)
static const struct option log_restore_options[] = {
    {"by", OPTION_TEXT, "WHO", AT(by), "who orders it"},
    {"basis", OPTION_TEXT, "TEXT", AT(basis), "why"},
    {"key", OPTION_TEXT, "FILE", AT(keys.key), "the log's signing key (default: log.key)"},
    {"operator-key", OPTION_TEXT, "FILE", AT(keys.operator_key),
     "the key that wraps the keyring (default: operator.key)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command log_restore_command = {
    "log restore",
    "Audit log",
    "BACKUP FOLDER",
    "go on from a backup",
    "Makes the log in FOLDER, where no log.db may be, from a backup, and appends an entry that "
    "says so and begins a new epoch of the keyring. log.key and operator.key must be in FOLDER or "
    "be given.",
    log_restore_options,
    2,
    2,
    run_log_restore,
    "assay log restore /backup/2026-11-23 audit --by ops --basis 'disk failure'|after a loss\n"};

const struct command log_reindex_command = {
    "log reindex",
    "Audit log",
    "FOLDER",
    "rebuild what is derived from the entries",
    "Rebuilds tiles and index from the entries and says how many rows disagreed with them. It "
    "changes no entry; nobody else may own the log.",
    NULL,
    1,
    1,
    run_log_reindex,
    NULL};
