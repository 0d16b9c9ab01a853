/*
 * Days of release: no model is older than the one that it was made from. They
 * stand in metadata, or in a card's text after the words "release date". A
 * month or a year is the span of its days, so that only what cannot be is told.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "assay/base/text.h"
#include "check/claims.h"

enum { REACH = 80, TEXT = 16 };

/* The first and last day that are meant. */
struct days {
    int64_t first, last;
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Digits at *at, at most `most` of them; how many. */
static size_t digits(struct span s, size_t *at, size_t most, unsigned *out)
{
    size_t n = 0;
    *out = 0;
    for (; n < most && *at < s.n && is_digit(s.p[*at]); n++, (*at)++)
        *out = *out * 10 + (unsigned)(s.p[*at] - '0');
    return n;
}

/* month, day: 0 when they are not said. */
static bool make_days(struct days *out, unsigned year, unsigned month, unsigned day)
{
    char text[3 * TEXT];
    unsigned most = day ? day : 31, least = day ? day : 28; /* months differ in their last day */
    if (year < 1990 || year > 2200 || month > 12 || day > 31)
        return false;
    snprintf(text, sizeof text, "%04u-%02u-%02u", year, month ? month : 1, day ? day : 1);
    if (!policy_date(&out->first, span_str(text)))
        return false;
    for (unsigned last = most; last >= least; last--) {
        snprintf(text, sizeof text, "%04u-%02u-%02u", year, month ? month : 12, last);
        if (policy_date(&out->last, span_str(text)))
            return true;
    }
    return false;
}

/* The number of the month whose name or abbreviation stands at *at; 0 for none. */
static unsigned month_at(struct span s, size_t *at)
{
    static const char *const names[] = {"january",   "february", "march",    "april",
                                        "may",       "june",     "july",     "august",
                                        "september", "october",  "november", "december"};
    for (unsigned m = 0; m < 12; m++) {
        size_t n = 0;
        while (names[m][n] && *at + n < s.n && (s.p[*at + n] | 0x20) == names[m][n])
            n++;
        if (n < 3)
            continue;
        *at += n;
        while (*at < s.n && strchr(" .,", s.p[*at]) && s.p[*at])
            (*at)++;
        return m + 1;
    }
    return 0;
}

/* 2024-09-25, 2024/09, 2024 */
static bool numeric(struct days *out, struct span s, size_t at)
{
    unsigned year, month = 0, day = 0;
    if (digits(s, &at, 4, &year) != 4)
        return false;
    if (at + 1 < s.n && strchr("-/.", s.p[at]) && s.p[at] && is_digit(s.p[at + 1])) {
        at++;
        digits(s, &at, 2, &month);
        if (at + 1 < s.n && strchr("-/.", s.p[at]) && s.p[at] && is_digit(s.p[at + 1])) {
            at++;
            digits(s, &at, 2, &day);
        }
    }
    return make_days(out, year, month, day);
}

/* September 25, 2024; September 2024; 25 September 2024 */
static bool worded(struct days *out, struct span s, size_t at)
{
    unsigned year, day = 0, number;
    size_t n = digits(s, &at, 4, &number);
    if (n > 0 && n < 3) {
        day = number;
        while (at < s.n && (s.p[at] == ' ' || s.p[at] == '.'))
            at++;
    } else if (n) {
        return false;
    }
    unsigned month = month_at(s, &at);
    n = month ? digits(s, &at, 4, &number) : 0;
    if (n > 0 && n < 3) {
        day = number;
        while (at < s.n && strchr(" ,sthndr", s.p[at]) && s.p[at])
            at++;
        n = digits(s, &at, 4, &number);
    }
    year = number;
    return n == 4 && make_days(out, year, month, day);
}

/* The first date from `at` on, on the same line. */
static bool find_date(struct days *out, struct span s, size_t at)
{
    size_t end = at + REACH < s.n ? at + REACH : s.n;
    for (; at < end && s.p[at] != '\n'; at++) {
        bool begins = at == 0 || !(is_digit(s.p[at - 1]) || (s.p[at - 1] | 0x20) >= 'a');
        if (begins && (numeric(out, s, at) || worded(out, s, at)))
            return true;
    }
    return false;
}

static bool released(const struct model *m, struct days *out, struct origin *o)
{
    static const char *const keys[] = {"general.date", "general.release_date", "modelspec.date"};
    static const char phrase[] = "release date";
    struct span text;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (metadata_string(m, keys[i], &text) && numeric(out, text, 0)) {
            *o = claim_metadata(m, keys[i]);
            return true;
        }
    struct span body = m->has_card ? m->card.body.bytes : SPAN_EMPTY;
    for (size_t i = 0; i + sizeof phrase <= body.n; i++) {
        if (strncasecmp((const char *)body.p + i, phrase, sizeof phrase - 1) != 0)
            continue;
        *o = (struct origin){m->card.body.origin.file, m->card.body.origin.offset + i,
                             sizeof phrase - 1};
        return find_date(out, body, i + sizeof phrase - 1);
    }
    return false;
}

bool check_claims_dates(const struct check_input *in, struct err *e)
{
    struct days own, base;
    struct origin o, ignored;
    char a[TEXT], b[TEXT];
    (void)e;
    if (!in->base || !in->base->model || !released(in->model, &own, &o) ||
        !released(in->base->model, &base, &ignored) || own.last >= base.first)
        return true;
    verdict_add(&in->model->verdict, RULE_CLAIM_DATE, o,
                "the model was released by %s, the given base not before %s",
                policy_date_text(a, own.last), policy_date_text(b, base.first));
    return true;
}
