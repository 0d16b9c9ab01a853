/* The members of `dataset` and `training` entries. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "assay/provenance.h"

enum { TEXT_MAX = 512, FILES_MAX = 400, LANGUAGES_MAX = 32 };

/* As much of a text as an entry takes, never less than a character. */
static struct span cut(const char *s)
{
    struct span t = span_str(s);
    size_t n = t.n < TEXT_MAX ? t.n : TEXT_MAX;
    while (n && n < t.n && (t.p[n] & 0xC0) == 0x80)
        n--;
    return span_sub(t, 0, n);
}

static void put_text(struct json_writer *w, const char *key, const char *s)
{
    if (!s || !s[0])
        return;
    jw_key(w, key);
    jw_string(w, cut(s));
}

static void put_count(struct json_writer *w, const char *key, uint64_t n)
{
    jw_key(w, key);
    jw_u64(w, n < (UINT64_C(1) << 53) ? n : (UINT64_C(1) << 53) - 1);
}

static void put_digest(struct json_writer *w, const char *key, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];
    jw_key(w, key);
    jw_str(w, digest_hex(hex, d));
}

static void put_files(struct json_writer *w, const struct dataset *d)
{
    jw_key(w, "files");
    jw_array(w);
    for (size_t i = 0; i < d->file_count && i < FILES_MAX; i++) {
        jw_object(w);
        put_count(w, "bytes", d->files[i].bytes);
        put_digest(w, "digest", &d->files[i].digest);
        jw_key(w, "name");
        jw_str(w, d->files[i].name);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_measured(struct json_writer *w, const struct dataset *d)
{
    if (d->has_rows) {
        put_count(w, "duplicates", d->duplicates);
        put_count(w, "rows", d->rows);
    }
    if (d->has_rows && !d->all_compared)
        put_count(w, "duplicates_among", d->compared_rows);
    if (d->footer_files)
        put_count(w, "footer_rows", d->footer_rows);
    if (d->has_overlap) {
        put_count(w, "overlap", d->overlap);
        jw_key(w, "overlap_with");
        jw_object(w);
        put_digest(w, "manifest_root", &d->overlap_root);
        put_text(w, "name", d->overlap_with);
        jw_end_object(w);
    }
    if (d->has_tokens)
        put_count(w, "tokens", d->tokens);
    if (d->first_date) {
        put_text(w, "first_date", d->first_date);
        put_text(w, "last_date", d->last_date);
    }
    if (d->language_count == 0)
        return;
    jw_key(w, "languages");
    jw_array(w);
    for (size_t i = 0; i < d->language_count; i++)
        jw_str(w, d->languages[i].code);
    jw_end_array(w);
}

static void put_declared_languages(struct json_writer *w, const struct dataset_card *c)
{
    if (c->language_count == 0)
        return;
    jw_key(w, "declared_languages");
    jw_array(w);
    for (size_t i = 0; i < c->language_count && i < LANGUAGES_MAX; i++)
        jw_string(w, cut(c->languages[i]));
    jw_end_array(w);
}

static void put_card(struct json_writer *w, const struct dataset_card *c)
{
    if (c->kind == CARD_NONE)
        return;
    put_digest(w, "card", &c->digest);
    put_text(w, "collection", c->collection);
    put_text(w, "consent", c->consent);
    put_text(w, "personal_data", c->personal);
    put_text(w, "revision", c->version);
    if (c->licence) {
        jw_key(w, "licences");
        jw_array(w);
        jw_object(w);
        put_text(w, "named", c->licence);
        put_text(w, "where", c->path);
        jw_end_object(w);
        jw_end_array(w);
    }
    put_declared_languages(w, c);
    if (c->split_count == 0)
        return;
    jw_key(w, "splits");
    jw_array(w);
    for (size_t i = 0; i < c->split_count; i++) {
        jw_object(w);
        put_text(w, "name", c->splits[i].name);
        put_count(w, "rows", c->splits[i].rows);
        jw_end_object(w);
    }
    jw_end_array(w);
}

/* What disagreed, so that the entry itself says it. */
static void put_notes(struct json_writer *w, const struct dataset *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->note_count; i++)
        n += d->notes[i].contradicts;
    if (n == 0)
        return;
    jw_key(w, "contradicted");
    jw_array(w);
    for (size_t i = 0; i < d->note_count && i < 16; i++) {
        char line[400];
        if (!d->notes[i].contradicts)
            continue;
        snprintf(line, sizeof line, "%s: %.150s, and counted: %.150s", d->notes[i].rule,
                 d->notes[i].declared ? d->notes[i].declared : "", d->notes[i].counted);
        jw_str(w, line);
    }
    jw_end_array(w);
}

bool dataset_leaf(struct buf *out, const struct dataset *d, const char *source, bool files,
                  struct err *e)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    put_count(&w, "bytes", d->bytes);
    jw_key(&w, "complete");
    jw_bool(&w, d->complete);
    put_count(&w, "file_count", d->file_count);
    put_digest(&w, "manifest_root", &d->manifest_root);
    put_text(&w, "name", d->card.name ? d->card.name : d->name);
    put_text(&w, "software", "assay " ASSAY_VERSION);
    put_text(&w, "source", source ? source : d->card.url ? d->card.url : d->card.source);
    put_measured(&w, d);
    put_card(&w, &d->card);
    put_notes(&w, d);
    if (files && d->file_count <= FILES_MAX)
        put_files(&w, d);
    jw_end_object(&w);
    return (buf_ok(out) && !w.failed) || err_set(e, ERR_MEMORY, "out of memory for an entry");
}

static void put_refs(struct json_writer *w, const char *key, const char *const *names, size_t n)
{
    if (n == 0)
        return;
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < n; i++) {
        jw_object(w);
        put_text(w, "name", names[i]);
        jw_end_object(w);
    }
    jw_end_array(w);
}

/* A JSON number, which a record keeps as text; other words are left out. */
static bool is_decimal(const char *s)
{
    double v;
    struct span t = span_str(s);
    struct json root;
    struct arena *a = arena_new(1 << 16);
    bool ok = a && json_parse(&root, t, JSON_STRICT, a, NULL) && json_double(root, &v) && t.n &&
              t.p[t.n - 1] != ' ' && t.p[0] != ' ';
    arena_free(a);
    return ok;
}

static void put_pairs(struct json_writer *w, const struct training_run *t)
{
    if (t->hyper_count) {
        jw_key(w, "hyperparameters");
        jw_array(w);
        for (size_t i = 0; i < t->hyper_count; i++) {
            jw_object(w);
            put_text(w, "name", t->hyper[i].name);
            put_text(w, "value", t->hyper[i].value);
            jw_end_object(w);
        }
        jw_end_array(w);
    }
    size_t numbers = 0;
    for (size_t i = 0; i < t->metric_count; i++)
        numbers += is_decimal(t->metrics[i].value);
    if (numbers == 0)
        return;
    jw_key(w, "metrics");
    jw_array(w);
    for (size_t i = 0; i < t->metric_count; i++) {
        if (!is_decimal(t->metrics[i].value))
            continue;
        jw_object(w);
        put_text(w, "name", t->metrics[i].name);
        put_text(w, "value", t->metrics[i].value);
        jw_end_object(w);
    }
    jw_end_array(w);
}

bool training_leaf(struct buf *out, const struct training_run *t, struct err *e)
{
    struct json_writer w;
    char id[33];
    for (size_t i = 0; i < 16; i++)
        snprintf(id + 2 * i, 3, "%02x", t->id[i]);
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    put_refs(&w, "base_models", t->base_models, t->base_count);
    put_digest(&w, "config", &t->config);
    put_refs(&w, "datasets", t->datasets, t->dataset_count);
    put_text(&w, "energy", t->energy_kwh);
    put_text(&w, "environment", t->environment ? t->environment : t->hardware);
    put_text(&w, "flops", t->flops);
    put_text(&w, "method", t->method);
    put_pairs(&w, t);
    jw_key(&w, "phase");
    jw_str(&w, "end");
    put_text(&w, "revision", t->code);
    jw_key(&w, "run");
    jw_str(&w, id);
    if (t->seed && is_decimal(t->seed))
        put_text(&w, "seed", t->seed);
    put_text(&w, "software", "assay " ASSAY_VERSION);
    if (t->steps)
        put_count(&w, "step", t->steps);
    if (t->tokens)
        put_count(&w, "tokens", t->tokens);
    jw_end_object(&w);
    return (buf_ok(out) && !w.failed) || err_set(e, ERR_MEMORY, "out of memory for an entry");
}
