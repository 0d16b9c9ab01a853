/* RFC 6962 proof vectors of transparency-dev/merkle: all must come out as they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/json.h"
#include "assay/proof.h"
#include "assay/sign.h"

static unsigned inclusions, consistencies, wrong;

static struct span read_file(const char *path, struct arena *a)
{
    uint8_t *bytes = arena_alloc(a, 1 << 20);
    FILE *f = fopen(path, "rb");
    size_t n = f && bytes ? fread(bytes, 1, 1 << 20, f) : 0;
    if (f)
        fclose(f);
    return (struct span){bytes, n};
}

static bool get_bytes(struct json v, struct arena *a, struct span *out)
{
    struct span text;
    return json_string(v, &text) && base64_decode(text, a, out);
}

static bool get_hash(struct json v, struct arena *a, struct digest *out)
{
    struct span raw;
    if (!get_bytes(v, a, &raw) || raw.n != DIGEST_SIZE)
        return false;
    memcpy(out->b, raw.p, DIGEST_SIZE);
    return true;
}

/* A tree's root; what is no hash ("don't care") stands for a value of its own. */
static bool get_root(struct json v, struct arena *a, struct digest *out)
{
    struct span raw;
    if (!get_bytes(v, a, &raw))
        return false;
    *out = sha256_of(raw);
    return raw.n != DIGEST_SIZE || get_hash(v, a, out);
}

static bool get_proof(struct json v, struct arena *a, struct proof *p)
{
    bool ok = true;
    p->count = 0;
    for (struct json h = json_first(v); json_type(h) && p->count < PROOF_MAX; h = json_next(h))
        ok = get_hash(h, a, &p->hash[p->count++]) && ok;
    return ok && p->count == json_count(v);
}

static bool inclusion(struct json v, struct arena *a)
{
    uint64_t index, size;
    struct digest leaf, root;
    struct proof p;
    inclusions++;
    return json_u64(json_get(v, "leafIdx"), &index) && json_u64(json_get(v, "treeSize"), &size) &&
           get_hash(json_get(v, "leafHash"), a, &leaf) && get_hash(json_get(v, "root"), a, &root) &&
           get_proof(json_get(v, "proof"), a, &p) &&
           proof_inclusion_ok(&leaf, index, size, &root, &p);
}

static bool consistency(struct json v, struct arena *a)
{
    uint64_t size1, size2;
    struct digest root1, root2;
    struct proof p;
    consistencies++;
    return json_u64(json_get(v, "size1"), &size1) && json_u64(json_get(v, "size2"), &size2) &&
           get_root(json_get(v, "root1"), a, &root1) && get_root(json_get(v, "root2"), a, &root2) &&
           get_proof(json_get(v, "proof"), a, &p) &&
           proof_consistency_ok(size1, &root1, size2, &root2, &p);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)where;
    if (type != FTW_F || !strstr(path, ".json"))
        return 0;
    struct arena *a = arena_new(8 << 20);
    struct json v;
    struct err e = ERR_INIT;
    bool want_error = false;
    assert_non_null(a);
    assert_true(json_parse(&v, read_file(path, a), JSON_STRICT, a, &e));
    assert_true(json_bool(json_get(v, "wantErr"), &want_error));
    bool ok = strstr(path, "/inclusion/") ? inclusion(v, a) : consistency(v, a);
    if (ok == want_error) {
        wrong++;
        print_error("%s: %s, and the vector says otherwise\n", path, ok ? "accepted" : "refused");
    }
    arena_free(a);
    return 0;
}

static void all_proof_vectors_come_out_as_they_say(void **state)
{
    (void)state;
    char path[4096];
    snprintf(path, sizeof path, "%s/merkle", getenv("CONFORMANCE") ? getenv("CONFORMANCE") : "");
    if (nftw(path, visit, 16, FTW_PHYS) != 0)
        skip();
    print_message("%u inclusion and %u consistency vectors\n", inclusions, consistencies);
    assert_int_equal(inclusions, 98);
    assert_int_equal(consistencies, 98);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_proof_vectors_come_out_as_they_say)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
