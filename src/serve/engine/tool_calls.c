/*
 * Three forms of one thing: an object with a name and arguments. A model writes what
 * it likes, so whatever does not hold is shown as the text that it is, and a form
 * that has no mark (Llama's) counts only when it names a tool that was offered.
 */
#include "serve/engine/tool_calls.h"

#include <string.h>

static const char hermes_begin[] = "<tool_call>", hermes_end[] = "</tool_call>",
                  mistral_begin[] = "[TOOL_CALLS]", mistral_arguments[] = "[ARGS]",
                  llama_begin[] = "<|python_tag|>";

bool tool_calls_mark(struct span token)
{
    return span_is(token, hermes_begin) || span_is(token, hermes_end) ||
           span_is(token, mistral_begin) || span_is(token, mistral_arguments) ||
           span_is(token, llama_begin);
}

/* ---- spans ---- */

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static struct span trimmed(struct span s)
{
    while (s.n && is_space(s.p[0]))
        s = span_sub(s, 1, s.n);
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

static struct span after(struct span s, size_t n)
{
    return span_sub(s, n, s.n);
}

/* Where `mark` begins; s.n when it is not there. */
static size_t find(struct span s, const char *mark)
{
    const uint8_t *at = s.n ? memmem(s.p, s.n, mark, strlen(mark)) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

static const char *mark_of(enum engine_tools form)
{
    return form == ENGINE_TOOLS_HERMES ? hermes_begin : mistral_begin;
}

/* ---- while it is written ---- */

/* Without its end, where that could begin `mark`, and without the space before it. */
static size_t before_mark(struct span text, const char *mark)
{
    size_t n = find(text, mark), length = strlen(mark);
    if (n == text.n)
        for (size_t k = length - 1 < n ? length - 1 : n; k > 0; k--)
            if (memcmp(text.p + n - k, mark, k) == 0) {
                n -= k;
                break;
            }
    while (n && is_space(text.p[n - 1]))
        n--;
    return n;
}

size_t tool_calls_before(enum engine_tools form, struct span text)
{
    if (form == ENGINE_TOOLS_HERMES || form == ENGINE_TOOLS_MISTRAL)
        return before_mark(text, mark_of(form));
    if (form != ENGINE_TOOLS_LLAMA)
        return text.n;
    struct span s = trimmed(text);
    size_t length = strlen(llama_begin);
    bool mark = s.n && memcmp(s.p, llama_begin, s.n < length ? s.n : length) == 0;
    return s.n == 0 || s.p[0] == '{' || mark ? 0 : text.n;
}

/* ---- when it is whole ---- */

struct reading {
    struct tool_calls *out;
    const struct tool_calls_form *form;
    struct arena *a;
};

static bool was_offered(struct json tools, struct span name)
{
    for (struct json t = json_first(tools); json_type(t); t = json_next(t)) {
        struct span s;
        if (json_string(json_get(json_get(t, "function"), "name"), &s) && span_eq(s, name))
            return true;
    }
    return false;
}

static bool add(struct reading *r, struct span name, struct json arguments)
{
    struct span text = span_str("{}");
    struct json value = arguments;
    if (r->out->count == TOOL_CALLS_MAX || name.n == 0 ||
        (r->form->family == ENGINE_TOOLS_LLAMA && !was_offered(r->form->tools, name)))
        return false;
    if (json_type(arguments) == JSON_OBJECT)
        text = json_text(arguments);
    else if (json_type(arguments) != JSON_MISSING && !json_string(arguments, &text))
        return false;
    if (json_type(arguments) == JSON_STRING && !json_parse(&value, text, JSON_STRICT, r->a, NULL))
        value = arguments;
    bool object = json_type(value) == JSON_OBJECT || json_type(value) == JSON_MISSING;
    r->out->call[r->out->count++] = (struct tool_call){name, text, object};
    return true;
}

/* As form.c has a call begin that no mark announces. */
static bool begins_as_held(struct json call)
{
    static const char *const beginnings[] = {"{\"name\": ", "{\"name\":"};
    struct json name = json_get(call, "name");
    struct span text = json_text(call), written = json_text(name), said;
    bool plain = json_string(name, &said) && said.n + 2 == written.n; /* without escapes */
    for (size_t i = 0; plain && i < sizeof beginnings / sizeof *beginnings; i++)
        if (span_starts(text, beginnings[i]) && written.p == text.p + strlen(beginnings[i]))
            return true;
    return false;
}

/* An object that is a call; arguments go by either name. */
static bool add_object(struct reading *r, struct json call)
{
    struct json arguments = json_get(call, "arguments");
    struct span name;
    if (!json_type(arguments))
        arguments = json_get(call, "parameters");
    if (r->form->held && r->form->family == ENGINE_TOOLS_LLAMA && !begins_as_held(call))
        return false;
    return json_string(json_get(call, "name"), &name) && add(r, name, arguments);
}

/* A value at the beginning of *text, which moves behind it. */
static bool take_value(struct reading *r, struct span *text, struct json *out)
{
    if (!json_parse(out, *text, JSON_PREFIX, r->a, NULL))
        return false;
    *text = after(*text, json_end(*out));
    return true;
}

/* What was begun and is no call, or not yet: text, behind calls that stay where an answer may be cut. */
static bool cut_off(const struct reading *r, struct span begun, struct buf *content)
{
    if (!r->form->several || r->out->count == 0)
        return false;
    buf_put_span(content, begun);
    return true;
}

/* Without the mark that ends a call, or the beginning of it where an answer was cut. */
static struct span behind_end(const struct reading *r, struct span text)
{
    size_t n = strlen(hermes_end);
    if (span_starts(text, hermes_end))
        return after(text, n);
    bool cut = r->form->several && text.n && text.n < n && memcmp(text.p, hermes_end, text.n) == 0;
    return cut ? after(text, text.n) : text;
}

static bool read_hermes(struct reading *r, struct span text, struct buf *content)
{
    while (text.n) {
        struct json call;
        size_t at = find(text, hermes_begin);
        struct span begun = after(text, at);
        buf_put_span(content, span_sub(text, 0, at));
        text = trimmed(after(text, at + (at < text.n ? strlen(hermes_begin) : 0)));
        if (text.n == 0) {
            (void)cut_off(r, begun, content); /* a mark that nothing follows */
            break;
        }
        if (!take_value(r, &text, &call) || !add_object(r, call))
            return cut_off(r, begun, content);
        text = behind_end(r, trimmed(text));
    }
    return true;
}

/* name[ARGS]{...}, as of version 11 of the form; [ARGS] may be missing. */
static bool read_named(struct reading *r, struct span *text)
{
    struct json arguments;
    size_t at = 0;
    while (at < text->n && text->p[at] != '{' && text->p[at] != '[')
        at++;
    struct span name = trimmed(span_sub(*text, 0, at));
    *text = after(*text, at);
    if (span_starts(*text, mistral_arguments))
        *text = trimmed(after(*text, strlen(mistral_arguments)));
    return take_value(r, text, &arguments) && add(r, name, arguments);
}

/* The calls of a list that was cut. */
static bool read_list(struct reading *r, struct span text, struct buf *content)
{
    struct span begun = after(text, 1);
    while (text.n && (text.p[0] == '[' || text.p[0] == ',')) {
        struct json call;
        text = begun = trimmed(after(text, 1));
        if (text.n && (!take_value(r, &text, &call) || !add_object(r, call)))
            break;
        text = trimmed(text);
        begun = text;
    }
    return cut_off(r, begun, content);
}

static bool read_mistral(struct reading *r, struct span text, struct buf *content)
{
    size_t at = find(text, mistral_begin);
    buf_put_span(content, span_sub(text, 0, at));
    text = after(text, at);
    while (span_starts(text, mistral_begin)) {
        struct json list;
        struct span begun = text;
        text = trimmed(after(text, strlen(mistral_begin)));
        if (text.n && text.p[0] != '[' && text.p[0] != '{') {
            if (!read_named(r, &text))
                return cut_off(r, begun, content);
        } else if (r->form->several && !json_parse(&list, text, JSON_STRICT, r->a, NULL)) {
            return text.n ? read_list(r, text, content) : cut_off(r, begun, content);
        } else {
            if (!take_value(r, &text, &list))
                return false;
            bool one = json_type(list) == JSON_OBJECT;
            for (struct json c = one ? list : json_first(list); json_type(c);
                 c = one ? JSON_NOTHING : json_next(c))
                if (!add_object(r, c))
                    return false;
        }
        text = trimmed(text);
    }
    return text.n == 0 || cut_off(r, text, content);
}

static bool read_llama(struct reading *r, struct span text, struct buf *content)
{
    text = trimmed(text);
    if (span_starts(text, llama_begin))
        text = trimmed(after(text, strlen(llama_begin)));
    while (text.n) {
        struct json call;
        struct span begun = text;
        if (text.p[0] != '{' || !take_value(r, &text, &call) || !add_object(r, call))
            return cut_off(r, begun, content);
        text = trimmed(text);
        if (text.n && text.p[0] == ';')
            text = trimmed(after(text, 1));
    }
    return true;
}

bool tool_calls_first(struct tool_calls *out, const struct tool_calls_form *as, struct span text,
                      struct arena *a)
{
    struct reading r = {out, as, a};
    enum engine_tools form = as->family;
    bool marked = form == ENGINE_TOOLS_HERMES || form == ENGINE_TOOLS_MISTRAL;
    const char *mark = marked ? mark_of(form) : llama_begin;
    size_t at = marked ? find(text, mark) : 0;
    struct span rest = trimmed(after(text, at));
    struct json call;
    out->count = 0;
    out->cut = false;
    out->content = span_sub(text, 0, at);
    while (out->content.n && is_space(out->content.p[out->content.n - 1]))
        out->content.n--;
    if (span_starts(rest, mark))
        rest = trimmed(after(rest, strlen(mark)));
    else if (form != ENGINE_TOOLS_LLAMA)
        return false;
    if (form == ENGINE_TOOLS_MISTRAL && rest.n && rest.p[0] == '[')
        rest = trimmed(after(rest, 1));
    else if (form == ENGINE_TOOLS_MISTRAL && rest.n && rest.p[0] != '{')
        return read_named(&r, &rest);
    return take_value(&r, &rest, &call) && add_object(&r, call);
}

bool tool_calls_read(struct tool_calls *out, const struct tool_calls_form *as, struct span text,
                     struct arena *a)
{
    struct reading r = {out, as, a};
    enum engine_tools form = as->family;
    struct buf content;
    buf_init(&content, text.n + 1);
    out->count = 0;
    out->cut = false;
    out->content = text;
    bool read = form == ENGINE_TOOLS_HERMES    ? read_hermes(&r, text, &content)
                : form == ENGINE_TOOLS_MISTRAL ? read_mistral(&r, text, &content)
                : form == ENGINE_TOOLS_LLAMA   ? read_llama(&r, text, &content)
                                               : false;
    if (!read)
        out->count = 0;
    if (out->count) {
        struct span kept = buf_span(&content);
        while (kept.n && is_space(kept.p[kept.n - 1]))
            kept.n--;
        out->cut = as->several && kept.n;
        out->content = arena_span(a, kept);
        read = kept.n == 0 || out->content.p;
    } else {
        read = true;
    }
    read = read && buf_ok(&content);
    buf_free(&content);
    return read;
}
