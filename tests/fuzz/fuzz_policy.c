/*
 * Trust policies on any bytes. What is accepted is a rule without circles that
 * everybody together fulfils and, unless it asks for nothing, nobody does not.
 */
#include <stdlib.h>

#include "assay/verify.h"

enum { ARENA = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static void judge_group(const struct trust *t, size_t i)
{
    const struct trust_group *g = &t->groups[i];
    size_t members =
        (size_t)__builtin_popcountll(g->witnesses) + (size_t)__builtin_popcountll(g->groups);
    demand(g->need <= members);
    demand(g->need > 0 || i + 1 == t->group_count);
    demand(i >= TRUST_MAX || g->groups >> i == 0);
    demand(t->witness_count >= TRUST_MAX || g->witnesses >> t->witness_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(ARENA);
    struct err e = ERR_INIT;
    struct trust t;
    bool ok = trust_parse(&t, (struct span){data, size}, a, &e);
    demand(ok == (e.code == ERR_NONE));
    if (ok) {
        demand(t.log_key_count <= TRUST_MAX && t.witness_count <= TRUST_MAX);
        demand(t.group_count >= 1 && t.group_count <= TRUST_MAX + 1);
        for (size_t i = 0; i < t.group_count; i++)
            judge_group(&t, i);
        for (size_t i = 0; i < t.log_key_count; i++)
            demand(t.log_keys[i].type == NOTE_ED25519);
        for (size_t i = 0; i < t.witness_count; i++)
            demand(t.witnesses[i].type == NOTE_COSIGNATURE);
    }
    arena_free(a);
    return 0;
}
