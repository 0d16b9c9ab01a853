/*
 * The bodies of a call's leaves. What is not known is absent, and the words are
 * those of the table in src/record/kinds.c, which checks them again. Members are written in
 * the order of their names: the record module would sort them otherwise, for each call.
 */
#include "exchange/body.h"

enum { SAMPLING_MAX_TEXT = 64 };

const char *const exchange_apis[EXCHANGE_APIS] = {"chat_completions", "completions", "responses",
                                                  "embeddings",       "messages",    "run"};
const char *const exchange_routes[EXCHANGE_ROUTES] = {"engine", "upstream"};
const char *const exchange_durabilities[EXCHANGE_DURABILITIES] = {"answer", "window", "end"};
const char *const exchange_results[EXCHANGE_RESULTS] = {
    "complete", "client_abort", "upstream_abort", "timeout",
    "refused",  "error",        "shutdown",       "crash"};

const char *exchange_api_name(enum exchange_api api)
{
    return (unsigned)api < EXCHANGE_APIS ? exchange_apis[api] : "?";
}

const char *exchange_result_name(enum exchange_result r)
{
    return (unsigned)r < EXCHANGE_RESULTS ? exchange_results[r] : "?";
}

static void put_text(struct json_writer *w, const char *key, struct span s)
{
    if (s.n == 0)
        return;
    jw_key(w, key);
    jw_string(w, s);
}

static void put_digest(struct json_writer *w, const char *key, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];
    if (!d)
        return;
    jw_key(w, key);
    jw_str(w, digest_hex(hex, d));
}

static void put_digests(struct json_writer *w, const char *key, const struct digest *d, size_t n)
{
    char hex[DIGEST_HEX + 1];
    if (n == 0)
        return;
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < n; i++)
        jw_str(w, digest_hex(hex, &d[i]));
    jw_end_array(w);
}

static void put_u64(struct json_writer *w, const char *key, uint64_t v)
{
    jw_key(w, key);
    jw_u64(w, v < RECORD_MAX_INTEGER ? v : RECORD_MAX_INTEGER);
}

static void put_known(struct json_writer *w, const char *key, uint64_t v)
{
    if (v)
        put_u64(w, key, v);
}

static void put_bool(struct json_writer *w, const char *key, bool v)
{
    jw_key(w, key);
    jw_bool(w, v);
}

static void put_word(struct json_writer *w, const char *key, const char *word)
{
    jw_key(w, key);
    jw_str(w, word);
}

static void put_model(struct json_writer *w, const struct exchange_model *m)
{
    jw_key(w, "model");
    jw_object(w);
    put_digests(w, "adapters", m->adapters, m->adapter_count);
    put_digest(w, "architecture", m->architecture);
    if (m->enrolled)
        put_u64(w, "entry", m->entry);
    put_digest(w, "manifest_root", m->manifest_root);
    jw_key(w, "name");
    jw_string(w, m->name);
    put_text(w, "numerics", m->numerics);
    put_digest(w, "template", m->chat_template);
    put_digest(w, "tensor_root", m->tensor_root);
    put_digest(w, "tokenizer", m->tokenizer);
    jw_end_object(w);
}

static void put_upstream(struct json_writer *w, const struct exchange_upstream *u)
{
    if (u->name.n == 0)
        return;
    jw_key(w, "upstream");
    jw_object(w);
    put_digest(w, "certificate", u->certificate);
    put_text(w, "fingerprint", u->fingerprint);
    put_text(w, "name", u->name);
    put_text(w, "url", u->url);
    jw_end_object(w);
}

static bool finish(struct json_writer *w, const struct buf *out)
{
    jw_end_object(w);
    return !w->failed && buf_ok(out);
}

enum { MOSTLY = 1000 }; /* bytes of a body, allocated once */

bool body_of_call(struct buf *out, const struct exchange_call *c)
{
    struct json_writer w;
    if ((unsigned)c->api >= EXCHANGE_APIS || (unsigned)c->route >= EXCHANGE_ROUTES ||
        (unsigned)c->durability >= EXCHANGE_DURABILITIES)
        return false;
    (void)buf_room(out, MOSTLY);
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    put_word(&w, "api", exchange_apis[c->api]);
    put_digest(&w, "credential", c->credential);
    put_word(&w, "durability", exchange_durabilities[c->durability]);
    put_model(&w, &c->model);
    put_text(&w, "policy", c->policy);
    if (c->relayed)
        put_bool(&w, "relayed", true);
    put_word(&w, "route", exchange_routes[c->route]);
    if (c->sampling.n) {
        jw_key(&w, "sampling");
        jw_raw(&w, c->sampling);
    }
    put_bool(&w, "stream", c->stream);
    if (c->tokens_known)
        put_u64(&w, "tokens_in", c->tokens_in);
    put_upstream(&w, &c->upstream);
    return finish(&w, out);
}

bool body_of_window(struct buf *out, uint64_t intent, uint64_t number, uint64_t released)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    put_u64(&w, "intent", intent);
    put_u64(&w, "number", number);
    put_u64(&w, "released_bytes", released);
    return finish(&w, out);
}

static void put_finish(struct json_writer *w, const struct exchange_outcome *o)
{
    if (o->finish_count == 0)
        return;
    jw_key(w, "finish");
    jw_array(w);
    for (size_t i = 0; i < o->finish_count; i++)
        jw_string(w, o->finish[i]);
    jw_end_array(w);
}

static void put_tokens(struct json_writer *w, const struct exchange_tokens *t)
{
    if (!t->known)
        return;
    jw_key(w, "tokens");
    jw_object(w);
    put_known(w, "cached", t->cached);
    put_bool(w, "estimated", t->estimated);
    put_u64(w, "input", t->input);
    put_u64(w, "output", t->output);
    put_known(w, "reasoning", t->reasoning);
    jw_end_object(w);
}

static void put_timings(struct json_writer *w, const struct exchange_timings *t)
{
    jw_key(w, "timings");
    jw_object(w);
    put_known(w, "decode_us", t->decode);
    put_known(w, "first_byte_us", t->first_byte);
    put_known(w, "prefill_us", t->prefill);
    put_known(w, "queue_us", t->queue);
    put_u64(w, "total_us", t->total);
    jw_end_object(w);
}

bool body_of_outcome(struct buf *out, const struct exchange_outcome *o,
                     enum exchange_durability durability, uint64_t intent, uint64_t windows)
{
    struct json_writer w;
    if ((unsigned)o->result >= EXCHANGE_RESULTS)
        return false;
    (void)buf_room(out, MOSTLY);
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    put_u64(&w, "attempts", o->attempts);
    put_word(&w, "durability", exchange_durabilities[durability]);
    put_text(&w, "error", o->error);
    put_finish(&w, o);
    put_u64(&w, "intent", intent);
    if (o->model.name.n)
        put_model(&w, &o->model);
    put_word(&w, "outcome", exchange_results[o->result]);
    if (o->relayed)
        put_bool(&w, "relayed", true);
    put_u64(&w, "released_bytes", o->released);
    put_text(&w, "response_id", o->response_id);
    put_known(&w, "status", o->status);
    put_timings(&w, &o->timings);
    put_tokens(&w, &o->tokens);
    put_upstream(&w, &o->upstream);
    put_known(&w, "upstream_status", o->upstream_status);
    put_known(&w, "windows", windows);
    return finish(&w, out);
}

/* ---- parameters ---- */

/* A member of `sampling`: a decimal as it was written, for its text is never read and written
 * again, or a count, with the names by which the APIs ask for it. */
struct parameter {
    const char *name;
    const char *asked[4]; /* empty: a decimal */
};

static void put_parameter(struct buf *out, bool *any, const struct parameter *p,
                          struct json request)
{
    struct json v = json_get(request, p->name);
    bool decimal = p->asked[0] == NULL;
    bool found = decimal && json_type(v) == JSON_NUMBER && json_text(v).n <= SAMPLING_MAX_TEXT;
    uint64_t n = 0;
    for (size_t i = 0; !found && p->asked[i]; i++)
        found = json_u64(json_get(request, p->asked[i]), &n) && n <= RECORD_MAX_INTEGER;
    if (!found)
        return;
    buf_put_str(out, *any ? ",\"" : "{\"");
    buf_put_str(out, p->name);
    *any = true;
    if (!decimal) {
        buf_printf(out, "\":%llu", (unsigned long long)n);
        return;
    }
    buf_put_str(out, "\":\"");
    buf_put_span(out, json_text(v));
    buf_put_u8(out, '"');
}

void exchange_sampling(struct buf *out, struct json request)
{
    static const struct parameter parameters[] = {
        {"frequency_penalty", {NULL}},
        {"max_tokens", {"max_completion_tokens", "max_tokens", "max_output_tokens"}},
        {"min_p", {NULL}},
        {"n", {"n"}},
        {"presence_penalty", {NULL}},
        {"repetition_penalty", {NULL}},
        {"seed", {NULL}},
        {"temperature", {NULL}},
        {"top_k", {"top_k"}},
        {"top_p", {NULL}}};
    bool any = false;
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        put_parameter(out, &any, &parameters[i], request);
    if (any)
        buf_put_u8(out, '}');
}
