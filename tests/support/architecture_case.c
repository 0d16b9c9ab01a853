/* See architecture_case.h. */
#include "support/architecture_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { CAP = 64 << 20 };

struct arena *case_arena;
static struct model *models[64]; /* of this test */
static size_t model_count;

int case_begin(void **state)
{
    (void)state;
    case_arena = arena_new(CAP);
    return case_arena ? 0 : -1;
}

int case_end(void **state)
{
    (void)state;
    while (model_count)
        model_free(models[--model_count]);
    arena_free(case_arena);
    return 0;
}

struct model *case_keep(struct model *m)
{
    assert_non_null(m);
    if (model_count == sizeof models / sizeof models[0])
        model_free(models[--model_count]);
    return models[model_count++] = m;
}

struct model *case_model(const struct tiny *t)
{
    return case_keep(tiny_model(t));
}

struct facts case_facts(struct model *m)
{
    struct facts f;
    struct err e = ERR_INIT;
    assert_non_null(m);
    assert_true(inspect_facts(&f, m, &e));
    return f;
}

void case_build(struct tiny *t, const char *family, enum format naming)
{
    struct tiny_dims d = tiny_default_dims(family);
    assert_true(tiny_build(t, case_arena, family, &d, naming));
}

const char *case_canonical(const struct facts *f)
{
    struct buf b;
    buf_init(&b, 4096);
    architecture_canonical(&b, f);
    assert_true(buf_ok(&b));
    char *text = arena_str(case_arena, buf_span(&b));
    buf_free(&b);
    assert_non_null(text);
    return text;
}

void case_no_findings(const struct model *m)
{
    if (m->verdict.count)
        print_error("unexpected: %s: %s\n", rules[m->verdict.findings[0].rule].id,
                    m->verdict.findings[0].detail);
    assert_int_equal(m->verdict.count, 0);
}

uint64_t case_elements(const struct tiny *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->tensor_count; i++)
        n += t->tensors[i].elements;
    return n;
}

struct metadata *case_key(struct tiny *t, const char *suffix)
{
    for (size_t i = 0; i < t->metadata_count; i++)
        if (span_ends(t->metadata[i].key, suffix))
            return &t->metadata[i];
    fail_msg("no key %s", suffix);
    return NULL;
}

struct tensor *case_tensor(struct tiny *t, const char *name)
{
    for (size_t i = 0; i < t->tensor_count; i++)
        if (span_is(t->tensors[i].name, name))
            return &t->tensors[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

void case_drop(struct tiny *t, const char *prefix)
{
    size_t n = 0;
    for (size_t i = 0; i < t->tensor_count; i++)
        if (!span_starts(t->tensors[i].name, prefix))
            t->tensors[n++] = t->tensors[i];
    assert_true(n < t->tensor_count);
    t->tensor_count = n;
}

const struct finding *case_found(const struct model *m, enum rule_id rule)
{
    for (size_t i = 0; i < m->verdict.count; i++)
        if (m->verdict.findings[i].rule == rule)
            return &m->verdict.findings[i];
    fail_msg("no finding %s", rules[rule].id);
    return NULL;
}
