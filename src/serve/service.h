/* Private to src/serve: the service, whose parts stand in folders of their own. */
#ifndef SERVE_SERVICE_H
#define SERVE_SERVICE_H

#include "assay/listener.h"
#include "assay/log.h"
#include "assay/loop.h"
#include "assay/seal.h"
#include "assay/transfer.h"
#include "serve/config/settings.h"
#include "serve/errands.h"
#include "serve/front/budget.h"
#include "serve/front/refused.h"
#include "serve/metrics.h"
#include "serve/upstream/upstream.h"

struct call;
struct listing;
struct replays;
struct worker;

struct service {
    const struct serve_options *options;
    struct settings *settings;
    struct log *log;
    struct log_reader *reader; /* of what witnesses added, for /metrics; NULL: not needed yet */
    struct exchange_book *book;
    struct loop *loop;
    struct listener *server, *admin;
    struct transfers *transfers;
    struct loop_event *durable, *second, *on_term, *on_int, *on_hup, *drain_timer, *grave, *push;
    struct loop_event *leaving; /* while it drains: looks whether all answers are out */
    struct seal_key secret;     /* under which credentials are hashed */
    struct call *calls, *dead;
    struct listing *listings;
    size_t call_count;
    struct budget *budgets;
    struct circuit circuits[UPSTREAMS_MAX + ENGINES_MAX];
    struct worker
        *workers[ENGINES_MAX]; /* engines with their threads, as the settings order them */
    size_t worker_count;
    struct refused refused;
    struct errands *receipts;
    struct errands *readers; /* of requests to engines; NULL: there are none */
    struct replays *replays; /* NULL: there is no engine */
    char *folder;            /* of the log */
    struct metrics metrics;
    bool draining, drained; /* drained: the time for calls in flight is over */
    bool hurried;           /* and that for what is left of their answers */
    bool disk_full, log_stopped;
    bool held_back; /* windows wait for the log's queue */
};

/* One line of the structured log: members after "event", as JSON text like "\"a\":1". */
void service_say(struct service *s, const char *event, const char *fmt, ...) ASSAY_PRINTF(3, 4);
/* The same of what went wrong: in a word, and for people, with the file that it is about. */
void service_say_error(struct service *s, const char *event, const char *code,
                       const struct err *why);
/* Why no call is accepted now; NULL: calls are accepted. */
const char *service_refuses(struct service *s);
void service_call_over(struct service *s); /* one less: draining may be done */
uint64_t service_now_us(void);

/* ---- watch.c ---- */

/* Be told of the log, of time and of signals from now on. */
bool service_watch(struct service *s, struct err *e) ASSAY_MUST_CHECK;
void service_unwatch(struct service *s);
/* Outcomes must still fit when the disk runs full: intents stop before. */
void service_look_at_disk(struct service *s);

/* ---- config/reload.c ---- */

/* The configuration in force becomes an entry of the log: durable when this returns. */
bool service_record_settings(struct service *s, const char *reason, struct err *e) ASSAY_MUST_CHECK;
/* Read it again and, if nothing is wrong with it, go by it from the next call on. */
void service_reload(struct service *s);

/* ---- privileges.c ---- */

/* Become the configured user. */
bool privileges_drop(const struct settings *s, struct err *e) ASSAY_MUST_CHECK;

#endif
