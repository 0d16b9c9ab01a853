/*
 * What differs between two models outside their tensors: GGUF metadata, the
 * JSON documents of a folder, chat templates. Order is that of A, then what
 * only B has; values are made safe to show and cut short, and beyond
 * DIFF_MAX_ENTRIES differences are counted and not kept.
 */
#include "inspect/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"

enum {
    SHOWN_CHARS = 100,
    ARRAY_SHOWN = 8,
    PATH_MAX_BYTES = 1024,
    FEW_MEMBERS = 16 /* below, looking a key up by walking is as good as a map */
};

const char *entry_shown(struct entries *x, struct span s)
{
    struct buf b;
    buf_init(&b, 4096);
    text_show(&b, s, SHOWN_CHARS);
    const char *text = arena_str(x->arena, buf_span(&b));
    buf_free(&b);
    x->failed |= text == NULL;
    return text;
}

static const char *keep(struct entries *x, const char *s)
{
    const char *copy = s ? arena_str(x->arena, span_str(s)) : NULL;
    x->failed |= s && !copy;
    return copy;
}

void entry_add(struct entries *x, const char *where, const char *what, const char *a, const char *b)
{
    if (x->n == DIFF_MAX_ENTRIES) {
        x->more++;
        return;
    }
    struct diff_entry *v = arena_grow(x->arena, x->v, x->n, &x->cap, sizeof *v);
    if (!v) {
        x->failed = true;
        return;
    }
    x->v = v;
    v[x->n++] = (struct diff_entry){where, keep(x, what), keep(x, a), keep(x, b)};
}

/* ---- GGUF metadata ---- */

/* Shortest text that reads back to the same float. */
static const char *float_text(char *out, size_t size, float v)
{
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(out, size, "%.*g", digits, (double)v);
        if (strtof(out, NULL) == v)
            break;
    }
    return out;
}

static void put_scalar(struct buf *b, const struct value *v)
{
    char number[64];
    double d;
    uint64_t u;
    if (v->type == VALUE_BOOL)
        buf_put_str(b, v->u ? "true" : "false");
    else if (v->type == VALUE_STRING)
        text_show(b, v->string, SHOWN_CHARS);
    else if (value_u64(v, &u))
        buf_printf(b, "%llu", (unsigned long long)u);
    else if (v->type != VALUE_F32 && v->type != VALUE_F64)
        buf_printf(b, "%lld", (long long)v->i);
    else if (value_double(v, &d))
        buf_put_str(b, v->type == VALUE_F32 ? float_text(number, sizeof number, (float)d)
                                            : text_double(number, sizeof number, d));
}

static void put_value(struct buf *b, const struct value *v)
{
    if (v->type != VALUE_ARRAY) {
        put_scalar(b, v);
        return;
    }
    struct value_iter it = value_items(v);
    struct value item;
    buf_printf(b, "%llu items:", (unsigned long long)v->count);
    for (int i = 0; i < ARRAY_SHOWN && value_next(&it, &item); i++) {
        buf_put_str(b, i ? ", " : " ");
        if (item.type == VALUE_ARRAY)
            buf_put_str(b, "[...]");
        else
            put_scalar(b, &item);
    }
    if (v->count > ARRAY_SHOWN)
        buf_put_str(b, ", ...");
}

static const char *value_text(struct entries *x, const struct value *v, bool with_type)
{
    struct buf b;
    buf_init(&b, 64 << 10);
    put_value(&b, v);
    if (with_type)
        buf_printf(&b, " (%s)", value_type_name(v->type));
    const char *text = arena_str(x->arena, buf_span(&b));
    x->failed |= text == NULL;
    buf_free(&b);
    return text;
}

static bool same_scalar(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == VALUE_STRING)
        return span_eq(a->string, b->string);
    return memcmp(&a->u, &b->u, sizeof a->u) == 0; /* bits: NaN equals itself */
}

static bool same_value(const struct value *a, const struct value *b)
{
    if (a->type != VALUE_ARRAY || b->type != VALUE_ARRAY)
        return same_scalar(a, b);
    if (a->element != b->element || a->count != b->count)
        return false;
    if (a->big_endian == b->big_endian || a->element == VALUE_ARRAY)
        return span_eq(a->items, b->items);
    struct value_iter i = value_items(a), j = value_items(b);
    struct value x, y;
    while (value_next(&i, &x) && value_next(&j, &y))
        if (!same_scalar(&x, &y))
            return false;
    return true;
}

/* Told elsewhere (vocabulary, template), or a matter of the container. */
static bool metadata_skipped(struct span key)
{
    static const char *const elsewhere[] = {
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.scores",
        "tokenizer.ggml.token_type",
        "tokenizer.ggml.merges",
    };
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
        if (span_is(key, elsewhere[i]))
            return true;
    return span_starts(key, "tokenizer.chat_template") || span_starts(key, "split.");
}

static void metadata_entry(struct entries *x, const struct metadata *a, const struct metadata *b)
{
    const char *key = entry_shown(x, a ? a->key : b->key);
    const char *ta = a ? value_text(x, &a->value, false) : NULL;
    const char *tb = b ? value_text(x, &b->value, false) : NULL;
    if (!key)
        return;
    if (ta && tb && strcmp(ta, tb) == 0 && a->value.type != b->value.type) {
        ta = value_text(x, &a->value, true);
        tb = value_text(x, &b->value, true);
    }
    entry_add(x, "metadata", key, ta, tb);
}

static bool index_metadata(struct map *keys, const struct model *m, struct arena *arena)
{
    uint32_t previous;
    if (!map_init(keys, arena, m->metadata_count))
        return false;
    for (size_t i = 0; i < m->metadata_count; i++)
        if (!map_put(keys, m->metadata[i].key, (uint32_t)i, &previous))
            return false;
    return true;
}

static bool diff_metadata(struct entries *x, const struct model *a, const struct model *b)
{
    struct map in_a, in_b;
    if (!index_metadata(&in_a, a, x->arena) || !index_metadata(&in_b, b, x->arena))
        return false;
    for (size_t i = 0; i < a->metadata_count; i++) {
        const struct metadata *m = &a->metadata[i];
        uint32_t j = map_get(&in_b, m->key);
        if (map_get(&in_a, m->key) != i || metadata_skipped(m->key)) /* a repeated key */
            continue;
        if (j == MAP_NONE || !same_value(&m->value, &b->metadata[j].value))
            metadata_entry(x, m, j == MAP_NONE ? NULL : &b->metadata[j]);
    }
    for (size_t j = 0; j < b->metadata_count; j++) {
        const struct metadata *m = &b->metadata[j];
        if (map_get(&in_b, m->key) == j && map_get(&in_a, m->key) == MAP_NONE &&
            !metadata_skipped(m->key))
            metadata_entry(x, NULL, m);
    }
    return true;
}

/* ---- JSON documents ---- */

struct walk {
    struct entries *x;
    const char *where;
    const char *const *skip; /* JSON pointers told elsewhere; ends with NULL */
    struct buf path;
};

static void push(struct walk *w, struct span key)
{
    buf_put_u8(&w->path, '/');
    for (size_t i = 0; i < key.n; i++) { /* RFC 6901 section 3 */
        if (key.p[i] == '~')
            buf_put_str(&w->path, "~0");
        else if (key.p[i] == '/')
            buf_put_str(&w->path, "~1");
        else
            buf_put_u8(&w->path, key.p[i]);
    }
}

static void pop(struct walk *w, size_t n)
{
    w->path.n = n;
    w->path.failed = false; /* too long a path is cut, not an error */
}

static bool is_skipped(const struct walk *w)
{
    for (const char *const *s = w->skip; s && *s; s++)
        if (span_is(buf_span(&w->path), *s))
            return true;
    return false;
}

static const char *json_shown(struct entries *x, struct json v)
{
    return json_type(v) ? entry_shown(x, json_text(v)) : NULL;
}

static void json_entry(struct walk *w, struct json a, struct json b)
{
    const char *path = entry_shown(w->x, w->path.n ? buf_span(&w->path) : span_str("/"));
    if (path)
        entry_add(w->x, w->where, path, json_shown(w->x, a), json_shown(w->x, b));
}

static bool same_json_scalar(struct json a, struct json b)
{
    double x, y;
    struct span s, t;
    if (json_type(a) != json_type(b))
        return false;
    if (json_double(a, &x) && json_double(b, &y))
        return x == y && !(json_text(a).n > 15 && !span_eq(json_text(a), json_text(b)));
    if (json_string(a, &s) && json_string(b, &t))
        return span_eq(s, t);
    return json_type(a) <= JSON_TRUE;
}

static bool walk_json(struct walk *w, struct json a, struct json b, int depth);

static bool walk_member(struct walk *w, struct span key, struct json a, struct json b, int depth)
{
    size_t n = w->path.n;
    bool ok = true;
    push(w, key);
    if (!is_skipped(w))
        ok = walk_json(w, a, b, depth + 1);
    pop(w, n);
    return ok;
}

/* Keys of an object, found by map when there are many. */
struct members {
    struct json object;
    struct map map;
    struct json *values;
    bool mapped;
};

static bool take_members(struct members *m, struct json object, struct arena *arena)
{
    size_t n = json_count(object), i = 0;
    uint32_t previous;
    *m = (struct members){.object = object, .mapped = n > FEW_MEMBERS};
    if (!m->mapped)
        return true;
    m->values = arena_array(arena, n, sizeof *m->values);
    if (!m->values || !map_init(&m->map, arena, n))
        return false;
    for (struct json v = json_first(object); json_type(v) && i < n; v = json_next(v), i++) {
        m->values[i] = v;
        if (!map_put(&m->map, json_key(v), (uint32_t)i, &previous))
            return false;
    }
    return true;
}

static struct json member(const struct members *m, struct span key)
{
    if (!m->mapped)
        return json_get_span(m->object, key);
    uint32_t i = map_get(&m->map, key);
    return i == MAP_NONE ? JSON_NOTHING : m->values[i];
}

static bool walk_object(struct walk *w, struct json a, struct json b, int depth)
{
    struct members in_a, in_b;
    if (!take_members(&in_a, a, w->x->arena) || !take_members(&in_b, b, w->x->arena))
        return false;
    for (struct json v = json_first(a); json_type(v); v = json_next(v))
        if (!walk_member(w, json_key(v), v, member(&in_b, json_key(v)), depth))
            return false;
    for (struct json v = json_first(b); json_type(v); v = json_next(v))
        if (!json_type(member(&in_a, json_key(v))) &&
            !walk_member(w, json_key(v), JSON_NOTHING, v, depth))
            return false;
    return true;
}

static bool walk_array(struct walk *w, struct json a, struct json b, int depth)
{
    struct json u = json_first(a), v = json_first(b);
    char number[24];
    for (uint64_t i = 0; json_type(u) || json_type(v); i++) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)i);
        if (!walk_member(w, span_str(number), u, v, depth))
            return false;
        u = json_type(u) ? json_next(u) : u;
        v = json_type(v) ? json_next(v) : v;
    }
    return true;
}

static bool walk_json(struct walk *w, struct json a, struct json b, int depth)
{
    enum json_type t = json_type(a);
    if (t && json_type(b) && span_eq(json_text(a), json_text(b)))
        return true;
    if (t == json_type(b) && depth < JSON_MAX_DEPTH) {
        if (t == JSON_OBJECT)
            return walk_object(w, a, b, depth);
        if (t == JSON_ARRAY)
            return walk_array(w, a, b, depth);
    }
    if (t != json_type(b) || !same_json_scalar(a, b))
        json_entry(w, a, b);
    return true;
}

static const char *const tokenizer_skips[] = {"/model/vocab", "/model/merges", NULL};
static const char *const config_skips[] = {"/chat_template", NULL};

static const struct {
    enum document_kind kind;
    const char *where;
    const char *const *skip;
} documents[] = {
    {DOC_CONFIG, "config", NULL},
    {DOC_GENERATION_CONFIG, "generation_config", NULL},
    {DOC_TOKENIZER, "tokenizer", tokenizer_skips},
    {DOC_TOKENIZER_CONFIG, "tokenizer_config", config_skips},
    {DOC_SPECIAL_TOKENS_MAP, "special_tokens_map", NULL},
    {DOC_ADAPTER_CONFIG, "adapter_config", NULL},
};

static bool diff_json_documents(struct entries *x, const struct model *a, const struct model *b)
{
    bool ok = true;
    struct walk w = {.x = x};
    buf_init(&w.path, PATH_MAX_BYTES);
    for (size_t i = 0; ok && i < sizeof documents / sizeof documents[0]; i++) {
        struct json u = a->documents[documents[i].kind].root;
        struct json v = b->documents[documents[i].kind].root;
        w.where = documents[i].where;
        w.skip = documents[i].skip;
        buf_clear(&w.path);
        if (json_type(u) && json_type(v))
            ok = walk_json(&w, u, v, 0);
        else if (json_type(u) || json_type(v))
            entry_add(x, w.where, "/", json_type(u) ? "present" : NULL,
                      json_type(v) ? "present" : NULL);
    }
    buf_free(&w.path);
    return ok;
}

/* ---- a GGUF file against a folder: the settings that both name ---- */

static const struct {
    const char *gguf; /* "*" stands for the architecture */
    const char *config;
} settings[] = {
    {"*.block_count", "num_hidden_layers"},
    {"*.block_count", "n_layer"},
    {"*.embedding_length", "hidden_size"},
    {"*.embedding_length", "n_embd"},
    {"*.feed_forward_length", "intermediate_size"},
    {"*.attention.head_count", "num_attention_heads"},
    {"*.attention.head_count", "n_head"},
    {"*.attention.head_count_kv", "num_key_value_heads"},
    {"*.attention.key_length", "head_dim"},
    {"*.context_length", "max_position_embeddings"},
    {"*.context_length", "n_ctx"},
    {"*.rope.freq_base", "rope_theta"},
    {"*.attention.layer_norm_rms_epsilon", "rms_norm_eps"},
    {"*.attention.layer_norm_epsilon", "layer_norm_epsilon"},
    {"*.attention.sliding_window", "sliding_window"},
    {"*.expert_count", "num_local_experts"},
    {"*.expert_count", "num_experts"},
    {"*.expert_used_count", "num_experts_per_tok"},
    {"*.vocab_size", "vocab_size"},
    {"tokenizer.ggml.bos_token_id", "bos_token_id"},
    {"tokenizer.ggml.eos_token_id", "eos_token_id"},
};

static void setting_entry(struct entries *x, const struct model *gguf, const char *key,
                          const char *name, struct json config, bool gguf_is_b)
{
    double u, v;
    const struct metadata *m = model_metadata(gguf, key);
    struct json c = json_get(config, name);
    if (!m || !value_double(&m->value, &u) || !json_double(c, &v) || (float)u == (float)v)
        return;
    const char *tg = value_text(x, &m->value, false), *tc = json_shown(x, c);
    entry_add(x, "config", name, gguf_is_b ? tc : tg, gguf_is_b ? tg : tc);
}

static void diff_settings(struct entries *x, const struct model *gguf, const struct model *hf,
                          bool gguf_is_b)
{
    struct span arch;
    char key[160], name[64];
    struct json config = hf->documents[DOC_CONFIG].root;
    if (json_type(json_get(config, "text_config")) == JSON_OBJECT)
        config = json_get(config, "text_config");
    if (!metadata_string(gguf, "general.architecture", &arch) || arch.n >= sizeof name)
        return;
    memcpy(name, arch.p, arch.n);
    name[arch.n] = '\0';
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct buf b;
        bool star = settings[i].gguf[0] == '*';
        buf_init(&b, sizeof key - 1);
        buf_put_str(&b, star ? name : "");
        buf_put_str(&b, settings[i].gguf + star);
        setting_entry(x, gguf, buf_cstr(&b), settings[i].config, config, gguf_is_b);
        buf_free(&b);
    }
}

/* ---- chat templates ---- */

static const struct text *find_template(const struct model *m, struct span name)
{
    for (size_t i = 0; i < m->template_count; i++)
        if (span_eq(m->templates[i].name, name))
            return &m->templates[i];
    return NULL;
}

/* Size, and the first line that differs. */
static const char *template_text(struct entries *x, const struct text *t, const struct text *other)
{
    size_t at = 0, line = 1, start = 0, end;
    if (!t)
        return NULL;
    if (other)
        for (; at < t->bytes.n && at < other->bytes.n && t->bytes.p[at] == other->bytes.p[at]; at++)
            if (t->bytes.p[at] == '\n') {
                line++;
                start = at + 1;
            }
    for (end = start; end < t->bytes.n && t->bytes.p[end] != '\n';)
        end++;
    const char *shown = entry_shown(x, span_sub(t->bytes, start, end - start));
    const char *text =
        arena_printf(x->arena, "%zu bytes, line %zu: %s", t->bytes.n, line, shown ? shown : "");
    x->failed |= text == NULL;
    return text;
}

static void template_entry(struct entries *x, const struct text *a, const struct text *b)
{
    struct span name = a ? a->name : b->name;
    const char *what = name.n ? entry_shown(x, name) : "default";
    if (what)
        entry_add(x, "chat template", what, template_text(x, a, b), template_text(x, b, a));
}

static void diff_templates(struct entries *x, const struct model *a, const struct model *b)
{
    for (size_t i = 0; i < a->template_count && i <= DIFF_MAX_ENTRIES; i++) {
        const struct text *t = &a->templates[i], *u = find_template(b, t->name);
        if (find_template(a, t->name) == t && (!u || !span_eq(t->bytes, u->bytes)))
            template_entry(x, t, u);
    }
    for (size_t i = 0; i < b->template_count && i <= DIFF_MAX_ENTRIES; i++) {
        const struct text *u = &b->templates[i];
        if (find_template(b, u->name) == u && !find_template(a, u->name))
            template_entry(x, NULL, u);
    }
}

bool diff_documents(struct entries *x, struct model *a, struct model *b)
{
    bool gguf_a = diff_container(a) == FORMAT_GGUF, gguf_b = diff_container(b) == FORMAT_GGUF;
    bool crossed = gguf_a != gguf_b && a->tensor_count > 0 && b->tensor_count > 0;
    if (crossed)
        diff_settings(x, gguf_b ? b : a, gguf_b ? a : b, gguf_b);
    else if (!diff_metadata(x, a, b) || !diff_json_documents(x, a, b))
        return false;
    diff_templates(x, a, b);
    return !x->failed;
}
