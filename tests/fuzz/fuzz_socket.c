/*
 * Any bytes over LOG.sock, to a real owner of a real log: as one message, and as what stands on
 * the wire. It answers or hangs up, and stays what it was: the log still takes an entry.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log/socket.h"
#include "support/folder.h"

enum { RENEW = 5000, FRAME_ROOM = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct folder place;
static struct log *owner;
static unsigned runs;

static void demand(bool ok)
{
    if (!ok)
        abort();
}

/* The libraries may be gone already when the process ends: only the files are left to remove. */
static void leave(void)
{
    folder_remove(&place);
}

/* Anew now and then, for messages may seal the log off or make it large. */
static void renew(void)
{
    static bool registered;
    log_close(owner);
    if (owner)
        leave();
    owner = NULL;
    if (!registered)
        registered = atexit(leave) == 0;
    demand(folder_make(&place) && log_init(place.path, span_str("fuzz.example/log"), NULL, NULL) &&
           log_open(&owner, place.path, NULL, NULL));
    runs = 0;
}

/* A message is answered by a code and a result, whatever it says. */
static void one_message(struct span message)
{
    struct buf answer;
    struct err e = ERR_INIT;
    bool closed = false;
    struct socket_end end;
    demand(socket_connect(&end, place.path, SOCKET_WAIT_S, &e));
    buf_init(&answer, SOCKET_FRAME_MAX);
    demand(socket_send(end.fd, message, &e) && socket_receive(end.fd, &answer, &closed, &e));
    demand(answer.n >= 1 && answer.p[0] < ERR_CODES);
    buf_free(&answer);
    socket_close(&end);
}

/* What stands on the wire may be no message: read until the owner hangs up. */
static void raw_bytes(struct span bytes)
{
    uint8_t room[4096];
    struct socket_end end;
    demand(socket_connect(&end, place.path, SOCKET_WAIT_S, NULL));
    if (bytes.n && send(end.fd, bytes.p, bytes.n, MSG_NOSIGNAL) < 0)
        errno = 0; /* it hung up already */
    shutdown(end.fd, SHUT_WR);
    while (recv(end.fd, room, sizeof room, 0) > 0)
        continue;
    socket_close(&end);
}

/* Sealed off by a message, it says so; otherwise it goes on. */
static void still_there(void)
{
    static const char body[] = "{\"changes\":[{\"name\":\"a\"}],\"software\":\"fuzz\"}";
    struct log_entry entry = {.kind = RECORD_CONFIG, .body = span_str(body)};
    struct log_receipt r;
    struct err e = ERR_INIT;
    if (log_append(owner, &entry, &r, &e))
        return;
    demand(e.code == ERR_USAGE && strstr(e.text, "sealed off"));
    renew();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {data, size};
    if (!owner || ++runs > RENEW)
        renew();
    if (size > FRAME_ROOM)
        return 0;
    one_message(input);
    raw_bytes(input);
    still_there();
    return 0;
}
