/*
 * Space for what was promised. Before an intent is accepted, the WAL gets blocks of the
 * disk for its outcome, and every batch gets its own before it is begun: on a full disk
 * what has no blocks is refused by itself, and calls that were accepted can still end.
 * Blocks are allocated beyond the WAL's end, so nobody else can take them.
 */
#include "log/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FRAME = 4096 + 24,
    STEP = 1 << 20,
    BATCH_PAGES = 64,     /* of trees and indexes, whatever the batch holds */
    ENTRY_PAGES = 4,      /* of an entry's own: indexes are met in any order */
    OUTCOME_PAGES = 24,   /* of a batch that holds one outcome and nothing else */
    OUTCOME_LEAST = 8192, /* bytes of an outcome for which nothing was asked */
    SHM_PAGES = 4062,     /* frames that a block of the WAL's index tells of */
    SHM_BLOCK = 32768,
    SLOTS_FIRST = 256
};

/* ---- open calls and what each was promised ---- */

static size_t slot_of(const struct reserve *r, uint64_t seq)
{
    size_t i = (size_t)(seq * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (r->slots - 1);
    while (r->open[i].bytes && r->open[i].seq != seq)
        i = (i + 1) & (r->slots - 1);
    return i;
}

static bool grow(struct reserve *r)
{
    struct reserve larger = {.slots = r->slots ? 2 * r->slots : SLOTS_FIRST};
    larger.open = calloc(larger.slots, sizeof *larger.open);
    if (!larger.open)
        return false;
    for (size_t i = 0; i < r->slots; i++)
        if (r->open[i].bytes)
            larger.open[slot_of(&larger, r->open[i].seq)] = r->open[i];
    free(r->open);
    r->open = larger.open;
    r->slots = larger.slots;
    return true;
}

/* Out of memory: the outcome is not covered, and the disk is seldom full at the same time. */
void reserve_keep(struct reserve *r, uint64_t intent, uint64_t bytes)
{
    if (4 * (r->count + 1) > 3 * r->slots && !grow(r))
        return;
    size_t i = slot_of(r, intent);
    r->count += r->open[i].bytes == 0;
    r->promised += bytes - r->open[i].bytes;
    r->open[i].seq = intent;
    r->open[i].bytes = bytes;
}

void reserve_release(struct reserve *r, uint64_t intent)
{
    size_t hole = r->slots ? slot_of(r, intent) : 0;
    if (r->slots == 0 || r->open[hole].bytes == 0)
        return;
    r->promised -= r->open[hole].bytes;
    r->count--;
    r->open[hole].bytes = 0;
    /* Who stands behind it may have been meant to stand here. */
    for (size_t i = (hole + 1) & (r->slots - 1); r->open[i].bytes; i = (i + 1) & (r->slots - 1)) {
        uint64_t seq = r->open[i].seq, bytes = r->open[i].bytes;
        r->open[i].bytes = 0;
        size_t to = slot_of(r, seq);
        r->open[to].seq = seq;
        r->open[to].bytes = bytes;
    }
}

void reserve_free(struct reserve *r)
{
    if (r->index)
        close(r->index - 1);
    free(r->open);
    *r = (struct reserve){.open = NULL};
}

/* ---- blocks ---- */

static int open_beside(const char *db, const char *suffix)
{
    char *path = NULL;
    if (asprintf(&path, "%s%s", db, suffix) < 0)
        return -1;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    free(path);
    return fd;
}

static bool allocate(int fd, uint64_t bytes)
{
    /* A file system that cannot promise blocks promises none. */
    return fd < 0 || fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) == 0 ||
           (errno != ENOSPC && errno != EDQUOT);
}

static bool allocate_wal(const char *db, uint64_t bytes)
{
    int fd = open_beside(db, "-wal");
    bool ok = allocate(fd, bytes);
    if (fd >= 0)
        close(fd);
    return ok;
}

/*
 * SQLite's locks on the index are this process's, and closing any descriptor of the file would
 * drop them (POSIX): the next reader would take the database for unowned and truncate
 * the index under us. So the descriptor stays open until SQLite has closed.
 */
static bool allocate_index(struct reserve *r, const char *db, uint64_t bytes)
{
    if (r->index == 0)
        r->index = open_beside(db, "-shm") + 1;
    return allocate(r->index - 1, bytes);
}

static bool have(struct log *l, uint64_t bytes)
{
    struct reserve *r = &l->store.reserve;
    uint64_t index = (bytes / FRAME / SHM_PAGES + 1) * SHM_BLOCK;
    if (bytes <= r->room)
        return true;
    if (!allocate_wal(l->path[PATH_DB], bytes) || !allocate_index(r, l->path[PATH_DB], index))
        return false;
    r->room = bytes;
    return true;
}

/* ---- a batch ---- */

static uint64_t size_of(const struct item *i)
{
    return i->body.n + i->content.n;
}

static uint64_t allowed(const struct item *intent)
{
    return intent->reserve + intent->reserve / 4 + OUTCOME_LEAST;
}

uint64_t reserve_wanted(const struct item *intent)
{
    return OUTCOME_PAGES * FRAME + allowed(intent) + allowed(intent) / 16;
}

/* An outcome whose intent was promised as much as it takes. */
static bool covered(const struct reserve *r, const struct item *i)
{
    if (!i->index.has_intent || r->slots == 0)
        return false;
    uint64_t bytes = r->open[slot_of(r, i->index.intent)].bytes;
    return bytes >= OUTCOME_PAGES * FRAME + size_of(i) + size_of(i) / 16;
}

static uint64_t wanted(const struct item *i)
{
    uint64_t own = ENTRY_PAGES * FRAME + size_of(i) + size_of(i) / 16 + 256 * i->field_count;
    return own + (i->kind == RECORD_CALL_INTENT ? reserve_wanted(i) : 0);
}

static bool full(struct err *e)
{
    return err_set(
        e, ERR_LIMIT,
        "the disk is full: free space and try again; calls that were accepted can still end");
}

static void refuse(struct item *i)
{
    i->refused = true;
    full(&i->receipt.error);
}

static bool have_beside_promises(struct log *l, uint64_t more)
{
    const struct reserve *r = &l->store.reserve;
    uint64_t need = (l->store.wal_end + 1) * FRAME + r->promised + more;
    return need <= r->room || have(l, (need + STEP - 1) / STEP * STEP) || have(l, need);
}

void reserve_again(struct log *l)
{
    l->store.wal_end = l->store.reserve.room = 0;
    if (l->store.reserve.promised && !have_beside_promises(l, 0))
        l->store.reserve.room = 0; /* said again by the next batch */
}

/* With a head that found no room, what the log itself could still take would end unsaid. */
bool reserve_order(struct log *l, uint64_t pages, struct err *e)
{
    return (have_beside_promises(l, (pages + BATCH_PAGES) * FRAME) &&
            !atomic_load(&l->head.full)) ||
           full(e);
}

bool reserve_batch(struct log *l, struct item *items)
{
    struct reserve *r = &l->store.reserve;
    uint64_t more = 0;
    for (struct item *i = items; i; i = i->next)
        if (!covered(r, i))
            more += wanted(i);
    if (more == 0)
        return false;
    bool room = have_beside_promises(l, more + BATCH_PAGES * FRAME);
    if (room && !atomic_load(&l->head.full))
        return true;
    for (struct item *i = items; i; i = i->next)
        if (!covered(r, i))
            refuse(i);
    return false;
}
