/*
 * Which models were enrolled: names of `model` entries of the log. Read when the
 * configuration is, and only when its policy asks for it.
 */
#include <string.h>

#include "serve/service.h"

struct collecting {
    struct settings *s;
    size_t cap;
    bool failed;
};

static bool collect(void *arg, uint64_t seq, struct span leaf)
{
    struct collecting *c = arg;
    struct record_head h;
    struct record r;
    struct span name;
    if (!record_check(&h, NULL, leaf, NULL) || h.kind != RECORD_MODEL)
        return true;
    struct arena *a = arena_new(1 << 20);
    if (a && record_decode(&r, leaf, a, NULL) && json_string(json_get(r.body, "name"), &name)) {
        struct enrolled *grown =
            arena_grow(c->s->arena, c->s->enrolled, c->s->enrolled_count, &c->cap, sizeof *grown);
        c->failed = grown == NULL;
        if (grown) {
            c->s->enrolled = grown;
            grown[c->s->enrolled_count++] = (struct enrolled){arena_span(c->s->arena, name), seq};
        }
    }
    arena_free(a);
    return !c->failed;
}

bool enrolled_read(struct settings *s, struct err *e)
{
    struct collecting c = {.s = s};
    struct log_reader *r = NULL;
    const char *folder = arena_str(s->arena, s->log);
    if (!s->enrolled_only)
        return true;
    bool ok = (folder || err_set(e, ERR_MEMORY, "out of memory")) &&
              log_reader_open(&r, folder, e) && log_reader_walk(r, 0, collect, &c, e);
    log_reader_close(r);
    return ok && (!c.failed || err_set(e, ERR_MEMORY, "out of memory for the enrolled models"));
}

/* The newest entry counts. */
const struct enrolled *enrolled_find(const struct settings *s, struct span name)
{
    for (size_t i = s->enrolled_count; i > 0; i--)
        if (span_eq(s->enrolled[i - 1].name, name))
            return &s->enrolled[i - 1];
    return NULL;
}
