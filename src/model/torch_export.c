/*
 * What torch.export.save writes since 2.9 (".pt2"): a zip whose weights are raw
 * members that a configuration in JSON describes, and whose graph is JSON too.
 * The loader evaluates the graph's expressions as Python and looks its targets
 * up by name below torch, so both must be no more than a graph needs.
 * torch/_export/serde/serialize.py, torch/export/pt2_archive/constants.py.
 */
#include "model/torch.h"

#include <ctype.h>
#include <string.h>

#include "assay/base/text.h"

enum { JSON_MOST = 256 << 20, DEPTH_MOST = 64, SHOWN = 120, STRIDED = 7 };

struct exported {
    const struct content *c;
    const struct archive *a;
    struct arena *scratch;
    struct span folder; /* with its slash */
    struct map names;   /* of members */
    bool *seen;
    bool no_memory;
};

/* ---- members ---- */

static bool index_members(struct exported *x)
{
    uint32_t previous;
    if (!map_init(&x->names, x->scratch, x->a->count))
        return false;
    for (size_t i = 0; i < x->a->count; i++)
        if (!map_put(&x->names, x->a->members[i].name, (uint32_t)i, &previous))
            return false;
    return true;
}

static bool load_json(struct exported *x, size_t member, struct json *root)
{
    struct content in;
    struct spool *spool;
    struct span text = SPAN_EMPTY;
    struct err why = ERR_INIT;
    bool ok, done = content_member(&in, &spool, x->c, &x->a->members[member], &ok);
    if (done && ok && in.in.size > JSON_MOST) {
        content_limit(&in, 0, "a member is longer than is read");
        ok = false;
    }
    if (done && ok) {
        x->seen[member] = true;
        ok = input_load(&text, &in.in, 0, (size_t)in.in.size, x->scratch, &why) &&
             json_parse(root, text, JSON_KEEP_DUPLICATES, x->scratch, &why);
        if (!ok && why.code != ERR_MEMORY) {
            content_note(&in, RULE_TORCH_TENSOR, 0, 0, "no JSON: %s", why.text);
            content_incomplete(&in);
        }
    }
    spool_close(spool);
    x->no_memory = x->no_memory || !done || why.code == ERR_MEMORY;
    return ok && !x->no_memory;
}

/* ---- weights ---- */

/* torch's ScalarType as the exporter numbers it. */
static enum dtype dtype_of(uint64_t number)
{
    static const struct {
        uint8_t number;
        uint8_t dtype;
    } types[] = {
        {1, DTYPE_U8},       {2, DTYPE_I8},       {3, DTYPE_I16},          {4, DTYPE_I32},
        {5, DTYPE_I64},      {6, DTYPE_F16},      {7, DTYPE_F32},          {8, DTYPE_F64},
        {10, DTYPE_C64},     {12, DTYPE_BOOL},    {13, DTYPE_BF16},        {28, DTYPE_U16},
        {29, DTYPE_F8_E4M3}, {30, DTYPE_F8_E5M2}, {31, DTYPE_F8_E4M3FNUZ}, {32, DTYPE_F8_E5M2FNUZ},
        {33, DTYPE_F8_E8M0}, {34, DTYPE_U32},     {35, DTYPE_U64}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].number == number)
            return (enum dtype)types[i].dtype;
    return DTYPE_NONE;
}

static bool whole_number(struct json v, uint64_t *out)
{
    return json_u64(json_get(v, "as_int"), out);
}

/* Sizes, and whether the elements lie row by row from the member's first byte. */
static bool read_shape(struct tensor *t, struct json meta)
{
    uint64_t number, step = 1, stride[MODEL_MAX_RANK];
    struct json sizes = json_get(meta, "sizes"), strides = json_get(meta, "strides");
    size_t n = json_count(sizes);
    if (json_type(sizes) != JSON_ARRAY || n > MODEL_MAX_RANK || json_count(strides) != n ||
        !json_u64(json_get(meta, "layout"), &number) || number != STRIDED ||
        !whole_number(json_get(meta, "storage_offset"), &number) || number != 0 ||
        !json_u64(json_get(meta, "dtype"), &number))
        return false;
    t->dtype = dtype_of(number);
    t->rank = (uint32_t)n;
    t->elements = 1;
    n = 0;
    for (struct json i = json_first(sizes); json_type(i); i = json_next(i), n++)
        if (!whole_number(i, &t->shape[n]) || !size_mul(&t->elements, t->elements, t->shape[n]))
            return false;
    n = 0;
    for (struct json i = json_first(strides); json_type(i); i = json_next(i), n++)
        if (!whole_number(i, &stride[n]))
            return false;
    for (size_t i = n; i-- > 0;) {
        if (t->shape[i] > 1 && stride[i] != step)
            return false;
        step *= t->shape[i]; /* a part of `elements`, which does not overflow */
    }
    return t->dtype != DTYPE_NONE;
}

static const struct archive_member *payload_of(struct exported *x, struct span folder,
                                               struct json entry, uint32_t *index)
{
    struct span path;
    *index = MAP_NONE;
    if (!json_string(json_get(entry, "path_name"), &path))
        return NULL;
    char *name = arena_printf(x->scratch, "%.*s%.*s", (int)folder.n, (const char *)folder.p,
                              (int)path.n, (const char *)path.p);
    *index = name ? map_get(&x->names, span_str(name)) : MAP_NONE;
    x->no_memory = x->no_memory || !name;
    return *index == MAP_NONE ? NULL : &x->a->members[*index];
}

static void unlisted(struct exported *x, struct span name, const char *why)
{
    char shown[SHOWN];
    content_note(x->c, RULE_TORCH_UNLISTED, 0, 0, "tensor \"%s\" %s",
                 text_shown(shown, sizeof shown, name), why);
    content_unlisted(x->c);
}

static void list(struct exported *x, struct span folder, struct span name, struct json entry)
{
    uint32_t index;
    uint64_t bytes;
    bool pickled = false;
    struct tensor t = {.rank = 0};
    const struct archive_member *m = payload_of(x, folder, entry, &index);
    json_bool(json_get(entry, "use_pickle"), &pickled);
    if (!m || m->broken || m->method || m->encrypted) {
        unlisted(x, name, "has no plain member of the archive");
        return;
    }
    if (pickled || !read_shape(&t, json_get(entry, "tensor_meta"))) {
        unlisted(x, name, "is no plain array"); /* its member is judged as content */
        return;
    }
    if (!dtype_size(t.dtype, t.elements, &bytes) || bytes > m->stored) {
        char shown[SHOWN];
        content_note(x->c, RULE_TORCH_TENSOR, m->header, 0,
                     "tensor \"%s\" reaches beyond its member",
                     text_shown(shown, sizeof shown, name));
        content_incomplete(x->c);
        return;
    }
    x->seen[index] = bytes == m->stored; /* what is more is looked at as content */
    struct tensor *added = model_add_tensor(x->c->m);
    t.name = arena_span(x->c->m->arena, name);
    x->no_memory = !added || !t.name.p;
    if (x->no_memory)
        return;
    t.entry = (struct origin){x->c->file, x->c->in.origin + m->header, 0};
    t.data = (struct origin){x->c->file, x->c->in.origin + m->data, bytes};
    *added = t;
}

/* "weights/" or "constants/" with a configuration among them. */
static void list_all(struct exported *x, size_t member)
{
    struct json root;
    struct span folder = x->a->members[member].name;
    while (folder.n && folder.p[folder.n - 1] != '/')
        folder.n--;
    if (!load_json(x, member, &root))
        return;
    struct json config = json_get(root, "config");
    bool within = x->c->depth || x->c->in.derived;
    if (within && json_count(config))
        unlisted(x, json_key(json_first(config)), "stands in an archive within another file");
    for (struct json i = json_first(config); !within && json_type(i) && !x->no_memory;
         i = json_next(i))
        list(x, folder, json_key(i), i);
}

/* ---- the graph ---- */

static bool is_word(uint8_t c)
{
    return isalnum(c) || c == '_';
}

static bool among(struct span s, const char *const *words)
{
    for (; *words; words++)
        if (span_is(s, *words))
            return true;
    return false;
}

/* Numbers, symbols, operators, classes of sympy, and sizes of inputs. Anything else that Python
 * would evaluate has attributes, names with two underscores, or functions. */
static bool is_arithmetic(struct span s)
{
    static const char *const attributes[] = {"size", "shape", "stride", "storage_offset", "ndim",
                                             "dim",  "dtype", "device", "layout",         NULL};
    static const char *const functions[] = {"max", "min", "abs", "int", "float", "bool",
                                            "len", "not", "and", "or",  "in",    NULL};
    if (memmem(s.p, s.n, "__", 2))
        return false;
    for (size_t i = 0; i < s.n;) {
        size_t from = i;
        if (!isalpha(s.p[i]) && s.p[i] != '_') {
            if (!isalnum(s.p[i]) && !(s.p[i] && strchr("+-*/%<>=!&|~^()[],.' \"", s.p[i])))
                return false;
            i++;
            continue;
        }
        while (i < s.n && is_word(s.p[i]))
            i++;
        struct span word = span_sub(s, from, i - from);
        bool attribute = from > 0 && s.p[from - 1] == '.' && !(from > 1 && isdigit(s.p[from - 2]));
        bool called = i < s.n && s.p[i] == '(';
        if (attribute ? !among(word, attributes)
                      : called && !isupper(word.p[0]) && !among(word, functions))
            return false;
    }
    return true;
}

/* Operators of torch by their full names, Python's own, and torch's for symbols. */
static bool is_operator(struct span s)
{
    static const char *const harmful[] = {"_operator.attrgetter", "_operator.methodcaller",
                                          "_operator.call", NULL};
    static const char *const plain[] = {"_operator.", "math.", "torch.sym_", "torch._sym_",
                                        "torch._check"};
    for (size_t i = 0; i < s.n; i++)
        if (!is_word(s.p[i]) && s.p[i] != '.')
            return false;
    if (memmem(s.p, s.n, "__", 2) || among(s, harmful))
        return false;
    if (span_starts(s, "torch.ops."))
        return memchr(s.p + 10, '.', s.n - 10) != NULL;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        size_t n = strlen(plain[i]);
        if (span_starts(s, plain[i]))
            return s.n > n && !memchr(s.p + n, '.', s.n - n);
    }
    /* A name that is looked up nowhere stays a text. */
    return !span_starts(s, "torch") && !span_starts(s, "math") && !span_starts(s, "_operator");
}

static void judge(const struct content *in, struct json v, struct span key, unsigned depth)
{
    struct span text;
    char shown[SHOWN];
    if (json_string(v, &text)) {
        bool expression = span_is(key, "expr_str") || span_is(key, "guards_code");
        bool bad =
            (expression && !is_arithmetic(text)) || (span_is(key, "target") && !is_operator(text));
        if (bad)
            content_note(in, RULE_TORCH_EXPORT, json_offset(v), 0, "%.*s \"%s\"", (int)key.n,
                         (const char *)key.p, text_shown(shown, sizeof shown, text));
        return;
    }
    if (depth == DEPTH_MOST) {
        content_limit(in, json_offset(v), "a graph nested deeper than is followed");
        return;
    }
    bool object = json_type(v) == JSON_OBJECT;
    if (object || json_type(v) == JSON_ARRAY)
        for (struct json i = json_first(v); json_type(i); i = json_next(i))
            judge(in, i, object ? json_key(i) : key, depth + 1);
}

static void judge_graph(struct exported *x, size_t member)
{
    struct json root;
    struct content in = *x->c;
    char *where = arena_str(x->c->m->arena, x->a->members[member].name);
    x->no_memory = x->no_memory || !where;
    if (!where || !load_json(x, member, &root))
        return;
    in.where = where;
    in.in = input_part(&x->c->in, x->a->members[member].data, x->a->members[member].stored);
    in.in.derived = in.in.derived || x->a->members[member].method;
    judge(&in, root, SPAN_EMPTY, 0);
}

/* Examples of inputs: judged as any content, and no weights. */
static void examine_inputs(struct exported *x, size_t member)
{
    struct content own = *x->c, within;
    struct spool *spool;
    bool ok;
    own.inputs = true;
    bool done = content_member(&within, &spool, &own, &x->a->members[member], &ok);
    x->seen[member] = true;
    x->no_memory = !(done && (!ok || content_examine(&within)));
    spool_close(spool);
}

/* ---- the archive ---- */

static bool is_export(struct exported *x)
{
    char text[4] = "";
    struct err ignored = ERR_INIT;
    static const char marker[] = "/archive_format";
    for (size_t i = 0; i < x->a->count; i++) {
        const struct archive_member *m = &x->a->members[i];
        if (!span_ends(m->name, marker) || m->method || m->stored != 3 ||
            !input_read(&x->c->in, text, m->data, 3, &ignored) || strcmp(text, "pt2") != 0)
            continue;
        x->folder = span_sub(m->name, 0, m->name.n - sizeof marker + 2);
        return true;
    }
    return false;
}

static bool below(const struct exported *x, struct span name, const char *folder, const char *end)
{
    size_t n = x->folder.n;
    return name.n > n && memcmp(name.p, x->folder.p, n) == 0 &&
           span_starts(span_sub(name, n, name.n - n), folder) && span_ends(name, end);
}

bool torch_export_examine(const struct content *c, const struct archive *a, struct arena *scratch,
                          bool *seen)
{
    struct exported x = {.c = c, .a = a, .scratch = scratch, .seen = seen};
    if (!is_export(&x))
        return true;
    if (!index_members(&x))
        return false;
    if (!*c->where)
        c->m->files[c->file].format = FORMAT_PYTORCH;
    for (size_t i = 0; i < a->count && !x.no_memory; i++) {
        struct span name = a->members[i].name;
        if (below(&x, name, "data/weights/", "_config.json") ||
            below(&x, name, "data/constants/", "_config.json"))
            list_all(&x, i);
        else if (below(&x, name, "models/", ".json"))
            judge_graph(&x, i);
        else if (below(&x, name, "data/sample_inputs/", ".pt"))
            examine_inputs(&x, i);
    }
    return !x.no_memory;
}
