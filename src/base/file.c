/* Whole small files, durable and private. */
#include "assay/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(uint8_t *p, size_t n, int fd)
{
    while (n) {
        ssize_t got = read(fd, p, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

static bool acceptable(const struct stat *st, const char *path, size_t max, bool secret,
                       struct err *e)
{
    if (!S_ISREG(st->st_mode) || (uint64_t)st->st_size > max)
        return err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET, "not a regular file of at most %zu bytes",
                      max);
    if (secret && st->st_mode & 077)
        return err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET,
                      "others may read this secret (mode %03o); run: chmod 600 on it",
                      (unsigned)(st->st_mode & 0777));
    return true;
}

bool file_read(struct span *out, const char *path, size_t max, bool secret, struct arena *a,
               struct err *e)
{
    struct stat st;
    bool ok = false;
    *out = SPAN_EMPTY;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_errno(e, path, "cannot be opened");
    if (fstat(fd, &st) != 0)
        err_errno(e, path, "cannot be examined");
    else if (acceptable(&st, path, max, secret, e)) {
        uint8_t *p = arena_alloc(a, (size_t)st.st_size);
        ok = p && read_all(p, (size_t)st.st_size, fd);
        if (ok)
            *out = (struct span){p, (size_t)st.st_size};
        else
            err_at(e, p ? ERR_IO : ERR_MEMORY, path, ERR_NO_OFFSET, "cannot be read to its end");
    }
    close(fd);
    return ok;
}

bool file_write(int fd, struct span s)
{
    while (s.n) {
        ssize_t put = write(fd, s.p, s.n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        s = span_sub(s, (size_t)put, s.n);
    }
    return true;
}

static bool write_new(const char *path, struct span bytes, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(e, path, "cannot be created");
    bool ok = (file_write(fd, bytes) && fsync(fd) == 0) || err_errno(e, path, "cannot be written");
    close(fd);
    if (!ok)
        unlink(path);
    return ok;
}

static bool sync_folder(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = (fd >= 0 && fsync(fd) == 0) || err_errno(e, path, "the folder cannot be synced");
    if (fd >= 0)
        close(fd);
    free(folder);
    return ok;
}

bool file_create(const char *path, struct span bytes, struct err *e)
{
    if (!write_new(path, bytes, e))
        return false;
    bool ok = sync_folder(path, e);
    if (!ok)
        unlink(path);
    return ok;
}

static void overwrite(int fd)
{
    static const uint8_t zeros[4096];
    struct stat st;
    if (fstat(fd, &st) != 0)
        return;
    for (off_t at = 0; at < st.st_size; at += (off_t)sizeof zeros) {
        size_t n = st.st_size - at < (off_t)sizeof zeros ? (size_t)(st.st_size - at) : sizeof zeros;
        if (pwrite(fd, zeros, n, at) != (ssize_t)n)
            return;
    }
    fdatasync(fd);
}

static bool rename_over(const char *from, const char *to, bool erase, struct err *e)
{
    int old = erase ? open(to, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    bool ok = rename(from, to) == 0 || err_errno(e, to, "cannot be replaced");
    if (!ok)
        unlink(from);
    ok = ok && sync_folder(to, e);
    if (ok && old >= 0)
        overwrite(old);
    if (old >= 0)
        close(old);
    return ok;
}

bool file_replace(const char *path, struct span bytes, bool erase, struct err *e)
{
    size_t n = strlen(path) + sizeof ".new";
    char *temporary = malloc(n);
    if (!temporary)
        return err_at(e, ERR_MEMORY, path, ERR_NO_OFFSET, "out of memory");
    snprintf(temporary, n, "%s.new", path);
    bool ok = unlink(temporary) == 0 || errno == ENOENT ||
              err_errno(e, temporary, "a left-over cannot be removed");
    ok = ok && write_new(temporary, bytes, e) && rename_over(temporary, path, erase, e);
    free(temporary);
    return ok;
}
