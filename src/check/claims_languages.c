/*
 * Declared languages against the vocabulary: a text in the script of a language
 * must come through the tokenizer without its token for what it does not know.
 * Vocabularies with a token for each byte write everything; others do not.
 */
#include <string.h>

#include "assay/base/text.h"
#include "assay/tokenizer.h"
#include "check/claims.h"

enum { TOKENS_MOST = 256, SHOWN = 40 };

/* Common words, in letters that the language cannot do without. */
static const struct sample {
    const char *codes; /* ISO 639, separated by spaces, with one at both ends */
    const char *script, *text;
} samples[] = {
    {" zh zho chi zh-cn zh-tw ", "Chinese", "\xe4\xb8\xad\xe6\x96\x87\xe6\x98\xaf"},
    {" ja jpn ", "Japanese", "\xe3\x81\xae\xe3\x81\xaf\xe3\x82\xab\xe3\x83\xa9"},
    {" ko kor ", "Korean", "\xed\x95\x9c\xea\xb5\xad\xec\x9d\xb4"},
    {" ru rus uk ukr bg bul sr srp be bel mk mkd kk kaz ", "Cyrillic",
     "\xd0\xb8\xd0\xb2\xd0\xbe\xd0\xbd\xd0\xb0"},
    {" el ell gre ", "Greek", "\xce\xba\xce\xb1\xce\xb9\xcf\x84"},
    {" ar ara fa fas per ur urd ", "Arabic", "\xd8\xa7\xd9\x84\xd9\x85\xd9\x86"},
    {" he heb ", "Hebrew", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"},
    {" hi hin mr mar ne nep sa san ", "Devanagari", "\xe0\xa4\x95\xe0\xa4\xbe\xe0\xa4\xb0"},
    {" bn ben as asm ", "Bengali", "\xe0\xa6\x95\xe0\xa6\xbe\xe0\xa6\xb0"},
    {" pa pan ", "Gurmukhi", "\xe0\xa8\x95\xe0\xa8\xbe\xe0\xa8\xb0"},
    {" gu guj ", "Gujarati", "\xe0\xaa\x95\xe0\xaa\xbe\xe0\xaa\xb0"},
    {" ta tam ", "Tamil", "\xe0\xae\x95\xe0\xae\xbe\xe0\xae\xb0"},
    {" te tel ", "Telugu", "\xe0\xb0\x95\xe0\xb0\xbe\xe0\xb0\xb0"},
    {" kn kan ", "Kannada", "\xe0\xb2\x95\xe0\xb2\xbe\xe0\xb2\xb0"},
    {" ml mal ", "Malayalam", "\xe0\xb4\x95\xe0\xb4\xbe\xe0\xb4\xb0"},
    {" si sin ", "Sinhala", "\xe0\xb6\x9a\xe0\xb6\xbb"},
    {" th tha ", "Thai", "\xe0\xb8\x81\xe0\xb8\xb2\xe0\xb8\xa3"},
    {" lo lao ", "Lao", "\xe0\xba\x81\xe0\xba\xb2\xe0\xba\x99"},
    {" my mya bur ", "Burmese", "\xe1\x80\x80\xe1\x80\xac"},
    {" km khm ", "Khmer", "\xe1\x9e\x80\xe1\x9e\xb6\xe1\x9e\x9a"},
    {" ka kat geo ", "Georgian", "\xe1\x83\x93\xe1\x83\x90"},
    {" hy hye arm ", "Armenian", "\xd5\xa5\xd5\xb6"},
    {" am amh ti tir ", "Ethiopic", "\xe1\x8a\xa8\xe1\x88\xad"},
};

static const struct sample *sample_of(struct span code)
{
    char word[16];
    if (!code.n || code.n + 3 > sizeof word)
        return NULL;
    word[0] = ' ';
    for (size_t i = 0; i < code.n; i++)
        word[1 + i] = (char)(code.p[i] >= 'A' && code.p[i] <= 'Z' ? code.p[i] | 0x20 : code.p[i]);
    memcpy(word + 1 + code.n, " ", 2);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        if (strstr(samples[i].codes, word))
            return &samples[i];
    return NULL;
}

/* Does the vocabulary know every part of it? When it cannot be asked, nothing is contradicted. */
static bool writes(const struct tokenizer *t, const char *text)
{
    struct tokens out = {.max = TOKENS_MOST};
    struct err ignored = ERR_INIT;
    uint32_t unknown = tokenizer_roles(t)->unk;
    bool known = true;
    if (tokenizer_encode_text(&out, t, span_str(text), false, 0, &ignored))
        for (size_t i = 0; i < out.n; i++)
            known = known && (unknown == TOKEN_NONE || out.id[i] != unknown);
    tokens_free(&out);
    return known;
}

bool check_claims_languages(const struct check_input *in, struct err *e)
{
    const struct model *m = in->model;
    struct tokenizer *t = NULL;
    struct err why = ERR_INIT;
    char shown[SHOWN];
    (void)e;
    if (!m->has_card || !m->card.language_count || !tokenizer_new(&t, m, &why))
        return true;
    for (size_t i = 0; i < m->card.language_count; i++) {
        const struct sample *s = sample_of(m->card.languages[i]);
        if (!s || writes(t, s->text))
            continue;
        verdict_add(&in->model->verdict, RULE_CLAIM_LANGUAGE, m->card.front.origin,
                    "the card declares language %s; the vocabulary cannot write %s",
                    text_shown(shown, sizeof shown, m->card.languages[i]), s->script);
        const struct document *d = &m->documents[DOC_TOKENIZER];
        verdict_against(&in->model->verdict, d->file == ORIGIN_NO_FILE
                                                 ? claim_metadata(m, "tokenizer.ggml.tokens")
                                                 : (struct origin){d->file, 0, 0});
    }
    tokenizer_free(t);
    return true;
}
