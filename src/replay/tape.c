/*
 * The tape: what is sealed of an engine's call so that it can be computed
 * again. Numbers are little-endian, one after another; parameters are a JSON
 * object whose decimals read back to the same bits.
 */
#include "replay/replay.h"

#include <string.h>

#include "assay/base/text.h"
#include "assay/numerics.h"

enum { TAPE_MAX = 256 << 20 };

static void put_float(struct json_writer *w, const char *key, float v)
{
    jw_key(w, key);
    jw_float(w, v);
}

static void put_count(struct json_writer *w, const char *key, uint64_t v)
{
    jw_key(w, key);
    jw_u64(w, v);
}

static void put_sampling(struct json_writer *w, const struct engine_sampling *s)
{
    jw_key(w, "sampling");
    jw_object(w);
    put_float(w, "temperature", s->temperature);
    put_count(w, "top_k", s->top_k);
    put_float(w, "top_p", s->top_p);
    put_float(w, "min_p", s->min_p);
    put_float(w, "typical", s->typical);
    put_float(w, "repetition", s->repetition);
    put_float(w, "frequency", s->frequency);
    put_float(w, "presence", s->presence);
    put_count(w, "penalty_last", s->penalty_last);
    put_count(w, "seed", s->seed);
    jw_key(w, "bias");
    jw_array(w);
    for (size_t i = 0; i < s->bias_count; i++) {
        jw_object(w);
        put_count(w, "id", s->bias[i].id);
        put_float(w, "bias", s->bias[i].bias);
        jw_end_object(w);
    }
    jw_end_array(w);
    jw_end_object(w);
}

static void put_adapters(struct json_writer *w, const struct engine_info *info)
{
    char hex[DIGEST_HEX + 1];
    jw_key(w, "adapters");
    jw_array(w);
    for (size_t i = 0; i < info->adapter_count; i++) {
        jw_object(w);
        jw_key(w, "scale");
        jw_double(w, info->adapters[i].scale);
        jw_key(w, "tensor_root");
        jw_str(w, digest_hex(hex, &info->adapters[i].tensor_root));
        jw_end_object(w);
    }
    jw_end_array(w);
}

/* What is not there is one prompt and one answer. */
static void put_shape(struct json_writer *w, const struct tape_shape *shape)
{
    if (shape == NULL || (shape->prompt_count == 1 && shape->answers == 1))
        return;
    put_count(w, "answers", shape->answers);
    jw_key(w, "prompts");
    jw_array(w);
    for (size_t i = 0; i < shape->prompt_count; i++)
        jw_u64(w, shape->prompts[i]);
    jw_end_array(w);
}

static void put_parameters(struct buf *out, const struct engine_info *info,
                           const struct engine_request *r, const struct tape_shape *shape)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    put_adapters(&w, info);
    jw_key(&w, "cache");
    jw_str(&w, dtype_name(info->cache));
    put_count(&w, "context", info->context);
    if (r->embed) {
        jw_key(&w, "embed");
        jw_bool(&w, true);
    }
    if (r->form != NULL) {
        jw_key(&w, "form");
        jw_raw(&w, engine_form_text(r->form));
    }
    jw_key(&w, "ignore_end");
    jw_bool(&w, r->ignore_end);
    put_count(&w, "max_tokens", r->max_tokens);
    put_count(&w, "numerics", info->numerics);
    put_shape(&w, shape);
    put_sampling(&w, &r->sampling);
    jw_key(&w, "special");
    jw_bool(&w, r->special);
    jw_key(&w, "stop");
    jw_array(&w);
    for (size_t i = 0; i < r->stop_count; i++)
        jw_string(&w, r->stops[i]);
    jw_end_array(&w);
    jw_end_object(&w);
}

void tape_part(struct tape *part)
{
    *part = (struct tape){0};
    buf_init(&part->parameters, TAPE_MAX);
    buf_init(&part->tokens_in, TAPE_MAX);
    buf_init(&part->text, TAPE_MAX);
    buf_init(&part->tokens_out, TAPE_MAX);
    buf_init(&part->digests, TAPE_MAX);
    buf_init(&part->logits, TAPE_MAX);
    buf_init(&part->answers, TAPE_MAX);
}

bool tape_start(struct tape *t, const struct engine *g, const struct engine_request *r,
                const struct tape_shape *shape, struct err *e)
{
    tape_part(t);
    put_parameters(&t->parameters, engine_info(g), r, shape);
    for (size_t i = 0; i < r->count; i++)
        buf_put_u32le(&t->tokens_in, r->tokens[i]);
    return tape_ok(t) || err_set(e, ERR_MEMORY, "no memory to record a call");
}

void tape_token(struct tape *t, const struct engine_token *token)
{
    uint32_t bits;
    memcpy(&bits, &token->logit, sizeof bits);
    buf_put_span(&t->text, token->text);
    buf_put_u32le(&t->tokens_out, token->id);
    buf_put(&t->digests, token->digest.b, DIGEST_SIZE);
    buf_put_u32le(&t->logits, bits);
}

struct digest embedding_digest(const struct engine_result *r)
{
    static const char domain[] = "assay/embedding/v1";
    const struct span parts[] = {
        {(const uint8_t *)domain, sizeof domain},
        {(const uint8_t *)r->embedding, r->embedding_size * sizeof *r->embedding}};
    return sha256_of_parts(parts, 2);
}

void tape_end(struct tape *t, const struct engine_result *r)
{
    buf_put_span(&t->text, r->text);
    if (r->embedding != NULL) {
        struct digest d = embedding_digest(r);
        buf_put(&t->digests, d.b, DIGEST_SIZE);
    }
}

void tape_join(struct tape *t, const struct tape *part, enum engine_finish finish)
{
    struct json_writer w;
    buf_put_u8(&t->answers, t->answers.n == 0 ? '[' : ',');
    jw_init(&w, json_sink_buf, &t->answers, false);
    jw_object(&w);
    put_count(&w, "bytes", part->text.n);
    jw_key(&w, "finish");
    jw_str(&w, engine_finish_name(finish));
    put_count(&w, "tokens", part->tokens_out.n / 4);
    jw_end_object(&w);
    buf_put_span(&t->text, buf_span(&part->text));
    buf_put_span(&t->tokens_out, buf_span(&part->tokens_out));
    buf_put_span(&t->digests, buf_span(&part->digests));
    buf_put_span(&t->logits, buf_span(&part->logits));
    t->joined++;
    if (!tape_ok(part))
        t->answers.failed = true;
}

static size_t add(struct log_content *out, size_t n, const char *field, struct span data)
{
    if (data.n != 0)
        out[n++] = (struct log_content){span_str(field), data};
    return n;
}

size_t tape_intent(const struct tape *t, struct span prompt, struct log_content out[TAPE_INTENT])
{
    size_t n = add(out, 0, "parameters", buf_span(&t->parameters));
    n = add(out, n, "prompt", prompt);
    return add(out, n, "tokens_in", buf_span(&t->tokens_in));
}

size_t tape_outcome(struct tape *t, struct log_content out[TAPE_OUTCOME])
{
    size_t n = add(out, 0, "answer", buf_span(&t->text));
    if (t->joined > 1) {
        buf_put_u8(&t->answers, ']');
        n = add(out, n, "answers", buf_span(&t->answers));
    }
    n = add(out, n, "digests", buf_span(&t->digests));
    n = add(out, n, "logits", buf_span(&t->logits));
    return add(out, n, "tokens_out", buf_span(&t->tokens_out));
}

bool tape_ok(const struct tape *t)
{
    return buf_ok(&t->parameters) && buf_ok(&t->tokens_in) && buf_ok(&t->text) &&
           buf_ok(&t->tokens_out) && buf_ok(&t->digests) && buf_ok(&t->logits) &&
           buf_ok(&t->answers);
}

void tape_free(struct tape *t)
{
    buf_free(&t->parameters);
    buf_free(&t->tokens_in);
    buf_free(&t->text);
    buf_free(&t->tokens_out);
    buf_free(&t->digests);
    buf_free(&t->logits);
    buf_free(&t->answers);
}

struct exchange_model tape_identity(const struct engine *g, struct span name,
                                    struct tape_model *room)
{
    const struct engine_info *i = engine_info(g);
    struct buf b;
    buf_init(&b, sizeof room->numerics - 1);
    buf_printf(&b, "%u", i->numerics);
    memset(room, 0, sizeof *room);
    memcpy(room->numerics, b.p, b.n);
    buf_free(&b);
    for (size_t k = 0; k < i->adapter_count; k++)
        room->adapters[k] = i->adapters[k].tensor_root;
    return (struct exchange_model){.name = name.n ? name : i->name,
                                   .tensor_root = &i->tensor_root,
                                   .architecture = &i->architecture,
                                   .tokenizer = i->has_tokenizer ? &i->tokenizer : NULL,
                                   .chat_template = i->has_template ? &i->chat_template : NULL,
                                   .numerics = span_str(room->numerics),
                                   .adapters = room->adapters,
                                   .adapter_count = i->adapter_count};
}

static void put_decimal(struct json_writer *w, const char *key, float v, float unset)
{
    char text[40];
    if (v == unset)
        return;
    jw_key(w, key);
    jw_str(w, text_float(text, sizeof text, v));
}

void tape_sampling(struct buf *out, const struct engine_request *r, uint32_t answers)
{
    const struct engine_sampling *s = &r->sampling;
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    put_decimal(&w, "frequency_penalty", s->frequency, 0);
    if (r->max_tokens != 0)
        put_count(&w, "max_tokens", r->max_tokens);
    put_decimal(&w, "min_p", s->min_p, 0);
    if (answers > 1)
        put_count(&w, "n", answers);
    put_decimal(&w, "presence_penalty", s->presence, 0);
    put_decimal(&w, "repetition_penalty", s->repetition, 1);
    struct buf seed;
    buf_init(&seed, 32);
    buf_printf(&seed, "%llu", (unsigned long long)s->seed);
    jw_key(&w, "seed");
    jw_string(&w, buf_span(&seed));
    buf_free(&seed);
    put_decimal(&w, "temperature", s->temperature, -1);
    if (s->top_k != 0)
        put_count(&w, "top_k", s->top_k);
    put_decimal(&w, "top_p", s->top_p, 1);
    jw_end_object(&w);
}
