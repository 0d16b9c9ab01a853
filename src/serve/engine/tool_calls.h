/*
 * Private to src/serve: the calls of tools in what a model wrote, read in the forms of
 * the families (enum engine_tools). What does not hold stays text.
 */
#ifndef SERVE_TOOL_CALLS_H
#define SERVE_TOOL_CALLS_H

#include "assay/base/json.h"
#include "assay/engine.h"

enum { TOOL_CALLS_MAX = 128, TOOL_MARK_MAX = 16 };

struct tool_call {
    struct span name;
    struct span arguments; /* JSON text, or what the model wrote as a string */
    bool object;           /* they are a JSON object */
};

struct tool_calls {
    struct span content; /* what is no call; in the arena, or of the text */
    struct tool_call call[TOOL_CALLS_MAX];
    size_t count;
    bool cut; /* a further one was begun and is not whole: it stands in the content */
};

/* How much of a text that goes on is no part of a call, whatever follows. */
size_t tool_calls_before(enum engine_tools form, struct span text);
/* How an answer's calls may be written. */
struct tool_calls_form {
    enum engine_tools family;
    struct json tools; /* that may be called, as OpenAI has them */
    /* The answer's form holds them: without a mark, a call is what begins as the form has it begin. */
    bool held;
    /* The answer is calls alone: where it was cut, those before are calls all the same. */
    bool several;
};

/* A text that is whole. False: out of memory. */
bool tool_calls_read(struct tool_calls *out, const struct tool_calls_form *form, struct span text,
                     struct arena *a) ASSAY_MUST_CHECK;
/* The first call of a text that goes on, once it is whole, and what stands before it. False: there
 * is none yet, and *out is of no use. */
bool tool_calls_first(struct tool_calls *out, const struct tool_calls_form *form, struct span text,
                      struct arena *a) ASSAY_MUST_CHECK;
/* Whether a control token's text is one of the marks of calls, which texts do not show. */
bool tool_calls_mark(struct span token);

#endif
