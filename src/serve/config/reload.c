/*
 * The configuration in force: its digest is an entry of the log when the service starts and
 * whenever another one takes its place. One that is wrong, or that the log does not take, changes
 * nothing.
 */
#include <string.h>

#include "serve/config/enrolled.h"
#include "serve/engine/workers.h"
#include "serve/front/listen.h"
#include "serve/service.h"

bool service_record_settings(struct service *s, const char *reason, struct err *e)
{
    char hex[DIGEST_HEX + 1];
    struct log_receipt r;
    struct buf body;
    struct json_writer w;
    buf_init(&body, 65536);
    jw_init(&w, json_sink_buf, &body, false);
    jw_object(&w);
    jw_key(&w, "changes");
    jw_raw(&w, span_str("[{\"name\":\"serve\"}]"));
    jw_key(&w, "digest");
    jw_str(&w, digest_hex(hex, &s->settings->digest));
    jw_key(&w, "reason");
    jw_str(&w, reason);
    jw_key(&w, "software");
    jw_str(&w, "assay " ASSAY_VERSION);
    jw_end_object(&w);
    struct log_entry entry = {.kind = RECORD_CONFIG, .body = buf_span(&body)};
    bool ok = log_append(s->log, &entry, &r, e);
    if (ok)
        metrics_written(&s->metrics, r.seq);
    buf_free(&body);
    return ok;
}

/* NULL: it may take the place of the one in force. */
static const char *unfit(struct service *s, struct settings *fresh, struct err *e)
{
    const char *fixed = serve_settings_fixed(fresh, s->settings);
    if (!serve_settings_same_engines(fresh, s->settings)) {
        err_set(e, ERR_CONFIG, "other engines take a restart");
        return "engine_changed";
    }
    if (fixed) {
        err_set(e, ERR_CONFIG, "another '%s' takes a restart", fixed);
        return "needs_restart";
    }
    if (!enrolled_read(fresh, e))
        return err_name(e->code);
    return workers_agree(s, fresh, e) ? NULL : "weights_not_enrolled";
}

void service_reload(struct service *s)
{
    struct settings *fresh = NULL, *old = s->settings;
    struct err e = ERR_INIT;
    const char *code =
        serve_settings_read(&fresh, s->options, &e) ? unfit(s, fresh, &e) : err_name(e.code);
    if (!code && !listen_again(s, fresh, &e))
        code = err_name(e.code);
    if (!code) {
        s->settings = fresh;
        code = service_record_settings(s, "reload", &e) ? NULL : err_name(e.code);
    }
    if (code) {
        s->settings = old;
        service_say_error(s, "reload_refused", code, &e);
        serve_settings_release(fresh);
        return;
    }
    serve_settings_release(old);
    memset(s->circuits, 0, sizeof s->circuits);
    service_say(s, "reloaded", "\"models\":%zu", s->settings->models.count);
}
