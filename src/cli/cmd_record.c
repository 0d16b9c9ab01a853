/*
 * assay record PATH --log FOLDER: enrols a model. What inspect found becomes
 * one leaf of kind `model` (docs/log-format.md), durable before this returns.
 */
#include <inttypes.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/log.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/log_view.h"
#include "cli/record_model.h"
#include "cli/show.h"

enum {
    BODY_MAX = 1 << 20,
    BODY_ROOM = 60000, /* of RECORD_MAX; the envelope takes the rest */
    TEXT_MAX = 512,    /* bytes of one text that the model gave */
    LIST_MAX = 32      /* items of one list that the model gave */
};

/* ---- the leaf's members ---- */

/* Cut before TEXT_MAX, never inside a character. */
static struct span cut(struct span s)
{
    size_t n = s.n < TEXT_MAX ? s.n : TEXT_MAX;
    while (n && n < s.n && (s.p[n] & 0xC0) == 0x80)
        n--;
    return span_sub(s, 0, n);
}

bool record_source_ok(const char *source, struct err *e)
{
    struct span s = span_str(source);
    if (s.n > TEXT_MAX)
        return err_set(e, ERR_USAGE, "--source: at most %d bytes, not %zu", TEXT_MAX, s.n);
    return utf8_invalid(s) == TEXT_VALID || err_set(e, ERR_USAGE, "--source is not UTF-8 text");
}

static void put_text(struct json_writer *w, const char *key, struct span s)
{
    if (s.n == 0)
        return;
    jw_key(w, key);
    jw_string(w, cut(s));
}

static void put_count(struct json_writer *w, const char *key, uint64_t v)
{
    jw_key(w, key);
    jw_u64(w, v < RECORD_MAX_INTEGER ? v : RECORD_MAX_INTEGER);
}

static void put_digest(struct json_writer *w, const char *key, const struct digest *d, bool known)
{
    if (known)
        jo_digest(w, key, d, true);
}

static void put_texts(struct json_writer *w, const char *key, const struct span *s, size_t n)
{
    if (n == 0)
        return;
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < n && i < LIST_MAX; i++)
        jw_string(w, cut(s[i]));
    jw_end_array(w);
}

static void put_architecture(struct json_writer *w, const struct subject *s)
{
    const struct architecture *a = &s->facts.architecture;
    struct buf line;
    if (!s->has_identity || !s->identity.has_architecture)
        return;
    buf_init(&line, BODY_MAX);
    architecture_canonical(&line, &s->facts);
    jw_key(w, "architecture");
    jw_object(w);
    if (buf_ok(&line) && line.n <= 4096) {
        jw_key(w, "canonical");
        jw_string(w, buf_span(&line));
    }
    put_digest(w, "digest", &s->identity.architecture, true);
    put_text(w, "family", span_str(a->family));
    if (a->parameters.total)
        put_count(w, "parameters", a->parameters.total);
    jw_end_object(w);
    buf_free(&line);
}

static void put_files(struct json_writer *w, const struct subject *s)
{
    const struct model *m = s->model;
    jw_key(w, "files");
    jw_array(w);
    for (size_t i = 0; i < m->file_count; i++) {
        if (!s->scan.file_ok || !s->scan.file_ok[i])
            continue;
        jw_object(w);
        put_count(w, "bytes", m->files[i].size);
        put_digest(w, "digest", &s->scan.file[i], true);
        jw_key(w, "name");
        jw_str(w, m->files[i].name);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_licences(struct json_writer *w, const struct facts *f)
{
    if (f->licence_count == 0)
        return;
    jw_key(w, "licences");
    jw_array(w);
    for (size_t i = 0; i < f->licence_count; i++) {
        const struct licence_claim *l = &f->licences[i];
        jw_object(w);
        jw_key(w, "named");
        jw_string(w, cut(l->named));
        if (l->spdx)
            jo_str(w, "spdx", l->spdx);
        jo_str(w, "where", l->where);
        jw_end_object(w);
    }
    jw_end_array(w);
}

/* The format of the weights: of the first file that holds tensors. */
static const char *weights_format(const struct model *m)
{
    for (size_t i = 0; i < m->file_count; i++)
        if (m->files[i].format == FORMAT_GGUF || format_is_torch(m->files[i].format))
            return format_name(m->files[i].format);
    return "none";
}

static void put_facts(struct json_writer *w, const struct subject *s)
{
    const struct identity *d = &s->identity;
    bool known = s->has_identity;
    if (s->has_facts) {
        put_architecture(w, s);
        put_texts(w, "base_models", s->facts.base_models, s->facts.base_model_count);
        put_texts(w, "datasets", s->facts.datasets, s->facts.dataset_count);
        put_licences(w, &s->facts);
        put_text(w, "name", s->facts.name);
    }
    put_digest(w, "manifest_root", &d->manifest_root, known && d->has_manifest_root);
    put_digest(w, "template", &d->chat_template, known && d->has_template);
    put_digest(w, "tensor_root", &d->tensor_root, known && d->has_tensor_root);
    put_digest(w, "tokenizer", &d->tokenizer, known && d->has_tokenizer);
}

static void put_body(struct buf *out, const struct subject *s, const char *source, bool files)
{
    const struct model *m = s->model;
    uint64_t bytes = 0;
    struct json_writer w;
    for (size_t i = 0; i < m->file_count; i++)
        if (!size_add(&bytes, bytes, m->files[i].size))
            bytes = RECORD_MAX_INTEGER;
    buf_clear(out);
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    put_count(&w, "bytes", bytes);
    jo_bool(&w, "complete", s->complete);
    put_count(&w, "file_count", m->file_count);
    jo_str(&w, "format", weights_format(m));
    jo_str(&w, "software", "assay " ASSAY_VERSION);
    put_text(&w, "source", span_str(source));
    put_count(&w, "tensor_count", m->tensor_count);
    put_facts(&w, s);
    jo_finding_counts(&w, &m->verdict);
    if (files)
        put_files(&w, s);
    jw_end_object(&w);
}

/* ---- appending it ---- */

bool record_model(struct log_receipt *receipt, struct log *l, const struct subject *s,
                  const char *source, struct err *e)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    put_body(&body, s, source, true);
    if (!buf_ok(&body) || body.n > BODY_ROOM)
        put_body(&body, s, source, false);
    struct log_entry entry = {.kind = RECORD_MODEL, .body = buf_span(&body)};
    bool ok = (buf_ok(&body) || err_set(e, ERR_MEMORY, "out of memory for the record")) &&
              log_append(l, &entry, receipt, e);
    buf_free(&body);
    return ok;
}

static bool append(struct log_receipt *receipt, const struct subject *s,
                   const struct record_args *args, struct err *e)
{
    struct log_paths paths = {args->keys.key, args->keys.operator_key};
    struct log *l = NULL;
    bool ok = log_open(&l, args->log, &paths, e) && record_model(receipt, l, s, args->source, e);
    log_close(l);
    return ok;
}

static void say_text(struct out *o, const struct subject *s, const struct record_args *args,
                     const struct log_receipt *receipt)
{
    const struct identity *d = &s->identity;
    char hex[DIGEST_HEX + 1], path[SHOW_SIZE], folder[SHOW_SIZE];
    show_text(path, span_str(s->model->path), SHOW_NAME);
    show_text(folder, span_str(args->log), SHOW_NAME);
    out_printf(o, "%s is entry %" PRIu64 " of %s\n", path, receipt->seq, folder);
    out_field(o, "leaf hash", "%s", digest_hex(hex, &receipt->leaf_hash));
    if (s->has_identity && d->has_tensor_root)
        out_field(o, "tensor root", "%s", digest_hex(hex, &d->tensor_root));
    if (s->has_identity && d->has_manifest_root)
        out_field(o, "files", "%s", digest_hex(hex, &d->manifest_root));
    if (!s->complete)
        out_field_styled(o, STYLE_WARN, "incomplete",
                         "not everything could be read; the entry says so");
    out_field(o, "receipt", "assay log prove %s %" PRIu64, folder, receipt->seq);
}

static void say_json(struct out *o, const struct subject *s, const struct record_args *args,
                     const struct log_receipt *receipt)
{
    struct json_writer w;
    jo_start(&w, o, true);
    jo_head(&w, "assay.record/1");
    jo_str(&w, "path", s->model->path);
    jo_bool(&w, "complete", s->complete);
    jo_str(&w, "log", args->log);
    jo_u64(&w, "entry", receipt->seq);
    jo_digest(&w, "leaf_hash", &receipt->leaf_hash, true);
    jo_finish(&w, o);
}

static int enrol(const struct call *call, const struct subject *s)
{
    const struct record_args *args = call->args;
    struct log_receipt receipt = {.ok = false};
    struct err e = ERR_INIT;
    if (s->interrupted)
        err_set(&e, ERR_INTERRUPTED, "interrupted: nothing was recorded");
    else if (!s->recognised)
        err_at(&e, ERR_FORMAT, s->model->path, ERR_NO_OFFSET,
               "no file of a known model format: nothing was recorded");
    else if (append(&receipt, s, args, &e)) {
        (args->json ? say_json : say_text)(call->out, s, args, &receipt);
        return subject_status(s);
    }
    return cli_error(&e);
}

static int run_record(const struct call *call)
{
    const struct record_args *args = call->args;
    const struct subject_options options = {
        .digests = true, .cache = !args->no_cache, .threads = args->threads};
    struct err e = ERR_INIT;
    struct subject s;
    if (!args->log) {
        err_set(&e, ERR_USAGE,
                "--log FOLDER says which log to record in; make one by assay log init");
        return usage_error(call->command, &e);
    }
    if (!record_source_ok(args->source, &e))
        return usage_error(call->command, &e);
    if (!log_is_there(args->log, &e))
        return cli_error(&e);
    if (!subject_open(&s, call->operands[0], &options, &e))
        return exit_graver(cli_error(&e), EXIT_INCOMPLETE);
    int status = enrol(call, &s);
    subject_close(&s);
    return status;
}

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

const struct command record_command = {
    "record",
    "Audit log",
    "PATH",
    "enrol a model in an audit log",
    "Reads a model as inspect does and appends what was found to a log as one entry: its "
    "digests, architecture, licences, and findings counted by rule. When the command returns, the "
    "entry is durable.\n"
    "A model that could not be read whole is recorded as incomplete, and the exit status is 3. "
    "What is no model is not recorded.",
    record_options,
    1,
    1,
    run_record,
    "assay record model/ --log audit --source https://example.org/model|enrol a model\n"};

const struct command record_model_command = {
    "record model",
    "Audit log",
    "PATH",
    "enrol a model in an audit log: the same as record",
    "Reads a model as inspect does and appends what was found to a log as one entry: its "
    "digests, architecture, licences, and findings counted by rule. When the command returns, the "
    "entry is durable.\n"
    "A model that could not be read whole is recorded as incomplete, and the exit status is 3. "
    "What is no model is not recorded.",
    record_options,
    1,
    1,
    run_record,
    "assay record model model/ --log audit --source https://example.org/model|enrol a model\n"};
