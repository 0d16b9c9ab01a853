/*
 * Declared parameters against the tensors. A name or label says them as "7B",
 * of a mixture of experts as "8x7B" (experts, and what one of them makes with
 * all that they share) or "30B-A3B" (all of them, and those that a token uses).
 */
#include <math.h>
#include <string.h>

#include "assay/base/text.h"
#include "check/claims.h"

enum { SHOWN = 120, NUMBER = 32 };

/* "0.5B": a number, its unit, and how much its last digit stands for. */
struct label {
    double value, unit;
    unsigned figures;
};

/* What a name says. */
struct said {
    bool total, active, each;
    struct label of_total, of_active, of_each;
    uint64_t experts;
};

static bool is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '.';
}

static bool read_label(struct label *l, struct span s)
{
    double number;
    size_t digits = 0, point = s.n;
    double unit = s.n < 2                        ? 0
                  : (s.p[s.n - 1] | 0x20) == 'b' ? 1e9
                  : (s.p[s.n - 1] | 0x20) == 'm' ? 1e6
                                                 : 0;
    for (size_t i = 0; unit > 0 && i + 1 < s.n; i++) {
        if (s.p[i] == '.' && point == s.n && i > 0)
            point = i;
        else if (s.p[i] >= '0' && s.p[i] <= '9')
            digits += digits > 0 || s.p[i] != '0';
        else
            return false;
    }
    if (!(unit > 0) || !text_to_double(span_sub(s, 0, s.n - 1), &number) || !(number > 0))
        return false;
    size_t decimals = point < s.n ? s.n - 2 - point : 0;
    *l = (struct label){number * unit, unit * pow(10, -(double)decimals), (unsigned)digits};
    return true;
}

/* "8x7B" */
static bool read_experts(struct said *out, struct span s)
{
    uint64_t n = 0;
    size_t i = 0;
    for (; i < s.n && i < 5 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        n = n * 10 + (uint64_t)(s.p[i] - '0');
    if (i == 0 || i >= s.n || (s.p[i] | 0x20) != 'x' ||
        !read_label(&out->of_each, span_sub(s, i + 1, s.n)))
        return false;
    out->experts = n;
    out->each = true;
    return true;
}

/* The largest label among a name's words counts as the total. */
static void read_word(struct said *out, struct span word)
{
    struct label l;
    if (read_label(&l, word)) {
        if (!out->total || l.value > out->of_total.value)
            out->of_total = l;
        out->total = true;
    } else if ((word.p[0] | 0x20) == 'a' && read_label(&l, span_sub(word, 1, word.n))) {
        out->of_active = l;
        out->active = true;
    } else {
        read_experts(out, word);
    }
}

static struct said read_name(struct span name)
{
    struct said said = {0};
    for (size_t i = 0; i < name.n;) {
        size_t n = 0;
        while (i + n < name.n && is_word(name.p[i + n]))
            n++;
        if (n)
            read_word(&said, span_sub(name, i, n));
        i += n ? n : 1;
    }
    return said;
}

/* ---- against the tensors ---- */

/* One figure of rounding, or as far as names of models go. */
static bool is_far(const struct label *l, double have)
{
    return fabs(have - l->value) > fmax(l->unit / 2, l->value * 0.15);
}

/* What one expert makes with all that the experts share. */
static double one_of(const struct architecture *a)
{
    double total = (double)a->parameters.total, active = (double)a->parameters.active;
    double each = (total - active) / (double)(a->experts - a->experts_active);
    return total - each * (double)(a->experts - 1);
}

static void contradict(const struct check_input *in, struct origin o)
{
    verdict_against(&in->model->verdict, o.file == ORIGIN_NO_FILE ? claim_tensors(in->model) : o);
}

static void compare(const struct check_input *in, const char *where, const char *shown,
                    struct origin o, const struct label *l, double have, const char *what)
{
    char count[NUMBER];
    if (!is_far(l, have))
        return;
    verdict_add(&in->model->verdict, RULE_CLAIM_PARAMETERS, o,
                "%s \"%s\" says %.4g parameters%s; the tensors hold %s", where, shown, l->value,
                what, text_grouped(count, sizeof count, (uint64_t)have));
    contradict(in, ORIGIN_NOWHERE);
}

static void compare_experts(const struct check_input *in, const char *where, const char *shown,
                            struct origin o, const struct said *said)
{
    const struct architecture *a = &in->facts->architecture;
    if (said->each && said->experts > 1 && said->experts != a->experts) {
        verdict_add(&in->model->verdict, RULE_CLAIM_PARAMETERS, o,
                    "%s \"%s\" says %llu experts; the model has %llu", where, shown,
                    (unsigned long long)said->experts, (unsigned long long)a->experts);
        contradict(in, ORIGIN_NOWHERE);
        return;
    }
    bool routed = a->experts > a->experts_active && a->experts_active > 0 &&
                  a->parameters.active < a->parameters.total;
    if (routed && said->each)
        compare(in, where, shown, o, &said->of_each, one_of(a), " with one expert");
    if (routed && said->active)
        compare(in, where, shown, o, &said->of_active, (double)a->parameters.active,
                " for each token");
}

static void check_label(const struct check_input *in, struct span name, const char *where,
                        struct origin o)
{
    char shown[SHOWN], count[NUMBER];
    struct said said = read_name(name);
    uint64_t total = in->facts->architecture.parameters.total;
    text_shown(shown, sizeof shown, name);
    compare_experts(in, where, shown, o, &said);
    if (!said.total)
        return;
    compare(in, where, shown, o, &said.of_total, (double)total, "");
    if (!is_far(&said.of_total, (double)total) && said.of_total.figures < 2)
        verdict_add(&in->model->verdict, RULE_CLAIM_FIGURES, o,
                    "%s \"%s\" gives one figure; the tensors hold %s", where, shown,
                    text_grouped(count, sizeof count, total));
}

static void check_exact(const struct check_input *in, uint64_t declared, const char *what,
                        struct origin o)
{
    char a[NUMBER], b[NUMBER];
    uint64_t have = in->facts->architecture.parameters.total;
    if (declared == have)
        return;
    verdict_add(&in->model->verdict, RULE_CLAIM_PARAMETERS, o,
                "%s says %s parameters; the tensors hold %s", what,
                text_grouped(a, sizeof a, declared), text_grouped(b, sizeof b, have));
    contradict(in, ORIGIN_NOWHERE);
}

/* Where the model's name stands: metadata, or the card's text. */
static struct origin name_place(const struct model *m)
{
    struct origin o = claim_metadata(m, "general.name");
    return o.file == ORIGIN_NO_FILE && m->has_card ? m->card.body.origin : o;
}

bool check_claims_parameters(const struct check_input *in, struct err *e)
{
    const struct model *m = in->model;
    uint64_t declared;
    struct span label;
    (void)e;
    if (!in->facts || !m->tensor_count || m->unlisted)
        return true;
    const struct architecture *a = &in->facts->architecture;
    if (!a->parameters.total || a->is_adapter)
        return true;
    if (metadata_u64(m, "general.parameter_count", &declared))
        check_exact(in, declared, "general.parameter_count",
                    claim_metadata(m, "general.parameter_count"));
    struct claimed total = claim_within(m, DOC_INDEX, "metadata", "total_parameters");
    if (json_u64(total.value, &declared))
        check_exact(in, declared, "the index's total_parameters", total.origin);
    if (metadata_string(m, "general.size_label", &label))
        check_label(in, label, "general.size_label", claim_metadata(m, "general.size_label"));
    else
        check_label(in, in->facts->name, "the name", name_place(m));
    return true;
}
