/*
 * Byte-level BPE after Sennrich et al. (2016) and GPT-2: texts are cut into
 * words, words are counted, and the most frequent pair of neighbours becomes an
 * entry, again and again. Where words are cut decides only what is learnt; how
 * the vocabulary encodes is for the tokenizer that reads it.
 */
#include "train/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "assay/base/map.h"
#include "assay/base/text.h"

enum { WORD_MAX = 256 }; /* bytes of a word; the rest of a longer run is a word again */

const char *const bpe_special_texts[BPE_SPECIALS] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};

struct word {
    struct span text;
    uint64_t count;
    uint16_t *ids;
    size_t n;
};

struct bpe_words {
    struct arena *arena;
    struct map map;
    struct word *words;
    size_t count, cap;
};

bool bpe_words_new(struct bpe_words **out, struct arena *a, struct err *e)
{
    struct bpe_words *w = arena_alloc(a, sizeof *w);
    *out = w;
    if (!w || !map_init(&w->map, a, 1024))
        return err_set(e, ERR_MEMORY, "out of memory for the words of the training data");
    w->arena = a;
    return true;
}

/* ---- words ---- */

enum class { SPACE, LETTER, DIGIT, OTHER };

/* Bytes above 127 count as letters: a word of any script stays together. */
static enum class class_of(uint8_t c) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) return SPACE;
    if ((c | 32) >= 'a' && (c | 32) <= 'z') return LETTER;
    if (c >= '0' && c <= '9') return DIGIT;
    return c >= 128 ? LETTER : OTHER;
}

static size_t run_of(struct span s, size_t at)
{
    size_t n = 1;
    enum class c = class_of(s.p[at]);
    while (at + n < s.n && n < WORD_MAX && class_of(s.p[at + n]) == c)
        n++;
    return n;
}

/* GPT-2's contractions: 's 't 'm 'd 're 've 'll; 0 when there is none. */
static size_t contraction(struct span s, size_t at)
{
    static const char *const endings[] = {"'s", "'t", "'m", "'d", "'re", "'ve", "'ll"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (span_starts(span_sub(s, at, s.n), endings[i]))
            return strlen(endings[i]);
    return 0;
}

/* A run of one class with at most one space before it; of more spaces, all but the last. */
static size_t word_at(struct span s, size_t at)
{
    size_t n = contraction(s, at);
    if (n)
        return n;
    if (class_of(s.p[at]) != SPACE)
        return run_of(s, at);
    n = run_of(s, at);
    if (at + n == s.n)
        return n;
    if (n > 1)
        return n - 1;
    return s.p[at] == ' ' ? 1 + run_of(s, at + 1) : 1;
}

static bool count_word(struct bpe_words *w, struct span text)
{
    uint32_t before;
    if (!map_put(&w->map, text, (uint32_t)w->count, &before))
        return false;
    if (before != MAP_NONE) {
        w->words[before].count++;
        return true;
    }
    struct word *words = arena_grow(w->arena, w->words, w->count, &w->cap, sizeof *words);
    if (!words)
        return false;
    w->words = words;
    words[w->count++] = (struct word){.text = text, .count = 1};
    return true;
}

bool bpe_words_add(struct bpe_words *w, struct span text, struct err *e)
{
    for (size_t at = 0; at < text.n;) {
        size_t n = word_at(text, at);
        if (!count_word(w, span_sub(text, at, n)))
            return err_set(e, ERR_MEMORY, "out of memory for the words of the training data");
        at += n;
    }
    return true;
}

/* ---- pairs ---- */

struct pairs {
    uint64_t *count; /* room x room */
    size_t room;
};

static void note_pairs(struct pairs *p, const struct word *w, bool add)
{
    for (size_t i = 0; i + 1 < w->n; i++) {
        uint64_t *c = &p->count[(size_t)w->ids[i] * p->room + w->ids[i + 1]];
        *c = add ? *c + w->count : *c - w->count;
    }
}

static uint64_t most_frequent(const struct pairs *p, size_t entries, struct bpe_merge *out)
{
    uint64_t best = 0;
    for (size_t l = 0; l < entries; l++)
        for (size_t r = 0; r < entries; r++)
            if (p->count[l * p->room + r] > best) {
                best = p->count[l * p->room + r];
                *out = (struct bpe_merge){(uint16_t)l, (uint16_t)r};
            }
    return best;
}

static void merge_in(struct word *w, struct bpe_merge m, uint16_t id)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; n++) {
        bool pair = i + 1 < w->n && w->ids[i] == m.left && w->ids[i + 1] == m.right;
        w->ids[n] = pair ? id : w->ids[i];
        i += pair ? 2 : 1;
    }
    w->n = n;
}

static bool holds(const struct word *w, struct bpe_merge m)
{
    for (size_t i = 0; i + 1 < w->n; i++)
        if (w->ids[i] == m.left && w->ids[i + 1] == m.right)
            return true;
    return false;
}

static void merge_everywhere(struct bpe_words *w, struct pairs *p, struct bpe_merge m, uint16_t id)
{
    for (size_t i = 0; i < w->count; i++) {
        if (!holds(&w->words[i], m))
            continue;
        note_pairs(p, &w->words[i], false);
        merge_in(&w->words[i], m, id);
        note_pairs(p, &w->words[i], true);
    }
}

/* ---- the vocabulary ---- */

static bool begin(struct bpe *out, struct bpe_words *w, size_t entries)
{
    struct arena *a = w->arena;
    uint8_t *bytes = arena_alloc(a, 256);
    out->merges = arena_array(a, entries, sizeof *out->merges);
    out->bytes = arena_array(a, entries, sizeof *out->bytes);
    if (!bytes || !out->merges || !out->bytes)
        return false;
    for (size_t i = 0; i < BPE_SPECIALS; i++)
        out->bytes[i] = span_str(bpe_special_texts[i]);
    for (size_t i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
        out->bytes[BPE_FIRST_BYTE + i] = (struct span){bytes + i, 1};
    }
    out->count = BPE_FIRST_MERGE;
    for (size_t i = 0; i < w->count; i++) {
        struct word *x = &w->words[i];
        x->n = x->text.n;
        x->ids = arena_array(a, x->n, sizeof *x->ids);
        if (!x->ids)
            return false;
        for (size_t j = 0; j < x->n; j++)
            x->ids[j] = (uint16_t)(BPE_FIRST_BYTE + x->text.p[j]);
    }
    return true;
}

static bool add_entry(struct bpe *out, struct arena *a, struct bpe_merge m)
{
    struct span left = out->bytes[m.left], right = out->bytes[m.right];
    uint8_t *joined = arena_alloc(a, left.n + right.n);
    if (!joined)
        return false;
    memcpy(joined, left.p, left.n);
    memcpy(joined + left.n, right.p, right.n);
    out->merges[out->merge_count++] = m;
    out->bytes[out->count++] = (struct span){joined, left.n + right.n};
    return true;
}

bool bpe_train(struct bpe *out, struct bpe_words *w, size_t entries, struct err *e)
{
    struct pairs p = {calloc(entries * entries, sizeof *p.count), entries};
    struct bpe_merge m = {0, 0};
    memset(out, 0, sizeof *out);
    bool ok = entries >= BPE_MIN && entries <= BPE_MAX;
    if (!ok)
        err_set(e, ERR_CONFIG, "a vocabulary has %d to %d entries", BPE_MIN, BPE_MAX);
    ok = ok && ((p.count && begin(out, w, entries)) ||
                err_set(e, ERR_MEMORY, "out of memory for the vocabulary"));
    for (size_t i = 0; ok && i < w->count; i++)
        note_pairs(&p, &w->words[i], true);
    while (ok && out->count < entries && most_frequent(&p, out->count, &m) > 1) {
        uint16_t id = (uint16_t)out->count;
        ok = add_entry(out, w->arena, m) || err_set(e, ERR_MEMORY, "out of memory");
        merge_everywhere(w, &p, m, id);
    }
    free(p.count);
    return ok;
}

/* Printable Latin-1 stands for itself; the other bytes follow from U+0100 in their order. */
void bpe_spell(struct buf *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.n; i++) {
        uint32_t c = bytes.p[i];
        if ((c >= 33 && c <= 126) || (c >= 161 && c <= 172) || c >= 174)
            utf8_put(out, c);
        else
            utf8_put(out, 256 + (c <= 32 ? c : c <= 160 ? c - 127 + 33 : 67));
    }
}
