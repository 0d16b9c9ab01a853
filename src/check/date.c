/* Days by the proleptic Gregorian calendar, without time zones or libc's clock. */
#include <stdio.h>

#include "assay/policy.h"

static bool two(struct span s, size_t at, unsigned *out)
{
    uint8_t a = s.p[at], b = s.p[at + 1];
    if (a < '0' || a > '9' || b < '0' || b > '9')
        return false;
    *out = (unsigned)(a - '0') * 10 + (unsigned)(b - '0');
    return true;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1U : 0U);
}

/* Years begin in March, so that the leap day is the last of one. */
static int64_t days_from(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool policy_date(int64_t *days, struct span s)
{
    unsigned century, year, month, day;
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' || !two(s, 0, &century) || !two(s, 2, &year) ||
        !two(s, 5, &month) || !two(s, 8, &day))
        return false;
    year += century * 100;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return false;
    *days = days_from(year, month, day);
    return true;
}

const char *policy_date_text(char out[16], int64_t days)
{
    unsigned year = 1970, month = 1;
    int64_t left = days < 0 ? 0 : days > 2932896 ? 2932896 : days; /* through 9999-12-31 */
    year += (unsigned)(left / 366);
    while (days_from(year + 1, 1, 1) <= left)
        year++;
    while (month < 12 && days_from(year, month + 1, 1) <= left)
        month++;
    unsigned day = (unsigned)(left - days_from(year, month, 1)) + 1;
    snprintf(out, 16, "%04u-%02u-%02u", year % 10000, month % 100, day % 100);
    return out;
}
