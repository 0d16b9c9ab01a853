/*
 * assay.lock: the roots that models must have. JSON with keys and entries in
 * order and no times, so that it lives well under version control; read
 * strictly, for it is what a pin hangs on.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/check.h"

enum { LOCK_MAX_FILE = 16 << 20 };

static bool read_root(struct digest *out, bool *known, struct json v, struct err *e)
{
    struct span hex;
    *known = json_type(v) != JSON_MISSING;
    if (!*known)
        return true;
    return (json_string(v, &hex) && digest_from_hex(out, hex)) ||
           err_at(e, ERR_CONFIG, NULL, json_offset(v), "a root is not 64 hexadecimal digits");
}

static int by_name(const void *a, const void *b)
{
    return span_cmp(((const struct lock_entry *)a)->name, ((const struct lock_entry *)b)->name);
}

static bool read_entries(struct lock *out, struct json models, struct arena *a, struct err *e)
{
    out->entries = arena_array(a, json_count(models), sizeof *out->entries);
    if (!out->entries)
        return err_set(e, ERR_MEMORY, "out of memory for the lock");
    for (struct json m = json_first(models); json_type(m); m = json_next(m)) {
        struct lock_entry *x = &out->entries[out->count++];
        x->name = json_key(m);
        if (!read_root(&x->manifest_root, &x->has_manifest_root, json_get(m, "manifest_root"), e) ||
            !read_root(&x->tensor_root, &x->has_tensor_root, json_get(m, "tensor_root"), e))
            return false;
        if (!x->has_manifest_root && !x->has_tensor_root)
            return err_at(e, ERR_CONFIG, NULL, json_offset(m), "an entry pins no root");
    }
    if (out->count)
        qsort(out->entries, out->count, sizeof *out->entries, by_name);
    return true;
}

bool lock_read(struct lock *out, const char *path, bool may_be_absent, struct arena *a,
               struct err *e)
{
    struct stat st;
    struct span text, schema;
    struct json root;
    *out = (struct lock){NULL, 0};
    if (may_be_absent && stat(path, &st) != 0)
        return true;
    bool ok = file_read(&text, path, LOCK_MAX_FILE, false, a, e) &&
              json_parse(&root, text, JSON_STRICT, a, e);
    if (ok && (!json_string(json_get(root, "schema"), &schema) || !span_is(schema, "assay.lock/1")))
        ok = err_at(e, ERR_CONFIG, NULL, 0,
                    "not a lock: \"schema\" must be \"assay.lock/1\"; assay check --update-lock "
                    "writes one");
    ok = ok && read_entries(out, json_get(root, "models"), a, e);
    if (!ok) {
        err_in_file(e, path);
        if (e && e->code == ERR_FORMAT)
            e->code = ERR_CONFIG;
    }
    return ok;
}

const struct lock_entry *lock_find(const struct lock *l, struct span name)
{
    for (size_t i = 0; l && i < l->count; i++)
        if (span_eq(l->entries[i].name, name))
            return &l->entries[i];
    return NULL;
}

static void put_entry(struct json_writer *w, const struct lock_entry *x)
{
    char hex[DIGEST_HEX + 1];
    jw_key_span(w, x->name);
    jw_object(w);
    if (x->has_manifest_root) {
        jw_key(w, "manifest_root");
        jw_str(w, digest_hex(hex, &x->manifest_root));
    }
    if (x->has_tensor_root) {
        jw_key(w, "tensor_root");
        jw_str(w, digest_hex(hex, &x->tensor_root));
    }
    jw_end_object(w);
}

bool lock_write(struct buf *out, const struct lock *l, const struct lock_entry *entry,
                struct err *e)
{
    struct json_writer w;
    bool put = false;
    jw_init(&w, json_sink_buf, out, true);
    jw_object(&w);
    jw_key(&w, "schema");
    jw_str(&w, "assay.lock/1");
    jw_key(&w, "models");
    jw_object(&w);
    for (size_t i = 0; i < l->count; i++) {
        int order = span_cmp(entry->name, l->entries[i].name);
        if (!put && order <= 0) {
            put_entry(&w, entry);
            put = true;
        }
        if (order != 0)
            put_entry(&w, &l->entries[i]);
    }
    if (!put)
        put_entry(&w, entry);
    jw_end_object(&w);
    jw_end_object(&w);
    buf_put_u8(out, '\n');
    return (!w.failed && buf_ok(out)) || err_set(e, ERR_MEMORY, "out of memory for the lock");
}
