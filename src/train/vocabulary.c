/*
 * Vocabularies as the tokenizers library writes them (ByteLevel with GPT-2's
 * splitting rule) and as GGUF holds them ("gpt2", pre "gpt-2").
 */
#include "train/vocabulary.h"

enum { FILE_MAX = 16 << 20 };

const char vocabulary_template[] =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}";

/* The text of an entry as both files spell it. */
static struct span spelled(const struct bpe *b, size_t id, struct arena *a)
{
    struct buf out;
    if (id < BPE_SPECIALS)
        return b->bytes[id];
    buf_init(&out, 1 << 16);
    bpe_spell(&out, b->bytes[id]);
    struct span copy = buf_ok(&out) ? arena_span(a, buf_span(&out)) : SPAN_EMPTY;
    buf_free(&out);
    return copy;
}

static struct span spelled_merge(const struct bpe *b, size_t i, struct arena *a)
{
    struct span left = spelled(b, b->merges[i].left, a), right = spelled(b, b->merges[i].right, a);
    char *both = arena_printf(a, "%.*s %.*s", (int)left.n, (const char *)left.p, (int)right.n,
                              (const char *)right.p);
    return both ? span_str(both) : SPAN_EMPTY;
}

static void put_flag(struct json_writer *w, const char *key, bool v)
{
    jw_key(w, key);
    jw_bool(w, v);
}

static void put_str(struct json_writer *w, const char *key, const char *v)
{
    jw_key(w, key);
    jw_str(w, v);
}

static void put_added(struct json_writer *w)
{
    jw_key(w, "added_tokens");
    jw_array(w);
    for (size_t i = 0; i < BPE_SPECIALS; i++) {
        jw_object(w);
        jw_key(w, "id");
        jw_u64(w, i);
        put_str(w, "content", bpe_special_texts[i]);
        put_flag(w, "single_word", false);
        put_flag(w, "lstrip", false);
        put_flag(w, "rstrip", false);
        put_flag(w, "normalized", false);
        put_flag(w, "special", true);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_byte_level(struct json_writer *w, const char *key)
{
    jw_key(w, key);
    jw_object(w);
    put_str(w, "type", "ByteLevel");
    put_flag(w, "add_prefix_space", false);
    put_flag(w, "trim_offsets", true);
    put_flag(w, "use_regex", true);
    jw_end_object(w);
}

static void put_model(struct json_writer *w, const struct bpe *b, struct arena *a)
{
    jw_key(w, "model");
    jw_object(w);
    put_str(w, "type", "BPE");
    put_str(w, "dropout", NULL);
    put_str(w, "unk_token", NULL);
    put_str(w, "continuing_subword_prefix", NULL);
    put_str(w, "end_of_word_suffix", NULL);
    put_flag(w, "fuse_unk", false);
    put_flag(w, "byte_fallback", false);
    put_flag(w, "ignore_merges", false);
    jw_key(w, "vocab");
    jw_object(w);
    for (size_t i = 0; i < b->count; i++) {
        char *text = arena_str(a, spelled(b, i, a));
        jw_key(w, text ? text : "");
        jw_u64(w, i);
        w->failed = w->failed || !text;
    }
    jw_end_object(w);
    jw_key(w, "merges");
    jw_array(w);
    for (size_t i = 0; i < b->merge_count; i++)
        jw_string(w, spelled_merge(b, i, a));
    jw_end_array(w);
    jw_end_object(w);
}

static void put_tokenizer(struct json_writer *w, const struct bpe *b, struct arena *a)
{
    jw_object(w);
    put_str(w, "version", "1.0");
    put_str(w, "truncation", NULL);
    put_str(w, "padding", NULL);
    put_added(w);
    put_str(w, "normalizer", NULL);
    put_byte_level(w, "pre_tokenizer");
    put_str(w, "post_processor", NULL);
    put_byte_level(w, "decoder");
    put_model(w, b, a);
    jw_end_object(w);
}

static void put_config(struct json_writer *w, size_t context)
{
    jw_object(w);
    put_str(w, "tokenizer_class", "PreTrainedTokenizerFast");
    put_str(w, "bos_token", bpe_special_texts[VOCABULARY_END_OF_TEXT]);
    put_str(w, "eos_token", bpe_special_texts[VOCABULARY_END_TURN]);
    put_str(w, "pad_token", bpe_special_texts[VOCABULARY_END_OF_TEXT]);
    put_flag(w, "add_bos_token", false);
    put_flag(w, "clean_up_tokenization_spaces", false);
    jw_key(w, "model_max_length");
    jw_u64(w, context);
    put_str(w, "chat_template", vocabulary_template);
    jw_end_object(w);
}

/* The text, with its line end, in the arena. */
static bool keep(struct span *out, struct buf *b, const struct json_writer *w, struct arena *a,
                 struct err *e)
{
    buf_put_str(b, "\n");
    *out = buf_ok(b) && !w->failed ? arena_span(a, buf_span(b)) : SPAN_EMPTY;
    buf_free(b);
    return out->p != NULL || err_set(e, ERR_MEMORY, "out of memory for the vocabulary's files");
}

bool vocabulary_texts(struct span *tokenizer, struct span *config, const struct bpe *b,
                      size_t context, struct arena *a, struct err *e)
{
    struct json_writer w;
    struct buf out;
    buf_init(&out, FILE_MAX);
    jw_init(&w, json_sink_buf, &out, true);
    put_tokenizer(&w, b, a);
    if (!keep(tokenizer, &out, &w, a, e))
        return false;
    buf_init(&out, FILE_MAX);
    jw_init(&w, json_sink_buf, &out, true);
    put_config(&w, context);
    return keep(config, &out, &w, a, e);
}

bool vocabulary_metadata(struct metadata_list *l, const struct bpe *b)
{
    struct span *texts = arena_array(l->arena, b->count, sizeof *texts);
    struct span *merges = arena_array(l->arena, b->merge_count + 1, sizeof *merges);
    int32_t *kinds = arena_array(l->arena, b->count, sizeof *kinds);
    if (!texts || !merges || !kinds)
        return false;
    for (size_t i = 0; i < b->count; i++) {
        texts[i] = spelled(b, i, l->arena);
        kinds[i] = i < BPE_SPECIALS ? 3 : 1; /* control, normal */
    }
    for (size_t i = 0; i < b->merge_count; i++)
        merges[i] = spelled_merge(b, i, l->arena);
    metadata_set_str(l, "tokenizer.ggml.model", span_str("gpt2"));
    metadata_set_str(l, "tokenizer.ggml.pre", span_str("gpt-2"));
    metadata_set_strs(l, "tokenizer.ggml.tokens", texts, b->count);
    metadata_set_i32s(l, "tokenizer.ggml.token_type", kinds, b->count);
    metadata_set_strs(l, "tokenizer.ggml.merges", merges, b->merge_count);
    metadata_set_u32(l, "tokenizer.ggml.bos_token_id", VOCABULARY_END_OF_TEXT);
    metadata_set_u32(l, "tokenizer.ggml.eos_token_id", VOCABULARY_END_TURN);
    metadata_set_u32(l, "tokenizer.ggml.padding_token_id", VOCABULARY_END_OF_TEXT);
    metadata_set_bool(l, "tokenizer.ggml.add_bos_token", false);
    metadata_set_str(l, "tokenizer.chat_template", span_str(vocabulary_template));
    return !l->failed;
}
