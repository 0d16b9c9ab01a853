/*
 * One tensor entry of a safetensors header. What the reference implementation
 * takes and what its README allows differ in places (an entry written as an
 * array, a type written as an object, unknown fields), so each has its rule.
 */
#include "model/safetensors.h"

#include "assay/base/text.h"

enum { SHOWN = 128 };

/* What is known of an entry while its fields are met. */
struct fields {
    struct json member;
    struct json dtype, shape, offsets;
};

/* ---- names ---- */

static bool plain_ascii(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e)
            return false;
    return true;
}

void entry_check_name(struct header *h, struct span name, size_t from, size_t to)
{
    char shown[SHOWN];
    if (!name.n) {
        header_note(h, from, to, RULE_ST_NAME, "a name is empty");
        return;
    }
    if (plain_ascii(name))
        return;
    for (size_t i = 0; i < name.n;) {
        uint32_t c = utf8_next(name, &i);
        if (c < 0x20 || c == 0x7f || unicode_is_hidden(c)) {
            header_note(h, from, to, RULE_ST_NAME, "the name \"%s\" holds U+%04X",
                        text_shown(shown, sizeof shown, name), (unsigned)c);
            return;
        }
    }
}

/* ---- fields ---- */

static const struct {
    const char *key;
    size_t place; /* in struct fields; the order is that of the positional form */
} known[] = {
    {"dtype", offsetof(struct fields, dtype)},
    {"shape", offsetof(struct fields, shape)},
    {"data_offsets", offsetof(struct fields, offsets)},
};

enum { FIELDS = sizeof known / sizeof *known };

static struct json *field_at(struct fields *f, size_t i)
{
    return (struct json *)(void *)((char *)f + known[i].place);
}

static bool refuse(struct header *h, struct json v, enum rule_id rule, struct json member,
                   const char *what)
{
    char name[SHOWN];
    header_note(h, json_offset(v), json_end(v), rule, "tensor \"%s\": %s, found %s",
                text_shown(name, sizeof name, json_key(member)), what,
                json_type_name(json_type(v)));
    return false;
}

/* A value nobody asked for is still read by the reference: a number beyond
 * double or nesting beyond its limit makes it refuse. */
static bool readable(struct json v, unsigned depth)
{
    double d;
    if (json_type(v) == JSON_NUMBER)
        return json_double(v, &d);
    if (json_type(v) != JSON_ARRAY && json_type(v) != JSON_OBJECT)
        return true;
    if (depth >= SAFETENSORS_DEPTH)
        return false;
    for (struct json i = json_first(v); json_type(i); i = json_next(i))
        if (!readable(i, depth + 1))
            return false;
    return true;
}

static void note_unknown(struct header *h, struct json field, struct json member)
{
    char key[SHOWN], name[SHOWN];
    header_note(h, json_key_offset(field), json_end(field), RULE_ST_FIELD,
                "tensor \"%s\" has the unknown field \"%s\"",
                text_shown(name, sizeof name, json_key(member)),
                text_shown(key, sizeof key, json_key(field)));
    if (!readable(field, 2))
        refuse(h, field, RULE_ST_JSON, member,
               "expected numbers within double's range and at most 127 levels");
}

static bool read_object(struct header *h, struct json v, struct fields *f)
{
    bool ok = true;
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        size_t i = 0;
        while (i < FIELDS && !span_is(json_key(m), known[i].key))
            i++;
        if (i == FIELDS)
            note_unknown(h, m, f->member);
        else if (field_at(f, i)->doc)
            ok = refuse(h, m, RULE_ST_ENTRY, f->member, "expected each field once");
        else
            *field_at(f, i) = m;
    }
    for (size_t i = 0; i < FIELDS && ok; i++)
        if (!field_at(f, i)->doc)
            ok = refuse(h, v, RULE_ST_ENTRY, f->member,
                        "expected the fields dtype, shape and data_offsets");
    return ok;
}

/* serde also takes a struct's fields as an array in their order. */
static bool read_positional(struct header *h, struct json v, struct fields *f)
{
    if (json_count(v) != FIELDS)
        return refuse(h, v, RULE_ST_ENTRY, f->member, "expected an object");
    header_note(h, json_offset(v), json_end(v), RULE_ST_FORM,
                "an entry is written as an array; the format says an object");
    for (size_t i = 0; i < FIELDS; i++)
        *field_at(f, i) = json_at(v, i);
    return true;
}

static bool read_fields(struct header *h, struct fields *f)
{
    if (json_type(f->member) == JSON_OBJECT)
        return read_object(h, f->member, f);
    if (json_type(f->member) == JSON_ARRAY)
        return read_positional(h, f->member, f);
    return refuse(h, f->member, RULE_ST_ENTRY, f->member, "expected an object");
}

/* ---- dtype ---- */

/* An unknown type leaves shape and place known: the tensor is still listed. */
static bool read_dtype(struct header *h, const struct fields *f, struct tensor *t)
{
    struct json v = f->dtype, inner = json_first(v);
    struct span name = SPAN_EMPTY;
    t->dtype = DTYPE_NONE;
    if (json_type(v) == JSON_OBJECT && json_count(v) == 1 && json_type(inner) == JSON_NULL) {
        header_note(h, json_offset(v), json_end(v), RULE_ST_FORM,
                    "a type is written as an object; the format says a string");
        name = json_key(inner);
    } else if (json_type(v) != JSON_STRING) {
        return refuse(h, v, RULE_ST_ENTRY, f->member, "expected a type's name as a string");
    } else if (!json_string(v, &name)) {
        h->no_memory = true;
        return false;
    }
    t->dtype = dtype_from_safetensors(name);
    if (t->dtype == DTYPE_NONE) {
        char type[SHOWN], shown[SHOWN];
        header_note(h, json_offset(v), json_end(v), RULE_ST_DTYPE,
                    "tensor \"%s\" has the type \"%s\", which is none of the 22 of the format",
                    text_shown(shown, sizeof shown, t->name), text_shown(type, sizeof type, name));
    }
    return true;
}

/* ---- shape and offsets ---- */

/* The product is taken from the left, as the reference does: 2^63 x 4 x 0
 * overflows for it and 0 x 2^63 x 4 does not. */
static bool read_shape(struct header *h, const struct fields *f, struct entry *out)
{
    uint64_t elements = 1;
    if (json_type(f->shape) != JSON_ARRAY)
        return refuse(h, f->shape, RULE_ST_SHAPE, f->member, "expected an array of sizes");
    for (struct json i = json_first(f->shape); json_type(i); i = json_next(i), out->rank++) {
        uint64_t size;
        if (!json_u64(i, &size))
            return refuse(h, i, RULE_ST_SHAPE, f->member,
                          "expected a size as an integer from 0 to 2^64-1");
        if (out->rank < MODEL_MAX_RANK)
            out->t.shape[out->rank] = size;
        out->overflow = out->overflow || !size_mul(&elements, elements, size);
    }
    out->t.elements = elements;
    out->t.rank = out->rank <= MODEL_MAX_RANK ? (uint32_t)out->rank : 0;
    return true;
}

static bool read_offsets(struct header *h, const struct fields *f, struct entry *out)
{
    struct json v = f->offsets;
    if (json_type(v) != JSON_ARRAY || json_count(v) != 2 || !json_u64(json_at(v, 0), &out->begin) ||
        !json_u64(json_at(v, 1), &out->end))
        return refuse(h, v, RULE_ST_OFFSETS, f->member,
                      "expected [begin, end] as integers from 0 to 2^64-1");
    return true;
}

bool entry_read(struct header *h, struct json member, struct entry *out)
{
    struct fields f = {.member = member};
    size_t from = json_key_offset(member), to = json_end(member);
    *out = (struct entry){0};
    out->t.name = json_key(member);
    out->t.entry = (struct origin){h->file, SAFETENSORS_PREFIX + from, to - from};
    entry_check_name(h, out->t.name, from, to);
    if (!read_fields(h, &f))
        return false;
    /* All three are read, so that each fault is named. */
    bool typed = read_dtype(h, &f, &out->t);
    bool shaped = read_shape(h, &f, out);
    bool placed = read_offsets(h, &f, out);
    return typed && shaped && placed;
}

/* ---- what it says ---- */

static void note(struct header *h, const struct entry *e, enum rule_id rule, const char *what,
                 uint64_t a, uint64_t b)
{
    char name[SHOWN];
    model_note(h->m, h->file, e->t.entry.offset, e->t.entry.length, rule,
               "tensor \"%s\": %s (%llu and %llu)", text_shown(name, sizeof name, e->t.name), what,
               (unsigned long long)a, (unsigned long long)b);
}

/* Type and shape must fill whole bytes, and exactly those between the offsets. */
static void check_size(struct header *h, const struct entry *e)
{
    const struct tensor *t = &e->t;
    uint64_t bits, length = e->end - e->begin;
    if (t->dtype == DTYPE_NONE)
        return;
    uint64_t each = 8 * (uint64_t)dtypes[t->dtype].bytes / dtypes[t->dtype].block;
    if (!size_mul(&bits, t->elements, each))
        note(h, e, RULE_ST_SHAPE, "elements times bits of one are more than 2^64", t->elements,
             each);
    else if (bits % 8)
        note(h, e, RULE_ST_BITS, "elements of so many bits do not fill whole bytes", t->elements,
             each);
    else if (bits / 8 != length)
        note(h, e, RULE_ST_SIZE, "bytes that type and shape take, and bytes between the offsets",
             bits / 8, length);
}

bool entry_check(struct header *h, struct entry *e)
{
    uint64_t last;
    if (e->overflow)
        note(h, e, RULE_ST_SHAPE, "the sizes' product is more than 2^64; first and second size",
             e->t.shape[0], e->t.shape[1]);
    bool range = e->end >= e->begin && size_add(&last, e->end, h->data);
    if (!range)
        note(h, e, RULE_ST_OFFSETS, "expected an end that is not before begin, within 2^64",
             e->begin, e->end);
    if (e->overflow || !range)
        return false;
    check_size(h, e);
    e->t.data = (struct origin){h->file, h->data + e->begin, e->end - e->begin};
    if (e->rank > MODEL_MAX_RANK) {
        note(h, e, RULE_ST_RANK, "dimensions, and dimensions that are read", e->rank,
             MODEL_MAX_RANK);
        h->unread++;
        model_incomplete(h->m, h->file);
    }
    return true;
}
