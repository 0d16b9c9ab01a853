/* Small pieces of safe text that several commands show. */
#include "cli/show.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "assay/base/text.h"

static const char *copy_out(char out[SHOW_SIZE], struct buf *b)
{
    struct span s = buf_span(b);
    size_t n = s.n < SHOW_SIZE ? s.n : SHOW_SIZE - 1;
    while (n && n < s.n && (s.p[n] & 0xC0) == 0x80)
        n--; /* never cut inside a character */
    if (n)
        memcpy(out, s.p, n);
    out[n] = '\0';
    buf_free(b);
    return out;
}

const char *show_text(char out[SHOW_SIZE], struct span s, size_t max)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    text_show(&b, s, max);
    return copy_out(out, &b);
}

const char *show_shape(char out[SHOW_SIZE], const struct tensor *t)
{
    size_t n = 0;
    if (t->rank == 0)
        return snprintf(out, SHOW_SIZE, "scalar"), out;
    for (uint32_t i = 0; i < t->rank && i < MODEL_MAX_RANK; i++)
        n += (size_t)snprintf(out + n, SHOW_SIZE - n, "%s%" PRIu64, i ? " x " : "", t->shape[i]);
    return out;
}

const char *show_number(char out[SHOW_SIZE], double v)
{
    if (isnan(v))
        snprintf(out, SHOW_SIZE, "NaN");
    else if (isinf(v))
        snprintf(out, SHOW_SIZE, v < 0 ? "-inf" : "inf");
    else
        snprintf(out, SHOW_SIZE, "%.6g", v);
    return out;
}

const char *show_share(char out[SHOW_SIZE], double share)
{
    if (share > 0 && share < 0.001)
        snprintf(out, SHOW_SIZE, "< 0.1 %%");
    else if (share > 0.999 && share < 1)
        snprintf(out, SHOW_SIZE, "> 99.9 %%");
    else
        snprintf(out, SHOW_SIZE, "%.1f %%", 100 * share);
    return out;
}

static void put_value(struct buf *b, const struct value *v, size_t max);

static void put_items(struct buf *b, const struct value *v, size_t max)
{
    buf_printf(b, "[%" PRIu64 " x %s]", v->count, value_type_name(v->element));
    struct value_iter it = value_items(v);
    struct value item;
    uint64_t shown = 0;
    while (b->n < max && v->element != VALUE_ARRAY && value_next(&it, &item)) {
        buf_put_str(b, shown++ ? ", " : " ");
        put_value(b, &item, 24);
    }
    if (shown && shown < v->count)
        buf_put_str(b, ", \xe2\x80\xa6");
}

static void put_value(struct buf *b, const struct value *v, size_t max)
{
    char number[64];
    uint64_t u;
    double d;
    if (v->type == VALUE_STRING)
        text_show(b, v->string, max);
    else if (v->type == VALUE_ARRAY)
        put_items(b, v, max);
    else if (v->type == VALUE_BOOL)
        buf_put_str(b, v->u ? "true" : "false");
    else if (value_u64(v, &u))
        buf_printf(b, "%" PRIu64, u);
    else if (v->type == VALUE_F32)
        buf_printf(b, "%.9g", v->f); /* enough to tell any two floats apart */
    else if (v->type == VALUE_F64 && value_double(v, &d))
        buf_put_str(b, text_double(number, sizeof number, d));
    else
        buf_printf(b, "%" PRId64, v->i);
}

const char *show_value(char out[SHOW_SIZE], const struct value *v, size_t max)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    put_value(&b, v, max);
    return copy_out(out, &b);
}
