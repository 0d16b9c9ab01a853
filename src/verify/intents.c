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
        if (!(t->seq[i] & INTENT_CLOSED)) {
            t->chain[kept] = t->chain[i];
            t->seq[kept++] = t->seq[i];
        }
    t->count = kept;
}

void intents_opened(struct intents *t, uint64_t seq, const struct digest *leaf)
{
    t->open++;
    if (t->count == INTENTS_MAX)
        sweep(t);
    if (t->count == INTENTS_MAX)
        return;
    t->chain[t->count] = *leaf;
    t->seq[t->count++] = seq;
}

/* Its place, open or closed; t->count when it is not followed. */
static size_t find(const struct intents *t, uint64_t seq)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((t->seq[middle] & ~INTENT_CLOSED) < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->count && (t->seq[low] & ~INTENT_CLOSED) == seq ? low : t->count;
}

void intents_window(struct intents *t, uint64_t seq, const struct digest *leaf)
{
    size_t at = find(t, seq);
    if (at < t->count)
        record_prefix_add(&t->chain[at], leaf);
}

void intents_closed(struct intents *t, uint64_t seq, const struct digest **chain)
{
    size_t at = find(t, seq);
    *chain = NULL;
    if (at == t->count || t->seq[at] & INTENT_CLOSED) {
        t->stray++;
        return;
    }
    t->seq[at] |= INTENT_CLOSED;
    t->open--;
    *chain = &t->chain[at];
}

/* Behind the string that begins at s.p[at]. */
static size_t skip_string(struct span s, size_t at)
{
    for (at++; at < s.n && s.p[at] != '"'; at++)
        at += s.p[at] == '\\';
    return at + 1;
}

/*
 * What stands behind a member of the outermost object; empty when it is not there. The
 * scanner of leaves accepted the body, so only depth and strings matter here.
 */
static struct span behind(struct span body, const char *key, size_t n)
{
    int depth = 0;
    for (size_t i = 0; i < body.n;) {
        uint8_t c = body.p[i];
        if (depth == 1 && c == '"' && body.n - i > n && memcmp(body.p + i, key, n) == 0)
            return span_sub(body, i + n, body.n);
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        i = c == '"' ? skip_string(body, i) : i + 1;
    }
    return SPAN_EMPTY;
}

bool intents_named(struct span body, uint64_t *out)
{
    static const char key[] = "\"intent\":";
    struct span rest = behind(body, key, sizeof key - 1);
    size_t n = 0;
    while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9')
        n++;
    return n && text_u64(span_sub(rest, 0, n), out);
}

/* {"bytes":N,"chain":"HEX"} is all that it can be. */
bool intents_prefix(struct span body, struct digest *out)
{
    static const char key[] = "\"prefix\":", chain[] = "\"chain\":\"";
    struct span rest = behind(body, key, sizeof key - 1);
    const uint8_t *at = rest.n ? memmem(rest.p, rest.n, chain, sizeof chain - 1) : NULL;
    if (!at)
        return false;
    size_t from = (size_t)(at - rest.p) + sizeof chain - 1;
    return digest_from_hex(out, span_sub(rest, from, DIGEST_HEX));
}
