/* Where the disk or the descriptors run out: nothing leaves that the log has not, and it goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/canned_server.h"
#include "support/full_disk.h"
#include "support/serving.h"
#include "support/stub_upstream.h"

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

static int run(int (*child)(void))
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(child());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void answer_without_room_in_the_log_does_not_leave(void **state)
{
    (void)state;
    int status = run(beside_a_full_disk);
    if (status == NOT_HERE)
        skip(); /* mounting is not allowed here */
    assert_int_equal(status, 0);
}

/* The server is left few descriptors, and looks at how many there are when it reads its configuration. */
static void who_merely_connects_leaves_descriptors_for_the_log(void **state)
{
    (void)state;
    enum { FEW = 256, MANY = 600 };
    static int fd[MANY];
    const struct rlimit few = {FEW, FEW};
    struct folder own;
    struct serving s;
    struct buf answer;
    assert_true(folder_make(&own));
    logs_make(&own);
    struct stub_upstream *stub = stub_start();
    serving_start(&s, &own, NULL, stub_port(stub));
    assert_int_equal(prlimit(s.pid, RLIMIT_NOFILE, &few, NULL), 0);
    kill(s.pid, SIGHUP);
    serving_says(&s, "\"reloaded\"");
    for (int i = 0; i < MANY; i++)
        fd[i] = client_connect(s.port);
    for (int i = 0; i < 3; i++) { /* the head file is written once a second */
        client_post(s.port, "/v1/chat/completions", "", "{\"model\":\"ok\",\"messages\":[]}",
                    &answer);
        assert_int_equal(answer_status(&answer), 200);
        buf_free(&answer);
        usleep(500000);
    }
    for (int i = 0; i < MANY; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    assert_true(serving_stop(&s));
    stub_stop(stub);
    folder_remove(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_without_room_in_the_log_does_not_leave),
        cmocka_unit_test(who_merely_connects_leaves_descriptors_for_the_log),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
