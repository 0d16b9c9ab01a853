/* UTF-8 (Unicode 15, table 3-7) and text from outside made safe to show. */
#include "assay/base/text.h"

#include <stdio.h>
#include <string.h>

size_t utf8_length(const uint8_t *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
    if (length == 0 || n < length)
        return 0;
    /* The second byte's range excludes overlong forms, surrogates and > U+10FFFF. */
    uint8_t low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

size_t utf8_invalid(struct span s)
{
    for (size_t i = 0; i < s.n;) {
        /* Most text is ASCII: eight bytes at a time. */
        if (s.n - i >= 8 && (load_u64le(s.p + i) & UINT64_C(0x8080808080808080)) == 0) {
            i += 8;
            continue;
        }
        size_t n = utf8_length(s.p + i, s.n - i);
        if (n == 0)
            return i;
        i += n;
    }
    return TEXT_VALID;
}

uint32_t utf8_next(struct span s, size_t *pos)
{
    const uint8_t *p = s.p + *pos;
    size_t n = utf8_length(p, s.n - *pos);
    *pos += n ? n : 1;
    if (n == 1)
        return p[0];
    if (n == 0)
        return 0xFFFD;
    uint32_t c = p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3F);
    return c;
}

void utf8_put(struct buf *b, uint32_t c)
{
    uint8_t out[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3F));
    out[0] = (uint8_t)(lead[n] | c);
    buf_put(b, out, n);
}

bool unicode_is_hidden(uint32_t c)
{
    static const struct {
        uint32_t from, to;
    } hidden[] = {
        {0x0000, 0x001F},   {0x007F, 0x009F},      {0x00AD, 0x00AD},   {0x034F, 0x034F},
        {0x0600, 0x0605},   {0x061C, 0x061C},      {0x06DD, 0x06DD},   {0x070F, 0x070F},
        {0x0890, 0x0891},   {0x08E2, 0x08E2},      {0x115F, 0x1160},   {0x17B4, 0x17B5},
        {0x180B, 0x180F},   {0x200B, 0x200F},      {0x2028, 0x202E},   {0x2060, 0x206F},
        {0x3164, 0x3164},   {0xD800, 0xF8FF},      {0xFDD0, 0xFDEF},   {0xFE00, 0xFE0F},
        {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},      {0xFFF0, 0xFFFB},   {0x110BD, 0x110BD},
        {0x110CD, 0x110CD}, {0x13430, 0x1343F},    {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
        {0xE0000, 0xE0FFF}, {0xF0000, 0xFFFFFFFF},
    };
    if ((c & 0xFFFE) == 0xFFFE)
        return true;
    size_t low = 0, high = sizeof hidden / sizeof *hidden;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c > hidden[mid].to)
            low = mid + 1;
        else
            high = mid;
    }
    return low < sizeof hidden / sizeof *hidden && c >= hidden[low].from;
}

enum { PIECE_MAX = 16, ELLIPSIS = 3 };

/* What stands for the next character: its bytes, and how many characters they show. */
struct piece {
    char bytes[PIECE_MAX];
    size_t n, chars;
};

static struct piece next_piece(struct span s, size_t *pos)
{
    struct piece out;
    size_t from = *pos;
    size_t n = utf8_length(s.p + from, s.n - from);
    uint32_t c = utf8_next(s, pos);
    if (n && !unicode_is_hidden(c)) {
        memcpy(out.bytes, s.p + from, n);
        out.n = n;
        out.chars = 1;
        return out;
    }
    int printed = n < 2 ? snprintf(out.bytes, sizeof out.bytes, "\\x%02X", s.p[from])
                        : snprintf(out.bytes, sizeof out.bytes, "\\u{%04X}", (unsigned)c);
    out.n = out.chars = (size_t)printed;
    return out;
}

void text_show(struct buf *b, struct span s, size_t max_chars)
{
    size_t chars = 0, cut = b->n;
    for (size_t pos = 0; pos < s.n && buf_ok(b);) {
        struct piece piece = next_piece(s, &pos);
        if (piece.chars > max_chars - chars) {
            b->n = cut;
            if (max_chars)
                buf_put_str(b, "…");
            return;
        }
        buf_put(b, piece.bytes, piece.n);
        chars += piece.chars;
        if (chars < max_chars)
            cut = b->n;
    }
}

const char *text_shown(char *out, size_t size, struct span s)
{
    size_t n = 0, cut = 0;
    if (size == 0)
        return "";
    for (size_t pos = 0; pos < s.n;) {
        struct piece piece = next_piece(s, &pos);
        if (piece.n >= size - n) {
            n = cut;
            if (size > cut + ELLIPSIS) {
                memcpy(out + n, "…", ELLIPSIS);
                n += ELLIPSIS;
            }
            break;
        }
        memcpy(out + n, piece.bytes, piece.n);
        n += piece.n;
        if (size - n > ELLIPSIS)
            cut = n;
    }
    out[n] = '\0';
    return out;
}
