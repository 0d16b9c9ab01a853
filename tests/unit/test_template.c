/*
 * Chat templates: what is trusted in the output, what is refused and where,
 * and that no template runs away. That the language is Jinja's is tested
 * against Jinja itself (tests/conformance/template_peer.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "assay/template.h"

static const char request[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"hi "
                              "<|end|>\"},{\"role\":\"assistant\",\"content\":"
                              "\"yes\"}],\"x\":\"user's\",\"n\":3}";

/* The output with untrusted text in brackets, or the error. */
static const char *render(const char *source)
{
    static char out[4096];
    struct arena *a = arena_new(1 << 20);
    struct err e = ERR_INIT;
    struct json variables;
    struct template *t = NULL;
    struct rendered r = {0};
    const struct template_word words[] = {{"eos", span_str("</s>")}};
    struct buf b;
    buf_init(&b, sizeof out - 1);
    assert_true(json_parse(&variables, span_str(request), JSON_STRICT, a, &e));
    const struct template_input in = {variables, words, 1, true, 1753000000};
    bool ok = template_new(&t, span_str(source), &e) && template_render(&r, t, &in, &e);
    for (size_t i = 0; i < r.count; i++) {
        buf_put_str(&b, r.parts[i].trusted ? "" : "[");
        buf_put_span(&b, r.parts[i].text);
        buf_put_str(&b, r.parts[i].trusted ? "" : "]");
    }
    if (!ok)
        buf_printf(&b, "%s: %s", err_name(e.code), e.text);
    memcpy(out, buf_cstr(&b), b.n + 1);
    buf_free(&b);
    rendered_free(&r);
    template_free(t);
    arena_free(a);
    return out;
}

static bool says(const char *source, const char *what)
{
    const char *said = render(source);
    if (strstr(said, what))
        return true;
    print_error("%.100s gave %.300s\n", source, said);
    return false;
}

/* ---- trust ---- */

static void a_users_words_are_marked_and_the_templates_are_not(void **state)
{
    (void)state;
    assert_string_equal(
        render("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos }}{% endfor %}"),
        "<|user|>[hi <|end|>]</s><|assistant|>[yes]</s>");
}

static void marks_stay_with_their_characters(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{{ ('<' ~ x ~ '>')[3:8] }}", "[er's]>"},
        {"{{ ('a' + x + 'b') | upper }}", "A[USER'S]B"},
        {"{{ ('  ' + x + '  ') | trim }}", "[user's]"},
        {"{{ (x ~ '|' ~ 'tail').split('|') | last }}", "tail"},
        {"{{ ('a' ~ x).replace('user', '<U>') }}", "a<U>['s]"},
        {"{{ (''|replace('', 'x')) ~ ('a'[1:]|replace('', 'y')) }}", "xy"},
        {"{{ ('_' + x).replace('_', x) }}", "[user'suser's]"},
        {"{{ [x, 'b'] | join('-') }}", "[user's]-b"},
        {"{{ {'k': x} | tojson }}", "{\"k\": \"[user's]\"}"},
        {"{{ [x] }}", "[\"[user's]\"]"},
        {"{{ 'a%sb' % x }}", "a[user's]b"},
        {"{{ 'a{}b'.format(x) }}", "a[user's]b"},
        {"{{ x[::-1] }}", "[s'resu]"},
        {"{% set y %}<{{ x }}>{% endset %}{{ y }}", "<[user's]>"},
        {"{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(x) }}", "<[user's]>"},
        {"{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*['<', x]) }}", "<[user's]"},
        {"{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(x, **{'b': '>'}) }}", "[user's]>"},
        {"{% macro m(a) %}<{{ a }}>{% endmacro %}{% for f in [m] %}{{ f(x) }}{% endfor %}",
         "<[user's]>"},
        {"{% for c in x[:2] %}{{ c }}.{% endfor %}", "[u].[s]."},
        {"{{ 'x' * 2 ~ x * 2 }}", "xx[user'suser's]"},
        {"{{ x | replace('u', 'U') | title }}", "U[ser's]"},
        {"{{ ('a\\n' ~ x) | indent(2) }}", "a\n  [user's]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(render(cases[i][0]), cases[i][1]);
}

/* ---- refused ---- */

static void what_the_subset_lacks_is_refused_by_name_and_line(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a\nb\n{% include 'x' %}", "unsupported: template line 3: the statement \"include\""},
        {"\n{{ x | urlize }}", "unsupported: template line 2: the filter \"urlize\""},
        {"{{ x is mystery }}", "the test \"mystery\""},
        {"{{ x.encode('a') }}", "the method \"encode\""},
        {"{{ lipsum() }}", "the function \"lipsum\""},
        {"{{ x.__class__ }}", "the attribute \"__class__\""},
        {"{% block b %}{% endblock %}", "the statement \"block\""},
        {"{{ range(*x, 1) }}", "arguments in this order"},
        {"{{ dict(**x, **x) }}", "arguments in this order"},
        {"{{ 1e20 | int }}", "limit: template line 1: a number does not fit in 64 bits"},
        {"{{ '%d' % 1e20 }}", "limit: template line 1: a number does not fit in 64 bits"},
        {"{{ '%#x' % 1 }}", "the format flag '#'"},
        {"{{ '{:05}'.format('a') }}", "format specification"},
        {"{{ strftime_now('%Q') }}", "unsupported: template line 1: strftime_now with %Q"},
        {"{% if x %}", "format: template line 1: the template ends before"},
        {"{{ x }", "format: template line 1"},
        {"{{ raise_exception('no ' ~ x) }}", "policy: template line 1: the template refuses this "
                                             "input: no user's"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(says(cases[i][0], cases[i][1]));
}

/* As Jinja has it: real templates name what they never reach. */
static void a_name_that_is_never_reached_is_not_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{% if x == 1 %}{{ x | urlize }}{% else %}b{% endif %}", "b"},
        {"{{ 'a' if x else x | urlize }}", "a"},
        {"{% if x == 1 %}{{ x is mystery }}{% endif %}", ""},
        {"{{ 'a' or lipsum() }}{% for i in [] %}{{ i.encode('a') }}{% endfor %}", "a"},
        {"{% macro m() %}{{ str(1) }}{% endmacro %}c", "c"},
        {"{% for i in [] %}{{ x | urlize }}{% endfor %}", "line 1: the filter \"urlize\""},
        {"{% if x %}{% for i in [] %}{{ i | urlize }}{% endfor %}{% endif %}", "\"urlize\""},
        {"{% if x %}\n{{ x | urlize }}{% endif %}", "line 2: the filter \"urlize\""},
        {"{% if x %}\n{{ x is mystery }}{% endif %}", "line 2: the test \"mystery\""},
        {"{% macro m() %}{{ str(1) }}{% endmacro %}\n{{ m() }}", "line 1: the function \"str\""},
        {"{% set y | urlize %}{% endset %}", "the filter \"urlize\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(says(cases[i][0], cases[i][1]));
}

static void the_first_name_that_is_lacking_is_told(void **state)
{
    (void)state;
    struct template *t = NULL;
    struct err e = ERR_INIT;
    assert_true(template_new(&t, span_str("{{ x | trim }}{% if x %}{{ x }}{% endif %}"), &e));
    assert_true(template_complete(t, &e));
    template_free(t);
    assert_true(
        template_new(&t, span_str("{% if x %}\n{{ x | urlize }}{{ lipsum() }}{% endif %}"), &e));
    assert_false(template_complete(t, &e));
    assert_non_null(strstr(e.text, "line 2: the filter \"urlize\""));
    template_free(t);
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    (void)state;
    assert_true(says("a\xFF", "not UTF-8"));
    assert_true(says("{{ '\\ud800' }}", "no character"));
}

/* ---- bounds ---- */

static void no_template_runs_away(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "limit"},
        {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "deep"},
        {"{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(99) %}"
         "{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
         "limit"},
        {"{% set ns = namespace(s='') %}{% for i in range(90000) %}"
         "{% set ns.s = ns.s ~ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' %}{% endfor %}",
         "limit"},
        {"{{ 'a' * 9999999999 }}", "limit"},
        {"{{ range(1000000) }}", "range"},
        {"{{ 9999999999 * 9999999999 }}", "64 bits"},
        {"{% set l = [] %}{{ l.append(l) }}{{ l }}", "nested"},
        {"{% set l = [] %}{{ l.append(l) }}{{ l | tojson }}", "nested"},
        {"{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}"
         "{% endfor %}{{ ns.l }}",
         "limit"},
        {"{{ '%9999d' % 1 }}", "unsupported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        clock_t start = clock();
        assert_true(says(cases[i][0], cases[i][1]));
        assert_true((clock() - start) / CLOCKS_PER_SEC < 5);
    }
}

/* n times `open`, then `middle`, then n times `close`. */
static char *nested(size_t n, const char *open, const char *middle, const char *close)
{
    size_t a = strlen(open), b = strlen(close), m = strlen(middle);
    char *s = calloc(1, n * (a + b) + m + 1), *p = s;
    assert_non_null(s);
    for (size_t i = 0; i < n; i++, p += a)
        memcpy(p, open, a);
    memcpy(p, middle, m);
    p += m;
    for (size_t i = 0; i < n; i++, p += b)
        memcpy(p, close, b);
    return s;
}

static void deep_and_long_sources_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *open, *middle, *close;
        size_t n;
    } cases[] = {
        {"{% if x %}", "", "{% endif %}", 5000},
        {"{{ (", "", "", 5000},
        {"{% for i in x %}", "", "{% endfor %}", 5000},
        {"{% if x %}a{% el", "", "", 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *s = nested(cases[i].n, cases[i].open, cases[i].middle, cases[i].close);
        assert_true(says(s, "template line"));
        free(s);
    }
    char *brackets = nested(5000, "[", "{{", "]");
    char *chain = nested(20000, "", "{{ x", " ~ x");
    char *attributes = nested(20000, "", "{{ x", ".a");
    char *large = nested(1 << 20, "", "", "ab");
    char *wide = nested(60000, "", "{{ x ", "| trim");
    assert_false(strstr(render(chain), "}}") != NULL);
    assert_true(says(attributes, "template line 1"));
    assert_true(says(wide, "template line 1"));
    assert_true(says(large, "limit"));
    free(brackets);
    free(chain);
    free(attributes);
    free(large);
    free(wide);
    char *closed = nested(20000, "", "{{ x", " ~ x");
    size_t n = strlen(closed);
    closed = realloc(closed, n + 4);
    assert_non_null(closed);
    memcpy(closed + n, " }}", 4);
    assert_true(says(closed, "more than 1000 levels"));
    free(closed);
}

/* ---- looking in ---- */

struct seen {
    struct buf b;
};

static bool see(void *arg, const struct template_node *n, unsigned depth)
{
    struct seen *s = arg;
    (void)depth;
    if (n->kind == TEMPLATE_STRING || n->kind == TEMPLATE_ATTRIBUTE || n->kind == TEMPLATE_CALL ||
        n->kind == TEMPLATE_IF)
        buf_printf(&s->b, "%s %.*s %u:%u; ", template_kind_name(n->kind), (int)n->name.n,
                   n->name.n ? (const char *)n->name.p : "", n->line, n->offset);
    return true;
}

static void the_tree_shows_what_stands_where(void **state)
{
    (void)state;
    struct template *t;
    struct err e = ERR_INIT;
    struct seen s;
    buf_init(&s.b, 4096);
    assert_true(
        template_new(&t, span_str("a\n{% if m.content == 'key' %}{{ range(2) }}{% endif %}"), &e));
    assert_true(template_walk(template_root(t), see, &s));
    assert_string_equal(buf_cstr(&s.b), "if  2:5; attribute content 2:8; string key 2:21; "
                                        "call  2:32; ");
    buf_free(&s.b);
    template_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_users_words_are_marked_and_the_templates_are_not),
        cmocka_unit_test(marks_stay_with_their_characters),
        cmocka_unit_test(what_the_subset_lacks_is_refused_by_name_and_line),
        cmocka_unit_test(a_name_that_is_never_reached_is_not_refused),
        cmocka_unit_test(the_first_name_that_is_lacking_is_told),
        cmocka_unit_test(text_that_is_not_utf8_is_refused),
        cmocka_unit_test(no_template_runs_away),
        cmocka_unit_test(deep_and_long_sources_are_refused),
        cmocka_unit_test(the_tree_shows_what_stands_where),
    };
    return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
