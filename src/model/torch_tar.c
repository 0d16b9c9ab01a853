/*
 * What torch.save wrote before 0.1.12, and torch.load still reads: a tar whose
 * member "storages" holds a pickled number of storages, for each a pickled
 * (key, place, type) with its count and bytes, and a pickled list of views;
 * "tensors" a number of tensors, for each a pickled (key, storage's key, type)
 * with sizes as numbers; and "pickle" the objects, which name both by key.
 * torch/serialization.py, legacy_load.
 */
#include "model/torch.h"

#include <string.h>

enum { NO_VIEWS = 4 /* opcodes of a pickled empty list, at most */ };

struct keyed {
    uint64_t key;
    uint32_t index;
};

struct tar {
    const struct content *c;
    const struct archive_member *storages, *tensors, *objects;
    struct pickle p;           /* of the objects */
    struct torch_place *place; /* one a storage */
    size_t place_cap;
    struct map storage_keys, tensor_keys;
    bool views; /* parts of storages have keys of their own */
    bool no_memory;
};

static const struct archive_member *member(const struct archive *a, const char *name)
{
    for (size_t i = 0; i < a->count; i++)
        if (span_is(a->members[i].name, name) && !a->members[i].broken)
            return &a->members[i];
    return NULL;
}

bool torch_tar_sniff(const struct archive *a)
{
    return member(a, "storages") && member(a, "tensors") && member(a, "pickle");
}

/* ---- keys: addresses of objects, as integers or as their digits ---- */

static bool key_of(struct pickle *p, pv v, uint64_t *key)
{
    uint8_t text[24];
    size_t n;
    struct err ignored = ERR_INIT;
    *key = 0;
    if (pv_kind(v) == PV_INT) {
        *key = pv_at(v);
        return true;
    }
    if (pv_kind(v) == PV_LONG) { /* LONG1: a length, then bytes from the lowest */
        if (!input_read(&p->c.in, text, pv_at(v), 10, &ignored) || text[0] != 0x8a || text[1] > 8)
            return false;
        for (size_t i = text[1]; i-- > 0;)
            *key = *key << 8 | text[2 + i];
        return true;
    }
    if (pv_kind(v) != PV_STR || !pickle_text(p, v, text, sizeof text, &n) || !n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9' || !size_mul(key, *key, 10) ||
            !size_add(key, *key, (uint64_t)(text[i] - '0')))
            return false;
    }
    return true;
}

static struct span key_span(const uint64_t *key)
{
    return (struct span){(const uint8_t *)key, sizeof *key};
}

/* False when the key is there already, or memory ran out. */
static bool put_key(struct tar *t, struct map *m, uint64_t key, uint32_t index)
{
    uint32_t previous = MAP_NONE;
    struct span kept = arena_span(t->p.a, key_span(&key));
    t->no_memory = t->no_memory || !kept.p || !map_put(m, kept, index, &previous);
    return !t->no_memory && previous == MAP_NONE;
}

/* ---- one member: pickles with numbers between them ---- */

/* The next pickle's tuple of three: two keys or a key, a text and a type. */
static bool next_entry(struct pickle *p, pv item[3])
{
    size_t n;
    pickle_reset(p);
    return pickle_stream(p) == PICKLE_STOPPED && !p->resume && pickle_items(p, p->result, &n) &&
           n == 3 && pickle_item(p, p->result, 0, &item[0]) &&
           pickle_item(p, p->result, 1, &item[1]) && pickle_item(p, p->result, 2, &item[2]);
}

static uint64_t number(struct window *w, size_t bytes)
{
    struct span s = window_take(w, bytes);
    uint64_t v = 0;
    for (size_t i = s.n; i-- > 0;)
        v = v << 8 | s.p[i];
    return v;
}

static bool read_storage(struct tar *t, struct pickle *p)
{
    pv item[3];
    uint64_t key, bytes;
    if (!next_entry(p, item) || !key_of(p, item[0], &key) || pv_kind(item[2]) != PV_GLOBAL)
        return false;
    const struct pickle_global *g = &p->globals[pv_class(item[2])];
    if (!g->allowed || g->allowed->use != USE_STORAGE || t->p.storage_count == PICKLE_TENSORS)
        return false;
    struct pickle_storage s = {.dtype = pickle_storage_dtype(g->name),
                               .elements = number(&p->w, 8)};
    size_t count = t->p.storage_count;
    struct pickle_storage *all =
        arena_grow(t->p.a, t->p.storages, count, &t->p.storage_cap, sizeof *all);
    struct torch_place *place = arena_grow(t->p.a, t->place, count, &t->place_cap, sizeof *place);
    t->no_memory = t->no_memory || !all || !place;
    if (t->no_memory)
        return false;
    t->p.storages = all;
    t->place = place;
    if (!torch_element(&s) || !size_mul(&bytes, s.elements, torch_element(&s)) ||
        !window_ok(&p->w) || bytes > window_left(&p->w))
        return false;
    place[count] = (struct torch_place){input_origin(&p->c.in, window_at(&p->w)), bytes, true};
    all[count] = s;
    window_skip(&p->w, bytes);
    return put_key(t, &t->storage_keys, key, (uint32_t)t->p.storage_count++);
}

static bool read_tensor(struct tar *t, struct pickle *p)
{
    pv item[3];
    uint64_t key, of;
    struct pickle_tensor x = {.dtype = DTYPE_NONE}; /* at: the objects, which name it */
    if (!next_entry(p, item) || !key_of(p, item[0], &key) || !key_of(p, item[1], &of) ||
        t->p.tensor_count == PICKLE_TENSORS)
        return false;
    x.storage = map_get(&t->storage_keys, key_span(&of));
    uint64_t rank = number(&p->w, 4);
    window_skip(&p->w, 4);
    if ((x.storage == MAP_NONE && !t->views) || rank > MODEL_MAX_RANK)
        return false;
    x.rank = (uint32_t)rank;
    for (uint32_t i = 0; i < x.rank; i++)
        x.shape[i] = number(&p->w, 8);
    for (uint32_t i = 0; i < x.rank; i++)
        x.stride[i] = number(&p->w, 8);
    x.offset = number(&p->w, 8);
    if (x.storage == MAP_NONE) {
        content_unlisted(&p->c);
        return window_ok(&p->w);
    }
    struct pickle_tensor *all =
        arena_grow(t->p.a, t->p.tensors, t->p.tensor_count, &t->p.tensor_cap, sizeof *all);
    t->no_memory = t->no_memory || !all;
    if (t->no_memory || !window_ok(&p->w))
        return false;
    t->p.tensors = all;
    all[t->p.tensor_count] = x;
    return put_key(t, &t->tensor_keys, key, (uint32_t)t->p.tensor_count++);
}

/* A number, then as many entries; `views`: then a list, which is empty or of parts of storages. */
static bool read_entries(struct tar *t, struct pickle *p,
                         bool (*read)(struct tar *t, struct pickle *p), bool views)
{
    if (pickle_stream(p) != PICKLE_STOPPED || pv_kind(p->result) != PV_INT)
        return false;
    uint64_t n = pv_at(p->result);
    for (uint64_t i = 0; i < n; i++)
        if (!read(t, p))
            return false;
    if (views) {
        uint64_t before = p->ops;
        pickle_reset(p);
        if (pickle_stream(p) != PICKLE_STOPPED)
            return false;
        t->views = p->ops - before > NO_VIEWS;
    }
    return window_ok(&p->w) && window_left(&p->w) == 0;
}

/* Of another form: pickles like any others, with what follows them. */
static bool read_member(struct tar *t, const struct archive_member *m,
                        bool (*read)(struct tar *t, struct pickle *p), bool views)
{
    struct content within;
    struct spool *spool;
    struct pickle p;
    bool ok, done = content_member(&within, &spool, t->c, m, &ok);
    if (done && ok) {
        bool opened = pickle_open(&p, &within);
        bool whole = opened && read_entries(t, &p, read, views);
        pickle_close(&p);
        done = opened && !t->no_memory && (whole || pickle_examine(&within));
    }
    spool_close(spool);
    return done;
}

/* ---- the objects ---- */

/* A key of either, or (class, file, source) of a module. */
static pv persistent(struct pickle *p, void *arg, pv id)
{
    const struct tar *t = arg;
    uint64_t key;
    size_t n;
    pv class;
    if (key_of(p, id, &key)) {
        uint32_t tensor = map_get(&t->tensor_keys, key_span(&key));
        uint32_t storage = map_get(&t->storage_keys, key_span(&key));
        if (tensor != MAP_NONE)
            return pv_make(PV_TENSOR, 0, tensor);
        if (storage != MAP_NONE)
            return pv_make(PV_STORAGE, 0, storage);
    }
    if (pickle_items(p, id, &n) && n == 3 && pickle_item(p, id, 0, &class) &&
        pv_kind(class) == PV_GLOBAL)
        return class;
    if (t->views)
        content_unlisted(&p->c);
    else
        pickle_note(p, RULE_PICKLE_PERSISTENT, "a persistent id that is no tensor or storage");
    return t->views ? pv_make(PV_INST, 0, p->op_at) : pv_make(PV_UNKNOWN, 0, p->op_at);
}

static bool read_objects(struct tar *t)
{
    bool ok = map_init(&t->storage_keys, t->p.a, 0) && map_init(&t->tensor_keys, t->p.a, 0) &&
              read_member(t, t->storages, read_storage, true) &&
              read_member(t, t->tensors, read_tensor, false);
    if (!ok)
        return false;
    t->p.persistent = persistent;
    t->p.persistent_arg = t;
    return pickle_rest(&t->p) && torch_list(&t->p, t->c, t->place);
}

bool torch_tar_examine(const struct content *c, const struct archive *a, bool *seen)
{
    struct content within;
    struct spool *spool;
    struct tar *t = arena_alloc(c->m->arena, sizeof *t);
    if (!t)
        return false;
    t->c = c;
    t->storages = member(a, "storages");
    t->tensors = member(a, "tensors");
    t->objects = member(a, "pickle");
    bool ok, done = content_member(&within, &spool, c, t->objects, &ok);
    if (done && ok) {
        if (!*c->where)
            c->m->files[c->file].format = FORMAT_PYTORCH;
        seen[t->storages - a->members] = seen[t->tensors - a->members] = true;
        seen[t->objects - a->members] = true;
        done = pickle_open(&t->p, &within) && read_objects(t);
        pickle_close(&t->p);
    }
    spool_close(spool);
    return done;
}
