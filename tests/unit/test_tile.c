/* Tiles: paths and widths of the specification, hashes against the definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "assay/tile.h"

enum { LEAVES = 70000 };

/* Every complete subtree of a tree of LEAVES, level by level. */
static struct digest *level_hash[18];

static int setup(void **state)
{
    (void)state;
    for (unsigned l = 0; l < 18 && LEAVES >> l; l++) {
        level_hash[l] = calloc(LEAVES >> l, sizeof *level_hash[l]);
        for (uint64_t i = 0; i < (uint64_t)LEAVES >> l; i++)
            level_hash[l][i] =
                l ? merkle_node(&level_hash[l - 1][2 * i], &level_hash[l - 1][2 * i + 1])
                  : merkle_leaf((struct span){(const uint8_t *)&i, sizeof i});
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned l = 0; l < 18; l++)
        free(level_hash[l]);
    return 0;
}

static bool read_hash(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e)
{
    const uint64_t *size = arg;
    (void)e;
    assert_true((index + 1) << level <= *size);
    *out = level_hash[level][index];
    return true;
}

static void check_path(struct tile t, const char *expected)
{
    char path[TILE_PATH];
    assert_string_equal(tile_path(path, &t), expected);
}

static void paths_are_those_of_the_specification(void **state)
{
    (void)state;
    check_path((struct tile){.number = 1234067, .width = 256}, "tile/0/x001/x234/067");
    check_path((struct tile){.number = 0, .width = 256}, "tile/0/000");
    check_path((struct tile){.number = 999, .width = 256}, "tile/0/999");
    check_path((struct tile){.number = 1000, .width = 256}, "tile/0/x001/000");
    check_path((struct tile){.level = 2, .number = 0, .width = 1}, "tile/2/000.p/1");
    check_path((struct tile){.entries = true, .number = 273, .width = 112},
               "tile/entries/273.p/112");
    check_path((struct tile){.entries = true, .number = UINT64_MAX, .width = 255},
               "tile/entries/x018/x446/x744/x073/x709/x551/615.p/255");
}

static void widths_are_those_of_the_specification(void **state)
{
    (void)state;
    /* "a tree of size 70,000 will be represented by ..." */
    assert_int_equal(tile_width(0, 272, 70000), 256);
    assert_int_equal(tile_width(0, 273, 70000), 112);
    assert_int_equal(tile_width(0, 274, 70000), 0);
    assert_int_equal(tile_width(1, 0, 70000), 256);
    assert_int_equal(tile_width(1, 1, 70000), 17);
    assert_int_equal(tile_width(2, 0, 70000), 1);
    assert_int_equal(tile_width(3, 0, 70000), 0);
    /* "a tree of size 256 ..." */
    assert_int_equal(tile_width(0, 0, 256), 256);
    assert_int_equal(tile_width(0, 1, 256), 0);
    assert_int_equal(tile_width(1, 0, 256), 1);
    assert_int_equal(tile_width(1, 0, 255), 0);
    assert_int_equal(tile_width(0, 0, 0), 0);
    assert_int_equal(tile_width(8, 0, UINT64_MAX), 0);
    assert_int_equal(tile_width(0, UINT64_MAX, UINT64_MAX), 0);
}

/* MTH over [from, from + n) by recursion on the definition; n is a power of two here. */
static struct digest naive(uint64_t from, uint64_t n)
{
    if (n == 1)
        return level_hash[0][from];
    struct digest l = naive(from, n / 2), r = naive(from + n / 2, n / 2);
    return merkle_node(&l, &r);
}

/* Hashes of a level as the text has them: floor(s / 256^l), all but the last tile 256 wide. */
static void check_level(uint64_t size, unsigned level, uint64_t leaves_a_hash)
{
    struct hash_reader r = {read_hash, &size};
    struct buf b;
    uint64_t seen = 0;
    for (uint64_t number = 0;; number++) {
        struct tile t = {.level = level, .number = number};
        t.width = tile_width(level, number, size);
        if (t.width == 0)
            break;
        buf_init(&b, TILE_FULL);
        assert_true(tile_put(&b, &t, &r, NULL));
        assert_int_equal(b.n, t.width * (size_t)DIGEST_SIZE);
        for (unsigned i = 0; i < t.width; i++) {
            struct digest d = naive((number * 256 + i) * leaves_a_hash, leaves_a_hash);
            assert_memory_equal(b.p + (size_t)i * DIGEST_SIZE, d.b, DIGEST_SIZE);
        }
        seen += t.width;
        buf_free(&b);
    }
    assert_int_equal(seen, size / leaves_a_hash);
}

static void tiles_hold_the_hashes_of_the_definition(void **state)
{
    (void)state;
    const uint64_t sizes[] = {0, 1, 255, 256, 257, 65535, 65536, 65537, 70000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_level(sizes[i], 0, 1);
        check_level(sizes[i], 1, 256);
        check_level(sizes[i], 2, 65536);
    }
}

static bool no_hash(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e)
{
    (void)arg;
    (void)level;
    memset(out, 0, sizeof *out);
    return index < 3 || err_set(e, ERR_IO, "no hash");
}

static void a_tile_that_cannot_be_read_fails(void **state)
{
    (void)state;
    struct hash_reader r = {no_hash, NULL};
    struct buf b;
    struct err e = ERR_INIT;
    buf_init(&b, TILE_FULL);
    assert_false(tile_put(&b, &(struct tile){.width = 4}, &r, &e));
    assert_int_equal(e.code, ERR_IO);
    buf_free(&b);
    buf_init(&b, 40);
    err_clear(&e);
    assert_false(tile_put(&b, &(struct tile){.width = 2}, &r, &e));
    assert_int_equal(e.code, ERR_MEMORY);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_those_of_the_specification),
        cmocka_unit_test(widths_are_those_of_the_specification),
        cmocka_unit_test(tiles_hold_the_hashes_of_the_definition),
        cmocka_unit_test(a_tile_that_cannot_be_read_fails),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
