/*
 * Private to src/serve: a call that the bundled engine answers. A job is made and freed in the
 * loop's thread. While it is read, a reader's thread has it; while the engine has it, the
 * engine's thread writes answers and, under the worker's lock, the octets of a stream.
 */
#ifndef SERVE_JOB_H
#define SERVE_JOB_H

#include <pthread.h>
#include <stdatomic.h>

#include "assay/replay.h"
#include "serve/call/call.h"
#include "serve/engine/tool_calls.h"
#include "serve/engine/workers.h"
#include "serve/errands.h"

struct dialect;

enum {
    JOB_ID = 48,
    JOB_FINGERPRINT = 96,
    JOB_RANDOM = 12,
    ANSWERS_MAX = 128, /* of a call: choices, times prompts */
    VECTORS_MAX = 2048 /* inputs of an embeddings call */
};

/* One sequence of a call: an answer or, of embeddings, a vector. */
struct engine_answer {
    struct engine_job *job;
    uint32_t index;         /* among the call's */
    const uint32_t *prompt; /* in the job's tokens */
    size_t prompt_count;
    struct tape tape;    /* what the log gets of it; its text and tokens are also the answer's */
    struct buf marked;   /* with tools: the text with the marks of calls */
    struct buf logprobs; /* JSON, of those that were asked for: items of a list */
    struct buf texts, offsets; /* the same in the form of the older API */
    struct buf tops;
    struct buf vector;       /* f32le */
    struct tool_calls calls; /* when it is over */
    struct span content;     /* when it is over: what it says, without calls */
    struct span echo;        /* the prompt's text, where it is given before the answer's */
    double likelihood; /* the sum of its tokens' log probabilities, where the best are chosen */
    size_t shown;      /* bytes of the text that the stream has */
    size_t characters; /* of the text */
    bool opened;       /* the stream has its beginning */
    bool chosen;       /* it is one of the best */
    bool called;       /* it ended with its first call: no other was asked for */
    struct engine_result result;
    uint64_t number; /* the engine's */
    bool submitted;
};

struct engine_job {
    struct errand errand;
    struct engine_job *next, *previous; /* of all */
    struct engine_job *next_ready;
    struct worker *worker;
    struct call *call; /* NULL: it is no more */
    struct arena *arena;
    const struct dialect *dialect;
    /* what was asked, and what is wrong with it */
    struct span body;
    struct complaint *wrong;
    enum exchange_api api;
    struct json root;
    struct engine_request request; /* what all answers have in common */
    struct tokens tokens;          /* of all prompts */
    size_t *prompts;               /* tokens of each */
    size_t prompt_count;
    struct buf prompt; /* what the model reads, as text */
    uint32_t choices;  /* computed of each prompt */
    uint32_t given;    /* of them, the likeliest; 0: all */
    uint32_t top;
    bool stream, include_usage, logprobs, token_ids, base64;
    bool echo, only_echo; /* only: no token is asked for beyond the prompt */
    struct json tools, tool_choice, parallel, chat_variables;
    struct json functions, function_call; /* the same in their older form */
    bool older_tools;                     /* which the answer has then as well */
    struct tool_calls_form calls;         /* of tools; family NONE: none were offered */
    struct span schema; /* JSON, of the object that the answer is; empty: it may be anything */
    const char *schema_param; /* where it stands */
    bool must_call;           /* a tool: */
    struct span chosen;       /* of this name; empty: any */
    struct json allowed;      /* the tools that may be called, as the API names one; missing: all */
    bool one_call;            /* at most */
    struct span model;
    uint8_t random[JOB_RANDOM];
    char id[JOB_ID], fingerprint[JOB_FINGERPRINT];
    uint64_t created;
    uint64_t events; /* of a stream, numbered */
    size_t limit;    /* bytes of an answer */
    bool asked;      /* it was read whole: err says why not */
    struct err err;
    /* what the log gets */
    struct tape tape;
    struct tape_model identity;
    struct buf sampling;
    /* the computation */
    struct engine_answer *answers;
    size_t answer_count;
    bool submitted, over;
    /* under the worker's lock */
    size_t left; /* answers that are not over */
    struct buf fresh;
    bool ready, ended, broken; /* broken: an answer failed, the others are to be stopped */
};

struct worker {
    struct engine *engine;
    pthread_t thread;
    bool running;
    atomic_bool stop;
    pthread_mutex_t lock;
    struct engine_job *ready; /* newest first */
    struct engine_job *jobs;
    size_t job_count, most; /* calls that it has or that wait for it */
    int fd;                 /* an eventfd: something is ready */
    struct loop_event *event;
};

/* ---- job.c ---- */

/* NULL: out of memory. In the loop's thread. */
struct engine_job *engine_job_new(struct worker *w, struct call *c);
void engine_job_free(struct engine_job *j);
/* An errand's work, in a reader's thread: `asked`, or `err` says why not. */
void engine_job_read(struct errand *x);

/* ---- backend.c ---- */

/* In the loop's thread: some of the worker's jobs have something new for their calls. */
void engine_on_ready(void *worker);

/* ---- worker.c: callbacks of the engine, whose argument is an answer ---- */

bool engine_on_token(void *answer, const struct engine_token *t);
void engine_on_prompt(void *answer, const struct engine_token *t);
void engine_on_done(void *answer, const struct engine_result *r);
/* So many answers were not submitted: the others are to be stopped. */
void engine_not_submitted(struct engine_job *j, size_t count);

#endif
