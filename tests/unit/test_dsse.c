/*
 * Keys of several kinds, certificates and DSSE envelopes: what verifies, and
 * that nothing else does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/dsse.h"
#include "support/test_pki.h"

static char folder[] = "/tmp/assay-dsse-XXXXXX";
static struct arena *arena;
static struct err e;

static int begin(void **state)
{
    (void)state;
    arena = arena_new(16 << 20);
    strcpy(folder, "/tmp/assay-dsse-XXXXXX");
    err_clear(&e);
    return arena && mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "%s/file", folder);
    unlink(path);
    arena_free(arena);
    return rmdir(folder);
}

static const char *file_of(const char *text)
{
    char *path = arena_printf(arena, "%s/file", folder);
    unlink(path);
    assert_true(file_create(path, span_str(text), &e));
    return path;
}

static struct pkey *private_key(const char *pem)
{
    struct pkey *k = NULL;
    if (!pkey_load_private(&k, file_of(pem), &e))
        fail_msg("%s", e.text);
    return k;
}

static struct pkey *public_half(const struct pkey *k)
{
    struct buf pem;
    struct pkey *out = NULL;
    buf_init(&pem, 4096);
    assert_true(pkey_public_pem(&pem, k, &e));
    assert_true(pkey_from_public(&out, buf_span(&pem), &e));
    buf_free(&pem);
    return out;
}

static struct json envelope(const struct pkey *const *keys, size_t count, const char *payload)
{
    struct buf out;
    struct json_writer w;
    struct json root;
    buf_init(&out, 1 << 20);
    jw_init(&w, json_sink_buf, &out, false);
    assert_true(dsse_write(&w, DSSE_INTOTO, span_str(payload), keys, NULL, count, &e));
    struct span text = arena_span(arena, buf_span(&out));
    buf_free(&out);
    assert_true(json_parse(&root, text, JSON_STRICT, arena, &e));
    return root;
}

static void pae_is_that_of_the_protocol(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1024);
    dsse_pae(&b, span_str("http://example.com/HelloWorld"), span_str("hello world"));
    assert_string_equal(buf_cstr(&b), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    buf_free(&b);
}

static void round_trip(const struct pkey *k, enum pkey_kind kind)
{
    struct pkey *public = public_half(k), *other = NULL;
    struct sign_public zero = {{9}};
    struct dsse d;
    assert_int_equal(pkey_kind(public), kind);
    assert_true(pkey_eq(k, public));
    assert_true(dsse_read(&d, envelope(&k, 1, "{\"a\":1}"), arena, &e));
    assert_true(span_is(d.type, DSSE_INTOTO) && span_is(d.payload, "{\"a\":1}"));
    assert_true(dsse_verify(&d, public));
    assert_true(pkey_from_ed25519(&other, &zero, &e));
    assert_false(dsse_verify(&d, other));
    struct dsse changed = d;
    changed.payload = span_str("{\"a\":2}");
    assert_false(dsse_verify(&changed, public));
    changed = d;
    changed.type = span_str("application/vnd.in-toto+jsom");
    assert_false(dsse_verify(&changed, public));
    d.signatures[0].sig.n--;
    assert_false(dsse_verify(&d, public));
    pkey_free(other);
    pkey_free(public);
}

static void every_kind_of_key_signs_and_verifies(void **state)
{
    (void)state;
    static const struct {
        const char *pem;
        enum pkey_kind kind;
    } keys[] = {{TEST_P256_KEY, PKEY_P256}, {TEST_LEAF_KEY, PKEY_P384}, {TEST_P521_KEY, PKEY_P521}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct pkey *k = private_key(keys[i].pem);
        round_trip(k, keys[i].kind);
        pkey_free(k);
    }
    struct sign_key *log_key = NULL;
    struct pkey *k = NULL;
    const uint8_t seed[32] = {1};
    assert_true(sign_key_from_seed(&log_key, seed, &e));
    assert_true(pkey_from_sign_key(&k, log_key, &e));
    sign_key_free(log_key);
    round_trip(k, PKEY_ED25519);
    pkey_free(k);
}

static void one_of_several_signatures_is_found(void **state)
{
    (void)state;
    struct pkey *a = private_key(TEST_P256_KEY), *b = private_key(TEST_P521_KEY);
    const struct pkey *both[] = {a, b};
    struct dsse d;
    assert_true(dsse_read(&d, envelope(both, 2, "x"), arena, &e));
    assert_int_equal(d.count, 2);
    assert_true(dsse_verify(&d, a) && dsse_verify(&d, b));
    pkey_free(a);
    pkey_free(b);
}

static void keys_of_other_kinds_and_open_files_are_refused(void **state)
{
    (void)state;
    struct pkey *k = NULL;
    assert_false(pkey_load_public(&k, file_of(TEST_SECP256K1_PUBLIC), &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    err_clear(&e);
    assert_false(pkey_load_public(&k, file_of("no key\n"), &e));
    assert_int_equal(e.code, ERR_CONFIG);
    err_clear(&e);
    assert_false(pkey_load_private(&k, file_of(""), &e));
    err_clear(&e);
    const char *path = file_of(TEST_P256_KEY);
    assert_int_equal(chmod(path, 0644), 0);
    assert_false(pkey_load_private(&k, path, &e));
    assert_null(k);
}

static void a_public_key_does_not_sign(void **state)
{
    (void)state;
    struct pkey *k = private_key(TEST_P256_KEY), *public = public_half(k);
    struct buf out;
    buf_init(&out, 1024);
    assert_false(pkey_sign(&out, public, span_str("x"), &e));
    buf_free(&out);
    pkey_free(k);
    pkey_free(public);
}

static void envelopes_without_their_parts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[]",
        "{\"payload\":\"YQ==\",\"signatures\":[{\"sig\":\"YQ==\"}]}",
        "{\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"YQ==\"}]}",
        "{\"payloadType\":\"t\",\"payload\":\"YQ=\",\"signatures\":[{\"sig\":\"YQ==\"}]}",
        "{\"payloadType\":\"t\",\"payload\":\"YQ==\",\"signatures\":[]}",
        "{\"payloadType\":\"t\",\"payload\":\"YQ==\",\"signatures\":[{}]}",
        "{\"payloadType\":\"t\",\"payload\":\"YQ==\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json root;
        struct dsse d;
        err_clear(&e);
        assert_true(json_parse(&root, span_str(bad[i]), JSON_STRICT, arena, &e));
        if (dsse_read(&d, root, arena, &e))
            fail_msg("accepted %s", bad[i]);
        assert_int_equal(e.code, ERR_FORMAT);
    }
}

static struct cert *one_cert(const char *pem)
{
    struct cert *c = NULL;
    size_t n = 0;
    if (!cert_load(&c, &n, 1, file_of(pem), &e))
        fail_msg("%s", e.text);
    return c;
}

static void a_chain_leads_to_its_root_and_no_other(void **state)
{
    (void)state;
    struct cert *chain[] = {one_cert(TEST_LEAF_PEM), one_cert(TEST_MIDDLE_PEM)};
    struct cert *root = one_cert(TEST_ROOT_PEM), *bad = one_cert(TEST_NO_SIGNING_PEM);
    char subject[128];
    if (!cert_verify_chain(chain, 2, &root, 1, &e))
        fail_msg("%s", e.text);
    assert_string_equal(cert_subject(subject, sizeof subject, chain[0]), "O=A\\, B,CN=Test leaf");
    assert_false(cert_verify_chain(chain, 1, &root, 1, &e));
    err_clear(&e);
    assert_false(cert_verify_chain(chain, 2, &bad, 1, &e));
    err_clear(&e);
    assert_false(cert_verify_chain(chain, 2, NULL, 0, &e));
    err_clear(&e);
    struct cert *other[] = {bad, chain[1]};
    assert_false(cert_verify_chain(other, 2, &root, 1, &e));
    assert_non_null(strstr(e.text, "may not sign"));
    struct pkey *key = NULL, *private = private_key(TEST_LEAF_KEY);
    assert_true(cert_key(&key, chain[0], &e));
    assert_true(pkey_eq(key, private));
    pkey_free(key);
    pkey_free(private);
    cert_free(chain[0]);
    cert_free(chain[1]);
    cert_free(root);
    cert_free(bad);
}

static void several_certificates_of_a_file_are_read(void **state)
{
    (void)state;
    struct cert *all[4] = {NULL};
    size_t n = 0;
    assert_true(cert_load(all, &n, 4, file_of(TEST_LEAF_PEM "text\n" TEST_MIDDLE_PEM), &e));
    assert_int_equal(n, 2);
    struct buf der;
    struct cert *again = NULL;
    buf_init(&der, 1 << 16);
    assert_true(cert_der(&der, all[1], &e));
    assert_true(cert_from_der(&again, buf_span(&der), &e));
    buf_put_u8(&der, 0);
    cert_free(again);
    assert_false(cert_from_der(&again, buf_span(&der), &e));
    buf_free(&der);
    err_clear(&e);
    cert_free(all[0]);
    cert_free(all[1]);
    assert_false(cert_load(all, &n, 1, file_of(TEST_LEAF_PEM TEST_MIDDLE_PEM), &e));
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pae_is_that_of_the_protocol, begin, end),
        cmocka_unit_test_setup_teardown(every_kind_of_key_signs_and_verifies, begin, end),
        cmocka_unit_test_setup_teardown(one_of_several_signatures_is_found, begin, end),
        cmocka_unit_test_setup_teardown(keys_of_other_kinds_and_open_files_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_public_key_does_not_sign, begin, end),
        cmocka_unit_test_setup_teardown(envelopes_without_their_parts_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_chain_leads_to_its_root_and_no_other, begin, end),
        cmocka_unit_test_setup_teardown(several_certificates_of_a_file_are_read, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
