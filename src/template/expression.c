/*
 * Expressions (jinja2/parser.py), by descending precedence.
 */
#include "template/parse.h"

#include "assay/base/text.h"

static struct template_node *unary(struct parser *p, bool with_filters);
static struct template_node *primary(struct parser *p);

static struct template_node *unsupported(struct parser *p, const char *what, struct span name)
{
    char shown[64];
    (void)parse_fault(p, ERR_UNSUPPORTED, "the %s \"%s\" is not supported", what,
                      text_shown(shown, sizeof shown, name));
    return NULL;
}

/* A node around the one operand that was read; its place is the operand's. */
static struct template_node *around(struct parser *p, enum template_kind kind,
                                    struct template_node *operand, struct children *c)
{
    struct template_node *n = operand ? parse_node(p, kind) : NULL;
    if (!n)
        return NULL;
    n->line = operand->line;
    n->offset = operand->offset;
    *c = (struct children){n, NULL};
    return add_child(c, operand) ? n : NULL;
}

/* ---- operators, each level over the next ---- */

struct level {
    const char *const *operators;
    struct template_node *(*operand)(struct parser *p);
};

static bool takes(const struct parser *p, const char *const *operators)
{
    for (; *operators; operators++)
        if (parse_is(p, LEX_OPERATOR, *operators))
            return true;
    return false;
}

static struct template_node *left_to_right(struct parser *p, const struct level *level)
{
    struct template_node *left = level->operand(p);
    while (left && takes(p, level->operators)) {
        struct children c;
        struct template_node *n = around(p, TEMPLATE_OPERATOR, left, &c);
        if (!n)
            return NULL;
        n->name = p->now.text;
        if (!parse_advance(p) || !add_child(&c, level->operand(p)))
            return NULL;
        left = n;
    }
    return left;
}

static struct template_node *plain_unary(struct parser *p)
{
    return unary(p, true);
}

static struct template_node *power(struct parser *p)
{
    static const char *const operators[] = {"**", NULL};
    return left_to_right(p, &(struct level){operators, plain_unary});
}

static struct template_node *product(struct parser *p)
{
    static const char *const operators[] = {"*", "/", "//", "%", NULL};
    return left_to_right(p, &(struct level){operators, power});
}

static struct template_node *concatenation(struct parser *p)
{
    static const char *const operators[] = {"~", NULL};
    return left_to_right(p, &(struct level){operators, product});
}

static struct template_node *sum(struct parser *p)
{
    static const char *const operators[] = {"+", "-", NULL};
    return left_to_right(p, &(struct level){operators, concatenation});
}

static bool advance_twice(struct parser *p)
{
    bool ok = parse_advance(p);
    return ok && parse_advance(p);
}

/* The operator of a comparison, stepped over; *name empty when there is none. */
static bool comparison_operator(struct parser *p, struct span *name)
{
    static const char *const operators[] = {"==", "!=", "<", "<=", ">", ">=", NULL};
    bool found;
    *name = SPAN_EMPTY;
    if (takes(p, operators)) {
        *name = p->now.text;
        return parse_advance(p);
    }
    if (!parse_accept(p, LEX_NAME, "in", &found))
        return false;
    if (found) {
        *name = span_str("in");
        return true;
    }
    struct lexer ahead = p->lexer;
    struct lexeme next;
    if (!parse_is(p, LEX_NAME, "not"))
        return true;
    if (!lexer_next(&ahead, &next))
        return false;
    if (next.kind != LEX_NAME || !span_is(next.text, "in"))
        return true;
    *name = span_str("not in");
    return advance_twice(p);
}

static struct template_node *comparison(struct parser *p)
{
    struct template_node *first = sum(p), *all = NULL;
    struct children c = {NULL, NULL};
    while (first) {
        struct span name;
        if (!comparison_operator(p, &name))
            return NULL;
        if (!name.n)
            return all ? all : first;
        if (!all && !(all = around(p, TEMPLATE_COMPARE, first, &c)))
            return NULL;
        struct template_node *with = parse_node(p, TEMPLATE_COMPARE_WITH);
        struct children operand = {with, NULL};
        if (!with || !add_child(&operand, sum(p)) || !add_child(&c, with))
            return NULL;
        with->name = name;
    }
    return NULL;
}

static bool deeper(struct parser *p)
{
    return ++p->depth <= TEMPLATE_MAX_NESTING ||
           parse_fault(p, ERR_LIMIT, "nested more than %d levels", TEMPLATE_MAX_NESTING);
}

static struct template_node *negation(struct parser *p)
{
    if (!parse_is(p, LEX_NAME, "not"))
        return comparison(p);
    struct template_node *n = parse_node(p, TEMPLATE_NOT);
    struct children c = {n, NULL};
    bool ok = n && deeper(p) && parse_advance(p) && add_child(&c, negation(p));
    p->depth--;
    return ok ? n : NULL;
}

static struct template_node *logic(struct parser *p, enum template_kind kind, const char *word,
                                   struct template_node *(*operand)(struct parser *p))
{
    struct template_node *left = operand(p);
    bool found = true;
    while (left && found) {
        struct children c;
        if (!parse_accept(p, LEX_NAME, word, &found))
            return NULL;
        if (!found)
            break;
        left = around(p, kind, left, &c);
        if (!left || !add_child(&c, operand(p)))
            return NULL;
    }
    return left;
}

static struct template_node *conjunction(struct parser *p)
{
    return logic(p, TEMPLATE_AND, "and", negation);
}

static struct template_node *disjunction(struct parser *p)
{
    return logic(p, TEMPLATE_OR, "or", conjunction);
}

/* value if condition else other; the condition is the first child. */
static struct template_node *choice(struct parser *p)
{
    struct template_node *value = disjunction(p);
    bool found = true;
    while (value && found) {
        if (!parse_accept(p, LEX_NAME, "if", &found))
            return NULL;
        if (!found)
            break;
        struct template_node *condition = disjunction(p);
        struct children c;
        struct template_node *n = around(p, TEMPLATE_CHOICE, condition, &c);
        bool other;
        if (!n || !add_child(&c, value) || !parse_accept(p, LEX_NAME, "else", &other) ||
            !add_child(&c, other ? parse_expression(p, true) : parse_nothing(p)))
            return NULL;
        value = n;
    }
    return value;
}

struct template_node *parse_expression(struct parser *p, bool with_choice)
{
    struct template_node *n = NULL;
    if (deeper(p))
        n = with_choice ? choice(p) : disjunction(p);
    p->depth--;
    return n;
}

/* ---- tuples and targets ---- */

static bool ends_tuple(const struct parser *p)
{
    return p->now.kind == LEX_TAG_END || p->now.kind == LEX_OUTPUT_END ||
           parse_is(p, LEX_OPERATOR, ")") || parse_is(p, LEX_OPERATOR, "=") ||
           parse_is(p, LEX_NAME, "in") || parse_is(p, LEX_NAME, "if") ||
           parse_is(p, LEX_NAME, "recursive");
}

struct template_node *parse_tuple(struct parser *p, bool with_choice, bool target)
{
    struct template_node *all = parse_node(p, TEMPLATE_TUPLE);
    struct children c = {all, NULL};
    bool comma = false;
    for (;;) {
        if (!all || (all->child && ends_tuple(p)))
            break;
        if (!add_child(&c, target ? primary(p) : parse_expression(p, with_choice)))
            return NULL;
        bool found;
        if (!parse_accept(p, LEX_OPERATOR, ",", &found))
            return NULL;
        comma |= found;
        if (!found)
            break;
    }
    return all && !comma ? c.last : all;
}

static bool is_target(const struct template_node *n, bool attribute)
{
    if (n->kind == TEMPLATE_TUPLE) {
        for (const struct template_node *i = n->child; i; i = i->next)
            if (!is_target(i, false))
                return false;
        return n->child != NULL;
    }
    if (n->kind == TEMPLATE_ATTRIBUTE)
        return attribute && n->child->kind == TEMPLATE_NAME;
    return n->kind == TEMPLATE_NAME;
}

struct template_node *parse_target(struct parser *p, bool attribute)
{
    struct template_node *n = parse_tuple(p, false, true);
    bool found;
    if (!n)
        return NULL;
    if (attribute && n->kind == TEMPLATE_NAME) {
        struct children c;
        if (!parse_accept(p, LEX_OPERATOR, ".", &found))
            return NULL;
        struct template_node *a = found ? around(p, TEMPLATE_ATTRIBUTE, n, &c) : n;
        if (!a)
            return NULL;
        if (found) {
            a->name = p->now.text;
            if (!parse_expect(p, LEX_NAME, NULL))
                return NULL;
        }
        n = a;
    }
    if (is_target(n, attribute))
        return n;
    (void)parse_fault(p, ERR_FORMAT, "this cannot be assigned to");
    return NULL;
}

/* ---- what follows a value ---- */

/* In the order that a call's arguments have. */
enum place { PLACE_ITEM, PLACE_KEYWORD, PLACE_SPREAD, PLACE_SPREAD_NAMES };

/* An item stands before all others, a keyword before **, and each spread is alone. */
static bool in_place(enum place last, enum place now)
{
    bool after_items = now == PLACE_ITEM && last != PLACE_ITEM;
    return !after_items && (last < PLACE_SPREAD || now != last) && last != PLACE_SPREAD_NAMES;
}

static bool place_of_argument(struct parser *p, enum place *out)
{
    struct lexer ahead = p->lexer;
    struct lexeme next = {0};
    if (p->now.kind == LEX_NAME && !lexer_next(&ahead, &next))
        return false;
    bool named = next.kind == LEX_OPERATOR && span_is(next.text, "=");
    *out = parse_is(p, LEX_OPERATOR, "*")    ? PLACE_SPREAD
           : parse_is(p, LEX_OPERATOR, "**") ? PLACE_SPREAD_NAMES
           : named                           ? PLACE_KEYWORD
                                             : PLACE_ITEM;
    return true;
}

static bool argument(struct parser *p, struct children *c, enum place *last)
{
    enum place place;
    if (!place_of_argument(p, &place))
        return false;
    if (!in_place(*last, place))
        return parse_fault(p, ERR_FORMAT, "arguments in this order are no call");
    *last = place == PLACE_KEYWORD && *last == PLACE_SPREAD ? PLACE_SPREAD : place;
    if (place == PLACE_ITEM)
        return add_child(c, parse_expression(p, true));
    struct template_node *k =
        parse_node(p, place == PLACE_KEYWORD ? TEMPLATE_KEYWORD : TEMPLATE_SPREAD);
    struct children value = {k, NULL};
    if (!k)
        return false;
    k->name = p->now.text;
    return (place == PLACE_KEYWORD ? advance_twice(p) : parse_advance(p)) &&
           add_child(&value, parse_expression(p, true)) && add_child(c, k);
}

bool parse_arguments(struct parser *p, struct children *c)
{
    enum place last = PLACE_ITEM;
    bool found = true;
    if (!parse_expect(p, LEX_OPERATOR, "("))
        return false;
    while (found && !parse_is(p, LEX_OPERATOR, ")"))
        if (!argument(p, c, &last) || !parse_accept(p, LEX_OPERATOR, ",", &found))
            return false;
    return parse_expect(p, LEX_OPERATOR, ")");
}

static struct template_node *call(struct parser *p, struct template_node *callee)
{
    struct children c;
    struct template_node *n = around(p, TEMPLATE_CALL, callee, &c);
    return n && parse_arguments(p, &c) ? n : NULL;
}

static struct template_node *attribute(struct parser *p, struct template_node *object)
{
    struct children c;
    struct template_node *n;
    if (p->now.kind == LEX_INTEGER) { /* x.0 */
        n = around(p, TEMPLATE_ITEM, object, &c);
        struct template_node *key = n ? parse_node(p, TEMPLATE_INTEGER) : NULL;
        if (key)
            key->number = p->now.integer;
        return key && add_child(&c, key) && parse_advance(p) ? n : NULL;
    }
    n = around(p, TEMPLATE_ATTRIBUTE, object, &c);
    if (!n)
        return NULL;
    n->name = p->now.text;
    if (span_starts(n->name, "__"))
        return unsupported(p, "attribute", n->name);
    return parse_expect(p, LEX_NAME, NULL) ? n : NULL;
}

/* One part of a slice; nothing where it is left out. */
static struct template_node *slice_part(struct parser *p)
{
    return parse_is(p, LEX_OPERATOR, ":") || parse_is(p, LEX_OPERATOR, "]")
               ? parse_nothing(p)
               : parse_expression(p, true);
}

static struct template_node *subscript(struct parser *p, struct template_node *object)
{
    struct children c;
    bool found;
    struct template_node *n = around(p, TEMPLATE_ITEM, object, &c);
    struct template_node *part = n ? slice_part(p) : NULL;
    if (!part || !add_child(&c, part) || !parse_accept(p, LEX_OPERATOR, ":", &found))
        return NULL;
    if (!found && part->kind == TEMPLATE_NOTHING) {
        (void)parse_fault(p, ERR_FORMAT, "nothing between [ and ]");
        return NULL;
    }
    if (found) {
        n->kind = TEMPLATE_SLICE;
        if (!add_child(&c, slice_part(p)) || !parse_accept(p, LEX_OPERATOR, ":", &found) ||
            !add_child(&c, found ? slice_part(p) : parse_nothing(p)))
            return NULL;
    }
    return parse_expect(p, LEX_OPERATOR, "]") ? n : NULL;
}

static struct template_node *postfix(struct parser *p, struct template_node *n)
{
    bool found = true;
    while (n && found) {
        if (!parse_accept(p, LEX_OPERATOR, ".", &found))
            return NULL;
        if (found) {
            n = attribute(p, n);
            continue;
        }
        if (!parse_accept(p, LEX_OPERATOR, "[", &found))
            return NULL;
        if (found) {
            n = subscript(p, n);
            continue;
        }
        found = parse_is(p, LEX_OPERATOR, "(");
        if (found)
            n = call(p, n);
    }
    return n;
}

/* ---- filters and tests ---- */

static struct template_node *filter(struct parser *p, struct template_node *value)
{
    struct children c;
    struct template_node *n = around(p, TEMPLATE_FILTER, value, &c);
    if (!n)
        return NULL;
    n->line = p->now.line;
    n->offset = p->now.offset;
    n->name = p->now.text;
    if (!parse_expect(p, LEX_NAME, NULL))
        return NULL;
    return !parse_is(p, LEX_OPERATOR, "(") || parse_arguments(p, &c) ? n : NULL;
}

/* "is divisibleby 3": an argument without parentheses. */
static bool begins_argument(const struct parser *p)
{
    if (p->now.kind == LEX_NAME)
        return !parse_is(p, LEX_NAME, "else") && !parse_is(p, LEX_NAME, "or") &&
               !parse_is(p, LEX_NAME, "and") && !parse_is(p, LEX_NAME, "is") &&
               !parse_is(p, LEX_NAME, "if") && !parse_is(p, LEX_NAME, "not") &&
               !parse_is(p, LEX_NAME, "in");
    return p->now.kind == LEX_STRING_LITERAL || p->now.kind == LEX_INTEGER ||
           p->now.kind == LEX_FLOAT || parse_is(p, LEX_OPERATOR, "[") ||
           parse_is(p, LEX_OPERATOR, "{");
}

static struct template_node *test(struct parser *p, struct template_node *value)
{
    struct children c, outer;
    bool negated;
    if (!parse_accept(p, LEX_NAME, "not", &negated))
        return NULL;
    struct template_node *n = around(p, TEMPLATE_TEST, value, &c);
    if (!n)
        return NULL;
    n->name = p->now.text;
    if (!parse_expect(p, LEX_NAME, NULL))
        return NULL;
    bool ok = true;
    if (parse_is(p, LEX_OPERATOR, "("))
        ok = parse_arguments(p, &c);
    else if (begins_argument(p))
        ok = add_child(&c, postfix(p, primary(p)));
    if (!ok)
        return NULL;
    return negated ? around(p, TEMPLATE_NOT, n, &outer) : n;
}

struct template_node *parse_filters(struct parser *p, struct template_node *value, bool started)
{
    bool found = started;
    for (;;) {
        if (!found && !parse_accept(p, LEX_OPERATOR, "|", &found))
            return NULL;
        if (!found)
            return value;
        value = filter(p, value);
        if (!value)
            return NULL;
        found = false;
    }
}

static struct template_node *filters_and_tests(struct parser *p, struct template_node *value)
{
    bool found = true;
    while (value && found) {
        if (!parse_accept(p, LEX_OPERATOR, "|", &found))
            return NULL;
        if (found) {
            value = filter(p, value);
            continue;
        }
        if (!parse_accept(p, LEX_NAME, "is", &found))
            return NULL;
        if (found)
            value = test(p, value);
        else if ((found = parse_is(p, LEX_OPERATOR, "(")))
            value = call(p, value);
    }
    return value;
}

static struct template_node *unary(struct parser *p, bool with_filters)
{
    struct template_node *n;
    bool minus = parse_is(p, LEX_OPERATOR, "-");
    if (minus || parse_is(p, LEX_OPERATOR, "+")) {
        n = parse_node(p, minus ? TEMPLATE_NEGATIVE : TEMPLATE_POSITIVE);
        struct children c = {n, NULL};
        bool ok = n && deeper(p) && parse_advance(p) && add_child(&c, unary(p, false));
        p->depth--;
        if (!ok)
            return NULL;
    } else {
        n = primary(p);
    }
    n = postfix(p, n);
    return with_filters ? filters_and_tests(p, n) : n;
}

/* ---- literals ---- */

static struct template_node *strings(struct parser *p)
{
    struct template_node *n = parse_node(p, TEMPLATE_STRING);
    struct buf b;
    if (!n)
        return NULL;
    n->name = p->now.text;
    if (!parse_advance(p) || p->now.kind != LEX_STRING_LITERAL)
        return p->e->code ? NULL : n;
    buf_init(&b, TEMPLATE_MAX_SOURCE);
    buf_put_span(&b, n->name);
    bool ok = true;
    while (ok && p->now.kind == LEX_STRING_LITERAL) {
        buf_put_span(&b, p->now.text);
        ok = parse_advance(p);
    }
    n->name = arena_span(p->arena, buf_span(&b));
    if (ok && b.n && !n->name.p)
        ok = err_set(p->e, ERR_MEMORY, "out of memory");
    buf_free(&b);
    return ok ? n : NULL;
}

static struct template_node *list(struct parser *p)
{
    struct template_node *n = parse_node(p, TEMPLATE_LIST);
    struct children c = {n, NULL};
    bool found = true;
    if (!n || !parse_advance(p))
        return NULL;
    while (found && !parse_is(p, LEX_OPERATOR, "]"))
        if (!add_child(&c, parse_expression(p, true)) ||
            !parse_accept(p, LEX_OPERATOR, ",", &found))
            return NULL;
    return parse_expect(p, LEX_OPERATOR, "]") ? n : NULL;
}

static struct template_node *dict(struct parser *p)
{
    struct template_node *n = parse_node(p, TEMPLATE_DICT);
    struct children c = {n, NULL};
    bool found = true;
    if (!n || !parse_advance(p))
        return NULL;
    while (found && !parse_is(p, LEX_OPERATOR, "}"))
        if (!add_child(&c, parse_expression(p, true)) || !parse_expect(p, LEX_OPERATOR, ":") ||
            !add_child(&c, parse_expression(p, true)) ||
            !parse_accept(p, LEX_OPERATOR, ",", &found))
            return NULL;
    return parse_expect(p, LEX_OPERATOR, "}") ? n : NULL;
}

static struct template_node *parenthesis(struct parser *p)
{
    struct template_node *n;
    if (!parse_advance(p))
        return NULL;
    if (parse_is(p, LEX_OPERATOR, ")")) {
        n = parse_node(p, TEMPLATE_TUPLE);
    } else {
        bool ok = deeper(p);
        n = ok ? parse_tuple(p, true, false) : NULL;
        p->depth--;
    }
    return n && parse_expect(p, LEX_OPERATOR, ")") ? n : NULL;
}

static struct template_node *name(struct parser *p)
{
    static const struct {
        const char *text;
        enum template_kind kind;
    } constants[] = {
        {"true", TEMPLATE_TRUE},   {"True", TEMPLATE_TRUE}, {"false", TEMPLATE_FALSE},
        {"False", TEMPLATE_FALSE}, {"none", TEMPLATE_NONE}, {"None", TEMPLATE_NONE},
    };
    struct template_node *n = parse_node(p, TEMPLATE_NAME);
    if (!n)
        return NULL;
    n->name = p->now.text;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (span_is(n->name, constants[i].text))
            n->kind = constants[i].kind;
    return parse_advance(p) ? n : NULL;
}

static struct template_node *number(struct parser *p)
{
    bool real = p->now.kind == LEX_FLOAT;
    struct template_node *n = parse_node(p, real ? TEMPLATE_FLOAT : TEMPLATE_INTEGER);
    if (!n)
        return NULL;
    n->number = p->now.integer;
    n->real = p->now.real;
    return parse_advance(p) ? n : NULL;
}

static struct template_node *primary(struct parser *p)
{
    char shown[64];
    if (p->now.kind == LEX_NAME)
        return name(p);
    if (p->now.kind == LEX_STRING_LITERAL)
        return strings(p);
    if (p->now.kind == LEX_INTEGER || p->now.kind == LEX_FLOAT)
        return number(p);
    if (parse_is(p, LEX_OPERATOR, "("))
        return parenthesis(p);
    if (parse_is(p, LEX_OPERATOR, "["))
        return list(p);
    if (parse_is(p, LEX_OPERATOR, "{"))
        return dict(p);
    (void)parse_fault(p, ERR_FORMAT, "expected an expression, found \"%s\"",
                      text_shown(shown, sizeof shown, p->now.text));
    return NULL;
}
