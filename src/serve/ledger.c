/*
 * A ring of calls, and chains through it by the hash of their identifiers. An upstream chooses
 * the identifiers, so it may give all of them one: whatever is done per call takes the same
 * time however long its chain is.
 */
#include "serve/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "assay/base/map.h"

enum { ID_MAX = 160 };

struct entry {
    struct entry *newer, *older; /* of all */
    struct entry *next, **from;  /* of the bucket, newest first; `from` points here */
    struct ledger_call call;
    char id[];
};

struct ledger {
    struct entry *bucket[LEDGER_BUCKETS];
    struct entry *newest, *oldest;
    size_t count;
};

struct ledger *ledger_new(void)
{
    return calloc(1, sizeof(struct ledger));
}

static void drop_oldest(struct ledger *l)
{
    struct entry *e = l->oldest;
    *e->from = e->next; /* the oldest of its chain: nothing follows it */
    l->oldest = e->newer;
    if (l->oldest)
        l->oldest->older = NULL;
    else
        l->newest = NULL;
    l->count--;
    free(e);
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    while (l->oldest)
        drop_oldest(l);
    free(l);
}

void ledger_add(struct ledger *l, const char *id, uint64_t intent, uint64_t outcome)
{
    size_t n = strlen(id);
    if (n == 0 || n > ID_MAX)
        return;
    struct entry *e = malloc(sizeof *e + n + 1);
    if (!e)
        return; /* it can still be asked for by its entry */
    memcpy(e->id, id, n + 1);
    e->call = (struct ledger_call){intent, outcome};
    e->from = &l->bucket[map_hash(span_str(id)) % LEDGER_BUCKETS];
    e->next = *e->from;
    if (e->next)
        e->next->from = &e->next;
    *e->from = e;
    e->newer = NULL;
    e->older = l->newest;
    if (l->newest)
        l->newest->newer = e;
    else
        l->oldest = e;
    l->newest = e;
    if (++l->count > LEDGER_MAX)
        drop_oldest(l);
}

bool ledger_find(const struct ledger *l, struct span id, struct ledger_call *out)
{
    const struct entry *e = l->bucket[map_hash(id) % LEDGER_BUCKETS];
    while (e && !span_is(id, e->id))
        e = e->next;
    if (e)
        *out = e->call;
    return e != NULL;
}
