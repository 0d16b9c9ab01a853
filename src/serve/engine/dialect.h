/*
 * Private to src/serve: the words of each API. A dialect is told what the engine computes, token by
 * token, and writes it as its clients read it; what several of them write stands here once.
 */
#ifndef SERVE_DIALECT_H
#define SERVE_DIALECT_H

#include "serve/engine/job.h"

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

/* ---- dialect.c, and a file for each ---- */

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
/* A function's name and arguments under `key`; and the members of a call of one, as chats have them. */
void engine_put_function(struct json_writer *w, const char *key, struct span name,
                         struct span arguments);
void engine_put_call(struct json_writer *w, struct span id, struct span name,
                     struct span arguments);
/* An event of a stream whose events have names, its object open in *w after its type; and its end. */
void engine_open_event(struct buf *out, struct json_writer *w, const char *type);
void engine_close_event(struct buf *out, struct json_writer *w);
/* It ended with calls, and not in the middle of one. */
bool engine_called(const struct engine_answer *a);
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
