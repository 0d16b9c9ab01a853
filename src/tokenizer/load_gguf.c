/*
 * A tokenizer from GGUF metadata (gguf docs, "Tokenizer"; defaults as
 * llama.cpp's llama_vocab::impl::load has them).
 */
#include "tokenizer/tokenizer.h"

#include <math.h>
#include <string.h>

#include "assay/base/text.h"
#include "tokenizer/charsmap.h"

#define LOWER_BLOCK "\xE2\x96\x81" /* U+2581, a space in SentencePiece's vocabularies */

enum { UNSPOKEN_MAX = 4096 };

static bool refuse(struct err *e, const char *key, const char *what)
{
    return err_set(e, ERR_FORMAT, "%s: %s", key, what);
}

static const struct metadata *array(const struct model *m, const char *key, enum value_type element,
                                    struct err *e)
{
    const struct metadata *d = model_metadata(m, key);
    if (!d || (d->value.type == VALUE_ARRAY && d->value.element == element))
        return d;
    (void)err_set(e, ERR_FORMAT, "%s is not an array of %s", key, value_type_name(element));
    return NULL;
}

/* ---- tokens ---- */

static bool texts(struct tokenizer *t, const struct model *m, struct err *e)
{
    const char *key = "tokenizer.ggml.tokens";
    const struct metadata *d = array(m, key, VALUE_STRING, e);
    if (!d)
        return e->code ? false : refuse(e, key, "missing: the file holds no vocabulary");
    if (d->value.count == 0 || d->value.count > TOKENIZER_MAX_TOKENS)
        return refuse(e, key, "no tokens, or more than 4194304");
    t->count = (size_t)d->value.count;
    t->entries = arena_array(t->arena, t->count, sizeof *t->entries);
    struct span items = arena_span(t->arena, d->value.items);
    if (!t->entries || !items.p)
        return err_set(e, ERR_MEMORY, "out of memory");
    struct value_iter it = value_items(&d->value);
    struct value v;
    for (size_t i = 0; i < t->count; i++) {
        if (!value_next(&it, &v))
            return refuse(e, key, "ends before its count");
        if (utf8_invalid(v.string) != TEXT_VALID)
            return err_set(e, ERR_FORMAT, "%s: token %zu is not UTF-8", key, i);
        size_t at = v.string.n ? (size_t)(v.string.p - d->value.items.p) : 0;
        t->entries[i].text = (struct span){items.p + at, v.string.n};
        t->entries[i].type = TOKEN_NORMAL;
    }
    return true;
}

static bool scores(struct tokenizer *t, const struct model *m, struct err *e)
{
    const char *key = "tokenizer.ggml.scores";
    const struct metadata *d = model_metadata(m, key);
    struct value v;
    if (!d)
        return true;
    if (d->value.type != VALUE_ARRAY || d->value.count < t->count ||
        (d->value.element != VALUE_F32 && d->value.element != VALUE_I32))
        return refuse(e, key, "not an array of one number for each token");
    struct value_iter it = value_items(&d->value);
    for (size_t i = 0; i < t->count; i++) {
        double score = 0;
        if (!value_next(&it, &v) || !value_double(&v, &score) || isnan(score))
            return refuse(e, key, "holds what is not a number");
        t->entries[i].score = (float)score;
    }
    return true;
}

static bool types(struct tokenizer *t, const struct model *m, struct err *e)
{
    const char *key = "tokenizer.ggml.token_type";
    const struct metadata *d = array(m, key, VALUE_I32, e);
    struct value v;
    if (!d)
        return e->code == ERR_NONE;
    if (d->value.count < t->count)
        return refuse(e, key, "is shorter than the vocabulary");
    struct value_iter it = value_items(&d->value);
    for (size_t i = 0; i < t->count; i++) {
        uint64_t type = TOKEN_UNDEFINED;
        if (!value_next(&it, &v))
            return refuse(e, key, "ends before its count");
        (void)value_u64(&v, &type);
        struct entry *x = &t->entries[i];
        x->type = type <= TOKEN_BYTE ? (uint8_t)type : TOKEN_UNDEFINED;
        x->added =
            x->type == TOKEN_CONTROL || x->type == TOKEN_UNKNOWN || x->type == TOKEN_USER_DEFINED;
    }
    return true;
}

/* ---- merges ---- */

/* The number of a part of a merge; one that is no token gets a number of its own. */
static bool part(struct tokenizer *t, struct span text, uint32_t *number, struct err *e)
{
    *number = pieces_get(t, text);
    if (*number != TOKEN_NONE)
        return true;
    if (t->unspoken_count == UNSPOKEN_MAX)
        return refuse(e, "tokenizer.ggml.merges", "more than 4096 parts are no tokens");
    struct span *all =
        arena_grow(t->arena, t->unspoken, t->unspoken_count, &t->unspoken_cap, sizeof *all);
    struct span copy = arena_span(t->arena, text);
    if (!all || (text.n && !copy.p))
        return err_set(e, ERR_MEMORY, "out of memory");
    t->unspoken = all;
    *number = PIECE_UNSPOKEN + (uint32_t)t->unspoken_count;
    all[t->unspoken_count++] = copy;
    pieces_put(t, &t->pieces, copy, *number);
    note_piece(t, copy);
    return true;
}

/* Text of the vocabulary as the words have it, in `room`; false: not a text of bytes. */
static bool spelled(const struct tokenizer *t, struct span text, struct buf *room)
{
    buf_clear(room);
    if (t->byte_level)
        return byte_level_decode(room, text) && buf_ok(room);
    buf_put_span(room, text);
    return buf_ok(room);
}

struct spelling {
    struct buf left, right;
};

static bool one_merge(struct tokenizer *t, struct span text, uint32_t rank, struct spelling *room,
                      struct err *e)
{
    struct merge m = {.rank = rank};
    const uint8_t *space = text.n > 1 ? memchr(text.p + 1, ' ', text.n - 1) : NULL;
    if (!space)
        return err_set(e, ERR_FORMAT,
                       "tokenizer.ggml.merges: entry %u is not two parts with a space between",
                       rank);
    size_t at = (size_t)(space - text.p);
    /* A part that no text can hold never merges. */
    if (!spelled(t, span_sub(text, 0, at), &room->left) ||
        !spelled(t, span_sub(text, at + 1, text.n), &room->right))
        return true;
    if (!part(t, buf_span(&room->left), &m.left, e) ||
        !part(t, buf_span(&room->right), &m.right, e))
        return false;
    buf_put_span(&room->left, buf_span(&room->right));
    if (!part(t, buf_span(&room->left), &m.result, e))
        return false;
    merges_put(&t->merges, m);
    return true;
}

static bool merges(struct tokenizer *t, const struct model *m, struct err *e)
{
    const char *key = "tokenizer.ggml.merges";
    const struct metadata *d = array(m, key, VALUE_STRING, e);
    struct value v;
    if (!d)
        return e->code ? false : refuse(e, key, "missing: byte pairs cannot be merged");
    if (d->value.count > TOKENIZER_MAX_TOKENS)
        return refuse(e, key, "more than 4194304 merges");
    if (!merges_init(&t->merges, t->arena, (size_t)d->value.count))
        return err_set(e, ERR_MEMORY, "out of memory");
    struct value_iter it = value_items(&d->value);
    struct spelling room;
    buf_init(&room.left, 1 << 20);
    buf_init(&room.right, 1 << 20);
    bool ok = true;
    for (uint32_t i = 0; ok && i < d->value.count; i++)
        ok = value_next(&it, &v) ? one_merge(t, v.string, i, &room, e)
                                 : refuse(e, key, "ends before its count");
    buf_free(&room.left);
    buf_free(&room.right);
    for (size_t b = 0; ok && t->byte_level && b < 256; b++)
        if (t->byte_ids[b] == TOKEN_NONE)
            t->byte_ids[b] = pieces_get(t, (struct span){(const uint8_t[]){(uint8_t)b}, 1});
    return ok;
}

/* ---- roles ---- */

static void role(const struct tokenizer *t, const struct model *m, const char *key, uint32_t *id)
{
    uint64_t v;
    if (metadata_u64(m, key, &v) && v < t->count)
        *id = (uint32_t)v;
    else if (*id != TOKEN_NONE && *id >= t->count)
        *id = TOKEN_NONE;
}

static void roles(struct tokenizer *t, const struct model *m)
{
    struct token_roles *r = &t->roles;
    role(t, m, "tokenizer.ggml.bos_token_id", &r->bos);
    role(t, m, "tokenizer.ggml.eos_token_id", &r->eos);
    role(t, m, "tokenizer.ggml.eot_token_id", &r->eot);
    role(t, m, "tokenizer.ggml.eom_token_id", &r->eom);
    role(t, m, "tokenizer.ggml.unknown_token_id", &r->unk);
    role(t, m, "tokenizer.ggml.seperator_token_id", &r->sep);
    role(t, m, "tokenizer.ggml.padding_token_id", &r->pad);
    role(t, m, "tokenizer.ggml.cls_token_id", &r->cls);
    role(t, m, "tokenizer.ggml.mask_token_id", &r->mask);
    (void)metadata_bool(m, "tokenizer.ggml.add_bos_token", &r->add_bos);
    (void)metadata_bool(m, "tokenizer.ggml.add_eos_token", &r->add_eos);
    if (t->newlines_whole) /* Gemma 4's early files say no, and the model needs it */
        r->add_bos = true;
}

/* What ENCODE_SPECIAL puts around a text. */
static bool around(struct tokenizer *t, struct err *e)
{
    const struct token_roles *r = &t->roles;
    bool wordpiece = t->kind == TOKENIZER_WORDPIECE;
    uint32_t last = wordpiece ? r->sep : r->eos;
    if ((r->add_bos && r->bos == TOKEN_NONE) || ((r->add_eos || wordpiece) && last == TOKEN_NONE))
        return err_set(e, ERR_FORMAT, "a token is to be added around texts that no key names");
    if (r->add_bos || wordpiece)
        t->before[t->before_count++] = r->bos;
    if (r->add_eos || wordpiece)
        t->after[t->after_count++] = last;
    return true;
}

/* ---- kinds ---- */

static bool replace_spaces(struct tokenizer *t, struct err *e)
{
    return add_normal(t,
                      (struct normal_step){.kind = NORMALISE_REPLACE,
                                           .find = span_str(" "),
                                           .text = span_str(LOWER_BLOCK)},
                      e);
}

static bool setup_spm(struct tokenizer *t, const struct model *m, struct err *e)
{
    bool tidy = false;
    t->kind = TOKENIZER_SPM;
    t->metaspace = true;
    t->byte_fallback = true;
    t->space_prefix = true;
    t->roles.bos = 1;
    t->roles.eos = 2;
    t->roles.unk = 0;
    t->roles.add_bos = true;
    (void)metadata_bool(m, "tokenizer.ggml.add_space_prefix", &t->space_prefix);
    (void)metadata_bool(m, "tokenizer.ggml.remove_extra_whitespaces", &tidy);
    t->strip_first = t->space_prefix;
    return (!tidy || add_normal(t, (struct normal_step){.kind = NORMALISE_SPACES}, e)) &&
           replace_spaces(t, e);
}

static bool setup_bpe(struct tokenizer *t, const struct model *m, struct err *e)
{
    struct span pre = span_str("default");
    t->kind = TOKENIZER_BPE;
    (void)metadata_string(m, "tokenizer.ggml.pre", &pre);
    return rule_apply(t, pre, e);
}

static bool setup_gemma4(struct tokenizer *t, const struct model *m, struct err *e)
{
    (void)m;
    t->kind = TOKENIZER_BPE;
    return rule_apply(t, span_str("gemma4"), e);
}

static bool setup_wordpiece(struct tokenizer *t, const struct model *m, struct err *e)
{
    bool lowercase = true;
    t->kind = TOKENIZER_WORDPIECE;
    t->metaspace = true;
    t->wordstart = span_str(LOWER_BLOCK);
    t->longest_word = SIZE_MAX;
    t->strip_first = true;
    t->roles.cls = t->roles.bos = 101;
    t->roles.unk = 100;
    t->roles.sep = 102;
    t->roles.pad = 0;
    t->roles.mask = 103;
    t->roles.add_bos = true;
    (void)metadata_bool(m, "tokenizer.ggml.normalizer.lowercase", &lowercase);
    bool strip = lowercase;
    (void)metadata_bool(m, "tokenizer.ggml.normalizer.strip_accents", &strip);
    const struct normal_step clean = {.kind = NORMALISE_BERT, .left = true, .right = true};
    const struct normal_step nfd = {.kind = NORMALISE_FORM, .form = 1};
    const struct normal_step marks = {.kind = NORMALISE_STRIP_ACCENTS, .nonspacing = true};
    const struct normal_step lower = {.kind = NORMALISE_LOWER};
    return add_normal(t, clean, e) &&
           (!strip || (add_normal(t, nfd, e) && add_normal(t, marks, e))) &&
           (!lowercase || add_normal(t, lower, e)) &&
           add_pattern(t, span_str("\\s+"), SPLIT_REMOVED, false, e) &&
           add_pattern(t, span_str("[\\p{P}!-/:-@\\[-`{-~]"), SPLIT_ISOLATED, false, e);
}

static bool setup_unigram(struct tokenizer *t, const struct model *m, struct err *e)
{
    bool prefix = true, tidy = false, suffix = false;
    const struct metadata *map = model_metadata(m, "tokenizer.ggml.precompiled_charsmap");
    t->kind = TOKENIZER_UNIGRAM;
    t->metaspace = true;
    t->fuse_unknown = true;
    t->strip_first = true;
    t->roles.eos = 1;
    t->roles.unk = 2;
    t->roles.pad = 0;
    t->roles.add_eos = true;
    (void)metadata_bool(m, "tokenizer.ggml.add_space_prefix", &prefix);
    (void)metadata_bool(m, "tokenizer.ggml.remove_extra_whitespaces", &tidy);
    (void)metadata_bool(m, "tokenizer.ggml.treat_whitespace_as_suffix", &suffix);
    if (suffix)
        return err_set(e, ERR_UNSUPPORTED, "tokenizer.ggml.treat_whitespace_as_suffix");
    if (map && map->value.type == VALUE_ARRAY && map->value.items.n) {
        struct normal_step s = {.kind = NORMALISE_CHARSMAP,
                                .text = arena_span(t->arena, map->value.items)};
        if (!s.text.p)
            return err_set(e, ERR_MEMORY, "out of memory");
        if (!charsmap_check(s.text, e) || !add_normal(t, s, e))
            return false;
    }
    const struct normal_step prepend = {.kind = NORMALISE_PREPEND, .text = span_str(" ")};
    return (!tidy || add_normal(t, (struct normal_step){.kind = NORMALISE_SPACES}, e)) &&
           (!prefix || add_normal(t, prepend, e)) && replace_spaces(t, e);
}

static const struct {
    const char *name;
    bool (*setup)(struct tokenizer *t, const struct model *m, struct err *e);
} kinds[] = {
    {"llama", setup_spm},      {"gpt2", setup_bpe},   {"gemma4", setup_gemma4},
    {"bert", setup_wordpiece}, {"t5", setup_unigram},
};

bool load_gguf(struct tokenizer *t, const struct model *m, struct err *e)
{
    struct span name = SPAN_EMPTY;
    char shown[80];
    size_t i = 0, n = sizeof kinds / sizeof *kinds;
    (void)metadata_string(m, "tokenizer.ggml.model", &name);
    while (i < n && !span_is(name, kinds[i].name))
        i++;
    if (i == n)
        return err_set(e, ERR_UNSUPPORTED,
                       "tokenizer.ggml.model is \"%s\"; llama, gpt2, gemma4, bert and t5 are known",
                       text_shown(shown, sizeof shown, name));
    if (!texts(t, m, e) || !scores(t, m, e) || !types(t, m, e) || !kinds[i].setup(t, m, e))
        return false;
    roles(t, m);
    finish_roles(t, m);
    return around(t, e) && vocabulary_finish(t, UNSPOKEN_MAX, e) &&
           (t->kind != TOKENIZER_BPE || merges(t, m, e));
}
