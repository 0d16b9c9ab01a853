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

#define AT(member) offsetof(struct record_args, member)
static const struct option record_options[] = {
    {"log", OPTION_TEXT, "FOLDER", AT(log), "the log to record in"},
    {"source", OPTION_TEXT, "TEXT", AT(source), "where the model was obtained, in your words"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON (schema/record.schema.json)"},
    {"no-cache", OPTION_FLAG, NULL, AT(no_cache), "take every digest anew and remember none"},
    {"threads", OPTION_NUMBER, "N", AT(threads), "use N threads (default: all cores)"},
    {"key", OPTION_TEXT, "FILE", AT(keys.key), "the log's signing key (default: log.key)"},
    {"operator-key", OPTION_TEXT, "FILE", AT(keys.operator_key),
     "the key that wraps the keyring (default: operator.key)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

#define AT(member) offsetof(struct log_init_args, member)
static const struct option log_init_options[] = {
    {"origin", OPTION_TEXT, "NAME", AT(origin), "name of the log, such as example.org/audit"},
    {"key", OPTION_TEXT, "FILE", AT(keys.key),
     "make the signing key there (default: log.key in FOLDER)"},
    {"operator-key", OPTION_TEXT, "FILE", AT(keys.operator_key),
     "make the key that wraps the keyring there (default: operator.key in FOLDER)"},
    {"after", OPTION_TEXT, "FOLDER", AT(after), "continue this log, which was sealed off"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

#define AT(member) offsetof(struct log_witness_args, member)
static const struct option log_witness_options[] = {
    {"note", OPTION_FLAG, NULL, AT(note), "print the checkpoint that was cosigned last"},
    {"timeout", OPTION_NUMBER, "SECONDS", AT(timeout), "wait so long for each (default: 10)"},
    {"ca", OPTION_TEXT, "FILE", AT(ca),
     "trust the certificate authorities in this PEM file, not the system's"},
    {"key", OPTION_TEXT, "FILE", AT(keys.key), "the log's signing key (default: log.key)"},
    {"operator-key", OPTION_TEXT, "FILE", AT(keys.operator_key),
     "the key that wraps the keyring (default: operator.key)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

static const struct option log_show_options[] = {
    {"json", OPTION_FLAG, NULL, offsetof(struct log_show_args, json),
     "write one entry as JSON (schema/log-entry.schema.json)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

static const struct option log_prove_options[] = {
    {"output", OPTION_TEXT, "FILE", offsetof(struct log_prove_args, output),
     "write to this new file, not to standard output"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

#define AT(member) offsetof(struct verify_args, member)
static const struct option verify_options[] = {
    {"key", OPTION_TEXTS, "VKEY", AT(keys),
     "believe this verifier key, a log's or a witness's; may be repeated"},
    {"policy", OPTION_TEXT, "FILE", AT(policy),
     "believe whom this policy names (C2SP tlog-policy: log, witness, group, quorum)"},
    {"require", OPTION_NUMBER, "N", AT(require), "at least N of the witnesses must have cosigned"},
    {"older", OPTION_TEXTS, "FILE", AT(older),
     "a log must extend this older checkpoint; may be repeated"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON (schema/verify.schema.json)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

#define FILTER(type)                                                                               \
    {"since", OPTION_TEXT, "TIME", offsetof(struct type, filter.since),                            \
     "entries from this time on (UTC): 2026-11-23 or 2026-11-23T14:05:00Z"},                       \
        {"until", OPTION_TEXT, "TIME", offsetof(struct type, filter.until),                        \
         "entries before this time"},                                                              \
        {"kind", OPTION_TEXTS, "KIND", offsetof(struct type, filter.kinds),                        \
         "entries of this kind, such as model or call-outcome; may be repeated"},                  \
        {"model", OPTION_TEXT, "NAME", offsetof(struct type, filter.model),                        \
         "about the model of this name, tensor root or manifest root"},                            \
        {"subject", OPTION_TEXT, "ID", offsetof(struct type, filter.subject),                      \
         "about the subject of this pseudonym, as entries show it"},                               \
    {                                                                                              \
        "outcome", OPTION_TEXT, "WORD", offsetof(struct type, filter.outcome),                     \
            "calls that ended so, or checks and replays with this result"                          \
    }

static const struct option log_query_options[] = {
    FILTER(query_args),
    {"limit", OPTION_U64, "N", offsetof(struct query_args, limit), "the first N of them"},
    {"format", OPTION_CHOICE, "table|json|csv", offsetof(struct query_args, format),
     "a table, JSON lines (schema/log-entry.schema.json) or CSV"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

static const struct option log_sample_options[] = {
    {"seed", OPTION_TEXT, "S", offsetof(struct sample_args, seed),
     "any text; the same seed draws the same sample"},
    {"n", OPTION_U64, "N", offsetof(struct sample_args, n), "how many entries (default: 25)"},
    FILTER(sample_args),
    {"json", OPTION_FLAG, NULL, offsetof(struct sample_args, json),
     "write JSON (schema/log-sample.schema.json)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

static const struct option log_stats_options[] = {
    {"json", OPTION_FLAG, NULL, offsetof(struct log_show_args, json),
     "write JSON (schema/log-stats.schema.json)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

#define KEYS(type, member)                                                                         \
    {"key", OPTION_TEXT, "FILE", offsetof(struct type, member.key),                                \
     "the log's signing key (default: log.key)"},                                                  \
    {                                                                                              \
        "operator-key", OPTION_TEXT, "FILE", offsetof(struct type, member.operator_key),           \
            "the key that wraps the keyring (default: operator.key)"                               \
    }
#define ORDER(type)                                                                                \
    {"by", OPTION_TEXT, "WHO", offsetof(struct type, order.by), "who orders it"},                  \
        {"basis", OPTION_TEXT, "TEXT", offsetof(struct type, order.basis), "why"},                 \
        KEYS(type, order.keys)

#define AT(member) offsetof(struct erase_args, member)
static const struct option log_erase_options[] = {
    {"subject", OPTION_TEXT, "NAME", AT(subject), "everything of this subject"},
    {"entry", OPTION_U64, "N", AT(entry), "the content of this entry alone"},
    {"certificate", OPTION_TEXT, "FILE", AT(certificate), "write the signed certificate there"},
    ORDER(erase_args),
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

#define AT(member) offsetof(struct hold_args, member)
static const struct option log_hold_options[] = {
    {"subject", OPTION_TEXT, "NAME", AT(subject), "hold what concerns this subject"},
    {"from", OPTION_U64, "N", AT(from), "hold entries from this one on"},
    {"to", OPTION_U64, "N", AT(to), "until before this one"},
    {"release", OPTION_TEXT, "ID", AT(release), "release the hold of this name"},
    ORDER(hold_args),
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

#define AT(member) offsetof(struct disclose_args, member)
static const struct option log_disclose_options[] = {
    {"recipient", OPTION_TEXT, "WHO", AT(recipient), "to whom"},
    {"output", OPTION_TEXT, "FILE", AT(output), "write to this new file, not to standard output"},
    ORDER(disclose_args),
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

#define AT(member) offsetof(struct rotate_args, member)
static const struct option log_rotate_options[] = {
    {"with", OPTION_TEXT, "FILE", AT(with), "use this key (PKCS#8); without, a new one is made"},
    {"reason", OPTION_TEXT, "TEXT", AT(reason), "why; stands in the log"},
    KEYS(rotate_args, keys),
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

static const struct option log_seal_off_options[] = {
    {"key", OPTION_TEXT, "FILE", offsetof(struct key_args, key),
     "the log's signing key (default: log.key)"},
    {"operator-key", OPTION_TEXT, "FILE", offsetof(struct key_args, operator_key),
     "the key that wraps the keyring (default: operator.key)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

static const struct option log_backup_options[] = {
    {"keyring", OPTION_FLAG, NULL, offsetof(struct backup_args, keyring),
     "copy the keyring too: such a copy must be destroyed when something is erased"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

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

static const struct option log_retention_options[] = {
    {"floor", OPTION_U64, "DAYS", offsetof(struct retention_args, least),
     "content should be kept at least so long"},
    {"ceiling", OPTION_U64, "DAYS", offsetof(struct retention_args, most), "and at most so long"},
    ORDER(retention_args),
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

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
    {"record", "Audit log", "PATH", "enrol a model in an audit log",
     "Reads a model as inspect does and appends what was found to a log as one entry: its "
     "digests, architecture, licences, and findings counted by rule. When the command returns, the "
     "entry is durable.\n"
     "A model that could not be read whole is recorded as incomplete, and the exit status is 3. "
     "What is no model is not recorded.",
     record_options, 1, 1, run_record,
     "assay record model/ --log audit --source https://example.org/model|enrol a model\n"},
    {"verify", "Audit log", "PATH", "verify a receipt, checkpoint, disclosure or log",
     "Finds out what PATH is (a receipt, a checkpoint, a disclosure, an export, a log's folder), "
     "verifies it offline, and says what that shows and what it does not.\n"
     "Without --key or --policy nobody is pinned: of a log it is then shown that it agrees with "
     "itself, and of a receipt, checkpoint or disclosure nothing that its maker could not have "
     "made "
     "up; for these the exit status is then 3. It is 4 when something is not what was signed.",
     verify_options, 1, 1, run_verify,
     "assay verify 3.tlog-proof --key example.org/audit+b9ff75e3+AVj1...|a receipt, offline\n"
     "assay verify audit --older 2026-10.checkpoint|nothing of October was changed\n"},
    {"log init", "Audit log", "FOLDER", "begin an audit log",
     "Makes FOLDER with a signing key, a keyring, a database and the first entry of a "
     "tamper-evident log, and prints the verifier key by which anybody verifies it.",
     log_init_options, 1, 1, run_log_init,
     "assay log init audit --origin example.org/audit|begin a log\n"},
    {"log show", "Audit log", "FOLDER [N]", "show a log, or one of its entries",
     "Shows what a log says of itself and its newest entries, or entry N in full. It only reads, "
     "also while a server writes the log, and verifies nothing.",
     log_show_options, 1, 2, run_log_show, "assay log show audit 3|one entry\n"},
    {"log witness", "Audit log", "FOLDER [URL VKEY]...", "have a log's checkpoint cosigned",
     "Submits the log's newest checkpoint to each witness (C2SP tlog-witness; VKEY is the "
     "witness's verifier key), verifies its cosignature and keeps it. A witness cosigns only what "
     "extends all it saw before, so history before a cosignature cannot be rewritten unnoticed.\n"
     "Every witness is asked, also when another fails. The exit status is 4 when one says that "
     "history was rewritten or rolled back.\n"
     "Without a URL it shows which witnesses cosigned last, and when.",
     log_witness_options, 1, SIZE_MAX, run_log_witness,
     "assay log witness audit https://witness.example/w1 witness.example/w1+0c8a...+BA...|ask\n"
     "assay log witness audit|who cosigned, and when\n"
     "assay log witness audit --note > cosigned.checkpoint|for assay verify --key --require\n"},
    {"log checkpoint", "Audit log", "FOLDER", "print a log's newest signed checkpoint",
     "Prints the newest checkpoint (C2SP tlog-checkpoint): origin, number of entries and the root "
     "of the tree over them, signed. Whoever keeps it can prove later that history was changed.",
     NULL, 1, 1, run_log_checkpoint,
     "assay log checkpoint audit > 2026-11.checkpoint|keep today's state\n"},
    {"log prove", "Audit log", "FOLDER N", "write the receipt of an entry",
     "Writes the receipt of entry N (C2SP tlog-proof): the entry, the proof that it is in the log, "
     "and the signed checkpoint. Anybody verifies it without the log.",
     log_prove_options, 2, 2, run_log_prove,
     "assay log prove audit 3 --output 3.tlog-proof|a receipt to hand over\n"},
    {"log verify", "Audit log", "PATH", "verify a whole log or its export",
     "Recomputes every entry of a log or of an export: form, order, clocks, changes of the key, "
     "the "
     "root against the newest checkpoint, and the head file beside the database. The same as "
     "assay verify.\n"
     "Give --key, and with --older any checkpoint that was kept elsewhere: a log that was "
     "rewritten by whoever holds its key agrees with itself, and not with these.",
     verify_options, 1, 1, run_verify,
     "assay log verify audit --older 2026-10.checkpoint|nothing of October was changed\n"},
    {"log query", "Audit log", "FOLDER", "list entries by time, kind, model, outcome",
     "Lists the entries that every filter given lets through, in their order. The leaves "
     "themselves are read, not the database's index; nothing is verified.\n"
     "In CSV, a text that a spreadsheet would take for a formula begins with an apostrophe.",
     log_query_options, 1, 1, run_log_query,
     "assay log query audit --kind call-outcome --outcome error --since 2026-11-01|failed calls\n"
     "assay log query audit --format json|every entry, one object a line\n"},
    {"log sample", "Audit log", "FOLDER", "draw a sample that anybody can draw again",
     "Recomputes the tree over all entries, and draws entries by SHA-256 from the seed and the "
     "checkpoint's root: whoever has the log and the seed draws the same ones, and nobody could "
     "choose them beforehand if the seed was named after the checkpoint. docs/sampling.md has the "
     "rule to the byte.\n"
     "Filters say which entries the sample is drawn from.",
     log_sample_options, 1, 1, run_log_sample,
     "assay log sample audit --seed 2026-Q4 --n 25 --kind call-outcome|25 calls to look at\n"},
    {"log stats", "Audit log", "FOLDER", "count what a log holds",
     "Counts entries, bytes, sealed content and tokens, by kind.", log_stats_options, 1, 1,
     run_log_stats, NULL},
    {"log export", "Audit log", "FOLDER OUT", "write a log as static files",
     "Writes the log to the folder OUT as C2SP tlog-tiles: checkpoint, tiles of the tree and the "
     "entries, which any web server can serve and public tools verify. Later exports to the same "
     "folder add what is new. Sealed content is never exported.",
     NULL, 2, 2, run_log_export,
     "assay log export audit public/|publish, or add to what is there\n"},
    {"log disclose", "Audit log", "FOLDER N FIELD", "open one sealed field to somebody",
     "Opens one field of entry N to one recipient: appends an entry that says so, then writes a "
     "bundle that assay verify judges offline. Nothing else is opened, and no key leaves.",
     log_disclose_options, 3, 3, run_log_disclose,
     "assay log disclose audit 7 prompt --recipient court --by dpo --basis order-12 --output "
     "7.json|"
     "one prompt\n"},
    {"log erase", "Audit log", "FOLDER", "destroy the keys of sealed content",
     "Destroys the keys of everything sealed for a subject, or of one entry, so that it cannot be "
     "opened again; every proof stays valid. It is an entry itself, and refused under legal hold "
     "(exit status 1). While a reader holds the write-ahead log, the erasure is pending and the "
     "exit status is 3.",
     log_erase_options, 1, 1, run_log_erase,
     "assay log erase audit --subject user-17 --by dpo --basis GDPR-17|forget somebody\n"},
    {"log hold", "Audit log", "FOLDER", "place or release a legal hold",
     "While a hold is in force, what it covers is not erased: a subject, a range of entries, or "
     "the whole log.",
     log_hold_options, 1, 1, run_log_hold,
     "assay log hold audit --by legal --basis case-4|nothing is erased until it is released\n"},
    {"log retention", "Audit log", "FOLDER", "set and show how long content is kept",
     "Days that sealed content should be kept at least and at most, as an entry of the log. The "
     "log reports how it stands to them, and erases nothing by itself. Both are set at once; one "
     "that is not given is unset.",
     log_retention_options, 1, 1, run_log_retention,
     "assay log retention audit --floor 183 --ceiling 1095 --by dpo --basis policy-3|set both\n"},
    {"log rotate-key", "Audit log", "FOLDER", "sign with another key from now on",
     "Appends an entry that both keys sign; checkpoints that cover it are signed by the new one, "
     "and the old one is destroyed. Whoever pinned the old key still verifies the whole log.",
     log_rotate_options, 1, 1, run_log_rotate_key, NULL},
    {"log seal-off", "Audit log", "FOLDER", "end a log for ever",
     "Appends the last entry and prints the final checkpoint. A log that continues this one is "
     "begun by assay log init --after FOLDER.",
     log_seal_off_options, 1, 1, run_log_seal_off, NULL},
    {"log backup", "Audit log", "FOLDER TO", "copy a log while it is written",
     "Copies the log as it is at one moment to the new folder TO. The signing key and the "
     "operator's key are never copied; keep copies of them elsewhere.",
     log_backup_options, 2, 2, run_log_backup,
     "assay log backup audit /backup/2026-11-23|a copy\n"},
    {"log restore", "Audit log", "BACKUP FOLDER", "go on from a backup",
     "Makes the log in FOLDER, where no log.db may be, from a backup, and appends an entry that "
     "says so and begins a new epoch of the keyring. log.key and operator.key must be in FOLDER or "
     "be given.",
     log_restore_options, 2, 2, run_log_restore,
     "assay log restore /backup/2026-11-23 audit --by ops --basis 'disk failure'|after a loss\n"},
    {"log reindex", "Audit log", "FOLDER", "rebuild what is derived from the entries",
     "Rebuilds tiles and index from the entries and says how many rows disagreed with them. It "
     "changes no entry; nobody else may own the log.",
     NULL, 1, 1, run_log_reindex, NULL},
    {"help", "Help", "[COMMAND]", "explain a command", "Explains a command, or lists all of them.",
     NULL, 0, 2, run_help, NULL},
    {"version", "Help", "", "print the version", "Prints the version.", NULL, 0, 0, run_version,
     NULL},
    {"completion", "Help", "bash", "print a shell completion script",
     "Prints a completion script for the shell, made from the same table as this help.", NULL, 1, 1,
     run_completion, "eval \"$(assay completion bash)\"|complete in this shell\n"},
    {"man", NULL, "", "print the manual page in mdoc", "Prints assay(1) in mdoc.", NULL, 0, 0,
     run_man, NULL},
    {.name = NULL},
};

const struct command *command_find(size_t count, char *const *words, size_t *used)
{
    *used = 1;
    for (const struct command *c = commands; c->name; c++) {
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
