/*
 * Evaluating expressions.
 */
#include "template/interpreter.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

bool runtime_fault(struct interpreter *x, enum err_code code, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_at(x->e, code, NULL, x->at ? x->at->offset : ERR_NO_OFFSET, "template line %u: %s",
                  x->at ? x->at->line : 0, text);
}

bool unsupported(struct interpreter *x, const char *what, struct span name)
{
    char shown[64];
    return runtime_fault(x, ERR_UNSUPPORTED, "the %s \"%s\" is not supported", what,
                         text_shown(shown, sizeof shown, name));
}

bool no_memory(struct interpreter *x)
{
    return runtime_fault(x, ERR_LIMIT, "the rendering takes more than %d MB",
                         TEMPLATE_MAX_MEMORY >> 20);
}

bool spend(struct interpreter *x, uint64_t n)
{
    x->steps += n;
    return x->steps <= TEMPLATE_MAX_STEPS ||
           runtime_fault(x, ERR_LIMIT, "the rendering takes more than %d steps",
                         TEMPLATE_MAX_STEPS);
}

/* ---- names ---- */

static bool look_up(struct interpreter *x, const struct template_node *n, struct value *out)
{
    for (struct scope *s = x->scope; s; s = s->outer) {
        const struct value *found = dict_find_text(x, &s->variables, n->name);
        if (found) {
            *out = *found;
            return true;
        }
    }
    const struct function *f = find_function(n->name);
    *out = f ? (struct value){.type = V_FUNCTION, .as.function = f} : UNDEFINED;
    return true;
}

/* ---- calls ---- */

static bool add_named(struct interpreter *x, struct arguments *a, struct value key, struct value v)
{
    char shown[64];
    if (key.type != V_STRING)
        return runtime_fault(x, ERR_FORMAT, "keywords must be strings");
    for (size_t i = 0; i < a->named_count; i++)
        if (span_eq(a->named[i].key.as.string->text, key.as.string->text))
            return runtime_fault(x, ERR_FORMAT, "the argument \"%s\" is given twice",
                                 text_shown(shown, sizeof shown, key.as.string->text));
    a->named[a->named_count++] = (struct pair){key, v};
    return true;
}

/* Room for the members of what is spread beside all that was there; nodes need none of it. */
static bool more_room(struct interpreter *x, void **array, size_t size, size_t room, size_t more)
{
    void *bigger = arena_array(x->arena, room + more, size);
    if (!bigger)
        return no_memory(x);
    memcpy(bigger, *array, room * size);
    *array = bigger;
    return true;
}

static bool spread(struct interpreter *x, struct arguments *a, const struct template_node *n,
                   size_t room)
{
    struct value v = UNDEFINED;
    struct list *items = NULL;
    if (!eval(x, n->child, &v))
        return false;
    x->at = n;
    if (span_is(n->name, "*")) {
        void *array = a->items;
        if (!iterate(x, v, &items) || !more_room(x, &array, sizeof *a->items, room, items->count))
            return false;
        a->items = array;
        for (size_t i = 0; i < items->count; i++)
            a->items[a->count++] = items->items[i];
        return true;
    }
    if (v.type != V_DICT)
        return runtime_fault(x, ERR_FORMAT, "** takes a mapping");
    const struct dict *d = v.as.dict;
    void *array = a->named;
    if (!more_room(x, &array, sizeof *a->named, room, d->count))
        return false;
    a->named = array;
    for (size_t i = 0; i < d->count; i++)
        if (!add_named(x, a, d->pairs[i].key, d->pairs[i].value))
            return false;
    return true;
}

static bool add_argument(struct interpreter *x, struct arguments *a, const struct template_node *n,
                         size_t room)
{
    struct value v = UNDEFINED, key = UNDEFINED;
    bool named = n->kind == TEMPLATE_KEYWORD;
    if (n->kind == TEMPLATE_SPREAD)
        return spread(x, a, n, room);
    if (!eval(x, named ? n->child : n, &v))
        return false;
    if (!named) {
        a->items[a->count++] = v;
        return true;
    }
    return string_value(x, n->name, true, &key) && add_named(x, a, key, v);
}

bool gather(struct interpreter *x, const struct value *first, const struct template_node *n,
            struct arguments *a)
{
    size_t count = first != NULL;
    for (const struct template_node *i = n; i; i = i->next)
        count++;
    a->caller = UNDEFINED;
    a->items = arena_array(x->arena, count + 1, sizeof *a->items);
    a->named = arena_array(x->arena, count + 1, sizeof *a->named);
    if (!a->items || !a->named)
        return no_memory(x);
    if (first)
        a->items[a->count++] = *first;
    for (; n; n = n->next)
        if (!add_argument(x, a, n, count + 1))
            return false;
    return true;
}

struct value argument(const struct arguments *a, size_t i)
{
    return i < a->count ? a->items[i] : UNDEFINED;
}

/* The place of a keyword among "one two three", from 0; -1. */
static int place_of(const char *parameters, struct span name)
{
    int place = 0;
    while (parameters && *parameters) {
        size_t n = strcspn(parameters, " ");
        if (span_eq((struct span){(const uint8_t *)parameters, n}, name))
            return place;
        parameters += n + (parameters[n] == ' ');
        place++;
    }
    return -1;
}

bool call_function(struct interpreter *x, const struct function *f, struct arguments *a,
                   struct value *out)
{
    struct value placed[12];
    char shown[64];
    size_t count = a->count, most = 1 + f->most;
    if (count > most || count < 1 + (a->named_count ? 0 : f->least))
        return runtime_fault(x, ERR_FORMAT, "%s takes other arguments than %zu", f->name,
                             count ? count - 1 : 0);
    if (a->named_count && f->parameters && most <= sizeof placed / sizeof *placed) {
        for (size_t i = 0; i < most; i++)
            placed[i] = i < count ? a->items[i] : UNDEFINED;
        for (size_t i = 0; i < a->named_count; i++) {
            struct span name = a->named[i].key.as.string->text;
            int place = place_of(f->parameters, name);
            if (place < 0 || (size_t)place + 1 >= most)
                return runtime_fault(x, ERR_UNSUPPORTED, "%s has no argument \"%s\"", f->name,
                                     text_shown(shown, sizeof shown, name));
            placed[place + 1] = a->named[i].value;
            if ((size_t)place + 2 > count)
                count = (size_t)place + 2;
        }
        struct arguments all = {placed, count, a->named, 0, a->caller};
        return f->run(x, &all, out);
    }
    if (a->named_count && !f->parameters && f->most != UINT32_MAX - 1)
        return runtime_fault(x, ERR_UNSUPPORTED, "%s takes no named arguments", f->name);
    return f->run(x, a, out);
}

bool call_value(struct interpreter *x, struct value callee, struct arguments *a, struct value *out)
{
    if (callee.type == V_MACRO)
        return call_macro(x, callee.as.macro, a, out);
    if (callee.type != V_METHOD && callee.type != V_FUNCTION)
        return runtime_fault(x, ERR_FORMAT, "'%s' object is not callable", type_name(callee));
    /* Functions have no value of their own: undefined stands for it. */
    struct arguments all = *a;
    const struct function *f = callee.type == V_FUNCTION ? callee.as.function
                                                         : find_method(callee.as.method->name,
                                                                       callee.as.method->self.type);
    all.items = arena_array(x->arena, a->count + 1, sizeof *all.items);
    if (!all.items)
        return no_memory(x);
    all.items[0] = callee.type == V_METHOD ? callee.as.method->self : UNDEFINED;
    if (a->count)
        memcpy(all.items + 1, a->items, a->count * sizeof *all.items);
    all.count++;
    return call_function(x, f, &all, out);
}

static bool eval_call(struct interpreter *x, const struct template_node *n, struct value *out)
{
    struct value callee = UNDEFINED;
    struct arguments a = {0};
    char shown[64];
    if (!eval(x, n->child, &callee) || !gather(x, NULL, n->child->next, &a))
        return false;
    x->at = n;
    if (callee.type == V_UNDEFINED && n->child->kind == TEMPLATE_NAME)
        return unsupported(x, "function", n->child->name);
    if (callee.type == V_UNDEFINED && n->child->kind == TEMPLATE_ATTRIBUTE &&
        !known_method(n->child->name))
        return unsupported(x, "method", n->child->name);
    if (callee.type == V_UNDEFINED)
        return runtime_fault(x, ERR_FORMAT, "\"%s\" is undefined and cannot be called",
                             text_shown(shown, sizeof shown, n->child->name));
    return call_value(x, callee, &a, out);
}

static bool eval_filter(struct interpreter *x, const struct template_node *n, struct value *out)
{
    struct value v = UNDEFINED;
    struct arguments a = {0};
    const struct function *f = find_filter(n->name);
    if (!eval(x, n->child, &v) || !gather(x, &v, n->child->next, &a))
        return false;
    x->at = n;
    return f ? call_function(x, f, &a, out) : unsupported(x, "filter", n->name);
}

static bool eval_test(struct interpreter *x, const struct template_node *n, struct value *out)
{
    struct value v = UNDEFINED;
    struct arguments a = {0};
    const struct function *f = find_test(n->name);
    if (!eval(x, n->child, &v) || !gather(x, &v, n->child->next, &a))
        return false;
    x->at = n;
    return f ? call_function(x, f, &a, out) : unsupported(x, "test", n->name);
}

/* ---- the rest ---- */

static bool eval_items(struct interpreter *x, const struct template_node *n, struct value *out)
{
    struct list *l = list_new(x);
    if (!l)
        return false;
    for (const struct template_node *i = n->child; i; i = i->next) {
        struct value v = UNDEFINED;
        if (!eval(x, i, &v) || !list_add(x, l, v))
            return false;
    }
    *out = of_list(n->kind == TEMPLATE_LIST ? V_LIST : V_TUPLE, l);
    return true;
}

static bool eval_dict(struct interpreter *x, const struct template_node *n, struct value *out)
{
    struct dict *d = dict_new(x);
    if (!d)
        return false;
    for (const struct template_node *i = n->child; i; i = i->next->next) {
        struct value key = UNDEFINED, v = UNDEFINED;
        if (!eval(x, i, &key) || !eval(x, i->next, &v) || !dict_set(x, d, key, v))
            return false;
    }
    *out = of_dict(d);
    return true;
}

static bool eval_slice(struct interpreter *x, const struct template_node *n, struct value *out)
{
    struct value object, part[3];
    const struct template_node *p = n->child->next;
    if (!eval(x, n->child, &object))
        return false;
    for (int i = 0; i < 3; i++, p = p->next) {
        part[i] = NONE;
        if (p->kind != TEMPLATE_NOTHING && !eval(x, p, &part[i]))
            return false;
    }
    x->at = n;
    return get_slice(x, object, part, out);
}

static bool eval_compare(struct interpreter *x, const struct template_node *n, struct value *out)
{
    struct value a = UNDEFINED, b = UNDEFINED;
    bool holds = true;
    if (!eval(x, n->child, &a))
        return false;
    for (const struct template_node *w = n->child->next; w && holds; w = w->next) {
        if (!eval(x, w->child, &b))
            return false;
        x->at = n;
        if (!compare(x, w->name, a, b, &holds))
            return false;
        a = b;
    }
    *out = boolean(holds);
    return true;
}

static bool eval_operator(struct interpreter *x, const struct template_node *n, struct value *out)
{
    struct value a = UNDEFINED, b = UNDEFINED;
    if (!eval(x, n->child, &a) || !eval(x, n->child->next, &b))
        return false;
    x->at = n;
    return operate(x, n->name, a, b, out);
}

static bool eval_logic(struct interpreter *x, const struct template_node *n, struct value *out)
{
    if (!eval(x, n->child, out))
        return false;
    return truth(*out) == (n->kind == TEMPLATE_OR) || eval(x, n->child->next, out);
}

static bool eval_choice(struct interpreter *x, const struct template_node *n, struct value *out)
{
    struct value condition = UNDEFINED;
    const struct template_node *value = n->child->next, *other = value->next;
    if (!eval(x, n->child, &condition))
        return false;
    if (truth(condition))
        return eval(x, value, out);
    *out = UNDEFINED;
    return other->kind == TEMPLATE_NOTHING || eval(x, other, out);
}

static bool eval_sign(struct interpreter *x, const struct template_node *n, struct value *out)
{
    if (!eval(x, n->child, out))
        return false;
    x->at = n;
    if (!is_number(*out))
        return runtime_fault(x, ERR_FORMAT, "bad operand for a sign: '%s'", type_name(*out));
    if (n->kind == TEMPLATE_NEGATIVE && out->type == V_FLOAT) {
        out->as.real = -out->as.real;
        return true;
    }
    struct value zero = integer(0);
    return operate(x, span_str(n->kind == TEMPLATE_NEGATIVE ? "-" : "+"), zero, *out, out);
}

static bool eval_attribute(struct interpreter *x, const struct template_node *n, struct value *out)
{
    struct value object = UNDEFINED;
    if (!eval(x, n->child, &object))
        return false;
    x->at = n;
    return get_attribute(x, object, n->name, true, out);
}

static bool eval_item(struct interpreter *x, const struct template_node *n, struct value *out)
{
    struct value object = UNDEFINED, key = UNDEFINED;
    if (!eval(x, n->child, &object) || !eval(x, n->child->next, &key))
        return false;
    x->at = n;
    return get_item(x, object, key, out);
}

static bool eval_not(struct interpreter *x, const struct template_node *n, struct value *out)
{
    if (!eval(x, n->child, out))
        return false;
    *out = boolean(!truth(*out));
    return true;
}

static bool eval_constant(struct interpreter *x, const struct template_node *n, struct value *out)
{
    if (n->kind == TEMPLATE_STRING)
        return string_value(x, n->name, true, out);
    if (n->kind == TEMPLATE_INTEGER)
        *out = integer(n->number);
    else if (n->kind == TEMPLATE_FLOAT)
        *out = real(n->real);
    else if (n->kind == TEMPLATE_NONE)
        *out = NONE;
    else
        *out = boolean(n->kind == TEMPLATE_TRUE);
    return true;
}

typedef bool evaluator(struct interpreter *x, const struct template_node *n, struct value *out);

static evaluator *const evaluators[TEMPLATE_KINDS] = {
    [TEMPLATE_NAME] = look_up,
    [TEMPLATE_STRING] = eval_constant,
    [TEMPLATE_INTEGER] = eval_constant,
    [TEMPLATE_FLOAT] = eval_constant,
    [TEMPLATE_TRUE] = eval_constant,
    [TEMPLATE_FALSE] = eval_constant,
    [TEMPLATE_NONE] = eval_constant,
    [TEMPLATE_LIST] = eval_items,
    [TEMPLATE_TUPLE] = eval_items,
    [TEMPLATE_DICT] = eval_dict,
    [TEMPLATE_ATTRIBUTE] = eval_attribute,
    [TEMPLATE_ITEM] = eval_item,
    [TEMPLATE_SLICE] = eval_slice,
    [TEMPLATE_CALL] = eval_call,
    [TEMPLATE_FILTER] = eval_filter,
    [TEMPLATE_TEST] = eval_test,
    [TEMPLATE_NOT] = eval_not,
    [TEMPLATE_NEGATIVE] = eval_sign,
    [TEMPLATE_POSITIVE] = eval_sign,
    [TEMPLATE_AND] = eval_logic,
    [TEMPLATE_OR] = eval_logic,
    [TEMPLATE_COMPARE] = eval_compare,
    [TEMPLATE_OPERATOR] = eval_operator,
    [TEMPLATE_CHOICE] = eval_choice,
};

bool eval(struct interpreter *x, const struct template_node *n, struct value *out)
{
    *out = UNDEFINED;
    if (n->kind == TEMPLATE_NOTHING)
        return true;
    x->at = n;
    if (!spend(x, 1))
        return false;
    if (++x->depth > EVAL_DEPTH)
        return runtime_fault(x, ERR_LIMIT, "expressions and macros are nested too deeply");
    bool ok = evaluators[n->kind] ? evaluators[n->kind](x, n, out)
                                  : runtime_fault(x, ERR_UNSUPPORTED, "no expression");
    x->depth--;
    return ok;
}
