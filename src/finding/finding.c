/* The table of rules, and verdicts: collecting, folding, ordering. */
#include "assay/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const struct rule rules[RULE_COUNT] = {
#define RULE(name, id, severity, breaks, title, remedy) {id, severity, breaks, title, remedy},
#include "assay/rules.def"
#undef RULE
};

void verdict_init(struct verdict *v, struct arena *a)
{
    *v = (struct verdict){.arena = a};
}

/* The finding that one more of this rule is counted into; NULL when it is to be listed. */
static struct finding *folds_into(struct verdict *v, enum rule_id rule, uint32_t file)
{
    struct rule_seen *seen = &v->seen[rule];
    struct finding *last = seen->listed ? &v->findings[seen->last] : NULL;
    if (!last || last->origin.file != file)
        seen->in_file = 0;
    bool many = seen->in_file >= FINDING_FOLD || seen->listed >= FINDING_FOLD_ALL;
    return many ? last : NULL;
}

void verdict_add_list(struct verdict *v, enum rule_id rule, struct origin o, const char *fmt,
                      va_list args)
{
    struct finding *last = folds_into(v, rule, o.file);
    v->folded = last != NULL;
    if (last) {
        if (last->count < UINT32_MAX)
            last->count++;
        return;
    }
    struct finding *f = arena_grow(v->arena, v->findings, v->count, &v->cap, sizeof *f);
    char detail[1024];
    vsnprintf(detail, sizeof detail, fmt, args);
    if (f)
        v->findings = f;
    char *text = f ? arena_str(v->arena, span_str(detail)) : NULL;
    if (!text) {
        v->incomplete = v->lost = v->folded = true;
        return;
    }
    v->seen[rule].listed++;
    v->seen[rule].in_file++;
    v->seen[rule].last = v->count;
    v->findings[v->count++] = (struct finding){rule, o, ORIGIN_NOWHERE, text, 1};
}

void verdict_add(struct verdict *v, enum rule_id rule, struct origin o, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    verdict_add_list(v, rule, o, fmt, args);
    va_end(args);
}

void verdict_against(struct verdict *v, struct origin o)
{
    if (!v->folded && v->count)
        v->findings[v->count - 1].against = o;
}

static int by_order(const void *pa, const void *pb)
{
    const struct finding *a = pa, *b = pb;
    if (rules[a->rule].severity != rules[b->rule].severity)
        return rules[a->rule].severity > rules[b->rule].severity ? -1 : 1;
    if (a->rule != b->rule)
        return a->rule < b->rule ? -1 : 1;
    if (a->origin.file != b->origin.file)
        return a->origin.file < b->origin.file ? -1 : 1;
    if (a->origin.offset != b->origin.offset)
        return a->origin.offset < b->origin.offset ? -1 : 1;
    return span_cmp(span_str(a->detail), span_str(b->detail));
}

void verdict_sort(struct verdict *v)
{
    if (v->count)
        qsort(v->findings, v->count, sizeof *v->findings, by_order);
    for (size_t i = 0; i < v->count; i++)
        v->seen[v->findings[i].rule].last = i;
}

enum severity verdict_worst(const struct verdict *v)
{
    enum severity worst = SEV_INFO;
    for (size_t i = 0; i < v->count; i++)
        if (rules[v->findings[i].rule].severity > worst)
            worst = rules[v->findings[i].rule].severity;
    return worst;
}

size_t verdict_count(const struct verdict *v, enum severity s)
{
    size_t n = 0;
    for (size_t i = 0; i < v->count; i++)
        if (rules[v->findings[i].rule].severity == s)
            n += v->findings[i].count;
    return n;
}

bool verdict_accepts(const struct verdict *v, enum breaks reader)
{
    for (size_t i = 0; i < v->count; i++)
        if (rules[v->findings[i].rule].breaks >= reader)
            return false;
    return true;
}

const char *severity_name(enum severity s)
{
    static const char *const names[SEV_COUNT] = {"info", "low", "medium", "high", "critical"};
    return names[s];
}

const char *breaks_name(enum breaks b)
{
    static const char *const names[] = {"nothing", "specification", "loader"};
    return names[b];
}
