/*
 * Tensors as torch's rebuild functions describe them, and the containers that
 * hold them. Only containers that lead to a tensor are remembered, so a pickle
 * without tensors costs nothing here.
 */
#include "model/pickle.h"

#include <string.h>

/* ---- containers ---- */

static pv id_of(pv v)
{
    return pv_make(pv_kind(v), 0, pv_at(v));
}

static struct span key_of(const pv *id)
{
    return (struct span){(const uint8_t *)id, sizeof *id};
}

struct pickle_node *pickle_node(const struct pickle *p, pv v)
{
    pv id = id_of(v);
    uint32_t i = map_get(&p->nodes, key_of(&id));
    return i == MAP_NONE ? NULL : p->node[i];
}

static struct pickle_node *node_for(struct pickle *p, pv v)
{
    struct pickle_node *n = pickle_node(p, v);
    uint32_t previous;
    if (n || p->node_count >= PICKLE_TENSORS)
        return n;
    struct pickle_node **all = arena_grow(p->a, p->node, p->node_count, &p->node_cap, sizeof *all);
    n = all ? arena_alloc(p->a, sizeof *n) : NULL;
    if (!n)
        return NULL;
    n->id = id_of(v);
    p->node = all;
    if (!map_put(&p->nodes, key_of(&n->id), (uint32_t)p->node_count, &previous))
        return NULL;
    all[p->node_count++] = n;
    return n;
}

void pickle_attach(struct pickle *p, pv container, pv key, pv value)
{
    enum pv_kind k = pv_kind(container);
    if (k != PV_DICT && k != PV_LIST && k != PV_TUPLE && k != PV_INST)
        return;
    struct pickle_node *n = node_for(p, container);
    struct pickle_link *l = n ? arena_alloc(p->a, sizeof *l) : NULL;
    if (!l)
        return;
    *l = (struct pickle_link){.key = key, .value = value};
    if (n->last)
        n->last->next = l;
    else
        n->first = l;
    n->last = l;
}

/* ---- tensors ---- */

enum dtype pickle_storage_dtype(struct span name)
{
    static const struct {
        const char *name;
        enum dtype dtype;
    } names[] = {{"FloatStorage", DTYPE_F32},
                 {"HalfStorage", DTYPE_F16},
                 {"BFloat16Storage", DTYPE_BF16},
                 {"DoubleStorage", DTYPE_F64},
                 {"LongStorage", DTYPE_I64},
                 {"IntStorage", DTYPE_I32},
                 {"ShortStorage", DTYPE_I16},
                 {"CharStorage", DTYPE_I8},
                 {"ByteStorage", DTYPE_U8},
                 {"BoolStorage", DTYPE_BOOL},
                 {"ComplexFloatStorage", DTYPE_C64},
                 {"ComplexDoubleStorage", DTYPE_C128},
                 {"Float8_e4m3fnuzStorage", DTYPE_F8_E4M3FNUZ},
                 {"Float8_e5m2fnuzStorage", DTYPE_F8_E5M2FNUZ},
                 {"Float8_e8m0fnuStorage", DTYPE_F8_E8M0},
                 {"UInt16Storage", DTYPE_U16},
                 {"UInt32Storage", DTYPE_U32},
                 {"UInt64Storage", DTYPE_U64},
                 {"Float8_e4m3fnStorage", DTYPE_F8_E4M3},
                 {"Float8_e5m2Storage", DTYPE_F8_E5M2},
                 {"QUInt8Storage", DTYPE_U8},
                 {"QInt8Storage", DTYPE_I8},
                 {"QInt32Storage", DTYPE_I32},
                 {"UntypedStorage", DTYPE_U8}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(name, names[i].name))
            return names[i].dtype;
    return DTYPE_NONE;
}

/* _rebuild_tensor_v3 names the type of elements over an untyped storage. */
static enum dtype torch_dtype(struct span name)
{
    static const struct {
        const char *name;
        enum dtype dtype;
    } names[] = {{"float32", DTYPE_F32},
                 {"float16", DTYPE_F16},
                 {"bfloat16", DTYPE_BF16},
                 {"float64", DTYPE_F64},
                 {"int64", DTYPE_I64},
                 {"int32", DTYPE_I32},
                 {"int16", DTYPE_I16},
                 {"int8", DTYPE_I8},
                 {"uint8", DTYPE_U8},
                 {"bool", DTYPE_BOOL},
                 {"uint16", DTYPE_U16},
                 {"uint32", DTYPE_U32},
                 {"uint64", DTYPE_U64},
                 {"complex64", DTYPE_C64},
                 {"float8_e4m3fn", DTYPE_F8_E4M3},
                 {"float8_e5m2", DTYPE_F8_E5M2},
                 {"complex128", DTYPE_C128},
                 {"float8_e4m3fnuz", DTYPE_F8_E4M3FNUZ},
                 {"float8_e5m2fnuz", DTYPE_F8_E5M2FNUZ},
                 {"float8_e8m0fnu", DTYPE_F8_E8M0}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(name, names[i].name))
            return names[i].dtype;
    return DTYPE_NONE;
}

static bool sizes(const struct pickle *p, pv tuple, uint64_t out[MODEL_MAX_RANK], uint32_t *rank)
{
    size_t n;
    if (!pickle_items(p, tuple, &n) || n > MODEL_MAX_RANK)
        return false;
    for (size_t i = 0; i < n; i++) {
        pv v;
        if (!pickle_item(p, tuple, i, &v) || pv_kind(v) != PV_INT)
            return false;
        out[i] = pv_at(v);
    }
    *rank = (uint32_t)n;
    return true;
}

pv pickle_rebuild(struct pickle *p, struct span function, pv arguments)
{
    pv storage, offset, size, stride, dtype;
    uint32_t strides;
    pv other = pv_make(PV_INST, 0, p->op_at);
    struct pickle_tensor t = {.at = p->op_at, .dtype = DTYPE_NONE};
    bool ok = pickle_item(p, arguments, 0, &storage) && pv_kind(storage) == PV_STORAGE &&
              pickle_item(p, arguments, 1, &offset) && pv_kind(offset) == PV_INT &&
              pickle_item(p, arguments, 2, &size) && sizes(p, size, t.shape, &t.rank) &&
              pickle_item(p, arguments, 3, &stride) && sizes(p, stride, t.stride, &strides) &&
              strides == t.rank && p->tensor_count < PICKLE_TENSORS;
    if (!ok) {
        pickle_note(p, RULE_TORCH_TENSOR, "a tensor whose sizes are not all known is not listed");
        content_incomplete(&p->c);
        return other;
    }
    if (span_is(function, "_rebuild_tensor_v3") && pickle_item(p, arguments, 6, &dtype) &&
        pv_kind(dtype) == PV_GLOBAL)
        t.dtype = torch_dtype(p->globals[pv_class(dtype)].name);
    struct pickle_tensor *all =
        arena_grow(p->a, p->tensors, p->tensor_count, &p->tensor_cap, sizeof *all);
    if (!all)
        return other;
    t.storage = (uint32_t)pv_at(storage);
    t.offset = pv_at(offset);
    p->tensors = all;
    all[p->tensor_count] = t;
    return pv_make(PV_TENSOR, 0, p->tensor_count++);
}
