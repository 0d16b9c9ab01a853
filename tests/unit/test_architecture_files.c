/*
 * Architecture of real files: written and read back, cut anywhere, and the
 * shared models where they are at hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/architecture.h"
#include "support/documents.h"
#include "support/prefixes.h"
#include "support/tiny_family.h"

static const char *canonical(struct model *m, char out[512])
{
    struct facts f;
    struct err e = ERR_INIT;
    struct buf b;
    assert_true(inspect_facts(&f, m, &e));
    buf_init(&b, 511);
    architecture_canonical(&b, &f);
    assert_true(buf_ok(&b));
    snprintf(out, 512, "%s", buf_cstr(&b));
    buf_free(&b);
    return out;
}

static void check_both(const char *family)
{
    struct arena *a = arena_new(64 << 20);
    struct tiny g, h;
    struct gguf_writer w;
    struct safetensors_writer s;
    struct model *m;
    struct err e = ERR_INIT;
    char from_gguf[512], from_folder[512];
    struct tiny_dims d = tiny_default_dims(family);
    assert_true(tiny_build(&g, a, family, &d, FORMAT_GGUF));
    assert_true(tiny_build(&h, a, family, &d, FORMAT_SAFETENSORS));
    gw_init(&w);
    tiny_write_gguf(&w, &g, 7);
    assert_true(model_read_memory(&m, "tiny.gguf", gw_span(&w), &e));
    canonical(m, from_gguf);
    assert_int_equal(verdict_count(&m->verdict, SEV_HIGH), 0);
    model_free(m);
    gw_free(&w);
    sw_init(&s);
    assert_true(model_read_memory(&m, "model.safetensors", tiny_write_safetensors(&s, &h, 7), &e));
    assert_true(add_document(m, DOC_CONFIG, h.config));
    canonical(m, from_folder);
    assert_int_equal(verdict_count(&m->verdict, SEV_HIGH), 0);
    model_free(m);
    sw_free(&s);
    assert_string_equal(from_gguf, from_folder);
    arena_free(a);
}

static void fingerprint_text_is_equal_for_files_of_both_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; tiny_families[i]; i++)
        check_both(tiny_families[i]);
}

static void visit(struct span prefix, void *arg)
{
    const char *name = arg;
    struct model *m;
    struct facts f;
    struct err e = ERR_INIT;
    if (!model_read_memory(&m, name, prefix, &e))
        return;
    assert_true(inspect_facts(&f, m, &e));
    assert_true(f.architecture.layers <= 4);
    model_free(m);
}

static void every_prefix_of_a_file_has_facts(void **state)
{
    (void)state;
    struct arena *a = arena_new(64 << 20);
    struct tiny t;
    struct gguf_writer w;
    struct safetensors_writer s;
    struct tiny_dims d = tiny_default_dims("llama-moe");
    char gguf[] = "tiny.gguf", safetensors[] = "model.safetensors";
    assert_true(tiny_build(&t, a, "llama-moe", &d, FORMAT_GGUF));
    gw_init(&w);
    tiny_write_gguf(&w, &t, 7);
    assert_true(prefixes_each(gw_span(&w), 4096, 8191, visit, gguf));
    gw_free(&w);
    d = tiny_default_dims("gpt2");
    assert_true(tiny_build(&t, a, "gpt2", &d, FORMAT_SAFETENSORS));
    sw_init(&s);
    assert_true(prefixes_each(tiny_write_safetensors(&s, &t, 7), 4096, 8191, visit, safetensors));
    sw_free(&s);
    arena_free(a);
}

/* What a header says stays true when the tensors after it are cut off. */
static void fingerprint_text_does_not_change_when_tensor_data_is_cut_off(void **state)
{
    (void)state;
    struct arena *a = arena_new(64 << 20);
    struct tiny t;
    struct gguf_writer w;
    struct model *m;
    struct err e = ERR_INIT;
    char whole[512], cut[512];
    struct tiny_dims d = tiny_default_dims("llama");
    assert_true(tiny_build(&t, a, "llama", &d, FORMAT_GGUF));
    gw_init(&w);
    tiny_write_gguf(&w, &t, 7);
    assert_true(model_read_memory(&m, "tiny.gguf", gw_span(&w), &e));
    canonical(m, whole);
    size_t data = (size_t)m->files[0].data;
    model_free(m);
    assert_true(model_read_memory(&m, "tiny.gguf", span_sub(gw_span(&w), 0, data + 100), &e));
    canonical(m, cut);
    assert_true(m->verdict.incomplete && !m->unlisted);
    model_free(m);
    assert_string_equal(whole, cut);
    assert_true(model_read_memory(&m, "tiny.gguf", span_sub(gw_span(&w), 0, data - 100), &e));
    assert_true(m->verdict.incomplete && m->unlisted);
    model_free(m);
    gw_free(&w);
    arena_free(a);
}

/* ---- shared data ---- */

static struct model *shared(const char *name)
{
    char path[512];
    const char *dir = getenv("CONFORMANCE");
    struct model *m;
    struct err e = ERR_INIT;
    snprintf(path, sizeof path, "%s/%s", dir ? dir : "../shared/conformance", name);
    if (access(path, R_OK) != 0)
        return NULL;
    assert_true(model_read(&m, path, NULL, &e));
    return m;
}

static void stories260k_is_what_it_is(void **state)
{
    static const char *const names[] = {"f32", "f16", "q8_0", "q4_0", "q4_k_m"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[64], text[512];
        struct facts f;
        struct err e = ERR_INIT;
        snprintf(name, sizeof name, "models/stories260K-%s.gguf", names[i]);
        struct model *m = shared(name);
        if (!m)
            skip();
        assert_true(inspect_facts(&f, m, &e));
        assert_int_equal(f.architecture.parameters.total, 260032);
        assert_int_equal(f.architecture.context, 512);
        assert_int_equal(f.architecture.kv_bytes_per_1000, 5 * 4 * 8 * 2 * 2 * 1000);
        assert_string_equal(canonical(m, text),
                            "{\"family\":\"llama\",\"ffn\":172,\"head_size\":8,\"heads\":8,"
                            "\"kv_heads\":4,\"layers\":5,\"tied\":true,\"vocabulary\":512,"
                            "\"width\":64}");
        assert_int_equal(verdict_count(&m->verdict, SEV_HIGH), 0);
        model_free(m);
    }
}

static void vocabulary_files_have_an_architecture_and_no_accusations(void **state)
{
    static const struct {
        const char *name, *family;
        uint64_t layers, vocabulary;
    } files[] = {{"gpt-2", "gpt2", 12, 50257},
                 {"llama-bpe", "llama", 32, 128256},
                 {"llama-spm", "llama", 32, 32000},
                 {"phi-3", "phi3", 32, 32064},
                 {"qwen2", "qwen2", 32, 151936}};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char name[64];
        struct facts f;
        struct err e = ERR_INIT;
        snprintf(name, sizeof name, "tokenizers/ggml-vocab-%s.gguf", files[i].name);
        struct model *m = shared(name);
        if (!m)
            skip();
        assert_true(inspect_facts(&f, m, &e));
        assert_string_equal(f.architecture.family, files[i].family);
        assert_int_equal(f.architecture.layers, files[i].layers);
        assert_int_equal(f.architecture.vocabulary, files[i].vocabulary);
        assert_int_equal(f.architecture.parameters.total, 0);
        assert_false(f.architecture.tied_known);
        for (size_t n = 0; n < m->verdict.count; n++)
            assert_null(strstr(rules[m->verdict.findings[n].rule].id, "arch."));
        model_free(m);
    }
}

static void smollm2_is_what_it_is(void **state)
{
    (void)state;
    const char *path = getenv("SMOLLM2");
    struct model *m;
    struct facts f;
    struct err e = ERR_INIT;
    if (!path || access(path, R_OK) != 0)
        skip();
    assert_true(model_read(&m, path, NULL, &e));
    assert_true(inspect_facts(&f, m, &e));
    assert_int_equal(f.architecture.parameters.total, 134515008);
    assert_int_equal(f.architecture.layers, 30);
    assert_true(f.architecture.tied);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fingerprint_text_is_equal_for_files_of_both_kinds),
        cmocka_unit_test(every_prefix_of_a_file_has_facts),
        cmocka_unit_test(fingerprint_text_does_not_change_when_tensor_data_is_cut_off),
        cmocka_unit_test(stories260k_is_what_it_is),
        cmocka_unit_test(vocabulary_files_have_an_architecture_and_no_accusations),
        cmocka_unit_test(smollm2_is_what_it_is),
    };
    return cmocka_run_group_tests_name("architecture of files", tests, NULL, NULL);
}
