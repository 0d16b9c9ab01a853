/*
 * Normalisers that rewrite words. A tokenizer.json may replace texts before the
 * model sees them and after it wrote them: white space and quotation marks for
 * a reason, words never.
 */
#include <ctype.h>
#include <string.h>

#include "assay/base/text.h"
#include "check/claims.h"

enum { NESTING = 16, SHOWN = 100, LETTERS = 2 };

static bool is_letter(uint32_t c)
{
    return c < 128 ? isalpha((int)c) != 0 : c >= 0xC0 && c < 0x2000;
}

/* Past an escape, "\\s" or "\\p{L}". */
static size_t past_escape(struct span s, size_t pos)
{
    bool property = (s.p[pos + 1] | 0x20) == 'p' && pos + 2 < s.n && s.p[pos + 2] == '{';
    pos += 2;
    while (property && pos < s.n && s.p[pos - 1] != '}')
        pos++;
    return pos;
}

/* Past a class in brackets; *letter: whether it takes one. */
static size_t past_class(struct span s, size_t pos, bool *letter)
{
    *letter = false;
    for (pos++; pos < s.n && s.p[pos] != ']';) {
        if (s.p[pos] == '\\' && pos + 1 < s.n)
            pos = past_escape(s, pos);
        else
            *letter = is_letter(utf8_next(s, &pos)) || *letter;
    }
    return pos < s.n ? pos + 1 : pos;
}

/* Letters in a row, at most; escapes of a regular expression are none, a class in brackets one. */
static size_t letters(struct span s, bool regex)
{
    size_t run = 0, best = 0;
    for (size_t pos = 0; pos < s.n;) {
        bool letter = false;
        if (regex && s.p[pos] == '\\' && pos + 1 < s.n)
            pos = past_escape(s, pos);
        else if (regex && s.p[pos] == '[')
            pos = past_class(s, pos, &letter);
        else
            letter = is_letter(utf8_next(s, &pos));
        run = letter ? run + 1 : 0;
        best = run > best ? run : best;
    }
    return best;
}

static void look(const struct check_input *in, struct json v, const char *part)
{
    char a[SHOWN], b[SHOWN];
    struct span type, pattern = SPAN_EMPTY, content = SPAN_EMPTY;
    if (!json_string(json_get(v, "type"), &type))
        return;
    struct json p = json_get(v, "pattern");
    bool regex = json_string(json_get(p, "Regex"), &pattern);
    if (!regex)
        (void)json_string(json_get(p, "String"), &pattern);
    if (span_is(type, "Replace"))
        (void)json_string(json_get(v, "content"), &content);
    else if (span_is(type, "Prepend"))
        (void)json_string(json_get(v, "prepend"), &content);
    else
        return;
    if (letters(pattern, regex) < LETTERS && letters(content, false) < LETTERS)
        return;
    verdict_add(&in->model->verdict, RULE_TOKENIZER_REWRITE,
                claim_place(in->model, DOC_TOKENIZER, v), "the %s replaces \"%s\" by \"%s\"", part,
                text_shown(a, sizeof a, pattern), text_shown(b, sizeof b, content));
}

/* Sequences hold their parts under names that differ by what they are a sequence of. */
static void walk(const struct check_input *in, struct json v, const char *part, unsigned depth)
{
    if (depth == NESTING)
        return;
    look(in, v, part);
    for (struct json m = json_first(v); json_type(m); m = json_next(m))
        if (json_type(m) == JSON_ARRAY || json_type(m) == JSON_OBJECT)
            walk(in, m, part, depth + 1);
}

bool check_tokenizer_rules(const struct check_input *in, struct err *e)
{
    static const char *const parts[] = {"normalizer", "pre_tokenizer", "decoder"};
    (void)e;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        walk(in, json_get(in->model->documents[DOC_TOKENIZER].root, parts[i]), parts[i], 0);
    return true;
}
