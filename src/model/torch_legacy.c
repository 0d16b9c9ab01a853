/*
 * What torch.save wrote before 1.6, and still writes on request: a pickled
 * magic number, a pickled protocol, the writer's sizes, the objects, the list
 * of storage keys, then each storage: eight bytes of count and the elements.
 * torch/serialization.py, _legacy_save.
 */
#include "model/torch.h"

#include <string.h>

#include "assay/base/text.h"

enum { PICKLES = 5, OBJECTS = 3 };

/* PROTO 2, LONG1 of ten bytes: 0x1950a86a20f9469cfc6c. */
static const uint8_t magic[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c,
                                0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

bool torch_legacy_sniff(struct span head, uint64_t size)
{
    (void)size;
    return head.n >= sizeof magic && memcmp(head.p, magic, sizeof magic) == 0;
}

/* The last stream is a list of keys; its texts are read again where they stand. */
struct keys {
    pv *v;
    size_t n, cap;
};

static bool collect_keys(struct pickle *p, uint64_t from, uint64_t to, struct keys *k)
{
    struct window w;
    bool ok = window_open(&w, p->c.in);
    if (ok)
        window_seek(&w, from);
    while (ok && window_ok(&w) && window_at(&w) < to) {
        uint64_t at = window_at(&w);
        uint8_t op = window_u8(&w);
        if (op == 'X') {
            struct span n = window_take(&w, 4);
            window_skip(&w, n.n ? load_u32le(n.p) : 0);
        } else if (op == 'U' || op == 0x8c) {
            window_skip(&w, window_u8(&w));
        } else {
            window_skip(&w, op == 'q' || op == 0x80 ? 1 : op == 'r' ? 4 : 0);
            continue;
        }
        pv *all = arena_grow(p->a, k->v, k->n, &k->cap, sizeof *all);
        ok = all != NULL;
        if (ok) {
            k->v = all;
            all[k->n++] = pv_make(PV_STR, 0, at);
        }
    }
    window_close(&w);
    return ok;
}

/* Storages by key; those of one key are one, and are chained. */
struct by_key {
    struct map names;
    uint32_t *next;
};

static bool index_storages(const struct pickle *p, struct by_key *k)
{
    k->next = arena_array(p->a, p->storage_count + 1, sizeof *k->next);
    if (!k->next || !map_init(&k->names, p->a, p->storage_count))
        return false;
    for (uint32_t i = 0; i < p->storage_count; i++) {
        uint32_t first;
        if (!map_put(&k->names, p->storages[i].key, i, &first))
            return false;
        k->next[i] = first == MAP_NONE ? MAP_NONE : k->next[first];
        if (first != MAP_NONE)
            k->next[first] = i;
    }
    return true;
}

/* The storage whose key is next, with its bytes from where the window stands. */
static bool place_storage(struct pickle *p, const struct by_key *k, struct span key,
                          struct torch_place *place)
{
    struct span count = window_take(&p->w, 8);
    uint32_t i = map_get(&k->names, key);
    uint64_t elements = count.n ? load_u64le(count.p) : 0, bytes;
    if (!count.n || i == MAP_NONE || place[i].known || !torch_element(&p->storages[i]) ||
        !size_mul(&bytes, elements, torch_element(&p->storages[i])) || bytes > window_left(&p->w))
        return false;
    for (uint64_t at = window_at(&p->w); i != MAP_NONE; i = k->next[i])
        place[i] = (struct torch_place){at, bytes, true};
    window_skip(&p->w, bytes);
    return true;
}

static bool place_storages(struct pickle *p, const struct keys *keys, const struct by_key *k,
                           struct torch_place *place)
{
    for (size_t i = 0; i < keys->n; i++) {
        uint8_t text[PICKLE_NAME];
        size_t n;
        if (!pickle_text(p, keys->v[i], text, sizeof text, &n) ||
            !place_storage(p, k, (struct span){text, n}, place))
            return false;
    }
    return window_left(&p->w) == 0;
}

/* What stands there instead of storages, or after them. */
static bool examine_rest(struct pickle *p)
{
    struct content rest;
    uint64_t at = window_ok(&p->w) ? window_at(&p->w) : p->c.in.size;
    return at >= p->c.in.size ||
           !content_within(&rest, &p->c, input_part(&p->c.in, at, UINT64_MAX),
                           "after the storages") ||
           content_examine(&rest);
}

static bool finish(struct pickle *p, const struct keys *k)
{
    uint64_t at = window_at(&p->w), left = window_left(&p->w);
    struct torch_place *place = arena_array(p->a, p->storage_count + 1, sizeof *place);
    struct by_key by_key;
    if (!place || !index_storages(p, &by_key))
        return false;
    if (!place_storages(p, k, &by_key, place)) {
        content_note(&p->c, RULE_PICKLE_TRAILING, at, left,
                     "%llu bytes after the pickles are not the storages that they describe",
                     (unsigned long long)left);
        content_incomplete(&p->c);
        if (!examine_rest(p))
            return false;
    }
    return torch_list(p, &p->c, place);
}

/* The streams are read by a machine each would have: only the third one's tensors stay. */
static bool read_streams(struct pickle *p, struct keys *k, bool *whole)
{
    pv result = 0;
    for (unsigned i = 0; i < PICKLES; i++) {
        uint64_t from = window_at(&p->w);
        enum pickle_end end = pickle_stream(p);
        if (end == PICKLE_NO_MEMORY)
            return false;
        if (end != PICKLE_STOPPED || p->resume) {
            pickle_reset(p);
            window_seek(&p->w, 0);
            p->w.fault = NULL;
            return true;
        }
        if (i == OBJECTS)
            result = p->result;
        if (i == PICKLES - 1 && !collect_keys(p, from, window_at(&p->w), k))
            return false;
        pickle_reset(p);
    }
    p->result = result;
    *whole = true;
    return true;
}

bool torch_legacy_examine(const struct content *c)
{
    struct pickle p;
    struct keys k = {0};
    bool whole = false;
    bool ok = pickle_open(&p, c) && read_streams(&p, &k, &whole);
    if (ok && whole)
        ok = finish(&p, &k);
    pickle_close(&p);
    /* Of another form: pickles like any others. */
    return ok && (whole || pickle_examine(c));
}
