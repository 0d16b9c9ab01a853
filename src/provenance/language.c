/*
 * The language of a text, by its script and, among Latin scripts, by the small
 * words that every text of a language has. Coarse on purpose: it is held against
 * what a card declares, and says "und" when nothing stands out.
 */
#include <pthread.h>
#include <stdio.h>

#include "assay/base/text.h"
#include "provenance/rows.h"

/* Words that occur in nearly every text of one language and rarely in others. */
static const struct {
    const char *code, *words; /* each between spaces */
} latin[] = {
    {"en", " the and of to is that was with for are this have not you it they "},
    {"de", " der die das und ist nicht ein eine zu mit auf f\xc3\xbcr von dem den sich auch "},
    {"fr", " le la les et est des une pour dans que qui pas sur avec du vous nous "},
    {"es", " el los las y es una por para que con del como pero esta muy se "},
    {"it", " il che di una non per sono con della anche questo gli nel come pi\xc3\xb9 "},
    {"pt", " o os que n\xc3\xa3o uma para com dos mais como por seu foi mas ao "},
    {"nl", " de het een van en is dat niet op zijn voor met aan ook deze "},
    {"pl", " i w nie na si\xc4\x99 jest do to z \xc5\xbc"
           "e jak od po przez tak "},
    {"sv", " och att det som en p\xc3\xa5 \xc3\xa4r av f\xc3\xb6r med inte den till har "},
    {"tr", " ve bir bu i\xc3\xa7in ile de da olarak daha \xc3\xa7ok gibi olan var "},
};

/* No word of the lists has more than seven bytes, so a word is a number: its bytes, the first lowest. */
enum { LATIN = sizeof latin / sizeof latin[0], WORD = 7, SLOTS = 512 };

/* The words of all lists; which languages have each, a bit a language. */
static struct {
    uint64_t word;
    uint32_t languages;
} slots[SLOTS];
static pthread_once_t slots_made = PTHREAD_ONCE_INIT;

/* Where a word stands, or would. */
static size_t slot_of(uint64_t word)
{
    size_t i = (size_t)(word * UINT64_C(0x9e3779b97f4a7c15) >> 55);
    while (slots[i].word && slots[i].word != word)
        i = (i + 1) % SLOTS;
    return i;
}

static void make_slots(void)
{
    for (size_t l = 0; l < LATIN; l++)
        for (const char *p = latin[l].words + 1; *p;) {
            uint64_t word = 0;
            unsigned n = 0;
            for (; *p != ' '; p++)
                word |= (uint64_t)(uint8_t)*p << 8 * n++;
            p++;
            size_t i = slot_of(word);
            slots[i].word = word;
            slots[i].languages |= UINT32_C(1) << l;
        }
}

static const struct {
    uint32_t from, to;
    const char *code;
} scripts[] = {
    {0x0370, 0x03FF, "el"}, {0x0400, 0x04FF, "ru"}, {0x0590, 0x05FF, "he"}, {0x0600, 0x06FF, "ar"},
    {0x0900, 0x097F, "hi"}, {0x0980, 0x09FF, "bn"}, {0x0E00, 0x0E7F, "th"}, {0x3040, 0x30FF, "ja"},
    {0x4E00, 0x9FFF, "zh"}, {0xAC00, 0xD7AF, "ko"},
};

enum { SCRIPTS = sizeof scripts / sizeof scripts[0] };

struct votes {
    uint64_t script[SCRIPTS], latin[LATIN], letters;
    uint64_t word;
    size_t n; /* bytes of the word so far, also those that do not fit */
};

static void end_word(struct votes *v)
{
    if (v->n && v->n <= WORD)
        for (uint32_t found = slots[slot_of(v->word)].languages; found; found &= found - 1)
            v->latin[__builtin_ctz(found)]++;
    v->word = 0;
    v->n = 0;
}

static void put_byte(struct votes *v, uint8_t c)
{
    if (v->n < WORD)
        v->word |= (uint64_t)c << 8 * v->n;
    v->n++;
}

/* Plain ASCII capitals become small; others count as they stand. */
static void take_ascii(struct votes *v, uint8_t c)
{
    uint8_t small = c | 0x20;
    if (small < 'a' || small > 'z') {
        end_word(v);
        return;
    }
    v->letters++;
    put_byte(v, small);
}

static void take_wide(struct votes *v, struct span bytes, uint32_t c)
{
    for (size_t i = 0; c >= 0x370 && i < SCRIPTS; i++)
        v->script[i] += c >= scripts[i].from && c <= scripts[i].to;
    if (c < 0xC0) {
        end_word(v);
        return;
    }
    v->letters++;
    for (size_t i = 0; i < bytes.n; i++)
        put_byte(v, bytes.p[i]);
}

const char *language_of(struct span text)
{
    struct votes v = {.n = 0};
    pthread_once(&slots_made, make_slots);
    for (size_t at = 0; at < text.n;) {
        size_t from = at;
        if (text.p[at] < 0x80) {
            take_ascii(&v, text.p[at++]);
            continue;
        }
        uint32_t c = utf8_next(text, &at);
        take_wide(&v, span_sub(text, from, at - from), c);
    }
    end_word(&v);
    size_t best = 0, second = 0;
    for (size_t i = 0; i < SCRIPTS; i++)
        if (v.script[i] * 3 > v.letters)
            return i == 8 && v.script[7] * 20 > v.script[8] ? "ja" : scripts[i].code;
    for (size_t i = 1; i < LATIN; i++)
        if (v.latin[i] > v.latin[best]) {
            second = best;
            best = i;
        } else if (second == best || v.latin[i] > v.latin[second])
            second = i;
    return v.latin[best] >= 2 && v.latin[best] > v.latin[second] ? latin[best].code : "und";
}

const char *dataset_language_shares(char *out, size_t size, const struct dataset *d)
{
    uint64_t all = 0;
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < d->language_count; i++)
        all += d->languages[i].bytes;
    for (size_t i = 0; i < d->language_count && all && n + 40 < size; i++)
        n +=
            (size_t)snprintf(out + n, size - n, "%s%s %.1f %%", n ? ", " : "", d->languages[i].code,
                             100.0 * (double)d->languages[i].bytes / (double)all);
    return n ? out : NULL;
}
