/*
 * Special tokens: every document that names one is a claim; the first fills
 * the facts, and each later one must agree with it.
 */
#include "inspect/vocabulary.h"

#include <stdio.h>

#include "assay/base/text.h"

enum { CLAIM_IDS = 16 }; /* ids of one claim: generation configs list several ends */

static const struct role {
    const char *name, *gguf, *text_key, *id_key;
} roles[] = {
    {"bos", "tokenizer.ggml.bos_token_id", "bos_token", "bos_token_id"},
    {"eos", "tokenizer.ggml.eos_token_id", "eos_token", "eos_token_id"},
    {"unk", "tokenizer.ggml.unknown_token_id", "unk_token", "unk_token_id"},
    {"sep", "tokenizer.ggml.seperator_token_id", "sep_token", "sep_token_id"},
    {"pad", "tokenizer.ggml.padding_token_id", "pad_token", "pad_token_id"},
    {"cls", "tokenizer.ggml.cls_token_id", "cls_token", "cls_token_id"},
    {"mask", "tokenizer.ggml.mask_token_id", "mask_token", "mask_token_id"},
    {"eot", "tokenizer.ggml.eot_token_id", "eot_token", "eot_token_id"},
    {"eom", "tokenizer.ggml.eom_token_id", "eom_token", "eom_token_id"},
};

/* What one document says about one role. */
struct claim {
    uint64_t ids[CLAIM_IDS];
    size_t id_count;
    struct span text;
    const char *where;
    struct origin origin;
};

static const struct {
    enum document_kind kind;
    bool texts;
    const char *name;
} sources[] = {
    {DOC_TOKENIZER_CONFIG, true, "tokenizer_config.json"},
    {DOC_SPECIAL_TOKENS_MAP, true, "special_tokens_map.json"},
    {DOC_CONFIG, false, "config.json"},
    {DOC_GENERATION_CONFIG, false, "generation_config.json"},
};

static bool from_gguf(struct claim *c, const struct model *m, const struct role *r)
{
    *c = (struct claim){.where = "GGUF metadata"};
    const struct metadata *d = model_metadata(m, r->gguf);
    if (!d || !value_u64(&d->value, &c->ids[0]))
        return false;
    c->id_count = 1;
    c->origin = d->origin;
    return true;
}

/* A number, or a list of them. */
static void take_ids(struct claim *c, struct json v)
{
    if (json_u64(v, &c->ids[0])) {
        c->id_count = 1;
        return;
    }
    if (json_type(v) != JSON_ARRAY)
        return;
    for (struct json i = json_first(v); json_type(i) && c->id_count < CLAIM_IDS; i = json_next(i))
        c->id_count += json_u64(i, &c->ids[c->id_count]);
}

static bool from_document(struct claim *c, const struct model *m, const struct role *r, size_t i)
{
    const struct document *d = &m->documents[sources[i].kind];
    *c = (struct claim){.where = sources[i].name};
    struct json v = json_get(d->root, sources[i].texts ? r->text_key : r->id_key);
    if (json_type(v) == JSON_MISSING && !sources[i].texts)
        v = json_get(json_get(d->root, "text_config"), r->id_key);
    if (!sources[i].texts)
        take_ids(c, v);
    else if (!json_string(v, &c->text))
        (void)json_string(json_get(v, "content"), &c->text);
    c->origin = (struct origin){d->file, json_offset(v), 0};
    return c->id_count > 0 || c->text.n > 0;
}

/* An id beyond the vocabulary, a text that is not in it; the rest is looked up. */
static void resolve(struct claim *c, const struct vocabulary *v, const struct role *r)
{
    char shown[96];
    if (v->count == 0)
        return;
    for (size_t i = 0; i < c->id_count; i++)
        if (c->ids[i] >= v->count)
            verdict_add(&v->m->verdict, RULE_TOKENIZER_SPECIAL_RANGE, c->origin,
                        "%s gives %s the id %llu, the vocabulary ends at %zu", c->where, r->name,
                        (unsigned long long)c->ids[i], v->count - 1);
    if (c->text.n == 0 && c->id_count && c->ids[0] < v->count)
        c->text = v->text[c->ids[0]];
    if (c->id_count || c->text.n == 0)
        return;
    uint32_t id = vocabulary_id(v, c->text);
    if (id == MAP_NONE) {
        verdict_add(&v->m->verdict, RULE_TOKENIZER_SPECIAL_RANGE, c->origin,
                    "%s names \"%s\" as %s, the vocabulary has no such token", c->where,
                    text_shown(shown, sizeof shown, c->text), r->name);
        return;
    }
    c->ids[0] = id;
    c->id_count = 1;
}

static bool agree(const struct special *s, const struct claim *c)
{
    if (s->has_id && c->id_count) {
        for (size_t i = 0; i < c->id_count; i++)
            if (c->ids[i] == s->id)
                return true;
        return false;
    }
    return s->text.n == 0 || c->text.n == 0 || span_eq(s->text, c->text);
}

static const char *words(char *out, size_t size, bool has_id, uint64_t id, struct span text)
{
    char shown[64];
    if (has_id)
        snprintf(out, size, "%llu \"%s\"", (unsigned long long)id,
                 text_shown(shown, sizeof shown, text));
    else
        snprintf(out, size, "\"%s\"", text_shown(shown, sizeof shown, text));
    return out;
}

static void merge(struct special *s, const char **first, const struct claim *c,
                  const struct vocabulary *v)
{
    char a[128], b[128];
    if (!*first) {
        *first = c->where;
        s->has_id = c->id_count > 0;
        s->id = c->ids[0];
        s->text = c->text;
        return;
    }
    if (!agree(s, c))
        verdict_add(&v->m->verdict, RULE_TOKENIZER_SPECIAL_DISAGREEMENT, c->origin,
                    "%s: %s says %s, %s says %s", s->role, *first,
                    words(a, sizeof a, s->has_id, s->id, s->text), c->where,
                    words(b, sizeof b, c->id_count > 0, c->ids[0], c->text));
    if (!s->has_id && c->id_count) {
        s->has_id = true;
        s->id = c->ids[0];
    }
    if (s->text.n == 0)
        s->text = c->text;
}

void special_tokens(const struct vocabulary *v, struct tokenizer_facts *out)
{
    for (size_t r = 0; r < sizeof roles / sizeof *roles; r++) {
        struct special s = {.role = roles[r].name};
        const char *first = NULL;
        struct claim c;
        if (from_gguf(&c, v->m, &roles[r])) {
            resolve(&c, v, &roles[r]);
            merge(&s, &first, &c, v);
        }
        for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
            if (!from_document(&c, v->m, &roles[r], i))
                continue;
            resolve(&c, v, &roles[r]);
            merge(&s, &first, &c, v);
        }
        if (first && out->special_count < sizeof out->special / sizeof *out->special)
            out->special[out->special_count++] = s;
    }
}
