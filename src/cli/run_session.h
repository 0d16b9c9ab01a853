/*
 * The engine at the command line: a model that was loaded, a log that every
 * call goes through, and one call.
 */
#ifndef ASSAY_CLI_RUN_SESSION_H
#define ASSAY_CLI_RUN_SESSION_H

#include "assay/replay.h"
#include "cli/args.h"
#include "cli/output.h"

/* What run, replay, bench and tokenize say about the model. */
struct engine_args {
    struct option_texts adapters; /* PATH or PATH=SCALE */
    struct option_u64 context;
    unsigned threads;
};

/* Progress on standard error. */
bool session_load(struct engine **out, const char *path, const struct engine_args *args,
                  struct err *e);

struct session {
    struct engine *engine;
    struct log *log;
    struct exchange_book *book;
    const char *folder; /* of the log */
    char room[1024];
    struct span name; /* of the model */
};

/* The log in `folder`, or the user's own, which is made when it is not there. */
bool session_open(struct session *s, struct engine *g, const char *folder,
                  const struct key_args *keys, struct err *e);
void session_close(struct session *s); /* the engine too */

struct reply {
    struct engine_result result; /* text and embedding are gone */
    struct log_receipt receipt;  /* of the outcome */
    struct buf text;
    uint64_t wall_us; /* of the engine's work */
};

/*
 * One call: the intent is durable before anything is computed, text goes to `out` as it
 * comes (NULL: nowhere), the outcome is durable before this returns. Caller frees r->text.
 */
bool session_call(struct session *s, const struct engine_request *request, struct span prompt,
                  struct out *out, struct reply *r, struct err *e);

#endif
