/*
 * A request to the bundled engine, read by one table of parameters. One that is not known
 * for its API is refused by its name: an answer that silently ignored it would be
 * recorded as if it had not. Runs in a reader's thread.
 */
#include "serve/engine/parameters.h"

#include <stdio.h>

#include "serve/engine/dialect.h"
#include "serve/engine/reading.h"

enum { WORD = 32 };

#define ON(api) (1U << EXCHANGE_##api)
enum {
    OPENAI = ON(CHAT) | ON(COMPLETIONS),
    CHATS = ON(CHAT) | ON(RESPONSES),
    WRITES = OPENAI | ON(RESPONSES),
    EVERY = WRITES | ON(MESSAGES), /* that writes */
    ALL = WRITES | ON(EMBEDDINGS)
};

/* ---- the table ---- */

#define JOB(member) offsetof(struct engine_job, member)
#define SAMPLING(member) offsetof(struct engine_job, request.sampling.member)
#define MAX_TOKENS offsetof(struct engine_job, request.max_tokens), 1, UINT32_MAX

/* clang-format off */
static const struct parameter parameters[] = {
    {.name = "model", ALL | ON(MESSAGES), parameter_known},
    {.name = "user", ALL, parameter_string},
    {.name = "stream", EVERY, parameter_known},
    {.name = "messages", ON(CHAT) | ON(MESSAGES), parameter_known},
    {.name = "system", ON(MESSAGES), parameter_known},
    {.name = "thinking", ON(MESSAGES), parameter_thinking},
    {.name = "prompt", ON(COMPLETIONS), parameter_known},
    {.name = "input", ON(RESPONSES) | ON(EMBEDDINGS), parameter_known},
    {.name = "instructions", ON(RESPONSES), parameter_known},
    {.name = "metadata", CHATS | ON(MESSAGES), parameter_labels},
    {.name = "safety_identifier", CHATS, parameter_string},
    {.name = "prompt_cache_key", CHATS, parameter_string},
    {.name = "prompt_cache_retention", CHATS, parameter_string},
    {.name = "prediction", ON(CHAT), parameter_prediction},
    {.name = "modalities", ON(CHAT), parameter_modalities},
    {.name = "verbosity", ON(CHAT), parameter_only_word, .word = "medium"},
    {.name = "reasoning_effort", ON(CHAT), parameter_effort},
    {.name = "reasoning", ON(RESPONSES), parameter_reasoning},
    {.name = "max_tool_calls", ON(RESPONSES), parameter_known}, /* of OpenAI's own tools, and none is here */
    {.name = "echo", ON(COMPLETIONS), parameter_boolean, JOB(echo)},
    {.name = "suffix", ON(COMPLETIONS), parameter_suffix},
    {.name = "best_of", ON(COMPLETIONS), parameter_whole, JOB(given), 1, ANSWERS_MAX},
    {.name = "output_config", ON(MESSAGES), parameter_output_config},
    {.name = "thread", ON(MESSAGES), parameter_thread},
    {.name = "stream_options", WRITES, parameter_stream_options},
    {.name = "max_tokens", ON(CHAT) | ON(MESSAGES), parameter_whole, MAX_TOKENS},
    {.name = "max_tokens", ON(COMPLETIONS), parameter_older_max_tokens, MAX_TOKENS},
    {.name = "max_completion_tokens", ON(CHAT), parameter_whole, MAX_TOKENS},
    {.name = "max_output_tokens", ON(RESPONSES), parameter_whole, MAX_TOKENS},
    {.name = "temperature", EVERY, parameter_decimal, SAMPLING(temperature), 0, 2},
    {.name = "top_p", EVERY, parameter_decimal, SAMPLING(top_p), 0, 1},
    {.name = "min_p", EVERY, parameter_decimal, SAMPLING(min_p), 0, 1},
    {.name = "top_k", EVERY, parameter_whole, SAMPLING(top_k), 0, UINT32_MAX},
    {.name = "frequency_penalty", OPENAI, parameter_decimal, SAMPLING(frequency), -2, 2},
    {.name = "presence_penalty", OPENAI, parameter_decimal, SAMPLING(presence), -2, 2},
    {.name = "repetition_penalty", OPENAI, parameter_decimal, SAMPLING(repetition), 0.01, 100},
    {.name = "seed", EVERY, parameter_seed},
    {.name = "stop", WRITES, parameter_stops},
    {.name = "stop_sequences", ON(MESSAGES), parameter_stops},
    {.name = "logit_bias", EVERY, parameter_biases},
    {.name = "n", OPENAI, parameter_whole, JOB(choices), 1, ANSWERS_MAX},
    {.name = "logprobs", ON(CHAT), parameter_boolean, JOB(logprobs)},
    {.name = "logprobs", ON(COMPLETIONS), parameter_older_logprobs, JOB(top), 0, ENGINE_MAX_TOP},
    {.name = "top_logprobs", CHATS, parameter_whole, JOB(top), 0, ENGINE_MAX_TOP},
    {.name = "include", ON(RESPONSES), parameter_include},
    {.name = "return_token_ids", WRITES, parameter_boolean, JOB(token_ids)},
    {.name = "tools", CHATS | ON(MESSAGES), parameter_kept, JOB(tools)},
    {.name = "tool_choice", CHATS | ON(MESSAGES), parameter_kept, JOB(tool_choice)},
    {.name = "functions", ON(CHAT), parameter_kept, JOB(functions)},
    {.name = "function_call", ON(CHAT), parameter_kept, JOB(function_call)},
    {.name = "parallel_tool_calls", CHATS, parameter_kept, JOB(parallel)},
    {.name = "chat_template_kwargs", CHATS | ON(MESSAGES), parameter_kept, JOB(chat_variables)},
    {.name = "response_format", CHATS, parameter_response_format},
    {.name = "text", ON(RESPONSES), parameter_text_format},
    {.name = "store", CHATS, parameter_store},
    {.name = "background", ON(RESPONSES), parameter_only_false},
    {.name = "truncation", ON(RESPONSES), parameter_only_word, .word = "disabled", .other = "auto"},
    {.name = "service_tier", CHATS, parameter_only_word, .word = "auto", .other = "default"},
    {.name = "service_tier", ON(MESSAGES), parameter_only_word, .word = "auto", .other = "standard_only"},
    {.name = "previous_response_id", ON(RESPONSES), parameter_kept_elsewhere},
    {.name = "conversation", ON(RESPONSES), parameter_kept_elsewhere},
    {.name = "prompt", ON(RESPONSES), parameter_kept_elsewhere},
    {.name = "encoding_format", ON(EMBEDDINGS), parameter_encoding},
    {.name = "dimensions", ON(EMBEDDINGS), parameter_dimensions},
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
    return parameter_unsupported(j, name, e);
}

/* ---- what one parameter alone does not show ---- */

/* More are computed than are given: which, is known when all are there. */
static bool choose_best(struct engine_job *j, struct err *e)
{
    uint32_t best = j->given, n = j->choices;
    if (best != 0 && best < n)
        return complain(j->wrong, e, "invalid_value", "best_of", "must be at least 'n'");
    if (best > n && j->stream)
        return complain(j->wrong, e, "invalid_value", "best_of",
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
        return complain(j->wrong, e, "invalid_value", "top_logprobs",
                        "needs 'logprobs' to be true");
    j->logprobs = j->logprobs || j->top;
    j->request.sampling.top = j->top;
    if (j->only_echo && !j->echo)
        return complain(j->wrong, e, "invalid_value", "max_tokens", "can only be 0 with 'echo'");
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
            return complain(j->wrong, e, "invalid_value", j->dialect->prompt, "is refused: %s",
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
        return complain(j->wrong, e, "invalid_value", "n", "asks for more than %d answers",
                        ANSWERS_MAX);
    j->request.tokens = j->tokens.id;
    j->request.count = j->tokens.n;
    j->request.embed = j->api == EXCHANGE_EMBEDDINGS;
    return all_taken(j, e);
}
