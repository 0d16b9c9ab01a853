/*
 * A tokenizer from tokenizer.json (Hugging Face tokenizers, format 1.0): its
 * vocabulary, merges and added tokens, and the roles that the other documents
 * give them. The stages around the model are in load_stages.c.
 */
#include "tokenizer/json.h"

#include <math.h>
#include <string.h>

#include "assay/base/text.h"

bool json_fault(struct err *e, struct json at, enum err_code code, const char *what)
{
    return err_at(e, code, "tokenizer.json", json_type(at) ? json_offset(at) : ERR_NO_OFFSET, "%s",
                  what);
}

bool json_is(struct json v, const char *key, const char *text)
{
    struct span s;
    return json_string(json_get(v, key), &s) && span_is(s, text);
}

bool json_flag(struct json v, const char *key, bool missing)
{
    bool b = missing;
    (void)json_bool(json_get(v, key), &b);
    return b;
}

bool json_filled(struct json v, const char *key)
{
    struct span s;
    return json_string(json_get(v, key), &s) && s.n > 0;
}

static bool out_of_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "out of memory");
}

/* ---- vocabulary ---- */

static bool id_of(struct json v, uint64_t *id, struct err *e)
{
    if (!json_u64(v, id))
        return json_fault(e, v, ERR_FORMAT, "a token's id is not a whole number");
    return *id < TOKENIZER_MAX_TOKENS ||
           json_fault(e, v, ERR_LIMIT, "a token's id is above 4194303");
}

/* Ids reach from 0 to the largest of vocabulary and added tokens. */
static bool count_ids(size_t *count, struct json vocab, struct json added, struct err *e)
{
    uint64_t id;
    *count = json_type(vocab) == JSON_ARRAY ? json_count(vocab) : 0;
    for (struct json i = json_first(vocab); json_type(vocab) == JSON_OBJECT && json_type(i);
         i = json_next(i)) {
        if (!id_of(i, &id, e))
            return false;
        *count = id >= *count ? (size_t)id + 1 : *count;
    }
    for (struct json i = json_first(added); json_type(i); i = json_next(i)) {
        if (!id_of(json_get(i, "id"), &id, e))
            return false;
        *count = id >= *count ? (size_t)id + 1 : *count;
    }
    if (*count == 0 || *count > TOKENIZER_MAX_TOKENS)
        return json_fault(e, vocab, ERR_FORMAT, "no tokens, or more than 4194304");
    return true;
}

static bool enter(struct tokenizer *t, uint64_t id, struct span text, struct json at, struct err *e)
{
    struct entry *x = &t->entries[id];
    if (x->text.p)
        return span_eq(x->text, text) || json_fault(e, at, ERR_FORMAT, "two tokens have this id");
    x->text = arena_span(t->arena, text);
    if (!x->text.p && text.n)
        return out_of_memory(e);
    if (!x->text.p)
        x->text.p = (const uint8_t *)"";
    x->type = TOKEN_NORMAL;
    return true;
}

static bool read_object(struct tokenizer *t, struct json vocab, struct err *e)
{
    uint64_t id;
    for (struct json i = json_first(vocab); json_type(i); i = json_next(i))
        if (!id_of(i, &id, e) || !enter(t, id, json_key(i), i, e))
            return false;
    return true;
}

/* Unigram: [["text", score], ...] */
static bool read_pairs(struct tokenizer *t, struct json vocab, struct err *e)
{
    uint64_t id = 0;
    t->scores = arena_array(t->arena, t->count, sizeof *t->scores);
    if (!t->scores)
        return out_of_memory(e);
    for (struct json i = json_first(vocab); json_type(i); i = json_next(i), id++) {
        struct span text;
        double score;
        if (!json_string(json_at(i, 0), &text) || !json_double(json_at(i, 1), &score) ||
            isnan(score))
            return json_fault(e, i, ERR_FORMAT, "an entry is not a text and a score");
        if (!enter(t, id, text, i, e))
            return false;
        t->scores[id] = score;
        t->entries[id].score = (float)score;
    }
    return true;
}

static bool read_added(struct tokenizer *t, struct json added, struct err *e)
{
    uint64_t id;
    for (struct json i = json_first(added); json_type(i); i = json_next(i)) {
        struct span text;
        if (!json_string(json_get(i, "content"), &text))
            return json_fault(e, i, ERR_FORMAT, "an added token has no content");
        if (!id_of(json_get(i, "id"), &id, e))
            return false;
        struct entry *x = &t->entries[id];
        x->outside = !x->text.p;
        if (!enter(t, id, text, i, e))
            return false;
        x->added = true;
        x->type = json_flag(i, "special", false) ? TOKEN_CONTROL : TOKEN_USER_DEFINED;
        /* A control token is sought as it is written: marks end where text is normalised. */
        x->normalised = x->type != TOKEN_CONTROL && json_flag(i, "normalized", true);
        x->left_strip = json_flag(i, "lstrip", false);
        x->right_strip = json_flag(i, "rstrip", false);
        x->single_word = json_flag(i, "single_word", false);
    }
    return true;
}

static bool vocabulary(struct tokenizer *t, struct json root, struct err *e)
{
    struct json vocab = json_get(json_get(root, "model"), "vocab");
    struct json added = json_get(root, "added_tokens");
    bool pairs = t->kind == TOKENIZER_UNIGRAM;
    if (json_type(vocab) != (pairs ? JSON_ARRAY : JSON_OBJECT))
        return json_fault(e, vocab, ERR_FORMAT, "model.vocab is missing or of another type");
    if (!count_ids(&t->count, vocab, added, e))
        return false;
    t->entries = arena_array(t->arena, t->count, sizeof *t->entries);
    if (!t->entries)
        return out_of_memory(e);
    if (!(pairs ? read_pairs(t, vocab, e) : read_object(t, vocab, e)) || !read_added(t, added, e))
        return false;
    uint8_t byte;
    for (size_t i = 0; i < t->count && t->byte_fallback; i++)
        if (byte_token(t->entries[i].text, &byte)) {
            t->entries[i].type = TOKEN_BYTE;
            t->entries[i].added = false;
        }
    return true;
}

/* ---- merges ---- */

enum { ODD_MERGES_MAX = 1000 };

struct merge_reader {
    struct tokenizer *t;
    struct buf left, right;
    size_t odd; /* merges of tokens that text never becomes */
    struct err *e;
};

static bool spell(const struct tokenizer *t, struct span text, struct buf *out)
{
    buf_clear(out);
    if (t->byte_level)
        return byte_level_decode(out, text) && buf_ok(out);
    buf_put_span(out, text);
    return buf_ok(out);
}

/* "a b", or ["a", "b"]. */
static bool parts_of(struct json v, struct span *left, struct span *right)
{
    struct span s;
    if (json_type(v) == JSON_ARRAY)
        return json_count(v) == 2 && json_string(json_at(v, 0), left) &&
               json_string(json_at(v, 1), right);
    if (!json_string(v, &s) || !s.n)
        return false;
    const uint8_t *space = memchr(s.p, ' ', s.n);
    if (!space)
        return false;
    size_t n = (size_t)(space - s.p);
    *left = span_sub(s, 0, n);
    *right = span_sub(s, n + 1, s.n);
    return !memchr(right->p, ' ', right->n) && left->n && right->n;
}

/* A part that is no piece: a control token's text is let pass, anything else is a fault. */
static bool odd_part(struct merge_reader *r, struct json at, struct span text)
{
    if (++r->odd > ODD_MERGES_MAX)
        return json_fault(r->e, at, ERR_FORMAT, "too many merges of tokens that are no text");
    return tokenizer_id(r->t, text) != TOKEN_NONE ||
           json_fault(r->e, at, ERR_FORMAT, "a merge of what is not in the vocabulary");
}

static bool one_merge(struct merge_reader *r, struct json v, uint32_t rank)
{
    struct tokenizer *t = r->t;
    struct span left, right;
    struct merge m = {.rank = rank};
    if (!parts_of(v, &left, &right))
        return json_fault(r->e, v, ERR_FORMAT, "a merge is not two parts");
    if (!spell(t, left, &r->left) || !spell(t, right, &r->right))
        return odd_part(r, v, left);
    m.left = pieces_get(t, buf_span(&r->left));
    m.right = pieces_get(t, buf_span(&r->right));
    buf_put_span(&r->left, buf_span(&r->right));
    m.result = pieces_get(t, buf_span(&r->left));
    if (m.left == TOKEN_NONE)
        return odd_part(r, v, left);
    if (m.right == TOKEN_NONE)
        return odd_part(r, v, right);
    if (m.result == TOKEN_NONE) {
        struct buf whole;
        buf_init(&whole, left.n + right.n + 1);
        buf_put_span(&whole, left);
        buf_put_span(&whole, right);
        bool ok = odd_part(r, v, buf_span(&whole));
        buf_free(&whole);
        return ok;
    }
    if (merges_get(&t->merges, m.left, m.right))
        return json_fault(r->e, v, ERR_FORMAT, "a merge stands there twice");
    merges_put(&t->merges, m);
    return true;
}

static bool merges(struct tokenizer *t, struct json model, struct err *e)
{
    struct json list = json_get(model, "merges");
    struct merge_reader r = {.t = t, .e = e};
    uint32_t rank = 0;
    if (json_type(list) != JSON_ARRAY || json_count(list) > TOKENIZER_MAX_TOKENS)
        return json_fault(e, list, ERR_FORMAT, "model.merges is no list, or longer than 4194304");
    if (!merges_init(&t->merges, t->arena, json_count(list)))
        return out_of_memory(e);
    buf_init(&r.left, 1 << 20);
    buf_init(&r.right, 1 << 20);
    bool ok = true;
    for (struct json i = json_first(list); ok && json_type(i); i = json_next(i))
        ok = one_merge(&r, i, rank++);
    buf_free(&r.left);
    buf_free(&r.right);
    return ok;
}

/* ---- roles ---- */

/* "<s>", or {"content": "<s>"}. */
static void role(const struct tokenizer *t, struct json v, uint32_t *id)
{
    struct span text;
    if (json_type(v) == JSON_OBJECT)
        v = json_get(v, "content");
    if (*id == TOKEN_NONE && json_string(v, &text))
        *id = tokenizer_id(t, text);
}

static void roles(struct tokenizer *t, const struct model *m)
{
    struct token_roles *r = &t->roles;
    static const enum document_kind documents[] = {DOC_TOKENIZER_CONFIG, DOC_SPECIAL_TOKENS_MAP};
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct json d = m->documents[documents[i]].root;
        role(t, json_get(d, "bos_token"), &r->bos);
        role(t, json_get(d, "eos_token"), &r->eos);
        role(t, json_get(d, "unk_token"), &r->unk);
        role(t, json_get(d, "sep_token"), &r->sep);
        role(t, json_get(d, "pad_token"), &r->pad);
        role(t, json_get(d, "cls_token"), &r->cls);
        role(t, json_get(d, "mask_token"), &r->mask);
    }
    struct json config = m->documents[DOC_CONFIG].root;
    uint64_t id;
    if (r->bos == TOKEN_NONE && json_u64(json_get(config, "bos_token_id"), &id) && id < t->count)
        r->bos = (uint32_t)id;
    if (r->eos == TOKEN_NONE && json_u64(json_get(config, "eos_token_id"), &id) && id < t->count)
        r->eos = (uint32_t)id;
}

/* Classes of transformers that put bos and eos around a text by themselves. */
static void around(struct tokenizer *t, const struct model *m)
{
    static const char *const classes[] = {
        "LlamaTokenizer",  "LlamaTokenizerFast",  "GemmaTokenizer",        "GemmaTokenizerFast",
        "CohereTokenizer", "CohereTokenizerFast", "CodeLlamaTokenizerFast"};
    struct token_roles *r = &t->roles;
    struct json config = m->documents[DOC_TOKENIZER_CONFIG].root;
    bool adds = false;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        adds |= json_is(config, "tokenizer_class", classes[i]);
    if (adds && json_flag(config, "add_bos_token", false) && !t->before_count &&
        r->bos != TOKEN_NONE)
        t->before[t->before_count++] = r->bos;
    if (adds && json_flag(config, "add_eos_token", false) && !t->after_count &&
        r->eos != TOKEN_NONE)
        t->after[t->after_count++] = r->eos;
    r->add_bos = t->before_count && t->before[0] == r->bos && r->bos != TOKEN_NONE;
    r->add_eos = t->after_count && t->after[t->after_count - 1] == r->eos && r->eos != TOKEN_NONE;
}

/* ---- models ---- */

static bool setup_bpe(struct tokenizer *t, struct json model, struct err *e)
{
    t->kind = TOKENIZER_BPE;
    t->ignore_merges = json_flag(model, "ignore_merges", false);
    t->fuse_unknown = json_flag(model, "fuse_unk", false);
    t->byte_fallback = json_flag(model, "byte_fallback", false);
    double dropout;
    if (json_double(json_get(model, "dropout"), &dropout) && dropout > 0)
        return json_fault(e, model, ERR_UNSUPPORTED, "model.dropout");
    if (json_filled(model, "continuing_subword_prefix"))
        return json_fault(e, model, ERR_UNSUPPORTED, "model.continuing_subword_prefix");
    if (json_filled(model, "end_of_word_suffix"))
        return json_fault(e, model, ERR_UNSUPPORTED, "model.end_of_word_suffix");
    return true;
}

static bool setup_unigram(struct tokenizer *t, struct json model, struct err *e)
{
    (void)e;
    t->kind = TOKENIZER_UNIGRAM;
    t->fuse_unknown = true;
    t->byte_fallback = json_flag(model, "byte_fallback", false);
    return true;
}

static bool setup_wordpiece(struct tokenizer *t, struct json model, struct err *e)
{
    uint64_t most = 100;
    struct span prefix = span_str("##");
    t->kind = TOKENIZER_WORDPIECE;
    (void)json_u64(json_get(model, "max_input_chars_per_word"), &most);
    (void)json_string(json_get(model, "continuing_subword_prefix"), &prefix);
    t->longest_word = (size_t)most;
    t->subword = arena_span(t->arena, prefix);
    return t->subword.p || !prefix.n || out_of_memory(e);
}

/* Files older than model.type are told by what they hold. */
static bool setup_model(struct tokenizer *t, struct json model, struct err *e)
{
    struct span type = SPAN_EMPTY;
    bool named = json_string(json_get(model, "type"), &type);
    if (span_is(type, "BPE") || (!named && json_type(json_get(model, "merges"))))
        return setup_bpe(t, model, e);
    if (span_is(type, "Unigram") || (!named && json_type(json_get(model, "vocab")) == JSON_ARRAY))
        return setup_unigram(t, model, e);
    if (span_is(type, "WordPiece"))
        return setup_wordpiece(t, model, e);
    char shown[64];
    return err_at(e, ERR_UNSUPPORTED, "tokenizer.json",
                  json_type(model) ? json_offset(model) : ERR_NO_OFFSET,
                  "the model type \"%s\" is not supported; BPE, Unigram and WordPiece are",
                  text_shown(shown, sizeof shown, type));
}

/* tokenizers normalises the text of such a token as it does the text in which it is sought. */
static bool normalise_added(struct tokenizer *t, struct err *e)
{
    struct encoder x = {.t = t, .e = e, .budget = 1 << 20};
    bool ok = true;
    buf_init(&x.normal[0], 1 << 20);
    buf_init(&x.normal[1], 1 << 20);
    for (size_t i = 0; ok && i < t->count; i++) {
        struct entry *n = &t->entries[i];
        if (!n->added || !n->normalised)
            continue;
        ok = normalise(&x, n->text, &n->sought);
        if (ok && n->sought.n)
            ok = (n->sought = arena_span(t->arena, n->sought)).p || out_of_memory(e);
    }
    buf_free(&x.normal[0]);
    buf_free(&x.normal[1]);
    return ok;
}

bool load_json(struct tokenizer *t, const struct model *m, struct err *e)
{
    struct json root = m->documents[DOC_TOKENIZER].root, model = json_get(root, "model");
    struct span key;
    size_t offset;
    uint64_t unk;
    memcpy(t->rule, "tokenizer.json", sizeof "tokenizer.json");
    if (json_duplicate(root, &offset, &key))
        return err_at(e, ERR_FORMAT, "tokenizer.json", offset, "a key stands there twice");
    if (!setup_model(t, model, e) || !load_stages(t, root, e) || !vocabulary(t, root, e))
        return false;
    role(t, json_get(model, "unk_token"), &t->roles.unk);
    if (t->kind == TOKENIZER_UNIGRAM && json_u64(json_get(model, "unk_id"), &unk) && unk < t->count)
        t->roles.unk = (uint32_t)unk;
    roles(t, m);
    finish_roles(t, m);
    if (!load_around(t, json_get(root, "post_processor"), e))
        return false;
    around(t, m);
    return normalise_added(t, e) && vocabulary_finish(t, 0, e) &&
           (t->kind != TOKENIZER_BPE || merges(t, model, e));
}
