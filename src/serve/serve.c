/*
 * The service begins and ends here: it listens, gives up what it needs no longer, opens the log,
 * loads its engines, and closes everything in the order in which one needs the other. What it says
 * about itself goes out as one JSON object a line.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "assay/base/file.h"
#include "serve/call/call.h"
#include "serve/config/enrolled.h"
#include "serve/engine/workers.h"
#include "serve/front/listen.h"
#include "serve/handlers/handlers.h"
#include "serve/service.h"

enum { LINE_MAX_BYTES = 4096, RECEIPTS_MAX = 64 };

uint64_t service_now_us(void)
{
    return clock_wall();
}

void service_say(struct service *s, const char *event, const char *fmt, ...)
{
    char members[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 256];
    va_list args;
    if (!s->options->say)
        return;
    va_start(args, fmt);
    int n = vsnprintf(members, sizeof members, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof members)
        return;
    n = snprintf(line, sizeof line, "{\"time_us\":%llu,\"event\":\"%s\"%s%s}",
                 (unsigned long long)service_now_us(), event, n ? "," : "", members);
    if (n > 0 && (size_t)n < sizeof line)
        s->options->say(s->options->say_arg, (struct span){(const uint8_t *)line, (size_t)n});
}

void service_say_error(struct service *s, const char *event, const char *code,
                       const struct err *why)
{
    struct json_writer w;
    struct buf text;
    char shown[sizeof why->file + sizeof why->text + 2];
    (void)snprintf(shown, sizeof shown, "%s%s%s", why->file, why->file[0] ? ": " : "", why->text);
    buf_init(&text, LINE_MAX_BYTES);
    jw_init(&w, json_sink_buf, &text, false);
    jw_str(&w, shown);
    service_say(s, event, "\"code\":\"%s\",\"why\":%s", code, buf_cstr(&text));
    buf_free(&text);
}

const char *service_refuses(struct service *s)
{
    if (s->log_stopped)
        return "log_unavailable";
    if (s->disk_full)
        return "log_disk_full";
    if (s->draining)
        return "shutting_down";
    return s->call_count > s->settings->limits.calls ? "too_many_calls" : NULL;
}

/* ---- beginning ---- */

static bool load_secret(struct service *s, const char *folder, struct err *e)
{
    char path[4096];
    struct span bytes;
    struct arena *a = arena_new(65536);
    struct err missing = ERR_INIT;
    snprintf(path, sizeof path, "%s/credential.key", folder);
    if (!a)
        return err_set(e, ERR_MEMORY, "out of memory");
    bool ok = true;
    if (!file_read(&bytes, path, SEAL_KEY, true, a, &missing)) {
        ok = seal_random(s->secret.b, SEAL_KEY, e) &&
             file_create(path, (struct span){s->secret.b, SEAL_KEY}, e);
    } else if (bytes.n == SEAL_KEY) {
        memcpy(s->secret.b, bytes.p, SEAL_KEY);
    } else {
        ok = err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET, "is not %d bytes", SEAL_KEY);
    }
    arena_wipe(a);
    arena_free(a);
    return ok;
}

static bool open_log(struct service *s, struct err *e)
{
    struct log_paths paths = {s->options->key, s->options->operator_key};
    s->folder = strndup((const char *)s->settings->log.p, s->settings->log.n);
    bool ok = s->folder || err_set(e, ERR_MEMORY, "out of memory");
    ok = ok && log_open(&s->log, s->folder, &paths, e);
    if (ok && !log_is_owner(s->log))
        ok = err_set(e, ERR_USAGE, "another process owns the log in %s: a server owns its log",
                     s->folder);
    return ok && load_secret(s, s->folder, e) && service_record_settings(s, "start", e) &&
           exchange_book_open(&s->book, s->log, e);
}

/* As many descriptors as the system lets us have. */
static void raise_limits(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
    /* Ignored but while the loop watches for them: the log is closed in peace. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
}

/* ---- ending ---- */

static void close_service(struct service *s)
{
    replays_stop(s);           /* they wait for the engines */
    errands_close(s->readers); /* calls that are prepared end here */
    errands_close(s->receipts);
    for (struct call *next, *c = s->calls; c; c = next) {
        next = c->next;
        call_free(c);
    }
    call_bury(s);
    models_free(s);
    workers_stop(s);
    listener_close(s->server);
    listener_close(s->admin);
    transfers_close(s->transfers);
    if (s->log && s->book)
        refused_write(s);
    service_unwatch(s);
    log_reader_close(s->reader);
    exchange_book_close(s->book);
    log_close(s->log);
    loop_free(s->loop);
    budgets_free(s);
    free(s->folder);
    serve_settings_release(s->settings);
    seal_wipe(&s->secret, sizeof s->secret);
    free(s);
}

bool serve_run(const struct serve_options *o, struct err *e)
{
    struct service *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(e, ERR_MEMORY, "out of memory for the service");
    s->options = o;
    raise_limits();
    bool ok = serve_settings_read(&s->settings, o, e) && loop_new(&s->loop, e) &&
              listen_all(s, e) && privileges_drop(s->settings, e) && open_log(s, e) &&
              enrolled_read(s->settings, e) && transfers_open(&s->transfers, s->loop, e) &&
              service_watch(s, e) && errands_open(&s->receipts, s->loop, 1, RECEIPTS_MAX, e) &&
              workers_start(s, e) && replays_start(s, e);
    if (ok) {
        service_look_at_disk(s);
        service_say(s, "listening", "\"port\":%u,\"admin_port\":%u", listener_port(s->server),
                    s->admin ? listener_port(s->admin) : 0);
        if (log_crashed(s->log))
            service_say(s, "recovered", "\"calls\":%llu", (unsigned long long)log_crashed(s->log));
        ok = loop_run(s->loop, e);
        service_say(s, "stopped", "\"calls\":%zu", s->call_count);
    }
    close_service(s);
    return ok;
}

bool serve_check(const struct serve_options *o, struct err *e)
{
    struct settings *s = NULL;
    bool ok = serve_settings_read(&s, o, e);
    serve_settings_release(s);
    return ok;
}
