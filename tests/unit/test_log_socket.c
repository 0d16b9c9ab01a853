/* Places at LOG.sock: whoever has nothing to say gives way to who has, and comes back without knowing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log/socket.h"
#include "support/logs.h"

static struct folder place;
static struct log *owner;

static int setup(void **state)
{
    (void)state;
    if (!folder_make(&place))
        return -1;
    logs_make(&place);
    owner = logs_open(&place);
    return log_is_owner(owner) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    log_close(owner);
    folder_remove(&place);
    return 0;
}

static struct socket_end connected(void)
{
    struct socket_end s;
    struct err e = ERR_INIT;
    if (!socket_connect(&s, place.path, SOCKET_WAIT_S, &e))
        fail_msg("%s", e.text);
    return s;
}

/* Asks for the checkpoint, so that the owner knows it. */
static void asks(struct socket_end *s)
{
    static const uint8_t request = SOCKET_CHECKPOINT;
    struct buf answer;
    struct span note;
    struct err e = ERR_INIT;
    buf_init(&answer, 1 << 16);
    if (!socket_call(s, (struct span){&request, 1}, &answer, &note, &e))
        fail_msg("%s", e.text);
    assert_true(note.n > 0);
    buf_free(&answer);
}

/* Nothing but that the connection is given up, and its end. */
static void is_given_up(const struct socket_end *s)
{
    uint8_t frame[16];
    assert_int_equal(recv(s->fd, frame, sizeof frame, MSG_WAITALL), 5);
    assert_int_equal(frame[4], SOCKET_GIVEN_UP);
}

static void idle_connections_keep_nobody_out(void **state)
{
    (void)state;
    struct socket_end idle[SOCKET_CLIENTS];
    for (size_t i = 0; i < SOCKET_CLIENTS; i++) {
        idle[i] = connected();
        asks(&idle[i]);
    }
    asks(&idle[0]); /* the second is idle longest now */
    struct log *other = logs_open(&place);
    assert_false(log_is_owner(other));
    uint64_t first = logs_append(other).seq;
    assert_int_equal(logs_append(other).seq, first + 1);
    is_given_up(&idle[1]);
    socket_close(&idle[1]);
    idle[1] = connected();
    for (size_t i = 0; i < SOCKET_CLIENTS; i++)
        asks(&idle[i]); /* there is a place for each when it has something to say */
    log_close(other);
    for (size_t i = 0; i < SOCKET_CLIENTS; i++)
        socket_close(&idle[i]);
}

/* What it records is recorded once. */
static void client_that_gave_way_records_again(void **state)
{
    (void)state;
    struct log *other = logs_open(&place);
    uint64_t next = logs_append(other).seq + 1;
    for (int round = 0; round < 3; round++, next++) {
        struct socket_end crowd[SOCKET_CLIENTS + 3];
        for (size_t i = 0; i < SOCKET_CLIENTS + 3; i++) {
            crowd[i] = connected();
            asks(&crowd[i]);
        }
        assert_int_equal(logs_append(other).seq, next);
        for (size_t i = 0; i < SOCKET_CLIENTS + 3; i++)
            socket_close(&crowd[i]);
    }
    log_close(other);
    assert_int_equal(logs_append(owner).seq, next);
}

/* A request that is begun keeps its place. */
static void who_is_saying_something_does_not_give_way(void **state)
{
    (void)state;
    static const uint8_t length[] = {1, 0, 0, 0}, request = SOCKET_CHECKPOINT;
    struct socket_end slow = connected(), crowd[2 * SOCKET_CLIENTS];
    struct buf answer;
    struct err e = ERR_INIT;
    bool closed;
    asks(&slow);
    assert_int_equal(send(slow.fd, length, sizeof length, 0), sizeof length);
    usleep(100000); /* the owner has begun to read */
    for (size_t i = 0; i < 2 * SOCKET_CLIENTS; i++) {
        crowd[i] = connected();
        asks(&crowd[i]);
    }
    assert_int_equal(send(slow.fd, &request, 1, 0), 1);
    buf_init(&answer, 1 << 16);
    assert_true(socket_receive(slow.fd, &answer, &closed, &e));
    assert_true(answer.n > 1 && answer.p[0] == ERR_NONE);
    buf_free(&answer);
    socket_close(&slow);
    for (size_t i = 0; i < 2 * SOCKET_CLIENTS; i++)
        socket_close(&crowd[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_connections_keep_nobody_out),
        cmocka_unit_test(client_that_gave_way_records_again),
        cmocka_unit_test(who_is_saying_something_does_not_give_way),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
