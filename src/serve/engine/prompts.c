/*
 * What a model reads of a request that is no chat: texts and token ids, as many as are given.
 * Runs in a reader's thread.
 */
#include <stdio.h>

#include "serve/engine/dialect.h"
#include "serve/engine/reading.h"

bool engine_add_prompt(struct engine_job *j, size_t from, struct err *e)
{
    const struct engine_info *i = engine_info(j->worker->engine);
    size_t n = j->tokens.n - from, most = j->api == EXCHANGE_EMBEDDINGS ? VECTORS_MAX : ANSWERS_MAX;
    size_t room = i->context - (j->api != EXCHANGE_EMBEDDINGS);
    const char *param = j->dialect->prompt;
    if (n == 0)
        return complain(j->wrong, e, "invalid_value", param,
                        "is empty: there is nothing to go on from");
    if (n > room)
        return complain(
            j->wrong, e, "context_length_exceeded", param,
            "has %zu tokens, and the model takes at most %zu; nothing of it is left out", n, room);
    if (!j->prompts)
        j->prompts = arena_array(j->arena, most, sizeof *j->prompts);
    if (!j->prompts)
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    if (j->prompt_count == most)
        return complain(j->wrong, e, "invalid_value", param, "has more than %zu items", most);
    j->prompts[j->prompt_count++] = n;
    return true;
}

bool engine_add_text(struct engine_job *j, struct span text, const char *param, struct err *e)
{
    size_t from = j->tokens.n;
    struct err why = ERR_INIT;
    buf_put_span(&j->prompt, text);
    if (!tokenizer_encode_text(&j->tokens, engine_tokenizer(j->worker->engine), text, false,
                               ENCODE_SPECIAL | ENCODE_PROTOCOL, &why)) {
        if (why.code == ERR_MEMORY)
            return err_set(e, ERR_MEMORY, "out of memory for a request");
        return complain(j->wrong, e, "invalid_value", param, "cannot be read: %s", why.text);
    }
    return engine_add_prompt(j, from, e);
}

bool engine_add_ids(struct engine_job *j, struct json ids, const char *param, struct err *e)
{
    size_t from = j->tokens.n;
    uint32_t words = engine_info(j->worker->engine)->vocabulary;
    for (struct json v = json_first(ids); json_type(v); v = json_next(v)) {
        uint64_t id;
        if (!json_u64(v, &id) || id >= words)
            return complain(j->wrong, e, "invalid_value", param,
                            "must be a string, token ids below %u, or several of either", words);
        if (!tokens_add(&j->tokens, (uint32_t)id, e))
            return false;
    }
    return engine_add_prompt(j, from, e);
}

static bool read_item(struct engine_job *j, struct json v, const char *param, struct err *e)
{
    struct span text;
    if (json_string(v, &text))
        return engine_add_text(j, text, param, e);
    if (json_type(v) == JSON_ARRAY)
        return engine_add_ids(j, v, param, e);
    return complain(j->wrong, e, "invalid_type", param,
                    "must be a string or an array of token ids");
}

bool engine_read_inputs(struct engine_job *j, struct json root, struct err *e)
{
    const char *name = j->dialect->prompt;
    struct json v = json_get(root, name), first = json_first(v);
    char param[PARAM_MAX];
    size_t i = 0;
    if (json_type(v) == JSON_STRING || json_type(first) == JSON_NUMBER)
        return read_item(j, v, name, e);
    if (!json_type(first))
        return complain(j->wrong, e, "invalid_value", name, "must hold something");
    for (; json_type(first); first = json_next(first)) {
        (void)snprintf(param, sizeof param, "%s[%zu]", name, i++);
        if (!read_item(j, first, param, e))
            return false;
    }
    return true;
}
