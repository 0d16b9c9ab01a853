/*
 * The bundled engines: each is loaded with its adapters and gets a thread that computes and does
 * nothing else. They live as long as the service; what they may serve is judged anew with each
 * configuration.
 */
#include "serve/engine/workers.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "assay/base/text.h"
#include "serve/config/enrolled.h"
#include "serve/engine/job.h"
#include "serve/service.h"

enum { READERS = 2, SEQUENCES = 4, QUEUE_MAX = EXCHANGE_OPEN_MAX };

static bool load(struct worker *w, const struct engine_config *c, struct arena *a, struct err *e)
{
    struct engine_options o = {.threads = (unsigned)c->threads,
                               .context = (uint32_t)c->context,
                               .sequences = c->sequences ? (uint32_t)c->sequences : SEQUENCES};
    const struct adapter_config *given = c->adapters.items;
    struct engine_adapter *adapters = arena_array(a, c->adapters.count + 1, sizeof *adapters);
    const char *path = arena_str(a, c->path);
    bool ok = adapters && path;
    for (size_t i = 0; ok && i < c->adapters.count; i++) {
        adapters[i] = (struct engine_adapter){arena_str(a, given[i].path), 1};
        ok = adapters[i].path &&
             (given[i].scale.n == 0 || text_to_double(given[i].scale, &adapters[i].scale));
    }
    if (!ok)
        return err_set(e, ERR_MEMORY, "out of memory for an engine");
    o.adapters = adapters;
    o.adapter_count = c->adapters.count;
    w->most = o.sequences + (size_t)c->waiting;
    if (!engine_load(&w->engine, path, &o, e))
        return false;
    return engine_tokenizer(w->engine) || err_at(e, ERR_UNSUPPORTED, path, ERR_NO_OFFSET,
                                                 "the model has no tokenizer: it reads no text");
}

static void *compute(void *arg)
{
    struct worker *w = arg;
    while (!atomic_load(&w->stop)) {
        bool work = false;
        /* A step that fails has ended every request with its reason. */
        if (!engine_step(w->engine, &work, NULL) || !work)
            engine_wait(w->engine, 0);
    }
    return NULL;
}

static bool start(struct service *s, const struct engine_config *c, struct err *e)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(e, ERR_MEMORY, "out of memory for an engine");
    s->workers[s->worker_count++] = w;
    w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&w->lock, NULL);
    if (w->fd < 0)
        return err_errno(e, NULL, "cannot make an eventfd");
    if (!load(w, c, s->settings->arena, e))
        return false;
    w->event = loop_readable(s->loop, w->fd, engine_on_ready, w);
    w->running = w->event && pthread_create(&w->thread, NULL, compute, w) == 0;
    return w->running || err_set(e, ERR_MEMORY, "cannot start an engine's thread");
}

bool workers_start(struct service *s, struct err *e)
{
    const struct settings *c = s->settings;
    if (c->engines.count && !errands_open(&s->readers, s->loop, READERS, QUEUE_MAX, e))
        return false;
    for (size_t i = 0; i < c->engines.count; i++)
        if (!start(s, serve_settings_engine(c, i), e))
            return false;
    return workers_agree(s, c, e);
}

static struct worker *worker_at(const struct service *s, const struct settings *c,
                                const struct model_config *m)
{
    const struct target_config *t = m ? m->targets.items : NULL;
    return t && t->engine ? s->workers[t->index - c->upstreams.count] : NULL;
}

struct worker *worker_of(const struct service *s, const struct settings *c, struct span model)
{
    return worker_at(s, c, serve_settings_model(c, model));
}

bool workers_agree(const struct service *s, const struct settings *fresh, struct err *e)
{
    for (size_t i = 0; i < fresh->models.count; i++) {
        const struct model_config *m = (const struct model_config *)fresh->models.items + i;
        const struct worker *w = worker_at(s, fresh, m);
        if (w && !enrolled_agrees(fresh, m->name, w->engine, e))
            return false;
    }
    return true;
}

static void stop(struct worker *w)
{
    atomic_store(&w->stop, true);
    if (w->running) {
        engine_interrupt(w->engine);
        (void)pthread_join(w->thread, NULL);
    }
    engine_free(w->engine);
    while (w->jobs)
        engine_job_free(w->jobs);
    loop_event_free(w->event);
    if (w->fd >= 0)
        (void)close(w->fd);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

/* The calls are gone. */
void workers_stop(struct service *s)
{
    while (s->worker_count)
        stop(s->workers[--s->worker_count]);
}
