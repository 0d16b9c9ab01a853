/*
 * Methods of texts, lists, dicts and loops that templates call.
 */
#include "template/filters.h"

#include <string.h>

#include "assay/unicode.h"
#include "template/text.h"

/* ---- splitting ---- */

static bool add_part(struct interpreter *x, struct list *l, const struct string *s, size_t from,
                     size_t end)
{
    struct value part = UNDEFINED;
    return string_part(x, s, from, end - from, &part) && list_add(x, l, part);
}

static bool split_at_spaces(struct interpreter *x, const struct string *s, int64_t most,
                            struct list *l)
{
    size_t at = 0, length;
    while (at < s->text.n) {
        while (at < s->text.n && text_is_space(unicode_at(s->text.p + at, &length)))
            at += length;
        if (at >= s->text.n)
            break;
        size_t end = at;
        bool last = most >= 0 && (int64_t)l->count >= most;
        while (end < s->text.n && (last || !text_is_space(unicode_at(s->text.p + end, &length))))
            end += last ? s->text.n - end : length;
        if (!add_part(x, l, s, at, end))
            return false;
        at = last ? s->text.n : end;
    }
    return true;
}

static bool split_at(struct interpreter *x, const struct string *s, struct span by, int64_t most,
                     struct list *l)
{
    size_t at = 0;
    while (most < 0 || (int64_t)l->count < most) {
        const uint8_t *found = memmem(s->text.p + at, s->text.n - at, by.p, by.n);
        if (!found)
            break;
        size_t end = (size_t)(found - s->text.p);
        if (!add_part(x, l, s, at, end))
            return false;
        at = end + by.n;
    }
    return add_part(x, l, s, at, s->text.n);
}

/* The last place of a text within the first `end` bytes, or SIZE_MAX. */
static size_t find_last(struct span s, struct span part, size_t end)
{
    for (size_t i = end >= part.n ? end - part.n + 1 : 0; i > 0; i--)
        if (span_eq(span_sub(s, i - 1, part.n), part))
            return i - 1;
    return SIZE_MAX;
}

/* From the right: the parts stand in order, the first holds what is left over. */
static bool split_from_right(struct interpreter *x, const struct string *s, struct span by,
                             int64_t most, struct list *l)
{
    size_t end = s->text.n, found;
    struct list *back = list_new(x);
    if (!back)
        return false;
    while ((most < 0 || (int64_t)back->count < most) &&
           (found = find_last(s->text, by, end)) != SIZE_MAX) {
        if (!add_part(x, back, s, found + by.n, end) || !spend(x, (end - found) / 64))
            return false;
        end = found;
    }
    if (!add_part(x, back, s, 0, end))
        return false;
    for (size_t i = back->count; i > 0; i--)
        if (!list_add(x, l, back->items[i - 1]))
            return false;
    return true;
}

static bool split(struct interpreter *x, struct arguments *a, bool right, struct value *out)
{
    const struct string *s = a->items[0].as.string, *by;
    int64_t most;
    bool given;
    struct list *l = list_new(x);
    if (!l || !string_argument(x, a, 1, &by, &given) || !whole_argument(x, a, 2, -1, &most))
        return false;
    if (given && by->text.n == 0)
        return runtime_fault(x, ERR_FORMAT, "split by an empty text");
    if (right && !given && most >= 0)
        return runtime_fault(x, ERR_UNSUPPORTED, "rsplit at white space with a limit");
    if (!(!given  ? split_at_spaces(x, s, most, l)
          : right ? split_from_right(x, s, by->text, most, l)
                  : split_at(x, s, by->text, most, l)))
        return false;
    *out = of_list(V_LIST, l);
    return true;
}

static bool m_split(struct interpreter *x, struct arguments *a, struct value *out)
{
    return split(x, a, false, out);
}

static bool m_rsplit(struct interpreter *x, struct arguments *a, struct value *out)
{
    return split(x, a, true, out);
}

static bool m_splitlines(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *s = a->items[0].as.string;
    struct list *l = list_new(x);
    bool keep = truth(argument(a, 1));
    if (!l)
        return false;
    for (size_t at = 0, next; at < s->text.n; at = next) {
        size_t end = text_line(s->text, at, &next);
        if (!add_part(x, l, s, at, keep ? next : end))
            return false;
    }
    *out = of_list(V_LIST, l);
    return true;
}

static bool partition(struct interpreter *x, struct arguments *a, bool right, struct value *out)
{
    const struct string *s = a->items[0].as.string, *by;
    bool given;
    struct list *l = list_new(x);
    if (!l || !string_argument(x, a, 1, &by, &given))
        return false;
    if (!given || by->text.n == 0)
        return runtime_fault(x, ERR_FORMAT, "partition by an empty text");
    const uint8_t *found = memmem(s->text.p, s->text.n, by->text.p, by->text.n);
    size_t at = right   ? find_last(s->text, by->text, s->text.n)
                : found ? (size_t)(found - s->text.p)
                        : SIZE_MAX;
    bool missing = at == SIZE_MAX;
    size_t n = s->text.n, from = missing ? (right ? 0 : n) : at;
    size_t end = missing ? from : at + by->text.n;
    *out = of_list(V_TUPLE, l);
    return add_part(x, l, s, 0, from) && add_part(x, l, s, from, end) && add_part(x, l, s, end, n);
}

static bool m_partition(struct interpreter *x, struct arguments *a, struct value *out)
{
    return partition(x, a, false, out);
}

static bool m_rpartition(struct interpreter *x, struct arguments *a, struct value *out)
{
    return partition(x, a, true, out);
}

/* ---- searching ---- */

/* A text, or a tuple of which one is enough. */
static bool at_end(struct interpreter *x, struct arguments *a, bool end, struct value *out)
{
    struct span s = a->items[0].as.string->text;
    struct value v = argument(a, 1);
    struct list one = {&v, 1, 0}, *all = is_sequence(v) ? v.as.list : &one;
    bool found = false;
    for (size_t i = 0; i < all->count && !found; i++) {
        if (all->items[i].type != V_STRING)
            return runtime_fault(x, ERR_FORMAT, "startswith and endswith need texts, not %s",
                                 type_name(all->items[i]));
        struct span part = all->items[i].as.string->text;
        found = part.n <= s.n && span_eq(span_sub(s, end ? s.n - part.n : 0, part.n), part);
    }
    *out = boolean(found);
    return true;
}

static bool m_startswith(struct interpreter *x, struct arguments *a, struct value *out)
{
    return at_end(x, a, false, out);
}

static bool m_endswith(struct interpreter *x, struct arguments *a, struct value *out)
{
    return at_end(x, a, true, out);
}

static bool find(struct interpreter *x, struct arguments *a, bool last, struct value *out)
{
    struct span s = a->items[0].as.string->text;
    const struct string *part;
    bool given;
    if (!string_argument(x, a, 1, &part, &given))
        return false;
    if (!given)
        return runtime_fault(x, ERR_FORMAT, "find needs a text");
    const uint8_t *found = part->text.n ? memmem(s.p, s.n, part->text.p, part->text.n) : s.p;
    size_t at = last                     ? find_last(s, part->text, s.n)
                : found || !part->text.n ? (found ? (size_t)(found - s.p) : 0)
                                         : SIZE_MAX;
    *out = integer(at == SIZE_MAX ? -1 : (int64_t)characters(span_sub(s, 0, at)));
    return spend(x, 1 + s.n / 64);
}

static bool m_find(struct interpreter *x, struct arguments *a, struct value *out)
{
    return find(x, a, false, out);
}

static bool m_rfind(struct interpreter *x, struct arguments *a, struct value *out)
{
    return find(x, a, true, out);
}

static bool m_index(struct interpreter *x, struct arguments *a, struct value *out)
{
    return find(x, a, false, out) &&
           (out->as.integer >= 0 || runtime_fault(x, ERR_FORMAT, "substring not found"));
}

static bool m_count(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct span s = a->items[0].as.string->text;
    const struct string *part;
    bool given;
    int64_t n = 0;
    if (!string_argument(x, a, 1, &part, &given))
        return false;
    if (!given || part->text.n == 0)
        return runtime_fault(x, ERR_UNSUPPORTED, "count of an empty text");
    for (size_t at = 0; at < s.n; n++) {
        const uint8_t *found = memmem(s.p + at, s.n - at, part->text.p, part->text.n);
        if (!found)
            break;
        at = (size_t)(found - s.p) + part->text.n;
    }
    *out = integer(n);
    return spend(x, 1 + s.n / 64);
}

static bool remove_affix(struct interpreter *x, struct arguments *a, bool end, struct value *out)
{
    struct value is = UNDEFINED;
    const struct string *s = a->items[0].as.string;
    if (!at_end(x, a, end, &is))
        return false;
    size_t n =
        is.as.boolean && argument(a, 1).type == V_STRING ? argument(a, 1).as.string->text.n : 0;
    return string_part(x, s, end ? 0 : n, s->text.n - n, out);
}

static bool m_removeprefix(struct interpreter *x, struct arguments *a, struct value *out)
{
    return remove_affix(x, a, false, out);
}

static bool m_removesuffix(struct interpreter *x, struct arguments *a, struct value *out)
{
    return remove_affix(x, a, true, out);
}

/* ---- of which kind ---- */

static bool all_in(struct interpreter *x, struct arguments *a, uint32_t categories, bool space,
                   struct value *out)
{
    struct span s = a->items[0].as.string->text;
    bool all = s.n > 0;
    for (size_t i = 0, length; i < s.n && all; i += length) {
        uint32_t c = unicode_at(s.p + i, &length);
        all = space ? text_is_space(c) : categories >> unicode_category(c) & 1;
    }
    *out = boolean(all);
    return spend(x, 1 + s.n / 64);
}

static bool m_isdigit(struct interpreter *x, struct arguments *a, struct value *out)
{
    return all_in(x, a, UC_BIT(UC_ND), false, out);
}

static bool m_isalpha(struct interpreter *x, struct arguments *a, struct value *out)
{
    return all_in(x, a, UC_LETTER, false, out);
}

static bool m_isalnum(struct interpreter *x, struct arguments *a, struct value *out)
{
    return all_in(x, a, UC_LETTER | UC_NUMBER, false, out);
}

static bool m_isspace(struct interpreter *x, struct arguments *a, struct value *out)
{
    return all_in(x, a, 0, true, out);
}

static bool m_isupper(struct interpreter *x, struct arguments *a, struct value *out)
{
    return find_test(span_str("upper"))->run(x, a, out);
}

static bool m_islower(struct interpreter *x, struct arguments *a, struct value *out)
{
    return find_test(span_str("lower"))->run(x, a, out);
}

static bool m_join(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct value turned[2] = {argument(a, 1), a->items[0]};
    struct arguments all = {turned, 2, NULL, 0, UNDEFINED};
    return find_filter(span_str("join"))->run(x, &all, out);
}

const struct function string_methods[] = {
    {"split", "sep maxsplit", 0, 2, m_split},
    {"rsplit", "sep maxsplit", 0, 2, m_rsplit},
    {"splitlines", "keepends", 0, 1, m_splitlines},
    {"partition", NULL, 1, 1, m_partition},
    {"rpartition", NULL, 1, 1, m_rpartition},
    {"startswith", NULL, 1, 1, m_startswith},
    {"endswith", NULL, 1, 1, m_endswith},
    {"find", NULL, 1, 1, m_find},
    {"rfind", NULL, 1, 1, m_rfind},
    {"index", NULL, 1, 1, m_index},
    {"count", NULL, 1, 1, m_count},
    {"removeprefix", NULL, 1, 1, m_removeprefix},
    {"removesuffix", NULL, 1, 1, m_removesuffix},
    {"isdigit", NULL, 0, 0, m_isdigit},
    {"isnumeric", NULL, 0, 0, m_isdigit},
    {"isdecimal", NULL, 0, 0, m_isdigit},
    {"isalpha", NULL, 0, 0, m_isalpha},
    {"isalnum", NULL, 0, 0, m_isalnum},
    {"isspace", NULL, 0, 0, m_isspace},
    {"isupper", NULL, 0, 0, m_isupper},
    {"islower", NULL, 0, 0, m_islower},
    {"join", NULL, 1, 1, m_join},
    {"format", NULL, 0, UINT32_MAX - 1, format_braces},
    {NULL, NULL, 0, 0, NULL},
};

/* ---- lists ---- */

static bool l_append(struct interpreter *x, struct arguments *a, struct value *out)
{
    *out = NONE;
    return list_add(x, a->items[0].as.list, a->items[1]);
}

static bool l_pop(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l = a->items[0].as.list;
    int64_t i;
    if (!whole_argument(x, a, 1, -1, &i))
        return false;
    i += i < 0 ? (int64_t)l->count : 0;
    if (i < 0 || (uint64_t)i >= l->count)
        return runtime_fault(x, ERR_FORMAT, "pop index out of range");
    *out = l->items[i];
    memmove(l->items + i, l->items + i + 1, (l->count - (size_t)i - 1) * sizeof *l->items);
    l->count--;
    return true;
}

static bool l_extend(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l = a->items[0].as.list, *more;
    *out = NONE;
    if (!iterate(x, a->items[1], &more))
        return false;
    for (size_t i = 0, n = more->count; i < n; i++)
        if (!list_add(x, l, more->items[i]))
            return false;
    return true;
}

static bool l_index(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l = a->items[0].as.list;
    for (size_t i = 0; i < l->count; i++)
        if (equal(x, l->items[i], a->items[1], 0)) {
            *out = integer((int64_t)i);
            return true;
        }
    return runtime_fault(x, ERR_FORMAT, "the value is not in the list");
}

static bool l_count(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l = a->items[0].as.list;
    int64_t n = 0;
    for (size_t i = 0; i < l->count; i++)
        n += equal(x, l->items[i], a->items[1], 0);
    *out = integer(n);
    return true;
}

const struct function list_methods[] = {
    {"append", NULL, 1, 1, l_append}, {"pop", NULL, 0, 1, l_pop},
    {"extend", NULL, 1, 1, l_extend}, {"index", NULL, 1, 1, l_index},
    {"count", NULL, 1, 1, l_count},   {NULL, NULL, 0, 0, NULL},
};

/* ---- dicts ---- */

static bool d_get(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct value *found = dict_find(x, a->items[0].as.dict, a->items[1]);
    *out = found ? *found : a->count > 2 ? a->items[2] : NONE;
    return true;
}

static bool d_keys(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l;
    if (!iterate(x, a->items[0], &l))
        return false;
    *out = of_list(V_LIST, l);
    return true;
}

static bool d_values(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct list *l = list_new(x);
    const struct dict *d = a->items[0].as.dict;
    if (!l)
        return false;
    for (size_t i = 0; i < d->count; i++)
        if (!list_add(x, l, d->pairs[i].value))
            return false;
    *out = of_list(V_LIST, l);
    return true;
}

static bool d_items(struct interpreter *x, struct arguments *a, struct value *out)
{
    return find_filter(span_str("items"))->run(x, a, out);
}

static bool d_pop(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct dict *d = a->items[0].as.dict;
    struct value *found = dict_find(x, d, a->items[1]);
    if (!found && a->count < 3)
        return runtime_fault(x, ERR_FORMAT, "pop of a key that is not there");
    *out = found ? *found : a->items[2];
    if (found)
        dict_remove(d, found);
    return spend(x, 1 + d->count);
}

static bool d_update(struct interpreter *x, struct arguments *a, struct value *out)
{
    *out = NONE;
    return dict_take(x, a->items[0].as.dict, a);
}

static bool d_setdefault(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct dict *d = a->items[0].as.dict;
    const struct value *found = dict_find(x, d, a->items[1]);
    *out = found ? *found : a->count > 2 ? a->items[2] : NONE;
    return found || dict_set(x, d, a->items[1], *out);
}

static bool d_copy(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct dict *d = dict_new(x), *from = a->items[0].as.dict;
    if (!d)
        return false;
    for (size_t i = 0; i < from->count; i++)
        if (!dict_set(x, d, from->pairs[i].key, from->pairs[i].value))
            return false;
    *out = of_dict(d);
    return true;
}

const struct function dict_methods[] = {
    {"get", NULL, 1, 2, d_get},
    {"keys", NULL, 0, 0, d_keys},
    {"values", NULL, 0, 0, d_values},
    {"items", NULL, 0, 0, d_items},
    {"pop", NULL, 1, 2, d_pop},
    {"update", NULL, 0, UINT32_MAX - 1, d_update},
    {"setdefault", NULL, 1, 2, d_setdefault},
    {"copy", NULL, 0, 0, d_copy},
    {NULL, NULL, 0, 0, NULL},
};

/* ---- loops ---- */

static bool p_cycle(struct interpreter *x, struct arguments *a, struct value *out)
{
    if (a->count < 2)
        return runtime_fault(x, ERR_FORMAT, "cycle of nothing");
    *out = a->items[1 + a->items[0].as.loop->index % (a->count - 1)];
    return true;
}

static bool p_changed(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct loop *l = a->items[0].as.loop;
    struct list *now = list_new(x);
    if (!now)
        return false;
    for (size_t i = 1; i < a->count; i++)
        if (!list_add(x, now, a->items[i]))
            return false;
    struct value v = of_list(V_TUPLE, now);
    *out = boolean(!equal(x, v, l->last_changed, 0));
    l->last_changed = v;
    return true;
}

const struct function loop_methods[] = {
    {"cycle", NULL, 1, 100, p_cycle},
    {"changed", NULL, 0, 100, p_changed},
    {NULL, NULL, 0, 0, NULL},
};
