/*
 * Reads one PATH and runs the steps behind inspect and digest in order: parse,
 * derive, read all bytes, identify. Completeness is decided here and nowhere
 * else.
 */
#include "cli/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/progress.h"

const char *cache_path(char *out, size_t size)
{
    const char *base = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int n;
    if (base && base[0] == '/') /* XDG: a relative one is to be ignored */
        n = snprintf(out, size, "%s", base);
    else if (home && home[0] == '/')
        n = snprintf(out, size, "%s/.cache", home);
    else
        return NULL;
    static const char *const parts[] = {"", "/assay", "/digests"};
    for (size_t i = 0; i < 3; i++) {
        n += snprintf(out + n, size - (size_t)n, "%s", parts[i]);
        if (n < 0 || (size_t)n + 16 >= size)
            return NULL;
        if (i < 2)
            (void)mkdir(out, 0700); /* there already, or the cache will not open */
    }
    return out;
}

const char *origin_file(const struct model *m, struct origin o)
{
    return o.file < m->file_count ? m->files[o.file].name : NULL;
}

const char *template_kind(struct span t)
{
    static const struct {
        const char *marker, *kind;
    } kinds[] = {
        {"<|im_start|>", "ChatML"},
        {"<|start_header_id|>", "Llama 3"},
        {"<start_of_turn>", "Gemma"},
        {"<|start|>", "Harmony"},
        {"<\xef\xbd\x9cUser\xef\xbd\x9c>", "DeepSeek"},
        {"<|start_of_role|>", "Granite"},
        {"[INST]", "Llama 2 / Mistral"},
        {"<|assistant|>", "Zephyr / Phi"},
        {"### Instruction", "Alpaca"},
        {"USER:", "Vicuna"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (t.n && memmem(t.p, t.n, kinds[i].marker, strlen(kinds[i].marker)))
            return kinds[i].kind;
    return NULL;
}

static bool all_read(const struct subject *s, const struct subject_options *o)
{
    const struct model *m = s->model;
    const struct scan *c = &s->scan;
    for (size_t i = 0; i < m->file_count; i++)
        if (m->files[i].incomplete || !m->files[i].source || (o->digests && !c->file_ok[i]))
            return false;
    for (size_t i = 0; o->digests && i < m->tensor_count; i++)
        if (!c->tensor_ok[i])
            return false;
    return true;
}

static bool any_known(const struct model *m)
{
    for (size_t i = 0; i < m->file_count; i++)
        if (m->files[i].format != FORMAT_UNKNOWN)
            return true;
    return false;
}

/* A step failed: say why, unless it was the user who asked. */
static void step_failed(struct subject *s, const struct err *e)
{
    if (e->code == ERR_INTERRUPTED)
        s->interrupted = true;
    else
        (void)cli_error(e);
    s->read_all = false;
}

static void scan(struct subject *s, const struct subject_options *o)
{
    char cache[4096];
    struct progress_bar bar;
    struct err e = ERR_INIT;
    struct scan_options options = {
        .digests = o->digests,
        .statistics = o->statistics,
        .threads = o->threads,
        .cache = o->cache && o->digests ? cache_path(cache, sizeof cache) : NULL,
        .progress = progress_start(&bar),
    };
    s->has_scan = inspect_scan(&s->scan, s->model, &options, &e);
    progress_stop(&bar);
    if (!s->has_scan)
        step_failed(s, &e);
    s->has_coverage = s->has_scan;
    if (s->interrupted) /* what was read before is kept */
        s->has_scan = s->scan.file_ok && s->scan.tensor_ok;
}

bool subject_open(struct subject *s, const char *path, const struct subject_options *o,
                  struct err *e)
{
    struct err step = ERR_INIT;
    *s = (struct subject){.read_all = true};
    if (!model_read(&s->model, path, &(struct model_options){0}, e))
        return false;
    s->has_facts = inspect_facts(&s->facts, s->model, &step);
    if (!s->has_facts)
        step_failed(s, &step);
    scan(s, o);
    err_clear(&step);
    s->has_identity = s->has_facts && s->has_scan &&
                      inspect_identity(&s->identity, s->model, &s->facts, &s->scan, &step);
    if (s->has_facts && s->has_scan && !s->has_identity)
        step_failed(s, &step);
    struct verdict *v = &s->model->verdict;
    verdict_sort(v);
    if (interrupted())
        s->interrupted = true;
    s->recognised = any_known(s->model);
    s->read_all = s->read_all && !s->interrupted && !v->incomplete && !v->lost && all_read(s, o);
    s->complete = s->read_all && s->recognised;
    s->strict = s->complete && verdict_accepts(v, BREAKS_SPEC);
    s->lenient = s->complete && verdict_accepts(v, BREAKS_LOADER);
    return true;
}

void subject_close(struct subject *s)
{
    model_free(s->model);
    s->model = NULL;
}

int subject_status(const struct subject *s)
{
    if (s->interrupted)
        return EXIT_INTERRUPTED;
    return s->complete ? EXIT_PASS : EXIT_INCOMPLETE;
}
