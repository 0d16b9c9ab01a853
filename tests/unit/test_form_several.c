/* Forms of several values: as many as are written, with what stands around and between them, and an end
 * that may be written or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/forms.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define ONE                                                                                        \
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]}"
#define CALL(name) "{\"begin\":\"<" name "\",\"schema\":" ONE ",\"end\":\">\"}"
#define SEVERAL(texts) "{" texts "\"most\":3,\"several\":[" CALL("f") "," CALL("g") "]}"
#define LISTED SEVERAL("\"begin\":\"[\",\"between\":\",\",\"end\":\"]\",")

/* How an answer that is these texts stands: 'x' it cannot be, '.' it must go on, '+' it may, '|' it is over. */
static char stands(const struct engine_form *f, const char *text)
{
    struct form_state s;
    form_begin(&s, f);
    for (size_t i = 0; text[i]; i++)
        if (s.over || !form_push(&s, (struct span){(const uint8_t *)text + i, 1}, false))
            return 'x';
    return (char)(s.over ? '|' : s.may_end ? '+' : '.');
}

static void all_stand(const struct engine_form *f, const char *const cases[][2], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (stands(f, cases[i][0]) != cases[i][1][0])
            fail_msg("%s: %c", cases[i][0], stands(f, cases[i][0]));
}

static void an_answer_may_end_behind_each_of_several(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "."},
        {"<f{\"a\":1}", "."},
        {"<f{\"a\":1}>", "+"},
        {"<f{\"a\":1}>\n", "+"}, /* white space may come before another, which need not come */
        {"<f{\"a\":1}>\n<", "."},
        {"<f{\"a\":1}><g{\"a\":2}>", "+"},
        {"<f{\"a\":1}> <g{\"a\":2}><f{\"a\":3}>", "|"}, /* there are no more */
        {"<f{\"a\":1}>x", "x"},
        {"<f{\"a\":1}>,<f{\"a\":1}>", "x"},
        {" <f", "x"},
        {"<h", "x"}};
    all_stand(form_made("[" SEVERAL("") "]"), cases, COUNT(cases));
}

static void what_is_between_is_written_before_another(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"<f{\"a\":1}>", "+"},
                                           {"<f{\"a\":1}>;", "."},
                                           {"<f{\"a\":1}>; ", "."},
                                           {"<f{\"a\":1}>; <f{\"a\":1}>", "+"},
                                           {"<f{\"a\":1}> ", "x"},
                                           {"<f{\"a\":1}><", "x"},
                                           {"<f{\"a\":1}>;<g{\"a\":1}>;<g{\"a\":1}>", "|"}};
    all_stand(form_made("[" SEVERAL("\"between\":\";\",") "]"), cases, COUNT(cases));
}

static void what_is_behind_ends_them(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"[", "."},
                                           {"[]", "x"},
                                           {"[<f{\"a\":1}>", "."},
                                           {"[<f{\"a\":1}>]", "|"},
                                           {"[ <f{\"a\":1}>, <g{\"a\":1}>]", "|"},
                                           {"[<f{\"a\":1}>,]", "x"},
                                           {"[<f{\"a\":1}>,<f{\"a\":1}>,<f{\"a\":1}>]", "|"},
                                           {"[<f{\"a\":1}>,<f{\"a\":1}>,<f{\"a\":1}>,", "x"}};
    all_stand(form_made("[" LISTED "]"), cases, COUNT(cases));
}

/* An object that begins as a call does: both are followed. */
static void several_stand_beside_other_alternatives(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"{", "."},
                                           {"{\"a\":1}", "|"},
                                           {"{\"n\":{\"a\":1}}", "+"},
                                           {"{\"n\":{\"a\":1}};{\"n\":{\"a\":2}}", "|"},
                                           {"{\"n\":{\"b\"", "x"}};
    all_stand(form_made("[{\"schema\":" ONE
                        "},{\"between\":\";\",\"most\":2,\"several\":[{\"begin\":"
                        "\"{\\\"n\\\":\",\"schema\":" ONE ",\"end\":\"}\"}]}]"),
              cases, COUNT(cases));
}

static void control_tokens_stand_in_their_texts_alone(void **state)
{
    (void)state;
    struct form_state s;
    form_begin(&s, form_made("[" LISTED "]"));
    assert_true(form_push(&s, span_str("[<f"), true) && form_push(&s, span_str("{"), false));
    assert_false(form_push(&s, span_str("\"a"), true));
    form_begin(&s, form_made("[" SEVERAL("") "]"));
    assert_true(form_push(&s, span_str("<f"), true));
    assert_true(form_push(&s, span_str("{\"a\":1}"), false));
    assert_true(form_push(&s, span_str("><f"), true));
}

static void several_that_say_too_little_are_refused(void **state)
{
    (void)state;
    assert_null(form_made("[{\"several\":[" CALL("f") "]}]"));
    assert_null(form_made("[{\"most\":256,\"several\":[" CALL("f") "]}]"));
    assert_null(form_made("[{\"most\":3,\"several\":[]}]"));
    assert_null(form_made("[{\"most\":3,\"several\":1}]"));
    assert_null(form_made("[{\"most\":3,\"end\":\"]\",\"several\":[" CALL("f") "]}]"));
    assert_null(
        form_made("[{\"most\":3,\"between\":\", \",\"end\":\",]\",\"several\":[" CALL("f") "]}]"));
    assert_null(form_made("[{\"most\":3,\"several\":[{\"most\":3,\"several\":[" CALL("f") "]}]}]"));
    /* Of their schemas each counts as an alternative. */
    assert_null(form_made("[{\"schema\":" ONE
                          "},{\"most\":3,\"several\":[" CALL("f") ",{\"schema\":{\"not\":{}}}]}]"));
    assert_int_equal(forms_wrong.alternative, 2);
    assert_string_equal(forms_wrong.where, "#/not");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_may_end_behind_each_of_several),
        cmocka_unit_test(what_is_between_is_written_before_another),
        cmocka_unit_test(what_is_behind_ends_them),
        cmocka_unit_test(several_stand_beside_other_alternatives),
        cmocka_unit_test(control_tokens_stand_in_their_texts_alone),
        cmocka_unit_test(several_that_say_too_little_are_refused),
    };
    return cmocka_run_group_tests(tests, forms_setup, forms_teardown);
}
