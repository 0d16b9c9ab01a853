/*
 * Reads a data set once: every file hashed whole, rows counted and measured as
 * they pass, in memory that does not grow with the files. What cannot be read, or
 * changes while it is read, is named and leaves the data set incomplete.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "assay/base/text.h"
#include "assay/source.h"
#include "provenance/compare.h"
#include "provenance/parquet.h"
#include "provenance/rows.h"

enum { CHUNK = 1 << 20, COLUMNS_SHOWN = 400 };

struct reading {
    struct dataset *d;
    const struct dataset_options *o;
    struct arena *a;
    struct rows rows;
    struct sha256 *sha, *row_sha; /* of the file; of a row that is cut */
    bool cut;                     /* the row at hand is longer than what is kept of it */
    struct buf row;               /* the part of a row that earlier chunks held */
    uint8_t *chunk;
    size_t file_cap, links; /* links: files that are links */
    uint64_t done;
    struct err *e;
};

/* ---- listing ---- */

static bool add_file(struct reading *k, const char *name)
{
    struct dataset *d = k->d;
    struct dataset_file *grown =
        d->file_count < DATASET_MAX_FILES
            ? arena_grow(k->a, d->files, d->file_count, &k->file_cap, sizeof *grown)
            : NULL;
    if (!grown || !name)
        return err_set(k->e, ERR_LIMIT, "more files than are read (%d)", DATASET_MAX_FILES);
    d->files = grown;
    d->files[d->file_count++] = (struct dataset_file){.name = name};
    return true;
}

/* A file, or a link to one, as caches of data sets are made of; links to folders are not followed. */
static bool is_file(struct reading *k, const char *path, const struct stat *st)
{
    struct stat target;
    bool link = S_ISLNK(st->st_mode) && stat(path, &target) == 0 && S_ISREG(target.st_mode);
    k->links += link;
    return link || S_ISREG(st->st_mode);
}

static bool list(struct reading *k, const char *folder, const char *prefix, unsigned depth)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    bool ok = dir || err_errno(k->e, folder, "cannot be opened");
    while (ok && (entry = readdir(dir))) {
        struct stat st;
        if (entry->d_name[0] == '.')
            continue;
        const char *path = arena_printf(k->a, "%s/%s", folder, entry->d_name);
        const char *name = arena_printf(k->a, "%s%s", prefix, entry->d_name);
        if (!path || !name)
            ok = err_set(k->e, ERR_MEMORY, "out of memory for the list of files");
        else if (lstat(path, &st) != 0)
            continue; /* gone since: it is in no list */
        else if (S_ISDIR(st.st_mode) && depth < DATASET_MAX_DEPTH)
            ok = list(k, path, arena_printf(k->a, "%s/", name), depth + 1);
        else if (is_file(k, path, &st))
            ok = add_file(k, name);
        else
            dataset_note(k->d, "dataset.files", NULL,
                         arena_printf(k->a, "%s is no regular file: not read", name), false);
    }
    if (dir)
        closedir(dir);
    return ok;
}

static int by_name(const void *a, const void *b)
{
    const struct dataset_file *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* ---- rows ---- */

/* Where the row that begins at s ends; quotes of CSV may hold line ends. */
struct splitter {
    bool quoted;
};

static size_t row_end(struct splitter *p, enum row_format format, struct span s)
{
    if (format != ROWS_CSV) {
        const uint8_t *end = memchr(s.p, '\n', s.n);
        return end ? (size_t)(end - s.p) : s.n;
    }
    for (size_t i = 0; i < s.n; i++) {
        p->quoted ^= s.p[i] == '"';
        if (s.p[i] == '\n' && !p->quoted)
            return i;
    }
    return s.n;
}

static void take_row(struct reading *k, struct dataset_file *f, enum row_format format,
                     struct span row)
{
    uint64_t empty = k->d->empty;
    bool header = f->rows == 0 && !f->has_rows && (format == ROWS_CSV || format == ROWS_TSV);
    f->has_rows = true;
    if (header)
        return;
    struct digest whole;
    if (k->cut)
        sha256_finish(k->row_sha, &whole);
    rows_add(&k->rows, format, row, k->cut ? &whole : NULL, &f->tokens);
    k->cut = false;
    f->rows += k->d->empty == empty; /* an empty line is no row */
}

/* A row longer than the limit is cut: what is beyond is hashed, and looked at no further. */
static void keep(struct reading *k, struct span part)
{
    size_t room = DATASET_MAX_LINE - k->row.n;
    if (!k->cut && part.n > room) {
        k->cut = true;
        sha256_start(k->row_sha);
        sha256_update(k->row_sha, k->row.p, k->row.n);
    }
    if (k->cut)
        sha256_update(k->row_sha, part.p, part.n);
    buf_put_span(&k->row, span_sub(part, 0, room));
}

static void take_chunk(struct reading *k, struct dataset_file *f, enum row_format format,
                       struct splitter *p, struct span s)
{
    while (s.n) {
        size_t n = row_end(p, format, s);
        if (n == s.n) {
            keep(k, s);
            return;
        }
        if (k->row.n) {
            keep(k, span_sub(s, 0, n));
            take_row(k, f, format, buf_span(&k->row));
            buf_clear(&k->row);
        } else
            take_row(k, f, format, span_sub(s, 0, n));
        s = span_sub(s, n + 1, s.n);
    }
}

static bool report(struct reading *k, size_t n)
{
    struct progress p = k->o->progress;
    k->done += n;
    return !p.report || p.report(p.arg, "reading the data set", k->done, 0) ||
           err_set(k->e, ERR_INTERRUPTED, "interrupted: nothing was recorded");
}

/* "text, label": as many as fit. */
static const char *column_names(const struct parquet *p, struct arena *a)
{
    struct buf b;
    buf_init(&b, COLUMNS_SHOWN + 4 * PARQUET_COLUMN_NAME);
    size_t i = 0;
    for (; i < p->named && b.n < COLUMNS_SHOWN; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", p->columns[i]);
    if (i < p->column_count)
        buf_printf(&b, " and %" PRIu64 " more", p->column_count - i);
    const char *names = arena_str(a, buf_span(&b));
    buf_free(&b);
    return names;
}

/* Parquet is hashed as a whole; its rows are as many as its footer says, and row groups must agree. */
static bool take_footer(struct reading *k, struct dataset_file *f, const struct source *src)
{
    struct parquet p;
    struct dataset *d = k->d;
    if (!parquet_read(&p, src, k->a, k->e))
        return false;
    f->by_footer = true;
    f->footer_rows = p.group_rows;
    f->row_groups = p.groups;
    if (p.rows != p.group_rows)
        dataset_note(
            d, "dataset.rows",
            arena_printf(k->a, "%s: %" PRIu64 " rows, says its Parquet footer", f->name, p.rows),
            arena_printf(k->a, "%" PRIu64 " in the row groups of that footer", p.group_rows), true);
    if (!d->columns && p.column_count)
        d->columns = column_names(&p, k->a);
    return true;
}

static bool read_source(struct reading *k, struct dataset_file *f, struct source *src)
{
    enum row_format format = row_format_of(f->name);
    bool rows = format != ROWS_NONE && format != ROWS_PARQUET;
    struct splitter p = {.quoted = false};
    f->bytes = source_size(src);
    sha256_start(k->sha);
    buf_clear(&k->row);
    k->cut = false;
    for (uint64_t at = 0; at < f->bytes;) {
        size_t n = f->bytes - at < CHUNK ? (size_t)(f->bytes - at) : CHUNK;
        if (!source_read(src, k->chunk, at, n, k->e) || !report(k, n))
            return false;
        sha256_update(k->sha, k->chunk, n);
        if (rows)
            take_chunk(k, f, format, &p, (struct span){k->chunk, n});
        at += n;
    }
    if (k->row.n)
        take_row(k, f, format, buf_span(&k->row));
    f->has_rows |= rows;
    sha256_finish(k->sha, &f->digest);
    return (format != ROWS_PARQUET || take_footer(k, f, src)) && source_unchanged(src, k->e);
}

/* A file that cannot be read is noted, and the rest is read all the same. */
static bool read_file(struct reading *k, const char *folder, struct dataset_file *f)
{
    struct source *src = NULL;
    struct err why = ERR_INIT, *outer = k->e;
    const char *path = folder ? arena_printf(k->a, "%s/%s", folder, f->name) : k->d->path;
    k->e = &why;
    f->read = path && source_open(&src, path, &why) && read_source(k, f, src);
    k->e = outer;
    source_close(src);
    if (f->read)
        return true;
    if (why.code == ERR_INTERRUPTED || why.code == ERR_MEMORY || !path)
        return err_set(k->e, path ? why.code : ERR_MEMORY, "%s", why.text);
    k->d->complete = false;
    const char *at = why.offset == ERR_NO_OFFSET ? "" : arena_printf(k->a, "@%" PRIu64, why.offset);
    dataset_note(k->d, "dataset.files", NULL, arena_printf(k->a, "%s%s: %s", f->name, at, why.text),
                 false);
    return true;
}

/* ---- all of it ---- */

static void put_prefixed(struct buf *out, const char *s)
{
    buf_put_u64be(out, strlen(s));
    buf_put_str(out, s);
}

/* docs/formats/identity.md, "Manifest root". */
static bool set_root(struct reading *k)
{
    static const char domain[] = "assay/file/v1";
    struct merkle tree;
    struct buf leaf;
    buf_init(&leaf, 1 << 16);
    merkle_start(&tree);
    for (size_t i = 0; i < k->d->file_count; i++) {
        const struct dataset_file *f = &k->d->files[i];
        buf_clear(&leaf);
        buf_put(&leaf, domain, sizeof domain);
        put_prefixed(&leaf, f->name);
        buf_put_u64be(&leaf, f->bytes);
        buf_put(&leaf, f->digest.b, DIGEST_SIZE);
        struct digest hash = merkle_leaf(buf_span(&leaf));
        merkle_append(&tree, &hash);
    }
    k->d->manifest_root = merkle_root(&tree);
    bool ok = buf_ok(&leaf);
    buf_free(&leaf);
    return ok || err_set(k->e, ERR_MEMORY, "out of memory for a root");
}

static void add_up(struct reading *k)
{
    struct dataset *d = k->d;
    d->has_tokens = k->o->tokenizer != NULL;
    for (size_t i = 0; i < d->file_count; i++) {
        d->bytes += d->files[i].bytes;
        d->rows += d->files[i].rows;
        d->tokens += d->files[i].tokens;
        d->has_rows |= d->files[i].has_rows;
        d->footer_rows += d->files[i].footer_rows;
        d->row_groups += d->files[i].row_groups;
        d->footer_files += d->files[i].by_footer;
    }
}

/* What was not measured of all rows is said, and what is not in the folder itself. */
static void note_limits(struct reading *k)
{
    struct dataset *d = k->d;
    if (k->links)
        dataset_note(
            d, "dataset.files", NULL,
            arena_printf(k->a, "%zu of the files are links; what they lead to was read", k->links),
            false);
    if (d->footer_files)
        dataset_note(d, "dataset.rows", NULL,
                     arena_printf(k->a,
                                  "the rows of %zu Parquet files are as many as their footers say; "
                                  "their texts were hashed with the files and not looked at",
                                  d->footer_files),
                     false);
    if (d->uncounted)
        dataset_note(d, "dataset.tokens", NULL,
                     arena_printf(k->a,
                                  "%" PRIu64 " texts are not UTF-8 or longer than %d MiB: their "
                                  "tokens are not counted, or in part",
                                  d->uncounted, DATASET_MAX_LINE >> 20),
                     false);
    if (!d->all_compared)
        dataset_note(d, "dataset.duplicates", NULL,
                     arena_printf(k->a,
                                  "looked for in the first %" PRIu64
                                  " rows: the folder for temporary files (TMPDIR) took no more",
                                  d->compared_rows),
                     false);
}

static bool read_all(struct reading *k, const char *folder)
{
    for (size_t i = 0; i < k->d->file_count; i++)
        if (!read_file(k, folder, &k->d->files[i]))
            return false;
    if (k->rows.failed || !buf_ok(&k->row))
        return err_set(k->e, ERR_MEMORY, "out of memory for the rows of a data set");
    if (!rows_finish(&k->rows, k->o->other, k->a, k->e))
        return false;
    add_up(k);
    note_limits(k);
    return set_root(k);
}

static const char *last_part(const char *path, struct arena *a)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    size_t from = n;
    while (from > 0 && path[from - 1] != '/')
        from--;
    return arena_str(a, (struct span){(const uint8_t *)path + from, n - from});
}

static bool read_path(struct reading *k)
{
    struct dataset *d = k->d;
    struct stat st;
    d->name = last_part(d->path, k->a);
    if (!d->name)
        return err_set(k->e, ERR_MEMORY, "out of memory for a data set");
    if (stat(d->path, &st) != 0)
        return err_errno(k->e, d->path, "cannot be opened");
    bool folder = S_ISDIR(st.st_mode);
    if (!(folder ? list(k, d->path, "", 0) : add_file(k, d->name)))
        return false;
    if (d->file_count == 0)
        return err_at(k->e, ERR_FORMAT, d->path, ERR_NO_OFFSET, "no file to read");
    qsort(d->files, d->file_count, sizeof *d->files, by_name);
    return read_all(k, folder ? d->path : NULL) &&
           dataset_find_card(d, folder, k->o->card, k->a, k->e);
}

bool dataset_read(struct dataset *out, const char *path, const struct dataset_options *o,
                  struct arena *a, struct err *e)
{
    *out = (struct dataset){.path = path, .complete = true, .hashes = row_set_new(0)};
    struct reading k = {.d = out,
                        .o = o,
                        .a = a,
                        .e = e,
                        .sha = sha256_new(),
                        .row_sha = sha256_new(),
                        .chunk = malloc(CHUNK)};
    buf_init(&k.row, DATASET_MAX_LINE + 1);
    rows_init(&k.rows, out, o->tokenizer);
    bool ok = (k.sha && k.row_sha && k.chunk && out->hashes) ||
              err_set(e, ERR_MEMORY, "out of memory for a data set");
    ok = ok && read_path(&k);
    if (ok)
        dataset_compare(out, a);
    rows_free(&k.rows);
    buf_free(&k.row);
    sha256_free(k.sha);
    sha256_free(k.row_sha);
    free(k.chunk);
    if (!ok)
        dataset_free(out);
    return ok;
}

void dataset_free(struct dataset *d)
{
    row_set_free(d->hashes);
    d->hashes = NULL;
}
