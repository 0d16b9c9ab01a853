/*
 * The run behind a model, from a log: found by the model's root, with what it
 * names; what the log says of another run, or names wrongly, is not taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assay/recorded.h"
#include "support/logs.h"

#define RUN "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"

static struct folder folder;
static struct log *owner;
static struct arena *arena;

static char hex_of(unsigned n)
{
    return "0123456789abcdef"[n % 16];
}

/* A digest of one digit, 64 times. */
static const char *digest(unsigned n)
{
    char *text = arena_alloc(arena, DIGEST_HEX + 1);
    assert_non_null(text);
    memset(text, hex_of(n), DIGEST_HEX);
    text[DIGEST_HEX] = '\0';
    return text;
}

static uint64_t put(enum record_kind kind, const char *body)
{
    struct log_receipt r = {.ok = false};
    struct err e = ERR_INIT;
    struct log_entry entry = {.kind = kind, .body = span_str(body)};
    if (!log_append(owner, &entry, &r, &e))
        fail_msg("%s", e.text);
    return r.seq;
}

static uint64_t put_dataset(unsigned root)
{
    return put(
        RECORD_DATASET,
        arena_printf(arena,
                     "{\"bytes\":9,\"complete\":true,\"file_count\":1,\"manifest_root\":\"%s\","
                     "\"name\":\"tales\",\"software\":\"t\"}",
                     digest(root)));
}

static uint64_t begin(const char *run, uint64_t dataset, unsigned root)
{
    return put(RECORD_TRAINING,
               arena_printf(arena,
                            "{\"code\":\"%s\",\"config\":\"%s\",\"datasets\":[{\"entry\":%llu,"
                            "\"manifest_root\":\"%s\",\"name\":\"tales\"}],\"phase\":\"begin\","
                            "\"run\":\"%s\",\"software\":\"t\",\"step\":0}",
                            digest(7), digest(8), (unsigned long long)dataset, digest(root), run));
}

static void end(const char *run, unsigned steps)
{
    put(RECORD_TRAINING, arena_printf(arena,
                                      "{\"phase\":\"end\",\"run\":\"%s\",\"software\":\"t\","
                                      "\"step\":%u,\"tokens\":50,\"weights_root\":\"%s\"}",
                                      run, steps, digest(9)));
}

static uint64_t model(unsigned root, const char *source)
{
    return put(RECORD_MODEL,
               arena_printf(arena,
                            "{\"bytes\":9,\"complete\":true,\"file_count\":1,\"format\":\"gguf\","
                            "\"manifest_root\":\"%s\",\"software\":\"t\",\"source\":\"%s\","
                            "\"tensor_root\":\"%s\"}",
                            digest(1), source, digest(root)));
}

static void replayed(uint64_t entry, const char *result)
{
    put(RECORD_REPLAY, arena_printf(arena, "{\"entry\":%llu,\"result\":\"%s\",\"software\":\"t\"}",
                                    (unsigned long long)entry, result));
}

static struct recorded_run find(unsigned root)
{
    struct recorded_run run;
    struct digest d;
    struct err e = ERR_INIT;
    assert_true(digest_from_hex(&d, span_str(digest(root))));
    log_close(owner); /* signs all that it holds */
    owner = logs_open(&folder);
    if (!recorded_run(&run, folder.path, &d, arena, &e))
        fail_msg("%s", e.text);
    return run;
}

static struct lineage_edge edge_of(const struct recorded_run *run)
{
    struct lineage_node self = {"m", "model", NULL};
    struct lineage l = {.nodes = NULL};
    struct err e = ERR_INIT;
    l.nodes = arena_grow(arena, NULL, 0, &l.node_cap, sizeof self);
    l.nodes[l.node_count++] = self;
    assert_true(recorded_lineage(&l, run, arena, &e));
    assert_int_equal(l.edge_count, 1);
    assert_string_equal(l.nodes[l.edges[0].from].name, "tales");
    return l.edges[0];
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(16 << 20);
    if (!arena || !folder_make(&folder))
        return -1;
    logs_make(&folder);
    owner = logs_open(&folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_close(owner);
    folder_remove(&folder);
    arena_free(arena);
    return 0;
}

static void the_run_of_a_model_is_found_with_what_it_names(void **state)
{
    (void)state;
    uint64_t data = put_dataset(3), from = begin(RUN, data, 3);
    end(RUN, 40);
    uint64_t enrolled = model(5, RUN);
    begin(OTHER, data, 3); /* of another run, later */
    end(OTHER, 99);
    struct recorded_run run = find(5);
    assert_string_equal(run.name, RUN);
    assert_int_equal(run.begin, from);
    assert_int_equal(run.model, enrolled);
    assert_int_equal(run.steps, 40);
    assert_string_equal(run.weights, digest(9));
    assert_int_equal(run.count, 1);
    assert_int_equal(run.parts[0].entry, data);
    assert_true(run.parts[0].agrees);
    assert_int_equal(edge_of(&run).status, EDGE_VERIFIED);
}

static void a_model_that_no_run_made_has_none(void **state)
{
    (void)state;
    begin(RUN, put_dataset(3), 3);
    model(5, "https://example.org/somewhere");
    assert_null(find(5).name);
    assert_null(find(6).name);
}

static void an_entry_with_another_root_contradicts_the_run(void **state)
{
    (void)state;
    begin(RUN, put_dataset(3), 4);
    end(RUN, 40);
    model(5, RUN);
    struct recorded_run run = find(5);
    assert_false(run.parts[0].agrees);
    assert_int_equal(edge_of(&run).status, EDGE_CONTRADICTED);
}

static void an_entry_that_is_no_data_set_or_not_there_agrees_with_nothing(void **state)
{
    (void)state;
    begin(RUN, 0, 3); /* the genesis entry */
    end(RUN, 40);
    model(5, RUN);
    begin(OTHER, 1000000, 3);
    end(OTHER, 40);
    model(6, OTHER);
    assert_false(find(5).parts[0].agrees);
    assert_false(find(6).parts[0].agrees);
}

static void replays_of_the_run_are_counted_and_a_mismatch_contradicts(void **state)
{
    (void)state;
    uint64_t from = begin(RUN, put_dataset(3), 3);
    end(RUN, 40);
    model(5, RUN);
    replayed(from, "match");
    replayed(from - 1, "mismatch"); /* of something else */
    struct recorded_run run = find(5);
    assert_int_equal(run.replays, 1);
    assert_int_equal(run.mismatches, 0);
    assert_int_equal(edge_of(&run).status, EDGE_VERIFIED);
    replayed(from, "mismatch");
    run = find(5);
    assert_int_equal(run.mismatches, 1);
    assert_int_equal(edge_of(&run).status, EDGE_CONTRADICTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_run_of_a_model_is_found_with_what_it_names, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_model_that_no_run_made_has_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_entry_with_another_root_contradicts_the_run, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            an_entry_that_is_no_data_set_or_not_there_agrees_with_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replays_of_the_run_are_counted_and_a_mismatch_contradicts,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
