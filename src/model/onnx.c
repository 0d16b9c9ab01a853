/*
 * ONNX: the model's graph, its functions and what they may reach outside the
 * file. Only what speaks of origin, code and tensors is looked at; values flow
 * past. onnx/onnx.proto3, IR version 13.
 */
#include "model/onnx.h"

#include <string.h>

#include "assay/base/text.h"

enum { SHOWN = 160, METADATA_MOST = 1 << 20, DOMAINS = 64 };

struct onnx {
    const struct content *c;
    struct window w;
    bool no_memory;
    char told[DOMAINS][64]; /* operators that were named already */
    size_t told_count;
};

/* ---- recognition ---- */

static uint64_t varint(struct cursor *c)
{
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        uint8_t b = cursor_u8(c);
        n |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            break;
    }
    return n;
}

/* A field's number and the length of its body, or what it is worth. */
static bool read_tag(struct cursor *c, uint64_t *field, uint8_t *wire, uint64_t *n)
{
    uint64_t tag = varint(c);
    *field = tag >> 3;
    *wire = (uint8_t)(tag & 7);
    *n = varint(c);
    return cursor_ok(c);
}

static bool is_printed(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < ' ' && s.p[i] != '\n') || s.p[i] == 0x7f)
            return false;
    return s.n > 2;
}

/* Does the body of a field of the model look like what it is: a word, a graph, a set of operators? */
static bool is_body(struct cursor c, uint64_t field, uint64_t n)
{
    enum { PRODUCER = 2, TEXT = 6, GRAPH = 7, OPERATORS = 8, GRAPH_FIELDS = 16, WORD_MOST = 64 };
    uint64_t inner, size;
    uint8_t wire;
    if (field == PRODUCER)
        return n < WORD_MOST && is_printed(cursor_take(&c, n));
    if (field == TEXT) /* as long as the head, or longer */
        return n > WORD_MOST && is_printed(cursor_take(&c, WORD_MOST));
    if ((field != GRAPH && field != OPERATORS) || n < 2 || !read_tag(&c, &inner, &wire, &size))
        return false;
    if (field == OPERATORS)
        return inner == (wire == PROTO_LENGTH ? 1 : 2) && wire <= PROTO_LENGTH && n <= WORD_MOST &&
               (wire != PROTO_LENGTH || size < n);
    return wire == PROTO_LENGTH && inner > 0 && inner < GRAPH_FIELDS && size < n;
}

/* ir_version first, then fields of the model in any order, one of which says what it is. */
bool onnx_sniff(struct span head, uint64_t size)
{
    struct cursor c = cursor_over(head);
    uint64_t field, n;
    uint8_t wire;
    if (head.n < 8 || head.p[0] != 8 || head.p[1] == 0 || head.p[1] > 32)
        return false;
    cursor_skip(&c, 2);
    while (cursor_left(&c) > 1) {
        if (!read_tag(&c, &field, &wire, &n) || field == 0 || field > 31)
            return false;
        if (wire == PROTO_VARINT)
            continue;
        if (wire != PROTO_LENGTH || n > size - c.pos)
            return false;
        if (is_body(c, field, n))
            return true;
        cursor_skip(&c, n);
    }
    return false;
}

/* ---- operators ---- */

static bool once(struct onnx *o, struct span what)
{
    char key[64] = "";
    size_t n = what.n < sizeof key - 1 ? what.n : sizeof key - 1;
    if (n)
        memcpy(key, what.p, n);
    for (size_t i = 0; i < o->told_count; i++)
        if (memcmp(o->told[i], key, sizeof key) == 0)
            return false;
    if (o->told_count == DOMAINS)
        return false;
    memcpy(o->told[o->told_count++], key, sizeof key);
    return true;
}

static bool standard(struct span domain)
{
    static const char *const domains[] = {"",
                                          "ai.onnx",
                                          "ai.onnx.ml",
                                          "ai.onnx.training",
                                          "ai.onnx.preview",
                                          "ai.onnx.preview.training",
                                          "com.microsoft",
                                          "com.microsoft.nchwc",
                                          "com.ms.internal.nhwc"};
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
        if (span_is(domain, domains[i]))
            return true;
    return span_starts(domain, "pkg.onnxscript") || span_starts(domain, "pkg.torch");
}

/* Operators that hand over to Python within the runtime. */
static bool runs_python(struct span op)
{
    return span_is(op, "PyOp") || span_is(op, "PythonOp") || span_is(op, "PythonOpGrad") ||
           span_is(op, "PyFunc") || span_is(op, "PyCustomOp");
}

static void read_graph(struct onnx *o, struct proto g, unsigned depth);

static void read_attribute(struct onnx *o, struct proto a, unsigned depth)
{
    while (proto_next(&a)) {
        if (proto_is(&a, 5, PROTO_LENGTH) || proto_is(&a, 10, PROTO_LENGTH)) {
            struct proto t = proto_inner(&a);
            o->no_memory = !onnx_tensor(o->c, &t) || o->no_memory;
        } else if (proto_is(&a, 6, PROTO_LENGTH) || proto_is(&a, 11, PROTO_LENGTH)) {
            read_graph(o, proto_inner(&a), depth + 1);
        }
    }
}

static void judge_operator(struct onnx *o, struct span op, struct span domain, uint64_t at)
{
    char a[SHOWN], b[SHOWN];
    text_shown(a, sizeof a, op);
    text_shown(b, sizeof b, domain);
    if (runs_python(op) && once(o, op))
        content_note(o->c, RULE_ONNX_PYTHON, at, 0, "operator %s of domain \"%s\"", a, b);
    else if (!standard(domain) && once(o, domain))
        content_note(o->c, RULE_ONNX_CUSTOM, at, 0, "operator %s of domain \"%s\"", a, b);
}

static void read_node(struct onnx *o, struct proto n, unsigned depth)
{
    uint8_t op[128], domain[128];
    struct span op_type = SPAN_EMPTY, in = SPAN_EMPTY;
    uint64_t at = window_at(&o->w);
    while (proto_next(&n)) {
        if (proto_is(&n, 4, PROTO_LENGTH))
            op_type = proto_text(&n, op, sizeof op);
        else if (proto_is(&n, 7, PROTO_LENGTH))
            in = proto_text(&n, domain, sizeof domain);
        else if (proto_is(&n, 5, PROTO_LENGTH))
            read_attribute(o, proto_inner(&n), depth);
    }
    judge_operator(o, op_type, in, at);
}

static void read_graph(struct onnx *o, struct proto g, unsigned depth)
{
    if (depth > PROTO_DEPTH) {
        content_limit(o->c, window_at(&o->w), "graphs are nested deeper than is followed");
        return;
    }
    while (!o->no_memory && proto_next(&g)) {
        if (proto_is(&g, 1, PROTO_LENGTH)) {
            read_node(o, proto_inner(&g), depth);
        } else if (proto_is(&g, 5, PROTO_LENGTH)) {
            struct proto t = proto_inner(&g);
            o->no_memory = !onnx_tensor(o->c, &t);
        }
    }
}

/* A function of the model: nodes of its own, under a domain that is then no stranger. */
static void read_function(struct onnx *o, struct proto f)
{
    while (proto_next(&f))
        if (proto_is(&f, 7, PROTO_LENGTH))
            read_node(o, proto_inner(&f), 1);
}

/* ---- the model ---- */

static struct span keep_text(struct onnx *o, struct proto *p)
{
    if (p->value > METADATA_MOST) {
        content_limit(o->c, window_at(&o->w), "metadata are longer than is read");
        return SPAN_EMPTY;
    }
    struct span s = SPAN_EMPTY;
    struct err ignored = ERR_INIT;
    if (!input_load(&s, &o->w.in, window_at(&o->w), (size_t)p->value, o->c->m->arena, &ignored))
        o->no_memory = o->no_memory || ignored.code == ERR_MEMORY;
    return s;
}

static void add_metadata(struct onnx *o, struct span key, struct span value, uint64_t at)
{
    struct metadata *d = o->c->depth ? NULL : model_add_metadata(o->c->m);
    if (!d) {
        o->no_memory = o->no_memory || !o->c->depth;
        return;
    }
    *d = (struct metadata){.key = key,
                           .value = {.type = VALUE_STRING, .string = value},
                           .origin = {o->c->file, input_origin(&o->c->in, at), 0}};
}

static void read_property(struct onnx *o, struct proto e)
{
    struct span key = SPAN_EMPTY, value = SPAN_EMPTY;
    uint64_t at = window_at(&o->w);
    while (proto_next(&e)) {
        if (proto_is(&e, 1, PROTO_LENGTH))
            key = keep_text(o, &e);
        else if (proto_is(&e, 2, PROTO_LENGTH))
            value = keep_text(o, &e);
    }
    add_metadata(o, key, value, at);
}

static void read_model(struct onnx *o, struct proto m)
{
    static const struct {
        uint32_t field;
        const char *key;
    } texts[] = {{2, "onnx.producer_name"},
                 {3, "onnx.producer_version"},
                 {4, "onnx.domain"},
                 {6, "onnx.doc_string"}};
    while (!o->no_memory && proto_next(&m)) {
        if (m.wire != PROTO_LENGTH)
            continue;
        uint64_t at = window_at(&o->w);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            if (m.field == texts[i].field)
                add_metadata(o, span_str(texts[i].key), keep_text(o, &m), at);
        if (m.field == 7)
            read_graph(o, proto_inner(&m), 0);
        else if (m.field == 14)
            read_property(o, proto_inner(&m));
        else if (m.field == 25)
            read_function(o, proto_inner(&m));
        else if (m.field == 20)
            content_note(o->c, RULE_ONNX_TRAINING, at, 0, "a graph for training");
    }
}

bool onnx_examine(const struct content *c)
{
    struct onnx *o = arena_alloc(c->m->arena, sizeof *o);
    if (!o || !window_open(&o->w, c->in))
        return false;
    o->c = c;
    read_model(o, proto_message(&o->w, c->in.size));
    if (!window_ok(&o->w))
        content_note_fault(c, &o->w, RULE_ONNX_MALFORMED, "the model");
    window_close(&o->w);
    return !o->no_memory;
}
