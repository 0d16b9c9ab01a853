/*
 * The normal forms of UAX 15, on characters that decompose in every way there
 * is; the tables as a whole are compared with other implementations in
 * tests/conformance/tokenizer_random.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/unicode.h"

static void expect(enum normal_form form, const char *text, const char *want)
{
    struct buf b;
    buf_init(&b, 1024);
    unicode_normalise(&b, span_str(text), form);
    assert_true(buf_ok(&b));
    if (!span_is(buf_span(&b), want))
        fail_msg("%s: \"%s\" and not \"%s\"", text, buf_cstr(&b), want);
    buf_free(&b);
}

struct forms {
    const char *text, *nfc, *nfd, *nfkc, *nfkd;
};

static void each_form_is_that_of_uax_15(void **unused)
{
    static const struct forms all[] = {
        {"A b", "A b", "A b", "A b", "A b"},
        {"\u212b", "\u00c5", "A\u030a", "\u00c5", "A\u030a"},         /* canonical, to one */
        {"\ufb01", "\ufb01", "\ufb01", "fi", "fi"},                   /* to several */
        {"\u2460\uff21", "\u2460\uff21", "\u2460\uff21", "1A", "1A"}, /* to one of a run */
        {"\uff76\uff9e", "\uff76\uff9e", "\uff76\uff9e", "\u30ac", "\u30ab\u3099"},
        {"\u3300", "\u3300", "\u3300", "\u30a2\u30d1\u30fc\u30c8",
         "\u30a2\u30cf\u309a\u30fc\u30c8"},
        /* long s with a dot above, then a dot below: the marks change places */
        {"\u1e9b\u0323", "\u1e9b\u0323", "\u017f\u0323\u0307", "\u1e69", "s\u0323\u0307"},
        {"\uac01", "\uac01", "\u1100\u1161\u11a8", "\uac01", "\u1100\u1161\u11a8"}, /* Hangul */
        {"\u1100\u1161\u11a8", "\uac01", "\u1100\u1161\u11a8", "\uac01", "\u1100\u1161\u11a8"},
        {"\u0958", "\u0915\u093c", "\u0915\u093c", "\u0915\u093c", "\u0915\u093c"}, /* excluded */
        {"\U0001d400\u00a0", "\U0001d400\u00a0", "\U0001d400\u00a0", "A ", "A "},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        expect(NORMAL_NFC, all[i].text, all[i].nfc);
        expect(NORMAL_NFD, all[i].text, all[i].nfd);
        expect(NORMAL_NFKC, all[i].text, all[i].nfkc);
        expect(NORMAL_NFKD, all[i].text, all[i].nfkd);
    }
}

static void every_character_is_settled_by_one_pass(void **unused)
{
    (void)unused;
    for (uint32_t c = 0x80; c < UNICODE_END; c++) {
        struct buf in, once, twice;
        if (c >= 0xD800 && c < 0xE000)
            continue;
        buf_init(&in, 8);
        utf8_put(&in, c);
        for (int form = NORMAL_NFC; form <= NORMAL_NFKD; form++) {
            buf_init(&once, 128);
            buf_init(&twice, 128);
            unicode_normalise(&once, buf_span(&in), (enum normal_form)form);
            unicode_normalise(&twice, buf_span(&once), (enum normal_form)form);
            assert_true(buf_ok(&once) && once.n > 0);
            if (!span_eq(buf_span(&once), buf_span(&twice)))
                fail_msg("U+%04X in form %d", (unsigned)c, form);
            buf_free(&once);
            buf_free(&twice);
        }
        buf_free(&in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_that_of_uax_15),
        cmocka_unit_test(every_character_is_settled_by_one_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
