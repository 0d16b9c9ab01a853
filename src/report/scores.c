/*
 * A score is a metric, a data set and a number. Cards, evaluation files and
 * trainers write them differently: eval_accuracy is accuracy, org/name is name,
 * 0.61 and 61 % are one number.
 */
#include "report/scores.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "assay/base/text.h"

enum { SCORES = 256 };

static struct span bare_metric(struct span s)
{
    static const char *const prefixes[] = {"eval_", "test_", "validation_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (span_starts(s, prefixes[i]))
            return span_sub(s, strlen(prefixes[i]), s.n - strlen(prefixes[i]));
    return s;
}

static struct span last_part(struct span s)
{
    size_t from = s.n;
    while (from > 0 && s.p[from - 1] != '/')
        from--;
    return span_sub(s, from, s.n - from);
}

void score_add(struct making *k, struct span metric, struct span dataset, struct span value,
               const struct claim *claim)
{
    struct score *grown =
        claim && k->score_count < SCORES
            ? arena_grow(k->a, k->scores, k->score_count, &k->score_cap, sizeof *grown)
            : NULL;
    if (!grown)
        return;
    k->scores = grown;
    k->scores[k->score_count++] = (struct score){.metric = bare_metric(arena_span(k->a, metric)),
                                                 .dataset = last_part(arena_span(k->a, dataset)),
                                                 .value = arena_span(k->a, value),
                                                 .claim = claim};
}

static bool alike(struct span a, struct span b)
{
    return a.n == b.n && strncasecmp((const char *)a.p, (const char *)b.p, a.n) == 0;
}

static bool one_document(const struct score *a, const struct score *b)
{
    return a->claim->source_count && b->claim->source_count &&
           strcmp(a->claim->sources[0].path, b->claim->sources[0].path) == 0;
}

bool score_same(const struct score *a, const struct score *b)
{
    bool sets = a->dataset.n && b->dataset.n, metrics = a->metric.n && b->metric.n;
    return !one_document(a, b) && (sets || metrics) && (!sets || alike(a->dataset, b->dataset)) &&
           (!metrics || alike(a->metric, b->metric));
}

/* Digits after the point. */
static int decimals(struct span s)
{
    size_t at = 0;
    while (at < s.n && s.p[at] != '.')
        at++;
    size_t from = at;
    while (at + 1 < s.n && s.p[at + 1] >= '0' && s.p[at + 1] <= '9')
        at++;
    return (int)(at - from);
}

bool score_equal(const struct score *a, const struct score *b)
{
    double x, y;
    if (!text_to_double(a->value, &x) || !text_to_double(b->value, &y))
        return true;
    int da = decimals(a->value), db = decimals(b->value);
    /* a share beside a percentage */
    if (x > 1 && y > 0 && y < 1) {
        y *= 100;
        db -= 2;
    } else if (y > 1 && x > 0 && x < 1) {
        x *= 100;
        da -= 2;
    }
    double unit = pow(10, -(double)(da < db ? da : db));
    return fabs(x - y) <= unit * 0.5000001;
}
