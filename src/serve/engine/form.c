/*
 * What an answer of the engine is held to: the schema of a response format, or the call of a tool
 * that must be made or may be made instead. They become a form, which is part of the recorded
 * parameters. Runs in a reader's thread.
 */
#include <stdio.h>
#include <string.h>

#include "serve/engine/reading.h"

enum { FORM_TEXT_MAX = 64 << 20, FORM_ARENA = 256 << 20 };

/* The text of a form, made one alternative after another. */
struct form_text {
    struct engine_job *j;
    struct buf text;
    struct json_writer w;
    size_t *tool; /* that each alternative is a call of */
    size_t count, room;
    bool strict_alone; /* other tools have any object for arguments */
    bool several;      /* calls, in the texts that their family has around and between them */
};

/* One alternative; what is empty is left out. */
struct part {
    struct span trigger, begin, schema, end;
    bool list;
};

static void begin(struct form_text *f, struct engine_job *j, bool strict_alone)
{
    *f = (struct form_text){.j = j, .strict_alone = strict_alone};
    buf_init(&f->text, FORM_TEXT_MAX);
    jw_init(&f->w, json_sink_buf, &f->text, false);
}

static void put_text(struct json_writer *w, const char *key, struct span text)
{
    if (text.n == 0)
        return;
    jw_key(w, key);
    jw_string(w, text);
}

static void add(struct form_text *f, size_t tool, const struct part *p)
{
    size_t *grown = arena_grow(f->j->arena, f->tool, f->count, &f->room, sizeof *grown);
    f->text.failed = f->text.failed || !grown;
    if (!grown)
        return;
    f->tool = grown;
    grown[f->count++] = tool;
    jw_object(&f->w);
    put_text(&f->w, "trigger", p->trigger);
    if (p->list) {
        jw_key(&f->w, "list");
        jw_bool(&f->w, true);
    }
    put_text(&f->w, "begin", p->begin);
    jw_key(&f->w, "schema");
    jw_raw(&f->w, p->schema);
    put_text(&f->w, "end", p->end);
    jw_end_object(&f->w);
}

/* *why: what is wrong with it, when it is the caller's schema. */
static bool end(struct form_text *f, struct engine_form_wrong *wrong, struct err *why)
{
    struct json root;
    struct engine_job *j = f->j;
    bool ok = buf_ok(&f->text) && !f->w.failed;
    struct span copy = ok ? arena_span(j->arena, buf_span(&f->text)) : SPAN_EMPTY;
    buf_free(&f->text);
    if (!copy.p)
        return err_set(why, ERR_MEMORY, "out of memory for a schema");
    return json_parse(&root, copy, JSON_STRICT, j->arena, why) &&
           engine_form_read(&j->request.form, root, j->arena, wrong, why);
}

static bool writable(struct engine_job *j, const char *param, struct err *e)
{
    return engine_form_writable(j->worker->engine, j->request.form) ||
           complain(j->wrong, e, "unsupported_value", param,
                    "asks for octets that this model's vocabulary cannot write");
}

static bool complain_of(struct engine_job *j, const char *param, const struct engine_form_wrong *at,
                        const struct err *why, struct err *e)
{
    char place[PARAM_MAX];
    if (why->code == ERR_MEMORY)
        return err_set(e, ERR_MEMORY, "out of memory for a schema");
    (void)snprintf(place, sizeof place, "%s%s", param, at->where);
    return complain(j->wrong, e, "unsupported_value", place, "%s", why->text);
}

/* ---- calls ---- */

/*
 * How a family writes a call (tool_calls.c reads it). Where one must be made, the answer is all of these
 * texts; where one may be made, it is free until `trigger` was written, and then `between` is any white
 * space or, of a list, what arrays have. %s in any of them stands for the name, as JSON. Models write
 * JSON with blanks and without. Of several that must be made `apart` stands between two, and any white
 * space behind it.
 */
static const struct writing {
    const char *trigger, *between, *before, *behind, *apart;
    enum engine_tools family;
    bool list, bare; /* bare: the name stands there without quotes */
} writings[] = {
    {"<tool_call>", "\n", "{\"name\": %s, \"arguments\": ", "}\n</tool_call>", "",
     ENGINE_TOOLS_HERMES, false, false},
    {"<tool_call>", "", "{\"name\":%s,\"arguments\":", "}</tool_call>", "", ENGINE_TOOLS_HERMES,
     false, false},
    {"{\"name\": %s", "", ", \"parameters\": ", "}", ";", ENGINE_TOOLS_LLAMA, false, false},
    {"{\"name\":%s", "", ",\"parameters\":", "}", ";", ENGINE_TOOLS_LLAMA, false, false},
    {"<|python_tag|>", "", "{\"name\": %s, \"parameters\": ", "}", ";", ENGINE_TOOLS_LLAMA, false,
     false},
    {"<|python_tag|>", "", "{\"name\":%s,\"parameters\":", "}", ";", ENGINE_TOOLS_LLAMA, false,
     false},
    {"[TOOL_CALLS]", "[", "{\"name\": %s, \"arguments\": ", "}", ",", ENGINE_TOOLS_MISTRAL, true,
     false},
    {"[TOOL_CALLS]", "[", "{\"name\":%s,\"arguments\":", "}", ",", ENGINE_TOOLS_MISTRAL, true,
     false},
    {"[TOOL_CALLS]", "", "%s[ARGS]", "", "", ENGINE_TOOLS_MISTRAL, false, true}};

/* A text with the name in its place. */
static void put_named(struct buf *out, const char *text, const struct writing *w, struct span name)
{
    const char *at = strstr(text, "%s");
    struct json_writer quoted;
    buf_put(out, text, at ? (size_t)(at - text) : strlen(text));
    if (!at)
        return;
    if (w->bare) {
        buf_put_span(out, name);
    } else {
        jw_init(&quoted, json_sink_buf, out, false);
        jw_string(&quoted, name);
    }
    buf_put_str(out, at + strlen("%s"));
}

/* One tool, written in one way. `must`: all of it stands there, but of several what a list has around. */
static void add_writing(struct form_text *f, const struct writing *w, size_t tool, struct span name,
                        struct span schema, bool must)
{
    struct buf trigger, before;
    char behind[32];
    buf_init(&trigger, FORM_TEXT_MAX);
    buf_init(&before, FORM_TEXT_MAX);
    bool whole = must && !(f->several && w->list);
    if (!must || whole)
        put_named(must ? &before : &trigger, w->trigger, w, name);
    buf_put_str(&before, whole ? w->between : "");
    put_named(&before, w->before, w, name);
    (void)snprintf(behind, sizeof behind, "%s%s", w->behind, whole && w->list ? "]" : "");
    add(f, tool,
        &(struct part){.trigger = buf_span(&trigger),
                       .list = w->list && !must,
                       .begin = buf_span(&before),
                       .schema = schema,
                       .end = span_str(behind)});
    f->text.failed = f->text.failed || !buf_ok(&trigger) || !buf_ok(&before);
    buf_free(&trigger);
    buf_free(&before);
}

/* Of Mistral's models, those with a token for it write a name and its arguments, the older ones a list. */
static bool writes_bare(const struct engine_job *j)
{
    return j->calls.family == ENGINE_TOOLS_MISTRAL &&
           tokenizer_id(engine_tokenizer(j->worker->engine), span_str("[ARGS]")) != TOKEN_NONE;
}

/* Where one must be made, the first of the ways that the model may have is enough. */
static const struct writing *first_writing(const struct engine_job *j)
{
    const struct writing *w = writings;
    while (w->family != j->calls.family || w->bare != writes_bare(j))
        w++;
    return w;
}

static void add_call(struct form_text *f, size_t tool, struct span name, struct span schema,
                     bool must)
{
    if (must)
        add_writing(f, first_writing(f->j), tool, name, schema, true);
    for (size_t i = 0; !must && i < sizeof writings / sizeof *writings; i++)
        if (writings[i].family == f->j->calls.family)
            add_writing(f, &writings[i], tool, name, schema, false);
}

static const char *schema_of_tools(enum exchange_api api)
{
    return api == EXCHANGE_CHAT       ? "function.parameters"
           : api == EXCHANGE_MESSAGES ? "input_schema"
                                      : "parameters";
}

/* ---- what arguments are held to ---- */

static bool is_strict(struct json function)
{
    return json_type(json_get(function, "strict")) == JSON_TRUE;
}

static bool can_hold(const struct engine *g, struct span schema)
{
    const struct engine_form *form;
    struct engine_form_wrong wrong;
    struct json root;
    struct buf text;
    struct arena *scratch = arena_new(FORM_ARENA);
    buf_init(&text, FORM_TEXT_MAX);
    buf_put_str(&text, "[{\"schema\":");
    buf_put_span(&text, schema);
    buf_put_str(&text, "}]");
    bool ok = scratch && buf_ok(&text) &&
              json_parse(&root, buf_span(&text), JSON_STRICT, scratch, NULL) &&
              engine_form_read(&form, root, scratch, &wrong, NULL) && engine_form_writable(g, form);
    buf_free(&text);
    arena_free(scratch);
    return ok;
}

/*
 * Strict ones are held to their schema, or the request is refused. Others are held to it where a call
 * must be made, and of Responses, whose tools are strict unless they say that they are not, as far as
 * it is among what answers can be held to; the rest is any object. *held: to its schema.
 */
static struct span arguments_of(const struct form_text *f, struct json function, bool must,
                                bool *held)
{
    static const char none[] = "{\"properties\":{},\"additionalProperties\":false}";
    struct json schema = json_get(function, "parameters");
    struct span text = json_type(schema) > JSON_NULL ? json_text(schema) : span_str(none);
    bool open = json_type(json_get(function, "strict")) <= JSON_NULL;
    *held = is_strict(function);
    if (!*held && !f->strict_alone && (must || (open && f->j->api == EXCHANGE_RESPONSES)))
        *held = can_hold(f->j->worker->engine, text);
    return *held ? text : span_str("{\"type\":\"object\"}");
}

static bool may_call(const struct engine_job *j, struct span name)
{
    bool may = json_type(j->allowed) == JSON_MISSING;
    for (struct json t = json_first(j->allowed); !may && json_type(t); t = json_next(t))
        may = span_eq(engine_tool_name(j, t), name);
    return may && (j->chosen.n == 0 || span_eq(j->chosen, name));
}

/* How many there are that may be called, and whether one of them is held to its schema. */
static size_t add_calls(struct form_text *f, bool must, bool *any_held)
{
    size_t count = 0, i = 0;
    *any_held = false;
    for (struct json t = json_first(f->j->tools); json_type(t); t = json_next(t), i++) {
        struct json function = json_get(t, "function");
        struct span name = SPAN_EMPTY, schema;
        bool held;
        (void)json_string(json_get(function, "name"), &name);
        if (!may_call(f->j, name))
            continue;
        schema = arguments_of(f, function, must, &held);
        add_call(f, i, name, schema, must);
        *any_held = *any_held || held;
        count++;
    }
    return count;
}

/* ---- forms ---- */

static struct json tool_at(const struct engine_job *j, size_t i)
{
    struct json t = json_first(j->tools);
    for (; i > 0; i--)
        t = json_next(t);
    return t;
}

/* *spare: what is wrong is a schema that nobody said must be held to. */
static bool finish(struct form_text *f, bool *spare, struct err *e)
{
    struct engine_job *j = f->j;
    struct engine_form_wrong wrong = {0};
    struct err why = ERR_INIT;
    char param[PARAM_MAX];
    bool schema = j->schema.n && !j->must_call;
    if (end(f, &wrong, &why))
        return writable(j, schema ? j->schema_param : "tools", e);
    if (schema && wrong.alternative == 0)
        return complain_of(j, j->schema_param, &wrong, &why, e);
    size_t tool = wrong.alternative < f->count ? f->tool[wrong.alternative] : 0;
    *spare = !f->strict_alone && !is_strict(json_get(tool_at(j, tool), "function"));
    (void)snprintf(param, sizeof param, "%s[%zu].%s", j->older_tools ? "functions" : "tools", tool,
                   j->older_tools ? "parameters" : schema_of_tools(j->api));
    return complain_of(j, param, &wrong, &why, e);
}

/* One call, or as many as an answer is read for: in a list, or one behind the other. */
static size_t add_calls_made(struct form_text *f)
{
    const struct writing *w = first_writing(f->j);
    char begin[32];
    bool held;
    f->several = !f->j->one_call && f->j->chosen.n == 0;
    f->j->calls.several = f->several;
    if (!f->several)
        return add_calls(f, true, &held);
    (void)snprintf(begin, sizeof begin, "%s%s", w->list ? w->trigger : "",
                   w->list ? w->between : "");
    jw_object(&f->w);
    put_text(&f->w, "begin", span_str(begin));
    put_text(&f->w, "between", span_str(w->apart));
    put_text(&f->w, "end", span_str(w->list ? "]" : ""));
    jw_key(&f->w, "most");
    jw_u64(&f->w, TOOL_CALLS_MAX);
    jw_key(&f->w, "several");
    jw_array(&f->w);
    size_t count = add_calls(f, true, &held);
    jw_end_array(&f->w);
    jw_end_object(&f->w);
    return count;
}

/* An object of the schema, or calls; where some must be made, those alone. */
static bool whole_answer(struct form_text *f, bool *spare, struct err *e)
{
    struct engine_job *j = f->j;
    jw_array(&f->w);
    if (j->schema.n && !j->must_call)
        add(f, 0, &(struct part){.schema = j->schema});
    if (j->calls.family != ENGINE_TOOLS_NONE && add_calls_made(f) == 0) {
        buf_free(&f->text);
        return complain(j->wrong, e, "invalid_value",
                        j->older_tools ? "function_call" : "tool_choice", "names none of the %s",
                        j->older_tools ? "functions" : "tools");
    }
    jw_end_array(&f->w);
    return finish(f, spare, e);
}

/* Anything, and calls within it; nothing is held to where nobody asked for it. */
static bool calls_within(struct form_text *f, bool *spare, struct err *e)
{
    struct engine_job *j = f->j;
    bool held;
    jw_object(&f->w);
    jw_key(&f->w, "calls");
    jw_array(&f->w);
    (void)add_calls(f, false, &held);
    jw_end_array(&f->w);
    jw_key(&f->w, "again");
    jw_bool(&f->w, !j->one_call);
    jw_end_object(&f->w);
    j->calls.held = held || json_type(j->allowed);
    if (j->calls.held)
        return finish(f, spare, e);
    buf_free(&f->text);
    return true;
}

static bool hold(struct engine_job *j, bool strict_alone, bool *spare, struct err *e)
{
    struct form_text f;
    begin(&f, j, strict_alone);
    return j->schema.n || j->must_call ? whole_answer(&f, spare, e) : calls_within(&f, spare, e);
}

/* Schemas that can be held to one by one may be too many for one form: those that need not be are left
 * out then. */
bool engine_form_answer(struct engine_job *j, struct err *e)
{
    bool spare = false, offered = j->calls.family != ENGINE_TOOLS_NONE;
    j->calls.tools = j->tools;
    if (!offered && (j->schema.n == 0 || j->must_call))
        return true;
    if (hold(j, false, &spare, e))
        return true;
    if (!spare)
        return false;
    *e = (struct err)ERR_INIT;
    *j->wrong = (struct complaint){.code = NULL};
    return hold(j, true, &spare, e);
}
