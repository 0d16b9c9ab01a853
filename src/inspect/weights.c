/*
 * Which of a folder's files are the model that is described. A folder may hold
 * the same weights several times (GGUF in several quantisations, Mistral's
 * consolidated file beside the shards) or things beside them (a projector):
 * figures are for one copy, and a finding says what was left out.
 */
#include "inspect/architecture.h"

#include <string.h>

struct gguf_file {
    struct span architecture, type;
    uint64_t tensors;
};

static uint64_t *tensors_per_file(struct model *m)
{
    uint64_t *n = arena_array(m->arena, m->file_count + 1, sizeof *n);
    for (size_t i = 0; n && i < m->tensor_count; i++)
        if (m->tensors[i].entry.file < m->file_count)
            n[m->tensors[i].entry.file]++;
    return n;
}

static bool has_format(const struct study *s, const uint64_t *tensors, enum format f)
{
    for (size_t i = 0; i < s->m->file_count; i++)
        if (s->m->files[i].format == f && tensors[i])
            return true;
    return false;
}

/* "-00001-of-00003.gguf" off, as llama.cpp's split naming puts it on. */
static struct span split_stem(struct span name)
{
    enum { TAIL = 20 };
    if (name.n < TAIL || !span_is(span_sub(name, name.n - 14, 4), "-of-"))
        return name;
    return span_sub(name, 0, name.n - TAIL);
}

static void describe_gguf(struct study *s, struct gguf_file *files)
{
    for (size_t i = 0; i < s->m->metadata_count; i++) {
        const struct metadata *k = &s->m->metadata[i];
        if (k->origin.file >= s->m->file_count || k->value.type != VALUE_STRING)
            continue;
        if (span_is(k->key, "general.architecture"))
            files[k->origin.file].architecture = k->value.string;
        else if (span_is(k->key, "general.type"))
            files[k->origin.file].type = k->value.string;
    }
}

/* 3: a model with tensors, 2: a projector or adapter, 1: vocabulary or rest of a split. */
static int gguf_rank(const struct gguf_file *f)
{
    if (!f->architecture.n)
        return 1;
    if (span_is(f->architecture, "clip") || span_is(f->type, "mmproj") ||
        span_is(f->type, "adapter") || span_is(f->type, "imatrix"))
        return 2;
    return f->tensors ? 4 : 3;
}

static bool choose_gguf(struct study *s, const uint64_t *tensors)
{
    struct model *m = s->m;
    struct gguf_file *files = arena_array(m->arena, m->file_count + 1, sizeof *files);
    int best = 0;
    if (!files)
        return false;
    describe_gguf(s, files);
    for (size_t i = 0; i < m->file_count; i++) {
        if (m->files[i].format != FORMAT_GGUF)
            continue;
        files[i].tensors = tensors[i];
        int rank = gguf_rank(&files[i]);
        if (rank > best) {
            best = rank;
            s->lead = (uint32_t)i;
        }
    }
    if (s->lead == ORIGIN_NO_FILE)
        return true;
    struct span stem = split_stem(span_str(m->files[s->lead].name));
    for (size_t i = 0; i < m->file_count; i++)
        s->chosen[i] = m->files[i].format == FORMAT_GGUF &&
                       (!m->folder || span_eq(split_stem(span_str(m->files[i].name)), stem));
    return true;
}

/* Files named by the index, which stands in the same folder as they do. */
static bool choose_indexed(struct study *s, struct json weights, const char *index)
{
    struct model *m = s->m;
    struct map names;
    uint32_t previous;
    const char *slash = strrchr(index, '/');
    size_t folder = slash ? (size_t)(slash - index) + 1 : 0;
    if (!map_init(&names, m->arena, m->file_count))
        return false;
    for (size_t i = 0; i < m->file_count; i++)
        if (format_is_torch(m->files[i].format) && strncmp(m->files[i].name, index, folder) == 0 &&
            !map_put(&names, span_str(m->files[i].name + folder), (uint32_t)i, &previous))
            return false;
    for (struct json w = json_first(weights); json_type(w); w = json_next(w)) {
        struct span name;
        uint32_t file = json_string(w, &name) ? map_get(&names, name) : MAP_NONE;
        if (file != MAP_NONE)
            s->chosen[file] = true;
    }
    return true;
}

static bool any_chosen(const struct study *s)
{
    for (size_t i = 0; i < s->m->file_count; i++)
        if (s->chosen[i])
            return true;
    return false;
}

/* transformers takes the index or model.safetensors; else whatever is there,
 * a consolidated or adapter file only when it is alone. */
static bool choose_safetensors(struct study *s, const uint64_t *tensors)
{
    static const char *const patterns[] = {"model.safetensors", "", NULL};
    struct model *m = s->m;
    const struct document *index = &m->documents[DOC_INDEX];
    struct json weights = json_get(index->root, "weight_map");
    if (json_type(weights) == JSON_OBJECT && index->file < m->file_count &&
        !choose_indexed(s, weights, m->files[index->file].name))
        return false;
    for (size_t pass = 0; patterns[pass] && !any_chosen(s); pass++)
        for (size_t i = 0; i < m->file_count; i++) {
            struct span name = span_str(m->files[i].name);
            bool side = span_starts(name, "consolidated") || span_starts(name, "adapter_model");
            if (format_is_torch(m->files[i].format) && tensors[i])
                s->chosen[i] = pass ? !side : span_is(name, patterns[0]);
        }
    for (size_t i = 0; !any_chosen(s) && i < m->file_count; i++)
        s->chosen[i] = format_is_torch(m->files[i].format) && tensors[i];
    return true;
}

static void note_others(struct study *s, const uint64_t *tensors)
{
    char name[ARCH_MAX_NAME];
    struct model *m = s->m;
    uint64_t files = 0, count = 0;
    uint32_t first = ORIGIN_NO_FILE;
    for (size_t i = 0; i < m->file_count; i++) {
        if (s->chosen[i] || !tensors[i])
            continue;
        if (!files++)
            first = (uint32_t)i;
        count += tensors[i];
    }
    if (files)
        verdict_add(&m->verdict, RULE_ARCH_BESIDE, (struct origin){first, 0, 0},
                    "%llu file(s) with %llu tensors are not part of the model described here; "
                    "the first is %s",
                    (unsigned long long)files, (unsigned long long)count,
                    shown(name, span_str(m->files[first].name)));
}

static bool index_keys(struct study *s)
{
    struct model *m = s->m;
    uint32_t previous;
    if (!map_init(&s->keys, m->arena, 64))
        return false;
    for (size_t i = 0; s->lead != ORIGIN_NO_FILE && i < m->metadata_count; i++)
        if (i < MAP_NONE && m->metadata[i].origin.file == s->lead &&
            !map_put(&s->keys, m->metadata[i].key, (uint32_t)i, &previous))
            return false;
    return true;
}

bool study_choose(struct study *s)
{
    struct model *m = s->m;
    uint64_t *tensors = tensors_per_file(m);
    s->lead = ORIGIN_NO_FILE;
    s->chosen = arena_array(m->arena, m->file_count + 1, sizeof *s->chosen);
    if (!tensors || !s->chosen)
        return false;
    bool config = json_type(m->documents[DOC_CONFIG].root) == JSON_OBJECT;
    bool safetensors =
        has_format(s, tensors, FORMAT_SAFETENSORS) || has_format(s, tensors, FORMAT_PYTORCH) ||
        has_format(s, tensors, FORMAT_NUMPY) || has_format(s, tensors, FORMAT_ONNX) ||
        has_format(s, tensors, FORMAT_HDF5) || has_format(s, tensors, FORMAT_KERAS);
    bool gguf = has_format(s, tensors, FORMAT_GGUF);
    s->format = FORMAT_SAFETENSORS;
    if (gguf ? !(safetensors && config) : !safetensors && !config)
        s->format = FORMAT_GGUF;
    if (s->format == FORMAT_GGUF ? !choose_gguf(s, tensors) : !choose_safetensors(s, tensors))
        return false;
    note_others(s, tensors);
    return index_keys(s);
}

const struct metadata *study_key(const struct study *s, const char *key)
{
    uint32_t i = map_get(&s->keys, span_str(key));
    return i == MAP_NONE ? NULL : &s->m->metadata[i];
}
