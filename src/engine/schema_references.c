/*
 * Where a reference within a schema leads: a JSON pointer (RFC 6901) in the fragment of a URI, which
 * spells some octets as %XX.
 */
#include "assay/base/text.h"
#include "engine/schema.h"

enum { KEY = 256 };

/* The next octet of the pointer as it was meant before it became a URI; -1: there is none. */
static int octet(struct span *pointer)
{
    int high = pointer->n > 2 ? text_hex_digit(pointer->p[1]) : -1;
    int low = pointer->n > 2 ? text_hex_digit(pointer->p[2]) : -1;
    bool spelled = pointer->n && pointer->p[0] == '%' && high >= 0 && low >= 0;
    int out = pointer->n == 0 ? -1 : spelled ? high * 16 + low : pointer->p[0];
    *pointer = span_sub(*pointer, pointer->n == 0 ? 0 : spelled ? 3 : 1, pointer->n);
    return out;
}

/* One step, without the / before it; false: it is too long. */
static bool step(struct span *pointer, char key[KEY], size_t *n)
{
    *n = 0;
    while (pointer->n && pointer->p[0] != '/') {
        int c = octet(pointer);
        if (c == '~') {
            int then = octet(pointer);
            c = then == '1' ? '/' : then == '0' ? '~' : -1;
        }
        if (c < 0 || *n == KEY)
            return false;
        key[(*n)++] = (char)c;
    }
    return true;
}

static struct json within(struct json v, struct span key)
{
    uint64_t i;
    if (json_type(v) == JSON_OBJECT)
        return json_get_span(v, key);
    if (json_type(v) != JSON_ARRAY || !text_u64(key, &i))
        return JSON_NOTHING;
    for (v = json_first(v); i > 0 && json_type(v); i--)
        v = json_next(v);
    return v;
}

struct json schema_referred(struct json root, struct json reference)
{
    char key[KEY];
    size_t n;
    struct span text;
    struct json v = root;
    if (!json_string(reference, &text) || text.n == 0 || text.p[0] != '#')
        return JSON_NOTHING;
    text = span_sub(text, 1, text.n);
    while (text.n && json_type(v)) {
        if (text.p[0] != '/')
            return JSON_NOTHING;
        text = span_sub(text, 1, text.n);
        if (!step(&text, key, &n))
            return JSON_NOTHING;
        v = within(v, (struct span){(const uint8_t *)key, n});
    }
    return v;
}
