/*
 * Parameters of which the bundled engine has less than an upstream might: they are taken where they
 * ask for what it does anyway, and otherwise refused in words that say what to do instead.
 */
#include "serve/engine/parameters.h"

bool parameter_unsupported(struct engine_job *j, const char *name, struct err *e)
{
    return complain(j->wrong, e, "unsupported_parameter", name,
                    "is not supported by the bundled engine: an upstream may know it");
}

/* What is named by its identifier was given to a server that keeps it. */
bool parameter_kept_elsewhere(struct engine_job *j, const struct parameter *p, struct json v,
                              struct err *e)
{
    (void)v;
    return complain(j->wrong, e, "unsupported_parameter", p->name,
                    "is not supported by the bundled engine: nothing is kept to go on from, and "
                    "each request brings its whole input");
}

bool parameter_only_false(struct engine_job *j, const struct parameter *p, struct json v,
                          struct err *e)
{
    bool b = true;
    return (json_bool(v, &b) && !b) || complain(j->wrong, e, "unsupported_value", p->name,
                                                "can only be false with the bundled engine");
}

bool parameter_only_word(struct engine_job *j, const struct parameter *p, struct json v,
                         struct err *e)
{
    struct span s;
    bool named = json_string(v, &s);
    if (named && (span_is(s, p->word) || (p->other && span_is(s, p->other))))
        return true;
    return complain(j->wrong, e, "unsupported_value", p->name,
                    "can only be \"%s\"%s%s%s with the bundled engine", p->word,
                    p->other ? " or \"" : "", p->other ? p->other : "", p->other ? "\"" : "");
}

/* Nothing is kept that could be fetched by the answer's id, but for its receipt. */
bool parameter_store(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    bool b = true;
    return (json_bool(v, &b) && !b) ||
           complain(
               j->wrong, e, "unsupported_value", p->name,
               "can only be false with the bundled engine: nothing is kept to be fetched "
               "again, and each request brings its whole input (the log has the call, sealed)");
}

/* How much a model thinks is its template's matter. */
bool parameter_effort(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    struct span s;
    return (json_string(v, &s) && span_is(s, "none")) ||
           complain(j->wrong, e, "unsupported_value", p->name,
                    "can only be \"none\" with the bundled engine: a model that can think is told "
                    "to by its template's own variable, in 'chat_template_kwargs'");
}

/* Members that say nothing, or that nothing is to be thought. */
bool parameter_reasoning(struct engine_job *j, const struct parameter *p, struct json v,
                         struct err *e)
{
    struct parameter of = *p;
    of.name = "reasoning.effort";
    if (json_type(v) != JSON_OBJECT)
        return complain(j->wrong, e, "invalid_type", p->name, "must be an object");
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        if (json_type(m) == JSON_NULL)
            continue;
        if (!span_is(json_key(m), "effort"))
            return complain(j->wrong, e, "unsupported_parameter", p->name,
                            "can only say an effort: no thoughts are kept apart that could be "
                            "summed up");
        if (!parameter_effort(j, &of, m, e))
            return false;
    }
    return true;
}

/* Nothing is thought that would not be said. */
bool parameter_thinking(struct engine_job *j, const struct parameter *p, struct json v,
                        struct err *e)
{
    struct span s;
    return (json_string(json_get(v, "type"), &s) && span_is(s, "disabled")) ||
           complain(j->wrong, e, "unsupported_value", p->name,
                    "can only be disabled with the bundled engine");
}

bool parameter_suffix(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    struct span s;
    return (json_string(v, &s) && s.n == 0) ||
           complain(
               j->wrong, e, "unsupported_value", p->name,
               "can only be \"\" with the bundled engine: a model that fills in is asked to by "
               "marks of its own in 'prompt'");
}

bool parameter_modalities(struct engine_job *j, const struct parameter *p, struct json v,
                          struct err *e)
{
    bool ok = json_count(v) != 0;
    for (struct json m = json_first(v); ok && json_type(m); m = json_next(m)) {
        struct span s;
        ok = json_string(m, &s) && span_is(s, "text");
    }
    return ok || complain(j->wrong, e, "unsupported_value", p->name,
                          "can only be [\"text\"] with the bundled engine");
}

/* A guess at the answer, which makes others faster and changes nothing. */
bool parameter_prediction(struct engine_job *j, const struct parameter *p, struct json v,
                          struct err *e)
{
    struct span type = SPAN_EMPTY;
    (void)json_string(json_get(v, "type"), &type);
    return span_is(type, "content") ||
           complain(j->wrong, e, "invalid_value", p->name, "must be an object of type content");
}

/* Anthropic's clients go on without one when they are told so in these words. */
bool parameter_thread(struct engine_job *j, const struct parameter *p, struct json v, struct err *e)
{
    (void)v;
    return complain(j->wrong, e, REPLY_NO_THREADS, p->name,
                    "is not supported by the bundled engine: no conversation is kept");
}

/* What else may stand there goes into items that no answer here has. */
bool parameter_include(struct engine_job *j, const struct parameter *p, struct json v,
                       struct err *e)
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
    return ok || complain(j->wrong, e, "unsupported_value", p->name,
                          "must be an array of what OpenAI documents, such as "
                          "\"message.output_text.logprobs\"");
}
