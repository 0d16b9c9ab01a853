/*
 * The tensors of a safetensors file in the order of their bytes. The format
 * leaves nothing between, under or after them ("no holes"), so every byte that
 * no entry explains, or two do, is a place to hide something and is named.
 */
#include "model/safetensors.h"

#include <stdlib.h>

#include "assay/base/text.h"

enum { SHOWN = 128 };

/* The reference sorts by (begin, end); the name settles what it leaves open. */
static int compare(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end)
        return a->end < b->end ? -1 : 1;
    return span_cmp(a->t.name, b->t.name);
}

static void sort(struct header *h)
{
    size_t i = 1;
    while (i < h->count && compare(&h->entries[i - 1], &h->entries[i]) <= 0)
        i++;
    if (i < h->count)
        qsort(h->entries, h->count, sizeof *h->entries, compare);
}

static void note(struct header *h, uint64_t at, uint64_t length, enum rule_id rule,
                 const struct entry *e, const char *what)
{
    char name[SHOWN];
    model_note(h->m, h->file, h->data + at, length, rule,
               "%llu bytes before or in tensor \"%s\": %s", (unsigned long long)length,
               text_shown(name, sizeof name, e->t.name), what);
}

/* Bytes that no entry covers, when some entries could not be read. */
static const char *uncovered(const struct header *h)
{
    return h->unread ? "no entry that could be read covers them" : "no entry covers them";
}

static uint64_t check_cover(struct header *h)
{
    uint64_t covered = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct entry *e = &h->entries[i];
        uint64_t shared = (e->end < covered ? e->end : covered);
        if (e->begin > covered)
            note(h, covered, e->begin - covered, RULE_ST_HOLE, e, uncovered(h));
        else if (e->begin < covered)
            note(h, e->begin, shared - e->begin, RULE_ST_OVERLAP, e,
                 "they belong to the tensor before it too");
        if (e->end > covered)
            covered = e->end;
    }
    return covered;
}

static void check_end(struct header *h, uint64_t covered)
{
    uint64_t there = h->m->files[h->file].size - h->data;
    if (covered < there)
        model_note(h->m, h->file, h->data + covered, there - covered, RULE_ST_TRAILING,
                   "%llu bytes follow the last tensor: %s", (unsigned long long)(there - covered),
                   uncovered(h));
    if (covered > there) {
        model_note(h->m, h->file, h->data + there, 0, RULE_ST_TRUNCATED,
                   "the entries describe %llu bytes of data and the file has %llu",
                   (unsigned long long)covered, (unsigned long long)there);
        model_cut(h->m, h->file);
    }
}

/* Entries without a usable range are taken out. */
static void check_entries(struct header *h)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->count; i++) {
        if (!entry_check(h, &h->entries[i])) {
            h->unread++;
            model_incomplete(h->m, h->file);
            continue;
        }
        if (kept < i)
            h->entries[kept] = h->entries[i];
        kept++;
    }
    h->count = kept;
}

bool layout_add(struct header *h)
{
    check_entries(h);
    sort(h);
    if (!h->cut)
        check_end(h, check_cover(h));
    if (!model_reserve_tensors(h->m, h->count))
        return false;
    for (size_t i = 0; i < h->count; i++) {
        if (h->entries[i].rank > MODEL_MAX_RANK)
            continue;
        struct tensor *t = model_add_tensor(h->m);
        if (!t)
            return false;
        *t = h->entries[i].t;
    }
    return true;
}
