/*
 * The language of a text, by its script and, among Latin scripts, by the small
 * words that every text of a language has. Coarse on purpose: it is held against
 * what a card declares, and says "und" when nothing stands out.
 */
#include <string.h>

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

/* No word of the lists has more than seven bytes, so longer ones are not looked up. */
enum { LATIN = sizeof latin / sizeof latin[0], WORD = 8 };

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
    char word[WORD + 3]; /* a space before and after */
    size_t n;
};

/* Plain ASCII capitals become small; others count as they stand. */
static void end_word(struct votes *v)
{
    if (v->n > 1 && v->n <= WORD) {
        v->word[v->n] = ' ';
        v->word[v->n + 1] = '\0';
        for (size_t i = 0; i < LATIN; i++)
            v->latin[i] += strstr(latin[i].words, v->word) != NULL;
    }
    v->word[0] = ' ';
    v->n = 1;
}

static void take(struct votes *v, const uint8_t *p, size_t n, uint32_t c)
{
    for (size_t i = 0; c >= 0x370 && i < SCRIPTS; i++)
        v->script[i] += c >= scripts[i].from && c <= scripts[i].to;
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0xC0;
    if (!letter) {
        end_word(v);
        return;
    }
    v->letters++;
    for (size_t i = 0; i < n && v->n <= WORD; i++)
        v->word[v->n++] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
}

const char *language_of(struct span text)
{
    struct votes v = {.n = 1, .word = " "};
    for (size_t at = 0; at < text.n;) {
        size_t from = at;
        uint32_t c = utf8_next(text, &at);
        take(&v, text.p + from, at - from, c);
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
