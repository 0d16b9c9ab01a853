/* Leaves: one canonical form, and nothing else is accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assay/record.h"
#include "record/canonical.h"
#include "record/table.h"
#include "support/records.h"

static const struct record_head head = {.kind = RECORD_STOP, .seq = 3, .wall_us = 1, .boot_us = 2};
#define STOP "{\"reason\":\"shutdown\",\"software\":\"assay 1\"}"
#define ZERO_ID "\"00000000000000000000000000000000\""
#define BEFORE                                                                                     \
    "{\"assay\":1,\"boot_id\":" ZERO_ID ",\"boot_us\":2,\"id\":" ZERO_ID                           \
    ",\"kind\":\"stop\",\"record\":"
#define AFTER ",\"seq\":3,\"wall_us\":1}"

static enum err_code encode(struct buf *out, const char *body)
{
    struct err e = ERR_INIT;
    buf_init(out, RECORD_MAX);
    if (record_encode(out, &head, span_str(body), NULL, 0, &e))
        return ERR_NONE;
    assert_true(e.text[0]);
    return e.code;
}

static enum err_code check(struct span leaf)
{
    struct record_head h;
    struct err e = ERR_INIT;
    return record_check(&h, NULL, leaf, &e) ? ERR_NONE : e.code;
}

static void record_is_written_byte_for_byte(void **state)
{
    (void)state;
    struct buf b;
    assert_int_equal(encode(&b, STOP), ERR_NONE);
    assert_string_equal(buf_cstr(&b), BEFORE STOP AFTER);
    buf_free(&b);
}

static void record_makes_any_order_and_space_canonical(void **state)
{
    (void)state;
    struct buf b;
    assert_int_equal(
        encode(&b, " { \"software\" : \"\\u0061ssay 1\",\n\"reason\":\"shut\\u0064own\"} "),
        ERR_NONE);
    assert_string_equal(buf_cstr(&b), BEFORE STOP AFTER);
    buf_free(&b);
}

static void record_of_every_kind_decodes_to_itself(void **state)
{
    (void)state;
    for (unsigned k = 0; k < RECORD_KINDS; k++)
        for (unsigned every = 0; every < 2; every++) {
            struct buf b, again;
            struct record r;
            struct err e = ERR_INIT;
            struct arena *a = arena_new(1 << 20);
            buf_init(&b, RECORD_MAX);
            buf_init(&again, RECORD_MAX);
            record_leaf(&b, (enum record_kind)k, every, every * 3);
            assert_true(record_decode(&r, buf_span(&b), a, &e));
            assert_int_equal(r.head.kind, k);
            assert_int_equal(r.field_count, every * 3);
            assert_true(
                record_encode(&again, &r.head, json_text(r.body), r.fields, r.field_count, &e));
            assert_true(span_eq(buf_span(&b), buf_span(&again)));
            arena_free(a);
            buf_free(&again);
            buf_free(&b);
        }
}

static void record_refuses_every_prefix(void **state)
{
    (void)state;
    for (unsigned k = 0; k < RECORD_KINDS; k++) {
        struct buf b;
        buf_init(&b, RECORD_MAX);
        record_leaf(&b, (enum record_kind)k, true, 2);
        assert_int_equal(check(buf_span(&b)), ERR_NONE);
        for (size_t n = 0; n < b.n; n++) {
            /* A block of its own, so that a read beyond it is seen. */
            uint8_t *copy = malloc(n + !n);
            assert_non_null(copy);
            memcpy(copy, b.p, n);
            assert_int_not_equal(check((struct span){copy, n}), ERR_NONE);
            free(copy);
        }
        buf_free(&b);
    }
}

/* ---- what is not canonical, by replacing one part of a good leaf ---- */

static enum err_code check_text(const char *text)
{
    return check(span_str(text));
}

#define LEAF(body) BEFORE body AFTER

static void record_refuses_text_that_is_not_canonical(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        " " LEAF(STOP),
        LEAF(STOP) "\n",
        LEAF(STOP) LEAF(STOP),
        "\xEF\xBB\xBF" LEAF(STOP),
        LEAF("{\"reason\": \"shutdown\",\"software\":\"a\"}"),
        LEAF("{ \"reason\":\"shutdown\",\"software\":\"a\"}"),
        LEAF("{\"software\":\"a\",\"reason\":\"shutdown\"}"),
        LEAF("{\"reason\":\"shutdown\",\"reason\":\"shutdown\",\"software\":\"a\"}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":\"a\",\"software\":\"a\"}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":\"a\",}"),
        LEAF("{,\"reason\":\"shutdown\",\"software\":\"a\"}"),
        LEAF("{\"reason\":\"shutdown\"}"),
        LEAF("{\"software\":\"a\"}"),
        LEAF("{}"),
        LEAF("[]"),
        LEAF("null"),
        LEAF("{\"reason\":\"shutdown\",\"software\":null}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":1}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":[\"a\"]}"),
        LEAF("{\"re\\u0061son\":\"shutdown\",\"software\":\"a\"}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":\"\\u0061\"}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":\"\\/\"}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":\"\\u000a\"}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":\"\\u001F\"}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":\"\\u007f\"}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":\"\\ud83d\\ude42\"}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":\"\t\"}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":\"\xC0\x80\"}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":\"\xED\xA0\x80\"}"),
        LEAF("{\"reason\":\"shutdown\",\"software\":\"\xC3\"}"),
        "{\"assay\":01,",
        "{\"assay\":1}",
        BEFORE STOP ",\"sealed\":[]" AFTER,
        BEFORE STOP ",\"seq\":3.0,\"wall_us\":1}",
        BEFORE STOP ",\"seq\":3e0,\"wall_us\":1}",
        BEFORE STOP ",\"seq\":-0,\"wall_us\":1}",
        BEFORE STOP ",\"seq\":-3,\"wall_us\":1}",
        BEFORE STOP ",\"seq\":03,\"wall_us\":1}",
        BEFORE STOP ",\"seq\":\"3\",\"wall_us\":1}",
        BEFORE STOP ",\"seq\":,\"wall_us\":1}",
        BEFORE STOP ",\"seq\":9007199254740992,\"wall_us\":1}",
        BEFORE STOP ",\"seq\":18446744073709551617,\"wall_us\":1}",
        BEFORE STOP ",\"seq\":3,\"subject\":\"00\",\"wall_us\":1}",
        BEFORE STOP ",\"seq\":3,\"subject\":\"0000000000000000000000000000000A\",\"wall_us\":1}",
        BEFORE STOP ",\"seq\":3,\"subject\":\"000000000000000000000000000000000\",\"wall_us\":1}",
    };
    assert_int_equal(check_text(LEAF(STOP)), ERR_NONE);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (check_text(bad[i]) != ERR_FORMAT)
            fail_msg("not refused: %s", bad[i]);
}

static void record_accepts_the_text_that_is_canonical(void **state)
{
    (void)state;
    static const char *const good[] = {
        LEAF("{\"reason\":\"signal\",\"software\":\"\"}"),
        LEAF(
            "{\"error\":\"\\b\\t\\n\\f\\r\\\"\\\\\\u0000\\u000b\\u001f/\x7F\",\"reason\":\"error\","
            "\"software\":\"\xF0\x9F\x99\x82\xEF\xBF\xBD\"}"),
        BEFORE STOP ",\"seq\":9007199254740991,\"wall_us\":0}",
        BEFORE STOP ",\"seq\":3,\"subject\":\"0000000000000000000000000000000a\",\"wall_us\":1}",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (check_text(good[i]) != ERR_NONE)
            fail_msg("refused: %s", good[i]);
}

static void expect_unsupported(const char *leaf, const char *named)
{
    struct record_head h;
    struct err e = ERR_INIT;
    assert_false(record_check(&h, NULL, span_str(leaf), &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    if (!strstr(e.text, named))
        fail_msg("%s is not named: %s", named, e.text);
}

static void record_from_a_newer_program_is_unsupported_by_name(void **state)
{
    (void)state;
    expect_unsupported("{\"assay\":2,\"anything\":null}", "\"2\"");
    expect_unsupported("{\"assay\":1,\"boot_id\":" ZERO_ID ",\"boot_us\":2,\"id\":" ZERO_ID
                       ",\"kind\":\"seance\",\"record\":{}",
                       "seance");
    expect_unsupported(LEAF("{\"mood\":1,\"reason\":\"shutdown\",\"software\":\"a\"}"), "mood");
    expect_unsupported(LEAF("{\"reason\":\"shutdown\",\"software\":\"a\",\"zeal\":{}}"), "zeal");
    expect_unsupported(LEAF("{\"reason\":\"boredom\",\"software\":\"a\"}"), "boredom");
    expect_unsupported(BEFORE STOP ",\"seq\":3,\"wall_us\":1,\"zone\":\"UTC\"}", "zone");
}

#define INTENT(sampling)                                                                           \
    "{\"api\":\"run\",\"durability\":\"answer\",\"model\":{\"name\":\"m\"},\"route\":\"engine\","  \
    "\"sampling\":{" sampling "},\"stream\":true}"

static bool encodes_intent(const char *body)
{
    struct record_head h = {.kind = RECORD_CALL_INTENT};
    struct buf b;
    buf_init(&b, RECORD_MAX);
    bool ok = record_encode(&b, &h, span_str(body), NULL, 0, NULL);
    buf_free(&b);
    return ok;
}

static void record_integers_and_decimals_have_one_grammar(void **state)
{
    (void)state;
    static const char *const good[] = {INTENT("\"top_k\":-1"),
                                       INTENT("\"top_k\":0"),
                                       INTENT("\"top_k\":-9007199254740991"),
                                       INTENT("\"top_p\":\"0\""),
                                       INTENT("\"top_p\":\"-0.50\""),
                                       INTENT("\"top_p\":\"10E+02\""),
                                       INTENT("\"seed\":\"18446744073709551615\"")};
    static const char *const bad[] = {
        INTENT("\"top_k\":-0"),      INTENT("\"top_k\":-"),
        INTENT("\"top_k\":-01"),     INTENT("\"top_k\":-9007199254740992"),
        INTENT("\"top_k\":\"1\""),   INTENT("\"top_k\":1.0"),
        INTENT("\"top_p\":1"),       INTENT("\"top_p\":\"\""),
        INTENT("\"top_p\":\"01\""),  INTENT("\"top_p\":\".5\""),
        INTENT("\"top_p\":\"1.\""),  INTENT("\"top_p\":\"+1\""),
        INTENT("\"top_p\":\"1e\""),  INTENT("\"top_p\":\"1e+\""),
        INTENT("\"top_p\":\"-\""),   INTENT("\"top_p\":\"1 \""),
        INTENT("\"top_p\":\"NaN\""), INTENT("\"top_p\":\"0x1\""),
        INTENT("\"stream\":true")};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!encodes_intent(good[i]))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (encodes_intent(bad[i]))
            fail_msg("accepted: %s", bad[i]);
}

/* ---- sealed fields ---- */

#define DIGEST_TEXT "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
#define FIELD(name)                                                                                \
    "{\"ciphertext\":" DIGEST_TEXT ",\"commitment\":" DIGEST_TEXT ",\"field\":\"" name             \
    "\",\"size\":4096}"
#define NAME_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SEALED(list) BEFORE STOP ",\"sealed\":[" list "]" AFTER

static void record_lists_sealed_fields_once_and_sorted(void **state)
{
    (void)state;
    assert_int_equal(check_text(SEALED(FIELD("a") "," FIELD("b"))), ERR_NONE);
    assert_int_equal(check_text(SEALED(FIELD("a") "," FIELD("a.0"))), ERR_NONE);
    assert_int_equal(check_text(SEALED(FIELD("b") "," FIELD("a"))), ERR_FORMAT);
    assert_int_equal(check_text(SEALED(FIELD("a") "," FIELD("a"))), ERR_FORMAT);
    assert_int_equal(check_text(SEALED(FIELD(""))), ERR_FORMAT);
    assert_int_equal(check_text(SEALED(FIELD("A"))), ERR_FORMAT);
    assert_int_equal(check_text(SEALED(FIELD("a b"))), ERR_FORMAT);
    assert_int_equal(check_text(SEALED(FIELD(NAME_64))), ERR_NONE);
    assert_int_equal(check_text(SEALED(FIELD(NAME_64 "5"))), ERR_FORMAT);
    assert_int_equal(check_text(SEALED(FIELD("\\n"))), ERR_FORMAT);
}

static void fields_named(struct record_field *f, char (*names)[8], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "f%02zu", n - i);
        f[i] = (struct record_field){.name = span_str(names[i]), .size = i};
    }
}

static void record_encoder_sorts_fields_and_counts_them(void **state)
{
    (void)state;
    struct record_field f[RECORD_MAX_FIELDS + 1];
    char names[RECORD_MAX_FIELDS + 1][8];
    struct buf b;
    struct record r;
    struct err e = ERR_INIT;
    struct arena *a = arena_new(1 << 20);
    fields_named(f, names, RECORD_MAX_FIELDS + 1);
    buf_init(&b, RECORD_MAX);
    assert_false(record_encode(&b, &head, span_str(STOP), f, RECORD_MAX_FIELDS + 1, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(b.n, 0);
    err_clear(&e);
    assert_true(record_encode(&b, &head, span_str(STOP), f, RECORD_MAX_FIELDS, &e));
    assert_true(record_decode(&r, buf_span(&b), a, &e));
    assert_int_equal(r.field_count, RECORD_MAX_FIELDS);
    assert_true(span_is(r.fields[0].name, "f02"));
    assert_int_equal(r.fields[0].size, RECORD_MAX_FIELDS - 1);
    arena_free(a);
    buf_free(&b);
}

/* ---- the encoder ---- */

static void record_encoder_refuses_what_a_leaf_cannot_say(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum err_code code;
    } bad[] = {
        {"", ERR_FORMAT},
        {"[]", ERR_FORMAT},
        {"{\"reason\":\"shutdown\"}", ERR_FORMAT},
        {"{\"software\":\"a\",\"reason\":1.5}", ERR_FORMAT},
        {"{\"software\":\"a\",\"reason\":null}", ERR_FORMAT},
        {"{\"software\":\"\xFF\",\"reason\":\"error\"}", ERR_FORMAT},
        {"{\"software\":\"\\ud800\",\"reason\":\"error\"}", ERR_FORMAT},
        {STOP STOP, ERR_FORMAT},
        {"{\"reason\":\"shutdown\",\"software\":\"a\",\"software\":\"b\"}", ERR_FORMAT},
        {"{\"software\":\"a\",\"reason\":\"shutdown\",\"mood\":\"good\"}", ERR_UNSUPPORTED},
        /* The text closes its object and writes the envelope's next members. */
        {STOP ",\"sealed\":[" FIELD("a") "]", ERR_FORMAT},
        {STOP ",\"seq\":9,\"wall_us\":9}", ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b;
        if (encode(&b, bad[i].body) != bad[i].code || b.n)
            fail_msg("encoded or of another code: %s", bad[i].body);
        buf_free(&b);
    }
}

static void record_encoder_refuses_a_head_beyond_exact_integers(void **state)
{
    (void)state;
    struct record_head h = head;
    struct buf b;
    struct err e = ERR_INIT;
    buf_init(&b, RECORD_MAX);
    h.wall_us = RECORD_MAX_INTEGER + 1;
    assert_false(record_encode(&b, &h, span_str(STOP), NULL, 0, &e));
    assert_int_equal(e.code, ERR_FORMAT);
    assert_non_null(strstr(e.text, "wall_us"));
    buf_free(&b);
}

static void record_encoder_refuses_a_field_name_that_is_text_of_a_leaf(void **state)
{
    (void)state;
    struct record_field f = {.name = span_str("a\",\"size\":1},{\"ciphertext\":\"")};
    struct buf b;
    struct err e = ERR_INIT;
    buf_init(&b, RECORD_MAX);
    assert_false(record_encode(&b, &head, span_str(STOP), &f, 1, &e));
    assert_int_equal(e.code, ERR_FORMAT);
    buf_free(&b);
}

static void record_of_65535_bytes_is_the_longest(void **state)
{
    (void)state;
    size_t room = RECORD_MAX - strlen(LEAF("{\"reason\":\"shutdown\",\"software\":\"\"}"));
    for (size_t extra = 0; extra < 2; extra++) {
        struct buf body, b;
        struct err e = ERR_INIT;
        buf_init(&body, (size_t)RECORD_MAX * 4);
        buf_init(&b, (size_t)RECORD_MAX * 4);
        buf_put_str(&body, "{\"reason\":\"shutdown\",\"software\":\"");
        for (size_t i = 0; i < room + extra; i++)
            buf_put_u8(&body, 'a');
        buf_put_str(&body, "\"}");
        assert_int_equal(record_encode(&b, &head, buf_span(&body), NULL, 0, &e), !extra);
        assert_int_equal(extra ? e.code : ERR_LIMIT, ERR_LIMIT);
        assert_int_equal(b.n, extra ? 0 : RECORD_MAX);
        buf_put_str(&b, "x");
        if (!extra)
            assert_int_equal(check(buf_span(&b)), ERR_LIMIT);
        buf_free(&b);
        buf_free(&body);
    }
}

static void record_encoder_makes_long_spaced_text_short(void **state)
{
    (void)state;
    struct buf body, b;
    struct err e = ERR_INIT;
    buf_init(&body, (size_t)RECORD_MAX * 8);
    buf_init(&b, RECORD_MAX);
    buf_put_str(&body, "{\"software\":\"assay 1\",");
    for (size_t i = 0; i < (size_t)RECORD_MAX * 4; i++)
        buf_put_u8(&body, ' ');
    buf_put_str(&body, "\"reason\":\"shutdown\"}");
    assert_true(record_encode(&b, &head, buf_span(&body), NULL, 0, &e));
    assert_string_equal(buf_cstr(&b), LEAF(STOP));
    buf_free(&body);
    buf_free(&b);
}

static void record_decoding_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, RECORD_MAX);
    record_leaf(&b, RECORD_CALL_OUTCOME, true, 3);
    for (uint64_t n = 1;; n++) {
        struct record r;
        struct err e = ERR_INIT;
        struct arena *a = arena_new(1 << 20);
        arena_fail_after(n);
        bool ok = record_decode(&r, buf_span(&b), a, &e);
        arena_fail_after(0);
        arena_free(a);
        if (ok) {
            assert_true(n > 2);
            break;
        }
        assert_int_equal(e.code, ERR_MEMORY);
        assert_true(n < 100);
    }
    buf_free(&b);
}

/* ---- every byte ---- */

/* Refused, or the very text that encoding what was decoded gives. */
static void refused_or_itself(struct span leaf)
{
    struct record r;
    struct record_head h;
    struct err e = ERR_INIT;
    if (!record_check(&h, NULL, leaf, &e)) {
        assert_true(e.code == ERR_FORMAT || e.code == ERR_UNSUPPORTED || e.code == ERR_LIMIT);
        return;
    }
    struct arena *a = arena_new(1 << 20);
    struct buf again;
    buf_init(&again, RECORD_MAX);
    assert_true(record_decode(&r, leaf, a, &e));
    assert_true(record_canonical(&again, json_text(r.body), &e));
    assert_true(span_eq(buf_span(&again), json_text(r.body)));
    buf_clear(&again);
    assert_true(record_encode(&again, &r.head, json_text(r.body), r.fields, r.field_count, &e));
    assert_true(span_eq(buf_span(&again), leaf));
    buf_free(&again);
    arena_free(a);
}

static void record_with_any_byte_changed_is_refused_or_another_record(void **state)
{
    (void)state;
    static const uint8_t others[] = {'"', '\\', ',', '}', '0', ' ', 0, 0x80};
    for (unsigned k = 0; k < RECORD_KINDS; k++) {
        struct buf b;
        buf_init(&b, RECORD_MAX);
        record_leaf(&b, (enum record_kind)k, true, 2);
        for (size_t i = 0; i < b.n; i++) {
            uint8_t was = b.p[i];
            for (unsigned bit = 0; bit < 8; bit++) {
                b.p[i] = (uint8_t)(was ^ 1u << bit);
                refused_or_itself(buf_span(&b));
            }
            for (size_t o = 0; o < sizeof others; o++) {
                b.p[i] = others[o];
                refused_or_itself(buf_span(&b));
            }
            b.p[i] = was;
        }
        buf_free(&b);
    }
}

static void record_with_any_byte_dropped_or_doubled_is_refused_or_another_record(void **state)
{
    (void)state;
    for (unsigned k = 0; k < RECORD_KINDS; k++) {
        struct buf b;
        buf_init(&b, RECORD_MAX);
        record_leaf(&b, (enum record_kind)k, true, 2);
        uint8_t *copy = malloc(b.n + 1);
        assert_non_null(copy);
        for (size_t i = 0; i < b.n; i++) {
            memcpy(copy, b.p, i);
            memcpy(copy + i, b.p + i + 1, b.n - i - 1);
            refused_or_itself((struct span){copy, b.n - 1});
            memcpy(copy, b.p, i + 1);
            memcpy(copy + i + 1, b.p + i, b.n - i);
            refused_or_itself((struct span){copy, b.n + 1});
        }
        free(copy);
        buf_free(&b);
    }
}

/* ---- the table ---- */

static void check_shape(const struct shape *s)
{
    assert_true(s->count > 0 && s->says[0]);
    for (size_t i = 0; i < s->count; i++) {
        const struct member *m = &s->members[i];
        assert_int_equal(m->length, strlen(m->name));
        assert_true(m->says[0]);
        assert_int_equal(m->type == MEMBER_WORD, m->words != NULL);
        assert_int_equal(m->type == MEMBER_OBJECT, m->shape != NULL);
        if (i && strcmp(s->members[i - 1].name, m->name) >= 0)
            fail_msg("%s.%s stands in a wrong place", s->name, m->name);
        if (m->shape)
            check_shape(m->shape);
    }
}

static void record_table_is_sorted_and_whole(void **state)
{
    (void)state;
    check_shape(&record_envelope);
    check_shape(&record_sealed);
    assert_int_equal(record_envelope.count, ENVELOPE_MEMBERS);
    assert_int_equal(record_sealed.count, SEALED_MEMBERS);
    assert_string_equal(record_envelope.members[AT_WALL_US].name, "wall_us");
    assert_string_equal(record_sealed.members[AT_SIZE].name, "size");
    for (unsigned k = 0; k < RECORD_KINDS; k++) {
        enum record_kind found;
        check_shape(&record_kinds[k]);
        assert_true(record_kind_from(span_str(record_kind_name((enum record_kind)k)), &found));
        assert_int_equal(found, k);
    }
    enum record_kind none;
    assert_false(record_kind_from(span_str("call"), &none));
    assert_false(record_kind_from(SPAN_EMPTY, &none));
    assert_string_equal(record_kind_name(RECORD_KINDS), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_is_written_byte_for_byte),
        cmocka_unit_test(record_makes_any_order_and_space_canonical),
        cmocka_unit_test(record_of_every_kind_decodes_to_itself),
        cmocka_unit_test(record_refuses_every_prefix),
        cmocka_unit_test(record_refuses_text_that_is_not_canonical),
        cmocka_unit_test(record_accepts_the_text_that_is_canonical),
        cmocka_unit_test(record_from_a_newer_program_is_unsupported_by_name),
        cmocka_unit_test(record_integers_and_decimals_have_one_grammar),
        cmocka_unit_test(record_lists_sealed_fields_once_and_sorted),
        cmocka_unit_test(record_encoder_sorts_fields_and_counts_them),
        cmocka_unit_test(record_encoder_refuses_what_a_leaf_cannot_say),
        cmocka_unit_test(record_encoder_refuses_a_head_beyond_exact_integers),
        cmocka_unit_test(record_encoder_refuses_a_field_name_that_is_text_of_a_leaf),
        cmocka_unit_test(record_of_65535_bytes_is_the_longest),
        cmocka_unit_test(record_encoder_makes_long_spaced_text_short),
        cmocka_unit_test(record_decoding_survives_every_failed_allocation),
        cmocka_unit_test(record_with_any_byte_changed_is_refused_or_another_record),
        cmocka_unit_test(record_with_any_byte_dropped_or_doubled_is_refused_or_another_record),
        cmocka_unit_test(record_table_is_sorted_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
