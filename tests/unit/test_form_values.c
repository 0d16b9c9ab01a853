/* Strings and numbers of forms: patterns, formats, bounds. What walks at random through a form is held
 * against another way of telling what is allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/json.h"
#include "assay/base/text.h"
#include "engine/automaton.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct arena *arena;
static struct err why;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(256 << 20);
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* Of an object with one member, `a`; NULL: it is refused. */
static const struct engine_form *form_of(const char *schema)
{
    const struct engine_form *f;
    struct engine_form_wrong wrong;
    struct json root;
    why = (struct err)ERR_INIT;
    const char *text = arena_printf(arena,
                                    "[{\"schema\":{\"type\":\"object\",\"properties\":{\"a\":%s},"
                                    "\"required\":[\"a\"]}}]",
                                    schema);
    if (!json_parse(&root, span_str(text), JSON_STRICT, arena, &why))
        fail_msg("%s: %s", schema, why.text);
    return engine_form_read(&f, root, arena, &wrong, &why) ? f : NULL;
}

static bool takes(const struct engine_form *f, const char *value)
{
    struct form_state s;
    form_begin(&s, f);
    return form_push(&s, span_str("{\"a\":"), false) && form_push(&s, span_str(value), false) &&
           form_push(&s, span_str("}"), false) && s.over;
}

struct claim {
    const char *schema;
    const char *taken[6], *not [8];
};

static void hold(const struct claim *claims, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct engine_form *f = form_of(claims[i].schema);
        if (!f)
            fail_msg("%s: %s", claims[i].schema, why.text);
        for (size_t k = 0; k < COUNT(claims[i].taken) && claims[i].taken[k]; k++)
            if (!takes(f, claims[i].taken[k]))
                fail_msg("%s: %s was not taken", claims[i].schema, claims[i].taken[k]);
        for (size_t k = 0; k < COUNT(claims[i].not ) && claims[i].not [k]; k++)
            if (takes(f, claims[i].not [k]))
                fail_msg("%s: %s was taken", claims[i].schema, claims[i].not [k]);
    }
}

static void patterns_are_found_anywhere_unless_anchored(void **state)
{
    (void)state;
    static const struct claim claims[] = {
        {"{\"pattern\":\"ab\"}", {"\"ab\"", "\"xabx\"", "\" ab\\n\""}, {"\"a\"", "\"a b\"", "1"}},
        {"{\"pattern\":\"^a|b$\"}", {"\"ax\"", "\"xb\"", "\"a\""}, {"\"xa\"", "\"bx\"", "\"\""}},
        {"{\"pattern\":\"^(?:a|bc){2,3}$\"}",
         {"\"aa\"", "\"abc\"", "\"bcbcbc\""},
         {"\"a\"", "\"aaaa\"", "\"ab\""}},
        {"{\"pattern\":\"^[^a-c\\\\d]$\"}",
         {"\"d\"", "\"\xc3\xa9\"", "\"\xf0\x9f\x98\x80\"", "\"\\n\"", "\"\\u0000\""},
         {"\"a\"", "\"7\"", "\"\"", "\"dd\"", "\"\xed\xa0\x80\"", "\"\xc0\xaf\"", "\"\xc3\""}},
        {"{\"pattern\":\"^.$\"}",
         {"\"x\"", "\"\\\"\"", "\"\\\\\""},
         {"\"\\n\"", "\"\xe2\x80\xa8\""}},
        {"{\"pattern\":\"^\\\\u00e9\\\\x41\\\\u{1f600}\\\\.$\"}",
         {"\"\xc3\xa9"
          "A\xf0\x9f\x98\x80.\""},
         {"\"\xc3\xa9"
          "A\xf0\x9f\x98\x81.\""}},
        {"{\"pattern\":\"^\\\\s$\"}", {"\"\\t\"", "\" \"", "\"\xe3\x80\x80\""}, {"\"x\""}},
        {"{\"pattern\":\"^a*$\",\"minLength\":2,\"maxLength\":3}",
         {"\"aa\"", "\"aaa\""},
         {"\"a\"", "\"aaaa\"", "\"ab\""}},
        {"{\"type\":\"string\",\"pattern\":\"^x\",\"format\":\"hostname\"}",
         {"\"x.example\""},
         {"\"example\"", "\"x.\""}}};
    hold(claims, COUNT(claims));
}

static void formats_are_what_their_rfcs_say(void **state)
{
    (void)state;
    static const struct claim claims[] = {
        {"{\"format\":\"date\"}",
         {"\"2024-02-29\"", "\"2000-02-29\"", "\"1999-12-31\""},
         {"\"2023-02-29\"", "\"1900-02-29\"", "\"2024-04-31\"", "\"2024-13-01\"", "\"2024-1-1\"",
          "\"0000-01-01\""}},
        {"{\"format\":\"time\"}",
         {"\"23:59:59Z\"", "\"01:02:03.5+05:30\""},
         {"\"24:00:00Z\"", "\"01:02:03\""}},
        {"{\"format\":\"date-time\"}",
         {"\"2024-02-29T00:00:00Z\""},
         {"\"2024-02-29 00:00:00Z\"", "\"2024-02-30T00:00:00Z\""}},
        {"{\"format\":\"duration\"}",
         {"\"P1Y2M3DT4H5M6S\"", "\"P3W\"", "\"PT5M\""},
         {"\"P\"", "\"PT\"", "\"P1Y3D\"", "\"P1W2D\""}},
        {"{\"format\":\"email\"}",
         {"\"a.b+c@example.org\""},
         {"\"a@\"", "\"@b\"", "\"a..b@c\"", "\"a@b@c\""}},
        {"{\"format\":\"hostname\"}",
         {"\"a-b.c\"", "\"xn.a1\""},
         {"\"-a\"", "\"a-\"", "\"a..b\"", "\"a_b\"", "\"xn--a\""}},
        {"{\"format\":\"ipv4\"}",
         {"\"0.10.200.255\""},
         {"\"256.0.0.1\"", "\"1.2.3\"", "\"01.2.3.4\""}},
        {"{\"format\":\"ipv6\"}",
         {"\"::\"", "\"1::8\"", "\"1:2:3:4:5:6:7:8\"", "\"::1:2\""},
         {"\":\"", "\"1::2::3\"", "\"1:2:3:4:5:6:7\"", "\"12345::\""}},
        {"{\"format\":\"uuid\"}",
         {"\"00112233-4455-6677-8899-AAbbCCddEEff\""},
         {"\"00112233445566778899aabbccddeeff\""}},
        {"{\"format\":\"uri\"}",
         {"\"https://a.b:80/c/%20?d=e#f\""},
         {"\"a\"", "\"https://\"", "\"https://a/%2\""}}};
    hold(claims, COUNT(claims));
}

static void numbers_are_compared_as_they_are_written(void **state)
{
    (void)state;
    static const struct claim claims[] = {
        {"{\"type\":\"integer\",\"minimum\":-12,\"maximum\":105}",
         {"-12", "0", "105", "99", "-1"},
         {"-13", "106", "1000", "-0", "1.0", "01", "1e1"}},
        {"{\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":1}",
         {"0.000000000000001", "1", "1.0", "0.5"},
         {"0", "0.0", "1.01", "-1", "2", "1e-1"}},
        {"{\"minimum\":0.25,\"exclusiveMaximum\":12.5}",
         {"0.25", "0.250", "12.49999", "9"},
         {"0.2499", "12.5", "12.50", "13", "-3"}},
        {"{\"maximum\":-1.5}", {"-1.5", "-2", "-100.1"}, {"-1.4", "0", "-1", "1"}},
        {"{\"type\":\"integer\",\"multipleOf\":7}", {"0", "7", "-14", "700"}, {"1", "-8", "13"}},
        {"{\"multipleOf\":0.05}", {"0.05", "1", "2.1", "2.10"}, {"0.01", "0.050", "1.02"}},
        {"{\"type\":\"integer\",\"minimum\":1e2,\"maximum\":12e1,\"multipleOf\":10}",
         {"100", "110", "120"},
         {"90", "130", "105"}},
        {"{\"minimum\":3,\"exclusiveMinimum\":3}", {"3.1"}, {"3", "3.0"}},
        {"{\"type\":\"integer\",\"format\":\"int64\"}",
         {"9223372036854775807", "-9223372036854775808"},
         {"9223372036854775808", "-9223372036854775809"}},
        {"{\"enum\":[1,5,\"x\",\"xx\",2.5],\"maximum\":3,\"minLength\":2}",
         {"1", "2.5", "\"xx\""},
         {"5", "\"x\""}},
        {"{\"type\":[\"integer\",\"null\"],\"minimum\":7}", {"null", "7"}, {"6", "\"a\""}}};
    hold(claims, COUNT(claims));
}

/* Every whole number of a range, against C's own comparison and remainder. */
static void whole_numbers_are_let_through_just_when_they_fit(void **state)
{
    (void)state;
    uint32_t seed = 5;
    char text[128];
    for (int i = 0; i < 40; i++) {
        int bound[3];
        for (int k = 0; k < 3; k++) {
            seed = seed * 1664525u + 1013904223u;
            bound[k] = (int)(seed >> 16) % 600 - 300;
        }
        int least = bound[0] < bound[1] ? bound[0] : bound[1];
        int most = bound[0] < bound[1] ? bound[1] : bound[0], of = abs(bound[2]) % 20 + 1;
        (void)snprintf(text, sizeof text,
                       "{\"type\":\"integer\",\"minimum\":%d,\"maximum\":%d,\"multipleOf\":%d}",
                       least, most, of);
        const struct engine_form *f = form_of(text);
        bool any = false;
        for (int n = -1200; n <= 1200; n++) {
            char number[16];
            bool fits = n >= least && n <= most && n % of == 0;
            any = any || fits;
            (void)snprintf(number, sizeof number, "%d", n);
            if (f && takes(f, number) != fits)
                fail_msg("%s: %d", text, n);
        }
        assert_int_equal(f != NULL, any);
    }
}

/* A walk along octets that a form needs: whatever it is held to, it comes to an end. */
static void walks_end_within_what_is_needed(void **state)
{
    (void)state;
    static const char *const schemas[] = {
        "{\"format\":\"date-time\"}", "{\"format\":\"ipv6\"}",    "{\"format\":\"uri\"}",
        "{\"pattern\":\"x{3}\"}",     "{\"multipleOf\":0.35}",    "{\"minimum\":123.456}",
        "{\"maximum\":-98765}",       "{\"pattern\":\"^.{40}$\"}"};
    uint32_t seed = 3;
    for (size_t k = 0; k < COUNT(schemas); k++) {
        const struct engine_form *f = form_of(schemas[k]);
        assert_non_null(f);
        for (int walk = 0; walk < 50; walk++) {
            struct form_state s, then;
            int n = 0;
            form_begin(&s, f);
            for (; n < 20000 && !s.over; n++) {
                uint8_t can[256];
                size_t count = 0;
                for (unsigned c = 0; c <= UINT8_MAX; c++) {
                    const uint8_t octet = (uint8_t)c;
                    form_copy(&then, &s);
                    if (form_set_has(&f->needs, octet) &&
                        form_push(&then, (struct span){&octet, 1}, false))
                        can[count++] = octet;
                }
                if (count == 0)
                    fail_msg("%s: no way on", schemas[k]);
                seed = seed * 1664525u + 1013904223u;
                assert_true(form_push(&s, (struct span){&can[(seed >> 16) % count], 1}, false));
            }
            if (!s.over)
                fail_msg("%s: no end", schemas[k]);
        }
    }
}

static void what_takes_too_much_is_refused(void **state)
{
    (void)state;
    static const char *const schemas[] = {
        "{\"pattern\":\"^(.{0,200}x.{0,200}){200}$\"}", "{\"pattern\":\"^(a|b)*a(a|b){14}$\"}",
        "{\"pattern\":\"^.{20000}$\"}",
        "{\"pattern\":\"^(((((a{1,9}){1,9}){1,9}){1,9}){1,9}){1,9}b$\",\"maxLength\":60000}",
        "{\"type\":\"integer\",\"multipleOf\":16383}"};
    for (size_t i = 0; i < COUNT(schemas); i++) {
        if (form_of(schemas[i]))
            fail_msg("%s was made", schemas[i]);
        assert_int_equal(why.code, ERR_UNSUPPORTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_are_found_anywhere_unless_anchored),
        cmocka_unit_test(formats_are_what_their_rfcs_say),
        cmocka_unit_test(numbers_are_compared_as_they_are_written),
        cmocka_unit_test(whole_numbers_are_let_through_just_when_they_fit),
        cmocka_unit_test(walks_end_within_what_is_needed),
        cmocka_unit_test(what_takes_too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
