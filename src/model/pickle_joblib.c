/*
 * joblib writes an array's bytes into the middle of the pickle, right after
 * the state of its NumpyArrayWrapper: read over, or the rest would be decoded
 * as opcodes that no unpickler runs. joblib/numpy_pickle.py, read_array.
 */
#include "model/pickle.h"

#include <string.h>

static bool state_item(struct pickle *p, const char *key, pv *out)
{
    uint8_t text[64];
    size_t n;
    for (size_t i = 0; i < p->item_count; i++)
        if (pickle_text(p, p->item[i][0], text, sizeof text, &n) &&
            span_is((struct span){text, n}, key)) {
            *out = p->item[i][1];
            return true;
        }
    return false;
}

/* "<f4", "f8", "|b1": kind and width of NumPy's array interface. */
static bool numpy_width(struct span s, uint64_t *width, bool *object)
{
    size_t i = s.n && strchr("<>=|", s.p[0]) ? 1 : 0;
    *object = i < s.n && s.p[i] == 'O';
    *width = 0;
    for (size_t k = i + 1; k < s.n && s.p[k] >= '0' && s.p[k] <= '9' && *width < 100000; k++)
        *width = *width * 10 + (uint64_t)(s.p[k] - '0');
    if (i < s.n && s.p[i] == 'U')
        *width *= 4;
    return i < s.n && (*object || *width > 0);
}

static bool array_bytes(struct pickle *p, uint64_t *bytes, bool *object)
{
    uint8_t text[32];
    size_t n, items;
    pv shape, dtype, v;
    uint64_t width;
    if (!state_item(p, "shape", &shape) || !state_item(p, "dtype", &dtype) ||
        pv_kind(dtype) != PV_DTYPE ||
        !pickle_text(p, pv_make(PV_STR, 0, pv_at(dtype)), text, sizeof text, &n) ||
        !numpy_width((struct span){text, n}, &width, object) || !pickle_items(p, shape, &items))
        return false;
    *bytes = width;
    for (size_t i = 0; i < items; i++)
        if (!pickle_item(p, shape, i, &v) || pv_kind(v) != PV_INT ||
            !size_mul(bytes, *bytes, pv_at(v)))
            return false;
    return true;
}

/* Object arrays are a pickle of their own in that place. */
static bool inner_pickle(struct pickle *p)
{
    struct pickle inner;
    struct content within;
    uint64_t at = window_at(&p->w);
    bool ok = true;
    if (!content_within(&within, &p->c, input_part(&p->c.in, at, UINT64_MAX),
                        "an array of objects"))
        return pickle_over(p, "arrays of objects are nested deeper than is followed");
    if (!pickle_open(&inner, &within) || pickle_stream(&inner) == PICKLE_NO_MEMORY)
        ok = pickle_no_memory(p);
    else if (inner.end == PICKLE_STOPPED)
        window_skip(&p->w, window_at(&inner.w));
    else
        ok = pickle_fail(p, "an array of objects is no pickle");
    pickle_close(&inner);
    return ok;
}

bool pickle_array_gap(struct pickle *p, pv wrapper, pv state)
{
    const struct pickle_global *g = &p->globals[pv_class(wrapper)];
    uint64_t bytes = 0;
    bool object = false;
    pv padded;
    if (pv_class(wrapper) >= p->global_count || !span_is(g->name, "NumpyArrayWrapper"))
        return true;
    if (p->items_of != state || !array_bytes(p, &bytes, &object))
        return pickle_over(p, "an array within a joblib file has a form that is not known");
    if (p->frame_end == window_at(&p->w)) /* the frame ends here, before the array */
        p->frame_end = 0;
    if (object)
        return inner_pickle(p);
    /* Since joblib 1.2: one byte of how many follow so that the array is aligned. */
    if (state_item(p, "numpy_array_alignment_bytes", &padded) && pv_kind(padded) == PV_INT)
        window_skip(&p->w, window_u8(&p->w));
    if (bytes > window_left(&p->w))
        return pickle_fail(p, "an array within a joblib file reaches beyond the end");
    window_skip(&p->w, bytes);
    p->arrays += bytes;
    return true;
}
