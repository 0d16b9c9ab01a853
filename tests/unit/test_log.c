/* The log: what is acknowledged is there, sealed, proved and found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "log/store.h"
#include "support/logs.h"

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

#define CONFIG "{\"changes\":[{\"name\":\"a\"}],\"software\":\"test\"}"

static const struct log_entry config = {
    .kind = RECORD_CONFIG,
    .body = {(const uint8_t *)CONFIG, sizeof CONFIG - 1},
};

/* The receipt of an entry holds against the reader's own checkpoint. */
static bool proved(struct log_reader *r, uint64_t seq)
{
    struct buf b;
    struct err e = ERR_INIT;
    buf_init(&b, 1 << 20);
    bool ok = log_reader_receipt(r, seq, &b, &e) &&
              span_starts(buf_span(&b), "c2sp.org/tlog-proof@v1\nextra ");
    buf_free(&b);
    if (!ok)
        print_error("%s\n", e.text);
    return ok;
}

static void what_is_appended_is_read_back_and_proved(void **state)
{
    (void)state;
    logs_make(&place);
    struct log *l = logs_open(&place);
    assert_true(log_is_owner(l));
    uint64_t first = logs_append(l).seq;
    for (unsigned i = 0; i < 600; i++)
        assert_int_equal(logs_append(l).seq, first + 1 + i);
    log_close(l);
    struct log_reader *r = logs_reader(&place);
    assert_int_equal(log_reader_size(r), first + 602); /* and the stop leaf */
    for (uint64_t i = 0; i < log_reader_size(r); i += 37)
        assert_true(proved(r, i));
    log_reader_close(r);
}

static bool leaf_kind(void *arg, uint64_t seq, struct span leaf)
{
    struct record_head h;
    assert_true(record_check(&h, NULL, leaf, NULL));
    assert_int_equal(h.seq, seq);
    ((unsigned *)arg)[h.kind]++;
    return true;
}

static void a_log_opens_again_and_says_when(void **state)
{
    (void)state;
    unsigned kinds[RECORD_KINDS] = {0};
    uint64_t last = 0;
    logs_make(&place);
    for (int i = 0; i < 3; i++) {
        struct log *l = logs_open(&place);
        uint64_t seq = logs_append(l).seq;
        assert_true(i == 0 || seq == last + 3); /* stop, start, entry */
        last = seq;
        log_close(l);
    }
    struct log_reader *r = logs_reader(&place);
    assert_true(log_reader_walk(r, 0, leaf_kind, kinds, NULL));
    assert_int_equal(kinds[RECORD_GENESIS], 1);
    assert_int_equal(kinds[RECORD_START], 3);
    assert_int_equal(kinds[RECORD_STOP], 3);
    assert_int_equal(kinds[RECORD_CONFIG], 3);
    log_reader_close(r);
}

static void making_a_log_twice_is_refused(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    logs_make(&place);
    assert_false(log_init(place.path, span_str("example.org/audit"), NULL, &e));
    assert_int_equal(e.code, ERR_USAGE);
    log_close(logs_open(&place)); /* and left alone */
}

/* ---- acknowledgements ---- */

enum { CALLERS = 16, EACH = 40 };

struct load {
    struct log *log;
    atomic_uint acknowledged, missing;
};

/* In the commit thread, at the moment of the acknowledgement: another connection sees it. */
static void must_be_there(void *arg, const struct log_receipt *receipt)
{
    struct load *load = arg;
    struct log_reader *r = NULL;
    struct err e = ERR_INIT;
    struct arena *a = arena_new(1 << 20);
    struct span leaf;
    bool there = receipt->ok && log_reader_open(&r, place.path, &e) &&
                 log_reader_leaf(r, receipt->seq, a, &leaf, &e);
    struct digest hash = there ? record_hash(leaf) : (struct digest){{0}};
    if (!there || !digest_eq(&hash, &receipt->leaf_hash))
        load->missing++;
    load->acknowledged++;
    log_reader_close(r);
    arena_free(a);
}

static void *submit_some(void *arg)
{
    struct load *load = arg;
    for (int i = 0; i < EACH; i++)
        if (!log_submit(load->log, &config, must_be_there, load, NULL))
            load->missing++;
    return NULL;
}

static void acknowledged_means_committed_with_many_callers(void **state)
{
    (void)state;
    pthread_t thread[CALLERS];
    struct load load = {.log = NULL};
    logs_make(&place);
    load.log = logs_open(&place);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, submit_some, &load), 0);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(thread[i], NULL);
    log_close(load.log); /* waits for what is queued */
    assert_int_equal(load.acknowledged, CALLERS * EACH);
    assert_int_equal(load.missing, 0);
    assert_int_equal(logs_sql_int(&place, "SELECT count(*) FROM record"), CALLERS * EACH + 3);
}

static void the_eventfd_tells_of_acknowledgements(void **state)
{
    (void)state;
    uint64_t n = 0;
    logs_make(&place);
    struct log *l = logs_open(&place);
    assert_int_equal(read(log_eventfd(l), &n, sizeof n), -1);
    logs_append(l);
    for (int i = 0; i < 200 && read(log_eventfd(l), &n, sizeof n) < 0; i++)
        usleep(1000);
    assert_int_equal(n, 1);
    log_close(l);
}

static void a_bad_body_fails_its_caller_alone(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct log_receipt receipt;
    logs_make(&place);
    struct log *l = logs_open(&place);
    uint64_t before = logs_append(l).seq;
    struct log_entry bad = config;
    bad.body = span_str("{\"changes\":1}");
    assert_false(log_append(l, &bad, &receipt, &e));
    assert_int_not_equal(e.code, ERR_NONE);
    assert_int_equal(logs_append(l).seq, before + 1);
    log_close(l);
}

struct gate {
    sem_t entered, leave;
};

static bool hold(struct log *l, void *arg, struct err *e)
{
    struct gate *g = arg;
    (void)l, (void)e;
    sem_post(&g->entered);
    sem_wait(&g->leave);
    return true;
}

struct held {
    struct log *log;
    struct gate gate;
};

static void *hold_the_commit_thread(void *arg)
{
    struct held *h = arg;
    assert_true(log_run(h->log, hold, &h->gate, NULL));
    return NULL;
}

static void a_full_queue_refuses_and_keeps_what_it_took(void **state)
{
    (void)state;
    struct held h;
    pthread_t thread;
    struct err e = ERR_INIT;
    int64_t taken = 0;
    logs_make(&place);
    h.log = logs_open(&place);
    sem_init(&h.gate.entered, 0, 0);
    sem_init(&h.gate.leave, 0, 0);
    pthread_create(&thread, NULL, hold_the_commit_thread, &h);
    sem_wait(&h.gate.entered);
    while (log_submit(h.log, &config, NULL, NULL, &e))
        taken++;
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(taken, LOG_QUEUE_MAX);
    sem_post(&h.gate.leave);
    pthread_join(thread, NULL);
    log_close(h.log);
    assert_int_equal(logs_sql_int(&place, "SELECT count(*) FROM record"), taken + 3);
}

/* ---- content and subjects ---- */

static const char secret[] = "what alice asked in confidence";

static uint64_t append_sealed(struct log *l, const char *subject)
{
    struct log_receipt receipt;
    struct err e = ERR_INIT;
    struct log_content content[] = {{span_str("prompt"), span_str(secret)},
                                    {span_str("answer"), span_str("what was answered")}};
    struct log_entry entry = config;
    entry.subject = span_str(subject);
    entry.content = content;
    entry.content_count = 2;
    if (!log_append(l, &entry, &receipt, &e))
        fail_msg("%s", e.text);
    return receipt.seq;
}

static struct record decoded(uint64_t seq, struct arena *a)
{
    struct record record;
    struct span leaf;
    struct err e = ERR_INIT;
    struct log_reader *r = logs_reader(&place);
    if (!log_reader_leaf(r, seq, a, &leaf, &e) || !record_decode(&record, leaf, a, &e))
        fail_msg("%s", e.text);
    log_reader_close(r);
    return record;
}

static struct span column(sqlite3 *db, const char *text, uint64_t key, struct arena *a)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_int64(st, 1, (int64_t)key);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    struct span s = arena_span(a, sql_blob(st, 0));
    sqlite3_finalize(st);
    return s;
}

/* Down from the operator's key to the first field, as erase and disclose will go. */
static struct span opened_content(uint64_t seq, size_t field, struct arena *a)
{
    struct record record = decoded(seq, a);
    struct keyring *keyring = NULL;
    struct seal_key epoch, subject, key, field_key;
    struct seal_wrapped w;
    struct seal_id id;
    sqlite3 *db = NULL;
    uint8_t r[SEAL_SALT];
    struct span data;
    char operator_path[128];
    snprintf(operator_path, sizeof operator_path, "%s/operator.key", place.path);
    assert_true(keyring_open(&keyring, folder_path(&place, "keyring"), operator_path, NULL));
    assert_true(keyring_key(keyring, keyring_epoch(keyring), &epoch, NULL));
    assert_int_equal(sqlite3_open(folder_path(&place, "log.db"), &db), SQLITE_OK);
    memcpy(w.b,
           column(db,
                  "SELECT s.key FROM subject s JOIN content_key k ON k.subject = s.id "
                  "WHERE k.seq = ?1",
                  seq, a)
               .p,
           SEAL_WRAPPED);
    assert_true(seal_key_unwrap(&subject, &epoch, &w, NULL));
    memcpy(w.b, column(db, "SELECT key FROM content_key WHERE seq = ?1", seq, a).p, SEAL_WRAPPED);
    assert_true(seal_key_unwrap(&key, &subject, &w, NULL));
    struct record_field f = record.fields[field];
    struct sealed_field sealed = {f.name, f.commitment, f.ciphertext, f.size};
    memcpy(id.b, record.head.id, sizeof id.b);
    seal_field_key(&field_key, &key, f.name);
    struct span ciphertext =
        column(db, "SELECT ciphertext FROM content WHERE id = ?1", seq * LOG_PLACES + field, a);
    assert_true(seal_open(&data, r, &sealed, &field_key, keyring_origin(keyring), &id, ciphertext,
                          a, NULL));
    sqlite3_close(db);
    keyring_close(keyring);
    return data;
}

static void content_is_sealed_and_opens_by_the_keyring(void **state)
{
    (void)state;
    struct arena *a = arena_new(16 << 20);
    logs_make(&place);
    struct log *l = logs_open(&place);
    uint64_t seq = append_sealed(l, "alice@example.org");
    uint64_t nobody = append_sealed(l, "");
    log_close(l);
    assert_true(span_is(opened_content(seq, 1, a), secret)); /* fields stand by name */
    assert_true(span_is(opened_content(seq, 0, a), "what was answered"));
    assert_true(span_is(opened_content(nobody, 1, a), secret));
    assert_true(decoded(seq, a).head.has_subject);
    assert_false(decoded(nobody, a).head.has_subject);
    arena_free(a);
}

static bool file_holds(const char *name, const char *text)
{
    static char bytes[8 << 20];
    FILE *f = fopen(folder_path(&place, name), "rbe");
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (f)
        fclose(f);
    return n && memmem(bytes, n, text, strlen(text)) != NULL;
}

static void neither_content_nor_subject_stands_in_clear(void **state)
{
    (void)state;
    logs_make(&place);
    struct log *l = logs_open(&place);
    append_sealed(l, "alice@example.org");
    assert_true(file_holds("log.db-wal", "\"kind\":\"config\"")); /* the test can find things */
    assert_false(file_holds("log.db-wal", "alice"));
    assert_false(file_holds("log.db-wal", secret));
    log_close(l);
    assert_true(file_holds("log.db", "\"kind\":\"config\""));
    assert_false(file_holds("log.db", "alice"));
    assert_false(file_holds("log.db", secret));
}

static void a_subject_keeps_its_pseudonym_within_an_epoch(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    logs_make(&place);
    struct log *l = logs_open(&place);
    uint64_t one = append_sealed(l, "alice"), two = append_sealed(l, "bob");
    log_close(l);
    l = logs_open(&place); /* now from the database, not from memory */
    uint64_t three = append_sealed(l, "alice");
    log_close(l);
    uint8_t alice[16], bob[16], again[16];
    memcpy(alice, decoded(one, a).head.subject, 16);
    memcpy(bob, decoded(two, a).head.subject, 16);
    memcpy(again, decoded(three, a).head.subject, 16);
    assert_memory_equal(alice, again, 16);
    assert_memory_not_equal(alice, bob, 16);
    assert_int_equal(logs_sql_int(&place, "SELECT count(*) FROM subject"), 2);
    arena_free(a);
}

/* ---- readers ---- */

static bool count_leaves(void *arg, uint64_t seq, struct span leaf)
{
    (void)seq;
    *(uint64_t *)arg += leaf.n != 0;
    return true;
}

static void a_reader_proves_while_the_log_is_written(void **state)
{
    (void)state;
    struct load load = {.log = NULL};
    pthread_t thread;
    logs_make(&place);
    load.log = logs_open(&place);
    pthread_create(&thread, NULL, submit_some, &load);
    for (int i = 0; i < 20; i++) {
        uint64_t seen = 0;
        uint64_t seq = logs_append(load.log).seq;
        struct log_reader *r = logs_reader(&place);
        assert_true(log_reader_size(r) > seq);
        assert_true(log_reader_walk(r, 0, count_leaves, &seen, NULL));
        assert_int_equal(seen, log_reader_size(r));
        assert_true(proved(r, seq)); /* at once: the owner is asked for its checkpoint */
        log_reader_close(r);
    }
    pthread_join(thread, NULL);
    log_close(load.log);
}

/* ---- processes ---- */

/* Runs in a child; its exit status is 0 when all went well. */
static pid_t start_child(int (*run)(int), int ready)
{
    pid_t child = fork();
    if (child == 0)
        _exit(run(ready));
    return child;
}

static int status_of(pid_t child)
{
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

static int append_as_client(int ready)
{
    struct log *l = NULL;
    struct log_receipt r;
    struct err e = ERR_INIT;
    struct log_content content = {span_str("prompt"), span_str(secret)};
    struct log_entry entry = config;
    (void)ready;
    entry.subject = span_str("alice");
    entry.content = &content;
    entry.content_count = 1;
    bool ok = log_open(&l, place.path, NULL, &e) && !log_is_owner(l);
    for (int i = 0; ok && i < 10; i++)
        ok = log_append(l, &entry, &r, &e) && r.seq > 0;
    entry.body = span_str("{}");
    ok = ok && !log_append(l, &entry, &r, &e) &&
         e.code != ERR_IO; /* refused by the owner, with words */
    log_close(l);
    return !ok;
}

static void another_process_appends_through_the_owner(void **state)
{
    (void)state;
    logs_skip_under_tsan();
    struct arena *a = arena_new(1 << 20);
    logs_make(&place);
    struct log *l = logs_open(&place);
    uint64_t first = logs_append(l).seq;
    pid_t one = start_child(append_as_client, -1), two = start_child(append_as_client, -1);
    assert_int_equal(status_of(one), 0);
    assert_int_equal(status_of(two), 0);
    assert_int_equal(logs_append(l).seq, first + 21);
    log_close(l);
    assert_true(span_is(opened_content(first + 1, 0, a), secret));
    arena_free(a);
}

enum { INTENTS = 3, WINDOWS = 7 };

/* What each of the intents holds back. */
static const char *const held[INTENTS] = {"window", "end", "answer"};

/* Acknowledges through the pipe, then waits to be killed with an intent open. */
static bool append_window(struct log *l, uint64_t intent, unsigned number, struct log_receipt *r,
                          struct err *e)
{
    char body[128];
    struct log_content content = {span_str("answer"), span_str("some words")};
    snprintf(body, sizeof body, "{\"intent\":%llu,\"number\":%u,\"released_bytes\":%u}",
             (unsigned long long)intent, number, 10 * number);
    const struct log_entry entry = {.kind = RECORD_CALL_WINDOW,
                                    .body = span_str(body),
                                    .content = &content,
                                    .content_count = 1};
    return log_append(l, &entry, r, e);
}

static int own_until_killed(int ready)
{
    struct log *l = NULL;
    struct log_receipt r = {.seq = 0}, last = r;
    struct err e = ERR_INIT;
    struct log_entry entry = config;
    bool ok = log_open(&l, place.path, NULL, &e);
    for (int i = 0; ok && i < 300; i++)
        ok = log_append(l, &entry, &r, &e);
    entry.kind = RECORD_CALL_INTENT;
    for (int i = 0; ok && i < INTENTS; i++) {
        char body[160];
        snprintf(body, sizeof body,
                 "{\"api\":\"chat_completions\",\"durability\":\"%s\",\"model\":{\"name\":"
                 "\"m\"},\"route\":\"upstream\",\"stream\":true}",
                 held[i]);
        entry.body = span_str(body);
        ok = log_append(l, &entry, &r, &e);
    }
    for (int i = 0; ok && i < WINDOWS; i++)
        ok = append_window(l, r.seq - (uint64_t)(i % 3), (unsigned)i / 3, &last, &e);
    r = ok ? last : r;
    if (!ok || write(ready, &r, sizeof r) != sizeof r)
        return 1;
    for (;;)
        pause();
}

/* Says what is known alone: never how often an upstream was asked. */
static void says_what_left(struct json body, const char *durability, uint64_t windows)
{
    uint64_t released = 0;
    assert_int_equal(json_type(json_get(body, "attempts")), JSON_MISSING);
    bool known = json_u64(json_get(body, "released_bytes"), &released);
    assert_int_equal(known, strcmp(durability, "end") != 0);
    if (strcmp(durability, "window") == 0)
        assert_true(released >= 10 * windows && (windows > 0 || released == 0));
    else
        assert_int_equal(released, 0);
}

/* The outcome at `seq` closes `intent` and commits to its windows among the leaves before `end`. */
static void is_crash_of(uint64_t seq, uint64_t intent, const char *holds, uint64_t end,
                        struct arena *a)
{
    struct record outcome = decoded(seq, a);
    uint64_t closes = 0, windows = 0, bytes = 0, of = 0, expected = 0, size = 0;
    struct span how, durability, hex;
    struct digest chain = record_hash(decoded(intent, a).leaf), said;
    assert_int_equal(outcome.head.kind, RECORD_CALL_OUTCOME);
    assert_true(json_u64(json_get(outcome.body, "intent"), &closes));
    assert_int_equal(closes, intent);
    assert_true(json_string(json_get(outcome.body, "outcome"), &how));
    assert_true(span_is(how, "crash"));
    assert_true(json_string(json_get(outcome.body, "durability"), &durability));
    assert_true(span_is(durability, holds));
    for (uint64_t i = intent + 1; i < end; i++) {
        struct record w = decoded(i, a);
        if (w.head.kind != RECORD_CALL_WINDOW || !json_u64(json_get(w.body, "intent"), &of) ||
            of != intent)
            continue;
        struct digest hash = record_hash(w.leaf);
        record_prefix_add(&chain, &hash);
        expected++;
        size += w.fields[0].size;
    }
    struct json prefix = json_get(outcome.body, "prefix");
    assert_true(json_u64(json_get(outcome.body, "windows"), &windows));
    assert_int_equal(windows, expected);
    assert_true(json_u64(json_get(prefix, "bytes"), &bytes));
    assert_int_equal(bytes, size);
    assert_true(json_string(json_get(prefix, "chain"), &hex) && digest_from_hex(&said, hex));
    assert_true(digest_eq(&said, &chain));
    says_what_left(outcome.body, holds, windows);
}

static void a_killed_owner_loses_nothing_acknowledged(void **state)
{
    (void)state;
    logs_skip_under_tsan();
    int pipe_ends[2];
    struct log_receipt last;
    struct arena *a = arena_new(1 << 20);
    logs_make(&place);
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = start_child(own_until_killed, pipe_ends[1]);
    close(pipe_ends[1]);
    assert_int_equal(read(pipe_ends[0], &last, sizeof last), sizeof last);
    kill(child, SIGKILL);
    status_of(child);
    struct log *l = logs_open(&place); /* lock free, socket stale */
    assert_true(log_is_owner(l));
    log_close(l);
    for (uint64_t i = 1; i <= INTENTS; i++)
        is_crash_of(last.seq + i, last.seq - WINDOWS - INTENTS + i, held[i - 1], last.seq + 1, a);
    struct digest hash = record_hash(decoded(last.seq, a).leaf);
    assert_true(digest_eq(&hash, &last.leaf_hash));
    struct log_reader *r = logs_reader(&place);
    assert_true(proved(r, last.seq));
    log_reader_close(r);
    close(pipe_ends[0]);
    arena_free(a);
}

/* Files may not grow beyond a limit, as on a full disk: SQLite sees a failing write. */
static int fill_the_disk(int ready)
{
    struct log *l = NULL;
    struct log_receipt r = {.seq = 0};
    struct err e = ERR_INIT;
    struct rlimit small = {400 << 10, 400 << 10};
    uint64_t last = 0;
    signal(SIGXFSZ, SIG_IGN);
    if (!log_open(&l, place.path, NULL, &e) || setrlimit(RLIMIT_FSIZE, &small) != 0)
        return 1;
    while (log_append(l, &config, &r, &e))
        last = r.seq;
    bool ok = last > 0 && (e.code == ERR_IO);
    struct err again = ERR_INIT;
    ok = ok && !log_append(l, &config, &r, &again) && again.code == ERR_IO;
    log_close(l);
    return ok && write(ready, &last, sizeof last) == sizeof last ? 0 : 2;
}

static void a_full_disk_stops_the_log_and_loses_nothing(void **state)
{
    (void)state;
    logs_skip_under_tsan();
    int pipe_ends[2];
    uint64_t last = 0;
    logs_make(&place);
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(status_of(start_child(fill_the_disk, pipe_ends[1])), 0);
    close(pipe_ends[1]);
    assert_int_equal(read(pipe_ends[0], &last, sizeof last), sizeof last);
    struct log *l = logs_open(&place);
    assert_true(logs_append(l).seq > last);
    log_close(l);
    struct log_reader *r = logs_reader(&place);
    assert_true(proved(r, last));
    log_reader_close(r);
    close(pipe_ends[0]);
}

/* ---- clocks ---- */

static uint64_t given(void *arg)
{
    return *(_Atomic uint64_t *)arg; /* read by the commit thread */
}

static void a_clock_that_steps_back_is_recorded_or_refused(void **state)
{
    (void)state;
    struct log *l = NULL;
    struct log_receipt r;
    struct err e = ERR_INIT;
    _Atomic uint64_t now = clock_wall();
    struct log_clock clock = {given, given, &now};
    logs_make(&place);
    now += 60 * UINT64_C(1000000);
    assert_true(log_open_with(&l, place.path, NULL, &clock, &e));
    logs_append(l);
    now -= 5 * UINT64_C(1000000);
    uint64_t seq = logs_append(l).seq; /* recorded as it was read */
    uint64_t recorded = now;
    now -= 6 * UINT64_C(1000000);
    assert_false(log_append(l, &config, &r, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(strstr(e.text, "11 s before"));
    now += 60 * UINT64_C(1000000);
    assert_int_equal(logs_append(l).seq, seq + 1); /* and it goes on */
    log_close(l);
    struct arena *a = arena_new(1 << 20);
    assert_int_equal(decoded(seq, a).head.wall_us, recorded);
    arena_free(a);
}

/* SQLite keeps values of IN, DISTINCT and the like in a table that it makes for the statement; for
 * what runs with every record that is the dearest part. */
static void no_statement_of_an_append_makes_a_table_of_its_own(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    sqlite3 *db = NULL;
    logs_make(&place);
    struct log *l = logs_open(&place);
    assert_true(sql_open(&db, l->path[PATH_DB], SQL_READ, &e));
    for (int i = 0; i < STATEMENTS; i++) {
        char *text = sqlite3_mprintf("EXPLAIN %s", sqlite3_sql(l->store.st[i]));
        sqlite3_stmt *st = sql_prepare(db, text, &e);
        size_t steps = 0;
        assert_non_null(st);
        for (; sqlite3_step(st) == SQLITE_ROW; steps++)
            assert_string_not_equal((const char *)sqlite3_column_text(st, 1), "OpenEphemeral");
        assert_true(steps > 1);
        sqlite3_finalize(st);
        sqlite3_free(text);
    }
    sql_close(db);
    log_close(l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_appended_is_read_back_and_proved),
        TEST(a_log_opens_again_and_says_when),
        TEST(making_a_log_twice_is_refused),
        TEST(acknowledged_means_committed_with_many_callers),
        TEST(the_eventfd_tells_of_acknowledgements),
        TEST(a_bad_body_fails_its_caller_alone),
        TEST(a_full_queue_refuses_and_keeps_what_it_took),
        TEST(content_is_sealed_and_opens_by_the_keyring),
        TEST(neither_content_nor_subject_stands_in_clear),
        TEST(a_subject_keeps_its_pseudonym_within_an_epoch),
        TEST(a_reader_proves_while_the_log_is_written),
        TEST(another_process_appends_through_the_owner),
        TEST(a_killed_owner_loses_nothing_acknowledged),
        TEST(a_full_disk_stops_the_log_and_loses_nothing),
        TEST(a_clock_that_steps_back_is_recorded_or_refused),
        TEST(no_statement_of_an_append_makes_a_table_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
