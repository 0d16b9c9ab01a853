/*
 * Every opcode of protocols 0 to 5 as CPython's _pickle.c runs it, on abstract
 * values. Arguments are taken as the most lenient reader takes them; where
 * readers differ in what they accept there is a finding.
 */
#include "model/pickle.h"

#include <string.h>

#include "assay/base/text.h"

/* ---- values without content ---- */

static bool push_kind(struct pickle *p, enum pv_kind kind)
{
    return pickle_push(p, pv_make(kind, 0, p->op_at));
}

static bool op_none(struct pickle *p)
{
    return pickle_push(p, pv_make(PV_NONE, 0, 0));
}

static bool op_bool(struct pickle *p)
{
    return pickle_push(p, pv_make(PV_BOOL, 0, 0));
}

static bool op_list(struct pickle *p)
{
    return push_kind(p, PV_LIST);
}

static bool op_dict(struct pickle *p)
{
    return push_kind(p, PV_DICT);
}

static bool op_set(struct pickle *p)
{
    return push_kind(p, PV_SET);
}

static bool op_empty_tuple(struct pickle *p)
{
    return pickle_push(p, pickle_tuple(p, NULL, 0));
}

/* ---- numbers ---- */

static bool push_integer(struct pickle *p, bool negative, uint64_t v)
{
    bool fits = !negative && v <= PV_AT_MAX;
    return pickle_push(p, pv_make(fits ? PV_INT : PV_LONG, 0, fits ? v : p->op_at));
}

static bool op_binint(struct pickle *p)
{
    struct span s = window_take(&p->w, 4);
    if (!s.n)
        return false;
    uint32_t v = load_u32le(s.p);
    return push_integer(p, v >> 31, v);
}

static bool op_binint1(struct pickle *p)
{
    return push_integer(p, false, window_u8(&p->w));
}

static bool op_binint2(struct pickle *p)
{
    struct span s = window_take(&p->w, 2);
    return s.n && push_integer(p, false, load_u16le(s.p));
}

static bool op_binfloat(struct pickle *p)
{
    window_skip(&p->w, 8);
    return pickle_push(p, pv_make(PV_FLOAT, 0, 0));
}

/* Python's int() and C's strtol(.., 0) differ in what they take; both take this. */
static bool decimal(struct span s, bool *negative, uint64_t *v)
{
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
    *negative = s.n && s.p[0] == '-';
    *v = 0;
    if (i == s.n)
        return false;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (*v <= PV_AT_MAX)
            *v = *v * 10 + (uint64_t)(s.p[i] - '0');
    }
    return true;
}

static bool number_line(struct pickle *p, struct span s)
{
    bool negative;
    uint64_t v;
    char shown[64];
    if (!decimal(s, &negative, &v)) {
        pickle_note(p, RULE_PICKLE_AMBIGUOUS, "\"%s\" is a number for some readers only",
                    text_shown(shown, sizeof shown, s));
        return push_kind(p, PV_LONG);
    }
    return push_integer(p, negative, v);
}

/* I: "00" and "01" are booleans. */
static bool op_int(struct pickle *p)
{
    struct span s = window_line(&p->w);
    if (!window_ok(&p->w))
        return false;
    if (span_is(s, "00") || span_is(s, "01"))
        return op_bool(p);
    return number_line(p, s);
}

static bool op_long(struct pickle *p)
{
    struct span s = window_line(&p->w);
    if (!window_ok(&p->w))
        return false;
    if (s.n && s.p[s.n - 1] == 'L')
        s.n--;
    return number_line(p, s);
}

static bool op_float(struct pickle *p)
{
    struct span s = window_line(&p->w);
    char shown[64];
    if (!window_ok(&p->w))
        return false;
    bool plain = s.n > 0;
    for (size_t i = 0; i < s.n; i++)
        plain = plain && s.p[i] && strchr("0123456789+-.eEinfatyINFATY", s.p[i]);
    if (!plain)
        pickle_note(p, RULE_PICKLE_AMBIGUOUS, "\"%s\" is a number for some readers only",
                    text_shown(shown, sizeof shown, s));
    return pickle_push(p, pv_make(PV_FLOAT, 0, 0));
}

/* Little-endian two's complement. */
static bool long_bytes(struct pickle *p, uint64_t n)
{
    if (n > 6) {
        window_skip(&p->w, n);
        return push_kind(p, PV_LONG);
    }
    struct span s = window_take(&p->w, (size_t)n);
    uint64_t v = 0;
    for (size_t i = s.n; i-- > 0;)
        v = v << 8 | s.p[i];
    return window_ok(&p->w) && push_integer(p, s.n && s.p[s.n - 1] >> 7, v);
}

static bool op_long1(struct pickle *p)
{
    return long_bytes(p, window_u8(&p->w));
}

static bool op_long4(struct pickle *p)
{
    struct span s = window_take(&p->w, 4);
    if (!s.n)
        return false;
    if (load_u32le(s.p) > INT32_MAX)
        return pickle_fail(p, "an integer has a negative length");
    return long_bytes(p, load_u32le(s.p));
}

/* ---- texts and bytes ---- */

static bool text_line(struct pickle *p, enum pv_kind kind)
{
    uint64_t at = window_at(&p->w);
    struct span s = window_line(&p->w);
    uint64_t n = s.n;
    if (!window_ok(&p->w))
        return false;
    return push_kind(p, kind) && pickle_nested(p, at, n, true);
}

/* S: within quotes that match, or CPython raises. */
static bool op_string(struct pickle *p)
{
    uint64_t at = window_at(&p->w);
    struct span s = window_line(&p->w);
    if (!window_ok(&p->w))
        return false;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\t'))
        s.n--;
    if (s.n < 2 || s.p[0] != s.p[s.n - 1] || (s.p[0] != '\'' && s.p[0] != '"'))
        return pickle_fail(p, "a string without its quotes");
    uint64_t n = s.n - 2;
    return push_kind(p, PV_STR) && pickle_nested(p, at + 1, n, true);
}

static bool op_unicode(struct pickle *p)
{
    return text_line(p, PV_STR);
}

static bool body(struct pickle *p, enum pv_kind kind, uint64_t n)
{
    uint64_t at = window_at(&p->w);
    if (n > window_left(&p->w))
        return pickle_fail(p, "a string is longer than the bytes left");
    return push_kind(p, kind) && pickle_nested(p, at, n, kind == PV_STR) &&
           (window_seek(&p->w, at + n), window_ok(&p->w));
}

static bool short_body(struct pickle *p, enum pv_kind kind)
{
    uint8_t n = window_u8(&p->w);
    return window_ok(&p->w) && body(p, kind, n);
}

static bool long_body(struct pickle *p, enum pv_kind kind)
{
    struct span s = window_take(&p->w, 4);
    return s.n && body(p, kind, load_u32le(s.p));
}

static bool huge_body(struct pickle *p, enum pv_kind kind)
{
    struct span s = window_take(&p->w, 8);
    return s.n && body(p, kind, load_u64le(s.p));
}

static bool op_short_binunicode(struct pickle *p)
{
    return short_body(p, PV_STR);
}

static bool op_binunicode(struct pickle *p)
{
    return long_body(p, PV_STR);
}

static bool op_binunicode8(struct pickle *p)
{
    return huge_body(p, PV_STR);
}

static bool op_short_binbytes(struct pickle *p)
{
    return short_body(p, PV_BYTES);
}

static bool op_binbytes(struct pickle *p)
{
    return long_body(p, PV_BYTES);
}

static bool op_binbytes8(struct pickle *p)
{
    return huge_body(p, PV_BYTES);
}

/* Python 2's str: text or bytes by the reader's `encoding`. */
static bool op_short_binstring(struct pickle *p)
{
    return short_body(p, PV_STR);
}

static bool op_binstring(struct pickle *p)
{
    struct span s = window_take(&p->w, 4);
    if (!s.n)
        return false;
    if (load_u32le(s.p) > INT32_MAX)
        return pickle_fail(p, "a string has a negative length");
    return body(p, PV_STR, load_u32le(s.p));
}

static bool op_next_buffer(struct pickle *p)
{
    pickle_note(p, RULE_PICKLE_PERSISTENT, "NEXT_BUFFER takes bytes from outside of the file");
    return pickle_push(p, pv_make(PV_UNKNOWN, 0, 0));
}

static bool op_readonly_buffer(struct pickle *p)
{
    pv v;
    return pickle_top(p, &v);
}

/* ---- stack and memo ---- */

static bool op_mark(struct pickle *p)
{
    return pickle_mark(p);
}

/* A mark on top is popped as a value would be. */
static bool op_pop(struct pickle *p)
{
    pv v;
    if (p->mark_count && p->marks[p->mark_count - 1] == p->depth) {
        p->mark_count--;
        return true;
    }
    return pickle_pop(p, &v);
}

static bool op_pop_mark(struct pickle *p)
{
    size_t from, n;
    return pickle_pop_mark(p, &from, &n);
}

static bool op_dup(struct pickle *p)
{
    pv v;
    return pickle_top(p, &v) && pickle_push(p, v);
}

static bool get(struct pickle *p, uint64_t key)
{
    pv v;
    if (!pickle_memo_get(p, key, &v) && !p->fragment) {
        pickle_note(p, RULE_PICKLE_MEMO, "the memo has no key %llu", (unsigned long long)key);
        return pickle_fail(p, "the memo has no such key");
    }
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
    if (decimal(s, &negative, key) && !negative)
        return true;
    pickle_note(p, RULE_PICKLE_AMBIGUOUS, "the memo's key \"%s\" is no number",
                text_shown(shown, sizeof shown, s));
    return pickle_fail(p, "the memo's key is no number");
}

static bool op_get(struct pickle *p)
{
    uint64_t key;
    return memo_line(p, &key) && get(p, key);
}

static bool op_put(struct pickle *p)
{
    uint64_t key;
    return memo_line(p, &key) && put(p, key);
}

static bool op_binget(struct pickle *p)
{
    uint8_t key = window_u8(&p->w);
    return window_ok(&p->w) && get(p, key);
}

static bool op_long_binget(struct pickle *p)
{
    struct span s = window_take(&p->w, 4);
    return s.n && get(p, load_u32le(s.p));
}

static bool op_binput(struct pickle *p)
{
    uint8_t key = window_u8(&p->w);
    return window_ok(&p->w) && put(p, key);
}

static bool op_long_binput(struct pickle *p)
{
    struct span s = window_take(&p->w, 4);
    return s.n && put(p, load_u32le(s.p));
}

static bool op_memoize(struct pickle *p)
{
    return put(p, p->memo_used);
}

/* ---- containers ---- */

static bool make_tuple(struct pickle *p, size_t n)
{
    pv items[3];
    for (size_t i = n; i-- > 0;)
        if (!pickle_pop(p, &items[i]))
            return false;
    pv t = pickle_tuple(p, items, n);
    for (size_t i = 0; i < n; i++)
        if (pickle_bears(p, items[i]))
            pickle_attach(p, t, pv_make(PV_INT, 0, i), items[i]);
    return pickle_push(p, t);
}

static bool op_tuple1(struct pickle *p)
{
    return make_tuple(p, 1);
}

static bool op_tuple2(struct pickle *p)
{
    return make_tuple(p, 2);
}

static bool op_tuple3(struct pickle *p)
{
    return make_tuple(p, 3);
}

static void append_all(struct pickle *p, pv target, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pickle_append(p, target, p->stack[from + i]);
}

static void set_all(struct pickle *p, pv target, size_t from, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        pickle_set(p, target, p->stack[from + i], p->stack[from + i + 1]);
}

static bool op_tuple(struct pickle *p)
{
    size_t from, n;
    if (!pickle_pop_mark(p, &from, &n))
        return false;
    pv t = n ? pickle_tuple(p, p->stack + from, n) : pickle_tuple(p, NULL, 0);
    for (size_t i = 0; i < n; i++)
        if (pickle_bears(p, p->stack[from + i]))
            pickle_attach(p, t, pv_make(PV_INT, 0, i), p->stack[from + i]);
    return pickle_push(p, t);
}

static bool op_list_of(struct pickle *p)
{
    size_t from, n;
    pv list = pv_make(PV_LIST, 0, p->op_at);
    if (!pickle_pop_mark(p, &from, &n))
        return false;
    append_all(p, list, from, n);
    return pickle_push(p, list);
}

static bool op_dict_of(struct pickle *p)
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

static bool op_frozenset(struct pickle *p)
{
    size_t from, n;
    return pickle_pop_mark(p, &from, &n) && push_kind(p, PV_SET);
}

static bool op_append(struct pickle *p)
{
    pv value, target;
    if (!pickle_pop(p, &value) || !pickle_top(p, &target))
        return false;
    pickle_append(p, target, value);
    return true;
}

static bool op_appends(struct pickle *p)
{
    size_t from, n;
    pv target;
    if (!pickle_pop_mark(p, &from, &n) || !pickle_top(p, &target))
        return false;
    append_all(p, target, from, n);
    return true;
}

static bool op_setitem(struct pickle *p)
{
    pv key, value, target;
    if (!pickle_pop(p, &value) || !pickle_pop(p, &key) || !pickle_top(p, &target))
        return false;
    pickle_set(p, target, key, value);
    return true;
}

static bool op_setitems(struct pickle *p)
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

/* ---- names and calls ---- */

static bool import_lines(struct pickle *p, pv *out)
{
    uint8_t module[PICKLE_NAME];
    struct span s = window_line(&p->w);
    if (!window_ok(&p->w))
        return false;
    if (s.n > sizeof module)
        return pickle_over(p, "a module's name is longer than is read");
    memcpy(module, s.p, s.n);
    size_t n = s.n;
    s = window_line(&p->w);
    return window_ok(&p->w) && pickle_import(p, (struct span){module, n}, s, out);
}

static bool op_global(struct pickle *p)
{
    pv g;
    return import_lines(p, &g) && pickle_push(p, g);
}

static bool op_stack_global(struct pickle *p)
{
    uint8_t module[PICKLE_NAME], name[PICKLE_NAME];
    size_t m, n;
    pv a, b, g;
    if (!pickle_pop(p, &b) || !pickle_pop(p, &a))
        return false;
    if (pv_kind(a) != PV_STR || pv_kind(b) != PV_STR ||
        !pickle_text(p, a, module, sizeof module, &m) ||
        !pickle_text(p, b, name, sizeof name, &n)) {
        pickle_note(p, RULE_PICKLE_COMPUTED,
                    "STACK_GLOBAL takes a name that does not stand in the file as a string");
        return pickle_push(p, pv_make(PV_UNKNOWN, 0, 0));
    }
    return pickle_import(p, (struct span){module, m}, (struct span){name, n}, &g) &&
           pickle_push(p, g);
}

static bool op_reduce(struct pickle *p)
{
    pv callable, arguments;
    if (!pickle_pop(p, &arguments) || !pickle_pop(p, &callable))
        return false;
    return pickle_push(p, pickle_call(p, callable, arguments));
}

static bool op_newobj(struct pickle *p)
{
    pv class, arguments;
    if (!pickle_pop(p, &arguments) || !pickle_pop(p, &class))
        return false;
    return pickle_push(p, pickle_instance(p, class, arguments));
}

static bool op_newobj_ex(struct pickle *p)
{
    pv class, arguments, named;
    if (!pickle_pop(p, &named) || !pickle_pop(p, &arguments) || !pickle_pop(p, &class))
        return false;
    return pickle_push(p, pickle_instance(p, class, arguments));
}

static bool op_build(struct pickle *p)
{
    pv state, target;
    if (!pickle_pop(p, &state) || !pickle_top(p, &target))
        return false;
    pickle_build(p, target, state);
    return p->end == PICKLE_STOPPED;
}

/* INST and OBJ call a class with what stands above the mark. */
static bool op_inst(struct pickle *p)
{
    size_t from, n;
    pv class;
    if (!import_lines(p, &class) || !pickle_pop_mark(p, &from, &n))
        return false;
    pickle_note(p, RULE_PICKLE_OLD_CALL,
                "INST calls a class by name, as no pickler has done since "
                "Python 2");
    pv arguments = pickle_tuple(p, n ? p->stack + from : NULL, n);
    pickle_call(p, class, arguments);
    return pickle_push(p, pv_make(PV_UNKNOWN, 0, 0));
}

static bool op_obj(struct pickle *p)
{
    size_t from, n;
    if (!pickle_pop_mark(p, &from, &n))
        return false;
    if (n < 1 && !p->fragment)
        return pickle_fail(p, "OBJ without a class");
    pickle_note(p, RULE_PICKLE_OLD_CALL,
                "OBJ calls a class from the stack, as no pickler has done "
                "since Python 2");
    pv class = n ? p->stack[from] : pv_make(PV_UNKNOWN, 0, 0);
    pv arguments = pickle_tuple(p, n > 1 ? p->stack + from + 1 : NULL, n > 1 ? n - 1 : 0);
    pickle_call(p, class, arguments);
    return pickle_push(p, pv_make(PV_UNKNOWN, 0, 0));
}

static bool op_persid(struct pickle *p)
{
    char shown[128];
    struct span s = window_line(&p->w);
    if (!window_ok(&p->w))
        return false;
    pickle_note(p, RULE_PICKLE_PERSISTENT, "the persistent id \"%s\" means what the loader likes",
                text_shown(shown, sizeof shown, s));
    return pickle_push(p, pv_make(PV_UNKNOWN, 0, 0));
}

static bool op_binpersid(struct pickle *p)
{
    pv id;
    return pickle_pop(p, &id) && pickle_push(p, pickle_persistent(p, id));
}

static bool extension(struct pickle *p, size_t bytes)
{
    struct span s = window_take(&p->w, bytes);
    uint32_t code = 0;
    for (size_t i = s.n; i-- > 0;)
        code = code << 8 | s.p[i];
    if (!window_ok(&p->w))
        return false;
    pickle_note(p, RULE_PICKLE_EXTENSION,
                "extension code %u stands for a name that only the reader's registry knows",
                (unsigned)code);
    return pickle_push(p, pv_make(PV_UNKNOWN, 0, 0));
}

static bool op_ext1(struct pickle *p)
{
    return extension(p, 1);
}

static bool op_ext2(struct pickle *p)
{
    return extension(p, 2);
}

static bool op_ext4(struct pickle *p)
{
    return extension(p, 4);
}

/* ---- the stream ---- */

static bool op_proto(struct pickle *p)
{
    uint8_t n = window_u8(&p->w);
    return window_ok(&p->w) && (n <= 5 || pickle_fail(p, "the protocol is none of 0 to 5"));
}

/*
 * The C unpickler only demands that the frame's bytes exist; the Python one
 * reads within it and raises where an opcode crosses its end. What lies after
 * that end is read as a start of its own, too.
 */
static bool op_frame(struct pickle *p)
{
    struct span s = window_take(&p->w, 8);
    if (!s.n)
        return false;
    uint64_t n = load_u64le(s.p), at = window_at(&p->w);
    if (n > window_left(&p->w)) {
        pickle_note(p, RULE_PICKLE_FRAME, "the frame claims %llu bytes and %llu are left",
                    (unsigned long long)n, (unsigned long long)window_left(&p->w));
        n = window_left(&p->w);
    }
    if (at - 9 < p->frame_end)
        pickle_note(p, RULE_PICKLE_FRAME, "a frame begins before the one around it ends");
    p->frame_end = at + n;
    return true;
}

static bool op_stop(struct pickle *p)
{
    if (!pickle_pop(p, &p->result))
        return false;
    p->end = PICKLE_STOPPED;
    p->why = NULL;
    return false;
}

const struct pickle_opcode pickle_opcodes[256] = {
    ['('] = {"MARK", op_mark, 0},
    ['.'] = {"STOP", op_stop, 0},
    ['0'] = {"POP", op_pop, 0},
    ['1'] = {"POP_MARK", op_pop_mark, 1},
    ['2'] = {"DUP", op_dup, 0},
    ['F'] = {"FLOAT", op_float, 0},
    ['I'] = {"INT", op_int, 0},
    ['J'] = {"BININT", op_binint, 1},
    ['K'] = {"BININT1", op_binint1, 1},
    ['L'] = {"LONG", op_long, 0},
    ['M'] = {"BININT2", op_binint2, 1},
    ['N'] = {"NONE", op_none, 0},
    ['P'] = {"PERSID", op_persid, 0},
    ['Q'] = {"BINPERSID", op_binpersid, 1},
    ['R'] = {"REDUCE", op_reduce, 0},
    ['S'] = {"STRING", op_string, 0},
    ['T'] = {"BINSTRING", op_binstring, 1},
    ['U'] = {"SHORT_BINSTRING", op_short_binstring, 1},
    ['V'] = {"UNICODE", op_unicode, 0},
    ['X'] = {"BINUNICODE", op_binunicode, 1},
    ['a'] = {"APPEND", op_append, 0},
    ['b'] = {"BUILD", op_build, 0},
    ['c'] = {"GLOBAL", op_global, 0},
    ['d'] = {"DICT", op_dict_of, 0},
    ['}'] = {"EMPTY_DICT", op_dict, 1},
    ['e'] = {"APPENDS", op_appends, 1},
    ['g'] = {"GET", op_get, 0},
    ['h'] = {"BINGET", op_binget, 1},
    ['i'] = {"INST", op_inst, 0},
    ['j'] = {"LONG_BINGET", op_long_binget, 1},
    ['l'] = {"LIST", op_list_of, 0},
    [']'] = {"EMPTY_LIST", op_list, 1},
    ['o'] = {"OBJ", op_obj, 1},
    ['p'] = {"PUT", op_put, 0},
    ['q'] = {"BINPUT", op_binput, 1},
    ['r'] = {"LONG_BINPUT", op_long_binput, 1},
    ['s'] = {"SETITEM", op_setitem, 0},
    ['t'] = {"TUPLE", op_tuple, 0},
    [')'] = {"EMPTY_TUPLE", op_empty_tuple, 1},
    ['u'] = {"SETITEMS", op_setitems, 1},
    ['G'] = {"BINFLOAT", op_binfloat, 1},
    [0x80] = {"PROTO", op_proto, 2},
    [0x81] = {"NEWOBJ", op_newobj, 2},
    [0x82] = {"EXT1", op_ext1, 2},
    [0x83] = {"EXT2", op_ext2, 2},
    [0x84] = {"EXT4", op_ext4, 2},
    [0x85] = {"TUPLE1", op_tuple1, 2},
    [0x86] = {"TUPLE2", op_tuple2, 2},
    [0x87] = {"TUPLE3", op_tuple3, 2},
    [0x88] = {"NEWTRUE", op_bool, 2},
    [0x89] = {"NEWFALSE", op_bool, 2},
    [0x8a] = {"LONG1", op_long1, 2},
    [0x8b] = {"LONG4", op_long4, 2},
    ['B'] = {"BINBYTES", op_binbytes, 3},
    ['C'] = {"SHORT_BINBYTES", op_short_binbytes, 3},
    [0x8c] = {"SHORT_BINUNICODE", op_short_binunicode, 4},
    [0x8d] = {"BINUNICODE8", op_binunicode8, 4},
    [0x8e] = {"BINBYTES8", op_binbytes8, 4},
    [0x8f] = {"EMPTY_SET", op_set, 4},
    [0x90] = {"ADDITEMS", op_appends, 4},
    [0x91] = {"FROZENSET", op_frozenset, 4},
    [0x92] = {"NEWOBJ_EX", op_newobj_ex, 4},
    [0x93] = {"STACK_GLOBAL", op_stack_global, 4},
    [0x94] = {"MEMOIZE", op_memoize, 4},
    [0x95] = {"FRAME", op_frame, 4},
    [0x96] = {"BYTEARRAY8", op_binbytes8, 5},
    [0x97] = {"NEXT_BUFFER", op_next_buffer, 5},
    [0x98] = {"READONLY_BUFFER", op_readonly_buffer, 5},
};
