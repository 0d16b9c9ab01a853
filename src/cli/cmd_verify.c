/*
 * assay verify PATH, assay log verify PATH: finds out by content what it was
 * given and has it verified by src/verify, which never opens a database. A
 * log's leaves are fed to it here.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/log.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/model_signature.h"
#include "cli/progress.h"
#include "cli/proof_view.h"
#include "cli/verify_report.h"

enum { VERIFY_ARENA = 512 << 20, NOTE_ROOM = 1 << 20, FEED_LOOK = 4096 };

struct work {
    const struct verify_args *args;
    struct trust trust;
    struct arena *a;
    struct judged *j;
    struct span report; /* the file is one: verify_report takes it from here */
};

/* ---- whom to believe ---- */

static bool add_key(struct trust *t, const char *text, struct arena *a, struct err *e)
{
    struct note_key key;
    struct err why = ERR_INIT;
    char shown[200];
    if (!note_key_parse(&key, span_str(text), a, &why))
        return err_set(e, ERR_USAGE, "--key %s: %s",
                       text_shown(shown, sizeof shown, span_str(text)), why.text);
    if (key.type == NOTE_COSIGNATURE)
        t->witnesses[t->witness_count++] = key;
    else
        t->log_keys[t->log_key_count++] = key;
    return true;
}

/* Room for the policy's keys and those of --key. */
static bool make_room(struct note_key **keys, size_t count, struct arena *a)
{
    struct note_key *room = arena_array(a, count + OPTION_MAX_TEXTS, sizeof *room);
    if (room && count)
        memcpy(room, *keys, count * sizeof *room);
    *keys = room;
    return room != NULL;
}

static bool set_trust(struct work *w, struct err *e)
{
    struct trust *t = &w->trust;
    struct span policy;
    if (w->args->policy) {
        if (!file_read(&policy, w->args->policy, TRUST_MAX_POLICY, false, w->a, e))
            return false;
        if (!trust_parse(t, policy, w->a, e)) {
            err_in_file(e, w->args->policy);
            return false;
        }
    }
    if (!make_room(&t->log_keys, t->log_key_count, w->a) ||
        !make_room(&t->witnesses, t->witness_count, w->a))
        return err_set(e, ERR_MEMORY, "out of memory for keys");
    for (size_t i = 0; i < w->args->keys.count; i++)
        if (!add_key(t, w->args->keys.text[i], w->a, e))
            return false;
    if (w->args->require > t->required)
        t->required = w->args->require;
    w->j->witnesses = t->witness_count;
    w->j->required = t->required;
    return true;
}

/* ---- a log ---- */

struct feed {
    struct verifier *verifier;
    struct err *e;
    uint64_t until;
    bool ok;
};

static bool feed_leaf(void *arg, uint64_t seq, struct span leaf)
{
    struct feed *f = arg;
    if (seq >= f->until)
        return false;
    if (seq % FEED_LOOK == 0 && interrupted())
        f->ok = err_set(f->e, ERR_INTERRUPTED, "interrupted: nothing was shown");
    f->ok = f->ok && verifier_leaf(f->verifier, leaf, f->e);
    return f->ok;
}

static bool size_of(uint64_t *size, struct span bytes, struct arena *a, struct err *e)
{
    struct note note;
    struct checkpoint c;
    if (!note_parse(&note, bytes, a, e) || !checkpoint_parse(&c, note.text, e))
        return false;
    *size = c.size;
    return true;
}

/* The caller's older checkpoints, and the head file that was read before the log. */
static bool expect(struct work *w, struct verifier *v, struct span head, uint64_t size,
                   struct err *e)
{
    uint64_t covered = 0;
    struct span note;
    if (!size_of(&covered, head, w->a, NULL))
        return err_set(e, ERR_INTEGRITY, "the head file holds no checkpoint");
    if (covered > size)
        return err_set(e, ERR_INTEGRITY,
                       "the head file signs %llu entries and the database holds %llu: the log was "
                       "rolled back, or lost its WAL",
                       (unsigned long long)covered, (unsigned long long)size);
    if (!verifier_expect(v, head, e))
        return false;
    for (size_t i = 0; i < w->args->older.count; i++) {
        const char *path = w->args->older.text[i];
        if (file_read(&note, path, NOTE_ROOM, false, w->a, e) && verifier_expect(v, note, e))
            continue;
        err_in_file(e, path);
        return false;
    }
    return true;
}

static bool feed(struct work *w, struct verifier *v, struct log_reader *r, struct span head,
                 struct err *e)
{
    struct buf note;
    struct feed f = {.verifier = v, .e = e, .ok = true};
    buf_init(&note, NOTE_ROOM);
    bool ok = log_reader_checkpoint(r, &note, e) && size_of(&f.until, buf_span(&note), w->a, e) &&
              expect(w, v, head, log_reader_size(r), e) &&
              log_reader_walk(r, 0, feed_leaf, &f, e) && f.ok;
    struct span kept = arena_span(w->a, buf_span(&note));
    ok = ok && (kept.p || err_set(e, ERR_MEMORY, "out of memory for a checkpoint")) &&
         verifier_finish(v, kept, &w->j->v, w->a, e);
    w->j->unsigned_entries = ok ? log_reader_size(r) - f.until : 0;
    buf_free(&note);
    return ok;
}

static bool read_head(struct work *w, const char *folder, struct span *head)
{
    char *path = arena_printf(w->a, "%s/head", folder);
    return path && file_read(head, path, NOTE_ROOM, false, w->a, NULL);
}

static bool verify_log(struct work *w, const char *folder, struct err *e)
{
    struct log_reader *r = NULL;
    struct verifier *v = NULL;
    struct span head = SPAN_EMPTY;
    /* Before the log is opened: it is never ahead of what was durable then. */
    if (!read_head(w, folder, &head))
        return err_at(e, ERR_INTEGRITY, folder, ERR_NO_OFFSET,
                      "the head file is missing or cannot be read: nothing says how far the log "
                      "went");
    bool ok =
        log_reader_open(&r, folder, e) && verifier_new(&v, &w->trust, e) && feed(w, v, r, head, e);
    verifier_free(v);
    log_reader_close(r);
    return ok;
}

/* ---- what was given ---- */

static bool is_there(const struct work *w, const char *folder, const char *name)
{
    struct stat st;
    const char *path = arena_printf(w->a, "%s/%s", folder, name);
    return path && stat(path, &st) == 0;
}

static bool verify_folder(struct work *w, const char *path, struct err *e)
{
    if (is_there(w, path, "log.db")) {
        w->j->what = EVIDENCE_LOG;
        return verify_log(w, path, e);
    }
    if (!is_there(w, path, "checkpoint"))
        return err_set(e, ERR_FORMAT, "neither a log (log.db) nor an export (checkpoint, tile)");
    w->j->what = EVIDENCE_EXPORT;
    return verify_export(&w->j->v, path, &w->trust, w->a, e);
}

static bool begins_object(struct span s)
{
    size_t i = 0;
    while (i < s.n && strchr(" \t\r\n", s.p[i]) && s.p[i])
        i++;
    return i < s.n && s.p[i] == '{';
}

static bool verify_file(struct work *w, const char *path, struct err *e)
{
    struct span bytes;
    if (!file_read(&bytes, path, BUNDLE_MAX, false, w->a, e)) {
        /* What is to be judged is no configuration: it could not be read. */
        e->code = e->code == ERR_CONFIG ? ERR_IO : e->code;
        return false;
    }
    if (span_starts(bytes, "SQLite format 3"))
        return err_set(e, ERR_FORMAT, "a database by itself: name the folder of the log");
    if (span_starts(bytes, "c2sp.org/tlog-proof@")) {
        w->j->what = EVIDENCE_RECEIPT;
        return verify_receipt(&w->j->v, bytes, &w->trust, w->a, e);
    }
    if (begins_object(bytes) && report_is(bytes)) {
        w->report = bytes;
        return true;
    }
    if (begins_object(bytes)) {
        w->j->what = EVIDENCE_BUNDLE;
        bool ok = verify_bundle(&w->j->v, bytes, &w->trust, w->a, e);
        if (w->j->v.call)
            w->j->what = EVIDENCE_CALL;
        return ok;
    }
    struct err why = ERR_INIT;
    w->j->what = EVIDENCE_CHECKPOINT;
    return verify_checkpoint(&w->j->v, bytes, &w->trust, w->a, &why) ||
           err_at(e, why.code, NULL, why.offset, "%s%s",
                  why.code == ERR_FORMAT ? "neither a receipt nor a disclosure nor a checkpoint: "
                                         : "",
                  why.text);
}

/* An option that would be passed over promises a check that nobody makes. */
static bool options_fit(const struct verify_args *a, struct err *e)
{
    const char *of_model = a->certificates.count ? "--ca"
                           : a->unsigned_files   ? "--unsigned-files"
                           : a->no_cache         ? "--no-cache"
                                                 : NULL;
    const char *of_log = a->policy        ? "--policy"
                         : a->require     ? "--require"
                         : a->older.count ? "--older"
                         : a->log         ? "--log"
                         : a->model       ? "--model"
                                          : NULL;
    if (a->signature && of_log)
        return err_set(e, ERR_USAGE, "%s does not go with --signature", of_log);
    if (!a->signature && of_model)
        return err_set(e, ERR_USAGE, "%s goes with --signature FILE", of_model);
    return true;
}

/* What was found is no log, or no report. */
static bool found_fits(const struct work *w, struct err *e)
{
    if (w->args->older.count && (w->report.n || w->j->what != EVIDENCE_LOG))
        return err_set(e, ERR_USAGE, "--older goes with a log");
    if (!w->report.n && (w->args->log || w->args->model))
        return err_set(e, ERR_USAGE, "--log and --model go with a report");
    return true;
}

static bool judge(struct work *w, const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_errno(e, path, "cannot be opened");
    bool ok = set_trust(w, e) && (S_ISDIR(st.st_mode) ? verify_folder : verify_file)(w, path, e) &&
              found_fits(w, e);
    err_in_file(e, path);
    return ok;
}

static int run_verify(const struct call *call)
{
    const struct verify_args *args = call->args;
    struct err e = ERR_INIT;
    if (!options_fit(args, &e))
        return usage_error(call->command, &e);
    if (args->signature)
        return verify_signature(call, args);
    struct judged j = {.path = call->operands[0]};
    struct work w = {.args = args, .j = &j, .a = arena_new(VERIFY_ARENA)};
    bool ok = w.a ? judge(&w, call->operands[0], &e) : err_set(&e, ERR_MEMORY, "out of memory");
    int status = EXIT_PASS;
    if (ok && w.report.n) {
        status = verify_report(call, w.report, args, &w.trust, w.a);
        arena_free(w.a);
        return status;
    }
    if (ok)
        (args->json ? proof_json : proof_text)(call->out, &j);
    else if (args->json)
        proof_refused_json(call->out, call->operands[0], &e);
    if (!ok)
        status = cli_error(&e);
    else if (!judged_signed(&j)) /* anybody could have made it */
        status = EXIT_INCOMPLETE;
    arena_free(w.a);
    return status;
}

#define AT(member) offsetof(struct verify_args, member)
static const struct option verify_options[] = {
    {"key", OPTION_TEXTS, "VKEY", AT(keys),
     "believe this verifier key, a log's or a witness's; may be repeated"},
    {"policy", OPTION_TEXT, "FILE", AT(policy),
     "believe whom this policy names (C2SP tlog-policy: log, witness, group, quorum)"},
    {"require", OPTION_NUMBER, "N", AT(require), "at least N of the witnesses must have cosigned"},
    {"older", OPTION_TEXTS, "FILE", AT(older),
     "a log must extend this older checkpoint; may be repeated"},
    {"log", OPTION_TEXT, "FOLDER", AT(log), "of a report: make its claims about the log again"},
    {"model", OPTION_TEXT, "PATH", AT(model), "of a report: make its claims about the model again"},
    {"signature", OPTION_TEXT, "FILE", AT(signature),
     "PATH is a model and FILE its signature (OMS); --key then names public keys in PEM files"},
    {"ca", OPTION_TEXTS, "FILE", AT(certificates),
     "with --signature: trust these certificates; may be repeated"},
    {"unsigned-files", OPTION_FLAG, NULL, AT(unsigned_files),
     "with --signature: files that it does not name may be there"},
    {"no-cache", OPTION_FLAG, NULL, AT(no_cache), "with --signature: take every digest anew"},
    {"json", OPTION_FLAG, NULL, AT(json),
     "write JSON (schema/verify.schema.json, of a model schema/signature.schema.json)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command verify_command = {
    "verify",
    "Audit log",
    "PATH",
    "verify a receipt, checkpoint, log, report or signed model",
    "Finds out what PATH is (a receipt of an entry or of a call, a checkpoint, a disclosure, an "
    "export, a log's folder, a report's JSON), "
    "verifies it offline, and says what that shows and what it does not.\n"
    "Without --key or --policy nobody is pinned: of a log it is then shown that it agrees with "
    "itself, and of a receipt, checkpoint or disclosure nothing that its maker could not have "
    "made up; for these the exit status is then 3. It is 4 when something is not what was "
    "signed.\n"
    "With --signature FILE, PATH is a model: every file is compared with its signature (OpenSSF "
    "model signing, by key or certificate), and a file that it does not name fails.",
    verify_options,
    1,
    1,
    run_verify,
    "assay verify 3.tlog-proof --key example.org/audit+b9ff75e3+AVj1...|a receipt, offline\n"
    "assay verify audit --older 2026-10.checkpoint|nothing of October was changed\n"
    "assay verify model/ --signature model/model.sig --key release.pub|a signed model\n"};

const struct command log_verify_command = {
    "log verify",
    "Audit log",
    "PATH",
    "verify a whole log or its export",
    "Recomputes every entry of a log or of an export: form, order, clocks, changes of the key, "
    "the "
    "root against the newest checkpoint, and the head file beside the database. The same as "
    "assay verify.\n"
    "Give --key, and with --older any checkpoint that was kept elsewhere: a log that was "
    "rewritten by whoever holds its key agrees with itself, and not with these.",
    verify_options,
    1,
    1,
    run_verify,
    "assay log verify audit --older 2026-10.checkpoint|nothing of October was changed\n"};
