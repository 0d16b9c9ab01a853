/*
 * Rows as they pass. A row is hashed whole, so equal rows are equal bytes; of
 * JSON only the strings are looked at for language, dates and tokens.
 */
#include "provenance/rows.h"

#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"

enum { TEXT_MAX = 4 << 20 };

enum row_format row_format_of(const char *name)
{
    static const struct {
        const char *suffix;
        enum row_format format;
    } suffixes[] = {
        {".jsonl", ROWS_JSONL}, {".ndjson", ROWS_JSONL}, {".csv", ROWS_CSV},
        {".tsv", ROWS_TSV},     {".txt", ROWS_LINES},    {".parquet", ROWS_PARQUET},
    };
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (span_ends(span_str(name), suffixes[i].suffix))
            return suffixes[i].format;
    return ROWS_NONE;
}

void rows_init(struct rows *r, struct dataset *d, const struct tokenizer *t)
{
    *r = (struct rows){.d = d, .tokenizer = t};
    buf_init(&r->text, TEXT_MAX + 4096);
}

void rows_free(struct rows *r)
{
    buf_free(&r->text);
    tokens_free(&r->ids);
}

/* ---- the text of a row ---- */

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Four hexadecimal digits at `at`; UINT32_MAX: they are not there. */
static uint32_t hex4(struct span s, size_t at)
{
    uint32_t v = 0;
    for (size_t i = at; i < at + 4; i++) {
        uint8_t c = i < s.n ? s.p[i] : 0, low = c | 0x20;
        if (digit(c))
            v = v * 16 + (uint32_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            v = v * 16 + (uint32_t)(low - 'a') + 10;
        else
            return UINT32_MAX;
    }
    return v;
}

/* The code point of \uXXXX at `at`, of two of them for a pair; half a pair is U+FFFD. */
static uint32_t escaped_code(struct span s, size_t at, size_t *taken)
{
    uint32_t high = hex4(s, at + 2);
    *taken = 6;
    if (high == UINT32_MAX) {
        *taken = 2;
        return 0xfffd;
    }
    if (high < 0xd800 || high > 0xdfff)
        return high;
    bool more = at + 7 < s.n && s.p[at + 6] == '\\' && s.p[at + 7] == 'u';
    uint32_t low = more ? hex4(s, at + 8) : UINT32_MAX;
    if (high > 0xdbff || low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *taken = 12;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* What the string between two quotes says; never longer than it is written. */
static void put_decoded(struct buf *out, struct span s)
{
    static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    for (size_t i = 0; i < s.n;) {
        const uint8_t *escape = memchr(s.p + i, '\\', s.n - i);
        size_t plain = (escape ? (size_t)(escape - s.p) : s.n) - i, taken = 2;
        buf_put_span(out, span_sub(s, i, plain));
        i += plain;
        if (i + 1 >= s.n) { /* nothing is left, or a row that was cut within an escape */
            buf_put_span(out, span_sub(s, i, 1));
            return;
        }
        const char *letter = memchr(letters, s.p[i + 1], sizeof letters - 1);
        if (s.p[i + 1] == 'u')
            utf8_put(out, escaped_code(s, i, &taken));
        else
            buf_put_u8(out, letter ? (uint8_t)bytes[letter - letters] : s.p[i + 1]);
        i += taken;
    }
}

/* Where the string that begins at `from` ends: its quote, or the row's end. */
static size_t string_end(struct span row, size_t from)
{
    while (from < row.n) {
        const uint8_t *quote = memchr(row.p + from, '"', row.n - from);
        size_t end = quote ? (size_t)(quote - row.p) : row.n;
        const uint8_t *escape = memchr(row.p + from, '\\', end - from);
        if (!escape)
            return end;
        from = (size_t)(escape - row.p) + 2;
    }
    return row.n;
}

static void count_tokens(struct rows *r, struct span text, uint64_t *tokens)
{
    struct err e = ERR_INIT;
    r->ids.n = 0;
    if (!r->tokenizer)
        return;
    if (!tokenizer_encode_text(&r->ids, r->tokenizer, text, false, ENCODE_PLAIN, &e)) {
        r->failed |= e.code == ERR_MEMORY;
        r->d->uncounted++; /* it is not UTF-8 */
    }
    *tokens += r->ids.n;
}

/* Values that are strings, as they read and not as they are written, one a line; each is a text
 * of its own to the tokenizer. */
static void json_strings(struct rows *r, struct span row, uint64_t *tokens)
{
    struct buf *out = &r->text;
    for (size_t i = 0; i < row.n; i++) {
        const uint8_t *quote = memchr(row.p + i, '"', row.n - i);
        if (!quote)
            return;
        size_t from = (size_t)(quote - row.p) + 1, begins = out->n;
        i = string_end(row, from);
        size_t after = i + 1;
        while (after < row.n && (row.p[after] == ' ' || row.p[after] == '\t'))
            after++;
        if (after < row.n && row.p[after] == ':') /* a key */
            continue;
        put_decoded(out, span_sub(row, from, i - from));
        count_tokens(r, span_sub(buf_span(out), begins, out->n - begins), tokens);
        buf_put_u8(out, '\n');
    }
}

/* ---- measures ---- */

/* YYYY-MM-DD between 1900 and 2099 whose neighbours are no digits. */
static bool date_at(struct span s, size_t i)
{
    static const char shape[] = "dddd-dd-dd";
    for (size_t k = 0; k < 10; k++)
        if (shape[k] == 'd' ? !digit(s.p[i + k]) : s.p[i + k] != '-')
            return false;
    int month = (s.p[i + 5] - '0') * 10 + s.p[i + 6] - '0';
    int day = (s.p[i + 8] - '0') * 10 + s.p[i + 9] - '0';
    bool century = (s.p[i] == '1' && s.p[i + 1] == '9') || (s.p[i] == '2' && s.p[i + 1] == '0');
    return century && month >= 1 && month <= 12 && day >= 1 && day <= 31 &&
           (i == 0 || !digit(s.p[i - 1])) && (i + 10 == s.n || !digit(s.p[i + 10]));
}

static void look_for_dates(struct rows *r, struct span s)
{
    for (size_t i = 4; i + 6 <= s.n; i++) {
        const uint8_t *dash = memchr(s.p + i, '-', s.n - i);
        if (!dash)
            return;
        i = (size_t)(dash - s.p);
        if (i < 4 || i + 6 > s.n || !date_at(s, i - 4))
            continue;
        char day[11];
        memcpy(day, s.p + i - 4, 10);
        day[10] = '\0';
        if (!r->first[0] || strcmp(day, r->first) < 0)
            memcpy(r->first, day, sizeof day);
        if (strcmp(day, r->last) > 0)
            memcpy(r->last, day, sizeof day);
    }
}

static bool name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || digit(c) || c == '.' || c == '_' ||
           c == '-' || c == '+';
}

/* letters@letters.letters */
static void look_for_addresses(struct rows *r, struct span s)
{
    for (size_t i = 1; i + 4 < s.n; i++) {
        const uint8_t *at = memchr(s.p + i, '@', s.n - i);
        if (!at)
            return;
        i = (size_t)(at - s.p);
        size_t end = i + 1, dots = 0;
        while (end < s.n && name_byte(s.p[end])) {
            dots += s.p[end] == '.' && end > i + 1 && end + 2 < s.n && name_byte(s.p[end + 1]);
            end++;
        }
        r->d->emails += name_byte(s.p[i - 1]) && dots > 0;
    }
}

static void count_language(struct dataset *d, struct span text)
{
    const char *code = language_of(text);
    size_t i = 0;
    while (i < d->language_count && strcmp(d->languages[i].code, code) != 0)
        i++;
    if (i == DATASET_LANGUAGES)
        return;
    if (i == d->language_count)
        d->languages[d->language_count++].code = code;
    d->languages[i].bytes += text.n;
}

void rows_add(struct rows *r, enum row_format format, struct span row, const struct digest *whole,
              uint64_t *tokens)
{
    while (row.n && (row.p[row.n - 1] == '\r' || row.p[row.n - 1] == ' '))
        row.n--;
    if (row.n == 0) {
        r->d->empty++;
        return;
    }
    struct digest own = {0};
    if (!whole)
        own = sha256_of(row);
    row_set_add(r->d->hashes, load_u64le(whole ? whole->b : own.b));
    struct span text = span_sub(row, 0, TEXT_MAX);
    buf_clear(&r->text);
    if (format == ROWS_JSONL) {
        json_strings(r, text, tokens);
        text = buf_span(&r->text);
    } else
        count_tokens(r, text, tokens);
    r->d->uncounted += r->tokenizer && whole;
    look_for_dates(r, text);
    look_for_addresses(r, text);
    count_language(r->d, text);
}

/* ---- at the end ---- */

static int by_bytes(const void *a, const void *b)
{
    const struct language_share *x = a, *y = b;
    return x->bytes == y->bytes ? strcmp(x->code, y->code) : (x->bytes < y->bytes ? 1 : -1);
}

bool rows_finish(struct rows *r, const struct dataset *other, struct arena *a, struct err *e)
{
    struct dataset *d = r->d;
    if (!row_set_finish(d->hashes, &d->duplicates, e))
        return false;
    d->compared_rows = row_set_kept(d->hashes, &d->all_compared);
    if (other) {
        d->has_overlap = true;
        d->overlap_with = other->name;
        d->overlap_root = other->manifest_root;
        if (!row_set_shared(&d->overlap, d->hashes, other->hashes, e))
            return false;
    }
    qsort(d->languages, d->language_count, sizeof d->languages[0], by_bytes);
    if (r->first[0]) {
        d->first_date = arena_str(a, span_str(r->first));
        d->last_date = arena_str(a, span_str(r->last));
    }
    return true;
}
