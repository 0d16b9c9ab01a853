/* Text as Python sees it: what is a space, where it ends. */
#include "template/text.h"

#include "assay/unicode.h"

bool text_is_space(uint32_t c)
{
    return unicode_is_space(c) || (c >= 0x1C && c <= 0x1F);
}

struct span text_strip_left(struct span s)
{
    size_t i = 0, length;
    while (i < s.n && text_is_space(unicode_at(s.p + i, &length)))
        i += length;
    return span_sub(s, i, s.n - i);
}

struct span text_strip_right(struct span s)
{
    while (s.n) {
        size_t from = s.n - 1, length;
        while (from > 0 && (s.p[from] & 0xC0) == 0x80)
            from--;
        if (!text_is_space(unicode_at(s.p + from, &length)))
            break;
        s.n = from;
    }
    return s;
}

static bool ends_line(uint32_t c)
{
    return (c >= '\n' && c <= '\r') || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

size_t text_line(struct span s, size_t at, size_t *next)
{
    size_t length;
    for (*next = at; at < s.n; at = *next) {
        uint32_t c = unicode_at(s.p + at, &length);
        *next = at + length;
        if (!ends_line(c))
            continue;
        if (c == '\r' && *next < s.n && s.p[*next] == '\n')
            ++*next;
        return at;
    }
    return s.n;
}
