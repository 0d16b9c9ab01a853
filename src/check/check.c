/*
 * One check: run the steps, sort what they found, judge each finding. The
 * order of judging is fixed: what the policy does not fail is noted; what
 * fails may be waived for this digest, or known from the baseline.
 */
#include "check/check.h"

#include <string.h>

static check_step *const steps[] = {
    check_secrets,         check_texts,        check_template_rules,
    check_tokenizer_rules, check_weights,      check_claims_parameters,
    check_claims_numbers,  check_claims_text,  check_claims_languages,
    check_claims_base,     check_claims_dates, check_signatures,
    check_policy_rules};

const char *judgement_name(enum judgement j)
{
    static const char *const names[JUDGEMENTS] = {"fails", "expired", "waived", "known", "noted"};
    return names[j];
}

const char *check_result_name(enum check_result r)
{
    static const char *const names[] = {"pass", "fail", "incomplete", "expired"};
    return names[r];
}

bool check_subject(const struct identity *i, struct digest *out)
{
    if (i && i->has_manifest_root)
        *out = i->manifest_root;
    else if (i && i->has_tensor_root)
        *out = i->tensor_root;
    else
        return false;
    return true;
}

struct span check_name(const char *path)
{
    size_t end = strlen(path), begin;
    while (end > 1 && path[end - 1] == '/')
        end--;
    for (begin = end; begin > 0 && path[begin - 1] != '/';)
        begin--;
    return span_sub(span_str(path), begin, end - begin);
}

bool check_is_text(const struct model_file *f)
{
    return f->format == FORMAT_JSON || f->format == FORMAT_MARKDOWN || f->format == FORMAT_TEXT;
}

struct digest check_fingerprint(const struct model *m, const struct finding *f)
{
    struct digest d = {{0}};
    struct sha256 *s = sha256_new();
    const char *file = f->origin.file < m->file_count ? m->files[f->origin.file].name : "";
    const char *parts[] = {rules[f->rule].id, file, f->detail};
    if (!s)
        return d; /* equal to no fingerprint of a baseline */
    sha256_start(s);
    for (size_t i = 0; i < 3; i++)
        sha256_update(s, parts[i], strlen(parts[i]) + 1);
    sha256_finish(s, &d);
    sha256_free(s);
    return d;
}

/* Is the waiver for these very bytes? Either root, or the digest of a lone file. */
static bool is_for(const struct waiver *w, const struct check_input *in)
{
    const struct identity *i = in->identity;
    const struct scan *s = in->scan;
    if (i && i->has_manifest_root && digest_eq(&w->subject, &i->manifest_root))
        return true;
    if (i && i->has_tensor_root && digest_eq(&w->subject, &i->tensor_root) && !in->model->folder)
        return true;
    return in->model->file_count == 1 && s && s->file && s->file_ok && s->file_ok[0] &&
           digest_eq(&w->subject, &s->file[0]);
}

static bool in_force(const struct waiver *w, int64_t today)
{
    return today >= w->created && today <= w->expires;
}

/* A waiver in force wins over one that ran out. */
static const struct waiver *find_waiver(const struct check_input *in, enum rule_id rule)
{
    const struct policy *p = in->policy;
    const struct waiver *old = NULL;
    for (size_t i = 0; i < p->waiver_count; i++) {
        const struct waiver *w = &p->waivers[i];
        if (!span_is(w->rule, rules[rule].id) || !is_for(w, in) || w->created > in->today)
            continue;
        if (in_force(w, in->today))
            return w;
        old = w;
    }
    return old;
}

static void judge(struct judged *j, const struct check_input *in)
{
    const struct finding *f = j->finding;
    j->fingerprint = check_fingerprint(in->model, f);
    j->judgement = JUDGED_NOTED;
    if (!policy_fails(in->policy, f->rule))
        return;
    j->judgement = JUDGED_FAILS;
    j->waiver = find_waiver(in, f->rule);
    if (j->waiver)
        j->judgement = in_force(j->waiver, in->today) ? JUDGED_WAIVED : JUDGED_EXPIRED;
    else if (in->baseline && baseline_count(in->baseline, &j->fingerprint) >= f->count)
        j->judgement = JUDGED_KNOWN;
}

static bool was_used(const struct check *c, const struct waiver *w)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].waiver == w)
            return true;
    return false;
}

static bool list_unused(struct check *c)
{
    const struct policy *p = c->in->policy;
    c->unused = arena_array(c->in->model->arena, p->waiver_count, sizeof(const struct waiver *));
    if (!c->unused)
        return false;
    for (size_t i = 0; i < p->waiver_count; i++) {
        const struct waiver *w = &p->waivers[i];
        if (!is_for(w, c->in))
            c->other_waivers++;
        else if (!was_used(c, w))
            c->unused[c->unused_count++] = w;
    }
    return true;
}

static bool judge_all(struct check *c, struct err *e)
{
    const struct verdict *v = &c->in->model->verdict;
    c->items = arena_array(c->in->model->arena, v->count, sizeof *c->items);
    if (!c->items)
        return err_set(e, ERR_MEMORY, "out of memory for the verdict");
    c->count = v->count;
    for (size_t i = 0; i < v->count; i++) {
        c->items[i].finding = &v->findings[i];
        judge(&c->items[i], c->in);
        c->totals[c->items[i].judgement] += v->findings[i].count;
    }
    return list_unused(c) || err_set(e, ERR_MEMORY, "out of memory for the verdict");
}

bool check_run(struct check *out, const struct check_input *in, struct err *e)
{
    *out = (struct check){.in = in};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (!steps[i](in, e))
            return false;
    struct verdict *v = &in->model->verdict;
    verdict_sort(v);
    out->complete = in->complete && !v->incomplete && !v->lost;
    return judge_all(out, e);
}

enum check_result check_result(const struct check *c)
{
    if (!c->complete)
        return CHECK_INCOMPLETE;
    if (c->totals[JUDGED_EXPIRED])
        return CHECK_EXPIRED;
    return c->totals[JUDGED_FAILS] ? CHECK_FAIL : CHECK_PASS;
}
