/*
 * A GGUF file's vocabulary: tokenizer.ggml.* (gguf docs, "Tokenizer"). Tokens,
 * types and scores are walked once, side by side.
 */
#include "inspect/vocabulary.h"

#include "assay/base/text.h"

enum { TOKEN_TYPE_CONTROL = 3 }; /* llama.h, enum llama_token_type */

static const char *kind_of(struct span model)
{
    static const char *const kinds[][2] = {
        {"llama", "SPM"},     {"gpt2", "BPE"},  {"bert", "WordPiece"}, {"t5", "Unigram"},
        {"gemma4", "BPE"},    {"rwkv", "RWKV"}, {"plamo2", "PLaMo-2"}, {"replit", "Unigram"},
        {"no_vocab", "none"}, {"none", "none"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_is(model, kinds[i][0]))
            return kinds[i][1];
    return NULL;
}

/* An array of the wanted kind, or NULL with a finding when it is another. */
static const struct metadata *array(const struct vocabulary *v, const char *key, bool strings)
{
    const struct metadata *d = model_metadata(v->m, key);
    if (!d)
        return NULL;
    bool right = d->value.type == VALUE_ARRAY && d->value.element != VALUE_ARRAY &&
                 (d->value.element == VALUE_STRING) == strings;
    if (right)
        return d;
    const char *got = d->value.type == VALUE_ARRAY ? value_type_name(d->value.element)
                                                   : value_type_name(d->value.type);
    verdict_add(
        &v->m->verdict, RULE_TOKENIZER_TYPE, d->origin, "%s is %s%s, expected an array of %s", key,
        d->value.type == VALUE_ARRAY ? "an array of " : "", got, strings ? "strings" : "numbers");
    return NULL;
}

/* A list that runs beside the tokens must be as long as they are. */
static const struct metadata *beside(const struct vocabulary *v, const char *key,
                                     const struct metadata *tokens)
{
    const struct metadata *d = array(v, key, false);
    if (!d || d->value.count == tokens->value.count)
        return d;
    verdict_add(&v->m->verdict, RULE_TOKENIZER_COUNTS, d->origin,
                "%s has %llu entries, the vocabulary %llu", key, (unsigned long long)d->value.count,
                (unsigned long long)tokens->value.count);
    return NULL;
}

static void check_control(const struct vocabulary *v, struct span text, uint64_t id,
                          struct origin o)
{
    uint32_t c;
    char shown[96];
    if (first_hidden(text, &c) != SIZE_MAX)
        verdict_add(&v->m->verdict, RULE_TOKENIZER_HIDDEN, o, "token %llu \"%s\" contains U+%04X",
                    (unsigned long long)id, text_shown(shown, sizeof shown, text), (unsigned)c);
}

static void walk(struct vocabulary *v, const struct metadata *tokens, const struct metadata *types)
{
    struct value_iter it = value_items(&tokens->value);
    struct value_iter types_it = types ? value_items(&types->value) : (struct value_iter){0};
    uint64_t base = tokens->origin.offset + tokens->origin.length - tokens->value.items.n;
    struct value token, type;
    uint64_t at = cursor_at(&it.c), first = at;
    for (uint64_t id = 0; value_next(&it, &token); id++) {
        struct origin o = {tokens->origin.file, base + (at - first), 0};
        uint64_t kind = 0;
        if (types && value_next(&types_it, &type))
            (void)value_u64(&type, &kind);
        if (kind == TOKEN_TYPE_CONTROL)
            check_control(v, token.string, id, o);
        vocabulary_add(v, id, token.string, o);
        at = cursor_at(&it.c);
    }
}

bool vocabulary_from_gguf(struct vocabulary *v, struct tokenizer_facts *out)
{
    struct span model;
    if (!metadata_string(v->m, "tokenizer.ggml.model", &model))
        return true;
    out->kind = kind_of(model);
    (void)metadata_string(v->m, "tokenizer.ggml.pre", &out->pre);
    const struct metadata *merges = array(v, "tokenizer.ggml.merges", true);
    out->merges = merges ? merges->value.count : 0;
    const struct metadata *tokens = array(v, "tokenizer.ggml.tokens", true);
    if (!tokens)
        return true;
    out->size = tokens->value.count;
    (void)beside(v, "tokenizer.ggml.scores", tokens);
    const struct metadata *types = beside(v, "tokenizer.ggml.token_type", tokens);
    size_t n = (size_t)tokens->value.count;
    if (!vocabulary_init(v, n, n))
        return false;
    walk(v, tokens, types);
    return true;
}
