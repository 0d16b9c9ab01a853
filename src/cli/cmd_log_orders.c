/*
 * assay log erase, hold, disclose, rotate-key, seal-off: what somebody orders
 * for a reason. Each becomes an entry before its result is shown.
 */
#include <inttypes.h>
#include <string.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/log.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/option_groups.h"
#include "cli/show.h"

enum { NOTE_ROOM = 1 << 20, BUNDLE_ROOM = 128 << 20, ID_HEX = 32 };

static bool open_log(struct log **out, const struct call *call, const struct key_args *keys,
                     struct err *e)
{
    struct log_paths paths = {keys->key, keys->operator_key};
    return log_open(out, call->operands[0], &paths, e);
}

bool order_of(struct log_order *out, const struct order_args *args, struct err *e)
{
    if (!args->by || !args->basis || !args->by[0] || !args->basis[0])
        return err_set(e, ERR_USAGE,
                       "--by WHO and --basis TEXT say who orders it and why; both stand in the log "
                       "in clear");
    *out = (struct log_order){span_str(args->by), span_str(args->basis)};
    return true;
}

static bool hand_over(const struct call *call, struct span bytes, const char *path, struct err *e)
{
    if (path)
        return file_create(path, bytes, e);
    fwrite(bytes.p, 1, bytes.n, call->out->f);
    return true;
}

static int finish(const struct call *call, bool ok, struct err *e)
{
    err_in_file(e, call->operands[0]);
    return ok ? EXIT_PASS : cli_error(e);
}

/* ---- erase ---- */

static void say_erased(const struct call *call, const struct log_erased *x,
                       const struct erase_args *args)
{
    char shown[SHOW_SIZE];
    struct out *o = call->out;
    out_put(o, x->pending ? "PENDING: a reader still holds the write-ahead log\n" : "Erased\n");
    out_field(o, "content", "of %" PRIu64 " entries cannot be opened any more", x->entries);
    out_field(o, "keys", "%" PRIu64 " destroyed", x->keys);
    out_field(o, "epochs", "destroyed up to %" PRIu64 "; the survivors are under %" PRIu64,
              x->epoch, x->epoch_now);
    if (x->pending) {
        out_field(o, "to do",
                  "end what reads the log and open it once more; the erasure is an "
                  "entry only then");
        return;
    }
    out_field(o, "entry", "%" PRIu64, x->seq);
    if (args->certificate)
        out_field(o, "certificate", "%s", show_text(shown, span_str(args->certificate), SHOW_NAME));
    out_field(o, "not reached", "backups older than this; the certificate names them");
}

static bool erase(const struct call *call, struct log *l, const struct log_order *order,
                  struct log_erased *x, struct err *e)
{
    const struct erase_args *args = call->args;
    struct buf note;
    buf_init(&note, NOTE_ROOM);
    bool ok = args->subject ? log_erase_subject(l, span_str(args->subject), order, x, &note, e)
                            : log_erase_entry(l, args->entry.value, order, x, &note, e);
    if (ok && args->certificate && !x->pending)
        ok = file_create(args->certificate, buf_span(&note), e);
    buf_free(&note);
    return ok;
}

static int run_log_erase(const struct call *call)
{
    const struct erase_args *args = call->args;
    struct err e = ERR_INIT;
    struct log_order order;
    struct log_erased x = {.pending = false};
    struct log *l = NULL;
    if (!args->subject == !args->entry.given)
        err_set(&e, ERR_USAGE, "give either --subject NAME or --entry N");
    if (e.code || !order_of(&order, &args->order, &e))
        return usage_error(call->command, &e);
    bool ok = open_log(&l, call, &args->order.keys, &e) && erase(call, l, &order, &x, &e);
    log_close(l);
    if (ok)
        say_erased(call, &x, args);
    int status = finish(call, ok, &e);
    return ok && x.pending ? EXIT_INCOMPLETE : status;
}

/* ---- hold ---- */

static bool parse_id(struct seal_id *out, const char *text)
{
    struct digest d;
    char twice[2 * ID_HEX + 1];
    if (strlen(text) != ID_HEX)
        return false;
    snprintf(twice, sizeof twice, "%s%s", text, text);
    if (!digest_from_hex(&d, span_str(twice)))
        return false;
    memcpy(out->b, d.b, sizeof out->b);
    return true;
}

static bool hold(const struct call *call, struct log *l, const struct log_order *order,
                 struct seal_id *id, struct err *e)
{
    const struct hold_args *args = call->args;
    const struct log_hold what = {span_str(args->subject), args->from.value, args->to.value};
    return args->release ? log_hold_release(l, id, order, e) : log_hold_set(l, &what, order, id, e);
}

static bool hold_usage(const struct hold_args *args, struct seal_id *id, struct err *e)
{
    bool range = args->from.given || args->to.given;
    if (args->release && !parse_id(id, args->release))
        return err_set(e, ERR_USAGE, "--release: expected the hold's name, %d hexadecimal digits",
                       ID_HEX);
    if (args->release && (args->subject || range))
        return err_set(e, ERR_USAGE, "--release takes the hold as it was placed");
    if (args->subject && range)
        return err_set(e, ERR_USAGE, "give either --subject or --from and --to");
    return !range || (args->to.given && args->from.value < args->to.value) ||
           err_set(e, ERR_USAGE, "--from N --to N: entries from N until before N");
}

static int run_log_hold(const struct call *call)
{
    const struct hold_args *args = call->args;
    struct err e = ERR_INIT;
    struct log_order order;
    struct seal_id id = {{0}};
    struct log *l = NULL;
    if (!hold_usage(args, &id, &e) || !order_of(&order, &args->order, &e))
        return usage_error(call->command, &e);
    bool ok = open_log(&l, call, &args->order.keys, &e) && hold(call, l, &order, &id, &e);
    log_close(l);
    if (ok) {
        out_put(call->out, args->release ? "Released hold " : "Placed hold ");
        for (size_t i = 0; i < sizeof id.b; i++)
            out_printf(call->out, "%02x", id.b[i]);
        out_put(call->out, "\n");
    }
    return finish(call, ok, &e);
}

/* ---- disclose ---- */

static int run_log_disclose(const struct call *call)
{
    const struct disclose_args *args = call->args;
    struct err e = ERR_INIT;
    struct log_disclosure what = {.field = span_str(call->operands[2]),
                                  .recipient = span_str(args->recipient)};
    struct log *l = NULL;
    struct buf bundle;
    uint64_t leaf = 0;
    char shown[80];
    if (!text_u64(span_str(call->operands[1]), &what.seq))
        err_set(&e, ERR_USAGE, "expected the number of an entry, not '%s'",
                text_shown(shown, sizeof shown, span_str(call->operands[1])));
    else if (!args->recipient)
        err_set(&e, ERR_USAGE, "--recipient WHO says to whom; it stands in the log in clear");
    if (e.code || !order_of(&what.order, &args->order, &e))
        return usage_error(call->command, &e);
    buf_init(&bundle, BUNDLE_ROOM);
    bool ok = open_log(&l, call, &args->order.keys, &e) &&
              log_disclose(l, &what, &leaf, &bundle, &e) &&
              hand_over(call, buf_span(&bundle), args->output, &e);
    log_close(l);
    if (ok && args->output)
        out_printf(call->out, "Disclosed; that it was is entry %" PRIu64 "\n", leaf);
    if (bundle.p)
        seal_wipe(bundle.p, bundle.n);
    buf_free(&bundle);
    return finish(call, ok, &e);
}

/* ---- rotate-key, seal-off ---- */

static int run_log_rotate_key(const struct call *call)
{
    const struct rotate_args *args = call->args;
    struct err e = ERR_INIT;
    struct log *l = NULL;
    struct buf vkey;
    char shown[SHOW_SIZE];
    buf_init(&vkey, NOTE_ROOM);
    bool ok = open_log(&l, call, &args->keys, &e) &&
              log_rotate_key(l, args->with, span_str(args->reason), &vkey, &e);
    log_close(l);
    if (ok) {
        out_put(call->out, "The log signs with another key from now on; both keys signed that\n");
        out_field(call->out, "verifier key", "%s", show_text(shown, buf_span(&vkey), SHOW_SIZE));
    }
    buf_free(&vkey);
    return finish(call, ok, &e);
}

static int run_log_seal_off(const struct call *call)
{
    const struct key_args *keys = call->args;
    struct err e = ERR_INIT;
    struct log *l = NULL;
    struct buf note;
    buf_init(&note, NOTE_ROOM);
    bool ok = open_log(&l, call, keys, &e) && log_seal_off(l, &note, &e) &&
              hand_over(call, buf_span(&note), NULL, &e);
    log_close(l);
    buf_free(&note);
    return finish(call, ok, &e);
}

#define AT(member) offsetof(struct disclose_args, member)
static const struct option log_disclose_options[] = {
    {"recipient", OPTION_TEXT, "WHO", AT(recipient), "to whom"},
    {"output", OPTION_TEXT, "FILE", AT(output), "write to this new file, not to standard output"},
    ORDER(disclose_args),
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command log_disclose_command = {
    "log disclose",
    "Audit log",
    "FOLDER N FIELD",
    "open one sealed field to somebody",
    "Opens one field of entry N to one recipient: appends an entry that says so, then writes a "
    "bundle that assay verify judges offline. Nothing else is opened, and no key leaves.",
    log_disclose_options,
    3,
    3,
    run_log_disclose,
    "assay log disclose audit 7 prompt --recipient court --by dpo --basis order-12 --output "
    "7.json|"
    "one prompt\n"};

#define AT(member) offsetof(struct erase_args, member)
static const struct option log_erase_options[] = {
    {"subject", OPTION_TEXT, "NAME", AT(subject), "everything of this subject"},
    {"entry", OPTION_U64, "N", AT(entry), "the content of this entry alone"},
    {"certificate", OPTION_TEXT, "FILE", AT(certificate), "write the signed certificate there"},
    ORDER(erase_args),
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command log_erase_command = {
    "log erase",
    "Audit log",
    "FOLDER",
    "destroy the keys of sealed content",
    "Destroys the keys of everything sealed for a subject, or of one entry, so that it cannot be "
    "opened again; every proof stays valid. It is an entry itself, and refused under legal hold "
    "(exit status 1). While a reader holds the write-ahead log, the erasure is pending and the "
    "exit status is 3.",
    log_erase_options,
    1,
    1,
    run_log_erase,
    "assay log erase audit --subject user-17 --by dpo --basis GDPR-17|forget somebody\n"};

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

const struct command log_hold_command = {
    "log hold",
    "Audit log",
    "FOLDER",
    "place or release a legal hold",
    "While a hold is in force, what it covers is not erased: a subject, a range of entries, or "
    "the whole log.",
    log_hold_options,
    1,
    1,
    run_log_hold,
    "assay log hold audit --by legal --basis case-4|nothing is erased until it is released\n"};

#define AT(member) offsetof(struct rotate_args, member)
static const struct option log_rotate_options[] = {
    {"with", OPTION_TEXT, "FILE", AT(with), "use this key (PKCS#8); without, a new one is made"},
    {"reason", OPTION_TEXT, "TEXT", AT(reason), "why; stands in the log"},
    KEYS(rotate_args, keys),
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command log_rotate_key_command = {
    "log rotate-key",
    "Audit log",
    "FOLDER",
    "sign with another key from now on",
    "Appends an entry that both keys sign; checkpoints that cover it are signed by the new one, "
    "and the old one is destroyed. Whoever pinned the old key still verifies the whole log.",
    log_rotate_options,
    1,
    1,
    run_log_rotate_key,
    NULL};

static const struct option log_seal_off_options[] = {
    {"key", OPTION_TEXT, "FILE", offsetof(struct key_args, key),
     "the log's signing key (default: log.key)"},
    {"operator-key", OPTION_TEXT, "FILE", offsetof(struct key_args, operator_key),
     "the key that wraps the keyring (default: operator.key)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

const struct command log_seal_off_command = {
    "log seal-off",
    "Audit log",
    "FOLDER",
    "end a log for ever",
    "Appends the last entry and prints the final checkpoint. A log that continues this one is "
    "begun by assay log init --after FOLDER.",
    log_seal_off_options,
    1,
    1,
    run_log_seal_off,
    NULL};
