/* The log: what is acknowledged is there, and nothing else is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/log.h"
#include "support/folder.h"

static struct folder place;
static const char *folder; /* borrowed from `place` */

static int setup(void **state)
{
    (void)state;
    folder = place.path;
    return folder_make(&place) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(&place);
    return 0;
}

static struct log *opened(void)
{
    struct log *l = NULL;
    struct err e = ERR_INIT;
    if (!log_open(&l, folder, NULL, &e))
        fail_msg("%s: %s", e.file, e.text);
    return l;
}

static struct log_reader *reader(void)
{
    struct log_reader *r = NULL;
    struct err e = ERR_INIT;
    if (!log_reader_open(&r, folder, &e))
        fail_msg("%s: %s", e.file, e.text);
    return r;
}

static void made(void)
{
    struct err e = ERR_INIT;
    if (!log_init(folder, span_str("example.org/audit"), NULL, &e))
        fail_msg("%s: %s", e.file, e.text);
}

static struct log_receipt appended(struct log *l, const char *body)
{
    struct log_receipt r = {.ok = false};
    struct err e = ERR_INIT;
    struct log_entry entry = {.kind = RECORD_CONFIG, .body = span_str(body)};
    if (!log_append(l, &entry, &r, &e))
        fail_msg("%s", e.text);
    return r;
}

static const char config[] =
    "{\"changes\":[{\"name\":\"a\",\"value\":\"b\"}],\"software\":\"test\"}";

static void what_is_appended_is_read_back_and_proved(void **state)
{
    (void)state;
    made();
    struct log *l = opened();
    assert_true(log_is_owner(l));
    uint64_t first = appended(l, config).seq;
    for (int i = 0; i < 600; i++)
        assert_int_equal(appended(l, config).seq, first + 1 + (uint64_t)i);
    log_close(l);
    struct log_reader *r = reader();
    assert_int_equal(log_reader_size(r), first + 602); /* and the stop leaf */
    struct buf b;
    buf_init(&b, 1 << 20);
    struct err e = ERR_INIT;
    for (uint64_t i = 0; i < log_reader_size(r); i += 37) {
        buf_clear(&b);
        if (!log_reader_receipt(r, i, &b, &e))
            fail_msg("%s", e.text);
        assert_true(span_starts(buf_span(&b), "c2sp.org/tlog-proof@v1\nextra "));
    }
    buf_free(&b);
    log_reader_close(r);
}

static void a_log_opens_again_and_goes_on(void **state)
{
    (void)state;
    made();
    uint64_t last = 0;
    for (int i = 0; i < 3; i++) {
        struct log *l = opened();
        uint64_t seq = appended(l, config).seq;
        assert_true(i == 0 || seq == last + 3); /* stop, start, entry */
        last = seq;
        log_close(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_appended_is_read_back_and_proved, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_opens_again_and_goes_on, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
