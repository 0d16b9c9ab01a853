/*
 * The in-toto statement of OMS v1.0: one subject whose digest is SHA-256 over
 * the digests of the resources in the order listed, and how the files were
 * serialised. Names are only ever compared with files that are there, never
 * opened.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "signature/signature.h"

static bool wrong(struct err *e, struct json at, const char *what)
{
    return err_at(e, ERR_FORMAT, NULL, json_offset(at), "the signed statement: %s", what);
}

static bool is_text(struct json v, const char *expected)
{
    struct span s;
    return json_string(v, &s) && span_is(s, expected);
}

/* "path:start:end"; the path may hold colons itself. */
static bool split_shard(struct resource *r, struct span name, struct arena *a)
{
    size_t second = name.n, first;
    while (second > 0 && name.p[second - 1] != ':')
        second--;
    for (first = second ? second - 1 : 0; first > 0 && name.p[first - 1] != ':';)
        first--;
    if (first < 2 || !text_u64(span_sub(name, second, name.n), &r->end) ||
        !text_u64(span_sub(name, first, second - 1 - first), &r->start) || r->start >= r->end)
        return false;
    r->shard = true;
    r->path = arena_str(a, span_sub(name, 0, first - 1));
    return r->path != NULL;
}

static bool read_resource(struct signature *s, struct resource *r, struct json v, struct arena *a,
                          struct err *e)
{
    struct span name, hex, algorithm;
    if (!json_string(json_get(v, "name"), &name) || !name.n || memchr(name.p, 0, name.n))
        return wrong(e, v, "a resource has no name");
    if (!json_string(json_get(v, "algorithm"), &algorithm) ||
        !(span_is(algorithm, "sha256") || span_starts(algorithm, "sha256-sharded-")))
        return err_at(e, ERR_UNSUPPORTED, NULL, json_offset(v),
                      "the signed statement: a digest is not of SHA-256");
    if (!json_string(json_get(v, "digest"), &hex) || !digest_from_hex(&r->digest, hex))
        return wrong(e, v, "a digest is not 64 hexadecimal digits");
    if (s->shards)
        return split_shard(r, name, a) || wrong(e, v, "a shard is not named path:start:end");
    r->path = arena_str(a, name);
    return r->path != NULL || err_set(e, ERR_MEMORY, "out of memory for a signature");
}

static bool check_subject_digest(struct signature *s, struct json subject, struct err *e)
{
    struct span hex;
    struct digest want, have;
    struct sha256 *h = sha256_new();
    if (!h)
        return err_set(e, ERR_MEMORY, "out of memory for a digest");
    sha256_start(h);
    for (size_t i = 0; i < s->resource_count; i++)
        sha256_update(h, s->resources[i].digest.b, DIGEST_SIZE);
    sha256_finish(h, &have);
    sha256_free(h);
    if (!json_string(json_get(json_get(subject, "digest"), "sha256"), &hex) ||
        !digest_from_hex(&want, hex))
        return wrong(e, subject, "the subject has no digest");
    return digest_eq(&want, &have) ||
           wrong(e, subject, "the subject's digest is not that of the listed files");
}

static int by_path(const void *pa, const void *pb)
{
    const struct resource *a = pa, *b = pb;
    int order = strcmp(a->path, b->path);
    return order ? order : a->start < b->start ? -1 : a->start > b->start;
}

/* The order listed is signed; afterwards only which files there are counts. */
static bool read_resources(struct signature *s, struct json root, struct arena *a, struct err *e)
{
    struct json list = json_get(json_get(root, "predicate"), "resources");
    struct json subjects = json_get(root, "subject"), subject = json_at(subjects, 0);
    if (json_type(list) != JSON_ARRAY || json_count(subjects) != 1)
        return wrong(e, root, "there must be one subject, and \"resources\"");
    (void)json_string(json_get(subject, "name"), &s->subject);
    s->resources = arena_array(a, json_count(list), sizeof *s->resources);
    if (!s->resources)
        return err_set(e, ERR_MEMORY, "out of memory for a signature");
    for (struct json v = json_first(list); json_type(v); v = json_next(v))
        if (!read_resource(s, &s->resources[s->resource_count++], v, a, e))
            return false;
    if (!check_subject_digest(s, subject, e))
        return false;
    if (s->resource_count)
        qsort(s->resources, s->resource_count, sizeof *s->resources, by_path);
    for (size_t i = 1; i < s->resource_count; i++)
        if (by_path(&s->resources[i - 1], &s->resources[i]) == 0)
            return wrong(e, list, "a resource is listed twice");
    return true;
}

static bool read_serialization(struct signature *s, struct json root, struct arena *a,
                               struct err *e)
{
    struct json v = json_get(json_get(root, "predicate"), "serialization");
    struct json paths = json_get(v, "ignore_paths");
    size_t n = 0;
    if (!is_text(json_get(v, "method"), "files") && !is_text(json_get(v, "method"), "shards"))
        return wrong(e, v, "the method must be files or shards");
    s->shards = is_text(json_get(v, "method"), "shards");
    if (!is_text(json_get(v, "hash_type"), "sha256"))
        return err_at(e, ERR_UNSUPPORTED, NULL, json_offset(v),
                      "the signed statement: hash_type is not sha256");
    s->ignore = arena_array(a, json_count(paths) + 1, sizeof *s->ignore);
    if (!s->ignore)
        return err_set(e, ERR_MEMORY, "out of memory for a signature");
    for (struct json p = json_first(paths); json_type(p); p = json_next(p)) {
        struct span path;
        if (!json_string(p, &path) || !(s->ignore[n++] = arena_str(a, path)))
            return wrong(e, p, "ignore_paths must be texts");
    }
    return true;
}

bool statement_read(struct signature *s, struct arena *a, struct err *e)
{
    struct json root;
    struct err why = ERR_INIT;
    if (!json_parse(&root, s->envelope.payload, JSON_STRICT, a, &why))
        return err_set(e, ERR_FORMAT, "the signed statement is not JSON: %s", why.text);
    if (!is_text(json_get(root, "_type"), OMS_STATEMENT))
        return wrong(e, root, "\"_type\" is not " OMS_STATEMENT);
    if (!is_text(json_get(root, "predicateType"), OMS_PREDICATE))
        return wrong(e, root, "\"predicateType\" is not " OMS_PREDICATE);
    return read_serialization(s, root, a, e) && read_resources(s, root, a, e);
}
