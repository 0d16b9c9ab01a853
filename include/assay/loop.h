/*
 * The event loop of one thread (libevent): timers, descriptors, signals. Everything in
 * listener.h and transfer.h runs on one, and calls back in its thread; nothing here
 * waits.
 */
#ifndef ASSAY_LOOP_H
#define ASSAY_LOOP_H

#include "assay/base/err.h"

struct loop;
struct loop_event; /* a timer, a descriptor or a signal that is watched */

typedef void loop_call(void *arg);

bool loop_new(struct loop **out, struct err *e) ASSAY_MUST_CHECK;
void loop_free(struct loop *l); /* after everything on it; NULL is harmless */
/* Until loop_stop; false: the system could not wait for events (ERR_IO). */
bool loop_run(struct loop *l, struct err *e) ASSAY_MUST_CHECK;
void loop_stop(struct loop *l);
/* Milliseconds of the monotonic clock, as the loop saw it last. */
uint64_t loop_now_ms(const struct loop *l);

/* Each returns NULL when out of memory; `arg` and a descriptor stay the caller's and outlive the event,
 * which the caller frees. loop_event_free(NULL) is harmless. */
struct loop_event *loop_readable(struct loop *l, int fd, loop_call *call, void *arg);
struct loop_event *loop_signal(struct loop *l, int signal, loop_call *call, void *arg);
struct loop_event *loop_every(struct loop *l, unsigned ms, loop_call *call, void *arg);
/* A timer that is not running; loop_timer_start starts it (again) for once. */
struct loop_event *loop_timer(struct loop *l, loop_call *call, void *arg);
void loop_timer_start(struct loop_event *t, unsigned ms);
/* The same, after what the loop has in hand already and before it waits. */
void loop_timer_now(struct loop_event *t);
void loop_event_free(struct loop_event *t);

#endif
