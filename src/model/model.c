/*
 * One model from a path or from memory: files are opened, recognised by
 * content and handed to the reader of their format. What the readers share
 * (arrays that grow, indices of names, findings) stands here too.
 */
#include "model/content.h"
#include "model/folder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const struct reader readers[] = {
    {FORMAT_GGUF, "GGUF", gguf_sniff, gguf_parse},
    {FORMAT_SAFETENSORS, "safetensors", safetensors_sniff, safetensors_parse},
    {FORMAT_ZIP, "zip archive", NULL, content_parse_file},
    {FORMAT_TAR, "tar archive", NULL, content_parse_file},
    {FORMAT_GZIP, "gzip", NULL, content_parse_file},
    {FORMAT_ZLIB, "zlib", NULL, content_parse_file},
    {FORMAT_PYTORCH, "PyTorch", NULL, content_parse_file},
    {FORMAT_NUMPY, "NumPy", NULL, content_parse_file},
    {FORMAT_HDF5, "HDF5", NULL, content_parse_file},
    {FORMAT_ONNX, "ONNX", NULL, content_parse_file},
    {FORMAT_SAVEDMODEL, "TensorFlow graph", NULL, content_parse_file},
    {FORMAT_CODE, "code", NULL, content_parse_file},
    {FORMAT_UNREAD, "recognised only", NULL, content_parse_file},
    {FORMAT_XML, "XML", NULL, content_parse_file},
    {FORMAT_PICKLE, "pickle", NULL, content_parse_file},
    {FORMAT_UNKNOWN, "", NULL, NULL},
};

/* The model and what only its filling needs. */
struct filling {
    struct model model; /* first: a struct model * is a struct filling * */
    size_t file_cap, tensor_cap, metadata_cap, template_cap;
    struct map tensor_names, metadata_keys;
    size_t tensors_indexed;
};

static const size_t default_cap = (size_t)4 << 30;

static struct filling *filling_of(struct model *m)
{
    return (struct filling *)m;
}

static struct model *model_new(const char *path, const struct model_options *opt, struct err *e)
{
    size_t cap = opt && opt->memory_cap ? opt->memory_cap : default_cap;
    struct arena *a = arena_new(cap);
    struct filling *f = a ? arena_alloc(a, sizeof *f) : NULL;
    char *copy = f ? arena_str(a, span_str(path)) : NULL;
    if (!copy || !map_init(&f->tensor_names, a, 0) || !map_init(&f->metadata_keys, a, 0)) {
        arena_free(a);
        err_at(e, ERR_MEMORY, path, ERR_NO_OFFSET, "out of memory");
        return NULL;
    }
    f->model.arena = a;
    f->model.path = copy;
    for (size_t i = 0; i < DOC_COUNT; i++)
        f->model.documents[i] = (struct document){ORIGIN_NO_FILE, JSON_NOTHING};
    verdict_init(&f->model.verdict, a);
    return &f->model;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->file_count; i++)
        source_close(m->files[i].source);
    arena_free(m->arena);
}

/* ---- what the readers add ---- */

static struct model_file *new_file(struct model *m, const char *name, const char *path)
{
    struct filling *f = filling_of(m);
    if (m->file_count >= MODEL_MAX_FILES)
        return NULL;
    struct model_file *files =
        arena_grow(m->arena, m->files, m->file_count, &f->file_cap, sizeof *files);
    if (!files)
        return NULL;
    m->files = files;
    struct model_file file = {.name = arena_str(m->arena, span_str(name)),
                              .path = arena_str(m->arena, span_str(path))};
    if (!file.name || !file.path)
        return NULL;
    files[m->file_count] = file;
    return &files[m->file_count++];
}

static enum format sniff(const struct model_file *file)
{
    uint8_t head[READER_HEAD];
    size_t n = file->size < sizeof head ? (size_t)file->size : sizeof head;
    struct err ignored = ERR_INIT;
    if (!source_read(file->source, head, 0, n, &ignored))
        return FORMAT_UNKNOWN;
    for (const struct reader *r = readers; r->parse; r++)
        if (r->sniff && r->sniff((struct span){head, n}, file->size))
            return r->format;
    struct input in = content_input(file->source);
    return content_sniff(&in);
}

/* The file whose source has just been set. */
static void recognise(struct model *m, uint32_t file)
{
    struct model_file *f = &m->files[file];
    f->size = source_size(f->source);
    if (f->size == 0) {
        model_note(m, file, 0, 0, RULE_READ_EMPTY, "the file has no bytes");
        model_incomplete(m, file);
        return;
    }
    f->format = sniff(f);
    /* safetensors has no magic: bytes that say nothing are judged by the name. */
    if (f->format == FORMAT_UNKNOWN && span_ends(span_str(f->name), "saved_model.pb"))
        f->format = FORMAT_SAVEDMODEL;
    if (f->format == FORMAT_UNKNOWN && span_ends(span_str(f->name), ".safetensors"))
        f->format = FORMAT_SAFETENSORS;
}

bool model_add_file(struct model *m, const char *name, const char *path, uint32_t *file)
{
    struct model_file *f = new_file(m, name, path);
    if (!f)
        return false;
    uint32_t i = *file = (uint32_t)(m->file_count - 1);
    struct err why = ERR_INIT;
    if (source_open(&f->source, path, &why)) {
        recognise(m, i);
        return true;
    }
    model_note(m, i, 0, 0, RULE_READ_OPEN, "%s", why.text);
    model_incomplete(m, i);
    return why.code != ERR_MEMORY;
}

bool model_adopt_file(struct model *m, const char *name, const char *path, struct source *s)
{
    struct model_file *f = new_file(m, name, path);
    if (!f) {
        source_close(s);
        return false;
    }
    f->source = s;
    recognise(m, (uint32_t)(m->file_count - 1));
    return true;
}

bool model_parse_file(struct model *m, uint32_t file)
{
    for (const struct reader *r = readers; r->parse; r++)
        if (m->files[file].source && r->format == m->files[file].format)
            return r->parse(m, file);
    return true;
}

bool model_reserve_tensors(struct model *m, size_t n)
{
    struct filling *f = filling_of(m);
    if (n <= f->tensor_cap - m->tensor_count)
        return true;
    struct tensor *larger = arena_array(m->arena, m->tensor_count + n, sizeof *larger);
    if (!larger)
        return false;
    if (m->tensor_count)
        memcpy(larger, m->tensors, m->tensor_count * sizeof *larger);
    m->tensors = larger;
    f->tensor_cap = m->tensor_count + n;
    return f->tensor_names.used > 0 || map_init(&f->tensor_names, m->arena, n);
}

struct tensor *model_add_tensor(struct model *m)
{
    struct filling *f = filling_of(m);
    struct tensor *t = arena_grow(m->arena, m->tensors, m->tensor_count, &f->tensor_cap, sizeof *t);
    if (!t)
        return NULL;
    m->tensors = t;
    return &t[m->tensor_count++];
}

struct metadata *model_add_metadata(struct model *m)
{
    struct filling *f = filling_of(m);
    struct metadata *d =
        arena_grow(m->arena, m->metadata, m->metadata_count, &f->metadata_cap, sizeof *d);
    if (!d)
        return NULL;
    m->metadata = d;
    return &d[m->metadata_count++];
}

struct text *model_add_template(struct model *m)
{
    struct filling *f = filling_of(m);
    struct text *t =
        arena_grow(m->arena, m->templates, m->template_count, &f->template_cap, sizeof *t);
    if (!t)
        return NULL;
    m->templates = t;
    return &t[m->template_count++];
}

bool model_index_tensor(struct model *m, uint32_t *previous)
{
    struct filling *f = filling_of(m);
    uint32_t last = (uint32_t)(m->tensor_count - 1);
    if (!map_put(&f->tensor_names, m->tensors[last].name, last, previous))
        return false;
    if (f->tensors_indexed == last)
        f->tensors_indexed++;
    return true;
}

bool model_forget(struct model *m)
{
    struct filling *f = filling_of(m);
    m->tensor_count = m->metadata_count = f->tensors_indexed = 0;
    return map_init(&f->tensor_names, m->arena, 0);
}

/* Lookups answer with the first of a name. */
static bool index_names(struct model *m)
{
    struct filling *f = filling_of(m);
    uint32_t previous;
    for (size_t i = f->tensors_indexed; i < m->tensor_count; i++)
        if (!map_put(&f->tensor_names, m->tensors[i].name, (uint32_t)i, &previous))
            return false;
    for (size_t i = 0; i < m->metadata_count; i++)
        if (!map_put(&f->metadata_keys, m->metadata[i].key, (uint32_t)i, &previous))
            return false;
    f->tensors_indexed = m->tensor_count;
    return true;
}

/* ---- findings ---- */

void model_note(struct model *m, uint32_t file, uint64_t offset, uint64_t length, enum rule_id rule,
                const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    verdict_add_list(&m->verdict, rule, (struct origin){file, offset, length}, fmt, args);
    va_end(args);
}

void model_incomplete(struct model *m, uint32_t file)
{
    model_cut(m, file);
    m->unlisted = true;
}

void model_cut(struct model *m, uint32_t file)
{
    m->verdict.incomplete = true;
    if (file < m->file_count)
        m->files[file].incomplete = true;
}

void model_note_fault(struct model *m, uint32_t file, const struct cursor *c, enum rule_id rule,
                      const char *what)
{
    struct err why = ERR_INIT;
    const struct source *s = m->files[file].source;
    if (c->fault_code == ERR_IO && s && !source_check(s, &why)) {
        enum rule_id own = why.code == ERR_CHANGED ? RULE_READ_CHANGED : RULE_READ_IO;
        uint64_t at = why.offset == ERR_NO_OFFSET ? c->fault_at : why.offset;
        model_note(m, file, at, 0, own, "%s: %s", what, why.text);
    } else {
        enum rule_id own = c->fault_code == ERR_LIMIT ? RULE_READ_LIMIT : rule;
        model_note(m, file, c->fault_at, 0, own, "%s: %s", what, c->fault);
    }
    model_incomplete(m, file);
}

/* ---- reading ---- */

static const char *basename_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* In a folder unknown files are common; one that was named is not. */
static bool parse_lone(struct model *m)
{
    for (uint32_t i = 0; i < m->file_count; i++) {
        if (!weights_check(m, i) ||
            (m->files[i].format == FORMAT_UNKNOWN && !content_examine_named(m, i)) ||
            (m->files[i].format == FORMAT_UNKNOWN && !document_lone(m, i)))
            return false;
        if (m->files[i].size > 0 && m->files[i].format == FORMAT_UNKNOWN)
            model_note(m, i, 0, 0, RULE_READ_FORMAT, "the first bytes are of no known format");
        if (!model_parse_file(m, i))
            return false;
    }
    return true;
}

static bool no_memory(const struct model *m, struct err *e)
{
    return err_at(e, ERR_MEMORY, m->path, ERR_NO_OFFSET,
                  "out of memory, or more of it needed than the model may have");
}

/* A lone file that cannot be opened leaves nothing to show. */
static bool read_lone(struct model *m, struct err *e)
{
    struct source *s = NULL;
    if (!source_open(&s, m->path, e))
        return false;
    return (gguf_add_set(m, basename_of(m->path), s) && parse_lone(m) && sets_note_lone(m)) ||
           no_memory(m, e);
}

/* fstat again at the end: a change while it was read becomes a finding. */
static void check_changes(struct model *m)
{
    for (uint32_t i = 0; i < m->file_count; i++) {
        struct err why = ERR_INIT;
        if (!m->files[i].source || source_unchanged(m->files[i].source, &why))
            continue;
        model_note(m, i, 0, 0, why.code == ERR_CHANGED ? RULE_READ_CHANGED : RULE_READ_IO, "%s",
                   why.text);
        model_incomplete(m, i);
    }
}

static bool finish(struct model **out, struct model *m, bool ok, struct err *e)
{
    if (ok && !(index_names(m) && gguf_check_parts(m)))
        ok = no_memory(m, e);
    if (ok)
        check_changes(m);
    if (!ok) {
        model_free(m);
        return false;
    }
    *out = m;
    return true;
}

bool model_read(struct model **out, const char *path, const struct model_options *opt,
                struct err *e)
{
    *out = NULL;
    struct stat st;
    if (stat(path, &st) != 0)
        return err_errno(e, path, "cannot be opened");
    struct model *m = model_new(path, opt, e);
    if (!m)
        return false;
    m->folder = S_ISDIR(st.st_mode);
    bool folder = m->folder || span_ends(span_str(path), ".index.json");
    return finish(out, m, folder ? folder_read(m, e) : read_lone(m, e), e);
}

bool model_read_memory(struct model **out, const char *name, struct span bytes, struct err *e)
{
    *out = NULL;
    struct model *m = model_new(name, NULL, e);
    if (!m)
        return false;
    struct source *s = NULL;
    bool ok =
        source_memory(&s, name, bytes, e) && model_adopt_file(m, name, name, s) && parse_lone(m);
    if (!ok)
        no_memory(m, e);
    return finish(out, m, ok, e);
}

/* ---- lookups ---- */

const char *format_name(enum format f)
{
    static const char *const names[FORMAT_COUNT] = {[FORMAT_UNKNOWN] = "unknown",
                                                    [FORMAT_GGUF] = "GGUF",
                                                    [FORMAT_SAFETENSORS] = "safetensors",
                                                    [FORMAT_JSON] = "JSON",
                                                    [FORMAT_MARKDOWN] = "Markdown",
                                                    [FORMAT_TEXT] = "text",
                                                    [FORMAT_PICKLE] = "pickle",
                                                    [FORMAT_ZIP] = "zip",
                                                    [FORMAT_TAR] = "tar",
                                                    [FORMAT_GZIP] = "gzip",
                                                    [FORMAT_ZLIB] = "zlib",
                                                    [FORMAT_PYTORCH] = "PyTorch",
                                                    [FORMAT_NUMPY] = "NumPy",
                                                    [FORMAT_HDF5] = "HDF5",
                                                    [FORMAT_KERAS] = "Keras",
                                                    [FORMAT_ONNX] = "ONNX",
                                                    [FORMAT_SAVEDMODEL] = "TensorFlow graph",
                                                    [FORMAT_CODE] = "code",
                                                    [FORMAT_UNREAD] = "recognised only",
                                                    [FORMAT_XML] = "XML"};
    return (unsigned)f < FORMAT_COUNT ? names[f] : "unknown";
}

bool format_is_torch(enum format f)
{
    return f == FORMAT_SAFETENSORS || f == FORMAT_PYTORCH || f == FORMAT_NUMPY ||
           f == FORMAT_ONNX || f == FORMAT_HDF5 || f == FORMAT_KERAS;
}

const struct tensor *model_tensor(const struct model *m, struct span name)
{
    const struct filling *f = (const struct filling *)m;
    uint32_t i = map_get(&f->tensor_names, name);
    return i == MAP_NONE ? NULL : &m->tensors[i];
}

const struct metadata *model_metadata(const struct model *m, const char *key)
{
    const struct filling *f = (const struct filling *)m;
    uint32_t i = map_get(&f->metadata_keys, span_str(key));
    return i == MAP_NONE ? NULL : &m->metadata[i];
}
