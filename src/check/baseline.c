/*
 * Baselines: what `assay check --json` wrote is read again, and of it only the
 * fingerprints and how often each was seen.
 */
#include <string.h>

#include "assay/base/file.h"
#include "assay/base/map.h"
#include "check/check.h"

enum { BASELINE_MAX_FILE = 256 << 20 };

struct baseline {
    struct map map;
    struct digest *fingerprints; /* what the map's names borrow */
    uint32_t *counts;
};

uint32_t baseline_count(const struct baseline *b, const struct digest *fingerprint)
{
    uint32_t at = map_get(&b->map, (struct span){fingerprint->b, sizeof fingerprint->b});
    return at == MAP_NONE ? 0 : b->counts[at];
}

static bool take(struct baseline *b, uint32_t at, struct json v, struct err *e)
{
    struct span hex;
    uint64_t count;
    uint32_t previous;
    if (!json_string(json_get(v, "fingerprint"), &hex) ||
        !digest_from_hex(&b->fingerprints[at], hex) || !json_u64(json_get(v, "count"), &count) ||
        count > UINT32_MAX)
        return err_at(e, ERR_CONFIG, NULL, json_offset(v),
                      "a finding of the baseline has no \"fingerprint\" or \"count\"");
    b->counts[at] = (uint32_t)count;
    if (!map_put(&b->map, (struct span){b->fingerprints[at].b, DIGEST_SIZE}, at, &previous))
        return err_set(e, ERR_MEMORY, "out of memory for the baseline");
    if (previous != MAP_NONE && b->counts[previous] > UINT32_MAX - (uint32_t)count)
        return err_at(e, ERR_CONFIG, NULL, json_offset(v), "counts of the baseline overflow");
    if (previous != MAP_NONE)
        b->counts[previous] += (uint32_t)count;
    return true;
}

static bool read_findings(struct baseline **out, struct json root, struct arena *a, struct err *e)
{
    struct span schema;
    struct json list = json_get(root, "findings");
    if (!json_string(json_get(root, "schema"), &schema) || !span_is(schema, "assay.check/1") ||
        json_type(list) != JSON_ARRAY)
        return err_at(e, ERR_CONFIG, NULL, 0,
                      "not a baseline: keep what assay check --json wrote as the baseline");
    struct baseline *b = arena_alloc(a, sizeof *b);
    size_t n = json_count(list);
    if (!b || !map_init(&b->map, a, n) ||
        !(b->fingerprints = arena_array(a, n, sizeof *b->fingerprints)) ||
        !(b->counts = arena_array(a, n, sizeof *b->counts)))
        return err_set(e, ERR_MEMORY, "out of memory for the baseline");
    uint32_t at = 0;
    for (struct json v = json_first(list); json_type(v); v = json_next(v))
        if (!take(b, at++, v, e))
            return false;
    *out = b;
    return true;
}

bool baseline_read(struct baseline **out, const char *path, struct arena *a, struct err *e)
{
    struct span text;
    struct json root;
    *out = NULL;
    bool ok = file_read(&text, path, BASELINE_MAX_FILE, false, a, e) &&
              json_parse(&root, text, JSON_STRICT, a, e) && read_findings(out, root, a, e);
    if (!ok) {
        err_in_file(e, path);
        if (e && e->code == ERR_FORMAT)
            e->code = ERR_CONFIG;
    }
    return ok;
}
