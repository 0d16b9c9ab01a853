/* assay log witness: ask witnesses to cosign a log's checkpoint, or show what they cosigned. */
#include <inttypes.h>
#include <stdio.h>

#include "assay/log.h"
#include "assay/witness.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/log_view.h"
#include "cli/show.h"

enum { NOTE_ROOM = 1 << 20, KEYS_ARENA = 1 << 20 };

/* One run of the command. */
struct witnessing {
    const struct call *call;
    const struct log_witness_args *args;
    struct log *log;
    struct log_reader *reader;
    struct buf note; /* the checkpoint to cosign */
    struct table table;
    int status; /* the gravest so far */
};

static void count_error(struct witnessing *w, const struct err *e)
{
    w->status = exit_graver(w->status, cli_error(e));
}

static void row(struct witnessing *w, struct span name, const char *outcome, uint64_t size,
                uint64_t seconds)
{
    char shown[SHOW_SIZE], when[SHOW_TIME];
    table_cell(&w->table, "%s", show_text(shown, name, SHOW_NAME));
    table_cell(&w->table, "%s", outcome);
    if (seconds)
        table_cell(&w->table, "%" PRIu64, size);
    else
        table_cell(&w->table, "-");
    table_cell(&w->table, "%s", seconds ? show_time(when, seconds * 1000000) : "-");
}

static void start_table(struct witnessing *w, const char *second)
{
    table_init(&w->table, "llrl", true);
    table_cell(&w->table, "witness");
    table_cell(&w->table, "%s", second);
    table_cell(&w->table, "entries");
    table_cell(&w->table, "cosigned at");
}

/* ---- asking ---- */

/* From the size that it cosigned last, as far as we know. */
static bool ask(struct witnessing *w, const char *url, const struct note_key *key,
                struct witness_answer *answer, struct err *e)
{
    const struct witness it = {
        .url = url, .key = key, .timeout_ms = w->args->timeout * 1000, .ca_file = w->args->ca};
    const struct hash_reader tree = log_reader_hashes(w->reader);
    struct log_cosigned last;
    return log_reader_cosigned(w->reader, key, &last, e) &&
           witness_cosign(answer, &it, last.size, buf_span(&w->note), &tree, e) &&
           log_keep_cosignatures(w->log, buf_span(&w->note), buf_span(&answer->lines), e);
}

static void ask_one(struct witnessing *w, const char *url, const struct note_key *key,
                    uint64_t size)
{
    struct err e = ERR_INIT;
    struct witness_answer answer = {.outcome = WITNESS_NOT_ASKED};
    bool ok = ask(w, url, key, &answer, &e);
    row(w, key->name, witness_outcome_name(answer.outcome), size, ok ? answer.time : 0);
    if (!ok)
        count_error(w, &e);
    witness_answer_free(&answer);
}

/* All keys are read before anybody is asked. */
static bool read_keys(const struct call *call, struct note_key *keys, struct arena *a,
                      struct err *e)
{
    for (size_t i = 2; i < call->count; i += 2) {
        struct note_key *k = &keys[i / 2 - 1];
        if (!note_key_parse(k, span_str(call->operands[i]), a, e))
            return false;
        if (k->type != NOTE_COSIGNATURE)
            return err_set(e, ERR_USAGE, "%s: not a witness's key but a log's; expected type 0x04",
                           call->operands[i]);
    }
    return true;
}

static bool checkpoint_size(struct span note, struct arena *a, uint64_t *size, struct err *e)
{
    struct note n;
    struct checkpoint c = {.size = 0};
    bool ok = note_parse(&n, note, a, e) && checkpoint_parse(&c, n.text, e);
    *size = c.size;
    return ok;
}

static bool ask_all(struct witnessing *w, struct arena *a, struct err *e)
{
    const struct call *call = w->call;
    const struct log_paths paths = {w->args->keys.key, w->args->keys.operator_key};
    uint64_t size = 0;
    struct note_key *keys = arena_array(a, call->count, sizeof *keys);
    if (!keys)
        return err_set(e, ERR_MEMORY, "out of memory");
    if (!read_keys(call, keys, a, e))
        return false;
    if (!log_open(&w->log, call->operands[0], &paths, e) ||
        !log_reader_open(&w->reader, call->operands[0], e) ||
        !log_reader_checkpoint(w->reader, &w->note, e) ||
        !checkpoint_size(buf_span(&w->note), a, &size, e)) {
        err_in_file(e, call->operands[0]);
        return false;
    }
    start_table(w, "outcome");
    for (size_t i = 1; i < call->count; i += 2)
        ask_one(w, call->operands[i], &keys[i / 2], size);
    table_print(&w->table, call->out, 0);
    table_free(&w->table);
    return true;
}

/* ---- showing ---- */

/* Signature lines of a note after the log's own, newest cosignature first. */
static bool show(struct witnessing *w, struct arena *a, struct err *e)
{
    struct note n;
    struct checkpoint c;
    struct log_cosigned newest;
    if (!log_reader_open(&w->reader, w->call->operands[0], e) ||
        !log_reader_cosigned(w->reader, NULL, &newest, e))
        return false;
    if (newest.time == 0 && !w->args->note) {
        out_put(w->call->out, "No witness has cosigned this log yet.\n");
        return true;
    }
    if (!log_reader_cosigned_note(w->reader, &w->note, e))
        return false;
    if (w->args->note) {
        fwrite(w->note.p, 1, w->note.n, w->call->out->f);
        return true;
    }
    if (!note_parse(&n, buf_span(&w->note), a, e) || !checkpoint_parse(&c, n.text, e))
        return false;
    start_table(w, "key id");
    for (size_t i = 0; i < n.count; i++) {
        char id[16];
        if (n.lines[i].signature.n != 8 + SIGN_SIGNATURE)
            continue;
        snprintf(id, sizeof id, "%08x", (unsigned)n.lines[i].id);
        row(w, n.lines[i].name, id, c.size, __builtin_bswap64(load_u64le(n.lines[i].signature.p)));
    }
    table_print(&w->table, w->call->out, 0);
    table_free(&w->table);
    out_printf(w->call->out,
               "The log has %" PRIu64 " entries. Nothing was verified: assay log "
               "witness --note gives assay verify what it needs.\n",
               log_reader_size(w->reader));
    return true;
}

static int run_log_witness(const struct call *call)
{
    struct err e = ERR_INIT;
    struct witnessing w = {.call = call, .args = call->args, .status = EXIT_PASS};
    if (call->count % 2 == 0) {
        err_set(&e, ERR_USAGE, "each URL is followed by the verifier key of its witness");
        return usage_error(call->command, &e);
    }
    struct arena *a = arena_new((size_t)KEYS_ARENA + call->count * 1024);
    buf_init(&w.note, NOTE_ROOM);
    bool ok = a || err_set(&e, ERR_MEMORY, "out of memory");
    if (ok && call->count > 1 && !w.args->note) {
        ok = ask_all(&w, a, &e);
    } else if (ok) {
        ok = show(&w, a, &e);
        err_in_file(&e, call->operands[0]);
    }
    log_reader_close(w.reader);
    log_close(w.log);
    buf_free(&w.note);
    arena_free(a);
    if (!ok)
        count_error(&w, &e);
    return w.status;
}

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

const struct command log_witness_command = {
    "log witness",
    "Audit log",
    "FOLDER [URL VKEY]...",
    "have a log's checkpoint cosigned",
    "Submits the log's newest checkpoint to each witness (C2SP tlog-witness; VKEY is the "
    "witness's verifier key), verifies its cosignature and keeps it. A witness cosigns only what "
    "extends all it saw before, so history before a cosignature cannot be rewritten unnoticed.\n"
    "Every witness is asked, also when another fails. The exit status is 4 when one says that "
    "history was rewritten or rolled back.\n"
    "Without a URL it shows which witnesses cosigned last, and when.",
    log_witness_options,
    1,
    SIZE_MAX,
    run_log_witness,
    "assay log witness audit https://witness.example/w1 witness.example/w1+0c8a...+BA...|ask\n"
    "assay log witness audit|who cosigned, and when\n"
    "assay log witness audit --note > cosigned.checkpoint|for assay verify --key --require\n"};
