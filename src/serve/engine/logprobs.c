/*
 * Log probabilities as OpenAI's clients read them: of the model's own distribution, before bias,
 * penalties and temperature. A token may be no whole character; then its octets are spelled.
 */
#include "assay/base/text.h"
#include "serve/engine/dialect.h"

enum { SPELLED_MAX = 65536 };

static struct token token_of(const struct engine_answer *a, uint32_t id)
{
    struct token t = {.text = SPAN_EMPTY};
    if (!tokenizer_token(&t, engine_tokenizer(a->job->worker->engine), id))
        t.bytes = SPAN_EMPTY;
    return t;
}

/* What ends an answer is no part of it. */
static bool is_shown(const struct engine_answer *a, uint32_t id)
{
    return !tokenizer_ends(engine_tokenizer(a->job->worker->engine), id);
}

/* As text, or each octet as \\xNN, with `mark` before them. */
static void spell(struct buf *out, struct span bytes, const char *mark)
{
    buf_init(out, SPELLED_MAX);
    if (utf8_invalid(bytes) == TEXT_VALID) {
        buf_put_span(out, bytes);
        return;
    }
    buf_put_str(out, mark);
    for (size_t i = 0; i < bytes.n; i++)
        buf_printf(out, "\\x%02x", bytes.p[i]);
}

static void put_chosen(struct json_writer *w, const struct engine_answer *a, uint32_t id,
                       float logprob)
{
    struct span bytes = token_of(a, id).bytes;
    struct buf text;
    spell(&text, bytes, "");
    jw_key(w, "token");
    jw_string(w, buf_span(&text));
    buf_free(&text);
    jw_key(w, "logprob");
    jw_double(w, (double)logprob);
    jw_key(w, "bytes");
    jw_array(w);
    for (size_t i = 0; i < bytes.n; i++)
        jw_u64(w, bytes.p[i]);
    jw_end_array(w);
}

void logprobs_chat(struct buf *items, const struct engine_answer *a, const struct engine_token *t)
{
    struct json_writer w;
    if (!is_shown(a, t->id))
        return;
    if (items->n)
        buf_put_u8(items, ',');
    jw_init(&w, json_sink_buf, items, false);
    jw_object(&w);
    put_chosen(&w, a, t->id, t->logprob);
    jw_key(&w, "top_logprobs");
    jw_array(&w);
    for (size_t i = 0; i < t->top_count; i++) {
        jw_object(&w);
        put_chosen(&w, a, t->top[i].id, t->top[i].logprob);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_end_object(&w);
}

/* ---- the older API: four lists beside each other ---- */

static void comma(struct buf *b)
{
    if (b->n)
        buf_put_u8(b, ',');
}

/* Tokens whose texts are equal would be one member: the likeliest stands there. */
static bool stands_before(const struct engine_answer *a, const struct engine_token *t, uint32_t id,
                          size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (span_eq(token_of(a, t->top[k].id).bytes, token_of(a, id).bytes))
            return true;
    return false;
}

static void put_top(struct json_writer *w, const struct engine_answer *a, uint32_t id,
                    float logprob)
{
    struct buf text;
    spell(&text, token_of(a, id).bytes, "bytes:");
    jw_key_span(w, buf_span(&text));
    jw_double(w, (double)logprob);
    buf_free(&text);
}

/* A token and where its text stands. */
static void put_place(struct engine_answer *a, uint32_t id)
{
    struct json_writer w;
    struct buf text;
    comma(&a->texts);
    spell(&text, token_of(a, id).bytes, "bytes:");
    jw_init(&w, json_sink_buf, &a->texts, false);
    jw_string(&w, buf_span(&text));
    buf_free(&text);
    comma(&a->offsets);
    buf_printf(&a->offsets, "%zu", a->characters);
}

static void put_likelihood(struct engine_answer *a, const struct engine_token *t)
{
    struct json_writer w;
    comma(&a->logprobs);
    jw_init(&w, json_sink_buf, &a->logprobs, false);
    jw_double(&w, (double)t->logprob);
    comma(&a->tops);
    jw_init(&w, json_sink_buf, &a->tops, false);
    jw_object(&w);
    for (size_t i = 0; i < t->top_count; i++)
        if (!stands_before(a, t, t->top[i].id, i))
            put_top(&w, a, t->top[i].id, t->top[i].logprob);
    if (!stands_before(a, t, t->id, t->top_count)) /* OpenAI's: the token itself is always there */
        put_top(&w, a, t->id, t->logprob);
    jw_end_object(&w);
}

void logprobs_older(struct engine_answer *a, const struct engine_token *t)
{
    if (!is_shown(a, t->id))
        return;
    put_place(a, t->id);
    put_likelihood(a, t);
}

/* Control tokens of a prompt give no text. */
static void pass(struct engine_answer *a, uint32_t id)
{
    struct token t = token_of(a, id);
    for (size_t i = 0; t.type != TOKEN_CONTROL && i < t.bytes.n; i++)
        a->characters += (t.bytes.p[i] & 0xc0) != 0x80;
}

void logprobs_first(struct engine_answer *a)
{
    put_place(a, a->prompt[0]);
    pass(a, a->prompt[0]);
    buf_put_str(&a->logprobs, "null");
    buf_put_str(&a->tops, "null");
}

void logprobs_prompt(struct engine_answer *a, const struct engine_token *t)
{
    put_place(a, t->id);
    pass(a, t->id);
    put_likelihood(a, t);
}

void logprobs_older_write(struct json_writer *w, const struct engine_answer *a)
{
    jw_key(w, "logprobs");
    jw_object(w);
    jw_key(w, "text_offset");
    engine_put_items(w, &a->offsets);
    jw_key(w, "token_logprobs");
    engine_put_items(w, &a->logprobs);
    jw_key(w, "tokens");
    engine_put_items(w, &a->texts);
    jw_key(w, "top_logprobs");
    engine_put_items(w, &a->tops);
    jw_end_object(w);
}
