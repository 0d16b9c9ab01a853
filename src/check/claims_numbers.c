/*
 * Declared numbers against the tensors: element type, quantisation, context.
 * What is declared is read from metadata, configuration and names; what
 * contradicts it are the tensors themselves.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "check/claims.h"

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

static bool is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '.';
}

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
    check_dtype(in);
    check_quantisation(in);
    check_context(in);
    return true;
}
