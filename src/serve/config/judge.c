/*
 * What the tables of a configuration cannot say: names that must exist and be told apart,
 * keys and certificates that stand elsewhere.
 */
#include "serve/config/fields.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/base/text.h"

enum { KEY_MAX = 4096, WAITING = 256 };

/* ---- keys ---- */

static bool take_hash(struct digest *out, bool *has, struct span text, const struct yaml *y,
                      size_t line, struct err *e)
{
    if (text.n == 0)
        return true;
    *has = digest_from_hex(out, text);
    return *has ||
           config_error(y, line, e, "a key's digest is not 64 lower-case hexadecimal digits");
}

static bool is_same_key(const struct key_config *a, const struct key_config *b)
{
    return (a->has_hash && b->has_hash && digest_eq(&a->hash, &b->hash)) ||
           (a->has_certificate && b->has_certificate &&
            digest_eq(&a->certificate_hash, &b->certificate_hash));
}

static bool judge_keys(struct settings *s, const struct yaml *y, struct err *e)
{
    char shown[80];
    for (size_t i = 0; i < s->keys.count; i++) {
        struct key_config *k = (struct key_config *)s->keys.items + i;
        if (!take_hash(&k->hash, &k->has_hash, k->sha256, y, k->line, e) ||
            !take_hash(&k->certificate_hash, &k->has_certificate, k->certificate, y, k->line, e))
            return false;
        if (!k->has_hash && !k->has_certificate)
            return config_error(y, k->line, e,
                                "key '%s' has neither sha256 nor certificate_sha256 (assay "
                                "serve --make-key)",
                                text_shown(shown, sizeof shown, k->name));
        for (size_t j = 0; j < i; j++)
            if (span_eq(serve_settings_key(s, j)->name, k->name))
                return config_error(y, k->line, e, "two keys are called '%s'",
                                    text_shown(shown, sizeof shown, k->name));
            else if (is_same_key(serve_settings_key(s, j), k))
                return config_error(y, k->line, e, "two keys have one digest");
    }
    return true;
}

/* ---- upstreams ---- */

static struct span without_line_end(struct span s)
{
    while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

static bool take_secret(struct upstream_config *u, struct arena *a, struct err *e)
{
    if (u->key_file.n && u->key_env.n)
        return err_set(e, ERR_CONFIG,
                       "an upstream has both key_file and key_env: one holds its key");
    if (u->key_file.n) {
        const char *path = arena_str(a, u->key_file);
        if (!path || !file_read(&u->key, path, KEY_MAX, true, a, e))
            return false;
        u->key = without_line_end(u->key);
        if (u->key.n == 0)
            return err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET, "is empty, and is to hold a key");
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

/* Of several upstreams this one is wrong. What a file of its own shows names that file. */
static bool upstream_error(const struct yaml *y, const struct upstream_config *u,
                           const struct err *why, struct err *e)
{
    char shown[80];
    if (why->code == ERR_CONFIG && !why->file[0])
        return config_error(y, y->file ? u->line : 0, e, "upstream '%s': %s",
                            text_shown(shown, sizeof shown, u->name), why->text);
    return err_at(e, why->code, why->file, why->offset, "%s", why->text);
}

static bool judge_upstreams(struct settings *s, const struct yaml *y, struct err *e)
{
    char shown[80];
    for (size_t i = 0; i < s->upstreams.count; i++) {
        struct upstream_config *u = (struct upstream_config *)s->upstreams.items + i;
        struct err why = ERR_INIT;
        if (!serve_settings_judge_url(u, s->arena, &why) || !take_secret(u, s->arena, &why))
            return upstream_error(y, u, &why, e);
        u->ca_text = u->ca_file.n ? arena_str(s->arena, u->ca_file) : NULL;
        if (u->ca_text && access(u->ca_text, R_OK) != 0)
            return err_errno(e, u->ca_text, "cannot be read");
        u->connect_ms = or_else(u->connect_ms, 5000);
        u->first_byte_ms = or_else(u->first_byte_ms, 600000);
        u->idle_ms = or_else(u->idle_ms, 300000);
        u->break_ms = or_else(u->break_ms, 10000);
        for (size_t j = 0; j < i; j++)
            if (span_eq(serve_settings_upstream(s, j)->name, u->name))
                return config_error(y, u->line, e, "two upstreams are called '%s'",
                                    text_shown(shown, sizeof shown, u->name));
    }
    return true;
}

/* ---- engines and models ---- */

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
        if (serve_settings_model(s, m->name) != m)
            return config_error(y, m->line, e, "two models are called '%s'",
                                text_shown(shown, sizeof shown, m->name));
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

/* ---- TLS ---- */

/* A pair that does not hold is found before anybody connects, and before a reload takes it. */
static bool judge_tls(struct settings *s, const struct yaml *y, struct err *e)
{
    const struct tls_config *t = &s->tls;
    struct listener_tls *f = &s->tls_files;
    *f = (struct listener_tls){t->certificate.n ? arena_str(s->arena, t->certificate) : NULL,
                               t->key.n ? arena_str(s->arena, t->key) : NULL,
                               t->client_ca.n ? arena_str(s->arena, t->client_ca) : NULL};
    for (size_t i = 0; i < s->keys.count && !f->client_ca; i++)
        if (serve_settings_key(s, i)->has_certificate)
            return config_error(y, serve_settings_key(s, i)->line, e,
                                "certificate_sha256 needs tls.client_ca: without it no client "
                                "shows a certificate");
    return !f->certificate || listener_tls_holds(f, e);
}

/* ---- all of it ---- */

bool serve_settings_judge(struct settings *s, const struct yaml *y, struct err *e)
{
    if (s->listen.n == 0)
        s->listen = span_str("127.0.0.1:8080");
    if (s->log.n == 0)
        return config_error(y, 0, e, "no log is named: set log, or give --log DIR");
    if (s->models.count == 0)
        return config_error(y, 0, e, "no models are named: nothing would be served");
    return judge_keys(s, y, e) && judge_upstreams(s, y, e) && judge_engines(s, y, e) &&
           judge_models(s, y, e) && serve_settings_judge_addresses(s, e) && judge_tls(s, y, e);
}
