/*
 * What may be done with what. A name on the list is only right in the use that
 * it is listed for: a storage type is no function, a rebuild function takes
 * the arguments that torch writes, and state goes into an instance, never into
 * a class (which would change every instance of it in the loading program).
 */
#include "model/pickle.h"

#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

enum { NAME_SHOWN = 360 };

static pv unknown(const struct pickle *p)
{
    return pv_make(PV_UNKNOWN, 0, p->op_at);
}

static const struct pickle_allowed *allowed_of(const struct pickle *p, pv v)
{
    bool named = pv_kind(v) == PV_GLOBAL || pv_kind(v) == PV_INST;
    return named && pv_class(v) < p->global_count ? p->globals[pv_class(v)].allowed : NULL;
}

static enum pickle_use use_of(const struct pickle *p, pv v)
{
    const struct pickle_allowed *a = allowed_of(p, v);
    return a ? a->use : USE_NONE;
}

static const char *shown(const struct pickle *p, pv v, char out[NAME_SHOWN])
{
    static const char *const kinds[] = {[PV_UNKNOWN] = "something that is not known",
                                        [PV_NONE] = "None",
                                        [PV_BOOL] = "a boolean",
                                        [PV_INT] = "an integer",
                                        [PV_LONG] = "an integer",
                                        [PV_FLOAT] = "a number",
                                        [PV_STR] = "a string",
                                        [PV_BYTES] = "bytes",
                                        [PV_TUPLE] = "a tuple",
                                        [PV_LIST] = "a list",
                                        [PV_DICT] = "a dictionary",
                                        [PV_SET] = "a set",
                                        [PV_INST] = "an instance",
                                        [PV_GLOBAL] = "a name",
                                        [PV_STORAGE] = "a storage",
                                        [PV_TENSOR] = "a tensor",
                                        [PV_DTYPE] = "an element type"};
    if (pv_kind(v) == PV_GLOBAL || pv_kind(v) == PV_INST)
        return pickle_global_shown(p, pv_class(v), out, NAME_SHOWN);
    return kinds[pv_kind(v)];
}

/* ---- arguments ---- */

static bool is_instance_of(const struct pickle *p, pv v, enum pickle_result r)
{
    const struct pickle_allowed *a = pv_kind(v) == PV_INST ? allowed_of(p, v) : NULL;
    return a && a->result == r;
}

/* 'a' takes all but what could be called or is not known. */
static bool fits(const struct pickle *p, char type, pv v)
{
    enum pv_kind k = pv_kind(v);
    switch (type) {
    case 'i':
        return k == PV_INT || k == PV_LONG || k == PV_BOOL;
    case 'f':
    case 'b':
        return k == PV_INT || k == PV_LONG || k == PV_BOOL || k == PV_FLOAT;
    case 's':
        return k == PV_STR;
    case 'B':
        return k == PV_BYTES || k == PV_STR || is_instance_of(p, v, RESULT_BYTES);
    case 't':
        return k == PV_TUPLE || (k == PV_INST && use_of(p, v) != USE_NONE);
    case 'd':
        return k == PV_DICT;
    case 'l':
        return k == PV_LIST;
    case 'n':
        return k == PV_NONE;
    case 'g':
        return (k == PV_GLOBAL && use_of(p, v) != USE_NONE) || k == PV_NONE;
    case 'c':
        return k == PV_GLOBAL && (use_of(p, v) == USE_CLASS || use_of(p, v) == USE_CALL);
    case 'S':
        return k == PV_STORAGE || is_instance_of(p, v, RESULT_LOADED);
    case 'X':
        return k == PV_TENSOR || (k == PV_INST && use_of(p, v) != USE_NONE);
    case 'N':
        return k == PV_DTYPE || is_instance_of(p, v, RESULT_DTYPE);
    default:
        return k != PV_UNKNOWN && (k != PV_GLOBAL || use_of(p, v) != USE_NONE);
    }
}

/* -1 when the arguments are what `types` says, else the first that is not. */
static int mismatch(const struct pickle *p, const char *types, pv arguments)
{
    size_t n, i = 0;
    bool optional = false;
    char repeat = 0;
    if (!pickle_items(p, arguments, &n))
        return 0;
    for (; i < n; i++) {
        if (*types == '?') {
            optional = true;
            types++;
        }
        if (*types == '*') {
            repeat = types[1];
            types = "";
        }
        char type = *types ? *types++ : repeat;
        pv v;
        pickle_item(p, arguments, i, &v);
        if (!type || !fits(p, type, v))
            return (int)i;
    }
    return optional || !*types || *types == '?' || *types == '*' ? -1 : (int)n;
}

/* ---- calls ---- */

/* The first text among the arguments, as evidence. */
static const char *evidence(struct pickle *p, pv arguments, char *out, size_t size)
{
    uint8_t text[96];
    char safe[200];
    size_t n, length;
    out[0] = 0;
    for (size_t i = 0; pickle_items(p, arguments, &n) && i < n && i < 4; i++) {
        pv v;
        pickle_item(p, arguments, i, &v);
        if (!pickle_text(p, v, text, sizeof text, &length))
            continue;
        snprintf(out, size, " with \"%s\"",
                 text_shown(safe, sizeof safe, (struct span){text, length}));
        break;
    }
    return out;
}

static void note_call(struct pickle *p, pv callable, pv arguments)
{
    char name[NAME_SHOWN], with[240];
    struct pickle_global *g =
        pv_kind(callable) == PV_GLOBAL ? &p->globals[pv_class(callable)] : NULL;
    if ((g && g->told_call))
        return;
    if (!g) {
        pickle_note(p, RULE_PICKLE_CALL, "%s is called%s", shown(p, callable, name),
                    evidence(p, arguments, with, sizeof with));
        return;
    }
    g->told_call = true;
    if (g->danger)
        pickle_note(p, RULE_PICKLE_DANGEROUS, "%s is called%s", shown(p, callable, name),
                    evidence(p, arguments, with, sizeof with));
    else
        pickle_note(p, RULE_PICKLE_CALL, "%s is called%s", shown(p, callable, name),
                    evidence(p, arguments, with, sizeof with));
}

/* A listed name in another use than it is listed for. */
static pv wrong_use(struct pickle *p, pv v, const char *how)
{
    char name[NAME_SHOWN];
    struct pickle_global *g = &p->globals[pv_class(v)];
    if (!g->told_use)
        pickle_note(p, RULE_PICKLE_USE, "%s %s", shown(p, v, name), how);
    g->told_use = true;
    return unknown(p);
}

/* _codecs.encode(text, "latin1") is how Python 2 writes bytes; other encodings hide things. */
static bool plain_encoding(struct pickle *p, pv arguments)
{
    uint8_t name[16];
    size_t n;
    pv v;
    pickle_item(p, arguments, 1, &v);
    if (!pickle_text(p, v, name, sizeof name, &n))
        return false;
    struct span s = {name, n};
    return span_is(s, "latin1") || span_is(s, "latin-1") || span_is(s, "iso-8859-1") ||
           span_is(s, "utf-8") || span_is(s, "utf8") || span_is(s, "ascii");
}

static pv of_class(struct pickle *p, pv arguments)
{
    pv class, last;
    size_t n;
    pickle_item(p, arguments, 0, &class);
    enum pickle_result r = p->globals[pv_class(class)].allowed->result;
    enum pv_kind kind = r == RESULT_DICT ? PV_DICT : r == RESULT_LIST ? PV_LIST : PV_INST;
    pv made = pv_make(kind, pv_class(class), p->op_at);
    if (pickle_items(p, arguments, &n) && n > 1 && pickle_item(p, arguments, n - 1, &last) &&
        pickle_bears(p, last))
        pickle_attach(p, made, pv_make(PV_NONE, 0, 0), last);
    return made;
}

/* Once for each function: how many never counts. */
static void note_parts(struct pickle *p, pv callable, enum rule_id rule, const char *what)
{
    char name[NAME_SHOWN];
    struct pickle_global *g = &p->globals[pv_class(callable)];
    if (!g->told_unlisted)
        pickle_note(p, rule, "%s builds %s", shown(p, callable, name), what);
    g->told_unlisted = true;
}

/* A tensor that others make up: they get its name, and their number or their place in a tuple. */
static pv of_parts(struct pickle *p, pv callable, pv arguments)
{
    size_t n;
    pv part, made = pv_make(PV_INST, pv_class(callable), p->op_at);
    for (size_t i = 0; pickle_items(p, arguments, &n) && i < n; i++) {
        if (!pickle_item(p, arguments, i, &part) || !pickle_bears(p, part))
            continue;
        bool tuple = pv_kind(part) == PV_TUPLE;
        pickle_attach(p, made, pv_make(tuple ? PV_NONE : PV_INT, 0, tuple ? 0 : i), part);
    }
    note_parts(p, callable, RULE_TORCH_PARTS,
               "a tensor of parts: they are listed, and what joins them is not");
    return made;
}

/* The integers, and what scales them where that is a tensor for each channel. */
static pv quantised(struct pickle *p, pv callable, pv arguments)
{
    pv scheme, first, made = pv_make(PV_INST, pv_class(callable), p->op_at);
    pv integers = pickle_rebuild(p, p->globals[pv_class(callable)].name, arguments);
    bool known = pickle_item(p, arguments, 4, &scheme) && pickle_item(p, scheme, 1, &first);
    pickle_attach(p, made, pv_make(PV_NONE, 0, 0), integers);
    if (known && pickle_bears(p, scheme))
        pickle_attach(p, made, pv_make(PV_NONE, 0, 0), scheme);
    else
        content_unlisted(&p->c); /* two models may differ in the scale alone */
    note_parts(p, callable, RULE_TORCH_PARTS,
               "quantised tensors: their integers are listed, scales only where they are tensors");
    return made;
}

/* A tensor whose bytes stand elsewhere in the pickle. */
static pv unlisted(struct pickle *p, pv callable, enum rule_id rule)
{
    note_parts(p, callable, rule, "tensors of a form that is not listed");
    content_unlisted(&p->c);
    return pv_make(PV_INST, pv_class(callable), p->op_at);
}

static pv result_of(struct pickle *p, pv callable, pv arguments)
{
    const struct pickle_global *g = &p->globals[pv_class(callable)];
    pv first, third;
    pv made = pv_make(PV_INST, pv_class(callable), p->op_at);
    pickle_item(p, arguments, 0, &first);
    switch (g->allowed->result) {
    case RESULT_BYTES:
        return pv_make(PV_INST, pv_class(callable), p->op_at);
    case RESULT_DICT:
        made = pv_make(PV_DICT, pv_class(callable), p->op_at);
        break;
    case RESULT_LIST:
        made = pv_make(PV_LIST, pv_class(callable), p->op_at);
        break;
    case RESULT_SET:
        return pv_make(PV_SET, pv_class(callable), p->op_at);
    case RESULT_TENSOR:
        return pv_kind(first) == PV_INST ? unlisted(p, callable, RULE_TENSOR_UNLISTED)
                                         : pickle_rebuild(p, g->name, arguments);
    case RESULT_QUANTISED:
        return pv_kind(first) == PV_INST ? unlisted(p, callable, RULE_TENSOR_UNLISTED)
                                         : quantised(p, callable, arguments);
    case RESULT_PARTS:
        return of_parts(p, callable, arguments);
    case RESULT_UNLISTED:
        made = unlisted(p, callable, RULE_TORCH_UNLISTED);
        break;
    case RESULT_FIRST:
        return pv_kind(first) == PV_TENSOR || pv_kind(first) == PV_INST ? first : made;
    case RESULT_OF_CLASS:
        return of_class(p, arguments);
    case RESULT_DTYPE:
        return pv_make(PV_DTYPE, 0, pv_kind(first) == PV_STR ? pv_at(first) : p->op_at);
    case RESULT_APPLY:
        /* Not one within another: that is never written, and would be followed without end. */
        if (!pickle_item(p, arguments, 2, &third) || !allowed_of(p, first) ||
            allowed_of(p, first)->result == RESULT_APPLY)
            return wrong_use(p, callable, "rebuilds with itself");
        return pickle_call(p, first, third);
    case RESULT_LOADED:
    case RESULT_INSTANCE:
        break;
    }
    if (pickle_bears(p, first))
        pickle_attach(p, made, pv_make(PV_NONE, 0, 0), first);
    return made;
}

pv pickle_call(struct pickle *p, pv callable, pv arguments)
{
    char how[96];
    enum pickle_use use = use_of(p, callable);
    if (pv_kind(callable) != PV_GLOBAL || use == USE_NONE) {
        note_call(p, callable, arguments);
        return unknown(p);
    }
    if (use == USE_STORAGE || use == USE_VALUE)
        return wrong_use(p, callable, "is called, and it is only a name for a type of elements");
    size_t n;
    if (use == USE_CLASS)
        return pickle_items(p, arguments, &n) && n == 0
                   ? pv_make(PV_INST, pv_class(callable), p->op_at)
                   : wrong_use(p, callable, "is called with arguments");
    const struct pickle_global *g = &p->globals[pv_class(callable)];
    int at = mismatch(p, g->allowed->arguments, arguments);
    if (at >= 0) {
        snprintf(how, sizeof how, "is called with other arguments than it takes, from number %d on",
                 at + 1);
        return wrong_use(p, callable, how);
    }
    if (span_is(g->module, "_codecs") && !plain_encoding(p, arguments))
        return wrong_use(p, callable, "is called with an encoding that hides what it encodes");
    if (g->allowed->result == RESULT_LOADED && !p->checkpoint)
        return wrong_use(p, callable, "loads what is no checkpoint of torch");
    return result_of(p, callable, arguments);
}

pv pickle_instance(struct pickle *p, pv class, pv arguments)
{
    enum pickle_use use = use_of(p, class);
    if (pv_kind(class) != PV_GLOBAL || use == USE_NONE) {
        note_call(p, class, arguments);
        return unknown(p);
    }
    if (use == USE_CALL)
        return pickle_call(p, class, arguments);
    if (use != USE_CLASS)
        return wrong_use(p, class, "is instantiated, and it is only a name for a type of elements");
    return pv_make(PV_INST, pv_class(class), p->op_at);
}

pv pickle_persistent(struct pickle *p, pv id)
{
    uint8_t text[PICKLE_NAME];
    size_t n, length;
    pv kind, type, key, elements;
    if (p->persistent)
        return p->persistent(p, p->persistent_arg, id);
    bool tuple = pickle_items(p, id, &n) && n >= 2 && pickle_item(p, id, 0, &kind) &&
                 pickle_text(p, kind, text, sizeof text, &length);
    struct span what = {text, tuple ? length : 0};
    if (tuple && n == 4 && span_is(what, "module")) { /* torch before 1.6: a module's source */
        pickle_item(p, id, 1, &type);
        return type;
    }
    bool storage = tuple && n >= 5 && span_is(what, "storage") && pickle_item(p, id, 1, &type) &&
                   pickle_item(p, id, 2, &key) && pickle_item(p, id, 4, &elements) &&
                   use_of(p, type) == USE_STORAGE && pv_kind(type) == PV_GLOBAL &&
                   pickle_text(p, key, text, sizeof text, &length) && pv_kind(elements) == PV_INT;
    if (!storage) {
        pickle_note(p, RULE_PICKLE_PERSISTENT,
                    "a persistent id that is not torch's (\"storage\", type, key, place, size)");
        return unknown(p);
    }
    if (p->storage_count == PICKLE_TENSORS)
        return unknown(p);
    struct pickle_storage *all =
        arena_grow(p->a, p->storages, p->storage_count, &p->storage_cap, sizeof *all);
    if (!all)
        return unknown(p);
    p->storages = all;
    all[p->storage_count] =
        (struct pickle_storage){.key = arena_span(p->a, (struct span){text, length}),
                                .dtype = pickle_storage_dtype(p->globals[pv_class(type)].name),
                                .elements = pv_at(elements)};
    return pv_make(PV_STORAGE, 0, p->storage_count++);
}

/* ---- state and items ---- */

/* What a value must not be to be changed; true when it was said. */
static bool forbidden(struct pickle *p, pv target, const char *what)
{
    char name[NAME_SHOWN];
    enum pv_kind k = pv_kind(target);
    if (k == PV_UNKNOWN)
        return true;
    if (k == PV_GLOBAL) {
        pickle_note(p, RULE_PICKLE_BUILD,
                    "%s into %s itself, which changes it for the whole program", what,
                    shown(p, target, name));
        return true;
    }
    bool holds = k == PV_LIST || k == PV_DICT || k == PV_SET || k == PV_INST || k == PV_TENSOR ||
                 k == PV_DTYPE;
    if (!holds)
        pickle_note(p, RULE_PICKLE_USE, "%s into %s", what, shown(p, target, name));
    return !holds;
}

/* What networkx keeps with a graph is named as if it were Python's. */
static bool dunder_key(struct pickle *p, pv key)
{
    uint8_t text[128];
    size_t n;
    if (pv_kind(key) != PV_STR || !pickle_text(p, key, text, sizeof text, &n))
        return false;
    struct span s = {text, n};
    return n > 4 && span_starts(s, "__") && span_ends(s, "__") && !span_is(s, "__networkx_cache__");
}

static void check_keys(struct pickle *p, pv target, pv state)
{
    char name[NAME_SHOWN];
    if (!state || p->items_of != state)
        return;
    for (size_t i = 0; i < p->item_count; i++)
        if (dunder_key(p, p->item[i][0])) {
            pickle_note(p, RULE_PICKLE_BUILD,
                        "state of %s sets an attribute of Python's inner workings",
                        shown(p, target, name));
            return;
        }
}

void pickle_build(struct pickle *p, pv target, pv state)
{
    if (forbidden(p, target, "state is put"))
        return;
    check_keys(p, target, state);
    if (pickle_bears(p, state))
        pickle_attach(p, target, pv_make(PV_NONE, 0, 0), state);
    if (pv_kind(target) == PV_INST && pv_kind(state) == PV_DICT)
        pickle_array_gap(p, target, state);
    p->items_of = 0; /* looked at once */
}

void pickle_set(struct pickle *p, pv target, pv key, pv value)
{
    if (pv_kind(target) != PV_DICT && forbidden(p, target, "items are put"))
        return;
    if (p->items_of != target) {
        p->items_of = target;
        p->item_count = 0;
    }
    if (p->item_count < PICKLE_ITEMS) {
        p->item[p->item_count][0] = key;
        p->item[p->item_count++][1] = value;
    }
    if (pickle_bears(p, value))
        pickle_attach(p, target, key, value);
}

void pickle_append(struct pickle *p, pv target, pv value)
{
    enum pv_kind k = pv_kind(target);
    if (k != PV_LIST && k != PV_SET && forbidden(p, target, "items are put"))
        return;
    if (pickle_bears(p, value))
        pickle_attach(p, target, pv_make(PV_INT, 0, PV_AT_MAX), value);
}
