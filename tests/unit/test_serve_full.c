/* A disk that is full when an answer comes: nothing of it leaves, and the server goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/canned_server.h"
#include "support/full_disk.h"
#include "support/serving.h"

enum { NOT_HERE = 77, BIG = 5 << 20, LATER_MS = 1200, PATIENCE = 10000 };

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

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "line %d: %s\n", __LINE__, #what);                                     \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static unsigned ask(unsigned port, struct buf *answer)
{
    client_post(port, "/v1/chat/completions", "", "{\"model\":\"m\",\"messages\":[]}", answer);
    return answer_status(answer);
}

/* One answer of five megabytes, later; then small ones. */
static struct canned_server *upstream(struct canned answers[3])
{
    static const char small[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    struct buf big;
    buf_init(&big, 2 * BIG);
    buf_printf(&big, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG);
    for (int i = 0; i < BIG / 64; i++)
        buf_put_str(&big, "secret secret secret secret secret secret secret secret secret s");
    answers[0] = (struct canned){.answer = buf_span(&big), .delay_ms = LATER_MS};
    answers[1] = answers[2] = (struct canned){.answer = span_str(small)};
    return canned_start(answers, 3);
}

/* In a child, which may mount. */
static int beside_a_full_disk(void)
{
    static const char request[] = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                                  "Connection: close\r\nContent-Length: 27\r\n\r\n"
                                  "{\"model\":\"m\",\"messages\":[]}";
    struct canned answers[3];
    struct serving s;
    struct told t = {.intents = 0};
    struct buf answer;
    char yaml[512];
    if (!full_disk_small(&place, "size=40m"))
        return NOT_HERE;
    logs_make(&place);
    struct canned_server *u = upstream(answers);
    snprintf(yaml, sizeof yaml,
             "upstreams: [{name: u, url: %s/v1}]\nlimits: {reserve: 0}\n"
             "models: [{name: m, backends: [{upstream: u}]}]\n",
             canned_url(u));
    serving_start(&s, &place, yaml, 0);
    int fd = client_connect(s.port);
    client_send(fd, request);
    for (int i = 0; i < 500 && t.intents == 0; i++) {
        usleep(1000);
        told_read(&t, &place);
    }
    CHECK(t.intents == 1);
    full_disk_fill(&place);
    buf_init(&answer, 2 * BIG);
    client_read(fd, &answer, NULL, PATIENCE);
    close(fd);
    CHECK(answer_status(&answer) == 503 && has(&answer, "log_full") && !has(&answer, "secret"));
    buf_free(&answer);
    told_wait(&t, &place); /* what the intent reserved was enough for that */
    CHECK(strcmp(t.outcome, "error") == 0 && strcmp(t.error, "log_full") == 0);
    CHECK(t.windows == 0 && t.window_count == 0 && t.released == 0);
    CHECK(ask(s.port, &answer) == 503 && has(&answer, "log_full"));
    buf_free(&answer);
    CHECK(unlink(folder_path(&place, "filler")) == 0);
    unsigned status = 503;
    for (int i = 0; i < 100 && status == 503; i++) {
        usleep(50000);
        status = ask(s.port, &answer);
        buf_free(&answer);
    }
    CHECK(status == 200);
    CHECK(serving_stop(&s));
    canned_stop(u);
    return 0;
}

static void answer_without_room_in_the_log_does_not_leave(void **state)
{
    (void)state;
    int status = 1;
    pid_t child = fork();
    if (child == 0)
        _exit(beside_a_full_disk());
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_HERE)
        skip();
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_without_room_in_the_log_does_not_leave),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
