/*
 * Private to src/serve: a call that the bundled engine answers. A job is made and freed in the
 * loop's thread. While it is read, a reader's thread has it; while the engine has it, the
 * engine's thread writes answers and, under the worker's lock, the octets of a stream.
 */
#ifndef SERVE_ENGINE_H
#define SERVE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "assay/replay.h"
#include "serve/call/call.h"
#include "serve/engine/tool_calls.h"
#include "serve/engine/workers.h"
#include "serve/service.h"

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

/* Something new of an answer. */
struct engine_piece {
    struct span text;                 /* may be empty */
    const struct engine_token *token; /* NULL: none, only text that was held back */
};

/* How an API asks and is answered. */
struct dialect {
    const char *id_prefix;
    const char *prompt; /* the parameter that holds what the model reads */
    /* Tokens and prompts of the job. */
    bool (*read)(struct engine_job *j, struct json root, struct err *e);
    /* Octets of a stream, appended: its beginning; a piece; the end of an answer; its own end. */
    void (*begin)(struct buf *out, struct engine_job *j);
    void (*piece)(struct buf *out, struct engine_answer *a, const struct engine_piece *p);
    void (*end)(struct buf *out, struct engine_answer *a);
    void (*finish)(struct buf *out, struct engine_job *j);
    void (*whole)(struct buf *out, struct engine_job *j);
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
    bool one_call;            /* at most, where none must be made */
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
    struct service *service;
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

/* ---- backend.c: in the loop's thread ---- */

void engine_job_free(struct engine_job *j);
void engine_on_ready(void *worker);

/* ---- worker.c: callbacks of the engine, whose argument is an answer ---- */

bool engine_on_token(void *answer, const struct engine_token *t);
void engine_on_prompt(void *answer, const struct engine_token *t);
void engine_on_done(void *answer, const struct engine_result *r);
/* So many answers were not submitted: the others are to be stopped. */
void engine_not_submitted(struct engine_job *j, size_t count);

/* ---- request.c ---- */

/* Fill the job from its body; on failure its complaint says which parameter. Of the job are needed: worker,
 * arena, api and dialect, stream, body, wrong, when it was made, and a buffer for the prompt. */
bool engine_request_read(struct engine_job *j, struct err *e) ASSAY_MUST_CHECK;

/* ---- prompts.c ---- */

/* Another prompt: a text, or ids; `param` is what a complaint names. */
bool engine_add_text(struct engine_job *j, struct span text, const char *param,
                     struct err *e) ASSAY_MUST_CHECK;
bool engine_add_ids(struct engine_job *j, struct json ids, const char *param,
                    struct err *e) ASSAY_MUST_CHECK;
/* The prompt's tokens from `from` on are a prompt of their own. */
bool engine_add_prompt(struct engine_job *j, size_t from, struct err *e) ASSAY_MUST_CHECK;
/* A string, ids, or several of either: `prompt` of completions, `input` of embeddings. */
bool engine_read_inputs(struct engine_job *j, struct json root, struct err *e) ASSAY_MUST_CHECK;

/* ---- chat.c ---- */

struct engine_chat {
    struct json messages, tools, variables; /* as OpenAI's chat has them */
    uint64_t now;
    struct arena *a;
    struct complaint *wrong;
};
/* A chat's prompt: the template sees messages, tools and variables, and nothing else of the
 * request. */
bool engine_chat_read(const struct engine *g, const struct engine_chat *c, struct tokens *out,
                      struct buf *prompt, struct err *e) ASSAY_MUST_CHECK;
/* Of a job whose messages are these. */
bool engine_chat_job(struct engine_job *j, struct json messages, struct err *e) ASSAY_MUST_CHECK;
/* The same of messages that a dialect wrote, as JSON: a complaint about them is one about what it
 * calls them. */
bool engine_chat_text(struct engine_job *j, struct span messages, struct err *e) ASSAY_MUST_CHECK;

/* ---- choice.c: which tools there are, and which may or must be called ---- */

bool engine_tools_read(struct engine_job *j, struct err *e) ASSAY_MUST_CHECK;
/* The name in a choice of a tool, or in a list of them; empty: there is none. */
struct span engine_tool_name(const struct engine_job *j, struct json choice);

/* ---- form.c: what the answer is held to ---- */

/* An object of the job's schema, or the call of a tool that is offered; the call alone where one must be
 * made. Its arguments are as its parameters say. Neither: anything. */
bool engine_form_answer(struct engine_job *j, struct err *e) ASSAY_MUST_CHECK;

/* ---- dialects ---- */

const struct dialect *engine_dialect(enum exchange_api api);
extern const struct dialect chat_dialect, completions_dialect, responses_dialect,
    embeddings_dialect, messages_dialect;

/* A call of a tool gets a name that every family's template takes: nine letters and digits. */
enum { CALL_ID = 10 };
const char *engine_call_id(char out[CALL_ID], const struct engine_answer *a, size_t k);
uint64_t engine_answer_tokens(const struct engine_job *j);
uint64_t engine_cached_tokens(const struct engine_job *j);
/* A list of items that were written before; ids. */
void engine_put_items(struct json_writer *w, const struct buf *items);
void engine_put_ids(struct json_writer *w, const char *key, const uint32_t *ids, size_t n);
void engine_put_type(struct json_writer *w, const char *type);
/* An event of a stream whose events have names, its object open in *w after its type; and its end. */
void engine_open_event(struct buf *out, struct json_writer *w, const char *type);
void engine_close_event(struct buf *out, struct json_writer *w);
/* Why it ended, in OpenAI's words. */
const char *engine_finish(const struct engine_answer *a);

/* ---- logprobs.c ---- */

/* Of the piece's token: an item of a chat's list. Nothing for a token that ends an answer. */
void logprobs_chat(struct buf *items, const struct engine_answer *a, const struct engine_token *t);
/* The same in the four lists of the older API. */
void logprobs_older(struct engine_answer *a, const struct engine_token *t);
/* There, of a prompt that is given back: its first token, which nothing says the likelihood of, and a
 * further one. */
void logprobs_first(struct engine_answer *a);
void logprobs_prompt(struct engine_answer *a, const struct engine_token *t);
void logprobs_older_write(struct json_writer *w, const struct engine_answer *a);

#endif
