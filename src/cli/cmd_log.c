/* assay log init, show, checkpoint, prove, export: a log is made and looked at. */
#include <inttypes.h>
#include <string.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/log.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/log_filter.h"
#include "cli/log_view.h"
#include "cli/option_groups.h"
#include "cli/progress.h"

enum { NOTE_ROOM = 1 << 20, RECEIPT_ROOM = 2 << 20, VIEW_ARENA = 8 << 20, SHOW_LAST = 10 };

/* An entry's number as typed; usage is said when it is none. */
static bool entry_number(const struct call *call, const char *text, uint64_t *out)
{
    struct err e = ERR_INIT;
    char shown[80];
    if (text_u64(span_str(text), out))
        return true;
    err_set(&e, ERR_USAGE, "expected the number of an entry, not '%s'",
            text_shown(shown, sizeof shown, span_str(text)));
    (void)usage_error(call->command, &e);
    return false;
}

/* ---- init ---- */

static bool init(const struct call *call, struct buf *note, struct err *e)
{
    const struct log_init_args *args = call->args;
    struct log_paths paths = {args->keys.key, args->keys.operator_key};
    struct log_reader *r = NULL;
    struct span origin = span_str(args->origin);
    bool made = args->after ? log_init_after(call->operands[0], origin, &paths, args->after, e)
                            : log_init(call->operands[0], origin, &paths, e);
    bool ok =
        made && log_reader_open(&r, call->operands[0], e) && log_reader_checkpoint(r, note, e);
    log_reader_close(r);
    return ok;
}

/* The log's verifier key stands in its genesis. */
static bool verifier_key(const char *folder, struct arena *a, struct span *key, struct err *e)
{
    struct log_reader *r = NULL;
    struct span leaf;
    struct record record;
    bool ok = log_reader_open(&r, folder, e) && log_reader_leaf(r, 0, a, &leaf, e) &&
              entry_decode(&record, 0, leaf, a, e);
    if (ok && !json_string(json_get(record.body, "key"), key))
        ok = err_set(e, ERR_INTEGRITY, "entry 0 of %s is no genesis", folder);
    log_reader_close(r);
    return ok;
}

static void say_init(const struct call *call, struct span key)
{
    const struct log_init_args *args = call->args;
    char folder[SHOW_SIZE], shown[SHOW_SIZE];
    show_text(folder, span_str(call->operands[0]), SHOW_NAME);
    out_printf(call->out, "A log begins in %s\n", folder);
    out_field(call->out, "origin", "%s", show_text(shown, span_str(args->origin), SHOW_NAME));
    out_field(call->out, "verifier key", "%s", show_text(shown, key, SHOW_SIZE));
    out_field(call->out, "signing key", "%s",
              args->keys.key ? show_text(shown, span_str(args->keys.key), SHOW_NAME)
                             : "log.key in the folder");
    out_put(call->out, "\n");
    out_wrapped(
        call->out, 0,
        "Give the verifier key to everybody who is to verify this log: it pins who signs. Keep "
        "copies of the keys apart from copies of the database; whoever has log.key can sign "
        "another history, and without operator.key sealed content cannot be opened again.");
}

static int run_log_init(const struct call *call)
{
    const struct log_init_args *args = call->args;
    struct err e = ERR_INIT;
    struct buf note;
    struct span key = SPAN_EMPTY;
    if (!args->origin) {
        err_set(&e, ERR_USAGE, "--origin NAME names the log for ever, such as example.org/audit");
        return usage_error(call->command, &e);
    }
    struct arena *a = arena_new(VIEW_ARENA);
    buf_init(&note, NOTE_ROOM);
    bool ok = a ? init(call, &note, &e) && verifier_key(call->operands[0], a, &key, &e)
                : err_set(&e, ERR_MEMORY, "out of memory");
    if (ok)
        say_init(call, key);
    buf_free(&note);
    arena_free(a);
    return ok ? EXIT_PASS : cli_error(&e);
}

/* ---- show ---- */

struct listing {
    struct table table;
    struct arena *a;
    struct err *e;
    bool ok;
};

static bool list_entry(void *arg, uint64_t seq, struct span leaf)
{
    struct listing *l = arg;
    struct record r;
    struct arena *a = arena_new(VIEW_ARENA);
    l->ok = a ? entry_decode(&r, seq, leaf, a, l->e) : err_set(l->e, ERR_MEMORY, "out of memory");
    if (l->ok)
        entry_table_row(&l->table, &r);
    arena_free(a);
    return l->ok;
}

static bool show_head(struct out *o, struct log_reader *r, struct arena *a, struct err *e)
{
    char shown[SHOW_SIZE], root[DIGEST_HEX + 1];
    struct buf bytes;
    struct note note;
    struct checkpoint c;
    buf_init(&bytes, NOTE_ROOM);
    bool ok = log_reader_checkpoint(r, &bytes, e) && note_parse(&note, buf_span(&bytes), a, e) &&
              checkpoint_parse(&c, note.text, e);
    if (ok) {
        out_printf(o, "Log %s\n", show_text(shown, c.origin, SHOW_NAME));
        out_field(o, "entries", "%" PRIu64, log_reader_size(r));
        out_field(o, "checkpoint", "%" PRIu64 " entries, root %s", c.size,
                  digest_hex(root, &c.root));
        out_field(o, "signatures", "%zu", note.count);
        out_field(o, "proof", "none of this was verified: assay log verify does");
    }
    buf_free(&bytes);
    return ok;
}

static bool show_log(struct out *o, struct log_reader *r, struct arena *a, struct err *e)
{
    struct listing l = {.e = e, .ok = true};
    uint64_t size = log_reader_size(r), from = size > SHOW_LAST ? size - SHOW_LAST : 0;
    if (!show_head(o, r, a, e))
        return false;
    out_heading(o, from ? "Newest entries" : "Entries");
    entry_table_start(&l.table);
    bool ok = log_reader_walk(r, from, list_entry, &l, e) && l.ok;
    table_print(&l.table, o, 2);
    table_free(&l.table);
    return ok;
}

static bool show_entry(const struct call *call, struct log_reader *r, uint64_t seq, struct arena *a,
                       struct err *e)
{
    const struct log_show_args *args = call->args;
    struct span leaf;
    struct record record;
    if (!log_reader_leaf(r, seq, a, &leaf, e) || !entry_decode(&record, seq, leaf, a, e))
        return false;
    struct digest hash = record_hash(leaf);
    if (args->json)
        entry_json(call->out, &record, &hash, true);
    else
        entry_text(call->out, &record, &hash);
    return true;
}

/* Anything that says which entries, or how. */
static bool is_query(const struct query_args *q)
{
    const struct filter_args *f = &q->filter;
    return f->since || f->until || f->model || f->subject || f->outcome || f->kinds.count ||
           q->limit.given || q->format != QUERY_TABLE;
}

static int run_log_show(const struct call *call)
{
    const struct log_show_args *args = call->args;
    struct err e = ERR_INIT;
    struct log_reader *r = NULL;
    uint64_t seq = 0;
    if (call->count == 2 && !entry_number(call, call->operands[1], &seq))
        return EXIT_USAGE;
    if (call->count == 1 && (args->json || is_query(&args->query))) {
        struct query_args listed = args->query;
        if (args->json)
            listed.format = QUERY_JSON;
        return query_entries(call, &listed);
    }
    if (is_query(&args->query)) {
        err_set(&e, ERR_USAGE, "filters say which entries are listed: leave the number out");
        return usage_error(call->command, &e);
    }
    struct arena *a = arena_new(VIEW_ARENA);
    bool ok =
        a ? log_reader_open(&r, call->operands[0], &e) : err_set(&e, ERR_MEMORY, "out of memory");
    ok = ok && (call->count == 2 ? show_entry(call, r, seq, a, &e) : show_log(call->out, r, a, &e));
    log_reader_close(r);
    arena_free(a);
    err_in_file(&e, call->operands[0]);
    return ok ? EXIT_PASS : cli_error(&e);
}

/* ---- checkpoint, prove ---- */

/* As it is, to standard output or to a new file. */
static bool hand_over(struct out *o, struct span bytes, const char *path, struct err *e)
{
    if (path)
        return file_create(path, bytes, e);
    fwrite(bytes.p, 1, bytes.n, o->f);
    return true;
}

static int run_log_checkpoint(const struct call *call)
{
    struct err e = ERR_INIT;
    struct log_reader *r = NULL;
    struct buf note;
    buf_init(&note, NOTE_ROOM);
    bool ok = log_reader_open(&r, call->operands[0], &e) && log_reader_checkpoint(r, &note, &e) &&
              hand_over(call->out, buf_span(&note), NULL, &e);
    log_reader_close(r);
    buf_free(&note);
    err_in_file(&e, call->operands[0]);
    return ok ? EXIT_PASS : cli_error(&e);
}

static int run_log_prove(const struct call *call)
{
    const struct log_prove_args *args = call->args;
    struct err e = ERR_INIT;
    struct log_reader *r = NULL;
    struct buf receipt;
    uint64_t seq = 0;
    if (!entry_number(call, call->operands[1], &seq))
        return EXIT_USAGE;
    buf_init(&receipt, RECEIPT_ROOM);
    bool ok =
        log_reader_open(&r, call->operands[0], &e) && log_reader_receipt(r, seq, &receipt, &e);
    err_in_file(&e, call->operands[0]);
    ok = ok && hand_over(call->out, buf_span(&receipt), args->output, &e);
    log_reader_close(r);
    buf_free(&receipt);
    return ok ? EXIT_PASS : cli_error(&e);
}

/* ---- export ---- */

static int run_log_export(const struct call *call)
{
    struct err e = ERR_INIT;
    struct log_reader *r = NULL;
    struct log_exported done = {.size = 0};
    struct progress_bar bar;
    struct progress progress = progress_start(&bar);
    char shown[SHOW_SIZE];
    bool ok = log_reader_open(&r, call->operands[0], &e) &&
              log_export(r, call->operands[1], &progress, &done, &e);
    progress_stop(&bar);
    log_reader_close(r);
    if (!ok)
        return cli_error(&e);
    show_text(shown, span_str(call->operands[1]), SHOW_NAME);
    out_printf(call->out, "%s holds %" PRIu64 " entries\n", shown, done.size);
    out_field(call->out, "before", "%" PRIu64 " entries", done.previous);
    out_field(call->out, "files", "%" PRIu64 " written, %" PRIu64 " kept", done.written, done.kept);
    out_field(call->out, "verify", "assay verify %s", shown);
    return EXIT_PASS;
}

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

const struct command log_init_command = {
    "log init",
    "Audit log",
    "FOLDER",
    "begin an audit log",
    "Makes FOLDER with a signing key, a keyring, a database and the first entry of a "
    "tamper-evident log, and prints the verifier key by which anybody verifies it.",
    log_init_options,
    1,
    1,
    run_log_init,
    "assay log init audit --origin example.org/audit|begin a log\n"};

static const struct option log_show_options[] = {
    FILTER(log_show_args, query.filter),
    LISTING(log_show_args, query.limit, query.format),
    {"json", OPTION_FLAG, NULL, offsetof(struct log_show_args, json),
     "write one entry as JSON (schema/log-entry.schema.json); without N the same as --format json"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

const struct command log_show_command = {
    "log show",
    "Audit log",
    "FOLDER [N]",
    "show a log, or one of its entries",
    "Shows what a log says of itself and its newest entries, or entry N in full. With filters or a "
    "format it lists entries as log query does. It only reads, also while a server writes the log, "
    "and verifies nothing.",
    log_show_options,
    1,
    2,
    run_log_show,
    "assay log show audit 3|one entry\n"
    "assay log show audit --subject alice@example.org --format csv|what concerns somebody\n"};

const struct command log_checkpoint_command = {
    "log checkpoint",
    "Audit log",
    "FOLDER",
    "print a log's newest signed checkpoint",
    "Prints the newest checkpoint (C2SP tlog-checkpoint): origin, number of entries and the root "
    "of the tree over them, signed. Whoever keeps it can prove later that history was changed.",
    NULL,
    1,
    1,
    run_log_checkpoint,
    "assay log checkpoint audit > 2026-11.checkpoint|keep today's state\n"};

static const struct option log_prove_options[] = {
    {"output", OPTION_TEXT, "FILE", offsetof(struct log_prove_args, output),
     "write to this new file, not to standard output"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

const struct command log_prove_command = {
    "log prove",
    "Audit log",
    "FOLDER N",
    "write the receipt of an entry",
    "Writes the receipt of entry N (C2SP tlog-proof): the entry, the proof that it is in the log, "
    "and the signed checkpoint. Anybody verifies it without the log.",
    log_prove_options,
    2,
    2,
    run_log_prove,
    "assay log prove audit 3 --output 3.tlog-proof|a receipt to hand over\n"};

const struct command log_export_command = {
    "log export",
    "Audit log",
    "FOLDER OUT",
    "write a log as static files",
    "Writes the log to the folder OUT as C2SP tlog-tiles: checkpoint, tiles of the tree and the "
    "entries, which any web server can serve and public tools verify. Later exports to the same "
    "folder add what is new. Sealed content is never exported.",
    NULL,
    2,
    2,
    run_log_export,
    "assay log export audit public/|publish, or add to what is there\n"};
