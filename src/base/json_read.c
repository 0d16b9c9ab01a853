/* What is asked of a parsed JSON document: navigation, keys and typed reads. */
#include "base/json_node.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/map.h"
#include "assay/base/text.h"

static const struct node *node_of(struct json v)
{
    return v.doc ? node_at(v.doc, v.node) : NULL;
}

enum json_type json_type(struct json v)
{
    const struct node *n = node_of(v);
    return n ? (enum json_type)node_type(n) : JSON_MISSING;
}

const char *json_type_name(enum json_type t)
{
    static const char *const names[] = {"nothing", "null",   "false", "true",
                                        "number",  "string", "array", "object"};
    return (unsigned)t < sizeof names / sizeof *names ? names[t] : "?";
}

size_t json_offset(struct json v)
{
    const struct node *n = node_of(v);
    return n ? n->start : 0;
}

size_t json_end(struct json v)
{
    const struct node *n = node_of(v);
    return n ? n->end : 0;
}

static bool is_container(const struct node *n)
{
    return n && (node_type(n) == JSON_OBJECT || node_type(n) == JSON_ARRAY);
}

size_t json_count(struct json v)
{
    const struct node *n = node_of(v);
    return is_container(n) ? node_count(n) : 0;
}

struct json json_first(struct json v)
{
    if (!json_count(v))
        return JSON_NOTHING;
    return (struct json){v.doc, v.node + (json_type(v) == JSON_OBJECT ? 2 : 1)};
}

struct json json_next(struct json item)
{
    const struct node *n = node_of(item);
    return n && n->next ? (struct json){item.doc, n->next} : JSON_NOTHING;
}

struct json json_at(struct json v, size_t i)
{
    struct json item = i < json_count(v) ? json_first(v) : JSON_NOTHING;
    while (i--)
        item = json_next(item);
    return item;
}

static struct span between_quotes(const struct json_doc *d, const struct node *n)
{
    return span_sub(d->text, n->start + 1, n->end - n->start - 2);
}

struct span node_key(const struct json_doc *d, uint32_t member)
{
    const struct node *n = node_at(d, member - 1);
    return n->tag & NODE_ESCAPED ? d->decoded[node_count(n)] : between_quotes(d, n);
}

static bool has_key(struct json member)
{
    return member.doc && member.node > 0 &&
           node_type(node_at(member.doc, member.node - 1)) == NODE_KEY;
}

struct span json_key(struct json member)
{
    return has_key(member) ? node_key(member.doc, member.node) : SPAN_EMPTY;
}

size_t json_key_offset(struct json member)
{
    return has_key(member) ? node_at(member.doc, member.node - 1)->start : 0;
}

static struct index_slot *find_slot(const struct json_doc *d, const struct index *x,
                                    struct span key, uint32_t hash)
{
    for (size_t i = hash & x->mask;; i = (i + 1) & x->mask) {
        struct index_slot *slot = &x->slots[i];
        if (!slot->member || (slot->hash == hash && span_eq(node_key(d, slot->member), key)))
            return slot;
    }
}

static uint32_t first_twin(const struct json_doc *d, uint32_t first)
{
    for (uint32_t m = node_at(d, first)->next; m; m = node_at(d, m)->next)
        for (uint32_t other = first; other != m; other = node_at(d, other)->next)
            if (span_eq(node_key(d, other), node_key(d, m)))
                return m - 1;
    return 0;
}

/* Few members are compared in pairs; many are hashed, later twins taking the slot. */
bool node_index(struct json_doc *d, uint32_t object, uint32_t *duplicate)
{
    uint32_t count = node_count(node_at(d, object));
    uint32_t first = object + 2;
    if (count < INDEX_MIN) {
        *duplicate = count > 1 ? first_twin(d, first) : 0;
        return true;
    }
    size_t slots = 2 * INDEX_MIN;
    while (slots < (size_t)count * 2)
        slots *= 2;
    struct index *all =
        arena_grow(d->arena, d->indices, d->index_count, &d->index_cap, sizeof *all);
    struct index_slot *table = all ? arena_array(d->arena, slots, sizeof *table) : NULL;
    if (!table)
        return false;
    d->indices = all;
    all[d->index_count] = (struct index){table, slots - 1};
    for (uint32_t m = first; m; m = node_at(d, m)->next) {
        struct span key = node_key(d, m);
        uint32_t hash = map_hash(key);
        struct index_slot *slot = find_slot(d, &all[d->index_count], key, hash);
        if (slot->member && !*duplicate)
            *duplicate = m - 1;
        *slot = (struct index_slot){hash, m};
    }
    node_at(d, object + 1)->next = (uint32_t)++d->index_count;
    return true;
}

struct json json_get_span(struct json v, struct span key)
{
    if (json_type(v) != JSON_OBJECT || !json_count(v))
        return JSON_NOTHING;
    uint32_t index = node_at(v.doc, v.node + 1)->next;
    if (index) {
        uint32_t m = find_slot(v.doc, &v.doc->indices[index - 1], key, map_hash(key))->member;
        return m ? (struct json){v.doc, m} : JSON_NOTHING;
    }
    struct json found = JSON_NOTHING;
    for (struct json m = json_first(v); m.doc; m = json_next(m))
        if (span_eq(node_key(m.doc, m.node), key))
            found = m;
    return found;
}

struct json json_get(struct json v, const char *key)
{
    return json_get_span(v, span_str(key));
}

struct json json_path(struct json v, ...)
{
    va_list keys;
    va_start(keys, v);
    for (const char *key = va_arg(keys, const char *); key; key = va_arg(keys, const char *))
        v = json_get(v, key);
    va_end(keys);
    return v;
}

bool json_duplicate(struct json root, size_t *offset, struct span *key)
{
    if (!root.doc || !root.doc->duplicate)
        return false;
    *offset = node_at(root.doc, root.doc->duplicate)->start;
    *key = node_key(root.doc, root.doc->duplicate + 1);
    return true;
}

struct span json_text(struct json v)
{
    const struct node *n = node_of(v);
    return n ? span_sub(v.doc->text, n->start, n->end - n->start) : SPAN_EMPTY;
}

bool json_bool(struct json v, bool *out)
{
    enum json_type t = json_type(v);
    if (t != JSON_TRUE && t != JSON_FALSE)
        return false;
    *out = t == JSON_TRUE;
    return true;
}

bool json_u64(struct json v, uint64_t *out)
{
    return json_type(v) == JSON_NUMBER && text_u64(json_text(v), out);
}

bool json_i64(struct json v, int64_t *out)
{
    struct span s = json_text(v);
    uint64_t magnitude;
    bool negative = s.n && s.p[0] == '-';
    if (json_type(v) != JSON_NUMBER || !text_u64(span_sub(s, negative, s.n), &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    /* Negated as unsigned: the magnitude of INT64_MIN has no positive twin. */
    *out = negative ? (int64_t)(~magnitude + 1) : (int64_t)magnitude;
    return true;
}

bool json_double(struct json v, double *out)
{
    double d;
    if (json_type(v) != JSON_NUMBER || !text_to_double(json_text(v), &d) || !isfinite(d))
        return false;
    *out = d;
    return true;
}

static uint32_t hex4(const uint8_t *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

/* One escape that the parser accepted; returns its length. */
static size_t decode_escape(struct buf *out, const uint8_t *p)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *named = strchr(from, p[1]);
    if (p[1] != 'u') {
        buf_put_u8(out, named ? (uint8_t)to[named - from] : p[1]);
        return 2;
    }
    uint32_t unit = hex4(p + 2);
    if (unit < 0xD800 || unit > 0xDBFF) {
        utf8_put(out, unit);
        return 6;
    }
    utf8_put(out, 0x10000 + ((unit - 0xD800) << 10) + (hex4(p + 8) - 0xDC00));
    return 12;
}

bool node_decode(const struct json_doc *d, const struct node *n, struct span *out)
{
    struct span raw = between_quotes(d, n);
    /* Decoding never lengthens: the shortest escape has two bytes for one. */
    uint8_t *room = arena_alloc(d->arena, raw.n + 1);
    if (!room)
        return false;
    struct buf b = {.p = room, .cap = raw.n + 1, .max = raw.n};
    for (size_t i = 0; i < raw.n;) {
        if (raw.p[i] == '\\')
            i += decode_escape(&b, raw.p + i);
        else
            buf_put_u8(&b, raw.p[i++]);
    }
    *out = buf_span(&b);
    return buf_ok(&b);
}

bool json_string(struct json v, struct span *out)
{
    const struct node *n = node_of(v);
    if (json_type(v) != JSON_STRING)
        return false;
    if (n->tag & NODE_ESCAPED)
        return node_decode(v.doc, n, out);
    *out = between_quotes(v.doc, n);
    return true;
}
