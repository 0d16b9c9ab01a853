/*
 * Model signatures in memory: what is written is read again and compares equal;
 * every change of a file, of the list or of the bundle is noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "assay/signature.h"

static struct arena *arena;
static struct err e;
static struct pkey *key;
static struct signed_file files[4];

static int begin(void **state)
{
    (void)state;
    static const char *const names[] = {".gitignore", "a-b", "a/b", "c"};
    struct sign_key *k = NULL;
    const uint8_t seed[32] = {7};
    arena = arena_new(64 << 20);
    err_clear(&e);
    for (size_t i = 0; i < 4; i++)
        files[i] = (struct signed_file){
            .name = names[i], .size = i, .known = true, .sha256 = sha256_of(span_str(names[i]))};
    bool ok = sign_key_from_seed(&k, seed, &e) && pkey_from_sign_key(&key, k, &e);
    sign_key_free(k);
    return ok ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    pkey_free(key);
    arena_free(arena);
    return 0;
}

static const char *const *ignore = signature_default_ignore;

static struct span bundle_of(size_t count, bool lone)
{
    struct signature_order o = {.name = "m",
                                .files = files,
                                .count = count,
                                .lone_file = lone,
                                .ignore = ignore,
                                .key = key};
    struct buf out;
    buf_init(&out, 1 << 20);
    if (!signature_write(&out, &o, &e))
        fail_msg("%s", e.text);
    struct span s = arena_span(arena, buf_span(&out));
    buf_free(&out);
    return s;
}

static struct signature *read_of(struct span bundle)
{
    struct signature *s = NULL;
    if (!signature_read(&s, bundle, arena, &e))
        fail_msg("%s", e.text);
    return s;
}

static struct signature_comparison compare(const struct signature *s, size_t count, const char *own)
{
    struct signature_comparison c;
    assert_true(signature_compare(&c, s, files, count, false, own, arena, &e));
    return c;
}

static void a_written_bundle_reads_back_and_compares_equal(void **state)
{
    (void)state;
    struct signature *s = read_of(bundle_of(4, false));
    struct signature_trust t = {.keys = &key, .key_count = 1};
    struct signature_signer signer;
    assert_int_equal(signature_material(s), SIGNED_BY_KEY);
    assert_int_equal(signature_resources(s), 3); /* .gitignore is left out */
    assert_true(span_is(signature_subject(s), "m"));
    assert_true(signature_verify(s, &t, &signer, &e));
    assert_int_equal(signer.kind, PKEY_ED25519);
    struct signature_comparison c = compare(s, 4, NULL);
    assert_int_equal(c.count, 0);
    assert_int_equal(c.equal, 3);
    signature_close(s);
}

static void every_change_of_the_files_is_named(void **state)
{
    (void)state;
    struct signature *s = read_of(bundle_of(4, false));
    files[1].sha256.b[0] ^= 1;
    files[2].known = false;
    files[3].name = "d";
    struct signature_comparison c = compare(s, 4, NULL);
    assert_int_equal(c.count, 4);
    assert_int_equal(c.differences[0].change, SIGNED_CHANGED);
    assert_string_equal(c.differences[0].name, "a-b");
    assert_int_equal(c.differences[1].change, SIGNED_UNREAD);
    assert_int_equal(c.differences[2].change, SIGNED_MISSING);
    assert_string_equal(c.differences[2].name, "c");
    assert_int_equal(c.differences[3].change, SIGNED_EXTRA);
    assert_string_equal(c.differences[3].name, "d");
    assert_int_equal(compare(s, 4, "d").count, 3); /* the signature's own file */
    signature_close(s);
}

static void ignored_paths_cover_what_is_below_and_nothing_beside(void **state)
{
    (void)state;
    static const char *const paths[] = {"a", "./b/", NULL};
    assert_true(signature_ignores(paths, "a"));
    assert_true(signature_ignores(paths, "a/x/y"));
    assert_true(signature_ignores(paths, "b/x"));
    assert_false(signature_ignores(paths, "ab"));
    assert_false(signature_ignores(paths, "x/a"));
}

static void a_lone_file_is_signed_as_a_dot(void **state)
{
    (void)state;
    struct signature *s = read_of(bundle_of(1, true));
    struct signature_comparison c;
    assert_true(signature_compare(&c, s, files, 1, true, NULL, arena, &e));
    assert_int_equal(c.count, 0);
    files[0].sha256.b[5] ^= 1;
    assert_true(signature_compare(&c, s, files, 1, true, NULL, arena, &e));
    assert_int_equal(c.count, 1);
    signature_close(s);
}

static void a_file_that_was_not_read_is_not_signed(void **state)
{
    (void)state;
    struct signature_order o = {
        .name = "m", .files = files, .count = 4, .ignore = ignore, .key = key};
    struct buf out;
    buf_init(&out, 1 << 20);
    files[3].known = false;
    assert_false(signature_write(&out, &o, &e));
    assert_string_equal(e.file, "c");
    buf_free(&out);
}

/* A bundle around any statement, signed properly. */
static bool reads(const char *statement)
{
    struct buf out;
    struct json_writer w;
    struct signature *s = NULL;
    const struct pkey *k = key;
    buf_init(&out, 1 << 20);
    jw_init(&w, json_sink_buf, &out, false);
    jw_object(&w);
    jw_key(&w, "mediaType");
    jw_str(&w, "application/vnd.dev.sigstore.bundle.v0.3+json");
    jw_key(&w, "verificationMaterial");
    jw_raw(&w, span_str("{\"publicKey\":{\"hint\":\"\"},\"tlogEntries\":[]}"));
    jw_key(&w, "dsseEnvelope");
    assert_true(dsse_write(&w, DSSE_INTOTO, span_str(statement), &k, NULL, 1, &e));
    jw_end_object(&w);
    struct span text = arena_span(arena, buf_span(&out));
    buf_free(&out);
    err_clear(&e);
    bool ok = signature_read(&s, text, arena, &e);
    signature_close(s);
    return ok;
}

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEAD                                                                                       \
    "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"m\",\"digest\":{"     \
    "\"sha256\":\"" EMPTY "\"}}],\"predicateType\":\"https://model_signing/signature/v1.0\","      \
    "\"predicate\":"

static void statements_that_are_not_the_specification_s_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *statement;
        enum err_code code;
    } bad[] = {
        {"{}", ERR_FORMAT},
        {"[", ERR_FORMAT},
        {HEAD
         "{\"serialization\":{\"method\":\"other\",\"hash_type\":\"sha256\"},\"resources\":[]}}",
         ERR_FORMAT},
        {HEAD
         "{\"serialization\":{\"method\":\"files\",\"hash_type\":\"blake3\"},\"resources\":[]}}",
         ERR_UNSUPPORTED},
        {HEAD "{\"serialization\":{\"method\":\"files\",\"hash_type\":\"sha256\"}}}", ERR_FORMAT},
        {HEAD "{\"serialization\":{\"method\":\"files\",\"hash_type\":\"sha256\"},\"resources\":[{"
              "\"name\":\"a\",\"algorithm\":\"sha256\",\"digest\":\"" EMPTY "\"}]}}",
         ERR_FORMAT}, /* the subject's digest is of no resources */
        {HEAD "{\"serialization\":{\"method\":\"shards\",\"hash_type\":\"sha256\"},\"resources\":[{"
              "\"name\":\"a:5:1\",\"algorithm\":\"sha256\",\"digest\":\"" EMPTY "\"}]}}",
         ERR_FORMAT},
    };
    assert_true(reads(
        HEAD
        "{\"serialization\":{\"method\":\"files\",\"hash_type\":\"sha256\"},\"resources\":[]}}"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (reads(bad[i].statement))
            fail_msg("accepted: %s", bad[i].statement);
        assert_int_equal(e.code, bad[i].code);
    }
}

static void another_key_s_hint_is_another_key(void **state)
{
    (void)state;
    struct signature *s = read_of(bundle_of(4, false));
    struct sign_public zero = {{9}};
    struct pkey *other = NULL;
    struct signature_signer signer;
    assert_true(pkey_from_ed25519(&other, &zero, &e));
    struct signature_trust t = {.keys = &other, .key_count = 1};
    assert_false(signature_verify(s, &t, &signer, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    struct pkey *both[] = {other, key};
    t = (struct signature_trust){.keys = both, .key_count = 2};
    err_clear(&e);
    assert_true(signature_verify(s, &t, &signer, &e));
    pkey_free(other);
    signature_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_written_bundle_reads_back_and_compares_equal, begin, end),
        cmocka_unit_test_setup_teardown(every_change_of_the_files_is_named, begin, end),
        cmocka_unit_test_setup_teardown(ignored_paths_cover_what_is_below_and_nothing_beside, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_lone_file_is_signed_as_a_dot, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_was_not_read_is_not_signed, begin, end),
        cmocka_unit_test_setup_teardown(statements_that_are_not_the_specification_s_are_refused,
                                        begin, end),
        cmocka_unit_test_setup_teardown(another_key_s_hint_is_another_key, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
