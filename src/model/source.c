/*
 * One open descriptor per file, read with pread only: a mapping would turn a
 * file that shrinks into a signal. The window is reserved address space that
 * becomes readable step by step, so spans into it stay where they are.
 */
#include "assay/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STEP_FIRST = 1 << 20, /* the window grows at least by this */
    STEP_MOST = 16 << 20, /* and at most by this more than is asked for */
    READ_MOST = 1 << 30   /* one pread; Linux itself stops at 2 GiB - 4 KiB */
};

struct source {
    int fd; /* -1: over memory */
    char *path;
    struct source_stamp stamp;
    uint8_t *window; /* reserved, readable up to avail; NULL before the first cursor */
    const uint8_t *base;
    size_t reserved, avail;
    struct err error; /* why the window did not grow */
};

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct source_stamp stamp_of(const struct stat *st)
{
    return (struct source_stamp){.device = st->st_dev,
                                 .inode = st->st_ino,
                                 .size = (uint64_t)st->st_size,
                                 .mtime_ns = nanoseconds(st->st_mtim),
                                 .ctime_ns = nanoseconds(st->st_ctim)};
}

static const char *kind_of(mode_t mode)
{
    static const struct {
        mode_t type;
        const char *name;
    } kinds[] = {{S_IFDIR, "a folder"},
                 {S_IFIFO, "a FIFO"},
                 {S_IFSOCK, "a socket"},
                 {S_IFCHR, "a character device"},
                 {S_IFBLK, "a block device"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((mode & S_IFMT) == kinds[i].type)
            return kinds[i].name;
    return "not a regular file";
}

static bool open_regular(struct source *s, struct err *e)
{
    do
        s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (s->fd < 0 && errno == EINTR);
    if (s->fd < 0)
        return err_errno(e, s->path, "cannot be opened");
    struct stat st;
    if (fstat(s->fd, &st) != 0)
        return err_errno(e, s->path, "cannot be examined");
    if (!S_ISREG(st.st_mode))
        return err_at(e, ERR_IO, s->path, ERR_NO_OFFSET,
                      "is %s; only regular files are read: name a file or a model's folder",
                      kind_of(st.st_mode));
    s->stamp = stamp_of(&st);
    return true;
}

static struct source *source_new(const char *path, struct err *e)
{
    struct source *s = calloc(1, sizeof *s);
    char *copy = s ? strdup(path) : NULL;
    if (!copy) {
        free(s);
        err_at(e, ERR_MEMORY, path, ERR_NO_OFFSET, "out of memory while opening");
        return NULL;
    }
    s->fd = -1;
    s->path = copy;
    s->error = (struct err)ERR_INIT;
    return s;
}

bool source_open(struct source **out, const char *path, struct err *e)
{
    *out = NULL;
    struct source *s = source_new(path, e);
    if (!s)
        return false;
    if (!open_regular(s, e)) {
        source_close(s);
        return false;
    }
    *out = s;
    return true;
}

bool source_memory(struct source **out, const char *name, struct span bytes, struct err *e)
{
    struct source *s = *out = source_new(name, e);
    if (!s)
        return false;
    s->base = bytes.p;
    s->avail = s->reserved = bytes.n;
    s->stamp.size = bytes.n;
    return true;
}

void source_close(struct source *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    if (s->window)
        munmap(s->window, s->reserved);
    free(s->path);
    free(s);
}

uint64_t source_size(const struct source *s)
{
    return s->stamp.size;
}

const char *source_path(const struct source *s)
{
    return s->path;
}

struct source_stamp source_stamp(const struct source *s)
{
    return s->stamp;
}

uint64_t source_window(const struct source *s)
{
    return s->avail;
}

bool source_check(const struct source *s, struct err *e)
{
    const struct err *own = &s->error;
    return own->code == ERR_NONE || err_at(e, own->code, own->file, own->offset, "%s", own->text);
}

static bool read_at(const struct source *s, uint8_t *p, uint64_t offset, size_t n, struct err *e)
{
    while (n > 0) {
        ssize_t got = pread(s->fd, p, n < READ_MOST ? n : READ_MOST, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            err_errno(e, s->path, "cannot be read");
            if (e && e->offset == ERR_NO_OFFSET)
                e->offset = offset;
            return false;
        }
        if (got == 0)
            return err_at(e, ERR_CHANGED, s->path, offset,
                          "the file ends here and had %llu bytes when it was opened",
                          (unsigned long long)s->stamp.size);
        p += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

bool source_read(const struct source *s, void *buf, uint64_t offset, size_t n, struct err *e)
{
    if (offset > s->stamp.size || n > s->stamp.size - offset)
        return err_at(e, ERR_FORMAT, s->path, offset,
                      "%zu bytes were asked for and the file has %llu", n,
                      (unsigned long long)s->stamp.size);
    if (s->fd < 0) {
        if (n)
            memcpy(buf, s->base + offset, n);
        return true;
    }
    return read_at(s, buf, offset, n, e);
}

bool source_unchanged(const struct source *s, struct err *e)
{
    if (s->fd < 0)
        return true;
    struct stat st;
    if (fstat(s->fd, &st) != 0)
        return err_errno(e, s->path, "cannot be examined");
    struct source_stamp now = stamp_of(&st);
    if (now.size == s->stamp.size && now.mtime_ns == s->stamp.mtime_ns &&
        now.ctime_ns == s->stamp.ctime_ns)
        return true;
    return err_at(e, ERR_CHANGED, s->path, ERR_NO_OFFSET,
                  "changed while it was read (%llu bytes before, %llu now)",
                  (unsigned long long)s->stamp.size, (unsigned long long)now.size);
}

/* Where the window ends after it has grown to hold `need` bytes. */
static size_t next_step(const struct source *s, size_t need)
{
    size_t step = s->avail < STEP_FIRST ? STEP_FIRST : s->avail;
    if (step > STEP_MOST)
        step = STEP_MOST;
    size_t end = s->reserved - s->avail < step ? s->reserved : s->avail + step;
    return end < need ? need : end;
}

static size_t grow_window(void *arg, size_t need)
{
    struct source *s = arg;
    if (need <= s->avail || s->error.code != ERR_NONE || need > s->reserved)
        return s->avail;
    size_t end = next_step(s, need);
    if (mprotect(s->window, end, PROT_READ | PROT_WRITE) != 0)
        err_at(&s->error, ERR_MEMORY, s->path, s->avail, "out of memory while reading");
    else if (read_at(s, s->window + s->avail, s->avail, end - s->avail, &s->error))
        s->avail = end;
    return s->avail;
}

/* Address space only: no memory is used before a byte is read into it. */
static void reserve(struct source *s, uint64_t n)
{
    if (n == 0 || s->fd < 0 || s->window)
        return;
    void *p = MAP_FAILED;
    if (n <= SIZE_MAX)
        p = mmap(NULL, (size_t)n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        err_at(&s->error, ERR_MEMORY, s->path, 0, "no address space for %llu bytes",
               (unsigned long long)n);
        return;
    }
    s->window = p;
    s->base = p;
    s->reserved = (size_t)n;
}

struct cursor source_cursor(struct source *s, uint64_t limit)
{
    uint64_t size = s->stamp.size;
    reserve(s, limit < size ? limit : size);
    if (s->fd >= 0 && s->window && limit > s->reserved)
        limit = s->reserved;
    return (struct cursor){.base = s->base,
                           .avail = s->avail,
                           .size = (size_t)size,
                           .limit = limit < size ? (size_t)limit : 0,
                           .fill = s->fd < 0 ? NULL : grow_window,
                           .fill_arg = s};
}
