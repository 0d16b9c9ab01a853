/*
 * The JSON reader's grammar (RFC 8259), one pass over the text with a stack of
 * its own. Every accepted byte is looked at once; nothing is converted before
 * somebody asks for it.
 */
#include "base/json_node.h"

#include <string.h>

#include "assay/base/text.h"

struct frame {
    uint32_t node; /* the container */
    uint32_t last; /* its latest value, 0 while empty */
    uint32_t count;
    bool object;
};

struct parser {
    struct json_doc *doc;
    const uint8_t *p;
    uint32_t pos, end;
    unsigned flags;
    struct err *e;
    struct frame stack[JSON_MAX_DEPTH];
    unsigned depth;
};

static bool fail(struct parser *s, const char *what)
{
    return err_at(s->e, ERR_FORMAT, NULL, s->pos, "JSON: %s", what);
}

static bool no_memory(struct parser *s)
{
    return err_at(s->e, ERR_MEMORY, NULL, s->pos, "JSON: out of memory after %u values",
                  s->doc->count);
}

static void skip_space(struct parser *s)
{
    while (s->pos < s->end) {
        uint8_t c = s->p[s->pos];
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
            return;
        s->pos++;
    }
}

/* 0 at the end, which no rule of the grammar takes either. */
static uint8_t peek(const struct parser *s)
{
    return s->pos < s->end ? s->p[s->pos] : 0;
}

static bool add_node(struct parser *s, unsigned type, uint32_t *out)
{
    struct json_doc *d = s->doc;
    if ((d->count & (NODE_PAGE - 1)) == 0) {
        d->pages = arena_grow(d->arena, d->pages, d->page_count, &d->page_cap, sizeof *d->pages);
        struct node *page = d->pages ? arena_array(d->arena, NODE_PAGE, sizeof *page) : NULL;
        if (!page)
            return no_memory(s);
        d->pages[d->page_count++] = page;
    }
    *out = d->count++;
    *node_at(d, *out) = (struct node){.start = s->pos, .tag = type};
    return true;
}

/* Four digits after \u at pos; -1 when they are not there. */
static int32_t hex4(const struct parser *s, uint32_t pos)
{
    int32_t v = 0;
    if (s->end - pos < 4)
        return -1;
    for (uint32_t i = 0; i < 4; i++) {
        int d = text_hex_digit(s->p[pos + i]);
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

/* RFC 8259 section 7; a surrogate must be half of a pair, as no UTF-8 text can hold it. */
static bool scan_escape(struct parser *s)
{
    uint8_t c = s->end - s->pos > 1 ? s->p[s->pos + 1] : 0;
    if (c && strchr("\"\\/bfnrt", c)) {
        s->pos += 2;
        return true;
    }
    if (c != 'u')
        return fail(s, "a backslash must be followed by one of \"\\/bfnrtu");
    int32_t unit = hex4(s, s->pos + 2);
    if (unit < 0)
        return fail(s, "\\u must be followed by four hexadecimal digits");
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        return fail(s, "a low surrogate without the high one before it");
    uint32_t length = 6;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        uint32_t low = s->pos + 6;
        bool pair = s->end - low >= 6 && s->p[low] == '\\' && s->p[low + 1] == 'u';
        int32_t second = pair ? hex4(s, low + 2) : -1;
        if (second < 0xDC00 || second > 0xDFFF)
            return fail(s, "a high surrogate without the low one after it");
        length = 12;
    }
    s->pos += length;
    return true;
}

/* Eight bytes at once: is any of them a quote, a backslash, a control or not ASCII? */
static bool plain8(const uint8_t *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t v = load_u64le(p);
    uint64_t quote = v ^ ones * '"', slash = v ^ ones * '\\';
    uint64_t hit = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | (v - ones * 0x20) | v;
    return (hit & tops) == 0;
}

/* From the byte after the opening quote to after the closing one. */
static bool scan_string(struct parser *s, bool *escaped)
{
    uint32_t open = s->pos++;
    while (s->pos < s->end) {
        while (s->end - s->pos >= 8 && plain8(s->p + s->pos))
            s->pos += 8;
        uint8_t c = s->pos < s->end ? s->p[s->pos] : '"';
        if (s->pos == s->end)
            break;
        if (c == '"') {
            s->pos++;
            return true;
        }
        if (c < 0x20)
            return fail(s, "a control character in a string must be escaped");
        if (c == '\\') {
            *escaped = true;
            if (!scan_escape(s))
                return false;
        } else if (c < 0x80) {
            s->pos++;
        } else {
            size_t length = utf8_length(s->p + s->pos, s->end - s->pos);
            if (!length)
                return fail(s, "a string is not well-formed UTF-8");
            s->pos += (uint32_t)length;
        }
    }
    s->pos = open;
    return fail(s, "a string has no closing quote");
}

static bool scan_digits(struct parser *s, const char *what)
{
    uint32_t from = s->pos;
    while (s->pos < s->end && (unsigned)(s->p[s->pos] - '0') < 10)
        s->pos++;
    return s->pos > from || fail(s, what);
}

/* RFC 8259 section 6. */
static bool scan_number(struct parser *s)
{
    if (peek(s) == '-')
        s->pos++;
    if (peek(s) == '0') {
        s->pos++;
        if ((unsigned)(peek(s) - '0') < 10)
            return fail(s, "a number has a leading zero");
    } else if (!scan_digits(s, "a minus sign must be followed by a digit")) {
        return false;
    }
    if (peek(s) == '.') {
        s->pos++;
        if (!scan_digits(s, "a decimal point must be followed by a digit"))
            return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->pos++;
        if (peek(s) == '+' || peek(s) == '-')
            s->pos++;
        return scan_digits(s, "an exponent has no digits");
    }
    return true;
}

static bool scan_word(struct parser *s, const char *word)
{
    size_t n = strlen(word);
    if (s->end - s->pos < n || memcmp(s->p + s->pos, word, n) != 0)
        return fail(s, "expected a value");
    s->pos += (uint32_t)n;
    return true;
}

static unsigned type_of(uint8_t first)
{
    switch (first) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return first == '-' || (first >= '0' && first <= '9') ? JSON_NUMBER : JSON_MISSING;
    }
}

static bool scan_scalar(struct parser *s, unsigned type, uint32_t node)
{
    bool escaped = false;
    bool ok = type == JSON_STRING   ? scan_string(s, &escaped)
              : type == JSON_NUMBER ? scan_number(s)
              : type == JSON_TRUE   ? scan_word(s, "true")
              : type == JSON_FALSE  ? scan_word(s, "false")
                                    : scan_word(s, "null");
    struct node *n = node_at(s->doc, node);
    n->end = s->pos;
    if (escaped)
        n->tag |= NODE_ESCAPED;
    return ok;
}

/* A key, its colon, and the place of the value. */
static bool scan_key(struct parser *s)
{
    struct json_doc *d = s->doc;
    uint32_t key = 0;
    if (peek(s) != '"')
        return fail(s, "expected a key in quotes");
    if (!add_node(s, NODE_KEY, &key) || !scan_scalar(s, JSON_STRING, key))
        return false;
    struct node *n = node_at(d, key);
    if (n->tag & NODE_ESCAPED) {
        struct span text;
        d->decoded =
            arena_grow(d->arena, d->decoded, d->decoded_count, &d->decoded_cap, sizeof *d->decoded);
        if (!d->decoded || !node_decode(d, n, &text))
            return no_memory(s);
        n->tag |= (uint32_t)d->decoded_count << NODE_COUNT_SHIFT;
        d->decoded[d->decoded_count++] = text;
    }
    skip_space(s);
    if (peek(s) != ':')
        return fail(s, "expected a colon after a key");
    s->pos++;
    skip_space(s);
    return true;
}

/* A value begins here: a scalar is read, a container opened. */
static bool begin_value(struct parser *s)
{
    unsigned type = type_of(peek(s));
    uint32_t node = 0;
    if (type == JSON_MISSING)
        return fail(s,
                    s->pos < s->end ? "expected a value" : "the text ends where a value must be");
    if (!add_node(s, type, &node))
        return false;
    if (s->depth) {
        struct frame *f = &s->stack[s->depth - 1];
        if (f->last)
            node_at(s->doc, f->last)->next = node;
        f->last = node;
        f->count++;
    }
    if (type != JSON_OBJECT && type != JSON_ARRAY)
        return scan_scalar(s, type, node);
    if (s->depth == JSON_MAX_DEPTH)
        return err_at(s->e, ERR_LIMIT, NULL, s->pos, "JSON: nested more than %d deep",
                      JSON_MAX_DEPTH);
    s->stack[s->depth++] = (struct frame){.node = node, .object = type == JSON_OBJECT};
    s->pos++;
    return true;
}

static bool note_duplicate(struct parser *s, uint32_t key)
{
    struct json_doc *d = s->doc;
    if (!(s->flags & JSON_KEEP_DUPLICATES)) {
        char shown[80];
        text_shown(shown, sizeof shown, node_key(d, key + 1));
        return err_at(s->e, ERR_FORMAT, NULL, node_at(d, key)->start,
                      "JSON: the key \"%s\" stands twice in one object", shown);
    }
    if (!d->duplicate || key < d->duplicate)
        d->duplicate = key;
    return true;
}

static bool end_container(struct parser *s)
{
    struct frame *f = &s->stack[--s->depth];
    struct node *n = node_at(s->doc, f->node);
    s->pos++;
    n->end = s->pos;
    n->tag |= f->count << NODE_COUNT_SHIFT;
    uint32_t duplicate = 0;
    if (f->object && !node_index(s->doc, f->node, &duplicate))
        return no_memory(s);
    return !duplicate || note_duplicate(s, duplicate);
}

/* After a value, close what ends here; true in *more when another value is due. */
static bool after_value(struct parser *s, bool *more)
{
    while (s->depth) {
        const struct frame *f = &s->stack[s->depth - 1];
        uint8_t close = f->object ? '}' : ']';
        skip_space(s);
        uint8_t c = peek(s);
        if (c == ',' && f->count) {
            s->pos++;
            skip_space(s);
        } else if (c == close) {
            if (!end_container(s))
                return false;
            continue;
        } else if (f->count || s->pos == s->end) {
            return fail(s, f->object ? "expected a comma or } in an object"
                                     : "expected a comma or ] in an array");
        }
        *more = true;
        return !f->object || scan_key(s);
    }
    *more = false;
    return true;
}

static bool parse(struct parser *s)
{
    bool more = true;
    skip_space(s);
    while (more) {
        if (!begin_value(s) || !after_value(s, &more))
            return false;
    }
    if (s->flags & JSON_PREFIX)
        return true;
    skip_space(s);
    return s->pos == s->end || fail(s, "text follows the value");
}

bool json_parse(struct json *root, struct span text, unsigned flags, struct arena *a, struct err *e)
{
    if (text.n > JSON_MAX_TEXT)
        return err_at(e, ERR_LIMIT, NULL, JSON_MAX_TEXT, "JSON: longer than %d bytes",
                      JSON_MAX_TEXT);
    struct json_doc *d = arena_alloc(a, sizeof *d);
    if (!d)
        return err_at(e, ERR_MEMORY, NULL, 0, "JSON: out of memory");
    d->text = text;
    d->arena = a;
    struct parser s = {.doc = d, .p = text.p, .end = (uint32_t)text.n, .flags = flags, .e = e};
    if (text.n >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0)
        return fail(&s, "a byte order mark must not stand before the value");
    if (!parse(&s))
        return false;
    *root = (struct json){d, 0};
    return true;
}
