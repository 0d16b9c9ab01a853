/*
 * assay tokenize MODEL [TEXT]: what a model reads when it is given a text, or
 * a conversation through its chat template; and back.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/clock.h"
#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/template.h"
#include "assay/tokenizer.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/show.h"

struct tokenize_args {
    bool ids, plain, special, json, decode, no_prompt;
    const char *chat;
    struct option_u64 time;
};

enum { INPUT_MAX = TOKENIZER_MAX_TEXT, DOCUMENT_MEMORY = 1 << 30 };

/* Everything one run holds. */
struct job {
    const struct call *call;
    const struct tokenize_args *args;
    struct arena *arena;
    struct model *model;
    struct tokenizer *tokenizer;
    struct rendered prompt; /* of --chat */
    struct tokens ids;
    struct buf text; /* of --decode */
};

/* ---- input ---- */

static bool read_standard_input(struct span *out, struct arena *a, struct err *e)
{
    struct buf b;
    uint8_t room[1 << 14];
    buf_init(&b, INPUT_MAX);
    for (size_t n; (n = fread(room, 1, sizeof room, stdin)) > 0;)
        buf_put(&b, room, n);
    *out = arena_span(a, buf_span(&b));
    bool ok = !ferror(stdin) && buf_ok(&b) && (out->p || !b.n);
    buf_free(&b);
    return ok || err_set(e, ERR_IO, "standard input cannot be read, or is longer than %d bytes",
                         INPUT_MAX);
}

static bool input(struct job *j, struct span *out, struct err *e)
{
    if (j->call->count > 1) {
        *out = span_str(j->call->operands[1]);
        return true;
    }
    return read_standard_input(out, j->arena, e);
}

/* ---- chat ---- */

/* The template for a conversation: the one named tool_use when there are tools, else the
 * one without a name. */
static const struct text *choose_template(const struct model *m, bool tools)
{
    const struct text *found = NULL;
    for (size_t i = 0; i < m->template_count; i++) {
        const struct text *t = &m->templates[i];
        if (tools && span_is(t->name, "tool_use"))
            return t;
        if (!found && (t->name.n == 0 || span_is(t->name, "default")))
            found = t;
    }
    return found;
}

/* A list of messages becomes the object that templates expect. */
static bool variables(struct job *j, struct json *out, struct err *e)
{
    struct span text;
    struct buf b;
    if (!file_read(&text, j->args->chat, MODEL_MAX_DOCUMENT, false, j->arena, e))
        return false;
    if (!json_parse(out, text, JSON_STRICT, j->arena, e)) {
        err_in_file(e, j->args->chat);
        return false;
    }
    if (json_type(*out) == JSON_OBJECT && json_type(json_get(*out, "messages")) == JSON_ARRAY)
        return true;
    if (json_type(*out) != JSON_ARRAY)
        return err_at(e, ERR_FORMAT, j->args->chat, ERR_NO_OFFSET,
                      "no messages: expected a list of them, or an object whose member messages "
                      "is one");
    buf_init(&b, text.n + 32);
    buf_printf(&b, "{\"messages\":%.*s}", (int)text.n, (const char *)text.p);
    struct span wrapped = arena_span(j->arena, buf_span(&b));
    buf_free(&b);
    return wrapped.p ? json_parse(out, wrapped, JSON_STRICT, j->arena, e)
                     : err_set(e, ERR_MEMORY, "out of memory");
}

static bool render_chat(struct job *j, struct err *e)
{
    struct template *t = NULL;
    struct template_word words[TOKENIZER_WORDS];
    tokenizer_words(words, j->tokenizer);
    struct template_input in = {.words = words,
                                .word_count = TOKENIZER_WORDS,
                                .add_generation_prompt = !j->args->no_prompt,
                                .now = (int64_t)(clock_wall() / 1000000000)};
    if (j->args->time.given)
        in.now = (int64_t)j->args->time.value;
    if (!variables(j, &in.variables, e))
        return false;
    const struct text *source =
        choose_template(j->model, json_count(json_get(in.variables, "tools")) > 0);
    if (!source)
        return err_at(e, ERR_UNSUPPORTED, j->model->path, ERR_NO_OFFSET,
                      "the model has no chat template; give the text itself");
    bool ok = template_new(&t, source->bytes, e) && template_render(&j->prompt, t, &in, e);
    template_free(t);
    return ok;
}

/* ---- work ---- */

static bool parse_ids(struct job *j, struct span text, struct err *e)
{
    for (size_t i = 0; i < text.n;) {
        size_t end = i;
        uint64_t id;
        while (end < text.n && !strchr(" \t\r\n,[]", text.p[end]))
            end++;
        if (end == i) {
            i++;
            continue;
        }
        if (!text_u64(span_sub(text, i, end - i), &id) || id >= TOKEN_NONE)
            return err_set(e, ERR_USAGE,
                           "--decode takes ids: whole numbers, spaces or commas "
                           "between");
        if (!tokens_add(&j->ids, (uint32_t)id, e))
            return false;
        i = end;
    }
    return true;
}

static bool decode(struct job *j, struct err *e)
{
    struct span text;
    buf_init(&j->text, INPUT_MAX);
    return input(j, &text, e) && parse_ids(j, text, e) &&
           tokenizer_decode(&j->text, j->tokenizer, j->ids.id, j->ids.n,
                            j->args->special ? DECODE_SPECIAL : DECODE_PLAIN, e);
}

static bool encode(struct job *j, struct err *e)
{
    struct span text;
    unsigned flags = j->args->plain ? ENCODE_PLAIN : ENCODE_SPECIAL;
    if (j->args->chat)
        /* The template writes what begins a prompt. */
        return render_chat(j, e) && tokenizer_encode(&j->ids, j->tokenizer, j->prompt.parts,
                                                     j->prompt.count, ENCODE_PLAIN, e);
    return input(j, &text, e) &&
           tokenizer_encode_text(&j->ids, j->tokenizer, text, j->args->special,
                                 flags | ENCODE_PROTOCOL, e);
}

/* ---- output ---- */

static const char *type_of(const struct token *t)
{
    static const char *const names[] = {"", "", "unknown", "control", "special", "unused", "byte"};
    return t->type <= TOKEN_BYTE ? names[t->type] : "";
}

static void show_ids(struct job *j)
{
    struct out *o = j->call->out;
    struct table table;
    struct token token = {0};
    char shown[SHOW_SIZE];
    table_init(&table, "rll", false);
    for (size_t i = 0; i < j->ids.n; i++) {
        if (!tokenizer_token(&token, j->tokenizer, j->ids.id[i]))
            token = (struct token){0};
        table_cell(&table, "%u", j->ids.id[i]);
        table_cell(&table, "%s", show_text(shown, token.text, SHOW_NAME));
        table_cell(&table, "%s", type_of(&token));
    }
    table_print(&table, o, 0);
    table_free(&table);
    out_printf(o, "%zu tokens, rule %s\n", j->ids.n, tokenizer_rule(j->tokenizer));
}

static void json_tokens(struct json_writer *w, struct job *j)
{
    struct token token = {0};
    jw_key(w, "tokens");
    jw_array(w);
    for (size_t i = 0; i < j->ids.n; i++) {
        if (!tokenizer_token(&token, j->tokenizer, j->ids.id[i]))
            token = (struct token){0};
        jw_object(w);
        jo_u64(w, "id", j->ids.id[i]);
        jw_key(w, "text");
        jw_string(w, token.text);
        jo_bool(w, "control", token.type == TOKEN_CONTROL || token.type == TOKEN_UNKNOWN);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void json(struct job *j)
{
    struct json_writer w;
    jo_start(&w, j->call->out, true);
    jo_head(&w, "assay.tokenize/1");
    jo_str(&w, "path", j->model->path);
    jo_str(&w, "rule", tokenizer_rule(j->tokenizer));
    json_tokens(&w, j);
    if (j->args->decode) {
        jw_key(&w, "text");
        jw_string(&w, buf_span(&j->text));
    }
    if (j->args->chat) {
        jw_key(&w, "prompt");
        jw_array(&w);
        for (size_t i = 0; i < j->prompt.count; i++) {
            jw_object(&w);
            jw_key(&w, "text");
            jw_string(&w, j->prompt.parts[i].text);
            jo_bool(&w, "trusted", j->prompt.parts[i].trusted);
            jw_end_object(&w);
        }
        jw_end_array(&w);
    }
    jo_finish(&w, j->call->out);
}

static void bare_ids(struct job *j)
{
    for (size_t i = 0; i < j->ids.n; i++)
        out_printf(j->call->out, i ? " %u" : "%u", j->ids.id[i]);
    out_put(j->call->out, "\n");
}

static void show(struct job *j)
{
    if (j->args->json)
        json(j);
    else if (j->args->ids)
        bare_ids(j);
    else if (j->args->decode)
        out_printf(j->call->out, "%s\n", buf_cstr(&j->text));
    else
        show_ids(j);
}

static int run_tokenize(const struct call *call)
{
    struct job j = {.call = call, .args = call->args, .arena = arena_new(DOCUMENT_MEMORY)};
    struct err e = ERR_INIT;
    int status = EXIT_PASS;
    bool both = j.args->decode && j.args->chat;
    if (both || (j.args->chat && call->count > 1)) {
        (void)err_set(&e, ERR_USAGE,
                      both ? "--decode and --chat exclude each other"
                           : "--chat FILE takes the place of TEXT");
        arena_free(j.arena);
        return usage_error(call->command, &e);
    }
    bool ok = j.arena || err_set(&e, ERR_MEMORY, "out of memory");
    ok = ok && model_read(&j.model, call->operands[0], NULL, &e) &&
         tokenizer_new(&j.tokenizer, j.model, &e) &&
         (j.args->decode ? decode(&j, &e) : encode(&j, &e));
    if (ok)
        show(&j);
    else
        status = cli_error(&e);
    buf_free(&j.text);
    tokens_free(&j.ids);
    rendered_free(&j.prompt);
    tokenizer_free(j.tokenizer);
    model_free(j.model);
    arena_free(j.arena);
    return status;
}

#define AT(member) offsetof(struct tokenize_args, member)
static const struct option tokenize_options[] = {
    {"chat", OPTION_TEXT, "FILE", AT(chat), "messages as JSON, through the model's chat template"},
    {"decode", OPTION_FLAG, NULL, AT(decode), "TEXT is ids; print what they stand for"},
    {"special", OPTION_FLAG, NULL, AT(special), "control tokens in TEXT are meant; show them"},
    {"plain", OPTION_FLAG, NULL, AT(plain), "add no token that begins or ends a text"},
    {"ids", OPTION_FLAG, NULL, AT(ids), "write the ids alone, on one line"},
    {"no-generation-prompt", OPTION_FLAG, NULL, AT(no_prompt),
     "do not open the assistant's turn at the end"},
    {"time", OPTION_U64, "SECONDS", AT(time), "the time that a template sees (default: now)"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON (schema/tokenize.schema.json)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command tokenize_command = {
    "tokenize",
    "Engine",
    "MODEL [TEXT]",
    "show the token ids of a text or a conversation",
    "Prints a line for each token: its id, its spelling in the vocabulary, and its type when it is "
    "no ordinary one. Without TEXT, standard input is read.\n"
    "Control tokens are made of what the chat template writes, never of TEXT or of messages, "
    "unless "
    "--special says that TEXT is meant so.",
    tokenize_options,
    1,
    2,
    run_tokenize,
    "assay tokenize model.gguf 'Hello world'|ids and spellings\n"
    "assay tokenize model/ --chat messages.json --json|a conversation, and who wrote what of it\n"
    "assay tokenize model.gguf --decode '9906 1917'|and back\n"};
