/*
 * Private to src/serve: a call that the bundled engine answers. A job is made and freed in the
 * loop's thread; while the engine has it, the engine's thread writes tape, result and, under
 * the worker's lock, the octets of a stream.
 */
#ifndef SERVE_ENGINE_H
#define SERVE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "assay/replay.h"
#include "serve/service.h"

enum { JOB_ID = 48, JOB_FINGERPRINT = 96 };

struct engine_job {
    struct engine_job *next, *previous; /* of all */
    struct engine_job *next_ready;
    struct worker *worker;
    struct call *call; /* NULL: it is no more */
    struct arena *arena;
    /* what was asked */
    struct engine_request request;
    struct tokens tokens;
    struct buf prompt; /* what the model reads, as text */
    bool chat, stream, include_usage;
    struct span model;
    char id[JOB_ID], fingerprint[JOB_FINGERPRINT];
    uint64_t created;
    /* what the log gets */
    struct tape tape;
    struct tape_model identity;
    struct buf sampling;
    /* the computation */
    uint64_t number; /* the engine's */
    bool submitted, over;
    struct engine_result result;
    /* under the worker's lock */
    struct buf fresh;
    bool ready, ended;
};

struct worker {
    struct service *service;
    struct engine *engine;
    pthread_t thread;
    bool running;
    atomic_bool stop;
    pthread_mutex_t lock;
    struct engine_job *ready; /* newest first */
    struct engine_job *jobs;
    int fd; /* an eventfd: something is ready */
    struct loop_event *event;
};

/* ---- engine_request.c ---- */

/* Fill the job from the call's body; on failure the error says which parameter. */
bool engine_request_read(struct engine_job *j, struct call *c, struct err *e) ASSAY_MUST_CHECK;

/* A chat's prompt: the template sees the messages and nothing else of the request. */
bool engine_messages(struct engine *g, struct json messages, uint64_t now, struct arena *a,
                     struct tokens *out, struct buf *prompt, struct err *e) ASSAY_MUST_CHECK;

/* ---- engine_answer.c ---- */

/* Octets of the answer, appended. */
void engine_answer_begin(struct buf *out, const struct engine_job *j);
void engine_answer_piece(struct buf *out, const struct engine_job *j, struct span text);
void engine_answer_end(struct buf *out, const struct engine_job *j);
void engine_answer_whole(struct buf *out, const struct engine_job *j);

#endif
