/*
 * The option goes where it stands or would stand in the request, and no other octet is touched.
 * Of the answer only whole events are let on, because an event is judged by its end; one
 * with an empty list of choices and a usage is the one that include_usage asks for.
 */
#include "serve/call/usage.h"

#include <string.h>

/* ---- the request ---- */

struct edit usage_edit(struct json root, enum exchange_api api)
{
    static const struct edit none;
    struct json options = json_get(root, "stream_options");
    struct json asked = json_get(options, "include_usage");
    bool empty = json_count(options) == 0;
    if (api != EXCHANGE_CHAT && api != EXCHANGE_COMPLETIONS)
        return none;
    if (json_type(options) == JSON_MISSING)
        return (struct edit){json_end(root) - 1, json_end(root) - 1,
                             span_str(",\"stream_options\":{\"include_usage\":true}")};
    if (json_type(options) == JSON_NULL)
        return (struct edit){json_offset(options), json_end(options),
                             span_str("{\"include_usage\":true}")};
    if (json_type(options) != JSON_OBJECT)
        return none;
    if (json_type(asked) == JSON_MISSING)
        return (struct edit){
            json_end(options) - 1, json_end(options) - 1,
            span_str(empty ? "\"include_usage\":true" : ",\"include_usage\":true")};
    if (json_type(asked) == JSON_FALSE || json_type(asked) == JSON_NULL)
        return (struct edit){json_offset(asked), json_end(asked), span_str("true")};
    return none;
}

/* ---- the answer ---- */

static void left_out(struct usage_filter *u, uint64_t n)
{
    if (u->from < u->facts->terminal_at)
        u->before_end += n;
}

/* Take what is held before `until` from its beginning; `pass`: the client gets it. */
static void take(struct usage_filter *u, uint64_t until, bool pass)
{
    struct span held = buf_span(&u->held);
    size_t n = until > u->from ? (size_t)(until - u->from) : 0;
    n = n < held.n ? n : held.n;
    struct span taken = span_sub(held, 0, n);
    if (n && u->after_return) {
        bool feed = taken.p[0] == '\n';
        left_out(u, feed);
        taken = span_sub(taken, feed, n);
        u->after_return = false;
    }
    if (pass) {
        buf_put_span(&u->passing, taken);
    } else {
        left_out(u, taken.n);
        u->after_return = taken.n && taken.p[taken.n - 1] == '\r';
    }
    if (n == 0)
        return;
    memmove(u->held.p, u->held.p + n, held.n - n);
    u->held.n = held.n - n;
    u->from += n;
}

static void on_usage(void *arg, const struct sse_event *e)
{
    struct usage_filter *u = arg;
    take(u, e->begin, true);
    take(u, e->end, false);
}

void usage_filter_begin(struct usage_filter *u, struct facts *f, size_t limit)
{
    u->on = true;
    u->facts = f;
    u->from = f->sse.offset;
    f->usage_event = on_usage;
    f->usage_arg = u;
    buf_init(&u->held, limit);
    buf_init(&u->passing, limit);
}

void usage_filter_free(struct usage_filter *u)
{
    buf_free(&u->held);
    buf_free(&u->passing);
}

bool usage_filter_feed(struct usage_filter *u, struct span bytes, struct span *out)
{
    buf_clear(&u->passing);
    buf_put_span(&u->held, bytes);
    facts_stream(u->facts, bytes);
    take(u, u->facts->sse.begin, true);
    *out = buf_span(&u->passing);
    return buf_ok(&u->held) && buf_ok(&u->passing);
}

bool usage_filter_end(struct usage_filter *u, struct span *out)
{
    buf_clear(&u->passing);
    facts_stream_end(u->facts);
    take(u, UINT64_MAX, true);
    *out = buf_span(&u->passing);
    return buf_ok(&u->passing);
}

uint64_t usage_filter_terminal(const struct usage_filter *u)
{
    uint64_t at = u->facts->terminal_at;
    return at == UINT64_MAX ? at : at - u->before_end;
}
