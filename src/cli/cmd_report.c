/*
 * assay report: claims about a model and a log, held against frameworks, signed
 * and rendered. What is handed over is named by an entry of the log, so the
 * report itself is on record.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/report.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/report_input.h"
#include "cli/show.h"

struct report_args {
    struct report_sources sources;
    struct option_texts frameworks, formats;
    const char *output, *edition;
    bool no_record;
};

struct work {
    const struct call *call;
    const struct report_args *args;
    struct report_given given;
    struct report *report;
    struct buf json;
};

/* ---- what to write ---- */

static const struct report_format *format_of_path(const char *path)
{
    const struct report_format *best = NULL;
    for (const struct report_format *f = report_formats; f->name; f++)
        if (span_ends(span_str(path), f->suffix) &&
            (!best || strlen(f->suffix) > strlen(best->suffix)))
            best = f;
    return best;
}

static bool write_one(struct work *w, const struct report_format *f, const char *path,
                      struct err *e)
{
    struct buf text;
    buf_init(&text, REPORT_MAX);
    bool ok = f->render(&text, w->report, e);
    if (ok && path) {
        ok = file_replace(path, buf_span(&text), false, e);
        err_in_file(e, path);
    } else if (ok)
        (void)fwrite(text.p, 1, text.n, w->call->out->f);
    buf_free(&text);
    return ok;
}

/* One format to a file or to standard output, several into a folder. */
static bool write_all(struct work *w, struct err *e)
{
    const struct report_args *args = w->args;
    const char *path = args->output;
    if (args->formats.count == 0) {
        const struct report_format *f = path ? format_of_path(path) : NULL;
        if (path && !f)
            return err_set(e, ERR_USAGE,
                           "--output: no format has a name that ends like %s; --format names one",
                           path);
        return !f || write_one(w, f, path, e);
    }
    if (args->formats.count == 1)
        return write_one(w, report_format_find(span_str(args->formats.text[0])), path, e);
    (void)mkdir(path, 0777); /* there already, or the files will not open */
    for (size_t i = 0; i < args->formats.count; i++) {
        const struct report_format *f = report_format_find(span_str(args->formats.text[i]));
        char *name = arena_printf(w->given.a, "%s/report%s", path, f->suffix);
        if (!name || !write_one(w, f, name, e))
            return false;
    }
    return true;
}

static bool check_formats(const struct report_args *args, struct err *e)
{
    for (size_t i = 0; i < args->formats.count; i++)
        if (!report_format_find(span_str(args->formats.text[i])))
            return err_set(e, ERR_USAGE, "--format: '%s' is none; `assay help report` lists them",
                           args->formats.text[i]);
    return args->formats.count < 2 || args->output ||
           err_set(e, ERR_USAGE, "several formats go into a folder: --output FOLDER");
}

/* ---- the screenful ---- */

static void say_counts(struct out *o, const char *label, const size_t *counts)
{
    char text[200] = "";
    size_t n = 0;
    for (int i = 0; i < CLAIM_STATUSES; i++) {
        char name[20];
        const char *shown =
            i == CLAIM_NOT_APPLICABLE ? "not applicable" : claim_status_name((enum claim_status)i);
        snprintf(name, sizeof name, "%s", shown);
        if (counts[i])
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%zu %s", n ? " \xc2\xb7 " : "",
                                  counts[i], name);
    }
    out_field(o, label, "%s", text[0] ? text : "none");
}

static void say_contradictions(struct out *o, const struct report *r)
{
    if (r->counts[CLAIM_CONTRADICTED] == 0)
        return;
    out_heading(o, "Contradictions");
    for (size_t i = 0; i < r->claims.count; i++) {
        const struct claim *c = r->claims.claim[i];
        char line[SHOW_SIZE], value[SHOW_SIZE], seen[SHOW_SIZE];
        if (c->status != CLAIM_CONTRADICTED)
            continue;
        snprintf(line, sizeof line, "%s: %s%s%s", c->title,
                 show_text(value, span_str(c->value ? c->value : ""), 120),
                 c->observed ? "; found: " : "",
                 c->observed ? show_text(seen, span_str(c->observed), 120) : "");
        out_put(o, "  ");
        out_style(o, STYLE_BAD, "contradicted");
        out_put(o, "  ");
        out_wrapped_at(o, 16, line);
    }
}

/* A framework's file, or statements of a person, that could not be read. */
static bool is_fault(const struct claim *c)
{
    return c->status == CLAIM_MISSING && (strcmp(c->property, "framework.file") == 0 ||
                                          strcmp(c->property, "human.attestation") == 0);
}

static size_t say_faults(struct out *o, const struct report *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->claims.count; i++)
        if (is_fault(r->claims.claim[i])) {
            n++;
            if (o)
                out_field_styled(o, STYLE_WARN, "not read", r->claims.claim[i]->reason);
        }
    return n;
}

static void say_frameworks(struct out *o, const struct report *r)
{
    for (size_t i = 0; i < r->in->framework_count; i++) {
        const struct framework *f = &r->in->frameworks[i];
        size_t counts[CLAIM_STATUSES] = {0};
        for (size_t n = 0; n < r->clause_count; n++)
            if (r->clauses[n].framework == f)
                counts[r->clauses[n].status]++;
        out_heading(o, f->title);
        out_field(o, "text", "%s, data of %s", f->version, f->dated);
        say_counts(o, "clauses", counts);
    }
}

static void say(struct work *w, const struct log_receipt *receipt)
{
    struct out *o = w->call->out;
    const struct report *r = w->report;
    char hex[DIGEST_HEX + 1], shown[SHOW_SIZE];
    say_counts(o, "claims", r->counts);
    out_field(o, "claims root", "%s", digest_hex(hex, &r->root));
    if (r->has_log)
        out_field(o, "log", "%s, %" PRIu64 " entries%s",
                  show_text(shown, r->head.origin, SHOW_NAME), r->head.size,
                  r->anchor.n ? "" : "; self-attested: no witness vouches for it");
    out_field(o, "as of", "%s", r->in->as_of);
    if (!r->in->key)
        out_field(o, "signed by", "nobody, so it is on no record: --key and --signer say who");
    (void)say_faults(o, r);
    say_contradictions(o, r);
    say_frameworks(o, r);
    out_put(o, "\n");
    if (w->args->output)
        out_field(o, "written", "%s", show_text(shown, span_str(w->args->output), SHOW_NAME));
    else
        out_field(o, "next",
                  "--output report.html writes it for reading, report.json for assay "
                  "verify");
    if (receipt->ok)
        out_field(o, "on record",
                  "entry %" PRIu64 " of the log; the same report again: --log-size "
                  "%" PRIu64 " --as-of %s",
                  receipt->seq, r->head.size, r->in->as_of);
}

/* ---- the entry ---- */

static bool record(struct work *w, struct log_receipt *receipt, struct err *e)
{
    const struct report_sources *s = &w->args->sources;
    struct log_paths paths = {s->keys.key, s->keys.operator_key};
    struct log *l = NULL;
    struct buf body;
    if (!s->log || w->args->no_record || !w->given.input.key)
        return true;
    buf_init(&body, 1 << 20);
    bool ok = report_leaf(&body, w->report, buf_span(&w->json), e);
    struct log_entry entry = {.kind = RECORD_REPORT, .body = buf_span(&body)};
    ok = ok && log_open(&l, s->log, &paths, e) && log_append(l, &entry, receipt, e);
    log_close(l);
    buf_free(&body);
    return ok;
}

static bool make(struct work *w, struct log_receipt *receipt, struct err *e)
{
    struct progress_bar bar;
    const struct report_format *json = report_format_find(span_str("json"));
    w->given.input.progress = progress_start(&bar);
    bool ok = report_make(&w->report, &w->given.input, e);
    progress_stop(&bar);
    return ok && json->render(&w->json, w->report, e) && write_all(w, e) && record(w, receipt, e);
}

static bool set_edition(struct report_input *in, const char *name, struct err *e)
{
    static const struct {
        const char *name;
        unsigned bits;
    } editions[] = {{"full", FOR_ALL}, {"AIO", FOR_AIO}, {"NCA", FOR_NCA}, {"DP", FOR_DP}};
    in->edition = FOR_ALL;
    for (size_t i = 0; name && i < 4; i++)
        if (strcmp(name, editions[i].name) == 0) {
            in->edition = editions[i].bits;
            return true;
        }
    return !name || err_set(e, ERR_USAGE, "--edition: full, AIO, NCA or DP, not '%s'", name);
}

static int run_report(const struct call *call)
{
    struct work w = {.call = call, .args = call->args};
    struct log_receipt receipt = {.ok = false};
    struct err e = ERR_INIT;
    buf_init(&w.json, REPORT_MAX);
    bool ok = check_formats(w.args, &e) && set_edition(&w.given.input, w.args->edition, &e);
    if (!ok)
        return usage_error(call->command, &e);
    ok = report_given(&w.given, &w.args->sources, &w.args->frameworks, &e);
    if (!ok && e.code == ERR_USAGE) {
        report_given_free(&w.given);
        return usage_error(call->command, &e);
    }
    ok = ok && make(&w, &receipt, &e);
    int status = ok ? w.given.status : cli_error(&e);
    if (ok && (w.args->output || w.args->formats.count == 0))
        say(&w, &receipt);
    if (ok && w.report->counts[CLAIM_CONTRADICTED])
        status = exit_graver(status, EXIT_DIFFERENT);
    if (ok && say_faults(NULL, w.report))
        status = exit_graver(status, EXIT_INCOMPLETE);
    buf_free(&w.json);
    report_free(w.report);
    report_given_free(&w.given);
    return status;
}

#define AT(member) offsetof(struct report_args, member)
static const struct option report_options[] = {
    {"framework", OPTION_TEXTS, "NAME", AT(frameworks),
     "what to hold the claims against: a name, or a YAML file; may be repeated"},
    {"model", OPTION_TEXT, "PATH", AT(sources.model), "the model"},
    {"log", OPTION_TEXT, "FOLDER", AT(sources.log), "the audit log"},
    {"datasets", OPTION_TEXTS, "PATH", AT(sources.datasets),
     "a data set: counted, and held against its card; may be repeated"},
    {"tokenizer", OPTION_TEXT, "MODEL", AT(sources.tokenizer),
     "count the tokens of data sets with this model's tokenizer"},
    {"training", OPTION_TEXT, "PATH", AT(sources.training),
     "what a trainer left, as for assay record training"},
    {"base", OPTION_TEXTS, "PATH", AT(sources.bases),
     "an ancestor at hand, whose tensors are compared; may be repeated"},
    {"prices", OPTION_TEXT, "FILE", AT(sources.prices),
     "what tokens cost (YAML), for the cost of the calls"},
    {"attestation", OPTION_TEXTS, "FILE", AT(sources.attestations),
     "what people state, signed by assay attest; may be repeated"},
    {"document", OPTION_TEXTS, "FILE", AT(sources.documents),
     "held against the rest: CycloneDX or SPDX 3, evaluation results (YAML), a disclosure from "
     "the log; may be repeated"},
    {"trust", OPTION_TEXTS, "VKEY", AT(sources.trust),
     "believe this key of a person, or cosignatures of this witness; may be repeated"},
    {"period", OPTION_TEXT, "A..B", AT(sources.period),
     "calls of this time alone, days or times in UTC, such as 2026-10-01..2026-11-01"},
    {"subject", OPTION_TEXT, "NAME", AT(sources.subject),
     "calls for this one alone: a name, looked up with the keyring, or a pseudonym"},
    {"finding", OPTION_TEXT, "RULE", AT(sources.finding),
     "which checks on record found it, and what models that have it answered"},
    {"as-of", OPTION_TEXT, "TIME", AT(sources.as_of),
     "the day that laws, expiry and the report itself go by (default: now)"},
    {"log-size", OPTION_U64, "N", AT(sources.log_size),
     "read the first N entries, for which a checkpoint is kept (default: all that is signed)"},
    {"scope", OPTION_TEXTS, "WORD", AT(sources.scopes),
     "requirements that only some need, such as systemic-risk; may be repeated"},
    {"edition", OPTION_TEXT, "WHO", AT(edition),
     "full, or for one recipient: AIO, NCA or DP; all verify against one root"},
    {"format", OPTION_TEXTS, "NAME", AT(formats),
     "html, json, markdown, csv, cyclonedx, spdx, "
     "sarif, intoto, card, croissant; may be repeated"},
    {"output", OPTION_TEXT, "PATH", AT(output),
     "a file, whose name says the format; for several formats a folder"},
    {"no-record", OPTION_FLAG, NULL, AT(no_record), "append no entry about it to the log"},
    {"key", OPTION_TEXT, "FILE", AT(sources.keys.key), "the key that signs (default: the log's)"},
    {"operator-key", OPTION_TEXT, "FILE", AT(sources.keys.operator_key),
     "the key that wraps the keyring (default: operator.key)"},
    {"signer", OPTION_TEXT, "NAME", AT(sources.signer),
     "name of the key that signs (default: the log's origin)"},
    {"threads", OPTION_NUMBER, "N", AT(sources.threads), "use N threads (default: all cores)"},
    {"no-cache", OPTION_FLAG, NULL, AT(sources.no_cache),
     "take every digest anew and remember none"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command report_command = {
    "report",
    "Reports",
    "",
    "what can be said of a model and its use, with the proof",
    "Gathers claims from the model's bytes, its documents, a log and people, each with a status "
    "(verified, attested, declared, contradicted, missing, stale, not applicable) and the evidence "
    "by which anybody can find out again, and holds them against frameworks.\n"
    "The set of claims is signed, and named by an entry of the log. The same inputs, --as-of and "
    "--log-size give the same bytes. The exit status is 1 when something is contradicted.\n"
    "It is evidence, not legal advice and no statement of conformity.",
    report_options,
    0,
    0,
    run_report,
    "assay report --framework eu-ai-act-gpai --model model/ --log audit --output report.html|for "
    "reading\n"
    "assay verify report.json --key VKEY --log audit --model model/|everything again, offline\n"};
