/*
 * An upstream that answers like a model's server, or as badly as the model's name asks
 * for. One thread on epoll, so that it is also what benchmarks ask.
 *
 *   ok            a chat completion; "embed", "text": of the other shapes
 *   stream-N      N events at once, then [DONE]
 *   slow-N-MS     N events, one every MS milliseconds, then [DONE]
 *   split         a stream whose events and UTF-8 are cut at every byte
 *   noend         a stream that ends without [DONE]
 *   wide          a stream with an event of 1 MiB
 *   cut           a stream whose connection ends in the middle
 *   responses, messages   streams of these APIs
 *                 the streams of chats have a usage, 21 and 8 tokens, where include_usage asks for it
 *   stall         reads and never answers; stall-head: only a head; stall-body: half a body
 *   reset         closes with RST; early: closes without an answer; garbage: no HTTP
 *   once          answers a connection's first request, and closes without an answer at the next
 *   short         a body shorter than its Content-Length
 *   500, 503, 429, 400    that status; big: 10 MB; usage: with details of usage
 */
#ifndef TESTS_STUB_UPSTREAM_H
#define TESTS_STUB_UPSTREAM_H

#include "assay/base/bytes.h"

struct stub_upstream;

struct stub_upstream *stub_start(void);
void stub_stop(struct stub_upstream *s);
unsigned stub_port(const struct stub_upstream *s);
/* Whole requests seen since the start, and the octets of the newest. */
unsigned stub_requests(struct stub_upstream *s);
void stub_last(struct stub_upstream *s, struct buf *out);
/* Connections that closed on us before their answer was out. */
unsigned stub_aborts(struct stub_upstream *s);
/* In the calling thread, for ever: what stub_start does in one of its own. */
void stub_serve(unsigned port);

#endif
