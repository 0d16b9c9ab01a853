/* The option parser: what it takes, what it refuses, what it suggests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "assay/base/text.h"
#include "cli/options.h"

struct args {
    bool flag, other;
    unsigned number;
    const char *text;
    int choice;
};

static const struct option table[] = {
    {"flag", OPTION_FLAG, NULL, offsetof(struct args, flag), "a flag"},
    {"other-flag", OPTION_FLAG, NULL, offsetof(struct args, other), "another"},
    {"number", OPTION_NUMBER, "N", offsetof(struct args, number), "a number"},
    {"text", OPTION_TEXT, "WORD", offsetof(struct args, text), "a text"},
    {"choice", OPTION_CHOICE, "red|green|blue", offsetof(struct args, choice), "a colour"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

enum { MOST = 8 };

struct parsed {
    bool ok;
    struct args args;
    char *argv[MOST];
    size_t operands;
    struct err e;
};

static struct parsed parse(const char *line)
{
    static char words[256];
    struct parsed p = {.e = ERR_INIT};
    int argc = 0;
    snprintf(words, sizeof words, "%s", line);
    for (char *w = strtok(words, " "); w && argc < MOST; w = strtok(NULL, " "))
        p.argv[argc++] = w;
    struct option_set set = {table, &p.args};
    p.ok = options_parse(&set, 1, argc, p.argv, &p.operands, &p.e);
    return p;
}

static void refused(const char *line, const char *words)
{
    struct parsed p = parse(line);
    assert_false(p.ok);
    assert_int_equal(p.e.code, ERR_USAGE);
    if (!strstr(p.e.text, words))
        fail_msg("'%s' gave '%s', without '%s'", line, p.e.text, words);
}

static void options_take_both_forms_of_a_value(void **state)
{
    (void)state;
    struct parsed p = parse("--number=3 --text hello --choice=blue");
    assert_true(p.ok);
    assert_int_equal(p.args.number, 3);
    assert_string_equal(p.args.text, "hello");
    assert_int_equal(p.args.choice, 2);
    assert_int_equal(p.operands, 0);
    p = parse("--number 1024 --text=--flag --choice red");
    assert_true(p.ok);
    assert_int_equal(p.args.number, 1024);
    assert_string_equal(p.args.text, "--flag");
    assert_false(p.args.flag);
    assert_int_equal(p.args.choice, 0);
}

static void options_may_stand_among_operands(void **state)
{
    (void)state;
    struct parsed p = parse("one --flag two --number 2 three");
    assert_true(p.ok);
    assert_true(p.args.flag);
    assert_false(p.args.other);
    assert_int_equal(p.operands, 3);
    assert_string_equal(p.argv[0], "one");
    assert_string_equal(p.argv[1], "two");
    assert_string_equal(p.argv[2], "three");
}

static void options_end_at_two_dashes(void **state)
{
    (void)state;
    struct parsed p = parse("--flag -- --other-flag -- -x");
    assert_true(p.ok);
    assert_true(p.args.flag);
    assert_false(p.args.other);
    assert_int_equal(p.operands, 3);
    assert_string_equal(p.argv[0], "--other-flag");
    assert_string_equal(p.argv[1], "--");
    assert_string_equal(p.argv[2], "-x");
}

static void options_leave_a_lone_dash_alone(void **state)
{
    (void)state;
    struct parsed p = parse("- --flag");
    assert_true(p.ok);
    assert_int_equal(p.operands, 1);
    assert_string_equal(p.argv[0], "-");
}

static void options_refuse_what_they_do_not_know(void **state)
{
    (void)state;
    refused("--fla", "did you mean '--flag'?");
    refused("--flags", "did you mean '--flag'?");
    refused("--fllag=3", "did you mean '--flag'?");
    refused("-flag", "did you mean '--flag'?");
    refused("--other", "did you mean '--other-flag'?");
    refused("--zzzzzz", "unknown option '--zzzzzz'");
    refused("-x", "unknown option '-x'");
    refused("--=", "unknown option '--='");
    refused("one --flag two --unheard", "unknown option '--unheard'");
}

static void options_suggest_nothing_far_off(void **state)
{
    (void)state;
    assert_null(strstr(parse("--zzzzzz").e.text, "did you mean"));
    assert_null(strstr(parse("-x").e.text, "did you mean"));
}

static void options_show_hostile_arguments_safely(void **state)
{
    (void)state;
    struct parsed p = parse("--\033[31mred");
    assert_false(p.ok);
    assert_null(strchr(p.e.text, '\033'));
}

static void options_check_values(void **state)
{
    (void)state;
    refused("--number", "--number needs a value: N");
    refused("--number=0", "from 1 to 1024");
    refused("--number=1025", "from 1 to 1024");
    refused("--number=-1", "from 1 to 1024");
    refused("--number=1x", "from 1 to 1024");
    refused("--number=", "from 1 to 1024");
    refused("--number=99999999999999999999999", "from 1 to 1024");
    refused("--choice=gree", "expected red|green|blue");
    refused("--choice=", "expected red|green|blue");
    refused("--choice=red|green", "expected red|green|blue");
    refused("--flag=yes", "--flag takes no value");
}

static void suggestions_prefer_the_nearest(void **state)
{
    (void)state;
    struct suggestion s = suggest_start("dif", 3);
    suggest_offer(&s, "digest");
    suggest_offer(&s, "diff");
    suggest_offer(&s, "inspect");
    assert_string_equal(suggest_best(&s), "diff");
    s = suggest_start("inpsect", 7);
    suggest_offer(&s, "digest");
    suggest_offer(&s, "inspect");
    assert_string_equal(suggest_best(&s), "inspect");
}

static void suggestions_of_endless_words_are_none(void **state)
{
    (void)state;
    char word[5000];
    memset(word, 'a', sizeof word);
    struct suggestion s = suggest_start(word, sizeof word);
    suggest_offer(&s, "a");
    assert_null(suggest_best(&s));
    s = suggest_start("", 0);
    suggest_offer(&s, "a");
    assert_null(suggest_best(&s));
}

static bool seen_twice(const struct command *c, const struct option *o)
{
    size_t seen = 0;
    const struct option *tables[] = {c->options, common_options};
    for (size_t t = 0; t < 2; t++)
        for (const struct option *p = tables[t]; p && p->name; p++)
            seen += strcmp(p->name, o->name) == 0;
    return seen != 1;
}

static size_t size_of(const struct option *o)
{
    return o->kind == OPTION_TEXTS ? sizeof(struct option_texts)
           : o->kind == OPTION_U64 ? sizeof(struct option_u64)
                                   : sizeof(void *);
}

/* By the one or two words of its name, whatever follows them. */
static bool finds_itself(const struct command *c)
{
    char name[64];
    size_t used = 0;
    assert_true(strlen(c->name) < sizeof name);
    strcpy(name, c->name);
    char *space = strchr(name, ' ');
    if (space)
        *space = '\0';
    char after[] = "operand";
    char *words[] = {name, space ? space + 1 : after, after};
    return command_find(3, words, &used) == c && used == (space ? 2u : 1u);
}

static void every_command_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; commands[i]; i++) {
        const struct command *c = commands[i];
        assert_non_null(c->run);
        assert_true(finds_itself(c));
        assert_true(strlen(c->summary) < 60 && c->description[0]);
        for (const struct option *o = c->options; o && o->name; o++) {
            assert_false(seen_twice(c, o));
            assert_true((o->kind == OPTION_FLAG) == (o->value == NULL));
            assert_true(o->at + size_of(o) <= OPTION_ARGS_SIZE);
        }
    }
}

static void the_gravest_status_wins(void **state)
{
    (void)state;
    static const int order[] = {130, 4, 3, 2, 5, 1, 0};
    for (size_t i = 0; i < 7; i++)
        for (size_t j = i; j < 7; j++) {
            assert_int_equal(exit_graver(order[i], order[j]), order[i]);
            assert_int_equal(exit_graver(order[j], order[i]), order[i]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_take_both_forms_of_a_value),
        cmocka_unit_test(options_may_stand_among_operands),
        cmocka_unit_test(options_end_at_two_dashes),
        cmocka_unit_test(options_leave_a_lone_dash_alone),
        cmocka_unit_test(options_refuse_what_they_do_not_know),
        cmocka_unit_test(options_suggest_nothing_far_off),
        cmocka_unit_test(options_show_hostile_arguments_safely),
        cmocka_unit_test(options_check_values),
        cmocka_unit_test(suggestions_prefer_the_nearest),
        cmocka_unit_test(suggestions_of_endless_words_are_none),
        cmocka_unit_test(every_command_is_complete),
        cmocka_unit_test(the_gravest_status_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
