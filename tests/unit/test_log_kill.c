/*
 * Owners that are killed or stopped at random moments under load. LOG_ROUNDS
 * says how often, 200 unless said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assay/base/text.h"
#include "assay/verify.h"
#include "support/logs.h"

enum { CALLERS = 6, SERVING = 2, ROUNDS = 200, PROMISES_MAX = 1 << 16, HELD_MAX = 4096 };

struct promise {
    uint64_t seq;
    struct digest hash;
};

static struct folder place;

static int setup(void **state)
{
    (void)state;
    return folder_make(&place) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(&place);
    return 0;
}

/* ---- the owner, in a process of its own ---- */

struct owner {
    struct log *log;
    int out;
};

/* In the commit thread: what is written here was acknowledged before the kill. */
static void tell(void *arg, const struct log_receipt *r)
{
    const struct owner *o = arg;
    struct promise p = {r->seq, r->leaf_hash};
    if (r->ok && write(o->out, &p, sizeof p) != sizeof p)
        _exit(1);
}

static void *append_without_end(void *arg)
{
    struct owner *o = arg;
    struct log_receipt r;
    struct log_content content = {span_str("prompt"), span_str(logs_config)};
    struct log_entry plain = {.kind = RECORD_CONFIG, .body = span_str(logs_config)};
    struct log_entry sealed = plain;
    sealed.subject = span_str("alice");
    sealed.content = &content;
    sealed.content_count = 1;
    for (;;)
        if (!log_submit(o->log, &sealed, tell, o, NULL) || !log_append(o->log, &plain, &r, NULL))
            return NULL;
}

static bool append_part(struct owner *o, enum record_kind kind, const char *body,
                        struct log_receipt *r)
{
    struct log_content content = {span_str("answer"), span_str(logs_config)};
    const struct log_entry entry = {.kind = kind,
                                    .body = span_str(body),
                                    .subject = span_str("bob"),
                                    .content = &content,
                                    .content_count = 1,
                                    .reserve = sizeof content};
    bool ok = log_append(o->log, &entry, r, NULL);
    if (ok)
        tell(o, r);
    return ok;
}

/* Calls as a server makes them: an intent, windows, an outcome, each before the next. */
static void *serve_without_end(void *arg)
{
    char text[256];
    struct log_receipt r, intent;
    for (unsigned windows = 0;; windows = (windows + 1) % 5) {
        if (!append_part(arg, RECORD_CALL_INTENT,
                         "{\"api\":\"run\",\"durability\":\"window\",\"model\":{\"name\":\"m\"},"
                         "\"route\":\"engine\",\"stream\":true}",
                         &intent))
            return NULL;
        for (unsigned i = 0; i < windows; i++) {
            snprintf(text, sizeof text, "{\"intent\":%llu,\"number\":%u,\"released_bytes\":%u}",
                     (unsigned long long)intent.seq, i, 10 * i);
            if (!append_part(arg, RECORD_CALL_WINDOW, text, &r))
                return NULL;
        }
        snprintf(text, sizeof text,
                 "{\"attempts\":1,\"durability\":\"window\",\"intent\":%llu,\"outcome\":"
                 "\"complete\",\"released_bytes\":9,\"windows\":%u}",
                 (unsigned long long)intent.seq, windows);
        if (!append_part(arg, RECORD_CALL_OUTCOME, text, &r))
            return NULL;
    }
}

static void run_owner(int out)
{
    static pthread_t thread[CALLERS];
    struct owner o = {.out = out};
    struct promise opened = {UINT64_MAX, {{0}}};
    struct err e = ERR_INIT;
    if (!log_open(&o.log, place.path, NULL, &e)) {
        fprintf(stderr, "the log does not open again: %s: %s\n", e.file, e.text);
        _exit(1);
    }
    if (write(out, &opened, sizeof opened) != sizeof opened)
        _exit(1);
    for (int i = 0; i < CALLERS; i++)
        pthread_create(&thread[i], NULL, i < SERVING ? serve_without_end : append_without_end, &o);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(thread[i], NULL);
    _exit(1);
}

/* ---- the rounds ---- */

static size_t collect(int in, struct promise *p)
{
    size_t n = 0;
    while (n < PROMISES_MAX && read(in, &p[n], sizeof *p) == sizeof *p)
        n++;
    return n;
}

static pid_t start(int ends[2])
{
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run_owner(ends[1]);
    }
    close(ends[1]);
    struct promise opened;
    assert_int_equal(read(ends[0], &opened, sizeof opened), sizeof opened);
    assert_true(opened.seq == UINT64_MAX);
    return child;
}

static void all_kept(const struct promise *p, size_t n)
{
    struct log_reader *r = logs_reader(&place);
    struct err e = ERR_INIT;
    for (size_t i = 0; i < n; i++) {
        struct arena *a = arena_new(1 << 20);
        struct span leaf = SPAN_EMPTY;
        bool there = log_reader_leaf(r, p[i].seq, a, &leaf, &e);
        struct digest hash = record_hash(leaf);
        if (!there || !digest_eq(&hash, &p[i].hash))
            fail_msg("entry %llu was acknowledged: %s", (unsigned long long)p[i].seq, e.text);
        arena_free(a);
    }
    log_reader_close(r);
}

static uint64_t rounds(void)
{
    uint64_t n = ROUNDS;
    const char *said = getenv("LOG_ROUNDS");
    return said && text_u64(span_str(said), &n) ? n : ROUNDS;
}

struct feed {
    struct verifier *v;
    struct err e;
    bool ok;
};

static bool feed_leaf(void *arg, uint64_t seq, struct span leaf)
{
    struct feed *f = arg;
    (void)seq;
    f->ok = verifier_leaf(f->v, leaf, &f->e);
    return f->ok;
}

/* The tree of all leaves is the one that the last checkpoint signs, and no call is open: each has
 * its outcome, and those that a kill cut off commit to the windows that are there. */
static void whole(void)
{
    const struct trust nobody = {.required = 0};
    struct feed f = {.e = ERR_INIT, .ok = true};
    struct verified v;
    struct log_reader *r = logs_reader(&place);
    struct arena *a = arena_new(4 << 20);
    struct buf note;
    buf_init(&note, 1 << 16);
    assert_true(log_reader_checkpoint(r, &note, NULL));
    assert_true(verifier_new(&f.v, &nobody, NULL));
    bool ok = log_reader_walk(r, 0, feed_leaf, &f, &f.e) && f.ok &&
              verifier_finish(f.v, buf_span(&note), &v, a, &f.e);
    if (!ok)
        fail_msg("%s", f.e.text);
    assert_int_equal(v.open_intents, 0);
    assert_int_equal(v.stray_outcomes, 0);
    verifier_free(f.v);
    buf_free(&note);
    arena_free(a);
    log_reader_close(r);
}

/* What was promised in any round has a receipt that verifies with the log's key. */
static void proved(const struct promise *held, size_t n)
{
    struct sign_key *key = NULL;
    struct note_key name;
    assert_true(sign_key_load(&key, folder_path(&place, "log.key"), NULL));
    struct sign_public public = sign_key_public(key);
    assert_true(note_key_make(&name, span_str("example.org/audit"), NOTE_ED25519, &public, NULL));
    struct trust t = {.log_keys = &name, .log_key_count = 1};
    struct log_reader *r = logs_reader(&place);
    for (size_t i = 0; i < n; i++) {
        struct arena *a = arena_new(4 << 20);
        struct verified v;
        struct buf b;
        struct err e = ERR_INIT;
        buf_init(&b, RECEIPT_MAX);
        if (!log_reader_receipt(r, held[i].seq, &b, &e) ||
            !verify_receipt(&v, buf_span(&b), &t, a, &e))
            fail_msg("entry %llu: %s", (unsigned long long)held[i].seq, e.text);
        struct digest hash = record_hash(v.record.leaf);
        assert_true(digest_eq(&hash, &held[i].hash));
        buf_free(&b);
        arena_free(a);
    }
    log_reader_close(r);
    sign_key_free(key);
}

/* Killed, or stopped for a while before: left to go on, or killed as it stands. */
static void disturb(pid_t child, unsigned chance)
{
    usleep(chance % 20000);
    if (chance % 3 == 0) {
        kill(child, SIGSTOP);
        usleep(chance % 2000);
    }
    if (chance % 6 == 0) {
        kill(child, SIGCONT);
        usleep(chance % 4000);
    }
    kill(child, SIGKILL);
}

static void no_kill_under_load_costs_a_promise(void **state)
{
    (void)state;
    logs_skip_under_tsan();
    static struct promise p[PROMISES_MAX], held[HELD_MAX];
    size_t total = 0, held_count = 0;
    uint64_t n = rounds();
    unsigned seed = 42;
    logs_make(&place);
    for (uint64_t i = 0; i < n; i++) {
        int ends[2];
        pid_t child = start(ends);
        seed = seed * 1103515245u + 12345u;
        disturb(child, seed >> 16);
        size_t got = collect(ends[0], p);
        waitpid(child, NULL, 0);
        close(ends[0]);
        all_kept(p, got);
        for (size_t k = 0; k < got && held_count < HELD_MAX; k += 1 + got / 4)
            held[held_count++] = p[k];
        total += got;
    }
    log_close(logs_open(&place));
    whole();
    proved(held, held_count);
    print_message("%llu kills, %zu acknowledged entries, none lost\n", (unsigned long long)n,
                  total);
    assert_true(total > 0);
}

/* ---- an owner that is stopped ---- */

static void mark(void *arg, const struct log_receipt *r)
{
    atomic_int *state = arg;
    *state = r->ok ? 1 : -1;
}

static void a_stopped_owner_is_waited_for_and_not_replaced(void **state)
{
    (void)state;
    logs_skip_under_tsan();
    int ends[2];
    struct log *l = NULL;
    atomic_int acknowledged = 0;
    struct log_entry entry = {.kind = RECORD_CONFIG, .body = span_str(logs_config)};
    logs_make(&place);
    pid_t child = start(ends);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    kill(child, SIGSTOP);
    waitpid(child, NULL, WUNTRACED);
    assert_true(log_open(&l, place.path, NULL, NULL));
    assert_false(log_is_owner(l));
    assert_true(log_submit(l, &entry, mark, &acknowledged, NULL));
    usleep(100000);
    assert_int_equal(acknowledged, 0);
    kill(child, SIGCONT);
    for (int i = 0; i < 5000 && !acknowledged; i++) {
        char drained[65536];
        while (read(ends[0], drained, sizeof drained) > 0)
            ;
        usleep(1000);
    }
    assert_int_equal(acknowledged, 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    log_close(l);
    close(ends[0]);
    log_close(logs_open(&place));
    whole();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_kill_under_load_costs_a_promise),
        TEST(a_stopped_owner_is_waited_for_and_not_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
