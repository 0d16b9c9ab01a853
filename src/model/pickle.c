/*
 * Pickles one after another through a whole input. An unpickler has done
 * everything before the byte at which it raises, so each opcode is judged as
 * it comes; and since loaders call it again, reading goes on after STOP.
 */
#include "model/pickle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FRAGMENTS = 16 };

void pickle_note(struct pickle *p, enum rule_id rule, const char *fmt, ...)
{
    char text[480];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const char *name = pickle_opcodes[p->op].name;
    content_note(&p->c, rule, p->op_at, window_at(&p->w) - p->op_at, "%s%s%s", name ? name : "",
                 name ? ": " : "", text);
}

/* ---- one stream ---- */

/* Where a frame ends every reader must stand at the beginning of an opcode. */
static void check_frame(struct pickle *p, uint64_t at)
{
    if (at < p->frame_end)
        return;
    if (at > p->frame_end) {
        pickle_note(p, RULE_PICKLE_FRAME, "the frame ends at offset %llu, within this opcode",
                    (unsigned long long)p->frame_end);
        p->resume = p->frame_end;
    }
    p->frame_end = 0;
}

static bool step(struct pickle *p)
{
    p->op_at = window_at(&p->w);
    p->op = window_u8(&p->w);
    if (!window_ok(&p->w))
        return pickle_fail(p, "the pickle ends without STOP");
    const struct pickle_opcode *o = &pickle_opcodes[p->op];
    if (p->trace)
        p->trace(p->trace_arg, p->op_at, p->op);
    if (!o->run)
        return pickle_fail(p, "there is no such opcode");
    p->ops++;
    bool goes_on = o->run(p);
    if (p->frame_end && window_ok(&p->w))
        check_frame(p, window_at(&p->w));
    return goes_on;
}

enum pickle_end pickle_stream(struct pickle *p)
{
    p->end = PICKLE_STOPPED;
    p->why = NULL;
    p->result = 0;
    while (step(p))
        ;
    if (p->end == PICKLE_STOPPED && !window_ok(&p->w))
        p->end = p->w.fault_code == ERR_LIMIT ? PICKLE_LIMIT : PICKLE_BROKEN;
    if (p->end == PICKLE_STOPPED && p->op != '.')
        p->end = PICKLE_BROKEN;
    return p->end;
}

/* Why a stream ended other than at STOP. */
static void note_end(struct pickle *p)
{
    char name[32] = "";
    const char *why = p->why ? p->why : p->w.fault ? p->w.fault : "the opcode cannot be run";
    if (pickle_opcodes[p->op].name)
        snprintf(name, sizeof name, "%s", pickle_opcodes[p->op].name);
    else
        snprintf(name, sizeof name, "byte 0x%02x", p->op);
    if (p->w.fault && p->w.fault_code == ERR_IO)
        content_note_fault(&p->c, &p->w, RULE_PICKLE_MALFORMED, "the pickle");
    else if (p->end == PICKLE_LIMIT)
        content_limit(&p->c, p->op_at, why);
    else
        content_note(&p->c, RULE_PICKLE_MALFORMED, p->op_at, 0, "%s: %s", name, why);
    content_incomplete(&p->c);
}

/* ---- all streams ---- */

/* A window that stopped is opened again at `at`. */
static void reopen(struct pickle *p, uint64_t at)
{
    p->w.fault = NULL;
    p->w.base = at;
    p->w.have = p->w.pos = 0;
}

/* Other readings of the same bytes: from where a frame ended. */
static bool read_fragments(struct pickle *p)
{
    while (p->resume) {
        uint64_t at = p->resume;
        p->resume = 0;
        if (++p->fragments > FRAGMENTS) {
            content_limit(&p->c, at, "more frames that end within opcodes than are followed");
            return true;
        }
        pickle_reset(p);
        reopen(p, at);
        p->fragment = true;
        enum pickle_end end = pickle_stream(p);
        p->fragment = false;
        if (end == PICKLE_NO_MEMORY)
            return false;
    }
    return true;
}

/* Zeros are what is left of a longer file; *blank: zeros and white space, as editors add it. */
static bool all_zero(struct pickle *p, bool *blank)
{
    bool zero = true;
    *blank = true;
    while (window_ok(&p->w) && window_left(&p->w) > 0) {
        struct span s = window_take(
            &p->w, window_left(&p->w) < WINDOW_TAKE ? (size_t)window_left(&p->w) : WINDOW_TAKE);
        for (size_t i = 0; i < s.n && *blank; i++) {
            zero = zero && !s.p[i];
            *blank = !s.p[i] || strchr(" \t\r\n", s.p[i]);
        }
        if (!*blank)
            return false;
    }
    *blank = *blank && window_ok(&p->w);
    return zero && window_ok(&p->w);
}

/* Does another pickle begin here? */
static bool another(struct pickle *p)
{
    struct span head = window_peek(&p->w, CONTENT_HEAD);
    return pickle_sniff(head, window_left(&p->w));
}

static void note_rest(struct pickle *p)
{
    uint64_t at = window_at(&p->w), left = window_left(&p->w);
    bool blank;
    if (!left || all_zero(p, &blank))
        return;
    content_note(&p->c, RULE_PICKLE_TRAILING, at, left,
                 "%llu bytes after the pickle's end are no pickle", (unsigned long long)left);
    if (!blank)
        content_incomplete(&p->c);
}

bool pickle_rest(struct pickle *p)
{
    size_t streams = 0;
    do {
        enum pickle_end end = pickle_stream(p);
        uint64_t after = window_ok(&p->w) ? window_at(&p->w) : p->c.in.size;
        if (end == PICKLE_NO_MEMORY || !(end == PICKLE_STOPPED || (note_end(p), true)))
            return false;
        if (p->resume && !read_fragments(p))
            return false;
        if (end != PICKLE_STOPPED)
            return true;
        reopen(p, after);
        pickle_reset(p);
        if (++streams == PICKLE_STREAMS) {
            content_limit(&p->c, after, "more pickles in one file than are followed");
            return true;
        }
    } while (window_left(&p->w) && another(p));
    note_rest(p);
    return true;
}

bool pickle_examine(const struct content *c)
{
    struct pickle p;
    bool ok = pickle_open(&p, c) && pickle_rest(&p);
    pickle_close(&p);
    return ok;
}
