/*
 * assay digest PATH: the manifest that `sha256sum -c` verifies, with the roots
 * as comment lines (coreutils, digest.c: a line that begins with '#' is
 * ignored), or the same as JSON.
 */
#include <inttypes.h>
#include <string.h>

#include "assay/base/text.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/show.h"

/* As sha256sum writes it: a name with a backslash, a line feed or a carriage
 * return is escaped and the line begins with a backslash. */
static void put_line(struct out *o, const char *hex, const char *name)
{
    char shown[SHOW_SIZE];
    if (o->terminal) { /* nobody verifies a screen: control characters stay off it */
        out_printf(o, "%s  %s\n", hex, show_text(shown, span_str(name), SHOW_SIZE));
        return;
    }
    if (!strpbrk(name, "\\\n\r")) {
        out_printf(o, "%s  %s\n", hex, name);
        return;
    }
    out_printf(o, "\\%s  ", hex);
    for (; *name; name++) {
        const char plain[] = {*name, '\0'};
        out_put(o, *name == '\\' ? "\\\\" : *name == '\n' ? "\\n" : *name == '\r' ? "\\r" : plain);
    }
    out_put(o, "\n");
}

static void put_root(struct out *o, const char *name, const struct digest *d, bool known)
{
    char hex[DIGEST_HEX + 1];
    if (known)
        out_printf(o, "# %-13s %s\n", name, digest_hex(hex, d));
}

static void put_tensors(struct out *o, const struct subject *s)
{
    char name[SHOW_SIZE], shape[SHOW_SIZE], hex[DIGEST_HEX + 1];
    for (size_t i = 0; i < s->model->tensor_count; i++) {
        const struct tensor *t = &s->model->tensors[i];
        bool ok = s->scan.tensor && s->scan.tensor_ok && s->scan.tensor_ok[i];
        out_printf(o, "# tensor %s %s [%s] %s\n",
                   ok ? digest_hex(hex, &s->scan.tensor[i]) : "unreadable", dtype_name(t->dtype),
                   show_shape(shape, t), show_text(name, t->name, SHOW_NAME));
    }
}

static void text(struct out *o, const struct subject *s, const struct digest_args *args)
{
    const struct identity *d = &s->identity;
    const struct model *m = s->model;
    char hex[DIGEST_HEX + 1], shown[SHOW_SIZE];
    put_root(o, "tensor-root", &d->tensor_root, d->has_tensor_root);
    put_root(o, "manifest-root", &d->manifest_root, d->has_manifest_root);
    put_root(o, "architecture", &d->architecture, d->has_architecture);
    put_root(o, "tokenizer", &d->tokenizer, d->has_tokenizer);
    put_root(o, "chat-template", &d->chat_template, d->has_template);
    if (!s->read_all)
        out_put(o, "# incomplete: not everything could be read\n");
    if (args->tensors)
        put_tensors(o, s);
    for (size_t i = 0; i < m->file_count; i++) {
        if (s->scan.file && s->scan.file_ok && s->scan.file_ok[i])
            put_line(o, digest_hex(hex, &s->scan.file[i]), m->files[i].name);
        else
            out_printf(o, "# unreadable: %s\n",
                       show_text(shown, span_str(m->files[i].name), SHOW_SIZE));
    }
}

static void json_files(struct json_writer *w, const struct subject *s)
{
    jw_key(w, "files");
    jw_array(w);
    for (size_t i = 0; i < s->model->file_count; i++) {
        bool ok = s->scan.file && s->scan.file_ok && s->scan.file_ok[i];
        jw_object(w);
        jo_str(w, "name", s->model->files[i].name);
        jo_u64(w, "size", s->model->files[i].size);
        jo_digest(w, "sha256", ok ? &s->scan.file[i] : NULL, ok);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void json_tensors(struct json_writer *w, const struct subject *s)
{
    jw_key(w, "tensors");
    jw_array(w);
    for (size_t i = 0; i < s->model->tensor_count; i++) {
        const struct tensor *t = &s->model->tensors[i];
        bool ok = s->scan.tensor && s->scan.tensor_ok && s->scan.tensor_ok[i];
        jw_object(w);
        jo_tensor(w, t);
        jo_digest(w, "sha256", ok ? &s->scan.tensor[i] : NULL, ok);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void json(struct out *o, const struct subject *s, const struct digest_args *args)
{
    const struct identity *d = &s->identity;
    struct json_writer w;
    jo_start(&w, o, true);
    jo_head(&w, "assay.digest/1");
    jo_str(&w, "path", s->model->path);
    jo_bool(&w, "complete", s->read_all);
    jo_bool(&w, "from_cache", s->scan.from_cache);
    jo_digest(&w, "tensor_root", &d->tensor_root, d->has_tensor_root);
    jo_digest(&w, "manifest_root", &d->manifest_root, d->has_manifest_root);
    jo_digest(&w, "architecture", &d->architecture, d->has_architecture);
    jo_digest(&w, "tokenizer", &d->tokenizer, d->has_tokenizer);
    jo_digest(&w, "chat_template", &d->chat_template, d->has_template);
    json_files(&w, s);
    if (args->tensors)
        json_tensors(&w, s);
    jo_finish(&w, o);
}

/* What did not let everything be read, for who sees only standard error: one line a rule. */
static void explain(const struct subject *s)
{
    const struct verdict *v = &s->model->verdict;
    char shown[SHOW_SIZE];
    fflush(stdout);
    if (s->interrupted)
        fprintf(stderr, "assay: interrupted: the manifest is incomplete\n");
    for (size_t i = 0; i < v->count && !s->interrupted; i++) {
        const struct finding *f = &v->findings[i];
        const char *name = origin_file(s->model, f->origin);
        if (rules[f->rule].severity < SEV_HIGH || (i && v->findings[i - 1].rule == f->rule))
            continue;
        show_text(shown, span_str(name ? name : s->model->path), 200);
        fprintf(stderr, "assay: %s: offset %" PRIu64 ": %s; %s\n", shown, f->origin.offset,
                f->detail, rules[f->rule].remedy);
    }
}

static int run_digest(const struct call *call)
{
    const struct digest_args *args = call->args;
    const struct subject_options options = {
        .digests = true, .cache = !args->no_cache, .threads = args->threads};
    struct err e = ERR_INIT;
    struct subject s;
    if (!subject_open(&s, call->operands[0], &options, &e)) {
        int status = cli_error(&e);
        if (args->json)
            jo_unreadable(call->out, "assay.digest/1", call->operands[0], &e, true);
        return exit_graver(status, EXIT_INCOMPLETE);
    }
    if (args->json)
        json(call->out, &s, args);
    else
        text(call->out, &s, args);
    /* A file of no known format has a digest all the same. */
    int status = s.read_all ? EXIT_PASS : subject_status(&s);
    if (status != EXIT_PASS)
        explain(&s);
    subject_close(&s);
    return status;
}

#define AT(member) offsetof(struct digest_args, member)
static const struct option digest_options[] = {
    {"tensors", OPTION_FLAG, NULL, AT(tensors), "add the digest of every tensor"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON (schema/digest.schema.json)"},
    {"no-cache", OPTION_FLAG, NULL, AT(no_cache), "take every digest anew and remember none"},
    {"threads", OPTION_NUMBER, "N", AT(threads), "use N threads (default: all cores)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command digest_command = {
    "digest",
    "Models",
    "PATH",
    "print a manifest for sha256sum, and the roots",
    "Prints one line for each file of the model, its SHA-256 and its name, in the form that "
    "`sha256sum -c` verifies when it is run in the model's folder. The roots that identify the "
    "model stand before them in lines that begin with '#', which sha256sum ignores.",
    digest_options,
    1,
    1,
    run_digest,
    "assay digest model/ > model.sha256|write the manifest\n"
    "cd model && sha256sum -c ../model.sha256|verify it with coreutils alone\n"};
