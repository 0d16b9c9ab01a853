/*
 * Parameters of one plain value or a list of them: each is taken within its bounds, put where the
 * table says, or refused by its name.
 */
#include "serve/engine/parameters.h"

#include <math.h>
#include <string.h>

/* ---- single values ---- */

bool parameter_known(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    (void)j, (void)p, (void)v, (void)e;
    return true;
}

bool parameter_decimal(struct engine_job *j, const struct parameter *p, struct json v,
                       struct err *e)
{
    double d;
    if (!json_double(v, &d) || !isfinite(d) || d < p->min || d > p->max)
        return complain(j->wrong, e, "invalid_value", p->name, "must be a number from %g to %g",
                        p->min, p->max);
    float f = (float)d;
    memcpy((char *)j + p->at, &f, sizeof f);
    return true;
}

bool parameter_whole(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    uint64_t n;
    if (!json_u64(v, &n) || n < (uint64_t)p->min || n > (uint64_t)p->max)
        return complain(j->wrong, e, "invalid_value", p->name,
                        "must be a whole number from %.0f to %.0f", p->min, p->max);
    uint32_t small = (uint32_t)n;
    memcpy((char *)j + p->at, &small, sizeof small);
    return true;
}

/* A negative one is its two's complement, as clients have them that count in 64 bits. */
bool parameter_seed(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    int64_t n;
    if (json_u64(v, &j->request.sampling.seed))
        return true;
    if (!json_i64(v, &n))
        return complain(j->wrong, e, "invalid_value", p->name, "must be a whole number of 64 bits");
    j->request.sampling.seed = (uint64_t)n;
    return true;
}

bool parameter_boolean(struct engine_job *j, const struct parameter *p, struct json v,
                       struct err *e)
{
    bool b;
    if (!json_bool(v, &b))
        return complain(j->wrong, e, "invalid_type", p->name, "must be a boolean");
    memcpy((char *)j + p->at, &b, sizeof b);
    return true;
}

/* Kept, to be judged with others. */
bool parameter_kept(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    (void)e;
    memcpy((char *)j + p->at, &v, sizeof v);
    return true;
}

bool parameter_string(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    (void)v;
    return json_type(v) == JSON_STRING ||
           complain(j->wrong, e, "invalid_type", p->name, "must be a string");
}

/* ---- of the older API ---- */

/* Of the older API: how many beside the chosen one. */
bool parameter_older_logprobs(struct engine_job *j, const struct parameter *p, struct json v,
                              struct err *e)
{
    j->logprobs = true;
    return parameter_whole(j, p, v, e);
}

/* Of the older API: none may be asked for, by who wants the prompt alone. */
bool parameter_older_max_tokens(struct engine_job *j, const struct parameter *p, struct json v,
                                struct err *e)
{
    uint64_t n;
    j->only_echo = json_u64(v, &n) && n == 0;
    if (!j->only_echo)
        return parameter_whole(j, p, v, e);
    j->request.max_tokens = 1; /* whose state the prompt's end has; it is not kept */
    return true;
}

/* ---- of embeddings ---- */

bool parameter_encoding(struct engine_job *j, const struct parameter *p, struct json v,
                        struct err *e)
{
    struct span s = SPAN_EMPTY;
    (void)json_string(v, &s);
    j->base64 = span_is(s, "base64");
    return j->base64 || span_is(s, "float") ||
           complain(j->wrong, e, "invalid_value", p->name, "must be \"float\" or \"base64\"");
}

/* The vector is the model's; a part of it would be another vector. */
bool parameter_dimensions(struct engine_job *j, const struct parameter *p, struct json v,
                          struct err *e)
{
    uint64_t n, width = engine_info(j->worker->engine)->width;
    return (json_u64(v, &n) && n == width) ||
           complain(j->wrong, e, "unsupported_value", p->name,
                    "can only be %llu, the width of this model", (unsigned long long)width);
}

/* ---- lists ---- */

/* Labels for the caller's own use. */
bool parameter_labels(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    bool ok = json_type(v) == JSON_OBJECT;
    for (struct json m = json_first(v); ok && json_type(m); m = json_next(m))
        ok = json_type(m) == JSON_STRING || json_type(m) == JSON_NULL;
    return ok || complain(j->wrong, e, "invalid_type", p->name, "must map names to strings");
}

bool parameter_stops(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    struct span *list = arena_array(j->arena, ENGINE_MAX_STOPS, sizeof *list);
    bool one = json_type(v) == JSON_STRING;
    size_t n = 0;
    if (!list)
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    if ((!one || j->api == EXCHANGE_MESSAGES) && json_type(v) != JSON_ARRAY)
        n = ENGINE_MAX_STOPS + 1;
    for (struct json s = one ? v : json_first(v); n <= ENGINE_MAX_STOPS && json_type(s);
         s = one ? JSON_NOTHING : json_next(s)) {
        bool fits = n < ENGINE_MAX_STOPS && json_string(s, &list[n]) && list[n].n > 0 &&
                    list[n].n <= ENGINE_MAX_STOP;
        n = fits ? n + 1 : ENGINE_MAX_STOPS + 1;
    }
    if (n > ENGINE_MAX_STOPS)
        return complain(j->wrong, e, "invalid_value", p->name,
                        j->api == EXCHANGE_MESSAGES
                            ? "must be an array of strings of 1 to %d bytes, up to %d of them"
                            : "must be a string of 1 to %d bytes, or up to %d of them",
                        ENGINE_MAX_STOP, ENGINE_MAX_STOPS);
    j->request.stops = list;
    j->request.stop_count = n;
    return true;
}

/* The key is a token's id. */
static bool bias_item(struct engine_job *j, struct json v, struct engine_bias *out)
{
    uint64_t id = 0;
    double d = 0;
    struct span key = json_key(v);
    size_t n = 0;
    for (; n < key.n && n < 10 && key.p[n] >= '0' && key.p[n] <= '9'; n++)
        id = id * 10 + (uint64_t)(key.p[n] - '0');
    bool ok = n > 0 && n == key.n && id < engine_info(j->worker->engine)->vocabulary &&
              json_double(v, &d) && d >= -100 && d <= 100;
    *out = (struct engine_bias){(uint32_t)id, (float)d};
    return ok;
}

bool parameter_biases(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    size_t n = 0, count = json_count(v);
    bool ok = json_type(v) == JSON_OBJECT && count <= ENGINE_MAX_BIAS;
    struct engine_bias *list = ok ? arena_array(j->arena, count + 1, sizeof *list) : NULL;
    if (ok && !list)
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    for (struct json m = json_first(v); ok && json_type(m); m = json_next(m))
        ok = bias_item(j, m, &list[n++]);
    if (!ok)
        return complain(j->wrong, e, "invalid_value", p->name,
                        "must map up to %d token ids of the model to numbers from -100 to 100",
                        ENGINE_MAX_BIAS);
    j->request.sampling.bias = list;
    j->request.sampling.bias_count = n;
    return true;
}

bool parameter_stream_options(struct engine_job *j, const struct parameter *p, struct json v,
                              struct err *e)
{
    bool obfuscation = false;
    if (json_type(v) != JSON_OBJECT)
        return complain(j->wrong, e, "invalid_type", p->name, "must be an object");
    if (!j->stream)
        return complain(j->wrong, e, "invalid_value", p->name, "is for streams: set 'stream'");
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        bool usage = span_is(json_key(m), "include_usage") && j->api != EXCHANGE_RESPONSES;
        bool *to = usage ? &j->include_usage : &obfuscation;
        bool can = usage || span_is(json_key(m), "include_obfuscation");
        if (!can || (json_type(m) != JSON_NULL && !json_bool(m, to)) || obfuscation)
            return complain(j->wrong, e, "invalid_value", p->name,
                            "holds include_usage alone, a boolean");
    }
    return true;
}
