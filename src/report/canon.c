/* One pass over canonical JSON text: strings, nesting, and nothing kept. */
#include "report/canon.h"

#include <string.h>

#include "assay/base/text.h"

/* Bytes of the string that begins at s, quotes included; 0 when it does not end. */
static size_t string_length(struct span s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i + 1;
    }
    return 0;
}

/* Bytes of the value that begins at s, up to the comma or bracket that ends it. */
static size_t value_length(struct span s)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '"') {
            size_t n = string_length(span_sub(s, i, s.n - i));
            if (n == 0)
                return 0;
            i += n - 1;
        } else if (c == '{' || c == '[')
            depth++;
        else if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            return i;
        else if (c == '}' || c == ']')
            depth--;
    }
    return s.n;
}

struct canon canon_over(struct span object)
{
    return (struct canon){object.n > 2 ? span_sub(object, 1, object.n - 2) : SPAN_EMPTY};
}

bool canon_next(struct canon *c, struct span *name, struct span *value)
{
    struct span s = c->rest;
    size_t n = s.n && s.p[0] == '"' ? string_length(s) : 0;
    if (n < 2 || n >= s.n || s.p[n] != ':')
        return false;
    *name = span_sub(s, 1, n - 2);
    struct span after = span_sub(s, n + 1, s.n);
    size_t length = value_length(after);
    if (length == 0)
        return false;
    *value = span_sub(after, 0, length);
    c->rest = span_sub(after, length + 1, after.n);
    return true;
}

struct span canon_get(struct span object, const char *name)
{
    struct canon c = canon_over(object);
    struct span key, value;
    while (canon_next(&c, &key, &value))
        if (span_is(key, name))
            return value;
    return SPAN_EMPTY;
}

struct span canon_text(struct span value)
{
    return value.n >= 2 && value.p[0] == '"' ? span_sub(value, 1, value.n - 2) : SPAN_EMPTY;
}

uint64_t canon_count(struct span value)
{
    uint64_t n = 0;
    return text_u64(value, &n) ? n : 0;
}
