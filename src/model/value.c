/*
 * Metadata values: reading one item at a time from an array's stored bytes,
 * and turning values of any numeric type into the one that is asked for.
 */
#include "model/reader.h"

static const struct {
    const char *name;
    uint8_t size; /* bytes of one item; 0: variable */
} types[VALUE_TYPES] = {
    [VALUE_U8] = {"u8", 1},   [VALUE_I8] = {"i8", 1},       [VALUE_U16] = {"u16", 2},
    [VALUE_I16] = {"i16", 2}, [VALUE_U32] = {"u32", 4},     [VALUE_I32] = {"i32", 4},
    [VALUE_F32] = {"f32", 4}, [VALUE_BOOL] = {"bool", 1},   [VALUE_STRING] = {"string", 0},
    [VALUE_U64] = {"u64", 8}, [VALUE_ARRAY] = {"array", 0}, [VALUE_I64] = {"i64", 8},
    [VALUE_F64] = {"f64", 8},
};

const char *value_type_name(enum value_type t)
{
    return (unsigned)t < VALUE_TYPES ? types[t].name : "?";
}

size_t value_type_size(enum value_type t)
{
    return (unsigned)t < VALUE_TYPES ? types[t].size : 0;
}

static void read_u8(struct cursor *c, struct value *v)
{
    v->u = cursor_u8(c);
}

static void read_i8(struct cursor *c, struct value *v)
{
    v->i = (int8_t)cursor_u8(c);
}

static void read_u16(struct cursor *c, struct value *v)
{
    v->u = cursor_u16(c);
}

static void read_i16(struct cursor *c, struct value *v)
{
    v->i = (int16_t)cursor_u16(c);
}

static void read_u32(struct cursor *c, struct value *v)
{
    v->u = cursor_u32(c);
}

static void read_i32(struct cursor *c, struct value *v)
{
    v->i = (int32_t)cursor_u32(c);
}

static void read_u64(struct cursor *c, struct value *v)
{
    v->u = cursor_u64(c);
}

static void read_i64(struct cursor *c, struct value *v)
{
    v->i = (int64_t)cursor_u64(c);
}

static void read_f32(struct cursor *c, struct value *v)
{
    v->f = (double)cursor_f32(c);
}

static void read_f64(struct cursor *c, struct value *v)
{
    v->f = cursor_f64(c);
}

static void read_string(struct cursor *c, struct value *v)
{
    v->string = cursor_take(c, cursor_u64(c));
}

typedef void read_item(struct cursor *c, struct value *v);

static read_item *const item_readers[VALUE_TYPES] = {
    [VALUE_U8] = read_u8,   [VALUE_I8] = read_i8,   [VALUE_U16] = read_u16,
    [VALUE_I16] = read_i16, [VALUE_U32] = read_u32, [VALUE_I32] = read_i32,
    [VALUE_F32] = read_f32, [VALUE_BOOL] = read_u8, [VALUE_STRING] = read_string,
    [VALUE_U64] = read_u64, [VALUE_I64] = read_i64, [VALUE_F64] = read_f64,
};

struct value_iter value_items(const struct value *array)
{
    if (array->type != VALUE_ARRAY)
        return (struct value_iter){.c = cursor_over(SPAN_EMPTY)};
    struct value_iter it = {
        .c = cursor_over(array->items), .element = array->element, .left = array->count};
    it.c.big_endian = array->big_endian;
    return it;
}

/* Arrays within arrays: docs/gguf.md allows them, the loader does not. */
static void skip_items(struct cursor *c, enum value_type element, uint64_t count, unsigned depth)
{
    if (element == VALUE_ARRAY && depth >= VALUE_MAX_NESTING) {
        cursor_fault(c, ERR_LIMIT, "arrays are nested deeper than the limit");
        return;
    }
    if (value_type_size(element) > 0) {
        count = cursor_count(c, count, value_type_size(element));
        cursor_take(c, count * value_type_size(element));
        return;
    }
    count = cursor_count(c, count, element == VALUE_STRING ? 8 : 12);
    for (uint64_t i = 0; i < count && cursor_ok(c); i++) {
        if (element == VALUE_STRING) {
            cursor_take(c, cursor_u64(c));
            continue;
        }
        uint32_t inner = cursor_u32(c);
        uint64_t n = cursor_u64(c);
        if (inner >= VALUE_TYPES)
            cursor_fault(c, ERR_FORMAT, "an unknown value type, so its length is unknown");
        else
            skip_items(c, (enum value_type)inner, n, depth + 1);
    }
}

void value_take_items(struct cursor *c, struct value *array)
{
    const uint8_t *base = c->base;
    size_t start = c->pos;
    skip_items(c, array->element, array->count, 1);
    array->big_endian = c->big_endian;
    array->items = cursor_ok(c) ? (struct span){base + start, c->pos - start} : SPAN_EMPTY;
    if (!cursor_ok(c))
        array->count = 0;
}

static void read_array(struct cursor *c, struct value *v)
{
    v->element =
        (enum value_type)cursor_atmost(c, cursor_u32(c), VALUE_TYPES - 1, "an unknown value type");
    v->count = cursor_u64(c);
    value_take_items(c, v);
}

void value_read(struct cursor *c, struct value *v)
{
    v->big_endian = c->big_endian;
    if (v->type == VALUE_ARRAY)
        read_array(c, v);
    else
        item_readers[v->type](c, v);
}

bool value_next(struct value_iter *it, struct value *item)
{
    if (it->left == 0 || !cursor_ok(&it->c))
        return false;
    *item = (struct value){.type = it->element};
    value_read(&it->c, item);
    it->left--;
    return cursor_ok(&it->c);
}

bool value_u64(const struct value *v, uint64_t *out)
{
    static const bool is_unsigned[VALUE_TYPES] = {
        [VALUE_U8] = true, [VALUE_U16] = true, [VALUE_U32] = true, [VALUE_U64] = true};
    static const bool is_signed[VALUE_TYPES] = {
        [VALUE_I8] = true, [VALUE_I16] = true, [VALUE_I32] = true, [VALUE_I64] = true};
    if (is_unsigned[v->type]) {
        *out = v->u;
        return true;
    }
    if (is_signed[v->type] && v->i >= 0) {
        *out = (uint64_t)v->i;
        return true;
    }
    return false;
}

bool value_double(const struct value *v, double *out)
{
    if (v->type == VALUE_F32 || v->type == VALUE_F64) {
        *out = v->f;
        return true;
    }
    uint64_t u;
    if (value_u64(v, &u)) {
        *out = (double)u;
        return true;
    }
    if (v->type == VALUE_I8 || v->type == VALUE_I16 || v->type == VALUE_I32 ||
        v->type == VALUE_I64) {
        *out = (double)v->i;
        return true;
    }
    return false;
}

bool metadata_u64(const struct model *m, const char *key, uint64_t *out)
{
    const struct metadata *d = model_metadata(m, key);
    return d && value_u64(&d->value, out);
}

bool metadata_double(const struct model *m, const char *key, double *out)
{
    const struct metadata *d = model_metadata(m, key);
    return d && value_double(&d->value, out);
}

bool metadata_bool(const struct model *m, const char *key, bool *out)
{
    const struct metadata *d = model_metadata(m, key);
    if (!d || d->value.type != VALUE_BOOL)
        return false;
    *out = d->value.u != 0;
    return true;
}

bool metadata_string(const struct model *m, const char *key, struct span *out)
{
    const struct metadata *d = model_metadata(m, key);
    if (!d || d->value.type != VALUE_STRING)
        return false;
    *out = d->value.string;
    return true;
}
