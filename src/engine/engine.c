/*
 * Loading: everything that could make a computation fail or mean something
 * else is looked at here, before the first token, and refused with its reason.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/numerics.h"
#include "engine/adapter.h"
#include "engine/state.h"

enum { MAX_BATCH = 1024, SPARE = 64 << 20 };

/* ---- memory --------------------------------------------------------------- */

/* MemAvailable of /proc/meminfo in bytes; 0 when the system does not say. */
static uint64_t available(void)
{
    char text[1024];
    int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        (void)close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *at = strstr(text, "MemAvailable:");
    return at != NULL ? strtoull(at + strlen("MemAvailable:"), NULL, 10) * 1024 : 0;
}

static uint32_t heads_at_once(uint32_t vocabulary)
{
    uint32_t n = HEADS_ROOM / vocabulary;
    return n < HEADS_LEAST ? HEADS_LEAST : n > HEADS_MOST ? HEADS_MOST : n;
}

/* What is left for the weights after everything else. */
static bool budget(const struct engine *g, const struct engine_options *o, uint64_t *weights,
                   struct err *e)
{
    uint64_t may = o->memory ? o->memory : available();
    uint64_t cache = 0, rows = forward_size(&g->config, g->info.threads, g->batch);
    uint64_t words = (uint64_t)g->config.vocabulary * (g->heads + 8) * sizeof(float);
    if (!size_mul(&cache, kv_size(&g->config, g->config.context), g->slot_count) ||
        !size_add(&rows, rows, cache) || !size_add(&rows, rows, words))
        return err_set(e, ERR_LIMIT, "%u sequences of %u positions are beyond any memory",
                       g->slot_count, g->config.context);
    if (may == 0)
        may = UINT64_MAX / 2;
    if (rows > may)
        return err_set(e, ERR_MEMORY,
                       "keys and values of %u sequences of %u positions, with the buffers, need "
                       "%llu MiB, and %llu MiB may be used: ask for a smaller context",
                       g->slot_count, g->config.context, (unsigned long long)(rows >> 20),
                       (unsigned long long)(may >> 20));
    *weights = may - rows;
    return true;
}

/* ---- steps ---------------------------------------------------------------- */

/* The first finding that no loader would go on from, or the reader's own bound. */
static bool not_whole(const struct verdict *v, const char *path, struct err *e)
{
    for (size_t i = 0; i < v->count; i++) {
        const struct finding *f = &v->findings[i];
        bool limit = f->rule == RULE_READ_LIMIT;
        if (limit || rules[f->rule].breaks == BREAKS_LOADER)
            return err_at(e, limit ? ERR_LIMIT : ERR_FORMAT, path, f->origin.offset,
                          "the model could not be read whole: %s", f->detail);
    }
    return err_at(e, ERR_FORMAT, path, ERR_NO_OFFSET,
                  "the model could not be read whole: `assay inspect` says what is wrong");
}

static bool read_model(struct engine *g, const char *path, struct err *e)
{
    if (!model_read(&g->model, path, NULL, e))
        return false;
    const struct model *m = g->model;
    if (m->tensor_count == 0 && !m->verdict.incomplete)
        return err_at(e, ERR_FORMAT, path, ERR_NO_OFFSET, "this is no model: it holds no tensors");
    if (m->verdict.incomplete)
        return not_whole(&m->verdict, path, e);
    return inspect_facts(&g->facts, g->model, e);
}

static bool identify(struct engine *g, struct digest *tensors, struct err *e)
{
    struct identity id = {0};
    if (!weights_identity(&id, g->model, &g->facts, tensors, e))
        return false;
    g->info.tensor_root = id.tensor_root;
    g->info.architecture = id.architecture;
    g->info.has_tokenizer = id.has_tokenizer;
    g->info.tokenizer = id.tokenizer;
    g->info.has_template = id.has_template;
    g->info.chat_template = id.chat_template;
    return true;
}

static bool load_weights(struct engine *g, const struct engine_options *o, struct err *e)
{
    struct weights_options w = {.team = g->team, .progress = o->progress};
    struct digest *tensors = arena_array(g->model->arena, g->model->tensor_count, sizeof *tensors);
    if (tensors == NULL)
        return err_set(e, ERR_MEMORY, "no memory for the model's digests");
    struct weights_times spent = {0};
    g->heads = heads_at_once(g->config.vocabulary);
    bool ok = budget(g, o, &w.memory, e) &&
              weights_load(&g->weights, g->model, &g->config, &w, tensors, &spent, e) &&
              identify(g, tensors, e);
    g->info.digest_us = spent.digest_us;
    g->info.memory_us = spent.memory_us;
    return ok;
}

/* Models without a vocabulary compute with token ids alone. */
static bool make_tokenizer(struct engine *g, struct err *e)
{
    return !g->info.has_tokenizer || tokenizer_new(&g->tokenizer, g->model, e);
}

static bool load_adapters(struct engine *g, const struct engine_options *o, struct err *e)
{
    if (o->adapter_count > ENGINE_MAX_ADAPTERS)
        return err_set(e, ERR_USAGE, "%zu adapters: at most %d", o->adapter_count,
                       ENGINE_MAX_ADAPTERS);
    for (size_t i = 0; i < o->adapter_count; i++) {
        if (!adapter_load(&g->weights, &g->config, &o->adapters[i], &g->info.adapters[i], e))
            return false;
        g->info.adapter_count++;
    }
    return true;
}

static bool make_slots(struct engine *g, struct err *e)
{
    size_t width = g->config.width, words = g->config.vocabulary;
    g->slots = calloc(g->slot_count, sizeof *g->slots);
    g->slot_tokens = calloc((size_t)g->slot_count * g->config.context, sizeof *g->slot_tokens);
    g->rows = calloc(g->batch, sizeof *g->rows);
    g->row_slot = calloc(g->batch, sizeof *g->row_slot);
    g->hidden = calloc(g->heads * width, sizeof *g->hidden);
    g->logits = calloc(g->heads * words, sizeof *g->logits);
    g->sha = sha256_new();
    if (!g->slots || !g->slot_tokens || !g->rows || !g->row_slot || !g->hidden || !g->logits ||
        !g->sha)
        return err_set(e, ERR_MEMORY, "no memory for %u sequences", g->slot_count);
    for (uint32_t i = 0; i < g->slot_count; i++) {
        struct slot *s = &g->slots[i];
        s->tokens = g->slot_tokens + (size_t)i * g->config.context;
        if (!kv_new(&s->cache, &g->config, e))
            return false;
    }
    return sampler_new(&g->sampler, g->config.vocabulary, e) &&
           forward_new(&g->forward, &g->config, &g->weights, g->team, g->batch, e);
}

static void describe(struct engine *g)
{
    struct engine_info *i = &g->info;
    i->name = g->facts.name;
    i->family = g->config.family->name;
    i->numerics = NUMERICS_VERSION;
    i->cache = DTYPE_F16;
    i->context = g->config.context;
    i->vocabulary = g->config.vocabulary;
    i->width = g->config.width;
    i->layers = g->config.layers;
    i->sequences = g->slot_count;
    if (g->tokenizer != NULL)
        g->alphabet = form_alphabet(g->tokenizer);
    i->parameters = g->facts.architecture.parameters.total;
    i->weight_bytes = g->weights.bytes;
    i->cache_bytes = kv_size(&g->config, g->config.context) * g->slot_count;
}

static bool prepare(struct engine *g, const struct engine_options *o, struct err *e)
{
    g->slot_count = o->sequences ? o->sequences : 1;
    g->batch = o->batch ? o->batch : ENGINE_BATCH;
    if (g->slot_count > ENGINE_MAX_SEQUENCES || g->batch > MAX_BATCH)
        return err_set(e, ERR_USAGE, "%u sequences and batches of %u rows: at most %d and %d",
                       g->slot_count, g->batch, ENGINE_MAX_SEQUENCES, MAX_BATCH);
    if (g->batch < g->slot_count)
        g->batch = g->slot_count;
    g->team = team_new(o->threads);
    if (g->team == NULL)
        return err_set(e, ERR_MEMORY, "no memory for threads");
    g->info.threads = team_threads(g->team);
    return true;
}

static bool make_queue(struct engine *g)
{
    pthread_condattr_t clock;
    g->waiting_end = &g->waiting;
    if (pthread_condattr_init(&clock) != 0)
        return false;
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    bool ok = pthread_mutex_init(&g->lock, NULL) == 0 && pthread_cond_init(&g->work, &clock) == 0;
    (void)pthread_condattr_destroy(&clock);
    return ok;
}

bool engine_load(struct engine **out, const char *path, const struct engine_options *o,
                 struct err *e)
{
    uint64_t start = clock_monotonic();
    struct engine *g = calloc(1, sizeof *g);
    *out = NULL;
    if (g == NULL || !make_queue(g)) {
        free(g);
        return err_set(e, ERR_MEMORY, "no memory for an engine");
    }
    numerics_thread();
    bool ok = prepare(g, o, e) && read_model(g, path, e) &&
              settings_read(&g->config, g->model, &g->facts, o->context, e) &&
              load_weights(g, o, e) && make_tokenizer(g, e) && load_adapters(g, o, e) &&
              make_slots(g, e);
    if (!ok) {
        err_in_file(e, path);
        engine_free(g);
        return false;
    }
    chat_load(g);
    g->sampler.tokenizer = g->tokenizer;
    describe(g);
    g->info.load_us = (clock_monotonic() - start) / 1000;
    *out = g;
    return true;
}

void engine_free(struct engine *g)
{
    if (g == NULL)
        return;
    while (g->waiting != NULL) {
        struct request *q = g->waiting;
        g->waiting = q->next;
        request_free(q);
    }
    for (uint32_t i = 0; g->slots != NULL && i < g->slot_count; i++) {
        request_free(g->slots[i].request);
        kv_free(&g->slots[i].cache);
    }
    forward_free(&g->forward);
    sampler_free(&g->sampler);
    weights_free(&g->weights);
    team_free(g->team);
    tokenizer_free(g->tokenizer);
    template_free(g->template);
    model_free(g->model);
    sha256_free(g->sha);
    free(g->slots);
    free(g->slot_tokens);
    free(g->rows);
    free(g->row_slot);
    free(g->hidden);
    free(g->logits);
    (void)pthread_cond_destroy(&g->work);
    (void)pthread_mutex_destroy(&g->lock);
    free(g);
}

const struct engine_info *engine_info(const struct engine *g)
{
    return &g->info;
}

const struct tokenizer *engine_tokenizer(const struct engine *g)
{
    return g->tokenizer;
}

const struct model *engine_model(const struct engine *g)
{
    return g->model;
}

bool engine_form_writable(const struct engine *g, const struct engine_form *f)
{
    for (size_t i = 0; i < sizeof f->needs.bit / sizeof *f->needs.bit; i++)
        if (f->needs.bit[i] & ~g->alphabet.bit[i])
            return false;
    return true;
}
