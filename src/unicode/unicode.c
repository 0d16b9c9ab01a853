/*
 * Look-ups in the generated tables, and the normal forms (UAX 15).
 *
 * Categories are unfolded once per process from their runs into pages of 256
 * code points, equal pages stored once, because splitting asks for every
 * character of a text.
 */
#include "assay/unicode.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "unicode/data.h"

enum { PAGE = 256, PAGES = UNICODE_END / PAGE, DISTINCT = 256 };

static uint8_t page_of[PAGES];
static uint8_t page[DISTINCT][PAGE];
static pthread_once_t unfolded = PTHREAD_ONCE_INIT;

static void sort_pairs(void);

static void unfold(void)
{
    size_t run = 0, used = 0;
    for (uint32_t i = 0; i < PAGES; i++) {
        uint8_t *fresh = page[used];
        for (uint32_t c = 0; c < PAGE; c++) {
            while (run + 1 < unicode_category_count &&
                   unicode_category_runs[run + 1] >> 5 <= i * PAGE + c)
                run++;
            fresh[c] = unicode_category_runs[run] & 31;
        }
        size_t same = 0;
        while (memcmp(page[same], fresh, PAGE) != 0)
            same++;
        page_of[i] = (uint8_t)same;
        if (same == used && used + 1 < DISTINCT)
            used++;
    }
    sort_pairs();
}

enum unicode_category unicode_category(uint32_t c)
{
    pthread_once(&unfolded, unfold);
    return c < UNICODE_END ? (enum unicode_category)page[page_of[c / PAGE]][c % PAGE] : UC_CN;
}

bool unicode_is_space(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= 9 && c <= 13);
    return c == 0x85 || (UC_SEPARATOR >> unicode_category(c) & 1);
}

/* What one of the sorted rows makes of c; c itself where none does. */
static uint32_t shifted(const struct unicode_shift *rows, size_t count, uint32_t c)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        const struct unicode_shift *s = &rows[mid];
        if (c > s->last)
            low = mid + 1;
        else if (c < s->first)
            high = mid;
        else
            return (c - s->first) % s->step ? c : (uint32_t)((int32_t)c + s->difference);
    }
    return c;
}

uint32_t unicode_to_lower(uint32_t c)
{
    return shifted(unicode_lower_rows, unicode_lower_count, c);
}

size_t unicode_from_lower(uint32_t out[UNICODE_UPPER_MAX], uint32_t c)
{
    size_t n = 0;
    for (size_t i = 0; i < unicode_lower_count && n < UNICODE_UPPER_MAX; i++) {
        const struct unicode_shift *s = &unicode_lower_rows[i];
        uint32_t up = (uint32_t)((int32_t)c - s->difference);
        if (up >= s->first && up <= s->last && (up - s->first) % s->step == 0)
            out[n++] = up;
    }
    return n;
}

static uint8_t combining_class(uint32_t c)
{
    size_t low = 0, high = c < 0x300 ? 0 : unicode_combining_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        const struct unicode_class *k = &unicode_combining_rows[mid];
        if (c > k->last)
            low = mid + 1;
        else if (c < k->first)
            high = mid;
        else
            return k->value;
    }
    return 0;
}

static const struct unicode_pair *decomposition(uint32_t c)
{
    size_t low = 0, high = c < 0xC0 ? 0 : unicode_canonical_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        uint32_t at = unicode_canonical_rows[mid].code_point & 0x1FFFFF;
        if (at == c)
            return &unicode_canonical_rows[mid];
        if (at < c)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static const struct unicode_text *longer(uint32_t c)
{
    size_t low = 0, high = c < 0xA0 ? 0 : unicode_longer_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        const struct unicode_text *t = &unicode_longer_rows[mid];
        if (t->code_point == c)
            return t;
        if (t->code_point < c)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* Hangul syllables are arithmetic (Unicode, section 3.12). */
enum { S_BASE = 0xAC00, L_BASE = 0x1100, V_BASE = 0x1161, T_BASE = 0x11A7 };
enum { L_COUNT = 19, V_COUNT = 21, T_COUNT = 28, S_COUNT = L_COUNT * V_COUNT * T_COUNT };

/* Rows that compose, by second and then first code point. */
static uint16_t by_second[2560];
static size_t by_second_count;

static uint64_t pair_key(uint32_t first, uint32_t second)
{
    return (uint64_t)second << 32 | first;
}

static uint64_t row_key(uint16_t row)
{
    return pair_key(unicode_canonical_rows[row].first, unicode_canonical_rows[row].second);
}

static int compare_rows(const void *a, const void *b)
{
    uint64_t x = row_key(*(const uint16_t *)a), y = row_key(*(const uint16_t *)b);
    return (x > y) - (x < y);
}

static void sort_pairs(void)
{
    size_t room = sizeof by_second / sizeof *by_second;
    for (size_t i = 0; i < unicode_canonical_count && by_second_count < room; i++)
        if (!(unicode_canonical_rows[i].code_point >> 31))
            by_second[by_second_count++] = (uint16_t)i;
    qsort(by_second, by_second_count, sizeof *by_second, compare_rows);
}

/* The code point that two make, or 0. */
static uint32_t compose(uint32_t a, uint32_t b)
{
    if (b < 0x300)
        return 0;
    if (a - L_BASE < L_COUNT && b - V_BASE < V_COUNT)
        return S_BASE + ((a - L_BASE) * V_COUNT + (b - V_BASE)) * T_COUNT;
    if (a - S_BASE < S_COUNT && (a - S_BASE) % T_COUNT == 0 && b > T_BASE && b - T_BASE < T_COUNT)
        return a + (b - T_BASE);
    uint64_t key = pair_key(a, b);
    size_t low = 0, high = by_second_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        uint64_t at = row_key(by_second[mid]);
        if (at == key)
            return unicode_canonical_rows[by_second[mid]].code_point;
        if (at < key)
            low = mid + 1;
        else
            high = mid;
    }
    return 0;
}

/*
 * A starter and the marks that follow it. More marks in a row than any writing
 * uses are let go in parts: UAX 15's stream-safe format allows 30.
 */
enum { CLUSTER = 64 };

struct cluster {
    uint32_t c[CLUSTER];
    uint8_t ccc[CLUSTER];
    size_t n;
    bool composed, compatible;
    struct buf *out;
};

/* Marks in the order of their classes, equal ones as they came. */
static void order(struct cluster *k)
{
    for (size_t i = 1; i < k->n; i++) {
        uint32_t c = k->c[i];
        uint8_t ccc = k->ccc[i];
        size_t j = i;
        for (; j > 0 && k->ccc[j - 1] > ccc; j--) {
            k->c[j] = k->c[j - 1];
            k->ccc[j] = k->ccc[j - 1];
        }
        k->c[j] = c;
        k->ccc[j] = ccc;
    }
}

/* A mark joins the starter unless one of its own class stands between. */
static void join_marks(struct cluster *k)
{
    size_t kept = 1;
    for (size_t i = 1; i < k->n; i++) {
        bool blocked = k->ccc[0] != 0 || (kept > 1 && k->ccc[kept - 1] >= k->ccc[i]);
        uint32_t whole = blocked ? 0 : compose(k->c[0], k->c[i]);
        if (whole) {
            k->c[0] = whole;
            continue;
        }
        k->c[kept] = k->c[i];
        k->ccc[kept++] = k->ccc[i];
    }
    k->n = kept;
}

static void settle(struct cluster *k)
{
    order(k);
    if (k->composed && k->n > 1)
        join_marks(k);
}

static void let_go(struct cluster *k)
{
    for (size_t i = 0; i < k->n; i++)
        utf8_put(k->out, k->c[i]);
    k->n = 0;
}

/* One code point of a full decomposition. */
static void add(struct cluster *k, uint32_t c)
{
    uint8_t ccc = combining_class(c);
    if (ccc == 0 && k->n) {
        settle(k);
        uint32_t whole = k->composed && k->n == 1 && k->ccc[0] == 0 ? compose(k->c[0], c) : 0;
        if (whole) {
            k->c[0] = whole;
            return;
        }
        let_go(k);
    }
    if (k->n == CLUSTER) {
        settle(k);
        let_go(k);
    }
    k->c[k->n] = c;
    k->ccc[k->n++] = ccc;
}

/* A canonical decomposition's second part never decomposes again. */
static void add_decomposed(struct cluster *k, uint32_t c)
{
    uint32_t tail[8];
    size_t n = 0;
    if (c - S_BASE < S_COUNT) {
        uint32_t s = c - S_BASE;
        add(k, L_BASE + s / (V_COUNT * T_COUNT));
        add(k, V_BASE + s % (V_COUNT * T_COUNT) / T_COUNT);
        if (s % T_COUNT)
            add(k, T_BASE + s % T_COUNT);
        return;
    }
    for (const struct unicode_pair *p; (p = decomposition(c)) && n < 8; c = p->first)
        if (p->second)
            tail[n++] = p->second;
    add(k, c);
    while (n)
        add(k, tail[--n]);
}

/* The tables of compatibility hold what is left when nothing decomposes further. */
static void add_compatible(struct cluster *k, uint32_t c)
{
    const struct unicode_text *t = longer(c);
    uint32_t one = t ? c : shifted(unicode_compatible_rows, unicode_compatible_count, c);
    for (uint8_t i = 0; t && i < t->count; i++)
        add(k, unicode_longer_text[t->at + i]);
    if (!t && one != c)
        add(k, one);
    if (!t && one == c)
        add_decomposed(k, c);
}

void unicode_normalise(struct buf *out, struct span text, enum normal_form form)
{
    pthread_once(&unfolded, unfold);
    struct cluster k = {.composed = form == NORMAL_NFC || form == NORMAL_NFKC,
                        .compatible = form == NORMAL_NFKC || form == NORMAL_NFKD,
                        .out = out};
    for (size_t i = 0, length; i < text.n; i += length) {
        uint32_t c = unicode_at(text.p + i, &length);
        (k.compatible ? add_compatible : add_decomposed)(&k, c);
    }
    settle(&k);
    let_go(&k);
}
