/*
 * The engine: runs a model, to the bit the same wherever and however it runs.
 *
 * An engine owns its weights (its own copy, whose bytes it digested), the
 * cache of keys and values, and a queue of requests. Many requests are computed
 * together; because each row's arithmetic is independent of the others
 * (docs/numerics.md), batching, prefix reuse and threads change no result.
 *
 * Threads: engine_submit, engine_cancel, engine_interrupt, engine_info and
 * engine_load_now may be called from any thread. engine_step and engine_wait belong to one
 * thread at a time, the engine's; callbacks run in it, inside engine_step, and may submit and
 * cancel, but not step. Nothing here prints or exits.
 */
#ifndef ASSAY_ENGINE_H
#define ASSAY_ENGINE_H

#include "assay/base/clock.h"
#include "assay/digest.h"
#include "assay/tokenizer.h"

struct engine;

enum {
    ENGINE_CONTEXT = 8192, /* positions of a sequence when nothing else is asked, at most */
    ENGINE_BATCH = 256,    /* rows computed together at most */
    ENGINE_MAX_SEQUENCES = 64,
    ENGINE_MAX_ADAPTERS = 8,
    ENGINE_MAX_STOPS = 16, /* stop strings of a request */
    ENGINE_MAX_STOP = 256, /* bytes of one */
    ENGINE_MAX_BIAS = 1024,
    ENGINE_MAX_TOP = 20 /* log probabilities given beside the chosen token's */
};

/* ---- loading -------------------------------------------------------------- */

struct engine_adapter {
    const char *path; /* a PEFT folder or a GGUF file of general.type "adapter" */
    double scale;     /* multiplies the adapter's own; 1 as it is */
};

struct engine_options {
    unsigned threads;   /* 0: one per core that this process may use */
    uint32_t context;   /* positions of a sequence; 0: the model's, at most ENGINE_CONTEXT */
    uint32_t sequences; /* at once; 0: 1 */
    uint32_t batch;     /* rows computed together; 0: ENGINE_BATCH */
    uint64_t memory;    /* bytes it may use; 0: what the system has available */
    const struct engine_adapter *adapters;
    size_t adapter_count;
    struct progress progress;
};

/* What a record says of the model that computed; all of it bears on the bits. */
struct engine_info {
    struct span name;
    const char *family;
    bool has_tokenizer, has_template;
    struct digest tensor_root, architecture, tokenizer, chat_template;
    unsigned numerics; /* NUMERICS_VERSION */
    enum dtype cache;  /* element type of cached keys and values */
    uint32_t context, vocabulary, width, layers;
    size_t adapter_count; /* applied in this order */
    struct engine_applied {
        struct digest tensor_root;
        double scale;
    } adapters[ENGINE_MAX_ADAPTERS];
    /* These do not bear on the bits. */
    unsigned threads;
    uint32_t sequences;
    uint64_t parameters, weight_bytes, cache_bytes;
    /* Of loading, over all threads: spent hashing; and until the system had given out memory. */
    uint64_t load_us, digest_us, memory_us;
};

/*
 * Load `path`: GGUF file or folder of safetensors. Every reason not to compute is found here:
 * unsupported family, element type or setting by name, tensors that are missing, misshapen or not
 * numbers, memory. ERR_INTERRUPTED when progress says stop.
 */
bool engine_load(struct engine **out, const char *path, const struct engine_options *o,
                 struct err *e) ASSAY_MUST_CHECK;
void engine_free(struct engine *g); /* requests are dropped without callbacks; NULL is harmless */

const struct engine_info *engine_info(const struct engine *g);
const struct tokenizer *engine_tokenizer(const struct engine *g); /* NULL: the model has none */
/* The model as it was read: metadata, templates. Its weights are not in it. */
const struct model *engine_model(const struct engine *g);

/* ---- chats ---------------------------------------------------------------- */

/* Whether the model has a chat template that this build renders; *e (may be NULL) says why not. */
bool engine_chats(const struct engine *g, struct err *e);
/*
 * The prompt of a chat, ready for the answer: `variables` are what the template sees (messages,
 * tools ...), all of it untrusted; `now` is the time that it may show, in seconds since 1970.
 * Appends the ids, and the prompt as text to *text (may be NULL). Any thread.
 */
bool engine_chat_prompt(const struct engine *g, struct json variables, int64_t now,
                        struct tokens *out, struct buf *text, struct err *e) ASSAY_MUST_CHECK;

/* How a model writes that it wants a tool to be called, as its template tells. */
enum engine_tools {
    ENGINE_TOOLS_NONE,    /* the template has no place for tools */
    ENGINE_TOOLS_HERMES,  /* <tool_call>{"name": ..., "arguments": ...}</tool_call> */
    ENGINE_TOOLS_LLAMA,   /* {"name": ..., "parameters": ...}, which may follow <|python_tag|> */
    ENGINE_TOOLS_MISTRAL, /* [TOOL_CALLS][{"name": ..., "arguments": ...}], or name[ARGS]{...} */
    ENGINE_TOOLS_UNKNOWN  /* in none of these forms */
};
enum engine_tools engine_chat_tools(const struct engine *g);

/* ---- what an answer is held to ------------------------------------------- */

/* A form: tokens that would make an answer anything else are not drawn (docs/engine.md, "Forms"). */
struct engine_form;

/* What is wrong with one: which of its alternatives, and where in the schema, as a JSON pointer. */
struct engine_form_wrong {
    size_t alternative;
    char where[256];
};

/*
 * A form from an array of alternatives, each {"schema": S}, a JSON Schema of an object, or {"begin":
 * TEXT, "schema": S, "end": TEXT} for a value between two texts (no "end": behind the first), or
 * {"several": [...], "most": N, "begin", "between", "end": TEXT} for one or more of such. Or from
 * {"calls": [...], "again": B}: the answer is free until the text "trigger" of one of these
 * alternatives was written, then it is as one with this trigger says, and then free again or, without
 * "again", over; those with "list": true stand in an array. Free text is drawn as without a form.
 * In the arena, with a copy of what it was made of. ERR_UNSUPPORTED: a schema asks for what answers
 * are not held to, or for what cannot be.
 */
bool engine_form_read(const struct engine_form **out, struct json form, struct arena *a,
                      struct engine_form_wrong *wrong, struct err *e) ASSAY_MUST_CHECK;
/* What it was made of, for a record; borrowed from its arena. */
struct span engine_form_text(const struct engine_form *f);
/* Whether the model's vocabulary can write all that it may ask for. */
bool engine_form_writable(const struct engine *g, const struct engine_form *f);

/* ---- requests ------------------------------------------------------------- */

struct engine_bias {
    uint32_t id;
    float bias;
};

/*
 * How a token is drawn, a pure function of these, the logits, the tokens before
 * and the position (docs/numerics.md, "Sampling"): a drawn token can be checked
 * alone.
 */
struct engine_sampling {
    float temperature; /* 0: the likeliest */
    uint32_t top_k;    /* 0: off */
    float top_p;       /* 1: off */
    float min_p;       /* 0: off */
    float typical;     /* 1: off */
    float repetition;  /* 1: off */
    float frequency, presence;
    uint32_t penalty_last; /* tokens before that penalties look at; 0: all */
    uint64_t seed;
    const struct engine_bias *bias;
    size_t bias_count;
    uint32_t top; /* give so many log probabilities */
};
/* Greedy, everything off. */
struct engine_sampling engine_greedy(void);

struct engine_choice {
    uint32_t id;
    float logit, logprob;
};

/* One token of an answer. Borrowed until the callback returns. */
struct engine_token {
    uint32_t index;    /* 0: the answer's first */
    uint32_t position; /* in the sequence */
    uint32_t id;
    float logit, logprob; /* of the model, before penalties and temperature; logprob when asked */
    const struct engine_choice *top;
    size_t top_count;
    /* SHA-256 over the final hidden state's bits, the id and its logit's bits. */
    struct digest digest;
    struct span text; /* that may be shown now: whole characters, no part of a stop string */
    /* Of a request with a given answer: what would have been drawn here, and the
     * margin by which it beats the given token; equal to id and 0 when it is the same. */
    uint32_t drawn;
    float margin;
};

enum engine_finish {
    ENGINE_END,       /* the model ended its answer */
    ENGINE_STOPPED,   /* a stop string */
    ENGINE_LENGTH,    /* max_tokens or the context is full */
    ENGINE_CANCELLED, /* engine_cancel, or the token callback said no */
    ENGINE_FAILED     /* see error */
};
const char *engine_finish_name(enum engine_finish f); /* OpenAI's: "stop", "length"; or ours */

struct engine_result {
    enum engine_finish finish;
    struct err error;        /* of ENGINE_FAILED */
    struct span text;        /* the last text that was held back, already without a stop string */
    uint32_t prompt, cached; /* tokens of the prompt, and how many of them were not computed anew */
    uint32_t answer;         /* tokens given */
    uint64_t queue_us, prefill_us, decode_us;
    const float *embedding; /* width floats, of an embedding request */
    size_t embedding_size;
};

struct engine_request {
    const uint32_t *tokens; /* the prompt; copied */
    size_t count;
    uint32_t max_tokens; /* 0: until the context is full */
    struct engine_sampling sampling;
    const struct span *stops;
    size_t stop_count;
    bool ignore_end; /* go on after an end token, for measurements */
    bool special;    /* control tokens show in the text */
    bool logprobs;   /* tokens tell their log probability, as they do when sampling.top is given */
    const struct engine_form *form; /* NULL: any answer; otherwise it ends when the form does */
    /* Given answer (teacher forcing): computed together with the prompt in one prefill, every
     * position reported through `token`; nothing is drawn after it. */
    const uint32_t *answer;
    size_t answer_count;
    /* No answer: the mean of the final hidden states, scaled to length 1, in fixed order. */
    bool embed;
    /* False ends the request. NULL: not told. */
    bool (*token)(void *arg, const struct engine_token *t);
    /* The prompt's tokens from the second on, as the model would have given them: with their logits and
     * log probabilities, and no digest. All of it is computed anew. NULL: not told. */
    void (*prompt)(void *arg, const struct engine_token *t);
    /* Always called once for a request that was accepted. Its pointers live until it returns. */
    void (*done)(void *arg, const struct engine_result *r);
    /* For tests and scoring: all logits of a position that is reported. NULL: not told. */
    void (*logits)(void *arg, uint32_t position, const float *logits, size_t n);
    void *arg;
};

/*
 * Queue a request; *id names it for engine_cancel. Refused: empty prompts, ids outside the
 * vocabulary, prompts (with the given answer) longer than the context, parameters out of range,
 * forms that the model cannot write.
 */
bool engine_submit(struct engine *g, const struct engine_request *r, uint64_t *id,
                   struct err *e) ASSAY_MUST_CHECK;
/* Whether engine_submit would refuse it. Any thread. */
bool engine_check(const struct engine *g, const struct engine_request *r,
                  struct err *e) ASSAY_MUST_CHECK;
/* Its done callback says ENGINE_CANCELLED at the next step. Unknown ids are ignored. */
void engine_cancel(struct engine *g, uint64_t id);

/*
 * Compute one batch: prompts in pieces and one token of every answer. *work says whether there
 * is more. ERR_CHANGED when the model's file is not what was loaded any more: what was
 * queued has failed, and the engine serves nothing further.
 */
bool engine_step(struct engine *g, bool *work, struct err *e) ASSAY_MUST_CHECK;
/* Sleep until there is work, engine_interrupt, or `microseconds` (0: without end) have passed. */
void engine_wait(struct engine *g, uint64_t microseconds);
void engine_interrupt(struct engine *g);

/* How full it is, for metrics. */
struct engine_now {
    uint32_t waiting, running, sequences;
    uint64_t prompt_tokens, cached_tokens, answer_tokens; /* since it was loaded */
};
struct engine_now engine_load_now(struct engine *g);

#endif
