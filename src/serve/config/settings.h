/*
 * Private to src/serve: the configuration. Immutable once read; a reload makes another
 * one, and calls keep the one that they began with.
 */
#ifndef SERVE_SETTINGS_H
#define SERVE_SETTINGS_H

#include "assay/base/arena.h"
#include "assay/config.h"
#include "assay/digest.h"
#include "assay/exchange.h"
#include "assay/listener.h"
#include "assay/serve.h"

enum upstream_style { STYLE_OPENAI, STYLE_ANTHROPIC, STYLE_AZURE };

struct upstream_config {
    struct span name, url;
    int style; /* how the key is shown: enum upstream_style */
    struct span key_env, key_file, ca_file;
    uint64_t connect_ms, first_byte_ms, idle_ms;
    uint64_t retries;     /* on itself, before the first byte */
    uint64_t break_after; /* failures in a row that open its circuit; 0: never */
    uint64_t break_ms;    /* for how long */
    bool include_usage;   /* ask for the usage of streams whose clients did not */
    /* made from the above */
    const char *url_text, *ca_text;
    struct span key; /* empty: none is shown */
    struct span host;
    struct span path; /* of the URL */
    size_t line;
};

enum { ENGINES_MAX = 16, UPSTREAMS_MAX = 256, KEY_NAME_MAX = 256 };

/* Applied to an engine's weights when it is loaded. */
struct adapter_config {
    struct span path, scale;
};

/* One model of the bundled engine. */
struct engine_config {
    struct span name, path;
    uint64_t context, sequences, threads; /* 0: see struct engine_options */
    uint64_t waiting;                     /* calls that may wait for a place; more are refused */
    struct config_objects adapters;       /* struct adapter_config */
    size_t line;
};

struct target_config {
    struct span upstream; /* name of an upstream, or of an engine */
    struct span model;    /* its own name for the model; empty: as asked */
    uint64_t weight, priority;
    size_t index; /* in upstreams; of an engine, their number and its place in engines */
    bool engine;
    size_t line;
};

struct model_config {
    struct span name;              /* "*": any */
    struct config_objects targets; /* struct target_config */
    size_t line;
};

struct key_config {
    struct span name, sha256, certificate;
    struct config_texts models;                                     /* none: all */
    uint64_t requests_per_minute, tokens_per_minute, bytes_per_day; /* 0: no limit */
    bool admin;
    struct digest hash, certificate_hash; /* made from the texts */
    bool has_hash, has_certificate;
    size_t line;
};

struct tls_config {
    struct span certificate, key, client_ca;
};

struct limits_config {
    uint64_t head, body, answer, connections, calls;
    uint64_t head_ms, idle_ms, body_ms, stall_ms, drain_ms;
    uint64_t reserve; /* bytes that must stay free where the log is */
    uint64_t replays; /* that administrators may ask for a minute */
};

struct enrolled {
    struct span name;
    uint64_t entry;
    struct digest tensor_root;
    bool has_root;
};

struct settings {
    struct span listen, admin_listen, log, user;
    int durability; /* of streams: EXCHANGE_EACH or EXCHANGE_END less 1 */
    bool open;
    bool enrolled_only;
    int on_abort; /* 0: cancel the upstream, 1: let it finish */
    struct tls_config tls;
    struct limits_config limits;
    struct engine_config engine;   /* the only one, in short; path empty: there is none */
    struct config_objects engines; /* struct engine_config; with that one, once read */
    struct config_objects upstreams, models, keys;
    /* made */
    struct arena *arena;
    struct digest digest;      /* SHA-256 of the file */
    struct span file;          /* its bytes */
    struct enrolled *enrolled; /* when enrolled_only, or with an engine */
    size_t enrolled_count;
    unsigned refs;
    const char *address, *admin_address;
    unsigned port, admin_port;
    struct listener_tls tls_files;
};

bool serve_settings_read(struct settings **out, const struct serve_options *o,
                         struct err *e) ASSAY_MUST_CHECK;
struct settings *serve_settings_hold(struct settings *s);
void serve_settings_release(struct settings *s); /* NULL is harmless */

static inline const struct upstream_config *serve_settings_upstream(const struct settings *s,
                                                                    size_t i)
{
    return (const struct upstream_config *)s->upstreams.items + i;
}

static inline const struct engine_config *serve_settings_engine(const struct settings *s, size_t i)
{
    return (const struct engine_config *)s->engines.items + i;
}

static inline const struct key_config *serve_settings_key(const struct settings *s, size_t i)
{
    return (const struct key_config *)s->keys.items + i;
}

/* Whether both have the same engines, which takes a restart to change. */
bool serve_settings_same_engines(const struct settings *a, const struct settings *b);
/* The name of another field that does, and is not the same in both; NULL: there is none. */
const char *serve_settings_fixed(const struct settings *a, const struct settings *b);

/* The entry for a model's name; NULL: it is not served. */
const struct model_config *serve_settings_model(const struct settings *s, struct span name);
bool serve_settings_key_may(const struct key_config *k, struct span model);

#endif
