/*
 * From marked text to ids: added tokens are cut out first, and only trusted
 * parts may hold control tokens; what is between goes through the stages.
 */
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/unicode.h"
#include "tokenizer/word.h"

/* ---- cutting out added tokens ---- */

/* One text with the places where trust begins and ends. */
struct cutter {
    struct encoder *x;
    const struct added *set;
    struct span text;
    const struct marked *parts; /* NULL: trusted as a whole or not at all */
    size_t part, part_start, part_count;
    size_t all_trusted; /* without parts: where trust ends */
    bool prefix_due;    /* SPM: the next text begins, or follows an added token */
    bool begins;        /* nothing was found yet */
    bool (*between)(struct cutter *c, struct span text);
};

/* The end of the trusted bytes that `at` is among; `at` when it is not trusted. */
static size_t trusted_until(struct cutter *c, size_t at)
{
    if (!c->parts)
        return c->all_trusted;
    while (c->part < c->part_count && at >= c->part_start + c->parts[c->part].text.n)
        c->part_start += c->parts[c->part++].text.n;
    size_t end = c->part_start;
    for (size_t i = c->part; i < c->part_count && c->parts[i].trusted; i++)
        end += c->parts[i].text.n;
    return end > at ? end : at;
}

/* \w of Rust's regular expressions, which Hugging Face asks here: with the joiners. */
static bool is_word_character(uint32_t c)
{
    return c == 0x200C || c == 0x200D ||
           (UC_LETTER | UC_MARK | UC_BIT(UC_ND) | UC_BIT(UC_NL) | UC_BIT(UC_PC)) >>
                   unicode_category(c) &
               1;
}

static uint32_t character_before(struct span text, size_t at)
{
    size_t length;
    do
        at--;
    while (at > 0 && (text.p[at] & 0xC0) == 0x80);
    return unicode_at(text.p + at, &length);
}

static bool stands_alone(struct span text, size_t start, size_t end)
{
    size_t length;
    return (start == 0 || !is_word_character(character_before(text, start))) &&
           (end == text.n || !is_word_character(unicode_at(text.p + end, &length)));
}

static size_t without_space_before(struct span text, size_t from, size_t at)
{
    while (at > from && unicode_is_space(character_before(text, at)))
        do
            at--;
        while (at > from && (text.p[at] & 0xC0) == 0x80);
    return at;
}

static size_t without_space_after(struct span text, size_t at)
{
    size_t length;
    while (at < text.n && unicode_is_space(unicode_at(text.p + at, &length)))
        at += length;
    return at;
}

static bool text_between(struct cutter *c, size_t from, size_t end)
{
    if (end <= from)
        return true;
    bool ok = c->between(c, span_sub(c->text, from, end - from));
    c->prefix_due = c->begins = false;
    return ok;
}

static bool cut(struct cutter *c)
{
    struct encoder *x = c->x;
    const struct tokenizer *t = x->t;
    size_t from = 0, at = 0, length = 0;
    while (c->set && at < c->text.n) {
        if (!added_begins(c->set, c->text.p[at])) {
            at++;
            continue;
        }
        uint32_t id = added_match(t, c->set, c->text, at, trusted_until(c, at),
                                  x->flags & ENCODE_PROTOCOL, &length);
        const struct entry *entry = id == TOKEN_NONE ? NULL : &t->entries[id];
        if (entry && entry->single_word && !stands_alone(c->text, at, at + length)) {
            at += length;
            continue;
        }
        if (!entry) {
            at++;
            continue;
        }
        size_t end = entry->left_strip ? without_space_before(c->text, from, at) : at;
        at += length;
        if (!text_between(c, from, end) || !encode_id(x, id))
            return false;
        if (entry->right_strip)
            at = without_space_after(c->text, at);
        from = at;
        c->prefix_due = true;
        c->begins = false;
    }
    return text_between(c, from, c->text.n);
}

/* ---- the stages ---- */

static bool words_between(struct cutter *c, struct span text)
{
    c->x->first &= c->begins;
    return encode_split(c->x, text, 0);
}

/* Text between added tokens: normalise, cut out those that are sought now, split. */
static bool stages(struct cutter *outer, struct span text)
{
    struct encoder *x = outer->x;
    const struct tokenizer *t = x->t;
    struct buf spaced;
    buf_init(&spaced, text.n + 2);
    if (t->space_prefix && outer->prefix_due) {
        buf_put_u8(&spaced, ' ');
        buf_put_span(&spaced, text);
        text = buf_span(&spaced);
    }
    x->first = outer->begins;
    bool ok = buf_ok(&spaced) || err_set(x->e, ERR_MEMORY, "out of memory");
    ok = ok && normalise(x, text, &text);
    if (ok && !t->added[1]) {
        ok = encode_split(x, text, 0);
    } else if (ok) {
        /* Only tokens that are no control tokens are sought here. */
        struct cutter inner = {.x = x,
                               .set = t->added[1],
                               .text = text,
                               .begins = outer->begins,
                               .between = words_between};
        ok = cut(&inner);
    }
    buf_free(&spaced);
    return ok;
}

/* The parts as one text; *out is borrowed from the only part when there is one. */
static bool whole_text(struct encoder *x, const struct marked *parts, size_t count,
                       struct buf *joined, struct span *out)
{
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++)
        if (!size_add(&size, size, parts[i].text.n) || size > TOKENIZER_MAX_TEXT)
            return err_set(x->e, ERR_LIMIT, "the text is longer than %d bytes", TOKENIZER_MAX_TEXT);
    buf_init(joined, TOKENIZER_MAX_TEXT + 1);
    for (size_t i = 0; i < count && count > 1; i++)
        buf_put_span(joined, parts[i].text);
    *out = count == 0 ? SPAN_EMPTY : count == 1 ? parts[0].text : buf_span(joined);
    if (!buf_ok(joined))
        return err_set(x->e, ERR_MEMORY, "out of memory");
    size_t bad = utf8_invalid(*out);
    return bad == TEXT_VALID ||
           err_at(x->e, ERR_FORMAT, NULL, bad, "the text is not UTF-8 here; encode it as UTF-8");
}

static bool add_all(struct encoder *x, const uint32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!tokens_add(x->out, ids[i], x->e))
            return false;
    return true;
}

/* A prompt that brings its own bos keeps that one. */
static void drop_second_bos(struct encoder *x, size_t start)
{
    const struct tokenizer *t = x->t;
    if (t->before_count != 1 || x->out->n < start + 2)
        return;
    uint32_t *first = x->out->id + start;
    if (first[0] != first[1] || first[0] != t->roles.bos)
        return;
    memmove(first, first + 1, (x->out->n - start - 1) * sizeof *first);
    x->out->n--;
}

enum { CACHE_FROM = 2048, SCRATCH_FACTOR = 16, BUDGET_BASE = 1 << 20, BUDGET_FACTOR = 256 };

bool tokenizer_encode(struct tokens *out, const struct tokenizer *t, const struct marked *parts,
                      size_t count, unsigned flags, struct err *e)
{
    struct encoder x = {.t = t, .out = out, .e = e, .flags = flags};
    struct buf joined = {0};
    struct cutter c = {.x = &x,
                       .set = t->added[0],
                       .parts = parts,
                       .part_count = count,
                       .prefix_due = true,
                       .begins = true,
                       .between = stages};
    size_t start = out->n;
    bool ok = whole_text(&x, parts, count, &joined, &c.text);
    size_t room = ok ? (c.text.n + 64) * SCRATCH_FACTOR : 0;
    buf_init(&x.normal[0], room);
    buf_init(&x.normal[1], room);
    buf_init(&x.split, room);
    x.budget = BUDGET_BASE + (uint64_t)BUDGET_FACTOR * c.text.n;
    x.cache = ok && c.text.n >= CACHE_FROM ? word_cache_new() : NULL;
    bool special = flags & ENCODE_SPECIAL;
    ok = ok && (!special || add_all(&x, t->before, t->before_count)) && cut(&c);
    if (ok && special)
        drop_second_bos(&x, start);
    ok = ok && (!special || add_all(&x, t->after, t->after_count));
    if (!ok)
        out->n = start;
    buf_free(&x.normal[0]);
    buf_free(&x.normal[1]);
    buf_free(&x.split);
    buf_free(&joined);
    free(x.symbols);
    free(x.heap);
    free(x.cache);
    return ok;
}

bool tokenizer_encode_text(struct tokens *out, const struct tokenizer *t, struct span text,
                           bool trusted, unsigned flags, struct err *e)
{
    const struct marked part = {text, trusted};
    return tokenizer_encode(out, t, &part, 1, flags, e);
}
