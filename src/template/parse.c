/*
 * Statements (jinja2/parser.py), and making a template.
 */
#include "template/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "assay/base/text.h"

/* ---- tokens ---- */

bool parse_fault(struct parser *p, enum err_code code, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_at(p->e, code, NULL, p->now.offset, "template line %u: %s", p->now.line, text);
}

bool parse_advance(struct parser *p)
{
    return lexer_next(&p->lexer, &p->now);
}

bool parse_is(const struct parser *p, enum token_kind kind, const char *text)
{
    return p->now.kind == kind && (!text || span_is(p->now.text, text));
}

bool parse_accept(struct parser *p, enum token_kind kind, const char *text, bool *found)
{
    *found = parse_is(p, kind, text);
    return !*found || parse_advance(p);
}

bool parse_expect(struct parser *p, enum token_kind kind, const char *text)
{
    char shown[64];
    if (parse_is(p, kind, text))
        return parse_advance(p);
    return parse_fault(p, ERR_FORMAT, "expected %s, found \"%s\"",
                       text                  ? text
                       : kind == LEX_TAG_END ? "the end of the tag"
                                             : "a name",
                       text_shown(shown, sizeof shown, p->now.text));
}

struct template_node *parse_node(struct parser *p, enum template_kind kind)
{
    struct template_node *n = arena_alloc(p->arena, sizeof *n);
    if (!n) {
        (void)err_set(p->e, ERR_MEMORY, "out of memory");
        return NULL;
    }
    n->kind = kind;
    n->line = p->now.line;
    n->offset = p->now.offset;
    return n;
}

struct template_node *parse_nothing(struct parser *p)
{
    return parse_node(p, TEMPLATE_NOTHING);
}

bool add_child(struct children *c, struct template_node *child)
{
    if (!child)
        return false;
    if (c->last)
        c->last->next = child;
    else
        c->parent->child = child;
    c->last = child;
    if (child->height >= c->parent->height)
        c->parent->height = child->height + 1;
    return true;
}

bool parse_callable(struct parser *p, struct span name)
{
    struct span *all =
        arena_grow(p->arena, p->callables, p->callable_count, &p->callable_cap, sizeof *all);
    if (!all)
        return err_set(p->e, ERR_MEMORY, "out of memory");
    p->callables = all;
    all[p->callable_count++] = name;
    return true;
}

/* ---- statements ---- */

static struct template_node *block(struct parser *p, const char *const *ends);

static bool end_tag(struct parser *p)
{
    return parse_expect(p, LEX_TAG_END, NULL);
}

/* A block up to {% endX %}, which is stepped over. */
static struct template_node *block_until(struct parser *p, const char *end)
{
    const char *const ends[] = {end, NULL};
    struct template_node *b = block(p, ends);
    return b && parse_advance(p) && end_tag(p) ? b : NULL;
}

static struct template_node *parse_if(struct parser *p)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    struct template_node *n = parse_node(p, TEMPLATE_IF);
    struct children c = {n, NULL};
    if (!n || !add_child(&c, parse_expression(p, true)) || !end_tag(p) ||
        !add_child(&c, block(p, ends)))
        return NULL;
    bool elif = parse_is(p, LEX_NAME, "elif"), other = parse_is(p, LEX_NAME, "else");
    if (++p->depth > TEMPLATE_MAX_NESTING) {
        (void)parse_fault(p, ERR_LIMIT, "more than %d branches or levels", TEMPLATE_MAX_NESTING);
        return NULL;
    }
    if (!parse_advance(p))
        return NULL;
    struct template_node *rest = elif          ? parse_if(p)
                                 : !end_tag(p) ? NULL
                                 : other       ? block_until(p, "endif")
                                               : parse_nothing(p);
    p->depth--;
    return add_child(&c, rest) ? n : NULL;
}

/* What a name is bound to may be called: macros are passed around. */
static bool bind(struct parser *p, const struct template_node *target)
{
    if (target->kind == TEMPLATE_NAME)
        return parse_callable(p, target->name);
    for (const struct template_node *t = target->child; t; t = t->next)
        if (!bind(p, t))
            return false;
    return true;
}

static struct template_node *parse_for(struct parser *p)
{
    static const char *const ends[] = {"else", "endfor", NULL};
    struct template_node *n = parse_node(p, TEMPLATE_FOR);
    struct children c = {n, NULL};
    struct template_node *target = n ? parse_target(p, false) : NULL;
    bool found;
    if (!target || !bind(p, target) || !add_child(&c, target) || !parse_expect(p, LEX_NAME, "in") ||
        !add_child(&c, parse_tuple(p, false, false)) || !parse_accept(p, LEX_NAME, "if", &found) ||
        !add_child(&c, found ? parse_expression(p, true) : parse_nothing(p)) ||
        !parse_accept(p, LEX_NAME, "recursive", &found))
        return NULL;
    if (found) {
        (void)parse_fault(p, ERR_UNSUPPORTED, "recursive loops are not supported");
        return NULL;
    }
    p->loops++;
    bool ok = end_tag(p) && add_child(&c, block(p, ends));
    p->loops--;
    if (!ok)
        return NULL;
    bool other = parse_is(p, LEX_NAME, "else");
    ok = parse_advance(p) && end_tag(p);
    return ok && add_child(&c, other ? block_until(p, "endfor") : parse_nothing(p)) ? n : NULL;
}

static struct template_node *parse_set(struct parser *p)
{
    struct template_node *n = parse_node(p, TEMPLATE_SET);
    struct children c = {n, NULL};
    struct template_node *target = n ? parse_target(p, true) : NULL;
    bool found;
    if (!target || !bind(p, target) || !add_child(&c, target) ||
        !parse_accept(p, LEX_OPERATOR, "=", &found))
        return NULL;
    if (found)
        return add_child(&c, parse_tuple(p, true, false)) && end_tag(p) ? n : NULL;
    n->kind = TEMPLATE_SET_BLOCK;
    struct template_node *nothing = parse_nothing(p);
    struct template_node *filters = nothing ? parse_filters(p, nothing, false) : NULL;
    struct template_node *body = filters && end_tag(p) ? block_until(p, "endset") : NULL;
    return add_child(&c, body) && add_child(&c, filters) ? n : NULL;
}

/* "(a, b=1)" of a macro or a call block. */
static bool parameters(struct parser *p, struct children *c)
{
    bool found;
    if (!parse_expect(p, LEX_OPERATOR, "("))
        return false;
    while (!parse_is(p, LEX_OPERATOR, ")")) {
        struct template_node *n = parse_node(p, TEMPLATE_PARAMETER);
        struct children value = {n, NULL};
        if (!n)
            return false;
        n->name = p->now.text;
        if (!parse_expect(p, LEX_NAME, NULL) || !parse_callable(p, n->name) ||
            !parse_accept(p, LEX_OPERATOR, "=", &found) ||
            !add_child(&value, found ? parse_expression(p, true) : parse_nothing(p)) ||
            !add_child(c, n) || !parse_accept(p, LEX_OPERATOR, ",", &found))
            return false;
        if (!found)
            break;
    }
    return parse_expect(p, LEX_OPERATOR, ")");
}

/* The body stands last among the children; break and continue do not reach out of it. */
static struct template_node *with_body(struct parser *p, struct children *c, const char *end)
{
    unsigned loops = p->loops;
    p->loops = 0;
    bool ok = end_tag(p) && add_child(c, block_until(p, end));
    p->loops = loops;
    return ok ? c->parent : NULL;
}

static struct template_node *parse_macro(struct parser *p)
{
    struct template_node *n = parse_node(p, TEMPLATE_MACRO);
    struct children c = {n, NULL};
    if (!n)
        return NULL;
    n->name = p->now.text;
    if (!parse_expect(p, LEX_NAME, NULL) || !parse_callable(p, n->name) || !parameters(p, &c) ||
        !parse_callable(p, span_str("caller")))
        return NULL;
    return with_body(p, &c, "endmacro");
}

static struct template_node *parse_call_block(struct parser *p)
{
    struct template_node *n = parse_node(p, TEMPLATE_CALL_BLOCK);
    struct children c = {n, NULL};
    if (!n || (parse_is(p, LEX_OPERATOR, "(") && !parameters(p, &c)))
        return NULL;
    struct template_node *call = parse_expression(p, true);
    if (call && call->kind != TEMPLATE_CALL) {
        (void)parse_fault(p, ERR_FORMAT, "{%% call %%} without a call");
        return NULL;
    }
    return add_child(&c, call) ? with_body(p, &c, "endcall") : NULL;
}

static struct template_node *parse_filter_block(struct parser *p)
{
    struct template_node *n = parse_node(p, TEMPLATE_FILTER_BLOCK);
    struct children c = {n, NULL};
    struct template_node *nothing = n ? parse_nothing(p) : NULL;
    if (!nothing || !add_child(&c, parse_filters(p, nothing, true)) || !end_tag(p))
        return NULL;
    return add_child(&c, block_until(p, "endfilter")) ? n : NULL;
}

static struct template_node *parse_generation(struct parser *p)
{
    struct template_node *n = parse_node(p, TEMPLATE_GENERATION);
    struct children c = {n, NULL};
    return n && end_tag(p) && add_child(&c, block_until(p, "endgeneration")) ? n : NULL;
}

static struct template_node *leave(struct parser *p, enum template_kind kind)
{
    struct template_node *n = parse_node(p, kind);
    if (n && !p->loops) {
        (void)parse_fault(p, ERR_FORMAT, "break or continue outside a loop");
        return NULL;
    }
    return n && end_tag(p) ? n : NULL;
}

static struct template_node *parse_break(struct parser *p)
{
    return leave(p, TEMPLATE_BREAK);
}

static struct template_node *parse_continue(struct parser *p)
{
    return leave(p, TEMPLATE_CONTINUE);
}

static const struct {
    const char *name;
    struct template_node *(*parse)(struct parser *p);
} statements[] = {
    {"if", parse_if},
    {"for", parse_for},
    {"set", parse_set},
    {"macro", parse_macro},
    {"call", parse_call_block},
    {"filter", parse_filter_block},
    {"generation", parse_generation},
    {"break", parse_break},
    {"continue", parse_continue},
};

static struct template_node *statement(struct parser *p)
{
    char shown[64];
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (!parse_is(p, LEX_NAME, statements[i].name))
            continue;
        if (++p->depth > TEMPLATE_MAX_NESTING) {
            (void)parse_fault(p, ERR_LIMIT, "nested more than %d levels", TEMPLATE_MAX_NESTING);
            return NULL;
        }
        uint32_t line = p->now.line, offset = p->now.offset;
        struct template_node *n = parse_advance(p) ? statements[i].parse(p) : NULL;
        p->depth--;
        if (n) {
            n->line = line;
            n->offset = offset;
        }
        return n;
    }
    (void)parse_fault(p, p->now.kind == LEX_NAME ? ERR_UNSUPPORTED : ERR_FORMAT,
                      "the statement \"%s\" is not supported",
                      text_shown(shown, sizeof shown, p->now.text));
    return NULL;
}

static struct template_node *output(struct parser *p)
{
    struct template_node *n = parse_node(p, TEMPLATE_OUTPUT);
    struct children c = {n, NULL};
    return n && add_child(&c, parse_tuple(p, true, false)) && parse_expect(p, LEX_OUTPUT_END, NULL)
               ? n
               : NULL;
}

static bool is_end(const struct parser *p, const char *const *ends)
{
    for (; *ends; ends++)
        if (parse_is(p, LEX_NAME, *ends))
            return true;
    return false;
}

/* Statements up to a tag with one of the names, which is next then; NULL: to the end. */
static struct template_node *block(struct parser *p, const char *const *ends)
{
    struct template_node *n = parse_node(p, TEMPLATE_BLOCK), *one;
    struct children c = {n, NULL};
    while (n && p->now.kind != LEX_END) {
        if (p->now.kind == LEX_TEXT) {
            one = parse_node(p, TEMPLATE_TEXT);
            if (one)
                one->name = p->now.text;
            if (one && !parse_advance(p))
                return NULL;
        } else if (p->now.kind == LEX_OUTPUT_BEGIN) {
            one = parse_advance(p) ? output(p) : NULL;
        } else {
            if (!parse_advance(p))
                return NULL;
            if (ends && is_end(p, ends))
                return n;
            one = statement(p);
        }
        if (!add_child(&c, one))
            return NULL;
        if (n->height > TEMPLATE_MAX_HEIGHT) {
            (void)parse_fault(p, ERR_LIMIT, "the expression before is more than %d levels deep",
                              TEMPLATE_MAX_HEIGHT);
            return NULL;
        }
    }
    if (n && ends) {
        (void)parse_fault(p, ERR_FORMAT, "the template ends before {%% %s %%}", ends[0]);
        return NULL;
    }
    return n;
}

static bool parse(struct template *t, struct span source, struct err *e)
{
    struct parser p = {.arena = t->arena, .e = e};
    if (source.n > TEMPLATE_MAX_SOURCE)
        return err_set(e, ERR_LIMIT, "the template is longer than %d bytes", TEMPLATE_MAX_SOURCE);
    size_t bad = utf8_invalid(source);
    if (bad != TEXT_VALID)
        return err_at(e, ERR_FORMAT, NULL, bad, "the template is not UTF-8");
    if (!lexer_init(&p.lexer, source, t->arena, e) || !parse_advance(&p))
        return false;
    t->source = p.lexer.source;
    t->root = block(&p, NULL);
    return t->root && judge_names(&p, t);
}

enum { PARSE_MEMORY = 256 << 20 };

bool template_new(struct template **out, struct span source, struct err *e)
{
    struct template *t = calloc(1, sizeof *t);
    *out = NULL;
    if (!t || !(t->arena = arena_new(PARSE_MEMORY))) {
        free(t);
        return err_set(e, ERR_MEMORY, "out of memory");
    }
    if (!parse(t, source, e)) {
        template_free(t);
        return false;
    }
    *out = t;
    return true;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    arena_free(t->arena);
    free(t);
}

const struct template_node *template_root(const struct template *t)
{
    return t->root;
}

bool template_complete(const struct template *t, struct err *e)
{
    if (t->unknown.code)
        *e = t->unknown;
    return !t->unknown.code;
}
