/*
 * /v1/models: the names of the configuration and, where it serves any name, those that its
 * upstreams give; or one of them. A list is no answer of a model: nothing of it is recorded. An
 * upstream that fails adds nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "serve/front/reply.h"
#include "serve/front/route.h"
#include "serve/handlers/handlers.h"
#include "serve/service.h"

enum { LIST_MAX = 4 << 20, NAMES_MAX = 4096, UPSTREAM_MS = 5000, FIELDS = 4 };

struct listing {
    struct guest guest;
    struct listing *next, **from;
    struct service *service;
    struct settings *settings;
    struct conn *conn;
    const struct key_config *key;
    const struct model_config *any; /* "*"; NULL: nobody is asked */
    size_t target;                  /* of those that are asked */
    struct transfer *transfer;
    struct arena *arena;
    const char *fields[FIELDS];
    unsigned status;
    struct buf answer, body;
    struct json_writer w;
    size_t names;
};

static void listing_free(struct listing *l)
{
    if (l->transfer)
        transfer_cancel(l->transfer);
    if (l->conn)
        conn_set_user(l->conn, NULL);
    *l->from = l->next;
    if (l->next)
        l->next->from = l->from;
    serve_settings_release(l->settings);
    buf_free(&l->answer);
    buf_free(&l->body);
    arena_free(l->arena);
    free(l);
}

void models_free(struct service *s)
{
    for (struct listing *next, *l = s->listings; l; l = next) {
        next = l->next;
        listing_free(l);
    }
}

static void on_gone(struct guest *g)
{
    listing_free((struct listing *)(void *)g);
}

/* ---- names ---- */

static void put_model(struct json_writer *w, struct span name)
{
    jw_object(w);
    jw_key(w, "id");
    jw_string(w, name);
    jw_key(w, "object");
    jw_str(w, "model");
    jw_key(w, "created");
    jw_u64(w, 0);
    jw_key(w, "owned_by");
    jw_str(w, "assay");
    jw_end_object(w);
}

static void put_name(struct listing *l, struct span name)
{
    if (serve_settings_key_may(l->key, name) && l->names++ < NAMES_MAX)
        put_model(&l->w, name);
}

static void put_configured(struct listing *l)
{
    const struct model_config *m = l->settings->models.items;
    for (size_t i = 0; i < l->settings->models.count; i++)
        if (span_is(m[i].name, "*"))
            l->any = &m[i];
        else
            put_name(l, m[i].name);
}

static bool is_configured(const struct listing *l, struct span name)
{
    const struct model_config *m = l->settings->models.items;
    for (size_t i = 0; i < l->settings->models.count; i++)
        if (span_eq(m[i].name, name))
            return true;
    return false;
}

static void put_given(struct listing *l)
{
    struct json root;
    struct span name;
    struct arena *a = arena_new((size_t)16 << 20);
    if (a && json_parse(&root, buf_span(&l->answer), JSON_STRICT, a, NULL))
        for (struct json m = json_first(json_get(root, "data")); json_type(m); m = json_next(m))
            if (json_string(json_get(m, "id"), &name) && !is_configured(l, name))
                put_name(l, name);
    arena_free(a);
}

/* ---- asking ---- */

static void go_on(struct listing *l);

static void on_head(void *arg, unsigned status, struct span lines)
{
    struct listing *l = arg;
    (void)lines;
    l->status = status;
}

static bool on_data(void *arg, struct span bytes)
{
    struct listing *l = arg;
    buf_put_span(&l->answer, bytes);
    return buf_ok(&l->answer);
}

static void on_done(void *arg, const struct transfer_result *r)
{
    struct listing *l = arg;
    l->transfer = NULL;
    if (r->end == TRANSFER_OK && l->status == 200)
        put_given(l);
    l->target++;
    go_on(l);
}

static bool ask(struct listing *l)
{
    static const struct transfer_calls calls = {on_head, on_data, on_done};
    const struct target_config *t = (const struct target_config *)l->any->targets.items + l->target;
    const struct upstream_config *u = serve_settings_upstream(l->settings, t->index);
    size_t n = 0;
    struct err e = ERR_INIT;
    if (t->engine)
        return false;
    buf_clear(&l->answer);
    l->fields[n++] = "Accept: application/json";
    l->fields[n++] = "Via: 1.1 assay";
    if (u->key.n && !(l->fields[n++] = upstream_credential(l->arena, u, u->key)))
        return false;
    l->fields[n] = NULL;
    struct transfer_request r = {.url = arena_printf(l->arena, "%s/models", u->url_text),
                                 .fields = l->fields,
                                 .ca_file = u->ca_text,
                                 .connect_ms = (unsigned)u->connect_ms,
                                 .first_byte_ms = UPSTREAM_MS,
                                 .idle_ms = UPSTREAM_MS};
    return r.url && transfer_start(&l->transfer, l->service->transfers, &r, &calls, l, &e);
}

/* The next upstream, or the end. */
static void go_on(struct listing *l)
{
    while (l->any && l->target < l->any->targets.count) {
        if (ask(l))
            return;
        l->target++;
    }
    struct conn *c = l->conn;
    jw_end_array(&l->w);
    jw_end_object(&l->w);
    struct buf body = l->body;
    buf_init(&l->body, 0);
    listing_free(l);
    reply_json(c, buf_span(&body));
    buf_free(&body);
}

void models_begin(struct service *s, struct conn *c, const struct caller *who)
{
    struct listing *l = calloc(1, sizeof *l);
    struct arena *a = arena_new(65536);
    if (!l || !a) {
        free(l);
        arena_free(a);
        reply_error(c, 503, "server_error", "out_of_memory", "The server is out of memory.");
        return;
    }
    l->guest.gone = on_gone;
    l->service = s;
    l->settings = serve_settings_hold(s->settings);
    l->conn = c;
    l->key = who->key;
    l->arena = a;
    l->next = s->listings;
    l->from = &s->listings;
    if (l->next)
        l->next->from = &l->next;
    s->listings = l;
    buf_init(&l->answer, LIST_MAX);
    buf_init(&l->body, LIST_MAX);
    conn_set_user(c, &l->guest);
    jw_init(&l->w, json_sink_buf, &l->body, false);
    jw_object(&l->w);
    jw_key(&l->w, "object");
    jw_str(&l->w, "list");
    jw_key(&l->w, "data");
    jw_array(&l->w);
    put_configured(l);
    go_on(l);
}

/* ---- one model ---- */

void model_tell(struct service *s, struct conn *c, struct span path, const struct caller *who)
{
    struct buf name, body;
    struct json_writer w;
    buf_init(&name, LIST_MAX);
    buf_init(&body, LIST_MAX);
    http_unescape(&name, path); /* clients escape the slashes of names */
    jw_init(&w, json_sink_buf, &body, false);
    put_model(&w, buf_span(&name));
    if (buf_ok(&body) && serve_settings_key_may(who->key, buf_span(&name)) &&
        serve_settings_model(s->settings, buf_span(&name)))
        reply_json(c, buf_span(&body));
    else
        reply_error(c, 404, "invalid_request_error", "model_not_found",
                    "No model of that name is served here.");
    buf_free(&name);
    buf_free(&body);
}
