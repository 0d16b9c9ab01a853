/* From what was typed to what report_make takes. */
#include "cli/report_input.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/check.h"
#include "assay/config.h"
#include "cli/cli.h"
#include "cli/log_filter.h"
#include "cli/progress.h"

enum { GIVEN_ARENA = 128 << 20, ATTESTATION_MAX = 8 << 20, DOCUMENT_MAX = 32 << 20 };

bool report_subject(struct subject *s, struct report_model *m, const char *path,
                    const struct subject_options *o, struct err *e)
{
    if (!subject_open(s, path, o, e))
        return false;
    if (s->interrupted)
        return err_set(e, ERR_INTERRUPTED, "interrupted: no report was made");
    if (!s->has_facts || !s->has_scan || !s->has_identity)
        return err_at(e, ERR_FORMAT, path, ERR_NO_OFFSET, "too little could be read for a report");
    if (!s->recognised)
        return err_at(e, ERR_FORMAT, path, ERR_NO_OFFSET, "no file of a known model format");
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    size_t from = n;
    while (from > 0 && path[from - 1] != '/')
        from--;
    *m = (struct report_model){
        .model = s->model,
        .facts = &s->facts,
        .scan = &s->scan,
        .identity = &s->identity,
        .complete = s->complete,
        .shown = arena_str(s->model->arena, (struct span){(const uint8_t *)path + from, n - from}),
    };
    return m->shown || err_set(e, ERR_MEMORY, "out of memory for a name");
}

bool report_judge(struct subject *s, const struct subject *b, struct arena *a, struct err *e)
{
    struct policy policy;
    struct check done;
    struct check_base base = {.model = NULL};
    struct diff d;
    struct progress_bar bar;
    policy_default(&policy);
    struct check_input in = {.model = s->model,
                             .facts = &s->facts,
                             .scan = &s->scan,
                             .identity = &s->identity,
                             .complete = s->complete,
                             .policy = &policy};
    if (b) {
        const struct diff_options o = {.progress = progress_start(&bar)};
        bool ok = inspect_diff(&d, b->model, s->model, a, &o, e);
        progress_stop(&bar);
        if (!ok)
            return false;
        base = (struct check_base){b->model, &b->facts, &b->identity, &d};
        in.base = &base;
    }
    return check_run(&done, &in, e);
}

static bool set_model(struct report_given *g, const struct report_sources *s, struct err *e)
{
    const struct subject_options options = {
        .digests = true, .cache = !s->no_cache, .threads = s->threads};
    if (!s->model)
        return true;
    g->has_subject = true;
    if (!report_subject(&g->subject, &g->model, s->model, &options, e))
        return false;
    g->input.model = &g->model;
    g->status = exit_graver(g->status, subject_status(&g->subject));
    return true;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* What the documents claim; where an ancestor is at hand, its tensors are compared. */
static bool set_lineage(struct report_given *g, const struct report_sources *s, struct err *e)
{
    const struct subject_options options = {
        .digests = true, .cache = !s->no_cache, .threads = s->threads};
    struct lineage_base bases[OPTION_MAX_TEXTS];
    if (!g->has_subject)
        return true;
    for (size_t i = 0; i < s->bases.count; i++) {
        struct subject *b = &g->bases[g->base_count++];
        if (!subject_open(b, s->bases.text[i], &options, e))
            return false;
        if (!b->has_facts || !b->has_identity)
            return err_at(e, ERR_FORMAT, s->bases.text[i], ERR_NO_OFFSET,
                          "too little could be read of it");
        bases[i] = (struct lineage_base){lineage_base_name(s->bases.text[i], g->a), b->model,
                                         &b->facts, &b->identity};
        if (!bases[i].name)
            return err_set(e, ERR_MEMORY, "out of memory for a lineage");
    }
    g->input.lineage = &g->lineage;
    struct progress_bar bar;
    const struct diff_options o = {s->threads, progress_start(&bar)};
    bool ok = lineage_make(&g->lineage, g->subject.model, &g->subject.facts, &g->subject.identity,
                           bases, g->base_count, &o, g->a, e);
    progress_stop(&bar);
    if (!ok)
        return false;
    if (g->lineage.trouble)
        g->status = exit_graver(g->status, EXIT_INCOMPLETE);
    return true;
}

static bool set_datasets(struct report_given *g, const struct report_sources *s, struct err *e)
{
    struct dataset_options o = {.card = NULL};
    if (s->tokenizer &&
        (!model_read(&g->tokenizer_model, s->tokenizer, &(struct model_options){0}, e) ||
         !tokenizer_new(&g->tokenizer, g->tokenizer_model, e)))
        return false;
    o.tokenizer = g->tokenizer;
    g->datasets = arena_array(g->a, s->datasets.count + 1, sizeof *g->datasets);
    if (!g->datasets)
        return err_set(e, ERR_MEMORY, "out of memory for data sets");
    for (size_t i = 0; i < s->datasets.count; i++) {
        struct progress_bar bar;
        o.other = i ? &g->datasets[0] : NULL;
        o.progress = progress_start(&bar);
        bool ok = dataset_read(&g->datasets[i], s->datasets.text[i], &o, g->a, e);
        progress_stop(&bar);
        if (!ok)
            return false;
        g->dataset_count++;
        if (!g->datasets[i].complete)
            g->status = exit_graver(g->status, EXIT_INCOMPLETE);
    }
    g->input.datasets = g->datasets;
    g->input.dataset_count = g->dataset_count;
    return true;
}

static bool set_training(struct report_given *g, const struct report_sources *s, struct err *e)
{
    if (!s->training)
        return true;
    g->input.training = &g->training;
    return training_read(&g->training, s->training, g->a, e);
}

/* Prices are decimals of the currency for a million tokens; kept in millionths. */
static bool price(uint64_t *out, struct span text, struct err *e)
{
    double v;
    if (!text.n)
        return true;
    if (!text_to_double(text, &v) || !(v >= 0) || v > 1e9)
        return err_set(e, ERR_CONFIG, "a price is a number from 0 to a billion");
    *out = (uint64_t)(v * 1e6 + 0.5);
    return true;
}

struct price_table {
    struct span currency, name, input, output;
    uint64_t watts;
    struct {
        struct span name, input, output;
    } commercial;
};

#define IN(member) offsetof(struct price_table, member)
static const struct config_field offer_fields[] = {
    {.name = "name", .at = 0, .max = 200},
    {.name = "input", .type = CONFIG_DECIMAL, .at = sizeof(struct span), .required = true},
    {.name = "output", .type = CONFIG_DECIMAL, .at = 2 * sizeof(struct span), .required = true},
    {.name = NULL},
};
static const struct config_field price_fields[] = {
    {.name = "currency", .at = IN(currency), .required = true, .min = 1, .max = 20},
    {.name = "name", .at = IN(name), .max = 200},
    {.name = "input", .type = CONFIG_DECIMAL, .at = IN(input), .required = true},
    {.name = "output", .type = CONFIG_DECIMAL, .at = IN(output), .required = true},
    {.name = "watts", .type = CONFIG_INTEGER, .at = IN(watts), .max = 1000000000},
    {.name = "commercial", .type = CONFIG_OBJECT, .at = IN(commercial), .fields = offer_fields},
    {.name = NULL},
};
#undef IN

static bool set_prices(struct report_given *g, const struct report_sources *s, struct err *e)
{
    struct report_prices *p = &g->input.prices;
    struct price_table t = {.currency = SPAN_EMPTY};
    struct yaml y;
    if (!s->prices)
        return true;
    if (!yaml_read(&y, s->prices, g->a, e) || !config_read(&t, &y, y.root, price_fields, g->a, e) ||
        !price(&p->input, t.input, e) || !price(&p->output, t.output, e) ||
        !price(&p->commercial_input, t.commercial.input, e) ||
        !price(&p->commercial_output, t.commercial.output, e)) {
        err_in_file(e, s->prices);
        return false;
    }
    p->currency = arena_str(g->a, t.currency);
    p->name = arena_str(g->a, t.name.n ? t.name : span_str(last_part(s->prices)));
    p->watts = t.watts;
    p->has_commercial = t.commercial.input.n != 0;
    p->commercial_name =
        arena_str(g->a, t.commercial.name.n ? t.commercial.name : span_str("the offer"));
    return (p->currency && p->name && p->commercial_name) ||
           err_set(e, ERR_MEMORY, "out of memory for prices");
}

/* A file that is there and cannot be read is named in the report, and the rest is reported. */
static bool set_frameworks(struct report_given *g, const struct option_texts *names, struct err *e)
{
    struct framework *f = arena_array(g->a, names->count + 1, sizeof *f);
    struct report_fault *faults = arena_array(g->a, names->count + 1, sizeof *faults);
    struct report_input *in = &g->input;
    if (!f || !faults)
        return err_set(e, ERR_MEMORY, "out of memory for a framework");
    in->frameworks = f;
    in->faults = faults;
    for (size_t i = 0; i < names->count; i++) {
        struct err why = ERR_INIT;
        bool ok = framework_load(&f[in->framework_count], names->text[i], g->a, &why);
        if (!ok && why.code != ERR_CONFIG && why.code != ERR_LIMIT)
            return err_at(e, why.code, why.file, why.offset, "%s", why.text);
        if (!ok || f[in->framework_count].faults)
            g->status = exit_graver(g->status, EXIT_INCOMPLETE);
        if (ok) {
            in->framework_count++;
            continue;
        }
        faults[in->fault_count] =
            (struct report_fault){names->text[i], arena_str(g->a, span_str(why.text))};
        if (!faults[in->fault_count++].text)
            return err_set(e, ERR_MEMORY, "out of memory for a framework");
    }
    return true;
}

static bool set_times(struct report_given *g, const struct report_sources *s, struct err *e)
{
    struct report_input *in = &g->input;
    uint64_t now = clock_wall();
    char text[CLOCK_TEXT];
    in->until = UINT64_MAX;
    in->log_size = s->log_size.given ? s->log_size.value : UINT64_MAX;
    if (s->as_of && !log_time(&now, "as-of", s->as_of, e))
        return false;
    in->as_of = arena_str(g->a, span_str(clock_text(text, now)));
    if (!in->as_of)
        return err_set(e, ERR_MEMORY, "out of memory for a time");
    const char *dots = s->period ? strstr(s->period, "..") : NULL;
    if (!s->period)
        return true;
    char *from =
        dots
            ? arena_str(g->a, (struct span){(const uint8_t *)s->period, (size_t)(dots - s->period)})
            : NULL;
    if (!from)
        return err_set(e, ERR_USAGE,
                       "--period: expected two times with .. between them, such as "
                       "2026-10-01..2026-11-01");
    return (!from[0] || log_time(&in->since, "period", from, e)) &&
           (!dots[2] || log_time(&in->until, "period", dots + 2, e));
}

static bool is_rule(const char *id)
{
    for (size_t i = 0; i < RULE_COUNT; i++)
        if (strcmp(rules[i].id, id) == 0)
            return true;
    return false;
}

/* Whom or what the report is about: one subject, one finding. A name stays on this machine; the report
 * has pseudonyms. */
static bool set_focus(struct report_given *g, const struct report_sources *s, struct err *e)
{
    struct log_paths paths = {NULL, s->keys.operator_key};
    struct log_subject who = {NULL, 0};
    struct log_reader *r = NULL;
    struct seal_id *id = arena_alloc(g->a, sizeof *id);
    if ((s->subject || s->finding) && !s->log)
        return err_set(e, ERR_USAGE, "--subject and --finding are looked for in a log: --log");
    g->input.finding = s->finding;
    if (s->finding && !is_rule(s->finding))
        return err_set(e, ERR_USAGE, "--finding: no rule is called '%s'; docs/findings.md has them",
                       s->finding);
    if (!s->subject)
        return true;
    if (!id)
        return err_set(e, ERR_MEMORY, "out of memory for a subject");
    if (seal_id_from_hex(id, span_str(s->subject)))
        who = (struct log_subject){id, 1};
    else if (!log_reader_open(&r, s->log, e) ||
             !log_reader_subject(r, &paths, span_str(s->subject), &who, g->a, e)) {
        log_reader_close(r);
        return false;
    }
    log_reader_close(r);
    g->input.subjects = who.pseudonyms;
    g->input.subject_count = who.count;
    return who.count ||
           err_set(e, ERR_USAGE,
                   "--subject: nothing is on record under that name, or it was erased, after which "
                   "nothing links its entries any more");
}

static void add_scopes(struct report_given *g, const struct report_sources *s)
{
    struct report_input *in = &g->input;
    for (size_t i = 0; i < s->scopes.count && in->scope_count < REPORT_SCOPES - 1; i++)
        in->scopes[in->scope_count++] = s->scopes.text[i];
    if (s->finding)
        in->scopes[in->scope_count++] = "finding";
}

static bool set_trust(struct report_given *g, const struct report_sources *s, struct err *e)
{
    struct trust *t = &g->trust;
    t->log_keys = arena_array(g->a, s->trust.count + 1, sizeof *t->log_keys);
    t->witnesses = arena_array(g->a, s->trust.count + 1, sizeof *t->witnesses);
    if (!t->log_keys || !t->witnesses)
        return err_set(e, ERR_MEMORY, "out of memory for keys");
    for (size_t i = 0; i < s->trust.count; i++) {
        struct note_key key;
        struct err why = ERR_INIT;
        if (!note_key_parse(&key, span_str(s->trust.text[i]), g->a, &why))
            return err_set(e, ERR_USAGE, "--trust: %s", why.text);
        if (key.type == NOTE_COSIGNATURE)
            t->witnesses[t->witness_count++] = key;
        else
            t->log_keys[t->log_key_count++] = key;
    }
    g->input.trust = t;
    return true;
}

static bool set_attestations(struct report_given *g, const struct report_sources *s, struct err *e)
{
    size_t n = s->attestations.count;
    struct report_attestation *list = arena_array(g->a, n + 1, sizeof *list);
    if (!list)
        return err_set(e, ERR_MEMORY, "out of memory for statements");
    for (size_t i = 0; i < n; i++) {
        list[i].path = s->attestations.text[i];
        if (!file_read(&list[i].bytes, list[i].path, ATTESTATION_MAX, false, g->a, e))
            return false;
    }
    g->input.attestations = list;
    g->input.attestation_count = n;
    return true;
}

static bool set_documents(struct report_given *g, const struct report_sources *s, struct err *e)
{
    size_t n = s->documents.count;
    struct report_document *list = arena_array(g->a, n + 1, sizeof *list);
    if (!list)
        return err_set(e, ERR_MEMORY, "out of memory for documents");
    for (size_t i = 0; i < n; i++) {
        list[i].path = s->documents.text[i];
        if (!file_read(&list[i].bytes, list[i].path, DOCUMENT_MAX, false, g->a, e))
            return false;
    }
    g->input.documents = list;
    g->input.document_count = n;
    return true;
}

/* The log's own name, when nobody gave another. */
static bool origin_of(struct report_given *g, const char *log, struct span *out, struct err *e)
{
    struct log_reader *r = NULL;
    struct buf note;
    struct note parsed;
    struct checkpoint c;
    buf_init(&note, 1 << 20);
    bool ok = log_reader_open(&r, log, e) && log_reader_checkpoint(r, &note, e) &&
              note_parse(&parsed, arena_span(g->a, buf_span(&note)), g->a, e) &&
              checkpoint_parse(&c, parsed.text, e);
    if (ok)
        *out = c.origin;
    log_reader_close(r);
    buf_free(&note);
    return ok;
}

static bool set_key(struct report_given *g, const struct report_sources *s, struct err *e)
{
    struct report_input *in = &g->input;
    const char *path = s->keys.key;
    in->signer = span_str(s->signer);
    if (!path && s->log) {
        path = arena_printf(g->a, "%s/log.key", s->log);
        /* Whoever was handed a log has its entries and not its key: the report is not signed. */
        if (path && access(path, F_OK) != 0)
            path = NULL;
    }
    if (!path)
        return true;
    if (in->signer.n == 0 && s->log && !origin_of(g, s->log, &in->signer, e))
        return false;
    if (in->signer.n == 0)
        return err_set(e, ERR_USAGE, "--signer says whose key signs");
    if (!sign_key_load(&g->key, path, e))
        return false;
    in->key = g->key;
    return true;
}

bool report_given(struct report_given *g, const struct report_sources *s,
                  const struct option_texts *frameworks, struct err *e)
{
    g->a = arena_new(GIVEN_ARENA);
    if (!g->a)
        return err_set(e, ERR_MEMORY, "out of memory for a report");
    if (!s->model && !s->log && s->datasets.count == 0)
        return err_set(e, ERR_USAGE, "nothing to report on: --model, --log or both say what");
    g->input.log = s->log;
    add_scopes(g, s);
    return set_times(g, s, e) && set_focus(g, s, e) && set_frameworks(g, frameworks, e) &&
           set_trust(g, s, e) && set_attestations(g, s, e) && set_documents(g, s, e) &&
           set_key(g, s, e) && set_prices(g, s, e) && set_training(g, s, e) && set_model(g, s, e) &&
           set_lineage(g, s, e) &&
           (!g->has_subject ||
            report_judge(&g->subject, g->base_count ? &g->bases[0] : NULL, g->a, e)) &&
           set_datasets(g, s, e);
}

void report_given_free(struct report_given *g)
{
    if (g->has_subject)
        subject_close(&g->subject);
    for (size_t i = 0; i < g->base_count; i++)
        subject_close(&g->bases[i]);
    for (size_t i = 0; i < g->dataset_count; i++)
        dataset_free(&g->datasets[i]);
    tokenizer_free(g->tokenizer);
    model_free(g->tokenizer_model);
    sign_key_free(g->key);
    arena_free(g->a);
}
