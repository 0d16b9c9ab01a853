/*
 * The configuration's tables: every field, its type and its bounds. What a table cannot say is
 * judge.c's; docs/operating.md explains them all.
 */
#include "serve/config/fields.h"

#include "assay/engine.h"
#include "assay/http.h"

enum { MAX_ITEMS = 4096, MS_MAX = 86400000 };

#define AT(type, member) .at = offsetof(struct type, member)
#define DAYS_BYTES (UINT64_C(1) << 50)

static const char *const styles[] = {"openai", "anthropic", "azure", NULL};
static const char *const durabilities[] = {"window", "end", NULL};
static const char *const abort_words[] = {"cancel", "drain", NULL};

/* clang-format off */
static const struct config_field upstream_fields[] = {
    {.name = "name", .type = CONFIG_TEXT, AT(upstream_config, name), .required = true, .min = 1, .max = 64, .line = CONFIG_LINE(struct upstream_config, line)},
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
    {.name = "name", .type = CONFIG_TEXT, AT(key_config, name), .required = true, .min = 1, .max = KEY_NAME_MAX, .line = CONFIG_LINE(struct key_config, line)},
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

const struct config_field settings_fields[] = {
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

const struct limits_config settings_limits = {.head = HTTP_HEAD_MAX,
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
