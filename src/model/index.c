/*
 * *.safetensors.index.json: which file of a set holds which tensor. Nobody
 * checks it against the files when a model is loaded, and real ones are wrong;
 * here each tensor is looked for on both sides. A name that could lead out of
 * the folder is refused before anything is opened.
 */
#include "model/folder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "assay/base/text.h"

/* ---- the document ---- */

bool index_parse(struct model *m, uint32_t file, struct json *root)
{
    if (!document_parse(m, file, root))
        return false;
    struct json map = json_get(*root, "weight_map");
    if (json_type(map) == JSON_OBJECT)
        return true;
    model_note(m, file, json_offset(map), 0, RULE_INDEX_FORM,
               "expected an object weight_map, found %s", json_type_name(json_type(map)));
    model_incomplete(m, file);
    return false;
}

/* A relative path of plain parts: what cannot leave the folder on any system. */
static bool is_safe(struct span name)
{
    size_t part = 0;
    if (!name.n || memchr(name.p, '\\', name.n) || memchr(name.p, 0, name.n) ||
        memchr(name.p, ':', name.n))
        return false;
    for (size_t i = 0; i <= name.n; i++) {
        if (i < name.n && name.p[i] != '/')
            continue;
        struct span s = span_sub(name, part, i - part);
        if (!s.n || span_is(s, ".") || span_is(s, ".."))
            return false;
        part = i + 1;
    }
    return true;
}

static bool shard_name(struct model *m, uint32_t file, struct json v, struct span *name)
{
    char shown[FOLDER_SHOWN];
    if (!json_string(v, name)) {
        model_note(m, file, json_offset(v), json_end(v) - json_offset(v), RULE_INDEX_FORM,
                   "expected a file's name as a string, found %s", json_type_name(json_type(v)));
        return false;
    }
    if (!is_safe(*name)) {
        model_note(m, file, json_offset(v), json_end(v) - json_offset(v), RULE_INDEX_PATH,
                   "\"%s\" was not opened; expected a file's name below the index's folder",
                   text_shown(shown, sizeof shown, *name));
        model_incomplete(m, file);
        return false;
    }
    return true;
}

/* ---- the shards ---- */

/* Names as the index has them (without its folder) to the model's files. */
static bool map_files(const struct model *m, uint32_t index, struct map *out, struct arena *a)
{
    struct span folder = name_folder(m->files[index].name);
    uint32_t previous;
    if (!map_init(out, a, m->file_count))
        return false;
    for (uint32_t i = 0; i < m->file_count; i++) {
        struct span name = span_str(m->files[i].name);
        if (folder.n && (name.n <= folder.n || name.p[folder.n] != '/' ||
                         memcmp(name.p, folder.p, folder.n) != 0))
            continue;
        if (folder.n)
            name = span_sub(name, folder.n + 1, name.n);
        if (!map_put(out, name, i, &previous))
            return false;
    }
    return true;
}

static bool mark_members(struct model *m, uint32_t file, struct json map, bool *member,
                         struct arena *a)
{
    struct map files, missing;
    char shown[FOLDER_SHOWN];
    if (!map_files(m, file, &files, a) || !map_init(&missing, a, 0))
        return false;
    for (struct json v = json_first(map); json_type(v); v = json_next(v)) {
        struct span name;
        uint32_t previous;
        if (!shard_name(m, file, v, &name))
            continue;
        uint32_t shard = map_get(&files, name);
        if (shard != MAP_NONE) {
            member[shard] = true;
            continue;
        }
        if (!map_put(&missing, name, 0, &previous))
            return false;
        if (previous != MAP_NONE)
            continue;
        model_note(m, file, json_offset(v), json_end(v) - json_offset(v), RULE_INDEX_SHARD_MISSING,
                   "\"%s\" is named and not there", text_shown(shown, sizeof shown, name));
        model_incomplete(m, file);
    }
    return true;
}

bool index_members(struct model *m, uint32_t file, struct json root, bool *member)
{
    struct arena *a = arena_new((size_t)1 << 30);
    bool ok = a && mark_members(m, file, json_get(root, "weight_map"), member, a);
    arena_free(a);
    return ok;
}

/* ---- the index against the shards ---- */

struct check {
    struct model *m;
    uint32_t file; /* the index */
    const bool *member;
    struct arena *scratch;
    struct map files;   /* shard name -> file */
    struct map tensors; /* tensor name -> tensor of a shard */
    struct map listed;  /* tensor name -> 1 */
};

static const char *file_shown(const struct model *m, uint32_t file, char out[FOLDER_SHOWN])
{
    return text_shown(out, FOLDER_SHOWN, span_str(m->files[file].name));
}

static bool map_tensors(struct check *c)
{
    struct model *m = c->m;
    char shown[FOLDER_SHOWN], other[FOLDER_SHOWN];
    if (!map_init(&c->tensors, c->scratch, m->tensor_count))
        return false;
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct tensor *t = &m->tensors[i];
        uint32_t previous;
        if (!c->member[t->entry.file])
            continue;
        if (!map_put(&c->tensors, t->name, (uint32_t)i, &previous))
            return false;
        if (previous != MAP_NONE)
            model_note(m, t->entry.file, t->entry.offset, t->entry.length, RULE_INDEX_TENSOR_TWICE,
                       "\"%s\" is in %s too", text_shown(shown, sizeof shown, t->name),
                       file_shown(m, m->tensors[previous].entry.file, other));
    }
    return true;
}

static bool check_listed(struct check *c, struct json v)
{
    struct model *m = c->m;
    char shown[FOLDER_SHOWN], other[FOLDER_SHOWN];
    struct span key = json_key(v), name;
    uint32_t previous;
    size_t from = json_key_offset(v), length = json_end(v) - from;
    if (!map_put(&c->listed, key, 1, &previous))
        return false;
    text_shown(shown, sizeof shown, key);
    if (previous != MAP_NONE)
        model_note(m, c->file, from, length, RULE_INDEX_DUPLICATE, "\"%s\" is listed again", shown);
    uint32_t shard = json_string(v, &name) ? map_get(&c->files, name) : MAP_NONE;
    if (shard == MAP_NONE || m->files[shard].incomplete)
        return true; /* named already: what it holds is not known */
    uint32_t t = map_get(&c->tensors, key);
    if (t == MAP_NONE)
        model_note(m, c->file, from, length, RULE_INDEX_TENSOR_MISSING,
                   "\"%s\" is in no file of the set", shown);
    else if (m->tensors[t].entry.file != shard)
        model_note(m, c->file, from, length, RULE_INDEX_TENSOR_MISSING,
                   "\"%s\" is not in the file that is named for it but in %s", shown,
                   file_shown(m, m->tensors[t].entry.file, other));
    return true;
}

static void check_unlisted(struct check *c)
{
    char shown[FOLDER_SHOWN];
    for (size_t i = 0; i < c->m->tensor_count; i++) {
        const struct tensor *t = &c->m->tensors[i];
        if (c->member[t->entry.file] && map_get(&c->listed, t->name) == MAP_NONE)
            model_note(c->m, t->entry.file, t->entry.offset, t->entry.length,
                       RULE_INDEX_TENSOR_UNLISTED, "\"%s\" is not listed by the index",
                       text_shown(shown, sizeof shown, t->name));
    }
}

/* total_size is only judged when every byte that it may count is known. */
static void check_total(struct check *c, struct json total)
{
    uint64_t claimed, sum = 0;
    double d;
    if (!json_type(total) || c->m->verdict.incomplete)
        return;
    for (size_t i = 0; i < c->m->tensor_count; i++)
        if (c->member[c->m->tensors[i].entry.file] &&
            !size_add(&sum, sum, c->m->tensors[i].data.length))
            return;
    bool whole = json_u64(total, &claimed);
    if (!whole && json_double(total, &d) && d >= 0 && d < 9e15) {
        claimed = (uint64_t)d;
        whole = (double)claimed == d;
    }
    if (!whole)
        model_note(c->m, c->file, json_offset(total), 0, RULE_INDEX_TOTAL,
                   "metadata.total_size is no whole number of bytes");
    else if (claimed != sum)
        model_note(c->m, c->file, json_offset(total), 0, RULE_INDEX_TOTAL,
                   "metadata.total_size is %llu, the tensors have %llu bytes",
                   (unsigned long long)claimed, (unsigned long long)sum);
}

/* Files that are named like parts of the set and are not in the index. */
static void check_shards(struct check *c)
{
    struct parted part, other;
    bool any = false;
    for (uint32_t i = 0; i < c->m->file_count && !any; i++)
        any = c->member[i] && parted_name(&part, c->m->files[i].name, ".safetensors");
    for (uint32_t i = 0; any && i < c->m->file_count; i++)
        if (!c->member[i] && parted_name(&other, c->m->files[i].name, ".safetensors") &&
            span_eq(part.prefix, other.prefix) && part.count == other.count)
            model_note(c->m, i, 0, 0, RULE_INDEX_SHARD_UNLISTED,
                       "the file is named like a part of the set and the index does not name it");
}

static bool check_all(struct check *c, struct json root)
{
    struct json map = json_get(root, "weight_map");
    if (!map_files(c->m, c->file, &c->files, c->scratch) ||
        !map_init(&c->listed, c->scratch, c->m->tensor_count) || !map_tensors(c))
        return false;
    for (struct json v = json_first(map); json_type(v); v = json_next(v))
        if (!check_listed(c, v))
            return false;
    check_unlisted(c);
    check_total(c, json_get(json_get(root, "metadata"), "total_size"));
    check_shards(c);
    return true;
}

bool index_check(struct model *m, uint32_t file, struct json root, const bool *member)
{
    struct check c = {.m = m, .file = file, .member = member};
    c.scratch = arena_new((size_t)1 << 30);
    bool ok = c.scratch && check_all(&c, root);
    arena_free(c.scratch);
    return ok;
}

/* ---- an index named alone ---- */

static int compare_spans(const void *a, const void *b)
{
    return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

static bool add_shard(struct model *m, struct span name)
{
    struct stat st;
    uint32_t file;
    const char *base = name_base(m->path);
    char *shard = arena_str(m->arena, name);
    char *path =
        shard ? arena_printf(m->arena, "%.*s%s", (int)(base - m->path), m->path, shard) : NULL;
    if (!path)
        return false;
    if (stat(path, &st) != 0)
        return true; /* index_members says so */
    return model_add_file(m, shard, path, &file) && weights_check(m, file);
}

/* The distinct safe names, in order. Bad ones are noted by index_members. */
static bool add_shards(struct model *m, struct json map)
{
    size_t n = 0;
    struct span *names = arena_array(m->arena, json_count(map) + 1, sizeof *names);
    if (!names)
        return false;
    for (struct json v = json_first(map); json_type(v); v = json_next(v))
        if (json_string(v, &names[n]) && is_safe(names[n]))
            n++;
    if (n)
        qsort(names, n, sizeof *names, compare_spans);
    for (size_t i = 0; i < n; i++)
        if ((i == 0 || !span_eq(names[i], names[i - 1])) && !add_shard(m, names[i]))
            return false;
    return true;
}

bool index_read(struct model *m, struct err *e)
{
    struct source *s = NULL;
    struct json root;
    if (!source_open(&s, m->path, e))
        return false;
    bool ok = model_adopt_file(m, name_base(m->path), m->path, s);
    if (ok) {
        m->documents[DOC_INDEX].file = 0;
        if (!index_parse(m, 0, &root))
            return true;
        m->documents[DOC_INDEX].root = root;
        ok = add_shards(m, json_get(root, "weight_map"));
    }
    bool *member = ok ? arena_array(m->arena, m->file_count, sizeof *member) : NULL;
    ok = member && index_members(m, 0, root, member);
    for (uint32_t i = 1; ok && i < m->file_count; i++)
        ok = model_parse_file(m, i);
    ok = ok && index_check(m, 0, root, member);
    return ok || err_at(e, ERR_MEMORY, m->path, ERR_NO_OFFSET, "out of memory");
}
