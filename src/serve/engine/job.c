/*
 * A job: what the engine is to compute for one call. It is made and freed in the loop's thread, and
 * read in a reader's: after that it has its prompts, its name, and an answer to fill for each
 * choice of each prompt.
 */
#include <stdlib.h>
#include <string.h>

#include "serve/engine/dialect.h"
#include "serve/engine/reading.h"

enum { JOB_ARENA = 512 << 20, PROMPT_MAX = 256 << 20, SAMPLING_MAX = 65536, ITEMS_MAX = 64 << 20 };

static void answer_free(struct engine_answer *a)
{
    tape_free(&a->tape);
    buf_free(&a->marked);
    buf_free(&a->logprobs);
    buf_free(&a->texts);
    buf_free(&a->offsets);
    buf_free(&a->tops);
    buf_free(&a->vector);
}

void engine_job_free(struct engine_job *j)
{
    struct worker *w = j->worker;
    if (j->previous)
        j->previous->next = j->next;
    else
        w->jobs = j->next;
    if (j->next)
        j->next->previous = j->previous;
    w->job_count--;
    for (size_t i = 0; i < j->answer_count; i++)
        answer_free(&j->answers[i]);
    tape_free(&j->tape);
    tokens_free(&j->tokens);
    buf_free(&j->prompt);
    buf_free(&j->sampling);
    buf_free(&j->fresh);
    arena_free(j->arena);
    free(j);
}

struct engine_job *engine_job_new(struct worker *w, struct call *c)
{
    struct engine_job *j = calloc(1, sizeof *j);
    struct arena *a = arena_new(JOB_ARENA);
    if (!j || !a) {
        arena_free(a);
        free(j);
        return NULL;
    }
    j->worker = w;
    j->call = c;
    j->arena = a;
    j->api = c->endpoint->api;
    j->dialect = engine_dialect(j->api);
    j->body = buf_span(&c->body);
    j->wrong = &c->wrong;
    j->stream = c->stream;
    j->created = c->start_us / 1000000;
    buf_init(&j->prompt, PROMPT_MAX);
    buf_init(&j->sampling, SAMPLING_MAX);
    j->limit = c->settings->limits.answer;
    buf_init(&j->fresh, j->limit);
    j->next = w->jobs;
    if (j->next)
        j->next->previous = j;
    w->jobs = j;
    w->job_count++;
    c->job = j;
    return j;
}

/* ---- in a reader's thread ---- */

/* The response's identifier, and what computed: the numerics and the weights. */
static bool name_job(struct engine_job *j, struct err *e)
{
    static const char hex[] = "0123456789abcdef";
    const struct engine_info *i = engine_info(j->worker->engine);
    size_t n = strlen(j->dialect->id_prefix), at;
    struct buf b;
    if (!seal_random(j->random, sizeof j->random, e))
        return false;
    memcpy(j->id, j->dialect->id_prefix, n);
    for (size_t k = 0; k < sizeof j->random; k++) {
        j->id[n++] = hex[j->random[k] >> 4];
        j->id[n++] = hex[j->random[k] & 15];
    }
    j->id[n] = '\0';
    buf_init(&b, sizeof j->fingerprint - DIGEST_HEX - 1);
    buf_printf(&b, "assay-%u-", i->numerics);
    at = b.n;
    memcpy(j->fingerprint, b.p, at);
    digest_hex(j->fingerprint + at, &i->tensor_root);
    buf_free(&b);
    return true;
}

static void start_answer(struct engine_job *j, size_t i)
{
    struct engine_answer *a = &j->answers[i];
    a->job = j;
    a->index = (uint32_t)i;
    a->prompt_count = j->prompts[i / j->choices];
    a->prompt = i == 0                ? j->tokens.id
                : i % j->choices == 0 ? a[-1].prompt + a[-1].prompt_count
                                      : a[-1].prompt;
    tape_part(&a->tape);
    buf_init(&a->marked, ITEMS_MAX);
    buf_init(&a->logprobs, ITEMS_MAX);
    buf_init(&a->texts, ITEMS_MAX);
    buf_init(&a->offsets, ITEMS_MAX);
    buf_init(&a->tops, ITEMS_MAX);
    buf_init(&a->vector, ITEMS_MAX);
}

/* The prompt's text, as its tokens have it: it may have been given as ids. */
static bool echo_prompt(struct engine_answer *a, struct err *e)
{
    struct engine_job *j = a->job;
    struct buf text;
    buf_init(&text, PROMPT_MAX);
    bool ok = tokenizer_decode(&text, engine_tokenizer(j->worker->engine), a->prompt,
                               a->prompt_count, DECODE_REPLACE_BAD, e);
    a->echo = ok ? arena_span(j->arena, buf_span(&text)) : SPAN_EMPTY;
    ok = ok &&
         ((buf_ok(&text) && a->echo.p) || err_set(e, ERR_MEMORY, "out of memory for a prompt"));
    buf_free(&text);
    return ok;
}

static bool read_job(struct engine_job *j, struct err *e)
{
    struct tape_shape shape;
    if (!engine_request_read(j, e) || !name_job(j, e))
        return false;
    size_t n = j->prompt_count * j->choices;
    j->model = arena_span(j->arena, j->call->model);
    j->answers = arena_array(j->arena, n, sizeof *j->answers);
    if (!j->answers || !j->model.p)
        return err_set(e, ERR_MEMORY, "out of memory for a call's answers");
    for (; j->answer_count < n; j->answer_count++)
        start_answer(j, j->answer_count);
    for (size_t i = 0; j->echo && i < n; i++)
        if (!echo_prompt(&j->answers[i], e))
            return false;
    shape = (struct tape_shape){j->prompts, j->prompt_count, j->choices};
    tape_sampling(&j->sampling, &j->request, j->choices);
    return tape_start(&j->tape, j->worker->engine, &j->request, &shape, e);
}

void engine_job_read(struct errand *x)
{
    struct engine_job *j = (struct engine_job *)(void *)x;
    j->asked = read_job(j, &j->err);
}
