/*
 * What configurations name to be called: functions under the keys of Hydra and
 * its like, tags of Python in YAML, and what merely looks like either.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "support/documents.h"

struct config_case {
    const char *name, *text;
    size_t calls, tags;
};

static void judge(const struct config_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct model *m = NULL;
        struct err e = ERR_INIT;
        if (!model_read_memory(&m, cases[i].name, span_str(cases[i].text), &e))
            fail_msg("%s: %s", cases[i].text, e.text);
        size_t calls = findings_of(m, RULE_CONFIG_CALL), tags = findings_of(m, RULE_CONFIG_TAG);
        if (calls != cases[i].calls || tags != cases[i].tags)
            fail_msg("%s: %zu calls and %zu tags", cases[i].text, calls, tags);
        model_free(m);
    }
}

static void functions_that_act_are_named_under_every_key(void **state)
{
    static const struct config_case cases[] = {
        {"a.yaml", "a: {_target_: os.system, x: id}\n", 1, 0},
        {"a.yml", "\"\\x5ftarget_\": builtins.exec\n", 1, 0},
        {"a.yaml", "a:\n  - class_path: subprocess.Popen\n  - target: torch.hub.load\n", 2, 0},
        {"a.json", "{\"a\":[{\"_target_\":\"torch.load\"}]}", 1, 0},
        {"a.json", "{\"\\u005ftarget_\":\"posix.popen\"}", 1, 0},
        {"a.json", "{\"_target_\":\"hydra.utils.get_method\",\"path\":\"os.system\"}", 1, 0},
    };
    (void)state;
    judge(cases, sizeof cases / sizeof *cases);
}

static void names_that_stand_elsewhere_count(void **state)
{
    static const struct config_case cases[] = {
        {"a.yaml", "a: &x os.system\nb: {_target_: *x}\n", 1, 0},
        {"a.yaml", "a: os.system\nb: {_target_: '${a}'}\n", 1, 0},
        {"a.json", "{\"a\":\"os.system\",\"b\":{\"_target_\":\"${a}\"}}", 1, 0},
    };
    (void)state;
    judge(cases, sizeof cases / sizeof *cases);
}

static void tags_of_python_are_judged_by_what_they_build(void **state)
{
    static const struct config_case cases[] = {
        {"a.yaml", "a: !!python/object/apply:os.system [id]\n", 1, 0},
        {"a.yaml", "%TAG !x! tag:yaml.org,2002:python/\n---\na: !x!name:os.system\n", 1, 0},
        {"a.yaml", "a: !<tag:yaml.org,2002:python/module:subprocess> x\n", 1, 0},
        {"a.yaml", "a: !!python/object:their.own.Class {b: 1}\n", 0, 1},
        {"a.yaml", "a: !!python/object:argparse.Namespace {b: 1}\n", 0, 0},
        {"a.yaml", "a: !!python/tuple [1, 2]\n", 0, 0},
    };
    (void)state;
    judge(cases, sizeof cases / sizeof *cases);
}

static void what_models_name_of_their_own_is_left_alone(void **state)
{
    static const struct config_case cases[] = {
        {"a.yaml", "a: {_target_: torch.optim.AdamW, lr: 1}\nb: {_target_: my.os.system2}\n", 0, 0},
        {"a.yaml", "path: code.py\ntarget: socket.io\nnote: os.system is never called\n", 0, 0},
        {"a.json", "{\"note\":\"os.system\",\"path\":\"pickle.load.txt\"}", 0, 0},
        {"a.json", "{\"_target_\":", 0, 0},
        {"a.yaml", "a: [\n", 0, 0},
        {"a.txt", "_target_: os.system\n", 0, 0},
    };
    (void)state;
    judge(cases, sizeof cases / sizeof *cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_that_act_are_named_under_every_key),
        cmocka_unit_test(names_that_stand_elsewhere_count),
        cmocka_unit_test(tags_of_python_are_judged_by_what_they_build),
        cmocka_unit_test(what_models_name_of_their_own_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
