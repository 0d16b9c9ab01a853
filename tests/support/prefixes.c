/* Every prefix of an input against a guard page. */
#include "support/prefixes.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool guarded_copy(struct guarded *g, struct span bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (bytes.n + page - 1) / page * page;
    *g = (struct guarded){.size = room + page};
    g->map = mmap(NULL, g->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g->map == MAP_FAILED)
        return false;
    uint8_t *end = (uint8_t *)g->map + room;
    if (mprotect(end, page, PROT_NONE) != 0) {
        guarded_free(g);
        return false;
    }
    if (bytes.n)
        memcpy(end - bytes.n, bytes.p, bytes.n);
    g->bytes = (struct span){end - bytes.n, bytes.n};
    return true;
}

void guarded_free(struct guarded *g)
{
    munmap(g->map, g->size);
}

bool prefixes_each(struct span bytes, size_t dense, size_t stride, prefix_visit *visit, void *arg)
{
    for (size_t n = 0; n <= bytes.n; n += n < dense || stride == 0 ? 1 : stride) {
        struct guarded g;
        if (!guarded_copy(&g, (struct span){bytes.p, n}))
            return false;
        visit(g.bytes, arg);
        guarded_free(&g);
    }
    return true;
}

static uint64_t walk_value(const struct value *v, unsigned depth)
{
    if (v->type == VALUE_STRING) {
        uint64_t sum = v->string.n;
        for (size_t i = 0; i < v->string.n; i++)
            sum += v->string.p[i];
        return sum;
    }
    if (v->type != VALUE_ARRAY)
        return v->u & 0xff;
    uint64_t sum = 0;
    struct value item;
    struct value_iter it = value_items(v);
    while (value_next(&it, &item))
        sum += 1 + (depth < 8 ? walk_value(&item, depth + 1) : 0);
    return sum;
}

uint64_t model_walk(const struct model *m)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < m->metadata_count; i++) {
        sum += walk_value(&m->metadata[i].value, 0);
        for (size_t k = 0; k < m->metadata[i].key.n; k++)
            sum += m->metadata[i].key.p[k];
    }
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct tensor *t = &m->tensors[i];
        sum += t->elements + t->data.offset + t->data.length + t->rank;
        sum += model_tensor(m, t->name) != NULL;
    }
    uint64_t u;
    sum += metadata_u64(m, "general.alignment", &u) ? u : 0;
    for (size_t i = 0; i < m->template_count; i++)
        sum += m->templates[i].bytes.n;
    for (size_t i = 0; i < m->verdict.count; i++)
        sum += strlen(m->verdict.findings[i].detail);
    return sum;
}

struct reading {
    const char *name;
    size_t complete;
    bool failed;
};

static void read_prefix(struct span prefix, void *arg)
{
    struct reading *r = arg;
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read_memory(&m, r->name, prefix, &e)) {
        r->failed = true;
        return;
    }
    model_walk(m);
    if (!m->verdict.incomplete)
        r->complete++;
    model_free(m);
}

bool prefixes_read(const char *name, struct span bytes, size_t *complete)
{
    struct reading r = {.name = name};
    bool ok = prefixes_each(bytes, SIZE_MAX, 0, read_prefix, &r);
    *complete = r.complete;
    return ok && !r.failed;
}
