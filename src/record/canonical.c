/*
 * Canonical JSON from any JSON: members sorted bytewise, strings with the
 * escapes of RFC 8785 section 3.2.2.2. Numbers go through as written; the
 * scanner that judges the result lets integers pass and nothing else.
 */
#include "record/canonical.h"

#include <stdlib.h>
#include <string.h>

enum { BODY_ARENA = 16 << 20, DEPTH_MAX = 16 };

static void put_text(struct buf *b, struct span s)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    buf_put_u8(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        const char *named = c ? strchr(from, c) : NULL;
        if (named)
            buf_put(b, (const char[]){'\\', to[named - from]}, 2);
        else if (c < 0x20)
            buf_printf(b, "\\u%04x", c);
        else
            buf_put_u8(b, c);
    }
    buf_put_u8(b, '"');
}

struct named {
    struct span name;
    struct json value;
};

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return span_cmp(x->name, y->name);
}

static bool put_value(struct buf *b, struct json v, struct arena *a, unsigned depth, struct err *e);

static bool put_object(struct buf *b, struct json v, struct arena *a, unsigned depth, struct err *e)
{
    size_t count = json_count(v), i = 0;
    struct named *members = arena_array(a, count, sizeof *members);
    if (count && !members)
        return err_set(e, ERR_MEMORY, "out of memory for a record's members");
    for (struct json m = json_first(v); json_type(m); m = json_next(m))
        members[i++] = (struct named){json_key(m), m};
    if (count)
        qsort(members, count, sizeof *members, by_name);
    buf_put_u8(b, '{');
    for (i = 0; i < count; i++) {
        if (i)
            buf_put_u8(b, ',');
        put_text(b, members[i].name);
        buf_put_u8(b, ':');
        if (!put_value(b, members[i].value, a, depth + 1, e))
            return false;
    }
    buf_put_u8(b, '}');
    return true;
}

static bool put_array(struct buf *b, struct json v, struct arena *a, unsigned depth, struct err *e)
{
    bool first = true;
    buf_put_u8(b, '[');
    for (struct json item = json_first(v); json_type(item); item = json_next(item)) {
        if (!first)
            buf_put_u8(b, ',');
        first = false;
        if (!put_value(b, item, a, depth + 1, e))
            return false;
    }
    buf_put_u8(b, ']');
    return true;
}

static bool put_value(struct buf *b, struct json v, struct arena *a, unsigned depth, struct err *e)
{
    struct span s;
    if (depth > DEPTH_MAX)
        return err_set(e, ERR_FORMAT, "a record's members nest deeper than any kind's");
    if (json_type(v) == JSON_OBJECT)
        return put_object(b, v, a, depth, e);
    if (json_type(v) == JSON_ARRAY)
        return put_array(b, v, a, depth, e);
    if (json_type(v) != JSON_STRING) {
        buf_put_span(b, json_text(v));
        return true;
    }
    if (!json_string(v, &s))
        return err_set(e, ERR_MEMORY, "out of memory for a record's strings");
    put_text(b, s);
    return true;
}

bool record_canonical(struct buf *out, struct span text, struct err *e)
{
    struct arena *a = arena_new(BODY_ARENA);
    struct json root;
    if (!a)
        return err_set(e, ERR_MEMORY, "out of memory for a record");
    bool ok = json_parse(&root, text, JSON_STRICT, a, e) && put_value(out, root, a, 0, e);
    if (ok && !buf_ok(out))
        ok = err_set(e, ERR_LIMIT, "a record's members do not fit a leaf of at most %zu bytes",
                     out->max);
    arena_free(a);
    return ok;
}
