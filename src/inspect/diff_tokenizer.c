/*
 * What differs between two vocabularies, whichever container they stand in:
 * tokens by their text, merges by their order, scores and types by position.
 * A vocabulary has a hundred thousand entries, so differences are counted and
 * the first few named.
 */
#include "inspect/diff.h"

#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

enum { NAMED = 5, NAMED_CHARS = 32 };

struct token {
    struct span text;
    uint64_t id;
};

struct vocabulary {
    struct token *v;
    size_t n, cap;
    struct map by_text;
    bool gguf;
};

struct merges {
    struct span *v;
    size_t n, cap;
};

/* A count and the first few names. */
struct sample {
    struct buf text;
    uint64_t count;
};

static bool add_token(struct vocabulary *v, struct arena *arena, struct span text, uint64_t id)
{
    uint32_t previous;
    if (v->n >= MAP_NONE || !map_put(&v->by_text, text, (uint32_t)v->n, &previous))
        return false;
    if (previous != MAP_NONE) /* the first of a repeated text counts */
        return true;
    struct token *t = arena_grow(arena, v->v, v->n, &v->cap, sizeof *t);
    if (!t)
        return false;
    v->v = t;
    t[v->n++] = (struct token){text, id};
    return true;
}

static bool take_gguf(struct vocabulary *v, const struct value *tokens, struct arena *arena)
{
    struct value_iter it = value_items(tokens);
    struct value item;
    for (uint64_t id = 0; value_next(&it, &item); id++)
        if (item.type == VALUE_STRING && !add_token(v, arena, item.string, id))
            return false;
    return true;
}

/* {"token": id} of BPE and WordPiece, [["token", score]] of Unigram. */
static bool take_json(struct vocabulary *v, struct json root, struct arena *arena)
{
    struct json vocab = json_get(json_get(root, "model"), "vocab");
    bool list = json_type(vocab) == JSON_ARRAY;
    uint64_t id = 0;
    struct span text;
    for (struct json t = json_first(vocab); json_type(t); t = json_next(t)) {
        if (list ? !json_string(json_first(t), &text) : !json_u64(t, &id))
            continue;
        if (!add_token(v, arena, list ? text : json_key(t), id))
            return false;
        id++;
    }
    for (struct json t = json_first(json_get(root, "added_tokens")); json_type(t); t = json_next(t))
        if (json_string(json_get(t, "content"), &text) && json_u64(json_get(t, "id"), &id) &&
            !add_token(v, arena, text, id))
            return false;
    return true;
}

static bool take_vocabulary(struct vocabulary *v, const struct model *m, struct arena *arena)
{
    const struct metadata *tokens = model_metadata(m, "tokenizer.ggml.tokens");
    struct json root = m->documents[DOC_TOKENIZER].root;
    if (!map_init(&v->by_text, arena, 1024))
        return false;
    v->gguf = tokens && tokens->value.type == VALUE_ARRAY;
    if (v->gguf)
        return take_gguf(v, &tokens->value, arena);
    return take_json(v, root, arena);
}

/* ---- tokens ---- */

static void sample_add(struct sample *s, struct span text)
{
    if (s->count++ >= NAMED)
        return;
    buf_put_str(&s->text, s->count > 1 ? ", \"" : ": \"");
    text_show(&s->text, text, NAMED_CHARS);
    buf_put_u8(&s->text, '"');
}

static void sample_entry(struct entries *x, struct sample *s, const char *what, bool in_b,
                         size_t all)
{
    if (s->count == 0)
        return;
    const char *text = arena_printf(x->arena, "%llu of %zu%s%s", (unsigned long long)s->count, all,
                                    buf_cstr(&s->text), s->count > NAMED ? ", ..." : "");
    x->failed |= text == NULL;
    entry_add(x, "tokenizer", what, in_b ? NULL : text, in_b ? text : NULL);
}

/* Converters fill a vocabulary up to the embedding's rows with these. */
static bool is_padding(const struct token *t, bool crossed)
{
    char text[32];
    snprintf(text, sizeof text, "[PAD%llu]", (unsigned long long)t->id);
    return crossed && span_is(t->text, text);
}

static void diff_tokens(struct entries *x, const struct vocabulary *a, const struct vocabulary *b)
{
    struct sample removed = {0}, added = {0}, moved = {0};
    bool crossed = a->gguf != b->gguf;
    buf_init(&removed.text, 4096);
    buf_init(&added.text, 4096);
    buf_init(&moved.text, 4096);
    for (size_t i = 0; i < a->n; i++) {
        uint32_t j = map_get(&b->by_text, a->v[i].text);
        if (j == MAP_NONE && !is_padding(&a->v[i], crossed))
            sample_add(&removed, a->v[i].text);
        else if (j != MAP_NONE && a->v[i].id != b->v[j].id)
            sample_add(&moved, a->v[i].text);
    }
    for (size_t j = 0; j < b->n; j++)
        if (map_get(&a->by_text, b->v[j].text) == MAP_NONE && !is_padding(&b->v[j], crossed))
            sample_add(&added, b->v[j].text);
    sample_entry(x, &removed, "tokens removed", false, a->n);
    sample_entry(x, &added, "tokens added", true, b->n);
    sample_entry(x, &moved, "tokens of another id", true, b->n);
    buf_free(&removed.text);
    buf_free(&added.text);
    buf_free(&moved.text);
}

/* ---- merges ---- */

static bool add_merge(struct merges *m, struct arena *arena, struct span s)
{
    struct span *v = arena_grow(arena, m->v, m->n, &m->cap, sizeof *v);
    if (!v)
        return false;
    m->v = v;
    v[m->n++] = s;
    return true;
}

/* "a b", or ["a", "b"] since tokenizers 0.20. */
static bool merge_text(struct span *out, struct json item, struct arena *arena)
{
    struct span left, right;
    *out = SPAN_EMPTY;
    if (json_string(item, out))
        return true;
    if (!json_string(json_at(item, 0), &left) || !json_string(json_at(item, 1), &right))
        return true;
    uint8_t *p = arena_array(arena, left.n + right.n + 1, 1);
    if (!p)
        return false;
    if (left.n)
        memcpy(p, left.p, left.n);
    p[left.n] = ' ';
    if (right.n)
        memcpy(p + left.n + 1, right.p, right.n);
    *out = (struct span){p, left.n + right.n + 1};
    return true;
}

static bool take_merges(struct merges *m, const struct model *model, struct arena *arena)
{
    const struct metadata *stored = model_metadata(model, "tokenizer.ggml.merges");
    struct span text;
    if (stored && stored->value.type == VALUE_ARRAY) {
        struct value_iter it = value_items(&stored->value);
        struct value item;
        while (value_next(&it, &item))
            if (item.type == VALUE_STRING && !add_merge(m, arena, item.string))
                return false;
        return true;
    }
    struct json root = model->documents[DOC_TOKENIZER].root;
    struct json list = json_get(json_get(root, "model"), "merges");
    for (struct json v = json_first(list); json_type(v); v = json_next(v))
        if (!merge_text(&text, v, arena) || !add_merge(m, arena, text))
            return false;
    return true;
}

static const char *merge_shown(struct entries *x, const struct merges *m, size_t at)
{
    char name[160];
    const char *text = at < m->n ? arena_printf(x->arena, "%zu merges, number %zu: %s", m->n, at,
                                                text_shown(name, sizeof name, m->v[at]))
                                 : arena_printf(x->arena, "%zu merges", m->n);
    x->failed |= text == NULL;
    return text;
}

static void diff_merge_lists(struct entries *x, const struct merges *a, const struct merges *b,
                             bool crossed)
{
    size_t i = 0;
    if (crossed && (a->n == 0 || b->n == 0)) /* SentencePiece in GGUF keeps none */
        return;
    while (i < a->n && i < b->n && span_eq(a->v[i], b->v[i]))
        i++;
    if (i < a->n || i < b->n)
        entry_add(x, "tokenizer", "merges", merge_shown(x, a, i), merge_shown(x, b, i));
}

/* ---- scores and types, in GGUF only ---- */

static void diff_numbers(struct entries *x, const struct model *a, const struct model *b,
                         const char *key, const char *what)
{
    const struct metadata *ma = model_metadata(a, key), *mb = model_metadata(b, key);
    uint64_t differ = 0;
    if (!ma || !mb || ma->value.type != VALUE_ARRAY || mb->value.type != VALUE_ARRAY)
        return;
    struct value_iter i = value_items(&ma->value), j = value_items(&mb->value);
    struct value u, v;
    while (value_next(&i, &u) && value_next(&j, &v))
        differ += u.type != v.type || memcmp(&u.u, &v.u, sizeof u.u) != 0;
    if (differ == 0)
        return;
    const char *text = arena_printf(x->arena, "%llu of %llu differ", (unsigned long long)differ,
                                    (unsigned long long)mb->value.count);
    x->failed |= text == NULL;
    entry_add(x, "tokenizer", what, NULL, text);
}

bool diff_tokenizers(struct entries *x, struct model *a, struct model *b)
{
    struct vocabulary va = {0}, vb = {0};
    struct merges ma = {0}, mb = {0};
    if (!take_vocabulary(&va, a, x->arena) || !take_vocabulary(&vb, b, x->arena) ||
        !take_merges(&ma, a, x->arena) || !take_merges(&mb, b, x->arena))
        return false;
    bool either_none = va.n == 0 || vb.n == 0, crossed = va.gguf != vb.gguf;
    if (either_none && crossed)
        return true; /* weights alone: nothing is said about a tokenizer */
    diff_tokens(x, &va, &vb);
    diff_merge_lists(x, &ma, &mb, crossed);
    diff_numbers(x, a, b, "tokenizer.ggml.scores", "scores");
    diff_numbers(x, a, b, "tokenizer.ggml.token_type", "token types");
    return !x->failed;
}
