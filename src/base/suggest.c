/* The nearest of several names, for messages about a name that does not exist. */
#include <string.h>

#include "assay/base/text.h"

enum { WORD_MAX = 64 }; /* longer words get no suggestion */

struct suggestion suggest_start(const char *word, size_t length)
{
    return (struct suggestion){word, length, NULL, SIZE_MAX};
}

/* Levenshtein distance, one row at a time; both words below WORD_MAX. */
static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            size_t gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < gap ? replace : gap;
        }
    }
    return row[nb];
}

void suggest_offer(struct suggestion *s, const char *candidate)
{
    size_t n = strlen(candidate);
    if (s->word_length == 0 || s->word_length > WORD_MAX || n > WORD_MAX)
        return;
    size_t d = edit_distance(s->word, s->word_length, candidate, n);
    bool begins = s->word_length >= 2 && s->word_length < n &&
                  memcmp(s->word, candidate, s->word_length) == 0;
    size_t near = n / 3 + 1;
    if (begins)
        d = 1;
    if (d <= near && d < s->distance) {
        s->best = candidate;
        s->distance = d;
    }
}

const char *suggest_best(const struct suggestion *s)
{
    return s->best;
}
