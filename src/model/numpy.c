/*
 * NumPy's .npy: a header that is a Python literal, then the array's bytes, or
 * a pickle when its elements are objects. The literal is read by a grammar of
 * its own: what only a Python interpreter would take is not taken.
 * numpy/lib/format.py, "Format Version 1.0" to 3.0.
 */
#include "model/numpy.h"

#include <string.h>

#include "assay/base/text.h"

enum { MAGIC = 6, HEADER_MOST = 1 << 20, LITERAL_DEPTH = 8, SHOWN = 96 };

bool numpy_sniff(struct span head, uint64_t size)
{
    (void)size;
    return head.n >= MAGIC && memcmp(head.p, "\x93NUMPY", MAGIC) == 0;
}

/* "<f4" and the like; DTYPE_NONE for texts, records and what safetensors does not have. */
enum dtype pickle_numpy_dtype(struct span s, bool *big_endian)
{
    static const struct {
        const char *name;
        enum dtype dtype;
    } names[] = {{"f2", DTYPE_F16}, {"f4", DTYPE_F32},   {"f8", DTYPE_F64}, {"i1", DTYPE_I8},
                 {"i2", DTYPE_I16}, {"i4", DTYPE_I32},   {"i8", DTYPE_I64}, {"u1", DTYPE_U8},
                 {"u2", DTYPE_U16}, {"u4", DTYPE_U32},   {"u8", DTYPE_U64}, {"b1", DTYPE_BOOL},
                 {"c8", DTYPE_C64}, {"c16", DTYPE_C128}, {"V2", DTYPE_BF16}};
    bool order = s.n && strchr("<>=|", s.p[0]);
    *big_endian = s.n && s.p[0] == '>';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(span_sub(s, order, s.n), names[i].name))
            return names[i].dtype;
    return DTYPE_NONE;
}

/* ---- the header's literal ---- */

struct literal {
    struct span s;
    size_t at;
    bool bad;
    bool object; /* an element type within has objects */
};

static uint8_t peek(struct literal *l)
{
    while (l->at < l->s.n && (l->s.p[l->at] == ' ' || l->s.p[l->at] == '\n'))
        l->at++;
    return l->at < l->s.n ? l->s.p[l->at] : 0;
}

static bool accept(struct literal *l, uint8_t c)
{
    bool there = peek(l) == c;
    l->at += there;
    return there;
}

static void expect(struct literal *l, uint8_t c)
{
    l->bad = !accept(l, c) || l->bad;
}

/* Between equal quotes, without escapes. */
static struct span string(struct literal *l)
{
    uint8_t quote = peek(l);
    size_t from = l->at + 1, to = from;
    if (quote != '\'' && quote != '"') {
        l->bad = true;
        return SPAN_EMPTY;
    }
    while (to < l->s.n && l->s.p[to] != quote && l->s.p[to] != '\\' && l->s.p[to] >= ' ')
        to++;
    l->bad = l->bad || to >= l->s.n || l->s.p[to] != quote;
    l->at = to + 1;
    return span_sub(l->s, from, to - from);
}

static uint64_t integer(struct literal *l)
{
    uint64_t v = 0;
    peek(l);
    size_t from = l->at;
    for (; l->at < l->s.n && l->s.p[l->at] >= '0' && l->s.p[l->at] <= '9'; l->at++)
        if (!size_mul(&v, v, 10) || !size_add(&v, v, (uint64_t)(l->s.p[l->at] - '0')))
            l->bad = true;
    if (l->at < l->s.n && l->s.p[l->at] == 'L') /* Python 2 */
        l->at++;
    l->bad = l->bad || l->at == from;
    return v;
}

static bool boolean(struct literal *l)
{
    peek(l);
    bool yes = span_starts(span_sub(l->s, l->at, 4), "True");
    bool no = span_starts(span_sub(l->s, l->at, 5), "False");
    l->bad = l->bad || !(yes || no);
    l->at += yes ? 4 : 5;
    return yes;
}

static bool has_objects(struct span descr)
{
    return memchr(descr.p ? descr.p : (const uint8_t *)"", 'O', descr.n) != NULL;
}

/* (2, 3), (2,) or (). Sizes beyond MODEL_MAX_RANK are counted. */
static uint32_t sizes(struct literal *l, uint64_t out[MODEL_MAX_RANK])
{
    uint32_t n = 0;
    expect(l, '(');
    while (!l->bad && peek(l) != ')') {
        uint64_t v = integer(l);
        if (n < MODEL_MAX_RANK)
            out[n] = v;
        n++;
        if (!accept(l, ','))
            break;
    }
    expect(l, ')');
    return n;
}

/* A record's type: a list of (name, type) or (name, type, sizes), nested. */
static void record(struct literal *l, unsigned depth)
{
    uint64_t ignored[MODEL_MAX_RANK];
    l->bad = l->bad || depth > LITERAL_DEPTH;
    expect(l, '[');
    while (!l->bad && peek(l) != ']') {
        expect(l, '(');
        if (accept(l, '(')) { /* a title and a name */
            string(l);
            expect(l, ',');
            string(l);
            expect(l, ')');
        } else {
            string(l);
        }
        expect(l, ',');
        if (peek(l) == '[')
            record(l, depth + 1);
        else
            l->object = has_objects(string(l)) || l->object;
        if (accept(l, ',') && peek(l) == '(')
            sizes(l, ignored);
        expect(l, ')');
        if (!accept(l, ','))
            break;
    }
    expect(l, ']');
}

static bool read_literal(struct literal *l, struct numpy_array *out)
{
    unsigned seen = 0;
    expect(l, '{');
    while (!l->bad && peek(l) != '}') {
        struct span key = string(l);
        expect(l, ':');
        if (span_is(key, "descr") && peek(l) == '[') {
            record(l, 0);
            seen |= 1;
        } else if (span_is(key, "descr")) {
            out->descr = string(l);
            l->object = has_objects(out->descr);
            seen |= 1;
        } else if (span_is(key, "fortran_order")) {
            out->columns = boolean(l);
            seen |= 2;
        } else if (span_is(key, "shape")) {
            out->rank = sizes(l, out->shape);
            seen |= 4;
        } else {
            l->bad = true;
        }
        if (!accept(l, ','))
            break;
    }
    expect(l, '}');
    peek(l);
    out->object = l->object;
    return !l->bad && l->at == l->s.n && seen == 7;
}

bool numpy_read(struct numpy_array *out, const struct input *in, struct arena *a, const char **why)
{
    uint8_t head[12];
    struct err ignored = ERR_INIT;
    *out = (struct numpy_array){0};
    *why = "the file ends within its header";
    if (in->size < sizeof head || !input_read(in, head, 0, sizeof head, &ignored))
        return false;
    bool wide = head[MAGIC] >= 2;
    uint32_t n = wide ? load_u32le(head + 8) : load_u16le(head + 8);
    out->data = (wide ? 12 : 10) + (uint64_t)n;
    struct literal l = {{0}, 0, false, false};
    if (out->data > in->size)
        return false;
    *why = n > HEADER_MOST ? "the header is longer than is read"
                           : "the header is not the literal that NumPy writes";
    if (head[MAGIC] < 1 || head[MAGIC] > 3 || n > HEADER_MOST ||
        !input_load(&l.s, in, out->data - n, n, a, &ignored))
        return false;
    return read_literal(&l, out);
}

/* ---- the array ---- */

/* "weights.npy" and "sub/weights.npy" are called weights and sub/weights. */
static struct span array_name(const struct content *c)
{
    struct span name = span_str(*c->where ? c->where : c->m->files[c->file].name);
    return span_ends(name, ".npy") ? span_sub(name, 0, name.n - 4) : name;
}

static bool add_tensor(const struct content *c, const struct numpy_array *n, enum dtype dtype,
                       uint64_t elements, uint64_t bytes)
{
    struct tensor *t = model_add_tensor(c->m);
    struct span name = arena_span(c->m->arena, array_name(c));
    if (!t || !name.p)
        return false;
    *t = (struct tensor){.name = name,
                         .dtype = dtype,
                         .rank = n->rank,
                         .elements = elements,
                         .entry = {c->file, c->in.origin, n->data},
                         .data = {c->file, c->in.origin + n->data, bytes}};
    memcpy(t->shape, n->shape, sizeof t->shape);
    if (n->columns && n->rank > 1)
        content_note(c, RULE_TENSOR_ORDER, 0, n->data,
                     "the array lies by columns; its digest is over the bytes as they lie");
    return true;
}

static bool note_broken(const struct content *c, const char *why)
{
    content_note(c, RULE_NUMPY_HEADER, 0, 0, "%s", why);
    content_incomplete(c);
    return true;
}

/* The array's bytes against what is there. */
static bool check_bytes(const struct content *c, const struct numpy_array *n)
{
    bool big = false;
    uint64_t elements = 1, bytes, there = c->in.size - n->data;
    enum dtype dtype = pickle_numpy_dtype(n->descr, &big);
    for (uint32_t i = 0; i < n->rank && i < MODEL_MAX_RANK; i++)
        if (!size_mul(&elements, elements, n->shape[i]))
            return note_broken(c, "the array's sizes overflow");
    if (n->rank > MODEL_MAX_RANK || dtype == DTYPE_NONE)
        return true; /* texts and records are no tensors */
    if (!dtype_size(dtype, elements, &bytes) || bytes > there)
        return note_broken(c, "the array reaches beyond the end");
    if (bytes < there)
        content_note(c, RULE_NUMPY_TRAILING, n->data + bytes, there - bytes,
                     "%llu bytes follow the array", (unsigned long long)(there - bytes));
    if (c->in.derived) {
        content_note(c, RULE_NUMPY_COMPRESSED, 0, 0, "the array is compressed and not listed");
        content_unlisted(c);
        return true;
    }
    if (c->depth > 1 || (big && *c->where)) {
        content_note(c, RULE_TENSOR_UNLISTED, 0, n->data, "the array %s",
                     big ? "is big-endian, and others beside it may not be"
                         : "stands in an archive within another");
        content_unlisted(c);
        return true;
    }
    c->m->files[c->file].big_endian = c->m->files[c->file].big_endian || big;
    return add_tensor(c, n, dtype, elements, bytes);
}

bool numpy_examine(const struct content *c)
{
    struct numpy_array n;
    struct content within;
    const char *why;
    struct arena *scratch = arena_new(4 << 20);
    bool ok = scratch != NULL;
    if (ok && !numpy_read(&n, &c->in, scratch, &why))
        note_broken(c, why);
    else if (ok && n.object)
        ok = !content_within(&within, c, input_part(&c->in, n.data, UINT64_MAX), "objects") ||
             pickle_examine(&within);
    else if (ok)
        ok = check_bytes(c, &n);
    arena_free(scratch);
    return ok;
}
