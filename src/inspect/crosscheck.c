/*
 * Claims against tensors. Every contradiction is one finding however many
 * tensors show it: it stands where the claim is made and names the first
 * tensor. Loops run over tensors, never over a claimed number.
 */
#include "inspect/architecture.h"

#include <stdio.h>

#include "inspect/dims.h"

enum { PARTS = 2, RANK = 3, BY_RANK = RANK };

struct miss {
    uint64_t count;
    size_t first; /* tensor */
    uint64_t expected;
};

typedef struct miss miss_table[ROLE_COUNT][PARTS][RANK + 1];

static void note_miss(struct miss *x, size_t tensor, uint64_t expected)
{
    if (x->count++ == 0) {
        x->first = tensor;
        x->expected = expected;
    }
}

static void check_shape(struct study *s, size_t i, miss_table misses)
{
    const struct tensor *t = &s->m->tensors[i];
    const struct place *p = &s->places[i];
    uint8_t dims[RANK];
    if (!p->counted || p->part >= PARTS)
        return;
    struct miss *x = misses[p->role][p->part];
    uint32_t rank = dims_of(s, p, t->rank, dims);
    if (!rank)
        return;
    if (rank != t->rank) {
        note_miss(&x[BY_RANK], i, rank);
        return;
    }
    for (uint32_t d = 0; d < rank; d++) {
        uint64_t expected;
        if (dim_value(s, (enum dim)dims[d], p->layer, &expected) && expected != t->shape[d])
            note_miss(&x[d], i, expected);
    }
}

static void report_shape(struct study *s, const struct miss *x, uint32_t d)
{
    const struct tensor *t = &s->m->tensors[x->first];
    const struct place *p = &s->places[x->first];
    char name[ARCH_MAX_NAME], more[48] = "";
    uint8_t dims[RANK];
    if (x->count > 1)
        snprintf(more, sizeof more, " (%llu tensors alike)", (unsigned long long)x->count);
    if (d == BY_RANK) {
        verdict_add(&s->m->verdict, RULE_ARCH_SHAPE, t->entry,
                    "%s (%s) has %u dimensions; expected %llu%s", shown(name, t->name),
                    roles[p->role].name, t->rank, (unsigned long long)x->expected, more);
        return;
    }
    (void)dims_of(s, p, t->rank, dims);
    char by[2 * ARCH_MAX_NAME];
    const struct claim *c = dim_claim(s, (enum dim)dims[d]);
    verdict_add(&s->m->verdict, RULE_ARCH_SHAPE, c ? c->origin : t->entry,
                "%s (%s) has %llu in dimension %u, but %s asks for %llu%s", shown(name, t->name),
                roles[p->role].name, (unsigned long long)t->shape[d], d,
                dim_words(s, (enum dim)dims[d], p->layer, by, sizeof by),
                (unsigned long long)x->expected, more);
}

static bool check_shapes(struct study *s)
{
    miss_table *misses = arena_alloc(s->m->arena, sizeof *misses);
    if (!misses)
        return false;
    for (size_t i = 0; i < s->m->tensor_count; i++)
        check_shape(s, i, *misses);
    for (size_t r = 0; r < ROLE_COUNT; r++)
        for (size_t p = 0; p < PARTS; p++)
            for (uint32_t d = 0; d <= RANK; d++)
                if ((*misses)[r][p][d].count)
                    report_shape(s, &(*misses)[r][p][d], d);
    return true;
}

/* ---- layers ---- */

static void check_layers(struct study *s)
{
    const struct claim *c = &s->claims[FACT_LAYERS];
    uint64_t gaps = 0, first = 0;
    uint64_t rows = s->found_layers < s->have_count ? s->found_layers : s->have_count;
    for (uint64_t l = 0; l < rows; l++)
        if (!s->have[l] && !gaps++)
            first = l;
    if (s->found_layers > rows) {
        first = gaps ? first : rows;
        gaps += s->found_layers - rows; /* at least one of these is there: the last */
        gaps -= gaps > 1;
    }
    if (gaps && s->complete)
        verdict_add(&s->m->verdict, RULE_ARCH_GAP, ORIGIN_NOWHERE,
                    "tensor names reach layer %llu, but layer %llu has no tensor (%llu missing)",
                    (unsigned long long)s->found_layers - 1, (unsigned long long)first,
                    (unsigned long long)gaps);
    if (c->known && c->value != s->found_layers && (s->complete || s->found_layers > c->value))
        verdict_add(&s->m->verdict, RULE_ARCH_LAYERS, c->origin,
                    "%s says %llu layers, but tensor names show %llu", c->key,
                    (unsigned long long)c->value, (unsigned long long)s->found_layers);
}

/* A fused tensor stands for the ones it holds. */
static uint64_t expanded(uint64_t have)
{
    if (have & ROLE_BIT(ROLE_QKV))
        have |= ROLE_BIT(ROLE_Q) | ROLE_BIT(ROLE_K) | ROLE_BIT(ROLE_V);
    if (have & ROLE_BIT(ROLE_GATE_UP))
        have |= ROLE_BIT(ROLE_GATE) | ROLE_BIT(ROLE_UP);
    if (have & ROLE_BIT(ROLE_EXPERT_GATE_UP))
        have |= ROLE_BIT(ROLE_EXPERT_GATE) | ROLE_BIT(ROLE_EXPERT_UP);
    return have;
}

static uint64_t needed(const struct study *s, uint64_t have)
{
    const struct family *f = s->family;
    bool experts = f->moe && (!f->ffn || (s->a->experts && !(have & f->ffn)));
    return f->layer | (experts ? f->moe : f->ffn);
}

struct lack {
    uint64_t layers, first;
};

static void note_lack(struct lack *x, uint64_t bits, uint64_t layer)
{
    for (size_t r = 0; bits && r < ROLE_COUNT; r++)
        if (bits & ROLE_BIT(r)) {
            if (x[r].layers++ == 0)
                x[r].first = layer;
        }
}

static void report_lacks(struct study *s, const struct lack *x, enum rule_id rule, const char *what)
{
    for (size_t r = 0; r < ROLE_COUNT; r++)
        if (x[r].layers)
            verdict_add(&s->m->verdict, rule, ORIGIN_NOWHERE,
                        "layer %llu %s %s, in %llu layer(s) altogether; family %s",
                        (unsigned long long)x[r].first, what, roles[r].name,
                        (unsigned long long)x[r].layers, s->family->name);
}

static void check_roles(struct study *s)
{
    const struct family *f = s->family;
    struct lack lacks[ROLE_COUNT] = {0}, biases[ROLE_COUNT] = {0}, extra[ROLE_COUNT] = {0};
    uint64_t fit = expanded(f->layer | f->ffn | f->moe) | ROLE_BIT(ROLE_QKV) |
                   ROLE_BIT(ROLE_GATE_UP) | (f->moe ? ROLE_BIT(ROLE_EXPERT_GATE_UP) : 0);
    uint64_t layer_bias = f->bias & ~(ROLE_BIT(ROLE_LAYER) - 1);
    uint64_t rows = s->found_layers < s->have_count ? s->found_layers : s->have_count;
    for (uint64_t l = 0; l < rows; l++) {
        uint64_t have = expanded(s->have[l]), bias = expanded(s->have_bias[l]);
        if (!s->have[l])
            continue;
        note_lack(lacks, needed(s, have) & ~have, l);
        note_lack(biases, layer_bias & have & ~bias, l);
        note_lack(extra, s->have[l] & ~fit, l);
    }
    if (s->complete) {
        report_lacks(s, lacks, RULE_ARCH_MISSING, "has no");
        report_lacks(s, biases, RULE_ARCH_MISSING, "has no bias for its");
    }
    report_lacks(s, extra, RULE_ARCH_UNEXPECTED, "has a tensor that the family does not use:");
}

static void check_global(struct study *s)
{
    uint64_t need = ROLE_BIT(ROLE_TOKEN_EMBEDDING) | ROLE_BIT(ROLE_FINAL_NORM) | s->family->global;
    uint64_t lacks = s->complete ? need & ~s->global_have : 0;
    for (size_t r = 0; lacks && r < ROLE_COUNT; r++)
        if (lacks & ROLE_BIT(r))
            verdict_add(&s->m->verdict, RULE_ARCH_MISSING, ORIGIN_NOWHERE,
                        "the model has no %s; family %s", roles[r].name, s->family->name);
}

/* ---- experts, heads, vocabulary, tying ---- */

static bool is_expert_matrix(const struct place *p)
{
    return p->counted && p->part != PART_BIAS && p->part != PART_AUX &&
           (p->role == ROLE_EXPERT_GATE || p->role == ROLE_EXPERT_UP ||
            p->role == ROLE_EXPERT_DOWN) &&
           p->expert != NO_INDEX && p->layer != NO_INDEX;
}

/* Experts stored one by one: three matrices each, numbered below the count. */
static bool check_experts(struct study *s)
{
    const struct claim *c = &s->claims[FACT_EXPERTS];
    struct model *m = s->m;
    char name[ARCH_MAX_NAME];
    uint64_t beyond = 0, first = 0;
    uint32_t *n = arena_array(m->arena, s->have_count + 1, sizeof *n);
    if (!n)
        return false;
    if (s->proven[FACT_EXPERTS] && !(c->known && c->value))
        verdict_add(&m->verdict, RULE_ARCH_EXPERTS, c->known ? c->origin : ORIGIN_NOWHERE,
                    "tensors hold %llu experts, but nothing declares how many there are",
                    (unsigned long long)s->proven[FACT_EXPERTS]);
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct place *p = &s->places[i];
        if (!is_expert_matrix(p))
            continue;
        if (c->known && p->expert >= c->value && !beyond++)
            first = i;
        if (p->layer < s->have_count)
            n[p->layer]++;
    }
    if (beyond)
        verdict_add(&m->verdict, RULE_ARCH_EXPERTS, c->origin,
                    "%s says %llu experts, but %s is numbered beyond (%llu tensors)", c->key,
                    (unsigned long long)c->value, shown(name, m->tensors[first].name),
                    (unsigned long long)beyond);
    for (size_t l = 0; c->known && s->complete && l < s->have_count; l++)
        if (n[l] && n[l] / 3 < c->value) {
            verdict_add(&m->verdict, RULE_ARCH_MISSING, c->origin,
                        "layer %zu has %u expert matrices; %llu experts need three each", l, n[l],
                        (unsigned long long)c->value);
            break;
        }
    return true;
}

static void check_heads(struct study *s)
{
    const struct claim *h = &s->claims[FACT_HEADS], *kv = &s->claims[FACT_KV_HEADS];
    const struct claim *e = &s->claims[FACT_EXPERTS], *used = &s->claims[FACT_EXPERTS_ACTIVE];
    if (h->known && kv->known && kv->value &&
        (h->value < kv->value || (!h->each && !kv->each && h->value % kv->value)))
        verdict_add(&s->m->verdict, RULE_ARCH_HEADS, kv->origin,
                    "%s = %llu does not divide %s = %llu", kv->key, (unsigned long long)kv->value,
                    h->key, (unsigned long long)h->value);
    if (e->known && used->known && e->value && used->value > e->value)
        verdict_add(&s->m->verdict, RULE_ARCH_EXPERTS, used->origin,
                    "%s = %llu is more than %s = %llu", used->key, (unsigned long long)used->value,
                    e->key, (unsigned long long)e->value);
}

static void check_vocabulary(struct study *s)
{
    char name[ARCH_MAX_NAME];
    const struct metadata *k = study_key(s, "tokenizer.ggml.tokens");
    if (!k || !s->tokens || !s->embedding || s->embedding->rank != 2 ||
        s->embedding->shape[0] == s->tokens)
        return;
    verdict_add(&s->m->verdict, RULE_ARCH_VOCABULARY, k->origin,
                "tokenizer.ggml.tokens lists %llu tokens, but %s has %llu rows",
                (unsigned long long)s->tokens, shown(name, s->embedding->name),
                (unsigned long long)s->embedding->shape[0]);
}

static void check_tied(struct study *s)
{
    char name[ARCH_MAX_NAME];
    if (s->tied_claim == TIED_YES && s->output)
        verdict_add(&s->m->verdict, RULE_ARCH_TIED, s->tied_origin,
                    "the config shares the output head with the token embedding, but %s is stored "
                    "too; loaders ignore it",
                    shown(name, s->output->name));
    else if (s->tied_claim == TIED_NO && !s->output && s->embedding && s->complete)
        verdict_add(&s->m->verdict, RULE_ARCH_TIED, s->tied_origin,
                    "the config asks for an output head of its own, but only %s is stored",
                    shown(name, s->embedding->name));
}

static void check_names(struct study *s)
{
    char name[ARCH_MAX_NAME];
    uint64_t n = 0;
    size_t first = 0;
    for (size_t i = 0; i < s->m->tensor_count; i++)
        if (s->places[i].counted && s->places[i].role == ROLE_UNKNOWN && !n++)
            first = i;
    if (n)
        verdict_add(&s->m->verdict, RULE_ARCH_NAMES, s->m->tensors[first].entry,
                    "%llu tensor(s) have names without a known role; the first is %s",
                    (unsigned long long)n, shown(name, s->m->tensors[first].name));
}

static void check_declared(struct study *s)
{
    char name[ARCH_MAX_NAME];
    const struct metadata *k = study_key(s, "general.architecture");
    struct origin o = k ? k->origin : ORIGIN_NOWHERE;
    if (!k && json_type(s->config_root) == JSON_OBJECT)
        o.file = s->m->documents[DOC_CONFIG].file;
    if (!s->a->declared.n)
        verdict_add(&s->m->verdict, RULE_ARCH_UNDECLARED, o,
                    "neither metadata nor config.json name an architecture");
    else
        verdict_add(&s->m->verdict, RULE_ARCH_UNKNOWN, o,
                    "%s is not a family known to this version; only what it declares and what "
                    "tensors show is given",
                    shown(name, s->a->declared));
}

bool study_check(struct study *s)
{
    if (!s->family) {
        if (s->m->tensor_count || s->a->declared.n)
            check_declared(s);
        return true;
    }
    if (!s->m->tensor_count)
        return true;
    check_layers(s);
    check_roles(s);
    check_global(s);
    check_heads(s);
    check_vocabulary(s);
    check_tied(s);
    check_names(s);
    return check_experts(s) && check_shapes(s);
}
