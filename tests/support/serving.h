/* A server in a process of its own, and clients that say exactly these bytes. */
#ifndef TESTS_SERVING_H
#define TESTS_SERVING_H

#include <sys/types.h>

#include "assay/serve.h"
#include "support/logs.h"

struct serving {
    pid_t pid; /* SIGUSR1: its log's queue is as if it were full; SIGUSR2: it is not any more */
    unsigned port, admin_port; /* admin_port 0: none of its own */
    int lines;                 /* its structured log */
};

/* Serve by this YAML (NULL: by --upstream of the port), with the log in `f`. */
void serving_start(struct serving *s, const struct folder *f, const char *yaml, unsigned upstream);
/* Serve a model by the bundled engine, with the log in `f`. */
void serving_start_model(struct serving *s, const struct folder *f, const char *model);
/* SIGTERM, and wait until it has ended; false when it ended badly. */
bool serving_stop(struct serving *s);
void serving_kill(struct serving *s);
/* Until a line of its structured log holds this text; the test fails when none comes. */
void serving_says(const struct serving *s, const char *text);
/* This YAML takes the place of what it was started by, and SIGHUP tells it. */
void serving_reload(const struct serving *s, const struct folder *f, const char *yaml);
/* A new key's entry for the list of a configuration, with `more` of its members, appended to *keys;
 * `field`: the line of a request that shows it. */
void serving_key(const char *name, const char *more, struct buf *keys, char *field, size_t size);
/* Servers started from now on can write no file larger than this; 0: no limit. */
extern unsigned long serving_file_limit;

/* A connection of its own; -1 when refused. */
int client_connect(unsigned port);
void client_send(int fd, const char *text);
/* Until `wanted` is in what came, the other side closes, or so many milliseconds are over. */
void client_read(int fd, struct buf *answer, const char *wanted, int ms);
/* One request on a connection that is closed behind it; everything that came back. */
void client_ask(unsigned port, const char *request, struct buf *answer);
/* POST of a body; `fields` are further lines, each with its CR LF. */
void client_post(unsigned port, const char *path, const char *fields, const char *body,
                 struct buf *answer);
/* Status of a GET. */
unsigned client_get(unsigned port, const char *path, const char *fields);
/* A chat is asked for on a connection of its own, which is returned. */
int client_begin_chat(unsigned port, const char *model, bool stream);
bool has(const struct buf *b, const char *text);
unsigned answer_status(const struct buf *answer);
/* A field's value, as text; empty when there is none. */
void answer_field(const struct buf *answer, const char *name, char *out, size_t size);
/* What follows the head, chunks taken apart. */
void answer_body(const struct buf *answer, struct buf *out);

/* What the log says of the newest call, or of the call of an intent. */
struct told {
    unsigned intents, windows, outcomes, refused;
    uint64_t intent, outcome_seq;
    char outcome[32], error[64], api[32];
    uint64_t status, released, attempts, window_count, refused_count;
    uint64_t tokens_in, tokens_out;
    bool has_outcome, estimated, relayed;
};
void told_read(struct told *t, const struct folder *f);
/* Waits until the newest intent has its outcome. */
void told_wait(struct told *t, const struct folder *f);
/* All that was said under a name in the call of an intent, opened. The server must not run. */
void told_content(const struct folder *f, uint64_t intent, const char *field, struct buf *out);

#endif
