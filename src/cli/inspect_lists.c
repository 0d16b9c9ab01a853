/* The long lists of inspect: tensors, their statistics, metadata. */
#include <inttypes.h>

#include "assay/base/text.h"
#include "cli/inspect_view.h"
#include "cli/show.h"

static void tensor_row(struct table *t, const struct subject *s, size_t i)
{
    const struct tensor *x = &s->model->tensors[i];
    char name[SHOW_SIZE], shape[SHOW_SIZE], bytes[32], hex[DIGEST_HEX + 1];
    table_cell(t, "%s", show_text(name, x->name, SHOW_NAME));
    table_cell(t, "%s", dtype_name(x->dtype));
    table_cell(t, "%s", show_shape(shape, x));
    table_cell(t, "%s", text_bytes(bytes, sizeof bytes, x->data.length));
    table_cell(t, "%" PRIu64, x->data.offset);
    if (s->scan.tensor && s->scan.tensor_ok && s->scan.tensor_ok[i])
        table_cell(t, "%.16s\xe2\x80\xa6", digest_hex(hex, &s->scan.tensor[i]));
    else
        table_cell(t, "-");
}

static void put_tensors(struct out *o, const struct subject *s)
{
    static const char *const heads[] = {"name", "type", "shape", "size", "offset", "sha256"};
    struct table t;
    char heading[64];
    snprintf(heading, sizeof heading, "Tensors: %zu", s->model->tensor_count);
    out_heading(o, heading);
    table_init(&t, "lllrrl", true);
    for (size_t i = 0; i < 6; i++)
        table_cell(&t, "%s", heads[i]);
    for (size_t i = 0; i < s->model->tensor_count; i++)
        tensor_row(&t, s, i);
    table_print(&t, o, 2);
    table_free(&t);
}

static void stats_row(struct table *t, const struct tensor *x, const struct stats *v)
{
    char name[SHOW_SIZE], number[SHOW_SIZE];
    table_cell(t, "%s", show_text(name, x->name, SHOW_NAME));
    table_cell(t, "%s", dtype_name(x->dtype));
    bool finite = v->count > v->nan + v->inf;
    const double numbers[] = {v->min, v->max, stats_mean(v), stats_rms(v)};
    for (size_t i = 0; i < 4; i++)
        table_cell(t, "%s", finite ? show_number(number, numbers[i]) : "-");
    table_cell(t, "%s", v->count ? show_share(number, (double)v->zeros / (double)v->count) : "-");
    table_cell(t, "%" PRIu64, v->nan);
    table_cell(t, "%" PRIu64, v->inf);
}

static void put_stats(struct out *o, const struct subject *s)
{
    static const char *const heads[] = {"name", "type",  "min", "max", "mean",
                                        "rms",  "zeros", "NaN", "Inf"};
    struct table t;
    out_heading(o, "Statistics");
    if (!s->scan.stats) {
        out_put(o, "  not taken\n");
        return;
    }
    table_init(&t, "llrrrrrrr", true);
    for (size_t i = 0; i < 9; i++)
        table_cell(&t, "%s", heads[i]);
    for (size_t i = 0; i < s->model->tensor_count; i++)
        stats_row(&t, &s->model->tensors[i], &s->scan.stats[i]);
    table_print(&t, o, 2);
    table_free(&t);
}

static void put_metadata(struct out *o, const struct subject *s)
{
    const struct model *m = s->model;
    struct table t;
    char heading[64], key[SHOW_SIZE], value[SHOW_SIZE];
    snprintf(heading, sizeof heading, "Metadata: %zu", m->metadata_count);
    out_heading(o, heading);
    table_init(&t, "lll", false);
    for (size_t i = 0; i < m->metadata_count; i++) {
        const struct metadata *p = &m->metadata[i];
        table_cell(&t, "%s", show_text(key, p->key, SHOW_NAME));
        table_cell(&t, "%s", value_type_name(p->value.type));
        table_cell(&t, "%s", show_value(value, &p->value, 60));
    }
    table_print(&t, o, 2);
    table_free(&t);
}

void inspect_lists(struct out *o, const struct subject *s, const struct inspect_args *args)
{
    if (args->metadata)
        put_metadata(o, s);
    if (args->tensors)
        put_tensors(o, s);
    if (args->stats)
        put_stats(o, s);
}
