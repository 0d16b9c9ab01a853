/*
 * Everything below a folder, in one order whatever the file system's. Nothing
 * but folders and regular files is ever opened; links are followed to files
 * only, so that no link can lead the walk out of the folder or round in it.
 */
#include "model/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "assay/base/text.h"

struct walk {
    struct model *m;
    struct arena *scratch;
    char *root; /* the folder without links */
    struct found *found;
    size_t count, cap;
    size_t entries;     /* of all folders, against MODEL_MAX_FILES */
    size_t cache_links; /* into the blobs of a Hugging Face cache */
    bool full, no_memory;
    struct stat above[MODEL_MAX_DEPTH + 1]; /* the folders that the walk stands in */
};

struct place {
    const char *name; /* relative, "" for the folder itself */
    const char *path;
    unsigned depth;
};

static struct origin nowhere(void)
{
    return ORIGIN_NOWHERE;
}

static void note(struct walk *w, enum rule_id rule, const char *name, const char *what)
{
    char shown[FOLDER_SHOWN];
    verdict_add(&w->m->verdict, rule, nowhere(), "%s: %s",
                text_shown(shown, sizeof shown, span_str(name)), what);
}

static void note_unread(struct walk *w, enum rule_id rule, const char *name, const char *what)
{
    note(w, rule, name, what);
    model_incomplete(w->m, ORIGIN_NO_FILE);
}

static void check_name(struct walk *w, const char *name)
{
    struct span s = span_str(name);
    if (utf8_invalid(s) != TEXT_VALID) {
        note(w, RULE_FOLDER_NAME, name, "the name is not UTF-8");
        return;
    }
    for (size_t i = 0; i < s.n;)
        if (unicode_is_hidden(utf8_next(s, &i))) {
            note(w, RULE_FOLDER_NAME, name, "the name holds characters that cannot be seen");
            return;
        }
}

static void add_file(struct walk *w, struct place p, bool outside)
{
    struct found *all = arena_grow(w->scratch, w->found, w->count, &w->cap, sizeof *all);
    w->no_memory = w->no_memory || !all;
    if (!all)
        return;
    w->found = all;
    all[w->count++] = (struct found){p.name, p.path, outside};
}

/* ---- links ---- */

static bool below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || folder[n - 1] == '/');
}

static bool is_hex(const char *s)
{
    return strspn(s, "0123456789abcdef") == strlen(s) && (strlen(s) == 40 || strlen(s) == 64);
}

/* models--X/snapshots/REVISION/file -> models--X/blobs/HEX */
static bool is_cache_link(const struct walk *w, const char *target)
{
    const char *slash = strrchr(w->root, '/');
    const char *blob = strrchr(target, '/');
    const char *snapshots = "/snapshots", *blobs = "/blobs";
    size_t stem = slash ? (size_t)(slash - w->root) : 0;
    if (stem <= strlen(snapshots) || !blob || !is_hex(blob + 1))
        return false;
    stem -= strlen(snapshots);
    return strncmp(w->root + stem, snapshots, strlen(snapshots)) == 0 &&
           (size_t)(blob - target) == stem + strlen(blobs) && strncmp(target, w->root, stem) == 0 &&
           strncmp(target + stem, blobs, strlen(blobs)) == 0;
}

/* A link to a folder is not followed: inside, its files are listed where they stand. */
static void meet_folder_link(struct walk *w, struct place in, struct place p, const char *target)
{
    size_t n = strlen(target);
    if (strcmp(target, w->root) != 0 && !below(target, w->root)) {
        note_unread(w, RULE_FOLDER_LINK_FOLDER, p.name,
                    "the link leads to a folder outside and was not followed");
        return;
    }
    char *real = realpath(in.path, NULL);
    bool loop = real && strncmp(real, target, n) == 0 && (real[n] == '/' || !real[n]);
    free(real);
    if (loop)
        note(w, RULE_FOLDER_LOOP, p.name, "the link leads to a folder that it stands in");
    else
        note(w, RULE_FOLDER_ALIAS, p.name, "the link leads to a folder that is read where it is");
}

static void meet_link(struct walk *w, struct place in, struct place p)
{
    struct stat st;
    char *target = realpath(p.path, NULL);
    bool followed = target && stat(p.path, &st) == 0;
    int why = errno;
    if (!followed && why == ELOOP)
        note_unread(w, RULE_FOLDER_LOOP, p.name, "links lead to one another");
    else if (!followed)
        note_unread(w, RULE_FOLDER_LINK_BROKEN, p.name, strerror(why));
    else if (S_ISDIR(st.st_mode))
        meet_folder_link(w, in, p, target);
    else if (!S_ISREG(st.st_mode))
        note_unread(w, RULE_FOLDER_SPECIAL, p.name, "a link to a FIFO, socket or device");
    else if (below(target, w->root))
        add_file(w, p, false);
    else {
        if (is_cache_link(w, target))
            w->cache_links++;
        else
            note(w, RULE_FOLDER_LINK_FILE, p.name, "the link leads to a file outside");
        add_file(w, p, true);
    }
    free(target);
}

/* ---- folders ---- */

/* What tools keep for themselves beside a model. */
static bool is_skipped(struct place p)
{
    return strcmp(p.name, ".git") == 0 || strcmp(p.name, ".cache/huggingface") == 0;
}

static void walk_into(struct walk *w, struct place p);

static void meet_folder(struct walk *w, struct place p, const struct stat *st)
{
    bool again = false;
    for (unsigned i = 0; i < p.depth; i++)
        again = again || (w->above[i].st_dev == st->st_dev && w->above[i].st_ino == st->st_ino);
    if (is_skipped(p))
        note(w, RULE_FOLDER_SKIPPED, p.name, "a folder of tools; not read");
    else if (again)
        note(w, RULE_FOLDER_LOOP, p.name, "the folder is one of those that it stands in");
    else if (p.depth > MODEL_MAX_DEPTH)
        note_unread(w, RULE_READ_LIMIT, p.name, "folders are nested too deep; not read");
    else
        walk_into(w, p);
}

static void meet(struct walk *w, struct place in, const char *base)
{
    struct stat st;
    struct place p = {.name =
                          arena_printf(w->scratch, "%s%s%s", in.name, *in.name ? "/" : "", base),
                      .path = arena_printf(w->scratch, "%s/%s", in.path, base),
                      .depth = in.depth + 1};
    if (!p.name || !p.path) {
        w->no_memory = true;
        return;
    }
    check_name(w, p.name);
    if (lstat(p.path, &st) != 0)
        note_unread(w, RULE_READ_OPEN, p.name, strerror(errno));
    else if (S_ISREG(st.st_mode))
        add_file(w, p, false);
    else if (S_ISLNK(st.st_mode))
        meet_link(w, in, p);
    else if (S_ISDIR(st.st_mode))
        meet_folder(w, p, &st);
    else
        note_unread(w, RULE_FOLDER_SPECIAL, p.name, "a FIFO, socket or device; never opened");
}

static void walk_into(struct walk *w, struct place p)
{
    struct folder_names names;
    if (stat(p.path, &w->above[p.depth]) != 0 ||
        !folder_list(&names, p.path, MODEL_MAX_FILES - w->entries, w->scratch)) {
        note_unread(w, RULE_READ_OPEN, *p.name ? p.name : ".", strerror(errno));
        return;
    }
    w->entries += names.n;
    w->full = w->full || names.more;
    w->no_memory = w->no_memory || names.no_memory;
    for (size_t i = 0; i < names.n && !w->no_memory; i++)
        meet(w, p, names.v[i].text);
}

static int compare_found(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

static bool keep(struct walk *w, struct found **out)
{
    struct found *all = arena_array(w->m->arena, w->count + 1, sizeof *all);
    if (!all)
        return false;
    for (size_t i = 0; i < w->count; i++) {
        all[i] = w->found[i];
        all[i].name = arena_str(w->m->arena, span_str(w->found[i].name));
        all[i].path = arena_str(w->m->arena, span_str(w->found[i].path));
        if (!all[i].name || !all[i].path)
            return false;
    }
    qsort(all, w->count, sizeof *all, compare_found);
    *out = all;
    return true;
}

static bool opens(const char *path, struct err *e)
{
    DIR *d = opendir(path);
    if (!d)
        return err_errno(e, path, "the folder cannot be opened");
    closedir(d);
    return true;
}

bool folder_walk(struct model *m, struct found **out, size_t *count, struct err *e)
{
    struct walk w = {.m = m};
    if (!opens(m->path, e))
        return false;
    w.scratch = arena_new((size_t)1 << 30);
    w.root = realpath(m->path, NULL);
    w.no_memory = !w.scratch || !w.root;
    if (!w.no_memory)
        walk_into(&w, (struct place){"", m->path, 0});
    if (w.full) {
        verdict_add(&m->verdict, RULE_READ_LIMIT, nowhere(),
                    "the folder holds more than %d files and folders; the rest was not listed",
                    MODEL_MAX_FILES);
        model_incomplete(m, ORIGIN_NO_FILE);
    }
    if (w.cache_links)
        verdict_add(&m->verdict, RULE_FOLDER_CACHE, nowhere(),
                    "%zu files are links into the blobs of a Hugging Face cache", w.cache_links);
    *count = w.count;
    bool ok = !w.no_memory && keep(&w, out);
    free(w.root);
    arena_free(w.scratch);
    return ok || err_at(e, ERR_MEMORY, m->path, ERR_NO_OFFSET, "out of memory");
}
