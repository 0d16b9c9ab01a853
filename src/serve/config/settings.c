/*
 * The configuration is read, held as long as a call goes by it, and looked things up in. The simple
 * case without a file is written as a configuration and read by the same code.
 */
#include "serve/config/settings.h"

#include <string.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "serve/config/fields.h"

enum { SETTINGS_ARENA = 64 << 20 };

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
    s->limits = settings_limits;
    bool ok = read_text(s, o, e) && yaml_parse(&y, s->file, o->config, a, e) &&
              config_read(s, &y, y.root, settings_fields, a, e);
    if (ok) {
        s->digest = sha256_of(s->file);
        if (o->log)
            s->log = span_str(o->log);
        if (o->listen)
            s->listen = span_str(o->listen);
        s->open = s->open || o->open;
        ok = serve_settings_judge(s, &y, e);
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
               x->sequences == y->sequences && x->threads == y->threads &&
               x->waiting == y->waiting && same_adapters(x, y);
    }
    return same;
}

const char *serve_settings_fixed(const struct settings *a, const struct settings *b)
{
    return !span_eq(a->listen, b->listen)                           ? "listen"
           : !span_eq(a->admin_listen, b->admin_listen)             ? "admin_listen"
           : !span_eq(a->log, b->log)                               ? "log"
           : !span_eq(a->user, b->user)                             ? "user"
           : !a->tls_files.certificate != !b->tls_files.certificate ? "tls"
                                                                    : NULL;
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
