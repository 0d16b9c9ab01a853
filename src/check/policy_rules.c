/*
 * The policy's own demands. Each that is not met is a finding of policy.*, with
 * the place in the model that shows it, so that it is rendered, waived and
 * compared with a baseline as any other.
 */
#include <string.h>

#include "assay/base/text.h"
#include "check/check.h"

enum { SHOWN = 160 };

static bool listed(const struct config_texts *t, const char *word)
{
    for (size_t i = 0; i < t->count; i++)
        if (span_is(t->items[i], word))
            return true;
    return false;
}

static struct origin whole_file(size_t file)
{
    return (struct origin){(uint32_t)file, 0, 0};
}

/* ---- formats ---- */

/* Documents carry no weights; what is unknown and named like weights does. */
static bool holds_weights(const struct model *m, size_t file)
{
    if (check_is_text(&m->files[file]))
        return false;
    if (m->files[file].format != FORMAT_UNKNOWN)
        return true;
    const struct verdict *v = &m->verdict;
    for (size_t i = 0; i < v->count; i++)
        if (v->findings[i].origin.file == file && v->findings[i].rule == RULE_FOLDER_NOT_READ)
            return true;
    return !m->folder;
}

static void check_formats(const struct check_input *in)
{
    struct model *m = in->model;
    for (size_t i = 0; in->policy->allow.formats.count && i < m->file_count; i++) {
        const struct model_file *f = &m->files[i];
        if (!holds_weights(m, i) ||
            (f->format != FORMAT_UNKNOWN && policy_allows_format(in->policy, f->format)))
            continue;
        verdict_add(&m->verdict, RULE_POLICY_FORMAT, whole_file(i),
                    "the file is %s; the policy does not list that format",
                    f->format == FORMAT_UNKNOWN ? "of no known format" : format_name(f->format));
    }
}

/* ---- licences ---- */

static bool check_claim(const struct check_input *in, const struct licence_claim *c, struct err *e)
{
    char shown[SHOWN];
    struct err why = ERR_INIT;
    const struct spdx *x = NULL;
    struct verdict *v = &in->model->verdict;
    struct span text = c->spdx ? span_str(c->spdx) : c->named;
    text_shown(shown, sizeof shown, text.n ? text : span_str("a text of no known licence"));
    if (!spdx_parse(&x, text, in->model->arena, &why)) {
        if (why.code == ERR_MEMORY)
            return err_set(e, ERR_MEMORY, "%s", why.text);
        verdict_add(v, RULE_POLICY_LICENCE, c->origin,
                    "%s names \"%s\", which is no SPDX expression", c->where, shown);
    } else if (!spdx_allowed(x, &in->policy->allow.licences)) {
        verdict_add(v, RULE_POLICY_LICENCE, c->origin,
                    "%s names %s, which the policy does not allow", c->where, shown);
    }
    return true;
}

static bool check_licences(const struct check_input *in, struct err *e)
{
    const struct facts *f = in->facts;
    if (!in->policy->allow.licences.count || !f)
        return true;
    if (f->licence_count == 0)
        verdict_add(&in->model->verdict, RULE_POLICY_LICENCE, ORIGIN_NOWHERE,
                    "the model names no licence, and the policy allows only listed ones");
    for (size_t i = 0; i < f->licence_count; i++)
        if (!check_claim(in, &f->licences[i], e))
            return false;
    return true;
}

/* ---- families and sizes ---- */

static void check_family(const struct check_input *in)
{
    char shown[SHOWN];
    const struct config_texts *allowed = &in->policy->allow.families;
    if (!allowed->count || !in->facts)
        return;
    const struct architecture *a = &in->facts->architecture;
    if (a->family && listed(allowed, a->family))
        return;
    verdict_add(&in->model->verdict, RULE_POLICY_FAMILY, ORIGIN_NOWHERE,
                "the model is of %s%s; the policy does not list that family",
                a->family ? "family " : "an unknown family, declared as ",
                a->family       ? a->family
                : a->declared.n ? text_shown(shown, sizeof shown, a->declared)
                                : "nothing");
}

static void check_limit(const struct check_input *in, struct origin o, const char *what,
                        uint64_t have, uint64_t most)
{
    char a[32], b[32];
    if (most && have > most)
        verdict_add(&in->model->verdict, RULE_POLICY_SIZE, o, "%s: %s, and the policy allows %s",
                    what, text_grouped(a, sizeof a, have), text_grouped(b, sizeof b, most));
}

static void check_sizes(const struct check_input *in)
{
    const struct model *m = in->model;
    const struct policy *p = in->policy;
    uint64_t bytes = 0;
    for (size_t i = 0; i < m->file_count; i++) {
        check_limit(in, whole_file(i), "bytes of the file", m->files[i].size, p->size.file_bytes);
        if (!size_add(&bytes, bytes, m->files[i].size))
            bytes = UINT64_MAX;
    }
    check_limit(in, ORIGIN_NOWHERE, "bytes of all files", bytes, p->size.bytes);
    check_limit(in, ORIGIN_NOWHERE, "files", m->file_count, p->size.files);
    if (!in->facts || !p->size.parameters)
        return;
    uint64_t parameters = in->facts->architecture.parameters.total;
    check_limit(in, ORIGIN_NOWHERE, "parameters", parameters, p->size.parameters);
    if (!parameters)
        verdict_add(&in->model->verdict, RULE_POLICY_SIZE, ORIGIN_NOWHERE,
                    "the parameters cannot be counted, and the policy limits their number");
}

/* ---- pins ---- */

static void check_root(const struct check_input *in, const char *what, bool pinned,
                       const struct digest *want, bool has, const struct digest *have)
{
    char a[DIGEST_HEX + 1], b[DIGEST_HEX + 1];
    if (!pinned || (has && digest_eq(want, have)))
        return;
    verdict_add(&in->model->verdict, RULE_POLICY_PIN, ORIGIN_NOWHERE,
                "the lock pins the %s root %s, and the model's is %s", what, digest_hex(a, want),
                has ? digest_hex(b, have) : "not known");
}

static void check_pin(const struct check_input *in)
{
    char shown[SHOWN];
    static const struct identity none;
    const struct identity *i = in->identity ? in->identity : &none;
    struct span name = check_name(in->model->path);
    const struct lock_entry *x = lock_find(in->lock, name);
    if (x) {
        check_root(in, "manifest", x->has_manifest_root, &x->manifest_root, i->has_manifest_root,
                   &i->manifest_root);
        check_root(in, "tensor", x->has_tensor_root, &x->tensor_root, i->has_tensor_root,
                   &i->tensor_root);
    } else if (in->policy->require.pinned) {
        verdict_add(&in->model->verdict, RULE_POLICY_PIN, ORIGIN_NOWHERE,
                    "the policy requires a pin, and %s \"%s\"",
                    in->lock ? "the lock has none for" : "no lock was given for",
                    text_shown(shown, sizeof shown, name));
    }
}

/* ---- provenance and card ---- */

static void lacks(const struct check_input *in, enum rule_id rule, const char *what)
{
    verdict_add(&in->model->verdict, rule, ORIGIN_NOWHERE, "%s", what);
}

static void check_provenance(const struct check_input *in)
{
    const struct config_texts *t = &in->policy->require.provenance;
    const struct facts *f = in->facts;
    const struct check_enrolment *log = &in->enrolment;
    if (listed(t, "base_model") && f && f->base_model_count == 0)
        lacks(in, RULE_POLICY_PROVENANCE, "no base model is named");
    if (listed(t, "dataset") && f && f->dataset_count == 0)
        lacks(in, RULE_POLICY_PROVENANCE, "no dataset is named");
    if (listed(t, "enrolled") && !log->enrolled)
        lacks(in, RULE_POLICY_PROVENANCE,
              log->asked ? "the log holds no entry of this model (assay record enrols one)"
                         : "the policy asks for an entry in a log, and no --log was given");
    if (listed(t, "source") && !log->source)
        lacks(in, RULE_POLICY_PROVENANCE,
              log->asked ? "no entry of the log says where this model came from (assay record "
                           "--source)"
                         : "the policy asks a log where the model came from, and no --log was "
                           "given");
}

static bool has_field(const struct card *c, const char *field)
{
    const struct {
        const char *name;
        size_t length;
    } fields[] = {{"license", c->license.n},
                  {"base_model", c->base_model_count},
                  {"base_model_relation", c->base_model_relation.n},
                  {"datasets", c->dataset_count},
                  {"language", c->language_count},
                  {"library_name", c->library.n},
                  {"pipeline_tag", c->pipeline.n},
                  {"tags", c->tag_count}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].name, field) == 0)
            return fields[i].length != 0;
    return false;
}

static void check_card(const struct check_input *in)
{
    const struct config_texts *t = &in->policy->require.card;
    struct model *m = in->model;
    if (t->count && !m->has_card) {
        lacks(in, RULE_POLICY_CARD, "there is no model card (README.md)");
        return;
    }
    for (const char *const *w = policy_card_words; *w; w++)
        if (listed(t, *w) && !has_field(&m->card, *w))
            verdict_add(&m->verdict, RULE_POLICY_CARD, m->card.front.origin,
                        "the model card's front matter has no \"%s\"", *w);
}

bool check_policy_rules(const struct check_input *in, struct err *e)
{
    check_formats(in);
    if (!check_licences(in, e))
        return false;
    check_family(in);
    check_sizes(in);
    check_pin(in);
    check_provenance(in);
    check_card(in);
    return true;
}
