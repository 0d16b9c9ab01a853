/*
 * Requests that were no calls: counted, and once a second one leaf says how many, without
 * anything of theirs, so that nobody outside can fill the log.
 */
#include "serve/front/refused.h"
#include "serve/service.h"

void refused_count(struct service *s, enum refusal what)
{
    struct refused *r = &s->refused;
    uint64_t now = service_now_us();
    if (r->from_us == 0)
        r->from_us = now;
    r->to_us = now;
    r->count[what]++;
    s->metrics.refused[what == REFUSED_UNAUTHENTICATED ? REASON_UNAUTHENTICATED
                       : what == REFUSED_MALFORMED     ? REASON_MALFORMED
                                                       : REASON_LIMITED]++;
}

static void written(void *arg, const struct log_receipt *r)
{
    (void)arg, (void)r; /* a log that fails is noticed by the next call */
}

void refused_write(struct service *s)
{
    static const char *const names[REFUSALS] = {"unauthenticated", "malformed", "limited"};
    struct refused *r = &s->refused;
    struct buf body;
    struct err e = ERR_INIT;
    if (r->from_us == 0)
        return;
    buf_init(&body, 1024);
    buf_printf(&body, "{\"from_us\":%llu,\"to_us\":%llu", (unsigned long long)r->from_us,
               (unsigned long long)r->to_us);
    for (size_t i = 0; i < REFUSALS; i++)
        if (r->count[i])
            buf_printf(&body, ",\"%s\":%llu", names[i], (unsigned long long)r->count[i]);
    buf_put_str(&body, "}");
    struct log_entry entry = {.kind = RECORD_REFUSED, .body = buf_span(&body)};
    if (buf_ok(&body) && log_submit(s->log, &entry, written, NULL, &e))
        *r = (struct refused){.from_us = 0}; /* otherwise they are counted on */
    else
        service_say_error(s, "log_refused", err_name(e.code), &e);
    buf_free(&body);
}
