/*
 * docs/log-format.md and schema/records/ say what the code does: the tables of
 * kinds, the schemas and the test vectors are recomputed and compared byte for
 * byte. `test_log_format update` rewrites them after a change that was meant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assay/base/file.h"
#include "assay/verify.h"
#include "support/log_vectors.h"
#include "support/record_text.h"

#define DOCUMENT "docs/log-format.md"

enum { TEXT_MAX = 4 << 20 };

static bool update;

static struct span read_text(struct arena *a, const char *path)
{
    struct span s = SPAN_EMPTY;
    struct err e = ERR_INIT;
    if (!file_read(&s, path, TEXT_MAX, false, a, &e))
        return SPAN_EMPTY;
    return s;
}

static void write_text(const char *path, struct span s)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(s.p, 1, s.n, f), s.n);
    assert_int_equal(fclose(f), 0);
}

static void expect_file(const char *path, struct span text)
{
    struct arena *a = arena_new(2 * TEXT_MAX);
    if (update)
        write_text(path, text);
    struct span found = read_text(a, path);
    if (!span_eq(found, text))
        print_error("%s is not what the table says: run test_log_format update\n", path);
    assert_true(span_eq(found, text));
    arena_free(a);
}

static void schema_of_every_kind_follows_the_table(void **state)
{
    (void)state;
    for (unsigned k = 0; k < RECORD_KINDS; k++) {
        struct buf b;
        char path[128];
        buf_init(&b, TEXT_MAX);
        record_schema_text(&b, (enum record_kind)k);
        snprintf(path, sizeof path, "schema/records/%s.schema.json",
                 record_kind_name((enum record_kind)k));
        expect_file(path, buf_span(&b));
        buf_free(&b);
    }
}

/* The document with the text between its marks for `name` replaced. */
static void expect_section(const char *name, struct span text)
{
    char begin[64], end[64];
    struct arena *a = arena_new(2 * TEXT_MAX);
    struct span found = read_text(a, DOCUMENT);
    struct buf b;
    snprintf(begin, sizeof begin, "<!-- begin %s -->\n\n", name);
    snprintf(end, sizeof end, "<!-- end %s -->", name);
    assert_true(found.n > 0);
    const uint8_t *from = memmem(found.p, found.n, begin, strlen(begin));
    assert_non_null(from);
    size_t at = (size_t)(from - found.p) + strlen(begin);
    const uint8_t *to = memmem(found.p + at, found.n - at, end, strlen(end));
    assert_non_null(to);
    buf_init(&b, TEXT_MAX);
    buf_put_span(&b, span_sub(found, 0, at));
    buf_put_span(&b, text);
    buf_put_span(&b, span_sub(found, (size_t)(to - found.p), found.n));
    assert_true(buf_ok(&b));
    expect_file(DOCUMENT, buf_span(&b));
    buf_free(&b);
    arena_free(a);
}

static void document_lists_every_kind_and_member(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, TEXT_MAX);
    record_kinds_text(&b);
    expect_section("kinds", buf_span(&b));
    buf_free(&b);
}

static void document_has_the_vectors_that_the_code_computes(void **state)
{
    (void)state;
    struct log_vectors v;
    struct err e = ERR_INIT;
    struct buf b;
    buf_init(&b, TEXT_MAX);
    if (!log_vectors_make(&v, &e))
        fail_msg("%s", e.text);
    log_vectors_text(&b, &v);
    expect_section("vectors", buf_span(&b));
    buf_free(&b);
    log_vectors_free(&v);
}

static void vectors_verify_and_open(void **state)
{
    (void)state;
    struct log_vectors v;
    struct err e = ERR_INIT;
    struct arena *a = arena_new(1 << 20);
    struct note n;
    struct note_key keys[2];
    bool valid[2];
    uint64_t seconds[2] = {0, 0};
    uint8_t salt[SEAL_SALT];
    struct seal_id id;
    struct span data;
    assert_true(log_vectors_make(&v, &e));
    assert_true(note_key_parse(&keys[0], buf_span(&v.log_key), a, &e));
    assert_true(note_key_parse(&keys[1], buf_span(&v.witness_key), a, &e));
    assert_true(note_parse(&n, buf_span(&v.checkpoint), a, &e));
    assert_true(note_verify(&n, keys, 2, valid, seconds, &e));
    assert_true(valid[0] && valid[1]);
    assert_true(proof_inclusion_ok(&v.hash[VECTOR_RECEIPT], VECTOR_RECEIPT, VECTOR_SIGNED,
                                   &v.root[VECTOR_SIGNED], &v.inclusion));
    assert_true(
        proof_consistency_ok(3, &v.root[3], VECTOR_SIGNED, &v.root[VECTOR_SIGNED], &v.consistency));
    memset(id.b, 0xa0 + VECTOR_RECEIPT, sizeof id.b);
    assert_true(seal_open(&data, salt, &v.sealed_prompt, &v.prompt_key,
                          span_str("example.org/audit"), &id, buf_span(&v.prompt_ciphertext), a,
                          &e));
    assert_true(span_eq(data, v.prompt));
    assert_memory_equal(salt, v.prompt_salt, sizeof salt);
    arena_free(a);
    log_vectors_free(&v);
}

static void verifier_accepts_the_vectors(void **state)
{
    (void)state;
    struct log_vectors v;
    struct err e = ERR_INIT;
    struct arena *a = arena_new(8 << 20);
    struct note_key keys[2];
    struct verified shown;
    struct verifier *whole = NULL;
    assert_true(log_vectors_make(&v, &e));
    assert_true(note_key_parse(&keys[0], buf_span(&v.log_key), a, &e));
    assert_true(note_key_parse(&keys[1], buf_span(&v.witness_key), a, &e));
    struct trust t = {.origin = span_str("example.org/audit"),
                      .log_keys = &keys[0],
                      .log_key_count = 1,
                      .witnesses = &keys[1],
                      .witness_count = 1,
                      .required = 1};
    if (!verify_bundle(&shown, buf_span(&v.bundle), &t, a, &e))
        fail_msg("%s", e.text);
    assert_int_equal(shown.field_count, 1);
    assert_true(span_eq(shown.fields[0].content, v.prompt));
    assert_int_equal(shown.newest_cosignature, 1795392005);
    t.required = 0;
    assert_true(verifier_new(&whole, &t, &e));
    assert_true(verifier_expect(whole, buf_span(&v.checkpoint), &e));
    for (size_t i = 0; i < VECTOR_LEAVES; i++)
        if (!verifier_leaf(whole, buf_span(&v.leaf[i]), &e))
            fail_msg("leaf %zu: %s", i, e.text);
    if (!verifier_finish(whole, buf_span(&v.new_checkpoint), &shown, a, &e))
        fail_msg("%s", e.text);
    assert_int_equal(shown.leaves, VECTOR_LEAVES);
    assert_int_equal(shown.rotations, 1);
    assert_int_equal(shown.checkpoints, 1);
    assert_int_equal(shown.open_intents, 0);
    verifier_free(whole);
    arena_free(a);
    log_vectors_free(&v);
}

int main(int argc, char **argv)
{
    update = argc == 2 && strcmp(argv[1], "update") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schema_of_every_kind_follows_the_table),
        cmocka_unit_test(document_lists_every_kind_and_member),
        cmocka_unit_test(document_has_the_vectors_that_the_code_computes),
        cmocka_unit_test(vectors_verify_and_open),
        cmocka_unit_test(verifier_accepts_the_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
