/* JSON on standard output: a terminal gets nothing to act upon, a pipe gets every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cli/json_out.h"

#define TEXT                                                                                       \
    "a\xC2\x9B"                                                                                    \
    "31m\xE2\x80\xAEz\xF3\xA0\x80\x81\xC3\xA9\x1B"

static const char *written(bool terminal)
{
    static char text[200];
    struct json_writer w;
    FILE *f = tmpfile();
    assert_non_null(f);
    struct out o = {.f = f, .terminal = terminal};
    jo_start(&w, &o, false);
    jo_str(&w, "k", TEXT);
    jw_key(&w, "leaf");
    jw_raw(&w, span_str("{\"b\":\""
                        "\xC2\x85\x7F"
                        "\"}"));
    jo_finish(&w, &o);
    rewind(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void a_terminal_gets_nothing_to_act_upon(void **state)
{
    (void)state;
    assert_string_equal(written(true),
                        "{\"k\":\"a\\u009b31m\\u202ez\\udb40\\udc01\xC3\xA9\\u001b\","
                        "\"leaf\":{\"b\":\"\\u0085\\u007f\"}}\n");
}

static void a_pipe_gets_every_byte(void **state)
{
    (void)state;
    assert_string_equal(written(false), "{\"k\":\"a\xC2\x9B"
                                        "31m\xE2\x80\xAEz\xF3\xA0\x80\x81\xC3\xA9\\u001b\","
                                        "\"leaf\":{\"b\":\"\xC2\x85\x7F\"}}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_gets_nothing_to_act_upon),
        cmocka_unit_test(a_pipe_gets_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
