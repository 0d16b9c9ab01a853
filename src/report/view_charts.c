/*
 * Charts as lists of lines, rectangles and texts with whole-number places: calls,
 * tokens, time to answer and endings over time, the element types of the weights,
 * and the lineage. The template only sets them down.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "report/activity.h"
#include "report/view.h"

enum {
    WIDTH = 720,
    HEIGHT = 170,
    LEFT = 58,
    TOP = 12,
    BOTTOM = 24, /* room for the days */
    BUCKETS = 60,
    LINEAGE_ROWS = 16,
    ROW = 58, /* of the lineage: a box and the room below it */
    BOX = 40,
    BOX_WIDE = 250
};

struct bucket {
    uint64_t from_us, calls, errors, refused, tokens_in, tokens_out, latency_us, timed;
};

struct series {
    struct bucket bucket[BUCKETS];
    size_t count;
    uint64_t hours; /* of one bucket */
};

static void put_number(struct json_writer *w, const char *key, uint64_t n)
{
    view_printf(w, key, "%" PRIu64, n);
}

static void make_series(struct series *s, const struct activity *y)
{
    *s = (struct series){.hours = y->hour_count / BUCKETS + (y->hour_count % BUCKETS != 0)};
    static const uint64_t steps[] = {1, 3, 6, 12, 24, 48, 168, 336, 720};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (s->hours <= steps[i]) {
            s->hours = steps[i];
            break;
        }
    for (uint64_t h = 0; s->hours && h < y->hour_count; h++) {
        size_t at = (size_t)(h / s->hours);
        if (at >= BUCKETS)
            at = BUCKETS - 1;
        struct bucket *b = &s->bucket[at];
        const struct hour *x = &y->hours[h];
        b->from_us = (y->first_hour + at * s->hours) * UINT64_C(3600000000);
        b->calls += x->calls;
        b->errors += x->errors;
        b->refused += x->refused;
        b->tokens_in += x->tokens_in;
        b->tokens_out += x->tokens_out;
        b->latency_us += x->latency_us;
        b->timed += x->timed;
        s->count = at + 1;
    }
}

/* ---- drawing ---- */

struct mark {
    const char *class;
    uint64_t x, y, w, h;
    char says[120];
};

struct drawing {
    struct mark rects[3 * BUCKETS + 64];
    size_t rect_count;
    struct {
        uint64_t x, y;
        const char *align;
        char text[120];
    } texts[64];
    size_t text_count;
    struct {
        const char *class;
        uint64_t x1, y1, x2, y2;
    } lines[LINEAGE_ROWS];
    size_t line_count;
    uint64_t height;
};

static void rect(struct drawing *d, const char *class, uint64_t x, uint64_t y, uint64_t w,
                 uint64_t h, const char *says)
{
    if (d->rect_count == sizeof d->rects / sizeof d->rects[0] || h == 0)
        return;
    struct mark *m = &d->rects[d->rect_count++];
    *m = (struct mark){.class = class, .x = x, .y = y, .w = w, .h = h};
    snprintf(m->says, sizeof m->says, "%s", says);
}

static void text(struct drawing *d, uint64_t x, uint64_t y, const char *align, const char *s)
{
    if (d->text_count == sizeof d->texts / sizeof d->texts[0])
        return;
    d->texts[d->text_count].x = x;
    d->texts[d->text_count].y = y;
    d->texts[d->text_count].align = align;
    snprintf(d->texts[d->text_count].text, sizeof d->texts[0].text, "%s", s);
    d->text_count++;
}

static void put_line(struct json_writer *w, const char *class, uint64_t x1, uint64_t y1,
                     uint64_t x2, uint64_t y2)
{
    jw_object(w);
    view_str(w, "class", class);
    put_number(w, "x1", x1);
    put_number(w, "y1", y1);
    put_number(w, "x2", x2);
    put_number(w, "y2", y2);
    jw_end_object(w);
}

static void put_drawing(struct json_writer *w, const struct drawing *d, const char *title,
                        const char *caption, bool axis)
{
    jw_object(w);
    view_str(w, "title", title);
    view_str(w, "caption", caption);
    put_number(w, "width", WIDTH);
    put_number(w, "height", d->height);
    jw_key(w, "lines");
    jw_array(w);
    if (axis)
        put_line(w, "axis", LEFT, d->height - BOTTOM, WIDTH - 4, d->height - BOTTOM);
    for (size_t i = 0; i < d->line_count; i++)
        put_line(w, d->lines[i].class, d->lines[i].x1, d->lines[i].y1, d->lines[i].x2,
                 d->lines[i].y2);
    jw_end_array(w);
    jw_key(w, "rects");
    jw_array(w);
    for (size_t i = 0; i < d->rect_count; i++) {
        const struct mark *m = &d->rects[i];
        jw_object(w);
        view_str(w, "class", m->class);
        put_number(w, "x", m->x);
        put_number(w, "y", m->y);
        put_number(w, "w", m->w);
        put_number(w, "h", m->h);
        view_str(w, "says", m->says);
        jw_end_object(w);
    }
    jw_end_array(w);
    jw_key(w, "texts");
    jw_array(w);
    for (size_t i = 0; i < d->text_count; i++) {
        jw_object(w);
        put_number(w, "x", d->texts[i].x);
        put_number(w, "y", d->texts[i].y);
        view_str(w, "align", d->texts[i].align);
        view_str(w, "text", d->texts[i].text);
        jw_end_object(w);
    }
    jw_end_array(w);
    jw_end_object(w);
}

/* Up to three values of a bucket, stacked from the bottom; the first is the lowest. */
struct stack {
    uint64_t value[3];
    const char *class[3], *name[3];
};

typedef struct stack stack_of(const struct bucket *b);

static struct stack calls_of(const struct bucket *b)
{
    uint64_t bad = b->errors + b->refused;
    return (struct stack){{b->calls > bad ? b->calls - bad : 0, b->refused, b->errors},
                          {"a", "warn", "bad"},
                          {"answered", "refused", "errors"}};
}

static struct stack tokens_of(const struct bucket *b)
{
    return (struct stack){
        {b->tokens_out, b->tokens_in, 0}, {"a", "b", "b"}, {"tokens out", "tokens in", ""}};
}

static struct stack latency_of(const struct bucket *b)
{
    return (struct stack){{b->timed ? b->latency_us / b->timed / 1000 : 0, 0, 0},
                          {"a", "a", "a"},
                          {"ms on average", "", ""}};
}

static uint64_t total(const struct stack *s)
{
    return s->value[0] + s->value[1] + s->value[2];
}

static void draw_bucket(struct drawing *d, const struct stack *s, const struct bucket *b, size_t at,
                        size_t count, uint64_t most)
{
    const uint64_t room = HEIGHT - TOP - BOTTOM, wide = WIDTH - LEFT - 4;
    uint64_t x = LEFT + at * wide / count, next = LEFT + (at + 1) * wide / count;
    uint64_t y = HEIGHT - BOTTOM;
    char when[CLOCK_TEXT], says[120];
    clock_text(when, b->from_us);
    for (size_t i = 0; i < 3; i++) {
        uint64_t h = (uint64_t)((double)s->value[i] / (double)most * (double)room + 0.5);
        if (s->value[i] && h == 0)
            h = 1;
        snprintf(says, sizeof says, "%.16s: %" PRIu64 " %s", when, s->value[i], s->name[i]);
        y -= h < y ? h : y;
        rect(d, s->class[i], x, y, next > x + 2 ? next - x - 1 : 1, h, says);
    }
}

static void chart(struct json_writer *w, const struct series *s, stack_of *of, const char *title,
                  const char *caption)
{
    struct drawing d = {.height = HEIGHT};
    uint64_t most = 0;
    char label[64], when[CLOCK_TEXT];
    for (size_t i = 0; i < s->count; i++) {
        struct stack v = of(&s->bucket[i]);
        most = total(&v) > most ? total(&v) : most;
    }
    if (most == 0)
        return;
    for (size_t i = 0; i < s->count; i++) {
        struct stack v = of(&s->bucket[i]);
        struct bucket b = s->bucket[i];
        b.from_us = s->bucket[0].from_us + i * s->hours * UINT64_C(3600000000);
        draw_bucket(&d, &v, &b, i, s->count, most);
    }
    text(&d, LEFT - 8, TOP + 8, "end", text_grouped(label, sizeof label, most));
    text(&d, LEFT - 8, HEIGHT - BOTTOM, "end", "0");
    clock_text(when, s->bucket[0].from_us);
    snprintf(label, sizeof label, "%.10s", when);
    text(&d, LEFT, HEIGHT - 8, "start", label);
    clock_text(when, s->bucket[0].from_us + s->count * s->hours * UINT64_C(3600000000) - 1);
    snprintf(label, sizeof label, "%.10s", when);
    text(&d, WIDTH - 4, HEIGHT - 8, "end", label);
    put_drawing(w, &d, title, caption, true);
}

static const char *step_name(char out[64], uint64_t hours)
{
    if (hours % 24 == 0)
        snprintf(out, 64, "%" PRIu64 " day%s a bar", hours / 24, hours == 24 ? "" : "s");
    else
        snprintf(out, 64, "%" PRIu64 " hour%s a bar", hours, hours == 1 ? "" : "s");
    return out;
}

static void call_charts(struct json_writer *w, const struct report *r)
{
    struct series s;
    char step[64], caption[200];
    if (!r->activity || r->activity->calls == 0)
        return;
    make_series(&s, r->activity);
    step_name(step, s.hours);
    snprintf(caption, sizeof caption, "%s; refused calls amber, errors red, in UTC.", step);
    chart(w, &s, calls_of, "Calls through Assay", caption);
    snprintf(caption, sizeof caption, "%s; answers below, prompts above them.", step);
    chart(w, &s, tokens_of, "Tokens", caption);
    snprintf(caption, sizeof caption,
             "Milliseconds from the request's last byte to its record, the mean of %s.", step);
    chart(w, &s, latency_of, "Time to answer", caption);
}

static void element_chart(struct json_writer *w, const struct report *r)
{
    const struct report_model *m = r->in->model;
    struct drawing d = {.height = 8};
    uint64_t all = 0;
    if (!m)
        return;
    for (int i = 0; i < DTYPE_COUNT; i++)
        all += m->facts->types[i].elements;
    for (int i = 0; i < DTYPE_COUNT && all; i++) {
        const struct dtype_use *u = &m->facts->types[i];
        char label[120], n[40], bytes[32];
        if (u->tensors == 0 || d.height > 400)
            continue;
        double share = (double)u->elements / (double)all;
        text_bytes(bytes, sizeof bytes, u->bytes);
        snprintf(label, sizeof label, "%s: %s elements in %" PRIu64 " tensors, %s, %.1f %%",
                 dtypes[i].name, text_grouped(n, sizeof n, u->elements), u->tensors, bytes,
                 100.0 * share);
        text(&d, LEFT - 8, d.height + 13, "end", dtypes[i].name);
        rect(&d, "a", LEFT, d.height + 2, (uint64_t)(share * 300) + 1, 14, label);
        text(&d, LEFT + (uint64_t)(share * 300) + 9, d.height + 13, "start",
             label + strlen(dtypes[i].name) + 2);
        d.height += 24;
    }
    if (d.rect_count)
        put_drawing(w, &d, "Element types of the weights", "Share of all elements as stored.",
                    false);
}

/* ---- lineage ---- */

/* Columns of boxes, the model in the last; the more there are, the narrower. */
struct columns {
    uint64_t count, wide, step;
};

static struct columns columns_for(const struct lineage_row *rows, size_t n)
{
    uint64_t deepest = 1;
    for (size_t i = 0; i < n; i++)
        if (rows[i].depth > deepest && rows[i].depth <= LINEAGE_DEPTH)
            deepest = rows[i].depth;
    const uint64_t wide = deepest == 1 ? BOX_WIDE : deepest == 2 ? 170 : 360 / deepest;
    return (struct columns){deepest, wide, (WIDTH - wide - 2) / deepest};
}

static void box(struct drawing *d, const char *class, const struct columns *c, uint64_t x,
                uint64_t y, const char *name, const char *kind)
{
    char shown[48], says[120];
    snprintf(says, sizeof says, "%.100s", name);
    rect(d, class, x, y, c->wide, BOX, says);
    text(d, x + 10, y + 17, "start", text_shown(shown, c->wide / 7, span_str(name)));
    text(d, x + 10, y + 32, "start", kind);
}

/* What it was made from at the left, a row each; what was made of it to the right. */
static void draw_lineage(struct drawing *d, const struct lineage *l, const struct lineage_row *rows,
                         size_t n)
{
    static const char *const classes[] = {"edge-declared", "edge-verified", "edge-contradicted"};
    const struct columns c = columns_for(rows, n);
    const uint64_t middle = 6 + (n - 1) * ROW / 2;
    char label[80];
    for (size_t i = 0; i < n; i++) {
        const struct lineage_edge *e = rows[i].edge;
        uint64_t x = 2 + (c.count - rows[i].depth) * c.step, y = 6 + i * ROW;
        uint64_t to = rows[i].below == SIZE_MAX ? middle : 6 + rows[i].below * ROW;
        box(d, "box", &c, x, y, l->nodes[e->from].name, l->nodes[e->from].kind);
        d->lines[d->line_count].class = classes[e->status];
        d->lines[d->line_count].x1 = x + c.wide;
        d->lines[d->line_count].y1 = y + BOX / 2;
        d->lines[d->line_count].x2 = x + c.step;
        d->lines[d->line_count++].y2 = to + BOX / 2;
        if (c.count == 1)
            snprintf(label, sizeof label, "%.24s, %s", e->relation, edge_status_name(e->status));
        else
            snprintf(label, sizeof label, "%.12s", e->relation);
        /* beside the line, which leaves upwards or downwards */
        text(d, x + c.wide + 12, to < y ? y + BOX / 2 + 14 : y + BOX / 2 - 6, "start", label);
    }
    box(d, "box own", &c, 2 + c.count * c.step, middle, l->nodes[0].name, "this model");
}

static void lineage_graph(struct json_writer *w, const struct report *r)
{
    const struct lineage *l = r->lineage;
    struct lineage_row rows[LINEAGE_ROWS];
    char caption[900] =
        "Each step is declared by a document, verified from the tensors of both or from "
        "the log that recorded it, or contradicted by them.";
    size_t n = l ? lineage_rows(rows, LINEAGE_ROWS, l) : 0;
    if (n == 0)
        return;
    struct drawing d = {.height = n * ROW};
    for (size_t i = 0; i < n; i++) {
        const struct lineage_edge *e = rows[i].edge;
        char name[48];
        size_t at = strlen(caption);
        snprintf(caption + at, sizeof caption - at, "%s %s: %.30s, %s", i ? ";" : "",
                 text_shown(name, 36, span_str(l->nodes[e->from].name)), e->relation,
                 edge_status_name(e->status));
    }
    if (l->edge_count > n) {
        size_t at = strlen(caption);
        snprintf(caption + at, sizeof caption - at, "; and %zu more", l->edge_count - n);
    }
    draw_lineage(&d, l, rows, n);
    put_drawing(w, &d, "Lineage", caption, false);
}

bool view_has_charts(const struct report *r)
{
    return (r->activity && r->activity->calls) ||
           (r->in->model && r->in->model->model->tensor_count);
}

void view_charts(struct json_writer *w, const struct report *r)
{
    jw_key(w, "charts");
    jw_array(w);
    call_charts(w, r);
    element_chart(w, r);
    lineage_graph(w, r);
    jw_end_array(w);
}
