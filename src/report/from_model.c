/*
 * Claims that are recomputed from a model's bytes. Each says by which rule it
 * was found, and points to the file or tensor that anyone can hash again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/check.h"
#include "report/making.h"

enum { FILES_LISTED = 200, TENSORS_SHOWN = 3 };

static const char *hex_of(struct making *k, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];
    return make_text(k, "%s", digest_hex(hex, d));
}

static const char *count_of(struct making *k, uint64_t n)
{
    return make_text(k, "%" PRIu64, n);
}

/* Every file that holds tensors, as evidence of something about all of them. */
static void prove_weights(struct making *k, const struct report_model *m, struct claim *c)
{
    size_t given = 0;
    for (uint32_t i = 0; i < m->model->file_count && given < FILES_LISTED; i++) {
        enum format f = m->model->files[i].format;
        if (f == FORMAT_GGUF || f == FORMAT_SAFETENSORS) {
            claim_prove(k->s, c, prove_file(k, m, i));
            given++;
        }
    }
}

static void prove_document(struct making *k, const struct report_model *m, struct claim *c,
                           enum document_kind d)
{
    if (m->model->documents[d].file != ORIGIN_NO_FILE)
        claim_prove(k->s, c, prove_file(k, m, m->model->documents[d].file));
}

/* A claim with a value, verified from the weights. */
static struct claim *from_weights(struct making *k, const struct report_model *m,
                                  const char *property, const char *value, const char *rule)
{
    struct claim *c = value ? make_claim(k, property, CLAIM_VERIFIED, rule) : NULL;
    if (c) {
        c->value = value;
        prove_weights(k, m, c);
    }
    return c;
}

/* ---- identity ---- */

static void digest_claim(struct making *k, const struct report_model *m, const char *property,
                         bool known, const struct digest *d, const char *rule)
{
    if (known)
        from_weights(k, m, property, hex_of(k, d), rule);
    else
        make_missing(k, property, "not everything could be read, so no digest of the whole exists");
}

static void identity_claims(struct making *k, const struct report_model *m)
{
    const struct identity *d = m->identity;
    digest_claim(k, m, "model.digest.tensors", d->has_tensor_root, &d->tensor_root,
                 "Merkle root over the tensors sorted by name: name, type, shape, SHA-256 of the "
                 "bytes (docs/formats/identity.md)");
    digest_claim(k, m, "model.digest.manifest", d->has_manifest_root, &d->manifest_root,
                 "Merkle root over the files sorted by name: name, size, SHA-256 "
                 "(docs/formats/identity.md)");
    digest_claim(k, m, "model.architecture.digest", d->has_architecture, &d->architecture,
                 "SHA-256 of the canonical description that the tensors and the configuration "
                 "give");
    for (uint32_t i = 0; i < m->model->file_count && i < FILES_LISTED; i++) {
        if (!m->scan->file_ok || !m->scan->file_ok[i])
            continue;
        struct claim *c =
            make_claim(k, "model.digest.file", CLAIM_VERIFIED, "SHA-256 over the whole file");
        if (!c)
            return;
        c->title =
            make_text(k, "SHA-256 of %s", make_shown(k, span_str(m->model->files[i].name), 120));
        c->value = hex_of(k, &m->scan->file[i]);
        claim_prove(k->s, c, prove_file(k, m, i));
    }
}

/* Contradictions are claims of their own. */
static void findings_claim(struct making *k, const struct report_model *m)
{
    const struct verdict *v = &m->model->verdict;
    size_t counts[SEV_COUNT] = {0}, shown = 0;
    for (size_t i = 0; i < v->count; i++)
        counts[rules[v->findings[i].rule].severity] +=
            contradiction_of(v->findings[i].rule) ? 0 : v->findings[i].count;
    struct claim *c = from_weights(k, m, "model.findings",
                                   make_text(k, "%zu critical, %zu high, %zu medium, %zu low",
                                             counts[SEV_CRITICAL], counts[SEV_HIGH],
                                             counts[SEV_MEDIUM], counts[SEV_LOW]),
                                   "the rules of docs/findings.md over headers, documents and "
                                   "bytes; contradictions stand apart");
    for (size_t i = 0; c && i < v->count && shown < 20; i++) {
        const struct finding *g = &v->findings[i];
        if (contradiction_of(g->rule))
            continue;
        shown++;
        claim_says(k->s, c,
                   &(struct claim_source){.path = g->origin.file < m->model->file_count
                                                      ? m->model->files[g->origin.file].name
                                                      : m->shown,
                                          .place = rules[g->rule].id,
                                          .says = make_shown(k, span_str(g->detail), 300)});
    }
}

static void coverage_claims(struct making *k, const struct report_model *m)
{
    const struct coverage *v = &m->scan->coverage;
    char all[32], tensors[32], parsed[32];
    text_bytes(all, sizeof all, v->size);
    text_bytes(tensors, sizeof tensors, v->tensors);
    text_bytes(parsed, sizeof parsed, v->parsed);
    struct claim *c = from_weights(
        k, m, "model.coverage",
        make_text(k,
                  "%s: %s of tensors, %s of headers and documents, %" PRIu64 " bytes unexplained",
                  all, tensors, parsed, v->unexplained),
        "every byte is parsed, tensor data, padding that alignment explains, or unexplained");
    if (c && !m->complete) {
        c->status = CLAIM_MISSING;
        c->reason = "not everything could be read: nothing here holds for the whole";
    }
    findings_claim(k, m);
}

/* ---- architecture ---- */

static const char *shape_of(struct making *k, const struct architecture *a)
{
    char text[400];
    int n = 0;
    struct {
        const char *label;
        uint64_t value;
    } parts[] = {
        {"layers", a->layers},     {"width", a->width},
        {"feed-forward", a->ffn},  {"heads", a->heads},
        {"KV heads", a->kv_heads}, {"head size", a->head_size},
        {"experts", a->experts},   {"experts for a token", a->experts_active},
        {"context", a->context},   {"vocabulary", a->vocabulary},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].value && n >= 0 && (size_t)n < sizeof text)
            n += snprintf(text + n, sizeof text - (size_t)n, "%s%s %" PRIu64, n ? ", " : "",
                          parts[i].label, parts[i].value);
    return n > 0 ? make_text(k, "%s", text) : NULL;
}

/* The brackets of the Model Documentation Form. */
static const char *bracket(uint64_t n)
{
    static const struct {
        uint64_t to;
        const char *name;
    } brackets[] = {
        {UINT64_C(500000000), "up to 500M"},     {UINT64_C(5000000000), "500M to 5B"},
        {UINT64_C(15000000000), "5B to 15B"},    {UINT64_C(50000000000), "15B to 50B"},
        {UINT64_C(100000000000), "50B to 100B"}, {UINT64_C(500000000000), "100B to 500B"},
        {UINT64_C(1000000000000), "500B to 1T"}, {UINT64_MAX, "above 1T"},
    };
    size_t i = 0;
    while (n > brackets[i].to)
        i++;
    return brackets[i].name;
}

/* Two significant figures, as the form takes them: "120K", "7.6B". */
static const char *two_figures(struct making *k, uint64_t n)
{
    static const char *const units[] = {"", "K", "M", "B", "T"};
    unsigned unit = 0;
    uint64_t scale = 1;
    while (n / scale >= 1000 && unit < 4) {
        scale *= 1000;
        unit++;
    }
    uint64_t tenths = n / scale < 10 ? (n * 10 + scale / 2) / scale : 0;
    if (scale > 1 && tenths && tenths < 100)
        return make_text(k, "%" PRIu64 ".%" PRIu64 "%s", tenths / 10, tenths % 10, units[unit]);
    uint64_t step = scale * (n / scale >= 100 ? 10 : 1);
    return make_text(k, "%" PRIu64 "%s", (n + step / 2) / step * (step / scale), units[unit]);
}

static void parameter_claims(struct making *k, const struct report_model *m)
{
    const struct architecture *a = &m->facts->architecture;
    if (a->parameters.total == 0) {
        make_missing(k, "model.parameters", "the tensors do not say how many weights they hold");
        return;
    }
    struct claim *c =
        from_weights(k, m, "model.parameters", count_of(k, a->parameters.total),
                     "sum of the tensors' elements; tied weights once, stored constants left out");
    size_t largest = 0;
    for (size_t i = 1; i < m->model->tensor_count; i++)
        if (m->model->tensors[i].elements > m->model->tensors[largest].elements)
            largest = i;
    if (m->model->tensor_count)
        claim_prove(k->s, c, prove_tensor(k, m, largest));
    if (a->parameters.active && a->parameters.active != a->parameters.total)
        from_weights(k, m, "model.parameters.active", count_of(k, a->parameters.active),
                     "the same sum without the experts that a token is not routed to");
    from_weights(k, m, "model.parameters.figures",
                 make_text(k, "%s, bracket %s", two_figures(k, a->parameters.total),
                           bracket(a->parameters.total)),
                 "two significant figures and the form's bracket, from the counted number");
}

static void elements_claim(struct making *k, const struct report_model *m)
{
    char text[400] = "";
    uint64_t all = 0;
    int n = 0;
    for (int i = 0; i < DTYPE_COUNT; i++)
        all += m->facts->types[i].elements;
    for (int i = 0; i < DTYPE_COUNT && all; i++) {
        const struct dtype_use *u = &m->facts->types[i];
        if (u->tensors && n >= 0 && (size_t)n < sizeof text)
            n += snprintf(text + n, sizeof text - (size_t)n, "%s%s %.1f %%", n ? ", " : "",
                          dtypes[i].name, 100.0 * (double)u->elements / (double)all);
    }
    if (n > 0)
        from_weights(
            k, m, "model.precision",
            make_text(k, "%s; %.2f bits a weight", text, m->facts->architecture.bits_per_weight),
            "element types that the headers declare, counted by element; sizes agree "
            "with the bytes");
}

static void architecture_claims(struct making *k, const struct report_model *m)
{
    const struct architecture *a = &m->facts->architecture;
    const char *family = a->family ? a->family : NULL;
    if (family) {
        struct claim *c = from_weights(k, m, "model.architecture", family,
                                       "tensor names, shapes and configuration match this family");
        prove_document(k, m, c, DOC_CONFIG);
    } else if (a->declared.n) {
        struct claim *c = make_claim(k, "model.architecture", CLAIM_DECLARED, NULL);
        if (c)
            c->value = make_shown(k, a->declared, 120);
    } else
        make_missing(k, "model.architecture", "neither the configuration nor the tensors say it");
    struct claim *c =
        from_weights(k, m, "model.architecture.shape", shape_of(k, a),
                     "from the configuration, held against the shapes of the tensors");
    prove_document(k, m, c, DOC_CONFIG);
    parameter_claims(k, m);
    elements_claim(k, m);
    if (a->context) {
        c = from_weights(k, m, "model.context", count_of(k, a->context),
                         "from the configuration or metadata");
        prove_document(k, m, c, DOC_CONFIG);
    } else
        make_missing(k, "model.context", "neither configuration nor metadata says it");
}

/* ---- text and form ---- */

static bool has_encoder(const struct report_model *m, const char *const *marks)
{
    for (size_t i = 0; i < m->model->tensor_count; i++)
        for (size_t k = 0; marks[k]; k++)
            if (memmem(m->model->tensors[i].name.p, m->model->tensors[i].name.n, marks[k],
                       strlen(marks[k])))
                return true;
    return false;
}

static void modality_claims(struct making *k, const struct report_model *m)
{
    static const char *const vision[] = {"vision_", "visual.", "v.patch_embd", "image_", NULL};
    static const char *const audio[] = {"audio_", "a.conv1d", "speech_", NULL};
    bool sees = has_encoder(m, vision), hears = has_encoder(m, audio);
    const struct architecture *a = &m->facts->architecture;
    if (!a->vocabulary)
        return;
    const char *rule = "tensors of an encoder for images or sound are there or not; the maximum is "
                       "the context length";
    from_weights(k, m, "model.modality.input",
                 make_text(k, "text%s%s, at most %" PRIu64 " tokens together",
                           sees ? ", images" : "", hears ? ", sound" : "", a->context),
                 rule);
    from_weights(k, m, "model.modality.output",
                 make_text(k, "text, at most %" PRIu64 " tokens less the input", a->context), rule);
}

static void text_claims(struct making *k, const struct report_model *m)
{
    const struct tokenizer_facts *t = &m->facts->tokenizer;
    const struct identity *d = m->identity;
    struct claim *c;
    if (t->size && d->has_tokenizer) {
        c = from_weights(k, m, "model.tokenizer",
                         make_text(k, "%s, %" PRIu64 " entries, digest %s",
                                   t->kind ? t->kind : "unknown kind", t->size,
                                   hex_of(k, &d->tokenizer)),
                         "vocabulary, merges, types, scores and special ids, hashed");
        prove_document(k, m, c, DOC_TOKENIZER);
    } else
        make_missing(k, "model.tokenizer", "no tokenizer stands beside the weights or in them");
    if (t->size)
        from_weights(k, m, "model.vocabulary", count_of(k, t->size),
                     "entries of the tokenizer, added tokens included");
    if (d->has_template && m->model->template_count) {
        c = from_weights(k, m, "model.template", hex_of(k, &d->chat_template),
                         "SHA-256 of the default chat template");
        claim_prove(k->s, c, prove_place(k, m, m->model->templates[0].origin));
    } else
        make_missing(k, "model.template", "no chat template stands beside the weights or in them");
}

static void form_claims(struct making *k, const struct report_model *m)
{
    uint64_t bytes = 0, weights = m->facts->architecture.weight_bytes;
    const char *format = "none";
    for (size_t i = m->model->file_count; i-- > 0;) {
        enum format f = m->model->files[i].format;
        bytes += m->model->files[i].size;
        if (f == FORMAT_GGUF || f == FORMAT_SAFETENSORS)
            format = format_name(f);
    }
    from_weights(k, m, "model.format", format, "recognised by content, not by name");
    from_weights(k, m, "model.size", count_of(k, bytes), "sum of the files' sizes");
    if (weights) {
        char size[32], cache[32];
        text_bytes(size, sizeof size, weights);
        text_bytes(cache, sizeof cache, m->facts->architecture.kv_bytes_per_1000);
        from_weights(k, m, "model.hardware",
                     make_text(k, "%s of weights and %s of keys and values for 1,000 tokens (F16)",
                               size, cache),
                     "from the sizes of the tensors and the shape of the attention");
    }
    char code[200] = "";
    size_t n = 0;
    for (size_t i = 0; i < m->model->file_count; i++) {
        struct span name = span_str(m->model->files[i].name);
        n += span_ends(name, ".py") || span_ends(name, ".pkl") || span_ends(name, ".pt") ||
             span_ends(name, ".pth") || span_ends(name, ".bin") || span_ends(name, ".so");
    }
    snprintf(code, sizeof code, n ? "%zu" : "none", n);
    from_weights(k, m, "model.code", make_text(k, "%s", code),
                 "names that end in .py, .pkl, .pt, .pth, .bin or .so");
}

void claims_from_model(struct making *k, const struct report_model *m)
{
    identity_claims(k, m);
    coverage_claims(k, m);
    architecture_claims(k, m);
    modality_claims(k, m);
    text_claims(k, m);
    form_claims(k, m);
}
