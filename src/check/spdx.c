/*
 * SPDX licence expressions: recursive descent over the grammar of annex B of
 * SPDX 3.0.1. Licences are compared without regard to case, as the
 * specification wants; operators are all upper or all lower case.
 */
#include <string.h>
#include <strings.h>

#include "assay/base/text.h"
#include "assay/policy.h"

enum spdx_kind { SPDX_LICENCE, SPDX_AND, SPDX_OR };

struct spdx {
    enum spdx_kind kind;
    bool or_later;
    struct span id, exception;       /* of a licence; the exception may be empty */
    const struct spdx *left, *right; /* of AND and OR */
};

struct parser {
    struct span text;
    size_t pos;
    unsigned depth;
    struct arena *arena;
    struct err *e;
};

static bool fail(struct parser *p, const char *what)
{
    return err_at(p->e, ERR_FORMAT, NULL, p->pos, "licence expression: %s at byte %zu", what,
                  p->pos);
}

static void skip_space(struct parser *p)
{
    while (p->pos < p->text.n && (p->text.p[p->pos] == ' ' || p->text.p[p->pos] == '\t'))
        p->pos++;
}

static bool is_idchar(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == ':';
}

/* The next word without taking it. */
static struct span peek(struct parser *p)
{
    skip_space(p);
    size_t n = 0;
    while (p->pos + n < p->text.n && is_idchar(p->text.p[p->pos + n]))
        n++;
    return span_sub(p->text, p->pos, n);
}

static bool take_operator(struct parser *p, const char *upper, const char *lower)
{
    struct span word = peek(p);
    if (!span_is(word, upper) && !span_is(word, lower))
        return false;
    p->pos += word.n;
    return true;
}

static bool is_operator(struct span s)
{
    static const char *const words[] = {"AND", "and", "OR", "or", "WITH", "with"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_is(s, words[i]))
            return true;
    return false;
}

static struct spdx *make(struct parser *p, enum spdx_kind kind)
{
    struct spdx *x = arena_alloc(p->arena, sizeof *x);
    if (x)
        x->kind = kind;
    else
        err_set(p->e, ERR_MEMORY, "out of memory for a licence expression");
    return x;
}

static const struct spdx *parse_or(struct parser *p);

static const struct spdx *parse_licence(struct parser *p)
{
    struct span id = peek(p);
    if (id.n == 0 || is_operator(id)) {
        fail(p, "a licence identifier is expected");
        return NULL;
    }
    struct spdx *x = make(p, SPDX_LICENCE);
    if (!x)
        return NULL;
    x->id = id;
    p->pos += id.n;
    if (p->pos < p->text.n && p->text.p[p->pos] == '+') {
        x->or_later = true;
        p->pos++;
    }
    if (!take_operator(p, "WITH", "with"))
        return x;
    x->exception = peek(p);
    if (x->exception.n == 0 || is_operator(x->exception)) {
        fail(p, "an exception is expected after WITH");
        return NULL;
    }
    p->pos += x->exception.n;
    return x;
}

static const struct spdx *parse_primary(struct parser *p)
{
    skip_space(p);
    if (p->pos == p->text.n || p->text.p[p->pos] != '(')
        return parse_licence(p);
    if (p->depth == SPDX_MAX_DEPTH) {
        fail(p, "parentheses stand too deep within each other");
        return NULL;
    }
    p->pos++;
    p->depth++;
    const struct spdx *x = parse_or(p);
    p->depth--;
    skip_space(p);
    if (!x)
        return NULL;
    if (p->pos == p->text.n || p->text.p[p->pos] != ')') {
        fail(p, "a closing parenthesis is expected");
        return NULL;
    }
    p->pos++;
    return x;
}

/* Operands of one operator; AND binds closer than OR. */
static const struct spdx *parse_chain(struct parser *p, enum spdx_kind kind)
{
    bool inner = kind == SPDX_AND;
    const struct spdx *left = inner ? parse_primary(p) : parse_chain(p, SPDX_AND);
    while (left && take_operator(p, inner ? "AND" : "OR", inner ? "and" : "or")) {
        struct spdx *both = make(p, kind);
        if (!both)
            return NULL;
        both->left = left;
        both->right = inner ? parse_primary(p) : parse_chain(p, SPDX_AND);
        left = both->right ? both : NULL;
    }
    return left;
}

static const struct spdx *parse_or(struct parser *p)
{
    return parse_chain(p, SPDX_OR);
}

bool spdx_parse(const struct spdx **out, struct span text, struct arena *a, struct err *e)
{
    struct parser p = {.text = text, .arena = a, .e = e};
    *out = NULL;
    if (text.n > SPDX_MAX_TEXT)
        return fail(&p, "longer than is read");
    const struct spdx *x = parse_or(&p);
    if (!x)
        return false;
    skip_space(&p);
    if (p.pos < text.n)
        return fail(&p, "AND, OR, WITH or the end is expected");
    *out = x;
    return true;
}

/* ---- is it allowed? ---- */

static bool same(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp((const char *)a.p, (const char *)b.p, a.n) == 0);
}

static bool ends_with(struct span s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.n >= n && same(span_sub(s, s.n - n, n), span_str(suffix));
}

/* "GPL-3.0-or-later" is "GPL-3.0" or later; "-only" says nothing more. */
static struct span bare(struct span id, bool *or_later)
{
    if (ends_with(id, "-or-later")) {
        *or_later = true;
        return span_sub(id, 0, id.n - strlen("-or-later"));
    }
    return ends_with(id, "-only") ? span_sub(id, 0, id.n - strlen("-only")) : id;
}

/* "GPL-3.0" in "GPL" and 3.0; false when no version ends the name. */
static bool split_version(struct span id, struct span *name, unsigned version[3])
{
    size_t at = id.n;
    while (at > 0 && id.p[at - 1] != '-')
        at--;
    if (at < 2 || at == id.n)
        return false;
    *name = span_sub(id, 0, at - 1);
    version[0] = version[1] = version[2] = 0;
    for (size_t part = 0; at < id.n; at++) {
        uint8_t c = id.p[at];
        if (c == '.' && part < 2)
            part++;
        else if (c >= '0' && c <= '9' && version[part] < 100000)
            version[part] = version[part] * 10 + (unsigned)(c - '0');
        else
            return false;
    }
    return true;
}

static bool version_from(struct span listed, struct span least)
{
    struct span a, b;
    unsigned va[3], vb[3];
    if (!split_version(listed, &a, va) || !split_version(least, &b, vb) || !same(a, b))
        return false;
    for (size_t i = 0; i < 3; i++)
        if (va[i] != vb[i])
            return va[i] > vb[i];
    return true;
}

/* Does one listed licence, which may carry + or WITH itself, allow this one? */
static bool item_allows(struct span item, const struct spdx *x)
{
    struct span exception = SPAN_EMPTY;
    size_t n = 0;
    while (n < item.n && is_idchar(item.p[n]))
        n++;
    bool listed_later = n < item.n && item.p[n] == '+', later = x->or_later;
    struct span rest = span_sub(item, n + listed_later, item.n);
    if (span_starts(rest, " WITH ") || span_starts(rest, " with "))
        exception = span_sub(rest, strlen(" WITH "), rest.n);
    else if (rest.n)
        return false;
    if (exception.n && !same(exception, x->exception))
        return false;
    struct span listed = bare(span_sub(item, 0, n), &listed_later), asked = bare(x->id, &later);
    if (same(listed, asked))
        return !listed_later || later; /* a list that names "or later" means just that */
    return later && version_from(listed, asked);
}

bool spdx_allowed(const struct spdx *x, const struct config_texts *list)
{
    if (x->kind == SPDX_AND)
        return spdx_allowed(x->left, list) && spdx_allowed(x->right, list);
    if (x->kind == SPDX_OR)
        return spdx_allowed(x->left, list) || spdx_allowed(x->right, list);
    for (size_t i = 0; i < list->count; i++)
        if (item_allows(list->items[i], x))
            return true;
    return false;
}
