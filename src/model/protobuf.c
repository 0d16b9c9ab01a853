/* Reading protocol buffers field by field. */
#include "model/protobuf.h"

#include <string.h>

struct proto proto_message(struct window *w, uint64_t n)
{
    uint64_t at = window_at(w);
    uint64_t end = n > window_left(w) ? w->in.size : at + n;
    if (n > window_left(w))
        window_fault(w, ERR_FORMAT, "a message is longer than what holds it");
    return (struct proto){.w = w, .end = end, .next = at};
}

struct proto proto_inner(const struct proto *p)
{
    return proto_message(p->w, p->value);
}

static uint64_t varint(struct window *w)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t b = window_u8(w);
        if (shift < 64)
            v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    window_fault(w, ERR_FORMAT, "a number of more than ten bytes");
    return 0;
}

bool proto_next(struct proto *p)
{
    if (!window_ok(p->w) || p->next >= p->end)
        return false;
    window_seek(p->w, p->next);
    uint64_t tag = varint(p->w), length = 0;
    p->field = (uint32_t)(tag >> 3);
    p->wire = (enum proto_wire)(tag & 7);
    if (p->wire == PROTO_VARINT) {
        p->value = varint(p->w);
    } else if (p->wire == PROTO_LENGTH) {
        length = p->value = varint(p->w);
    } else if (p->wire == PROTO_FIXED32 || p->wire == PROTO_FIXED64) {
        length = p->wire == PROTO_FIXED64 ? 8 : 4;
        p->value = 0;
    } else {
        window_fault(p->w, ERR_FORMAT, "a field of a type that is no longer written");
    }
    if (!window_ok(p->w))
        return false;
    uint64_t at = window_at(p->w);
    if (tag >> 3 == 0 || tag >> 3 > UINT32_MAX || at > p->end || length > p->end - at) {
        window_fault(p->w, ERR_FORMAT, "a field is longer than its message");
        return false;
    }
    p->next = at + length;
    return true;
}

bool proto_is(const struct proto *p, uint32_t field, enum proto_wire wire)
{
    return p->field == field && p->wire == wire;
}

struct span proto_text(struct proto *p, uint8_t *buf, size_t room)
{
    size_t n = p->value < room ? (size_t)p->value : room;
    if (p->wire != PROTO_LENGTH || n > WINDOW_TAKE)
        return SPAN_EMPTY;
    struct span s = window_take(p->w, n);
    if (s.n)
        memcpy(buf, s.p, s.n);
    return (struct span){buf, s.n};
}
