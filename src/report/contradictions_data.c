/*
 * Contradictions between data sets, training runs and what people or the card
 * say: 21, 25, 27 and 29 of the catalogue. Words are compared as words: a
 * licence or a denial that is phrased in another way is not recognised.
 */
#include <string.h>
#include <strings.h>

#include "assay/base/text.h"
#include "assay/check.h"
#include "report/making.h"
#include "report/scores.h"

static bool holds(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; text && *text; text++)
        if (strncasecmp(text, word, n) == 0)
            return true;
    return false;
}

/* "No", "none", "no user data": a word that begins with no is not enough. */
bool says_no(const char *text)
{
    static const char *const whole[] = {"no", "none", "false", "never"};
    size_t n = text ? strcspn(text, " ,.;:") : 0;
    for (size_t i = 0; n && i < sizeof whole / sizeof whole[0]; i++)
        if (strlen(whole[i]) == n && strncasecmp(text, whole[i], n) == 0)
            return true;
    return text && (holds(text, "does not") || holds(text, "without"));
}

/* ---- 21: licences ---- */

static bool permissive(const char *licence)
{
    static const char *const names[] = {"apache", "mit", "bsd", "cc-by-4", "cc0", "isc"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (holds(licence, names[i]) && !holds(licence, "-nc"))
            return true;
    return false;
}

static bool not_commercial(const char *licence)
{
    return holds(licence, "-nc") || holds(licence, "non-commercial") ||
           holds(licence, "noncommercial") || holds(licence, "research only");
}

static void data_licence(struct making *k, const char *data)
{
    const struct claim *model = made_before(k, "model.licence", NULL);
    const struct claim *own = made_before(k, "dataset.licence", data);
    if (!own || !model || !not_commercial(own->value) || !permissive(model->value))
        return;
    struct claim *c = make_opposed(
        k, 21, "A data set that excludes commercial use under a model that allows it", model, own);
    if (c)
        c->reason = "for a person to judge";
}

/* ---- 25: dates ---- */

static void data_dates(struct making *k, const struct dataset *d, const char *data)
{
    static const char *const stated[] = {"human.latest-acquisition", "human.knowledge-cutoff",
                                         "human.release-date"};
    const struct claim *own = made_before(k, "dataset.dates", data);
    for (size_t i = 0; own && d->last_date && i < 3; i++) {
        const struct claim *said = made_before(k, stated[i], NULL);
        if (said && strlen(said->value) >= 10 &&
            date_ok((struct span){(const uint8_t *)said->value, 10}) &&
            strncmp(said->value, d->last_date, 10) < 0)
            make_opposed(k, 25, "Dates in the data are later than what is stated", said, own);
    }
}

/* ---- 27: synthetic data ---- */

static void data_synthetic(struct making *k, const char *data)
{
    const struct claim *said = made_before(k, "human.synthetic-data", NULL);
    const struct claim *own = made_before(k, "dataset.synthetic", data);
    if (said && own && says_no(said->value) && !says_no(own->value))
        make_opposed(k, 27, "Synthetic data among data that is said to hold none", said, own);
}

/* ---- 29: evaluations ---- */

static void oppose_scores(struct making *k, const struct score *card, const struct score *other)
{
    struct claim *c = make_opposed(k, 29, "An evaluation result is stated differently elsewhere",
                                   card->claim, other->claim);
    if (c)
        c->tolerance = "half of the last digit that both give";
}

/* Every pair of results that speak of the same measurement; one contradiction for each result. */
static void evaluations(struct making *k)
{
    const struct score *s = k->scores;
    for (size_t i = 0; i < k->score_count; i++) {
        const struct score *other = NULL;
        for (size_t n = 0; n < i; n++) {
            if (!score_same(&s[n], &s[i]))
                continue;
            other = score_equal(&s[n], &s[i]) ? NULL : &s[n];
            if (!other)
                break; /* somebody says the same */
        }
        if (other)
            oppose_scores(k, other, &s[i]);
    }
}

void contradictions_from_data(struct making *k)
{
    for (size_t i = 0; i < k->in->dataset_count; i++) {
        const char *data = dataset_shown(k, &k->in->datasets[i]);
        data_licence(k, data);
        data_dates(k, &k->in->datasets[i], data);
        data_synthetic(k, data);
    }
    evaluations(k);
}
