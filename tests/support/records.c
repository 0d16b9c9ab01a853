/* Values are chosen by type, so a member added to the table is tested at once. */
#include "support/records.h"

#include <string.h>

#include "record/table.h"

static void put_object(struct buf *b, const struct shape *s, bool every_member);

static void put_value(struct buf *b, const struct member *m, bool every_member)
{
    static const char *const by_type[MEMBER_TYPES] = {
        [MEMBER_COUNT] = "9007199254740991",
        [MEMBER_INTEGER] = "-1",
        [MEMBER_BOOL] = "true",
        [MEMBER_STRING] = "\"a\\u001f\\n\\\"\\\\/\xC3\xA9\xF0\x9F\x99\x82\x7F\"",
        [MEMBER_DECIMAL] = "\"-0.5e+3\"",
        [MEMBER_FIELD] = "\"prompt.0\"",
        [MEMBER_ID] = "\"000102030405060708090a0b0c0d0e0f\"",
        [MEMBER_DIGEST] = "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"",
    };
    if (m->type == MEMBER_OBJECT)
        put_object(b, m->shape, every_member);
    else if (m->type == MEMBER_WORD)
        buf_printf(b, "\"%s\"", m->words[0]);
    else if (m->type == MEMBER_SIGNATURE)
        buf_printf(b, "\"%0128d\"", 7);
    else
        buf_put_str(b, by_type[m->type]);
}

static void put_object(struct buf *b, const struct shape *s, bool every_member)
{
    bool any = false;
    buf_put_u8(b, '{');
    for (size_t i = 0; i < s->count; i++) {
        const struct member *m = &s->members[i];
        if (!m->required && !every_member)
            continue;
        buf_printf(b, "%s\"%s\":%s", any ? "," : "", m->name, m->list ? "[" : "");
        any = true;
        put_value(b, m, every_member);
        if (m->list && every_member) {
            buf_put_u8(b, ',');
            put_value(b, m, every_member);
        }
        if (m->list)
            buf_put_u8(b, ']');
    }
    buf_put_u8(b, '}');
}

void record_body(struct buf *out, enum record_kind k, bool every_member)
{
    put_object(out, &record_kinds[k], every_member);
}

void record_leaf(struct buf *out, enum record_kind k, bool every_member, size_t fields)
{
    static const char *const names[] = {"answer", "parameters", "prompt", "tools"};
    struct record_field f[4];
    struct record_head h = {.kind = k,
                            .seq = 1234567,
                            .id = {0xde, 0xad, 0xbe, 0xef},
                            .wall_us = UINT64_C(1795471200000000),
                            .boot_us = 86400000000,
                            .boot_id = {1, 2, 3},
                            .has_subject = every_member,
                            .subject = {0xff, 0xee}};
    struct buf body;
    struct err e = ERR_INIT;
    buf_init(&body, RECORD_MAX);
    record_body(&body, k, every_member);
    for (size_t i = 0; i < fields && i < 4; i++) {
        f[i] = (struct record_field){.name = span_str(names[i]), .size = 4096 + 64 * i};
        f[i].commitment = sha256_of(f[i].name);
        f[i].ciphertext = sha256_of(buf_span(&body));
    }
    if (!record_encode(out, &h, buf_span(&body), f, fields, &e))
        buf_printf(out, "REFUSED: %s", e.text);
    buf_free(&body);
}
