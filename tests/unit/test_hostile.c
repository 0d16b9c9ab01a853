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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_every_technique),
        cmocka_unit_test(a_header_beyond_the_file_is_not_looked_for),
        cmocka_unit_test(fails_on_every_technique),
        cmocka_unit_test(every_prefix_of_a_container_is_read_within_its_bytes),
        cmocka_unit_test(takes_honest_archives),
        cmocka_unit_test(leaves_weights_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
