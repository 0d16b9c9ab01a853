/*
 * The configuration's tables, and what a table cannot say: names that must exist,
 * addresses, keys that stand elsewhere. The simple case without a file is written
 * as a configuration and read by the same code.
 */
#include "serve/config/settings.h"

#include <stdlib.h>
#include <string.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/engine.h"
#include "assay/http.h"

enum {
    SETTINGS_ARENA = 64 << 20,
    KEY_MAX = 4096,
    MAX_ITEMS = 4096,
    MS_MAX = 86400000,
    WAITING = 256
};

#define AT(type, member) .at = offsetof(struct type, member)
#define DAYS_BYTES (UINT64_C(1) << 50)

static const char *const styles[] = {"openai", "anthropic", "azure", NULL};
static const char *const durabilities[] = {"window", "end", NULL};
static const char *const abort_words[] = {"cancel", "drain", NULL};

/* clang-format off */
static const struct config_field upstream_fields[] = {
    {.name = "name", .type = CONFIG_TEXT, AT(upstream_config, name), .required = true, .min = 1, .max = 64},
    {.name = "url", .type = CONFIG_TEXT, AT(upstream_config, url), .required = true, .min = 1, .max = 1024},
    {.name = "style", .type = CONFIG_WORD, AT(upstream_config, style), .words = styles},
    {.name = "key_env", .type = CONFIG_TEXT, AT(upstream_config, key_env), .min = 1, .max = 256},
    {.name = "key_file", .type = CONFIG_TEXT, AT(upstream_config, key_file), .min = 1, .max = 4096},
    {.name = "ca_file", .type = CONFIG_TEXT, AT(upstream_config, ca_file), .min = 1, .max = 4096},
    {.name = "connect_ms", .type = CONFIG_INTEGER, AT(upstream_config, connect_ms), .min = 1, .max = MS_MAX},
    {.name = "first_byte_ms", .type = CONFIG_INTEGER, AT(upstream_config, first_byte_ms), .min = 1, .max = MS_MAX},
    {.name = "idle_ms", .type = CONFIG_INTEGER, AT(upstream_config, idle_ms), .min = 1, .max = MS_MAX},
    {.name = "retries", .type = CONFIG_INTEGER, AT(upstream_config, retries), .max = 10},
    {.name = "break_after", .type = CONFIG_INTEGER, AT(upstream_config, break_after), .max = 1000},
    {.name = "break_ms", .type = CONFIG_INTEGER, AT(upstream_config, break_ms), .min = 1, .max = MS_MAX},
    {.name = "include_usage", .type = CONFIG_BOOL, AT(upstream_config, include_usage)},
    {.name = NULL}};

static const struct config_field adapter_fields[] = {
    {.name = "path", .type = CONFIG_TEXT, AT(adapter_config, path), .required = true, .min = 1, .max = 4096},
    {.name = "scale", .type = CONFIG_DECIMAL, AT(adapter_config, scale)},
    {.name = NULL}};

static const struct config_field engine_fields[] = {
    {.name = "name", .type = CONFIG_TEXT, AT(engine_config, name), .min = 1, .max = 64, .line = CONFIG_LINE(struct engine_config, line)},
    {.name = "path", .type = CONFIG_TEXT, AT(engine_config, path), .required = true, .min = 1, .max = 4096},
    {.name = "context", .type = CONFIG_INTEGER, AT(engine_config, context), .min = 1, .max = UINT32_MAX},
    {.name = "sequences", .type = CONFIG_INTEGER, AT(engine_config, sequences), .min = 1, .max = ENGINE_MAX_SEQUENCES},
    {.name = "threads", .type = CONFIG_INTEGER, AT(engine_config, threads), .min = 1, .max = 1024},
    {.name = "waiting", .type = CONFIG_INTEGER, AT(engine_config, waiting), .min = 1, .max = EXCHANGE_OPEN_MAX},
    {.name = "adapters", .type = CONFIG_OBJECTS, AT(engine_config, adapters), .max = ENGINE_MAX_ADAPTERS, .fields = adapter_fields, .size = sizeof(struct adapter_config)},
    {.name = NULL}};

static const struct config_field target_fields[] = {
    {.name = "upstream", .type = CONFIG_TEXT, AT(target_config, upstream), .required = true, .min = 1, .max = 64, .line = CONFIG_LINE(struct target_config, line)},
    {.name = "model", .type = CONFIG_TEXT, AT(target_config, model), .min = 1, .max = 256},
    {.name = "weight", .type = CONFIG_INTEGER, AT(target_config, weight), .min = 1, .max = 1000},
    {.name = "priority", .type = CONFIG_INTEGER, AT(target_config, priority), .max = 100},
    {.name = NULL}};

static const struct config_field model_fields[] = {
    {.name = "name", .type = CONFIG_TEXT, AT(model_config, name), .required = true, .min = 1, .max = 256, .line = CONFIG_LINE(struct model_config, line)},
    {.name = "backends", .type = CONFIG_OBJECTS, AT(model_config, targets), .required = true, .min = 1, .max = 64, .fields = target_fields, .size = sizeof(struct target_config)},
    {.name = NULL}};

static const struct config_field key_fields[] = {
    {.name = "name", .type = CONFIG_TEXT, AT(key_config, name), .required = true, .min = 1, .max = 256, .line = CONFIG_LINE(struct key_config, line)},
    {.name = "sha256", .type = CONFIG_TEXT, AT(key_config, sha256), .min = 64, .max = 64},
    {.name = "certificate_sha256", .type = CONFIG_TEXT, AT(key_config, certificate), .min = 64, .max = 64},
    {.name = "models", .type = CONFIG_TEXTS, AT(key_config, models), .max = MAX_ITEMS},
    {.name = "requests_per_minute", .type = CONFIG_INTEGER, AT(key_config, requests_per_minute), .min = 1, .max = 1000000000},
    {.name = "tokens_per_minute", .type = CONFIG_INTEGER, AT(key_config, tokens_per_minute), .min = 1, .max = 1000000000000},
    {.name = "sealed_per_day", .type = CONFIG_BYTES, AT(key_config, bytes_per_day), .min = 1, .max = DAYS_BYTES},
    {.name = "admin", .type = CONFIG_BOOL, AT(key_config, admin)},
    {.name = NULL}};

static const struct config_field tls_fields[] = {
    {.name = "certificate", .type = CONFIG_TEXT, AT(tls_config, certificate), .required = true, .min = 1, .max = 4096},
    {.name = "key", .type = CONFIG_TEXT, AT(tls_config, key), .required = true, .min = 1, .max = 4096},
    {.name = "client_ca", .type = CONFIG_TEXT, AT(tls_config, client_ca), .min = 1, .max = 4096},
    {.name = NULL}};

static const struct config_field limits_fields[] = {
    {.name = "head", .type = CONFIG_BYTES, AT(limits_config, head), .min = 1024, .max = 1 << 20},
    {.name = "body", .type = CONFIG_BYTES, AT(limits_config, body), .min = 1024, .max = 256 << 20},
    {.name = "answer", .type = CONFIG_BYTES, AT(limits_config, answer), .min = 1024, .max = 256 << 20},
    {.name = "connections", .type = CONFIG_INTEGER, AT(limits_config, connections), .min = 1, .max = 100000},
    {.name = "calls", .type = CONFIG_INTEGER, AT(limits_config, calls), .min = 1, .max = EXCHANGE_OPEN_MAX},
    {.name = "head_ms", .type = CONFIG_INTEGER, AT(limits_config, head_ms), .min = 1, .max = MS_MAX},
    {.name = "idle_ms", .type = CONFIG_INTEGER, AT(limits_config, idle_ms), .min = 1, .max = MS_MAX},
    {.name = "body_ms", .type = CONFIG_INTEGER, AT(limits_config, body_ms), .min = 1, .max = MS_MAX},
    {.name = "stall_ms", .type = CONFIG_INTEGER, AT(limits_config, stall_ms), .min = 1, .max = MS_MAX},
    {.name = "drain_ms", .type = CONFIG_INTEGER, AT(limits_config, drain_ms), .min = 1, .max = MS_MAX},
    {.name = "replays_per_minute", .type = CONFIG_INTEGER, AT(limits_config, replays), .max = 1000000},
    {.name = "reserve", .type = CONFIG_BYTES, AT(limits_config, reserve), .max = DAYS_BYTES},
    {.name = NULL}};

static const struct config_field settings_fields[] = {
    {.name = "listen", .type = CONFIG_TEXT, AT(settings, listen), .min = 3, .max = 128},
    {.name = "admin_listen", .type = CONFIG_TEXT, AT(settings, admin_listen), .min = 3, .max = 128},
    {.name = "log", .type = CONFIG_TEXT, AT(settings, log), .min = 1, .max = 4096},
    {.name = "user", .type = CONFIG_TEXT, AT(settings, user), .min = 1, .max = 256},
    {.name = "durability", .type = CONFIG_WORD, AT(settings, durability), .words = durabilities},
    {.name = "open", .type = CONFIG_BOOL, AT(settings, open)},
    {.name = "enrolled_only", .type = CONFIG_BOOL, AT(settings, enrolled_only)},
    {.name = "on_abort", .type = CONFIG_WORD, AT(settings, on_abort), .words = abort_words},
    {.name = "tls", .type = CONFIG_OBJECT, AT(settings, tls), .fields = tls_fields},
    {.name = "limits", .type = CONFIG_OBJECT, AT(settings, limits), .fields = limits_fields},
    {.name = "engine", .type = CONFIG_OBJECT, AT(settings, engine), .fields = engine_fields},
    {.name = "engines", .type = CONFIG_OBJECTS, AT(settings, engines), .max = ENGINES_MAX, .fields = engine_fields, .size = sizeof(struct engine_config)},
    {.name = "upstreams", .type = CONFIG_OBJECTS, AT(settings, upstreams), .max = UPSTREAMS_MAX, .fields = upstream_fields, .size = sizeof(struct upstream_config)},
    {.name = "models", .type = CONFIG_OBJECTS, AT(settings, models), .max = MAX_ITEMS, .fields = model_fields, .size = sizeof(struct model_config)},
    {.name = "keys", .type = CONFIG_OBJECTS, AT(settings, keys), .max = MAX_ITEMS, .fields = key_fields, .size = sizeof(struct key_config)},
    {.name = NULL}};
/* clang-format on */

static const struct limits_config preset = {.head = HTTP_HEAD_MAX,
                                            .body = 32 << 20,
                                            .answer = 64 << 20,
                                            .connections = 4096,
                                            .calls = 4096,
                                            .head_ms = 10000,
                                            .idle_ms = 75000,
                                            .body_ms = 60000,
                                            .stall_ms = 60000,
                                            .drain_ms = 30000,
                                            .replays = 30,
                                            .reserve = 64 << 20};

/* ---- what a table cannot say ---- */

static bool take_hash(struct digest *out, bool *has, struct span text, const struct yaml *y,
                      size_t line, struct err *e)
{
    if (text.n == 0)
        return true;
    *has = digest_from_hex(out, text);
    return *has ||
           config_error(y, line, e, "a key's digest is not 64 lower-case hexadecimal digits");
}

static bool judge_keys(struct settings *s, const struct yaml *y, struct err *e)
{
    for (size_t i = 0; i < s->keys.count; i++) {
        struct key_config *k = (struct key_config *)s->keys.items + i;
        if (!take_hash(&k->hash, &k->has_hash, k->sha256, y, k->line, e) ||
            !take_hash(&k->certificate_hash, &k->has_certificate, k->certificate, y, k->line, e))
            return false;
        if (!k->has_hash && !k->has_certificate)
            return config_error(y, k->line, e, "a key has neither sha256 nor certificate_sha256");
        for (size_t j = 0; j < i; j++)
            if (span_eq(serve_settings_key(s, j)->name, k->name))
                return config_error(y, k->line, e, "two keys have one name");
    }
    return true;
}

/* Scheme, host, and no user, query or fragment; a path without a slash at its end. */
static bool judge_url(struct upstream_config *u, struct arena *a, struct err *e)
{
    struct span rest = u->url;
    bool plain = span_starts(rest, "http://");
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= ' ' || rest.p[i] >= 0x7f || strchr("@?#\\", rest.p[i]))
            return err_set(e, ERR_CONFIG, "the url of an upstream holds a byte that it may not");
    if (!plain && !span_starts(rest, "https://"))
        return err_set(e, ERR_CONFIG, "the url of an upstream begins with http:// or https://");
    while (rest.n && rest.p[rest.n - 1] == '/')
        rest.n--;
    u->url = rest;
    rest = span_sub(rest, plain ? 7 : 8, rest.n);
    const uint8_t *slash = memchr(rest.p, '/', rest.n);
    size_t n = slash ? (size_t)(slash - rest.p) : rest.n;
    u->host = span_sub(rest, 0, n);
    u->path = span_sub(rest, n, rest.n);
    u->url_text = arena_str(a, u->url);
    if (!u->url_text)
        return err_set(e, ERR_MEMORY, "out of memory");
    return u->host.n || err_set(e, ERR_CONFIG, "the url of an upstream has no host");
}

static struct span without_line_end(struct span s)
{
    while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

static bool take_secret(struct upstream_config *u, struct arena *a, struct err *e)
{
    if (u->key_file.n) {
        const char *path = arena_str(a, u->key_file);
        if (!path || !file_read(&u->key, path, KEY_MAX, true, a, e))
            return false;
        u->key = without_line_end(u->key);
    } else if (u->key_env.n) {
        const char *name = arena_str(a, u->key_env);
        const char *value = name ? getenv(name) : NULL;
        if (!value || !*value)
            return err_set(e, ERR_CONFIG, "the environment has no %s, which is to hold a key",
                           name ? name : "variable");
        u->key = arena_span(a, span_str(value));
    }
    for (size_t i = 0; i < u->key.n; i++)
        if (u->key.p[i] <= ' ' || u->key.p[i] >= 0x7f)
            return err_set(e, ERR_CONFIG, "an upstream's key holds a byte that it may not");
    return true;
}

static uint64_t or_else(uint64_t v, uint64_t preset_value)
{
    return v ? v : preset_value;
}

static bool judge_upstreams(struct settings *s, struct err *e)
{
    for (size_t i = 0; i < s->upstreams.count; i++) {
        struct upstream_config *u = (struct upstream_config *)s->upstreams.items + i;
        if (!judge_url(u, s->arena, e) || !take_secret(u, s->arena, e))
            return false;
        u->ca_text = u->ca_file.n ? arena_str(s->arena, u->ca_file) : NULL;
        u->connect_ms = or_else(u->connect_ms, 5000);
        u->first_byte_ms = or_else(u->first_byte_ms, 600000);
        u->idle_ms = or_else(u->idle_ms, 300000);
        u->break_ms = or_else(u->break_ms, 10000);
        for (size_t j = 0; j < i; j++)
            if (span_eq(serve_settings_upstream(s, j)->name, u->name))
                return err_set(e, ERR_CONFIG, "two upstreams have one name");
    }
    return true;
}

/* The only one, in short, becomes one of them. */
static bool join_engines(struct settings *s, struct err *e)
{
    size_t n = s->engines.count;
    struct engine_config *all = arena_array(s->arena, n + 1, sizeof *all);
    if (!all)
        return err_set(e, ERR_MEMORY, "out of memory");
    if (n)
        memcpy(all, s->engines.items, n * sizeof *all);
    if (s->engine.path.n && s->engine.name.n == 0)
        s->engine.name = span_str("engine");
    if (s->engine.path.n)
        all[n++] = s->engine;
    s->engines.items = all;
    s->engines.count = n;
    return true;
}

static bool judge_engines(struct settings *s, const struct yaml *y, struct err *e)
{
    char shown[80];
    if (!join_engines(s, e))
        return false;
    for (size_t i = 0; i < s->engines.count; i++) {
        struct engine_config *g = (struct engine_config *)s->engines.items + i;
        g->waiting = or_else(g->waiting, WAITING);
        bool twice = false;
        for (size_t j = 0; j < i; j++)
            twice = twice || span_eq(serve_settings_engine(s, j)->name, g->name);
        for (size_t j = 0; j < s->upstreams.count; j++)
            twice = twice || span_eq(serve_settings_upstream(s, j)->name, g->name);
        if (g->name.n == 0)
            return config_error(y, g->line, e, "one of several engines has no name");
        if (twice)
            return config_error(y, g->line, e, "two engines or upstreams are called '%s'",
                                text_shown(shown, sizeof shown, g->name));
    }
    return s->engines.count <= ENGINES_MAX ||
           err_set(e, ERR_CONFIG, "there are more than %d engines", ENGINES_MAX);
}

static bool find_upstream(const struct settings *s, struct target_config *t)
{
    for (size_t i = 0; i < s->engines.count; i++) {
        t->engine = span_eq(serve_settings_engine(s, i)->name, t->upstream);
        t->index = s->upstreams.count + i;
        if (t->engine)
            return true;
    }
    for (t->index = 0; t->index < s->upstreams.count; t->index++)
        if (span_eq(serve_settings_upstream(s, t->index)->name, t->upstream))
            return true;
    return false;
}

static bool judge_models(struct settings *s, const struct yaml *y, struct err *e)
{
    char shown[80];
    for (size_t i = 0; i < s->models.count; i++) {
        struct model_config *m = (struct model_config *)s->models.items + i;
        if (serve_settings_model(s, m->name) != m && !span_is(m->name, "*"))
            return config_error(y, m->line, e, "two models have one name");
        for (size_t j = 0; j < m->targets.count; j++) {
            struct target_config *t = (struct target_config *)m->targets.items + j;
            t->weight = or_else(t->weight, 1);
            if (!find_upstream(s, t))
                return config_error(y, t->line, e, "there is no upstream and no engine '%s'",
                                    text_shown(shown, sizeof shown, t->upstream));
            if (t->engine && (m->targets.count > 1 || t->model.n))
                return config_error(y, t->line, e,
                                    "an engine is a model's only backend, and has one model");
        }
    }
    return true;
}

/* ADDRESS:PORT, the address numeric, v6 in brackets. */
static bool judge_listen(const char **address, unsigned *port, struct span text, struct arena *a,
                         struct err *e)
{
    uint64_t n = 0;
    const uint8_t *colon = memrchr(text.p, ':', text.n);
    size_t at = colon ? (size_t)(colon - text.p) : 0;
    struct span host = span_sub(text, 0, at);
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = span_sub(host, 1, host.n - 2);
    if (!colon || host.n == 0 || !text_u64(span_sub(text, at + 1, text.n), &n) || n > 65535)
        return err_set(e, ERR_CONFIG,
                       "an address to listen on is ADDRESS:PORT, like 127.0.0.1:8080");
    *port = (unsigned)n;
    *address = arena_str(a, host);
    return *address || err_set(e, ERR_MEMORY, "out of memory");
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* Beyond this machine nobody is served without a key, unless somebody says so. */
static bool judge_openness(const struct settings *s, struct err *e)
{
    bool beyond = !is_loopback(s->address) || (s->admin_address && !is_loopback(s->admin_address));
    if (!beyond || s->keys.count || s->open)
        return true;
    return err_set(e, ERR_CONFIG,
                   "%s is not loopback and there are no keys: whoever reaches it would be "
                   "served; add keys (assay serve --make-key NAME) or say open: true",
                   s->address);
}

static bool judge(struct settings *s, const struct yaml *y, struct err *e)
{
    if (s->listen.n == 0)
        s->listen = span_str("127.0.0.1:8080");
    if (s->log.n == 0)
        return config_error(y, 0, e, "no log is named: set log, or give --log DIR");
    if (s->models.count == 0)
        return config_error(y, 0, e, "no models are named: nothing would be served");
    return judge_keys(s, y, e) && judge_upstreams(s, e) && judge_engines(s, y, e) &&
           judge_models(s, y, e) && judge_listen(&s->address, &s->port, s->listen, s->arena, e) &&
           (s->admin_listen.n == 0 ||
            judge_listen(&s->admin_address, &s->admin_port, s->admin_listen, s->arena, e)) &&
           judge_openness(s, e);
}

/* ---- reading ---- */

/* A model is asked for by the name of its file, without .gguf. */
static struct span name_of(struct span path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    const uint8_t *slash = memrchr(path.p, '/', path.n);
    if (slash)
        path = span_sub(path, (size_t)(slash - path.p) + 1, path.n);
    return span_ends(path, ".gguf") ? span_sub(path, 0, path.n - 5) : path;
}

static bool engine_case(struct buf *out, const char *path, struct err *e)
{
    struct json_writer w;
    buf_put_str(out, "{\"engine\":{\"path\":");
    jw_init(&w, json_sink_buf, out, false);
    jw_str(&w, path);
    buf_put_str(out, "},\"models\":[{\"name\":");
    jw_init(&w, json_sink_buf, out, false);
    jw_string(&w, name_of(span_str(path)));
    buf_put_str(out, ",\"backends\":[{\"upstream\":\"engine\"}]}]}");
    return buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory");
}

/* JSON is YAML. */
static bool simple_case(struct buf *out, const struct serve_options *o, struct err *e)
{
    struct json_writer w;
    if (o->model)
        return engine_case(out, o->model, e);
    if (!o->upstream)
        return err_set(e, ERR_USAGE,
                       "give --config FILE, or --log DIR with --upstream URL or --model PATH");
    buf_put_str(out, "{\"upstreams\":[{\"name\":\"upstream\",\"url\":");
    jw_init(&w, json_sink_buf, out, false);
    jw_str(&w, o->upstream);
    buf_put_str(out,
                "}],\"models\":[{\"name\":\"*\",\"backends\":[{\"upstream\":\"upstream\"}]}]}");
    return buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory");
}

static bool read_text(struct settings *s, const struct serve_options *o, struct err *e)
{
    struct buf text;
    if (o->config)
        return file_read(&s->file, o->config, YAML_MAX_TEXT, false, s->arena, e);
    buf_init(&text, 65536);
    bool ok = simple_case(&text, o, e);
    s->file = arena_span(s->arena, buf_span(&text));
    buf_free(&text);
    return ok;
}

bool serve_settings_read(struct settings **out, const struct serve_options *o, struct err *e)
{
    struct arena *a = arena_new(SETTINGS_ARENA);
    struct settings *s = a ? arena_alloc(a, sizeof *s) : NULL;
    struct yaml y;
    *out = NULL;
    if (!s) {
        arena_free(a);
        return err_set(e, ERR_MEMORY, "out of memory for the configuration");
    }
    s->arena = a;
    s->refs = 1;
    s->limits = preset;
    bool ok = read_text(s, o, e) && yaml_parse(&y, s->file, o->config, a, e) &&
              config_read(s, &y, y.root, settings_fields, a, e);
    if (ok) {
        s->digest = sha256_of(s->file);
        if (o->log)
            s->log = span_str(o->log);
        if (o->listen)
            s->listen = span_str(o->listen);
        s->open = s->open || o->open;
        ok = judge(s, &y, e);
    }
    if (!ok) {
        if (o->config)
            err_in_file(e, o->config);
        arena_wipe(a);
        arena_free(a);
        return false;
    }
    *out = s;
    return true;
}

struct settings *serve_settings_hold(struct settings *s)
{
    s->refs++;
    return s;
}

void serve_settings_release(struct settings *s)
{
    if (!s || --s->refs)
        return;
    struct arena *a = s->arena;
    arena_wipe(a);
    arena_free(a);
}

/* ---- looking up ---- */

static bool same_adapters(const struct engine_config *a, const struct engine_config *b)
{
    const struct adapter_config *x = a->adapters.items, *y = b->adapters.items;
    bool same = a->adapters.count == b->adapters.count;
    for (size_t i = 0; same && i < a->adapters.count; i++)
        same = span_eq(x[i].path, y[i].path) && span_eq(x[i].scale, y[i].scale);
    return same;
}

bool serve_settings_same_engines(const struct settings *a, const struct settings *b)
{
    bool same = a->engines.count == b->engines.count;
    for (size_t i = 0; same && i < a->engines.count; i++) {
        const struct engine_config *x = serve_settings_engine(a, i),
                                   *y = serve_settings_engine(b, i);
        same = span_eq(x->name, y->name) && span_eq(x->path, y->path) && x->context == y->context &&
               x->sequences == y->sequences && x->threads == y->threads && same_adapters(x, y);
    }
    return same;
}

const struct model_config *serve_settings_model(const struct settings *s, struct span name)
{
    const struct model_config *any = NULL;
    for (size_t i = 0; i < s->models.count; i++) {
        const struct model_config *m = (const struct model_config *)s->models.items + i;
        if (span_eq(m->name, name))
            return m;
        if (span_is(m->name, "*"))
            any = m;
    }
    return any;
}

bool serve_settings_key_may(const struct key_config *k, struct span model)
{
    if (!k || k->models.count == 0)
        return true;
    for (size_t i = 0; i < k->models.count; i++)
        if (span_eq(k->models.items[i], model) || span_is(k->models.items[i], "*"))
            return true;
    return false;
}
