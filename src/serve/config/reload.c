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

void service_reload(struct service *s)
{
    struct settings *fresh = NULL;
    struct err e = ERR_INIT;
    if (!serve_settings_read(&fresh, s->options, &e) || !enrolled_read(fresh, &e)) {
        serve_settings_release(fresh);
        service_say(s, "reload_refused", "\"code\":\"%s\"", err_name(e.code));
        return;
    }
    bool same = serve_settings_same_engines(fresh, s->settings); /* else it needs a restart */
    if (!same || !workers_agree(s, fresh, &e)) {
        serve_settings_release(fresh);
        service_say(s, "reload_refused", "\"code\":\"%s\"",
                    same ? "weights_not_enrolled" : "engine_changed");
        return;
    }
    struct settings *old = s->settings;
    s->settings = fresh;
    if (!service_record_settings(s, "reload", &e)) {
        s->settings = old;
        serve_settings_release(fresh);
        service_say(s, "reload_refused", "\"code\":\"%s\"", err_name(e.code));
        return;
    }
    if (!listen_again(s, fresh, &e))
        service_say(s, "certificate_refused", "\"code\":\"%s\"", err_name(e.code));
    serve_settings_release(old);
    memset(s->circuits, 0, sizeof s->circuits);
    service_say(s, "reloaded", "\"models\":%zu", s->settings->models.count);
}
