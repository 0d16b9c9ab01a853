/* Data sets counted, cards in every spelling, training runs, what disagrees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "provenance/parquet.h"
#include "provenance/rows.h"
#include "support/documents.h"
#include "support/folder.h"

static struct arena *arena;
static struct folder place;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(128 << 20);
    return arena && folder_make(&place) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    folder_remove(&place);
    return 0;
}

static struct dataset_card card(const char *name, const char *text)
{
    struct dataset_card c;
    struct err e = ERR_INIT;
    if (!dataset_card_read(&c, name, span_str(text), arena, &e))
        fail_msg("%s", e.text);
    return c;
}

static struct dataset counted(const char *name, const char *text)
{
    struct dataset d;
    struct dataset_options o = {.card = NULL};
    struct err e = ERR_INIT;
    assert_true(folder_put(&place, name, span_str(text)));
    if (!dataset_read(&d, folder_path(&place, name), &o, arena, &e))
        fail_msg("%s", e.text);
    return d;
}

/* ---- Parquet ---- */

/* FileMetaData: 1 version, 2 schema of a root and two columns, 3 rows, 4 two row groups. */
static const uint8_t footer[] = {
    0x15, 2,                                     /* version 1 */
    0x19, 0x3c,                                  /* three schema elements */
    0x48, 4,    'r',  'o', 'o', 't', 0x15, 4, 0, /* name, two children */
    0x48, 4,    't',  'e', 'x', 't', 0,          /* a column */
    0x48, 1,    'n',  0,                         /* another */
    0x16, 20,                                    /* ten rows */
    0x19, 0x2c,                                  /* two row groups */
    0x36, 14,   0,                               /* seven rows */
    0x26, 2,    0x16, 6,   0,                    /* a size, then three rows */
    0x18, 3,    'm',  'e', '!',                  /* field 5: of another type than it has */
    0,
};

static bool footer_read(struct parquet *p, size_t n, size_t changed, uint8_t to, struct err *e)
{
    uint8_t bytes[sizeof footer];
    memcpy(bytes, footer, sizeof footer);
    bytes[changed] = to;
    return parquet_footer(p, (struct span){bytes, n}, "a.parquet", 100, arena, e);
}

static void a_parquet_footer_gives_rows_groups_and_columns(void **state)
{
    struct parquet p;
    struct err e = ERR_INIT;
    (void)state;
    assert_true(footer_read(&p, sizeof footer, 0, footer[0], &e));
    assert_int_equal(p.rows, 10);
    assert_int_equal(p.groups, 2);
    assert_int_equal(p.group_rows, 10);
    assert_int_equal(p.column_count, 2);
    assert_string_equal(p.columns[0], "text");
    assert_string_equal(p.columns[1], "n");
}

static void every_cut_of_a_parquet_footer_is_refused_at_its_place(void **state)
{
    struct parquet p;
    (void)state;
    for (size_t n = 0; n < sizeof footer; n++) {
        struct err e = ERR_INIT;
        assert_false(footer_read(&p, n, 0, footer[0], &e));
        assert_string_equal(e.file, "a.parquet");
        assert_true(e.offset >= 100 && e.offset <= 100 + n);
    }
}

static void counts_of_a_parquet_footer_are_bounded_by_its_bytes(void **state)
{
    static const struct {
        size_t at;
        uint8_t to;
        const char *why;
    } changes[] = {{3, 0xfc, "bytes left"}, {25, 21, "negative"}, {3, 0x35, "not of structures"}};
    struct parquet p;
    struct err e = ERR_INIT;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        e = (struct err)ERR_INIT;
        assert_false(footer_read(&p, sizeof footer, changes[i].at, changes[i].to, &e));
        if (!strstr(e.text, changes[i].why))
            fail_msg("%s", e.text);
    }
    assert_true(footer_read(&p, sizeof footer, 25, 22, &e)); /* eleven */
    assert_int_equal(p.rows, 11);
    assert_int_equal(p.group_rows, 10);
}

/* The whole file: hashed, its rows the footer's and apart from those that are counted. */
static void rows_of_parquet_are_the_footers_and_not_counted(void **state)
{
    struct buf file;
    struct dataset d;
    const struct dataset_options o = {.card = NULL};
    struct err e = ERR_INIT;
    (void)state;
    buf_init(&file, 4096);
    buf_put_str(&file, "PAR1");
    buf_put(&file, footer, sizeof footer);
    buf_put_u32le(&file, sizeof footer);
    buf_put_str(&file, "PAR1");
    assert_true(folder_put(&place, "d/train.parquet", buf_span(&file)));
    assert_true(folder_put(&place, "d/more.jsonl", span_str("{\"a\":\"b\"}\n")));
    assert_true(folder_put(
        &place, "d/README.md",
        span_str("---\ndataset_info: {splits: [{name: train, num_examples: 12}]}\n---\n")));
    assert_true(dataset_read(&d, folder_path(&place, "d"), &o, arena, &e));
    assert_int_equal(d.rows, 1);
    assert_int_equal(d.footer_rows, 10);
    assert_string_equal(d.columns, "text, n");
    assert_true(d.complete);
    bool said = false;
    for (size_t i = 0; i < d.note_count; i++)
        said |=
            d.notes[i].contradicts && strstr(d.notes[i].counted, "11 rows, 10 of them as Parquet");
    assert_true(said);
    dataset_free(&d);
    assert_true(folder_put(&place, "d/train.parquet", span_sub(buf_span(&file), 0, file.n - 1)));
    assert_true(dataset_read(&d, folder_path(&place, "d"), &o, arena, &e));
    assert_false(d.complete);
    dataset_free(&d);
    buf_free(&file);
}

/* ---- cards ---- */

static void croissant_is_read_in_its_variant_spellings(void **state)
{
    static const char *const spellings[][2] = {
        {"rai:dataAnnotationPlatform", "rai:annotationPlatform"},
        {"rai:dataAnnotationProtocol", "annotationPlatform"},
    };
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 2; k++) {
            const char *text =
                arena_printf(arena, "{\"@type\":\"sc:Dataset\",\"name\":\"d\",\"%s\":\"by hand\"}",
                             spellings[i][k]);
            struct dataset_card c = card("croissant.json", text);
            assert_int_equal(c.kind, CARD_CROISSANT);
            assert_string_equal(c.annotation, "by hand");
        }
    struct dataset_card c = card("metadata.json", "{\"@type\":\"Dataset\",\"sc:license\":[\"MIT\"],"
                                                  "\"personalSensitiveInformation\":[\"none\"]}");
    assert_string_equal(c.licence, "MIT");
    assert_string_equal(c.personal, "none");
}

static void members_that_croissant_requires_and_lacks_are_named(void **state)
{
    (void)state;
    struct dataset_card c = card("croissant.json", "{\"@type\":\"sc:Dataset\",\"name\":\"d\"}");
    assert_non_null(strstr(c.trouble, "description"));
    assert_non_null(strstr(c.trouble, "distribution"));
    assert_null(strstr(c.trouble, "name,"));
}

static void broken_and_exploding_yaml_is_named_and_the_rest_goes_on(void **state)
{
    (void)state;
    struct dataset_card c = card("README.md", "---\nlicense: [mit\n---\n");
    assert_int_equal(c.kind, CARD_HUGGING_FACE);
    assert_non_null(strstr(c.trouble, "line"));
    c = card("README.md", "---\na: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n---\n");
    assert_non_null(strstr(c.trouble, "anchors"));
    c = card("README.md", "no front matter");
    assert_int_equal(c.kind, CARD_NONE);
}

static void hugging_face_and_dta_and_yaml_give_the_same_facts(void **state)
{
    (void)state;
    struct dataset_card face = card("README.md", "---\npretty_name: d\nlicense: mit\nlanguage: en\n"
                                                 "tags: [synthetic]\n---\n");
    struct dataset_card dta = card("dta.json", "{\"source\":{\"title\":\"d\"},\"provenance\":{"
                                               "\"date\":\"2026-05-01\"},\"use\":{\"license\":"
                                               "\"mit\"}}");
    struct dataset_card plain = card("dataset.yaml", "name: d\nlicense: mit\nrows: 7\n");
    assert_string_equal(face.licence, "mit");
    assert_string_equal(dta.licence, "mit");
    assert_string_equal(plain.licence, "mit");
    assert_string_equal(face.name, "d");
    assert_string_equal(dta.name, "d");
    assert_string_equal(plain.name, "d");
    assert_int_equal(plain.rows, 7);
    assert_int_equal(face.language_count, 1);
    assert_non_null(face.synthetic);
    assert_int_equal(dta.kind, CARD_DTA);
}

/* ---- counting ---- */

static void rows_are_counted_as_their_format_has_them(void **state)
{
    static const struct {
        const char *name, *text;
        uint64_t rows;
    } cases[] = {
        {"a.jsonl", "{\"a\":1}\n{\"a\":2}\n\n{\"a\":3}", 3},
        {"a.csv", "h,i\n1,\"x\ny\"\n2,z\n", 2},
        {"a.tsv", "h\ti\n1\tx\n", 1},
        {"a.txt", "one\ntwo\n", 2},
        {"b.jsonl", "", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dataset d = counted(cases[i].name, cases[i].text);
        assert_true(d.has_rows);
        assert_int_equal(d.rows, cases[i].rows);
        dataset_free(&d);
    }
    struct dataset d = counted("a.bin", "xx");
    assert_false(d.has_rows);
    dataset_free(&d);
}

static void duplicates_dates_and_addresses_are_found(void **state)
{
    (void)state;
    struct dataset d = counted("c.jsonl", "{\"t\":\"2026-01-02 a@b.org\"}\n{\"t\":\"x\"}\n"
                                          "{\"t\":\"x\"}\n{\"t\":\"12026-01-02 9999-99-99 a@b\"}\n"
                                          "{\"t\":\"2025-12-31\"}\n");
    assert_int_equal(d.duplicates, 1);
    assert_string_equal(d.first_date, "2025-12-31");
    assert_string_equal(d.last_date, "2026-01-02");
    assert_int_equal(d.emails, 1);
    dataset_free(&d);
}

static void a_row_longer_than_the_limit_is_cut_and_counted_once(void **state)
{
    size_t n = DATASET_MAX_LINE + 100000;
    char *text = arena_alloc(arena, n + 8);
    (void)state;
    assert_non_null(text);
    memset(text, 'a', n);
    memcpy(text + n, "\nb\n", 4);
    struct dataset d = counted("long.txt", text);
    assert_int_equal(d.rows, 2);
    dataset_free(&d);
}

static void long_rows_that_differ_at_their_ends_are_no_duplicates(void **state)
{
    size_t n = DATASET_MAX_LINE + 1000;
    char *text = arena_alloc(arena, 3 * (n + 1) + 1);
    (void)state;
    assert_non_null(text);
    memset(text, 'a', 3 * (n + 1));
    text[n] = text[2 * n + 1] = text[3 * n + 2] = '\n';
    text[n - 1] = 'b';
    struct dataset d = counted("ends.txt", text);
    assert_int_equal(d.rows, 3);
    assert_int_equal(d.duplicates, 1); /* the second and the third */
    dataset_free(&d);
}

static void json_text_is_read_and_not_as_it_is_written(void **state)
{
    (void)state;
    /* "Привет" and a face, a date with an escaped dash, a quote, half a pair at the end */
    struct dataset d = counted("u.jsonl", "{\"t\":\"\\u041f\\u0440\\u0438\\u0432\\u0435\\u0442"
                                          "\\ud83d\\ude00\\n2026\\u002d01-02\\\"\\ud83d\"}\n");
    assert_string_equal(d.languages[0].code, "ru");
    assert_int_equal(d.languages[0].bytes, 12 + 4 + 1 + 10 + 1 + 3 + 1); /* and a line end */
    assert_string_equal(d.first_date, "2026-01-02");
    dataset_free(&d);
}

/* a, b, c, ab and abc are tokens; any other character is one token. */
static struct tokenizer *letters(void)
{
    struct tokenizer *t = NULL;
    struct err e = ERR_INIT;
    struct model *m = text_model("config.json", span_str("{}"));
    assert_non_null(m);
    assert_true(add_document(m, DOC_TOKENIZER,
                             "{\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,"
                             "\"a\":1,\"b\":2,\"c\":3,\"ab\":4,\"abc\":5},\"merges\":[\"a b\","
                             "[\"ab\",\"c\"]]}}"));
    if (!tokenizer_new(&t, m, &e))
        fail_msg("%s", e.text);
    model_free(m);
    return t;
}

static void tokens_are_those_of_the_text_and_not_of_how_it_is_written(void **state)
{
    static const struct {
        const char *name, *text;
        uint64_t tokens, uncounted;
    } cases[] = {
        {"t.jsonl", "{\"t\":\"abc\"}\n", 1, 0},
        {"t.jsonl", "{\"t\":\"\\u0061\\u0062c\"}\n", 1, 0},
        {"t.jsonl", "{\"t\":\"a\\nb\"}\n", 3, 0},
        {"t.jsonl", "{\"abc\":\"a\",\"b\":[\"b\",\"abc\"]}\n", 3, 0}, /* no keys; each by itself */
        {"t.jsonl", "{\"t\":\"a\\ud83d\\ude00\"}\n", 2, 0},           /* a pair is one character */
        {"t.jsonl", "{\"t\":\"\xff\",\"u\":\"abc\"}\n", 1, 1},
        {"t.txt", "abcabc\nab\n", 3, 0},
        {"t.txt", "a\\u0062\n", 7, 0}, /* plain text has no escapes */
    };
    struct tokenizer *t = letters();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dataset d;
        struct dataset_options o = {.tokenizer = t};
        struct err e = ERR_INIT;
        assert_true(folder_put(&place, cases[i].name, span_str(cases[i].text)));
        assert_true(dataset_read(&d, folder_path(&place, cases[i].name), &o, arena, &e));
        assert_int_equal(d.tokens, cases[i].tokens);
        assert_int_equal(d.uncounted, cases[i].uncounted);
        assert_int_equal(d.note_count, cases[i].uncounted);
        dataset_free(&d);
    }
    tokenizer_free(t);
}

/* Called while the file is read: it grows under the reader. */
static bool let_it_grow(void *arg, const char *what, uint64_t done, uint64_t total)
{
    (void)what, (void)done, (void)total;
    return folder_put(&place, arg, span_str("{\"t\":\"one\"}\n{\"t\":\"two, and more\"}\n"));
}

static void a_file_that_changes_while_it_is_read_is_named_and_the_rest_counted(void **state)
{
    struct dataset d;
    char name[] = "set/b.jsonl";
    struct dataset_options o = {.progress = {.report = let_it_grow, .arg = name}};
    struct err e = ERR_INIT;
    (void)state;
    assert_true(folder_put(&place, "set/a.jsonl", span_str("{\"t\":\"still\"}\n")));
    assert_true(folder_put(&place, "set/b.jsonl", span_str("{\"t\":\"one\"}\n")));
    assert_true(dataset_read(&d, folder_path(&place, "set"), &o, arena, &e));
    assert_false(d.complete);
    assert_int_equal(d.file_count, 2);
    assert_true(d.files[0].read);
    assert_false(d.files[1].read);
    assert_int_equal(d.note_count, 1);
    assert_non_null(strstr(d.notes[0].counted, "b.jsonl"));
    dataset_free(&d);
}

static void links_to_files_are_followed_and_counted_and_links_to_folders_are_not(void **state)
{
    static const struct folder_item items[] = {
        {"blobs/1", "{\"t\":\"one\"}\n{\"t\":\"two\"}\n", FOLDER_FILE},
        {"snapshot/train.jsonl", "../blobs/1", FOLDER_LINK},
        {"snapshot/loop", "..", FOLDER_LINK},
        {"snapshot/gone.jsonl", "../blobs/2", FOLDER_LINK},
    };
    struct dataset d;
    struct dataset_options o = {.card = NULL};
    struct err e = ERR_INIT;
    (void)state;
    assert_true(folder_items(&place, items, 4));
    assert_true(dataset_read(&d, folder_path(&place, "snapshot"), &o, arena, &e));
    assert_int_equal(d.file_count, 1);
    assert_int_equal(d.rows, 2);
    assert_int_equal(d.note_count, 3);
    assert_non_null(strstr(d.notes[2].counted, "1 of the files are links"));
    dataset_free(&d);
}

/* 0, 1, 2 ... each spread over all bits, then some of them again. */
static struct row_set *spread(size_t memory, uint64_t from, uint64_t n, uint64_t again)
{
    struct row_set *s = row_set_new(memory);
    assert_non_null(s);
    for (uint64_t i = from; i < from + n; i++)
        row_set_add(s, i * UINT64_C(0x9e3779b97f4a7c15));
    for (uint64_t i = from; i < from + again; i++)
        row_set_add(s, i * UINT64_C(0x9e3779b97f4a7c15));
    return s;
}

static void rows_beyond_memory_are_counted_as_those_within(void **state)
{
    static const size_t memories[] = {1 << 16, 1000, 999, 64};
    (void)state;
    for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++) {
        struct row_set *a = spread(memories[i], 0, 20000, 1500);
        struct row_set *b = spread(memories[(i + 1) % 4], 19000, 3000, 10);
        uint64_t repeated = 0, both = 0;
        struct err e = ERR_INIT;
        bool all = false;
        assert_true(row_set_finish(a, &repeated, &e));
        assert_int_equal(repeated, 1500);
        assert_true(row_set_finish(b, &repeated, &e));
        assert_int_equal(repeated, 10);
        assert_true(row_set_shared(&both, a, b, &e));
        assert_int_equal(both, 1000);
        assert_true(row_set_shared(&both, b, a, &e));
        assert_int_equal(both, 1010); /* ten of them twice */
        assert_int_equal(row_set_kept(a, &all), 21500);
        assert_true(all);
        row_set_free(a);
        row_set_free(b);
    }
}

static void rows_beyond_the_limit_are_said_to_be_left_out(void **state)
{
    struct row_set *s = spread(2, 0, 2 * ROW_SET_RUNS + 2 + 100, 0);
    uint64_t repeated = 1;
    struct err e = ERR_INIT;
    bool all = true;
    (void)state;
    assert_int_equal(row_set_kept(s, &all), 2 * ROW_SET_RUNS + 2);
    assert_false(all);
    assert_true(row_set_finish(s, &repeated, &e));
    assert_int_equal(repeated, 0);
    row_set_free(s);
}

static void an_empty_set_of_rows_repeats_and_shares_nothing(void **state)
{
    struct row_set *none = spread(0, 0, 0, 0), *some = spread(4, 0, 9, 0);
    uint64_t n = 1;
    struct err e = ERR_INIT;
    (void)state;
    assert_true(row_set_finish(none, &n, &e) && n == 0);
    assert_true(row_set_finish(some, &n, &e) && n == 0);
    assert_true(row_set_shared(&n, none, some, &e) && n == 0);
    assert_true(row_set_shared(&n, some, none, &e) && n == 0);
    row_set_free(none);
    row_set_free(some);
}

static void overlap_counts_rows_with_equal_bytes(void **state)
{
    struct dataset a = counted("x.txt", "one\ntwo\nthree\n"), b;
    struct dataset_options o = {.other = &a};
    struct err e = ERR_INIT;
    (void)state;
    assert_true(folder_put(&place, "y.txt", span_str("two\nfour\nthree\n")));
    assert_true(dataset_read(&b, folder_path(&place, "y.txt"), &o, arena, &e));
    assert_int_equal(b.overlap, 2);
    dataset_free(&a);
    dataset_free(&b);
}

static void languages_are_told_apart_by_script_and_small_words(void **state)
{
    (void)state;
    assert_string_equal(language_of(span_str("The cat was on the mat and it is for you")), "en");
    assert_string_equal(language_of(span_str("Der Hund ist nicht auf der Wiese und das")), "de");
    assert_string_equal(language_of(span_str("\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82")),
                        "ru");
    assert_string_equal(language_of(span_str("xyzzy plugh 1234")), "und");
    assert_string_equal(language_of(SPAN_EMPTY), "und");
}

/* ---- training ---- */

static void a_run_is_read_from_what_the_trainer_left(void **state)
{
    struct training_run t;
    struct err e = ERR_INIT;
    (void)state;
    assert_true(folder_put(&place, "training.yaml",
                           span_str("name: r\nbase_model: b\ncompute: {flops: 1e20}\n"
                                    "hyperparameters: {lr: 0.1}\n")));
    assert_true(training_read(&t, folder_path(&place, "training.yaml"), arena, &e));
    assert_string_equal(t.name, "r");
    assert_string_equal(t.flops, "1e20");
    assert_string_equal(t.base_models[0], "b");
    assert_int_equal(t.hyper_count, 1);
    struct training_run again;
    assert_true(training_read(&again, folder_path(&place, "training.yaml"), arena, &e));
    assert_memory_equal(t.id, again.id, sizeof t.id);
}

static const char *measured(const struct training_run *t, const char *name)
{
    for (size_t i = 0; i < t->metric_count; i++)
        if (strcmp(t->metrics[i].name, name) == 0)
            return t->metrics[i].value;
    return "";
}

static void a_trainers_state_and_an_adapters_configuration_are_joined(void **state)
{
    struct training_run t;
    struct err e = ERR_INIT;
    (void)state;
    assert_true(folder_put(
        &place, "run/trainer_state.json",
        span_str("{\"global_step\":1200,\"num_input_tokens_seen\":4915200,\"total_flos\":4.1e15,"
                 "\"log_history\":[{\"loss\":2.4},{\"eval_accuracy\":0.5,\"eval_runtime\":3},"
                 "{\"eval_accuracy\":0.71},{\"train_loss\":2.01}]}")));
    assert_true(folder_put(&place, "run/adapter_config.json",
                           span_str("{\"peft_type\":\"LORA\",\"r\":8,"
                                    "\"base_model_name_or_path\":\"example/base\"}")));
    assert_true(training_read(&t, folder_path(&place, "run"), arena, &e));
    assert_int_equal(t.steps, 1200);
    assert_int_equal(t.tokens, 4915200);
    assert_string_equal(t.base_models[0], "example/base");
    assert_string_equal(t.method, "LORA adapter (PEFT)");
    assert_string_equal(measured(&t, "eval_accuracy"), "0.71");
    assert_string_equal(measured(&t, "train_loss"), "2.01");
    assert_string_equal(measured(&t, "eval_runtime"), "");
    assert_int_equal(t.file_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parquet_footer_gives_rows_groups_and_columns),
        cmocka_unit_test(every_cut_of_a_parquet_footer_is_refused_at_its_place),
        cmocka_unit_test(counts_of_a_parquet_footer_are_bounded_by_its_bytes),
        cmocka_unit_test(rows_of_parquet_are_the_footers_and_not_counted),
        cmocka_unit_test(croissant_is_read_in_its_variant_spellings),
        cmocka_unit_test(members_that_croissant_requires_and_lacks_are_named),
        cmocka_unit_test(broken_and_exploding_yaml_is_named_and_the_rest_goes_on),
        cmocka_unit_test(hugging_face_and_dta_and_yaml_give_the_same_facts),
        cmocka_unit_test(rows_are_counted_as_their_format_has_them),
        cmocka_unit_test(duplicates_dates_and_addresses_are_found),
        cmocka_unit_test(a_row_longer_than_the_limit_is_cut_and_counted_once),
        cmocka_unit_test(long_rows_that_differ_at_their_ends_are_no_duplicates),
        cmocka_unit_test(json_text_is_read_and_not_as_it_is_written),
        cmocka_unit_test(tokens_are_those_of_the_text_and_not_of_how_it_is_written),
        cmocka_unit_test(a_file_that_changes_while_it_is_read_is_named_and_the_rest_counted),
        cmocka_unit_test(links_to_files_are_followed_and_counted_and_links_to_folders_are_not),
        cmocka_unit_test(rows_beyond_memory_are_counted_as_those_within),
        cmocka_unit_test(rows_beyond_the_limit_are_said_to_be_left_out),
        cmocka_unit_test(an_empty_set_of_rows_repeats_and_shares_nothing),
        cmocka_unit_test(overlap_counts_rows_with_equal_bytes),
        cmocka_unit_test(languages_are_told_apart_by_script_and_small_words),
        cmocka_unit_test(a_run_is_read_from_what_the_trainer_left),
        cmocka_unit_test(a_trainers_state_and_an_adapters_configuration_are_joined),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
