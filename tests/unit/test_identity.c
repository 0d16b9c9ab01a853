/* The digests of the whole, against the vectors of docs/formats/identity.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "assay/inspect.h"
#include "model/reader.h"
#include "support/documents.h"
#include "support/gguf_writer.h"
#include "support/safetensors_writer.h"

static void expect_hex(const struct digest *d, const char *hex)
{
    char text[DIGEST_HEX + 1];
    assert_string_equal(digest_hex(text, d), hex);
}

static struct identity identify(struct model *m, const struct facts *f)
{
    static const struct facts none;
    struct identity id;
    struct scan s;
    struct err e = ERR_INIT;
    struct scan_options opt = {.digests = true, .threads = 1};
    assert_true(inspect_scan(&s, m, &opt, &e));
    assert_true(inspect_identity(&id, m, f ? f : &none, &s, &e));
    return id;
}

static struct model *from_memory(const char *name, struct span bytes)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    assert_true(model_read_memory(&m, name, bytes, &e));
    return m;
}

/* ---- tensor root ---- */

static const uint64_t shape_a[] = {2, 3, SW_END}, shape_b[] = {4, SW_END}, shape_s[] = {SW_END};

/* The data of the vectors: a = 00..17, b = four times 1.0, s = -1. */
static void put_data(struct buf *out, bool a, bool b, bool s)
{
    for (uint8_t i = 0; a && i < 24; i++)
        buf_put_u8(out, i);
    for (int i = 0; b && i < 4; i++)
        buf_put_u16le(out, 0x3F80);
    if (s)
        buf_put_u64le(out, UINT64_MAX);
}

static struct span shard(struct safetensors_writer *w, bool a, bool b, bool s)
{
    sw_init(w);
    if (a)
        sw_tensor(w, "a", DTYPE_F32, shape_a);
    if (b)
        sw_tensor(w, "b", DTYPE_BF16, shape_b);
    if (s)
        sw_tensor(w, "s", DTYPE_I64, shape_s);
    sw_finish(w, 0);
    w->out.n -= (size_t)w->data;
    put_data(&w->out, a, b, s);
    return buf_span(&w->out);
}

static const char root_abs[] = "86843e0a254c36dc1af63149e804881fa20921427857b15ad403ae445fd76fbb";
static const char root_ab[] = "282167eb3774ffd8a1ed331b0739766a2af578d5696e1f96b8094e83ff75b053";

static void tensor_root_is_that_of_the_document(void **state)
{
    (void)state;
    struct safetensors_writer w;
    struct model *m = from_memory("model.safetensors", shard(&w, true, true, true));
    struct identity id = identify(m, NULL);
    assert_true(id.has_tensor_root);
    expect_hex(&id.tensor_root, root_abs);
    assert_true(id.has_manifest_root);
    assert_false(id.has_architecture || id.has_tokenizer || id.has_template);
    model_free(m);
    sw_free(&w);
}

/* A model of several files from memory, as a folder's reader would make it. */
static void add_shard(struct model *m, const char *name, struct span bytes)
{
    struct model *part = from_memory(name, bytes);
    for (size_t i = 0; i < part->tensor_count; i++) {
        struct tensor *t = model_add_tensor(m);
        *t = part->tensors[i];
        t->name = arena_span(m->arena, t->name);
        t->data.file = t->entry.file = (uint32_t)m->file_count;
    }
    m->files[m->file_count] = part->files[0];
    m->files[m->file_count++].name = arena_str(m->arena, span_str(name));
    part->files[0].source = NULL; /* it belongs to m now */
    model_free(part);
}

static void tensor_root_is_the_same_after_sharding_and_in_gguf(void **state)
{
    (void)state;
    struct safetensors_writer whole, first, second;
    struct gguf_writer g;
    struct model *m = from_memory("model.safetensors", shard(&whole, true, true, false));
    struct identity id = identify(m, NULL);
    expect_hex(&id.tensor_root, root_ab);
    model_free(m);

    /* The shards in the other order, so that sorting by name shows. */
    m = from_memory("model-00001-of-00002.safetensors", shard(&first, false, true, false));
    struct model_file *files = arena_array(m->arena, 2, sizeof *files);
    files[0] = m->files[0];
    m->files = files;
    add_shard(m, "model-00002-of-00002.safetensors", shard(&second, true, false, false));
    id = identify(m, NULL);
    assert_int_equal(m->tensor_count, 2);
    expect_hex(&id.tensor_root, root_ab);
    model_free(m);

    gw_init(&g);
    gw_header(&g, 2, 1);
    gw_kv_string(&g, "general.architecture", "llama");
    gw_info(&g, "b", 1, (const uint64_t[]){4}, 30, 0);
    gw_info(&g, "a", 2, (const uint64_t[]){3, 2}, 0, 32);
    gw_pad(&g, 32);
    put_data(&g.out, false, true, false);
    gw_pad(&g, 32);
    put_data(&g.out, true, false, false);
    gw_pad(&g, 32);
    m = from_memory("model.gguf", gw_span(&g));
    id = identify(m, NULL);
    expect_hex(&id.tensor_root, root_ab);
    model_free(m);
    gw_free(&g);
    sw_free(&whole);
    sw_free(&first);
    sw_free(&second);
}

static void tensor_root_depends_on_name_type_shape_and_bytes(void **state)
{
    (void)state;
    struct digest seen[5];
    for (int i = 0; i < 5; i++) {
        struct safetensors_writer w;
        struct model *m = from_memory("m.safetensors", shard(&w, true, true, false));
        if (i == 1)
            m->tensors[0].name = span_str("A");
        if (i == 2)
            m->tensors[0].dtype = DTYPE_I32;
        if (i == 3)
            m->tensors[0].shape[0] = 3;
        if (i == 4)
            w.out.p[w.out.n - 1] ^= 1;
        struct identity id = identify(m, NULL);
        assert_true(id.has_tensor_root);
        seen[i] = id.tensor_root;
        for (int j = 0; j < i; j++)
            assert_false(digest_eq(&seen[i], &seen[j]));
        model_free(m);
        sw_free(&w);
    }
}

static void tensor_root_is_refused_where_it_would_mislead(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct safetensors_writer w;
        struct model *m = from_memory("m.safetensors", shard(&w, true, true, true));
        if (i == 0)
            m->tensors[1].name = m->tensors[0].name;
        if (i == 1)
            m->tensors[1].dtype = DTYPE_NONE;
        if (i == 2)
            m->tensors[1].data.length = UINT64_MAX;
        if (i == 3)
            m->verdict.incomplete = true;
        struct identity id = identify(m, NULL);
        assert_false(id.has_tensor_root);
        assert_int_equal(findings_of(m, RULE_IDENTITY_NO_ROOT), 1);
        assert_int_equal(id.has_manifest_root, i != 3);
        model_free(m);
        sw_free(&w);
    }
}

/* ---- manifest root ---- */

static void manifest_root_is_that_of_the_document(void **state)
{
    (void)state;
    struct model *m = from_memory("config.json", span_str("{}"));
    struct model_file *files = arena_array(m->arena, 2, sizeof *files);
    files[0] = m->files[0];
    m->files = files;
    add_shard(m, "LICENSE", span_str("free\n"));
    m->verdict.incomplete = m->unlisted = false;
    struct identity id = identify(m, NULL);
    assert_true(id.has_manifest_root);
    assert_false(id.has_tensor_root);
    expect_hex(&id.manifest_root,
               "f927a8d90cb8c76903b2fdc118c4fec8d2619a52e3a357e16d0c1b1184f20723");
    model_free(m);
}

/* ---- architecture, template ---- */

static void architecture_fingerprint_is_that_of_the_document(void **state)
{
    (void)state;
    struct facts f = {.architecture = {.family = "llama",
                                       .layers = 32,
                                       .width = 4096,
                                       .ffn = 11008,
                                       .heads = 32,
                                       .kv_heads = 32,
                                       .head_size = 128,
                                       .vocabulary = 32000,
                                       .tied_known = true}};
    struct model *m = text_model("x", span_str("x"));
    struct identity id = identify(m, &f);
    assert_true(id.has_architecture);
    expect_hex(&id.architecture,
               "cf39a7a2c7c363889c355cb09a2748bce2f4e6d940b00c542e85efdbf568ed61");
    model_free(m);
}

static void template_digest_is_of_the_default_template(void **state)
{
    (void)state;
    struct model *m = text_model("x", span_str("x"));
    model_add_template(m)->name = span_str("tool_use");
    model_add_template(m)->bytes = span_str("{{ messages }}");
    struct identity id = identify(m, NULL);
    assert_true(id.has_template);
    expect_hex(&id.chat_template,
               "f24189f08c85a1eb19a737306c3a13e85462ee33d964f28108d64a2485fa2171");
    model_free(m);
}

/* ---- tokenizer ---- */

static const char bpe[] = "9b42689ff971debabc9914776205546f18c7994772b42afef2f631d534f6f540";

static const struct facts eos_3 = {
    .tokenizer = {.special = {{.role = "pad"}, {.role = "eos", .has_id = true, .id = 3}},
                  .special_count = 2}};

static void tokenizer_digest_is_the_same_from_gguf_and_json(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"ab\":2,\"a\":0,\"b\":1},\"merges\":[\"a b\"]},"
        "\"added_tokens\":[{\"id\":3,\"content\":\"<eos>\",\"special\":true}]}",
        "{\"added_tokens\":[{\"id\":3,\"content\":\"<eos>\",\"special\":true}],\"model\":"
        "{\"vocab\":{\"<eos>\":3,\"b\":1,\"\\u0061\":0,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct model *m = text_model("x", span_str("x"));
        assert_true(add_document(m, DOC_TOKENIZER, forms[i]));
        struct identity id = identify(m, &eos_3);
        assert_true(id.has_tokenizer);
        expect_hex(&id.tokenizer, bpe);
        model_free(m);
    }
    static const char *const tokens[] = {"a", "b", "ab", "<eos>", "[PAD4]", "[PAD5]"};
    static const char *const merges[] = {"a b"};
    static const int32_t types[] = {1, 1, 1, 3, 5, 5};
    struct gguf_writer g;
    gw_init(&g);
    gw_header(&g, 0, 4);
    gw_kv_string(&g, "general.architecture", "llama");
    gw_kv_strings(&g, "tokenizer.ggml.tokens", tokens, 6);
    gw_kv_strings(&g, "tokenizer.ggml.merges", merges, 1);
    gw_kv_i32s(&g, "tokenizer.ggml.token_type", types, 6);
    struct model *m = from_memory("m.gguf", gw_span(&g));
    struct identity id = identify(m, &eos_3);
    assert_true(id.has_tokenizer);
    expect_hex(&id.tokenizer, bpe);
    model_free(m);
    gw_free(&g);
}

static void tokenizer_digest_covers_scores(void **state)
{
    (void)state;
    static const char *const tokens[] = {"<unk>", "\xE2\x96\x81"
                                                  "a"};
    static const float scores[] = {0.0f, -1.5f};
    static const int32_t types[] = {2, 1};
    struct gguf_writer g;
    gw_init(&g);
    gw_header(&g, 0, 4);
    gw_kv_string(&g, "general.architecture", "llama");
    gw_kv_strings(&g, "tokenizer.ggml.tokens", tokens, 2);
    gw_kv_f32s(&g, "tokenizer.ggml.scores", scores, 2);
    gw_kv_i32s(&g, "tokenizer.ggml.token_type", types, 2);
    struct model *m = from_memory("m.gguf", gw_span(&g));
    struct identity id = identify(m, NULL);
    expect_hex(&id.tokenizer, "5abc7418f2d6c93d5df150e6274f26b1675165b81afaf6deb5af0fed71138ab4");
    model_free(m);
    gw_free(&g);
}

static void tokenizer_of_nonsense_is_read_without_harm(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{}",
        "[]",
        "{\"model\":[]}",
        "{\"model\":{\"vocab\":7}}",
        "{\"model\":{\"vocab\":{\"a\":-1,\"b\":18446744073709551615,\"c\":1.5,\"d\":null}}}",
        "{\"model\":{\"vocab\":[[],[1],[\"a\"],[\"b\",\"c\"],{}],\"merges\":[[],{},1,\"\",\" \"]},"
        "\"added_tokens\":[{},[],{\"id\":1},{\"id\":0,\"content\":\"x\",\"special\":3}]}"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct model *m = text_model("x", span_str("x"));
        assert_true(add_document(m, DOC_TOKENIZER, forms[i]));
        struct identity id = identify(m, NULL);
        assert_int_equal(id.has_tokenizer, i >= 4);
        model_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensor_root_is_that_of_the_document),
        cmocka_unit_test(tensor_root_is_the_same_after_sharding_and_in_gguf),
        cmocka_unit_test(tensor_root_depends_on_name_type_shape_and_bytes),
        cmocka_unit_test(tensor_root_is_refused_where_it_would_mislead),
        cmocka_unit_test(manifest_root_is_that_of_the_document),
        cmocka_unit_test(architecture_fingerprint_is_that_of_the_document),
        cmocka_unit_test(template_digest_is_of_the_default_template),
        cmocka_unit_test(tokenizer_digest_is_the_same_from_gguf_and_json),
        cmocka_unit_test(tokenizer_digest_covers_scores),
        cmocka_unit_test(tokenizer_of_nonsense_is_read_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
