/* assay verify PATH --signature FILE: who signed the model, and is it what was signed? */
#include "cli/model_signature.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/policy.h"
#include "cli/json_out.h"
#include "cli/show.h"
#include "cli/subject.h"

enum { SIGNATURE_ARENA = 1 << 30, DIFFERENCES = 20 };

bool trust_add_key(struct model_trust *t, const char *path, struct err *e)
{
    size_t n = t->trust.key_count;
    if (n == MODEL_TRUST_MAX)
        return err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET, "more than %d trusted keys",
                      MODEL_TRUST_MAX);
    if (!pkey_load_public(&t->keys[n], path, e))
        return false;
    t->trust.keys = t->keys;
    t->trust.key_count++;
    return true;
}

bool trust_add_certificates(struct model_trust *t, const char *path, struct err *e)
{
    size_t n = 0, have = t->trust.root_count;
    if (have == MODEL_TRUST_MAX)
        return err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET, "more than %d trusted certificates",
                      MODEL_TRUST_MAX);
    if (!cert_load(t->roots + have, &n, MODEL_TRUST_MAX - have, path, e))
        return false;
    t->trust.roots = t->roots;
    t->trust.root_count += n;
    return true;
}

static const char *beside(const char *policy, struct span path, struct arena *a)
{
    const char *slash = strrchr(policy, '/');
    int folder = slash && path.n && path.p[0] != '/' ? (int)(slash - policy) + 1 : 0;
    return arena_printf(a, "%.*s%.*s", folder, policy, (int)path.n, (const char *)path.p);
}

bool trust_of_policy(struct model_trust *t, const struct policy *p, struct arena *a, struct err *e)
{
    const struct policy_signature *s = &p->require.by;
    for (size_t i = 0; i < s->keys.count; i++) {
        const char *path = beside(p->file, s->keys.items[i], a);
        if (!path || !trust_add_key(t, path, e))
            return err_set(e, ERR_MEMORY, "out of memory for a path");
    }
    for (size_t i = 0; i < s->certificates.count; i++) {
        const char *path = beside(p->file, s->certificates.items[i], a);
        if (!path || !trust_add_certificates(t, path, e))
            return err_set(e, ERR_MEMORY, "out of memory for a path");
    }
    return true;
}

void trust_close(struct model_trust *t)
{
    for (size_t i = 0; i < t->trust.key_count; i++)
        pkey_free(t->keys[i]);
    for (size_t i = 0; i < t->trust.root_count; i++)
        cert_free(t->roots[i]);
}

/* The folder of `path` must be there; `path` itself need not. */
const char *path_below(const char *folder, const char *path, struct arena *a)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *parent =
        slash ? arena_str(a, span_sub(span_str(path), 0, (size_t)(slash - path))) : ".";
    char *root = realpath(folder, NULL);
    char *real = parent ? realpath(*parent ? parent : "/", NULL) : NULL;
    const char *below = NULL;
    size_t n = root ? strlen(root) : 0;
    if (root && real && strncmp(real, root, n) == 0 && (real[n] == '/' || !real[n]))
        below =
            real[n] ? arena_printf(a, "%s/%s", real + n + 1, base) : arena_printf(a, "%s", base);
    free(root);
    free(real);
    return below;
}

/* ---- one verification ---- */

struct verified {
    struct subject s;
    struct arena *arena;
    struct signature *signature;
    struct signature_signer signer;
    struct signature_comparison files;
    size_t bad; /* differences that count */
    bool expired;
};

static bool counts(const struct signature_difference *d, const struct verify_args *args)
{
    return d->change != SIGNED_EXTRA || !args->unsigned_files;
}

static bool compare(struct verified *v, const struct verify_args *args, struct err *e)
{
    size_t count = 0;
    const struct model *m = v->s.model;
    const struct scan *scan = v->s.has_scan ? &v->s.scan : NULL;
    struct signed_file *files = signature_files(m, scan, v->arena, &count);
    const char *own = m->folder ? path_below(m->path, args->signature, v->arena) : NULL;
    if (!files)
        return err_set(e, ERR_MEMORY, "out of memory for the list of files");
    if (!signature_compare(&v->files, v->signature, files, count, !m->folder, own, v->arena, e))
        return false;
    for (size_t i = 0; i < v->files.count; i++)
        v->bad += counts(&v->files.differences[i], args);
    return true;
}

static bool judge(struct verified *v, const char *path, const struct verify_args *args,
                  struct err *e)
{
    struct span bytes;
    struct model_trust t = {.trust = {0}};
    const struct subject_options options = {.digests = true, .cache = !args->no_cache};
    bool ok = file_read(&bytes, args->signature, SIGNATURE_MAX_BUNDLE, false, v->arena, e);
    for (size_t i = 0; ok && i < args->keys.count; i++)
        ok = trust_add_key(&t, args->keys.text[i], e);
    for (size_t i = 0; ok && i < args->certificates.count; i++)
        ok = trust_add_certificates(&t, args->certificates.text[i], e);
    if (ok && !(signature_read(&v->signature, bytes, v->arena, e) &&
                signature_verify(v->signature, &t.trust, &v->signer, e))) {
        err_in_file(e, args->signature);
        ok = false;
    }
    trust_close(&t);
    v->expired = ok && v->signer.has_validity && v->signer.to < (int64_t)time(NULL);
    /* Only then is it worth hashing the model. */
    return ok && subject_open(&v->s, path, &options, e) && compare(v, args, e);
}

/* ---- what is said ---- */

static void put_signer(struct out *o, const struct verified *v)
{
    const struct signature_signer *s = &v->signer;
    char hex[DIGEST_HEX + 1], name[SHOW_SIZE], from[16], to[16];
    if (s->material == SIGNED_BY_KEY) {
        out_field(o, "signed by", "the key %s (%s)", digest_hex(hex, &s->fingerprint),
                  pkey_kind_name(s->kind));
        return;
    }
    out_field(o, "signed by", "%s (%s, key %s)", show_text(name, span_str(s->name), 120),
              pkey_kind_name(s->kind), digest_hex(hex, &s->fingerprint));
    if (s->has_validity)
        out_field(o, "certificate", "valid from %s to %s%s",
                  policy_date_text(from, s->from / 86400), policy_date_text(to, s->to / 86400),
                  v->expired ? "; it has expired, and nothing in the bundle says when it was used"
                             : "");
    if (s->material == SIGNED_KEYLESS)
        out_field_styled(
            o, STYLE_WARN, "not shown",
            "when it was signed, and by whom: neither the transparency log's entry nor the "
            "identity in the certificate was verified");
}

static void put_differences(struct out *o, const struct verified *v, const struct verify_args *args)
{
    char name[SHOW_SIZE];
    size_t shown = 0;
    for (size_t i = 0; i < v->files.count; i++) {
        const struct signature_difference *d = &v->files.differences[i];
        bool bad = counts(d, args);
        if (shown++ == DIFFERENCES) {
            out_printf(o, "  and %zu more files\n", v->files.count - i);
            return;
        }
        out_field_styled(o, bad ? STYLE_BAD : STYLE_DIM, signature_change_name(d->change),
                         show_text(name, span_str(d->name), SHOW_NAME));
    }
}

static void say(struct out *o, const struct verified *v, const struct verify_args *args)
{
    char path[SHOW_SIZE], subject[SHOW_SIZE];
    out_printf(o, "\n%s: ", show_text(path, span_str(v->s.model->path), SHOW_NAME));
    out_style(o, v->bad ? STYLE_BAD : STYLE_GOOD,
              v->bad ? "NOT what was signed" : "signed, and as it was signed");
    out_put(o, "\n");
    put_signer(o, v);
    out_field(o, "as", "\"%s\", %zu %s", show_text(subject, signature_subject(v->signature), 60),
              signature_resources(v->signature), "digests");
    out_field(o, "files", "%zu as signed, %zu not", v->files.equal, v->bad);
    put_differences(o, v, args);
}

static void put_json(struct out *o, const struct verified *v, const struct verify_args *args)
{
    static const char *const materials[] = {"key", "certificate", "keyless"};
    const struct signature_signer *s = &v->signer;
    char from[16], to[16];
    struct json_writer w;
    jo_start(&w, o, true);
    jo_head(&w, "assay.signature/1");
    jo_str(&w, "path", v->s.model->path);
    jo_str(&w, "signature", args->signature);
    jo_bool(&w, "valid", v->bad == 0);
    jo_str(&w, "material", materials[s->material]);
    jo_str(&w, "signer", s->name[0] ? s->name : NULL);
    jo_str(&w, "key_kind", pkey_kind_name(s->kind));
    jo_digest(&w, "key", &s->fingerprint, true);
    jo_str(&w, "valid_from", s->has_validity ? policy_date_text(from, s->from / 86400) : NULL);
    jo_str(&w, "valid_to", s->has_validity ? policy_date_text(to, s->to / 86400) : NULL);
    jo_bool(&w, "expired", v->expired);
    jo_span(&w, "subject", signature_subject(v->signature));
    jo_u64(&w, "equal", v->files.equal);
    jw_key(&w, "differences");
    jw_array(&w);
    for (size_t i = 0; i < v->files.count; i++) {
        jw_object(&w);
        jo_str(&w, "file", v->files.differences[i].name);
        jo_str(&w, "change", signature_change_name(v->files.differences[i].change));
        jo_bool(&w, "counts", counts(&v->files.differences[i], args));
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jo_finish(&w, o);
}

int verify_signature(const struct call *call, const struct verify_args *args)
{
    struct err e = ERR_INIT;
    struct verified v = {.arena = arena_new(SIGNATURE_ARENA)};
    int status = EXIT_PASS;
    if (!v.arena)
        status = (err_set(&e, ERR_MEMORY, "out of memory"), cli_error(&e));
    else if (!judge(&v, call->operands[0], args, &e)) {
        status = cli_error(&e);
        if (args->json)
            jo_unreadable(call->out, "assay.signature/1", call->operands[0], &e, true);
    } else {
        (args->json ? put_json : say)(call->out, &v, args);
        status = v.bad ? EXIT_INTEGRITY : subject_status(&v.s);
    }
    subject_close(&v.s);
    signature_close(v.signature);
    arena_free(v.arena);
    return status;
}
