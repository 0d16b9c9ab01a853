/*
 * Which models were enrolled: names of `model` entries of the log, and the roots of their
 * weights. Read when the configuration is: when its policy asks for it, and for engines,
 * which serve no other weights under an enrolled name.
 */
#include "serve/config/enrolled.h"

#include <string.h>

#include "assay/base/text.h"
#include "assay/engine.h"
#include "assay/log.h"

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
    struct span name, hex;
    struct digest root = {{0}};
    if (!record_check(&h, NULL, leaf, NULL) || h.kind != RECORD_MODEL)
        return true;
    struct arena *a = arena_new(1 << 20);
    if (a && record_decode(&r, leaf, a, NULL) && json_string(json_get(r.body, "name"), &name)) {
        bool has_root =
            json_string(json_get(r.body, "tensor_root"), &hex) && digest_from_hex(&root, hex);
        struct enrolled *grown =
            arena_grow(c->s->arena, c->s->enrolled, c->s->enrolled_count, &c->cap, sizeof *grown);
        c->failed = grown == NULL;
        if (grown) {
            c->s->enrolled = grown;
            grown[c->s->enrolled_count++] = (struct enrolled){.name = arena_span(c->s->arena, name),
                                                              .entry = seq,
                                                              .tensor_root = root,
                                                              .has_root = has_root};
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
    if (!s->enrolled_only && s->engines.count == 0)
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

bool enrolled_agrees(const struct settings *s, struct span name, const struct engine *g,
                     struct err *e)
{
    char was[DIGEST_HEX + 1], is[DIGEST_HEX + 1], shown[80];
    const struct enrolled *known = enrolled_find(s, name);
    const struct digest *root = &engine_info(g)->tensor_root;
    if (!known || !known->has_root || digest_eq(&known->tensor_root, root))
        return true;
    return err_set(e, ERR_INTEGRITY,
                   "the weights loaded for '%s' are not those enrolled under that name: entry %llu "
                   "has the tensor root %s, and these have %s",
                   text_shown(shown, sizeof shown, name), (unsigned long long)known->entry,
                   digest_hex(was, &known->tensor_root), digest_hex(is, root));
}
