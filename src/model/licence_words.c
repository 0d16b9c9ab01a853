/*
 * Licence texts as words, by the SPDX matching guidelines (License List annex
 * B): whitespace B.4, case B.5, punctuation B.6, comment signs B.7, bullets
 * B.8, varietal spelling B.9, copyright symbol B.10, copyright notice B.11.
 * What a person would read as the same text gives the same words.
 */
#include "model/licence.h"

#include <string.h>

#include "assay/base/text.h"

enum { WORD_TEXT = 24 }; /* bytes kept to recognise a varietal spelling */

/* The reading position and the word under construction. */
struct reader_state {
    struct span text;
    size_t pos;
    char word[WORD_TEXT + 1];
    size_t length; /* characters of the word, beyond WORD_TEXT too */
    uint32_t hash;
    size_t start;
    bool line_start; /* no word yet on this line */
    uint32_t notice; /* words left of a copyright line */
    struct words *out;
    size_t cap;
    struct arena *arena;
};

/* Equivalent words of the License List; the right one is kept. */
static const char *const varieties[][2] = {
    {"acknowledgment", "acknowledgement"},
    {"analogue", "analog"},
    {"analyse", "analyze"},
    {"artefact", "artifact"},
    {"authorisation", "authorization"},
    {"authorised", "authorized"},
    {"calibre", "caliber"},
    {"cancelled", "canceled"},
    {"catalogue", "catalog"},
    {"categorise", "categorize"},
    {"centre", "center"},
    {"emphasised", "emphasized"},
    {"favour", "favor"},
    {"favourite", "favorite"},
    {"fulfil", "fulfill"},
    {"fulfilment", "fulfillment"},
    {"https", "http"},
    {"initialise", "initialize"},
    {"judgement", "judgment"},
    {"labelling", "labeling"},
    {"labour", "labor"},
    {"licence", "license"},
    {"licences", "licenses"},
    {"licenced", "licensed"},
    {"maximise", "maximize"},
    {"modelled", "modeled"},
    {"modelling", "modeling"},
    {"offence", "offense"},
    {"optimise", "optimize"},
    {"organisation", "organization"},
    {"organise", "organize"},
    {"practise", "practice"},
    {"programme", "program"},
    {"realise", "realize"},
    {"recognise", "recognize"},
    {"signalling", "signaling"},
    {"sublicence", "sublicense"},
    {"utilisation", "utilization"},
    {"whilst", "while"},
    {"wilful", "willful"},
};

static uint32_t hash_byte(uint32_t h, uint8_t b)
{
    return (h ^ b) * 16777619u; /* FNV-1a */
}

static uint32_t hash_text(const char *s)
{
    uint32_t h = 2166136261u;
    for (; *s; s++)
        h = hash_byte(h, (uint8_t)*s);
    return h;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static uint8_t peek(const struct reader_state *r, size_t at)
{
    return at < r->text.n ? r->text.p[at] : '\n';
}

/* Does this line name a year or a placeholder, as copyright lines do and
 * sentences about copyright notices do not? */
static bool line_has_year(const struct reader_state *r, size_t at)
{
    size_t end = at + 160 < r->text.n ? at + 160 : r->text.n;
    for (; at < end && r->text.p[at] != '\n'; at++) {
        uint8_t c = r->text.p[at];
        if (c == '<' || c == '[' || c == '{' || c == 0xA9)
            return true;
        if ((c == '(') && (peek(r, at + 1) | 32) == 'c' && peek(r, at + 2) == ')')
            return true;
        bool year = (c == '1' || c == '2') && is_digit(peek(r, at + 1)) &&
                    is_digit(peek(r, at + 2)) && is_digit(peek(r, at + 3));
        if (year)
            return true;
    }
    return false;
}

static bool push(struct reader_state *r)
{
    struct words *o = r->out;
    struct word *grown = arena_grow(r->arena, o->items, o->count, &r->cap, sizeof *grown);
    if (!grown)
        return false;
    o->items = grown;
    o->items[o->count++] =
        (struct word){r->hash, (uint32_t)r->start, (uint32_t)(r->pos - r->start), r->notice > 0};
    return true;
}

static bool end_word(struct reader_state *r)
{
    if (r->length == 0)
        return true;
    r->word[r->length < WORD_TEXT ? r->length : WORD_TEXT] = '\0';
    for (size_t i = 0; r->length < WORD_TEXT && i < sizeof varieties / sizeof *varieties; i++)
        if (r->word[0] == varieties[i][0][0] && strcmp(r->word, varieties[i][0]) == 0)
            r->hash = hash_text(varieties[i][1]);
    bool opens = r->line_start && strcmp(r->word, "copyright") == 0;
    if (opens && line_has_year(r, r->start))
        r->notice = LICENCE_NOTICE_WORDS;
    r->line_start = false;
    bool ok = push(r);
    r->notice -= r->notice > 0;
    r->length = 0;
    return ok;
}

static void add_char(struct reader_state *r, uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        c = (uint8_t)(c + 32);
    if (r->length == 0) {
        r->hash = 2166136261u;
        r->start = r->pos;
    }
    if (r->length < WORD_TEXT)
        r->word[r->length] = (char)c;
    r->length++;
    r->hash = hash_byte(r->hash, c);
}

/* "(a)", "1.", "iv)", "2.1." at r->pos: its length, else 0. */
static size_t bullet(const struct reader_state *r)
{
    size_t at = r->pos + (peek(r, r->pos) == '(');
    size_t begin = at;
    if (is_digit(peek(r, at)))
        while (at - begin < 8 &&
               (is_digit(peek(r, at)) || (peek(r, at) == '.' && is_digit(peek(r, at + 1)))))
            at++;
    else if (strchr("ivxIVX", peek(r, at)) && peek(r, at))
        while (at - begin < 5 && peek(r, at) && strchr("ivxIVX", peek(r, at)))
            at++;
    else if (is_letter(peek(r, at)))
        at++;
    if (at == begin)
        return 0;
    uint8_t close = peek(r, at);
    uint8_t after = peek(r, at + 1);
    bool space = after == ' ' || after == '\n' || after == '\t' || after == '\r' || after == '*';
    return close == ')' || (close == '.' && space) ? at + 1 - r->pos : 0;
}

/* A sequence outside ASCII: letters join the word, signs do not. */
static size_t beyond_ascii(struct reader_state *r, bool *joins, bool *letter)
{
    size_t pos = r->pos;
    uint32_t c = utf8_next(r->text, &pos);
    *joins = c == 0x2019 || c == 0x2018 || c == 0x2010 || c == 0x2011 || c == 0xAD;
    *letter = !*joins && c >= 0xAA && c != 0xAB && c != 0xAE && c != 0xB7 && c != 0xBB &&
              !(c >= 0x2000 && c <= 0x2BFF) && !(c >= 0x3000 && c <= 0x303F) && c != 0xFEFF &&
              c != 0xFFFD;
    return pos - r->pos;
}

static bool step(struct reader_state *r)
{
    uint8_t c = r->text.p[r->pos];
    size_t n = 1;
    if (r->length == 0 && (n = bullet(r)) > 0) {
        r->pos += n;
        return true;
    }
    n = 1;
    bool joins = c == '\'' || (c == '-' && peek(r, r->pos + 1) != '-');
    bool letter = is_letter(c) || is_digit(c);
    if (c >= 0x80)
        n = beyond_ascii(r, &joins, &letter);
    if (letter) {
        for (size_t i = 0; i < n; i++)
            add_char(r, r->text.p[r->pos + i]);
    } else if (!joins && !end_word(r)) {
        return false;
    }
    if (c == '\n') {
        r->line_start = true;
        r->notice = 0;
    }
    r->pos += n;
    return true;
}

bool licence_words(struct words *out, struct span text, struct arena *a)
{
    *out = (struct words){NULL, 0};
    struct reader_state r = {.text = text, .line_start = true, .out = out, .arena = a};
    while (r.pos < text.n)
        if (!step(&r))
            return false;
    return end_word(&r);
}

uint32_t licence_block(const struct word *w)
{
    uint32_t h = 0x9e3779b9u;
    for (size_t i = 0; i < LICENCE_BLOCK; i++) {
        h = (h ^ w[i].hash) * 0x85ebca6bu;
        h ^= h >> 15;
    }
    return h;
}
