/* The table of renderings, and the entry that says what was handed over. */
#include <stdio.h>
#include <string.h>

#include "report/render.h"

const struct report_format report_formats[] = {
    {"html", ".html", "one self-contained page for reading, with its proofs at work", render_html},
    {"json", ".json", "the claims with their evidence, for programs and assay verify", render_json},
    {"markdown", ".md", "the same as text", render_markdown},
    {"csv", ".csv", "a line a claim", render_csv},
    {"cyclonedx", ".cdx.json", "CycloneDX 1.7 ML-BOM with declarations", render_cyclonedx},
    {"spdx", ".spdx.json", "SPDX 3.0.1, AI and Dataset", render_spdx},
    {"sarif", ".sarif", "SARIF 2.1.0, frameworks as taxonomies", render_sarif},
    {"intoto", ".intoto.json", "the signed statement alone", render_intoto},
    {"card", ".card.md", "a model card", render_card},
    {"croissant", ".croissant.json", "Croissant 1.1 of the data sets", render_croissant},
    {NULL, NULL, NULL, NULL},
};

const struct report_format *report_format_find(struct span name)
{
    for (const struct report_format *f = report_formats; f->name; f++)
        if (span_is(name, f->name))
            return f;
    return NULL;
}

static void put_model(struct json_writer *w, const struct report *r)
{
    const struct report_model *m = r->in->model;
    char hex[DIGEST_HEX + 1];
    if (!m)
        return;
    jw_key(w, "model");
    jw_object(w);
    if (m->identity->has_manifest_root) {
        jw_key(w, "manifest_root");
        jw_str(w, digest_hex(hex, &m->identity->manifest_root));
    }
    jw_key(w, "name");
    jw_string(w, m->facts->name.n && m->facts->name.n < 512 ? m->facts->name : span_str(m->shown));
    if (m->identity->has_tensor_root) {
        jw_key(w, "tensor_root");
        jw_str(w, digest_hex(hex, &m->identity->tensor_root));
    }
    jw_end_object(w);
}

bool report_leaf(struct buf *out, const struct report *r, struct span rendered, struct err *e)
{
    struct json_writer w;
    char hex[DIGEST_HEX + 1], name[400] = "";
    struct digest d = sha256_of(rendered);
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    jw_key(&w, "claims");
    jw_object(&w);
    for (int i = 0; i < CLAIM_STATUSES; i++) {
        jw_key(&w, claim_status_name((enum claim_status)i));
        jw_u64(&w, r->counts[i]);
    }
    jw_end_object(&w);
    if (r->has_log) {
        jw_key(&w, "covers");
        jw_object(&w);
        jw_key(&w, "from");
        jw_u64(&w, 0);
        jw_key(&w, "to");
        jw_u64(&w, r->head.size);
        jw_end_object(&w);
    }
    jw_key(&w, "digest");
    jw_str(&w, digest_hex(hex, &d));
    for (size_t i = 0; i < r->in->framework_count; i++) {
        size_t n = strlen(name);
        const struct framework *f = &r->in->frameworks[i];
        (void)snprintf(name + n, sizeof name - n, "%s%s (%s)", i ? ", " : "", f->id, f->dated);
    }
    jw_key(&w, "framework");
    jw_str(&w, name[0] ? name : "none");
    put_model(&w, r);
    jw_key(&w, "software");
    jw_str(&w, "assay " ASSAY_VERSION);
    jw_end_object(&w);
    return (buf_ok(out) && !w.failed) || err_set(e, ERR_MEMORY, "out of memory for an entry");
}
