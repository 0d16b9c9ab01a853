/*
 * Numbers to text and back, the same on every machine and in every locale.
 */
#include "assay/base/text.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* Needs no memory in the C libraries we know: "C" is built in. */
static locale_t the_c_locale(void)
{
    pthread_once(&c_locale_once, make_c_locale);
    return c_locale;
}

/* From as few digits as are given; `single`: as a float reads it, which is a double rounded. */
static const char *shortest(char *out, size_t size, double v, int digits, bool single)
{
    char text[40];
    if (isnan(v) || isinf(v)) {
        snprintf(out, size, "%s", isnan(v) ? "NaN" : v < 0 ? "-inf" : "inf");
        return out;
    }
    locale_t before = uselocale(the_c_locale());
    for (; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        double back = strtod(text, NULL);
        back = single ? (double)(float)back : back;
        if (memcmp(&back, &v, sizeof v) == 0)
            break;
    }
    uselocale(before);
    snprintf(out, size, "%s", text);
    return out;
}

/*
 * 15 digits always survive the way to a normal double and back, so %.15g gives
 * the shortest text whenever one of that length exists; subnormals have fewer
 * digits and try from one.
 */
const char *text_double(char *out, size_t size, double v)
{
    return shortest(out, size, v, fabs(v) < DBL_MIN ? 1 : 15, false);
}

/* The same of a normal float and 6 digits; 9 are always enough. */
const char *text_float(char *out, size_t size, float v)
{
    return shortest(out, size, (double)v, fabsf(v) < FLT_MIN ? 1 : 6, true);
}

bool text_to_double(struct span s, double *out)
{
    char small[64];
    char *text = s.n < sizeof small ? small : malloc(s.n + 1);
    if (!text)
        return false;
    if (s.n)
        memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *out = strtod_l(text, NULL, the_c_locale());
    if (text != small)
        free(text);
    return true;
}

int text_hex_digit(uint8_t c)
{
    uint8_t lower = c | 0x20;
    return c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool text_u64(struct span s, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = s.p[i] - (unsigned)'0';
        if (digit > 9 || !size_mul(&v, v, 10) || !size_add(&v, v, digit))
            return false;
    }
    if (s.n == 0)
        return false;
    *out = v;
    return true;
}

/* "1.05", "26.9", "134.5": two decimals below ten, one above; whole units stay whole. */
static const char *scaled(char *out, size_t size, uint64_t n, uint64_t step,
                          const char *const *units, size_t count)
{
    size_t i = 0;
    __uint128_t unit = 1;
    if (n < step) {
        snprintf(out, size, "%llu%s%s", (unsigned long long)n, *units[0] ? " " : "", units[0]);
        return out;
    }
    do {
        unit *= step;
        i++;
    } while (i + 1 < count && ((__uint128_t)n * 10 + unit / 2) / unit >= (__uint128_t)step * 10);
    unsigned long long hundredths = (unsigned long long)(((__uint128_t)n * 100 + unit / 2) / unit);
    unsigned long long tenths = (unsigned long long)(((__uint128_t)n * 10 + unit / 2) / unit);
    if (hundredths < 1000)
        snprintf(out, size, "%llu.%02llu %s", hundredths / 100, hundredths % 100, units[i]);
    else
        snprintf(out, size, "%llu.%llu %s", tenths / 10, tenths % 10, units[i]);
    return out;
}

const char *text_bytes(char *out, size_t size, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    return scaled(out, size, bytes, 1024, units, sizeof units / sizeof *units);
}

const char *text_count(char *out, size_t size, uint64_t n)
{
    static const char *const units[] = {"", "K", "M", "B", "T", "Qa", "Qi"};
    return scaled(out, size, n, 1000, units, sizeof units / sizeof *units);
}

const char *text_grouped(char *out, size_t size, uint64_t n)
{
    char digits[24], text[32];
    int count = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        if (i && (count - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    snprintf(out, size, "%s", text);
    return out;
}
