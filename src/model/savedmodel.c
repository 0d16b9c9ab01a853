/*
 * TensorFlow's graphs: every node of every graph and function of a SavedModel
 * (or a frozen GraphDef) by its operator. Operators that read or write files,
 * or call Python, do so whenever the graph is run.
 * tensorflow/core/protobuf: saved_model, meta_graph, graph, function, node_def.
 */
#include "model/onnx.h"

#include <string.h>

#include "assay/base/text.h"

enum { SHOWN = 160, SEEN = 64 };

struct graph {
    const struct content *c;
    struct window w;
    char seen[SEEN][40];
    size_t seen_count;
    uint64_t nodes;
};

static const struct {
    const char *op;
    enum rule_id rule;
    const char *what;
} operators[] = {
    {"PyFunc", RULE_SAVEDMODEL_PYTHON, "calls a Python function"},
    {"PyFuncStateless", RULE_SAVEDMODEL_PYTHON, "calls a Python function"},
    {"EagerPyFunc", RULE_SAVEDMODEL_PYTHON, "calls a Python function"},
    {"PyCall", RULE_SAVEDMODEL_PYTHON, "calls a Python function"},
    {"ShellExecute", RULE_SAVEDMODEL_PYTHON, "runs a command"},
    {"ExecuteOp", RULE_SAVEDMODEL_PYTHON, "runs code"},
    {"SystemConfig", RULE_SAVEDMODEL_PYTHON, "reaches the system"},
    {"LoadLibrary", RULE_SAVEDMODEL_PYTHON, "loads a library"},
    {"ReadFile", RULE_SAVEDMODEL_FILE, "reads any file"},
    {"WriteFile", RULE_SAVEDMODEL_FILE, "writes any file"},
    {"MatchingFiles", RULE_SAVEDMODEL_FILE, "lists files"},
    {"WholeFileReader", RULE_SAVEDMODEL_FILE, "reads any file"},
    {"WholeFileReaderV2", RULE_SAVEDMODEL_FILE, "reads any file"},
    {"SqlDataset", RULE_SAVEDMODEL_FILE, "opens a database"},
    {"SqlDatasetV2", RULE_SAVEDMODEL_FILE, "opens a database"},
    {"Rpc", RULE_SAVEDMODEL_FILE, "opens connections"},
    {"TryRpc", RULE_SAVEDMODEL_FILE, "opens connections"},
    {"RpcCall", RULE_SAVEDMODEL_FILE, "opens connections"},
    {"DebugIdentityV2", RULE_SAVEDMODEL_FILE, "writes what flows through it to files"},
    {"DebugIdentityV3", RULE_SAVEDMODEL_FILE, "writes what flows through it to files"},
};

static bool once(struct graph *g, const char *op)
{
    for (size_t i = 0; i < g->seen_count; i++)
        if (strcmp(g->seen[i], op) == 0)
            return false;
    if (g->seen_count < SEEN)
        memcpy(g->seen[g->seen_count++], op, strlen(op) + 1);
    return true;
}

static void judge(struct graph *g, struct span op, struct span name, uint64_t at)
{
    char shown[SHOWN];
    g->nodes++;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (span_is(op, operators[i].op) && once(g, operators[i].op))
            content_note(g->c, operators[i].rule, at, 0, "%s (node \"%s\") %s", operators[i].op,
                         text_shown(shown, sizeof shown, name), operators[i].what);
}

static void read_node(struct graph *g, struct proto n)
{
    uint8_t a[128], b[128];
    struct span op = SPAN_EMPTY, name = SPAN_EMPTY;
    uint64_t at = window_at(&g->w);
    while (proto_next(&n)) {
        if (proto_is(&n, 1, PROTO_LENGTH))
            name = proto_text(&n, a, sizeof a);
        else if (proto_is(&n, 2, PROTO_LENGTH))
            op = proto_text(&n, b, sizeof b);
    }
    judge(g, op, name, at);
}

/* Fields by number on the way from one kind of message to the nodes in it. */
enum kind { SAVED_MODEL, META_GRAPH, GRAPH_DEF, LIBRARY, FUNCTION, NODE };

static const struct {
    enum kind in;
    uint32_t field;
    enum kind holds;
} ways[] = {{SAVED_MODEL, 2, META_GRAPH}, {META_GRAPH, 2, GRAPH_DEF}, {GRAPH_DEF, 1, NODE},
            {GRAPH_DEF, 2, LIBRARY},      {LIBRARY, 1, FUNCTION},     {FUNCTION, 3, NODE}};

static void read_message(struct graph *g, struct proto m, enum kind kind, unsigned depth)
{
    if (kind == NODE) {
        read_node(g, m);
        return;
    }
    while (depth < PROTO_DEPTH && proto_next(&m))
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
            if (ways[i].in == kind && proto_is(&m, ways[i].field, PROTO_LENGTH))
                read_message(g, proto_inner(&m), ways[i].holds, depth + 1);
}

/* ---- recognition ---- */

static bool is_word(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0;
}

/* A field of the given tag, its length within `size`; the cursor then stands at its body. */
static bool enters(struct cursor *c, uint8_t tag, uint64_t size, uint64_t *n)
{
    *n = 0;
    if (cursor_u8(c) != tag)
        return false;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        uint8_t b = cursor_u8(c);
        *n |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            break;
    }
    return cursor_ok(c) && *n <= size - c->pos;
}

/* A node: its name, then an operator that begins with a capital. */
static bool is_node(struct cursor c, uint64_t size)
{
    uint64_t n;
    if (!enters(&c, 0x0a, size, &n) || n > cursor_left(&c) || !is_word(cursor_take(&c, n)) ||
        !enters(&c, 0x12, size, &n) || n > cursor_left(&c))
        return false;
    struct span op = cursor_take(&c, n);
    return is_word(op) && op.p[0] >= 'A' && op.p[0] <= 'Z';
}

static bool is_saved_model(struct span head, uint64_t size)
{
    struct cursor c = cursor_over(head);
    uint64_t n;
    bool version = head.n > 2 && head.p[0] == 8 && head.p[1] == 1;
    if (version)
        cursor_skip(&c, 2);
    if (!enters(&c, 0x12, size, &n))
        return false;
    if (version && n > 2 && cursor_left(&c) && c.base[c.pos] == 0x0a)
        return true; /* a meta graph that begins with what it says of itself */
    return enters(&c, 0x12, size, &n) && enters(&c, 0x0a, size, &n) && is_node(c, size);
}

static bool is_graph(struct span head, uint64_t size)
{
    struct cursor c = cursor_over(head);
    uint64_t n;
    return enters(&c, 0x0a, size, &n) && n > 4 && is_node(c, size);
}

bool savedmodel_sniff(struct span head, uint64_t size)
{
    return head.n >= 8 && (is_saved_model(head, size) || is_graph(head, size));
}

bool savedmodel_examine(const struct content *c)
{
    uint8_t head[CONTENT_HEAD];
    struct err ignored = ERR_INIT;
    struct graph *g = arena_alloc(c->m->arena, sizeof *g);
    size_t n = c->in.size < sizeof head ? (size_t)c->in.size : sizeof head;
    if (!g || !window_open(&g->w, c->in))
        return false;
    g->c = c;
    bool bare =
        input_read(&c->in, head, 0, n, &ignored) && is_graph((struct span){head, n}, c->in.size);
    read_message(g, proto_message(&g->w, c->in.size), bare ? GRAPH_DEF : SAVED_MODEL, 0);
    if (!window_ok(&g->w))
        content_note_fault(c, &g->w, RULE_SAVEDMODEL_MALFORMED, "the graph");
    window_close(&g->w);
    return true;
}
