/* The pass over the bytes: digests, statistics, coverage, faults, the cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "inspect/scan.h"
#include "model/reader.h"
#include "support/documents.h"
#include "support/gguf_writer.h"
#include "support/prefixes.h"
#include "support/safetensors_writer.h"

enum { BLOB = 3 * SCAN_CHUNK * SCAN_RING / 2 + 12345 }; /* more chunks than the ring */

static uint8_t blob[BLOB];

static int fill_blob(void **state)
{
    (void)state;
    uint32_t x = 1;
    for (size_t i = 0; i < BLOB; i++)
        blob[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
    return 0;
}

static struct model *blob_model(void)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    assert_true(model_read_memory(&m, "blob", (struct span){blob, BLOB}, &e));
    return m;
}

static void add_tensor(struct model *m, enum dtype t, uint64_t offset, uint64_t length)
{
    struct tensor *x = model_add_tensor(m);
    assert_non_null(x);
    x->name = span_str("t");
    x->dtype = t;
    x->elements = t < DTYPE_COUNT ? length / dtypes[t].bytes * dtypes[t].block : 0;
    x->data = (struct origin){0, offset, length};
}

static struct scan scan_with(struct model *m, bool digests, bool statistics, unsigned threads)
{
    struct scan s;
    struct err e = ERR_INIT;
    struct scan_options opt = {.digests = digests, .statistics = statistics, .threads = threads};
    assert_true(inspect_scan(&s, m, &opt, &e));
    return s;
}

static void expect_digest(const struct digest *got, const uint8_t *p, size_t n)
{
    struct digest want = sha256_of((struct span){p, n});
    assert_true(digest_eq(got, &want));
}

static void scan_hashes_file_and_tensors_on_any_number_of_threads(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset, length;
    } places[] = {{0, 7},          {7, SCAN_CHUNK - 7},              /* ends with a chunk */
                  {SCAN_CHUNK, 1}, {SCAN_CHUNK + 3, 5 * SCAN_CHUNK}, /* over several */
                  {SCAN_CHUNK, 0}, {BLOB - 1, 1},
                  {BLOB, 0}};
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct model *m = blob_model();
        for (size_t i = 0; i < sizeof places / sizeof *places; i++)
            add_tensor(m, DTYPE_U8, places[i].offset, places[i].length);
        struct scan s = scan_with(m, true, false, threads);
        assert_true(s.file_ok[0]);
        expect_digest(&s.file[0], blob, BLOB);
        for (size_t i = 0; i < m->tensor_count; i++) {
            assert_true(s.tensor_ok[i]);
            expect_digest(&s.tensor[i], blob + places[i].offset, (size_t)places[i].length);
        }
        assert_int_equal(s.bytes_read, BLOB);
        assert_false(m->verdict.incomplete);
        model_free(m);
    }
}

static void scan_reads_overlapping_tensors_again_within_a_budget(void **state)
{
    (void)state;
    struct model *m = blob_model();
    add_tensor(m, DTYPE_U8, 0, BLOB);
    add_tensor(m, DTYPE_U8, 0, BLOB); /* twin */
    add_tensor(m, DTYPE_U8, 10, 100); /* inside */
    for (int i = 0; i < 50; i++)
        add_tensor(m, DTYPE_U8, 1000 + (uint64_t)i, BLOB / 2);
    struct scan s = scan_with(m, true, true, 2);
    for (size_t i = 0; i < 3; i++) {
        assert_true(s.tensor_ok[i]);
        expect_digest(&s.tensor[i], blob + m->tensors[i].data.offset,
                      (size_t)m->tensors[i].data.length);
        assert_int_equal(s.stats[i].count, m->tensors[i].data.length);
    }
    assert_true(s.tensor_ok[3]);
    assert_false(s.tensor_ok[52]);
    assert_true(m->verdict.incomplete);
    assert_int_equal(findings_of(m, RULE_READ_LIMIT), 49);
    assert_true(s.bytes_read <= 4 * (uint64_t)BLOB);
    assert_int_equal(s.coverage.tensors, BLOB); /* overlaps count once */
    model_free(m);
}

static void scan_leaves_out_tensors_beyond_the_file(void **state)
{
    (void)state;
    struct model *m = blob_model();
    add_tensor(m, DTYPE_U8, BLOB - 3, 4);
    add_tensor(m, DTYPE_U8, UINT64_MAX - 1, 4);
    add_tensor(m, DTYPE_U8, 4, UINT64_MAX - 1);
    add_tensor(m, DTYPE_U8, 4, 4);
    m->tensors[3].data.file = ORIGIN_NO_FILE;
    struct scan s = scan_with(m, true, true, 2);
    for (size_t i = 0; i < 4; i++) {
        assert_false(s.tensor_ok[i]);
        assert_int_equal(s.stats[i].count, 0);
    }
    assert_true(s.file_ok[0]);
    model_free(m);
}

static void scan_takes_the_same_statistics_on_any_number_of_threads(void **state)
{
    (void)state;
    static const enum dtype types[] = {DTYPE_F16, DTYPE_U8, DTYPE_Q4_0, DTYPE_F32, DTYPE_NONE};
    struct stats first[5];
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct model *m = blob_model();
        for (size_t i = 0; i < 5; i++)
            add_tensor(m, types[i], i * 288000, 288000);
        add_tensor(m, DTYPE_U8, 0, 288000); /* the first one's bytes as another type */
        struct scan s = scan_with(m, false, true, threads);
        assert_null(s.tensor);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(s.stats[i].count, m->tensors[i].elements);
        assert_int_equal(s.stats[4].count, 0);
        assert_int_equal(s.stats[5].count, 288000);
        if (threads == 1)
            memcpy(first, s.stats, sizeof first);
        assert_memory_equal(first, s.stats, sizeof first);
        double sum = 0;
        for (size_t i = 0; i < 288000; i++)
            sum += blob[288000 + i];
        assert_true(fabs(s.stats[1].sum - sum) < 1e-6 * sum);
        model_free(m);
    }
}

/* ---- coverage ---- */

static void expect_sum(const struct model *m, const struct coverage *c)
{
    uint64_t size = 0;
    for (size_t i = 0; i < m->file_count; i++)
        size += m->files[i].size;
    assert_int_equal(c->size, size);
    assert_int_equal(c->parsed + c->tensors + c->padding + c->unexplained, size);
}

static void sum_holds(struct span prefix, void *arg)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    (void)arg;
    assert_true(model_read_memory(&m, "prefix", prefix, &e));
    struct scan s = scan_with(m, true, true, 2);
    expect_sum(m, &s.coverage);
    assert_int_equal(s.coverage.hashed, prefix.n);
    model_free(m);
}

static void gguf_fixture(struct gguf_writer *w)
{
    static const struct gw_tensor tensors[] = {{"a", DTYPE_F32, {3, 0}}, {"b", DTYPE_F16, {5, 0}}};
    gw_init(w);
    gw_header(w, 2, 1);
    gw_kv_string(w, "general.architecture", "llama");
    gw_tensors(w, tensors, 2, 32, 7);
}

static void coverage_adds_up_for_every_prefix(void **state)
{
    (void)state;
    struct gguf_writer g;
    struct safetensors_writer w;
    gguf_fixture(&g);
    assert_true(prefixes_each(gw_span(&g), SIZE_MAX, 0, sum_holds, NULL));
    gw_free(&g);
    sw_init(&w);
    sw_tensor(&w, "a", DTYPE_F32, (const uint64_t[]){3, SW_END});
    sw_tensor(&w, "b", DTYPE_F16, (const uint64_t[]){2, 2, SW_END});
    assert_true(prefixes_each(sw_finish(&w, 1), SIZE_MAX, 0, sum_holds, NULL));
    sw_free(&w);
}

static void coverage_explains_every_byte_of_a_clean_file(void **state)
{
    (void)state;
    struct gguf_writer g;
    struct model *m = NULL;
    struct err e = ERR_INIT;
    gguf_fixture(&g);
    assert_true(model_read_memory(&m, "clean.gguf", gw_span(&g), &e));
    struct scan s = scan_with(m, false, false, 1);
    expect_sum(m, &s.coverage);
    assert_int_equal(s.coverage.unexplained, 0);
    assert_int_equal(s.coverage.tensors, 12 + 10);
    assert_true(s.coverage.padding >= 20 + 22); /* after either tensor, and before the first */
    assert_int_equal(findings_of(m, RULE_COVERAGE_PADDING), 0);
    model_free(m);
    gw_free(&g);
}

static void coverage_points_at_hidden_bytes(void **state)
{
    (void)state;
    struct gguf_writer g;
    struct model *m = NULL;
    struct err e = ERR_INIT;
    gguf_fixture(&g);
    g.out.p[g.out.n - 1] = 'x'; /* in the padding of the last tensor */
    gw_zeros(&g, 100);          /* zeros that no alignment explains */
    assert_true(model_read_memory(&m, "hidden.gguf", gw_span(&g), &e));
    struct scan s = scan_with(m, false, false, 1);
    expect_sum(m, &s.coverage);
    assert_int_equal(s.coverage.unexplained, 122);
    assert_int_equal(findings_of(m, RULE_COVERAGE_UNEXPLAINED), 1);
    model_free(m);
    g.out.n -= 100;
    assert_true(model_read_memory(&m, "hidden.gguf", gw_span(&g), &e));
    s = scan_with(m, false, false, 1);
    assert_int_equal(s.coverage.unexplained, 22);
    assert_int_equal(findings_of(m, RULE_COVERAGE_PADDING), 1);
    model_free(m);
    gw_free(&g);
}

static void coverage_finds_no_padding_where_the_header_breaks_off(void **state)
{
    (void)state;
    struct gguf_writer g;
    struct model *m = NULL;
    struct err e = ERR_INIT;
    gguf_fixture(&g);
    struct span cut = span_sub(gw_span(&g), 0, 40); /* inside the first key */
    assert_true(model_read_memory(&m, "cut.gguf", cut, &e));
    struct scan s = scan_with(m, false, false, 1);
    expect_sum(m, &s.coverage);
    assert_int_equal(findings_of(m, RULE_COVERAGE_PADDING), 0);
    assert_int_equal(findings_of(m, RULE_COVERAGE_UNEXPLAINED), 1);
    model_free(m);
    gw_free(&g);
}

/* ---- files that move ---- */

static char folder[] = "/tmp/assay-scan-XXXXXX";
static char path[128], cache[128];

static int make_folder(void **state)
{
    fill_blob(state);
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    snprintf(cache, sizeof cache, "%s/cache", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(cache);
    return rmdir(folder);
}

static void write_file(uint32_t seed)
{
    struct safetensors_writer w;
    sw_init(&w);
    sw_tensor(&w, "a", DTYPE_F32, (const uint64_t[]){300000, SW_END});
    sw_tensor(&w, "b", DTYPE_F16, (const uint64_t[]){1000, 300, SW_END});
    struct span bytes = sw_finish(&w, seed);
    unlink(path);
    assert_true(sw_save(bytes, path));
    sw_free(&w);
}

static struct model *read_path(void)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    assert_true(model_read(&m, path, NULL, &e));
    assert_int_equal(m->tensor_count, 2);
    return m;
}

static void scan_finds_a_file_that_shrank(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads++) {
        write_file(1);
        struct model *m = read_path();
        assert_int_equal(truncate(path, 1500000), 0); /* in the middle of b */
        struct scan s = scan_with(m, true, true, threads);
        assert_true(s.tensor_ok[0]);
        assert_false(s.tensor_ok[1] || s.file_ok[0]);
        assert_int_equal(findings_of(m, RULE_READ_CHANGED), 1);
        assert_true(m->verdict.incomplete && m->files[0].incomplete);
        model_free(m);
    }
}

static void scan_finds_a_file_that_was_written_to(void **state)
{
    (void)state;
    write_file(1);
    struct model *m = read_path();
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    struct scan s = scan_with(m, true, false, 2);
    assert_true(s.file_ok[0]); /* of the bytes that were there */
    assert_int_equal(findings_of(m, RULE_READ_CHANGED), 1);
    assert_true(m->verdict.incomplete);
    model_free(m);
}

/* ---- progress ---- */

struct watched {
    int calls, stop_at;
    uint64_t done, total;
};

static bool watch(void *arg, const char *what, uint64_t done, uint64_t total)
{
    struct watched *w = arg;
    assert_non_null(what);
    assert_true(done >= w->done && done <= total);
    w->done = done;
    w->total = total;
    return ++w->calls != w->stop_at;
}

static void scan_reports_progress_and_stops_when_told(void **state)
{
    (void)state;
    struct model *m = blob_model();
    struct err e = ERR_INIT;
    struct scan s;
    struct watched w = {0};
    struct scan_options opt = {.digests = true, .threads = 2, .progress = {watch, &w}};
    add_tensor(m, DTYPE_U8, 0, BLOB);
    assert_true(inspect_scan(&s, m, &opt, &e));
    assert_true(w.calls >= 1);
    assert_int_equal(w.done, w.total);
    assert_int_equal(w.total, BLOB);
    for (unsigned threads = 1; threads <= 3; threads++) {
        w = (struct watched){.stop_at = 1};
        opt.threads = threads;
        opt.statistics = true;
        err_clear(&e);
        assert_false(inspect_scan(&s, m, &opt, &e));
        assert_int_equal(e.code, ERR_INTERRUPTED);
    }
    model_free(m);
}

static void scan_says_when_memory_ends(void **state)
{
    (void)state;
    struct model *m = blob_model();
    add_tensor(m, DTYPE_U8, 0, 100);
    struct scan_options opt = {.digests = true, .statistics = true, .threads = 1};
    bool ok = false;
    for (uint64_t n = 1; !ok; n++) {
        struct err e = ERR_INIT;
        struct scan s;
        assert_true(n < 100);
        arena_fail_after(n);
        ok = inspect_scan(&s, m, &opt, &e);
        assert_true(ok || e.code == ERR_MEMORY);
    }
    arena_fail_after(0);
    model_free(m);
}

/* ---- the cache ---- */

static bool scan_cached(bool *ok)
{
    struct model *m = read_path();
    struct err e = ERR_INIT;
    struct scan s;
    struct scan_options opt = {.digests = true, .threads = 2, .cache = cache};
    assert_true(inspect_scan(&s, m, &opt, &e));
    struct scan plain = scan_with(m, true, false, 1);
    *ok = digest_eq(&s.file[0], &plain.file[0]) && digest_eq(&s.tensor[0], &plain.tensor[0]) &&
          digest_eq(&s.tensor[1], &plain.tensor[1]) && s.tensor_ok[1] && s.file_ok[0] &&
          s.from_cache == (s.bytes_read == 0);
    model_free(m);
    return s.from_cache;
}

/* Put digests of the file at `path` into the cache as if it were `age` seconds old. */
static void keep(uint64_t age)
{
    struct model *m = read_path();
    struct scan s = scan_with(m, true, false, 1);
    struct source_stamp stamp = source_stamp(m->files[0].source);
    struct scan_range ranges[2];
    for (uint32_t i = 0; i < 2; i++)
        ranges[i] = (struct scan_range){
            .offset = m->tensors[i].data.offset, .length = m->tensors[i].data.length, .tensor = i};
    struct cache *c = cache_load(cache);
    cache_keep(c, stamp, ranges, 2, s.file, s.tensor,
               (uint64_t)stamp.mtime_ns / 1000 + age * 1000000);
    assert_true(cache_save(c, cache));
    cache_free(c);
    model_free(m);
}

static void cache_gives_what_was_hashed_before_until_the_file_changes(void **state)
{
    (void)state;
    bool ok;
    unlink(cache);
    write_file(1);
    assert_false(scan_cached(&ok));
    assert_true(ok);
    assert_int_equal(access(cache, F_OK), -1); /* too young to be trusted */
    keep(1);
    assert_int_equal(access(cache, F_OK), -1);
    keep(10);
    struct stat st;
    assert_int_equal(stat(cache, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(scan_cached(&ok));
    assert_true(ok);
    write_file(2);
    assert_false(scan_cached(&ok));
    assert_true(ok);
    keep(10);
    assert_true(scan_cached(&ok));
    assert_true(ok);
}

static void flip(long at)
{
    FILE *f = fopen(cache, "r+b");
    assert_non_null(f);
    fseek(f, at, SEEK_SET);
    int c = fgetc(f);
    fseek(f, at, SEEK_SET);
    fputc(c ^ 1, f);
    fclose(f);
}

static void cache_that_is_damaged_or_not_ours_alone_is_ignored(void **state)
{
    (void)state;
    bool ok;
    struct stat st;
    unlink(cache);
    write_file(3);
    keep(10);
    assert_int_equal(stat(cache, &st), 0);
    for (long at = 0; at < st.st_size; at++) {
        flip(at);
        struct cache *c = cache_load(cache);
        struct model *m = at % 50 ? NULL : read_path();
        struct digest d, t[2];
        if (m)
            assert_false(cache_find(c, source_stamp(m->files[0].source), NULL, 0, &d, t));
        model_free(m);
        cache_free(c);
        if (at % 50 == 0)
            assert_false(scan_cached(&ok));
        flip(at);
    }
    assert_true(scan_cached(&ok));
    for (off_t n = st.st_size - 1; n >= 0; n -= 13) {
        assert_int_equal(truncate(cache, n), 0);
        assert_false(scan_cached(&ok));
        assert_true(ok);
    }
    keep(10);
    assert_int_equal(chmod(cache, 0666), 0);
    assert_false(scan_cached(&ok));
    assert_int_equal(chmod(cache, 0600), 0);
    assert_true(scan_cached(&ok));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_hashes_file_and_tensors_on_any_number_of_threads),
        cmocka_unit_test(scan_reads_overlapping_tensors_again_within_a_budget),
        cmocka_unit_test(scan_leaves_out_tensors_beyond_the_file),
        cmocka_unit_test(scan_takes_the_same_statistics_on_any_number_of_threads),
        cmocka_unit_test(coverage_adds_up_for_every_prefix),
        cmocka_unit_test(coverage_explains_every_byte_of_a_clean_file),
        cmocka_unit_test(coverage_points_at_hidden_bytes),
        cmocka_unit_test(coverage_finds_no_padding_where_the_header_breaks_off),
        cmocka_unit_test(scan_finds_a_file_that_shrank),
        cmocka_unit_test(scan_finds_a_file_that_was_written_to),
        cmocka_unit_test(scan_reports_progress_and_stops_when_told),
        cmocka_unit_test(scan_says_when_memory_ends),
        cmocka_unit_test(cache_gives_what_was_hashed_before_until_the_file_changes),
        cmocka_unit_test(cache_that_is_damaged_or_not_ours_alone_is_ignored),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
