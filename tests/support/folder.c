/* Temporary folders for tests. */
#include "support/folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool folder_make(struct folder *f)
{
    const char *base = getenv("TMPDIR");
    snprintf(f->path, sizeof f->path, "%s/assay-XXXXXX", base && strlen(base) < 40 ? base : "/tmp");
    return mkdtemp(f->path) != NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void folder_remove(struct folder *f)
{
    if (f->path[0])
        nftw(f->path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
    f->path[0] = '\0';
}

const char *folder_path(const struct folder *f, const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *out = paths[next++ % 4];
    snprintf(out, sizeof paths[0], "%s/%s", f->path, name);
    return out;
}

static void make_parents(const struct folder *f, const char *name)
{
    char part[1024];
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - name), name);
        mkdir(folder_path(f, part), 0755);
    }
}

bool folder_put(const struct folder *f, const char *name, struct span bytes)
{
    make_parents(f, name);
    FILE *out = fopen(folder_path(f, name), "wb");
    if (!out)
        return false;
    bool ok = bytes.n == 0 || fwrite(bytes.p, 1, bytes.n, out) == bytes.n;
    return fclose(out) == 0 && ok;
}

bool folder_items(const struct folder *f, const struct folder_item *items, size_t n)
{
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        make_parents(f, items[i].name);
        const char *path = folder_path(f, items[i].name);
        if (items[i].kind == FOLDER_FILE)
            ok = folder_put(f, items[i].name, span_str(items[i].text));
        else if (items[i].kind == FOLDER_FOLDER)
            ok = mkdir(path, 0755) == 0;
        else if (items[i].kind == FOLDER_LINK)
            ok = symlink(items[i].text, path) == 0;
        else
            ok = mkfifo(path, 0600) == 0;
    }
    return ok;
}
