/*
 * Jinja's lexer (jinja2/lexer.py), for the delimiters that templates of models
 * use and transformers' settings.
 */
#include "template/lex.h"

#include <string.h>

#include "assay/base/text.h"
#include "assay/unicode.h"
#include "template/text.h"

static bool fault(struct lexer *x, const char *what)
{
    return err_at(x->e, ERR_FORMAT, NULL, x->at, "template line %u: %s", x->line, what);
}

bool lexer_init(struct lexer *x, struct span source, struct arena *a, struct err *e)
{
    uint8_t *p = arena_alloc(a, source.n + 1);
    size_t n = 0;
    *x = (struct lexer){.arena = a, .e = e, .line = 1, .line_start = true};
    if (!p)
        return err_set(e, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < source.n; i++) {
        bool pair = source.p[i] == '\r' && i + 1 < source.n && source.p[i + 1] == '\n';
        if (!pair)
            p[n++] = source.p[i] == '\r' ? '\n' : source.p[i];
    }
    if (n && p[n - 1] == '\n')
        n--;
    x->source = (struct span){p, n};
    return true;
}

static bool at(const struct lexer *x, size_t i, const char *what)
{
    return span_starts(span_sub(x->source, i, x->source.n), what);
}

static void advance(struct lexer *x, size_t to)
{
    for (; x->at < to; x->at++)
        x->line += x->source.p[x->at] == '\n';
}

static size_t skip_space(const struct lexer *x, size_t i)
{
    size_t length;
    while (i < x->source.n && text_is_space(unicode_at(x->source.p + i, &length)))
        i += length;
    return i;
}

/* ---- between tags ---- */

/* The end of the text from `from` when a tag begins at `end` with the sign `sign`. */
static size_t text_end(const struct lexer *x, size_t from, size_t end, uint8_t sign, bool output)
{
    struct span text = span_sub(x->source, from, end - from);
    if (sign == '-')
        return from + text_strip_right(text).n;
    if (sign == '+' || output)
        return end;
    size_t line = end;
    while (line > from && x->source.p[line - 1] != '\n')
        line--;
    bool begins = line > from || x->line_start;
    bool blank = skip_space(x, line) >= end;
    return begins && blank && line < end ? line : end;
}

/* Past the end of a tag or comment whose closing delimiter is at i. */
static size_t tag_end(const struct lexer *x, size_t i, const char *close, bool trims)
{
    uint8_t sign = x->source.p[i];
    if (sign == '-')
        return skip_space(x, i + 1 + strlen(close));
    if (sign == '+')
        return i + 1 + strlen(close);
    i += strlen(close);
    return trims && i < x->source.n && x->source.p[i] == '\n' ? i + 1 : i;
}

/* The next closing delimiter, with its sign if any; SIZE_MAX when there is none. */
static size_t find_close(const struct lexer *x, size_t i, const char *close)
{
    const uint8_t *p = memmem(x->source.p + i, x->source.n - i, close, strlen(close));
    if (!p)
        return SIZE_MAX;
    size_t found = (size_t)(p - x->source.p);
    return found > i && (p[-1] == '-' || p[-1] == '+') ? found - 1 : found;
}

static bool put_text(struct lexer *x, struct lexeme *out, size_t from, size_t end)
{
    *out = (struct lexeme){.kind = LEX_TEXT,
                           .text = span_sub(x->source, from, end - from),
                           .line = x->line,
                           .offset = (uint32_t)from};
    return true;
}

static uint8_t sign_at(const struct lexer *x, size_t i)
{
    uint8_t c = i < x->source.n ? x->source.p[i] : 0;
    return c == '-' || c == '+' ? c : 0;
}

/* {% raw %}: *body is where its text begins; false when this is another tag. */
static bool is_raw(const struct lexer *x, size_t tag, size_t *body)
{
    size_t i = tag + 2 + (sign_at(x, tag + 2) != 0);
    i = skip_space(x, i);
    if (!at(x, i, "raw"))
        return false;
    i = skip_space(x, i + 3);
    bool minus = at(x, i, "-%}");
    if (!minus && !at(x, i, "%}"))
        return false;
    *body = minus ? skip_space(x, i + 3) : i + 2;
    return true;
}

static bool raw_text(struct lexer *x, struct lexeme *out, size_t body)
{
    for (size_t i = body;; i++) {
        const uint8_t *p = memmem(x->source.p + i, x->source.n - i, "{%", 2);
        if (!p)
            return fault(x, "{% raw %} is not closed");
        i = (size_t)(p - x->source.p);
        uint8_t sign = sign_at(x, i + 2);
        size_t name = skip_space(x, i + 2 + (sign != 0));
        size_t close = at(x, name, "endraw") ? skip_space(x, name + 6) : 0;
        if (!close || (!at(x, close + (sign_at(x, close) != 0), "%}")))
            continue;
        advance(x, body);
        size_t end = text_end(x, body, i, sign, false);
        (void)put_text(x, out, body, end);
        advance(x, tag_end(x, close, "%}", true));
        x->line_start = x->source.p[x->at - 1] == '\n';
        return true;
    }
}

/* The next '{' that begins a tag. */
static size_t next_tag(const struct lexer *x, size_t i)
{
    while (i < x->source.n) {
        const uint8_t *p = memchr(x->source.p + i, '{', x->source.n - i);
        if (!p)
            break;
        i = (size_t)(p - x->source.p);
        if (at(x, i, "{{") || at(x, i, "{%") || at(x, i, "{#"))
            return i;
        i++;
    }
    return x->source.n;
}

static bool comment(struct lexer *x, size_t tag)
{
    size_t close = find_close(x, tag + 2, "#}");
    if (close == SIZE_MAX)
        return fault(x, "a comment is not closed");
    advance(x, tag_end(x, close, "#}", true));
    x->line_start = x->source.p[x->at - 1] == '\n';
    return true;
}

static bool open_tag(struct lexer *x, struct lexeme *out, size_t tag, bool output)
{
    advance(x, tag);
    *out = (struct lexeme){.kind = output ? LEX_OUTPUT_BEGIN : LEX_TAG_BEGIN,
                           .line = x->line,
                           .offset = (uint32_t)tag};
    advance(x, tag + 2 + (sign_at(x, tag + 2) != 0));
    x->in_tag = true;
    x->output = output;
    x->open_count = 0;
    x->line_start = false;
    return true;
}

/* Text up to the next tag, or that tag when there is none before it. */
static bool next_outside(struct lexer *x, struct lexeme *out)
{
    while (x->at < x->source.n) {
        size_t from = x->at, tag = next_tag(x, from), body = 0;
        bool output = at(x, tag, "{{"), note = at(x, tag, "{#");
        if (tag == x->source.n) {
            (void)put_text(x, out, from, tag);
            advance(x, tag);
            return true;
        }
        size_t end = text_end(x, from, tag, sign_at(x, tag + 2), output);
        if (end > from) {
            /* The tag is read next time, when nothing stands before it. */
            (void)put_text(x, out, from, end);
            advance(x, tag);
            x->line_start = false;
            return true;
        }
        if (!output && !note && is_raw(x, tag, &body))
            return raw_text(x, out, body);
        if (!note)
            return open_tag(x, out, tag, output);
        if (!comment(x, tag))
            return false;
    }
    *out = (struct lexeme){.kind = LEX_END, .line = x->line, .offset = (uint32_t)x->at};
    return true;
}

/* ---- within tags ---- */

static bool is_name_start(uint8_t c)
{
    uint8_t low = c | 0x20;
    return (low >= 'a' && low <= 'z') || c == '_' || c >= 0x80;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool read_name(struct lexer *x, struct lexeme *out)
{
    size_t end = x->at;
    while (end < x->source.n && (is_name_start(x->source.p[end]) || is_digit(x->source.p[end])))
        end++;
    out->kind = LEX_NAME;
    out->text = span_sub(x->source, x->at, end - x->at);
    advance(x, end);
    return true;
}

static size_t digits(const struct lexer *x, size_t i)
{
    while (i < x->source.n &&
           (is_digit(x->source.p[i]) || (x->source.p[i] == '_' && is_digit(x->source.p[i - 1]))))
        i++;
    return i;
}

static bool read_number(struct lexer *x, struct lexeme *out)
{
    size_t from = x->at, end = digits(x, from);
    uint8_t plain[64];
    size_t n = 0;
    bool real = false;
    if (end + 1 < x->source.n && x->source.p[end] == '.' && is_digit(x->source.p[end + 1])) {
        real = true;
        end = digits(x, end + 1);
    }
    size_t exponent = end + 1;
    if (end < x->source.n && (x->source.p[end] | 0x20) == 'e') {
        exponent += exponent < x->source.n && sign_at(x, exponent);
        if (exponent < x->source.n && is_digit(x->source.p[exponent])) {
            real = true;
            end = digits(x, exponent);
        }
    }
    for (size_t i = from; i < end && n < sizeof plain; i++)
        if (x->source.p[i] != '_')
            plain[n++] = x->source.p[i];
    struct span text = {plain, n};
    uint64_t value = 0;
    if (n == sizeof plain || (real ? !text_to_double(text, &out->real) : !text_u64(text, &value)) ||
        value > INT64_MAX)
        return fault(x, "a number that does not fit");
    out->kind = real ? LEX_FLOAT : LEX_INTEGER;
    out->integer = (int64_t)value;
    out->text = span_sub(x->source, from, end - from);
    advance(x, end);
    return true;
}

static bool hex_escape(struct lexer *x, struct buf *b, size_t *i, size_t count)
{
    uint32_t v = 0;
    for (size_t k = 0; k < count; k++) {
        uint8_t c = *i < x->source.n ? x->source.p[(*i)++] : 0, low = c | 0x20;
        if (!is_digit(c) && !(low >= 'a' && low <= 'f'))
            return fault(x, "a string holds an escape that is cut short");
        v = v << 4 | (uint32_t)(is_digit(c) ? c - '0' : low - 'a' + 10);
    }
    if (v >= UNICODE_END || (v >= 0xD800 && v < 0xE000))
        return fault(x, "a string holds an escape that is no character");
    utf8_put(b, v);
    return true;
}

/* One escape after its backslash, as Python's "unicode-escape" has them. */
static bool escape(struct lexer *x, struct buf *b, size_t *i)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    uint8_t c = x->source.p[(*i)++];
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        buf_put_u8(b, (uint8_t)to[known - from]);
        return true;
    }
    if (c == 'x' || c == 'u' || c == 'U')
        return hex_escape(x, b, i, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    if (c == '\n')
        return true;
    if (c >= '0' && c <= '7') {
        uint32_t v = (uint32_t)(c - '0');
        for (int k = 0; k < 2 && *i < x->source.n; k++, (*i)++) {
            uint8_t d = x->source.p[*i];
            if (d < '0' || d > '7')
                break;
            v = v * 8 + (uint32_t)(d - '0');
        }
        utf8_put(b, v);
        return true;
    }
    buf_put_u8(b, '\\');
    buf_put_u8(b, c);
    return true;
}

static bool read_string(struct lexer *x, struct lexeme *out)
{
    uint8_t quote = x->source.p[x->at];
    size_t i = x->at + 1;
    struct buf b;
    bool ok = true;
    buf_init(&b, x->source.n + 4);
    while (ok && i < x->source.n && x->source.p[i] != quote) {
        uint8_t c = x->source.p[i++];
        if (c != '\\')
            buf_put_u8(&b, c);
        else
            ok = i < x->source.n && escape(x, &b, &i);
    }
    if (ok && i >= x->source.n)
        ok = fault(x, "a string is not closed");
    out->kind = LEX_STRING_LITERAL;
    out->text = arena_span(x->arena, buf_span(&b));
    if (ok && (!buf_ok(&b) || (b.n && !out->text.p)))
        ok = err_set(x->e, ERR_MEMORY, "out of memory");
    buf_free(&b);
    if (ok)
        advance(x, i + 1);
    return ok || fault(x, "a string is not closed");
}

static bool bracket(struct lexer *x, uint8_t c)
{
    static const char opening[] = "([{", closing[] = ")]}";
    const char *open = strchr(opening, c), *close = strchr(closing, c);
    if (open) {
        if (x->open_count == sizeof x->open)
            return fault(x, "brackets are nested too deeply");
        x->open[x->open_count++] = closing[open - opening];
    } else if (close && (x->open_count == 0 || x->open[--x->open_count] != (char)c)) {
        return fault(x, "a bracket closes nothing");
    }
    return true;
}

static bool read_operator(struct lexer *x, struct lexeme *out)
{
    static const char *const two[] = {"==", "!=", ">=", "<=", "//", "**"};
    uint8_t c = x->source.p[x->at];
    size_t n = 0;
    for (size_t i = 0; i < sizeof two / sizeof *two && !n; i++)
        n = at(x, x->at, two[i]) ? 2 : 0;
    if (!n && c && strchr("+-/*%~[](){}><=.:|,;", c))
        n = 1;
    if (!n || !bracket(x, c))
        return fault(x, "a character that means nothing here");
    out->kind = LEX_OPERATOR;
    out->text = span_sub(x->source, x->at, n);
    advance(x, x->at + n);
    return true;
}

static bool closes(struct lexer *x, struct lexeme *out)
{
    const char *close = x->output ? "}}" : "%}";
    size_t sign = sign_at(x, x->at) != 0;
    if (x->open_count || !at(x, x->at + sign, close) || (sign && x->output && at(x, x->at, "+")))
        return false;
    out->kind = x->output ? LEX_OUTPUT_END : LEX_TAG_END;
    advance(x, tag_end(x, x->at, close, !x->output));
    x->line_start = x->source.p[x->at - 1] == '\n';
    x->in_tag = false;
    return true;
}

bool lexer_next(struct lexer *x, struct lexeme *out)
{
    if (!x->in_tag)
        return next_outside(x, out);
    advance(x, skip_space(x, x->at));
    *out = (struct lexeme){.line = x->line, .offset = (uint32_t)x->at};
    if (x->at >= x->source.n)
        return fault(x, "a tag is not closed");
    if (closes(x, out))
        return true;
    uint8_t c = x->source.p[x->at];
    if (is_name_start(c))
        return read_name(x, out);
    if (is_digit(c))
        return read_number(x, out);
    if (c == '"' || c == '\'')
        return read_string(x, out);
    return read_operator(x, out);
}
