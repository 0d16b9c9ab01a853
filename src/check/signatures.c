/*
 * The signature that lies beside a model, or that the policy demands. Who
 * signed is judged only against keys and certificates that the policy trusts;
 * whether the files are those that were signed needs no trust and is judged
 * always.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/signature.h"
#include "check/check.h"

enum { SHOWN = 160, SIGNATURE_ARENA = 1 << 30 };

struct work {
    const struct check_input *in;
    struct arena *arena;
    size_t file; /* of the signature */
    struct signature *signature;
    struct err *e;
};

static struct origin at_file(size_t file)
{
    return (struct origin){(uint32_t)file, 0, 0};
}

static const char *wanted_name(const struct check_input *in, struct arena *a)
{
    struct span named = in->policy->require.by.file;
    return named.n ? arena_str(a, named) : "model.sig";
}

static bool find(struct work *w)
{
    const struct model *m = w->in->model;
    const char *name = wanted_name(w->in, w->arena);
    for (w->file = 0; name && w->file < m->file_count; w->file++)
        if (strcmp(m->files[w->file].name, name) == 0)
            return m->folder;
    return false;
}

static void demand(const struct work *w, const char *what)
{
    if (w->in->policy->require.signature)
        verdict_add(&w->in->model->verdict, RULE_POLICY_SIGNATURE, ORIGIN_NOWHERE, "%s", what);
}

static bool read_it(struct work *w)
{
    const struct model_file *f = &w->in->model->files[w->file];
    struct verdict *v = &w->in->model->verdict;
    struct err why = ERR_INIT;
    if (!f->source || f->size > SIGNATURE_MAX_BUNDLE) {
        verdict_add(v, RULE_SIGNATURE_FORM, at_file(w->file), "the signature was not read");
        return false;
    }
    struct cursor c = source_cursor(f->source, SIGNATURE_MAX_BUNDLE);
    struct span bytes = cursor_take(&c, f->size);
    if (cursor_ok(&c) && signature_read(&w->signature, bytes, w->arena, &why))
        return true;
    verdict_add(v, RULE_SIGNATURE_FORM, at_file(w->file), "%s",
                why.code == ERR_NONE ? "the signature was not read" : why.text);
    return false;
}

static void judge_validity(struct work *w, const struct signature_signer *s)
{
    char day[16];
    if (s->has_validity && s->to / 86400 < w->in->today)
        verdict_add(&w->in->model->verdict, RULE_SIGNATURE_EXPIRED, at_file(w->file),
                    "the certificate of %s was valid until %s, and nothing says when it was used",
                    s->name, policy_date_text(day, s->to / 86400));
}

static void judge_signer(struct work *w)
{
    struct signature_signer signer;
    struct err why = ERR_INIT;
    const struct signature_trust *t = w->in->trust;
    struct verdict *v = &w->in->model->verdict;
    if (!w->in->policy->require.signature || !t) {
        verdict_add(v, RULE_SIGNATURE_UNVERIFIED, at_file(w->file),
                    "the policy names no key or certificate to trust, so it is not known who "
                    "signed");
        return;
    }
    if (!signature_verify(w->signature, t, &signer, &why))
        verdict_add(v, RULE_POLICY_SIGNATURE, at_file(w->file), "%s", why.text);
    else if (signer.material == SIGNED_KEYLESS)
        demand(w, "the signature is keyless, and its transparency log cannot be verified offline");
    else
        judge_validity(w, &signer);
}

static void note_difference(const struct work *w, const struct signature_difference *d,
                            const size_t *model_file)
{
    static const struct {
        enum rule_id rule;
        const char *what;
    } kinds[] = {
        [SIGNED_CHANGED] = {RULE_SIGNATURE_CHANGED, "is not what was signed"},
        [SIGNED_MISSING] = {RULE_SIGNATURE_MISSING, "was signed and is not there"},
        [SIGNED_EXTRA] = {RULE_SIGNATURE_UNSIGNED, "is there and was not signed"},
        [SIGNED_UNREAD] = {RULE_SIGNATURE_CHANGED, "was signed and could not be read to compare"},
    };
    char shown[SHOWN];
    size_t file = d->file == SIZE_MAX ? SIZE_MAX : model_file[d->file];
    if (d->change == SIGNED_EXTRA && w->in->policy->require.by.unsigned_files)
        return;
    verdict_add(&w->in->model->verdict, kinds[d->change].rule,
                file == SIZE_MAX ? ORIGIN_NOWHERE : at_file(file), "\"%s\" %s",
                text_shown(shown, sizeof shown, span_str(d->name)), kinds[d->change].what);
    verdict_against(&w->in->model->verdict, at_file(w->file));
}

/* Of each signed_file its number in the model, SIZE_MAX for a folder that was not read. */
static size_t *model_numbers(const struct work *w, const struct signed_file *files, size_t count)
{
    const struct model *m = w->in->model;
    size_t *out = arena_array(w->arena, count, sizeof *out);
    for (size_t i = 0, k = 0; out && i < count; i++) {
        while (k < m->file_count && strcmp(m->files[k].name, files[i].name) < 0)
            k++;
        out[i] = k < m->file_count && strcmp(m->files[k].name, files[i].name) == 0 ? k : SIZE_MAX;
    }
    return out;
}

static bool judge_files(struct work *w)
{
    size_t count = 0;
    struct signature_comparison c;
    const struct model *m = w->in->model;
    struct signed_file *files = signature_files(m, w->in->scan, w->arena, &count);
    size_t *numbers = files ? model_numbers(w, files, count) : NULL;
    if (!numbers)
        return err_set(w->e, ERR_MEMORY, "out of memory for the list of files");
    struct err why = ERR_INIT;
    if (!signature_compare(&c, w->signature, files, count, false, m->files[w->file].name, w->arena,
                           &why)) {
        if (why.code == ERR_MEMORY)
            return err_set(w->e, ERR_MEMORY, "%s", why.text);
        verdict_add(&w->in->model->verdict, RULE_READ_IO, at_file(w->file), "%s", why.text);
        w->in->model->verdict.incomplete = true;
        return true;
    }
    for (size_t i = 0; i < c.count; i++)
        note_difference(w, &c.differences[i], numbers);
    return true;
}

bool check_signatures(const struct check_input *in, struct err *e)
{
    struct work w = {.in = in, .e = e, .arena = arena_new(SIGNATURE_ARENA)};
    bool ok = w.arena || err_set(e, ERR_MEMORY, "out of memory for a signature");
    if (ok && !find(&w)) {
        demand(&w, in->model->folder ? "the model has no signature file of the name that the "
                                       "policy gives"
                                     : "a lone file carries no signature; sign its folder");
    } else if (ok && read_it(&w)) {
        judge_signer(&w);
        ok = judge_files(&w);
    } else if (ok) {
        demand(&w, "the signature cannot be read");
    }
    signature_close(w.signature);
    arena_free(w.arena);
    return ok;
}
