/*
 * assay run MODEL [PROMPT]: one logged call of the bundled engine, or a
 * conversation on a terminal. The answer goes to standard output, what is said
 * about it to standard error.
 */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/text.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/run_session.h"
#include "cli/show.h"

enum { PROMPT_MAX = 64 << 20 };

struct run_args {
    struct engine_args engine;
    struct key_args keys;
    const char *log, *system;
    const char *temperature, *top_p, *min_p, *typical, *repetition, *frequency, *presence;
    struct option_texts stops, biases;
    struct option_u64 max_tokens, seed, top_k;
    bool raw, special;
};

/* ---- options -------------------------------------------------------------- */

static bool decimal(float *out, const char *name, const char *text, struct err *e)
{
    char *end = NULL;
    if (text == NULL)
        return true;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(v))
        return err_set(e, ERR_USAGE, "--%s \"%s\" is no number", name, text);
    *out = (float)v;
    return true;
}

static bool bias_of(struct engine_bias *out, const char *text, struct err *e)
{
    char *end = NULL;
    unsigned long id = strtoul(text, &end, 10);
    if (end == text || *end != '=' || id > UINT32_MAX)
        return err_set(e, ERR_USAGE, "--logit-bias \"%s\": say TOKEN=BIAS, as in 1234=-5", text);
    out->id = (uint32_t)id;
    return decimal(&out->bias, "logit-bias", end + 1, e);
}

static bool sampling_of(struct engine_sampling *s, const struct run_args *a,
                        struct engine_bias biases[OPTION_MAX_TEXTS], struct err *e)
{
    *s = engine_greedy();
    if (!decimal(&s->temperature, "temperature", a->temperature, e) ||
        !decimal(&s->top_p, "top-p", a->top_p, e) || !decimal(&s->min_p, "min-p", a->min_p, e) ||
        !decimal(&s->typical, "typical", a->typical, e) ||
        !decimal(&s->repetition, "repetition-penalty", a->repetition, e) ||
        !decimal(&s->frequency, "frequency-penalty", a->frequency, e) ||
        !decimal(&s->presence, "presence-penalty", a->presence, e))
        return false;
    for (size_t i = 0; i < a->biases.count; i++) {
        if (!bias_of(&biases[i], a->biases.text[i], e))
            return false;
    }
    if (a->top_k.value > UINT32_MAX || a->max_tokens.value > UINT32_MAX)
        return err_set(e, ERR_USAGE, "--top-k and --max-tokens go up to %u", UINT32_MAX);
    s->top_k = (uint32_t)a->top_k.value;
    s->seed = a->seed.value;
    s->bias = biases;
    s->bias_count = a->biases.count;
    return true;
}

/* ---- one turn ------------------------------------------------------------- */

struct turn {
    struct session *s;
    const struct run_args *args;
    struct engine_sampling sampling;
    struct span stops[OPTION_MAX_TEXTS];
    struct out *out;
    bool chats;
    struct buf chat; /* messages as JSON, separated by commas */
};

static void say_speed(const struct turn *t, const struct reply *r)
{
    const struct engine_result *e = &r->result;
    double prefill = (double)e->prefill_us / 1e6, decode = (double)e->decode_us / 1e6;
    char folder[SHOW_SIZE];
    (void)fprintf(stderr, "\nentry %" PRIu64 " of %s", r->receipt.seq,
                  show_text(folder, span_str(t->s->folder), SHOW_NAME));
    (void)fprintf(stderr, " · %u tokens read", e->prompt);
    if (prefill > 0 && e->prompt > e->cached)
        (void)fprintf(stderr, " (%.1f/s)", (double)(e->prompt - e->cached) / prefill);
    (void)fprintf(stderr, " · %u written", e->answer);
    if (e->answer > 1 && decode > 0)
        (void)fprintf(stderr, " (%.1f/s)", (double)(e->answer - 1) / decode);
    (void)fprintf(stderr, " · ended by %s\n", engine_finish_name(e->finish));
}

/* Refused here: nothing was accepted, and so nothing is in the log. */
static bool fits(const struct turn *t, const struct tokens *ids, struct err *e)
{
    uint32_t context = engine_info(t->s->engine)->context;
    if (ids->n == 0)
        return err_set(e, ERR_USAGE, "the prompt is empty");
    return ids->n < context ||
           err_set(e, ERR_USAGE,
                   "the prompt has %zu tokens, and the context is %u: give more with "
                   "--context, or shorten it",
                   ids->n, context);
}

static bool answer(struct turn *t, const struct tokens *ids, struct span prompt, struct reply *r,
                   struct err *e)
{
    const struct run_args *a = t->args;
    struct engine_request request = {.tokens = ids->id,
                                     .count = ids->n,
                                     .max_tokens = (uint32_t)a->max_tokens.value,
                                     .sampling = t->sampling,
                                     .stops = t->stops,
                                     .stop_count = a->stops.count,
                                     .special = a->special};
    if (!fits(t, ids, e) || !session_call(t->s, &request, prompt, t->out, r, e))
        return false;
    out_put(t->out, "\n");
    (void)out_flush(t->out);
    say_speed(t, r);
    return true;
}

static bool turn_raw(struct turn *t, struct span text, struct err *e)
{
    struct tokens ids = {0};
    struct reply r;
    r.text = (struct buf){0};
    bool ok = tokenizer_encode_text(&ids, engine_tokenizer(t->s->engine), text, false,
                                    ENCODE_SPECIAL | ENCODE_PROTOCOL, e) &&
              answer(t, &ids, text, &r, e);
    buf_free(&r.text);
    tokens_free(&ids);
    return ok;
}

/* ---- chats ---------------------------------------------------------------- */

static void put_message(struct buf *chat, const char *role, struct span content)
{
    struct json_writer w;
    if (chat->n != 0)
        buf_put_str(chat, ",");
    jw_init(&w, json_sink_buf, chat, false);
    jw_object(&w);
    jw_key(&w, "role");
    jw_str(&w, role);
    jw_key(&w, "content");
    jw_string(&w, content);
    jw_end_object(&w);
}

/* The messages so far, through the model's template. */
static bool chat_prompt(const struct turn *t, struct tokens *ids, struct buf *text, struct err *e)
{
    struct arena *a = arena_new(PROMPT_MAX);
    struct buf json;
    struct json root;
    buf_init(&json, PROMPT_MAX);
    buf_put_str(&json, "{\"messages\":[");
    buf_put_span(&json, buf_span(&t->chat));
    buf_put_str(&json, "]}");
    bool ok = (a != NULL && buf_ok(&json)) || err_set(e, ERR_LIMIT, "the conversation is too long");
    ok = ok && json_parse(&root, buf_span(&json), JSON_STRICT, a, e) &&
         engine_chat_prompt(t->s->engine, root, (int64_t)(clock_wall() / 1000000), ids, text, e);
    buf_free(&json);
    arena_free(a);
    return ok;
}

static bool turn_chat(struct turn *t, struct span text, struct err *e)
{
    struct tokens ids = {0};
    struct buf prompt;
    struct reply r;
    r.text = (struct buf){0};
    buf_init(&prompt, PROMPT_MAX);
    put_message(&t->chat, "user", text);
    bool ok = chat_prompt(t, &ids, &prompt, e) && answer(t, &ids, buf_span(&prompt), &r, e);
    if (ok)
        put_message(&t->chat, "assistant", buf_span(&r.text));
    buf_free(&r.text);
    buf_free(&prompt);
    tokens_free(&ids);
    return ok;
}

static bool take_turn(struct turn *t, struct span text, struct err *e)
{
    return t->chats ? turn_chat(t, text, e) : turn_raw(t, text, e);
}

/* ---- the command ---------------------------------------------------------- */

static bool read_all(struct buf *out, struct err *e)
{
    uint8_t piece[65536];
    ssize_t n;
    buf_init(out, PROMPT_MAX);
    while ((n = read(STDIN_FILENO, piece, sizeof piece)) > 0)
        buf_put(out, piece, (size_t)n);
    if (n < 0)
        return err_errno(e, NULL, "cannot read standard input");
    return buf_ok(out) || err_set(e, ERR_LIMIT, "the prompt is larger than %d bytes", PROMPT_MAX);
}

static bool is_text(struct span s, const char *what, struct err *e)
{
    size_t at = utf8_invalid(s);
    return at == TEXT_VALID || err_set(e, ERR_USAGE, "%s is not UTF-8 at byte %zu", what, at);
}

static bool converse(struct turn *t, struct err *e)
{
    char *line = NULL;
    size_t room = 0;
    bool ok = true;
    while (ok && !interrupted()) {
        (void)fputs("> ", stderr);
        ssize_t n = getline(&line, &room, stdin);
        if (n <= 0)
            break;
        struct span text = {(const uint8_t *)line, (size_t)n - (line[n - 1] == '\n')};
        if (text.n != 0)
            ok = is_text(text, "the prompt", e) && take_turn(t, text, e);
    }
    free(line);
    return ok;
}

static bool run_turns(struct turn *t, const struct call *call, struct err *e)
{
    struct buf piped = {0};
    struct err why = ERR_INIT;
    bool ok;
    if (engine_tokenizer(t->s->engine) == NULL)
        return err_set(e, ERR_UNSUPPORTED, "the model has no tokenizer: it reads no text");
    t->chats = !t->args->raw && engine_chats(t->s->engine, &why);
    if (!t->chats && !t->args->raw && engine_info(t->s->engine)->has_template)
        return err_set(e, why.code, "the chat template: %s (--raw goes on without it)", why.text);
    if (t->args->system != NULL && !t->chats)
        return err_set(e, ERR_USAGE,
                       "--system: without a chat template there is no system message");
    if (t->args->system != NULL)
        put_message(&t->chat, "system", span_str(t->args->system));
    if (call->count < 2 && isatty(STDIN_FILENO))
        return converse(t, e);
    struct span text = call->count > 1 ? span_str(call->operands[1]) : SPAN_EMPTY;
    ok = call->count > 1 || read_all(&piped, e);
    if (call->count < 2)
        text = buf_span(&piped);
    ok = ok && is_text(text, "the prompt", e) && take_turn(t, text, e);
    buf_free(&piped);
    return ok;
}

static int run_run(const struct call *call)
{
    const struct run_args *args = call->args;
    struct err e = ERR_INIT;
    struct engine *g = NULL;
    struct session s = {0};
    struct engine_bias biases[OPTION_MAX_TEXTS];
    struct turn t = {.s = &s, .args = args, .out = call->out};
    buf_init(&t.chat, PROMPT_MAX);
    bool ok = sampling_of(&t.sampling, args, biases, &e) &&
              (args->system == NULL || is_text(span_str(args->system), "--system", &e));
    for (size_t i = 0; ok && i < args->stops.count; i++) {
        t.stops[i] = span_str(args->stops.text[i]);
        ok = is_text(t.stops[i], "--stop", &e);
    }
    if (!ok)
        return usage_error(call->command, &e);
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that goes is an end of the call, on record */
    ok = session_load(&g, call->operands[0], &args->engine, &e) &&
         session_open(&s, g, args->log, &args->keys, &e) && run_turns(&t, call, &e);
    if (s.engine == NULL)
        engine_free(g);
    session_close(&s);
    buf_free(&t.chat);
    if (!ok)
        return cli_error(&e);
    return interrupted() ? EXIT_INTERRUPTED : EXIT_PASS;
}

#define AT(member) offsetof(struct run_args, member)
static const struct option run_options[] = {
    {"raw", OPTION_FLAG, NULL, AT(raw), "continue the text as it stands, without a chat template"},
    {"system", OPTION_TEXT, "TEXT", AT(system), "the system message of a chat"},
    {"max-tokens", OPTION_U64, "N", AT(max_tokens), "most tokens of the answer"},
    {"temperature", OPTION_TEXT, "T", AT(temperature), "0 (default): always the likeliest token"},
    {"top-k", OPTION_U64, "K", AT(top_k), "draw from the K likeliest tokens"},
    {"top-p", OPTION_TEXT, "P", AT(top_p), "draw from the likeliest that together hold P"},
    {"min-p", OPTION_TEXT, "P", AT(min_p), "leave out what is less than P times the likeliest"},
    {"typical", OPTION_TEXT, "P", AT(typical), "draw from the most typical that together hold P"},
    {"repetition-penalty", OPTION_TEXT, "X", AT(repetition), "1 (default): none"},
    {"frequency-penalty", OPTION_TEXT, "X", AT(frequency), "0 (default): none"},
    {"presence-penalty", OPTION_TEXT, "X", AT(presence), "0 (default): none"},
    {"logit-bias", OPTION_TEXTS, "TOKEN=X", AT(biases),
     "added to a token's logit; may be repeated"},
    {"stop", OPTION_TEXTS, "TEXT", AT(stops), "end the answer before this text; may be repeated"},
    {"seed", OPTION_U64, "N", AT(seed), "of the noise that tokens are drawn with (default: 0)"},
    {"special", OPTION_FLAG, NULL, AT(special), "show control tokens"},
    {"adapter", OPTION_TEXTS, "PATH[=X]", AT(engine.adapters),
     "a LoRA adapter, scaled by X; may be repeated"},
    {"context", OPTION_U64, "N", AT(engine.context),
     "positions of a conversation (default: the model's, at most 8192)"},
    {"threads", OPTION_NUMBER, "N", AT(engine.threads), "use N threads (default: all cores)"},
    {"log", OPTION_TEXT, "FOLDER", AT(log),
     "the log of the call (default: $XDG_STATE_HOME/assay/log, made when it is not there)"},
    {"key", OPTION_TEXT, "FILE", AT(keys.key), "the log's signing key (default: log.key)"},
    {"operator-key", OPTION_TEXT, "FILE", AT(keys.operator_key),
     "the key that wraps the keyring (default: operator.key)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command run_command = {
    "run",
    "Engine",
    "MODEL [PROMPT]",
    "answer a prompt with the bundled engine, on record",
    "Loads a GGUF file or a folder of safetensors and answers the prompt: the operand, or standard "
    "input; on a terminal, line after line. The answer goes to standard output as it comes.\n"
    "Every call is an entry of a log: its intent is durable before anything is computed, its "
    "outcome before the command returns. Prompt, answer, token ids and a digest of each position "
    "are sealed there, so that `assay replay` can prove the answer. There is no way to run "
    "without a log.",
    run_options,
    1,
    2,
    run_run,
    "assay run model.gguf \"Why is the sky blue?\"|one answer\n"
    "assay run model.gguf --temperature 0.8 --seed 7 --log audit < prompt.txt|sampled, in a log of "
    "your own",
};
