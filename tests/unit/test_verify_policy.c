/* C2SP tlog-policy: the grammar, and which witnesses make a quorum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "assay/verify.h"
#include "support/paper_log.h"

static struct paper_log paper;
static struct buf log_key, witness[PAPER_WITNESSES];

static int setup(void **state)
{
    (void)state;
    paper_start(&paper);
    paper_fill(&paper, 3);
    buf_init(&log_key, 4096);
    note_key_put(&log_key, &paper.name);
    for (size_t i = 0; i < PAPER_WITNESSES; i++) {
        buf_init(&witness[i], 4096);
        note_key_put(&witness[i], &paper.witness_name[i]);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&log_key);
    for (size_t i = 0; i < PAPER_WITNESSES; i++)
        buf_free(&witness[i]);
    paper_free(&paper);
    return 0;
}

/* @ is the log's key; 0, 1, 2 after % are the witnesses'. */
static const char *expand(struct arena *a, const char *text)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (; *text; text++) {
        if (*text == '@')
            buf_put_span(&b, buf_span(&log_key));
        else if (*text == '%')
            buf_put_span(&b, buf_span(&witness[*++text - '0']));
        else
            buf_put_u8(&b, (uint8_t)*text);
    }
    const char *s = arena_str(a, buf_span(&b));
    buf_free(&b);
    return s;
}

static enum err_code parse(struct trust *t, const char *text, struct arena *a)
{
    struct err e = ERR_INIT;
    bool ok = trust_parse(t, span_str(expand(a, text)), a, &e);
    assert_int_equal(ok, e.code == ERR_NONE);
    return e.code;
}

static void grammar_is_that_of_the_specification(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err_code code;
    } cases[] = {
        {"quorum none\n", ERR_NONE},
        {"# a comment\n\n \t \n  # another\nlog @\nquorum none\n", ERR_NONE},
        {"log @ https://log.example/\nwitness a %0 https://w.example/\nquorum a\n", ERR_NONE},
        {"\tlog\t @ \n quorum  none\t\n", ERR_NONE},
        {"witness \xFF\xFE %0\nquorum \xFF\xFE\n", ERR_NONE},
        {"", ERR_FORMAT},
        {"log @\n", ERR_FORMAT},
        {"quorum none", ERR_FORMAT},
        {"quorum none\nquorum none\n", ERR_FORMAT},
        {"quorum\n", ERR_FORMAT},
        {"quorum a\n", ERR_CONFIG},
        {"quorum a\nwitness a %0\n", ERR_CONFIG},
        {"log\nquorum none\n", ERR_FORMAT},
        {"log @ a b\nquorum none\n", ERR_FORMAT},
        {"log @\nlog @\nquorum none\n", ERR_CONFIG},
        {"log %0\nquorum none\n", ERR_CONFIG},
        {"witness a @\nquorum none\n", ERR_CONFIG},
        {"witness none %0\nquorum none\n", ERR_CONFIG},
        {"witness a %0\nwitness a %1\nquorum none\n", ERR_CONFIG},
        {"witness a %0\nwitness b %0\nquorum none\n", ERR_CONFIG},
        {"witness a nonsense\nquorum none\n", ERR_CONFIG},
        {"witness a %0\ngroup g any a\nquorum g\n", ERR_NONE},
        {"witness a %0\ngroup g any a a\nquorum g\n", ERR_CONFIG},
        {"witness a %0\ngroup g any\nquorum none\n", ERR_FORMAT},
        {"witness a %0\ngroup g 0 a\nquorum g\n", ERR_CONFIG},
        {"witness a %0\ngroup g 2 a\nquorum g\n", ERR_CONFIG},
        {"witness a %0\ngroup g 01 a\nquorum g\n", ERR_CONFIG},
        {"witness a %0\ngroup g any g\nquorum g\n", ERR_CONFIG},
        {"witness a %0\ngroup g any none\nquorum g\n", ERR_CONFIG},
        {"witness a %0\ngroup g any a\ngroup h any a\nquorum g\n", ERR_CONFIG},
        {"witnes a %0\nquorum none\n", ERR_FORMAT},
        {"quorum none\r\n", ERR_FORMAT},
        {"quorum \x01\n", ERR_FORMAT},
        {"quorum \x7F\n", ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *a = arena_new(1 << 20);
        struct trust t;
        enum err_code code = parse(&t, cases[i].text, a);
        if (code != cases[i].code)
            fail_msg("%s gave %s", cases[i].text, err_name(code));
        arena_free(a);
    }
}

static bool accepted(const char *policy, size_t witnesses)
{
    struct arena *a = arena_new(1 << 20);
    struct buf note;
    struct trust t;
    struct verified v;
    struct err e = ERR_INIT;
    buf_init(&note, 1 << 16);
    paper_checkpoint(&paper, 3, witnesses, &note);
    assert_int_equal(parse(&t, policy, a), ERR_NONE);
    bool ok = verify_checkpoint(&v, buf_span(&note), &t, a, &e);
    assert_true(ok || e.code == ERR_INTEGRITY);
    buf_free(&note);
    arena_free(a);
    return ok;
}

#define WITNESSES "log @\nwitness a %0\nwitness b %1\nwitness c %2\n"

/* Cosigned by nobody; a; a and b; all three. */
static void quorum_decides(void **state)
{
    (void)state;
    static const struct {
        const char *policy;
        bool accepted[PAPER_WITNESSES + 1];
    } cases[] = {
        {WITNESSES "quorum none\n", {true, true, true, true}},
        {WITNESSES "quorum a\n", {false, true, true, true}},
        {WITNESSES "quorum c\n", {false, false, false, true}},
        {WITNESSES "group g any a b c\nquorum g\n", {false, true, true, true}},
        {WITNESSES "group g 2 a b c\nquorum g\n", {false, false, true, true}},
        {WITNESSES "group g all a b c\nquorum g\n", {false, false, false, true}},
        {WITNESSES "group g any a b\ngroup h all g c\nquorum h\n", {false, false, false, true}},
        {WITNESSES "group g any a b\ngroup h 1 g c\nquorum h\n", {false, true, true, true}},
        /* What stands behind the quorum does not change it. */
        {WITNESSES "quorum a\ngroup g all b c\n", {false, true, true, true}},
        {WITNESSES "group g any b c\nquorum none\n", {true, true, true, true}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t n = 0; n <= PAPER_WITNESSES; n++)
            if (accepted(cases[i].policy, n) != cases[i].accepted[n])
                fail_msg("%s with %zu cosignatures", cases[i].policy, n);
}

/* A policy for 64 groups of 64 names, and one beyond. */
static enum err_code with_groups(size_t groups)
{
    struct arena *a = arena_new(1 << 20);
    struct trust t;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_put_str(&b, "witness w %0\ngroup g0 any w\n");
    for (size_t i = 1; i < groups; i++)
        buf_printf(&b, "group g%zu any g%zu\n", i, i - 1);
    buf_printf(&b, "quorum g%zu\n", groups - 1);
    enum err_code code = parse(&t, buf_cstr(&b), a);
    buf_free(&b);
    arena_free(a);
    return code;
}

static void limits_are_said(void **state)
{
    (void)state;
    struct arena *a = arena_new(4 << 20);
    struct trust t;
    struct err e = ERR_INIT;
    assert_int_equal(with_groups(TRUST_MAX), ERR_NONE);
    assert_int_equal(with_groups(TRUST_MAX + 1), ERR_LIMIT);
    uint8_t *many = arena_alloc(a, TRUST_MAX_POLICY + 1);
    assert_non_null(many);
    memset(many, '\n', TRUST_MAX_POLICY + 1);
    assert_false(trust_parse(&t, (struct span){many, TRUST_MAX_POLICY + 1}, a, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    memset(many, 'a', TRUST_MAX_POLICY);
    for (size_t i = 1; i < TRUST_MAX_POLICY; i += 2)
        many[i] = ' ';
    many[TRUST_MAX_POLICY - 1] = '\n';
    err_clear(&e);
    assert_false(trust_parse(&t, (struct span){many, TRUST_MAX_POLICY}, a, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grammar_is_that_of_the_specification),
        cmocka_unit_test(quorum_decides),
        cmocka_unit_test(limits_are_said),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
