/*
 * The set of claims: adding, finding, and the order of statuses. Memory is the
 * set's arena; what cannot be added any more marks the set as failed, and
 * nothing is rendered from a failed set.
 */
#include "assay/claim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const status_names[CLAIM_STATUSES] = {
    "verified", "attested", "declared", "contradicted", "missing", "stale", "not_applicable",
};
static const char *const type_names[EVIDENCE_TYPES] = {"file", "tensor", "leaf", "range",
                                                       "attestation"};
/* Higher is worse; a clause takes the worst of its claims. */
static const int gravity[CLAIM_STATUSES] = {1, 2, 3, 6, 5, 4, 0};

void claims_init(struct claims *s, struct arena *a)
{
    *s = (struct claims){.arena = a};
}

const char *claim_status_name(enum claim_status s)
{
    return status_names[s];
}

bool claim_status_from(struct span name, enum claim_status *out)
{
    for (int i = 0; i < CLAIM_STATUSES; i++)
        if (span_is(name, status_names[i])) {
            *out = (enum claim_status)i;
            return true;
        }
    return false;
}

const char *evidence_type_name(enum evidence_type t)
{
    return type_names[t];
}

bool claim_worse(enum claim_status a, enum claim_status b)
{
    return gravity[a] > gravity[b];
}

struct claim *claims_find(const struct claims *s, const char *id)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->claim[i]->id, id) == 0)
            return s->claim[i];
    return NULL;
}

/* The property itself, or with the number of claims about it before. */
static const char *free_id(const struct claims *s, const char *property)
{
    size_t same = 0;
    for (size_t i = 0; i < s->count; i++)
        same += strcmp(s->claim[i]->property, property) == 0;
    return same ? arena_printf(s->arena, "%s#%zu", property, same + 1) : property;
}

struct claim *claims_add(struct claims *s, const char *property, const char *title,
                         enum claim_status status)
{
    struct claim **grown = s->count < CLAIM_MAX
                               ? arena_grow(s->arena, s->claim, s->count, &s->cap, sizeof *s->claim)
                               : NULL;
    struct claim *c = grown ? arena_alloc(s->arena, sizeof *c) : NULL;
    const char *id = c ? free_id(s, property) : NULL;
    if (!id) {
        s->failed = true;
        return NULL;
    }
    s->claim = grown;
    s->claim[s->count++] = c;
    *c = (struct claim){.id = id, .property = property, .title = title, .status = status};
    return c;
}

void claim_value(struct claims *s, struct claim *c, const char *fmt, ...)
{
    char text[4096];
    va_list args;
    if (!c)
        return;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    c->value = n < 0 ? NULL : arena_str(s->arena, span_str(text));
    s->failed |= !c->value;
}

void claim_says(struct claims *s, struct claim *c, const struct claim_source *source)
{
    if (!c || c->source_count >= CLAIM_MAX_ITEMS)
        return;
    struct claim_source *grown =
        arena_grow(s->arena, c->sources, c->source_count, &c->source_cap, sizeof *grown);
    if (!grown) {
        s->failed = true;
        return;
    }
    c->sources = grown;
    c->sources[c->source_count++] = *source;
}

/* Appends to one of the claim's lists of texts, unless it is there. */
static void put_text(struct claims *s, const char ***list, size_t *count, size_t *cap,
                     const char *text)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp((*list)[i], text) == 0)
            return;
    if (*count >= CLAIM_MAX_ITEMS)
        return;
    const char **grown = arena_grow(s->arena, *list, *count, cap, sizeof *grown);
    if (!grown) {
        s->failed = true;
        return;
    }
    *list = grown;
    grown[(*count)++] = text;
}

void claim_prove(struct claims *s, struct claim *c, const char *evidence)
{
    if (c && evidence)
        put_text(s, &c->evidence, &c->evidence_count, &c->evidence_cap, evidence);
}

void claim_refute(struct claims *s, struct claim *c, const char *evidence)
{
    if (c && evidence)
        put_text(s, &c->counter, &c->counter_count, &c->counter_cap, evidence);
}

void claim_requirement(struct claims *s, struct claim *c, const char *requirement)
{
    if (c && requirement)
        put_text(s, &c->requirements, &c->requirement_count, &c->requirement_cap, requirement);
}

const char *claims_evidence(struct claims *s, enum evidence_type type, struct span text)
{
    char hex[DIGEST_HEX + 1];
    struct digest d = sha256_of(text);
    digest_hex(hex, &d);
    hex[CLAIM_ID] = '\0';
    for (size_t i = 0; i < s->evidence_count; i++)
        if (strcmp(s->evidence[i]->id, hex) == 0)
            return s->evidence[i]->id;
    struct claim_evidence **grown =
        arena_grow(s->arena, s->evidence, s->evidence_count, &s->evidence_cap, sizeof *grown);
    struct claim_evidence *v = grown ? arena_alloc(s->arena, sizeof *v) : NULL;
    struct span kept = v ? arena_span(s->arena, text) : SPAN_EMPTY;
    if (!kept.p || text.n > EVIDENCE_MAX_TEXT) {
        s->failed = true;
        return NULL;
    }
    s->evidence = grown;
    s->evidence[s->evidence_count++] = v;
    v->type = type;
    v->text = kept;
    memcpy(v->id, hex, sizeof v->id);
    return v->id;
}
