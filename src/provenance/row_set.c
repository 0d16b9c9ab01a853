/*
 * Sorted runs in a temporary file, merged by a heap of their heads. A run is
 * sorted by its bytes from the last to the first, which takes a fixed number of
 * passes whatever the rows are.
 */
#include "provenance/row_set.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/file.h"

enum { WINDOW = 2048 }; /* hashes of one run that are read at a time */

struct row_set {
    uint64_t *hashes, *scratch; /* the run at hand; sorted once finished */
    size_t n, memory;
    size_t runs; /* in the file, each of `memory` hashes */
    int fd;      /* -1: none is needed so far */
    bool full;   /* something was not kept */
};

struct row_set *row_set_new(size_t memory)
{
    struct row_set *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->fd = -1;
    s->memory = memory ? memory : ROW_SET_MEMORY;
    s->hashes = malloc(s->memory * sizeof *s->hashes);
    s->scratch = malloc(s->memory * sizeof *s->scratch);
    if (s->hashes && s->scratch)
        return s;
    row_set_free(s);
    return NULL;
}

void row_set_free(struct row_set *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->hashes);
    free(s->scratch);
    free(s);
}

/* ---- runs ---- */

/* One pass a byte, the lowest first; after eight of them the result is where it began. */
static void sort(struct row_set *s)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t at[256] = {0}, sum = 0;
        for (size_t i = 0; i < s->n; i++)
            at[s->hashes[i] >> shift & 0xff]++;
        for (size_t i = 0; i < 256; i++) {
            size_t count = at[i];
            at[i] = sum;
            sum += count;
        }
        for (size_t i = 0; i < s->n; i++)
            s->scratch[at[s->hashes[i] >> shift & 0xff]++] = s->hashes[i];
        uint64_t *sorted = s->scratch;
        s->scratch = s->hashes;
        s->hashes = sorted;
    }
}

/* A file that has no name, or, where the file system makes none (overlayfs of older kernels), loses it
 * at once. */
static int file_in(const char *folder)
{
    char path[PATH_MAX];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || snprintf(path, sizeof path, "%s/assay-XXXXXX", folder) >= (int)sizeof path)
        return fd;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    return fd;
}

/* A folder on a disk, as far as is known: /tmp is memory on many machines. */
static int temporary_file(void)
{
    const char *said = getenv("TMPDIR");
    const char *const folders[] = {said && *said ? said : "/var/tmp", "/var/tmp", "/tmp"};
    int fd = -1;
    for (size_t i = 0; i < 3 && fd < 0; i++)
        fd = file_in(folders[i]);
    return fd;
}

static void end_run(struct row_set *s)
{
    if (s->fd < 0)
        s->fd = temporary_file();
    sort(s);
    struct span run = {(const uint8_t *)s->hashes, s->n * sizeof *s->hashes};
    if (s->fd < 0 || s->runs == ROW_SET_RUNS || !file_write(s->fd, run)) {
        s->full = true; /* this run stays in memory, and nothing comes after it */
        return;
    }
    s->runs++;
    s->n = 0;
}

void row_set_add(struct row_set *s, uint64_t hash)
{
    if (s->n == s->memory && !s->full)
        end_run(s);
    if (!s->full)
        s->hashes[s->n++] = hash;
}

uint64_t row_set_kept(const struct row_set *s, bool *all)
{
    *all = !s->full;
    return (uint64_t)s->runs * s->memory + s->n;
}

/* ---- reading back in order ---- */

struct head {
    uint64_t hash;
    uint64_t next, end; /* of the run's hashes that are not in its window */
    size_t at, n;       /* in the window */
    uint64_t *window;
};

struct merge {
    const struct row_set *set;
    struct head *heads; /* a heap, the least first; the run in memory is one of them */
    size_t n;
    uint64_t *windows;
};

static bool fill(const struct row_set *s, struct head *h, struct err *e)
{
    size_t n = h->end - h->next < WINDOW ? (size_t)(h->end - h->next) : WINDOW;
    uint8_t *p = (uint8_t *)h->window;
    for (size_t left = n * sizeof *h->window, done = 0; left > 0;) {
        ssize_t got = pread(s->fd, p + done, left, (off_t)(h->next * sizeof *h->window + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return err_errno(e, NULL, "hashes of rows cannot be read back from a temporary file");
        done += (size_t)got;
        left -= (size_t)got;
    }
    h->next += n;
    h->at = 0;
    h->n = n;
    return true;
}

static void sink(struct merge *m, size_t i)
{
    struct head moved = m->heads[i];
    for (size_t child = 2 * i + 1; child < m->n; child = 2 * i + 1) {
        child += child + 1 < m->n && m->heads[child + 1].hash < m->heads[child].hash;
        if (m->heads[child].hash >= moved.hash)
            break;
        m->heads[i] = m->heads[child];
        i = child;
    }
    m->heads[i] = moved;
}

/* The next hash of heads[0] becomes its head; a run that is at its end leaves. */
static bool advance(struct merge *m, struct err *e)
{
    struct head *h = &m->heads[0];
    if (h->at == h->n && h->next < h->end && !fill(m->set, h, e))
        return false;
    if (h->at < h->n)
        h->hash = h->window[h->at++];
    else
        m->heads[0] = m->heads[--m->n];
    sink(m, 0);
    return true;
}

static void merge_free(struct merge *m)
{
    free(m->heads);
    free(m->windows);
}

static bool merge_start(struct merge *m, const struct row_set *s, struct err *e)
{
    *m = (struct merge){.set = s};
    m->heads = calloc(s->runs + 1, sizeof *m->heads);
    m->windows = calloc((s->runs + 1) * WINDOW, sizeof *m->windows);
    if (!m->heads || !m->windows)
        return err_set(e, ERR_MEMORY, "out of memory for the rows of a data set");
    if (s->n)
        m->heads[m->n++] =
            (struct head){.hash = s->hashes[0], .at = 1, .n = s->n, .window = s->hashes};
    for (size_t i = 0; i < s->runs; i++) {
        struct head h = {
            .next = i * s->memory, .end = (i + 1) * s->memory, .window = m->windows + i * WINDOW};
        if (!fill(s, &h, e))
            return false;
        h.hash = h.window[h.at++];
        m->heads[m->n++] = h;
    }
    for (size_t i = m->n / 2; i-- > 0;)
        sink(m, i);
    return true;
}

bool row_set_finish(struct row_set *s, uint64_t *repeated, struct err *e)
{
    struct merge m;
    uint64_t last = 0, n = 0;
    sort(s);
    free(s->scratch);
    s->scratch = NULL;
    bool ok = merge_start(&m, s, e);
    for (bool first = true; ok && m.n; first = false) {
        uint64_t hash = m.heads[0].hash;
        n += !first && hash == last;
        last = hash;
        ok = advance(&m, e);
    }
    merge_free(&m);
    *repeated = n;
    return ok;
}

bool row_set_shared(uint64_t *out, const struct row_set *s, const struct row_set *other,
                    struct err *e)
{
    struct merge a, b = {.n = 0};
    uint64_t n = 0;
    bool ok = merge_start(&a, s, e) && merge_start(&b, other, e);
    while (ok && a.n && b.n) {
        uint64_t mine = a.heads[0].hash, theirs = b.heads[0].hash;
        n += mine == theirs;
        ok = advance(mine <= theirs ? &a : &b, e);
    }
    merge_free(&a);
    merge_free(&b);
    *out = n;
    return ok;
}
