/*
 * The vocabulary: texts to numbers, merges, and GPT-2's printable bytes.
 *
 * Only tokens that text may become are pieces. Control, unknown and byte
 * tokens are not among them, so no word can spell one.
 */
#include "tokenizer/tokenizer.h"

#include <string.h>

#include "assay/base/map.h"
#include "assay/base/text.h"
#include "assay/unicode.h"

/* ---- pieces ---- */

bool pieces_init(struct pieces *p, struct arena *a, size_t n)
{
    p->mask = 63;
    while (p->mask / 3 * 2 < n)
        p->mask = p->mask * 2 + 1;
    p->slots = arena_array(a, p->mask + 1, sizeof *p->slots);
    return p->slots != NULL;
}

struct span piece_text(const struct tokenizer *t, uint32_t number)
{
    if (number >= PIECE_UNSPOKEN)
        return t->unspoken[number - PIECE_UNSPOKEN];
    return t->byte_level ? t->entries[number].bytes : t->entries[number].text;
}

static uint64_t *slot_of(const struct tokenizer *t, const struct pieces *p, struct span text,
                         uint32_t hash)
{
    for (size_t i = hash & p->mask;; i = (i + 1) & p->mask) {
        uint64_t s = p->slots[i];
        if (s == 0 || ((s >> 32) == hash && span_eq(piece_text(t, (uint32_t)s - 1), text)))
            return &p->slots[i];
    }
}

void pieces_put(const struct tokenizer *t, struct pieces *p, struct span text, uint32_t number)
{
    uint32_t hash = map_hash(text);
    *slot_of(t, p, text, hash) = (uint64_t)hash << 32 | (number + 1);
}

uint32_t pieces_get(const struct tokenizer *t, struct span text)
{
    uint64_t s = *slot_of(t, &t->pieces, text, map_hash(text));
    return s ? (uint32_t)s - 1 : TOKEN_NONE;
}

/* ---- merges ---- */

bool merges_init(struct merges *m, struct arena *a, size_t n)
{
    m->mask = 63;
    while (m->mask / 4 * 3 < n)
        m->mask = m->mask * 2 + 1;
    m->slots = arena_array(a, m->mask + 1, sizeof *m->slots);
    for (size_t i = 0; m->slots && i <= m->mask; i++)
        m->slots[i].rank = TOKEN_NONE;
    return m->slots != NULL;
}

/* Chosen pairs could at most make loading slow: the table is of bounded size and read-only. */
static size_t pair_hash(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(h ^ h >> 29);
}

static struct merge *merge_slot(const struct merges *m, uint32_t left, uint32_t right)
{
    for (size_t i = pair_hash(left, right) & m->mask;; i = (i + 1) & m->mask) {
        struct merge *s = &m->slots[i];
        if (s->rank == TOKEN_NONE || (s->left == left && s->right == right))
            return s;
    }
}

void merges_put(struct merges *m, struct merge merge)
{
    struct merge *s = merge_slot(m, merge.left, merge.right);
    if (s->rank == TOKEN_NONE)
        *s = merge;
}

const struct merge *merges_get(const struct merges *m, uint32_t left, uint32_t right)
{
    if (left == TOKEN_NONE || right == TOKEN_NONE)
        return NULL;
    const struct merge *s = merge_slot(m, left, right);
    return s->rank == TOKEN_NONE ? NULL : s;
}

/* ---- bytes ---- */

/* GPT-2 shows the 188 printable bytes of Latin-1 as themselves, the others from U+0100 on. */
static bool shown_as_itself(unsigned byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
}

static uint32_t shown_byte(uint8_t byte)
{
    uint32_t before = 0;
    if (shown_as_itself(byte))
        return byte;
    for (unsigned b = 0; b < byte; b++)
        before += !shown_as_itself(b);
    return 0x100 + before;
}

void byte_level_put(struct buf *out, uint8_t byte)
{
    utf8_put(out, shown_byte(byte));
}

static int byte_shown_as(uint32_t c)
{
    static const uint8_t hidden_after_tilde = 0x7F;
    if (c < 0x100)
        return shown_as_itself(c) ? (int)c : -1;
    uint32_t n = c - 0x100;
    if (n <= ' ')
        return (int)n;
    if (n < ' ' + 1 + 0xA1 - hidden_after_tilde)
        return (int)(n - ' ' - 1 + hidden_after_tilde);
    return c == 0x143 ? 0xAD : -1;
}

bool byte_level_decode(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.n;) {
        int byte = byte_shown_as(utf8_next(text, &i));
        if (byte < 0)
            return false;
        buf_put_u8(out, (uint8_t)byte);
    }
    return true;
}

bool byte_token(struct span text, uint8_t *byte)
{
    uint64_t v = 0;
    if (text.n != 6 || !span_starts(text, "<0x") || text.p[5] != '>')
        return false;
    for (size_t i = 3; i < 5; i++) {
        uint8_t c = text.p[i], low = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            v = v << 4 | (uint64_t)(low - 'a' + 10);
        else
            return false;
    }
    *byte = (uint8_t)v;
    return true;
}

/* ---- which characters belong together ---- */

/*
 * Where no splitting rule cuts a text into words, it is cut between characters
 * that no piece holds side by side: no merge can cross such a place, and long
 * texts become words that can be cached. A hash that is set by another pair
 * only makes a word longer.
 */
enum { PAIR_BITS = 20 };

static uint32_t pair_bit(uint32_t a, uint32_t b)
{
    uint64_t h = ((uint64_t)a << 32 | b) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(h >> (64 - PAIR_BITS));
}

bool pair_known(const struct tokenizer *t, uint32_t a, uint32_t b)
{
    uint32_t bit = pair_bit(a, b);
    return t->pairs[bit / 64] >> bit % 64 & 1;
}

void note_piece(struct tokenizer *t, struct span text)
{
    uint32_t before = 0;
    if (text.n > t->longest)
        t->longest = text.n;
    for (size_t i = 0, length; t->pairs && i < text.n; i += length) {
        uint32_t c = unicode_at(text.p + i, &length);
        uint32_t bit = pair_bit(before, c);
        if (i)
            t->pairs[bit / 64] |= UINT64_C(1) << bit % 64;
        before = c;
    }
}

/* ---- what tokens stand for ---- */

#define LOWER_BLOCK "\xE2\x96\x81"

static bool plain_ascii(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '!' || s.p[i] > '~')
            return false;
    return true;
}

static bool keep(struct tokenizer *t, struct entry *x, const struct buf *room, struct err *e)
{
    x->bytes = arena_span(t->arena, buf_span(room));
    return (x->bytes.p && buf_ok(room)) || !room->n || err_set(e, ERR_MEMORY, "out of memory");
}

static void unblock(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.n;) {
        bool block = span_starts(span_sub(text, i, 3), LOWER_BLOCK);
        buf_put_u8(out, block ? ' ' : text.p[i]);
        i += block ? 3 : 1;
    }
}

static bool spell(struct tokenizer *t, struct entry *x, struct buf *room, struct err *e)
{
    uint8_t byte;
    buf_clear(room);
    x->bytes = x->text;
    if (x->type == TOKEN_BYTE && byte_token(x->text, &byte)) {
        buf_put_u8(room, byte);
        return keep(t, x, room, e);
    }
    if ((x->added && (t->byte_level || !t->unblocks_added)) || !x->text.n) {
        /* An added token that the vocabulary has is a piece of words as well. */
        x->spelled = t->byte_level && !x->outside && plain_ascii(x->text);
        return true;
    }
    if (t->byte_level) {
        x->spelled = plain_ascii(x->text) || byte_level_decode(room, x->text);
        return !room->n || !x->spelled || keep(t, x, room, e);
    }
    if (!t->metaspace || !memmem(x->text.p, x->text.n, LOWER_BLOCK, 3))
        return true;
    unblock(room, x->text);
    return keep(t, x, room, e);
}

static bool spell_all(struct tokenizer *t, struct err *e)
{
    struct buf room;
    bool ok = true;
    buf_init(&room, MODEL_MAX_DOCUMENT);
    for (size_t i = 0; ok && i < t->count; i++)
        ok = spell(t, &t->entries[i], &room, e);
    buf_free(&room);
    return ok;
}

static bool is_piece(const struct tokenizer *t, const struct entry *x)
{
    if (!x->text.n || x->protocol || x->outside || (t->byte_level && !x->spelled))
        return false;
    return x->type == TOKEN_NORMAL || x->type == TOKEN_USER_DEFINED || x->type == TOKEN_UNUSED ||
           x->type == TOKEN_UNDEFINED;
}

bool vocabulary_finish(struct tokenizer *t, size_t spare, struct err *e)
{
    bool chars = !t->byte_level && t->kind != TOKENIZER_WORDPIECE;
    float worst = 0;
    memset(t->byte_ids, 0xFF, sizeof t->byte_ids);
    if (!pieces_init(&t->pieces, t->arena, t->count + spare) ||
        (chars && !(t->pairs = arena_array(t->arena, (1 << PAIR_BITS) / 64, sizeof *t->pairs))))
        return err_set(e, ERR_MEMORY, "out of memory");
    if (!spell_all(t, e))
        return false;
    for (size_t i = 0; i < t->count; i++) {
        struct entry *x = &t->entries[i];
        if (x->type == TOKEN_BYTE && x->bytes.n == 1 && !t->byte_level)
            t->byte_ids[x->bytes.p[0]] = (uint32_t)i;
        if (!is_piece(t, x))
            continue;
        struct span text = piece_text(t, (uint32_t)i);
        pieces_put(t, &t->pieces, text, (uint32_t)i);
        note_piece(t, text);
        if (x->type == TOKEN_NORMAL && x->score < worst)
            worst = x->score;
        if (t->byte_level && text.n == 1)
            t->byte_ids[text.p[0]] = (uint32_t)i;
    }
    t->unknown_score = worst - 10; /* unigram_model.cc, kUnkPenalty */
    return added_build(t, e);
}
