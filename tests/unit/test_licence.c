/*
 * Licence texts by their words: real texts match whole, altered ones less and
 * with a finding, other texts not at all; names as cards write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "model/reader.h"
#include "support/documents.h"

static const char isc[] =
    "ISC License\n\nCopyright (c) 2024, Somebody <s@example.org>\n\n"
    "Permission to use, copy, modify, and/or distribute this software for any\n"
    "purpose with or without fee is hereby granted, provided that the above\n"
    "copyright notice and this permission notice appear in all copies.\n\n"
    "THE SOFTWARE IS PROVIDED \"AS IS\" AND THE AUTHOR DISCLAIMS ALL WARRANTIES\n"
    "WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF\n"
    "MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR\n"
    "ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES\n"
    "WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN\n"
    "ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF\n"
    "OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.\n";

static struct model *read_text(const char *name, const void *p, size_t n)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    assert_true(model_read_memory(&m, name, (struct span){p, n}, &e));
    return m;
}

static void expect_clean(const void *p, size_t n, const char *spdx)
{
    struct model *m = read_text("LICENSE", p, n);
    assert_int_equal(m->licence_count, 1);
    assert_non_null(m->licences[0].spdx);
    assert_string_equal(m->licences[0].spdx, spdx);
    assert_true(m->licences[0].match == 1.0);
    assert_int_equal(findings_of(m, RULE_LICENCE_ALTERED), 0);
    assert_int_equal(findings_of(m, RULE_LICENCE_EXTRA), 0);
    assert_int_equal(findings_of(m, RULE_LICENCE_UNKNOWN), 0);
    model_free(m);
}

static void licence_matches_a_text_with_names_filled_in(void **state)
{
    (void)state;
    expect_clean(isc, sizeof isc - 1, "ISC");
}

/* Case, line ends, comment signs, bullets and quotes are layout. */
static void licence_ignores_layout(void **state)
{
    (void)state;
    char other[4096];
    size_t n = 0;
    for (const char *p = isc; *p; p++) {
        if (*p == '\n' && p[1] != '\n' && p > isc + 70) {
            n += (size_t)sprintf(other + n, "\r\n// ");
        } else if (*p == '"') {
            n += (size_t)sprintf(other + n, "\xe2\x80\x9c");
        } else {
            other[n++] = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        }
    }
    expect_clean(other, n, "ISC");
}

static void licence_reports_an_inserted_word(void **state)
{
    (void)state;
    char altered[4096];
    const char *at = strstr(isc, "purpose with");
    int n = snprintf(altered, sizeof altered, "%.*snon-commercial %s", (int)(at - isc), isc, at);
    struct model *m = read_text("LICENSE", altered, (size_t)n);
    assert_string_equal(m->licences[0].spdx, "ISC");
    assert_true(m->licences[0].match < 1.0);
    assert_int_equal(findings_of(m, RULE_LICENCE_ALTERED), 1);
    model_free(m);
}

/* Whether or not the gap falls on whole blocks, at the ends as in the middle. */
static void licence_reports_four_removed_words_anywhere(void **state)
{
    (void)state;
    const char *from = strstr(isc, "Permission");
    while (*from) {
        char cut[4096];
        const char *to = from;
        for (int words = 0; words < 4 && *to; words++) {
            to += strcspn(to, " \n");
            to += strspn(to, " \n");
        }
        int n = snprintf(cut, sizeof cut, "%.*s%s", (int)(from - isc), isc, to);
        struct model *m = read_text("LICENSE", cut, (size_t)n);
        assert_true(m->licences[0].match < 1.0);
        assert_int_equal(findings_of(m, RULE_LICENCE_ALTERED), 1);
        model_free(m);
        from += strcspn(from, " \n");
        from += strspn(from, " \n");
    }
}

static void licence_reports_text_after_the_end(void **state)
{
    (void)state;
    char altered[4096];
    int n = snprintf(altered, sizeof altered,
                     "%s\nNotwithstanding the above, the grant of rights does not include the "
                     "right to sell the software or any service that it is part of.\n",
                     isc);
    struct model *m = read_text("LICENSE", altered, (size_t)n);
    assert_string_equal(m->licences[0].spdx, "ISC");
    assert_int_equal(findings_of(m, RULE_LICENCE_EXTRA), 1);
    model_free(m);
}

static void licence_matches_nothing_to_other_text(void **state)
{
    (void)state;
    const char text[] = "All models are wrong, but some are useful. This software is provided with "
                        "the best intentions, without any further permission and for no purpose.";
    struct model *m = read_text("LICENSE", text, sizeof text - 1);
    assert_null(m->licences[0].spdx);
    assert_int_equal(findings_of(m, RULE_LICENCE_UNKNOWN), 1);
    model_free(m);
    m = read_text("NOTICE", text, sizeof text - 1);
    assert_int_equal(findings_of(m, RULE_LICENCE_UNKNOWN), 0);
    model_free(m);
}

static size_t load(const char *path, uint8_t *out, size_t size)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(out, 1, size, f) : 0;
    if (f)
        fclose(f);
    return n;
}

/* Texts that Debian's base-files installs. */
static const char *const common[][2] = {
    {"Apache-2.0", "Apache-2.0"}, {"BSD", "BSD-3-Clause"},   {"CC0-1.0", "CC0-1.0"},
    {"GPL-2", "GPL-2.0-only"},    {"GPL-3", "GPL-3.0-only"}, {"LGPL-2.1", "LGPL-2.1-only"},
    {"LGPL-3", "LGPL-3.0-only"},  {"MPL-2.0", "MPL-2.0"},
};

static void licence_matches_the_texts_of_the_system(void **state)
{
    (void)state;
    static uint8_t text[1 << 17];
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) {
        char path[256];
        snprintf(path, sizeof path, "/usr/share/common-licenses/%s", common[i][0]);
        size_t n = load(path, text, sizeof text);
        if (n)
            expect_clean(text, n, common[i][1]);
        else
            print_message("skipped: %s is not there\n", path);
    }
}

/* Every part removed is noticed, wherever it stood. */
static void licence_reports_every_removed_line(void **state)
{
    (void)state;
    static uint8_t text[1 << 17], cut[1 << 17];
    size_t n = load("/usr/share/common-licenses/Apache-2.0", text, sizeof text);
    const uint8_t *core = n ? memmem(text, n, "1. Definitions", 14) : NULL;
    const uint8_t *end = n ? memmem(text, n, "END OF TERMS", 12) : NULL;
    if (!core || !end)
        skip();
    size_t from = (size_t)(core - text), stop = (size_t)(end - text);
    for (size_t at = from; at + 400 < stop; at += 397) {
        memcpy(cut, text, at);
        memcpy(cut + at, text + at + 200, n - at - 200);
        struct model *m = read_text("LICENSE", cut, n - 200);
        assert_non_null(m->licences[0].spdx);
        assert_true(m->licences[0].match < 1.0);
        assert_int_equal(findings_of(m, RULE_LICENCE_ALTERED), 1);
        model_free(m);
    }
}

static void licence_names_become_spdx_ids(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"apache-2.0", "Apache-2.0"},
        {" MIT ", "MIT"},
        {"llama3.1", "LicenseRef-Llama-3.1-Community"},
        {"gemma", "LicenseRef-Gemma"},
        {"cc-by-nc-4.0", "CC-BY-NC-4.0"},
        {"openrail", "LicenseRef-OpenRAIL"},
        {"Apache License 2.0", "Apache-2.0"},
        {"zlib", "Zlib"},
        {"afl-3.0", "AFL-3.0"},
        {"other", NULL},
        {"unknown", NULL},
        {"cc", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = licence_spdx_from_name(span_str(cases[i][0]));
        if (cases[i][1])
            assert_string_equal(got, cases[i][1]);
        else
            assert_null(got);
    }
}

/* One block repeated ten thousand times costs no more than its length. */
static void licence_survives_repetition(void **state)
{
    (void)state;
    static char text[1 << 20];
    size_t n = 0;
    while (n + 64 < sizeof text)
        n += (size_t)sprintf(text + n, "the terms and conditions of this license ");
    struct model *m = read_text("LICENSE", text, n);
    assert_null(m->licences[0].spdx);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(licence_matches_a_text_with_names_filled_in),
        cmocka_unit_test(licence_ignores_layout),
        cmocka_unit_test(licence_reports_an_inserted_word),
        cmocka_unit_test(licence_reports_four_removed_words_anywhere),
        cmocka_unit_test(licence_reports_text_after_the_end),
        cmocka_unit_test(licence_matches_nothing_to_other_text),
        cmocka_unit_test(licence_matches_the_texts_of_the_system),
        cmocka_unit_test(licence_reports_every_removed_line),
        cmocka_unit_test(licence_names_become_spdx_ids),
        cmocka_unit_test(licence_survives_repetition),
    };
    return cmocka_run_group_tests_name("licence", tests, NULL, NULL);
}
