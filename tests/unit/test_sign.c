/* Keys, notes, cosignatures and checkpoints. */
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

#include "assay/sign.h"

/* golang.org/x/mod/sumdb/note, package documentation: a key and a note of others. */
static const char neumann_key[] =
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
static const char neumann_note[] =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\xE2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/"
    "SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

static const uint8_t seed[32] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
                                 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
                                 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(16 << 20);
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct sign_key *test_key(void)
{
    struct sign_key *k;
    assert_true(sign_key_from_seed(&k, seed, NULL));
    return k;
}

static void signature_is_that_of_rfc8032_test_1(void **state)
{
    (void)state;
    static const uint8_t expected[4] = {0xe5, 0x56, 0x43, 0x00}; /* e5564300c360ac72... */
    struct sign_key *k = test_key();
    uint8_t signature[SIGN_SIGNATURE];
    struct sign_public public = sign_key_public(k);
    assert_int_equal(public.b[0], 0xd7); /* d75a980182b10ab7... */
    assert_true(sign_bytes(k, SPAN_EMPTY, signature, NULL));
    assert_memory_equal(signature, expected, sizeof expected);
    assert_true(sign_verify(&public, SPAN_EMPTY, signature));
    for (size_t bit = 0; bit < 8 * SIGN_SIGNATURE; bit++) {
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(sign_verify(&public, SPAN_EMPTY, signature));
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    sign_key_free(k);
}

static void note_of_others_verifies(void **state)
{
    (void)state;
    struct note_key key;
    struct note note;
    bool valid;
    struct err e = ERR_INIT;
    assert_true(note_key_parse(&key, span_str(neumann_key), arena, &e));
    assert_true(note_parse(&note, span_str(neumann_note), arena, &e));
    assert_int_equal(note.count, 1);
    assert_true(note_verify(&note, &key, 1, &valid, NULL, &e));
    assert_true(valid);
    struct buf b;
    buf_init(&b, 1000);
    note_key_put(&b, &key);
    assert_string_equal(buf_cstr(&b), neumann_key);
    buf_free(&b);
}

static void known_key_that_fails_refuses_the_note(void **state)
{
    (void)state;
    char altered[sizeof neumann_note];
    memcpy(altered, neumann_note, sizeof altered);
    altered[0] = 'i';
    struct note_key key;
    struct note note;
    bool valid;
    struct err e = ERR_INIT;
    assert_true(note_key_parse(&key, span_str(neumann_key), arena, &e));
    assert_true(note_parse(&note, span_str(altered), arena, &e));
    assert_false(note_verify(&note, &key, 1, &valid, NULL, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
}

static void every_prefix_of_a_note_is_refused_or_parses(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof neumann_note - 1; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, neumann_note, n);
        struct note note;
        struct err e = ERR_INIT;
        assert_false(note_parse(&note, (struct span){copy, n}, arena, &e));
        assert_int_not_equal(e.code, ERR_NONE);
        free(copy);
    }
}

static void bad_notes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "\n\n",
        "text\n",
        "text\n\n",
        "text\n\nno dash\n",
        "text\n\n\xE2\x80\x94 name\n",
        "text\n\n\xE2\x80\x94 name AAAA\n",
        "text\n\n\xE2\x80\x94 na+me AAAAAAAA\n",
        "text\n\n\xE2\x80\x94  AAAAAAAA\n",
        "text\n\n\xE2\x80\x94 name AAAAAAA=A\n",
        "text\r\n\n\xE2\x80\x94 name AAAAAAAA\n",
        "te\xFFxt\n\n\xE2\x80\x94 name AAAAAAAA\n",
        "text\n\n\xE2\x80\x94 name AAAAAAAA",
        "text\n\n\xE2\x80\x94 name AAAAAAAA \n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct note note;
        struct err e = ERR_INIT;
        if (note_parse(&note, span_str(bad[i]), arena, &e))
            fail_msg("accepted note %zu", i);
    }
}

static void flood_of_signature_lines_is_refused(void **state)
{
    (void)state;
    struct buf b;
    struct note note;
    struct err e = ERR_INIT;
    buf_init(&b, 64 << 20);
    buf_put_str(&b, "text\n\n");
    for (int i = 0; i < 100000; i++)
        buf_put_str(&b, "\xE2\x80\x94 n AAAAAAAA\n");
    assert_false(note_parse(&note, buf_span(&b), arena, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    buf_free(&b);
}

static void signed_and_cosigned_checkpoint_verifies(void **state)
{
    (void)state;
    struct sign_key *k = test_key();
    struct sign_public public = sign_key_public(k);
    struct note_key keys[2];
    struct err e = ERR_INIT;
    assert_true(note_key_make(&keys[0], span_str("example.org/log"), NOTE_ED25519, &public, &e));
    assert_true(note_key_make(&keys[1], span_str("witness"), NOTE_COSIGNATURE, &public, &e));
    struct checkpoint c = {span_str("example.org/log"), 7, sha256_of(SPAN_EMPTY)}, back;
    struct buf text, b;
    buf_init(&text, 1 << 16);
    buf_init(&b, 1 << 16);
    checkpoint_put(&text, &c);
    buf_put_span(&b, buf_span(&text));
    buf_put_u8(&b, '\n');
    assert_true(note_sign(&b, buf_span(&text), &keys[0], k, &e));
    assert_true(note_cosign(&b, buf_span(&text), &keys[1], k, 1700000000, &e));
    struct note note;
    bool valid[2];
    uint64_t time[2];
    assert_true(note_parse(&note, buf_span(&b), arena, &e));
    assert_true(note_verify(&note, keys, 2, valid, time, &e));
    assert_true(valid[0] && valid[1]);
    assert_int_equal(time[1], 1700000000);
    assert_true(checkpoint_parse(&back, note.text, &e));
    assert_int_equal(back.size, 7);
    assert_true(digest_eq(&back.root, &c.root));
    buf_free(&text);
    buf_free(&b);
    sign_key_free(k);
}

static void bad_checkpoints_are_refused(void **state)
{
    (void)state;
#define ROOT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    static const char *const bad[] = {
        "",
        "o\n1\n",
        "\n1\n" ROOT,
        "o\n01\n" ROOT,
        "o\n-1\n" ROOT,
        "o\n1 \n" ROOT,
        "o\n\n" ROOT,
        "o\n18446744073709551616\n" ROOT,
        "o\n1\n" ROOT "extension\n",
        "o\n1\nAAAA\n",
        "o\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n",
        "o\n1\n47DEQpj8HBSa",
    };
    struct checkpoint c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (checkpoint_parse(&c, span_str(bad[i]), NULL))
            fail_msg("accepted checkpoint %zu", i);
    assert_true(checkpoint_parse(&c, span_str("o\n0\n" ROOT), NULL));
}

static void key_file_is_private_and_never_overwritten(void **state)
{
    (void)state;
    char folder[] = "/tmp/assay-key-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key.pem", folder);
    struct sign_key *k, *again;
    struct err e = ERR_INIT;
    struct stat st;
    assert_true(sign_key_create(&k, path, &e));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_false(sign_key_create(&again, path, &e));
    err_clear(&e);
    assert_true(sign_key_load(&again, path, &e));
    struct sign_public a = sign_key_public(k), b = sign_key_public(again);
    assert_memory_equal(a.b, b.b, SIGN_PUBLIC);
    sign_key_free(again);
    sign_key_free(k);
    assert_int_equal(chmod(path, 0644), 0);
    assert_false(sign_key_load(&again, path, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_is_that_of_rfc8032_test_1),
        cmocka_unit_test(note_of_others_verifies),
        cmocka_unit_test(known_key_that_fails_refuses_the_note),
        cmocka_unit_test(every_prefix_of_a_note_is_refused_or_parses),
        cmocka_unit_test(bad_notes_are_refused),
        cmocka_unit_test(flood_of_signature_lines_is_refused),
        cmocka_unit_test(signed_and_cosigned_checkpoint_verifies),
        cmocka_unit_test(bad_checkpoints_are_refused),
        cmocka_unit_test(key_file_is_private_and_never_overwritten),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
