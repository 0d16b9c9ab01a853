/*
 * assay sign PATH --key FILE: an OMS v1.0 bundle over every file of a model.
 * Digests come from the scan, or from the digest cache when nothing changed.
 */
#include <stdio.h>
#include <string.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/check.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/model_signature.h"
#include "cli/show.h"
#include "cli/subject.h"

enum { SIGN_ARENA = 1 << 30, IGNORE_MAX = OPTION_MAX_TEXTS + 8 };

struct signing {
    const struct sign_args *args;
    struct arena *arena;
    struct subject s;
    struct pkey *key;
    struct cert *chain[CERT_MAX_CHAIN];
    size_t chain_count;
    const char *output;
    const char *ignore[IGNORE_MAX];
    size_t signed_files;
};

static bool load(struct signing *x, struct err *e)
{
    const struct sign_args *a = x->args;
    size_t n = 0;
    if (!pkey_load_private(&x->key, a->key, e))
        return false;
    if (a->certificate && !cert_load(x->chain, &x->chain_count, CERT_MAX_CHAIN, a->certificate, e))
        return false;
    for (size_t i = 0; i < a->chain.count; i++, x->chain_count += n)
        if (!cert_load(x->chain + x->chain_count, &n, CERT_MAX_CHAIN - x->chain_count,
                       a->chain.text[i], e))
            return false;
    return true;
}

/* What is not signed: the specification's defaults, what was asked for, the signature itself. */
static void set_ignore(struct signing *x)
{
    size_t n = 0;
    const struct model *m = x->s.model;
    const char *own = m->folder ? path_below(m->path, x->output, x->arena) : NULL;
    for (size_t i = 0; signature_default_ignore[i]; i++)
        x->ignore[n++] = signature_default_ignore[i];
    for (size_t i = 0; i < x->args->ignore.count; i++)
        x->ignore[n++] = x->args->ignore.text[i];
    if (own)
        x->ignore[n++] = own;
    x->ignore[n] = NULL;
}

static bool set_output(struct signing *x, struct err *e)
{
    const struct model *m = x->s.model;
    size_t n = strlen(m->path);
    while (n > 1 && m->path[n - 1] == '/')
        n--;
    x->output = x->args->output ? x->args->output
                                : arena_printf(x->arena, m->folder ? "%.*s/model.sig" : "%.*s.sig",
                                               (int)n, m->path);
    return x->output || err_set(e, ERR_MEMORY, "out of memory for a path");
}

static bool write_bundle(struct signing *x, struct err *e)
{
    struct buf out;
    size_t count = 0;
    const struct model *m = x->s.model;
    struct span name = check_name(m->path);
    struct signature_order order = {
        .name = arena_str(x->arena, name),
        .files = signature_files(m, x->s.has_scan ? &x->s.scan : NULL, x->arena, &count),
        .lone_file = !m->folder,
        .ignore = x->ignore,
        .key = x->key,
        .chain = x->chain,
        .chain_count = x->chain_count};
    order.count = count;
    if (!order.name || !order.files)
        return err_set(e, ERR_MEMORY, "out of memory for the list of files");
    for (size_t i = 0; i < count; i++)
        x->signed_files += order.lone_file || !signature_ignores(x->ignore, order.files[i].name);
    buf_init(&out, SIGNATURE_MAX_BUNDLE);
    bool ok = signature_write(&out, &order, e) && file_replace(x->output, buf_span(&out), false, e);
    buf_free(&out);
    return ok;
}

static void say(const struct call *call, const struct signing *x, const struct digest *key)
{
    char hex[DIGEST_HEX + 1], path[SHOW_SIZE], output[SHOW_SIZE], subject[256];
    if (x->args->json) {
        struct json_writer w;
        jo_start(&w, call->out, true);
        jo_head(&w, "assay.sign/1");
        jo_str(&w, "path", x->s.model->path);
        jo_str(&w, "output", x->output);
        jo_u64(&w, "files", x->signed_files);
        jo_str(&w, "key_kind", pkey_kind_name(pkey_kind(x->key)));
        jo_digest(&w, "key", key, true);
        jo_finish(&w, call->out);
        return;
    }
    out_printf(call->out, "%s is signed\n", show_text(path, span_str(x->s.model->path), SHOW_NAME));
    out_field(call->out, "signature", "%s", show_text(output, span_str(x->output), SHOW_NAME));
    out_field(call->out, "files", "%zu", x->signed_files);
    if (x->chain_count)
        out_field(call->out, "as", "%s", cert_subject(subject, sizeof subject, x->chain[0]));
    out_field(call->out, "key", "%s (%s)", digest_hex(hex, key), pkey_kind_name(pkey_kind(x->key)));
}

static int sign_subject(const struct call *call, struct signing *x)
{
    struct err e = ERR_INIT;
    struct digest key;
    if (!x->s.read_all) {
        err_at(&e, ERR_FORMAT, x->s.model->path, ERR_NO_OFFSET,
               "not everything could be read (assay inspect says what): nothing was signed");
        return cli_error(&e);
    }
    if (!set_output(x, &e))
        return cli_error(&e);
    set_ignore(x);
    if (!write_bundle(x, &e) || !pkey_fingerprint(&key, x->key, &e))
        return cli_error(&e);
    say(call, x, &key);
    return EXIT_PASS;
}

static int run_sign(const struct call *call)
{
    const struct sign_args *args = call->args;
    const struct subject_options options = {
        .digests = true, .cache = !args->no_cache, .threads = args->threads};
    struct err e = ERR_INIT;
    struct signing x = {.args = args, .arena = arena_new(SIGN_ARENA)};
    int status;
    if (!args->key) {
        arena_free(x.arena);
        err_set(&e, ERR_USAGE, "--key FILE says which private key signs");
        return usage_error(call->command, &e);
    }
    if (!x.arena)
        err_set(&e, ERR_MEMORY, "out of memory");
    if (!x.arena || !load(&x, &e))
        status = cli_error(&e);
    else if (!subject_open(&x.s, call->operands[0], &options, &e))
        status = exit_graver(cli_error(&e), EXIT_INCOMPLETE);
    else
        status = sign_subject(call, &x);
    subject_close(&x.s);
    for (size_t i = 0; i < x.chain_count; i++)
        cert_free(x.chain[i]);
    pkey_free(x.key);
    arena_free(x.arena);
    return status;
}

#define AT(member) offsetof(struct sign_args, member)
static const struct option sign_options[] = {
    {"key", OPTION_TEXT, "FILE", AT(key),
     "private key: EC (P-256, P-384, P-521) or Ed25519, PEM or DER, not encrypted"},
    {"certificate", OPTION_TEXT, "FILE", AT(certificate), "certificate of that key"},
    {"chain", OPTION_TEXTS, "FILE", AT(chain), "certificates above it; may be repeated"},
    {"output", OPTION_TEXT, "FILE", AT(output),
     "write there (default: PATH/model.sig, of a file PATH.sig)"},
    {"ignore", OPTION_TEXTS, "NAME", AT(ignore),
     "do not sign this file or folder of the model; may be repeated"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON (schema/sign.schema.json)"},
    {"no-cache", OPTION_FLAG, NULL, AT(no_cache), "take every digest anew and remember none"},
    {"threads", OPTION_NUMBER, "N", AT(threads), "use N threads (default: all cores)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command sign_command = {
    "sign",
    "Models",
    "PATH",
    "sign a model (OpenSSF model signing)",
    "Writes a signature over every file of a model as the OpenSSF model signing specification "
    "(OMS v1.0) has it: a Sigstore bundle, signed by a key or in the name of a certificate, "
    "without any network. Verify it by assay verify PATH --signature FILE, or by the "
    "specification's own tool.\n"
    ".git, .gitattributes, .github and .gitignore at the top and the signature itself are not "
    "signed. A model that cannot be read whole is not signed.",
    sign_options,
    1,
    1,
    run_sign,
    "assay sign model/ --key release.key|write model/model.sig\n"
    "assay sign model/ --key leaf.key --certificate leaf.pem --chain intermediate.pem|in the name "
    "of a certificate\n"};
