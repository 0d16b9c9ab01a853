/*
 * The signature that lies beside a model, held against its files. Whether the
 * files are those that were signed needs no trust; who signed is for assay
 * verify --signature with a key, and the claim says so.
 */
#include <string.h>

#include "assay/signature.h"
#include "report/making.h"

static uint32_t signature_file(const struct model *m)
{
    for (uint32_t i = 0; m->folder && i < m->file_count; i++)
        if (strcmp(m->files[i].name, "model.sig") == 0)
            return i;
    return ORIGIN_NO_FILE;
}

static bool read_signature(struct making *k, const struct model_file *f, struct signature **out,
                           struct err *e)
{
    if (!f->source || f->size > SIGNATURE_MAX_BUNDLE)
        return err_set(e, ERR_LIMIT, "the signature was not read");
    struct cursor c = source_cursor(f->source, SIGNATURE_MAX_BUNDLE);
    struct span bytes = cursor_take(&c, f->size);
    return (cursor_ok(&c) || err_set(e, ERR_IO, "the signature was not read")) &&
           signature_read(out, bytes, k->a, e);
}

/* The names of what differs, as sources. */
static void say_differences(struct making *k, struct claim *c, const struct signature_comparison *d)
{
    for (size_t i = 0; i < d->count && i < 20; i++)
        claim_says(
            k->s, c,
            &(struct claim_source){.path = make_shown(k, span_str(d->differences[i].name), 200),
                                   .place = signature_change_name(d->differences[i].change)});
}

static bool compare(struct making *k, const struct report_model *m, uint32_t file,
                    const struct signature *s, struct err *e)
{
    struct signature_comparison d;
    size_t count = 0;
    struct signed_file *files = signature_files(m->model, m->scan, k->a, &count);
    if (!files)
        return err_set(e, ERR_MEMORY, "out of memory for the list of files");
    if (!signature_compare(&d, s, files, count, false, m->model->files[file].name, k->a, e))
        return false;
    struct claim *c =
        make_claim(k, "model.signature", d.count ? CLAIM_CONTRADICTED : CLAIM_VERIFIED,
                   "every file is compared with the digest that was signed (OpenSSF "
                   "model signing, docs/formats/oms.md)");
    if (!c)
        return true;
    c->value = make_text(k, "%zu files are as signed, %zu are not", d.equal, d.count);
    c->reason = "who signed is not judged here: assay verify MODEL --signature model.sig --key KEY";
    claim_prove(k->s, c, prove_file(k, m, file));
    say_differences(k, c, &d);
    for (size_t i = 0; i < d.count && i < 20; i++)
        if (d.differences[i].file != SIZE_MAX && d.differences[i].file < m->model->file_count)
            claim_refute(k->s, c, prove_file(k, m, (uint32_t)d.differences[i].file));
    return true;
}

void claims_from_signature(struct making *k, const struct report_model *m)
{
    uint32_t file = signature_file(m->model);
    struct signature *s = NULL;
    struct err e = ERR_INIT;
    if (file == ORIGIN_NO_FILE) {
        make_missing(k, "model.signature",
                     "no model.sig lies beside the files; assay sign makes one");
        return;
    }
    if (!read_signature(k, &m->model->files[file], &s, &e) || !compare(k, m, file, s, &e))
        make_missing(k, "model.signature",
                     make_text(k, "model.sig: %s", make_shown(k, span_str(e.text), 300)));
    signature_close(s);
}
