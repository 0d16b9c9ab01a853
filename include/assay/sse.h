/*
 * Server-sent events (WHATWG HTML, section 9.2) as they arrive: lines end in LF, CR LF or
 * CR; an event may be cut anywhere; several data lines are joined by LF; comments
 * are passed over; an event larger than SSE_EVENT_MAX is passed over and counted. The last
 * event counts even when the stream ends before its blank line (sse_end), because
 * upstreams do that.
 */
#ifndef ASSAY_SSE_H
#define ASSAY_SSE_H

#include "assay/base/bytes.h"

enum { SSE_EVENT_MAX = 4 << 20 };

struct sse_event {
    struct span event; /* empty: none was named */
    struct span data;
    uint64_t begin; /* offset of its first byte in the stream */
    uint64_t end;   /* behind its blank line; of CR LF, behind the CR */
};

/* Borrowed while the call lasts. */
typedef void sse_visit(void *arg, const struct sse_event *e);

struct sse {
    struct buf line, data, event;
    bool after_return, any_data, overflow, started;
    uint64_t offset; /* bytes fed */
    uint64_t begin;  /* of the event that is being read */
    uint64_t overflows;
};

void sse_init(struct sse *s);
void sse_free(struct sse *s);
void sse_feed(struct sse *s, struct span bytes, sse_visit *visit, void *arg);
void sse_end(struct sse *s, sse_visit *visit, void *arg);

#endif
