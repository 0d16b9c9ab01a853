/*
 * The page: one file without a single reference to anything outside it. Style
 * and script are the program's own; a content security policy lets no other
 * script run, even if an escape were missing somewhere.
 */
#include "assay/sign.h"
#include "report/page.h"
#include "report/render.h"
#include "report/view.h"

enum { VIEW_ARENA = 1 << 30 };

static void put_policy(struct buf *out, const char *kind, struct span asset)
{
    struct digest d = sha256_of(asset);
    buf_printf(out, "; %s 'sha256-", kind);
    base64_put(out, (struct span){d.b, DIGEST_SIZE});
    buf_put_str(out, "'");
}

static void put_head(struct buf *out, struct json view, struct span style, struct span script)
{
    struct span title = SPAN_EMPTY;
    if (!json_string(json_get(view, "title"), &title))
        title = SPAN_EMPTY;
    buf_put_str(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "base-uri 'none'; form-action 'none'");
    put_policy(out, "style-src", style);
    put_policy(out, "script-src", script);
    buf_put_str(out,
                "\">\n<meta name=\"viewport\" content=\"width=device-width, "
                "initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
    page_put(out, title, PAGE_HTML);
    buf_put_str(out, "</title>\n<style>");
    buf_put_span(out, style);
    buf_put_str(out, "</style>\n</head>\n<body>\n");
}

bool render_html(struct buf *out, const struct report *r, struct err *e)
{
    struct arena *a = arena_new(VIEW_ARENA);
    struct json view;
    struct span style = page_asset("report.css"), script = page_asset("report.js");
    bool ok =
        (a || err_set(e, ERR_MEMORY, "out of memory for a page")) && view_make(&view, r, a, e);
    if (ok) {
        put_head(out, view, style, script);
        ok = page_render(out, "report.html", view, PAGE_HTML, e);
        buf_put_str(out, "<script>");
        buf_put_span(out, script);
        buf_put_str(out, "</script>\n</body>\n</html>\n");
        ok = ok &&
             (buf_ok(out) || err_set(e, ERR_LIMIT, "the page is larger than there is room for"));
    }
    arena_free(a);
    return ok;
}
