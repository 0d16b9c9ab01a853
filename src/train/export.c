/*
 * What a run leaves: a folder as on Hugging Face (configuration, vocabulary,
 * model.safetensors, card) and GGUF files; or, when fine-tuned, an adapter as
 * PEFT writes one.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "train/names.h"
#include "train/run.h"

enum { DOCUMENT_MAX = 1 << 20, PIECE = 1 << 14 };

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "out of memory for the model's files");
}

static bool save(struct train *t, const char *folder, const char *name, struct span bytes,
                 struct err *e)
{
    const char *path = arena_printf(t->arena, "%s/%s", folder, name);
    if (!path)
        return no_memory(e);
    return file_replace(path, bytes, false, e) &&
           (chmod(path, 0644) == 0 || err_errno(e, path, "cannot be made readable"));
}

/* ---- JSON ---- */

static void put_u64(struct json_writer *w, const char *key, uint64_t v)
{
    jw_key(w, key);
    jw_u64(w, v);
}

static void put_str(struct json_writer *w, const char *key, const char *v)
{
    jw_key(w, key);
    jw_str(w, v);
}

static void put_bool(struct json_writer *w, const char *key, bool v)
{
    jw_key(w, key);
    jw_bool(w, v);
}

static const char *plain_name(const struct train *t)
{
    static const char *const names[] = {"float32", "float16", "bfloat16"};
    return names[t->config.safetensors];
}

static void put_config(struct json_writer *w, const struct train *t)
{
    const struct shape *s = &t->network->shape;
    jw_key(w, "architectures");
    jw_array(w);
    jw_str(w, "LlamaForCausalLM");
    jw_end_array(w);
    put_bool(w, "attention_bias", false);
    put_u64(w, "bos_token_id", VOCABULARY_END_OF_TEXT);
    put_u64(w, "eos_token_id", VOCABULARY_END_TURN);
    put_u64(w, "head_dim", s->head);
    put_str(w, "hidden_act", "silu");
    put_u64(w, "hidden_size", s->width);
    put_u64(w, "intermediate_size", s->ffn);
    put_u64(w, "max_position_embeddings", s->context);
    put_bool(w, "mlp_bias", false);
    put_str(w, "model_type", "llama");
    put_u64(w, "num_attention_heads", s->heads);
    put_u64(w, "num_hidden_layers", s->layers);
    put_u64(w, "num_key_value_heads", s->kv_heads);
    put_u64(w, "pad_token_id", VOCABULARY_END_OF_TEXT);
    jw_key(w, "rms_norm_eps");
    jw_double(w, train_config_number(t->config.model.norm_eps));
    jw_key(w, "rope_theta");
    jw_double(w, s->rope_base);
    put_bool(w, "tie_word_embeddings", s->tied);
    put_str(w, "torch_dtype", plain_name(t));
    put_u64(w, "vocab_size", s->vocabulary);
}

static void put_adapter_config(struct json_writer *w, const struct train *t)
{
    const struct config_lora *l = &t->config.lora;
    char *base = arena_str(t->arena, t->config.base);
    put_str(w, "base_model_name_or_path", base ? base : "");
    put_str(w, "bias", "none");
    put_bool(w, "inference_mode", true);
    put_bool(w, "init_lora_weights", true);
    jw_key(w, "lora_alpha");
    jw_double(w, train_config_number(l->alpha));
    jw_key(w, "lora_dropout");
    jw_double(w, 0);
    put_str(w, "peft_type", "LORA");
    put_u64(w, "r", l->rank);
    jw_key(w, "target_modules");
    jw_array(w);
    for (size_t i = 0; i < l->targets.count; i++)
        jw_string(w, l->targets.items[i]);
    jw_end_array(w);
    put_str(w, "task_type", "CAUSAL_LM");
    put_bool(w, "use_dora", false);
    put_bool(w, "use_rslora", false);
}

static bool save_json(struct train *t, const char *folder, const char *name,
                      void (*put)(struct json_writer *w, const struct train *t), struct err *e)
{
    struct json_writer w;
    struct buf out;
    buf_init(&out, DOCUMENT_MAX);
    jw_init(&w, json_sink_buf, &out, true);
    jw_object(&w);
    put(&w, t);
    jw_end_object(&w);
    buf_put_str(&out, "\n");
    bool ok = buf_ok(&out) && !w.failed;
    ok = ok ? save(t, folder, name, buf_span(&out), e) : no_memory(e);
    buf_free(&out);
    return ok;
}

/* ---- weights ---- */

/* Rows of a parameter, as `type`, into the writer; `head`: GGUF's order of rows. */
static bool put_rows(struct model_writer *w, const struct parameter *p, enum dtype type,
                     size_t head, struct err *e)
{
    uint8_t out[PIECE * 4];
    for (size_t row = 0; row < p->rows; row++) {
        size_t from = row;
        if (head) /* the way back: (h, i, half) holds (h, half, i) */
            from = row / head * head + row % head % 2 * (head / 2) + row % head / 2;
        for (size_t at = 0; at < p->columns; at += PIECE) {
            size_t n = p->columns - at < PIECE ? p->columns - at : PIECE;
            dtype_encode(type, p->w + from * p->columns + at, n, out);
            if (!model_writer_put(w, out, n * dtypes[type].bytes, e))
                return false;
        }
    }
    return true;
}

static struct write_tensor described(const struct parameter *p, const char *name, enum dtype type)
{
    return (struct write_tensor){
        span_str(name), type, (uint32_t)p->rank, {p->rank == 1 ? p->columns : p->rows, p->columns}};
}

static bool save_safetensors(struct train *t, const char *folder, const char *name, enum dtype type,
                             struct err *e)
{
    const struct network *n = t->network;
    struct write_tensor *tensors = arena_array(t->arena, n->count, sizeof *tensors);
    const char *path = arena_printf(t->arena, "%s/%s", folder, name);
    struct metadata_list pairs;
    struct model_writer *w;
    size_t count = 0;
    if (!tensors || !path)
        return no_memory(e);
    metadata_init(&pairs, t->arena);
    metadata_set_str(&pairs, "format", span_str("pt"));
    for (size_t i = 0; i < n->count; i++)
        if (n->parameters[i].trained)
            tensors[count++] = described(&n->parameters[i], n->parameters[i].name, type);
    bool ok = safetensors_begin(&w, path, &pairs, tensors, count, e);
    if (!ok)
        return false;
    for (size_t i = 0; ok && i < n->count; i++)
        ok = !n->parameters[i].trained || put_rows(w, &n->parameters[i], type, 0, e);
    if (ok)
        return model_writer_finish(w, e);
    model_writer_abort(w);
    return false;
}

static bool fill_metadata(struct train *t, struct metadata_list *l)
{
    const struct shape *s = &t->network->shape;
    const struct config_dataset *d = t->config.data.items;
    const struct config_texts *languages = &t->config.card.languages, *tags = &t->config.card.tags;
    struct span names[CONFIG_MAX_DATASETS];
    metadata_init(l, t->arena);
    metadata_set_str(l, "general.architecture", span_str("llama"));
    metadata_set_str(l, "general.type", span_str("model"));
    metadata_set_str(l, "general.name", t->config.title.n ? t->config.title : t->config.name);
    if (t->config.description.n)
        metadata_set_str(l, "general.description", t->config.description);
    if (t->config.licence.n)
        metadata_set_str(l, "general.license", t->config.licence);
    if (t->config.card.authors.n)
        metadata_set_str(l, "general.author", t->config.card.authors);
    if (languages->count)
        metadata_set_strs(l, "general.languages", languages->items, languages->count);
    if (tags->count)
        metadata_set_strs(l, "general.tags", tags->items, tags->count);
    for (size_t i = 0; i < t->dataset_count; i++)
        names[i] = d[i].name;
    metadata_set_strs(l, "general.datasets", names, t->dataset_count);
    metadata_set_u32(l, "general.file_type", 0);
    metadata_set_u32(l, "llama.block_count", (uint32_t)s->layers);
    metadata_set_u32(l, "llama.context_length", (uint32_t)s->context);
    metadata_set_u32(l, "llama.embedding_length", (uint32_t)s->width);
    metadata_set_u32(l, "llama.feed_forward_length", (uint32_t)s->ffn);
    metadata_set_u32(l, "llama.attention.head_count", (uint32_t)s->heads);
    metadata_set_u32(l, "llama.attention.head_count_kv", (uint32_t)s->kv_heads);
    metadata_set_f32(l, "llama.attention.layer_norm_rms_epsilon", s->eps);
    metadata_set_u32(l, "llama.rope.dimension_count", (uint32_t)s->head);
    metadata_set_f32(l, "llama.rope.freq_base", (float)s->rope_base);
    metadata_set_u32(l, "llama.vocab_size", (uint32_t)s->vocabulary);
    return vocabulary_metadata(l, &t->bpe);
}

static bool save_gguf(struct train *t, const char *path, struct err *e)
{
    const struct network *n = t->network;
    struct write_tensor *tensors = arena_array(t->arena, n->count, sizeof *tensors);
    struct metadata_list pairs;
    struct model_writer *w;
    if (!tensors || !fill_metadata(t, &pairs))
        return no_memory(e);
    for (size_t i = 0; i < n->count; i++) {
        char *name = arena_alloc(t->arena, NAME_ROOM);
        if (!name || !names_gguf(name, n->parameters[i].name))
            return no_memory(e);
        tensors[i] = described(&n->parameters[i], name, DTYPE_F32);
    }
    bool ok = gguf_begin(&w, path, &pairs, tensors, n->count, e);
    if (!ok)
        return false;
    for (size_t i = 0; ok && i < n->count; i++) {
        size_t head = names_heads(&n->shape, n->parameters[i].name) ? n->shape.head : 0;
        ok = put_rows(w, &n->parameters[i], DTYPE_F32, head, e);
    }
    if (ok)
        return model_writer_finish(w, e);
    model_writer_abort(w);
    return false;
}

/* "OUTPUT/name-q8_0.gguf" */
static char *gguf_path(struct train *t, struct span type)
{
    char *path =
        arena_printf(t->arena, "%s/%.*s-%.*s.gguf", t->options.output, (int)t->config.name.n,
                     (const char *)t->config.name.p, (int)type.n, (const char *)type.p);
    for (char *c = path ? strrchr(path, '/') : NULL; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return path;
}

/* F32 first, the others from it; it goes again when nobody asked for it. */
static bool save_ggufs(struct train *t, struct err *e)
{
    struct model *m = NULL;
    char *whole = gguf_path(t, span_str("f32"));
    bool wanted = false;
    if (t->config.write.count == 0)
        return true;
    if (!whole)
        return no_memory(e);
    bool ok = save_gguf(t, whole, e) && model_read(&m, whole, NULL, e);
    for (size_t i = 0; ok && i < t->config.write.count; i++) {
        struct span type = t->config.write.items[i];
        const char *path = gguf_path(t, type);
        if (span_is(type, "F32"))
            wanted = true;
        else
            ok = path ? model_quantize(m, dtype_from_name(type), path, NULL, e) : no_memory(e);
    }
    model_free(m);
    if (!wanted)
        unlink(whole);
    return ok;
}

/* ---- all of it ---- */

static bool export_adapter(struct train *t, const char *folder, struct err *e)
{
    return save_json(t, folder, "adapter_config.json", put_adapter_config, e) &&
           save_safetensors(t, folder, "adapter_model.safetensors", DTYPE_F32, e);
}

static bool export_model(struct train *t, const char *folder, struct err *e)
{
    static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    return save_json(t, folder, "config.json", put_config, e) &&
           save(t, folder, "tokenizer.json", t->tokenizer_json, e) &&
           save(t, folder, "tokenizer_config.json", t->tokenizer_config, e) &&
           save_safetensors(t, folder, "model.safetensors", types[t->config.safetensors], e) &&
           save_ggufs(t, e);
}

/* The card states the loss of these weights, also when a run that was over is resumed. */
static bool validate(struct train *t, struct err *e)
{
    double loss;
    return t->validation.count == 0 || train_validate(t, &loss, e) || !e || e->code == ERR_NONE;
}

bool train_export(struct train *t, const char **folder, struct err *e)
{
    struct digest root;
    *folder = arena_printf(t->arena, "%s/%s", t->options.output,
                           t->facts.fine_tuning ? "adapter" : "model");
    if (!*folder)
        return no_memory(e);
    if (mkdir(*folder, 0777) != 0 && errno != EEXIST)
        return err_errno(e, *folder, "cannot be made");
    return validate(t, e) && train_root(t, &root, e) &&
           (t->facts.fine_tuning ? export_adapter(t, *folder, e) : export_model(t, *folder, e)) &&
           (!t->licence_text.n || save(t, *folder, "LICENSE", t->licence_text, e)) &&
           card_write(t, *folder, &root, e);
}
