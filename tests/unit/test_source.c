/* Sources: one open, a window that never moves, files that do not stand still. */
#include "assay/source.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/assay-source-XXXXXX";
static char path[128];

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i * 131 + (i >> 11));
}

/* A new file of n bytes, byte_at each. */
static const char *make_file(size_t n)
{
    snprintf(path, sizeof path, "%s/file", folder);
    unlink(path);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        assert_int_not_equal(putc(byte_at(i), f), EOF);
    assert_int_equal(fclose(f), 0);
    return path;
}

static struct source *opened(const char *p)
{
    struct source *s = NULL;
    struct err e = ERR_INIT;
    assert_true(source_open(&s, p, &e));
    return s;
}

static void source_reads_what_stands_in_the_file(void **state)
{
    (void)state;
    struct source *s = opened(make_file(5000));
    struct err e = ERR_INIT;
    uint8_t buf[100];
    assert_int_equal(source_size(s), 5000);
    assert_true(source_read(s, buf, 4900, sizeof buf, &e));
    for (size_t i = 0; i < sizeof buf; i++)
        assert_int_equal(buf[i], byte_at(4900 + i));
    assert_false(source_read(s, buf, 4901, sizeof buf, &e));
    assert_int_equal(e.code, ERR_FORMAT);
    assert_true(source_unchanged(s, NULL));
    source_close(s);
}

static void source_window_keeps_its_address_while_it_grows(void **state)
{
    (void)state;
    size_t n = (size_t)5 << 20;
    struct source *s = opened(make_file(n));
    struct cursor c = source_cursor(s, n);
    struct span first = cursor_take(&c, 16);
    assert_true(source_window(s) >= 1 << 20);
    assert_true(source_window(s) < n);
    struct span rest = cursor_take(&c, n - 16);
    assert_int_equal(rest.n, n - 16);
    assert_ptr_equal(first.p + 16, rest.p);
    assert_int_equal(source_window(s), n);
    for (size_t i = 0; i < n; i += 997)
        assert_int_equal(first.p[i], byte_at(i));
    assert_true(source_check(s, NULL));
    source_close(s);
}

static void source_cursor_stops_at_its_limit(void **state)
{
    (void)state;
    struct source *s = opened(make_file(10000));
    struct cursor c = source_cursor(s, 4096);
    assert_int_equal(cursor_left(&c), 10000);
    assert_int_equal(cursor_take(&c, 4096).n, 4096);
    cursor_u8(&c);
    assert_int_equal(c.fault_code, ERR_LIMIT);
    assert_int_equal(c.fault_at, 4096);
    assert_int_equal(source_window(s), 4096);
    /* A second cursor cannot have more: the reservation does not move. */
    struct cursor d = source_cursor(s, 10000);
    assert_int_equal(cursor_take(&d, 4096).n, 4096);
    cursor_u8(&d);
    assert_int_equal(d.fault_code, ERR_LIMIT);
    source_close(s);
}

static void source_survives_a_file_that_shrinks(void **state)
{
    (void)state;
    struct source *s = opened(make_file((size_t)3 << 20));
    struct cursor c = source_cursor(s, (uint64_t)3 << 20);
    cursor_u8(&c);
    assert_int_equal(truncate(path, 100), 0);
    cursor_take(&c, (uint64_t)2 << 20);
    assert_false(cursor_ok(&c));
    struct err e = ERR_INIT;
    assert_false(source_check(s, &e));
    assert_int_equal(e.code, ERR_CHANGED);
    assert_string_equal(e.file, path);
    uint8_t buf[64];
    struct err again = ERR_INIT;
    assert_false(source_read(s, buf, 1000, sizeof buf, &again));
    assert_int_equal(again.code, ERR_CHANGED);
    assert_int_equal(again.offset, 1000);
    source_close(s);
}

static void source_notices_a_new_time_of_change(void **state)
{
    (void)state;
    struct source *s = opened(make_file(100));
    assert_true(source_unchanged(s, NULL));
    struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    struct err e = ERR_INIT;
    assert_false(source_unchanged(s, &e));
    assert_int_equal(e.code, ERR_CHANGED);
    source_close(s);
}

static void source_notices_growth(void **state)
{
    (void)state;
    struct source *s = opened(make_file(100));
    FILE *f = fopen(path, "ab");
    assert_non_null(f);
    fputc('x', f);
    fclose(f);
    assert_false(source_unchanged(s, NULL));
    source_close(s);
}

static void refused(const char *p, const char *word)
{
    struct source *s = NULL;
    struct err e = ERR_INIT;
    assert_false(source_open(&s, p, &e));
    assert_null(s);
    assert_int_equal(e.code, ERR_IO);
    assert_string_equal(e.file, p);
    if (!strstr(e.text, word))
        fail_msg("\"%s\" does not say \"%s\"", e.text, word);
}

static void source_refuses_what_is_no_regular_file(void **state)
{
    (void)state;
    char fifo[160];
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    refused(fifo, "FIFO"); /* and returns: nobody writes to it */
    unlink(fifo);
    refused(folder, "folder");
    refused("/dev/null", "device");
    refused("/no/such/file", "No such file");
}

static void source_refuses_without_permission(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    chmod(make_file(10), 0);
    refused(path, "denied");
}

static void source_refuses_a_loop_of_links(void **state)
{
    (void)state;
    char a[160], b[160];
    snprintf(a, sizeof a, "%s/a", folder);
    snprintf(b, sizeof b, "%s/b", folder);
    assert_int_equal(symlink(a, b), 0);
    assert_int_equal(symlink(b, a), 0);
    refused(a, "symbolic links");
    unlink(a);
    unlink(b);
}

static void source_reads_an_empty_file(void **state)
{
    (void)state;
    struct source *s = opened(make_file(0));
    struct cursor c = source_cursor(s, 100);
    assert_int_equal(cursor_left(&c), 0);
    cursor_u8(&c);
    assert_int_equal(c.fault_code, ERR_FORMAT);
    assert_true(source_read(s, NULL, 0, 0, NULL));
    source_close(s);
}

static void source_over_memory_reads_the_same(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5};
    struct source *s = NULL;
    struct err e = ERR_INIT;
    assert_true(source_memory(&s, "memory", (struct span){bytes, sizeof bytes}, &e));
    struct cursor c = source_cursor(s, 4);
    assert_int_equal(cursor_u32(&c), 0x04030201);
    cursor_u8(&c);
    assert_int_equal(c.fault_code, ERR_LIMIT);
    uint8_t buf[2];
    assert_true(source_read(s, buf, 3, 2, &e));
    assert_int_equal(buf[1], 5);
    assert_true(source_unchanged(s, &e));
    source_close(s);
    source_close(NULL);
}

struct reading {
    const struct source *s;
    size_t offset;
    bool ok;
};

static void *read_many(void *arg)
{
    struct reading *r = arg;
    uint8_t buf[512];
    r->ok = true;
    for (size_t i = r->offset; i + sizeof buf < 100000; i += 700) {
        r->ok = r->ok && source_read(r->s, buf, i, sizeof buf, NULL);
        for (size_t k = 0; k < sizeof buf; k++)
            r->ok = r->ok && buf[k] == byte_at(i + k);
    }
    return NULL;
}

static void source_read_is_safe_from_several_threads(void **state)
{
    (void)state;
    struct source *s = opened(make_file(100000));
    struct reading r[4];
    pthread_t t[4];
    for (size_t i = 0; i < 4; i++) {
        r[i] = (struct reading){s, i * 13, false};
        assert_int_equal(pthread_create(&t[i], NULL, read_many, &r[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        assert_true(r[i].ok);
    }
    source_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_reads_what_stands_in_the_file),
        cmocka_unit_test(source_window_keeps_its_address_while_it_grows),
        cmocka_unit_test(source_cursor_stops_at_its_limit),
        cmocka_unit_test(source_survives_a_file_that_shrinks),
        cmocka_unit_test(source_notices_a_new_time_of_change),
        cmocka_unit_test(source_notices_growth),
        cmocka_unit_test(source_refuses_what_is_no_regular_file),
        cmocka_unit_test(source_refuses_without_permission),
        cmocka_unit_test(source_refuses_a_loop_of_links),
        cmocka_unit_test(source_reads_an_empty_file),
        cmocka_unit_test(source_over_memory_reads_the_same),
        cmocka_unit_test(source_read_is_safe_from_several_threads),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
