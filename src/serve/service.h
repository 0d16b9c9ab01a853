/*
 * Private to src/serve: the service and its calls. Everything runs in the loop's thread;
 * the log's commit thread is reached through the exchange book alone.
 */
#ifndef SERVE_SERVICE_H
#define SERVE_SERVICE_H

#include "assay/loop.h"
#include "assay/seal.h"
#include "assay/listener.h"
#include "assay/transfer.h"
#include "serve/errands.h"
#include "serve/call/facts.h"
#include "serve/call/gate.h"
#include "serve/metrics.h"
#include "serve/config/settings.h"
#include "serve/call/usage.h"

struct service;
struct call;
struct worker;
struct engine_job;
struct replays;

enum { BACKEND_FIELDS = 5, PARAM_MAX = 320 };

/* What a caller did wrong, for the error that they get: its text is in the struct err. */
struct complaint {
    char param[PARAM_MAX]; /* the field, like "messages[2].role"; empty: the body as a whole */
    const char *code;      /* NULL: the general one of where it was found */
    unsigned status;       /* 0: 400 */
};

/* Fills both and returns false. The text begins with the field's name, in quotes, by itself. */
bool complain(struct complaint *c, struct err *e, const char *code, const char *param,
              const char *fmt, ...) ASSAY_PRINTF(5, 6);

/* Whoever works for a connection: the first member of what conn_user points to. */
struct guest {
    void (*gone)(struct guest *g);
    void (*drained)(struct guest *g); /* NULL: nobody asks */
};

/* ---- endpoints: front/endpoints.c ---- */

enum endpoint_kind {
    ENDPOINT_CALL, /* goes to a model: recorded, through the gate */
    ENDPOINT_MODELS,
    ENDPOINT_MODEL,   /* by its name */
    ENDPOINT_RECEIPT, /* by response id or entry */
    ENDPOINT_HEALTH,
    ENDPOINT_METRICS,
    ENDPOINT_REPLAY,     /* by response id or entry */
    ENDPOINT_ENGINE_ONLY /* what only the bundled engine can do */
};

struct endpoint {
    const char *method, *path; /* a path that ends in a slash is a prefix */
    enum endpoint_kind kind;
    enum exchange_api api;
    const char *suffix; /* behind an upstream's URL */
    const char *const
        *wanted; /* members that a request must have, and their types; see call/request.c */
    bool admin;
};

/* NULL: there is none; *other_method: but the path exists. */
const struct endpoint *endpoint_find(const struct http_request *r, bool *other_method);

/* ---- who asks: front/auth.c ---- */

struct caller {
    const struct key_config *key; /* NULL: anonymous */
    bool has_credential;
    struct digest credential; /* keyed hash */
};

struct budget {
    struct budget *next;
    struct span name; /* a copy */
    double requests, tokens;
    uint64_t filled_ms;
    uint64_t day, sealed; /* bytes sealed on that day */
};

enum auth_result { AUTH_OK, AUTH_MISSING, AUTH_WRONG };
enum auth_result auth_caller(struct service *s, struct conn *c, struct caller *out);
/* The keyed hash that stands for a credential in the log. */
void auth_hash(const struct service *s, struct span credential, struct digest *out);
/* NULL: within its budgets, and one request is counted; otherwise what is used up. */
const char *budget_take(struct service *s, const struct key_config *k);
void budget_spend(struct service *s, const struct key_config *k, uint64_t tokens, uint64_t sealed);
void budgets_free(struct service *s);

/* ---- refused before they were calls: front/refused.c ---- */

enum refusal { REFUSED_UNAUTHENTICATED, REFUSED_MALFORMED, REFUSED_LIMITED, REFUSALS };

struct refused {
    uint64_t count[REFUSALS];
    uint64_t from_us, to_us;
    bool writing;
};

void refused_count(struct service *s, enum refusal what);
/* Once a second: what was counted becomes one leaf. */
void refused_write(struct service *s);

/* ---- upstreams' health: upstream/pick.c ---- */

struct circuit {
    unsigned failures;      /* in a row */
    uint64_t open_until_ms; /* 0: closed */
    int64_t turn;           /* of the weighted round */
};

/* ---- who answers ---- */

/* An upstream or the engine. Everything else, above all the gate, is the same for both. */
struct backend {
    enum exchange_route route;
    /* What the call needs before its intent is written. ERR_MEMORY is ours, the rest the caller's. */
    bool (*prepare)(struct call *c, struct err *e);
    void (*describe)(struct call *c, struct exchange_call *out);
    /* Fields that are sealed with the intent and with the outcome; returns how many. */
    size_t (*intent)(struct call *c, struct log_content content[BACKEND_FIELDS]);
    size_t (*sealed)(struct call *c, struct log_content content[BACKEND_FIELDS]);
    bool (*ask)(struct call *c, struct err *e);
    /* False: it is still at work, and calls call_stopped when it is not. */
    bool (*stop)(struct call *c);
    void (*outcome)(struct call *c, struct exchange_outcome *o);
    void (*forget)(struct call *c); /* the call is no more */
    /* NULL, or what is called instead of prepare: call_prepared is called later. */
    void (*begin)(struct call *c);
};
extern const struct backend upstream_backend, engine_backend;

/* ---- a call: call/call.c ---- */

enum call_state {
    CALL_PREPARING, /* in a thread; its memory stays until call_prepared */
    CALL_INTENT,    /* the intent is on its way to the disk */
    CALL_ASKING,    /* an upstream works */
    CALL_ENDING     /* the outcome is on its way */
};

enum { TARGETS_MAX = 64 };

struct call {
    struct guest guest;
    struct call *next, *previous;
    bool dead;
    struct service *service;
    struct settings *settings;
    const struct endpoint *endpoint;
    struct caller caller;
    struct conn *conn; /* NULL: the client left */
    struct arena *arena;
    enum call_state state;
    struct span model;          /* as asked for; in the arena */
    struct span subject;        /* for whom the caller asks, as it says; in the arena */
    struct span sampling;       /* as the leaf has it; in the arena */
    struct complaint wrong;     /* with the request */
    size_t model_at, model_end; /* where its name stands in the body, quotes included */
    struct edit usage;          /* by which it would ask for its usage; of a stream */
    bool stream, body_rewritten;
    const char **lines;      /* what the upstream gets as fields, NULL-ended */
    struct buf body;         /* as the client sent it */
    struct buf request_body; /* what the upstream gets, when it is not what the client sent */
    struct buf request_head; /* as recorded; empty: no upstream gets one */
    struct buf client_head;  /* and what the intent says of both */
    const struct target_config *targets[TARGETS_MAX]; /* in the order of trying */
    size_t target_count, target;
    unsigned tries; /* of this target */
    unsigned attempts;
    const struct backend *backend; /* NULL: refused before one was chosen */
    struct transfer *transfer;
    struct engine_job *job;
    bool stopping; /* the backend was told to stop; result and error say why */
    struct facts facts;
    struct usage_filter filter;
    struct gate gate;
    struct buf upstream_head;
    unsigned upstream_status;
    bool fresh;   /* the next attempt takes no kept connection: the last one's was being closed */
    bool discard; /* this attempt's answer: another is to be asked */
    bool has_certificate;
    struct buf own_reply; /* what the client gets instead of an answer that failed */
    unsigned status;      /* that the client gets */
    struct digest certificate;
    enum exchange_result result;
    const char *error;
    uint64_t start_us, first_byte_us, queued_us;
    uint64_t sealed, spent; /* bytes; spent: of them, off the key's budget already */
};

/* A request to an endpoint of kind ENDPOINT_CALL, whole and with a caller. */
void call_begin(struct service *s, struct conn *c, const struct endpoint *ep,
                const struct caller *who);
/* What the backend's `begin` came to; not ok: e says why. */
void call_prepared(struct call *c, bool ok, const struct err *e);
void call_shut_down(struct call *c);
void call_free(struct call *c);
void call_bury(struct service *s);
/* The gate's word: see gate.h. */
void call_intent_durable(struct call *c);
void call_attempt_durable(struct call *c);
void call_released(struct call *c);
void call_finished(struct call *c, const struct log_receipt *r);
/* Asked when the outcome is written: the status that the client gets; 0: it is not there. */
unsigned call_status(struct call *c);
void call_log_failed(struct call *c, const struct err *why);
/* The upstream's word: upstream/upstream.c. */
void call_upstream_head(struct call *c, unsigned status, struct span lines);
bool call_upstream_data(struct call *c, struct span bytes);
void call_upstream_done(struct call *c, const struct transfer_result *r);
/* The engine's word: engine/backend.c. */
void call_answer_whole(struct call *c);
void call_give_up(struct call *c, enum exchange_result result, const char *error);
void call_stopped(struct call *c);

/* ---- the way to an upstream: upstream/ ---- */

/* The targets of a model in the order of trying. */
void pick_targets(struct call *c, const struct model_config *m);
void pick_report(struct service *s, size_t upstream, bool worked);
const struct upstream_config *call_upstream(const struct call *c);
/* The field that shows `shown` as the key of an upstream; NULL: out of memory. */
const char *upstream_credential(struct arena *a, const struct upstream_config *u,
                                struct span shown);
/* The head of what the client gets, made of the upstream's; decides whether it is a stream. */
void upstream_answer_head(struct call *c, unsigned status, struct span lines);

/* ---- the engine: engine/backend.c ---- */

/* Load the models and begin to compute; nothing is done when none is configured. */
bool workers_start(struct service *s, struct err *e) ASSAY_MUST_CHECK;
/* Every served name has the weights that were enrolled under it. */
bool workers_agree(const struct service *s, const struct settings *fresh,
                   struct err *e) ASSAY_MUST_CHECK;
void workers_stop(struct service *s);
/* The engine that serves a model; NULL: an upstream does, or nobody. */
struct worker *worker_of(const struct service *s, const struct settings *c, struct span model);
/* Token ids and prompts: engine/tokenize.c. */
void engine_tool(struct service *s, struct conn *c, const struct endpoint *ep,
                 const struct caller *who);
/* A logged call computed again: handlers/replays.c. */
bool replays_start(struct service *s, struct err *e) ASSAY_MUST_CHECK;
void replays_stop(struct service *s);
void replay_begin(struct service *s, struct conn *c, struct span what);

/* ---- a request's JSON: call/request.c ---- */

/* Judge the body; fills model, stream, sampling. On failure `why` says what the caller did wrong. */
bool request_read(struct call *c, struct span body, struct buf *sampling, struct err *why);
/* The client's head with credentials replaced by their keyed hashes. */
bool request_head_record(struct service *s, const struct conn *c, struct buf *out);

/* ---- the server's own answers, which carry nothing of a model: front/reply.c ---- */

/* The code by which Anthropic's clients learn that no conversation is kept; they send all of it then. */
#define REPLY_NO_THREADS "thread_unsupported_request"
void reply_error_body(struct buf *out, const char *type, const char *code, const char *message);
void reply_error(struct conn *c, unsigned status, const char *type, const char *code,
                 const char *message);
/* With the field that is wrong. `code` stands where the complaint has none. */
void reply_wrong(struct conn *c, const struct complaint *w, const char *code, const char *message);
/* To what was no request; the connection ends. */
void reply_malformed(struct conn *c, unsigned status, const char *why);
/* With a body that was made before; the connection goes on. */
void reply_with(struct conn *c, unsigned status, const char *content_type, struct span body);
void reply_json(struct conn *c, struct span body);
/* Without a copy of the body. */
void reply_large(struct conn *c, const char *content_type, struct span body);
void reply_text(struct conn *c, const char *content_type, struct span body);

/* ---- names of models: handlers/models.c ---- */

struct listing;
void models_begin(struct service *s, struct conn *c, const struct caller *who);
/* One of them; `path`: its name as it stands in the request. */
void model_tell(struct service *s, struct conn *c, struct span path, const struct caller *who);
void models_free(struct service *s); /* what is still asked for */

/* ---- config/enrolled.c, privileges.c ---- */

bool enrolled_read(struct settings *s, struct err *e) ASSAY_MUST_CHECK;
const struct enrolled *enrolled_find(const struct settings *s, struct span name);
/* Whether an engine has the weights that were enrolled under the name, if any were. */
struct engine;
bool enrolled_agrees(const struct settings *s, struct span name, const struct engine *g,
                     struct err *e) ASSAY_MUST_CHECK;
/* Become the configured user. */
bool privileges_drop(const struct settings *s, struct err *e) ASSAY_MUST_CHECK;

/* ---- the service: serve.c ---- */

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
    struct seal_key secret; /* under which credentials are hashed */
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
    bool disk_full, log_stopped;
    bool held_back; /* windows wait for the log's queue */
    uint64_t started_ms;
};

/* One line of the structured log: members after "event", as JSON text like "\"a\":1". */
void service_say(struct service *s, const char *event, const char *fmt, ...) ASSAY_PRINTF(3, 4);
/* Why no call is accepted now; NULL: calls are accepted. */
const char *service_refuses(struct service *s);
void service_call_over(struct service *s); /* one less: draining may be done */
uint64_t service_now_us(void);

#endif
