/*
 * LICENSE, COPYING and NOTICE files: the text is kept, matched to a known
 * licence by its words, and every difference from that licence is a finding.
 */
#include "model/licence.h"

#include <string.h>

#include "assay/base/text.h"
#include "model/reader.h"

/* At least this share of a licence makes a text that licence, altered or not. */
static const double licence_share = 0.9;
/* Below this share not even a likeness is worth a word. */
static const double likeness_share = 0.5;

/* Room for one more: a power of two is always full. */
static struct licence_text *add_text(struct model *m)
{
    size_t n = m->licence_count;
    if ((n & (n - 1)) == 0) {
        struct licence_text *larger = arena_array(m->arena, n ? 2 * n : 1, sizeof *larger);
        if (!larger)
            return NULL;
        if (n)
            memcpy(larger, m->licences, n * sizeof *larger);
        m->licences = larger;
    }
    return &m->licences[m->licence_count++];
}

static bool is_notice(const char *name)
{
    const char *slash = strrchr(name, '/');
    return strncmp(slash ? slash + 1 : name, "NOTICE", 6) == 0;
}

static void quote(char out[80], const struct licence_text *t, uint32_t at)
{
    struct span s = span_sub(t->text.bytes, at, 48);
    while (s.n && (s.p[s.n - 1] & 0xC0) == 0x80) /* not in the middle of a character */
        s.n--;
    text_shown(out, 80, s);
}

static void note_altered(struct model *m, uint32_t file, const struct licence_text *t,
                         const struct licence_match *match)
{
    char words[80];
    quote(words, t, match->altered_at);
    model_note(m, file, match->altered_at, 0, RULE_LICENCE_ALTERED,
               "%.1f%% of %s%s: %zu of its blocks of %d words are missing, %zu words are added; "
               "first at \"%s\"",
               match->share * 100, match->reference->spdx, t->spdx ? "" : ", too little to be it",
               match->missing, LICENCE_BLOCK, match->inserted, words);
}

static void note_extra(struct model *m, uint32_t file, const struct licence_text *t,
                       const struct licence_match *match)
{
    char words[80];
    quote(words, t, match->stray_at);
    model_note(m, file, match->stray_at, t->text.bytes.n - match->stray_at, RULE_LICENCE_EXTRA,
               "%zu words around the text of %s are not part of it; first at \"%s\"", match->stray,
               t->spdx, words);
}

static void judge(struct model *m, uint32_t file, struct licence_text *t,
                  const struct licence_match *match)
{
    if (!match->reference || match->share < likeness_share) {
        if (!is_notice(m->files[file].name))
            model_note(m, file, 0, t->text.bytes.n, RULE_LICENCE_UNKNOWN,
                       "the text is near none of the %zu known licence texts",
                       licence_reference_count);
        return;
    }
    t->match = match->share;
    if (match->share >= licence_share)
        t->spdx = match->reference->spdx;
    if (match->missing || match->inserted)
        note_altered(m, file, t, match);
    if (t->spdx && match->stray > LICENCE_STRAY_WORDS)
        note_extra(m, file, t, match);
}

static bool match_text(struct model *m, uint32_t file, struct licence_text *t)
{
    struct span text = t->text.bytes;
    if (text.n > LICENCE_MAX_TEXT) {
        model_note(m, file, LICENCE_MAX_TEXT, 0, RULE_READ_LIMIT,
                   "only %d bytes of a licence text are compared", LICENCE_MAX_TEXT);
        model_incomplete(m, file);
        text.n = LICENCE_MAX_TEXT;
    }
    struct arena *scratch = arena_new((size_t)1 << 30);
    struct words w;
    struct licence_match match;
    bool ok = scratch && licence_words(&w, text, scratch) && licence_compare(&match, &w, scratch);
    if (ok)
        judge(m, file, t, &match);
    arena_free(scratch);
    return ok;
}

bool licence_read(struct model *m, uint32_t file)
{
    struct model_file *f = &m->files[file];
    if (!f->source || f->size == 0)
        return true;
    if (m->licence_count >= MODEL_MAX_LICENCES) {
        model_note(m, file, 0, 0, RULE_READ_LIMIT, "a model has at most %d licence texts",
                   MODEL_MAX_LICENCES);
        model_incomplete(m, file);
        return true;
    }
    struct cursor c = source_cursor(f->source, MODEL_MAX_DOCUMENT);
    struct span bytes = cursor_take(&c, f->size);
    if (!cursor_ok(&c)) {
        model_note_fault(m, file, &c, RULE_READ_IO, "licence text");
        return true;
    }
    struct licence_text *t = add_text(m);
    if (!t)
        return false;
    f->format = FORMAT_TEXT;
    f->parsed = f->size;
    *t = (struct licence_text){.text = {.bytes = bytes, .origin = {file, 0, f->size}}};
    return match_text(m, file, t);
}
