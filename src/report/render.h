/* What the renderers share: private to the report. */
#ifndef ASSAY_REPORT_RENDER_H
#define ASSAY_REPORT_RENDER_H

#include "assay/report.h"

/* In the edition asked for? */
bool claim_visible(const struct report *r, const struct claim *c);
bool evidence_visible(const struct report *r, const struct claim_evidence *v);
const char *edition_name(unsigned edition); /* "full", "AIO", "NCA", "DP" */

report_render render_json, render_html, render_markdown, render_csv, render_cyclonedx, render_spdx,
    render_sarif, render_intoto, render_card, render_croissant;

#endif
