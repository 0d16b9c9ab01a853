/*
 * Normalising the text between added tokens: the steps that the files name, in
 * their order, from one buffer to the other.
 */
#include "tokenizer/tokenizer.h"

#include <string.h>

#include "assay/base/text.h"
#include "tokenizer/charsmap.h"
#include "assay/unicode.h"

static void lower(struct buf *out, struct span text)
{
    for (size_t i = 0, length; i < text.n; i += length) {
        uint32_t c = unicode_at(text.p + i, &length);
        utf8_put(out, c == 0x130 ? 'i' : unicode_to_lower(c));
        if (c == 0x130) /* the one letter whose lower case is two */
            utf8_put(out, 0x307);
    }
}

static void strip_accents(struct buf *out, struct span text, uint32_t categories)
{
    for (size_t i = 0, length; i < text.n; i += length)
        if (!(categories >> unicode_category(unicode_at(text.p + i, &length)) & 1))
            buf_put(out, text.p + i, length);
}

static void strip(struct buf *out, struct span text, bool left, bool right)
{
    size_t from = 0, end = 0, length;
    for (size_t i = 0; i < text.n; i += length) {
        bool space = unicode_is_space(unicode_at(text.p + i, &length));
        if (left && from == i && space)
            from = i + length;
        if (!space || !right)
            end = i + length;
    }
    if (end > from)
        buf_put_span(out, span_sub(text, from, end - from));
}

static void replace_text(struct buf *out, struct span text, struct span find, struct span with)
{
    size_t from = 0;
    for (size_t i = 0; find.n && i + find.n <= text.n;) {
        const uint8_t *at = memchr(text.p + i, find.p[0], text.n - i - find.n + 1);
        if (!at)
            break;
        i = (size_t)(at - text.p);
        if (!span_eq(span_sub(text, i, find.n), find)) {
            i++;
            continue;
        }
        buf_put_span(out, span_sub(text, from, i - from));
        buf_put_span(out, with);
        i += find.n;
        from = i;
    }
    buf_put_span(out, span_sub(text, from, text.n - from));
}

static void replace_pattern(struct encoder *x, struct buf *out, struct span text,
                            const struct normal_step *s)
{
    size_t from = 0, start, end;
    while (regex_find(s->pattern, text, from, &start, &end, &x->budget)) {
        buf_put_span(out, span_sub(text, from, start - from));
        buf_put_span(out, s->text);
        from = end;
    }
    buf_put_span(out, span_sub(text, from, text.n - from));
}

/* tokenizers, normalizers/bert.rs: is_chinese_char, with its one slip (2B920). */
static bool is_cjk(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/* left: clean the text; right: CJK characters stand alone. */
static void bert(struct buf *out, struct span text, bool clean, bool apart)
{
    for (size_t i = 0, length; i < text.n; i += length) {
        uint32_t c = unicode_at(text.p + i, &length);
        bool space = unicode_is_space(c), line = c == '\t' || c == '\n' || c == '\r';
        bool control = !line && (UC_OTHER >> unicode_category(c) & 1);
        if (clean && (c == 0xFFFD || control))
            continue;
        bool alone = apart && is_cjk(c);
        if (alone)
            buf_put_u8(out, ' ');
        if (clean && space)
            buf_put_u8(out, ' ');
        else
            buf_put(out, text.p + i, length);
        if (alone)
            buf_put_u8(out, ' ');
    }
}

/* Runs of spaces become one; none at either end. */
static void spaces(struct buf *out, struct span text)
{
    bool due = false, any = false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == ' ') {
            due = any;
            continue;
        }
        if (due)
            buf_put_u8(out, ' ');
        due = false;
        any = true;
        buf_put_u8(out, text.p[i]);
    }
}

static void apply(struct encoder *x, struct buf *out, struct span text, const struct normal_step *s)
{
    switch (s->kind) {
    case NORMALISE_FORM:
        unicode_normalise(out, text, (enum normal_form)s->form);
        break;
    case NORMALISE_LOWER:
        lower(out, text);
        break;
    case NORMALISE_STRIP_ACCENTS:
        strip_accents(out, text, s->nonspacing ? UC_BIT(UC_MN) : UC_MARK);
        break;
    case NORMALISE_STRIP:
        strip(out, text, s->left, s->right);
        break;
    case NORMALISE_PREPEND:
        if (text.n)
            buf_put_span(out, s->text);
        buf_put_span(out, text);
        break;
    case NORMALISE_REPLACE:
        if (s->pattern)
            replace_pattern(x, out, text, s);
        else
            replace_text(out, text, s->find, s->text);
        break;
    case NORMALISE_BERT:
        bert(out, text, s->left, s->right);
        break;
    case NORMALISE_SPACES:
        spaces(out, text);
        break;
    case NORMALISE_CHARSMAP:
        charsmap_apply(out, text, s->text);
        break;
    }
}

static bool is_ascii(struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= 0x80)
            return false;
    return true;
}

bool normalise(struct encoder *x, struct span text, struct span *out)
{
    const struct tokenizer *t = x->t;
    size_t turn = 0; /* a step that is left out must not write over what it would have read */
    for (size_t i = 0; i < t->normal_count; i++) {
        const struct normal_step *s = &t->normal[i];
        bool same = s->kind == NORMALISE_FORM || s->kind == NORMALISE_STRIP_ACCENTS;
        if (same && is_ascii(text))
            continue;
        struct buf *b = &x->normal[turn++ % 2];
        buf_clear(b);
        apply(x, b, text, s);
        if (!buf_ok(b))
            return err_set(x->e, ERR_LIMIT, "the normalised text is too long");
        text = buf_span(b);
    }
    if (x->budget == 0)
        return err_set(x->e, ERR_LIMIT, "a normalising pattern takes too long on this text");
    *out = text;
    return true;
}
