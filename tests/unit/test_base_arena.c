/* The capped arena, the map, the error value, the pool and the clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "assay/base/clock.h"
#include "assay/base/map.h"
#include "assay/base/pool.h"

static void arena_gives_zeroed_aligned_memory_up_to_its_cap(void **state)
{
    (void)state;
    struct arena *a = arena_new(1000000);
    size_t sum = 0;
    for (size_t n = 0; n < 900; n++) {
        uint8_t *p = arena_alloc(a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xAA, n); /* overlapping blocks would show as non-zero later */
        sum += n;
    }
    assert_true(arena_used(a) >= sum && arena_used(a) <= 1000000);
    assert_null(arena_alloc(a, 1000000 - arena_used(a) + 1));
    assert_non_null(arena_alloc(a, (1000000 - arena_used(a)) / 16 * 16));
    assert_null(arena_alloc(a, 17));
    arena_free(a);
    arena_free(NULL);
}

static void arena_refuses_sizes_that_overflow(void **state)
{
    (void)state;
    struct arena *a = arena_new(SIZE_MAX);
    for (size_t less = 0; less < 70; less++)
        assert_null(arena_alloc(a, SIZE_MAX - less));
    assert_null(arena_array(a, UINT64_MAX, 2));
    assert_null(arena_array(a, UINT64_MAX / 2 + 1, 2));
    assert_null(arena_str(a, (struct span){(const uint8_t *)"", SIZE_MAX}));
    assert_non_null(arena_alloc(a, 1));
    arena_free(a);
}

static void arena_grows_arrays_and_copies_text(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 24);
    uint32_t *items = NULL;
    size_t cap = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        items = arena_grow(a, items, i, &cap, sizeof *items);
        assert_non_null(items);
        items[i] = i;
    }
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(items[i], i);
    assert_string_equal(arena_str(a, span_str("text")), "text");
    assert_string_equal(arena_str(a, SPAN_EMPTY), "");
    assert_string_equal(arena_printf(a, "%d%s", 4, "x"), "4x");
    assert_true(span_is(arena_span(a, span_str("abc")), "abc"));
    arena_free(a);
}

static void arena_fails_the_nth_allocation(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    arena_fail_after(3);
    assert_non_null(arena_alloc(a, 1));
    assert_non_null(arena_alloc(a, 1));
    assert_null(arena_alloc(a, 1));
    assert_non_null(arena_alloc(a, 1));
    arena_free(a);
}

/* ---- map ---- */

static void map_holds_many_names_and_keeps_the_first(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    struct arena *a = arena_new(256 << 20);
    struct map m = {0};
    uint32_t previous;
    assert_int_equal(map_get(&m, span_str("x")), MAP_NONE); /* empty, not even made */
    assert_true(map_init(&m, a, 0));
    assert_int_equal(map_get(&m, SPAN_EMPTY), MAP_NONE);
    char **names = arena_array(a, MANY, sizeof *names);
    for (uint32_t i = 0; i < MANY; i++) {
        names[i] = arena_printf(a, "blk.%u.attn_q.weight", i);
        assert_true(map_put(&m, span_str(names[i]), i, &previous));
        assert_int_equal(previous, MAP_NONE);
    }
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(map_get(&m, span_str(names[i])), i);
    assert_true(map_put(&m, span_str("blk.7.attn_q.weight"), 99, &previous));
    assert_int_equal(previous, 7);
    assert_int_equal(map_get(&m, span_str("blk.7.attn_q.weight")), 7);
    assert_int_equal(map_get(&m, span_str("blk.7.attn_q.weigh")), MAP_NONE);
    assert_true(map_put(&m, SPAN_EMPTY, 1, &previous));
    assert_int_equal(map_get(&m, SPAN_EMPTY), 1);
    arena_free(a);
}

static void map_tells_names_of_zeros_apart(void **state)
{
    (void)state;
    static const uint8_t zeros[64];
    struct arena *a = arena_new(1 << 20);
    struct map m;
    uint32_t previous;
    assert_true(map_init(&m, a, 4));
    for (uint32_t n = 0; n <= sizeof zeros; n++) {
        assert_true(map_put(&m, (struct span){zeros, n}, n, &previous));
        assert_int_equal(previous, MAP_NONE);
    }
    for (uint32_t n = 0; n <= sizeof zeros; n++)
        assert_int_equal(map_get(&m, (struct span){zeros, n}), n);
    arena_free(a);
}

static void map_survives_a_refused_growth(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct map m;
    uint32_t previous, refused = 0;
    char names[40][4];
    assert_true(map_init(&m, a, 1));
    for (uint32_t i = 0; i < 40; i++) {
        names[i][0] = (char)('a' + i / 10);
        names[i][1] = (char)('0' + i % 10);
        names[i][2] = '\0';
        arena_fail_after(1);
        if (!map_put(&m, span_str(names[i]), i, &previous))
            refused++;
        arena_fail_after(0);
        if (refused)
            break;
    }
    assert_int_equal(refused, 1);
    for (uint32_t i = 0; i < m.used; i++)
        assert_int_equal(map_get(&m, span_str(names[i])), i);
    arena_free(a);
}

/* ---- err ---- */

static void err_keeps_the_first_and_names_its_place(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    assert_false(err_at(&e, ERR_FORMAT, NULL, 12, "a %d", 1));
    assert_false(err_set(&e, ERR_IO, "later"));
    err_in_file(&e, "f");
    err_in_file(&e, "g");
    assert_int_equal(e.code, ERR_FORMAT);
    assert_int_equal(e.offset, 12);
    assert_string_equal(e.text, "a 1");
    assert_string_equal(e.file, "f");
    err_clear(&e);
    errno = ENOENT;
    assert_false(err_errno(&e, "f", "cannot open"));
    assert_string_equal(e.text, "cannot open: No such file or directory");
    assert_false(err_set(NULL, ERR_IO, "nobody listens"));
    err_clear(NULL);
    err_in_file(NULL, "f");
}

static void err_codes_map_to_exit_statuses(void **state)
{
    (void)state;
    static const int status[ERR_CODES] = {0, 2, 2, 3, 3, 3, 3, 3, 3, 4, 1, 3};
    for (int i = 0; i < ERR_CODES; i++) {
        assert_int_equal(err_exit_status((enum err_code)i), status[i]);
        assert_non_null(err_name((enum err_code)i));
    }
}

/* ---- pool and clocks ---- */

enum { JOBS = 10000 };

struct marks {
    atomic_int done[JOBS];
    atomic_bool wrong;
    unsigned threads;
};

static void mark(void *arg, size_t i, unsigned worker)
{
    struct marks *m = arg;
    atomic_fetch_add(&m->done[i], 1);
    if (worker >= m->threads)
        atomic_store(&m->wrong, true);
}

static void pool_runs_every_job_once_and_can_run_again(void **state)
{
    (void)state;
    static struct marks m;
    for (unsigned threads = 0; threads < 5; threads++) {
        struct pool *p = pool_new(threads);
        assert_non_null(p);
        m.threads = pool_threads(p);
        assert_true(m.threads >= 1 && (threads == 0 || m.threads <= threads));
        for (int round = 1; round <= 3; round++) {
            memset(m.done, 0, sizeof m.done);
            pool_run(p, JOBS, mark, &m);
            for (size_t i = 0; i < JOBS; i++)
                assert_int_equal(atomic_load(&m.done[i]), 1);
            pool_run(p, 0, mark, &m);
        }
        assert_false(atomic_load(&m.wrong));
        pool_free(p);
    }
    pool_free(NULL);
}

static void clocks_move_forward(void **state)
{
    (void)state;
    uint64_t a = clock_monotonic(), b = clock_monotonic();
    assert_true(a > 0 && b >= a);
    assert_true(clock_wall() > 1700000000000000u); /* microseconds since 1970 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_zeroed_aligned_memory_up_to_its_cap),
        cmocka_unit_test(arena_refuses_sizes_that_overflow),
        cmocka_unit_test(arena_grows_arrays_and_copies_text),
        cmocka_unit_test(arena_fails_the_nth_allocation),
        cmocka_unit_test(map_holds_many_names_and_keeps_the_first),
        cmocka_unit_test(map_tells_names_of_zeros_apart),
        cmocka_unit_test(map_survives_a_refused_growth),
        cmocka_unit_test(err_keeps_the_first_and_names_its_place),
        cmocka_unit_test(err_codes_map_to_exit_statuses),
        cmocka_unit_test(pool_runs_every_job_once_and_can_run_again),
        cmocka_unit_test(clocks_move_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
