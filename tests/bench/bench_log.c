/*
 * Appending to the log: 64 callers, one caller, and callers with sealed
 * content, beside fdatasync of the same disk measured before and after each in
 * the same run. Leaves have about 600 bytes. Then what opening, verifying and a
 * first proof cost of a log of BENCH_LEAVES small entries more: a million unless said,
 * 10000000 for the figures.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "assay/base/text.h"
#include "assay/log.h"
#include "assay/verify.h"
#include "support/folder.h"

enum { CALLERS = 64, SAMPLES_MAX = 1 << 20, SYNCS = 200, FILL = 1000000 };

#define SECONDS_EACH 4.0

static struct folder place;

static const char body[] =
    "{\"attempts\":1,\"durability\":\"answer\",\"finish\":[\"stop\"],\"intent\":4503599627370000,"
    "\"outcome\":\"complete\",\"released_bytes\":1834,"
    "\"response_id\":\"chatcmpl-7d2c1b7e5f0a4d0f9c3b\",\"status\":200,"
    "\"timings\":{\"decode_us\":812345,\"first_byte_us\":51234,\"prefill_us\":40211,"
    "\"queue_us\":35,\"total_us\":871222},"
    "\"tokens\":{\"estimated\":false,\"input\":412,\"output\":377}}";

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double percentile(double *v, size_t n, double p)
{
    qsort(v, n, sizeof *v, by_value);
    return n ? v[(size_t)((double)(n - 1) * p)] : 0;
}

static double ms_since(uint64_t start)
{
    return (double)(clock_monotonic() - start) / 1e6;
}

/* Median milliseconds of writing 4 KiB over what is there and syncing it, as in a WAL. */
static double fdatasync_ms(void)
{
    static double ms[SYNCS];
    static const char block[4096];
    const char *path = folder_path(&place, "sync");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (int i = -1; fd >= 0 && i < SYNCS; i++) { /* the first makes the block */
        uint64_t start = clock_monotonic();
        if (pwrite(fd, block, sizeof block, 0) != 4096 || fdatasync(fd) != 0)
            break;
        ms[i < 0 ? 0 : i] = ms_since(start);
    }
    if (fd >= 0)
        close(fd);
    unlink(path);
    return percentile(ms, SYNCS, 0.5);
}

struct caller {
    pthread_t thread;
    struct log *log;
    size_t content;
    double end_s, *ms;
    size_t count, cap;
};

static void *call(void *arg)
{
    struct caller *c = arg;
    static char data[4096];
    struct log_content sealed = {span_str("answer"), {(const uint8_t *)data, c->content}};
    struct log_entry entry = {.kind = RECORD_CALL_OUTCOME,
                              .body = span_str(body),
                              .subject = c->content ? span_str("alice@example.org") : SPAN_EMPTY,
                              .content = &sealed,
                              .content_count = c->content ? 1 : 0};
    uint64_t begin = clock_monotonic();
    while (ms_since(begin) < c->end_s * 1e3 && c->count < c->cap) {
        struct log_receipt receipt;
        struct err e = ERR_INIT;
        uint64_t start = clock_monotonic();
        if (!log_append(c->log, &entry, &receipt, &e)) {
            fprintf(stderr, "bench_log: %s\n", e.text);
            break;
        }
        c->ms[c->count++] = ms_since(start);
    }
    return NULL;
}

struct result {
    double rate, p50, p99;
};

static struct result load(struct log *l, int callers, size_t content)
{
    static struct caller c[CALLERS];
    static double all[SAMPLES_MAX];
    size_t cap = SAMPLES_MAX / (size_t)callers, n = 0;
    uint64_t start = clock_monotonic();
    for (int i = 0; i < callers; i++) {
        c[i] = (struct caller){.log = l, .content = content, .end_s = SECONDS_EACH, .cap = cap};
        c[i].ms = malloc(cap * sizeof(double));
        if (!c[i].ms || pthread_create(&c[i].thread, NULL, call, &c[i]) != 0)
            exit(1);
    }
    for (int i = 0; i < callers; i++)
        pthread_join(c[i].thread, NULL);
    double seconds = ms_since(start) / 1e3;
    for (int i = 0; i < callers; i++) {
        memcpy(all + n, c[i].ms, c[i].count * sizeof(double));
        n += c[i].count;
        free(c[i].ms);
    }
    return (struct result){(double)n / seconds, percentile(all, n, 0.5), percentile(all, n, 0.99)};
}

/* `most`: the target is an upper bound; otherwise a rate, whose ratio is records per sync. */
static void line(const char *name, const char *unit, double figure, double reference, double target,
                 bool most)
{
    bool ok = most ? figure <= target : figure >= target;
    double ratio = most ? (reference > 0 ? figure / reference : 0) : figure * reference / 1e3;
    printf("%-28s %8.2f %s  reference %8.2f ms   ratio %6.2f  target %8.2f %s  %s\n", name, figure,
           unit, reference, ratio, target, unit, ok ? "ok" : "missed");
}

static void appending(struct log *l)
{
    double sync = fdatasync_ms();
    struct result r = load(l, CALLERS, 0);
    sync = (sync + fdatasync_ms()) / 2;
    line("log_append_64_rate", "/s ", r.rate, sync, 10000, false);
    line("log_append_64_p50", "ms ", r.p50, sync, 3 * sync + 0.5, true);
    line("log_append_64_p99", "ms ", r.p99, sync, 50, true);
    sync = fdatasync_ms();
    r = load(l, 1, 0);
    sync = (sync + fdatasync_ms()) / 2;
    line("log_append_1_p50", "ms ", r.p50, sync, sync + 0.2, true);
    sync = fdatasync_ms();
    r = load(l, CALLERS, 4096);
    sync = (sync + fdatasync_ms()) / 2;
    line("log_append_4k_sealed_rate", "/s ", r.rate, sync, 3000, false);
    line("log_append_4k_sealed_p99", "ms ", r.p99, sync, 50, true);
}

/* What queueing an entry costs its caller, who may be a server's only thread: processor time. */
static double submit_us(struct log *l, size_t content)
{
    enum { ENTRIES = 20000 };
    static const uint8_t data[4096];
    struct log_content sealed = {span_str("answer"), {data, content}};
    struct log_entry entry = {.kind = RECORD_CALL_OUTCOME,
                              .body = span_str(body),
                              .subject = span_str("alice@example.org"),
                              .content = &sealed,
                              .content_count = 1};
    struct timespec start, end;
    struct err e = ERR_INIT;
    struct log_receipt last;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    for (int i = 0; i < ENTRIES && log_submit(l, &entry, NULL, NULL, &e); i++)
        continue;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    bool ok = e.code == ERR_NONE && log_append(l, &entry, &last, &e);
    double us = (double)(end.tv_sec - start.tv_sec) * 1e6;
    us += (double)(end.tv_nsec - start.tv_nsec) / 1e3;
    return ok ? us / ENTRIES : 1e9;
}

static void submitting(struct log *l)
{
    double small = submit_us(l, 64), large = submit_us(l, 4096);
    printf("log_submit_64                %8.2f us  sealed and queued, one thread          "
           "target    25.00 us   %s\n",
           small, small <= 25 ? "ok" : "missed");
    printf("log_submit_4k                %8.2f us  sealed and queued, one thread          "
           "target    50.00 us   %s\n",
           large, large <= 50 ? "ok" : "missed");
}

/* Small leaves, as many as asked for. */
static void fill(struct log *l)
{
    static const char small[] = "{\"changes\":[{\"name\":\"a\"}],\"software\":\"bench\"}";
    const char *wanted = getenv("BENCH_LEAVES");
    struct log_entry entry = {.kind = RECORD_CONFIG, .body = span_str(small)};
    uint64_t n = FILL;
    if (wanted && !text_u64(span_str(wanted), &n))
        return;
    uint64_t start = clock_monotonic();
    for (uint64_t i = 0; i < n; i++) {
        struct err e = ERR_INIT;
        while (!log_submit(l, &entry, NULL, NULL, &e) && e.code == ERR_LIMIT) {
            usleep(500);
            err_clear(&e);
        }
    }
    struct log_receipt last;
    if (log_append(l, &entry, &last, NULL))
        printf("log_fill: %llu small leaves at %.0f/s\n", (unsigned long long)n,
               (double)n * 1e3 / ms_since(start));
}

struct feed {
    struct verifier *v;
    uint64_t until;
    bool ok;
};

static bool feed_leaf(void *arg, uint64_t seq, struct span leaf)
{
    struct feed *f = arg;
    f->ok = seq < f->until && verifier_leaf(f->v, leaf, NULL);
    return f->ok && seq + 1 < f->until;
}

static bool verify_all(struct log_reader *r, const struct checkpoint *c, struct span note,
                       struct arena *a)
{
    const struct trust nobody = {.required = 0};
    struct feed f = {.until = c->size, .ok = true};
    struct verified v;
    bool ok = verifier_new(&f.v, &nobody, NULL) && log_reader_walk(r, 0, feed_leaf, &f, NULL) &&
              f.ok && verifier_finish(f.v, note, &v, a, NULL);
    verifier_free(f.v);
    return ok;
}

/* What assay log verify does, from the database: leaves a second of one core, and memory. */
static void verifying(struct log_reader *r)
{
    struct buf bytes;
    struct note note;
    struct checkpoint c = {.size = 0};
    struct rusage before, after;
    struct timespec start, end;
    struct arena *a = arena_new(1 << 20);
    buf_init(&bytes, 1 << 16);
    bool ok = a && log_reader_checkpoint(r, &bytes, NULL) &&
              note_parse(&note, buf_span(&bytes), a, NULL) && checkpoint_parse(&c, note.text, NULL);
    getrusage(RUSAGE_SELF, &before);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    ok = ok && verify_all(r, &c, buf_span(&bytes), a);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    getrusage(RUSAGE_SELF, &after);
    double s = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    double rate = ok && s > 0 ? (double)c.size / s : 0;
    printf("log_verify                   %8.0f /s  per core, memory +%ld KiB               "
           "target   500000 /s  %s\n",
           rate, after.ru_maxrss - before.ru_maxrss, rate >= 500000 ? "ok" : "missed");
    buf_free(&bytes);
    arena_free(a);
}

static void reading(double sync)
{
    struct log_reader *r = NULL;
    struct err e = ERR_INIT;
    struct buf receipt;
    buf_init(&receipt, 1 << 20);
    uint64_t start = clock_monotonic();
    if (log_reader_open(&r, place.path, &e)) {
        double opened = ms_since(start);
        start = clock_monotonic();
        bool ok = log_reader_receipt(r, log_reader_size(r) / 3, &receipt, &e);
        double proved = ms_since(start);
        printf("log of %llu entries\n", (unsigned long long)log_reader_size(r));
        line("log_reader_open", "ms ", opened, sync, 200, true);
        line("log_receipt_cold", "ms ", ok ? proved : 1e9, sync, 5, true);
        verifying(r);
    }
    if (e.code != ERR_NONE)
        fprintf(stderr, "bench_log: %s\n", e.text);
    log_reader_close(r);
    buf_free(&receipt);
}

int main(void)
{
    struct log *l = NULL;
    struct err e = ERR_INIT;
    if (!folder_make(&place))
        return 1;
    bool ok = log_init(place.path, span_str("bench.example/log"), NULL, &e) &&
              log_open(&l, place.path, NULL, &e);
    if (ok) {
        appending(l);
        submitting(l);
        fill(l);
        log_close(l);
        l = NULL;
        double sync = fdatasync_ms();
        uint64_t start = clock_monotonic();
        ok = log_open(&l, place.path, NULL, &e);
        line("log_open_owner", "ms ", ms_since(start), sync, 200, true);
        log_close(l);
        reading(sync);
    }
    if (!ok)
        fprintf(stderr, "bench_log: %s %s\n", e.file, e.text);
    folder_remove(&place);
    return !ok;
}
