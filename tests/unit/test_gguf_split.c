/* Split sets: every part leads to all of them, and they are judged together. */
#include "support/gguf_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

enum { PARTS = 3 };

/* What one part says of itself; tests change one field. */
struct part {
    uint16_t no, count;
    int32_t total;
    const char *name; /* architecture; NULL: not written */
    struct gw_tensor tensors[3];
    size_t n;
};

static struct part parts[PARTS];

static void path_of(char out[200], unsigned number)
{
    snprintf(out, 200, "%s/m-%05u-of-00003.gguf", folder, number);
}

static void write_part(unsigned number)
{
    const struct part *p = &parts[number - 1];
    struct gguf_writer w;
    char path[200];
    gw_init(&w);
    gw_header(&w, p->n, p->name ? 4 : 3);
    if (p->name)
        gw_kv_string(&w, "general.architecture", p->name);
    gw_kv_u16(&w, "split.no", p->no);
    gw_kv_u16(&w, "split.count", p->count);
    gw_kv_i32(&w, "split.tensors.count", p->total);
    gw_tensors(&w, p->tensors, p->n, 32, number);
    path_of(path, number);
    assert_true(gw_save(&w, path));
    gw_free(&w);
}

/* As a split tool may write it: the first part holds no tensors. */
static int fine_parts(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/assay-split-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    for (uint16_t i = 0; i < PARTS; i++)
        parts[i] = (struct part){.no = i, .count = PARTS, .total = 3};
    parts[0].name = "llama";
    parts[1].tensors[0] = (struct gw_tensor){"a", DTYPE_F32, {8}};
    parts[1].tensors[1] = (struct gw_tensor){"b", DTYPE_F32, {3}};
    parts[1].n = 2;
    parts[2].tensors[0] = (struct gw_tensor){"c", DTYPE_F16, {4}};
    parts[2].n = 1;
    return 0;
}

static int remove_parts(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= PARTS; i++) {
        char path[200];
        path_of(path, i);
        unlink(path);
    }
    return rmdir(folder);
}

static struct model *read_from(unsigned number)
{
    char path[200];
    struct model *m = NULL;
    struct err e = ERR_INIT;
    path_of(path, number);
    assert_true(model_read(&m, path, NULL, &e));
    return m;
}

static struct model *written(void)
{
    for (unsigned i = 1; i <= PARTS; i++)
        write_part(i);
    return read_from(1);
}

static void found(struct model *m, enum rule_id rule, bool incomplete)
{
    bool fine = gc_found(m, rule) && m->verdict.incomplete == incomplete;
    if (!fine)
        gc_print(m);
    assert_true(fine);
    model_free(m);
}

static void split_is_found_whole_from_any_part(void **state)
{
    (void)state;
    model_free(written());
    for (unsigned number = 1; number <= PARTS; number++) {
        struct model *m = read_from(number);
        if (m->verdict.count)
            gc_print(m);
        assert_int_equal(m->verdict.count, 0);
        assert_int_equal(m->file_count, PARTS);
        assert_string_equal(m->files[0].name, "m-00001-of-00003.gguf");
        assert_string_equal(m->files[2].name, "m-00003-of-00003.gguf");
        assert_int_equal(m->tensor_count, 3);
        assert_int_equal(model_tensor(m, span_str("c"))->data.file, 2);
        assert_false(m->verdict.incomplete);
        model_free(m);
    }
}

static void split_says_which_parts_are_missing(void **state)
{
    (void)state;
    char path[200];
    model_free(written());
    path_of(path, 1);
    unlink(path);
    path_of(path, 3);
    unlink(path);
    struct model *m = read_from(2);
    assert_int_equal(m->file_count, 1);
    assert_true(gc_found(m, RULE_GGUF_SPLIT_MISSING));
    assert_non_null(strstr(m->verdict.findings[0].detail, "1, 3"));
    assert_false(gc_found(m, RULE_GGUF_SPLIT_TENSORS)); /* nothing can be said of the sum */
    found(m, RULE_GGUF_SPLIT_MISSING, true);
}

static void split_names_a_part_that_is_no_file(void **state)
{
    (void)state;
    char path[200];
    model_free(written());
    path_of(path, 2);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    struct model *m = read_from(1);
    rmdir(path);
    found(m, RULE_READ_OPEN, true);
}

static void split_finds_a_wrong_number(void **state)
{
    (void)state;
    parts[1].no = 2;
    found(written(), RULE_GGUF_SPLIT, false);
}

static void split_finds_a_wrong_count(void **state)
{
    (void)state;
    parts[2].count = 4;
    found(written(), RULE_GGUF_SPLIT, false);
}

static void split_finds_a_wrong_sum(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PARTS; i++)
        parts[i].total = 4;
    found(written(), RULE_GGUF_SPLIT_TENSORS, false);
}

static void split_finds_a_tensor_in_two_parts(void **state)
{
    (void)state;
    parts[2].tensors[0].name = "a";
    found(written(), RULE_GGUF_SPLIT_DUPLICATE, false);
}

static void split_finds_a_tensor_twice_in_a_later_part(void **state)
{
    (void)state;
    parts[2].tensors[0].name = "a";
    parts[2].tensors[1] = parts[2].tensors[0];
    parts[2].n = 2;
    found(written(), RULE_GGUF_NAME_DUPLICATE, false);
}

static void split_finds_parts_that_contradict(void **state)
{
    (void)state;
    parts[2].name = "gemma";
    found(written(), RULE_GGUF_SPLIT_METADATA, false);
}

static void split_takes_repeated_metadata(void **state)
{
    (void)state;
    parts[1].name = parts[2].name = "llama";
    struct model *m = written();
    assert_int_equal(m->verdict.count, 0);
    model_free(m);
}

static void split_of_one_is_a_whole_model(void **state)
{
    (void)state;
    char path[200];
    struct gguf_writer w;
    gw_init(&w);
    gc_whole(&w);
    snprintf(path, sizeof path, "%s/m-00001-of-00001.gguf", folder);
    assert_true(gw_save(&w, path));
    struct model *m = NULL;
    struct err e = ERR_INIT;
    assert_true(model_read(&m, path, NULL, &e));
    assert_int_equal(m->verdict.count, 0);
    model_free(m);
    gw_free(&w);
    unlink(path);
}

/* 99,999 parts claimed by a name: only what exists is opened. */
static void split_is_quick_about_missing_parts(void **state)
{
    (void)state;
    char path[200];
    struct gguf_writer w;
    gw_init(&w);
    gc_whole(&w);
    snprintf(path, sizeof path, "%s/m-50000-of-99999.gguf", folder);
    assert_true(gw_save(&w, path));
    struct model *m = NULL;
    struct err e = ERR_INIT;
    assert_true(model_read(&m, path, NULL, &e));
    assert_int_equal(m->file_count, 1);
    assert_true(gc_found(m, RULE_GGUF_SPLIT_MISSING));
    assert_true(gc_found(m, RULE_GGUF_SPLIT));
    model_free(m);
    gw_free(&w);
    unlink(path);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fine_parts, remove_parts)
    const struct CMUnitTest tests[] = {
        TEST(split_is_found_whole_from_any_part), TEST(split_says_which_parts_are_missing),
        TEST(split_names_a_part_that_is_no_file), TEST(split_finds_a_wrong_number),
        TEST(split_finds_a_wrong_count),          TEST(split_finds_a_wrong_sum),
        TEST(split_finds_a_tensor_in_two_parts),  TEST(split_finds_a_tensor_twice_in_a_later_part),
        TEST(split_finds_parts_that_contradict),  TEST(split_takes_repeated_metadata),
        TEST(split_of_one_is_a_whole_model),      TEST(split_is_quick_about_missing_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
