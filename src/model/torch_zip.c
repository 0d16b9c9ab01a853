/*
 * What torch.save has written since 1.6: a zip without compression, data.pkl
 * with the objects and data/KEY with each storage's bytes, so that a tensor
 * is a range of the file. TorchScript adds constants.pkl and code.
 */
#include "model/torch.h"

#include <string.h>

#include "assay/base/text.h"

/* The shortest name that is data.pkl in some folder. */
const struct archive_member *torch_zip_pickle(const struct archive *a)
{
    const struct archive_member *best = NULL;
    for (size_t i = 0; i < a->count; i++) {
        struct span name = a->members[i].name;
        bool data = span_is(name, "data.pkl") || span_ends(name, "/data.pkl");
        if (data && !a->members[i].hidden && (!best || name.n < best->name.n))
            best = &a->members[i];
    }
    return best;
}

struct torch_zip {
    const struct archive *a;
    struct span folder; /* with its slash, of data.pkl */
    struct map names;   /* of members, within the folder */
};

static bool index_members(struct torch_zip *z, struct arena *a)
{
    uint32_t previous;
    if (!map_init(&z->names, a, z->a->count))
        return false;
    for (size_t i = 0; i < z->a->count; i++) {
        struct span name = z->a->members[i].name;
        if (name.n > z->folder.n && span_eq(span_sub(name, 0, z->folder.n), z->folder) &&
            !map_put(&z->names, span_sub(name, z->folder.n, name.n), (uint32_t)i, &previous))
            return false;
    }
    return true;
}

static bool has_member(const struct torch_zip *z, const char *name)
{
    return map_get(&z->names, span_str(name)) != MAP_NONE;
}

/* data/KEY of every storage. */
static bool place_storages(struct torch_zip *z, struct pickle *p, struct torch_place *place,
                           bool *seen)
{
    for (size_t i = 0; i < p->storage_count; i++) {
        const struct pickle_storage *s = &p->storages[i];
        char *name = arena_printf(p->a, "data/%.*s", (int)s->key.n, (const char *)s->key.p);
        if (!name)
            return false;
        uint32_t at = map_get(&z->names, span_str(name));
        const struct archive_member *m = at == MAP_NONE ? NULL : &z->a->members[at];
        if (!m || m->method || m->broken || m->encrypted)
            continue;
        place[i] = (struct torch_place){
            .offset = input_origin(&p->c.in, 0), .bytes = m->stored, .known = true};
        place[i].offset = m->data;
        seen[at] = true;
    }
    return true;
}

static bool list_tensors(struct torch_zip *z, const struct content *c, struct pickle *p, bool *seen)
{
    struct torch_place *place = arena_array(p->a, p->storage_count + 1, sizeof *place);
    if (!place || !place_storages(z, p, place, seen))
        return false;
    return torch_list(p, c, place);
}

static void note_byte_order(struct torch_zip *z, const struct content *c)
{
    char text[8] = "";
    struct err ignored = ERR_INIT;
    uint32_t at = map_get(&z->names, span_str("byteorder"));
    const struct archive_member *m = at == MAP_NONE ? NULL : &z->a->members[at];
    if (m && !m->method && m->stored < sizeof text &&
        input_read(&c->in, text, m->data, (size_t)m->stored, &ignored) && strcmp(text, "big") == 0)
        c->m->files[c->file].big_endian = true;
}

static bool read_pickle(struct torch_zip *z, const struct content *c, struct content *within,
                        bool *seen)
{
    struct pickle p;
    bool ok = pickle_open(&p, within) && index_members(z, p.a);
    if (ok) {
        p.script = has_member(z, "constants.pkl");
        note_byte_order(z, c);
        ok = pickle_rest(&p) && list_tensors(z, c, &p, seen);
    }
    pickle_close(&p);
    return ok;
}

bool torch_zip_examine(const struct content *c, const struct archive *a,
                       const struct archive_member *pickle, bool *seen)
{
    struct content within;
    struct spool *spool;
    struct torch_zip z = {.a = a, .folder = span_sub(pickle->name, 0, pickle->name.n - 8)};
    bool ok, done = content_member(&within, &spool, c, pickle, &ok);
    if (done && ok) {
        if (!*c->where)
            c->m->files[c->file].format = FORMAT_PYTORCH;
        seen[pickle - a->members] = true;
        if (content_sniff(&within.in) == FORMAT_PICKLE)
            done = read_pickle(&z, c, &within, seen);
        else
            done = content_examine(&within);
    }
    spool_close(spool);
    return done;
}
