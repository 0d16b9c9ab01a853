/*
 * From alternatives to a machine that can run: references are followed, unions within unions
 * become one, and each node learns how deep its smallest value goes and each form which octets
 * it may be left with.
 */
#include <string.h>

#include "engine/automaton.h"
#include "engine/schema.h"

enum { ENDLESS = FORM_DEPTH + 1 };

/* ---- references and unions ---- */

uint32_t form_resolved(const struct engine_form *f, uint32_t node)
{
    for (uint32_t steps = 0; steps <= f->count; steps++) {
        if (f->node[node].kind != FORM_ALIAS)
            return node;
        node = f->node[node].value;
    }
    return FORM_NODES;
}

struct union_of {
    const struct engine_form *form;
    uint8_t *seen; /* of each node */
    uint32_t *todo, *found;
    uint32_t todo_count, found_count;
};

static void look_at(struct union_of *u, uint32_t node)
{
    node = form_resolved(u->form, node);
    if (node == FORM_NODES || u->seen[node])
        return;
    u->seen[node] = 1;
    if (u->form->node[node].kind == FORM_ANY)
        u->todo[u->todo_count++] = node;
    else
        u->found[u->found_count++] = node;
}

static bool flatten(struct form_maker *m, struct union_of *u, uint32_t any, uint32_t *ways,
                    struct err *e)
{
    struct form_node *node = &m->form->node[any];
    memset(u->seen, 0, m->form->count);
    u->todo_count = u->found_count = 0;
    look_at(u, any);
    while (u->todo_count) {
        const struct form_node *n = &m->form->node[u->todo[--u->todo_count]];
        for (uint32_t i = 0; i < n->count; i++)
            look_at(u, n->item[i].value);
    }
    *ways += u->found_count;
    if (*ways > FORM_WAYS)
        return err_set(e, ERR_UNSUPPORTED, "has more than %d alternatives", FORM_WAYS);
    struct form_item *items = arena_array(m->a, u->found_count + 1, sizeof *items);
    if (items == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    for (uint32_t i = 0; i < u->found_count; i++)
        items[i].value = u->found[i];
    node->item = items;
    node->count = u->found_count;
    return true;
}

static bool flatten_all(struct form_maker *m, struct err *e)
{
    uint32_t n = m->form->count, ways = 0;
    struct union_of u = {.form = m->form,
                         .seen = arena_alloc(m->a, n),
                         .todo = arena_array(m->a, n, sizeof *u.todo),
                         .found = arena_array(m->a, n, sizeof *u.found)};
    if (u.seen == NULL || u.todo == NULL || u.found == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    for (uint32_t i = 0; i < n; i++)
        if (m->form->node[i].kind == FORM_ANY && !flatten(m, &u, i, &ways, e))
            return false;
    return true;
}

/* Nothing refers to an alias any more; one that stands for itself has no value. */
static void follow(struct engine_form *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        struct form_node *n = &f->node[i];
        if (n->kind == FORM_MAP || n->kind == FORM_ARRAY || n->kind == FORM_FRAMED ||
            n->kind == FORM_SEVERAL) {
            uint32_t to = form_resolved(f, n->value);
            n->value = to == FORM_NODES ? i : to;
        }
        bool listed = n->kind == FORM_OBJECT || n->kind == FORM_ARRAY;
        for (uint32_t k = 0; listed && k < n->count; k++) {
            uint32_t to = form_resolved(f, n->item[k].value);
            n->item[k].value = to == FORM_NODES ? i : to;
        }
    }
}

/* ---- depth ---- */

static uint32_t need_of(const struct engine_form *f, const struct form_node *n)
{
    uint32_t below = 0, least = ENDLESS;
    switch (n->kind) {
    case FORM_LITERALS:
    case FORM_TEXTUAL:
    case FORM_NUMBER:
    case FORM_REGULAR:
    case FORM_MAP:
        return 1;
    case FORM_ARRAY:
        below = n->min > n->count ? f->node[n->value].need : 0;
        for (uint32_t i = 0; i < n->count && i < n->min; i++)
            if (f->node[n->item[i].value].need > below)
                below = f->node[n->item[i].value].need;
        break;
    case FORM_FRAMED:
    case FORM_SEVERAL:
        below = f->node[n->value].need;
        break;
    case FORM_OBJECT:
        for (uint32_t i = 0; i < n->count; i++)
            if (n->item[i].required && f->node[n->item[i].value].need > below)
                below = f->node[n->item[i].value].need;
        break;
    case FORM_ANY:
        for (uint32_t i = 0; i < n->count; i++)
            if (f->node[n->item[i].value].need < least)
                least = f->node[n->item[i].value].need;
        return least;
    case FORM_UNSET:
    case FORM_REFUSED:
    case FORM_ALIAS:
        return ENDLESS;
    }
    return below < FORM_DEPTH ? below + 1 : ENDLESS;
}

static void measure(struct engine_form *f)
{
    bool changed = true;
    for (uint32_t i = 0; i < f->count; i++)
        f->node[i].need = ENDLESS;
    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < f->count; i++) {
            uint32_t need = need_of(f, &f->node[i]);
            changed = changed || need != f->node[i].need;
            f->node[i].need = need;
        }
    }
}

/* ---- octets ---- */

static void add_octets(struct form_octet_set *s, struct span octets)
{
    for (size_t i = 0; i < octets.n; i++)
        form_set_add(s, octets.p[i]);
}

/* A way on from every state: of a character that was begun, whichever may be second and third. */
static void needs(struct engine_form *f)
{
    static const char *const marks[] = {[FORM_TEXTUAL] = "\"0",
                                        [FORM_NUMBER] = "0",
                                        [FORM_OBJECT] = "{}:,",
                                        [FORM_MAP] = "{}:,\"",
                                        [FORM_ARRAY] = "[],"};
    for (uint32_t i = 0; i < f->count; i++) {
        const struct form_node *n = &f->node[i];
        bool listed = (unsigned)n->kind < sizeof marks / sizeof *marks;
        if (listed && marks[n->kind] != NULL)
            add_octets(&f->needs, span_str(marks[n->kind]));
        if (n->kind == FORM_TEXTUAL)
            add_octets(&f->needs, span_str(FORM_PARTS));
        for (size_t k = 0; n->automaton && k < sizeof f->needs.bit / sizeof *f->needs.bit; k++)
            f->needs.bit[k] |= n->automaton->needs.bit[k];
        for (uint32_t k = 0; k < n->count; k++)
            add_octets(&f->needs, n->item[k].text);
    }
}

/* Each of a union's values that begin alike is followed: none is left out without a word. */
static bool check_ways(struct form_maker *m, struct err *e)
{
    const struct engine_form *f = m->form;
    buf_clear(m->where);
    buf_put_u8(m->where, '#');
    for (uint32_t i = 0; i < f->count; i++) {
        m->fault = i;
        const struct form_node *n = &f->node[i];
        for (unsigned c = 0; n->count > FORM_THREADS && c <= UINT8_MAX; c++) {
            uint32_t alike = 0;
            for (uint32_t k = 0; n->kind == FORM_ANY && k < n->count; k++)
                alike += form_may_begin(f, &f->node[n->item[k].value], (uint8_t)c);
            if (alike > FORM_THREADS)
                return err_set(e, ERR_UNSUPPORTED,
                               "has %u alternatives that begin alike: at most %d are told apart",
                               alike, FORM_THREADS);
        }
    }
    return true;
}

bool form_settle(struct form_maker *m, struct err *e)
{
    if (!form_check_apart(m, e) || !flatten_all(m, e) || !check_ways(m, e))
        return false;
    follow(m->form);
    measure(m->form);
    needs(m->form);
    return true;
}

/* ---- alternatives ---- */

static bool is_object(const struct engine_form *f, uint32_t node)
{
    const struct form_node *n = &f->node[node];
    bool all = n->kind == FORM_ANY && n->count > 0;
    for (uint32_t i = 0; all && i < n->count; i++) {
        enum form_kind k = f->node[n->item[i].value].kind;
        all = k == FORM_OBJECT || k == FORM_MAP;
    }
    return n->kind == FORM_OBJECT || n->kind == FORM_MAP || all;
}

static bool text_of(struct form_maker *m, struct json v, struct span *out, struct err *e)
{
    struct span s;
    *out = SPAN_EMPTY;
    if (!json_type(v))
        return true;
    if (!json_string(v, &s) || s.n == 0 || s.n > FORM_TEXT)
        return err_set(e, ERR_FORMAT, "a text around a value must be a string of 1 to %d octets",
                       FORM_TEXT);
    *out = arena_span(m->a, s);
    return out->p != NULL || err_set(e, ERR_MEMORY, "no memory for a form");
}

/* `value`: of the schema; `node`: with its texts. */
static bool alternative(struct form_maker *m, struct json v, uint32_t *value, uint32_t *node,
                        struct err *e)
{
    struct span begin, end;
    struct json schema = json_get(v, "schema");
    if (!text_of(m, json_get(v, "begin"), &begin, e) || !text_of(m, json_get(v, "end"), &end, e))
        return false;
    if (!json_type(schema) || (begin.n == 0 && end.n != 0))
        return err_set(e, ERR_FORMAT, "a form has a schema, and texts around it or none");
    if (begin.n && begin.p[0] != 0 && strchr(" \n\r\t", begin.p[0]) != NULL)
        return err_set(e, ERR_FORMAT,
                       "a text before a value does not begin with white space, which "
                       "may stand before it");
    /* The ways in which one call may be written have one schema. */
    *value = m->last_node;
    if (!span_eq(json_text(schema), m->last) && !schema_node(m, schema, value, e))
        return false;
    m->last = json_text(schema);
    m->last_node = *value;
    *node = *value;
    if (begin.n == 0)
        return true;
    if (!form_new(m, FORM_FRAMED, node, e) || !form_list(m, *node, 2, e))
        return false;
    m->form->node[*node].value = *value;
    m->form->node[*node].item[0].text = begin;
    m->form->node[*node].item[1].text = end;
    return true;
}

static bool check_values(struct form_maker *m, const uint32_t *values, size_t n,
                         struct engine_form_wrong *wrong, struct err *e)
{
    buf_clear(m->where);
    buf_put_u8(m->where, '#');
    for (size_t i = 0; i < n; i++) {
        uint32_t node = form_resolved(m->form, values[i]);
        wrong->alternative = i;
        if (node == FORM_NODES || m->form->node[node].need > FORM_DEPTH)
            return err_set(e, ERR_UNSUPPORTED, "has no value of fewer than %d levels", FORM_DEPTH);
        if (!is_object(m->form, node))
            return err_set(e, ERR_UNSUPPORTED, "must be of type object");
    }
    return true;
}

/* ---- what an answer is as a whole, or after a trigger ---- */

/* Unions while they are made: which node becomes one of which. */
struct joined {
    uint32_t node, any;
};

struct building {
    uint32_t *values; /* of the alternatives' schemas */
    uint32_t *starts; /* the first node of each alternative */
    size_t made;      /* alternatives so far */
    struct joined *joined;
    size_t count;
    struct engine_form_wrong *wrong;
};

static void join(struct building *b, uint32_t node, uint32_t any)
{
    b->joined[b->count++] = (struct joined){node, any};
}

static bool join_all(struct form_maker *m, const struct building *b, struct err *e)
{
    struct form_node *node = m->form->node;
    for (size_t i = 0; i < b->count; i++)
        node[b->joined[i].any].count++;
    for (size_t i = 0; i < b->count; i++) {
        struct form_node *any = &node[b->joined[i].any];
        if (any->item == NULL && !form_list(m, b->joined[i].any, any->count, e))
            return false;
        any->item[any->min++].value = b->joined[i].node; /* of a union nothing else is counted */
    }
    return true;
}

/* An array of what a trigger's further alternatives are. */
static bool list_of(struct form_maker *m, struct building *b, uint32_t any, uint32_t *items,
                    struct err *e)
{
    uint32_t array = m->form->node[any].name;
    if (array == 0) {
        if (!form_new(m, FORM_ARRAY, &array, e) || !form_new(m, FORM_ANY, items, e))
            return false;
        struct form_node *n = &m->form->node[array];
        n->min = 1;
        n->max = m->form->again ? UINT32_MAX : 1;
        n->value = *items;
        m->form->node[any].name = array;
        join(b, array, any);
    }
    *items = m->form->node[array].value;
    return true;
}

/* The union that a call becomes one of: of those that its trigger is followed by, or of their list. */
static bool union_of_call(struct form_maker *m, struct building *b, struct json v, uint32_t *any,
                          struct err *e)
{
    struct span trigger;
    uint32_t *value;
    bool list = false;
    struct json l = json_get(v, "list");
    if (!text_of(m, json_get(v, "trigger"), &trigger, e))
        return false;
    if (trigger.n == 0 || (json_type(l) && !json_bool(l, &list)))
        return err_set(e, ERR_FORMAT, "a call of a form has a trigger, and may be of a list");
    if (!form_trigger_add(m, trigger, &value, e))
        return false;
    if (*value == 0 && !form_new(m, FORM_ANY, value, e))
        return false;
    *any = *value;
    return !list || list_of(m, b, *any, any, e);
}

/* An alternative becomes one of a union, of calls of the one that its trigger is followed by. */
static bool add_alternative(struct form_maker *m, struct building *b, struct json v, bool calls,
                            uint32_t any, struct err *e)
{
    uint32_t node;
    b->wrong->alternative = b->made;
    b->starts[b->made] = m->form->count;
    if (!alternative(m, v, &b->values[b->made], &node, e) ||
        (calls && !union_of_call(m, b, v, &any, e)))
        return false;
    b->made++;
    join(b, node, any);
    return true;
}

/* Alternatives of which the answer has one or more: a node with a union of them, and texts around. */
static bool add_several(struct form_maker *m, struct building *b, struct json v, struct err *e)
{
    static const char *const keys[] = {"begin", "between", "end"};
    struct span text[3];
    uint64_t most = 0;
    uint32_t node, any;
    bool ok = json_u64(json_get(v, "most"), &most) && most > 0 && most <= FORM_SEVERAL_MAX;
    for (size_t i = 0; i < 3; i++)
        if (!text_of(m, json_get(v, keys[i]), &text[i], e))
            return false;
    if (!ok || (text[2].n && (text[1].n == 0 || text[1].p[0] == text[2].p[0])))
        return err_set(e, ERR_FORMAT,
                       "several are at most %d, and what ends them differs from what is between",
                       FORM_SEVERAL_MAX);
    if (!form_new(m, FORM_SEVERAL, &node, e) || !form_new(m, FORM_ANY, &any, e) ||
        !form_list(m, node, 3, e))
        return false;
    m->form->node[node].max = (uint32_t)most;
    m->form->node[node].value = any;
    for (size_t i = 0; i < 3; i++)
        m->form->node[node].item[i].text = text[i];
    join(b, node, m->form->root);
    struct json list = json_get(v, "several");
    for (struct json one = json_first(list); json_type(one); one = json_next(one))
        if (!add_alternative(m, b, one, false, any, e))
            return false;
    return true;
}

static bool add_all(struct form_maker *m, struct building *b, struct json alternatives, bool calls,
                    struct err *e)
{
    for (struct json v = json_first(alternatives); json_type(v); v = json_next(v)) {
        bool several = !calls && json_type(json_get(v, "several"));
        if (several ? !add_several(m, b, v, e) : !add_alternative(m, b, v, calls, m->form->root, e))
            return false;
    }
    return true;
}

/* How many alternatives there are, and of those that are several each counts; 0: none where one must be. */
static size_t count_of(struct json alternatives, bool calls)
{
    size_t n = 0;
    for (struct json v = json_first(alternatives); json_type(v); v = json_next(v)) {
        struct json several = json_get(v, "several");
        bool listed = !calls && json_type(several);
        if (listed && (json_type(several) != JSON_ARRAY || json_count(several) == 0))
            return 0;
        n += listed ? json_count(several) : 1;
    }
    return json_type(alternatives) == JSON_ARRAY ? n : 0;
}

static bool build(struct form_maker *m, struct json alternatives, bool calls,
                  struct engine_form_wrong *wrong, struct err *e)
{
    size_t n = count_of(alternatives, calls);
    struct building b = {.wrong = wrong};
    uint32_t first;
    if (n == 0 || n > FORM_LIST)
        return err_set(e, ERR_FORMAT, "a form is an array of 1 to %d alternatives", FORM_LIST);
    b.values = arena_array(m->a, n, sizeof *b.values);
    b.starts = arena_array(m->a, n, sizeof *b.starts);
    b.joined = arena_array(m->a, 2 * n, sizeof *b.joined);
    if (b.values == NULL || b.starts == NULL || b.joined == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    if (!form_new(m, FORM_TEXTUAL, &first, e) || !form_new(m, FORM_ANY, &m->form->root, e) ||
        !add_all(m, &b, alternatives, calls, e))
        return false;
    if (m->triggers != NULL)
        form_triggers_link(m->triggers);
    m->form->triggers = m->triggers;
    if (!join_all(m, &b, e))
        return false;
    if (form_settle(m, e))
        return check_values(m, b.values, n, wrong, e);
    for (size_t i = 0; i < n && b.starts[i] <= m->fault; i++)
        wrong->alternative = i;
    return false;
}

/* Alternatives, or calls within free text. */
static bool build_any(struct form_maker *m, struct json form, struct engine_form_wrong *wrong,
                      struct err *e)
{
    struct json again = json_get(form, "again");
    bool calls = json_type(form) == JSON_OBJECT;
    if (json_type(again) && !json_bool(again, &m->form->again))
        return err_set(e, ERR_FORMAT, "whether a form's calls come again is a boolean");
    return build(m, calls ? json_get(form, "calls") : form, calls, wrong, e);
}

bool engine_form_read(const struct engine_form **out, struct json form, struct arena *a,
                      struct engine_form_wrong *wrong, struct err *e)
{
    struct buf where;
    struct engine_form *f = arena_alloc(a, sizeof *f);
    struct form_maker m = {.form = f, .a = a, .where = &where};
    *out = f;
    *wrong = (struct engine_form_wrong){0};
    if (f == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    buf_init(&where, sizeof wrong->where - 1);
    f->text = arena_span(a, json_text(form));
    bool ok = (f->text.p != NULL && map_init(&m.strings, a, 0)) ||
              err_set(e, ERR_MEMORY, "no memory for a form");
    ok = ok && build_any(&m, form, wrong, e);
    if (where.n)
        memcpy(wrong->where, where.p, where.n);
    buf_free(&where);
    return ok;
}

struct span engine_form_text(const struct engine_form *f)
{
    return f->text;
}
