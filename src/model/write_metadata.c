/* Lists of metadata to be written; a value's array is kept as the bytes that GGUF stores. */
#include "model/write.h"

#include <string.h>

void metadata_init(struct metadata_list *l, struct arena *a)
{
    memset(l, 0, sizeof *l);
    l->arena = a;
}

void metadata_set(struct metadata_list *l, const char *key, const struct value *v)
{
    struct metadata *d = NULL;
    for (size_t i = 0; i < l->count && !d; i++)
        if (span_is(l->items[i].key, key))
            d = &l->items[i];
    if (!d) {
        struct metadata *items = arena_grow(l->arena, l->items, l->count, &l->cap, sizeof *items);
        char *copy = arena_str(l->arena, span_str(key));
        if (!items || !copy) {
            l->failed = true;
            return;
        }
        l->items = items;
        d = &items[l->count++];
        *d = (struct metadata){.key = span_str(copy), .origin = ORIGIN_NOWHERE};
    }
    d->value = *v;
    if (v->type == VALUE_STRING)
        d->value.string = arena_span(l->arena, v->string);
    else if (v->type == VALUE_ARRAY)
        d->value.items = arena_span(l->arena, v->items);
    else
        return;
    const struct span *kept = v->type == VALUE_STRING ? &d->value.string : &d->value.items;
    size_t n = v->type == VALUE_STRING ? v->string.n : v->items.n;
    l->failed = l->failed || (n > 0 && !kept->p);
}

void metadata_set_str(struct metadata_list *l, const char *key, struct span text)
{
    metadata_set(l, key, &(struct value){.type = VALUE_STRING, .string = text});
}

void metadata_set_u32(struct metadata_list *l, const char *key, uint32_t v)
{
    metadata_set(l, key, &(struct value){.type = VALUE_U32, .u = v});
}

void metadata_set_f32(struct metadata_list *l, const char *key, float v)
{
    metadata_set(l, key, &(struct value){.type = VALUE_F32, .f = (double)v});
}

void metadata_set_bool(struct metadata_list *l, const char *key, bool v)
{
    metadata_set(l, key, &(struct value){.type = VALUE_BOOL, .u = v});
}

static void set_array(struct metadata_list *l, const char *key, enum value_type element, size_t n,
                      struct buf *items)
{
    struct value v = {
        .type = VALUE_ARRAY, .element = element, .count = n, .items = buf_span(items)};
    if (buf_ok(items))
        metadata_set(l, key, &v);
    else
        l->failed = true;
    buf_free(items);
}

void metadata_set_strs(struct metadata_list *l, const char *key, const struct span *v, size_t n)
{
    struct buf items;
    buf_init(&items, WRITE_MAX_HEADER);
    for (size_t i = 0; i < n; i++) {
        buf_put_u64le(&items, v[i].n);
        buf_put_span(&items, v[i]);
    }
    set_array(l, key, VALUE_STRING, n, &items);
}

void metadata_set_i32s(struct metadata_list *l, const char *key, const int32_t *v, size_t n)
{
    struct buf items;
    buf_init(&items, WRITE_MAX_HEADER);
    for (size_t i = 0; i < n; i++)
        buf_put_u32le(&items, (uint32_t)v[i]);
    set_array(l, key, VALUE_I32, n, &items);
}
