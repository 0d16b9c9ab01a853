/*
 * Private to src/serve: how a request to the bundled engine is read. Its parameters fill the job,
 * its messages or prompts become tokens, and what its answer must be becomes a form. In a reader's
 * thread.
 */
#ifndef SERVE_READING_H
#define SERVE_READING_H

#include "serve/engine/job.h"

/* ---- parameters.c ---- */

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

/* ---- responses_input.c ---- */

/* Of Responses: instructions and input become messages, and these the prompt. */
bool engine_read_response(struct engine_job *j, struct json root, struct err *e) ASSAY_MUST_CHECK;

#endif
