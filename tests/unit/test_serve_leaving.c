/*
 * What is told complete also arrives: at clients that are slow, and when the server ends
 * while answers still go out, over TLS too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "support/serving.h"
#include "support/stub_upstream.h"
#include "support/test_pki.h"

enum { SLOWLY_MS = 1800, PARTS = 50, BIG = 10 << 20 };

static struct folder place;
static struct stub_upstream *stub;
static struct serving server;

static int setup(void **state)
{
    (void)state;
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

static void start(const char *more)
{
    char yaml[2048];
    snprintf(yaml, sizeof yaml,
             "upstreams:\n  - {name: stub, url: http://127.0.0.1:%u/v1}\n"
             "models: [{name: '*', backends: [{upstream: stub}]}]\n%s",
             stub_port(stub), more);
    serving_start(&server, &place, yaml, 0);
}

static void put_request(char *out, size_t size, const char *model, const char *more)
{
    char body[256];
    snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[]%s}", model, more);
    snprintf(out, size,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             strlen(body), body);
}

/* Asks for ten megabytes and takes them in small parts for as long as SLOWLY_MS; `halfway` is
 * sent to the server after the first. Returns how much came. */
static size_t take_slowly(int halfway)
{
    static char block[BIG / PARTS];
    char request[512];
    size_t came = 0;
    ssize_t n;
    int small = 256 << 10, fd = client_connect(server.port);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    put_request(request, sizeof request, "big", "");
    client_send(fd, request);
    while ((n = recv(fd, block, sizeof block, MSG_WAITALL)) > 0) {
        if (came == 0 && halfway)
            kill(server.pid, halfway);
        came += (size_t)n;
        usleep(SLOWLY_MS * 1000 / PARTS);
    }
    close(fd);
    return came;
}

static void slow_client_that_takes_its_answer_is_not_cut(void **state)
{
    (void)state;
    start("limits: {stall_ms: 1000}\n");
    assert_true(take_slowly(0) >= BIG);
    assert_true(serving_stop(&server));
}

static void server_that_ends_lets_answers_go_out(void **state)
{
    (void)state;
    start("");
    assert_true(take_slowly(SIGTERM) >= BIG);
    assert_true(serving_stop(&server));
}

static void server_that_is_told_twice_waits_for_no_slow_client(void **state)
{
    (void)state;
    start("limits: {drain_ms: 60000}\n");
    char request[512], one;
    int fd = client_connect(server.port);
    put_request(request, sizeof request, "big", "");
    client_send(fd, request);
    assert_int_equal(recv(fd, &one, 1, 0), 1);
    kill(server.pid, SIGTERM);
    usleep(100000);
    assert_true(serving_stop(&server));
    close(fd);
}

static void server_that_was_killed_says_which_calls_it_left_open(void **state)
{
    (void)state;
    struct buf answer;
    start("");
    buf_init(&answer, 1 << 20);
    int fd = client_begin_chat(server.port, "slow-100-20", true);
    client_read(fd, &answer, "rd1 ", 10000);
    serving_kill(&server);
    close(fd);
    start("");
    serving_says(&server, "\"event\":\"recovered\",\"calls\":1");
    assert_true(serving_stop(&server));
    buf_free(&answer);
}

/* ---- TLS ---- */

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(folder_path(&place, name), "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void start_tls(void)
{
    char more[1024];
    write_file("server.pem", TEST_LEAF_PEM);
    write_file("server.key", TEST_LEAF_KEY);
    snprintf(more, sizeof more, "tls: {certificate: %s/server.pem, key: %s/server.key}\n",
             place.path, place.path);
    start(more);
}

static void over_tls_the_last_answer_leaves_before_the_server_ends(void **state)
{
    (void)state;
    static const char end[] = "\r\n0\r\n\r\n";
    struct buf answer;
    char block[4096], request[512];
    bool told = false;
    int n;
    buf_init(&answer, 1 << 20);
    start_tls();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    int fd = client_connect(server.port);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    assert_int_equal(SSL_connect(ssl), 1);
    put_request(request, sizeof request, "slow-10-40", ",\"stream\":true");
    assert_true(SSL_write(ssl, request, (int)strlen(request)) > 0);
    while ((n = SSL_read(ssl, block, sizeof block)) > 0) {
        buf_put(&answer, block, (size_t)n);
        if (!told)
            kill(server.pid, SIGTERM);
        told = true;
    }
    assert_true(answer.n && memmem(answer.p, answer.n, "[DONE]", 6));
    assert_memory_equal(answer.p + answer.n - (sizeof end - 1), end, sizeof end - 1);
    assert_true(serving_stop(&server));
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    buf_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_client_that_takes_its_answer_is_not_cut),
        cmocka_unit_test(server_that_ends_lets_answers_go_out),
        cmocka_unit_test(server_that_is_told_twice_waits_for_no_slow_client),
        cmocka_unit_test(server_that_was_killed_says_which_calls_it_left_open),
        cmocka_unit_test(over_tls_the_last_answer_leaves_before_the_server_ends),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
