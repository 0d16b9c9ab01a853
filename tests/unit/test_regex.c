/*
 * The tokenizers' regular expressions: matches as Oniguruma finds them, and
 * every pattern outside the subset refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/regex.h"

/* All matches, each in brackets. */
static const char *matches(const char *pattern, const char *text)
{
    static char out[512];
    struct arena *a = arena_new(64 << 20);
    const struct regex *re;
    struct err e = ERR_INIT;
    struct buf b;
    size_t at = 0, start, end;
    uint64_t budget = 100000;
    buf_init(&b, sizeof out - 1);
    if (!regex_new(&re, span_str(pattern), a, &e))
        buf_put_str(&b, e.text);
    else
        while (regex_find(re, span_str(text), at, &start, &end, &budget)) {
            buf_put_u8(&b, '[');
            buf_put_span(&b, span_sub(span_str(text), start, end - start));
            buf_put_u8(&b, ']');
            at = end;
        }
    memcpy(out, buf_cstr(&b), b.n + 1);
    buf_free(&b);
    arena_free(a);
    return out;
}

static void alternatives_are_tried_in_order(void **state)
{
    (void)state;
    assert_string_equal(matches("a|ab", "ab"), "[a]");
    assert_string_equal(matches("ab|a", "abaa"), "[ab][a][a]");
    assert_string_equal(matches("(?:a|b)*c|d", "abcd"), "[abc][d]");
    assert_string_equal(matches("(x|y(z|w))+", "yzxyw-x"), "[yzxyw][x]");
}

static void repetitions_are_greedy_or_lazy_as_written(void **state)
{
    (void)state;
    assert_string_equal(matches("a{2}", "aaaaa"), "[aa][aa]");
    assert_string_equal(matches("a{1,3}", "aaaaa"), "[aaa][aa]");
    assert_string_equal(matches("a{2,}?", "aaaaa"), "[aa][aa]");
    assert_string_equal(matches("<.*>", "<a><b>"), "[<a><b>]");
    assert_string_equal(matches("<.*?>", "<a><b>"), "[<a>][<b>]");
    assert_string_equal(matches("x{", "x{"), "[x{]");
}

static void possessive_sets_give_nothing_back(void **state)
{
    (void)state;
    assert_string_equal(matches("a+a", "aaa"), "[aaa]");
    assert_string_equal(matches("a++a", "aaa"), "");
    assert_string_equal(matches("a?+a", "aa"), "[aa]");
    assert_string_equal(matches("a?+a", "a"), "");
    assert_string_equal(matches("\\s++$", " \n x  "), "[  ]");
    assert_string_equal(matches("a*+b", "aab"), "[aab]");
}

static void a_character_ahead_and_back_is_seen(void **state)
{
    (void)state;
    assert_string_equal(matches("\\s+(?!\\S)|\\s+", "a   b "), "[  ][ ][ ]");
    assert_string_equal(matches("a(?=b|c)", "abaca"), "[a][a]");
    assert_string_equal(matches("\\bab\\b", "ab abc ab"), "[ab][ab]");
    assert_string_equal(matches("^a", "a\na b"), "[a][a]");
    assert_string_equal(matches("\\Aa|b\\z", "aabb"), "[a][b]");
    assert_string_equal(matches("a$", "a\nba"), "[a][a]");
}

static void sets_hold_ranges_classes_and_intersections(void **state)
{
    (void)state;
    assert_string_equal(matches("[a-c]+", "xabcd"), "[abc]");
    assert_string_equal(matches("[^a-c]+", "abxyc"), "[xy]");
    assert_string_equal(matches("[]a]+", "a]b"), "[a]]");
    assert_string_equal(matches("[a\\-z]+", "a-z"), "[a-z]");
    assert_string_equal(matches("[\\p{L}&&[^a-z]]+", "abÄÖcD"), "[ÄÖ][D]");
    assert_string_equal(matches("[^(\\s|[.,!?…])]+", "ab.c d"), "[ab][c][d]");
    assert_string_equal(matches("\\p{Han}+", "a漢字b"), "[漢字]");
    assert_string_equal(matches("\\P{N}+", "12ab3"), "[ab]");
    assert_string_equal(matches("\\x{1F600}|\\u00e9|\\x41", "😀éA"), "[😀][é][A]");
}

static void either_case_holds_the_letters_that_fold(void **state)
{
    (void)state;
    assert_string_equal(matches("(?i:'s|'LL)", "'S'ſ'll'sS"), "['S]['ſ]['ll]['s]");
    assert_string_equal(matches("(?i:k)", "kK\xE2\x84\xAA"), "[k][K][\xE2\x84\xAA]");
    assert_string_equal(matches("(?i)ä[a-c]|x", "ÄBX"), "[ÄB][X]");
    assert_string_equal(matches("(?i:a)a", "Aa aA"), "[Aa]");
}

static void what_the_subset_lacks_is_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "(?<=a)b",   "(?<!a)b", "(a)\\1",    "(?=ab)",     "(?>ab)",  "a**b(", "[a",
        "[z-a]",     "(a",      "a)",        "\\p{Greek}", "\\p{L",   "*a",    "[[:alpha:]]",
        "a{1,2000}", "(ab)++",  "\\k<name>", "(?P<n>a)",   "[a-\\d]", "\\",    "[]",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *said = matches(refused[i], "ab");
        if (strncmp(said, "regular expression: ", 20) != 0)
            fail_msg("%s gave %s", refused[i], said);
    }
}

static void large_patterns_stop_at_a_limit(void **state)
{
    (void)state;
    char deep[512] = "";
    assert_non_null(strstr(matches("((a{100}){100}){100}", "a"), "instructions"));
    assert_non_null(strstr(matches("(?:a|b)*a(?:a|b){14}", "a"), "states"));
    memset(deep, '(', 100);
    memset(deep + 100, ')', 100);
    assert_non_null(strstr(matches(deep, "a"), "nested"));
}

static void a_search_stops_when_its_budget_is_spent(void **state)
{
    (void)state;
    enum { LENGTH = 20000 };
    struct arena *a = arena_new(16 << 20);
    const struct regex *re;
    struct err e = ERR_INIT;
    uint8_t *text = malloc(LENGTH);
    assert_non_null(text);
    memset(text, 'a', LENGTH);
    uint64_t budget = 1000000;
    size_t start, end;
    assert_true(regex_new(&re, span_str("a+b"), a, &e));
    assert_false(regex_find(re, (struct span){text, LENGTH}, 0, &start, &end, &budget));
    assert_int_equal(budget, 0);
    free(text);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alternatives_are_tried_in_order),
        cmocka_unit_test(repetitions_are_greedy_or_lazy_as_written),
        cmocka_unit_test(possessive_sets_give_nothing_back),
        cmocka_unit_test(a_character_ahead_and_back_is_seen),
        cmocka_unit_test(sets_hold_ranges_classes_and_intersections),
        cmocka_unit_test(either_case_holds_the_letters_that_fold),
        cmocka_unit_test(what_the_subset_lacks_is_refused),
        cmocka_unit_test(large_patterns_stop_at_a_limit),
        cmocka_unit_test(a_search_stops_when_its_budget_is_spent),
    };
    return cmocka_run_group_tests_name("regex", tests, NULL, NULL);
}
