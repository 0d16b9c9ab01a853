/*
 * SentencePiece's precompiled character map: a size, a double-array trie of
 * that many bytes (darts-clone, "unit" of 32 bits), and NUL-ended replacements
 * that its values point to (sentencepiece, normalizer.cc).
 */
#include "tokenizer/charsmap.h"

#include <string.h>

#include "assay/unicode.h"

struct trie {
    struct span units;
    size_t count;
};

static struct trie trie_of(struct span map)
{
    size_t size = load_u32le(map.p);
    return (struct trie){span_sub(map, 4, size), size / 4};
}

bool charsmap_check(struct span map, struct err *e)
{
    if (map.n < 8 || load_u32le(map.p) % 4 || load_u32le(map.p) > map.n - 4)
        return err_set(e, ERR_FORMAT, "precompiled_charsmap: the trie is larger than the map");
    return true;
}

static uint32_t unit(const struct trie *t, size_t i)
{
    return i < t->count ? load_u32le(t->units.p + 4 * i) : 0;
}

/* darts.h, DoubleArrayUnit */
static bool has_leaf(uint32_t u)
{
    return u >> 8 & 1;
}

static uint32_t value(uint32_t u)
{
    return u & 0x7FFFFFFF;
}

static uint32_t label(uint32_t u)
{
    return u & 0x800000FF;
}

static uint32_t offset(uint32_t u)
{
    return (u >> 10) << ((u & 1u << 9) >> 6);
}

/* The longest key that text begins with; its value, or UINT32_MAX. */
static uint32_t longest(const struct trie *t, struct span text, size_t *length)
{
    uint32_t found = UINT32_MAX, u = unit(t, 0);
    *length = 0;
    size_t node = offset(u);
    for (size_t i = 0; i < text.n; i++) {
        node ^= text.p[i];
        u = unit(t, node);
        if (node >= t->count || label(u) != text.p[i])
            break;
        node ^= offset(u);
        if (has_leaf(u)) {
            found = value(unit(t, node));
            *length = i + 1;
        }
    }
    return found;
}

void charsmap_apply(struct buf *out, struct span text, struct span map)
{
    struct trie t = trie_of(map);
    struct span strings = span_sub(map, 4 + t.units.n, map.n);
    for (size_t i = 0, length; i < text.n; i += length) {
        uint32_t at = longest(&t, span_sub(text, i, text.n), &length);
        if (at >= strings.n) {
            (void)unicode_at(text.p + i, &length);
            buf_put(out, text.p + i, length);
            continue;
        }
        const uint8_t *end = memchr(strings.p + at, 0, strings.n - at);
        buf_put(out, strings.p + at, end ? (size_t)(end - strings.p) - at : strings.n - at);
    }
}
