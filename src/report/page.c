/*
 * The template engine. It writes nothing unescaped but the template itself, so
 * whatever a model, card or log holds, the page's own structure stays as it is.
 */
#include "report/page.h"

#include <stdio.h>
#include <string.h>

#include "assay/base/embed.h"
#include "assay/base/text.h"

struct page {
    struct buf *out;
    enum page_escape escape;
    struct json stack[PAGE_DEPTH];
    size_t depth;
    struct err *e;
};

/* ---- escaping ---- */

static const char *html_entity(uint8_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\r': /* a parser would make it a line feed */
        return "&#13;";
    default:
        return NULL;
    }
}

/* What means something in Markdown or its HTML, and line ends, which would end a cell or item. */
static void put_markdown(struct buf *out, uint8_t c)
{
    if (c == '\n' || c == '\r')
        buf_put_u8(out, ' ');
    else if (c == '<')
        buf_put_str(out, "&lt;");
    else if (c == '&')
        buf_put_str(out, "&amp;");
    else {
        if (strchr("\\`*_{}[]()#+!|>~", c) && c)
            buf_put_u8(out, '\\');
        buf_put_u8(out, c);
    }
}

void page_put(struct buf *out, struct span s, enum page_escape escape)
{
    for (size_t i = 0; i < s.n; i++) {
        const char *entity = escape == PAGE_HTML ? html_entity(s.p[i]) : NULL;
        if (escape == PAGE_MARKDOWN)
            put_markdown(out, s.p[i]);
        else if (entity)
            buf_put_str(out, entity);
        else
            buf_put_u8(out, s.p[i]);
    }
}

/* ---- looking up ---- */

static struct json look_up(const struct page *p, struct span name)
{
    for (size_t i = p->depth; i-- > 0;) {
        struct json v = span_is(name, ".") ? p->stack[i] : json_get_span(p->stack[i], name);
        if (json_type(v) != JSON_MISSING)
            return v;
    }
    return JSON_NOTHING;
}

static bool put_value(struct page *p, struct span name)
{
    struct json v = look_up(p, name);
    struct span s;
    if (json_string(v, &s))
        page_put(p->out, s, p->escape);
    else if (json_type(v) == JSON_NUMBER)
        buf_put_span(p->out, json_text(v));
    else if (json_type(v) != JSON_MISSING)
        return err_set(p->e, ERR_CONFIG, "template: %.*s is no text", (int)name.n,
                       (const char *)name.p);
    return true;
}

/* ---- structure ---- */

/* The next {{tag}} at or after *at: its text, and where it begins and ends. */
static bool next_tag(struct span text, size_t at, size_t *from, size_t *to, struct span *tag)
{
    for (size_t i = at; i + 1 < text.n; i++) {
        if (text.p[i] != '{' || text.p[i + 1] != '{')
            continue;
        for (size_t k = i + 2; k + 1 < text.n; k++)
            if (text.p[k] == '}' && text.p[k + 1] == '}') {
                *from = i;
                *to = k + 2;
                *tag = span_sub(text, i + 2, k - i - 2);
                return true;
            }
        return false;
    }
    return false;
}

/* Where the section `name` that begins before `at` ends: *inner of its body, *after its end tag. */
static bool section_end(struct span text, size_t at, struct span name, size_t *inner, size_t *after)
{
    size_t depth = 1, from, to;
    struct span tag;
    while (next_tag(text, at, &from, &to, &tag)) {
        bool same = tag.n && span_eq(span_sub(tag, 1, tag.n), name);
        if (same && tag.p[0] == '#')
            depth++;
        if (same && tag.p[0] == '/' && --depth == 0) {
            *inner = from;
            *after = to;
            return true;
        }
        at = to;
    }
    return false;
}

static bool run(struct page *p, struct span text);

static bool with(struct page *p, struct json v, struct span body)
{
    if (p->depth == PAGE_DEPTH)
        return err_set(p->e, ERR_LIMIT, "template: sections nested deeper than %d", PAGE_DEPTH);
    p->stack[p->depth++] = v;
    bool ok = run(p, body);
    p->depth--;
    return ok;
}

static bool run_section(struct page *p, struct span name, struct span body)
{
    struct json v = look_up(p, name);
    struct span s;
    switch (json_type(v)) {
    case JSON_ARRAY:
        for (struct json i = json_first(v); json_type(i); i = json_next(i))
            if (!with(p, i, body))
                return false;
        return true;
    case JSON_OBJECT:
        return with(p, v, body);
    case JSON_STRING:
        return !json_string(v, &s) || s.n == 0 || run(p, body);
    case JSON_TRUE:
    case JSON_NUMBER:
        return run(p, body);
    case JSON_MISSING:
    case JSON_NULL:
    case JSON_FALSE:
        break;
    }
    return true;
}

static bool run(struct page *p, struct span text)
{
    size_t at = 0, from, to, inner, after;
    struct span tag;
    while (next_tag(text, at, &from, &to, &tag)) {
        buf_put_span(p->out, span_sub(text, at, from - at));
        at = to;
        if (tag.n && tag.p[0] == '#') {
            struct span name = span_sub(tag, 1, tag.n);
            if (!section_end(text, to, name, &inner, &after))
                return err_set(p->e, ERR_CONFIG, "template: the section %.*s has no end",
                               (int)name.n, (const char *)name.p);
            if (!run_section(p, name, span_sub(text, to, inner - to)))
                return false;
            at = after;
        } else if (!put_value(p, tag))
            return false;
    }
    buf_put_span(p->out, span_sub(text, at, text.n));
    return buf_ok(p->out) || err_set(p->e, ERR_LIMIT, "the page is larger than there is room for");
}

bool page_render_text(struct buf *out, struct span text, struct json view, enum page_escape escape,
                      struct err *e)
{
    struct page p = {.out = out, .escape = escape, .e = e};
    return with(&p, view, text);
}

struct span page_asset(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "reports/templates/%s", name);
    for (size_t i = 0; i < embedded_count; i++)
        if (strcmp(embedded[i].name, path) == 0)
            return embedded[i].bytes;
    return SPAN_EMPTY;
}

bool page_render(struct buf *out, const char *name, struct json view, enum page_escape escape,
                 struct err *e)
{
    struct span text = page_asset(name);
    return (text.n || err_set(e, ERR_CONFIG, "no template is called %s", name)) &&
           page_render_text(out, text, view, escape, e);
}
