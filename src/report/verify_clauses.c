/*
 * What a reader sees first of a requirement is its status and its words. The one is
 * worked out from claims, the other stands in a file whose digest is signed: neither
 * is signed itself, so both are found again.
 */
#include "report/verify_clauses.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/map.h"
#include "assay/base/text.h"
#include "assay/claim.h"
#include "assay/framework.h"

struct clauses {
    struct map claims; /* id -> index */
    struct json *claim;
    size_t count, claim_refs, clause_refs; /* what claims name, what clauses list */
    size_t by_status[CLAIM_STATUSES];
    struct arena *a;
    struct err *e;
};

static struct span text_of(struct json object, const char *key)
{
    struct span s = SPAN_EMPTY;
    return json_string(json_get(object, key), &s) ? s : SPAN_EMPTY;
}

static bool index_claims(struct clauses *k, struct json list)
{
    size_t n = json_count(list);
    uint32_t previous;
    k->claim = arena_array(k->a, n + 1, sizeof *k->claim);
    if (!k->claim || !map_init(&k->claims, k->a, n))
        return err_set(k->e, ERR_MEMORY, "out of memory for clauses");
    for (struct json v = json_first(list); json_type(v); v = json_next(v)) {
        struct json claim = json_get(v, "claim");
        if (json_type(claim) != JSON_OBJECT)
            continue;
        k->claim_refs += json_count(json_get(claim, "requirements"));
        k->claim[k->count] = claim;
        if (!map_put(&k->claims, text_of(claim, "id"), (uint32_t)k->count++, &previous))
            return err_set(k->e, ERR_MEMORY, "out of memory for clauses");
    }
    return true;
}

static bool names(struct json claim, const char *requirement)
{
    struct span s;
    for (struct json v = json_first(json_get(claim, "requirements")); json_type(v);
         v = json_next(v))
        if (json_string(v, &s) && span_is(s, requirement))
            return true;
    return false;
}

static bool refuse(struct clauses *k, const char *requirement, const char *what)
{
    char shown[120];
    return err_set(k->e, ERR_INTEGRITY, "requirement %s: %s",
                   text_shown(shown, sizeof shown, span_str(requirement)), what);
}

static bool prove_clause(struct clauses *k, struct json clause, struct span framework)
{
    enum claim_status said, worst = CLAIM_NOT_APPLICABLE, status;
    struct span id = text_of(clause, "id"), claim_id;
    const char *name = arena_printf(k->a, "%.*s:%.*s", (int)framework.n, (const char *)framework.p,
                                    (int)id.n, (const char *)id.p);
    if (!name)
        return err_set(k->e, ERR_MEMORY, "out of memory for clauses");
    if (!claim_status_from(text_of(clause, "status"), &said))
        return refuse(k, name, "it has no status");
    for (struct json v = json_first(json_get(clause, "claims")); json_type(v); v = json_next(v)) {
        uint32_t at = json_string(v, &claim_id) ? map_get(&k->claims, claim_id) : MAP_NONE;
        if (at == MAP_NONE || !names(k->claim[at], name))
            return refuse(k, name, "it lists a claim that is not about it");
        if (claim_status_from(text_of(k->claim[at], "status"), &status) &&
            claim_worse(status, worst))
            worst = status;
        k->clause_refs++;
    }
    if (text_of(clause, "reason").n) /* it does not apply, and what there is of claims is shown */
        worst = CLAIM_NOT_APPLICABLE;
    if (said != worst)
        return refuse(k, name, "its status is not that of its worst claim");
    k->by_status[said]++;
    return true;
}

/* ---- words ---- */

static bool is_own(const char *id, struct arena *a)
{
    const char *name;
    for (size_t i = 0; (name = framework_name(i, a)); i++)
        if (strcmp(name, id) == 0)
            return true;
    return false;
}

static bool same_words(struct json c, const struct requirement *q)
{
    return span_eq(text_of(c, "title"), span_str(q->title)) &&
           span_eq(text_of(c, "part"), span_str(q->part)) &&
           span_eq(text_of(c, "note"), span_str(q->note)) &&
           span_eq(text_of(c, "from"), span_str(q->from)) &&
           span_eq(text_of(c, "until"), span_str(q->until));
}

static bool prove_words(struct clauses *k, struct json f, const struct framework *own)
{
    for (struct json c = json_first(json_get(f, "requirements")); json_type(c); c = json_next(c)) {
        struct span id = text_of(c, "id");
        size_t i = 0;
        while (i < own->count && !span_is(id, own->requirements[i].id))
            i++;
        if (i == own->count || !same_words(c, &own->requirements[i]))
            return err_set(k->e, ERR_INTEGRITY,
                           "framework %s: a requirement has other words than its file", own->id);
    }
    return (span_eq(text_of(f, "title"), span_str(own->title)) &&
            span_eq(text_of(f, "source"), span_str(own->source)) &&
            span_eq(text_of(f, "note"), span_str(own->note))) ||
           err_set(k->e, ERR_INTEGRITY, "framework %s: it has other words than its file", own->id);
}

/* Is it the one that the statement names; and does it say what this program's file of that digest
 * says? */
static bool prove_framework(struct clauses *k, struct json f, struct json named,
                            const char **unread)
{
    static const char *const members[] = {"id", "sha256", "version", "dated"};
    struct framework own;
    struct digest digest;
    for (size_t i = 0; i < 4; i++)
        if (!span_eq(text_of(f, members[i]), text_of(named, members[i])))
            return err_set(k->e, ERR_INTEGRITY, "the signed statement names other frameworks");
    const char *id = arena_str(k->a, text_of(f, "id"));
    if (!id)
        return err_set(k->e, ERR_MEMORY, "out of memory for a framework");
    if (digest_from_hex(&digest, text_of(f, "sha256")) && is_own(id, k->a) &&
        framework_load(&own, id, k->a, NULL) && digest_eq(&own.digest, &digest))
        return prove_words(k, f, &own);
    *unread = id;
    return true;
}

static bool prove_counts(struct clauses *k, struct json counts)
{
    if (k->claim_refs != k->clause_refs)
        return err_set(k->e, ERR_INTEGRITY,
                       "claims name requirements %zu times, and requirements list %zu claims",
                       k->claim_refs, k->clause_refs);
    for (int i = 0; i < CLAIM_STATUSES && json_type(counts) == JSON_OBJECT; i++) {
        char digits[24];
        const char *name = claim_status_name((enum claim_status)i);
        snprintf(digits, sizeof digits, "%zu", k->by_status[i]);
        if (!span_is(text_of(counts, name), digits))
            return err_set(k->e, ERR_INTEGRITY,
                           "%s requirements: %s, and the statement counts others", name, digits);
    }
    return true;
}

bool clauses_prove(const char **unread, struct json report, struct json predicate, bool whole,
                   struct arena *a, struct err *e)
{
    struct clauses k = {.a = a, .e = e};
    struct json named = json_first(json_get(predicate, "frameworks"));
    *unread = NULL;
    if (!index_claims(&k, json_get(report, "claims")))
        return false;
    if (json_count(json_get(report, "frameworks")) != json_count(json_get(predicate, "frameworks")))
        return err_set(e, ERR_INTEGRITY, "the signed statement names other frameworks");
    for (struct json f = json_first(json_get(report, "frameworks")); json_type(f);
         f = json_next(f), named = json_next(named)) {
        if (!prove_framework(&k, f, named, unread))
            return false;
        for (struct json c = json_first(json_get(f, "requirements")); json_type(c);
             c = json_next(c))
            if (!prove_clause(&k, c, text_of(f, "id")))
                return false;
    }
    return !whole || prove_counts(&k, json_get(predicate, "clauses"));
}
