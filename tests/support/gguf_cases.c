/* GGUF fixtures that several tests share. */
#include "support/gguf_cases.h"

#include <stdio.h>
#include <stdlib.h>

static void scalars(struct gguf_writer *w)
{
    gw_kv_string(w, "general.architecture", "llama");
    gw_kv_string(w, "general.name", "tiny");
    gw_kv_u32(w, "general.quantization_version", 2);
    gw_kv_u32(w, "llama.block_count", 1);
    gw_kv_f32(w, "llama.rope.freq_base", 10000.0f);
    gw_kv_u8(w, "test.u8", 200);
    gw_key(w, "test.i8", VALUE_I8);
    gw_u8(w, (uint8_t)-2);
    gw_kv_u16(w, "test.u16", 60000);
    gw_key(w, "test.i16", VALUE_I16);
    gw_u16(w, (uint16_t)-3);
    gw_kv_i32(w, "test.i32", -4);
    gw_kv_u64(w, "test.u64", UINT64_C(1) << 60);
    gw_key(w, "test.i64", VALUE_I64);
    gw_u64(w, (uint64_t)-5);
    gw_key(w, "test.f64", VALUE_F64);
    gw_f64(w, 0.1);
    gw_kv_bool(w, "test.bool", 1);
}

void gc_whole(struct gguf_writer *w)
{
    static const char *const tokens[] = {"<unk>", "<0x0A>", "a", "b", "ab"};
    static const float scores[] = {0, 0, -1, -2, -3};
    static const int32_t kinds[] = {2, 6, 1, 1, 1};
    static const char *const merges[] = {"a b"};
    static const struct gw_tensor tensors[] = {{"token_embd.weight", DTYPE_F32, {4, 5}},
                                               {"blk.0.attn_q.weight", DTYPE_Q8_0, {32, 2}},
                                               {"output_norm.weight", DTYPE_F16, {3}}};
    gw_header(w, 3, 21);
    scalars(w);
    gw_kv_strings(w, "tokenizer.ggml.tokens", tokens, 5);
    gw_kv_f32s(w, "tokenizer.ggml.scores", scores, 5);
    gw_kv_i32s(w, "tokenizer.ggml.token_type", kinds, 5);
    gw_kv_strings(w, "tokenizer.ggml.merges", merges, 1);
    gw_kv_u32(w, "tokenizer.ggml.bos_token_id", 0);
    gw_kv_string(w, "tokenizer.chat_template", "{{ messages }}");
    gw_kv_string(w, "tokenizer.chat_template.tool_use", "{{ tools }}");
    gw_tensors(w, tensors, 3, 32, 7);
}

struct model *gc_read(const struct gguf_writer *w)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read_memory(&m, "case.gguf", gw_span(w), &e)) {
        fprintf(stderr, "not read: %s\n", e.text);
        abort();
    }
    return m;
}

bool gc_found(const struct model *m, enum rule_id rule)
{
    for (size_t i = 0; i < m->verdict.count; i++)
        if (m->verdict.findings[i].rule == rule)
            return true;
    return false;
}

size_t gc_worse(const struct model *m, enum severity severity)
{
    size_t n = 0;
    for (size_t i = 0; i < m->verdict.count; i++)
        n += rules[m->verdict.findings[i].rule].severity >= severity;
    return n;
}

void gc_print(const struct model *m)
{
    for (size_t i = 0; i < m->verdict.count; i++)
        fprintf(stderr, "  %s at %llu: %s\n", rules[m->verdict.findings[i].rule].id,
                (unsigned long long)m->verdict.findings[i].origin.offset,
                m->verdict.findings[i].detail);
}
