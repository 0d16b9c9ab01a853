/*
 * Where a model comes from, as it says itself: name, licences, base models,
 * datasets and languages, collected from metadata, card, adapter config and
 * licence texts, each once and as written. Nothing is believed over another;
 * what disagrees is a finding.
 */
#include "inspect/facts.h"

#include <stdio.h>
#include <string.h>

#include "assay/base/map.h"
#include "assay/base/text.h"

enum {
    PROVENANCE_MAX = 10000, /* entries of one list; more are counted by nobody */
    NAME_MAX_BYTES = 4096   /* of a name and of its organisation when they are joined */
};

/* One of the merged lists while it is filled. */
struct list {
    struct arena *arena;
    struct span *items;
    size_t count, cap;
    struct map seen;
    bool memory;
};

static const char hub[] = "https://huggingface.co/";

static void list_init(struct list *l, struct arena *a)
{
    *l = (struct list){.arena = a};
    l->memory = !map_init(&l->seen, a, 0);
}

/* On the Hub a name and its address are the same thing. */
static void list_add(struct list *l, struct span s)
{
    uint32_t previous;
    if (span_starts(s, hub))
        s = span_sub(s, sizeof hub - 1, s.n);
    while (s.n && s.p[s.n - 1] == '/')
        s.n--;
    if (s.n == 0 || l->memory || l->count >= PROVENANCE_MAX)
        return;
    if (!map_put(&l->seen, s, 0, &previous)) {
        l->memory = true;
        return;
    }
    if (previous != MAP_NONE)
        return;
    struct span *grown = arena_grow(l->arena, l->items, l->count, &l->cap, sizeof *grown);
    l->memory = !grown;
    if (!grown)
        return;
    l->items = grown;
    l->items[l->count++] = s;
}

static void add_all(struct list *l, const struct span *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        list_add(l, items[i]);
}

/* A text, or an array of texts. */
static void add_metadata(struct list *l, const struct model *m, const char *key)
{
    const struct metadata *d = model_metadata(m, key);
    struct value item;
    if (d && d->value.type == VALUE_STRING)
        list_add(l, d->value.string);
    if (!d || d->value.type != VALUE_ARRAY || d->value.element != VALUE_STRING)
        return;
    struct value_iter it = value_items(&d->value);
    while (l->count < PROVENANCE_MAX && value_next(&it, &item))
        list_add(l, item.string);
}

static bool numbered(const struct model *m, const char *what, uint64_t i, const char *part,
                     struct span *out)
{
    char key[96];
    snprintf(key, sizeof key, "general.%s.%llu.%s", what, (unsigned long long)i, part);
    return metadata_string(m, key, out) && out->n > 0;
}

/* general.base_model.N.repo_url, or organization/name (gguf docs, "Source metadata"). */
static void add_numbered(struct list *l, const struct model *m, const char *what)
{
    uint64_t n = 0;
    char key[64];
    snprintf(key, sizeof key, "general.%s.count", what);
    (void)metadata_u64(m, key, &n);
    for (uint64_t i = 0; i < n && i < PROVENANCE_MAX; i++) {
        struct span name = SPAN_EMPTY, organisation = SPAN_EMPTY;
        if (numbered(m, what, i, "repo_url", &name) || !numbered(m, what, i, "name", &name)) {
            list_add(l, name);
            continue;
        }
        char *both = NULL;
        name = span_sub(name, 0, NAME_MAX_BYTES);
        if (numbered(m, what, i, "organization", &organisation))
            both = arena_printf(l->arena, "%.*s/%.*s",
                                (int)span_sub(organisation, 0, NAME_MAX_BYTES).n,
                                (const char *)organisation.p, (int)name.n, (const char *)name.p);
        list_add(l, both ? span_str(both) : name);
    }
}

/* ---- licences ---- */

static const char in_metadata[] = "metadata", in_card[] = "card", in_text[] = "LICENSE";

/* `where` is one of the three constants below, so that pointers tell them apart. */
static void claim(struct facts *out, const char *where, struct span named, const char *spdx,
                  struct origin origin)
{
    for (size_t i = 0; i < out->licence_count; i++)
        if (out->licences[i].where == where && span_eq(out->licences[i].named, named))
            return; /* one text in several files */
    if (out->licence_count == sizeof out->licences / sizeof *out->licences)
        return;
    out->licences[out->licence_count++] = (struct licence_claim){where, named, spdx, origin};
}

static void claim_named(struct facts *out, const char *where, struct span named,
                        struct origin origin)
{
    if (named.n)
        claim(out, where, named, licence_spdx_from_name(named), origin);
}

static void collect_claims(struct facts *out, const struct model *m)
{
    static const char *const keys[] = {"general.license", "license", "modelspec.license"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct metadata *d = model_metadata(m, keys[i]);
        if (d && d->value.type == VALUE_STRING)
            claim_named(out, in_metadata, d->value.string, d->origin);
    }
    const struct card *c = &m->card;
    bool other = span_is(c->license, "other") || span_is(c->license, "unknown");
    claim_named(out, in_card, other && c->license_name.n ? c->license_name : c->license,
                c->front.origin);
    for (size_t i = 0; i < m->licence_count; i++) {
        const struct licence_text *t = &m->licences[i];
        if (t->spdx)
            claim(out, in_text, span_str(t->spdx), t->spdx, t->text.origin);
    }
}

/* Without "-only" and "-or-later": the GNU texts do not tell them apart. */
static struct span stem(const char *spdx)
{
    struct span s = span_str(spdx);
    if (span_ends(s, "-only"))
        s.n -= strlen("-only");
    else if (span_ends(s, "-or-later"))
        s.n -= strlen("-or-later");
    return s;
}

static bool same_licence(const char *a, const char *b)
{
    static const char family[] = "LicenseRef-OpenRAIL"; /* "openrail" names no version */
    if (strcmp(a, family) == 0 || strcmp(b, family) == 0)
        return strstr(a, "RAIL") && strstr(b, "RAIL");
    return span_eq(stem(a), stem(b));
}

static bool is_text(const struct licence_claim *c)
{
    return c->where == in_text;
}

static void disagree(struct model *m, const struct licence_claim *a, const struct licence_claim *b)
{
    char x[96], y[96];
    verdict_add(&m->verdict, RULE_LICENCE_DISAGREEMENT, b->origin, "%s says \"%s\", %s says \"%s\"",
                a->where, text_shown(x, sizeof x, a->named), b->where,
                text_shown(y, sizeof y, b->named));
}

/* What is declared must be the same everywhere, and among the texts if there
 * are any: a dual licence has two texts. */
static void compare_claims(const struct facts *out, struct model *m)
{
    for (size_t i = 0; i < out->licence_count; i++) {
        const struct licence_claim *a = &out->licences[i], *text = NULL;
        bool found = false;
        if (is_text(a) || !a->spdx)
            continue;
        for (size_t k = 0; k < out->licence_count; k++) {
            const struct licence_claim *b = &out->licences[k];
            if (!b->spdx || k == i)
                continue;
            bool same = same_licence(a->spdx, b->spdx);
            if (!is_text(b) && k > i && !same)
                disagree(m, a, b);
            if (is_text(b)) {
                text = text ? text : b;
                found = found || same;
            }
        }
        if (text && !found)
            disagree(m, a, text);
    }
}

/* ---- name ---- */

/* The first heading of the card. */
static struct span heading(const struct card *c)
{
    struct span s = c->body.bytes;
    for (size_t at = 0; at < s.n;) {
        size_t end = at;
        while (end < s.n && s.p[end] != '\n' && s.p[end] != '\r')
            end++;
        struct span line = span_sub(s, at, end - at);
        if (span_starts(line, "# "))
            return span_sub(line, 2, line.n);
        at = end + 1;
    }
    return SPAN_EMPTY;
}

static struct span name_of(const struct model *m)
{
    struct span s;
    if (metadata_string(m, "general.name", &s) && s.n)
        return s;
    s = heading(&m->card);
    if (s.n == 0)
        (void)json_string(json_get(m->documents[DOC_CONFIG].root, "_name_or_path"), &s);
    return s;
}

bool inspect_provenance(struct facts *out, struct model *m)
{
    struct list bases, sets, languages;
    struct span adapted;
    list_init(&bases, m->arena);
    list_init(&sets, m->arena);
    list_init(&languages, m->arena);
    out->name = name_of(m);
    out->licence_count = 0;
    collect_claims(out, m);
    compare_claims(out, m);

    struct json adapter = m->documents[DOC_ADAPTER_CONFIG].root;
    if (json_string(json_get(adapter, "base_model_name_or_path"), &adapted))
        list_add(&bases, adapted);
    add_all(&bases, m->card.base_models, m->card.base_model_count);
    add_numbered(&bases, m, "base_model");
    add_all(&sets, m->card.datasets, m->card.dataset_count);
    add_metadata(&sets, m, "general.datasets");
    add_numbered(&sets, m, "dataset");
    add_all(&languages, m->card.languages, m->card.language_count);
    add_metadata(&languages, m, "general.languages");

    out->base_models = bases.items;
    out->base_model_count = bases.count;
    out->datasets = sets.items;
    out->dataset_count = sets.count;
    out->languages = languages.items;
    out->language_count = languages.count;
    return !bases.memory && !sets.memory && !languages.memory;
}
