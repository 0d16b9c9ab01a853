/*
 * The stages that tokenizer.json names around its model: normalizers,
 * pre-tokenizers, decoders and post-processors. Each is a row of a table;
 * one that has none is refused by name.
 */
#include "tokenizer/json.h"

#include <string.h>

#include "assay/base/text.h"
#include "assay/unicode.h"
#include "tokenizer/charsmap.h"

#define LOWER_BLOCK "\xE2\x96\x81"
#define GPT_2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define PUNCTUATION "[\\p{P}!-/:-@\\[-`{-~]"

/* \w of Rust's regex, without its brackets. */
#define RUST_WORD                                                                                  \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200C}\\x{200D}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}"  \
    "\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}"

enum { SEQUENCE_DEPTH = 8 };

struct stage {
    const char *type;
    bool (*add)(struct tokenizer *t, struct json v, struct err *e);
};

/* One stage, or the members of a Sequence in order. */
static bool add_stage(struct tokenizer *t, struct json v, const struct stage *stages,
                      const char *members, const char *what, unsigned depth, struct err *e)
{
    struct span type = SPAN_EMPTY;
    char shown[64];
    if (json_type(v) == JSON_NULL || json_type(v) == JSON_MISSING)
        return true;
    (void)json_string(json_get(v, "type"), &type);
    if (span_is(type, "Sequence") && depth < SEQUENCE_DEPTH) {
        struct json list = json_get(v, members);
        for (struct json i = json_first(list); json_type(i); i = json_next(i))
            if (!add_stage(t, i, stages, members, what, depth + 1, e))
                return false;
        return true;
    }
    for (; stages->type; stages++)
        if (span_is(type, stages->type))
            return stages->add(t, v, e);
    return err_at(e, ERR_UNSUPPORTED, "tokenizer.json", json_offset(v),
                  "the %s \"%s\" is not supported", what, text_shown(shown, sizeof shown, type));
}

static bool kept(struct tokenizer *t, struct span s, struct span *out, struct err *e)
{
    *out = s.n ? arena_span(t->arena, s) : (struct span){(const uint8_t *)"", 0};
    return out->p || err_set(e, ERR_MEMORY, "out of memory");
}

/* Name the place of a pattern's error. */
static bool in_pattern(struct json v, struct err *inner, struct err *e)
{
    return err_at(e, inner->code, "tokenizer.json", json_offset(v), "%s (byte %llu of the pattern)",
                  inner->text,
                  (unsigned long long)(inner->offset == ERR_NO_OFFSET ? 0 : inner->offset));
}

/* ---- normalizers ---- */

static bool form(struct tokenizer *t, enum normal_form f, struct err *e)
{
    return add_normal(t, (struct normal_step){.kind = NORMALISE_FORM, .form = (int)f}, e);
}

static bool n_nfc(struct tokenizer *t, struct json v, struct err *e)
{
    (void)v;
    return form(t, NORMAL_NFC, e);
}

static bool n_nfd(struct tokenizer *t, struct json v, struct err *e)
{
    (void)v;
    return form(t, NORMAL_NFD, e);
}

static bool n_nfkc(struct tokenizer *t, struct json v, struct err *e)
{
    (void)v;
    return form(t, NORMAL_NFKC, e);
}

static bool n_nfkd(struct tokenizer *t, struct json v, struct err *e)
{
    (void)v;
    return form(t, NORMAL_NFKD, e);
}

static bool n_lowercase(struct tokenizer *t, struct json v, struct err *e)
{
    (void)v;
    return add_normal(t, (struct normal_step){.kind = NORMALISE_LOWER}, e);
}

static bool n_strip(struct tokenizer *t, struct json v, struct err *e)
{
    struct normal_step s = {.kind = NORMALISE_STRIP,
                            .left = json_flag(v, "strip_left", true),
                            .right = json_flag(v, "strip_right", true)};
    return add_normal(t, s, e);
}

static bool n_strip_accents(struct tokenizer *t, struct json v, struct err *e)
{
    (void)v;
    return add_normal(t, (struct normal_step){.kind = NORMALISE_STRIP_ACCENTS}, e);
}

static bool n_prepend(struct tokenizer *t, struct json v, struct err *e)
{
    struct normal_step s = {.kind = NORMALISE_PREPEND};
    struct span text;
    if (!json_string(json_get(v, "prepend"), &text))
        return json_fault(e, v, ERR_FORMAT, "Prepend without prepend");
    return kept(t, text, &s.text, e) && add_normal(t, s, e);
}

static bool n_replace(struct tokenizer *t, struct json v, struct err *e)
{
    struct normal_step s = {.kind = NORMALISE_REPLACE};
    struct json pattern = json_get(v, "pattern");
    struct span find, with;
    struct err inner = ERR_INIT;
    if (!json_string(json_get(v, "content"), &with))
        return json_fault(e, v, ERR_FORMAT, "Replace without content");
    if (json_string(json_get(pattern, "String"), &find)) {
        t->metaspace |= span_is(find, " ") && span_is(with, LOWER_BLOCK);
        if (!kept(t, find, &s.find, e))
            return false;
    } else if (!json_string(json_get(pattern, "Regex"), &find)) {
        return json_fault(e, v, ERR_FORMAT, "Replace without a pattern");
    } else if (!regex_new(&s.pattern, find, t->arena, &inner)) {
        return in_pattern(pattern, &inner, e);
    }
    return kept(t, with, &s.text, e) && add_normal(t, s, e);
}

static bool n_bert(struct tokenizer *t, struct json v, struct err *e)
{
    bool lower = json_flag(v, "lowercase", true);
    struct normal_step clean = {.kind = NORMALISE_BERT,
                                .left = json_flag(v, "clean_text", true),
                                .right = json_flag(v, "handle_chinese_chars", true)};
    if (!add_normal(t, clean, e))
        return false;
    const struct normal_step marks = {.kind = NORMALISE_STRIP_ACCENTS, .nonspacing = true};
    if (json_flag(v, "strip_accents", lower) &&
        (!form(t, NORMAL_NFD, e) || !add_normal(t, marks, e)))
        return false;
    return !lower || n_lowercase(t, v, e);
}

static int base64_value(uint8_t c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool n_precompiled(struct tokenizer *t, struct json v, struct err *e)
{
    struct normal_step s = {.kind = NORMALISE_CHARSMAP};
    struct span text;
    if (!json_string(json_get(v, "precompiled_charsmap"), &text))
        return json_fault(e, v, ERR_FORMAT, "Precompiled without precompiled_charsmap");
    uint8_t *p = arena_alloc(t->arena, text.n / 4 * 3 + 4);
    uint32_t bits = 0;
    size_t n = 0;
    if (!p)
        return err_set(e, ERR_MEMORY, "out of memory");
    for (size_t i = 0, have = 0; i < text.n && text.p[i] != '='; i++) {
        int value = base64_value(text.p[i]);
        if (value < 0)
            return json_fault(e, v, ERR_FORMAT, "precompiled_charsmap is not base64");
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8)
            p[n++] = (uint8_t)(bits >> (have -= 8));
    }
    s.text = (struct span){p, n};
    return charsmap_check(s.text, e) && add_normal(t, s, e);
}

static const struct stage normalizers[] = {
    {"NFC", n_nfc},
    {"NFD", n_nfd},
    {"NFKC", n_nfkc},
    {"NFKD", n_nfkd},
    {"Lowercase", n_lowercase},
    {"Strip", n_strip},
    {"StripAccents", n_strip_accents},
    {"Prepend", n_prepend},
    {"Replace", n_replace},
    {"BertNormalizer", n_bert},
    {"Precompiled", n_precompiled},
    {NULL, NULL},
};

/* ---- pre-tokenizers ---- */

static bool pattern_step(struct tokenizer *t, struct json v, const char *pattern,
                         enum split_behaviour behaviour, bool invert, struct err *e)
{
    struct err inner = ERR_INIT;
    return add_pattern(t, span_str(pattern), behaviour, invert, &inner) || in_pattern(v, &inner, e);
}

static bool behaviour_of(struct json v, enum split_behaviour *out, struct err *e)
{
    static const char *const names[] = {"Isolated", "Removed", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    *out = SPLIT_ISOLATED;
    if (!json_type(json_get(v, "behavior")))
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_is(v, "behavior", names[i])) {
            *out = (enum split_behaviour)i;
            return true;
        }
    return json_fault(e, v, ERR_UNSUPPORTED, "a behavior that is not known");
}

/* The characters as they are, in a pattern. */
static bool literal(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x80 && strchr("\\^$.[]|()*+?{}&-", s.p[i]) && s.p[i])
            buf_put_u8(out, '\\');
        buf_put_u8(out, s.p[i]);
    }
    return buf_ok(out);
}

/* Patterns that look further ahead than the expressions here can. */
static bool digit_groups(struct span regex, struct split_step *s)
{
    *s = (struct split_step){.kind = SPLIT_DIGITS_3};
    s->invert = span_is(regex, "\\d{1,3}(?=(?:\\d{3})*\\b)");
    return s->invert || span_is(regex, "(?=(\\d{3})+(?!\\d))");
}

static bool p_split(struct tokenizer *t, struct json v, struct err *e)
{
    struct json pattern = json_get(v, "pattern");
    enum split_behaviour behaviour;
    struct span text;
    struct buf quoted;
    struct split_step digits;
    struct err inner = ERR_INIT;
    bool invert = json_flag(v, "invert", false);
    if (!behaviour_of(v, &behaviour, e))
        return false;
    if (json_string(json_get(pattern, "Regex"), &text)) {
        if (digit_groups(text, &digits))
            return add_split(t, digits, e);
        return add_pattern(t, text, behaviour, invert, &inner) || in_pattern(pattern, &inner, e);
    }
    if (!json_string(json_get(pattern, "String"), &text))
        return json_fault(e, v, ERR_FORMAT, "Split without a pattern");
    if (text.n == 0)
        return true;
    buf_init(&quoted, REGEX_MAX_PATTERN);
    bool ok =
        literal(&quoted, text) && add_pattern(t, buf_span(&quoted), behaviour, invert, &inner);
    buf_free(&quoted);
    return ok || in_pattern(pattern, &inner, e);
}

static bool p_byte_level(struct tokenizer *t, struct json v, struct err *e)
{
    t->byte_level = true;
    if (json_flag(v, "add_prefix_space", true) &&
        !add_split(t, (struct split_step){.kind = SPLIT_PREFIX_SPACE}, e))
        return false;
    return (!json_flag(v, "use_regex", true) ||
            pattern_step(t, v, GPT_2, SPLIT_ISOLATED, false, e)) &&
           add_split(t, (struct split_step){.kind = SPLIT_SHOW_BYTES}, e);
}

static bool p_metaspace(struct tokenizer *t, struct json v, struct err *e)
{
    struct split_step s = {.kind = SPLIT_METASPACE, .text = span_str(LOWER_BLOCK)};
    if (!json_is(v, "replacement", LOWER_BLOCK))
        return json_fault(e, v, ERR_UNSUPPORTED, "Metaspace with another character than U+2581");
    s.prepend = json_is(v, "prepend_scheme", "never")    ? PREPEND_NEVER
                : json_is(v, "prepend_scheme", "first")  ? PREPEND_FIRST
                : json_flag(v, "add_prefix_space", true) ? PREPEND_ALWAYS
                                                         : PREPEND_NEVER;
    t->metaspace = true;
    return add_split(t, s, e) && (!json_flag(v, "split", true) ||
                                  pattern_step(t, v, LOWER_BLOCK, SPLIT_WITH_NEXT, false, e));
}

static bool p_digits(struct tokenizer *t, struct json v, struct err *e)
{
    bool each = json_flag(v, "individual_digits", false);
    return pattern_step(t, v, "\\p{N}", each ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS, false, e);
}

static bool p_punctuation(struct tokenizer *t, struct json v, struct err *e)
{
    enum split_behaviour behaviour;
    return behaviour_of(v, &behaviour, e) && pattern_step(t, v, PUNCTUATION, behaviour, false, e);
}

static bool p_whitespace(struct tokenizer *t, struct json v, struct err *e)
{
    return pattern_step(t, v, "[" RUST_WORD "]+|[^\\s" RUST_WORD "]+", SPLIT_REMOVED, true, e);
}

static bool p_whitespace_split(struct tokenizer *t, struct json v, struct err *e)
{
    return pattern_step(t, v, "\\s", SPLIT_REMOVED, false, e);
}

static bool p_bert(struct tokenizer *t, struct json v, struct err *e)
{
    return p_whitespace_split(t, v, e) && pattern_step(t, v, PUNCTUATION, SPLIT_ISOLATED, false, e);
}

static const struct stage pre_tokenizers[] = {
    {"Split", p_split},
    {"ByteLevel", p_byte_level},
    {"Metaspace", p_metaspace},
    {"Digits", p_digits},
    {"Punctuation", p_punctuation},
    {"Whitespace", p_whitespace},
    {"WhitespaceSplit", p_whitespace_split},
    {"BertPreTokenizer", p_bert},
    {NULL, NULL},
};

/* What follows ByteLevel sees bytes as characters; when nothing does, words stay bytes. */
static void drop_last_show(struct tokenizer *t)
{
    if (t->split_count && t->split[t->split_count - 1].kind == SPLIT_SHOW_BYTES)
        t->split_count--;
    for (size_t i = 0; i < t->split_count; i++)
        t->words_shown |= t->split[i].kind == SPLIT_SHOW_BYTES;
}

/* ---- decoders ---- */

static bool nothing(struct tokenizer *t, struct json v, struct err *e)
{
    (void)t;
    (void)v;
    (void)e;
    return true;
}

static bool d_metaspace(struct tokenizer *t, struct json v, struct err *e)
{
    (void)e;
    t->metaspace = t->unblocks_added = true;
    t->strip_first =
        !json_is(v, "prepend_scheme", "never") && json_flag(v, "add_prefix_space", true);
    return true;
}

static bool d_replace(struct tokenizer *t, struct json v, struct err *e)
{
    struct span find;
    if (!json_string(json_get(json_get(v, "pattern"), "String"), &find) ||
        !span_is(find, LOWER_BLOCK) || !json_is(v, "content", " "))
        return json_fault(e, v, ERR_UNSUPPORTED, "a decoder that replaces other than U+2581");
    t->metaspace = t->unblocks_added = true;
    return true;
}

static bool d_strip(struct tokenizer *t, struct json v, struct err *e)
{
    uint64_t start = 0, stop = 0;
    (void)json_u64(json_get(v, "start"), &start);
    (void)json_u64(json_get(v, "stop"), &stop);
    if (!json_is(v, "content", " ") || start > 1 || stop)
        return json_fault(e, v, ERR_UNSUPPORTED, "a decoder that strips other than one space");
    t->strip_first = start == 1;
    return true;
}

static bool d_wordpiece(struct tokenizer *t, struct json v, struct err *e)
{
    (void)v;
    (void)e;
    t->spaces_between = true;
    return true;
}

static const struct stage decoders[] = {
    {"ByteLevel", nothing},     {"ByteFallback", nothing},
    {"Fuse", nothing},          {"Metaspace", d_metaspace},
    {"Replace", d_replace},     {"Strip", d_strip},
    {"WordPiece", d_wordpiece}, {NULL, NULL},
};

bool load_stages(struct tokenizer *t, struct json root, struct err *e)
{
    if (!add_stage(t, json_get(root, "normalizer"), normalizers, "normalizers", "normalizer", 0,
                   e) ||
        !add_stage(t, json_get(root, "pre_tokenizer"), pre_tokenizers, "pretokenizers",
                   "pre-tokenizer", 0, e))
        return false;
    drop_last_show(t);
    /* Words that no decoder joins stand apart, as Hugging Face shows them. */
    struct json decoder = json_get(root, "decoder");
    t->spaces_between = json_type(decoder) != JSON_OBJECT && !t->byte_level && !t->metaspace;
    return add_stage(t, decoder, decoders, "decoders", "decoder", 0, e);
}

/* ---- post-processors ---- */

static bool put_around(uint32_t *list, size_t *count, uint64_t id, const struct tokenizer *t,
                       struct json v, struct err *e)
{
    if (id >= t->count || *count == ADDED_AROUND_MAX)
        return json_fault(e, v, ERR_FORMAT,
                          "a post-processor adds an id beyond the vocabulary, or more than 8");
    list[(*count)++] = (uint32_t)id;
    return true;
}

static bool o_template(struct tokenizer *t, struct json v, struct err *e)
{
    bool after = false;
    struct span name;
    for (struct json i = json_first(json_get(v, "single")); json_type(i); i = json_next(i)) {
        if (json_type(json_get(i, "Sequence"))) {
            after = true;
            continue;
        }
        if (!json_string(json_get(json_get(i, "SpecialToken"), "id"), &name))
            return json_fault(e, i, ERR_FORMAT, "neither a Sequence nor a SpecialToken");
        struct json ids = json_get(json_get_span(json_get(v, "special_tokens"), name), "ids");
        for (struct json k = json_first(ids); json_type(k); k = json_next(k)) {
            uint64_t id = UINT64_MAX;
            (void)json_u64(k, &id);
            if (!put_around(after ? t->after : t->before,
                            after ? &t->after_count : &t->before_count, id, t, k, e))
                return false;
        }
    }
    return true;
}

/* {"cls": ["<s>", 0], "sep": ["</s>", 2]} */
static bool o_pair(struct tokenizer *t, struct json v, struct err *e)
{
    uint64_t cls = UINT64_MAX, sep = UINT64_MAX;
    (void)json_u64(json_at(json_get(v, "cls"), 1), &cls);
    (void)json_u64(json_at(json_get(v, "sep"), 1), &sep);
    return put_around(t->before, &t->before_count, cls, t, v, e) &&
           put_around(t->after, &t->after_count, sep, t, v, e);
}

static const struct stage processors[] = {
    {"TemplateProcessing", o_template}, {"ByteLevel", nothing}, {"RobertaProcessing", o_pair},
    {"BertProcessing", o_pair},         {NULL, NULL},
};

bool load_around(struct tokenizer *t, struct json processor, struct err *e)
{
    return add_stage(t, processor, processors, "processors", "post-processor", 0, e);
}
