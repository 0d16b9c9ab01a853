/* The JSON form: every prefix of what JSON allows is taken, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "assay/base/json.h"
#include "engine/json_form.h"

static bool takes(const char *text, struct json_form *f)
{
    *f = (struct json_form){0};
    return json_form_push(f, span_str(text));
}

static void objects_are_taken_and_over_at_their_end(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        " { } ",
        "{\"a\":1}",
        "{\"a\":[],\"b\":[1,-0.5e+10,0,10,1E2],\"c\":{\"d\":null}}",
        "{\"\\u00e9\\n\\\"\":\"\xc3\xa9 \\\\\",\"t\":true,\"f\":false}",
        "{\n  \"a\" : [ 1 , 2 ] ,\t\"b\" : 3 }"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct json_form f;
        size_t n = strlen(texts[i]), end = (size_t)(strrchr(texts[i], '}') - texts[i]) + 1;
        for (size_t k = 0; k < end; k++) {
            f = (struct json_form){0};
            if (!json_form_push(&f, (struct span){(const uint8_t *)texts[i], k}))
                fail_msg("%s at %zu", texts[i], k);
            assert_false(json_form_over(&f));
        }
        f = (struct json_form){0};
        assert_true(json_form_push(&f, (struct span){(const uint8_t *)texts[i], end}));
        assert_true(json_form_over(&f));
        if (end < n)
            assert_false(json_form_push(&f, span_str(" ")));
    }
}

static void what_is_no_object_is_not_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {"[",
                                        "1",
                                        "{a",
                                        "{\"a\" 1",
                                        "{\"a\":,",
                                        "{,",
                                        "{\"a\":01",
                                        "{\"a\":1.}",
                                        "{\"a\":-}",
                                        "{\"a\":1e}",
                                        "{\"a\":tru}",
                                        "{\"a\":tx",
                                        "{\"a\":1,}",
                                        "{\"a\":[1,]",
                                        "{\"a\":[}",
                                        "{\"a\":1]",
                                        "{\"a\":\"\\x",
                                        "{\"a\":\"\\u12g",
                                        "{\"a\n",
                                        "{}{}",
                                        "{\"a\":1 2",
                                        "{\"a\":+1",
                                        "{\"a\":.5",
                                        "{\"a\":1..",
                                        "{\"a\":1e5e",
                                        "{\"a\":1.5.",
                                        "{\"a\":\"\x01"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct json_form f;
        if (takes(texts[i], &f))
            fail_msg("%s was taken", texts[i]);
    }
}

/* The strict reader is the judge: texts made at random of what JSON is made of. */
static void form_and_reader_agree(void **state)
{
    (void)state;
    static const char *const pieces[] = {"{", "}",  "[",  "]",    ":",    ",", "\"a\"",   "1",
                                         "-", ".5", "e3", "true", "null", " ", "\"\\n\"", "0"};
    enum { PIECES = sizeof pieces / sizeof *pieces };
    uint32_t seed = 1;
    unsigned both = 0;
    for (int i = 0; i < 20000; i++) {
        struct json_form f = {0};
        struct json root;
        char text[128] = "{\"k\":";
        size_t n = strlen(text);
        bool takes_all = json_form_push(&f, span_str(text));
        for (int k = 0; k < 8 && !json_form_over(&f); k++) {
            seed = seed * 1664525u + 1013904223u;
            const char *p = pieces[(seed >> 16) % PIECES];
            struct json_form then = f;
            if (!json_form_push(&then, span_str(p)))
                continue; /* as the sampler does */
            f = then;
            n += (size_t)snprintf(text + n, sizeof text - n, "%s", p);
        }
        assert_true(takes_all);
        struct arena *a = arena_new(1 << 20);
        bool read = json_parse(&root, span_str(text), JSON_KEEP_DUPLICATES, a, NULL);
        if (read != json_form_over(&f))
            fail_msg("%s: %d", text, read);
        both += read;
        arena_free(a);
    }
    assert_true(both > 100);
}

/* Octets that json_form_needs names are enough to go on from everywhere. */
static void there_is_always_a_way_on(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int i = 0; i < 300; i++) {
        struct json_form f = {0};
        for (int k = 0; k < 400 && !json_form_over(&f); k++) {
            struct json_form next[32];
            size_t n = 0;
            for (const char *c = json_form_needs; *c; c++) {
                next[n] = f;
                n += json_form_push(&next[n], (struct span){(const uint8_t *)c, 1});
            }
            assert_true(n > 0);
            seed = seed * 1664525u + 1013904223u;
            f = next[(seed >> 16) % n];
        }
    }
}

static void depth_and_white_space_are_bounded(void **state)
{
    (void)state;
    struct json_form f;
    assert_true(takes("{\"a\":", &f));
    for (int i = 1; i < JSON_FORM_DEPTH; i++)
        assert_true(json_form_push(&f, span_str("[")));
    assert_false(json_form_push(&f, span_str("[")));
    assert_true(takes("{                ", &f));
    assert_false(json_form_push(&f, span_str(" ")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_taken_and_over_at_their_end),
        cmocka_unit_test(what_is_no_object_is_not_taken),
        cmocka_unit_test(form_and_reader_agree),
        cmocka_unit_test(there_is_always_a_way_on),
        cmocka_unit_test(depth_and_white_space_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
