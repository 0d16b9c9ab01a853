/*
 * The file behind a model writer: made beside its place, filled in order,
 * synced and renamed when every byte that its header promised is there.
 */
#include "model/write.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/file.h"

/* Zeros that bring `offset` to the alignment. */
static uint64_t padding(const struct model_writer *w, uint64_t offset)
{
    return (w->alignment - offset % w->alignment) % w->alignment;
}

uint64_t writer_offset(const struct model_writer *w, size_t i)
{
    return i == 0 ? 0 : w->ends[i - 1] + padding(w, w->ends[i - 1]);
}

static bool lay_out(struct model_writer *w, const struct write_tensor *tensors, struct err *e)
{
    for (size_t i = 0; i < w->count; i++) {
        uint64_t elements = 1, bytes;
        bool fits = tensors[i].dtype != DTYPE_NONE && tensors[i].rank <= MODEL_MAX_RANK;
        for (uint32_t d = 0; fits && d < tensors[i].rank; d++)
            fits = size_mul(&elements, elements, tensors[i].shape[d]);
        if (!fits || !dtype_size(tensors[i].dtype, elements, &bytes) || bytes > INT64_MAX / 2 ||
            !size_add(&w->ends[i], writer_offset(w, i), bytes) || w->ends[i] > INT64_MAX / 2)
            return err_at(e, ERR_LIMIT, w->path, ERR_NO_OFFSET,
                          "tensor \"%.*s\" has a type, rank or size that cannot be written",
                          (int)tensors[i].name.n, (const char *)tensors[i].name.p);
    }
    return true;
}

bool writer_new(struct model_writer **out, const char *path, const struct write_tensor *tensors,
                size_t count, uint64_t alignment, struct err *e)
{
    struct model_writer *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w)
        return err_set(e, ERR_MEMORY, "out of memory for a model's header");
    w->fd = -1;
    w->count = count;
    w->alignment = alignment;
    buf_init(&w->header, WRITE_MAX_HEADER);
    w->ends = calloc(count + 1, sizeof *w->ends);
    w->path = strdup(path);
    size_t room = strlen(path) + sizeof ".new";
    w->temporary = malloc(room);
    bool ok = w->ends && w->path && w->temporary;
    if (!ok)
        err_set(e, ERR_MEMORY, "out of memory for a model's header");
    else
        snprintf(w->temporary, room, "%s.new", path);
    if (!ok || !lay_out(w, tensors, e)) {
        model_writer_abort(w);
        return false;
    }
    *out = w;
    return true;
}

static bool put(struct model_writer *w, struct span s, struct err *e)
{
    return file_write(w->fd, s) || err_errno(e, w->temporary, "cannot be written");
}

bool writer_open(struct model_writer **out, struct err *e)
{
    struct model_writer *w = *out;
    bool ok =
        buf_ok(&w->header) || err_at(e, ERR_LIMIT, w->path, ERR_NO_OFFSET,
                                     "the header would take more than %d bytes", WRITE_MAX_HEADER);
    if (ok) {
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        ok = (w->fd >= 0 || err_errno(e, w->temporary, "cannot be created")) &&
             put(w, buf_span(&w->header), e);
    }
    buf_free(&w->header);
    if (!ok) {
        model_writer_abort(w);
        *out = NULL;
    }
    return ok;
}

/* Zeros to the next tensor, or to the end of the last one's block. */
static bool close_tensor(struct model_writer *w, struct err *e)
{
    static const uint8_t zeros[GGUF_ALIGNMENT];
    size_t n = (size_t)padding(w, w->written);
    w->at++;
    w->written += n;
    return n == 0 || put(w, (struct span){zeros, n}, e);
}

bool model_writer_put(struct model_writer *w, const void *p, size_t n, struct err *e)
{
    struct span left = {p, n};
    while (left.n) {
        while (w->at < w->count && w->written == w->ends[w->at])
            if (!close_tensor(w, e))
                return false;
        if (w->at == w->count)
            return err_at(e, ERR_FORMAT, w->path, ERR_NO_OFFSET,
                          "more bytes than the tensors of the header hold");
        uint64_t room = w->ends[w->at] - w->written;
        size_t take = left.n < room ? left.n : (size_t)room;
        if (!put(w, span_sub(left, 0, take), e))
            return false;
        w->written += take;
        left = span_sub(left, take, left.n);
    }
    return true;
}

bool model_writer_finish(struct model_writer *w, struct err *e)
{
    bool ok = true;
    while (ok && w->at < w->count && w->written == w->ends[w->at])
        ok = close_tensor(w, e);
    if (ok && w->at < w->count)
        ok = err_at(e, ERR_FORMAT, w->path, ERR_NO_OFFSET,
                    "fewer bytes than the tensors of the header hold");
    ok = ok && (fsync(w->fd) == 0 || err_errno(e, w->temporary, "cannot be synced")) &&
         (rename(w->temporary, w->path) == 0 || err_errno(e, w->path, "cannot be replaced"));
    if (ok) { /* nothing of that name is left to be removed */
        free(w->temporary);
        w->temporary = NULL;
    }
    model_writer_abort(w);
    return ok;
}

void model_writer_abort(struct model_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0) {
        close(w->fd);
        if (w->temporary)
            unlink(w->temporary);
    }
    buf_free(&w->header);
    free(w->ends);
    free(w->path);
    free(w->temporary);
    free(w);
}
