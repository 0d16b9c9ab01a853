/*
 * Containers that lie, and formats that carry code: each technique gets the
 * finding that names it, is never called clean, and can be cut anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/hostile.h"
#include "support/prefixes.h"
#include "support/zip_writer.h"

static bool has(const struct model *m, enum rule_id rule)
{
    for (size_t i = 0; i < m->verdict.count; i++)
        if (m->verdict.findings[i].rule == rule)
            return true;
    return false;
}

static struct model *read_span(const char *name, struct span bytes)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read_memory(&m, name, bytes, &e))
        fail_msg("%s: %s", name, e.text);
    return m;
}

static void names_every_technique(void **state)
{
    (void)state;
    for (size_t i = 0; i < hostile_container_count; i++) {
        const struct hostile_container *h = &hostile_containers[i];
        struct buf b;
        buf_init(&b, 1 << 20);
        h->write(&b);
        struct model *m = read_span(h->name, buf_span(&b));
        if (!has(m, h->rule)) {
            for (size_t k = 0; k < m->verdict.count; k++)
                fprintf(stderr, "%s: %s\n", rules[m->verdict.findings[k].rule].id,
                        m->verdict.findings[k].detail);
            fail_msg("%s: expected %s", h->name, rules[h->rule].id);
        }
        model_free(m);
        buf_free(&b);
    }
}

/* The offset of the second header is the file's own word: found by fuzzing, it wrapped around. */
static void a_header_beyond_the_file_is_not_looked_for(void **state)
{
    uint8_t head[64] = "MZ";
    (void)state;
    memset(head + 60, 0xff, 4);
    struct model *m = read_span("program.exe", (struct span){head, sizeof head});
    assert_true(m->verdict.incomplete || m->files[0].format == FORMAT_UNKNOWN);
    model_free(m);
}

/* What CI fails on: a high finding, or an incomplete reading. */
static void fails_on_every_technique(void **state)
{
    (void)state;
    for (size_t i = 0; i < hostile_container_count; i++) {
        const struct hostile_container *h = &hostile_containers[i];
        struct buf b;
        buf_init(&b, 1 << 20);
        h->write(&b);
        struct model *m = read_span(h->name, buf_span(&b));
        if (verdict_worst(&m->verdict) < SEV_HIGH && !m->verdict.incomplete)
            fail_msg("%s passes", h->name);
        model_free(m);
        buf_free(&b);
    }
}

static void every_prefix_of_a_container_is_read_within_its_bytes(void **state)
{
    size_t complete;
    (void)state;
    for (size_t i = 0; i < hostile_container_count; i++) {
        struct buf b;
        buf_init(&b, 1 << 20);
        hostile_containers[i].write(&b);
        if (b.n < 8192)
            assert_true(prefixes_read(hostile_containers[i].name, buf_span(&b), &complete));
        buf_free(&b);
    }
}

static void takes_honest_archives(void **state)
{
    struct zip_writer w;
    (void)state;
    zw_init(&w);
    zw_add(&w, "readme.txt", span_str("safe"), false, NULL);
    zw_add(&w, "sub/", SPAN_EMPTY, false, NULL);
    zw_add(&w, "sub/notes.txt", span_str("safe and deflated, deflated, deflated"), true, NULL);
    zw_finish(&w);
    struct model *m = read_span("safe.zip", buf_span(&w.out));
    assert_int_equal(m->verdict.count, 0);
    assert_false(m->verdict.incomplete);
    model_free(m);
    zw_free(&w);
}

/* Two bytes that look like zlib, four that look like a pickle: random weights have them. */
static void leaves_weights_alone(void **state)
{
    static const char *const starts[] = {"\x78\x9c", "\x80\x02(", "\x80\x04N",   "c\x01",
                                         "BZ",       "PK",        "\x1f\x8b\x07"};
    uint8_t bytes[4096];
    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct zip_writer w;
        uint32_t x = 12345 + (uint32_t)i;
        for (size_t k = 0; k < sizeof bytes; k++) {
            x = x * 1664525 + 1013904223;
            bytes[k] = (uint8_t)(x >> 24);
        }
        memcpy(bytes, starts[i], strlen(starts[i]));
        zw_init(&w);
        zw_add(&w, "w.bin", (struct span){bytes, sizeof bytes}, false, NULL);
        zw_finish(&w);
        struct model *m = read_span("w.zip", buf_span(&w.out));
        if (m->verdict.count)
            fail_msg("start %zu: %s", i, m->verdict.findings[0].detail);
        model_free(m);
        zw_free(&w);
    }
}

static void a_document_on_its_own_is_judged(void **state)
{
    static const char evil[] = "{\"a\": {\"chat_template\": \"{{ x.__class__ }}\"}}";
    static const char text[] = "hello";
    (void)state;
    struct model *m = read_span("any.json", span_str(evil));
    assert_int_equal(m->files[0].format, FORMAT_JSON);
    assert_int_equal(m->template_count, 1);
    model_free(m);
    m = read_span("any.jinja", span_str("{{ x.__class__ }}"));
    assert_int_equal(m->template_count, 1);
    model_free(m);
    m = read_span("any.bin", span_str(text));
    assert_int_equal(m->files[0].format, FORMAT_UNKNOWN);
    assert_true(has(m, RULE_READ_FORMAT));
    model_free(m);
}

static void xml_with_a_document_type_is_found_wherever_it_stands(void **state)
{
    struct buf b;
    (void)state;
    struct model *m = read_span("m.pmml", span_str("<?xml version=\"1.0\"?><PMML/>"));
    assert_int_equal(m->files[0].format, FORMAT_XML);
    assert_int_equal(m->verdict.count, 0);
    model_free(m);
    for (size_t pad = (64 << 10) - 20; pad < (64 << 10) + 20; pad++) {
        buf_init(&b, 1 << 20);
        buf_put_str(&b, "<?xml version=\"1.0\"?>");
        for (size_t i = 0; i < pad; i++)
            buf_put_u8(&b, ' ');
        buf_put_str(&b, "<!ENTITY a SYSTEM \"file:///etc/passwd\"><PMML/>");
        m = read_span("m.pmml", buf_span(&b));
        assert_true(has(m, RULE_XML_ENTITY));
        model_free(m);
        buf_free(&b);
    }
}

/* Strings within a pickle: base64 twice, escapes, source in base64, and prose that only looks so. */
static void encodings_within_one_another_are_followed(void **state)
{
    static const struct {
        const char *text;
        bool found;
    } strings[] = {{"WTI5ekNuTjVjM1JsYlFvb1V5ZDRKd3AwVWk0PQ==", true},
                   {"\\x63\\x6f\\x73\\x0a\\x73\\x79\\x73\\x74\\x65\\x6d\\x0a\\x28\\x53\\x27\\x78\\x"
                    "27\\x0a\\x74\\x52\\x2e",
                    true},
                   {"aW1wb3J0IG9zCm9zLnN5c3RlbSgneCcpCg==", true},
                   {"\n# tools\nfrom os import system\nos.system('x')", true},
                   {"from the start we import goods; os.system is a word", false},
                   {"1234567890abcdef1234567890abcdef", false}};
    (void)state;
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        struct buf b;
        size_t n = strlen(strings[i].text);
        buf_init(&b, 1 << 16);
        buf_put(&b, "\x80\2X", 3);
        for (size_t k = 0; k < 4; k++)
            buf_put_u8(&b, (uint8_t)(n >> 8 * k));
        buf_put_str(&b, strings[i].text);
        buf_put_u8(&b, '.');
        struct model *m = read_span("x.pkl", buf_span(&b));
        assert_int_equal(has(m, RULE_PICKLE_NESTED), strings[i].found);
        model_free(m);
        buf_free(&b);
    }
}

static void an_import_alone_is_a_pickle(void **state)
{
    (void)state;
    struct model *m = read_span("x.dat", span_str("cantigravity\nfly\n."));
    assert_int_equal(m->files[0].format, FORMAT_PICKLE);
    assert_true(has(m, RULE_PICKLE_IMPORT) || has(m, RULE_PICKLE_DANGEROUS));
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_every_technique),
        cmocka_unit_test(a_header_beyond_the_file_is_not_looked_for),
        cmocka_unit_test(fails_on_every_technique),
        cmocka_unit_test(every_prefix_of_a_container_is_read_within_its_bytes),
        cmocka_unit_test(takes_honest_archives),
        cmocka_unit_test(leaves_weights_alone),
        cmocka_unit_test(a_document_on_its_own_is_judged),
        cmocka_unit_test(xml_with_a_document_type_is_found_wherever_it_stands),
        cmocka_unit_test(encodings_within_one_another_are_followed),
        cmocka_unit_test(an_import_alone_is_a_pickle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
