/*
 * Architecture from metadata, config, tensor names and shapes: every family in
 * both containers, exact counts, and what is no plain model of a family.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/architecture_case.h"
#include "support/documents.h"

/* ---- families ---- */

static void facts_of_an_empty_model_are_unknown(void **state)
{
    (void)state;
    struct model *m = case_keep(tiny_blank(1));
    struct facts f = case_facts(m);
    assert_null(f.architecture.family);
    assert_int_equal(f.architecture.layers, 0);
    assert_int_equal(f.architecture.parameters.total, 0);
    case_no_findings(m);
}

static void check_family(const char *family, enum format naming)
{
    struct tiny t;
    case_build(&t, family, naming);
    struct model *m = case_model(&t);
    struct facts f = case_facts(m);
    const struct architecture *a = &f.architecture;
    const struct tiny_dims *d = &t.dims;
    case_no_findings(m);
    assert_non_null(a->family);
    assert_string_equal(a->family, tiny_name(family));
    assert_int_equal(a->layers, d->layers);
    assert_int_equal(a->width, d->width);
    assert_int_equal(a->ffn, d->ffn);
    assert_int_equal(a->heads, d->heads);
    assert_int_equal(a->kv_heads, d->kv_heads);
    assert_int_equal(a->head_size, d->head_size);
    assert_int_equal(a->vocabulary, d->vocabulary);
    assert_int_equal(a->context, d->context);
    assert_int_equal(a->experts, d->experts);
    assert_int_equal(a->experts_active, d->experts_active);
    assert_int_equal(a->expert_ffn, d->expert_ffn);
    assert_true(a->tied_known);
    assert_int_equal(a->tied, d->tied);
    assert_int_equal(a->parameters.total, case_elements(&t));
    assert_int_equal(a->weight_bytes, 4 * case_elements(&t));
    assert_float_equal(a->bits_per_weight, 32.0, 1e-12);
    assert_int_equal(a->kv_bytes_per_1000, d->layers * d->kv_heads * d->head_size * 2 * 2 * 1000);
    struct parameters expected;
    assert_true(parameters_expected(&expected, a));
    assert_int_equal(expected.total, a->parameters.total);
    assert_int_equal(expected.active, a->parameters.active);
    assert_int_equal(expected.embedding, a->parameters.embedding);
}

static void every_family_is_recognised_in_gguf(void **state)
{
    (void)state;
    for (size_t i = 0; tiny_families[i]; i++)
        check_family(tiny_families[i], FORMAT_GGUF);
}

static void every_family_is_recognised_in_a_folder(void **state)
{
    (void)state;
    for (size_t i = 0; tiny_families[i]; i++)
        check_family(tiny_families[i], FORMAT_SAFETENSORS);
}

static void fingerprint_text_is_equal_in_both_containers(void **state)
{
    (void)state;
    for (size_t i = 0; tiny_families[i]; i++) {
        struct tiny g, h;
        case_build(&g, tiny_families[i], FORMAT_GGUF);
        case_build(&h, tiny_families[i], FORMAT_SAFETENSORS);
        struct facts a = case_facts(case_model(&g)), b = case_facts(case_model(&h));
        assert_string_equal(case_canonical(&a), case_canonical(&b));
    }
}

static void fingerprint_text_has_sorted_keys(void **state)
{
    (void)state;
    struct tiny t;
    case_build(&t, "llama", FORMAT_GGUF);
    struct facts f = case_facts(case_model(&t));
    assert_string_equal(case_canonical(&f),
                        "{\"family\":\"llama\",\"ffn\":56,\"head_size\":8,\"heads\":4,"
                        "\"kv_heads\":2,\"layers\":3,\"tied\":true,\"vocabulary\":96,"
                        "\"width\":32}");
}

/* ---- counts ---- */

static void llama_counts_as_the_formula_says(void **state)
{
    (void)state;
    struct tiny t;
    case_build(&t, "llama", FORMAT_GGUF);
    struct facts f = case_facts(case_model(&t));
    const struct parameters *p = &f.architecture.parameters;
    uint64_t layer = 32 * 32 + 2 * 16 * 32 + 32 * 32 + 3 * 56 * 32 + 2 * 32;
    assert_int_equal(p->embedding, 96 * 32);
    assert_int_equal(p->non_embedding, 3 * layer + 32);
    assert_int_equal(p->total, 96 * 32 + 3 * layer + 32);
    assert_int_equal(p->active, p->total);
}

/* Published by the models' makers or summed by the Hub over their safetensors. */
static const struct published {
    const char *name, *family;
    struct tiny_dims d;
    uint64_t total, active;
} published[] = {
    {"SmolLM2-135M", "llama", {30, 576, 1536, 9, 3, 64, 49152, 8192, 0, 0, 0, true}, 134515008, 0},
    {"Llama-3.2-1B",
     "llama",
     {16, 2048, 8192, 32, 8, 64, 128256, 131072, 0, 0, 0, true},
     1235814400,
     0},
    {"Llama-2-7B",
     "llama",
     {32, 4096, 11008, 32, 32, 128, 32000, 4096, 0, 0, 0, false},
     6738415616,
     0},
    {"Mistral-7B",
     "llama",
     {32, 4096, 14336, 32, 8, 128, 32000, 32768, 0, 0, 0, false},
     7241732096,
     0},
    {"Mixtral-8x7B",
     "llama-moe",
     {32, 4096, 14336, 32, 8, 128, 32000, 32768, 8, 2, 14336, false},
     46702792704,
     12879925248},
    {"Qwen2.5-0.5B",
     "qwen2",
     {24, 896, 4864, 14, 2, 64, 151936, 32768, 0, 0, 0, true},
     494032768,
     0},
    {"Qwen3-0.6B",
     "qwen3",
     {28, 1024, 3072, 16, 8, 128, 151936, 40960, 0, 0, 0, true},
     596049920,
     0},
    {"Qwen3-30B-A3B",
     "qwen3moe",
     {48, 2048, 6144, 32, 4, 128, 151936, 40960, 128, 8, 768, false},
     30532122624,
     3353032704},
    {"gemma-2-2b",
     "gemma2",
     {26, 2304, 9216, 8, 4, 256, 256000, 8192, 0, 0, 0, true},
     2614341888,
     0},
    {"gemma-3-1b",
     "gemma3",
     {26, 1152, 6912, 4, 1, 256, 262144, 32768, 0, 0, 0, true},
     999885952,
     0},
    {"Phi-3-mini",
     "phi3",
     {32, 3072, 8192, 32, 32, 96, 32064, 4096, 0, 0, 0, false},
     3821079552,
     0},
    {"SmolLM3-3B",
     "smollm3",
     {36, 2048, 11008, 16, 4, 128, 128256, 65536, 0, 0, 0, true},
     3075098624,
     0},
    {"OLMo-2-7B",
     "olmo2",
     {32, 4096, 11008, 32, 32, 128, 100352, 4096, 0, 0, 0, false},
     7298617344,
     0},
    {"gpt2", "gpt2", {12, 768, 3072, 12, 12, 64, 50257, 1024, 0, 0, 0, true}, 124439808, 0},
    {"gpt-oss-20b",
     "gpt-oss",
     {24, 2880, 2880, 64, 8, 64, 201088, 131072, 32, 4, 2880, false},
     20914757184,
     0},
};

static void counts_equal_published_ones(void **state)
{
    static const enum format formats[] = {FORMAT_GGUF, FORMAT_SAFETENSORS};
    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++)
        for (size_t f = 0; f < 2; f++) {
            const struct published *x = &published[i];
            struct tiny t;
            assert_true(tiny_build(&t, case_arena, x->family, &x->d, formats[f]));
            struct model *m = case_model(&t);
            struct facts facts = case_facts(m);
            const struct parameters *p = &facts.architecture.parameters;
            if (p->total != x->total)
                print_error("%s: %llu\n", x->name, (unsigned long long)p->total);
            case_no_findings(m);
            assert_int_equal(p->total, x->total);
            assert_int_equal(p->active, x->active                    ? x->active
                                        : facts.architecture.experts ? p->active
                                                                     : x->total);
            assert_int_equal(p->embedding + p->non_embedding, p->total);
        }
}

static void rope_factors_are_buffers_and_no_parameters(void **state)
{
    (void)state;
    struct tiny t;
    case_build(&t, "llama", FORMAT_GGUF);
    struct facts before = case_facts(case_model(&t));
    struct tensor *x = arena_grow(case_arena, t.tensors, t.tensor_count, &t.tensor_cap, sizeof *x);
    assert_non_null(x);
    t.tensors = x;
    x[t.tensor_count++] = (struct tensor){.name = span_str("rope_freqs.weight"),
                                          .dtype = DTYPE_F32,
                                          .rank = 1,
                                          .shape = {4},
                                          .elements = 4};
    struct model *m = case_model(&t);
    struct facts f = case_facts(m);
    case_no_findings(m);
    assert_int_equal(f.architecture.parameters.total, before.architecture.parameters.total);
    assert_int_equal(f.architecture.parameters.buffers, 4);
}

/* ---- quantised folders, adapters, other shapes of model ---- */

static void quantise(struct tiny *t, const char *extra)
{
    size_t n = strlen(t->config);
    t->config = arena_printf(case_arena, "%.*s, \"quantization_config\": %s}", (int)n - 1,
                             t->config, extra);
    struct tensor *q = case_tensor(t, "model.layers.0.self_attn.q_proj.weight");
    q->name = span_str("model.layers.0.self_attn.q_proj.qweight");
    q->dtype = DTYPE_I32;
    q->shape[0] = 4; /* 32 rows of 4 bits in 4 words */
    q->elements = 128;
    q->data.length = 512;
    struct tensor *all =
        arena_grow(case_arena, t->tensors, t->tensor_count, &t->tensor_cap, sizeof *all);
    assert_non_null(all);
    t->tensors = all;
    all[t->tensor_count++] =
        (struct tensor){.name = span_str("model.layers.0.self_attn.q_proj.scales"),
                        .dtype = DTYPE_F16,
                        .rank = 2,
                        .shape = {1, 32},
                        .elements = 32};
}

static void packed_weights_are_counted_by_their_bits(void **state)
{
    (void)state;
    struct tiny t;
    case_build(&t, "llama", FORMAT_SAFETENSORS);
    uint64_t total = case_elements(&t);
    quantise(&t, "{\"quant_method\": \"gptq\", \"bits\": 4}");
    struct model *m = case_model(&t);
    struct facts f = case_facts(m);
    case_no_findings(m);
    assert_int_equal(f.architecture.parameters.total, total);
}

static void packed_weights_without_bits_are_unknown(void **state)
{
    (void)state;
    struct tiny t;
    case_build(&t, "llama", FORMAT_SAFETENSORS);
    quantise(&t, "{\"quant_method\": \"gptq\"}");
    struct model *m = case_model(&t);
    struct facts f = case_facts(m);
    assert_non_null(strstr(case_found(m, RULE_ARCH_PACKED)->detail, "q_proj.qweight"));
    assert_int_equal(f.architecture.parameters.total, 0);
    assert_float_equal(f.architecture.bits_per_weight, 0, 0);
}

static struct tensor lora[] = {
    {.name = {(const uint8_t *)"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
              62},
     .dtype = DTYPE_F32,
     .rank = 2,
     .shape = {4, 32},
     .elements = 128},
    {.name = {(const uint8_t *)"base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight",
              62},
     .dtype = DTYPE_F32,
     .rank = 2,
     .shape = {32, 4},
     .elements = 128},
};

static void adapters_are_recognised(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct model *m = case_keep(tiny_blank(2));
    m->folder = true;
    m->files[0].name = "adapter_model.safetensors";
    m->files[0].format = FORMAT_SAFETENSORS;
    m->files[1].name = "adapter_config.json";
    m->tensors = lora;
    m->tensor_count = 2;
    m->documents[DOC_ADAPTER_CONFIG].file = 1;
    assert_true(json_parse(&m->documents[DOC_ADAPTER_CONFIG].root,
                           span_str("{\"peft_type\": \"LORA\", \"r\": 8, \"lora_alpha\": 16, "
                                    "\"target_modules\": [\"q_proj\", \"v_proj\"]}"),
                           JSON_STRICT, case_arena, &e));
    struct facts f = case_facts(m);
    const struct architecture *a = &f.architecture;
    assert_true(a->is_adapter);
    assert_true(span_is(a->adapter.type, "LORA"));
    assert_int_equal(a->adapter.rank, 4);
    assert_float_equal(a->adapter.alpha, 16, 0);
    assert_int_equal(a->adapter.target_count, 2);
    assert_true(span_is(a->adapter.targets[1], "v_proj"));
    assert_int_equal(a->parameters.total, 256);
    assert_int_equal(case_found(m, RULE_ARCH_ADAPTER)->origin.file, 1); /* r is 8 */
    assert_int_equal(m->verdict.count, 1);
}

static void unknown_families_keep_their_name_and_what_tensors_prove(void **state)
{
    (void)state;
    struct tiny t;
    case_build(&t, "llama", FORMAT_SAFETENSORS);
    t.config = "{\"model_type\": \"novel\", \"num_hidden_layers\": 3}";
    struct model *m = case_model(&t);
    struct facts f = case_facts(m);
    assert_null(f.architecture.family);
    assert_true(span_is(f.architecture.declared, "novel"));
    assert_int_equal(f.architecture.layers, 3);
    assert_int_equal(f.architecture.width, 32);
    assert_int_equal(f.architecture.ffn, 56);
    assert_int_equal(f.architecture.heads, 0);
    assert_int_equal(f.architecture.head_size, 0);
    assert_int_equal(f.architecture.parameters.total, case_elements(&t));
    (void)case_found(m, RULE_ARCH_UNKNOWN);
    assert_int_equal(m->verdict.count, 1);

    t.config = "{}";
    m = case_model(&t);
    (void)case_facts(m);
    (void)case_found(m, RULE_ARCH_UNDECLARED);
}

static void text_config_of_a_multimodal_model_speaks(void **state)
{
    (void)state;
    struct tiny t;
    struct tiny_dims d = tiny_default_dims("gemma3");
    d.heads = 8; /* the class's own defaults, left out below as Google does */
    d.kv_heads = 4;
    d.head_size = 256;
    assert_true(tiny_build(&t, case_arena, "gemma3", &d, FORMAT_SAFETENSORS));
    for (size_t i = 0; i < t.tensor_count; i++)
        t.tensors[i].name = span_str(
            arena_printf(case_arena, "language_model.%s", (const char *)t.tensors[i].name.p));
    t.tensors[2].name = t.tensors[2].name;
    t.config =
        "{\"architectures\": [\"Gemma3ForConditionalGeneration\"], \"model_type\": \"gemma3\","
        "\"text_config\": {\"model_type\": \"gemma3_text\", \"hidden_size\": 32,"
        "\"intermediate_size\": 56, \"num_hidden_layers\": 3, \"vocab_size\": 96,"
        "\"sliding_window\": 1024, \"rope_scaling\": {\"factor\": 8.0, \"rope_type\":"
        "\"linear\"}}}";
    struct model *m = case_model(&t);
    struct facts f = case_facts(m);
    const struct architecture *a = &f.architecture;
    case_no_findings(m);
    assert_string_equal(a->family, "gemma3");
    assert_int_equal(a->heads, 8);
    assert_int_equal(a->kv_heads, 4);
    assert_int_equal(a->head_size, 256);
    assert_int_equal(a->window, 1024);
    assert_true(a->tied);
    assert_true(span_is(a->rope.scaling, "linear"));
    assert_float_equal(a->rope.factor, 8, 0);
    assert_float_equal(a->rope.base, 1e6, 0);
}

static void figures_are_for_one_copy_of_the_weights(void **state)
{
    (void)state;
    struct tiny t, u;
    case_build(&t, "llama", FORMAT_GGUF);
    case_build(&u, "llama", FORMAT_GGUF);
    uint64_t total = case_elements(&t);
    for (size_t i = 0; i < u.tensor_count; i++) {
        struct tensor *all =
            arena_grow(case_arena, t.tensors, t.tensor_count, &t.tensor_cap, sizeof *all);
        assert_non_null(all);
        t.tensors = all;
        all[t.tensor_count] = u.tensors[i];
        all[t.tensor_count++].entry.file = 1;
    }
    struct model *m = case_model(&t);
    struct model_file *files = arena_array(case_arena, 2, sizeof *files);
    assert_non_null(files);
    files[0] = m->files[0];
    files[1] = (struct model_file){.name = "other.gguf", .path = "", .format = FORMAT_GGUF};
    m->files = files;
    m->file_count = 2;
    m->folder = true;
    struct facts f = case_facts(m);
    assert_int_equal(f.architecture.parameters.total, total);
    assert_non_null(strstr(case_found(m, RULE_ARCH_BESIDE)->detail, "other.gguf"));
    assert_int_equal(m->verdict.count, 1);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    bool failed = true;
    for (uint64_t n = 1; failed && n < 200; n++) {
        struct tiny t;
        struct facts f;
        struct err e = ERR_INIT;
        case_build(&t, "qwen3moe", FORMAT_SAFETENSORS);
        struct model *m = case_model(&t);
        arena_fail_after(n);
        failed = !inspect_facts(&f, m, &e);
        arena_fail_after(0);
        assert_true(!failed || e.code == ERR_MEMORY);
    }
    assert_false(failed);
}

#define T(name) cmocka_unit_test_setup_teardown(name, case_begin, case_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(facts_of_an_empty_model_are_unknown),
        T(every_family_is_recognised_in_gguf),
        T(every_family_is_recognised_in_a_folder),
        T(fingerprint_text_is_equal_in_both_containers),
        T(fingerprint_text_has_sorted_keys),
        T(llama_counts_as_the_formula_says),
        T(counts_equal_published_ones),
        T(rope_factors_are_buffers_and_no_parameters),
        T(packed_weights_are_counted_by_their_bits),
        T(packed_weights_without_bits_are_unknown),
        T(adapters_are_recognised),
        T(unknown_families_keep_their_name_and_what_tensors_prove),
        T(text_config_of_a_multimodal_model_speaks),
        T(figures_are_for_one_copy_of_the_weights),
        T(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests_name("architecture", tests, NULL, NULL);
}
