/* Models from paths and memory: what opens, what does not, hostile changes, no memory. */
#include "support/gguf_cases.h"
#include "support/prefixes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/assay-model-XXXXXX";
static char path[200];

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static struct model *read_file(const char *name, const void *bytes, size_t n)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    assert_true(model_read(&m, path, NULL, &e));
    unlink(path);
    return m;
}

static void model_lists_a_file_of_unknown_content(void **state)
{
    (void)state;
    struct model *m = read_file("model.dat", "hello, world", 12);
    assert_int_equal(m->file_count, 1);
    assert_string_equal(m->files[0].name, "model.dat");
    assert_int_equal(m->files[0].format, FORMAT_UNKNOWN);
    assert_int_equal(m->files[0].size, 12);
    assert_true(gc_found(m, RULE_READ_FORMAT));
    assert_int_equal(gc_worse(m, SEV_LOW), 0);
    assert_false(m->verdict.incomplete);
    model_free(m);
}

static void model_knows_a_format_by_content_not_by_name(void **state)
{
    (void)state;
    struct gguf_writer w;
    gw_init(&w);
    gc_whole(&w);
    struct model *m = read_file("weights.bin", w.out.p, w.out.n);
    assert_int_equal(m->files[0].format, FORMAT_GGUF);
    assert_int_equal(m->tensor_count, 3);
    assert_int_equal(m->verdict.count, 0);
    model_free(m);
    gw_free(&w);
}

static void model_says_that_a_file_is_empty(void **state)
{
    (void)state;
    struct model *m = read_file("model.gguf", "", 0);
    assert_true(gc_found(m, RULE_READ_EMPTY));
    assert_true(m->verdict.incomplete);
    assert_true(m->files[0].incomplete);
    model_free(m);
}

static void refused(const char *p, const char *word)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    assert_false(model_read(&m, p, NULL, &e));
    assert_null(m);
    assert_int_equal(e.code, ERR_IO);
    assert_string_equal(e.file, p);
    if (!strstr(e.text, word))
        fail_msg("\"%s\" does not say \"%s\"", e.text, word);
}

static void model_refuses_what_cannot_be_read(void **state)
{
    (void)state;
    char p[200];
    refused("/no/such/file", "No such file");
    refused("/dev/null", "device");
    snprintf(p, sizeof p, "%s/fifo", folder);
    assert_int_equal(mkfifo(p, 0600), 0);
    refused(p, "FIFO");
    unlink(p);
    snprintf(p, sizeof p, "%s/loop", folder);
    assert_int_equal(symlink(p, p), 0);
    refused(p, "symbolic links");
    unlink(p);
}

static void model_refuses_without_permission(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    snprintf(path, sizeof path, "%s/secret", folder);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fclose(f);
    chmod(path, 0);
    refused(path, "denied");
    unlink(path);
}

static void model_free_takes_nothing(void **state)
{
    (void)state;
    model_free(NULL);
}

/* ---- limits: sparse files claim what no memory shall hold ---- */

static struct model *read_sparse(const struct gguf_writer *w, off_t size)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    snprintf(path, sizeof path, "%s/sparse", folder);
    assert_true(gw_save(w, path));
    assert_int_equal(truncate(path, size), 0);
    assert_true(model_read(&m, path, NULL, &e));
    unlink(path);
    return m;
}

static void model_stops_at_the_limit_of_a_header(void **state)
{
    (void)state;
    struct gguf_writer w;
    gw_init(&w);
    gw_header(&w, 0, 2);
    gw_kv_string(&w, "general.architecture", "llama");
    gw_kv_array(&w, "test.large", VALUE_U8, UINT64_C(300) << 20);
    struct model *m = read_sparse(&w, (off_t)1 << 30);
    assert_true(gc_found(m, RULE_READ_LIMIT));
    assert_true(m->verdict.incomplete);
    assert_int_equal(m->metadata_count, 1); /* what was read before is kept */
    assert_true(source_window(m->files[0].source) < 32 << 20);
    model_free(m);
    gw_free(&w);
}

static void model_stops_at_the_limits_of_counts(void **state)
{
    (void)state;
    struct gguf_writer w;
    gw_init(&w);
    gw_header(&w, UINT64_C(1) << 25, UINT64_C(1) << 25);
    struct model *m = read_sparse(&w, (off_t)1 << 30);
    assert_true(gc_found(m, RULE_READ_LIMIT));
    assert_true(m->verdict.incomplete);
    assert_true(arena_used(m->arena) < 1 << 20);
    model_free(m);
    gw_free(&w);
}

/* ---- hostile changes ---- */

static uint64_t random_next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* A seeded choice of single bytes: whatever they become, reading ends well. */
static void model_survives_single_changed_bytes(void **state)
{
    (void)state;
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    uint64_t seed = 20260131;
    for (int big = 0; big < 2; big++) {
        struct gguf_writer w;
        gw_init(&w);
        w.big_endian = big;
        gc_whole(&w);
        for (int i = 0; i < 20000; i++) {
            size_t at = random_next(&seed) % w.out.n;
            uint8_t before = w.out.p[at];
            uint64_t r = random_next(&seed);
            w.out.p[at] = r & 8 ? values[r % 5] : (uint8_t)(r >> 8);
            struct model *m = gc_read(&w);
            model_walk(m);
            model_free(m);
            w.out.p[at] = before;
        }
        gw_free(&w);
    }
}

/* A header with its sizes all at the edge: every 8 bytes set to huge numbers. */
static void model_survives_huge_numbers_anywhere(void **state)
{
    (void)state;
    static const uint64_t huge[] = {UINT64_MAX, UINT64_C(1) << 63, UINT64_C(1) << 32, 1u << 20, 0};
    struct gguf_writer w;
    gw_init(&w);
    gc_whole(&w);
    for (size_t at = 8; at + 8 <= w.out.n; at++) {
        uint64_t before = load_u64le(w.out.p + at);
        for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
            store_u64le(w.out.p + at, huge[i]);
            struct model *m = gc_read(&w);
            model_walk(m);
            model_free(m);
        }
        store_u64le(w.out.p + at, before);
    }
    gw_free(&w);
}

/* The n-th allocation fails, for every n: an error or a model, never a crash. */
static void model_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct gguf_writer w;
    gw_init(&w);
    gc_whole(&w);
    gw_zeros(&w, 1); /* one finding */
    bool read = false;
    for (uint64_t n = 1; n < 1000 && !read; n++) {
        struct model *m = NULL;
        struct err e = ERR_INIT;
        arena_fail_after(n);
        bool ok = model_read_memory(&m, "case.gguf", gw_span(&w), &e);
        arena_fail_after(0);
        if (!ok)
            assert_int_equal(e.code, ERR_MEMORY);
        read = ok && !m->verdict.lost;
        model_free(m);
    }
    assert_true(read);
    gw_free(&w);
}

static void model_keeps_to_its_memory_cap(void **state)
{
    (void)state;
    struct gguf_writer w;
    gw_init(&w);
    gc_whole(&w);
    snprintf(path, sizeof path, "%s/model", folder);
    assert_true(gw_save(&w, path));
    struct model *m = NULL;
    struct err e = ERR_INIT;
    assert_false(model_read(&m, path, &(struct model_options){.memory_cap = 2048}, &e));
    assert_int_equal(e.code, ERR_MEMORY);
    unlink(path);
    gw_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_lists_a_file_of_unknown_content),
        cmocka_unit_test(model_knows_a_format_by_content_not_by_name),
        cmocka_unit_test(model_says_that_a_file_is_empty),
        cmocka_unit_test(model_refuses_what_cannot_be_read),
        cmocka_unit_test(model_refuses_without_permission),
        cmocka_unit_test(model_free_takes_nothing),
        cmocka_unit_test(model_stops_at_the_limit_of_a_header),
        cmocka_unit_test(model_stops_at_the_limits_of_counts),
        cmocka_unit_test(model_survives_single_changed_bytes),
        cmocka_unit_test(model_survives_huge_numbers_anywhere),
        cmocka_unit_test(model_survives_every_failed_allocation),
        cmocka_unit_test(model_keeps_to_its_memory_cap),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
