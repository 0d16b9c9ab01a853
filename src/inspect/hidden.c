/*
 * Characters that nobody sees, in texts that a model acts on. Variation
 * selectors, joiners and tags are part of ordinary emoji and carry smuggled
 * text everywhere else: they pass only where an emoji needs them.
 */
#include "inspect/vocabulary.h"

#include "assay/base/text.h"

enum {
    TEXT_STYLE = 0xFE0E,
    EMOJI_STYLE = 0xFE0F,
    JOINER = 0x200D,
    KEYCAP = 0x20E3,
    BLACK_FLAG = 0x1F3F4,
    TAG_FIRST = 0xE0020,
    TAG_LAST = 0xE007F
};

/* Unicode's emoji-variation-sequences.txt below U+2600; above it whole blocks of pictures. */
static bool is_picture(uint32_t c)
{
    static const struct {
        uint32_t from, to;
    } pictures[] = {
        {0xA9, 0xA9},     {0xAE, 0xAE},     {0x203C, 0x203C}, {0x2049, 0x2049},   {0x2122, 0x2122},
        {0x2139, 0x2139}, {0x2194, 0x2199}, {0x21A9, 0x21AA}, {0x231A, 0x231B},   {0x2328, 0x2328},
        {0x23CF, 0x23CF}, {0x23E9, 0x23F3}, {0x23F8, 0x23FA}, {0x24C2, 0x24C2},   {0x25AA, 0x25AB},
        {0x25B6, 0x25B6}, {0x25C0, 0x25C0}, {0x25FB, 0x25FE}, {0x2600, 0x27BF},   {0x2934, 0x2935},
        {0x2B05, 0x2B07}, {0x2B1B, 0x2B1C}, {0x2B50, 0x2B50}, {0x2B55, 0x2B55},   {0x3030, 0x3030},
        {0x303D, 0x303D}, {0x3297, 0x3297}, {0x3299, 0x3299}, {0x1F000, 0x1FAFF},
    };
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++)
        if (c >= pictures[i].from && c <= pictures[i].to)
            return true;
    return false;
}

static uint32_t peek(struct span rest)
{
    size_t pos = 0;
    return rest.n ? utf8_next(rest, &pos) : 0;
}

static bool is_keycap_base(uint32_t c)
{
    return (c >= '0' && c <= '9') || c == '#' || c == '*';
}

/* UTS 51: three flags are spelt in tags. Bytes of their tags; 0: none of the three. */
static size_t flag_tags(struct span at)
{
    static const char *const regions[] = {"gbeng", "gbsct", "gbwls"};
    for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++) {
        size_t pos = 0, k = 0;
        while (regions[i][k] && pos < at.n &&
               utf8_next(at, &pos) == 0xE0000 + (uint32_t)regions[i][k])
            k++;
        if (!regions[i][k] && pos < at.n && utf8_next(at, &pos) == TAG_LAST)
            return pos;
    }
    return 0;
}

/*
 * Does the hidden character at the start of `at`, `size` bytes of it, belong to
 * the emoji before it? The bytes that do; 0: none.
 */
static size_t emoji_bytes(uint32_t before, uint32_t c, struct span at, size_t size)
{
    uint32_t next = peek(span_sub(at, size, at.n));
    bool fits = false;
    if (c == EMOJI_STYLE || c == TEXT_STYLE)
        fits = is_picture(before) || (is_keycap_base(before) && next == KEYCAP);
    else if (c == JOINER)
        fits = (is_picture(before) || before == EMOJI_STYLE) && is_picture(next);
    else if (c >= TAG_FIRST && c <= TAG_LAST && before == BLACK_FLAG)
        return flag_tags(at);
    return fits ? size : 0;
}

size_t first_hidden(struct span s, uint32_t *code_point)
{
    uint32_t before = 0;
    for (size_t pos = 0; pos < s.n;) {
        size_t at = pos;
        uint8_t b = s.p[pos];
        if (b >= 0x20 && b < 0x7F) {
            before = b;
            pos++;
            continue;
        }
        uint32_t c = utf8_next(s, &pos);
        bool layout = c == '\n' || c == '\r' || c == '\t';
        if (!layout && unicode_is_hidden(c)) {
            size_t n = emoji_bytes(before, c, span_sub(s, at, s.n), pos - at);
            if (n == 0) {
                *code_point = c;
                return at;
            }
            pos = at + n;
        }
        before = c;
    }
    return SIZE_MAX;
}
