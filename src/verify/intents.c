/* Intents and the outcomes that close them. */
#include "verify/intents.h"

#include <string.h>

#include "assay/base/text.h"

#define INTENT_CLOSED (UINT64_C(1) << 63)

/* Sweeping pays only when much goes; a list full of open calls is given up. */
static void sweep(struct intents *t)
{
    size_t kept = 0;
    if (t->open > INTENTS_MAX / 2) {
        t->overflowed = true;
        return;
    }
    for (size_t i = 0; i < t->count; i++)
        if (!(t->seq[i] & INTENT_CLOSED))
            t->seq[kept++] = t->seq[i];
    t->count = kept;
}

void intents_opened(struct intents *t, uint64_t seq)
{
    t->open++;
    if (t->count == INTENTS_MAX)
        sweep(t);
    if (t->count < INTENTS_MAX)
        t->seq[t->count++] = seq;
}

void intents_closed(struct intents *t, uint64_t seq)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((t->seq[middle] & ~INTENT_CLOSED) < seq)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == t->count || t->seq[low] != seq) {
        t->stray++;
        return;
    }
    t->seq[low] |= INTENT_CLOSED;
    t->open--;
}

/* Behind the string that begins at s.p[at]. */
static size_t skip_string(struct span s, size_t at)
{
    for (at++; at < s.n && s.p[at] != '"'; at++)
        at += s.p[at] == '\\';
    return at + 1;
}

/* The scanner of leaves accepted the body, so only depth and strings matter here. */
bool intents_named(struct span body, uint64_t *out)
{
    static const char key[] = "\"intent\":";
    enum { KEY = sizeof key - 1 };
    int depth = 0;
    for (size_t i = 0; i < body.n;) {
        uint8_t c = body.p[i];
        if (depth == 1 && c == '"' && body.n - i > KEY && memcmp(body.p + i, key, KEY) == 0) {
            size_t from = i + KEY, to = from;
            while (to < body.n && body.p[to] >= '0' && body.p[to] <= '9')
                to++;
            return text_u64(span_sub(body, from, to - from), out);
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        i = c == '"' ? skip_string(body, i) : i + 1;
    }
    return false;
}
