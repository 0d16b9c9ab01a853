/*
 * The files as they are against the statement: both sorted by name, walked
 * together. Whole files are compared by the digests that the scan took; shards
 * are hashed from the same descriptors.
 */
#include <stdlib.h>
#include <string.h>

#include "signature/signature.h"

enum { CHUNK = 1 << 20 };

const char *const signature_default_ignore[] = {".git", ".gitattributes", ".github", ".gitignore",
                                                NULL};

const char *signature_change_name(enum signature_change c)
{
    static const char *const names[] = {"changed", "missing", "not signed", "not read"};
    return names[c];
}

static bool is_below(const char *path, const char *name)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return n > 0 && strncmp(path, name, n) == 0 && (name[n] == '\0' || name[n] == '/');
}

bool signature_ignores(const char *const *paths, const char *name)
{
    for (; *paths; paths++) {
        const char *p = *paths;
        while (p[0] == '.' && p[1] == '/')
            p += 2;
        if (is_below(p, name))
            return true;
    }
    return false;
}

/* ---- the files ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct signed_file *)a)->name, ((const struct signed_file *)b)->name);
}

/* "NAME: why" of a folder that the walk left out; a signature must speak of it too. */
static const char *skipped_folder(const struct finding *f, struct arena *a)
{
    const char *colon = f->rule == RULE_FOLDER_SKIPPED ? strchr(f->detail, ':') : NULL;
    if (!colon)
        return NULL;
    return arena_str(a, span_sub(span_str(f->detail), 0, (size_t)(colon - f->detail)));
}

struct signed_file *signature_files(const struct model *m, const struct scan *s, struct arena *a,
                                    size_t *count)
{
    const struct verdict *v = &m->verdict;
    struct signed_file *all = arena_array(a, m->file_count + v->count + 1, sizeof *all);
    size_t n = 0;
    for (size_t i = 0; all && i < m->file_count; i++) {
        const struct model_file *f = &m->files[i];
        all[n] = (struct signed_file){
            .name = f->name, .size = f->size, .source = f->source, .link = f->link_outside};
        all[n].known = s && s->file_ok && s->file_ok[i];
        if (all[n].known)
            all[n].sha256 = s->file[i];
        n++;
    }
    for (size_t i = 0; all && i < v->count; i++) {
        const char *name = skipped_folder(&v->findings[i], a);
        if (name)
            all[n++] = (struct signed_file){.name = name};
    }
    if (n)
        qsort(all, n, sizeof *all, by_name);
    *count = n;
    return all;
}

/* ---- the comparison ---- */

struct comparison {
    struct signature_comparison *out;
    const struct signature *s;
    struct arena *arena;
    struct err *e;
    size_t cap;
};

static bool differ(struct comparison *c, enum signature_change change, const char *name,
                   size_t file)
{
    struct signature_difference *all =
        arena_grow(c->arena, c->out->differences, c->out->count, &c->cap, sizeof *all);
    if (!all)
        return err_set(c->e, ERR_MEMORY, "out of memory while comparing files");
    c->out->differences = all;
    all[c->out->count++] = (struct signature_difference){change, name, file};
    return true;
}

static bool hash_range(struct digest *out, const struct source *s, uint64_t from, uint64_t to,
                       struct err *e)
{
    uint8_t *chunk = malloc(CHUNK);
    struct sha256 *h = sha256_new();
    bool ok = (chunk && h) || err_set(e, ERR_MEMORY, "out of memory for a digest");
    if (ok)
        sha256_start(h);
    while (ok && from < to) {
        size_t n = to - from < CHUNK ? (size_t)(to - from) : CHUNK;
        ok = source_read(s, chunk, from, n, e);
        if (ok)
            sha256_update(h, chunk, n);
        from += n;
    }
    if (ok)
        sha256_finish(h, out);
    sha256_free(h);
    free(chunk);
    return ok;
}

/* Shards must cover the file from its start to its end. */
static bool compare_shards(struct comparison *c, const struct resource *r, size_t n,
                           const struct signed_file *f, enum signature_change *change, bool *same)
{
    uint64_t at = 0;
    *same = true;
    for (size_t i = 0; i < n && *same; i++) {
        struct digest d;
        *same = r[i].start == at && r[i].end <= f->size;
        at = r[i].end;
        bool whole = r[i].start == 0 && r[i].end == f->size && f->known;
        if (!*same)
            break;
        if (whole) {
            d = f->sha256;
        } else if (!f->source) {
            *change = SIGNED_UNREAD;
            *same = false;
            return true;
        } else if (!hash_range(&d, f->source, r[i].start, r[i].end, c->e)) {
            return false;
        }
        *same = digest_eq(&d, &r[i].digest);
    }
    *same = *same && at == f->size;
    return true;
}

static bool compare_file(struct comparison *c, const struct resource *r, size_t n,
                         const struct signed_file *f, size_t index)
{
    enum signature_change change = SIGNED_CHANGED;
    bool same = false;
    if (c->s->shards) {
        if (!compare_shards(c, r, n, f, &change, &same))
            return false;
    } else if (!f->known) {
        change = SIGNED_UNREAD;
    } else {
        same = digest_eq(&f->sha256, &r->digest);
    }
    c->out->equal += same;
    return same || differ(c, change, f->name, index);
}

static size_t end_of(const struct signature *s, size_t at)
{
    size_t end = at + 1;
    while (end < s->resource_count && strcmp(s->resources[end].path, s->resources[at].path) == 0)
        end++;
    return end;
}

static bool is_left_out(const struct comparison *c, const struct signed_file *f, const char *own)
{
    if (own && strcmp(f->name, own) == 0)
        return true;
    return signature_ignores(c->s->ignore, f->name) || (c->s->shards && f->known && f->size == 0);
}

/* The specification names a lone file by its name, the reference by ".". */
static bool compare_lone(struct comparison *c, const struct signed_file *f)
{
    const struct resource *r = c->s->resources;
    size_t end = c->s->resource_count ? end_of(c->s, 0) : 0;
    if (end == 0 || end != c->s->resource_count ||
        (strcmp(r->path, ".") != 0 && strcmp(r->path, f->name) != 0))
        return differ(c, SIGNED_EXTRA, f->name, 0);
    return compare_file(c, r, end, f, 0);
}

bool signature_compare(struct signature_comparison *out, const struct signature *s,
                       const struct signed_file *files, size_t count, bool lone_file,
                       const char *own, struct arena *a, struct err *e)
{
    struct comparison c = {.out = out, .s = s, .arena = a, .e = e};
    *out = (struct signature_comparison){NULL, 0, 0};
    if (lone_file && count == 1)
        return compare_lone(&c, files);
    size_t f = 0, r = 0;
    bool ok = true;
    while (ok && (f < count || r < s->resource_count)) {
        int order = f == count               ? 1
                    : r == s->resource_count ? -1
                                             : strcmp(files[f].name, s->resources[r].path);
        if (order < 0) {
            ok = is_left_out(&c, &files[f], own) || differ(&c, SIGNED_EXTRA, files[f].name, f);
            f++;
        } else if (order > 0) {
            ok = differ(&c, SIGNED_MISSING, s->resources[r].path, SIZE_MAX);
            r = end_of(s, r);
        } else {
            size_t end = end_of(s, r);
            ok = compare_file(&c, s->resources + r, end - r, &files[f], f);
            f++;
            r = end;
        }
    }
    return ok;
}
