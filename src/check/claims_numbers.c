/*
 * Declared numbers against the tensors: parameters, element type, quantisation,
 * context. What is declared is read from metadata, configuration, index and
 * name; what contradicts it are the tensors themselves.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "check/claims.h"

/* ---- 1, 2: parameters ---- */

/* "0.5B" in a name: a number, its unit, and how much its last digit stands for. */
struct label {
    double value, unit;
    unsigned figures;
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

/* The largest label among a name's words; "8x7B" and "A3B" are no words of this form. */
static bool find_label(struct label *out, struct span name)
{
    bool found = false;
    for (size_t i = 0; i < name.n;) {
        size_t n = 0;
        struct label l;
        while (i + n < name.n && is_word(name.p[i + n]))
            n++;
        if (n && read_label(&l, span_sub(name, i, n)) && (!found || l.value > out->value)) {
            *out = l;
            found = true;
        }
        i += n ? n : 1;
    }
    return found;
}

static void check_label(const struct check_input *in, struct span name, const char *where,
                        struct origin o)
{
    struct label l = {0, 0, 0};
    char shown[120], count[32];
    double have = (double)in->facts->architecture.parameters.total;
    if (!find_label(&l, name))
        return;
    double off = fabs(have - l.value), most = fmax(l.unit / 2, l.value * 0.15);
    text_shown(shown, sizeof shown, name);
    text_grouped(count, sizeof count, in->facts->architecture.parameters.total);
    if (off > most) {
        verdict_add(&in->model->verdict, RULE_CLAIM_PARAMETERS, o,
                    "%s \"%s\" says %.4g parameters; the tensors hold %s", where, shown, l.value,
                    count);
        verdict_against(&in->model->verdict, claim_tensors(in->model));
    } else if (l.figures < 2) {
        verdict_add(&in->model->verdict, RULE_CLAIM_FIGURES, o,
                    "%s \"%s\" gives one figure; the tensors hold %s", where, shown, count);
    }
}

static void check_exact(const struct check_input *in, uint64_t declared, const char *what,
                        struct origin o)
{
    char a[32], b[32];
    uint64_t have = in->facts->architecture.parameters.total;
    if (declared == have)
        return;
    verdict_add(&in->model->verdict, RULE_CLAIM_PARAMETERS, o,
                "%s says %s parameters; the tensors hold %s", what,
                text_grouped(a, sizeof a, declared), text_grouped(b, sizeof b, have));
    verdict_against(&in->model->verdict, claim_tensors(in->model));
}

/* Where the model's name stands: metadata, or the card's text. */
static struct origin name_place(const struct model *m)
{
    struct origin o = claim_metadata(m, "general.name");
    return o.file == ORIGIN_NO_FILE && m->has_card ? m->card.body.origin : o;
}

static void check_parameters(const struct check_input *in)
{
    const struct model *m = in->model;
    uint64_t declared;
    struct span label;
    const struct architecture *a = &in->facts->architecture;
    if (!a->parameters.total || a->is_adapter || a->experts || m->unlisted)
        return;
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
}

/* ---- 7: element type ---- */

static enum dtype main_type(const struct facts *f)
{
    enum dtype best = DTYPE_NONE;
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (f->types[t].elements &&
            (best == DTYPE_NONE || f->types[t].elements > f->types[best].elements))
            best = (enum dtype)t;
    return best;
}

static void check_dtype(const struct check_input *in)
{
    static const struct {
        const char *torch;
        const char *name;
    } names[] = {{"float32", "F32"}, {"float16", "F16"}, {"bfloat16", "BF16"}, {"float64", "F64"}};
    const struct model *m = in->model;
    struct claimed c = claim_of(m, DOC_CONFIG, "torch_dtype");
    struct span declared;
    if (json_type(c.value) == JSON_MISSING)
        c = claim_of(m, DOC_CONFIG, "dtype");
    enum dtype main = main_type(in->facts);
    bool quantised = json_type(claim_of(m, DOC_CONFIG, "quantization_config").value) == JSON_OBJECT;
    if (!json_string(c.value, &declared) || main == DTYPE_NONE || quantised ||
        in->facts->architecture.is_adapter ||
        m->files[m->tensors[0].data.file].format != FORMAT_SAFETENSORS)
        return;
    if (span_starts(declared, "torch."))
        declared = span_sub(declared, strlen("torch."), declared.n);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(declared, names[i].torch) && strcmp(dtypes[main].name, names[i].name) != 0) {
            verdict_add(&in->model->verdict, RULE_CLAIM_DTYPE, c.origin,
                        "config.json declares %s; most weights are %s", names[i].torch,
                        dtypes[main].name);
            verdict_against(&in->model->verdict, claim_tensors(m));
        }
}

/* ---- 8: quantisation ---- */

/* llama.h, enum llama_ftype; the type that most matrices have, and what takes its place where a
 * row does not fill its blocks (llama-quant.cpp). */
static const struct quantisation {
    const char *name; /* in file names, longer ones first where one begins like another */
    int ftype;
    const char *type, *fallback;
} quantisations[] = {
    {"Q3_K_S", 11, "Q3_K", "IQ4_NL"},
    {"Q3_K_M", 12, "Q3_K", "IQ4_NL"},
    {"Q3_K_L", 13, "Q3_K", "IQ4_NL"},
    {"Q4_K_S", 14, "Q4_K", "Q5_0"},
    {"Q4_K_M", 15, "Q4_K", "Q5_0"},
    {"Q5_K_S", 16, "Q5_K", "Q5_1"},
    {"Q5_K_M", 17, "Q5_K", "Q5_1"},
    {"Q6_K", 18, "Q6_K", "Q8_0"},
    {"IQ2_XXS", 19, "IQ2_XXS", "IQ4_NL"},
    {"IQ2_XS", 20, "IQ2_XS", "IQ4_NL"},
    {"Q2_K_S", 21, "Q2_K", "IQ4_NL"},
    {"Q2_K", 10, "Q2_K", "IQ4_NL"},
    {"IQ3_XXS", 23, "IQ3_XXS", "IQ4_NL"},
    {"IQ3_S", 26, "IQ3_S", "IQ4_NL"},
    {"IQ1_S", 24, "IQ1_S", "IQ4_NL"},
    {"IQ1_M", 31, "IQ1_M", "IQ4_NL"},
    {"IQ4_NL", 25, "IQ4_NL", "IQ4_NL"},
    {"IQ4_XS", 30, "IQ4_XS", "IQ4_NL"},
    {"IQ2_S", 28, "IQ2_XS", "IQ2_S"},
    {"IQ2_M", 29, "IQ2_S", "IQ4_NL"},
    {"Q4_0", 2, "Q4_0", "Q4_0"},
    {"Q4_1", 3, "Q4_1", "Q4_1"},
    {"Q8_0", 7, "Q8_0", "Q8_0"},
    {"Q5_0", 8, "Q5_0", "Q5_0"},
    {"Q5_1", 9, "Q5_1", "Q5_1"},
    {"BF16", 32, "BF16", "BF16"},
    {"F32", 0, "F32", "F32"},
    {"F16", 1, "F16", "F16"},
    {"TQ1_0", 36, "TQ1_0", "Q4_0"},
    {"TQ2_0", 37, "TQ2_0", "Q4_0"},
    {"MXFP4", 38, "MXFP4", "Q8_0"},
};

static bool has_type(const struct facts *f, const char *name)
{
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (f->types[t].elements && strcmp(dtypes[t].name, name) == 0)
            return true;
    return false;
}

static void declared_as(const struct check_input *in, const struct quantisation *q,
                        const char *where, struct origin o)
{
    enum dtype main = main_type(in->facts);
    if (main == DTYPE_NONE || has_type(in->facts, q->type) || has_type(in->facts, q->fallback))
        return;
    verdict_add(&in->model->verdict, RULE_CLAIM_QUANTISATION, o,
                "%s says %s; no tensor is %s, most weights are %s", where, q->name, q->type,
                dtypes[main].name);
    verdict_against(&in->model->verdict, claim_tensors(in->model));
}

/* A word of a file's name: "model-Q4_K_M.gguf", "model.q8_0.gguf". */
static const struct quantisation *in_name(const char *name)
{
    for (size_t i = 0; i < sizeof quantisations / sizeof *quantisations; i++) {
        size_t n = strlen(quantisations[i].name);
        for (const char *p = name; (p = strcasestr(p, quantisations[i].name)) != NULL; p++)
            if (p > name && strchr(".-", p[-1]) && (!p[n] || strchr(".-", p[n])))
                return &quantisations[i];
    }
    return NULL;
}

static bool has_packed(const struct model *m)
{
    for (size_t i = 0; i < m->tensor_count; i++)
        if (span_ends(m->tensors[i].name, ".qweight") ||
            span_ends(m->tensors[i].name, ".weight_packed"))
            return true;
    return false;
}

static void check_quantisation(const struct check_input *in)
{
    const struct model *m = in->model;
    uint64_t ftype;
    if (!m->tensor_count)
        return;
    if (metadata_u64(m, "general.file_type", &ftype))
        for (size_t i = 0; i < sizeof quantisations / sizeof *quantisations; i++)
            if ((uint64_t)quantisations[i].ftype == ftype)
                declared_as(in, &quantisations[i], "general.file_type",
                            claim_metadata(m, "general.file_type"));
    const struct model_file *first = &m->files[m->tensors[0].data.file];
    const struct quantisation *q = first->format == FORMAT_GGUF ? in_name(first->name) : NULL;
    if (q)
        declared_as(in, q, "the file's name", (struct origin){m->tensors[0].data.file, 0, 0});
    struct claimed method = claim_within(m, DOC_CONFIG, "quantization_config", "quant_method");
    struct span s;
    if (json_string(method.value, &s) && (span_is(s, "gptq") || span_is(s, "awq")) &&
        !has_packed(m) && first->format == FORMAT_SAFETENSORS) {
        verdict_add(&in->model->verdict, RULE_CLAIM_QUANTISATION, method.origin,
                    "config.json declares %.*s quantisation; no tensor holds packed weights",
                    (int)s.n, (const char *)s.p);
        verdict_against(&in->model->verdict, claim_tensors(m));
    }
}

/* ---- 9: context ---- */

/* The context that configuration and rope scaling give. */
static double effective_context(const struct facts *f)
{
    const struct rope *r = &f->architecture.rope;
    double context = (double)f->architecture.context;
    if (r->factor > 1 && r->original_context)
        return fmax(context, r->factor * (double)r->original_context);
    return r->factor > 1 && r->scaling.n ? context * r->factor : context;
}

static void longer(const struct check_input *in, double declared, const char *where,
                   struct origin o)
{
    double have = effective_context(in->facts);
    if (!(have > 0) || !(declared > have * 1.05) || declared > 1e9)
        return;
    verdict_add(&in->model->verdict, RULE_CLAIM_CONTEXT, o,
                "%s says %.0f tokens; the configuration gives %.0f", where, declared, have);
    struct origin config = claim_of(in->model, DOC_CONFIG, "max_position_embeddings").origin;
    verdict_against(&in->model->verdict, config);
}

/* "context length of 128K", "Context Length: Full 131,072 tokens": the number that follows the
 * word soon; 0 when none does. *k: it was given in thousands, of 1000 or of 1024. */
static double number_after(struct span s, size_t at, bool *k)
{
    size_t end = at + 60 < s.n ? at + 60 : s.n;
    while (at < end && !(s.p[at] >= '1' && s.p[at] <= '9'))
        at += s.p[at] == '\n' || s.p[at] == '|' ? end : 1;
    double n = 0;
    for (; at < end && ((s.p[at] >= '0' && s.p[at] <= '9') || s.p[at] == ','); at++)
        if (s.p[at] != ',')
            n = n * 10 + (s.p[at] - '0');
    if (at >= end || (s.p[at] == '.' && at + 1 < end && s.p[at + 1] >= '0' && s.p[at + 1] <= '9'))
        return 0;
    *k = (s.p[at] | 0x20) == 'k';
    bool word = *k && at + 1 < s.n && is_word(s.p[at + 1]) && s.p[at + 1] != '.';
    return word ? 0 : *k ? n * 1000 : n;
}

static void check_card_context(const struct check_input *in)
{
    const struct text *body = &in->model->card.body;
    static const char phrase[] = "context length";
    for (size_t i = 0; i + sizeof phrase <= body->bytes.n; i++) {
        bool k = false;
        if (strncasecmp((const char *)body->bytes.p + i, phrase, sizeof phrase - 1) != 0)
            continue;
        double n = number_after(body->bytes, i + sizeof phrase - 1, &k);
        struct origin o = {body->origin.file, body->origin.offset + i, sizeof phrase - 1};
        if (n >= 512)
            longer(in, n, "the model card", o);
        return; /* the first time it is said is what is said */
    }
}

static void check_context(const struct check_input *in)
{
    const struct model *m = in->model;
    double n;
    struct claimed c = claim_of(m, DOC_TOKENIZER_CONFIG, "model_max_length");
    if (json_double(c.value, &n))
        longer(in, n, "tokenizer_config.json's model_max_length", c.origin);
    if (m->has_card)
        check_card_context(in);
}

bool check_claims_numbers(const struct check_input *in, struct err *e)
{
    (void)e;
    if (!in->facts || !in->model->tensor_count)
        return true;
    check_parameters(in);
    check_dtype(in);
    check_quantisation(in);
    check_context(in);
    return true;
}
