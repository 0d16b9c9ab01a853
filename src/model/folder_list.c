/*
 * The names in one folder, sorted. Of more than are wanted the bytewise
 * smallest are kept, in a heap of fixed size, so that the choice depends on
 * the names alone and never on the order in which the file system gives them.
 */
#include "model/folder.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

struct heap {
    struct folder_name *v; /* the largest on top */
    size_t n, cap;
};

static void swap(struct heap *h, size_t i, size_t j)
{
    struct folder_name t = h->v[i];
    h->v[i] = h->v[j];
    h->v[j] = t;
}

static void rise(struct heap *h, size_t i)
{
    for (; i && strcmp(h->v[(i - 1) / 2].text, h->v[i].text) < 0; i = (i - 1) / 2)
        swap(h, i, (i - 1) / 2);
}

static void sink(struct heap *h)
{
    for (size_t i = 0, top = 0;; i = top) {
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < h->n; child++)
            if (strcmp(h->v[child].text, h->v[top].text) > 0)
                top = child;
        if (top == i)
            return;
        swap(h, i, top);
    }
}

/* False when out of memory. An evicted name's place is used again. */
static bool add(struct heap *h, struct arena *a, size_t most, const char *name, bool *more)
{
    enum { SIZE = sizeof((struct dirent *)0)->d_name };
    if (h->n == most) {
        *more = true;
        if (most && strcmp(name, h->v[0].text) < 0) {
            memcpy(h->v[0].text, name, strlen(name) + 1);
            sink(h);
        }
        return true;
    }
    struct folder_name *v = arena_grow(a, h->v, h->n, &h->cap, sizeof *v);
    char *text = v ? arena_alloc(a, SIZE) : NULL;
    if (!text)
        return false;
    memcpy(text, name, strlen(name) + 1);
    h->v = v;
    h->v[h->n].text = text;
    rise(h, h->n++);
    return true;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct folder_name *)a)->text, ((const struct folder_name *)b)->text);
}

bool folder_list(struct folder_names *out, const char *path, size_t most, struct arena *a)
{
    struct heap h = {0};
    DIR *d = opendir(path);
    *out = (struct folder_names){0};
    if (!d)
        return false;
    for (const struct dirent *e = readdir(d); e && !out->no_memory; e = readdir(d))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            out->no_memory = !add(&h, a, most, e->d_name, &out->more);
    closedir(d);
    if (h.n)
        qsort(h.v, h.n, sizeof *h.v, compare);
    out->v = h.v;
    out->n = h.n;
    return true;
}
