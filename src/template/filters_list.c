/*
 * Filters over lists and dicts (jinja2/filters.py).
 */
#include "template/filters.h"

#include <string.h>

#include "assay/base/text.h"
#include "assay/unicode.h"

static bool items_of(struct interpreter *x, const struct arguments *a, struct list **out)
{
    return iterate(x, a->items[0], out);
}

/* map, select and their like take anything that is false for an empty list. */
static bool some_items_of(struct interpreter *x, const struct arguments *a, struct list **out)
{
    return iterate(x, truth(a->items[0]) ? a->items[0] : UNDEFINED, out);
}

/* "a.b.0": attribute by attribute. */
static bool by_path(struct interpreter *x, struct value v, struct value path, struct value *out)
{
    *out = v;
    if (path.type == V_INTEGER)
        return get_item(x, v, path, out);
    if (path.type != V_STRING)
        return true;
    struct span rest = path.as.string->text;
    for (;;) {
        const uint8_t *dot = rest.n ? memchr(rest.p, '.', rest.n) : NULL;
        struct span name = span_sub(rest, 0, dot ? (size_t)(dot - rest.p) : rest.n);
        struct value inner = UNDEFINED, key = UNDEFINED;
        uint64_t number;
        if (text_u64(name, &number) && number < INT32_MAX)
            key = integer((int64_t)number);
        else if (!string_value(x, name, true, &key))
            return false;
        if (!get_item(x, *out, key, &inner))
            return false;
        *out = inner;
        if (!dot)
            return true;
        rest = span_sub(rest, name.n + 1, rest.n);
    }
}

/* What sorting compares: lower case unless case_sensitive. */
static bool sort_key(struct interpreter *x, struct value v, bool case_sensitive, struct value *out)
{
    struct arguments a = {&v, 1, NULL, 0, UNDEFINED};
    *out = v;
    if (case_sensitive || v.type != V_STRING)
        return true;
    return find_filter(span_str("lower"))->run(x, &a, out);
}

/* ---- sorting ---- */

struct keyed {
    struct value key, item;
};

/* Merge sort: stable, and n log n whatever the input. */
static bool sort_run(struct interpreter *x, struct keyed *k, struct keyed *room, size_t n,
                     bool reverse)
{
    if (n < 2)
        return true;
    size_t half = n / 2;
    if (!sort_run(x, k, room, half, reverse) ||
        !sort_run(x, k + half, room + half, n - half, reverse))
        return false;
    for (size_t i = 0, j = half, to = 0; to < n; to++) {
        int sign = 0;
        if (i < half && j < n) {
            if (!order(x, k[j].key, k[i].key, &sign) || !spend(x, 1))
                return false;
        } else {
            sign = i < half ? 0 : (reverse ? 1 : -1);
        }
        bool right = reverse ? sign > 0 : sign < 0;
        room[to] = right ? k[j++] : k[i++];
    }
    memcpy(k, room, n * sizeof *k);
    return true;
}

static bool sorted(struct interpreter *x, const struct list *l, struct value path,
                   bool case_sensitive, bool reverse, struct list **out)
{
    struct keyed *k = arena_array(x->arena, l->count + 1, sizeof *k);
    struct keyed *room = arena_array(x->arena, l->count + 1, sizeof *room);
    *out = list_new(x);
    if (!k || !room || !*out)
        return no_memory(x);
    for (size_t i = 0; i < l->count; i++) {
        struct value v = UNDEFINED;
        k[i].item = l->items[i];
        if (!by_path(x, l->items[i], path, &v) || !sort_key(x, v, case_sensitive, &k[i].key))
            return false;
    }
    if (!sort_run(x, k, room, l->count, reverse))
        return false;
    for (size_t i = 0; i < l->count; i++)
        if (!list_add(x, *out, k[i].item))
            return false;
    return true;
}

static bool f_sort(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l, *result;
    if (!items_of(x, a, &l) ||
        !sorted(x, l, argument(a, 3), truth(argument(a, 2)), truth(argument(a, 1)), &result))
        return false;
    *out = of_list(V_LIST, result);
    return true;
}

static bool pairs_of(struct interpreter *x, struct value v, struct list **out)
{
    *out = list_new(x);
    if (!*out)
        return false;
    if (v.type == V_UNDEFINED)
        return true;
    if (v.type != V_DICT)
        return runtime_fault(x, ERR_FORMAT, "a dict was expected, not %s", type_name(v));
    for (size_t i = 0; i < v.as.dict->count; i++) {
        struct list *pair = list_new(x);
        if (!pair || !list_add(x, pair, v.as.dict->pairs[i].key) ||
            !list_add(x, pair, v.as.dict->pairs[i].value) ||
            !list_add(x, *out, of_list(V_TUPLE, pair)))
            return false;
    }
    return true;
}

static bool f_items(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l;
    if (!pairs_of(x, a->items[0], &l))
        return false;
    *out = of_list(V_LIST, l);
    return true;
}

/* dictsort(case_sensitive=False, by='key', reverse=False) */
static bool f_dictsort(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l, *result;
    struct value by = argument(a, 2);
    bool value = by.type == V_STRING && span_is(by.as.string->text, "value");
    if (!pairs_of(x, a->items[0], &l) ||
        !sorted(x, l, integer(value), truth(argument(a, 1)), truth(argument(a, 3)), &result))
        return false;
    *out = of_list(V_LIST, result);
    return true;
}

/* ---- choosing ---- */

/* One test of an item, by name; without a name, its truth. */
static bool passes(struct interpreter *x, struct arguments *a, size_t at, struct value v, bool *out)
{
    struct value name = argument(a, at), result;
    struct value given[12];
    if (name.type != V_STRING) {
        *out = truth(v);
        return true;
    }
    const struct function *f = find_test(name.as.string->text);
    if (!f || a->count - at > sizeof given / sizeof *given)
        return unsupported(x, "test", name.as.string->text);
    struct arguments all = {given, 0, NULL, 0, UNDEFINED};
    given[all.count++] = v;
    for (size_t i = at + 1; i < a->count; i++)
        given[all.count++] = a->items[i];
    if (!call_function(x, f, &all, &result))
        return false;
    *out = truth(result);
    return true;
}

static bool choose(struct interpreter *x, struct arguments *a, bool by_attribute, bool wanted,
                   struct value *out)
{
    struct list *l, *kept = list_new(x);
    if (!kept || !some_items_of(x, a, &l))
        return false;
    for (size_t i = 0; i < l->count; i++) {
        struct value v = l->items[i];
        bool pass = false;
        if ((by_attribute && !by_path(x, l->items[i], argument(a, 1), &v)) ||
            !passes(x, a, by_attribute ? 2 : 1, v, &pass) ||
            (pass == wanted && !list_add(x, kept, l->items[i])))
            return false;
    }
    *out = of_list(V_LIST, kept);
    return true;
}

static bool f_select(struct interpreter *x, struct arguments *a, struct value *out)
{
    return choose(x, a, false, true, out);
}

static bool f_reject(struct interpreter *x, struct arguments *a, struct value *out)
{
    return choose(x, a, false, false, out);
}

static bool f_selectattr(struct interpreter *x, struct arguments *a, struct value *out)
{
    return choose(x, a, true, true, out);
}

static bool f_rejectattr(struct interpreter *x, struct arguments *a, struct value *out)
{
    return choose(x, a, true, false, out);
}

static const struct value *named(const struct arguments *a, const char *name)
{
    for (size_t i = 0; i < a->named_count; i++)
        if (span_is(a->named[i].key.as.string->text, name))
            return &a->named[i].value;
    return NULL;
}

static bool map_one(struct interpreter *x, struct arguments *a, const struct function *f,
                    struct value item, struct value *out)
{
    const struct value *path = named(a, "attribute"), *missing = named(a, "default");
    if (path) {
        if (!by_path(x, item, *path, out))
            return false;
        if (out->type == V_UNDEFINED && missing)
            *out = *missing;
        return true;
    }
    struct value given[12];
    struct arguments all = {given, 0, a->named, a->named_count, UNDEFINED};
    given[all.count++] = item;
    for (size_t i = 2; i < a->count && all.count < 12; i++)
        given[all.count++] = a->items[i];
    return call_function(x, f, &all, out);
}

static bool f_map(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l, *made = list_new(x);
    struct value name = argument(a, 1), v;
    char shown[64];
    const struct function *f = name.type == V_STRING ? find_filter(name.as.string->text) : NULL;
    if (!f && !named(a, "attribute"))
        return runtime_fault(
            x, ERR_UNSUPPORTED, "map with the filter \"%s\" is not supported",
            name.type == V_STRING ? text_shown(shown, sizeof shown, name.as.string->text) : "");
    if (!made || !some_items_of(x, a, &l))
        return false;
    for (size_t i = 0; i < l->count; i++)
        if (!map_one(x, a, f, l->items[i], &v) || !list_add(x, made, v))
            return false;
    *out = of_list(V_LIST, made);
    return true;
}

static bool f_unique(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l, *kept = list_new(x);
    struct dict *seen = dict_new(x);
    if (!kept || !seen || !items_of(x, a, &l))
        return false;
    for (size_t i = 0; i < l->count; i++) {
        struct value v = UNDEFINED, key = UNDEFINED;
        if (!by_path(x, l->items[i], argument(a, 2), &v) ||
            !sort_key(x, v, truth(argument(a, 1)), &key))
            return false;
        if (dict_find(x, seen, key))
            continue;
        if (!dict_set(x, seen, key, boolean(true)) || !list_add(x, kept, l->items[i]))
            return false;
    }
    *out = of_list(V_LIST, kept);
    return true;
}

/* Lists of items with the same attribute, sorted by it, each with what they share. */
static bool f_groupby(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l, *all, *groups = list_new(x), *group = NULL;
    struct value last = UNDEFINED;
    bool sensitive = truth(argument(a, 3));
    if (!groups || !items_of(x, a, &l) || !sorted(x, l, argument(a, 1), sensitive, false, &all))
        return false;
    for (size_t i = 0; i < all->count; i++) {
        struct value shared = UNDEFINED, key = UNDEFINED;
        if (!by_path(x, all->items[i], argument(a, 1), &shared))
            return false;
        if (shared.type == V_UNDEFINED)
            shared = argument(a, 2);
        if (!sort_key(x, shared, sensitive, &key))
            return false;
        if (!group || !equal(x, key, last, 0)) {
            struct list *pair = list_new(x);
            group = list_new(x);
            if (!pair || !group || !list_add(x, pair, shared) ||
                !list_add(x, pair, of_list(V_LIST, group)) ||
                !list_add(x, groups, of_list(V_TUPLE, pair)))
                return false;
        }
        last = key;
        if (!list_add(x, group, all->items[i]))
            return false;
    }
    *out = of_list(V_LIST, groups);
    return true;
}

/* ---- ends, sums, shapes ---- */

static bool end_of(struct interpreter *x, struct arguments *a, bool last, struct value *out)
{
    struct list *l;
    if (!items_of(x, a, &l))
        return false;
    *out = l->count ? l->items[last ? l->count - 1 : 0] : UNDEFINED;
    return true;
}

static bool f_first(struct interpreter *x, struct arguments *a, struct value *out)
{
    return end_of(x, a, false, out);
}

static bool f_last(struct interpreter *x, struct arguments *a, struct value *out)
{
    return end_of(x, a, true, out);
}

static bool extreme(struct interpreter *x, struct arguments *a, bool most, struct value *out)
{
    struct list *l, *all;
    if (!items_of(x, a, &l) || !sorted(x, l, argument(a, 2), truth(argument(a, 1)), most, &all))
        return false;
    *out = all->count ? all->items[0] : UNDEFINED;
    return true;
}

static bool f_min(struct interpreter *x, struct arguments *a, struct value *out)
{
    return extreme(x, a, false, out);
}

static bool f_max(struct interpreter *x, struct arguments *a, struct value *out)
{
    return extreme(x, a, true, out);
}

static bool f_sum(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l;
    struct value sum = a->count > 2 ? a->items[2] : integer(0), v;
    if (!items_of(x, a, &l))
        return false;
    for (size_t i = 0; i < l->count; i++)
        if (!by_path(x, l->items[i], argument(a, 1), &v) ||
            !operate(x, span_str("+"), sum, v, &sum))
            return false;
    *out = sum;
    return true;
}

static bool f_list(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l, *copy = list_new(x);
    if (!copy || !items_of(x, a, &l))
        return false;
    for (size_t i = 0; i < l->count; i++)
        if (!list_add(x, copy, l->items[i]))
            return false;
    *out = of_list(V_LIST, copy);
    return true;
}

static bool f_reverse(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l, *back = list_new(x);
    if (!back || !items_of(x, a, &l))
        return false;
    for (size_t i = l->count; i > 0; i--)
        if (!list_add(x, back, l->items[i - 1]))
            return false;
    *out = of_list(V_LIST, back);
    if (a->items[0].type != V_STRING)
        return true;
    struct arguments joined = {out, 1, NULL, 0, UNDEFINED};
    return find_filter(span_str("join"))->run(x, &joined, out);
}

static bool f_length(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct value v = a->items[0];
    if (v.type == V_STRING)
        *out = integer((int64_t)characters(v.as.string->text));
    else if (is_sequence(v))
        *out = integer((int64_t)v.as.list->count);
    else if (v.type == V_DICT)
        *out = integer((int64_t)v.as.dict->count);
    else if (v.type == V_UNDEFINED)
        *out = integer(0);
    else
        return runtime_fault(x, ERR_FORMAT, "object of type '%s' has no length", type_name(v));
    return true;
}

static bool f_join(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l;
    struct value v = UNDEFINED;
    const struct string *between;
    bool given;
    struct maker m;
    if (!items_of(x, a, &l) || !string_argument(x, a, 1, &between, &given))
        return false;
    maker_init(&m, x);
    for (size_t i = 0; i < l->count; i++) {
        if (i && given)
            maker_string(&m, between);
        if (!by_path(x, l->items[i], argument(a, 2), &v) || !put_value(&m, v)) {
            maker_free(&m);
            return false;
        }
    }
    return maker_value(&m, out);
}

/* batch(n, fill): lists of n. */
static bool f_batch(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l, *all = list_new(x), *row = NULL;
    int64_t n;
    if (!all || !items_of(x, a, &l) || !whole_argument(x, a, 1, 1, &n))
        return false;
    for (size_t i = 0; i < l->count; i++) {
        if (!row || (int64_t)row->count >= n) {
            row = list_new(x);
            if (!row || !list_add(x, all, of_list(V_LIST, row)))
                return false;
        }
        if (!list_add(x, row, l->items[i]))
            return false;
    }
    while (row && a->count > 2 && (int64_t)row->count < n)
        if (!list_add(x, row, a->items[2]))
            return false;
    *out = of_list(V_LIST, all);
    return true;
}

const struct function list_filters[] = {
    {"sort", "reverse case_sensitive attribute", 0, 3, f_sort},
    {"items", NULL, 0, 0, f_items},
    {"dictsort", "case_sensitive by reverse", 0, 3, f_dictsort},
    {"select", NULL, 0, 10, f_select},
    {"reject", NULL, 0, 10, f_reject},
    {"selectattr", NULL, 1, 10, f_selectattr},
    {"rejectattr", NULL, 1, 10, f_rejectattr},
    {"map", NULL, 0, UINT32_MAX - 1, f_map},
    {"unique", "case_sensitive attribute", 0, 2, f_unique},
    {"groupby", "attribute default case_sensitive", 1, 3, f_groupby},
    {"first", NULL, 0, 0, f_first},
    {"last", NULL, 0, 0, f_last},
    {"min", "case_sensitive attribute", 0, 2, f_min},
    {"max", "case_sensitive attribute", 0, 2, f_max},
    {"sum", "attribute start", 0, 2, f_sum},
    {"list", NULL, 0, 0, f_list},
    {"reverse", NULL, 0, 0, f_reverse},
    {"length", NULL, 0, 0, f_length},
    {"count", NULL, 0, 0, f_length},
    {"join", "d attribute", 0, 2, f_join},
    {"batch", "linecount fill_with", 1, 2, f_batch},
    {NULL, NULL, 0, 0, NULL},
};
