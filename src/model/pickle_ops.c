/*
 * Opcodes that import, call and build, those of the stream itself, and the
 * table of all of them: protocols 0 to 5 as CPython's _pickle.c runs them, on
 * abstract values.
 */
#include "model/pickle_ops.h"

#include <string.h>

#include "assay/base/text.h"

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
    if ((p->depth || p->mark_count) && !p->fragment)
        pickle_note(p, RULE_PICKLE_LEFTOVER, "%zu values and %zu marks are left on the stack",
                    p->depth, p->mark_count);
    p->end = PICKLE_STOPPED;
    p->why = NULL;
    return false;
}

const struct pickle_opcode pickle_opcodes[256] = {
    ['('] = {"MARK", pickle_op_mark, 0},
    ['.'] = {"STOP", op_stop, 0},
    ['0'] = {"POP", pickle_op_pop, 0},
    ['1'] = {"POP_MARK", pickle_op_pop_mark, 1},
    ['2'] = {"DUP", pickle_op_dup, 0},
    ['F'] = {"FLOAT", pickle_op_float, 0},
    ['I'] = {"INT", pickle_op_int, 0},
    ['J'] = {"BININT", pickle_op_binint, 1},
    ['K'] = {"BININT1", pickle_op_binint1, 1},
    ['L'] = {"LONG", pickle_op_long, 0},
    ['M'] = {"BININT2", pickle_op_binint2, 1},
    ['N'] = {"NONE", pickle_op_none, 0},
    ['P'] = {"PERSID", op_persid, 0},
    ['Q'] = {"BINPERSID", op_binpersid, 1},
    ['R'] = {"REDUCE", op_reduce, 0},
    ['S'] = {"STRING", pickle_op_string, 0},
    ['T'] = {"BINSTRING", pickle_op_binstring, 1},
    ['U'] = {"SHORT_BINSTRING", pickle_op_short_binstring, 1},
    ['V'] = {"UNICODE", pickle_op_unicode, 0},
    ['X'] = {"BINUNICODE", pickle_op_binunicode, 1},
    ['a'] = {"APPEND", pickle_op_append, 0},
    ['b'] = {"BUILD", op_build, 0},
    ['c'] = {"GLOBAL", op_global, 0},
    ['d'] = {"DICT", pickle_op_dict_of, 0},
    ['}'] = {"EMPTY_DICT", pickle_op_dict, 1},
    ['e'] = {"APPENDS", pickle_op_appends, 1},
    ['g'] = {"GET", pickle_op_get, 0},
    ['h'] = {"BINGET", pickle_op_binget, 1},
    ['i'] = {"INST", op_inst, 0},
    ['j'] = {"LONG_BINGET", pickle_op_long_binget, 1},
    ['l'] = {"LIST", pickle_op_list_of, 0},
    [']'] = {"EMPTY_LIST", pickle_op_list, 1},
    ['o'] = {"OBJ", op_obj, 1},
    ['p'] = {"PUT", pickle_op_put, 0},
    ['q'] = {"BINPUT", pickle_op_binput, 1},
    ['r'] = {"LONG_BINPUT", pickle_op_long_binput, 1},
    ['s'] = {"SETITEM", pickle_op_setitem, 0},
    ['t'] = {"TUPLE", pickle_op_tuple, 0},
    [')'] = {"EMPTY_TUPLE", pickle_op_empty_tuple, 1},
    ['u'] = {"SETITEMS", pickle_op_setitems, 1},
    ['G'] = {"BINFLOAT", pickle_op_binfloat, 1},
    [0x80] = {"PROTO", op_proto, 2},
    [0x81] = {"NEWOBJ", op_newobj, 2},
    [0x82] = {"EXT1", op_ext1, 2},
    [0x83] = {"EXT2", op_ext2, 2},
    [0x84] = {"EXT4", op_ext4, 2},
    [0x85] = {"TUPLE1", pickle_op_tuple1, 2},
    [0x86] = {"TUPLE2", pickle_op_tuple2, 2},
    [0x87] = {"TUPLE3", pickle_op_tuple3, 2},
    [0x88] = {"NEWTRUE", pickle_op_bool, 2},
    [0x89] = {"NEWFALSE", pickle_op_bool, 2},
    [0x8a] = {"LONG1", pickle_op_long1, 2},
    [0x8b] = {"LONG4", pickle_op_long4, 2},
    ['B'] = {"BINBYTES", pickle_op_binbytes, 3},
    ['C'] = {"SHORT_BINBYTES", pickle_op_short_binbytes, 3},
    [0x8c] = {"SHORT_BINUNICODE", pickle_op_short_binunicode, 4},
    [0x8d] = {"BINUNICODE8", pickle_op_binunicode8, 4},
    [0x8e] = {"BINBYTES8", pickle_op_binbytes8, 4},
    [0x8f] = {"EMPTY_SET", pickle_op_set, 4},
    [0x90] = {"ADDITEMS", pickle_op_appends, 4},
    [0x91] = {"FROZENSET", pickle_op_frozenset, 4},
    [0x92] = {"NEWOBJ_EX", op_newobj_ex, 4},
    [0x93] = {"STACK_GLOBAL", op_stack_global, 4},
    [0x94] = {"MEMOIZE", pickle_op_memoize, 4},
    [0x95] = {"FRAME", op_frame, 4},
    [0x96] = {"BYTEARRAY8", pickle_op_binbytes8, 5},
    [0x97] = {"NEXT_BUFFER", pickle_op_next_buffer, 5},
    [0x98] = {"READONLY_BUFFER", pickle_op_readonly_buffer, 5},
};
