/*
 * Private to src/serve: work that would keep the loop waiting (templates, tokens, sealed
 * content) is done by threads of its own; what came of it is told in the loop's thread.
 */
#ifndef SERVE_ERRANDS_H
#define SERVE_ERRANDS_H

#include <stddef.h>

#include "assay/loop.h"

/* The first member of what is worked on, which belongs to the errands until it is told. */
struct errand {
    struct errand *next;
    void (*work)(struct errand *x); /* in a thread */
    /* In the loop's thread. `over`: the service ends, and only memory is given back; `work` may
     * not have been called. */
    void (*told)(struct errand *x, bool over);
};

struct errands;

/* `threads` at work, at most `most` errands not told yet. */
bool errands_open(struct errands **out, struct loop *l, unsigned threads, size_t most,
                  struct err *e) ASSAY_MUST_CHECK;
/* False: there are too many; nothing was taken. */
bool errands_add(struct errands *x, struct errand *what) ASSAY_MUST_CHECK;
/* Waits for what is being worked on; then everything is told that it is over. NULL is harmless. */
void errands_close(struct errands *x);

#endif
