/*
 * assay record dataset, assay record training: enrol what a model was made from.
 * What was counted and what was declared stand in one entry, and where they
 * disagree the entry says so.
 */
#include <inttypes.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/log.h"
#include "assay/provenance.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/record_model.h"
#include "cli/show.h"

enum { DATA_ARENA = 256 << 20, BODY_MAX = 4 << 20, BODY_ROOM = 60000 };

struct data_args {
    struct key_args keys;
    const char *log, *source, *card, *tokenizer, *overlap;
    bool json;
};

static bool append(struct log_receipt *receipt, enum record_kind kind, struct span body,
                   const struct data_args *args, struct err *e)
{
    struct log_paths paths = {args->keys.key, args->keys.operator_key};
    struct log *l = NULL;
    struct log_entry entry = {.kind = kind, .body = body};
    bool ok = log_open(&l, args->log, &paths, e) && log_append(l, &entry, receipt, e);
    log_close(l);
    return ok;
}

static bool need_log(const struct call *call, const struct data_args *args)
{
    struct err e = ERR_INIT;
    if (args->log)
        return true;
    err_set(&e, ERR_USAGE, "--log FOLDER says which log to record in; make one by assay log init");
    (void)usage_error(call->command, &e);
    return false;
}

/* A log that cannot be read is said before hours of counting, not after. */
static bool log_is_there(const char *folder, struct err *e)
{
    struct log_reader *r = NULL;
    bool ok = log_reader_open(&r, folder, e);
    log_reader_close(r);
    return ok;
}

/* The entry, its members as they were recorded. */
static void say_json(struct out *o, const char *schema, const struct log_receipt *receipt,
                     struct span body)
{
    struct json_writer j;
    jo_start(&j, o, true);
    jo_head(&j, schema);
    jo_u64(&j, "entry", receipt->seq);
    jo_digest(&j, "leaf_hash", &receipt->leaf_hash, true);
    jw_key(&j, "record");
    jw_raw(&j, body);
    jo_finish(&j, o);
}

/* ---- data sets ---- */

struct data_work {
    const struct data_args *args;
    struct arena *a;
    struct dataset d, other;
    struct model *model;
    struct tokenizer *tokenizer;
    struct log_receipt receipt;
    struct buf body; /* of the entry */
};

static bool load_tokenizer(struct data_work *w, struct err *e)
{
    return !w->args->tokenizer ||
           (model_read(&w->model, w->args->tokenizer, &(struct model_options){0}, e) &&
            tokenizer_new(&w->tokenizer, w->model, e));
}

static bool read_data(struct data_work *w, const char *path, struct err *e)
{
    struct progress_bar bar;
    struct dataset_options o = {.card = w->args->card, .tokenizer = w->tokenizer};
    o.progress = progress_start(&bar);
    bool ok = true;
    if (w->args->overlap) {
        struct dataset_options plain = {.progress = o.progress};
        ok = dataset_read(&w->other, w->args->overlap, &plain, w->a, e);
        o.other = &w->other;
    }
    ok = ok && dataset_read(&w->d, path, &o, w->a, e);
    progress_stop(&bar);
    return ok;
}

static bool record_data(struct data_work *w, struct err *e)
{
    if (!dataset_leaf(&w->body, &w->d, w->args->source, true, e))
        return false;
    if (w->body.n > BODY_ROOM) {
        buf_clear(&w->body);
        if (!dataset_leaf(&w->body, &w->d, w->args->source, false, e))
            return false;
    }
    return append(&w->receipt, RECORD_DATASET, buf_span(&w->body), w->args, e);
}

static void say_counted(struct out *o, const struct dataset *d)
{
    char hex[DIGEST_HEX + 1], bytes[32], rows[40], among[60], shares[SHOW_SIZE];
    snprintf(among, sizeof among, " (among the first %" PRIu64 ")", d->compared_rows);
    out_field(o, "files", "%zu, %s", d->file_count, text_bytes(bytes, sizeof bytes, d->bytes));
    out_field(o, "manifest", "%s", digest_hex(hex, &d->manifest_root));
    if (d->has_rows)
        out_field(o, "rows", "%s, %" PRIu64 " of them repeat another%s",
                  text_grouped(rows, sizeof rows, d->rows), d->duplicates,
                  d->all_compared ? "" : among);
    if (d->footer_files)
        out_field(o, "Parquet",
                  "%s rows in %" PRIu64 " row groups, as the footers of %zu files say",
                  text_grouped(rows, sizeof rows, d->footer_rows), d->row_groups, d->footer_files);
    if (d->columns)
        out_field(o, "columns", "%s", d->columns);
    if (d->has_tokens)
        out_field(o, "tokens", "%s", text_grouped(rows, sizeof rows, d->tokens));
    if (dataset_language_shares(shares, sizeof shares, d))
        out_field(o, "languages", "%s", shares);
    if (d->first_date)
        out_field(o, "dates", "%s to %s, as they stand in the data", d->first_date, d->last_date);
    if (d->has_overlap)
        out_field(o, "overlap", "%" PRIu64 " rows stand in %s too", d->overlap, d->overlap_with);
    if (d->emails)
        out_field(o, "addresses", "%" PRIu64 " texts look like e-mail addresses", d->emails);
}

static void say_card(struct out *o, const struct dataset_card *c)
{
    char shown[SHOW_SIZE];
    const struct {
        const char *label, *text;
    } facts[] = {{"licence", c->licence},       {"source", c->source ? c->source : c->url},
                 {"collection", c->collection}, {"consent", c->consent},
                 {"personal", c->personal},     {"synthetic", c->synthetic}};
    if (c->kind == CARD_NONE) {
        out_field_styled(o, STYLE_WARN, "card", "none: nothing is declared");
        return;
    }
    out_field(o, "card", "%s, %s", c->path, card_kind_name(c->kind));
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (facts[i].text)
            out_field(o, facts[i].label, "%s (declared)",
                      show_text(shown, span_str(facts[i].text), 160));
}

static void say_notes(struct out *o, const struct dataset *d)
{
    char line[SHOW_SIZE], declared[SHOW_SIZE], counted[SHOW_SIZE];
    if (d->note_count == 0)
        return;
    out_heading(o, "Declared against counted");
    for (size_t i = 0; i < d->note_count; i++) {
        const struct dataset_note *n = &d->notes[i];
        snprintf(line, sizeof line, "%s%s%s",
                 n->declared ? show_text(declared, span_str(n->declared), 160) : "",
                 n->declared ? "; " : "", show_text(counted, span_str(n->counted), 250));
        out_put(o, "  ");
        out_style(o, n->contradicts ? STYLE_BAD : STYLE_WARN,
                  n->contradicts ? "contradicted" : "note");
        out_put(o, "  ");
        out_wrapped_at(o, n->contradicts ? 16 : 8, line);
    }
}

static void say_data(struct out *o, const struct data_work *w)
{
    char shown[SHOW_SIZE], folder[SHOW_SIZE];
    out_printf(o, "%s is entry %" PRIu64 " of %s\n",
               show_text(shown, span_str(w->d.card.name ? w->d.card.name : w->d.name), SHOW_NAME),
               w->receipt.seq, show_text(folder, span_str(w->args->log), SHOW_NAME));
    say_counted(o, &w->d);
    say_card(o, &w->d.card);
    if (!w->d.complete)
        out_field_styled(o, STYLE_WARN, "incomplete",
                         "not everything could be read; the entry says so");
    say_notes(o, &w->d);
}

static int run_dataset(const struct call *call)
{
    struct data_work w = {.args = call->args, .a = arena_new(DATA_ARENA)};
    struct err e = ERR_INIT;
    int status = EXIT_PASS;
    buf_init(&w.body, BODY_MAX);
    if (!need_log(call, w.args)) {
        arena_free(w.a);
        return EXIT_USAGE;
    }
    bool ok = (w.a || err_set(&e, ERR_MEMORY, "out of memory")) &&
              record_source_ok(w.args->source, &e) && log_is_there(w.args->log, &e) &&
              load_tokenizer(&w, &e) && read_data(&w, call->operands[0], &e) && record_data(&w, &e);
    if (ok) {
        if (w.args->json)
            say_json(call->out, "assay.record-dataset/1", &w.receipt, buf_span(&w.body));
        else
            say_data(call->out, &w);
        status = w.d.complete ? EXIT_PASS : EXIT_INCOMPLETE;
    } else
        status = cli_error(&e);
    buf_free(&w.body);
    dataset_free(&w.d);
    dataset_free(&w.other);
    tokenizer_free(w.tokenizer);
    model_free(w.model);
    arena_free(w.a);
    return status;
}

/* ---- training runs ---- */

static void say_list(struct out *o, const char *label, const char *const *names, size_t n)
{
    char text[SHOW_SIZE] = "", shown[SHOW_SIZE];
    size_t at = 0;
    for (size_t i = 0; i < n && at + 130 < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? ", " : "",
                               show_text(shown, span_str(names[i]), 100));
    if (at)
        out_field(o, label, "%s", text);
}

static void say_training(struct out *o, const struct data_args *args, const struct training_run *t,
                         const struct log_receipt *receipt)
{
    char shown[SHOW_SIZE], folder[SHOW_SIZE];
    out_printf(o, "%s is entry %" PRIu64 " of %s\n",
               show_text(shown, span_str(t->name ? t->name : "The training run"), SHOW_NAME),
               receipt->seq, show_text(folder, span_str(args->log), SHOW_NAME));
    const struct {
        const char *label, *text;
    } facts[] = {{"method", t->method}, {"code", t->code},         {"hardware", t->hardware},
                 {"compute", t->flops}, {"energy", t->energy_kwh}, {"hours", t->hours},
                 {"epochs", t->epochs}, {"seed", t->seed},         {"optimizer", t->optimizer}};
    say_list(o, "base models", t->base_models, t->base_count);
    say_list(o, "datasets", t->datasets, t->dataset_count);
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (facts[i].text)
            out_field(o, facts[i].label, "%s", show_text(shown, span_str(facts[i].text), 200));
    if (t->steps)
        out_field(o, "steps", "%" PRIu64, t->steps);
    out_field(o, "settings", "%zu hyperparameters, %zu measurements", t->hyper_count,
              t->metric_count);
    say_list(o, "read from", (const char *const *)t->files, t->file_count);
    if (t->trouble)
        out_field_styled(o, STYLE_WARN, "not read", t->trouble);
}

static int run_training(const struct call *call)
{
    const struct data_args *args = call->args;
    struct arena *a = arena_new(DATA_ARENA);
    struct log_receipt receipt = {.ok = false};
    struct training_run t;
    struct err e = ERR_INIT;
    struct buf body;
    if (!need_log(call, args)) {
        arena_free(a);
        return EXIT_USAGE;
    }
    buf_init(&body, BODY_MAX);
    bool ok = (a || err_set(&e, ERR_MEMORY, "out of memory")) && log_is_there(args->log, &e) &&
              training_read(&t, call->operands[0], a, &e) && training_leaf(&body, &t, &e) &&
              append(&receipt, RECORD_TRAINING, buf_span(&body), args, &e);
    int status = ok ? (t.trouble ? EXIT_INCOMPLETE : EXIT_PASS) : cli_error(&e);
    if (ok && args->json)
        say_json(call->out, "assay.record-training/1", &receipt, buf_span(&body));
    else if (ok)
        say_training(call->out, args, &t, &receipt);
    buf_free(&body);
    arena_free(a);
    return status;
}

#define AT(member) offsetof(struct data_args, member)
#define KEY_OPTIONS                                                                                \
    {"key", OPTION_TEXT, "FILE", AT(keys.key), "the log's signing key (default: log.key)"},        \
        {"operator-key", OPTION_TEXT, "FILE", AT(keys.operator_key),                               \
         "the key that wraps the keyring (default: operator.key)"},                                \
    {                                                                                              \
        NULL, OPTION_FLAG, NULL, 0, NULL                                                           \
    }
static const struct option dataset_options[] = {
    {"log", OPTION_TEXT, "FOLDER", AT(log), "the log to record in"},
    {"card", OPTION_TEXT, "FILE", AT(card),
     "its card: Croissant, Hugging Face, D&TA or YAML (default: looked for beside the data)"},
    {"tokenizer", OPTION_TEXT, "MODEL", AT(tokenizer), "count tokens with this model's tokenizer"},
    {"overlap", OPTION_TEXT, "PATH", AT(overlap), "count the rows that stand in this data set too"},
    {"source", OPTION_TEXT, "TEXT", AT(source), "where it was obtained, in your words"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON (schema/record-dataset.schema.json)"},
    KEY_OPTIONS,
};
static const struct option training_options[] = {
    {"log", OPTION_TEXT, "FOLDER", AT(log), "the log to record in"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON (schema/record-training.schema.json)"},
    KEY_OPTIONS,
};
#undef AT

const struct command record_dataset_command = {
    "record dataset",
    "Audit log",
    "PATH",
    "enrol a data set in an audit log",
    "Reads every file once, counts rows, duplicates, languages, dates and, with --tokenizer, "
    "tokens, and holds what its card declares against that. The entry has both.\n"
    "Rows are counted in JSON lines, CSV, TSV and text; of Parquet the footers say how many; other "
    "files are hashed. A file that "
    "changes while it is read is named, and the exit status is 3. Memory does not grow with the "
    "data: of more than a million rows, eight bytes a row are kept in a temporary file (TMPDIR, "
    "else /var/tmp).",
    dataset_options,
    1,
    1,
    run_dataset,
    "assay record dataset corpus/ --log audit --tokenizer model/|with its tokens counted\n"};

const struct command record_training_command = {
    "record training",
    "Audit log",
    "PATH",
    "enrol a training run in an audit log",
    "Reads what the trainer left: training.yaml, trainer_state.json, adapter_config.json, "
    "training_args.json, in a folder or one of them, and records base models, data, method, "
    "hyperparameters, compute, energy and code revision as declared.",
    training_options,
    1,
    1,
    run_training,
    "assay record training run-7/ --log audit|what the run says of itself\n"};
