/*
 * A request to the bundled engine, read by one table of parameters. One that is not known
 * for its API is refused by its name: an answer that silently ignored it would be
 * recorded as if it had not. Runs in a reader's thread.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "serve/engine/engine.h"

enum { STOPS = ENGINE_MAX_STOPS, WORD = 32 };

#define ON(api) (1U << EXCHANGE_##api)
enum {
    OPENAI = ON(CHAT) | ON(COMPLETIONS),
    CHATS = ON(CHAT) | ON(RESPONSES),
    WRITES = OPENAI | ON(RESPONSES),
    EVERY = WRITES | ON(MESSAGES), /* that writes */
    ALL = WRITES | ON(EMBEDDINGS)
};

struct parameter {
    const char *name;
    unsigned apis;
    bool (*read)(struct engine_job *j, const struct parameter *p, struct json v, struct err *e);
    size_t at; /* in struct engine_job */
    double min, max;
    const char *word, *other; /* the only ones that are taken */
};

static struct complaint *wrong(struct engine_job *j)
{
    return j->wrong;
}

/* ---- single values ---- */

static bool known(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    (void)j, (void)p, (void)v, (void)e;
    return true;
}

static bool decimal(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    double d;
    if (!json_double(v, &d) || !isfinite(d) || d < p->min || d > p->max)
        return complain(wrong(j), e, "invalid_value", p->name, "must be a number from %g to %g",
                        p->min, p->max);
    float f = (float)d;
    memcpy((char *)j + p->at, &f, sizeof f);
    return true;
}

static bool whole(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    uint64_t n;
    if (!json_u64(v, &n) || n < (uint64_t)p->min || n > (uint64_t)p->max)
        return complain(wrong(j), e, "invalid_value", p->name,
                        "must be a whole number from %.0f to %.0f", p->min, p->max);
    uint32_t small = (uint32_t)n;
    memcpy((char *)j + p->at, &small, sizeof small);
    return true;
}

/* A negative one is its two's complement, as clients have them that count in 64 bits. */
static bool seed(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    int64_t n;
    if (json_u64(v, &j->request.sampling.seed))
        return true;
    if (!json_i64(v, &n))
        return complain(wrong(j), e, "invalid_value", p->name, "must be a whole number of 64 bits");
    j->request.sampling.seed = (uint64_t)n;
    return true;
}

static bool boolean(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    bool b;
    if (!json_bool(v, &b))
        return complain(wrong(j), e, "invalid_type", p->name, "must be a boolean");
    memcpy((char *)j + p->at, &b, sizeof b);
    return true;
}

/* Kept, to be judged with others. */
static bool kept(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    (void)e;
    memcpy((char *)j + p->at, &v, sizeof v);
    return true;
}

static bool unsupported(struct engine_job *j, const char *name, struct err *e)
{
    return complain(wrong(j), e, "unsupported_parameter", name,
                    "is not supported by the bundled engine: an upstream may know it");
}

/* What is named by its identifier was given to a server that keeps it. */
static bool kept_elsewhere(struct engine_job *j, const struct parameter *p, struct json v,
                           struct err *e)
{
    (void)v;
    return complain(wrong(j), e, "unsupported_parameter", p->name,
                    "is not supported by the bundled engine: nothing is kept to go on from, and "
                    "each request brings its whole input");
}

static bool only_false(struct engine_job *j, const struct parameter *p, struct json v,
                       struct err *e)
{
    bool b = true;
    return (json_bool(v, &b) && !b) || complain(wrong(j), e, "unsupported_value", p->name,
                                                "can only be false with the bundled engine");
}

static bool only_word(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    struct span s;
    bool named = json_string(v, &s);
    if (named && (span_is(s, p->word) || (p->other && span_is(s, p->other))))
        return true;
    return complain(wrong(j), e, "unsupported_value", p->name,
                    "can only be \"%s\"%s%s%s with the bundled engine", p->word,
                    p->other ? " or \"" : "", p->other ? p->other : "", p->other ? "\"" : "");
}

static bool string(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    (void)v;
    return json_type(v) == JSON_STRING ||
           complain(wrong(j), e, "invalid_type", p->name, "must be a string");
}

/* Labels for the caller's own use. */
static bool labels(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    bool ok = json_type(v) == JSON_OBJECT;
    for (struct json m = json_first(v); ok && json_type(m); m = json_next(m))
        ok = json_type(m) == JSON_STRING || json_type(m) == JSON_NULL;
    return ok || complain(wrong(j), e, "invalid_type", p->name, "must map names to strings");
}

/* Nothing is kept that could be fetched by the answer's id, but for its receipt. */
static bool store(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    bool b = true;
    return (json_bool(v, &b) && !b) ||
           complain(
               wrong(j), e, "unsupported_value", p->name,
               "can only be false with the bundled engine: nothing is kept to be fetched "
               "again, and each request brings its whole input (the log has the call, sealed)");
}

/* How much a model thinks is its template's matter. */
static bool effort(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    struct span s;
    return (json_string(v, &s) && span_is(s, "none")) ||
           complain(wrong(j), e, "unsupported_value", p->name,
                    "can only be \"none\" with the bundled engine: a model that can think is told "
                    "to by its template's own variable, in 'chat_template_kwargs'");
}

/* Members that say nothing, or that nothing is to be thought. */
static bool reasoning(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    struct parameter of = *p;
    of.name = "reasoning.effort";
    if (json_type(v) != JSON_OBJECT)
        return complain(wrong(j), e, "invalid_type", p->name, "must be an object");
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        if (json_type(m) == JSON_NULL)
            continue;
        if (!span_is(json_key(m), "effort"))
            return complain(wrong(j), e, "unsupported_parameter", p->name,
                            "can only say an effort: no thoughts are kept apart that could be "
                            "summed up");
        if (!effort(j, &of, m, e))
            return false;
    }
    return true;
}

static bool suffix(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    struct span s;
    return (json_string(v, &s) && s.n == 0) ||
           complain(
               wrong(j), e, "unsupported_value", p->name,
               "can only be \"\" with the bundled engine: a model that fills in is asked to by "
               "marks of its own in 'prompt'");
}

static bool modalities(struct engine_job *j, const struct parameter *p, struct json v,
                       struct err *e)
{
    bool ok = json_count(v) != 0;
    for (struct json m = json_first(v); ok && json_type(m); m = json_next(m)) {
        struct span s;
        ok = json_string(m, &s) && span_is(s, "text");
    }
    return ok || complain(wrong(j), e, "unsupported_value", p->name,
                          "can only be [\"text\"] with the bundled engine");
}

/* A guess at the answer, which makes others faster and changes nothing. */
static bool prediction(struct engine_job *j, const struct parameter *p, struct json v,
                       struct err *e)
{
    struct span type = SPAN_EMPTY;
    (void)json_string(json_get(v, "type"), &type);
    return span_is(type, "content") ||
           complain(wrong(j), e, "invalid_value", p->name, "must be an object of type content");
}

/* ---- structured ones ---- */

static bool stops(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    struct span *list = arena_array(j->arena, STOPS, sizeof *list);
    bool one = json_type(v) == JSON_STRING;
    size_t n = 0;
    if (!list)
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    if ((!one || j->api == EXCHANGE_MESSAGES) && json_type(v) != JSON_ARRAY)
        n = STOPS + 1;
    for (struct json s = one ? v : json_first(v); n <= STOPS && json_type(s);
         s = one ? JSON_NOTHING : json_next(s)) {
        bool fits =
            n < STOPS && json_string(s, &list[n]) && list[n].n > 0 && list[n].n <= ENGINE_MAX_STOP;
        n = fits ? n + 1 : STOPS + 1;
    }
    if (n > STOPS)
        return complain(wrong(j), e, "invalid_value", p->name,
                        j->api == EXCHANGE_MESSAGES
                            ? "must be an array of strings of 1 to %d bytes, up to %d of them"
                            : "must be a string of 1 to %d bytes, or up to %d of them",
                        ENGINE_MAX_STOP, STOPS);
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

static bool biases(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    size_t n = 0, count = json_count(v);
    bool ok = json_type(v) == JSON_OBJECT && count <= ENGINE_MAX_BIAS;
    struct engine_bias *list = ok ? arena_array(j->arena, count + 1, sizeof *list) : NULL;
    if (ok && !list)
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    for (struct json m = json_first(v); ok && json_type(m); m = json_next(m))
        ok = bias_item(j, m, &list[n++]);
    if (!ok)
        return complain(wrong(j), e, "invalid_value", p->name,
                        "must map up to %d token ids of the model to numbers from -100 to 100",
                        ENGINE_MAX_BIAS);
    j->request.sampling.bias = list;
    j->request.sampling.bias_count = n;
    return true;
}

static bool stream_options(struct engine_job *j, const struct parameter *p, struct json v,
                           struct err *e)
{
    bool obfuscation = false;
    if (json_type(v) != JSON_OBJECT)
        return complain(wrong(j), e, "invalid_type", p->name, "must be an object");
    if (!j->stream)
        return complain(wrong(j), e, "invalid_value", p->name, "is for streams: set 'stream'");
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        bool usage = span_is(json_key(m), "include_usage") && j->api != EXCHANGE_RESPONSES;
        bool *to = usage ? &j->include_usage : &obfuscation;
        bool can = usage || span_is(json_key(m), "include_obfuscation");
        if (!can || (json_type(m) != JSON_NULL && !json_bool(m, to)) || obfuscation)
            return complain(wrong(j), e, "invalid_value", p->name,
                            "holds include_usage alone, a boolean");
    }
    return true;
}

/* Nothing is thought that would not be said. */
static bool thinking(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    struct span s;
    return (json_string(json_get(v, "type"), &s) && span_is(s, "disabled")) ||
           complain(wrong(j), e, "unsupported_value", p->name,
                    "can only be disabled with the bundled engine");
}

/* It becomes a form when the tools are known too. */
static bool keep_schema(struct engine_job *j, const char *param, struct span schema, struct err *e)
{
    j->schema = schema;
    j->schema_param = arena_str(j->arena, span_str(param));
    return j->schema_param || err_set(e, ERR_MEMORY, "out of memory for a request");
}

static bool is_name(struct span s)
{
    bool ok = s.n > 0 && s.n <= 64;
    for (size_t i = 0; ok && i < s.n; i++) {
        uint8_t c = s.p[i], lower = c | 0x20;
        ok = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    }
    return ok;
}

/* What a schema comes with; `strict` changes nothing, because answers are always held to it. */
static bool schema_format(struct engine_job *j, const char *name, struct json v, struct err *e)
{
    static const char *const known_members[] = {"type", "name", "description", "strict", "schema"};
    char param[PARAM_MAX];
    struct span text;
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        bool listed = false;
        for (size_t i = 0; i < sizeof known_members / sizeof *known_members; i++)
            listed = listed || span_is(json_key(m), known_members[i]);
        if (!listed)
            return complain(wrong(j), e, "invalid_value", name,
                            "holds more than a name, a description, strict and a schema");
    }
    (void)snprintf(param, sizeof param, "%s.name", name);
    if (!json_string(json_get(v, "name"), &text) || !is_name(text))
        return complain(wrong(j), e, "invalid_value", param,
                        "must be 1 to 64 letters, digits, underscores or hyphens");
    (void)snprintf(param, sizeof param, "%s.schema", name);
    if (json_type(json_get(v, "schema")) != JSON_OBJECT)
        return complain(wrong(j), e, "invalid_type", param, "must be an object");
    return keep_schema(j, param, json_text(json_get(v, "schema")), e);
}

/* Anthropic's clients go on without one when they are told so in these words. */
static bool thread(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    (void)v;
    return complain(wrong(j), e, REPLY_NO_THREADS, p->name,
                    "is not supported by the bundled engine: no conversation is kept");
}

/* Free text, one JSON object, or one that a schema describes. `inner`: what the schema stands in. */
static bool format(struct engine_job *j, const char *name, struct json v, const char *inner,
                   struct json described, struct err *e)
{
    struct span type = span_str("text");
    if (json_type(v) > JSON_NULL && !json_string(json_get(v, "type"), &type))
        type = SPAN_EMPTY;
    if (span_is(type, "json_schema"))
        return schema_format(j, inner, described, e);
    if (span_is(type, "json_object"))
        return keep_schema(j, name, span_str("{\"type\":\"object\"}"), e);
    return span_is(type, "text") ||
           complain(wrong(j), e, "unsupported_value", name,
                    "can be of type text, json_object or json_schema with the bundled engine");
}

static bool response_format(struct engine_job *j, const struct parameter *p, struct json v,
                            struct err *e)
{
    return format(j, p->name, v, "response_format.json_schema", json_get(v, "json_schema"), e);
}

static bool text_format(struct engine_job *j, const struct parameter *p, struct json v,
                        struct err *e)
{
    if (json_type(v) != JSON_OBJECT)
        return complain(wrong(j), e, "invalid_type", p->name, "must be an object");
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        struct span s = SPAN_EMPTY;
        (void)json_string(m, &s);
        bool preset = span_is(json_key(m), "verbosity") && span_is(s, "medium");
        if (!span_is(json_key(m), "format") && json_type(m) != JSON_NULL && !preset)
            return unsupported(j, "text.verbosity", e);
    }
    struct json f = json_get(v, "format");
    return format(j, "text.format", f, "text.format", f, e);
}

/* What else may stand there goes into items that no answer here has. */
static bool include(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    static const char *const others[] = {
        "reasoning.encrypted_content",   "file_search_call.results",
        "web_search_call.results",       "web_search_call.action.sources",
        "message.input_image.image_url", "computer_call_output.output.image_url",
        "code_interpreter_call.outputs"};
    bool ok = json_type(v) == JSON_ARRAY;
    for (struct json m = json_first(v); ok && json_type(m); m = json_next(m)) {
        struct span s = SPAN_EMPTY;
        (void)json_string(m, &s);
        ok = span_is(s, "message.output_text.logprobs");
        j->logprobs = j->logprobs || ok;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            ok = ok || span_is(s, others[i]);
    }
    return ok || complain(wrong(j), e, "unsupported_value", p->name,
                          "must be an array of what OpenAI documents, such as "
                          "\"message.output_text.logprobs\"");
}

/* Messages: what the answer is held to, and nothing else. */
static bool output_config(struct engine_job *j, const struct parameter *p, struct json v,
                          struct err *e)
{
    struct json f = json_get(v, "format"), schema = json_get(f, "schema");
    struct span type = SPAN_EMPTY;
    if (json_type(v) != JSON_OBJECT)
        return complain(wrong(j), e, "invalid_type", p->name, "must be an object");
    for (struct json m = json_first(v); json_type(m); m = json_next(m))
        if (!span_is(json_key(m), "format") && json_type(m) != JSON_NULL)
            return unsupported(j, "output_config", e);
    if (json_type(f) <= JSON_NULL)
        return true;
    if (!json_string(json_get(f, "type"), &type) || !span_is(type, "json_schema"))
        return complain(wrong(j), e, "unsupported_value", "output_config.format",
                        "can only be of type json_schema");
    if (json_type(schema) != JSON_OBJECT)
        return complain(wrong(j), e, "invalid_type", "output_config.format.schema",
                        "must be an object");
    return keep_schema(j, "output_config.format.schema", json_text(schema), e);
}

/* Of the older API: how many beside the chosen one. */
static bool older_logprobs(struct engine_job *j, const struct parameter *p, struct json v,
                           struct err *e)
{
    j->logprobs = true;
    return whole(j, p, v, e);
}

static bool encoding(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    struct span s = SPAN_EMPTY;
    (void)json_string(v, &s);
    j->base64 = span_is(s, "base64");
    return j->base64 || span_is(s, "float") ||
           complain(wrong(j), e, "invalid_value", p->name, "must be \"float\" or \"base64\"");
}

/* Of the older API: none may be asked for, by who wants the prompt alone. */
static bool older_max_tokens(struct engine_job *j, const struct parameter *p, struct json v,
                             struct err *e)
{
    uint64_t n;
    j->only_echo = json_u64(v, &n) && n == 0;
    if (!j->only_echo)
        return whole(j, p, v, e);
    j->request.max_tokens = 1; /* whose state the prompt's end has; it is not kept */
    return true;
}

/* The vector is the model's; a part of it would be another vector. */
static bool dimensions(struct engine_job *j, const struct parameter *p, struct json v,
                       struct err *e)
{
    uint64_t n, width = engine_info(j->worker->engine)->width;
    return (json_u64(v, &n) && n == width) ||
           complain(wrong(j), e, "unsupported_value", p->name,
                    "can only be %llu, the width of this model", (unsigned long long)width);
}

/* ---- the table ---- */

#define JOB(member) offsetof(struct engine_job, member)
#define SAMPLING(member) offsetof(struct engine_job, request.sampling.member)
#define MAX_TOKENS offsetof(struct engine_job, request.max_tokens), 1, UINT32_MAX

/* clang-format off */
static const struct parameter parameters[] = {
    {.name = "model", ALL | ON(MESSAGES), known},
    {.name = "user", ALL, string},
    {.name = "stream", EVERY, known},
    {.name = "messages", ON(CHAT) | ON(MESSAGES), known},
    {.name = "system", ON(MESSAGES), known},
    {.name = "thinking", ON(MESSAGES), thinking},
    {.name = "prompt", ON(COMPLETIONS), known},
    {.name = "input", ON(RESPONSES) | ON(EMBEDDINGS), known},
    {.name = "instructions", ON(RESPONSES), known},
    {.name = "metadata", CHATS | ON(MESSAGES), labels},
    {.name = "safety_identifier", CHATS, string},
    {.name = "prompt_cache_key", CHATS, string},
    {.name = "prompt_cache_retention", CHATS, string},
    {.name = "prediction", ON(CHAT), prediction},
    {.name = "modalities", ON(CHAT), modalities},
    {.name = "verbosity", ON(CHAT), only_word, .word = "medium"},
    {.name = "reasoning_effort", ON(CHAT), effort},
    {.name = "reasoning", ON(RESPONSES), reasoning},
    {.name = "max_tool_calls", ON(RESPONSES), known}, /* of OpenAI's own tools, and none is here */
    {.name = "echo", ON(COMPLETIONS), boolean, JOB(echo)},
    {.name = "suffix", ON(COMPLETIONS), suffix},
    {.name = "best_of", ON(COMPLETIONS), whole, JOB(given), 1, ANSWERS_MAX},
    {.name = "output_config", ON(MESSAGES), output_config},
    {.name = "thread", ON(MESSAGES), thread},
    {.name = "stream_options", WRITES, stream_options},
    {.name = "max_tokens", ON(CHAT) | ON(MESSAGES), whole, MAX_TOKENS},
    {.name = "max_tokens", ON(COMPLETIONS), older_max_tokens, MAX_TOKENS},
    {.name = "max_completion_tokens", ON(CHAT), whole, MAX_TOKENS},
    {.name = "max_output_tokens", ON(RESPONSES), whole, MAX_TOKENS},
    {.name = "temperature", EVERY, decimal, SAMPLING(temperature), 0, 2},
    {.name = "top_p", EVERY, decimal, SAMPLING(top_p), 0, 1},
    {.name = "min_p", EVERY, decimal, SAMPLING(min_p), 0, 1},
    {.name = "top_k", EVERY, whole, SAMPLING(top_k), 0, UINT32_MAX},
    {.name = "frequency_penalty", OPENAI, decimal, SAMPLING(frequency), -2, 2},
    {.name = "presence_penalty", OPENAI, decimal, SAMPLING(presence), -2, 2},
    {.name = "repetition_penalty", OPENAI, decimal, SAMPLING(repetition), 0.01, 100},
    {.name = "seed", EVERY, seed},
    {.name = "stop", WRITES, stops},
    {.name = "stop_sequences", ON(MESSAGES), stops},
    {.name = "logit_bias", EVERY, biases},
    {.name = "n", OPENAI, whole, JOB(choices), 1, ANSWERS_MAX},
    {.name = "logprobs", ON(CHAT), boolean, JOB(logprobs)},
    {.name = "logprobs", ON(COMPLETIONS), older_logprobs, JOB(top), 0, ENGINE_MAX_TOP},
    {.name = "top_logprobs", CHATS, whole, JOB(top), 0, ENGINE_MAX_TOP},
    {.name = "include", ON(RESPONSES), include},
    {.name = "return_token_ids", WRITES, boolean, JOB(token_ids)},
    {.name = "tools", CHATS | ON(MESSAGES), kept, JOB(tools)},
    {.name = "tool_choice", CHATS | ON(MESSAGES), kept, JOB(tool_choice)},
    {.name = "functions", ON(CHAT), kept, JOB(functions)},
    {.name = "function_call", ON(CHAT), kept, JOB(function_call)},
    {.name = "parallel_tool_calls", CHATS, kept, JOB(parallel)},
    {.name = "chat_template_kwargs", CHATS | ON(MESSAGES), kept, JOB(chat_variables)},
    {.name = "response_format", CHATS, response_format},
    {.name = "text", ON(RESPONSES), text_format},
    {.name = "store", CHATS, store},
    {.name = "background", ON(RESPONSES), only_false},
    {.name = "truncation", ON(RESPONSES), only_word, .word = "disabled", .other = "auto"},
    {.name = "service_tier", CHATS, only_word, .word = "auto", .other = "default"},
    {.name = "service_tier", ON(MESSAGES), only_word, .word = "auto", .other = "standard_only"},
    {.name = "previous_response_id", ON(RESPONSES), kept_elsewhere},
    {.name = "conversation", ON(RESPONSES), kept_elsewhere},
    {.name = "prompt", ON(RESPONSES), kept_elsewhere},
    {.name = "encoding_format", ON(EMBEDDINGS), encoding},
    {.name = "dimensions", ON(EMBEDDINGS), dimensions},
};
/* clang-format on */

static bool read_member(struct engine_job *j, struct json m, struct err *e)
{
    char name[WORD * 2];
    struct span key = json_key(m);
    if (json_type(m) == JSON_NULL)
        return true;
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        const struct parameter *p = &parameters[i];
        if ((p->apis >> j->api & 1) && span_is(key, p->name))
            return p->read(j, p, m, e);
    }
    (void)snprintf(name, sizeof name, "%.*s", key.n < WORD ? (int)key.n : WORD,
                   (const char *)key.p);
    return unsupported(j, name, e);
}

/* More are computed than are given: which, is known when all are there. */
static bool choose_best(struct engine_job *j, struct err *e)
{
    uint32_t best = j->given, n = j->choices;
    if (best != 0 && best < n)
        return complain(wrong(j), e, "invalid_value", "best_of", "must be at least 'n'");
    if (best > n && j->stream)
        return complain(wrong(j), e, "invalid_value", "best_of",
                        "cannot be streamed where it is more than 'n'");
    j->given = best > n ? n : 0;
    j->choices = best > n ? best : n;
    return true;
}

/* What one parameter alone does not show. OpenAI's presets: temperature 1, top_p 1; a seed that is
 * not given is 0. */
static bool read_members(struct engine_job *j, struct err *e)
{
    j->request.sampling = engine_greedy();
    j->request.sampling.temperature = 1;
    j->choices = 1;
    for (struct json m = json_first(j->root); json_type(m); m = json_next(m))
        if (!read_member(j, m, e))
            return false;
    if (j->top && j->api == EXCHANGE_CHAT && !j->logprobs)
        return complain(wrong(j), e, "invalid_value", "top_logprobs",
                        "needs 'logprobs' to be true");
    j->logprobs = j->logprobs || j->top;
    j->request.sampling.top = j->top;
    if (j->only_echo && !j->echo)
        return complain(wrong(j), e, "invalid_value", "max_tokens", "can only be 0 with 'echo'");
    if (!choose_best(j, e))
        return false;
    j->request.logprobs = j->logprobs || j->given;
    return true;
}

/* ---- the whole ---- */

/* Nothing is left for the engine to refuse once the intent is written. */
static bool all_taken(struct engine_job *j, struct err *e)
{
    struct engine_request one = j->request;
    struct err why = ERR_INIT;
    for (size_t i = 0; i < j->prompt_count; i++) {
        one.count = j->prompts[i];
        if (!engine_check(j->worker->engine, &one, &why))
            return complain(wrong(j), e, "invalid_value", j->dialect->prompt, "is refused: %s",
                            why.text);
        one.tokens += one.count;
    }
    return true;
}

bool engine_request_read(struct engine_job *j, struct err *e)
{
    if (!json_parse(&j->root, j->body, JSON_STRICT, j->arena, e) || !read_members(j, e) ||
        !engine_tools_read(j, e))
        return false;
    if (!engine_form_answer(j, e) || !j->dialect->read(j, j->root, e))
        return false;
    if (!buf_ok(&j->prompt))
        return err_set(e, ERR_MEMORY, "out of memory for a prompt");
    if (j->prompt_count * j->choices > ANSWERS_MAX && j->api != EXCHANGE_EMBEDDINGS)
        return complain(wrong(j), e, "invalid_value", "n", "asks for more than %d answers",
                        ANSWERS_MAX);
    j->request.tokens = j->tokens.id;
    j->request.count = j->tokens.n;
    j->request.embed = j->api == EXCHANGE_EMBEDDINGS;
    return all_taken(j, e);
}
