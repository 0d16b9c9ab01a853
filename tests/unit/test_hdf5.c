/*
 * HDF5 by hand: texts of attributes in global heaps, links, and that what lies
 * about its places is incomplete and read within its bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/documents.h"
#include "support/prefixes.h"

static const char lambda[] = "{\"class_name\":\"Lambda\"}";

enum { ROOT = 48, SPACE = 600 }; /* room for each header */

static struct buf file;
static struct model *m;

static int begin(void **state)
{
    (void)state;
    buf_init(&file, 1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_free(&file);
    model_free(m);
    m = NULL;
    return 0;
}

static void pad_to(size_t at)
{
    while (file.n < at)
        buf_put_u8(&file, 0);
}

static void set_u64(size_t at, uint64_t v)
{
    for (size_t i = 0; i < 8; i++)
        file.p[at + i] = (uint8_t)(v >> 8 * i);
}

static void set_u16(size_t at, size_t v)
{
    file.p[at] = (uint8_t)v;
    file.p[at + 1] = (uint8_t)(v >> 8);
}

/* Superblock of version 2; its end is set by finish(). */
static void start(void)
{
    buf_put(&file, "\x89HDF\r\n\x1a\n\2\10\10\0", 12);
    buf_put_u64le(&file, 0);          /* base */
    buf_put_u64le(&file, UINT64_MAX); /* extension */
    buf_put_u64le(&file, 0);          /* end */
    buf_put_u64le(&file, ROOT);
    buf_put_u32le(&file, 0); /* checksum: not judged */
}

/* An object's header of version 2 with a length of four bytes; returns its place. */
static size_t open_header(void)
{
    size_t at = file.n;
    buf_put(&file, "OHDR\2\2", 6);
    buf_put_u32le(&file, 0);
    return at;
}

static void close_header(size_t at)
{
    size_t n = file.n - at - 10;
    set_u16(at + 6, n);
    buf_put_u32le(&file, 0);
    pad_to(at + SPACE);
}

static size_t open_message(uint8_t type)
{
    buf_put_u8(&file, type);
    buf_put_u16le(&file, 0);
    buf_put_u8(&file, 0);
    return file.n;
}

static void close_message(size_t at)
{
    set_u16(at - 3, file.n - at);
}

/* An attribute of version 3 of one text in a heap. */
static void put_reference(const char *name, uint32_t n, uint64_t heap, uint32_t index)
{
    size_t at = open_message(0x0c);
    buf_put(&file, "\3\0", 2);
    buf_put_u16le(&file, (uint16_t)(strlen(name) + 1));
    buf_put_u16le(&file, 8);
    buf_put_u16le(&file, 4);
    buf_put_u8(&file, 0);
    buf_put(&file, name, strlen(name) + 1);
    buf_put(&file, "\x19\1\0\0\20\0\0\0", 8); /* variable, a string, 16 bytes */
    buf_put(&file, "\2\0\0\0", 4);            /* a single one */
    buf_put_u32le(&file, n);
    buf_put_u64le(&file, heap);
    buf_put_u32le(&file, index);
    close_message(at);
}

/* A heap of objects 1.. with these texts; returns its place. */
static size_t put_heap(const char *const *texts, size_t count)
{
    size_t at = file.n;
    buf_put(&file, "GCOL\1\0\0\0", 8);
    buf_put_u64le(&file, 0);
    for (size_t i = 0; i < count; i++) {
        buf_put_u16le(&file, (uint16_t)(i + 1));
        buf_put(&file, "\1\0\0\0\0\0", 6);
        buf_put_u64le(&file, strlen(texts[i]));
        buf_put_str(&file, texts[i]);
        pad_to((file.n - at + 7) / 8 * 8 + at);
    }
    set_u64(at + 8, file.n - at);
    return at;
}

static void finish(void)
{
    struct err e = ERR_INIT;
    assert_true(buf_ok(&file));
    set_u64(28, file.n);
    model_free(m);
    m = NULL;
    if (!model_read_memory(&m, "x.h5", buf_span(&file), &e))
        fail_msg("%s", e.text);
}

static void one_reference(uint32_t n, uint64_t heap_off, uint32_t index)
{
    static const char *const texts[] = {"first", lambda, "third"};
    start();
    size_t root = open_header();
    put_reference("model_config", n, ROOT + SPACE + heap_off, index);
    close_header(root);
    put_heap(texts, 3);
    finish();
}

static void the_object_of_the_index_is_the_text(void **state)
{
    (void)state;
    one_reference(sizeof lambda - 1, 0, 2);
    assert_int_equal(findings_of(m, RULE_KERAS_LAMBDA), 1);
    assert_false(m->verdict.incomplete);
    for (size_t i = 0; i < m->verdict.count; i++)
        if (m->verdict.findings[i].rule == RULE_KERAS_LAMBDA)
            assert_memory_equal(file.p + m->verdict.findings[i].origin.offset, lambda,
                                sizeof lambda - 1);
}

static void an_index_that_the_heap_lacks_is_incomplete(void **state)
{
    (void)state;
    one_reference(5, 0, 9);
    assert_true(m->verdict.incomplete);
    assert_int_equal(findings_of(m, RULE_FOLDER_NOT_READ), 1);
}

static void a_text_longer_than_its_object_is_incomplete(void **state)
{
    (void)state;
    one_reference(6, 0, 1);
    assert_true(m->verdict.incomplete);
}

static void a_heap_that_is_none_is_incomplete(void **state)
{
    (void)state;
    one_reference(5, 8, 1);
    assert_true(m->verdict.incomplete);
    buf_clear(&file);
    one_reference(5, UINT64_MAX / 2, 1);
    assert_true(m->verdict.incomplete);
}

static void a_heap_larger_than_the_file_is_incomplete(void **state)
{
    (void)state;
    one_reference(5, 0, 1);
    set_u64(ROOT + SPACE + 8, file.n);
    finish();
    assert_true(m->verdict.incomplete);
}

/* Objects whose sizes would step backwards or stand still end the search. */
static void sizes_that_wrap_end_the_search(void **state)
{
    (void)state;
    one_reference(sizeof lambda - 1, 0, 2);
    assert_false(m->verdict.incomplete);
    set_u64(ROOT + SPACE + 16 + 8, UINT64_MAX - 7);
    finish();
    assert_true(m->verdict.incomplete);
}

static void put_link(const char *name, uint8_t kind, uint64_t to)
{
    size_t at = open_message(0x06);
    buf_put_u8(&file, 1);
    buf_put_u8(&file, 8);
    buf_put_u8(&file, kind);
    buf_put_u8(&file, (uint8_t)strlen(name));
    buf_put_str(&file, name);
    buf_put_u64le(&file, to);
    close_message(at);
}

static void put_dataset(uint64_t elements, uint64_t at, uint64_t bytes)
{
    size_t header = open_header(), message = open_message(0x01);
    buf_put(&file, "\2\1\0\1", 4);
    buf_put_u64le(&file, elements);
    close_message(message);
    message = open_message(0x03);
    buf_put(&file, "\x11\x20\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0", 20); /* F32 */
    close_message(message);
    message = open_message(0x08);
    buf_put(&file, "\3\1", 2);
    buf_put_u64le(&file, at);
    buf_put_u64le(&file, bytes);
    close_message(message);
    close_header(header);
}

static void with_dataset(uint64_t elements, uint64_t at, uint64_t bytes)
{
    start();
    size_t root = open_header();
    put_link("w", 0, ROOT + SPACE);
    put_link("again", 0, ROOT + SPACE);
    put_link("up", 0, ROOT);
    close_header(root);
    put_dataset(elements, at, bytes);
    pad_to(file.n + 16);
    finish();
}

static void a_dataset_is_a_tensor_once(void **state)
{
    (void)state;
    with_dataset(4, ROOT + 2 * SPACE, 16);
    assert_false(m->verdict.incomplete);
    assert_int_equal(m->tensor_count, 1);
    assert_true(span_is(m->tensors[0].name, "w"));
    assert_int_equal(m->tensors[0].dtype, DTYPE_F32);
    assert_int_equal(m->tensors[0].elements, 4);
    assert_int_equal(m->tensors[0].data.offset, ROOT + 2 * SPACE);
    assert_int_equal(m->tensors[0].data.length, 16);
}

static void a_dataset_beyond_the_end_is_incomplete(void **state)
{
    static const struct {
        uint64_t elements, at, bytes;
    } lies[] = {{4, ROOT + 2 * SPACE + 1, 16}, {4, UINT64_MAX - 1, 16}, {4, 0, UINT64_MAX - 1}};
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        buf_clear(&file);
        with_dataset(lies[i].elements, lies[i].at, lies[i].bytes);
        assert_true(m->verdict.incomplete);
        assert_int_equal(m->tensor_count, 0);
    }
}

static void a_shape_that_its_bytes_do_not_hold_is_not_listed(void **state)
{
    static const uint64_t elements[] = {5, UINT64_MAX, (uint64_t)1 << 62};
    (void)state;
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
        buf_clear(&file);
        with_dataset(elements[i], ROOT + 2 * SPACE, 16);
        assert_int_equal(m->tensor_count, 0);
        assert_int_equal(findings_of(m, RULE_KERAS_WEIGHTS), 1);
    }
}

static void what_leads_out_is_named(void **state)
{
    (void)state;
    start();
    size_t root = open_header();
    put_link("out", 64, 0);
    close_header(root);
    finish();
    assert_int_equal(findings_of(m, RULE_HDF5_EXTERNAL), 1);
}

/* A header may go on in several places: what stands in the first of them is read, too. */
static void every_place_where_a_header_goes_on_is_read(void **state)
{
    (void)state;
    start();
    size_t root = open_header();
    for (size_t i = 0; i < 2; i++) {
        size_t message = open_message(0x10);
        buf_put_u64le(&file, 0);
        buf_put_u64le(&file, 0);
        close_message(message);
    }
    close_header(root);
    const size_t first = file.n;
    buf_put_str(&file, "OCHK");
    put_link("out", 64, 0);
    buf_put_u32le(&file, 0);
    const size_t second = file.n;
    buf_put(&file, "OCHK\0\0\0\0", 8);
    set_u64(root + 10 + 4, first);
    set_u64(root + 10 + 12, second - first);
    set_u64(root + 10 + 24, second);
    set_u64(root + 10 + 32, file.n - second);
    finish();
    assert_int_equal(findings_of(m, RULE_HDF5_EXTERNAL), 1);
    assert_false(m->verdict.incomplete);
}

static void what_is_not_read_is_incomplete(void **state)
{
    static const struct {
        uint8_t type;
        const char *body;
        size_t n;
    } parts[] = {{0x02, "\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 18}, /* links in a heap */
                 {0x15, "\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 18}, /* attributes in a heap */
                 {0x06, "\1\10\101\1x", 5},                          /* a link of an application */
                 {0x7f, "\0", 1},
                 {0x0c, "\4", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buf_clear(&file);
        start();
        size_t root = open_header(), message = open_message(parts[i].type);
        buf_put(&file, parts[i].body, parts[i].n);
        close_message(message);
        close_header(root);
        finish();
        if (!m->verdict.incomplete)
            fail_msg("message %u is called complete", parts[i].type);
    }
}

static void every_prefix_is_read_within_its_bytes_and_incomplete(void **state)
{
    size_t complete;
    (void)state;
    with_dataset(4, ROOT + 2 * SPACE, 16);
    assert_true(prefixes_read("x.h5", buf_span(&file), &complete));
    assert_int_equal(complete, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_object_of_the_index_is_the_text),
        TEST(an_index_that_the_heap_lacks_is_incomplete),
        TEST(a_text_longer_than_its_object_is_incomplete),
        TEST(a_heap_that_is_none_is_incomplete),
        TEST(a_heap_larger_than_the_file_is_incomplete),
        TEST(sizes_that_wrap_end_the_search),
        TEST(a_dataset_is_a_tensor_once),
        TEST(a_dataset_beyond_the_end_is_incomplete),
        TEST(a_shape_that_its_bytes_do_not_hold_is_not_listed),
        TEST(what_leads_out_is_named),
        TEST(every_place_where_a_header_goes_on_is_read),
        TEST(what_is_not_read_is_incomplete),
        TEST(every_prefix_is_read_within_its_bytes_and_incomplete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
