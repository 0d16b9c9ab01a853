/*
 * Names that the language lacks. Jinja refuses an unknown filter or test when
 * it compiles, except below a condition, and an unknown function or method
 * only when the rendering gets there. Real templates rely on that for calls
 * they never reach, so both are judged here as Jinja does.
 */
#include "template/parse.h"

#include "assay/base/text.h"

static bool may_be_called(const struct parser *p, struct span name)
{
    for (size_t i = 0; i < p->callable_count; i++)
        if (span_eq(p->callables[i], name))
            return true;
    return known_function(name);
}

static const char *unknown(const struct parser *p, const struct template_node *n)
{
    switch ((int)n->kind) {
    case TEMPLATE_FILTER:
        return known_filter(n->name) ? NULL : "filter";
    case TEMPLATE_TEST:
        return known_test(n->name) ? NULL : "test";
    case TEMPLATE_CALL:
        if (n->child->kind == TEMPLATE_ATTRIBUTE)
            return known_method(n->child->name) ? NULL : "method";
        return n->child->kind != TEMPLATE_NAME || may_be_called(p, n->child->name) ? NULL
                                                                                   : "function";
    default:
        return NULL;
    }
}

/* Is what stands at `child` of n compiled in a frame of its own (jinja2/compiler.py)? */
static bool opens_frame(const struct template_node *n, const struct template_node *child)
{
    switch ((int)n->kind) {
    case TEMPLATE_FOR:
        return child != n->child->next; /* all but the iterable */
    case TEMPLATE_MACRO:
    case TEMPLATE_SET_BLOCK:
    case TEMPLATE_FILTER_BLOCK:
    case TEMPLATE_GENERATION:
        return true;
    case TEMPLATE_CALL_BLOCK:
        return child->kind == TEMPLATE_PARAMETER || child->kind == TEMPLATE_BLOCK;
    default:
        return false;
    }
}

static bool judge(struct parser *p, struct err *met, const struct template_node *n, bool condition)
{
    char shown[64];
    const char *what = unknown(p, n);
    bool late = n->kind == TEMPLATE_CALL || condition;
    if (what && (!late || !met->code)) {
        const struct template_node *at = n->kind == TEMPLATE_CALL ? n->child : n;
        (void)err_at(late ? met : p->e, ERR_UNSUPPORTED, NULL, at->offset,
                     "template line %u: the %s \"%s\" is not supported", at->line, what,
                     text_shown(shown, sizeof shown, at->name));
    }
    if (what && !late)
        return false;
    bool within = condition || n->kind == TEMPLATE_IF || n->kind == TEMPLATE_CHOICE;
    for (const struct template_node *c = n->child; c; c = c->next)
        if (!judge(p, met, c, within && !opens_frame(n, c)))
            return false;
    return true;
}

bool judge_names(struct parser *p, struct template *t)
{
    return judge(p, &t->unknown, t->root, false);
}
