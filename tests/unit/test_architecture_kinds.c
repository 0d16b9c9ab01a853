/*
 * Kinds of model beside the plain one: quantised folders whose stored elements
 * are not weights, wrappers, scaled RoPE, and a real folder read from disk.
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
#include "support/tiny_family.h"

struct bench {
    struct arena *arena;
    struct tiny tiny;
    struct model *model;
    struct facts facts;
};

static void start(struct bench *b, const char *family)
{
    struct tiny_dims d = tiny_default_dims(family);
    *b = (struct bench){.arena = arena_new(16 << 20)};
    assert_non_null(b->arena);
    assert_true(tiny_build(&b->tiny, b->arena, family, &d, FORMAT_SAFETENSORS));
}

static const struct architecture *look(struct bench *b)
{
    struct err e = ERR_INIT;
    model_free(b->model);
    b->model = tiny_model(&b->tiny);
    assert_non_null(b->model);
    assert_true(inspect_facts(&b->facts, b->model, &e));
    return &b->facts.architecture;
}

static void end(struct bench *b)
{
    model_free(b->model);
    arena_free(b->arena);
}

/* Members put into the config, before its last brace. */
static void config_add(struct bench *b, const char *members)
{
    size_t n = strlen(b->tiny.config);
    b->tiny.config = arena_printf(b->arena, "%.*s, %s}", (int)n - 1, b->tiny.config, members);
    assert_non_null(b->tiny.config);
}

static struct tensor *tensor_of(struct bench *b, const char *name)
{
    for (size_t i = 0; i < b->tiny.tensor_count; i++)
        if (span_is(b->tiny.tensors[i].name, name))
            return &b->tiny.tensors[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void add(struct bench *b, const char *name, enum dtype type, uint64_t elements)
{
    struct tiny *t = &b->tiny;
    struct tensor *all =
        arena_grow(b->arena, t->tensors, t->tensor_count, &t->tensor_cap, sizeof *all);
    assert_non_null(all);
    t->tensors = all;
    all[t->tensor_count++] = (struct tensor){.name = span_str(name),
                                             .dtype = type,
                                             .rank = 1,
                                             .shape = {elements},
                                             .elements = elements};
}

static void become(struct bench *b, const char *from, const char *to, enum dtype type,
                   uint64_t elements)
{
    struct tensor *t = tensor_of(b, from);
    t->name = span_str(to);
    t->dtype = type;
    t->elements = elements;
}

static void scales_and_zero_points_are_no_parameters(void **state)
{
    static const char *const names[] = {"weight_scale_inv", "weight_scale", "input_scale"};
    (void)state;
    struct bench b;
    start(&b, "llama");
    uint64_t total = look(&b)->parameters.total;
    tensor_of(&b, "model.layers.0.mlp.up_proj.weight")->dtype = DTYPE_F8_E4M3;
    for (size_t i = 0; i < 3; i++)
        add(&b, arena_printf(b.arena, "model.layers.0.mlp.up_proj.%s", names[i]), DTYPE_F32, 4);
    config_add(&b, "\"quantization_config\": {\"quant_method\": \"fp8\"}");
    assert_int_equal(look(&b)->parameters.total, total);
    assert_int_equal(b.model->verdict.count, 0);
    end(&b);
}

static void awq_weights_are_counted_by_their_bits(void **state)
{
    (void)state;
    struct bench b;
    start(&b, "llama");
    uint64_t total = look(&b)->parameters.total;
    become(&b, "model.layers.1.mlp.down_proj.weight", "model.layers.1.mlp.down_proj.qweight",
           DTYPE_I32, 56 * 32 / 8);
    add(&b, "model.layers.1.mlp.down_proj.qzeros", DTYPE_I32, 4);
    add(&b, "model.layers.1.mlp.down_proj.scales", DTYPE_F16, 32);
    config_add(&b, "\"quantization_config\": {\"quant_method\": \"awq\", \"w_bit\": 4}");
    assert_int_equal(look(&b)->parameters.total, total);
    assert_int_equal(b.model->verdict.count, 0);
    end(&b);
}

static void mxfp4_blocks_hold_two_weights_a_byte(void **state)
{
    (void)state;
    struct bench b;
    start(&b, "gpt-oss");
    uint64_t total = look(&b)->parameters.total, active = look(&b)->parameters.active;
    for (unsigned l = 0; l < 3; l++) {
        struct tensor *t =
            tensor_of(&b, arena_printf(b.arena, "model.layers.%u.mlp.experts.gate_up_proj", l));
        t->name =
            span_str(arena_printf(b.arena, "model.layers.%u.mlp.experts.gate_up_proj_blocks", l));
        t->dtype = DTYPE_U8;
        t->elements /= 2;
        add(&b, arena_printf(b.arena, "model.layers.%u.mlp.experts.gate_up_proj_scales", l),
            DTYPE_U8, 35);
    }
    config_add(&b, "\"quantization_config\": {\"quant_method\": \"mxfp4\"}");
    assert_int_equal(look(&b)->parameters.total, total);
    assert_int_equal(b.facts.architecture.parameters.active, active);
    assert_int_equal(b.model->verdict.count, 0);
    end(&b);
}

static void padded_four_bit_weights_are_unknown(void **state)
{
    (void)state;
    struct bench b;
    start(&b, "llama");
    tensor_of(&b, "model.layers.0.mlp.up_proj.weight")->dtype = DTYPE_U8;
    add(&b, "model.layers.0.mlp.up_proj.weight.absmax", DTYPE_U8, 8);
    add(&b, "model.layers.0.mlp.up_proj.weight.quant_state.bitsandbytes__nf4", DTYPE_U8, 8);
    config_add(&b, "\"quantization_config\": {\"quant_method\": \"bitsandbytes\", "
                   "\"load_in_4bit\": true}");
    assert_int_equal(look(&b)->parameters.total, 0);
    assert_int_equal(findings_of(b.model, RULE_ARCH_PACKED), 1);
    assert_int_equal(b.model->verdict.count, 1);
    end(&b);
}

static void groups_of_different_bits_are_unknown(void **state)
{
    (void)state;
    struct bench b;
    start(&b, "llama");
    become(&b, "model.layers.1.mlp.down_proj.weight", "model.layers.1.mlp.down_proj.weight_packed",
           DTYPE_I32, 56 * 32 / 8);
    config_add(&b, "\"quantization_config\": {\"quant_method\": \"compressed-tensors\", "
                   "\"config_groups\": {\"a\": {\"weights\": {\"num_bits\": 4}}, "
                   "\"b\": {\"weights\": {\"num_bits\": 8}}}}");
    assert_int_equal(look(&b)->parameters.total, 0);
    assert_int_equal(findings_of(b.model, RULE_ARCH_PACKED), 1);
    end(&b);
}

static void rope_scaling_is_read_in_both_spellings(void **state)
{
    (void)state;
    struct bench b;
    start(&b, "llama");
    config_add(&b, "\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 32.0, "
                   "\"original_max_position_embeddings\": 64}");
    const struct architecture *a = look(&b);
    assert_true(span_is(a->rope.scaling, "llama3"));
    assert_float_equal(a->rope.factor, 32, 0);
    assert_int_equal(a->rope.original_context, 64);
    assert_float_equal(a->rope.base, 10000, 0);
    assert_int_equal(a->rope.dimensions, 8);
    end(&b);
    start(&b, "llama");
    config_add(&b, "\"rope_parameters\": {\"rope_type\": \"yarn\", \"rope_theta\": 5000, "
                   "\"factor\": 4}");
    a = look(&b);
    assert_true(span_is(a->rope.scaling, "yarn"));
    assert_float_equal(a->rope.base, 5000, 0);
    end(&b);
    start(&b, "llama");
    config_add(&b, "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 5000}");
    assert_int_equal(look(&b)->rope.scaling.n, 0);
    end(&b);
}

static void windows_count_only_when_they_are_used(void **state)
{
    (void)state;
    struct bench b;
    start(&b, "qwen2");
    config_add(&b, "\"sliding_window\": 64, \"use_sliding_window\": false");
    assert_int_equal(look(&b)->window, 0);
    end(&b);
    start(&b, "qwen2");
    config_add(&b, "\"sliding_window\": 64, \"use_sliding_window\": true");
    assert_int_equal(look(&b)->window, 64);
    end(&b);
    start(&b, "gemma2");
    assert_int_equal(look(&b)->window, 4096); /* the class's default */
    config_add(&b, "\"sliding_window\": null");
    assert_int_equal(look(&b)->window, 0);
    end(&b);
}

static void wrapper_of_mistral_is_mistral3(void **state)
{
    (void)state;
    struct bench b;
    start(&b, "mistral3");
    const char *inner = strchr(b.tiny.config, ',');
    b.tiny.config = arena_printf(b.arena,
                                 "{\"model_type\": \"mistral3\", \"text_config\": "
                                 "{\"model_type\": \"mistral\"%s}",
                                 inner);
    add(&b, "vision_tower.transformer.layers.0.attention.q_proj.weight", DTYPE_F32, 64);
    add(&b, "multi_modal_projector.linear_1.weight", DTYPE_F32, 64);
    const struct architecture *a = look(&b);
    assert_string_equal(a->family, "mistral3");
    assert_int_equal(a->layers, 3);
    assert_true(a->tied_known);
    assert_false(a->tied);
    assert_int_equal(b.model->verdict.count, 0);
    end(&b);
}

static void bad_config_values_are_found_and_cost_nothing(void **state)
{
    static const char *const bad[] = {"\"num_hidden_layers\": 1e3", "\"hidden_size\": \"32\"",
                                      "\"num_attention_heads\": [4, -1]",
                                      "\"head_dim\": 18446744073709551616", "\"vocab_size\": {}"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bench b;
        start(&b, "llama");
        b.tiny.config = arena_printf(b.arena, "{\"model_type\": \"llama\", %s}", bad[i]);
        (void)look(&b);
        assert_int_equal(findings_of(b.model, RULE_ARCH_KEY), 1);
        end(&b);
    }
}

static void experts_stored_one_by_one_must_all_be_there(void **state)
{
    (void)state;
    struct bench b;
    start(&b, "qwen3moe");
    struct tensor *t = tensor_of(&b, "model.layers.1.mlp.experts.4.up_proj.weight");
    t->name = span_str("model.layers.1.mlp.experts.7.up_proj.weight");
    (void)look(&b);
    assert_int_equal(findings_of(b.model, RULE_ARCH_EXPERTS), 1);
    assert_int_equal(findings_of(b.model, RULE_ARCH_MISSING), 0);
    t->name = span_str("model.layers.1.mlp.experts.4.up_proj.input_scale");
    (void)look(&b);
    assert_int_equal(findings_of(b.model, RULE_ARCH_EXPERTS), 0);
    assert_int_equal(findings_of(b.model, RULE_ARCH_MISSING), 1);
    end(&b);
}

static void layer_numbers_above_the_number_of_tensors_are_gaps(void **state)
{
    (void)state;
    struct bench b;
    start(&b, "llama");
    tensor_of(&b, "model.layers.2.mlp.up_proj.weight")->name =
        span_str("model.layers.70000.mlp.up_proj.weight");
    assert_int_equal(look(&b)->layers, 3);
    assert_int_equal(findings_of(b.model, RULE_ARCH_GAP), 1);
    end(&b);
}

static void packing_that_does_not_come_out_even_is_unknown(void **state)
{
    (void)state;
    struct bench b;
    start(&b, "llama");
    become(&b, "model.layers.1.mlp.down_proj.weight", "model.layers.1.mlp.down_proj.qweight",
           DTYPE_I32, 100); /* 3,200 bits are no multiple of 3 */
    config_add(&b, "\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 3}");
    assert_int_equal(look(&b)->parameters.total, 0);
    assert_int_equal(findings_of(b.model, RULE_ARCH_PACKED), 1);
    end(&b);
}

static void projector_beside_a_model_does_not_speak_for_it(void **state)
{
    static struct metadata clip = {.value = {.type = VALUE_STRING}};
    (void)state;
    struct bench b;
    struct err e = ERR_INIT;
    struct tiny_dims d = tiny_default_dims("qwen2");
    b = (struct bench){.arena = arena_new(16 << 20)};
    assert_true(tiny_build(&b.tiny, b.arena, "qwen2", &d, FORMAT_GGUF));
    b.model = tiny_blank(2);
    assert_non_null(b.model);
    b.model->folder = true;
    b.model->files[0].name = "mmproj.gguf";
    b.model->files[1].name = b.model->files[1].path = "qwen2.gguf";
    b.model->files[0].format = b.model->files[1].format = FORMAT_GGUF;
    for (size_t i = 0; i < b.tiny.tensor_count; i++)
        b.tiny.tensors[i].entry.file = i > 0; /* the first is the projector's */
    b.tiny.tensors[0].name = span_str("v.patch_embd.weight");
    struct metadata *all = arena_array(b.arena, b.tiny.metadata_count + 1, sizeof *all);
    assert_non_null(all);
    clip.key = span_str("general.architecture");
    clip.value.string = span_str("clip");
    all[0] = clip;
    for (size_t i = 0; i < b.tiny.metadata_count; i++) {
        all[i + 1] = b.tiny.metadata[i];
        all[i + 1].origin.file = 1;
    }
    b.model->tensors = b.tiny.tensors;
    b.model->tensor_count = b.tiny.tensor_count;
    b.model->metadata = all;
    b.model->metadata_count = b.tiny.metadata_count + 1;
    assert_true(inspect_facts(&b.facts, b.model, &e));
    assert_string_equal(b.facts.architecture.family, "qwen2");
    assert_int_equal(findings_of(b.model, RULE_ARCH_BESIDE), 1);
    end(&b);
}

static void folder_on_disk_equals_the_same_in_memory(void **state)
{
    (void)state;
    struct bench b;
    struct safetensors_writer w;
    struct err e = ERR_INIT;
    struct model *m;
    struct facts f;
    char dir[] = "/tmp/assay-architecture-XXXXXX", weights[64], config[64];
    start(&b, "qwen3");
    const struct architecture *a = look(&b);
    assert_non_null(mkdtemp(dir));
    snprintf(weights, sizeof weights, "%s/model.safetensors", dir);
    snprintf(config, sizeof config, "%s/config.json", dir);
    sw_init(&w);
    assert_true(sw_save(tiny_write_safetensors(&w, &b.tiny, 7), weights));
    sw_free(&w);
    assert_true(sw_save(span_str(b.tiny.config), config));
    assert_true(model_read(&m, dir, NULL, &e));
    unlink(weights);
    unlink(config);
    rmdir(dir);
    assert_true(inspect_facts(&f, m, &e));
    assert_string_equal(f.architecture.family, "qwen3");
    assert_int_equal(f.architecture.layers, a->layers);
    assert_int_equal(f.architecture.head_size, a->head_size);
    assert_int_equal(f.architecture.parameters.total, a->parameters.total);
    assert_int_equal(f.architecture.weight_bytes, a->weight_bytes);
    model_free(m);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_and_zero_points_are_no_parameters),
        cmocka_unit_test(awq_weights_are_counted_by_their_bits),
        cmocka_unit_test(mxfp4_blocks_hold_two_weights_a_byte),
        cmocka_unit_test(padded_four_bit_weights_are_unknown),
        cmocka_unit_test(groups_of_different_bits_are_unknown),
        cmocka_unit_test(rope_scaling_is_read_in_both_spellings),
        cmocka_unit_test(windows_count_only_when_they_are_used),
        cmocka_unit_test(wrapper_of_mistral_is_mistral3),
        cmocka_unit_test(bad_config_values_are_found_and_cost_nothing),
        cmocka_unit_test(experts_stored_one_by_one_must_all_be_there),
        cmocka_unit_test(layer_numbers_above_the_number_of_tensors_are_gaps),
        cmocka_unit_test(packing_that_does_not_come_out_even_is_unknown),
        cmocka_unit_test(projector_beside_a_model_does_not_speak_for_it),
        cmocka_unit_test(folder_on_disk_equals_the_same_in_memory),
    };
    return cmocka_run_group_tests_name("architecture kinds", tests, NULL, NULL);
}
