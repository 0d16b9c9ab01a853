/*
 * Running statements, macros and whole templates.
 */
#include "template/interpreter.h"

#include <stdlib.h>

struct scope *scope_new(struct interpreter *x, struct scope *outer)
{
    struct scope *s = arena_alloc(x->arena, sizeof *s);
    if (!s)
        (void)no_memory(x);
    else
        s->outer = outer;
    return s;
}

static bool set_name(struct interpreter *x, struct scope *s, struct span name, struct value v)
{
    struct value key = UNDEFINED;
    return string_value(x, name, true, &key) && dict_set(x, &s->variables, key, v);
}

static bool unpack(struct interpreter *x, const struct template_node *target, struct value v)
{
    struct list *items;
    size_t i = 0;
    if (!iterate(x, v, &items))
        return false;
    for (const struct template_node *t = target->child; t; t = t->next, i++)
        if (i < items->count && !assign(x, t, items->items[i]))
            return false;
    return i == items->count ||
           runtime_fault(x, ERR_FORMAT, "%zu values where %zu names stand", items->count, i);
}

bool assign(struct interpreter *x, const struct template_node *target, struct value v)
{
    struct value object = UNDEFINED, key = UNDEFINED;
    if (target->kind == TEMPLATE_NAME)
        return set_name(x, x->scope, target->name, v);
    if (target->kind == TEMPLATE_TUPLE)
        return unpack(x, target, v);
    if (!eval(x, target->child, &object))
        return false;
    if (object.type != V_NAMESPACE)
        return runtime_fault(x, ERR_FORMAT, "attributes can be set on namespaces only, not on %s",
                             type_name(object));
    return string_value(x, target->name, true, &key) && dict_set(x, object.as.dict, key, v);
}

/* ---- captured output ---- */

/* The block's text as a value, its names in a scope of their own. */
static bool capture(struct interpreter *x, const struct template_node *block, struct scope *scope,
                    struct value *out)
{
    struct maker m, *outer = x->out;
    struct scope *before = x->scope;
    if (!scope)
        return false;
    maker_init(&m, x);
    x->out = &m;
    x->scope = scope;
    bool ok = exec_block(x, block);
    x->out = outer;
    x->scope = before;
    if (ok)
        return maker_value(&m, out);
    maker_free(&m);
    return false;
}

/* A filter chain whose innermost value is what stands for it. */
static bool through_filters(struct interpreter *x, const struct template_node *n, struct value v,
                            struct value *out)
{
    struct value inner = UNDEFINED;
    struct arguments a = {0};
    if (n->kind == TEMPLATE_NOTHING) {
        *out = v;
        return true;
    }
    if (!through_filters(x, n->child, v, &inner) || !gather(x, &inner, n->child->next, &a))
        return false;
    x->at = n;
    const struct function *f = find_filter(n->name);
    return f ? call_function(x, f, &a, out) : unsupported(x, "filter", n->name);
}

static bool exec_set_block(struct interpreter *x, const struct template_node *n)
{
    struct value text = UNDEFINED, v = UNDEFINED;
    const struct template_node *block = n->child->next;
    return capture(x, block, scope_new(x, x->scope), &text) &&
           through_filters(x, block->next, text, &v) && assign(x, n->child, v);
}

static bool exec_filter_block(struct interpreter *x, const struct template_node *n)
{
    struct value text = UNDEFINED, v = UNDEFINED;
    return capture(x, n->child->next, scope_new(x, x->scope), &text) &&
           through_filters(x, n->child, text, &v) && put_value(x->out, v);
}

/* ---- macros ---- */

static struct value *named_argument(struct arguments *a, struct span name)
{
    for (size_t i = 0; i < a->named_count; i++)
        if (span_eq(a->named[i].key.as.string->text, name))
            return &a->named[i].value;
    return NULL;
}

static bool bind_parameters(struct interpreter *x, const struct macro *m, struct arguments *a,
                            const struct template_node **body)
{
    size_t i = 0, used = 0;
    const struct template_node *p = m->node->child;
    for (; p->kind == TEMPLATE_PARAMETER; p = p->next, i++) {
        struct value v = UNDEFINED, *named = i < a->count ? NULL : named_argument(a, p->name);
        used += named != NULL;
        if (i < a->count)
            v = a->items[i];
        else if (named)
            v = *named;
        else if (!eval(x, p->child, &v))
            return false;
        if (!set_name(x, x->scope, p->name, v))
            return false;
    }
    *body = p->kind == TEMPLATE_BLOCK ? p : p->next; /* a call block's call stands between */
    if (a->count > i || used < a->named_count)
        return runtime_fault(x, ERR_FORMAT,
                             "a macro is called with arguments that it does not have");
    return a->caller.type == V_UNDEFINED || set_name(x, x->scope, span_str("caller"), a->caller);
}

bool call_macro(struct interpreter *x, const struct macro *m, struct arguments *a,
                struct value *out)
{
    struct scope *before = x->scope;
    const struct template_node *body;
    if (++x->calls > TEMPLATE_MAX_CALLS)
        return runtime_fault(x, ERR_LIMIT, "macros call each other more than %d levels deep",
                             TEMPLATE_MAX_CALLS);
    enum flow flow = x->flow;
    x->scope = scope_new(x, m->scope);
    bool ok = x->scope && bind_parameters(x, m, a, &body) && capture(x, body, x->scope, out);
    x->scope = before;
    x->flow = flow;
    x->calls--;
    return ok;
}

static bool make_macro(struct interpreter *x, const struct template_node *n, struct value *out)
{
    struct macro *m = arena_alloc(x->arena, sizeof *m);
    if (!m)
        return no_memory(x);
    *m = (struct macro){n, x->scope};
    *out = (struct value){.type = V_MACRO, .as.macro = m};
    return true;
}

static bool exec_macro(struct interpreter *x, const struct template_node *n)
{
    struct value v = UNDEFINED;
    return make_macro(x, n, &v) && set_name(x, x->scope, n->name, v);
}

static bool exec_call_block(struct interpreter *x, const struct template_node *n)
{
    const struct template_node *call = n->child;
    struct value callee = UNDEFINED, v = UNDEFINED;
    struct arguments a = {0};
    while (call->kind == TEMPLATE_PARAMETER)
        call = call->next;
    if (!eval(x, call->child, &callee) || !gather(x, NULL, call->child->next, &a) ||
        !make_macro(x, n, &a.caller))
        return false;
    x->at = n;
    return call_value(x, callee, &a, &v) && put_value(x->out, v);
}

/* ---- loops ---- */

/* The items that pass the loop's condition. */
static bool passing(struct interpreter *x, const struct template_node *target,
                    const struct template_node *condition, struct list **items)
{
    struct list *all = *items, *kept = list_new(x);
    struct scope *before = x->scope;
    bool ok = kept != NULL;
    for (size_t i = 0; ok && i < all->count; i++) {
        struct value v = UNDEFINED;
        x->scope = scope_new(x, before);
        ok = x->scope && assign(x, target, all->items[i]) && eval(x, condition, &v) &&
             (!truth(v) || list_add(x, kept, all->items[i]));
    }
    x->scope = before;
    *items = kept;
    return ok;
}

static bool each(struct interpreter *x, const struct template_node *target,
                 const struct template_node *body, struct loop *l)
{
    struct scope *before = x->scope;
    struct value loop = {.type = V_LOOP, .as.loop = l};
    bool ok = true;
    for (l->index = 0; ok && l->index < l->items->count; l->index++) {
        x->scope = scope_new(x, before);
        ok = x->scope && spend(x, 1) && set_name(x, x->scope, span_str("loop"), loop) &&
             assign(x, target, l->items->items[l->index]) && exec_block(x, body);
        enum flow flow = x->flow;
        x->flow = FLOW_ON;
        if (flow == FLOW_BREAK)
            break;
    }
    x->scope = before;
    return ok;
}

static bool exec_for(struct interpreter *x, const struct template_node *n)
{
    const struct template_node *target = n->child, *in = target->next, *condition = in->next;
    const struct template_node *body = condition->next, *other = body->next;
    struct value v = UNDEFINED;
    struct list *items;
    if (!eval(x, in, &v))
        return false;
    x->at = n;
    if (!iterate(x, v, &items) ||
        (condition->kind != TEMPLATE_NOTHING && !passing(x, target, condition, &items)))
        return false;
    /* A loop over a list that its body appends to ends where the list ended. */
    struct list *fixed = arena_alloc(x->arena, sizeof *fixed);
    struct loop *l = arena_alloc(x->arena, sizeof *l);
    if (!fixed || !l)
        return no_memory(x);
    *fixed = *items;
    *l = (struct loop){.items = fixed, .depth = ++x->loop_depth};
    bool ok = each(x, target, body, l);
    x->loop_depth--;
    if (ok && fixed->count == 0 && other->kind != TEMPLATE_NOTHING) {
        struct scope *before = x->scope;
        x->scope = scope_new(x, before);
        ok = x->scope && exec_block(x, other);
        x->scope = before;
    }
    return ok;
}

static bool exec_if(struct interpreter *x, const struct template_node *n)
{
    struct value condition = UNDEFINED;
    const struct template_node *block = n->child->next, *other = block->next;
    if (!eval(x, n->child, &condition))
        return false;
    if (truth(condition))
        return exec_block(x, block);
    if (other->kind == TEMPLATE_IF)
        return exec_if(x, other);
    return other->kind == TEMPLATE_NOTHING || exec_block(x, other);
}

/* ---- statements ---- */

static bool exec_output(struct interpreter *x, const struct template_node *n)
{
    struct value v = UNDEFINED;
    if (!eval(x, n->child, &v))
        return false;
    x->at = n;
    return put_value(x->out, v);
}

static bool exec_set(struct interpreter *x, const struct template_node *n)
{
    struct value v = UNDEFINED;
    return eval(x, n->child->next, &v) && assign(x, n->child, v);
}

static bool exec_text(struct interpreter *x, const struct template_node *n)
{
    maker_put(x->out, n->name, true);
    return buf_ok(&x->out->text) || no_memory(x);
}

static bool exec_generation(struct interpreter *x, const struct template_node *n)
{
    return exec_block(x, n->child);
}

static bool exec_leave(struct interpreter *x, const struct template_node *n)
{
    x->flow = n->kind == TEMPLATE_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
    return true;
}

typedef bool executor(struct interpreter *x, const struct template_node *n);

static executor *const executors[TEMPLATE_KINDS] = {
    [TEMPLATE_TEXT] = exec_text,
    [TEMPLATE_OUTPUT] = exec_output,
    [TEMPLATE_IF] = exec_if,
    [TEMPLATE_FOR] = exec_for,
    [TEMPLATE_SET] = exec_set,
    [TEMPLATE_SET_BLOCK] = exec_set_block,
    [TEMPLATE_MACRO] = exec_macro,
    [TEMPLATE_CALL_BLOCK] = exec_call_block,
    [TEMPLATE_FILTER_BLOCK] = exec_filter_block,
    [TEMPLATE_GENERATION] = exec_generation,
    [TEMPLATE_BREAK] = exec_leave,
    [TEMPLATE_CONTINUE] = exec_leave,
};

bool exec_block(struct interpreter *x, const struct template_node *block)
{
    if (++x->depth > EVAL_DEPTH)
        return runtime_fault(x, ERR_LIMIT, "statements and macros are nested too deeply");
    for (const struct template_node *n = block->child; n && x->flow == FLOW_ON; n = n->next) {
        x->at = n;
        if (!spend(x, 1) || !executors[n->kind](x, n))
            return false;
    }
    x->depth--;
    return true;
}

/* ---- rendering ---- */

static bool set_variables(struct interpreter *x)
{
    const struct template_input *in = x->in;
    struct value v = UNDEFINED;
    for (struct json m = json_first(in->variables); json_type(m); m = json_next(m))
        if (!from_json(x, m, &v) || !set_name(x, x->globals, json_key(m), v))
            return false;
    for (size_t i = 0; i < in->word_count; i++)
        if (!string_value(x, in->words[i].text, true, &v) ||
            !set_name(x, x->globals, span_str(in->words[i].name), v))
            return false;
    return set_name(x, x->globals, span_str("add_generation_prompt"),
                    boolean(in->add_generation_prompt));
}

static bool give(struct rendered *out, struct maker *m, struct err *e)
{
    size_t from = 0;
    out->parts = calloc(m->count + 1, sizeof *out->parts);
    if (!out->parts)
        return err_set(e, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < m->count; i++) {
        out->parts[i] = (struct marked){span_sub(buf_span(&m->text), from, m->runs[i].end - from),
                                        m->runs[i].trusted};
        from = m->runs[i].end;
    }
    out->count = m->count;
    out->text = m->text;
    m->text = (struct buf){0};
    return true;
}

bool template_render(struct rendered *out, const struct template *t,
                     const struct template_input *in, struct err *e)
{
    struct interpreter x = {.t = t, .in = in, .e = e, .arena = arena_new(TEMPLATE_MAX_MEMORY)};
    struct maker m;
    *out = (struct rendered){0};
    if (!x.arena)
        return err_set(e, ERR_MEMORY, "out of memory");
    maker_init(&m, &x);
    x.out = &m;
    x.globals = x.scope = scope_new(&x, NULL);
    bool ok = x.globals && set_variables(&x);
    ok = ok && (x.scope = scope_new(&x, x.globals)) && exec_block(&x, t->root) &&
         (buf_ok(&m.text) || no_memory(&x)) && give(out, &m, e);
    maker_free(&m);
    arena_free(x.arena);
    return ok;
}

void rendered_free(struct rendered *r)
{
    buf_free(&r->text);
    free(r->parts);
    *r = (struct rendered){0};
}
