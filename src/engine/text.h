/*
 * Private to src/engine: an answer's text as it grows. A character is shown
 * when it is whole, and nothing that may turn out to begin a stop string.
 */
#ifndef ENGINE_TEXT_H
#define ENGINE_TEXT_H

#include "assay/engine.h"

struct answer_text {
    bool on; /* there is a tokenizer */
    struct decoder decoder;
    struct buf held; /* decoded and not shown */
    struct buf show; /* shown now */
    struct span stops[ENGINE_MAX_STOPS];
    size_t stop_count;
};

void text_start(struct answer_text *t, const struct tokenizer *tokenizer,
                const struct engine_request *r);
void text_free(struct answer_text *t);
/* What may be shown after one more token; *stopped: a stop string is complete, and what is
 * returned ends before it. Borrowed until the next call. */
struct span text_push(struct answer_text *t, uint32_t id, bool *stopped);
/* What is left at the end. */
struct span text_finish(struct answer_text *t);

#endif
