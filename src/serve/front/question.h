/*
 * Private to src/serve: what a client asks that is worked out by a thread, while the loop goes on.
 * The client may leave meanwhile: then it is worked out all the same, and nobody is answered.
 */
#ifndef SERVE_QUESTION_H
#define SERVE_QUESTION_H

#include "serve/errands.h"
#include "serve/front/route.h"

/* The first member of what is asked, which fills `work` of the errand and what follows `conn`. */
struct question {
    struct errand errand;
    struct guest guest;
    struct conn *conn; /* NULL: the client left. The loop's */
    /* In the loop's thread, and neither of the first two when the service ends. */
    void (*done)(struct question *q);   /* NULL, or told whether the client is there or not */
    void (*answer)(struct question *q); /* the client is there */
    void (*forget)(struct question *q); /* the last call: give its memory back */
};

/* False: too many are asked at once; the caller answers and gives it back. */
bool question_ask(struct errands *x, struct question *q, struct conn *c) ASSAY_MUST_CHECK;

#endif
