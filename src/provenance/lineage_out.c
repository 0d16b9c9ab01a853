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

bool lineage_text(struct buf *out, const struct lineage *l, struct err *e)
{
    buf_printf(out, "%s\n", l->nodes[0].name);
    for (size_t i = 0; i < l->edge_count; i++) {
        const struct lineage_edge *x = &l->edges[i];
        bool last = i + 1 == l->edge_count;
        buf_printf(out, "%s %s: %s [%s]\n",
                   last ? "\xe2\x94\x94\xe2\x94\x80" : "\xe2\x94\x9c\xe2\x94\x80", x->relation,
                   l->nodes[x->from].name, edge_status_name(x->status));
        buf_printf(out, "%s    %s\n", last ? " " : "\xe2\x94\x82", x->because);
    }
    return done(out, NULL, e);
}

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
    jw_end_object(&w);
    return done(out, &w, e);
}

/* ---- SVG: ancestors on the left, the model on the right ---- */

enum { BOX_W = 300, BOX_H = 44, GAP = 18, RIGHT = 480, WIDE = 800 };

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

bool lineage_svg(struct buf *out, const struct lineage *l, struct err *e)
{
    static const char *const colours[] = {"#8a929b", "#1b6b3a", "#a3161b"};
    size_t rows = l->edge_count ? l->edge_count : 1, high = rows * (BOX_H + GAP) + GAP;
    size_t middle = high / 2;
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %zu\" role=\"img\" "
               "aria-label=\"Lineage\" font-family=\"sans-serif\" font-size=\"12\">\n",
               WIDE, high);
    for (size_t i = 0; i < l->edge_count; i++) {
        const struct lineage_edge *x = &l->edges[i];
        size_t y = GAP + i * (BOX_H + GAP), at = y + BOX_H / 2;
        buf_printf(out,
                   "<path d=\"M%d %zu C %d %zu %d %zu %d %zu\" fill=\"none\" stroke=\"%s\" "
                   "stroke-width=\"1.6\"%s/>",
                   10 + BOX_W, at, 400, at, 400, middle, RIGHT, middle, colours[x->status],
                   x->status == EDGE_DECLARED ? " stroke-dasharray=\"5 4\"" : "");
        box(out, 10, y, &l->nodes[x->from]);
        buf_printf(out, "<text x=\"%d\" y=\"%zu\" fill=\"%s\">", 16 + BOX_W, at - 5,
                   colours[x->status]);
        put_escaped(out, x->relation, 20);
        buf_printf(out, ", %s</text>\n", edge_status_name(x->status));
    }
    box(out, RIGHT, middle - BOX_H / 2, &l->nodes[0]);
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
