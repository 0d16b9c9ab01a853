/*
 * Looking into a parsed template.
 */
#include "assay/template.h"

const char *template_kind_name(enum template_kind kind)
{
    static const char *const names[TEMPLATE_KINDS] = {
        [TEMPLATE_BLOCK] = "block",
        [TEMPLATE_TEXT] = "text",
        [TEMPLATE_OUTPUT] = "output",
        [TEMPLATE_IF] = "if",
        [TEMPLATE_FOR] = "for",
        [TEMPLATE_SET] = "set",
        [TEMPLATE_SET_BLOCK] = "set block",
        [TEMPLATE_MACRO] = "macro",
        [TEMPLATE_CALL_BLOCK] = "call block",
        [TEMPLATE_FILTER_BLOCK] = "filter block",
        [TEMPLATE_GENERATION] = "generation",
        [TEMPLATE_BREAK] = "break",
        [TEMPLATE_CONTINUE] = "continue",
        [TEMPLATE_NOTHING] = "nothing",
        [TEMPLATE_NAME] = "name",
        [TEMPLATE_STRING] = "string",
        [TEMPLATE_INTEGER] = "integer",
        [TEMPLATE_FLOAT] = "float",
        [TEMPLATE_TRUE] = "true",
        [TEMPLATE_FALSE] = "false",
        [TEMPLATE_NONE] = "none",
        [TEMPLATE_LIST] = "list",
        [TEMPLATE_TUPLE] = "tuple",
        [TEMPLATE_DICT] = "dict",
        [TEMPLATE_ATTRIBUTE] = "attribute",
        [TEMPLATE_ITEM] = "item",
        [TEMPLATE_SLICE] = "slice",
        [TEMPLATE_CALL] = "call",
        [TEMPLATE_FILTER] = "filter",
        [TEMPLATE_TEST] = "test",
        [TEMPLATE_KEYWORD] = "keyword",
        [TEMPLATE_SPREAD] = "spread",
        [TEMPLATE_PARAMETER] = "parameter",
        [TEMPLATE_NOT] = "not",
        [TEMPLATE_NEGATIVE] = "negative",
        [TEMPLATE_POSITIVE] = "positive",
        [TEMPLATE_AND] = "and",
        [TEMPLATE_OR] = "or",
        [TEMPLATE_COMPARE] = "compare",
        [TEMPLATE_COMPARE_WITH] = "compare with",
        [TEMPLATE_OPERATOR] = "operator",
        [TEMPLATE_CHOICE] = "choice",
    };
    return kind < TEMPLATE_KINDS && names[kind] ? names[kind] : "unknown";
}

/* As deep as the tree is high, which the parser bounds. */
static bool walk(const struct template_node *n,
                 bool (*visit)(void *arg, const struct template_node *node, unsigned depth),
                 void *arg, unsigned depth)
{
    if (!visit(arg, n, depth))
        return false;
    for (const struct template_node *c = n->child; c; c = c->next)
        if (!walk(c, visit, arg, depth + 1))
            return false;
    return true;
}

bool template_walk(const struct template_node *root,
                   bool (*visit)(void *arg, const struct template_node *node, unsigned depth),
                   void *arg)
{
    return walk(root, visit, arg, 0);
}
