/*
 * A schema, or calls within free text, NUL, and octets that choose: whatever is made of the schema, walking its form over octets
 * that it needs never leads where no octet can follow, what is over parses, and pushing many
 * octets at once is pushing them one by one.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/base/json.h"
#include "engine/form.h"

enum { ARENA = 64 << 20, STEPS = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static const struct engine_form *form_of(struct span schema, struct arena *a)
{
    const struct engine_form *f;
    struct engine_form_wrong wrong;
    struct json root, alternatives = JSON_NOTHING;
    struct buf text;
    if (!json_parse(&root, schema, JSON_STRICT, a, NULL))
        return NULL;
    if (json_type(json_get(root, "calls")))
        return engine_form_read(&f, root, a, &wrong, NULL) ? f : NULL;
    buf_init(&text, 1 << 20);
    bool several = json_type(json_get(root, "several"));
    buf_put_str(&text, several ? "[" : "[{\"schema\":");
    buf_put_span(&text, schema);
    buf_put_str(&text, several ? "" : "}");
    buf_put_str(&text, ",{\"begin\":\"<f>\",\"schema\":{\"type\":\"object\"},\"end\":\"</f>\"}]");
    struct span copy = arena_span(a, buf_span(&text));
    buf_free(&text);
    demand(copy.p && json_parse(&alternatives, copy, JSON_STRICT, a, NULL));
    return engine_form_read(&f, alternatives, a, &wrong, NULL) ? f : NULL;
}

/* Which needed octets may follow. */
static size_t ways(const struct form_state *s, uint8_t can[256])
{
    struct form_state then;
    size_t n = 0;
    for (unsigned c = 0; c <= UINT8_MAX; c++) {
        const uint8_t octet = (uint8_t)c;
        if (!form_set_has(&s->form->needs, octet))
            continue;
        form_copy(&then, s);
        if (form_push(&then, (struct span){&octet, 1}, false))
            can[n++] = octet;
    }
    return n;
}

static void walk(const struct engine_form *f, struct span choices)
{
    struct form_state s, whole;
    struct buf said;
    buf_init(&said, STEPS);
    form_begin(&s, f);
    for (size_t i = 0; i < STEPS && i < choices.n && !s.over; i++) {
        uint8_t can[256];
        size_t n = ways(&s, can);
        demand(n > 0);
        uint8_t next = s.free ? choices.p[i] : can[choices.p[i] % n];
        demand(form_push(&s, (struct span){&next, 1}, false));
        buf_put_u8(&said, next);
    }
    form_begin(&whole, f);
    demand(form_push(&whole, buf_span(&said), false) && whole.over == s.over &&
           whole.free == s.free);
    if (s.over && f->triggers == NULL && said.p[0] != '<') {
        struct json root;
        struct arena *a = arena_new(ARENA);
        demand(a && json_parse(&root, buf_span(&said), JSON_KEEP_DUPLICATES, a, NULL));
        arena_free(a);
    }
    buf_free(&said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
    size_t n = nul ? (size_t)(nul - data) : size;
    struct arena *a = arena_new(ARENA);
    demand(a != NULL);
    const struct engine_form *f = form_of((struct span){data, n}, a);
    if (f)
        walk(f, nul ? (struct span){nul + 1, size - n - 1} : SPAN_EMPTY);
    arena_free(a);
    return 0;
}
