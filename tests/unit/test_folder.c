/*
 * Folders, indices, sets of weights and documents: what is listed, what is the
 * model, and that nothing is passed over in silence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "assay/inspect.h"
#include "model/folder.h"

#include "support/folder.h"
#include "support/gguf_writer.h"
#include "support/prefixes.h"
#include "support/safetensors_writer.h"

static struct folder here;

static int make(void **state)
{
    (void)state;
    return folder_make(&here) ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    folder_remove(&here);
    return 0;
}

static struct model *read_path(const char *path)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read(&m, path, NULL, &e))
        fail_msg("%s: %s", e.file, e.text);
    model_walk(m);
    return m;
}

static struct model *read_here(void)
{
    return read_path(here.path);
}

static size_t count_of(const struct model *m, enum rule_id rule)
{
    size_t n = 0;
    for (size_t i = 0; i < m->verdict.count; i++)
        if (m->verdict.findings[i].rule == rule)
            n += m->verdict.findings[i].count;
    return n;
}

static void put(const char *name, const char *text)
{
    assert_true(folder_put(&here, name, span_str(text)));
}

/* A well-formed file of one-element tensors; names end at NULL. */
static void put_tensors(const char *name, const char *const *tensors)
{
    struct safetensors_writer w;
    sw_init(&w);
    for (; *tensors; tensors++)
        sw_tensor(&w, *tensors, DTYPE_F32, (const uint64_t[]){1, SW_END});
    assert_true(folder_put(&here, name, sw_finish(&w, 3)));
    sw_free(&w);
}

#define TENSORS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define S1 "model-00001-of-00002.safetensors"
#define S2 "model-00002-of-00002.safetensors"
#define INDEX "model.safetensors.index.json"

static void put_gguf(const char *name)
{
    struct gguf_writer w;
    gw_init(&w);
    gw_header(&w, 1, 1);
    gw_kv_string(&w, "general.architecture", "llama");
    const struct gw_tensor t[] = {{"token_embd.weight", DTYPE_F32, {4}}};
    gw_tensors(&w, t, 1, 32, 1);
    assert_true(gw_save(&w, folder_path(&here, name)));
    gw_free(&w);
}

static bool lists(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->file_count; i++)
        if (strcmp(m->files[i].name, name) == 0)
            return true;
    return false;
}

/* ---- the walk ---- */

static void folder_lists_files_by_name(void **state)
{
    (void)state;
    put("b/z.txt", "1");
    put("b.txt", "1");
    put(".hidden", "1");
    put("a", "1");
    put(".git/config", "1");
    put(".cache/huggingface/x", "1");
    put(".cache/other", "1");
    struct model *m = read_here();
    const char *const expected[] = {".cache/other", ".hidden", "a", "b.txt", "b/z.txt"};
    assert_int_equal(m->file_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(m->files[i].name, expected[i]);
    assert_int_equal(count_of(m, RULE_FOLDER_SKIPPED), 2);
    assert_int_equal(count_of(m, RULE_FOLDER_NO_WEIGHTS), 1);
    model_free(m);
}

static void folder_judges_links(void **state)
{
    (void)state;
    struct folder other;
    char up[128];
    assert_true(folder_make(&other));
    assert_true(folder_put(&other, "f", span_str("x")));
    snprintf(up, sizeof up, "%s/f", other.path);
    const struct folder_item items[] = {
        {"real/f", "x", FOLDER_FILE},       {"inside", "real/f", FOLDER_LINK},
        {"outside", up, FOLDER_LINK},       {"outside-folder", other.path, FOLDER_LINK},
        {"real/loop", "..", FOLDER_LINK},   {"alias", "real", FOLDER_LINK},
        {"broken", "nowhere", FOLDER_LINK}, {"round", "round", FOLDER_LINK},
        {"null", "/dev/null", FOLDER_LINK},
    };
    assert_true(folder_items(&here, items, sizeof items / sizeof *items));
    struct model *m = read_here();
    assert_true(m->verdict.incomplete);
    assert_int_equal(m->file_count, 3);
    assert_true(lists(m, "inside") && lists(m, "outside") && lists(m, "real/f"));
    assert_int_equal(count_of(m, RULE_FOLDER_LINK_FILE), 1);
    assert_int_equal(count_of(m, RULE_FOLDER_LINK_FOLDER), 1);
    assert_int_equal(count_of(m, RULE_FOLDER_LOOP), 2);
    assert_int_equal(count_of(m, RULE_FOLDER_ALIAS), 1);
    assert_int_equal(count_of(m, RULE_FOLDER_LINK_BROKEN), 1);
    assert_int_equal(count_of(m, RULE_FOLDER_SPECIAL), 1);
    for (size_t i = 0; i < m->file_count; i++)
        assert_int_equal(m->files[i].link_outside, strcmp(m->files[i].name, "outside") == 0);
    model_free(m);
    folder_remove(&other);
}

static void folder_knows_the_hub_cache(void **state)
{
    (void)state;
    const char *blob = "models--a--b/blobs/0123456789abcdef0123456789abcdef01234567";
    put(blob, "{}");
    const struct folder_item items[] = {
        {"models--a--b/snapshots/r/config.json",
         "../../blobs/0123456789abcdef0123456789abcdef01234567", FOLDER_LINK},
        {"models--a--b/snapshots/r/sub/config.json",
         "../../../blobs/0123456789abcdef0123456789abcdef01234567", FOLDER_LINK},
    };
    assert_true(folder_items(&here, items, 2));
    struct model *m = read_path(folder_path(&here, "models--a--b/snapshots/r"));
    assert_int_equal(count_of(m, RULE_FOLDER_CACHE), 1);
    assert_int_equal(count_of(m, RULE_FOLDER_LINK_FILE), 0);
    assert_int_equal(m->file_count, 2);
    assert_int_equal(json_type(m->documents[DOC_CONFIG].root), JSON_OBJECT);
    model_free(m);
}

static void folder_never_opens_a_fifo(void **state)
{
    (void)state;
    const struct folder_item item = {"model.safetensors", NULL, FOLDER_FIFO};
    assert_true(folder_items(&here, &item, 1));
    struct model *m = read_here();
    assert_int_equal(m->file_count, 0);
    assert_int_equal(count_of(m, RULE_FOLDER_SPECIAL), 1);
    assert_true(m->verdict.incomplete);
    model_free(m);
}

static void folder_reads_on_after_an_unreadable_file(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip(); /* root reads everything */
    put("a.json", "{}");
    put("config.json", "{}");
    chmod(folder_path(&here, "a.json"), 0);
    struct model *m = read_here();
    assert_int_equal(m->file_count, 2);
    assert_int_equal(count_of(m, RULE_READ_OPEN), 1);
    assert_true(m->verdict.incomplete);
    assert_int_equal(json_type(m->documents[DOC_CONFIG].root), JSON_OBJECT);
    model_free(m);
}

static void folder_shows_odd_names(void **state)
{
    (void)state;
    put("a\xff", "1");
    put("b\xe2\x80\xae.txt", "1");
    put("\xc3\xa9", "1");
    struct model *m = read_here();
    assert_int_equal(m->file_count, 3);
    assert_int_equal(count_of(m, RULE_FOLDER_NAME), 2);
    model_free(m);
}

static void folder_stops_at_the_depth_limit(void **state)
{
    (void)state;
    char name[256] = "";
    for (int i = 0; i < MODEL_MAX_DEPTH + 1; i++)
        strcat(name, "d/");
    strcat(name, "f");
    put(name, "1");
    put(name + 2, "1");
    struct model *m = read_here();
    assert_int_equal(m->file_count, 1);
    assert_int_equal(count_of(m, RULE_READ_LIMIT), 1);
    assert_true(m->verdict.incomplete);
    model_free(m);
}

static void folder_reads_10000_files(void **state)
{
    (void)state;
    struct rlimit r;
    char name[32];
    getrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_max < 10100)
        skip();
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "%02d/%04d", i / 1000, i);
        put(name, "x");
    }
    r.rlim_cur = 1024;
    setrlimit(RLIMIT_NOFILE, &r); /* what a shell gives */
    struct model *m = read_here();
    assert_int_equal(m->file_count, 10000);
    assert_int_equal(count_of(m, RULE_READ_OPEN), 0);
    model_free(m);
}

static void folder_fails_where_nothing_is(void **state)
{
    (void)state;
    struct model *m = NULL;
    struct err e = ERR_INIT;
    assert_false(model_read(&m, folder_path(&here, "nowhere"), NULL, &e));
    assert_null(m);
    assert_int_equal(e.code, ERR_IO);
}

/* ---- content and sets ---- */

static void folder_names_what_is_not_read(void **state)
{
    (void)state;
    const struct span lite = {(const uint8_t *)"\x1c\0\0\0TFL3", 8};
    const struct span pickle = {(const uint8_t *)"\x80\2}q\0.", 6};
    assert_true(folder_put(&here, "m.tflite", lite));
    assert_true(folder_put(&here, "x.safetensors", pickle));
    assert_true(folder_put(&here, "m.engine", span_str("\x08\x07\x12\x07engine")));
    put_gguf("y.safetensors");
    struct model *m = read_here();
    assert_int_equal(count_of(m, RULE_FOLDER_NOT_READ), 2);
    assert_int_equal(count_of(m, RULE_FOLDER_CONTENT), 2);
    assert_true(m->verdict.incomplete);
    assert_int_equal(m->tensor_count, 1); /* GGUF by content */
    model_free(m);
}

static void folder_takes_one_set_as_the_model(void **state)
{
    (void)state;
    put_tensors("model.safetensors", TENSORS("a", "b"));
    put_tensors("consolidated.safetensors", TENSORS("a", "b"));
    put_tensors("sub/model.safetensors", TENSORS("a"));
    put_gguf("m-Q8_0.gguf");
    struct model *m = read_here();
    assert_int_equal(m->tensor_count, 2);
    assert_string_equal(m->files[m->tensors[0].entry.file].name, "model.safetensors");
    assert_int_equal(count_of(m, RULE_FOLDER_SETS), 3);
    assert_int_equal(count_of(m, RULE_INDEX_TENSOR_TWICE), 0);
    assert_false(m->verdict.incomplete);
    /* Bytes of the sets beside are no place where something hides. */
    struct scan scan;
    struct err e = ERR_INIT;
    assert_true(inspect_scan(&scan, m, &(struct scan_options){.threads = 1}, &e));
    assert_int_equal(count_of(m, RULE_COVERAGE_UNEXPLAINED), 0);
    assert_non_null(model_tensor(m, span_str("a")));
    assert_null(model_tensor(m, span_str("token_embd.weight")));
    model_free(m);
}

static void folder_judges_the_sets_beside_the_model(void **state)
{
    (void)state;
    put_tensors("model.safetensors", TENSORS("a"));
    put("other.safetensors", "garbage garbage");
    struct model *m = read_here();
    assert_int_equal(m->tensor_count, 1);
    assert_int_equal(count_of(m, RULE_ST_HEADER_LIMIT), 1);
    model_free(m);
}

static void folder_takes_the_first_of_several_gguf(void **state)
{
    (void)state;
    put_gguf("m-Q4_0.gguf");
    put_gguf("m-Q8_0.gguf");
    put_gguf("a-mmproj.gguf");
    struct model *m = read_here();
    assert_int_equal(m->tensor_count, 1);
    assert_string_equal(m->files[m->tensors[0].entry.file].name, "m-Q4_0.gguf");
    assert_int_equal(count_of(m, RULE_FOLDER_SETS), 2);
    model_free(m);
}

/* ---- the index ---- */

static void put_set(const char *index)
{
    put_tensors(S1, TENSORS("a", "b"));
    put_tensors(S2, TENSORS("c"));
    put(INDEX, index);
}

static void index_agrees_with_its_shards(void **state)
{
    (void)state;
    put_set("{\"metadata\":{\"total_size\":12},\"weight_map\":{\"a\":\"" S1 "\",\"b\":\"" S1
            "\",\"c\":\"" S2 "\"}}");
    struct model *m = read_here();
    assert_int_equal(m->verdict.count, 0);
    assert_int_equal(m->tensor_count, 3);
    assert_int_equal(json_type(m->documents[DOC_INDEX].root), JSON_OBJECT);
    model_free(m);
    m = read_path(folder_path(&here, INDEX));
    assert_int_equal(m->verdict.count, 0);
    assert_int_equal(m->tensor_count, 3);
    assert_int_equal(m->file_count, 3);
    assert_false(m->folder);
    model_free(m);
}

static const struct {
    const char *index;
    enum rule_id rule;
    bool incomplete;
} wrong[] = {
    {"{\"weight_map\":{\"a\":\"" S1 "\",\"b\":\"" S1 "\",\"c\":\"" S2 "\",\"d\":\"" S2 "\"}}",
     RULE_INDEX_TENSOR_MISSING, false},
    {"{\"weight_map\":{\"a\":\"" S1 "\",\"b\":\"" S2 "\",\"c\":\"" S2 "\"}}",
     RULE_INDEX_TENSOR_MISSING, false},
    {"{\"weight_map\":{\"a\":\"" S1 "\",\"c\":\"" S2 "\"}}", RULE_INDEX_TENSOR_UNLISTED, false},
    {"{\"weight_map\":{\"a\":\"" S1 "\",\"b\":\"" S1 "\",\"c\":\"x.safetensors\"}}",
     RULE_INDEX_SHARD_MISSING, true},
    {"{\"weight_map\":{\"a\":\"" S1 "\",\"b\":\"" S1 "\"}}", RULE_INDEX_SHARD_UNLISTED, false},
    {"{\"weight_map\":{\"a\":\"" S1 "\",\"a\":\"" S1 "\",\"b\":\"" S1 "\",\"c\":\"" S2 "\"}}",
     RULE_INDEX_DUPLICATE, false},
    {"{\"metadata\":{\"total_size\":13},\"weight_map\":{\"a\":\"" S1 "\",\"b\":\"" S1
     "\",\"c\":\"" S2 "\"}}",
     RULE_INDEX_TOTAL, false},
    {"{\"weight_map\":{\"a\":\"../" S1 "\"}}", RULE_INDEX_PATH, true},
    {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", RULE_INDEX_PATH, true},
    {"{\"weight_map\":{\"a\":\"x/../../" S1 "\"}}", RULE_INDEX_PATH, true},
    {"{\"weight_map\":{\"a\":\"..\\\\" S1 "\"}}", RULE_INDEX_PATH, true},
    {"{\"weight_map\":{\"a\":\"" S1 "\\u0000\"}}", RULE_INDEX_PATH, true},
    {"{\"weight_map\":{\"a\":\"\"}}", RULE_INDEX_PATH, true},
    {"{\"weight_map\":{\"a\":1}}", RULE_INDEX_FORM, false},
    {"{\"weight_map\":[]}", RULE_INDEX_FORM, true},
    {"{}", RULE_INDEX_FORM, true},
    {"{\"weight_map\":{}}}", RULE_DOC_JSON, true},
};

static void index_disagreement_is_found_from_either_side(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put_set(wrong[i].index);
        struct model *m = read_here();
        if (!count_of(m, wrong[i].rule) || (wrong[i].incomplete && !m->verdict.incomplete))
            fail_msg("folder: %s", wrong[i].index);
        model_free(m);
        m = read_path(folder_path(&here, INDEX));
        if (wrong[i].rule != RULE_INDEX_SHARD_UNLISTED &&
            (!count_of(m, wrong[i].rule) || (wrong[i].incomplete && !m->verdict.incomplete)))
            fail_msg("index: %s", wrong[i].index);
        model_free(m);
    }
}

static void index_finds_a_tensor_in_two_shards(void **state)
{
    (void)state;
    put_set("{\"weight_map\":{\"a\":\"" S1 "\",\"b\":\"" S1 "\",\"c\":\"" S2 "\"}}");
    put_tensors(S2, TENSORS("c", "a"));
    struct model *m = read_here();
    assert_int_equal(count_of(m, RULE_INDEX_TENSOR_TWICE), 1);
    model_free(m);
}

static void index_parts_without_one_are_counted(void **state)
{
    (void)state;
    put_tensors(S1, TENSORS("a"));
    struct model *m = read_here();
    assert_int_equal(count_of(m, RULE_INDEX_NONE), 1);
    assert_int_equal(count_of(m, RULE_INDEX_SHARD_MISSING), 1);
    assert_true(m->verdict.incomplete);
    assert_int_equal(m->tensor_count, 1);
    model_free(m);
}

static void lone_file_says_what_stands_beside_it(void **state)
{
    (void)state;
    put_set("{}");
    put("config.json", "{}");
    struct model *m = read_path(folder_path(&here, S1));
    assert_int_equal(m->file_count, 1);
    assert_int_equal(m->tensor_count, 2);
    assert_int_equal(count_of(m, RULE_FOLDER_PART), 1);
    assert_int_equal(count_of(m, RULE_FOLDER_LONE), 1);
    assert_int_equal(m->documents[DOC_CONFIG].file, ORIGIN_NO_FILE);
    model_free(m);
}

/* ---- documents ---- */

static void documents_are_parsed_strictly(void **state)
{
    (void)state;
    put("config.json", "{\"a\":1,\"a\":2}");
    put("generation_config.json", "{} x");
    put("tokenizer.json", "{\"a\":\"\xff\"}");
    put("tokenizer_config.json", "{\"a\":[0.0, Infinity, NaN, -Infinity, \"NaN\"]}");
    put("special_tokens_map.json", "[]");
    struct model *m = read_here();
    uint64_t v = 0;
    assert_int_equal(count_of(m, RULE_DOC_DUPLICATE), 1);
    assert_true(json_u64(json_get(m->documents[DOC_CONFIG].root, "a"), &v) && v == 2);
    assert_int_equal(count_of(m, RULE_DOC_UTF8), 1);
    assert_int_equal(count_of(m, RULE_DOC_JSON), 2);
    assert_int_equal(count_of(m, RULE_DOC_NUMBER), 1);
    struct json a = json_get(m->documents[DOC_TOKENIZER_CONFIG].root, "a");
    assert_int_equal(json_count(a), 5);
    assert_int_equal(json_type(m->documents[DOC_TOKENIZER].root), JSON_MISSING);
    assert_true(m->verdict.incomplete);
    for (size_t i = 0; i < m->verdict.count; i++)
        if (m->verdict.findings[i].rule == RULE_DOC_UTF8)
            assert_int_equal(m->verdict.findings[i].origin.offset, 6);
    model_free(m);
}

static void templates_come_from_every_source(void **state)
{
    (void)state;
    put("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"default\",\"template\":\"x\\n\"},"
                                 "{\"name\":\"tool_use\",\"template\":\"y\"}]}");
    put("chat_template.jinja", "z");
    put("chat_template.json", "{\"chat_template\":\"w\"}");
    put("additional_chat_templates/rag.jinja", "r");
    struct model *m = read_here();
    assert_int_equal(m->template_count, 5);
    const char *const texts[] = {"z", "w", "x\n", "y", "r"};
    const char *const names[] = {"", "", "", "tool_use", "rag"};
    for (size_t i = 0; i < 5; i++) {
        assert_true(span_is(m->templates[i].bytes, texts[i]));
        assert_true(span_is(m->templates[i].name, names[i]));
    }
    assert_int_equal(m->templates[0].origin.length, 1);
    model_free(m);
}

/* Each under a name of its own, so that it is judged and never taken for the model's. */
static void templates_of_other_files_are_judged_beside_the_model_s(void **state)
{
    (void)state;
    put("chat_template.jinja", "z");
    put("deploy.yaml", "a: 'it''s {{ x }}'\nb: plain\nc: [\"{% y %}\"]\n");
    put("other.json", "{\"my_chat_template\":\"{{ w }}\",\"deep\":{\"chat_template\":\"v\"}}");
    put("prompt.j2", "{{ u }}");
    put("broken.yaml", "a: 'not closed {{ t }}");
    put("plain.yaml", "a: 1\n");
    put("workflow.yml", "a: ${{ secrets.A }}\n");
    struct model *m = read_here();
    const char *const texts[] = {
        "z", "a: 'not closed {{ t }}", "it's {{ x }}", "{% y %}", "{{ w }}", "v", "{{ u }}"};
    assert_int_equal(m->template_count, sizeof texts / sizeof *texts);
    for (size_t i = 0; i < m->template_count; i++) {
        assert_true(span_is(m->templates[i].bytes, texts[i]));
        assert_int_equal(m->templates[i].name.n == 0, i == 0);
        assert_int_equal(m->templates[i].beside, i != 0);
    }
    assert_int_equal(m->templates[2].origin.offset, 3);
    model_free(m);
}

static void text_in_place_of_weights_is_said(void **state)
{
    (void)state;
    put("model.h5", "<html><body>404: this page does not exist</body></html>");
    put("model.pt", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    struct model *m = read_here();
    assert_int_equal(count_of(m, RULE_FOLDER_CONTENT), 2);
    assert_true(m->verdict.incomplete);
    model_free(m);
}

static void card_and_licence_are_handed_on(void **state)
{
    (void)state;
    put("README.md", "---\nlicense: mit\n---\nText\n");
    put("LICENSE", "All rights reserved.\n");
    put("sub/LICENSE", "x");
    struct model *m = read_here();
    assert_true(m->has_card);
    assert_true(span_is(m->card.license, "mit"));
    assert_int_equal(m->licence_count, 1);
    model_free(m);
}

/* Three orders of making them: what is kept must not depend on the file system's order. */
static void a_folder_with_too_many_names_keeps_the_first(void **state)
{
    static const unsigned steps[] = {1, 7, 39};
    char name[16];
    (void)state;
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        struct folder many;
        struct folder_names names;
        struct arena *a = arena_new(1 << 20);
        assert_non_null(a);
        assert_true(folder_make(&many));
        for (unsigned i = 0; i < 40; i++) {
            snprintf(name, sizeof name, "f%02u", i * steps[k] % 40);
            assert_true(folder_put(&many, name, span_str("x")));
        }
        assert_true(folder_list(&names, many.path, 9, a));
        assert_true(names.more && !names.no_memory);
        assert_int_equal(names.n, 9);
        for (unsigned i = 0; i < 9; i++) {
            snprintf(name, sizeof name, "f%02u", i);
            assert_string_equal(names.v[i].text, name);
        }
        assert_true(folder_list(&names, many.path, 40, a));
        assert_true(names.n == 40 && !names.more);
        assert_true(folder_list(&names, many.path, 0, a));
        assert_true(names.n == 0 && names.more);
        arena_free(a);
        folder_remove(&many);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, clean)
    const struct CMUnitTest tests[] = {
        TEST(folder_lists_files_by_name),
        cmocka_unit_test(a_folder_with_too_many_names_keeps_the_first),
        TEST(folder_judges_links),
        TEST(folder_knows_the_hub_cache),
        TEST(folder_never_opens_a_fifo),
        TEST(folder_reads_on_after_an_unreadable_file),
        TEST(folder_shows_odd_names),
        TEST(folder_stops_at_the_depth_limit),
        TEST(folder_reads_10000_files),
        TEST(folder_fails_where_nothing_is),
        TEST(folder_names_what_is_not_read),
        TEST(folder_takes_one_set_as_the_model),
        TEST(folder_judges_the_sets_beside_the_model),
        TEST(folder_takes_the_first_of_several_gguf),
        TEST(index_agrees_with_its_shards),
        TEST(index_disagreement_is_found_from_either_side),
        TEST(index_finds_a_tensor_in_two_shards),
        TEST(index_parts_without_one_are_counted),
        TEST(lone_file_says_what_stands_beside_it),
        TEST(documents_are_parsed_strictly),
        TEST(templates_come_from_every_source),
        TEST(templates_of_other_files_are_judged_beside_the_model_s),
        TEST(text_in_place_of_weights_is_said),
        TEST(card_and_licence_are_handed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
