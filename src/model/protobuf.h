/*
 * The wire format of protocol buffers over a window: fields one after another
 * within a message, nothing of them kept. Private to src/model.
 * protobuf.dev/programming-guides/encoding.
 */
#ifndef MODEL_PROTOBUF_H
#define MODEL_PROTOBUF_H

#include "assay/archive.h"

enum proto_wire { PROTO_VARINT = 0, PROTO_FIXED64 = 1, PROTO_LENGTH = 2, PROTO_FIXED32 = 5 };

enum { PROTO_DEPTH = 24, PROTO_TEXT = 4096 };

struct proto {
    struct window *w;
    uint64_t end; /* of the message */
    /* The field that proto_next has read: */
    uint64_t next; /* where the one after it begins */
    uint32_t field;
    enum proto_wire wire;
    uint64_t value; /* of a number; the length of the rest */
};

/* The next `n` bytes of the window as a message. */
struct proto proto_message(struct window *w, uint64_t n);
/* The message that the current field holds; it must be one of PROTO_LENGTH. */
struct proto proto_inner(const struct proto *p);
/* False at the end of the message or on a fault, which stands in the window. */
bool proto_next(struct proto *p);
/* Is the current field this one, with this wire type? */
bool proto_is(const struct proto *p, uint32_t field, enum proto_wire wire);
/* The field's text, at most `room` bytes of it; *n is its whole length. */
struct span proto_text(struct proto *p, uint8_t *buf, size_t room);

#endif
