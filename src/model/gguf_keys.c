/*
 * What well-known GGUF keys must hold (docs/gguf.md, "Standardized key-value
 * pairs"): types, the vocabulary's arrays, layer counts, chat templates.
 * Loaders index these arrays with one another's lengths, so that a mismatch
 * is an attack as often as a mistake.
 */
#include "model/gguf.h"

#include <inttypes.h>
#include <string.h>

#include "assay/base/text.h"

enum { SHOWN = 96 };

/* ---- types ---- */

static const struct {
    const char *key;
    enum value_type type; /* of the value, or of its items */
    bool array;
} known[] = {
    {"general.architecture", VALUE_STRING, false},
    {"general.name", VALUE_STRING, false},
    {"general.license", VALUE_STRING, false},
    {"general.file_type", VALUE_U32, false},
    {"general.quantization_version", VALUE_U32, false},
    {"general.languages", VALUE_STRING, true},
    {"general.datasets", VALUE_STRING, true},
    {"general.tags", VALUE_STRING, true},
    {"tokenizer.ggml.model", VALUE_STRING, false},
    {"tokenizer.ggml.pre", VALUE_STRING, false},
    {"tokenizer.chat_template", VALUE_STRING, false},
    {"split.no", VALUE_U16, false},
    {"split.count", VALUE_U16, false},
    {"split.tensors.count", VALUE_I32, false},
};

static const char *type_words(const struct value *v)
{
    return value_type_name(v->type == VALUE_ARRAY ? v->element : v->type);
}

static void check_types(struct gguf *g)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct metadata *d = gguf_pair(g, known[i].key);
        if (!d)
            continue;
        const struct value *v = &d->value;
        bool array = v->type == VALUE_ARRAY;
        if (array == known[i].array && (array ? v->element : v->type) == known[i].type)
            continue;
        struct origin o = d->origin;
        model_note(g->m, g->file, o.offset, o.length, RULE_GGUF_KEY_TYPE,
                   "%s is %s%s, expected %s%s", known[i].key, array ? "array of " : "",
                   type_words(v), known[i].array ? "array of " : "",
                   value_type_name(known[i].type));
    }
}

/* Required keys; later parts of a split set carry none of them. */
static void check_required(struct gguf *g)
{
    uint64_t part;
    const struct metadata *no = gguf_pair(g, "split.no");
    if ((no && value_u64(&no->value, &part) && part > 0) || g->m->tensor_count == g->first_tensor)
        return;
    if (!gguf_pair(g, "general.architecture"))
        model_note(g->m, g->file, 0, 0, RULE_GGUF_KEY_MISSING,
                   "general.architecture is missing and required");
    bool quantised = false;
    for (size_t i = g->first_tensor; i < g->m->tensor_count && !quantised; i++) {
        enum dtype t = g->m->tensors[i].dtype;
        quantised = t != DTYPE_NONE && dtypes[t].kind == DTYPE_BLOCK;
    }
    if (quantised && !gguf_pair(g, "general.quantization_version"))
        model_note(g->m, g->file, 0, 0, RULE_GGUF_KEY_MISSING,
                   "general.quantization_version is missing and required of quantised tensors");
}

/* ---- the vocabulary ---- */

struct vocabulary {
    const struct metadata *tokens, *kinds;
    uint64_t count;
};

static const struct {
    const char *key;
    enum value_type element, also;
    bool per_token; /* as many items as there are tokens */
} vocabulary_arrays[] = {
    {"tokenizer.ggml.tokens", VALUE_STRING, VALUE_STRING, true},
    {"tokenizer.ggml.scores", VALUE_F32, VALUE_F32, true},
    {"tokenizer.ggml.token_type", VALUE_I32, VALUE_U32, true},
    {"tokenizer.ggml.merges", VALUE_STRING, VALUE_STRING, false},
    {"tokenizer.ggml.added_tokens", VALUE_STRING, VALUE_STRING, false},
};

/* The pair when it is the array that it must be. */
static const struct metadata *array_of(struct gguf *g, size_t row)
{
    const struct metadata *d = gguf_pair(g, vocabulary_arrays[row].key);
    if (!d)
        return NULL;
    const struct value *v = &d->value;
    if (v->type == VALUE_ARRAY &&
        (v->element == vocabulary_arrays[row].element || v->element == vocabulary_arrays[row].also))
        return d;
    struct origin o = d->origin;
    model_note(g->m, g->file, o.offset, o.length, RULE_GGUF_TOKENIZER_TYPE,
               "%s is %s%s, expected an array of %s", vocabulary_arrays[row].key,
               v->type == VALUE_ARRAY ? "an array of " : "", type_words(v),
               value_type_name(vocabulary_arrays[row].element));
    return NULL;
}

static void check_arrays(struct gguf *g, struct vocabulary *out)
{
    for (size_t i = 0; i < sizeof vocabulary_arrays / sizeof *vocabulary_arrays; i++) {
        const struct metadata *d = array_of(g, i);
        if (!d)
            continue;
        if (i == 0) {
            out->tokens = d;
            out->count = d->value.count;
        }
        if (vocabulary_arrays[i].element == VALUE_I32)
            out->kinds = d;
        if (!out->tokens || !vocabulary_arrays[i].per_token || d->value.count == out->count)
            continue;
        model_note(g->m, g->file, d->origin.offset, d->origin.length, RULE_GGUF_TOKENIZER_LENGTH,
                   "%s has %" PRIu64 " items, expected %" PRIu64 " as tokenizer.ggml.tokens",
                   vocabulary_arrays[i].key, d->value.count, out->count);
    }
}

static bool is_hex(uint8_t ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'F') || (ch >= 'a' && ch <= 'f');
}

/* "<0xHH>", or any text that does not pretend to be that. */
static bool byte_token_is_fine(struct span s, uint64_t kind)
{
    enum { KIND_BYTE = 6 }; /* llama.h, LLAMA_TOKEN_TYPE_BYTE */
    bool looks = s.n == 6 && span_starts(s, "<0x") && s.p[5] == '>';
    if (looks)
        return is_hex(s.p[3]) && is_hex(s.p[4]);
    /* Some vocabularies hold the byte itself. */
    return kind != KIND_BYTE || s.n == 1 || !span_starts(s, "<0x");
}

struct first {
    uint64_t count, index;
};

static void count_first(struct first *f, bool bad, uint64_t index)
{
    if (bad && f->count++ == 0)
        f->index = index;
}

static void note_tokens(struct gguf *g, const struct first *f, const struct metadata *d,
                        enum rule_id rule, const char *what)
{
    if (f->count)
        model_note(g->m, g->file, d->origin.offset, d->origin.length, rule,
                   "%" PRIu64 " items %s; the first is item %" PRIu64, f->count, what, f->index);
}

static void check_tokens(struct gguf *g, const struct vocabulary *v)
{
    enum { KIND_MAX = 6 }; /* llama.h, enum llama_token_type */
    struct first odd_kind = {0}, too_long = {0}, bad_byte = {0};
    struct value none = {.type = VALUE_U8}, token, kind = {0};
    struct value_iter tokens = value_items(&v->tokens->value);
    struct value_iter kinds = value_items(v->kinds ? &v->kinds->value : &none);
    for (uint64_t i = 0; value_next(&tokens, &token); i++) {
        uint64_t k = 0;
        if (value_next(&kinds, &kind))
            count_first(&odd_kind, !value_u64(&kind, &k) || k > KIND_MAX, i);
        count_first(&too_long, token.string.n > GGUF_MAX_TOKEN, i);
        count_first(&bad_byte, !byte_token_is_fine(token.string, k), i);
    }
    if (v->kinds)
        note_tokens(g, &odd_kind, v->kinds, RULE_GGUF_TOKEN_KIND,
                    "of tokenizer.ggml.token_type are outside 0 to 6");
    note_tokens(g, &too_long, v->tokens, RULE_GGUF_TOKEN_LONG,
                "of tokenizer.ggml.tokens are longer than 4,096 bytes");
    note_tokens(g, &bad_byte, v->tokens, RULE_GGUF_TOKEN_BYTE,
                "of tokenizer.ggml.tokens begin as <0xHH> without two hexadecimal digits");
}

/* A merge is two pieces and a space between them; pieces may begin with one. */
static void check_merges(struct gguf *g)
{
    const struct metadata *d = gguf_pair(g, "tokenizer.ggml.merges");
    if (!d || d->value.type != VALUE_ARRAY || d->value.element != VALUE_STRING)
        return;
    struct first bad = {0};
    struct value item;
    struct value_iter it = value_items(&d->value);
    for (uint64_t i = 0; value_next(&it, &item); i++) {
        struct span s = item.string;
        const uint8_t *space = s.n > 1 ? memchr(s.p + 1, ' ', s.n - 1) : NULL;
        count_first(&bad, !space || space + 1 == s.p + s.n, i);
    }
    note_tokens(g, &bad, d, RULE_GGUF_MERGE, "of tokenizer.ggml.merges are not two pieces");
}

/* tokenizer.ggml.*_token_id index the vocabulary. */
static void check_ids(struct gguf *g, uint64_t count)
{
    char shown[SHOWN];
    for (size_t i = g->first_pair; i < g->m->metadata_count; i++) {
        const struct metadata *d = &g->m->metadata[i];
        uint64_t id;
        if (!span_starts(d->key, "tokenizer.ggml.") || !span_ends(d->key, "_token_id"))
            continue;
        if (value_u64(&d->value, &id) && id < count)
            continue;
        model_note(g->m, g->file, d->origin.offset, d->origin.length, RULE_GGUF_TOKEN_ID,
                   "\"%s\" is not the number of one of the %" PRIu64 " tokens",
                   text_shown(shown, sizeof shown, d->key), count);
    }
}

static void check_vocabulary(struct gguf *g)
{
    struct vocabulary v = {0};
    check_arrays(g, &v);
    check_merges(g);
    if (!v.tokens)
        return;
    check_tokens(g, &v);
    check_ids(g, v.count);
}

/* ---- the rest ---- */

static void check_layers(struct gguf *g)
{
    char shown[SHOWN];
    for (size_t i = g->first_pair; i < g->m->metadata_count; i++) {
        const struct metadata *d = &g->m->metadata[i];
        uint64_t n;
        if (!span_ends(d->key, ".block_count") || !value_u64(&d->value, &n) || n <= GGUF_MAX_LAYERS)
            continue;
        model_note(g->m, g->file, d->origin.offset, d->origin.length, RULE_GGUF_LAYERS,
                   "\"%s\" is %" PRIu64 ", loaders take at most %d",
                   text_shown(shown, sizeof shown, d->key), n, GGUF_MAX_LAYERS);
    }
}

/* tokenizer.chat_template and tokenizer.chat_template.NAME. */
static void find_templates(struct gguf *g)
{
    static const char key[] = "tokenizer.chat_template";
    for (size_t i = g->first_pair; i < g->m->metadata_count && !g->no_memory; i++) {
        const struct metadata *d = &g->m->metadata[i];
        size_t n = sizeof key - 1;
        bool named = d->key.n > n + 1 && span_starts(d->key, "tokenizer.chat_template.");
        if ((!named && !span_is(d->key, key)) || d->value.type != VALUE_STRING)
            continue;
        struct text *t = model_add_template(g->m);
        g->no_memory = t == NULL;
        if (t)
            *t = (struct text){.bytes = d->value.string,
                               .name = named ? span_sub(d->key, n + 1, d->key.n) : SPAN_EMPTY,
                               .origin = {g->file,
                                          d->origin.offset + d->origin.length - d->value.string.n,
                                          d->value.string.n}};
    }
}

void gguf_check_keys(struct gguf *g)
{
    check_types(g);
    check_required(g);
    check_layers(g);
    check_vocabulary(g);
    find_templates(g);
}
