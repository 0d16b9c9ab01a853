/*
 * The scanner walks the leaf and the table together: members stand in the same
 * order in both, so a name is compared with the next one expected and nothing
 * is looked up. Text that differs from the canonical form anywhere, be it a
 * space or an escape that was not needed, has no path through it.
 */
#include "record/scan.h"

#include <string.h>

#include "assay/base/text.h"

struct scan {
    const uint8_t *p;
    size_t pos, end;
    struct err *e;
    const char *shape, *member; /* where we are, for messages */
    struct leaf_values *out;
};

static bool fail(struct scan *s, const char *expected)
{
    return err_at(s->e, ERR_FORMAT, NULL, s->pos, "leaf, %s.%s: expected %s", s->shape, s->member,
                  expected);
}

static bool take(struct scan *s, uint8_t c)
{
    if (s->pos == s->end || s->p[s->pos] != c)
        return false;
    s->pos++;
    return true;
}

static struct span since(const struct scan *s, size_t from)
{
    return (struct span){s->p + from, s->pos - from};
}

/* ---- strings ---- */

/* RFC 8785 section 3.2.2.2: the short escapes where there is one, \u00xx for other controls. */
static size_t escape_length(const uint8_t *p, size_t n)
{
    if (n >= 2 && p[1] && strchr("\"\\bfnrt", p[1]))
        return 2;
    if (n < 6 || memcmp(p, "\\u00", 4) != 0 || (p[4] != '0' && p[4] != '1'))
        return 0;
    bool digit = p[5] >= '0' && p[5] <= '9', letter = p[5] >= 'a' && p[5] <= 'f';
    bool has_short = p[4] == '0' && strchr("89acd", p[5]);
    return (digit || letter) && !has_short ? 6 : 0;
}

static bool text_value(struct scan *s, struct span *value)
{
    if (!take(s, '"'))
        return fail(s, "a string");
    size_t from = s->pos;
    while (s->pos < s->end) {
        uint8_t c = s->p[s->pos];
        size_t n = 1;
        if (c == '"') {
            *value = since(s, from);
            s->pos++;
            return true;
        }
        if (c == '\\')
            n = escape_length(s->p + s->pos, s->end - s->pos);
        else if (c >= 0x80)
            n = utf8_length(s->p + s->pos, s->end - s->pos);
        else if (c < 0x20)
            n = 0;
        if (n == 0)
            return fail(s, "UTF-8, escaped only where it must be and then in the shortest way");
        s->pos += n;
    }
    return fail(s, "the end of a string");
}

/* Lower-case digits only; the sum of misses is looked at once, so the loop has no branch. */
static bool hex_value(struct scan *s, struct span *value, size_t digits, const char *expected)
{
    unsigned bad = 0;
    if (s->end - s->pos < digits + 2 || s->p[s->pos] != '"' || s->p[s->pos + digits + 1] != '"')
        return fail(s, expected);
    const uint8_t *p = s->p + s->pos + 1;
    for (size_t i = 0; i < digits; i++)
        bad |= (unsigned)((uint8_t)(p[i] - '0') > 9) & (unsigned)((uint8_t)(p[i] - 'a') > 5);
    if (bad)
        return fail(s, expected);
    *value = (struct span){p, digits};
    s->pos += digits + 2;
    return true;
}

/* ---- values by type ---- */

static bool number_value(struct scan *s, struct span *value, bool may_be_negative)
{
    static const char *const expected[] = {"an integer from 0 to 9007199254740991",
                                           "an integer from -9007199254740991 to 9007199254740991"};
    size_t from = s->pos, digits;
    uint64_t v = 0;
    bool negative = may_be_negative && take(s, '-');
    for (digits = s->pos; s->pos < s->end && v <= RECORD_MAX_INTEGER; s->pos++) {
        unsigned d = (unsigned)s->p[s->pos] - '0';
        if (d > 9)
            break;
        v = v * 10 + d;
    }
    size_t n = s->pos - digits;
    bool leading_zero = n > 1 && s->p[digits] == '0';
    if (n == 0 || leading_zero || v > RECORD_MAX_INTEGER || (negative && v == 0)) {
        s->pos = from;
        return fail(s, expected[may_be_negative]);
    }
    *value = since(s, from);
    return true;
}

static bool value_count(struct scan *s, const struct member *m, struct span *value)
{
    (void)m;
    return number_value(s, value, false);
}

static bool value_integer(struct scan *s, const struct member *m, struct span *value)
{
    (void)m;
    return number_value(s, value, true);
}

static bool value_bool(struct scan *s, const struct member *m, struct span *value)
{
    (void)m;
    struct span rest = {s->p + s->pos, s->end - s->pos};
    size_t n = span_starts(rest, "true") ? 4 : span_starts(rest, "false") ? 5 : 0;
    if (!n)
        return fail(s, "true or false");
    *value = span_sub(rest, 0, n);
    s->pos += n;
    return true;
}

static bool value_string(struct scan *s, const struct member *m, struct span *value)
{
    (void)m;
    return text_value(s, value);
}

static size_t digits_at(struct span t, size_t i)
{
    size_t n = 0;
    while (i + n < t.n && t.p[i + n] >= '0' && t.p[i + n] <= '9')
        n++;
    return n;
}

/* RFC 8259 section 6. */
static bool is_decimal(struct span t)
{
    size_t i = t.n && t.p[0] == '-', n = digits_at(t, i);
    if (n == 0 || (n > 1 && t.p[i] == '0'))
        return false;
    i += n;
    if (i < t.n && t.p[i] == '.') {
        n = digits_at(t, i + 1);
        if (n == 0)
            return false;
        i += n + 1;
    }
    if (i < t.n && (t.p[i] == 'e' || t.p[i] == 'E')) {
        i++;
        i += i < t.n && (t.p[i] == '+' || t.p[i] == '-');
        n = digits_at(t, i);
        if (n == 0)
            return false;
        i += n;
    }
    return i == t.n;
}

static bool value_decimal(struct scan *s, const struct member *m, struct span *value)
{
    (void)m;
    return text_value(s, value) && (is_decimal(*value) || fail(s, "a decimal number in a string"));
}

static bool value_field(struct scan *s, const struct member *m, struct span *value)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    (void)m;
    if (!text_value(s, value))
        return false;
    bool ok = value->n > 0 && value->n <= RECORD_MAX_FIELD_NAME;
    for (size_t i = 0; ok && i < value->n; i++)
        ok = memchr(allowed, value->p[i], sizeof allowed - 1) != NULL;
    return ok || fail(s, "a field name: 1 to 64 of a-z 0-9 . _ -");
}

static bool value_id(struct scan *s, const struct member *m, struct span *value)
{
    (void)m;
    return hex_value(s, value, 32, "32 lower-case hexadecimal digits");
}

static bool value_digest(struct scan *s, const struct member *m, struct span *value)
{
    (void)m;
    return hex_value(s, value, 64, "64 lower-case hexadecimal digits");
}

static bool value_signature(struct scan *s, const struct member *m, struct span *value)
{
    (void)m;
    return hex_value(s, value, 128, "128 lower-case hexadecimal digits");
}

/* A word or kind that this version does not know is a newer program's. */
static bool unknown(struct scan *s, const char *what, struct span name)
{
    char shown[80];
    return err_at(s->e, ERR_UNSUPPORTED, NULL, s->pos,
                  "leaf, %s.%s: %s \"%s\" is unknown to this version; read it with a newer one",
                  s->shape, s->member, what, text_shown(shown, sizeof shown, name));
}

static bool value_word(struct scan *s, const struct member *m, struct span *value)
{
    if (!text_value(s, value))
        return false;
    for (const char *const *w = m->words; *w; w++)
        if (span_is(*value, *w))
            return true;
    return unknown(s, "the word", *value);
}

static bool value_kind(struct scan *s, const struct member *m, struct span *value)
{
    (void)m;
    if (!text_value(s, value))
        return false;
    return record_kind_from(*value, &s->out->kind) || unknown(s, "the kind", *value);
}

/* ---- objects ---- */

static bool value_of(struct scan *s, const struct member *m, struct span *value);

static bool missing(struct scan *s, const struct member *m)
{
    s->member = m->name;
    return fail(s, "this member, which every leaf of the kind has");
}

/* A name that is not the next one of the table: known means out of its place. */
static bool bad_name(struct scan *s, const struct shape *shape, struct span name)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (!span_is(name, shape->members[i].name))
            continue;
        s->member = shape->members[i].name;
        return fail(s, "each member once, in bytewise order of their names");
    }
    s->member = "*";
    return unknown(s, "the member", name);
}

/* The member that the name at pos, its quotes and its colon stand for. */
static bool take_name(struct scan *s, const struct shape *shape, size_t *next)
{
    for (size_t i = *next; i < shape->count; i++) {
        const struct member *m = &shape->members[i];
        const uint8_t *at = s->p + s->pos;
        size_t n = m->length;
        if (s->end - s->pos > n + 2 && at[0] == '"' && at[n + 1] == '"' &&
            memcmp(at + 1, m->name, n) == 0) {
            s->pos += n + 2;
            s->member = m->name;
            *next = i + 1;
            return take(s, ':') || fail(s, "a colon and no space");
        }
        if (m->required)
            break;
    }
    struct span name;
    size_t from = s->pos;
    s->member = *next < shape->count ? shape->members[*next].name : "*";
    if (!text_value(s, &name))
        return false;
    s->pos = from;
    for (size_t i = *next; i < shape->count && span_cmp(span_str(shape->members[i].name), name) < 0;
         i++)
        if (shape->members[i].required)
            return missing(s, &shape->members[i]);
    return bad_name(s, shape, name);
}

static bool members_until_end(struct scan *s, const struct shape *shape, struct span *values)
{
    size_t next = 0;
    while (!take(s, '}')) {
        struct span ignored;
        if (next && !take(s, ','))
            return fail(s, "a comma or the end of the object");
        if (!take_name(s, shape, &next))
            return false;
        if (!value_of(s, &shape->members[next - 1], values ? &values[next - 1] : &ignored))
            return false;
        s->shape = shape->name;
    }
    for (; next < shape->count; next++)
        if (shape->members[next].required)
            return missing(s, &shape->members[next]);
    return true;
}

static bool object(struct scan *s, const struct shape *shape, struct span *values,
                   struct span *value)
{
    size_t from = s->pos;
    if (!take(s, '{'))
        return fail(s, "an object");
    s->shape = shape->name;
    if (!members_until_end(s, shape, values))
        return false;
    *value = since(s, from);
    return true;
}

static bool value_object(struct scan *s, const struct member *m, struct span *value)
{
    return object(s, m->shape, NULL, value);
}

static bool value_body(struct scan *s, const struct member *m, struct span *value)
{
    (void)m;
    return object(s, &record_kinds[s->out->kind], NULL, value);
}

/* Items are counted by the caller's function; an array of nothing is `[]`. */
static bool value_list(struct scan *s, const struct member *m, struct span *value,
                       bool (*item)(struct scan *, const struct member *, struct span *))
{
    size_t from = s->pos;
    struct span ignored;
    const char *shape = s->shape;
    if (!take(s, '['))
        return fail(s, "an array");
    if (!take(s, ']')) {
        do {
            if (!item(s, m, &ignored))
                return false;
            s->shape = shape;
            s->member = m->name;
        } while (take(s, ','));
        if (!take(s, ']'))
            return fail(s, "a comma or the end of the array");
    }
    *value = since(s, from);
    return true;
}

static bool sealed_item(struct scan *s, const struct member *m, struct span *value)
{
    (void)m;
    size_t n = s->out->sealed_count;
    if (n == RECORD_MAX_FIELDS)
        return err_at(s->e, ERR_LIMIT, NULL, s->pos, "leaf: more than %d sealed fields",
                      RECORD_MAX_FIELDS);
    if (!object(s, &record_sealed, s->out->sealed[n].at, value))
        return false;
    if (n && span_cmp(s->out->sealed[n - 1].at[AT_FIELD], s->out->sealed[n].at[AT_FIELD]) >= 0)
        return fail(s, "sealed fields once each, in bytewise order of their names");
    s->out->sealed_count++;
    return true;
}

static bool value_sealed(struct scan *s, const struct member *m, struct span *value)
{
    return value_list(s, m, value, sealed_item) &&
           (s->out->sealed_count > 0 || fail(s, "no member without sealed fields"));
}

static bool value_of(struct scan *s, const struct member *m, struct span *value)
{
    static bool (*const by_type[MEMBER_TYPES])(struct scan *, const struct member *,
                                               struct span *) = {
        [MEMBER_COUNT] = value_count,
        [MEMBER_INTEGER] = value_integer,
        [MEMBER_BOOL] = value_bool,
        [MEMBER_STRING] = value_string,
        [MEMBER_DECIMAL] = value_decimal,
        [MEMBER_FIELD] = value_field,
        [MEMBER_ID] = value_id,
        [MEMBER_DIGEST] = value_digest,
        [MEMBER_SIGNATURE] = value_signature,
        [MEMBER_WORD] = value_word,
        [MEMBER_OBJECT] = value_object,
        [MEMBER_KIND] = value_kind,
        [MEMBER_BODY] = value_body,
        [MEMBER_SEALED] = value_sealed,
    };
    return m->list ? value_list(s, m, value, by_type[m->type]) : by_type[m->type](s, m, value);
}

/* A version of the format that is not ours is said before anything else is judged. */
static bool version_known(struct scan *s)
{
    static const char prefix[] = "{\"assay\":1,";
    struct span ignored, leaf = {s->p, s->end};
    if (span_starts(leaf, prefix))
        return true;
    s->member = "assay";
    if (!span_starts(leaf, "{\"assay\":"))
        return fail(s, "a leaf to begin with {\"assay\":1,");
    s->pos = sizeof prefix - 3;
    if (!number_value(s, &ignored, false))
        return false;
    return span_is(ignored, "1") ? fail(s, "a comma") : unknown(s, "the version", ignored);
}

bool record_scan(struct leaf_values *out, struct span leaf, struct err *e)
{
    struct scan s = {.p = leaf.p, .end = leaf.n, .e = e, .shape = "leaf", .out = out};
    struct span all;
    memset(out->at, 0, sizeof out->at);
    out->kind = RECORD_KINDS;
    out->sealed_count = 0;
    if (leaf.n > RECORD_MAX)
        return err_at(e, ERR_LIMIT, NULL, RECORD_MAX, "a leaf of %zu bytes: at most %d are allowed",
                      leaf.n, RECORD_MAX);
    if (!version_known(&s) || !object(&s, &record_envelope, out->at, &all))
        return false;
    s.member = "*";
    return s.pos == s.end || fail(&s, "the leaf to end with its object");
}
