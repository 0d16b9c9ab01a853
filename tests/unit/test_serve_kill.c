/*
 * The server is killed at random moments under load. Every answer that a client got whole is
 * in the log with equal bytes, every half of one has an intent and a prefix that holds
 * what was got, and no call stays open. SERVE_ROUNDS says how often, 6 unless said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/text.h"
#include "assay/http.h"
#include "support/serving.h"
#include "support/stub_upstream.h"

enum { CLIENTS = 6, ROUNDS = 6, CALLS_MAX = 4096 };

static struct folder place;
static struct stub_upstream *stub;
static struct serving server;
static atomic_bool ending;

/* What a client got: the entry that its head named, and the body as far as it came. */
struct got {
    uint64_t entry;
    bool stream, whole;
    struct buf body;
};

static struct got got[CALLS_MAX];
static atomic_size_t got_count;

static void keep(const struct buf *answer, bool stream)
{
    char entry[32], length[32];
    uint64_t n = 0;
    struct got g = {.stream = stream};
    struct http_chunks c = {0};
    struct err e = ERR_INIT;
    size_t used;
    const uint8_t *end = answer->n ? memmem(answer->p, answer->n, "\r\n\r\n", 4) : NULL;
    if (!end || answer_status(answer) != 200)
        return;
    answer_field(answer, "Assay-Entry", entry, sizeof entry);
    answer_field(answer, "Content-Length", length, sizeof length);
    if (!text_u64(span_str(entry), &g.entry))
        return;
    size_t at = (size_t)(end - answer->p) + 4;
    struct span rest = {answer->p + at, answer->n - at};
    buf_init(&g.body, 1 << 20);
    if (!stream) {
        buf_put_span(&g.body, rest);
        g.whole = text_u64(span_str(length), &n) && n == rest.n;
    } else if (http_chunks_feed(&c, rest, &used, &g.body, &e)) {
        g.whole = c.done;
    }
    size_t i = atomic_fetch_add(&got_count, 1);
    if (i < CALLS_MAX)
        got[i] = g;
    else
        buf_free(&g.body);
}

static void *client(void *arg)
{
    bool stream = ((uintptr_t)arg & 1) != 0;
    static const char *const bodies[] = {
        "{\"model\":\"ok\",\"messages\":[]}",
        "{\"model\":\"slow-5-3\",\"messages\":[],\"stream\":true}"};
    char text[512];
    snprintf(text, sizeof text,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             strlen(bodies[stream]), bodies[stream]);
    while (!atomic_load(&ending)) {
        struct buf answer;
        uint8_t block[4096];
        ssize_t n;
        int fd = client_connect(server.port);
        if (fd < 0)
            break;
        buf_init(&answer, 1 << 20);
        client_send(fd, text);
        while ((n = recv(fd, block, sizeof block, 0)) > 0)
            buf_put(&answer, block, (size_t)n);
        close(fd);
        keep(&answer, stream);
        buf_free(&answer);
    }
    return NULL;
}

static void round_of(unsigned i)
{
    pthread_t thread[CLIENTS];
    serving_start(&server, &place, NULL, stub_port(stub));
    atomic_store(&ending, false);
    for (uintptr_t k = 0; k < CLIENTS; k++)
        assert_int_equal(pthread_create(&thread[k], NULL, client, (void *)k), 0);
    usleep(30000 + (i * 7919u) % 90000);
    kill(server.pid, SIGKILL);
    atomic_store(&ending, true);
    for (unsigned k = 0; k < CLIENTS; k++)
        pthread_join(thread[k], NULL);
    serving_kill(&server);
}

/* ---- what the log says ---- */

struct audit {
    struct log *log;
    uint64_t intent_of[CALLS_MAX * 8]; /* by entry: 1 + the intent of its call */
    uint8_t closed[CALLS_MAX * 8];
    struct buf said[CALLS_MAX * 8]; /* by intent: `response` */
    size_t size;
};

static struct audit a;

static void open_response(uint64_t intent, uint64_t seq)
{
    struct log_disclosure what = {
        seq, span_str("response"), span_str("t"), {span_str("t"), span_str("t")}};
    struct buf bundle;
    struct json root;
    struct span content;
    struct err e = ERR_INIT;
    struct arena *arena = arena_new(8 << 20);
    uint64_t leaf;
    buf_init(&bundle, 8 << 20);
    if (!log_disclose(a.log, &what, &leaf, &bundle, &e) ||
        !json_parse(&root, buf_span(&bundle), JSON_STRICT, arena, &e))
        fail_msg("%s", e.text);
    assert_true(json_string(json_get(json_at(json_get(root, "fields"), 0), "content"), &content));
    if (a.said[intent].max == 0)
        buf_init(&a.said[intent], 1 << 20);
    buf_put_span(&a.said[intent], content);
    buf_free(&bundle);
    arena_free(arena);
}

static bool note(void *arg, uint64_t seq, struct span leaf)
{
    struct record r;
    struct err e = ERR_INIT;
    struct arena *arena = arena_new(1 << 20);
    uint64_t intent = seq;
    (void)arg;
    if (seq >= CALLS_MAX * 8)
        fail_msg("more entries than this test has room for");
    assert_true(record_decode(&r, leaf, arena, &e));
    (void)json_u64(json_get(r.body, "intent"), &intent);
    if (r.head.kind == RECORD_CALL_INTENT || r.head.kind == RECORD_CALL_WINDOW ||
        r.head.kind == RECORD_CALL_OUTCOME) {
        a.intent_of[seq] = 1 + intent;
        a.closed[intent] = r.head.kind == RECORD_CALL_OUTCOME;
    }
    for (size_t i = 0; i < r.field_count; i++)
        if (span_is(r.fields[i].name, "response"))
            a.intent_of[seq] |= UINT64_C(1) << 63;
    a.size = seq + 1;
    arena_free(arena);
    return true;
}

static void read_log(void)
{
    struct err e = ERR_INIT;
    a.log = logs_open(&place); /* closes what the kill left open */
    struct log_reader *r = logs_reader(&place);
    assert_true(log_reader_walk(r, 0, note, NULL, &e));
    log_reader_close(r);
    for (uint64_t seq = 0; seq < a.size; seq++)
        if (a.intent_of[seq] >> 63)
            open_response((a.intent_of[seq] & ~(UINT64_C(1) << 63)) - 1, seq);
    log_close(a.log);
}

static void killed_server_has_told_no_client_more_than_the_log_has(void **state)
{
    (void)state;
    const char *wanted = getenv("SERVE_ROUNDS");
    unsigned rounds = wanted ? (unsigned)strtoul(wanted, NULL, 10) : ROUNDS;
    size_t whole = 0, half = 0;
    for (unsigned i = 0; i < rounds && atomic_load(&got_count) < CALLS_MAX / 2; i++)
        round_of(i);
    read_log();
    for (size_t i = 0; i < atomic_load(&got_count); i++) {
        const struct got *g = &got[i];
        assert_true(g->entry < a.size && a.intent_of[g->entry]);
        uint64_t intent = (a.intent_of[g->entry] & ~(UINT64_C(1) << 63)) - 1;
        const struct buf *said = &a.said[intent];
        assert_true(a.closed[intent]);
        assert_true(g->whole ? said->n == g->body.n : said->n >= g->body.n);
        if (g->body.n)
            assert_memory_equal(said->p, g->body.p, g->body.n);
        whole += g->whole;
        half += !g->whole;
    }
    for (uint64_t seq = 0; seq < a.size; seq++)
        if (a.intent_of[seq] == 1 + seq)
            assert_true(a.closed[seq]);
    print_message("%u rounds, %zu whole answers, %zu halves\n", rounds, whole, half);
    assert_true(whole > 0);
}

static int setup(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    if (!folder_make(&place))
        return -1;
    logs_make(&place);
    stub = stub_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stub_stop(stub);
    folder_remove(&place);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_server_has_told_no_client_more_than_the_log_has),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
