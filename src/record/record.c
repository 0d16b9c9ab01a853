/*
 * Encoding and decoding of leaves. The encoder writes and then asks the same
 * scanner that decoding asks, so neither can know a form that the other does
 * not; only what the scanner accepted leaves this module.
 */
#include "assay/record.h"

#include <stdlib.h>
#include <string.h>

#include "record/canonical.h"
#include "record/scan.h"

enum { ID_BYTES = 16, BODY_MAX = 2 * RECORD_MAX, ENVELOPE = 512, FIELD = 256 };

const char *record_kind_name(enum record_kind k)
{
    return (unsigned)k < RECORD_KINDS ? record_kinds[k].name : "?";
}

bool record_kind_from(struct span name, enum record_kind *out)
{
    for (unsigned k = 0; k < RECORD_KINDS; k++)
        if (span_is(name, record_kinds[k].name)) {
            *out = (enum record_kind)k;
            return true;
        }
    return false;
}

static bool is_word_of(const struct member *m, struct span word)
{
    if (strcmp(m->name, "outcome") != 0 && strcmp(m->name, "result") != 0)
        return false;
    for (const char *const *w = m->words; w && *w; w++)
        if (span_is(word, *w))
            return true;
    return false;
}

bool record_is_outcome(struct span word)
{
    for (unsigned k = 0; k < RECORD_KINDS; k++)
        for (size_t i = 0; i < record_kinds[k].count; i++)
            if (is_word_of(&record_kinds[k].members[i], word))
                return true;
    return false;
}

struct digest record_hash(struct span leaf)
{
    return merkle_leaf(leaf);
}

void record_prefix_add(struct digest *chain, const struct digest *window)
{
    static const char domain[] = "assay/call-prefix/v1"; /* the NUL ends it */
    const struct span parts[] = {{(const uint8_t *)domain, sizeof domain},
                                 {chain->b, DIGEST_SIZE},
                                 {window->b, DIGEST_SIZE}};
    *chain = sha256_of_parts(parts, 3);
}

void record_key_message(struct buf *out, struct span origin, uint64_t seq, struct span old_key,
                        struct span new_key)
{
    buf_put_str(out, "assay/key-rotation/v1\n");
    buf_put_span(out, origin);
    buf_printf(out, "\n%llu\n", (unsigned long long)seq);
    buf_put_span(out, old_key);
    buf_put_u8(out, '\n');
    buf_put_span(out, new_key);
    buf_put_u8(out, '\n');
}

/* ---- encoding ---- */

/* In one piece: a leaf of a call is half hexadecimal. */
static void put_hex(struct buf *b, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t text[2 * DIGEST_SIZE + 2] = {'"'};
    size_t at = 1;
    for (size_t i = 0; i < n && i < DIGEST_SIZE; i++) {
        text[at++] = (uint8_t)digits[p[i] >> 4];
        text[at++] = (uint8_t)digits[p[i] & 15];
    }
    text[at++] = '"';
    buf_put(b, text, at);
}

/* By hand: printf took as long as the hashing of the leaf. */
static void put_number(struct buf *b, uint64_t v)
{
    uint8_t text[20];
    size_t at = sizeof text;
    do
        text[--at] = (uint8_t)('0' + v % 10);
    while (v /= 10);
    buf_put(b, text + at, sizeof text - at);
}

static int by_name(const void *a, const void *b)
{
    const struct record_field *x = a, *y = b;
    return span_cmp(x->name, y->name);
}

static void put_fields(struct buf *b, const struct record_field *fields, size_t count)
{
    struct record_field sorted[RECORD_MAX_FIELDS];
    memcpy(sorted, fields, count * sizeof *fields);
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i++) {
        buf_put_str(b, i ? ",{\"ciphertext\":" : ",\"sealed\":[{\"ciphertext\":");
        put_hex(b, sorted[i].ciphertext.b, DIGEST_SIZE);
        buf_put_str(b, ",\"commitment\":");
        put_hex(b, sorted[i].commitment.b, DIGEST_SIZE);
        buf_put_str(b, ",\"field\":\"");
        buf_put_span(b, sorted[i].name);
        buf_put_str(b, "\",\"size\":");
        put_number(b, sorted[i].size);
        buf_put_u8(b, '}');
    }
    buf_put_str(b, "]");
}

static void put_leaf(struct buf *b, const struct record_head *h, struct span body,
                     const struct record_field *fields, size_t field_count)
{
    buf_put_str(b, "{\"assay\":1,\"boot_id\":");
    put_hex(b, h->boot_id, ID_BYTES);
    buf_put_str(b, ",\"boot_us\":");
    put_number(b, h->boot_us);
    buf_put_str(b, ",\"id\":");
    put_hex(b, h->id, ID_BYTES);
    buf_put_str(b, ",\"kind\":\"");
    buf_put_str(b, record_kind_name(h->kind));
    buf_put_str(b, "\",\"record\":");
    buf_put_span(b, body);
    if (field_count)
        put_fields(b, fields, field_count);
    buf_put_str(b, ",\"seq\":");
    put_number(b, h->seq);
    if (h->has_subject) {
        buf_put_str(b, ",\"subject\":");
        put_hex(b, h->subject, ID_BYTES);
    }
    buf_put_str(b, ",\"wall_us\":");
    put_number(b, h->wall_us);
    buf_put_u8(b, '}');
}

/* Put the leaf and judge it. The body found must be the body given: text that
 * closes its own object and goes on would otherwise write the envelope. */
static bool put_checked(struct buf *b, const struct record_head *h, struct span body,
                        const struct record_field *fields, size_t field_count, struct err *e)
{
    struct leaf_values v;
    buf_clear(b);
    put_leaf(b, h, body, fields, field_count);
    if (!buf_ok(b))
        return body.n < RECORD_MAX
                   ? err_set(e, ERR_MEMORY, "out of memory for a leaf")
                   : err_set(e, ERR_LIMIT, "a leaf has at most %d bytes", RECORD_MAX);
    if (!record_scan(&v, buf_span(b), e))
        return false;
    return (v.at[AT_RECORD].n == body.n && v.sealed_count == field_count) ||
           err_set(e, ERR_FORMAT, "the record's members are not one JSON object");
}

/* Callers that write members in order are spared the tree. */
static bool put_any(struct buf *b, const struct record_head *h, struct span body,
                    const struct record_field *fields, size_t field_count, struct err *e)
{
    struct buf canonical;
    if (put_checked(b, h, body, fields, field_count, NULL))
        return true;
    buf_init(&canonical, BODY_MAX);
    bool ok = record_canonical(&canonical, body, e) &&
              put_checked(b, h, buf_span(&canonical), fields, field_count, e);
    buf_free(&canonical);
    return ok;
}

bool record_encode(struct buf *leaf, const struct record_head *h, struct span body,
                   const struct record_field *fields, size_t field_count, struct err *e)
{
    struct buf b;
    if ((unsigned)h->kind >= RECORD_KINDS)
        return err_set(e, ERR_USAGE, "a record needs a kind");
    if (field_count > RECORD_MAX_FIELDS)
        return err_set(e, ERR_LIMIT, "a record has at most %d sealed fields", RECORD_MAX_FIELDS);
    buf_init(&b, BODY_MAX + RECORD_MAX);
    if (body.n < RECORD_MAX && buf_add(&b, body.n + ENVELOPE + field_count * FIELD)) /* at once */
        buf_clear(&b);
    bool ok = put_any(&b, h, body, fields, field_count, e);
    if (ok) {
        buf_put_span(leaf, buf_span(&b));
        ok = buf_ok(leaf) || err_set(e, ERR_MEMORY, "no room for a leaf of %zu bytes", b.n);
    }
    buf_free(&b);
    return ok;
}

/* ---- decoding: of values that the scanner accepted ---- */

static uint64_t number(struct span s)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++)
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    return v;
}

static void unhex(uint8_t *out, struct span s)
{
    for (size_t i = 0; i < s.n / 2; i++) {
        unsigned high = s.p[2 * i], low = s.p[2 * i + 1];
        out[i] = (uint8_t)((high - (high > '9' ? 'a' - 10 : '0')) << 4 |
                           (low - (low > '9' ? 'a' - 10 : '0')));
    }
}

static void read_head(struct record_head *h, const struct leaf_values *v)
{
    *h = (struct record_head){.kind = v->kind,
                              .seq = number(v->at[AT_SEQ]),
                              .wall_us = number(v->at[AT_WALL_US]),
                              .boot_us = number(v->at[AT_BOOT_US])};
    unhex(h->id, v->at[AT_ID]);
    unhex(h->boot_id, v->at[AT_BOOT_ID]);
    if (v->at[AT_SUBJECT].p) {
        h->has_subject = true;
        unhex(h->subject, v->at[AT_SUBJECT]);
    }
}

bool record_check(struct record_head *out, struct span *body, struct span leaf, struct err *e)
{
    struct leaf_values v;
    if (!record_scan(&v, leaf, e))
        return false;
    read_head(out, &v);
    if (body)
        *body = v.at[AT_RECORD];
    return true;
}

bool record_decode(struct record *out, struct span leaf, struct arena *a, struct err *e)
{
    struct leaf_values v;
    if (!record_scan(&v, leaf, e))
        return false;
    *out = (struct record){.leaf = leaf, .field_count = v.sealed_count};
    read_head(&out->head, &v);
    if (v.sealed_count) {
        out->fields = arena_array(a, v.sealed_count, sizeof *out->fields);
        if (!out->fields)
            return err_set(e, ERR_MEMORY, "out of memory for a record's fields");
    }
    for (size_t i = 0; i < v.sealed_count; i++) {
        const struct span *at = v.sealed[i].at;
        struct record_field *f = &out->fields[i];
        f->name = at[AT_FIELD];
        f->size = number(at[AT_SIZE]);
        unhex(f->commitment.b, at[AT_COMMITMENT]);
        unhex(f->ciphertext.b, at[AT_CIPHERTEXT]);
    }
    return json_parse(&out->body, v.at[AT_RECORD], JSON_STRICT, a, e);
}
