/* Base64 (RFC 4648): written and decoded with one text for one value, and digit by digit. */
#include "assay/base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(struct buf *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t v = (uint32_t)bytes.p[i] << 16 | (left > 1 ? (uint32_t)bytes.p[i + 1] << 8 : 0) |
                     (left > 2 ? bytes.p[i + 2] : 0);
        char quad[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63],
                        left > 1 ? alphabet[v >> 6 & 63] : '=', left > 2 ? alphabet[v & 63] : '='};
        buf_put(out, quad, sizeof quad);
    }
}

int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Bits beyond the last byte must be zero: otherwise two texts mean one value. */
static bool decode_quad(const uint8_t *p, size_t chars, uint8_t *out)
{
    uint32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        int d = i < chars ? base64_digit(p[i]) : 0;
        if (d < 0)
            return false;
        v = v << 6 | (uint32_t)d;
    }
    for (size_t i = 0; i + 1 < chars; i++)
        out[i] = (uint8_t)(v >> (16 - 8 * i));
    return (v & (0xFFFFFFu >> (8 * (chars - 1)))) == 0 || chars == 4;
}

bool base64_decode(struct span text, struct arena *a, struct span *out)
{
    if (text.n % 4 != 0)
        return false;
    uint8_t *bytes = arena_alloc(a, text.n / 4 * 3);
    if (!bytes)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < text.n; i += 4) {
        const uint8_t *p = text.p + i;
        size_t chars = 4;
        if (i + 4 == text.n && p[3] == '=')
            chars = p[2] == '=' ? 2 : 3;
        if (!decode_quad(p, chars, bytes + n))
            return false;
        n += chars - 1;
    }
    *out = (struct span){bytes, n};
    return true;
}
