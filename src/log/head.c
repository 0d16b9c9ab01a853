/*
 * The head file: the newest signed checkpoint, outside the database, so that a
 * database that was rolled back or lost its WAL is noticed when it is opened.
 * The keeper signs and writes it, for neither a signature nor a file's two syncs belong
 * between a caller and its acknowledgement. It is never ahead: only what is committed is
 * signed, and whoever asks for a newer head has it signed at once.
 */
#include "log/store.h"

#include "assay/base/file.h"

/* What a copied note is of. */
struct head_at {
    uint64_t size, version;
};

void head_set(struct log *l, const struct merkle *tree)
{
    struct head *h = &l->head;
    pthread_mutex_lock(&h->lock);
    h->tree = *tree;
    h->version++;
    if (h->waiting)
        pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static bool sign(struct log *l, struct err *e)
{
    struct head *h = &l->head;
    struct checkpoint c = {
        .origin = l->origin, .size = h->tree.size, .root = merkle_root(&h->tree)};
    struct buf text;
    buf_init(&text, LOG_NOTE_MAX);
    checkpoint_put(&text, &c);
    buf_clear(&h->note);
    buf_put_span(&h->note, buf_span(&text));
    buf_put_u8(&h->note, '\n');
    pthread_rwlock_rdlock(&l->keys);
    bool ok = buf_ok(&text) && note_sign(&h->note, buf_span(&text), &l->name, l->key, e);
    pthread_rwlock_unlock(&l->keys);
    buf_free(&text);
    if (!ok || !buf_ok(&h->note))
        return err_set(e, ERR_MEMORY, "out of memory for a checkpoint");
    h->signed_version = h->version;
    return true;
}

static bool copy_note(struct log *l, struct buf *note, struct head_at *at, struct err *e)
{
    struct head *h = &l->head;
    pthread_mutex_lock(&h->lock);
    bool ok = h->signed_version == h->version || sign(l, e);
    if (ok)
        buf_put_span(note, buf_span(&h->note));
    *at = (struct head_at){h->tree.size, h->version};
    pthread_mutex_unlock(&h->lock);
    return ok && (buf_ok(note) || err_set(e, ERR_MEMORY, "out of memory for a checkpoint"));
}

bool head_note(struct log *l, struct buf *note, uint64_t *size, struct err *e)
{
    struct head_at at;
    bool ok = copy_note(l, note, &at, e);
    *size = at.size;
    return ok;
}

bool head_write(struct log *l, struct err *e)
{
    struct head *h = &l->head;
    struct buf note;
    struct head_at at;
    buf_init(&note, LOG_NOTE_MAX);
    bool ok =
        copy_note(l, &note, &at, e) &&
        (at.version == h->written || file_replace(l->path[PATH_HEAD], buf_span(&note), false, e));
    if (ok)
        h->written = at.version;
    buf_free(&note);
    return ok;
}
