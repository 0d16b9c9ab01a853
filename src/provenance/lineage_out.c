/* Lineage as a tree for people, JSON, SVG, W3C PROV-JSON and SLSA provenance. */
#include <inttypes.h>
#include <string.h>

#include "assay/provenance.h"

static bool done(struct buf *out, const struct json_writer *w, struct err *e)
{
    if (w)
        buf_put_str(out, "\n");
    return (buf_ok(out) && !(w && w->failed)) ||
           err_set(e, ERR_MEMORY, "out of memory for a lineage");
}

/* ---- the order of reading ---- */

struct walk {
    struct lineage_row *rows;
    size_t most, n;
    const struct lineage *l;
};

static bool was_opened(const struct walk *k, size_t node)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->rows[i].edge->to == node)
            return true;
    return false;
}

/* An ancestor's own ancestors stand below it once: where it occurs first. */
static void visit(struct walk *k, size_t to, size_t below, size_t depth)
{
    size_t last = SIZE_MAX;
    if (depth > LINEAGE_DEPTH || was_opened(k, to))
        return;
    for (size_t i = 0; i < k->l->edge_count && k->n < k->most; i++) {
        const struct lineage_edge *x = &k->l->edges[i];
        if (x->to != to)
            continue;
        last = k->n;
        k->rows[k->n++] = (struct lineage_row){x, depth, below, false};
        visit(k, x->from, last, depth + 1);
    }
    if (last != SIZE_MAX)
        k->rows[last].last = true;
}

size_t lineage_rows(struct lineage_row *rows, size_t most, const struct lineage *l)
{
    struct walk k = {.rows = rows, .most = most, .l = l};
    visit(&k, 0, SIZE_MAX, 1);
    return k.n;
}

/* ---- a tree ---- */

enum { ROWS = 1024 };

/* The lines that pass a row, from those it stands under. */
static void put_lines(struct buf *out, const struct lineage_row *rows, size_t row)
{
    if (row == SIZE_MAX)
        return;
    put_lines(out, rows, rows[row].below);
    buf_put_str(out, rows[row].last ? "   " : "\xe2\x94\x82  ");
}

bool lineage_text(struct buf *out, const struct lineage *l, struct err *e)
{
    struct lineage_row rows[ROWS];
    size_t n = lineage_rows(rows, ROWS, l);
    buf_printf(out, "%s\n", l->nodes[0].name);
    if (l->trouble)
        buf_printf(out, "   not read: %s\n", l->trouble);
    for (size_t i = 0; i < n; i++) {
        const struct lineage_edge *x = rows[i].edge;
        put_lines(out, rows, rows[i].below);
        buf_printf(out, "%s %s: %s [%s]\n",
                   rows[i].last ? "\xe2\x94\x94\xe2\x94\x80" : "\xe2\x94\x9c\xe2\x94\x80",
                   x->relation, l->nodes[x->from].name, edge_status_name(x->status));
        put_lines(out, rows, i);
        buf_printf(out, "  %s\n", x->because);
    }
    return done(out, NULL, e);
}

/* ---- JSON ---- */

static void put_str(struct json_writer *w, const char *key, const char *s)
{
    jw_key(w, key);
    jw_str(w, s);
}

bool lineage_json(struct buf *out, const struct lineage *l, struct err *e)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, true);
    jw_object(&w);
    put_str(&w, "schema", "assay.lineage/1");
    put_str(&w, "version", ASSAY_VERSION);
    jw_key(&w, "nodes");
    jw_array(&w);
    for (size_t i = 0; i < l->node_count; i++) {
        jw_object(&w);
        put_str(&w, "name", l->nodes[i].name);
        put_str(&w, "kind", l->nodes[i].kind);
        put_str(&w, "tensor_root", l->nodes[i].digest);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_key(&w, "edges");
    jw_array(&w);
    for (size_t i = 0; i < l->edge_count; i++) {
        const struct lineage_edge *x = &l->edges[i];
        jw_object(&w);
        jw_key(&w, "from");
        jw_u64(&w, x->from);
        jw_key(&w, "to");
        jw_u64(&w, x->to);
        put_str(&w, "relation", x->relation);
        put_str(&w, "status", edge_status_name(x->status));
        put_str(&w, "because", x->because);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    put_str(&w, "trouble", l->trouble);
    jw_end_object(&w);
    return done(out, &w, e);
}

/* ---- SVG: ancestors on the left, what was made of them on the right ---- */

enum { BOX_W = 300, BOX_H = 44, GAP = 18, COLUMN = 470 };

static void put_escaped(struct buf *out, const char *s, size_t most)
{
    for (size_t n = 0; *s && n < most; s++, n++) {
        if (*s == '&')
            buf_put_str(out, "&amp;");
        else if (*s == '<')
            buf_put_str(out, "&lt;");
        else if (*s == '>')
            buf_put_str(out, "&gt;");
        else
            buf_put_u8(out, (uint8_t)*s);
    }
}

static void box(struct buf *out, size_t x, size_t y, const struct lineage_node *n)
{
    buf_printf(out,
               "<rect x=\"%zu\" y=\"%zu\" width=\"%d\" height=\"%d\" rx=\"5\" fill=\"#f6f5f1\" "
               "stroke=\"#58616b\"/><text x=\"%zu\" y=\"%zu\">",
               x, y, BOX_W, BOX_H, x + 12, y + 18);
    put_escaped(out, n->name, 42);
    buf_printf(out, "</text><text x=\"%zu\" y=\"%zu\" fill=\"#58616b\">", x + 12, y + 35);
    put_escaped(out, n->kind, 20);
    if (n->digest)
        buf_printf(out, " %.16s", n->digest);
    buf_put_str(out, "</text>\n");
}

/* A step: the ancestor's box, a line to what was made of it, and what is known of the step. */
static void arrow(struct buf *out, const struct lineage_edge *x, size_t left, size_t at,
                  size_t right, size_t to)
{
    static const char *const colours[] = {"#8a929b", "#1b6b3a", "#a3161b"};
    size_t bend = (left + right) / 2;
    buf_printf(out,
               "<path d=\"M%zu %zu C %zu %zu %zu %zu %zu %zu\" fill=\"none\" stroke=\"%s\" "
               "stroke-width=\"1.6\"%s/>",
               left, at, bend, at, bend, to, right, to, colours[x->status],
               x->status == EDGE_DECLARED ? " stroke-dasharray=\"5 4\"" : "");
    buf_printf(out, "<text x=\"%zu\" y=\"%zu\" fill=\"%s\">", left + 6, at - 5, colours[x->status]);
    put_escaped(out, x->relation, 20);
    buf_printf(out, ", %s</text>\n", edge_status_name(x->status));
}

bool lineage_svg(struct buf *out, const struct lineage *l, struct err *e)
{
    struct lineage_row rows[ROWS];
    size_t n = lineage_rows(rows, ROWS, l), high = (n ? n : 1) * (BOX_H + GAP) + GAP, columns = 1;
    for (size_t i = 0; i < n; i++)
        columns = rows[i].depth > columns ? rows[i].depth : columns;
    size_t own = 10 + columns * COLUMN;
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %zu %zu\" role=\"img\" "
               "aria-label=\"Lineage\" font-family=\"sans-serif\" font-size=\"12\">\n",
               own + BOX_W + 20, high);
    for (size_t i = 0; i < n; i++) {
        size_t y = GAP + i * (BOX_H + GAP), x = 10 + (columns - rows[i].depth) * COLUMN;
        size_t to =
            rows[i].below == SIZE_MAX ? high / 2 : GAP + rows[i].below * (BOX_H + GAP) + BOX_H / 2;
        box(out, x, y, &l->nodes[rows[i].edge->from]);
        arrow(out, rows[i].edge, x + BOX_W, y + BOX_H / 2, x + COLUMN, to);
    }
    box(out, own, high / 2 - BOX_H / 2, &l->nodes[0]);
    buf_put_str(out, "</svg>\n");
    return done(out, NULL, e);
}

/* ---- exports ---- */

static void put_id(struct json_writer *w, const char *key, size_t i)
{
    char id[32];
    struct buf b;
    buf_init(&b, sizeof id);
    buf_printf(&b, "assay:n%zu", i);
    jw_key(w, key);
    jw_string(w, buf_span(&b));
    buf_free(&b);
}

bool lineage_prov(struct buf *out, const struct lineage *l, struct err *e)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, true);
    jw_object(&w);
    jw_key(&w, "prefix");
    jw_object(&w);
    put_str(&w, "assay", "https://assay.invalid/prov/");
    jw_end_object(&w);
    jw_key(&w, "entity");
    jw_object(&w);
    for (size_t i = 0; i < l->node_count; i++) {
        char id[32];
        struct buf b;
        buf_init(&b, sizeof id);
        buf_printf(&b, "assay:n%zu", i);
        jw_key(&w, buf_cstr(&b));
        buf_free(&b);
        jw_object(&w);
        put_str(&w, "prov:label", l->nodes[i].name);
        put_str(&w, "prov:type",
                strcmp(l->nodes[i].kind, "dataset") == 0 ? "assay:dataset" : "assay:model");
        if (l->nodes[i].digest)
            put_str(&w, "assay:tensorRoot", l->nodes[i].digest);
        jw_end_object(&w);
    }
    jw_end_object(&w);
    jw_key(&w, "wasDerivedFrom");
    jw_object(&w);
    for (size_t i = 0; i < l->edge_count; i++) {
        struct buf b;
        buf_init(&b, 64);
        buf_printf(&b, "_:d%zu", i);
        jw_key(&w, buf_cstr(&b));
        buf_free(&b);
        jw_object(&w);
        put_id(&w, "prov:generatedEntity", l->edges[i].to);
        put_id(&w, "prov:usedEntity", l->edges[i].from);
        put_str(&w, "assay:relation", l->edges[i].relation);
        put_str(&w, "assay:status", edge_status_name(l->edges[i].status));
        put_str(&w, "assay:because", l->edges[i].because);
        jw_end_object(&w);
    }
    jw_end_object(&w);
    jw_end_object(&w);
    return done(out, &w, e);
}

static void put_root(struct json_writer *w, const char *digest)
{
    jw_key(w, "digest");
    jw_object(w);
    if (digest)
        put_str(w, "assayTensorRoot", digest);
    jw_end_object(w);
}

bool lineage_slsa(struct buf *out, const struct lineage *l, struct err *e)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, true);
    jw_object(&w);
    put_str(&w, "_type", "https://in-toto.io/Statement/v1");
    jw_key(&w, "subject");
    jw_array(&w);
    jw_object(&w);
    put_str(&w, "name", l->nodes[0].name);
    put_root(&w, l->nodes[0].digest);
    jw_end_object(&w);
    jw_end_array(&w);
    put_str(&w, "predicateType", "https://slsa.dev/provenance/v1");
    jw_key(&w, "predicate");
    jw_object(&w);
    jw_key(&w, "buildDefinition");
    jw_object(&w);
    put_str(&w, "buildType", "https://assay.invalid/lineage/v1");
    jw_key(&w, "externalParameters");
    jw_object(&w);
    jw_end_object(&w);
    jw_key(&w, "resolvedDependencies");
    jw_array(&w);
    for (size_t i = 0; i < l->edge_count; i++) {
        const struct lineage_edge *x = &l->edges[i];
        jw_object(&w);
        put_str(&w, "name", l->nodes[x->from].name);
        if (l->nodes[x->from].digest)
            put_root(&w, l->nodes[x->from].digest);
        jw_key(&w, "annotations");
        jw_object(&w);
        put_str(&w, "relation", x->relation);
        put_str(&w, "of", l->nodes[x->to].name);
        put_str(&w, "status", edge_status_name(x->status));
        put_str(&w, "because", x->because);
        jw_end_object(&w);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_end_object(&w);
    jw_key(&w, "runDetails");
    jw_object(&w);
    jw_key(&w, "builder");
    jw_object(&w);
    put_str(&w, "id", "https://assay.invalid/lineage/v1");
    jw_end_object(&w);
    jw_end_object(&w);
    jw_end_object(&w);
    jw_end_object(&w);
    return done(out, &w, e);
}
