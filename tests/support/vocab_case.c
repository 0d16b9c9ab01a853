#include "support/vocab_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/gguf_writer.h"

static size_t count(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

enum { MOST = 512 };

static void write(struct gguf_writer *w, const struct vocab_case *c)
{
    float falling[MOST];
    size_t n = count(c->tokens), merges = count(c->merges);
    uint64_t pairs = 3u + (c->pre != NULL) + (c->types != NULL) + (c->merges != NULL) +
                     (c->template != NULL) + (c->bos >= 0) + (c->eos >= 0) +
                     (c->space_prefix >= 0) + (c->bos_wanted >= 0);
    assert_true(n < MOST);
    for (size_t i = 0; i < n; i++)
        falling[i] = -(float)i;
    gw_header(w, 0, pairs);
    gw_kv_string(w, "tokenizer.ggml.model", c->model);
    gw_kv_strings(w, "tokenizer.ggml.tokens", c->tokens, n);
    gw_kv_f32s(w, "tokenizer.ggml.scores", c->scores ? c->scores : falling, n);
    if (c->pre)
        gw_kv_string(w, "tokenizer.ggml.pre", c->pre);
    if (c->types)
        gw_kv_i32s(w, "tokenizer.ggml.token_type", c->types, n);
    if (c->merges)
        gw_kv_strings(w, "tokenizer.ggml.merges", c->merges, merges);
    if (c->template)
        gw_kv_string(w, "tokenizer.chat_template", c->template);
    if (c->bos >= 0)
        gw_kv_u32(w, "tokenizer.ggml.bos_token_id", (uint32_t)c->bos);
    if (c->eos >= 0)
        gw_kv_u32(w, "tokenizer.ggml.eos_token_id", (uint32_t)c->eos);
    if (c->space_prefix >= 0)
        gw_kv_bool(w, "tokenizer.ggml.add_space_prefix", (uint8_t)c->space_prefix);
    if (c->bos_wanted >= 0)
        gw_kv_bool(w, "tokenizer.ggml.add_bos_token", (uint8_t)c->bos_wanted);
    gw_pad(w, 32);
}

bool vocab_try(struct tokenizer **out, const struct vocab_case *c, struct err *e)
{
    struct gguf_writer w;
    struct model *m = NULL;
    gw_init(&w);
    write(&w, c);
    assert_true(model_read_memory(&m, "v.gguf", gw_span(&w), e));
    bool ok = tokenizer_new(out, m, e);
    model_free(m);
    gw_free(&w);
    return ok;
}

struct tokenizer *vocab_new(const struct vocab_case *c)
{
    struct tokenizer *t = NULL;
    struct err e = ERR_INIT;
    if (!vocab_try(&t, c, &e))
        fail_msg("%s", e.text);
    return t;
}

static const char *shown(struct tokens *ids, bool ok, const struct err *e)
{
    static char out[4096];
    size_t at = 0;
    out[0] = '\0';
    if (!ok)
        snprintf(out, sizeof out, "! %s", e->text);
    for (size_t i = 0; ok && i < ids->n && at < sizeof out - 12; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, i ? " %u" : "%u", ids->id[i]);
    tokens_free(ids);
    return out;
}

const char *vocab_ids(const struct tokenizer *t, const char *text, bool trusted, unsigned flags)
{
    struct tokens ids = {0};
    struct err e = ERR_INIT;
    bool ok = tokenizer_encode_text(&ids, t, span_str(text), trusted, flags, &e);
    return shown(&ids, ok, &e);
}

const char *vocab_parts(const struct tokenizer *t, const struct marked *parts, size_t n)
{
    struct tokens ids = {0};
    struct err e = ERR_INIT;
    bool ok = tokenizer_encode(&ids, t, parts, n, ENCODE_PLAIN, &e);
    return shown(&ids, ok, &e);
}

const char *vocab_text(const struct tokenizer *t, const uint32_t *ids, size_t n, unsigned flags)
{
    static char out[4096];
    struct err e = ERR_INIT;
    struct buf b;
    buf_init(&b, sizeof out - 1);
    if (!tokenizer_decode(&b, t, ids, n, flags, &e)) {
        buf_clear(&b);
        buf_put_str(&b, e.text);
    }
    memcpy(out, buf_cstr(&b), b.n + 1);
    buf_free(&b);
    return out;
}
