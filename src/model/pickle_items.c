/*
 * Opcodes that move what is there: the stack, its marks, the memo, and putting
 * values into tuples, lists, dictionaries and sets.
 */
#include "model/pickle_ops.h"

#include <string.h>

#include "assay/base/text.h"

/* ---- stack and memo ---- */

bool pickle_op_mark(struct pickle *p)
{
    return pickle_mark(p);
}

/* A mark on top is popped as a value would be. */
bool pickle_op_pop(struct pickle *p)
{
    pv v;
    if (p->mark_count && p->marks[p->mark_count - 1] == p->depth) {
        p->mark_count--;
        return true;
    }
    return pickle_pop(p, &v);
}

bool pickle_op_pop_mark(struct pickle *p)
{
    size_t from, n;
    return pickle_pop_mark(p, &from, &n);
}

bool pickle_op_dup(struct pickle *p)
{
    pv v;
    if (!pickle_top(p, &v))
        return false;
    pickle_shared_again(p, v);
    return pickle_push(p, v);
}

static bool get(struct pickle *p, uint64_t key)
{
    pv v;
    /* Python raises here; what follows is judged all the same, for readers that go on. */
    if (!pickle_memo_get(p, key, &v) && !p->fragment)
        pickle_note(p, RULE_PICKLE_MEMO, "the memo has no key %llu", (unsigned long long)key);
    pickle_shared_again(p, v);
    return pickle_push(p, v);
}

static bool put(struct pickle *p, uint64_t key)
{
    pv v;
    return pickle_top(p, &v) && pickle_memo_put(p, key, v);
}

/* p and g: CPython takes the key as a number; other readers as any text. */
static bool memo_line(struct pickle *p, uint64_t *key)
{
    bool negative;
    char shown[64];
    struct span s = window_line(&p->w);
    if (!window_ok(&p->w))
        return false;
    if (pickle_decimal(s, &negative, key) && !negative)
        return true;
    pickle_note(p, RULE_PICKLE_AMBIGUOUS, "the memo's key \"%s\" is no number",
                text_shown(shown, sizeof shown, s));
    return pickle_fail(p, "the memo's key is no number");
}

bool pickle_op_get(struct pickle *p)
{
    uint64_t key;
    return memo_line(p, &key) && get(p, key);
}

bool pickle_op_put(struct pickle *p)
{
    uint64_t key;
    return memo_line(p, &key) && put(p, key);
}

bool pickle_op_binget(struct pickle *p)
{
    uint8_t key = window_u8(&p->w);
    return window_ok(&p->w) && get(p, key);
}

bool pickle_op_long_binget(struct pickle *p)
{
    struct span s = window_take(&p->w, 4);
    return s.n && get(p, load_u32le(s.p));
}

bool pickle_op_binput(struct pickle *p)
{
    uint8_t key = window_u8(&p->w);
    return window_ok(&p->w) && put(p, key);
}

bool pickle_op_long_binput(struct pickle *p)
{
    struct span s = window_take(&p->w, 4);
    return s.n && put(p, load_u32le(s.p));
}

bool pickle_op_memoize(struct pickle *p)
{
    return put(p, p->memo_used);
}

/* ---- containers ---- */

static void fill_tuple(struct pickle *p, pv tuple, const pv *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pickle_weigh(p, tuple, items[i]);
        if (pickle_bears(p, items[i]))
            pickle_attach(p, tuple, pv_make(PV_INT, 0, i), items[i]);
    }
}

static bool make_tuple(struct pickle *p, size_t n)
{
    pv items[3];
    for (size_t i = n; i-- > 0;)
        if (!pickle_pop(p, &items[i]))
            return false;
    pv t = pickle_tuple(p, items, n);
    fill_tuple(p, t, items, n);
    return pickle_push(p, t);
}

bool pickle_op_tuple1(struct pickle *p)
{
    return make_tuple(p, 1);
}

bool pickle_op_tuple2(struct pickle *p)
{
    return make_tuple(p, 2);
}

bool pickle_op_tuple3(struct pickle *p)
{
    return make_tuple(p, 3);
}

static void append(struct pickle *p, pv target, pv value)
{
    pickle_weigh(p, target, value);
    pickle_append(p, target, value);
}

static void set(struct pickle *p, pv target, pv key, pv value)
{
    pickle_weigh(p, target, value);
    pickle_set(p, target, key, value);
}

static void append_all(struct pickle *p, pv target, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        append(p, target, p->stack[from + i]);
}

static void set_all(struct pickle *p, pv target, size_t from, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        set(p, target, p->stack[from + i], p->stack[from + i + 1]);
}

bool pickle_op_tuple(struct pickle *p)
{
    size_t from, n;
    if (!pickle_pop_mark(p, &from, &n))
        return false;
    pv t = n ? pickle_tuple(p, p->stack + from, n) : pickle_tuple(p, NULL, 0);
    if (n)
        fill_tuple(p, t, p->stack + from, n);
    return pickle_push(p, t);
}

bool pickle_op_list_of(struct pickle *p)
{
    size_t from, n;
    pv list = pv_make(PV_LIST, 0, p->op_at);
    if (!pickle_pop_mark(p, &from, &n))
        return false;
    append_all(p, list, from, n);
    return pickle_push(p, list);
}

bool pickle_op_dict_of(struct pickle *p)
{
    size_t from, n;
    pv dict = pv_make(PV_DICT, 0, p->op_at);
    if (!pickle_pop_mark(p, &from, &n))
        return false;
    if (n % 2)
        return pickle_fail(p, "a dictionary of an odd number of items");
    set_all(p, dict, from, n);
    return pickle_push(p, dict);
}

bool pickle_op_frozenset(struct pickle *p)
{
    size_t from, n;
    return pickle_pop_mark(p, &from, &n) && pickle_push_kind(p, PV_SET);
}

bool pickle_op_append(struct pickle *p)
{
    pv value, target;
    if (!pickle_pop(p, &value) || !pickle_top(p, &target))
        return false;
    append(p, target, value);
    return true;
}

bool pickle_op_appends(struct pickle *p)
{
    size_t from, n;
    pv target;
    if (!pickle_pop_mark(p, &from, &n) || !pickle_top(p, &target))
        return false;
    append_all(p, target, from, n);
    return true;
}

bool pickle_op_setitem(struct pickle *p)
{
    pv key, value, target;
    if (!pickle_pop(p, &value) || !pickle_pop(p, &key) || !pickle_top(p, &target))
        return false;
    set(p, target, key, value);
    return true;
}

bool pickle_op_setitems(struct pickle *p)
{
    size_t from, n;
    pv target;
    if (!pickle_pop_mark(p, &from, &n))
        return false;
    if (n % 2)
        return pickle_fail(p, "an odd number of keys and values");
    if (!pickle_top(p, &target))
        return false;
    set_all(p, target, from, n);
    return true;
}
