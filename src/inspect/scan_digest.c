/*
 * SHA-256 of a file and of its tensors from one read of its bytes.
 *
 * A file's digest is one sequential stream and the tensors' are another, so
 * two lanes follow each other through a ring of chunks, each on a core of its
 * own. Whichever lane needs bytes that nobody has read yet reads them, which
 * shares the copying evenly and costs no thread that only reads.
 */
#include "inspect/scan.h"

#include <stdlib.h>

enum { LANES = 2 };

struct chunk {
    uint64_t number;
    unsigned users; /* lanes that still need it; 0: free */
    bool ready;
};

struct ring {
    struct scan_state *state;
    uint32_t file;
    uint64_t size, chunks; /* of the file */
    uint64_t next;         /* first chunk that nobody has begun to read */
    uint64_t end;          /* first chunk that cannot be had; all before it can */
    struct err err;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct chunk chunk[SCAN_RING];
    uint8_t *bytes; /* SCAN_RING chunks */
};

/* What one lane does with the next bytes of the file. */
struct lane {
    struct ring *ring;
    struct sha256 *sha;
    void (*feed)(struct lane *l, uint64_t offset, const uint8_t *p, size_t n);
    size_t at; /* tensor lane: the range that is next */
};

static size_t chunk_size(const struct ring *r, uint64_t number)
{
    uint64_t left = r->size - number * SCAN_CHUNK;
    return left < SCAN_CHUNK ? (size_t)left : SCAN_CHUNK;
}

/* With the lock held, which is dropped while reading. */
static void read_next(struct ring *r)
{
    uint64_t number = r->next++;
    struct chunk *c = &r->chunk[number % SCAN_RING];
    struct err e = ERR_INIT;
    *c = (struct chunk){.number = number, .users = LANES};
    pthread_mutex_unlock(&r->lock);
    bool ok = scan_read(r->state, r->file, r->bytes + (number % SCAN_RING) * SCAN_CHUNK,
                        number * SCAN_CHUNK, chunk_size(r, number), &e);
    pthread_mutex_lock(&r->lock);
    c->ready = ok;
    if (!ok && number < r->end) {
        r->end = number;
        r->err = e;
    }
    pthread_cond_broadcast(&r->changed);
}

/* Chunk `number`, or NULL when it cannot be had. */
static const uint8_t *take(struct ring *r, uint64_t number)
{
    const struct chunk *c = &r->chunk[number % SCAN_RING];
    const uint8_t *p = NULL;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        if (c->users && c->number == number && c->ready) {
            p = r->bytes + (number % SCAN_RING) * SCAN_CHUNK;
            break;
        }
        if (number >= r->end)
            break;
        if (r->next < r->end && r->chunk[r->next % SCAN_RING].users == 0)
            read_next(r);
        else
            pthread_cond_wait(&r->changed, &r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return p;
}

static void give_back(struct ring *r, uint64_t number)
{
    pthread_mutex_lock(&r->lock);
    if (--r->chunk[number % SCAN_RING].users == 0)
        pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void give_up(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    r->end = 0;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void feed_file(struct lane *l, uint64_t offset, const uint8_t *p, size_t n)
{
    struct ring *r = l->ring;
    if (offset == 0)
        sha256_start(l->sha);
    sha256_update(l->sha, p, n);
    if (offset + n == r->size) {
        sha256_finish(l->sha, &r->state->out->file[r->file]);
        r->state->out->file_ok[r->file] = true;
    }
    if (!scan_advance(r->state, n))
        give_up(r);
}

/* Every streamed range that ends in these bytes is finished; one may stay open. */
static void feed_tensors(struct lane *l, uint64_t offset, const uint8_t *p, size_t n)
{
    struct scan_state *s = l->ring->state;
    const struct scan_file *f = &s->files[l->ring->file];
    for (; l->at < f->range_count; l->at++) {
        const struct scan_range *r = &f->ranges[l->at];
        if (r->digest != RANGE_STREAM || r->length == 0)
            continue;
        if (r->offset >= offset + n)
            return;
        uint64_t from = r->offset > offset ? r->offset : offset;
        uint64_t end = r->offset + r->length, to = end < offset + n ? end : offset + n;
        if (from == r->offset)
            sha256_start(l->sha);
        sha256_update(l->sha, p + (from - offset), (size_t)(to - from));
        if (to < end)
            return;
        sha256_finish(l->sha, &s->out->tensor[r->tensor]);
        s->out->tensor_ok[r->tensor] = true;
    }
}

static void run_lane(struct lane *l)
{
    struct ring *r = l->ring;
    for (uint64_t i = 0; i < r->chunks; i++) {
        const uint8_t *p = take(r, i);
        if (!p)
            return;
        l->feed(l, i * SCAN_CHUNK, p, chunk_size(r, i));
        give_back(r, i);
    }
}

static void *lane_thread(void *lane)
{
    run_lane(lane);
    return NULL;
}

/* Both lanes on this thread: for small files and where no thread can be had. */
static void run_alone(struct lane *file, struct lane *tensors)
{
    struct ring *r = file->ring;
    for (uint64_t i = 0; i < r->end; i++) {
        uint64_t offset = i * SCAN_CHUNK;
        size_t n = chunk_size(r, i);
        if (!scan_read(r->state, r->file, r->bytes, offset, n, &r->err)) {
            r->end = i;
            return;
        }
        tensors->feed(tensors, offset, r->bytes, n);
        file->feed(file, offset, r->bytes, n);
    }
}

static bool hash_range(struct lane *l, const struct scan_range *range, struct digest *out)
{
    struct ring *r = l->ring;
    sha256_start(l->sha);
    for (uint64_t at = 0, n; at < range->length; at += n) {
        n = range->length - at < SCAN_CHUNK ? range->length - at : SCAN_CHUNK;
        if (!scan_read(r->state, r->file, r->bytes, range->offset + at, (size_t)n, &r->err))
            return false;
        sha256_update(l->sha, r->bytes, (size_t)n);
        if (!scan_advance(r->state, n))
            return false;
    }
    sha256_finish(l->sha, out);
    return true;
}

/* What needs no pass: nothing to hash, the same bytes again, bytes that overlap. */
static void hash_the_rest(struct lane *l)
{
    struct ring *r = l->ring;
    struct scan_state *s = r->state;
    struct scan *out = s->out;
    const struct scan_file *f = &s->files[r->file];
    for (size_t i = 0; i < f->range_count && !scan_stopped(s); i++) {
        const struct scan_range *range = &f->ranges[i];
        if (range->length == 0) {
            out->tensor[range->tensor] = sha256_of(SPAN_EMPTY);
            out->tensor_ok[range->tensor] = true;
        } else if (range->digest == RANGE_SAME) {
            out->tensor[range->tensor] = out->tensor[range[-1].tensor];
            out->tensor_ok[range->tensor] = out->tensor_ok[range[-1].tensor];
        } else if (range->digest == RANGE_EXTRA && r->err.code == ERR_NONE) {
            out->tensor_ok[range->tensor] = hash_range(l, range, &out->tensor[range->tensor]);
        }
    }
}

static void run_lanes(struct ring *r, struct lane *file, struct lane *tensors)
{
    pthread_t thread;
    bool two =
        r->chunks > 1 && r->state->files[r->file].range_count && pool_threads(r->state->pool) > 1;
    r->end = r->chunks;
    if (!two || pthread_create(&thread, NULL, lane_thread, tensors) != 0) {
        run_alone(file, tensors);
        return;
    }
    run_lane(file);
    pthread_join(thread, NULL);
}

static void digest_file(void *arg, size_t i, unsigned worker)
{
    struct scan_state *s = arg;
    (void)worker;
    if (!s->model->files[i].source || s->files[i].cached || scan_stopped(s))
        return;
    struct ring r = {.state = s, .file = (uint32_t)i, .size = s->model->files[i].size};
    r.err = (struct err)ERR_INIT;
    r.chunks = (r.size + SCAN_CHUNK - 1) / SCAN_CHUNK;
    r.bytes = malloc((size_t)(r.chunks < SCAN_RING ? r.chunks + 1 : SCAN_RING) * SCAN_CHUNK);
    struct lane file = {.ring = &r, .sha = sha256_new(), .feed = feed_file};
    struct lane tensors = {.ring = &r, .sha = sha256_new(), .feed = feed_tensors};
    if (!r.bytes || !file.sha || !tensors.sha) {
        atomic_store(&s->no_memory, true);
    } else {
        pthread_mutex_init(&r.lock, NULL);
        pthread_cond_init(&r.changed, NULL);
        if (r.size == 0)
            feed_file(&file, 0, r.bytes, 0);
        run_lanes(&r, &file, &tensors);
        hash_the_rest(&tensors);
        s->files[i].err = r.err;
        pthread_cond_destroy(&r.changed);
        pthread_mutex_destroy(&r.lock);
    }
    sha256_free(file.sha);
    sha256_free(tensors.sha);
    free(r.bytes);
}

void scan_digests(struct scan_state *s)
{
    unsigned threads = pool_threads(s->pool);
    struct pool *few = threads > SCAN_WORKERS ? pool_new(SCAN_WORKERS) : NULL;
    pool_run(few ? few : s->pool, s->model->file_count, digest_file, s);
    pool_free(few);
}
