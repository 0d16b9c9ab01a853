/*
 * Markdown by its template, and CSV of the claims (RFC 4180). A cell that a
 * spreadsheet would take for a formula is preceded by an apostrophe.
 */
#include <string.h>

#include "report/page.h"
#include "report/render.h"
#include "report/view.h"

enum { VIEW_ARENA = 1 << 30 };

bool render_markdown(struct buf *out, const struct report *r, struct err *e)
{
    struct arena *a = arena_new(VIEW_ARENA);
    struct json view;
    bool ok = (a || err_set(e, ERR_MEMORY, "out of memory for a page")) &&
              view_make(&view, r, a, e) && page_render(out, "report.md", view, PAGE_MARKDOWN, e);
    arena_free(a);
    return ok;
}

static void put_cell(struct buf *out, const char *s, bool last)
{
    buf_put_u8(out, '"');
    if (s && s[0] && strchr("=+-@\t\r", s[0]))
        buf_put_u8(out, '\'');
    for (; s && *s; s++) {
        if (*s == '"')
            buf_put_u8(out, '"');
        buf_put_u8(out, (uint8_t)*s);
    }
    buf_put_str(out, last ? "\"\r\n" : "\",");
}

static void put_joined(struct buf *out, const char *const *list, size_t n)
{
    buf_put_u8(out, '"');
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i ? " " : "", list[i]);
    buf_put_str(out, "\",");
}

bool render_csv(struct buf *out, const struct report *r, struct err *e)
{
    buf_put_str(out, "id,subject,title,status,value,unit,observed,reason,rule,covers,requirements,"
                     "evidence,first_source\r\n");
    for (size_t i = 0; i < r->claims.count; i++) {
        const struct claim *c = r->claims.claim[i];
        if (!claim_visible(r, c))
            continue;
        put_cell(out, c->id, false);
        put_cell(out, c->subject, false);
        put_cell(out, c->title, false);
        put_cell(out, claim_status_name(c->status), false);
        put_cell(out, c->value, false);
        put_cell(out, c->unit, false);
        put_cell(out, c->observed, false);
        put_cell(out, c->reason, false);
        put_cell(out, c->rule, false);
        put_cell(out, c->covers, false);
        put_joined(out, c->requirements, c->requirement_count);
        put_joined(out, c->evidence, c->evidence_count);
        put_cell(out, c->source_count ? c->sources[0].path : NULL, true);
    }
    return buf_ok(out) || err_set(e, ERR_LIMIT, "the report is larger than there is room for");
}
