/*
 * Containers, and what Python says of values: truth, equality, order.
 */
#include "template/interpreter.h"

#include <math.h>
#include <string.h>

#include "assay/base/map.h"

/* ---- lists ---- */

struct list *list_new(struct interpreter *x)
{
    struct list *l = arena_alloc(x->arena, sizeof *l);
    if (!l)
        (void)no_memory(x);
    return l;
}

bool list_add(struct interpreter *x, struct list *l, struct value v)
{
    struct value *items = arena_grow(x->arena, l->items, l->count, &l->cap, sizeof *items);
    if (!items)
        return no_memory(x);
    l->items = items;
    items[l->count++] = v;
    return spend(x, 1);
}

/* ---- dicts ---- */

enum { INDEX_FROM = 12 }; /* fewer keys are compared one by one */

struct dict *dict_new(struct interpreter *x)
{
    struct dict *d = arena_alloc(x->arena, sizeof *d);
    if (!d)
        (void)no_memory(x);
    return d;
}

static void index_pair(struct dict *d, size_t i)
{
    const struct value *key = &d->pairs[i].key;
    if (key->type != V_STRING)
        return;
    size_t at = map_hash(key->as.string->text) & d->mask;
    while (d->slots[at])
        at = (at + 1) & d->mask;
    d->slots[at] = (uint32_t)i + 1;
}

static bool reindex(struct interpreter *x, struct dict *d)
{
    size_t size = 64;
    while (size < d->count * 4)
        size *= 2;
    d->slots = arena_array(x->arena, size, sizeof *d->slots);
    if (!d->slots)
        return no_memory(x);
    d->mask = size - 1;
    for (size_t i = 0; i < d->count; i++)
        index_pair(d, i);
    return true;
}

struct value *dict_find_text(struct interpreter *x, const struct dict *d, struct span key)
{
    if (d->slots) {
        for (size_t at = map_hash(key) & d->mask; d->slots[at]; at = (at + 1) & d->mask) {
            struct pair *p = &d->pairs[d->slots[at] - 1];
            if (span_eq(p->key.as.string->text, key))
                return &p->value;
        }
        return NULL;
    }
    x->steps += d->count / 8;
    for (size_t i = 0; i < d->count; i++)
        if (d->pairs[i].key.type == V_STRING && span_eq(d->pairs[i].key.as.string->text, key))
            return &d->pairs[i].value;
    return NULL;
}

struct value *dict_find(struct interpreter *x, const struct dict *d, struct value key)
{
    if (key.type == V_STRING)
        return dict_find_text(x, d, key.as.string->text);
    x->steps += d->count;
    for (size_t i = 0; i < d->count; i++)
        if (equal(x, d->pairs[i].key, key, 0))
            return &d->pairs[i].value;
    return NULL;
}

bool dict_set(struct interpreter *x, struct dict *d, struct value key, struct value v)
{
    if (is_sequence(key) || key.type == V_DICT || key.type == V_NAMESPACE)
        return runtime_fault(x, ERR_FORMAT, "unhashable type: '%s'", type_name(key));
    struct value *found = dict_find(x, d, key);
    if (found) {
        *found = v;
        return true;
    }
    struct pair *pairs = arena_grow(x->arena, d->pairs, d->count, &d->cap, sizeof *pairs);
    if (!pairs)
        return no_memory(x);
    d->pairs = pairs;
    pairs[d->count++] = (struct pair){key, v};
    if (d->slots && d->count * 2 <= d->mask)
        index_pair(d, d->count - 1);
    else if (d->slots || d->count == INDEX_FROM)
        return reindex(x, d) && spend(x, 1);
    return spend(x, 1);
}

void dict_remove(struct dict *d, struct value *found)
{
    struct pair *p = (struct pair *)((char *)found - offsetof(struct pair, value));
    size_t at = (size_t)(p - d->pairs);
    memmove(p, p + 1, (d->count - at - 1) * sizeof *p);
    d->count--;
    if (!d->slots)
        return;
    memset(d->slots, 0, (d->mask + 1) * sizeof *d->slots);
    for (size_t i = 0; i < d->count; i++)
        index_pair(d, i);
}

/* ---- questions ---- */

const char *type_name(struct value v)
{
    static const char *const names[V_TYPES] = {
        "Undefined", "NoneType", "bool",      "int",         "float", "str",    "list",
        "tuple",     "dict",     "Namespace", "LoopContext", "Macro", "method", "function"};
    return names[v.type];
}

bool truth(struct value v)
{
    switch (v.type) {
    case V_UNDEFINED:
    case V_NONE:
        return false;
    case V_BOOL:
        return v.as.boolean;
    case V_INTEGER:
        return v.as.integer != 0;
    case V_FLOAT:
        return v.as.real < 0 || v.as.real > 0 || isnan(v.as.real);
    case V_STRING:
        return v.as.string->text.n != 0;
    case V_LIST:
    case V_TUPLE:
        return v.as.list->count != 0;
    case V_DICT:
        return v.as.dict->count != 0;
    case V_NAMESPACE:
    case V_LOOP:
    case V_MACRO:
    case V_METHOD:
    case V_FUNCTION:
    case V_TYPES:
        break;
    }
    return true;
}

static int64_t whole(struct value v)
{
    return v.type == V_BOOL ? v.as.boolean : v.as.integer;
}

static double number(struct value v)
{
    return v.type == V_FLOAT ? v.as.real : (double)whole(v);
}

static bool equal_lists(struct interpreter *x, const struct list *a, const struct list *b,
                        unsigned depth)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!equal(x, a->items[i], b->items[i], depth + 1))
            return false;
    return true;
}

static bool equal_dicts(struct interpreter *x, const struct dict *a, const struct dict *b,
                        unsigned depth)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct value *other = dict_find(x, b, a->pairs[i].key);
        if (!other || !equal(x, a->pairs[i].value, *other, depth + 1))
            return false;
    }
    return true;
}

bool equal(struct interpreter *x, struct value a, struct value b, unsigned depth)
{
    x->steps++;
    if (depth > VALUE_DEPTH)
        return false;
    if (is_number(a) && is_number(b)) {
        if (a.type == V_FLOAT || b.type == V_FLOAT) {
            double p = number(a), q = number(b);
            return p >= q && p <= q;
        }
        return whole(a) == whole(b);
    }
    if (a.type != b.type)
        return false;
    switch (a.type) {
    case V_STRING:
        x->steps += a.as.string->text.n / 64;
        return span_eq(a.as.string->text, b.as.string->text);
    case V_LIST:
    case V_TUPLE:
        return a.as.list == b.as.list || equal_lists(x, a.as.list, b.as.list, depth);
    case V_DICT:
        return a.as.dict == b.as.dict || equal_dicts(x, a.as.dict, b.as.dict, depth);
    case V_NAMESPACE:
        return a.as.dict == b.as.dict;
    case V_LOOP:
        return a.as.loop == b.as.loop;
    case V_MACRO:
        return a.as.macro == b.as.macro;
    case V_METHOD:
        return a.as.method == b.as.method;
    case V_FUNCTION:
        return a.as.function == b.as.function;
    case V_UNDEFINED:
    case V_NONE:
    case V_BOOL:
    case V_INTEGER:
    case V_FLOAT:
    case V_TYPES:
        break;
    }
    return true;
}

bool order(struct interpreter *x, struct value a, struct value b, int *out)
{
    if (is_number(a) && is_number(b)) {
        if (a.type == V_FLOAT || b.type == V_FLOAT)
            *out = (number(a) > number(b)) - (number(a) < number(b));
        else
            *out = (whole(a) > whole(b)) - (whole(a) < whole(b));
        return true;
    }
    if (a.type == V_STRING && b.type == V_STRING) {
        *out = span_cmp(a.as.string->text, b.as.string->text);
        *out = (*out > 0) - (*out < 0);
        return spend(x, 1 + a.as.string->text.n / 64);
    }
    if (is_sequence(a) && a.type == b.type) {
        const struct list *p = a.as.list, *q = b.as.list;
        size_t n = p->count < q->count ? p->count : q->count;
        if (++x->depth > EVAL_DEPTH)
            return runtime_fault(x, ERR_LIMIT, "values are nested too deeply");
        for (size_t i = 0; i < n; i++) {
            if (equal(x, p->items[i], q->items[i], 0))
                continue;
            bool ok = order(x, p->items[i], q->items[i], out);
            x->depth--;
            return ok;
        }
        x->depth--;
        *out = (p->count > q->count) - (p->count < q->count);
        return true;
    }
    return runtime_fault(x, ERR_FORMAT, "'%s' and '%s' have no order", type_name(a), type_name(b));
}
