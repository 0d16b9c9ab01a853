/*
 * Texts of a pickle, read again from where they stand: a string with a length
 * in front of it, or a line with the escapes of its opcode.
 */
#include "model/pickle.h"

#include <string.h>

#include "assay/base/text.h"

/* Bytes of the input, from the window's buffer where they still stand there. */
bool pickle_fetch(struct pickle *p, void *buf, uint64_t at, size_t n)
{
    const struct window *w = &p->w;
    struct err ignored = ERR_INIT;
    if (at >= w->base && at + n <= w->base + w->have) {
        memcpy(buf, w->buf + (at - w->base), n);
        return true;
    }
    return input_read(&p->c.in, buf, at, n, &ignored);
}

/* ---- text ---- */

bool pickle_body(struct pickle *p, pv v, uint64_t *at, uint64_t *n)
{
    uint8_t head[9];
    uint64_t from = pv_at(v), left = p->c.in.size - from;
    size_t have = left < sizeof head ? (size_t)left : sizeof head;
    if ((pv_kind(v) != PV_STR && pv_kind(v) != PV_BYTES) || !pickle_fetch(p, head, from, have))
        return false;
    size_t prefix;
    switch (head[0]) {
    case 'C':
    case 'U':
    case 0x8c:
        prefix = 1;
        break;
    case 'B':
    case 'T':
    case 'X':
        prefix = 4;
        break;
    case 0x8d:
    case 0x8e:
    case 0x96:
        prefix = 8;
        break;
    default:
        return false;
    }
    if (have < 1 + prefix)
        return false;
    *n = prefix == 1 ? head[1] : prefix == 4 ? load_u32le(head + 1) : load_u64le(head + 1);
    *at = from + 1 + prefix;
    return *n <= p->c.in.size - *at;
}

uint32_t pickle_hex_digits(const uint8_t *s, size_t n, bool *ok)
{
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = s[i] | 0x20;
        bool digit = s[i] >= '0' && s[i] <= '9', letter = c >= 'a' && c <= 'f';
        *ok = *ok && (digit || letter);
        v = v << 4 | (uint32_t)(digit ? s[i] - '0' : c - 'a' + 10);
    }
    return v;
}

static uint8_t plain_escape(uint8_t c)
{
    static const char from[] = "nrtabfv\\'\"", to[] = "\n\r\t\a\b\f\v\\'\"";
    const char *at = c ? strchr(from, c) : NULL;
    return at ? (uint8_t)to[at - from] : 0;
}

/* One escape of a STRING (a Python literal) or UNICODE (raw-unicode-escape); returns the bytes
 * of `s` that it takes. */
static size_t escape(struct span s, bool literal, struct buf *out)
{
    uint8_t c = s.n > 1 ? s.p[1] : 0;
    size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : c == 'x' && literal ? 2 : 0;
    bool ok = digits > 0 && s.n >= 2 + digits;
    uint32_t v = ok ? pickle_hex_digits(s.p + 2, digits, &ok) : 0;
    if (ok && (c == 'x' || !literal)) {
        utf8_put(out, v);
        return 2 + digits;
    }
    if (literal && c >= '0' && c <= '7') {
        size_t n = 0;
        for (v = 0; n < 3 && n + 1 < s.n && s.p[n + 1] >= '0' && s.p[n + 1] <= '7'; n++)
            v = v << 3 | (uint32_t)(s.p[n + 1] - '0');
        utf8_put(out, v & 0xff);
        return n + 1;
    }
    uint8_t plain = literal ? plain_escape(c) : 0;
    buf_put_u8(out, plain ? plain : '\\');
    return plain ? 2 : 1;
}

static bool line_text(struct pickle *p, uint64_t from, uint8_t *buf, size_t room, size_t *n)
{
    uint8_t raw[4 * PICKLE_NAME + 4], *end;
    uint64_t left = p->c.in.size - from;
    size_t have = left < sizeof raw ? (size_t)left : sizeof raw;
    if (!pickle_fetch(p, raw, from, have) || !(end = memchr(raw, '\n', have)))
        return false;
    struct span s = {raw + 1, (size_t)(end - raw) - 1};
    bool literal = raw[0] == 'S';
    if (literal) {
        while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\r'))
            s.n--;
        s = s.n >= 2 ? span_sub(s, 1, s.n - 2) : SPAN_EMPTY;
    }
    struct buf out;
    buf_init(&out, 4 * sizeof raw);
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] == '\\')
            i += escape(span_sub(s, i, s.n), literal, &out);
        else
            buf_put_u8(&out, s.p[i++]);
    }
    bool ok = buf_ok(&out) && out.n <= room;
    *n = ok ? out.n : 0;
    if (*n)
        memcpy(buf, out.p, *n);
    buf_free(&out);
    return ok;
}

bool pickle_text(struct pickle *p, pv v, uint8_t *buf, size_t room, size_t *n)
{
    uint64_t at, length;
    uint8_t op;
    if (pv_kind(v) != PV_STR && pv_kind(v) != PV_BYTES)
        return false;
    if (pickle_body(p, v, &at, &length)) {
        *n = (size_t)length;
        return length <= room && pickle_fetch(p, buf, at, (size_t)length);
    }
    return pickle_fetch(p, &op, pv_at(v), 1) && (op == 'S' || op == 'V') &&
           line_text(p, pv_at(v), buf, room, n);
}
