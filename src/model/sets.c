/*
 * Which of a folder's weights are the model. Loaders take one set (a file, or
 * the files of an index) and leave the rest; the same is done here, so that a
 * tensor in two sets is no duplicate and figures are for one copy. The other
 * sets' headers are read and judged too, and each set is named in a finding.
 */
#include "model/folder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "assay/base/text.h"

enum { SETS_MAX_INDICES = 64 }; /* index files that are read */

#define NO_SET UINT32_MAX

/* How near a set is to what transformers, diffusers and peft load by default. */
enum rank {
    RANK_MODEL,
    RANK_MODEL_INDEX,
    RANK_DIFFUSION,
    RANK_DIFFUSION_INDEX,
    RANK_ADAPTER,
    RANK_INDEX,
    RANK_PARTS,
    RANK_SAFETENSORS,
    RANK_GGUF,
    RANK_TORCH_MODEL, /* pickles only where there is nothing better */
    RANK_TORCH,
    RANK_ARRAY,
    RANK_PROJECTOR
};

static const struct {
    const char *base;
    enum rank rank;
} ranked[] = {
    {"model.safetensors", RANK_MODEL},
    {"model.safetensors.index.json", RANK_MODEL_INDEX},
    {"diffusion_pytorch_model.safetensors", RANK_DIFFUSION},
    {"diffusion_pytorch_model.safetensors.index.json", RANK_DIFFUSION_INDEX},
    {"adapter_model.safetensors", RANK_ADAPTER},
    {"pytorch_model.bin", RANK_TORCH_MODEL},
    {"adapter_model.bin", RANK_TORCH_MODEL},
};

struct weight_set {
    enum rank rank;
    uint32_t depth;   /* folders above it */
    uint32_t first;   /* a file that names it: the index, or the first part */
    uint32_t members; /* files */
    uint32_t parts;   /* files that its parts' names claim; 0: no such names */
    struct json index;
    bool *listed; /* files of the index, one per model file; NULL without one */
};

struct sets {
    struct model *m;
    struct arena *scratch;
    struct weight_set *all;
    size_t count, cap;
    uint32_t *set_of; /* one per file */
    struct map parts; /* prefix and count -> set */
};

static uint32_t depth_of(const char *name)
{
    uint32_t depth = 0;
    for (; *name; name++)
        depth += *name == '/';
    return depth;
}

static enum rank rank_of(const char *name, enum rank otherwise)
{
    for (size_t i = 0; i < sizeof ranked / sizeof *ranked; i++)
        if (strcmp(name_base(name), ranked[i].base) == 0)
            return ranked[i].rank;
    return otherwise;
}

static struct weight_set *add_set(struct sets *s, uint32_t first, enum rank rank)
{
    struct weight_set *all = arena_grow(s->scratch, s->all, s->count, &s->cap, sizeof *all);
    if (!all)
        return NULL;
    s->all = all;
    all[s->count] = (struct weight_set){
        .rank = rank, .depth = depth_of(s->m->files[first].name), .first = first};
    return &all[s->count++];
}

/* ---- finding the sets ---- */

static bool add_index(struct sets *s, uint32_t file)
{
    struct json root;
    if (!index_parse(s->m, file, &root))
        return true;
    struct weight_set *set = add_set(s, file, rank_of(s->m->files[file].name, RANK_INDEX));
    bool *listed = set ? arena_array(s->scratch, s->m->file_count, sizeof *listed) : NULL;
    if (!listed || !index_members(s->m, file, root, listed))
        return false;
    set->index = root;
    set->listed = listed;
    for (uint32_t i = 0; i < s->m->file_count; i++)
        if (listed[i] && s->set_of[i] == NO_SET) {
            s->set_of[i] = (uint32_t)(s->count - 1);
            set->members++;
        }
    return true;
}

static bool add_indices(struct sets *s)
{
    size_t indices = 0;
    for (uint32_t i = 0; i < s->m->file_count; i++) {
        if (!span_ends(span_str(s->m->files[i].name), ".safetensors.index.json"))
            continue;
        if (++indices > SETS_MAX_INDICES) {
            model_note(s->m, i, 0, 0, RULE_READ_LIMIT, "more than %d indices; the rest is not read",
                       SETS_MAX_INDICES);
            model_incomplete(s->m, i);
            return true;
        }
        if (!add_index(s, i))
            return false;
    }
    return true;
}

static bool add_part(struct sets *s, uint32_t file, const struct parted *part, enum rank rank)
{
    uint32_t set = (uint32_t)s->count;
    char *key =
        arena_printf(s->scratch, "%u/%u/%.*s", (unsigned)s->m->files[file].format,
                     (unsigned)part->count, (int)part->prefix.n, (const char *)part->prefix.p);
    uint32_t previous;
    if (!key || !map_put(&s->parts, span_str(key), set, &previous))
        return false;
    if (previous == MAP_NONE && !add_set(s, file, rank))
        return false;
    set = previous == MAP_NONE ? set : previous;
    s->set_of[file] = set;
    s->all[set].members++;
    s->all[set].parts = part->count;
    return true;
}

static bool add_weights(struct sets *s, uint32_t file)
{
    const struct model_file *f = &s->m->files[file];
    bool gguf = f->format == FORMAT_GGUF, torch = f->format == FORMAT_PYTORCH;
    enum rank single = torch                             ? RANK_TORCH
                       : f->format == FORMAT_SAFETENSORS ? RANK_SAFETENSORS
                                                         : RANK_ARRAY;
    struct parted part;
    if (s->set_of[file] != NO_SET || (!gguf && !format_is_torch(f->format)))
        return true;
    if (parted_name(&part, f->name, gguf ? ".gguf" : torch ? ".bin" : ".safetensors"))
        return add_part(s, file, &part, gguf ? RANK_GGUF : torch ? RANK_TORCH_MODEL : RANK_PARTS);
    bool projector = gguf && strstr(name_base(f->name), "mmproj");
    enum rank rank = gguf ? (projector ? RANK_PROJECTOR : RANK_GGUF) : rank_of(f->name, single);
    s->set_of[file] = (uint32_t)s->count;
    struct weight_set *set = add_set(s, file, rank);
    if (set)
        set->members = 1;
    return set != NULL;
}

static bool find_sets(struct sets *s)
{
    s->set_of = arena_array(s->scratch, s->m->file_count + 1, sizeof *s->set_of);
    if (!s->set_of || !map_init(&s->parts, s->scratch, 0))
        return false;
    for (uint32_t i = 0; i < s->m->file_count; i++)
        s->set_of[i] = NO_SET;
    if (!add_indices(s))
        return false;
    for (uint32_t i = 0; i < s->m->file_count; i++)
        if (!add_weights(s, i))
            return false;
    return true;
}

/* Nearest to the top, then by rank, then by name (files are sorted). */
static uint32_t choose(const struct sets *s)
{
    uint32_t best = NO_SET;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct weight_set *a = &s->all[i], *b = best == NO_SET ? NULL : &s->all[best];
        if (!a->members)
            continue;
        if (!b || a->depth < b->depth || (a->depth == b->depth && a->rank < b->rank) ||
            (a->depth == b->depth && a->rank == b->rank && a->first < b->first))
            best = i;
    }
    return best;
}

/* ---- reading them ---- */

static void check_parts(struct sets *s, const struct weight_set *set)
{
    if (set->rank != RANK_PARTS)
        return;
    model_note(s->m, set->first, 0, 0, RULE_INDEX_NONE, "%u of %u parts are here, without an index",
               (unsigned)set->members, (unsigned)set->parts);
    if (set->members >= set->parts)
        return;
    model_note(s->m, set->first, 0, 0, RULE_INDEX_SHARD_MISSING, "%u of %u parts are not there",
               (unsigned)(set->parts - set->members), (unsigned)set->parts);
    model_incomplete(s->m, set->first);
}

static bool read_files(struct sets *s, uint32_t set)
{
    for (uint32_t i = 0; i < s->m->file_count; i++)
        if (s->set_of[i] == set && !model_parse_file(s->m, i))
            return false;
    check_parts(s, &s->all[set]);
    return !s->all[set].listed ||
           index_check(s->m, s->all[set].first, s->all[set].index, s->all[set].listed);
}

static bool read_beside(struct sets *s, uint32_t set, uint32_t own)
{
    char shown[FOLDER_SHOWN], model[FOLDER_SHOWN];
    struct model *m = s->m;
    if (!read_files(s, set) || !model_forget(m))
        return false;
    for (uint32_t i = 0; i < m->file_count; i++)
        m->files[i].beside = m->files[i].beside || s->set_of[i] == set;
    uint32_t first = s->all[set].first;
    model_note(m, first, 0, 0, RULE_FOLDER_SETS,
               "%s (%u files) is not taken as part of the model, which is %s",
               text_shown(shown, sizeof shown, span_str(m->files[first].name)),
               (unsigned)s->all[set].members,
               text_shown(model, sizeof model, span_str(m->files[s->all[own].first].name)));
    return true;
}

/* Formats whose models are no set of weights: a folder of one is whole without any. */
static bool holds_other_model(const struct model *m)
{
    static const enum format others[] = {FORMAT_ONNX,  FORMAT_SAVEDMODEL, FORMAT_HDF5,
                                         FORMAT_KERAS, FORMAT_XML,        FORMAT_PICKLE};
    for (size_t i = 0; i < m->file_count; i++)
        for (size_t k = 0; k < sizeof others / sizeof *others; k++)
            if (m->files[i].format == others[k])
                return true;
    return false;
}

/* The others first: their tensors are taken back before the model's are read. */
static bool read_sets(struct sets *s)
{
    if (!find_sets(s))
        return false;
    uint32_t own = choose(s);
    if (own == NO_SET && holds_other_model(s->m))
        return true;
    if (own == NO_SET) {
        verdict_add(&s->m->verdict, RULE_FOLDER_NO_WEIGHTS, ORIGIN_NOWHERE,
                    "none of %zu files is GGUF, safetensors or a checkpoint of PyTorch",
                    s->m->file_count);
        return true;
    }
    for (uint32_t i = 0; i < s->count; i++)
        if (i != own && s->all[i].members && !read_beside(s, i, own))
            return false;
    if (s->all[own].listed)
        s->m->documents[DOC_INDEX] = (struct document){s->all[own].first, s->all[own].index};
    return read_files(s, own);
}

bool sets_read(struct model *m)
{
    struct sets s = {.m = m};
    s.scratch = arena_new((size_t)1 << 30);
    bool ok = s.scratch && read_sets(&s);
    arena_free(s.scratch);
    return ok;
}

/* ---- a file named alone ---- */

static bool beside(const struct model *m, const char *name, struct span prefix, const char *end)
{
    struct stat st;
    size_t folder = (size_t)(name_base(m->path) - m->path);
    char *path = arena_printf(m->arena, "%.*s%s%.*s%s", (int)folder, m->path, name, (int)prefix.n,
                              (const char *)prefix.p, end);
    return path && stat(path, &st) == 0;
}

/* Only what was named is read; what a user may have meant too is named. */
bool sets_note_lone(struct model *m)
{
    struct parted part;
    char shown[FOLDER_SHOWN];
    if (m->files[0].format != FORMAT_SAFETENSORS)
        return true;
    if (parted_name(&part, m->files[0].name, ".safetensors")) {
        bool index = beside(m, "", part.prefix, ".safetensors.index.json");
        model_note(m, 0, 0, 0, RULE_FOLDER_PART, "part %u of %u; %s.safetensors.index.json %s",
                   (unsigned)part.number, (unsigned)part.count,
                   text_shown(shown, sizeof shown, part.prefix),
                   index ? "stands beside it" : "is not beside it");
    }
    if (beside(m, "config.json", SPAN_EMPTY, ""))
        model_note(m, 0, 0, 0, RULE_FOLDER_LONE, "config.json beside it was not read");
    return true;
}
