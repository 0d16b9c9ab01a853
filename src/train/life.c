/* The records of a run: JSON bodies of `dataset` and `training` leaves (docs/log-format.md). */
#include <inttypes.h>
#include <stdio.h>

#include "assay/base/text.h"
#include "assay/numerics.h"
#include "train/run.h"

enum { BODY_MAX = 60000, CONFIG_TEXT_MAX = 30000 };

static void put_digest(struct json_writer *w, const char *key, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];
    jw_key(w, key);
    jw_str(w, digest_hex(hex, d));
}

static void put_str(struct json_writer *w, const char *key, const char *v)
{
    jw_key(w, key);
    jw_str(w, v);
}

static void put_u64(struct json_writer *w, const char *key, uint64_t v)
{
    jw_key(w, key);
    jw_u64(w, v);
}

static void put_span(struct json_writer *w, const char *key, struct span v)
{
    if (v.n) {
        jw_key(w, key);
        jw_string(w, v);
    }
}

static bool finish(struct json_writer *w, const struct buf *out, struct err *e)
{
    jw_end_object(w);
    return (buf_ok(out) && !w->failed) ||
           err_set(e, ERR_LIMIT, "a record of this run would be longer than %d bytes", BODY_MAX);
}

size_t train_dataset_count(const struct train *t)
{
    return t->dataset_count;
}

static void put_files(struct json_writer *w, const struct run_dataset *d)
{
    jw_key(w, "files");
    jw_array(w);
    for (size_t i = 0; i < d->count; i++) {
        jw_object(w);
        put_u64(w, "bytes", d->files[i].bytes.n);
        put_digest(w, "digest", &d->files[i].digest);
        put_str(w, "name", d->files[i].name);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_licence(struct json_writer *w, struct span named)
{
    const char *spdx = licence_spdx_from_name(named);
    jw_key(w, "licences");
    jw_array(w);
    jw_object(w);
    put_span(w, "named", named);
    if (spdx)
        put_str(w, "spdx", spdx);
    put_str(w, "where", "configuration");
    jw_end_object(w);
    jw_end_array(w);
}

bool train_dataset_body(const struct train *t, size_t i, struct buf *out, struct err *e)
{
    const struct run_dataset *d = &t->datasets[i];
    uint64_t bytes = 0, rows = 0;
    struct json_writer w;
    for (size_t k = 0; k < d->count; k++) {
        bytes += d->files[k].bytes.n;
        rows += d->files[k].rows;
    }
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    put_u64(&w, "bytes", bytes);
    if (d->has_card)
        put_digest(&w, "card", &d->card);
    jw_key(&w, "complete");
    jw_bool(&w, true);
    put_u64(&w, "file_count", d->count);
    put_files(&w, d);
    if (d->config->licence.n)
        put_licence(&w, d->config->licence);
    put_digest(&w, "manifest_root", &d->root);
    put_span(&w, "name", d->config->name);
    if (rows)
        put_u64(&w, "rows", rows);
    put_str(&w, "software", "assay " ASSAY_VERSION);
    put_span(&w, "source", d->config->source);
    return finish(&w, out, e);
}

/* ---- training ---- */

static void put_metric(struct json_writer *w, const char *name, double value)
{
    char text[40];
    jw_object(w);
    put_str(w, "name", name);
    put_str(w, "value", text_double(text, sizeof text, value));
    jw_end_object(w);
}

static void put_metrics(struct json_writer *w, const struct train_moment *m)
{
    if (!m->step && !m->validated && !m->wall_ms)
        return;
    jw_key(w, "metrics");
    jw_array(w);
    if (m->step) {
        put_metric(w, "loss", m->step->loss);
        put_metric(w, "learning_rate", m->step->rate);
        put_metric(w, "gradient_norm", m->step->norm);
    }
    if (m->validated)
        put_metric(w, "validation_loss", m->validation);
    if (m->wall_ms) {
        put_metric(w, "wall_ms", (double)m->wall_ms);
        put_metric(w, "cpu_ms", (double)m->cpu_ms);
        put_metric(w, "peak_memory_bytes", (double)m->memory);
    }
    jw_end_array(w);
}

static void put_dataset_refs(struct json_writer *w, const struct train *t, const uint64_t *entries)
{
    jw_key(w, "datasets");
    jw_array(w);
    for (size_t i = 0; i < t->dataset_count; i++) {
        jw_object(w);
        if (entries)
            put_u64(w, "entry", entries[i]);
        put_digest(w, "manifest_root", &t->datasets[i].root);
        put_span(w, "name", t->datasets[i].config->name);
        jw_end_object(w);
    }
    jw_end_array(w);
}

bool train_base(const struct train *t, struct digest *root)
{
    *root = t->base.tensor_root;
    return t->base.has_root;
}

static void put_base(struct json_writer *w, const struct train *t, const uint64_t *entry)
{
    if (!t->base.model)
        return;
    jw_key(w, "base_models");
    jw_array(w);
    jw_object(w);
    if (entry)
        put_u64(w, "entry", *entry);
    put_str(w, "name", t->base.name);
    put_digest(w, "tensor_root", &t->base.tensor_root);
    jw_end_object(w);
    jw_end_array(w);
}

static void put_beginning(struct json_writer *w, const struct train *t,
                          const struct train_moment *m)
{
    char environment[160], seed[24];
    snprintf(environment, sizeof environment, "numerics %d, %s, %u threads", NUMERICS_VERSION,
             numerics_isa_name(numerics_isa()), team_threads(t->team));
    snprintf(seed, sizeof seed, "%" PRIu64, t->config.seed);
    put_base(w, t, m->base);
    if (t->chats)
        put_digest(w, "chat_template", &t->chats_digest);
    put_digest(w, "code", &t->code_digest);
    if (t->config.text.n <= CONFIG_TEXT_MAX)
        put_span(w, "config_text", t->config.text);
    put_dataset_refs(w, t, m->datasets);
    put_str(w, "environment", environment);
    put_str(w, "seed", seed);
    if (t->has_tokenizer_digest)
        put_digest(w, "tokenizer", &t->tokenizer_digest);
    if (t->config.validation.count)
        put_digest(w, "validation_root", &t->validation_root);
}

static const char *phase_name(enum train_phase p)
{
    static const char *const names[] = {"begin", "step", "checkpoint", "end", "failed"};
    return names[p];
}

bool train_body(const struct train *t, const struct train_moment *m, struct buf *out, struct err *e)
{
    struct json_writer w;
    struct digest root;
    if (!train_root(t, &root, e))
        return false;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    if (m->phase == TRAIN_BEGIN)
        put_beginning(&w, t, m);
    if (m->checkpoint)
        put_digest(&w, "checkpoint", m->checkpoint);
    put_digest(&w, "config", &t->config_digest);
    if (m->error)
        put_str(&w, "error", m->error);
    put_metrics(&w, m);
    put_str(&w, "phase", phase_name(m->phase));
    put_str(&w, "run", t->run_id);
    put_str(&w, "software", "assay " ASSAY_VERSION);
    put_u64(&w, "step", t->step);
    put_u64(&w, "tokens", t->tokens);
    put_digest(&w, "weights_root", &root);
    return finish(&w, out, e);
}
