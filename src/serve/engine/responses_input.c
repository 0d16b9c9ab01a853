/*
 * The input of the Responses API becomes a chat's messages: its items are told apart by their type,
 * calls that follow one another are one message, and what is no text is refused by its place.
 */
#include <stdio.h>

#include "serve/engine/dialect.h"
#include "serve/engine/reading.h"

enum { INPUT_MAX = 256 << 20 };

struct input {
    struct engine_job *j;
    struct json_writer w;
    size_t item;
    bool calling; /* within an assistant's message of calls */
};

static bool wrong(struct input *in, const char *where, const char *why, struct err *e)
{
    char param[PARAM_MAX];
    (void)snprintf(param, sizeof param, "input[%zu]%s%s", in->item, *where ? "." : "", where);
    return complain(in->j->wrong, e, "invalid_value", param, "%s", why);
}

static void end_calls(struct input *in)
{
    if (!in->calling)
        return;
    jw_end_array(&in->w);
    jw_end_object(&in->w);
    in->calling = false;
}

static void put_role(struct json_writer *w, const char *role, struct span content)
{
    jw_object(w);
    jw_key(w, "role");
    jw_str(w, role);
    jw_key(w, "content");
    jw_string(w, content);
    jw_end_object(w);
}

/* Calls that follow one another are one message. */
static bool put_call(struct input *in, struct json item, struct err *e)
{
    struct json_writer *w = &in->w;
    struct span name, arguments, id = SPAN_EMPTY;
    if (!json_string(json_get(item, "name"), &name) ||
        !json_string(json_get(item, "arguments"), &arguments))
        return wrong(in, "", "must have a name and arguments", e);
    (void)json_string(json_get(item, "call_id"), &id);
    if (!in->calling) {
        jw_object(w);
        jw_key(w, "role");
        jw_str(w, "assistant");
        jw_key(w, "content");
        jw_str(w, "");
        jw_key(w, "tool_calls");
        jw_array(w);
        in->calling = true;
    }
    jw_object(w);
    engine_put_call(w, id, name, arguments);
    jw_end_object(w);
    return true;
}

/* Parts that are no text are refused by their place: the template would see only a list of messages. */
static bool are_texts(struct input *in, const char *where, struct json parts, struct err *e)
{
    char place[PARAM_MAX];
    size_t i = 0;
    for (struct json part = json_first(parts); json_type(part); part = json_next(part), i++) {
        struct span type = SPAN_EMPTY;
        (void)json_string(json_get(part, "type"), &type);
        (void)snprintf(place, sizeof place, "%s[%zu]", where, i);
        if (!span_is(type, "input_text") && !span_is(type, "output_text") &&
            !span_is(type, "text") && !span_is(type, "refusal"))
            return wrong(in, place, "must be of text: images, files and sounds are not read", e);
    }
    return true;
}

static bool put_result(struct input *in, struct json item, struct err *e)
{
    struct json_writer *w = &in->w;
    struct json output = json_get(item, "output");
    struct span id = SPAN_EMPTY;
    if (json_type(output) != JSON_STRING && json_type(output) != JSON_ARRAY)
        return wrong(in, "output", "must be a string or an array of parts", e);
    if (json_type(output) == JSON_ARRAY && !are_texts(in, "output", output, e))
        return false;
    (void)json_string(json_get(item, "call_id"), &id);
    jw_object(w);
    jw_key(w, "role");
    jw_str(w, "tool");
    jw_key(w, "tool_call_id");
    jw_string(w, id);
    jw_key(w, "content");
    jw_raw(w, json_text(output));
    jw_end_object(w);
    return true;
}

static bool put_item(struct input *in, struct json item, struct err *e)
{
    struct span type = span_str("message");
    if (json_type(item) != JSON_OBJECT)
        return wrong(in, "", "must be an object", e);
    (void)json_string(json_get(item, "type"), &type);
    if (span_is(type, "function_call"))
        return put_call(in, item, e);
    end_calls(in);
    if (span_is(type, "function_call_output"))
        return put_result(in, item, e);
    if (!span_is(type, "message"))
        return wrong(in, "type", "can only be message, function_call or function_call_output", e);
    if (json_type(json_get(item, "role")) != JSON_STRING)
        return wrong(in, "role", "must be a string", e);
    if (json_type(json_get(item, "content")) == JSON_ARRAY &&
        !are_texts(in, "content", json_get(item, "content"), e))
        return false;
    jw_object(&in->w);
    jw_key(&in->w, "role");
    jw_raw(&in->w, json_text(json_get(item, "role")));
    jw_key(&in->w, "content");
    if (json_type(json_get(item, "content")))
        jw_raw(&in->w, json_text(json_get(item, "content")));
    else
        jw_str(&in->w, "");
    jw_end_object(&in->w);
    return true;
}

static bool put_messages(struct input *in, struct json root, struct err *e)
{
    struct json input = json_get(root, "input"), instructions = json_get(root, "instructions");
    struct span text = SPAN_EMPTY;
    if (json_type(instructions) > JSON_NULL && !json_string(instructions, &text))
        return complain(in->j->wrong, e, "invalid_type", "instructions", "must be a string");
    jw_array(&in->w);
    if (json_type(instructions) > JSON_NULL)
        put_role(&in->w, "system", text);
    if (json_string(input, &text)) {
        put_role(&in->w, "user", text);
    } else if (json_count(input) == 0) {
        return complain(in->j->wrong, e, "missing_required_parameter", "input",
                        "must be a string or an array of items");
    } else {
        for (struct json m = json_first(input); json_type(m); m = json_next(m), in->item++)
            if (!put_item(in, m, e))
                return false;
    }
    end_calls(in);
    jw_end_array(&in->w);
    return true;
}

bool engine_read_response(struct engine_job *j, struct json root, struct err *e)
{
    struct buf text;
    struct input in = {.j = j};
    buf_init(&text, INPUT_MAX);
    jw_init(&in.w, json_sink_buf, &text, false);
    bool ok = put_messages(&in, root, e) &&
              (buf_ok(&text) || err_set(e, ERR_MEMORY, "out of memory for a request")) &&
              engine_chat_text(j, buf_span(&text), e);
    buf_free(&text);
    return ok;
}
