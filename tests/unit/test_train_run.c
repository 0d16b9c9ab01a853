/*
 * Whole runs of a tiny model: interrupted or not, on any number of threads,
 * the same bytes; what a run refuses, and what a failure leaves behind.
 */
#include "assay/train.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "assay/base/file.h"
#include "assay/model.h"
#include "assay/record.h"
#include "support/folder.h"

static struct folder here;
static struct arena *arena;

static const char header[] = "name: tiny\n"
                             "licence: MIT\n"
                             "vocabulary: 300\n"
                             "model: {layers: 1, width: 16, ffn: 24, heads: 2, context: 48}\n"
                             "data:\n"
                             "  - name: lines\n"
                             "    licence: CC0-1.0\n"
                             "    files:\n";
static const char plain_data[] = "      - {path: a.jsonl, format: jsonl}\n"
                                 "      - {path: c.jsonl, format: chat}\n"
                                 "validation: [{path: c.jsonl, format: chat}]\n";
static const char plain_steps[] = "training: {steps: 6, batch: 2, learning_rate: 1e-2, warmup: 2}\n"
                                  "write: [F32, Q8_0, Q4_0]\n";

static int begin(void **state)
{
    (void)state;
    char lines[8192] = "", chats[4096] = "";
    static const char *const names[] = {"Mira", "Tobin", "Cora", "Edda", "Bram", "Lise"};
    static const char *const places[] = {"mill", "lake", "hill", "bridge", "forge"};
    for (size_t i = 0; i < 30; i++)
        snprintf(lines + strlen(lines), 120, "{\"text\":\"%s walks to the %s.\"}\n", names[i % 6],
                 places[i % 5]);
    for (size_t i = 0; i < 12; i++)
        snprintf(chats + strlen(chats), 300,
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"Who?\"},"
                 "{\"role\":\"assistant\",\"content\":\"%s.\"}]}\n",
                 names[i % 6]);
    arena = arena_new(64 << 20);
    return arena && folder_make(&here) && folder_put(&here, "a.jsonl", span_str(lines)) &&
                   folder_put(&here, "c.jsonl", span_str(chats))
               ? 0
               : -1;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    folder_remove(&here);
    return 0;
}

static const char *in(const char *name)
{
    const char *p = arena_printf(arena, "%s/%s", here.path, name);
    assert_non_null(p);
    return p;
}

/* A configuration file of these parts. */
static const char *config(const char *name, const char *data, const char *steps)
{
    const char *text = arena_printf(arena, "%s%s%s", header, data, steps);
    assert_true(folder_put(&here, name, span_str(text)));
    return in(name);
}

static bool open_run(struct train **t, const char *path, const char *output, bool resume,
                     unsigned threads, struct err *e)
{
    struct train_options o = {.output = output, .threads = threads, .resume = resume};
    return train_open(t, path, &o, e);
}

static struct train *opened(const char *path, const char *output, bool resume, unsigned threads)
{
    struct train *t;
    struct err e = ERR_INIT;
    if (!open_run(&t, path, output, resume, threads, &e))
        print_error("%s: %s\n", e.file, e.text);
    assert_int_equal(e.code, ERR_NONE);
    return t;
}

static struct train_step run_to(struct train *t, uint64_t step)
{
    struct train_step s = {.step = 0};
    struct err e = ERR_INIT;
    while (train_steps_done(t) < step)
        assert_true(train_step(t, &s, &e));
    return s;
}

static struct digest root_of(const struct train *t)
{
    struct digest d;
    struct err e = ERR_INIT;
    assert_true(train_root(t, &d, &e));
    return d;
}

static void checkpoint(struct train *t)
{
    struct digest d;
    struct err e = ERR_INIT;
    assert_true(train_checkpoint(t, &d, &e));
}

/* The error of a run that must not open. */
static struct err refused(const char *path, const char *output)
{
    struct train *t;
    struct err e = ERR_INIT;
    assert_false(open_run(&t, path, output, false, 1, &e));
    return e;
}

static void expect_same_files(const char *a, const char *b, const char *name)
{
    struct span x, y;
    struct err e = ERR_INIT;
    assert_true(file_read(&x, arena_printf(arena, "%s/%s", a, name), 1 << 22, false, arena, &e));
    assert_true(file_read(&y, arena_printf(arena, "%s/%s", b, name), 1 << 22, false, arena, &e));
    assert_true(span_eq(x, y));
}

/* ---- the same bytes ---- */

static void an_interrupted_run_ends_in_the_bytes_of_one_that_was_not(void **state)
{
    (void)state;
    static const char *const files[] = {"checkpoint-00000006.safetensors",
                                        "model/model.safetensors",
                                        "model/tokenizer.json",
                                        "model/config.json",
                                        "model/README.md",
                                        "tiny-f32.gguf",
                                        "tiny-q8_0.gguf",
                                        "tiny-q4_0.gguf"};
    const char *path = config("run.yaml", plain_data, plain_steps), *folder;
    struct err e = ERR_INIT;
    struct train *whole = opened(path, in("whole"), false, 1);
    run_to(whole, 6);
    checkpoint(whole);
    assert_true(train_export(whole, &folder, &e));
    train_close(whole);
    struct train *first = opened(path, in("parts"), false, 3);
    run_to(first, 4);
    checkpoint(first);
    run_to(first, 5); /* lost */
    train_close(first);
    struct train *second = opened(path, in("parts"), true, 2);
    assert_int_equal(train_steps_done(second), 4);
    run_to(second, 6);
    checkpoint(second);
    assert_true(train_export(second, &folder, &e));
    train_close(second);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        expect_same_files(in("whole"), in("parts"), files[i]);
}

static void micro_batches_do_not_show(void **state)
{
    (void)state;
    const char *once = config("once.yaml", plain_data, "training: {steps: 3, batch: 4}\n");
    const char *apart =
        config("apart.yaml", plain_data, "training: {steps: 3, batch: 1, accumulate: 4}\n");
    struct train *a = opened(once, in("once"), false, 2), *b = opened(apart, in("apart"), false, 1);
    run_to(a, 3);
    run_to(b, 3);
    struct digest x = root_of(a), y = root_of(b);
    assert_true(digest_eq(&x, &y));
    train_close(a);
    train_close(b);
}

static void training_learns(void **state)
{
    (void)state;
    const char *path = config("learn.yaml", plain_data,
                              "training: {steps: 40, batch: 4, learning_rate: 1e-2, warmup: 5}\n");
    struct train *t = opened(path, in("learn"), false, 2);
    double before, after;
    struct err e = ERR_INIT;
    assert_true(train_validate(t, &before, &e));
    struct train_step s = run_to(t, 40);
    assert_true(train_validate(t, &after, &e));
    assert_true(after < before / 2);
    assert_true(s.rate < 1e-4);
    train_close(t);
}

/* The root that is recorded is that of the file that is written. */
static void the_root_is_that_of_model_safetensors(void **state)
{
    (void)state;
    const char *path = config("root.yaml", plain_data, "training: {steps: 1}\n"), *folder;
    struct train *t = opened(path, in("root"), false, 1);
    struct err e = ERR_INIT;
    struct model *m;
    run_to(t, 1);
    assert_true(train_export(t, &folder, &e));
    assert_true(model_read(&m, folder, NULL, &e));
    assert_int_equal(m->verdict.count, 0);
    assert_false(m->verdict.incomplete);
    assert_int_equal(m->tensor_count, 11);
    model_free(m);
    train_close(t);
}

/* ---- the card ---- */

static const char *card_of(const char *path, const char *output)
{
    const char *folder;
    struct span card;
    struct err e = ERR_INIT;
    struct train *t = opened(path, output, false, 1);
    run_to(t, 1);
    assert_true(train_export(t, &folder, &e));
    assert_true(
        file_read(&card, arena_printf(arena, "%s/README.md", folder), 1 << 16, false, arena, &e));
    train_close(t);
    return arena_str(arena, card);
}

static void the_card_says_what_its_authors_say_and_names_what_they_do_not(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "\nlicense: \"mit\"\n",
        "\nlanguage:\n- \"en\"\n",
        "\ntags:\n- \"a: b\"\n",
        "\n- \"lines\"\n",
        "\n      name: \"c.jsonl\"\n",
        "\n## Intended use\n\nTests.\n",
        "\n## Limitations\n\nIt knows six names.\n",
        "\n## Not stated\n\nOut-of-scope use, Bias and risks, How to use, Citation, Contact.\n",
    };
    const char *card =
        card_of(config("card.yaml", plain_data,
                       "training: {steps: 1}\n"
                       "card: {languages: en, tags: ['a: b'], intended_use: Tests.,\n"
                       "  limitations: It knows six names.}\n"),
                in("card"));
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_non_null(strstr(card, lines[i]));
    assert_null(strstr(card, "\n## Citation"));
}

static void the_licence_stands_beside_the_model(void **state)
{
    (void)state;
    const char *steps = "training: {steps: 1}\nlicence_file: TERMS\n";
    struct err e = refused(config("terms.yaml", plain_data, steps), in("terms"));
    assert_int_equal(e.code, ERR_IO); /* before the first step */
    assert_true(folder_put(&here, "TERMS", span_str("Do as you like.\n")));
    card_of(in("terms.yaml"), in("terms"));
    struct span text;
    assert_true(file_read(&text, in("terms/model/LICENSE"), 1 << 10, false, arena, &e));
    assert_true(span_is(text, "Do as you like.\n"));
}

/* ---- refusals ---- */

static void a_checkpoint_of_other_data_is_refused_by_digest(void **state)
{
    (void)state;
    const char *path =
        config("data.yaml", "      - {path: b.jsonl, format: jsonl}\n", "training: {steps: 2}\n");
    assert_true(folder_put(&here, "b.jsonl", span_str("{\"text\":\"one two three\"}\n")));
    struct train *t = opened(path, in("data"), false, 1);
    struct err e = ERR_INIT;
    checkpoint(t);
    train_close(t);
    e = refused(path, in("data")); /* without --resume */
    assert_int_equal(e.code, ERR_USAGE);
    assert_true(folder_put(&here, "b.jsonl", span_str("{\"text\":\"one two four.\"}\n")));
    err_clear(&e);
    assert_false(open_run(&t, path, in("data"), true, 1, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    assert_non_null(strstr(e.text, "other data"));
}

static void a_checkpoint_of_another_configuration_is_refused(void **state)
{
    (void)state;
    struct train *t =
        opened(config("conf.yaml", plain_data, "training: {steps: 2}\n"), in("conf"), false, 1);
    struct err e = ERR_INIT;
    checkpoint(t);
    train_close(t);
    const char *path = config("conf.yaml", plain_data, "training: {steps: 3}\n");
    assert_false(open_run(&t, path, in("conf"), true, 1, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    assert_non_null(strstr(e.text, "configuration"));
}

static void a_damaged_checkpoint_is_refused(void **state)
{
    (void)state;
    const char *path = config("hurt.yaml", plain_data, "training: {steps: 2}\n");
    struct train *t = opened(path, in("hurt"), false, 1);
    struct err e = ERR_INIT;
    struct span s;
    checkpoint(t);
    train_close(t);
    const char *file = in("hurt/checkpoint-00000000.safetensors");
    assert_true(file_read(&s, file, 1 << 22, false, arena, &e));
    uint8_t *copy = arena_alloc(arena, s.n);
    memcpy(copy, s.p, s.n);
    copy[s.n / 3] ^= 1;
    assert_true(file_replace(file, (struct span){copy, s.n}, false, &e));
    assert_false(open_run(&t, path, in("hurt"), true, 1, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
}

static void unknown_keys_are_named_with_their_line(void **state)
{
    (void)state;
    struct err e =
        refused(config("key.yaml", plain_data, "training: {steps: 2, bach: 3}\n"), in("key"));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(strstr(e.text, "bach"));
    assert_non_null(strstr(e.text, "line 12"));
    assert_non_null(strstr(e.text, "batch"));
}

static void numbers_out_of_bounds_and_missing_parts_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "training: {steps: 0}\n",
        "training: {steps: 2, learning_rate: 0}\n",
        "training: {steps: 2, beta1: 1}\n",
        "training: {steps: 2, min_learning_rate: 1}\n",
        "training: {steps: 2}\nlora: {rank: 2, targets: [q_proj]}\n",
        "training: {steps: 2}\nbase: x.gguf\n",
        "write: [F32]\n",
        "training: {steps: 2}\nwrite: [Q2_K]\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err e = refused(config("bad.yaml", plain_data, wrong[i]), in("bad"));
        assert_int_equal(e.code, ERR_CONFIG);
    }
}

static void a_number_out_of_bounds_is_named_with_its_line(void **state)
{
    (void)state;
    struct err e = refused(config("bounds.yaml", plain_data, "training:\n  steps: 2\n  clip: -1\n"),
                           in("bounds"));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(strstr(e.text, "'clip' is above 0"));
    e = refused(config("bounds.yaml", plain_data,
                       "training: {steps: 2, learning_rate: 1e-3, min_learning_rate: 1e-2}\n"),
                in("bounds"));
    assert_non_null(strstr(e.text, "'min_learning_rate' is more than 'learning_rate'"));
}

static void data_that_hold_nothing_to_learn_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *format;
    } rows[] = {
        {"", "jsonl"},
        {"\n\n", "jsonl"},
        {"{\"text\":\"\"}\n", "jsonl"},  /* the end-of-text token alone */
        {"{\"text\":\"a\"}\n", "jsonl"}, /* one token before it */
        {"a", "text"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}\n", "chat"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *data =
            arena_printf(arena, "      - {path: e.jsonl, format: %s}\n", rows[i].format);
        assert_true(folder_put(&here, "e.jsonl", span_str(rows[i].text)));
        struct err e = refused(config("empty.yaml", data, "training: {steps: 1}\n"), in("empty"));
        assert_int_equal(e.code, ERR_CONFIG);
    }
}

static void rows_that_are_not_what_the_format_says_are_refused_by_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *format;
    } rows[] = {
        {"{\"text\":\"good\"}\n{\"text\":1}\n", "jsonl"},
        {"{\"text\":\"good\"}\nnot json\n", "jsonl"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}\n{\"messages\":[]}\n", "chat"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}\n{\"messages\":[{\"role\":"
         "\"king\","
         "\"content\":\"a\"}]}\n",
         "chat"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *data =
            arena_printf(arena, "      - {path: f.jsonl, format: %s}\n", rows[i].format);
        assert_true(folder_put(&here, "f.jsonl", span_str(rows[i].text)));
        struct err e = refused(config("form.yaml", data, "training: {steps: 1}\n"), in("form"));
        assert_int_equal(e.code, ERR_FORMAT);
        assert_non_null(strstr(e.text, "line 2"));
    }
    assert_true(folder_put(&here, "f.jsonl", span_str("{\"text\":\"\xff\"}\n")));
    struct err e = refused(
        config("form.yaml", "      - {path: f.jsonl, format: jsonl}\n", "training: {steps: 1}\n"),
        in("form"));
    assert_int_equal(e.code, ERR_FORMAT);
    assert_int_equal(e.offset, 9);
}

/* 60 words that share no pair: more tokens than the context of 48. */
static void documents_longer_than_the_context_are_treated_as_asked(void **state)
{
    (void)state;
    static const char *const ways[] = {"refuse", "split", "skip"};
    char text[512] = "{\"text\":\"";
    for (int i = 0; i < 60; i++)
        snprintf(text + strlen(text), 8, "%c%c ", 'A' + i % 26, '0' + i % 10);
    strcat(text, "\"}\n{\"text\":\"short one\"}\n");
    assert_true(folder_put(&here, "l.jsonl", span_str(text)));
    for (int way = 0; way < 3; way++) {
        struct train *t;
        struct err e = ERR_INIT;
        const char *data = arena_printf(
            arena, "      - {path: l.jsonl, format: jsonl, too_long: %s}\n", ways[way]);
        bool ok = open_run(&t, config("long.yaml", data, "training: {steps: 1, batch: 1}\n"),
                           in("long"), false, 1, &e);
        assert_int_equal(ok, way > 0);
        if (!ok) {
            assert_int_equal(e.code, ERR_LIMIT);
            assert_non_null(strstr(e.text, "line 1"));
            continue;
        }
        assert_int_equal(train_facts(t)->skipped, way == 2);
        assert_true((train_facts(t)->documents > 2) == (way == 1));
        run_to(t, 1);
        train_close(t);
    }
}

static void only_what_the_assistant_says_counts(void **state)
{
    (void)state;
    struct train_step s[2];
    static const char *const losses[] = {"answers", "all"};
    assert_true(folder_put(&here, "m.jsonl",
                           span_str("{\"messages\":[{\"role\":\"user\",\"content\":\"ab\"},"
                                    "{\"role\":\"assistant\",\"content\":\"xyz\"}]}\n")));
    for (int i = 0; i < 2; i++) {
        const char *data =
            arena_printf(arena, "      - {path: m.jsonl, format: chat, loss: %s}\n", losses[i]);
        struct train *t = opened(config("mask.yaml", data, "training: {steps: 1, batch: 1}\n"),
                                 in("mask"), false, 1);
        s[i] = run_to(t, 1);
        train_close(t);
    }
    assert_int_equal(s[0].tokens, 4); /* x y z <|im_end|> */
    assert_true(s[1].tokens > 20);
}

/* ---- failures ---- */

static void a_loss_that_is_not_finite_stops_and_keeps_the_weights(void **state)
{
    (void)state;
    const char *path = config("nan.yaml", plain_data,
                              "training: {steps: 9, learning_rate: 1e8, weight_decay: 1e8}\n");
    struct train *t = opened(path, in("nan"), false, 1);
    struct train_step s;
    struct err e = ERR_INIT;
    struct digest before, after;
    for (int i = 0; i < 9 && e.code == ERR_NONE; i++) {
        before = root_of(t);
        checkpoint(t);
        if (!train_step(t, &s, &e))
            break;
    }
    assert_int_equal(e.code, ERR_LIMIT);
    assert_non_null(strstr(e.text, "not finite in step"));
    after = root_of(t);
    assert_true(digest_eq(&before, &after));
    train_close(t);
    t = opened(path, in("nan"), true, 1); /* the last checkpoint is good */
    after = root_of(t);
    assert_true(digest_eq(&before, &after));
    train_close(t);
}

static void a_full_disk_keeps_the_checkpoint_before(void **state)
{
    (void)state;
    const char *path = config("full.yaml", plain_data, plain_steps);
    struct train *t = opened(path, in("full"), false, 1);
    struct err e = ERR_INIT;
    struct rlimit was, small = {4096, 0};
    struct digest d;
    run_to(t, 1);
    checkpoint(t);
    run_to(t, 2);
    getrlimit(RLIMIT_FSIZE, &was);
    small.rlim_max = was.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    bool ok = train_checkpoint(t, &d, &e);
    setrlimit(RLIMIT_FSIZE, &was);
    assert_false(ok);
    assert_int_equal(e.code, ERR_IO);
    assert_true(access(in("full/checkpoint-00000002.safetensors.new"), F_OK) != 0);
    train_close(t);
    t = opened(path, in("full"), true, 1);
    assert_int_equal(train_steps_done(t), 1);
    train_close(t);
}

/* ---- records ---- */

static void encode(enum record_kind kind, const struct buf *body)
{
    struct record_head h = {.kind = kind};
    struct buf leaf;
    struct err e = ERR_INIT;
    buf_init(&leaf, RECORD_MAX);
    bool ok = record_encode(&leaf, &h, buf_span(body), NULL, 0, &e);
    if (!ok)
        print_error("%s\n", e.text);
    assert_true(ok);
    buf_free(&leaf);
}

static void every_moment_of_a_run_is_a_record(void **state)
{
    (void)state;
    struct train *t = opened(config("life.yaml", plain_data, plain_steps), in("life"), false, 1);
    struct train_step s = run_to(t, 1);
    struct digest d = root_of(t);
    uint64_t entries[] = {5};
    struct err e = ERR_INIT;
    struct buf body;
    buf_init(&body, RECORD_MAX);
    assert_int_equal(train_dataset_count(t), 1);
    assert_true(train_dataset_body(t, 0, &body, &e));
    encode(RECORD_DATASET, &body);
    for (int phase = TRAIN_BEGIN; phase <= TRAIN_FAILED; phase++) {
        struct train_moment m = {.phase = (enum train_phase)phase, .step = &s, .datasets = entries};
        m.checkpoint = phase == TRAIN_CHECKPOINT ? &d : NULL;
        m.error = phase == TRAIN_FAILED ? "why" : NULL;
        m.wall_ms = phase == TRAIN_END ? 1 : 0;
        m.validated = phase == TRAIN_STEP;
        buf_clear(&body);
        assert_true(train_body(t, &m, &body, &e));
        encode(RECORD_TRAINING, &body);
    }
    buf_free(&body);
    train_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupted_run_ends_in_the_bytes_of_one_that_was_not),
        cmocka_unit_test(micro_batches_do_not_show),
        cmocka_unit_test(training_learns),
        cmocka_unit_test(the_root_is_that_of_model_safetensors),
        cmocka_unit_test(the_card_says_what_its_authors_say_and_names_what_they_do_not),
        cmocka_unit_test(the_licence_stands_beside_the_model),
        cmocka_unit_test(a_checkpoint_of_other_data_is_refused_by_digest),
        cmocka_unit_test(a_checkpoint_of_another_configuration_is_refused),
        cmocka_unit_test(a_damaged_checkpoint_is_refused),
        cmocka_unit_test(unknown_keys_are_named_with_their_line),
        cmocka_unit_test(numbers_out_of_bounds_and_missing_parts_are_refused),
        cmocka_unit_test(a_number_out_of_bounds_is_named_with_its_line),
        cmocka_unit_test(data_that_hold_nothing_to_learn_are_refused),
        cmocka_unit_test(rows_that_are_not_what_the_format_says_are_refused_by_line),
        cmocka_unit_test(documents_longer_than_the_context_are_treated_as_asked),
        cmocka_unit_test(only_what_the_assistant_says_counts),
        cmocka_unit_test(a_loss_that_is_not_finite_stops_and_keeps_the_weights),
        cmocka_unit_test(a_full_disk_keeps_the_checkpoint_before),
        cmocka_unit_test(every_moment_of_a_run_is_a_record),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
