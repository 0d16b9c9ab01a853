/* The two clocks. */
#include "assay/base/clock.h"

#include <stdio.h>
#include <time.h>

static struct timespec now(clockid_t clock)
{
    struct timespec t = {0, 0};
    clock_gettime(clock, &t);
    return t;
}

uint64_t clock_monotonic(void)
{
    struct timespec t = now(CLOCK_MONOTONIC);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_wall(void)
{
    struct timespec t = now(CLOCK_REALTIME);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

const char *clock_text(char out[CLOCK_TEXT], uint64_t us)
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm t;
    if (us / 1000000 > UINT64_C(253402300799) || !gmtime_r(&seconds, &t) ||
        strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &t) == 0)
        (void)snprintf(out, CLOCK_TEXT, "9999-12-31T23:59:59Z");
    return out;
}

/* ---- times: YYYY-MM-DD, then perhaps THH:MM, :SS and Z; always UTC ---- */

static bool digits(const char **at, unsigned count, int *out)
{
    *out = 0;
    for (unsigned i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

static bool take(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static bool clock_part(const char **at, struct tm *t)
{
    if (!take(at, 'T') && !take(at, ' '))
        return true;
    return digits(at, 2, &t->tm_hour) && take(at, ':') && digits(at, 2, &t->tm_min) &&
           (!take(at, ':') || digits(at, 2, &t->tm_sec));
}

bool clock_parse(uint64_t *out, const char *text)
{
    struct tm t = {.tm_hour = 0};
    const char *at = text;
    bool ok = digits(&at, 4, &t.tm_year) && take(&at, '-') && digits(&at, 2, &t.tm_mon) &&
              take(&at, '-') && digits(&at, 2, &t.tm_mday) && clock_part(&at, &t);
    (void)take(&at, 'Z');
    if (!ok || *at || t.tm_year < 1970)
        return false;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    struct tm given = t;
    time_t seconds = timegm(&t); /* normalises what does not exist, such as the 31st of June */
    if (t.tm_mon != given.tm_mon || t.tm_mday != given.tm_mday || t.tm_hour != given.tm_hour ||
        t.tm_min != given.tm_min || t.tm_sec != given.tm_sec)
        return false;
    *out = (uint64_t)seconds * 1000000;
    return true;
}
