/* Sealed content and the keyring: what opens, what does not, what is forgotten. */
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

#include "assay/seal.h"

static struct arena *arena;
static const struct span origin = {(const uint8_t *)"example.org/log", 15};
static const struct seal_id record = {{1, 2, 3}};
static const struct seal_key key = {{7, 7, 7}};

static int setup(void **state)
{
    (void)state;
    arena = arena_new(256 << 20);
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct span pattern(size_t n)
{
    uint8_t *p = arena_alloc(arena, n);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 31 + i / 251);
    return (struct span){p, n};
}

/* Returns the ciphertext; the caller frees the buffer. */
static struct sealed_field seal(struct buf *b, const char *name, struct span data)
{
    struct sealed_field f = {.name = span_str(name)};
    buf_init(b, 64 << 20);
    assert_true(seal_encrypt(b, &f, &key, origin, &record, data, NULL));
    return f;
}

static bool open_with(const struct sealed_field *f, struct span ciphertext, struct span *data,
                      struct span from, const struct seal_id *id)
{
    struct seal_key field_key;
    uint8_t r[SEAL_SALT];
    struct err e = ERR_INIT;
    seal_field_key(&field_key, &key, f->name);
    bool ok = seal_open(data, r, f, &field_key, from, id, ciphertext, arena, &e);
    assert_int_equal(ok ? ERR_NONE : ERR_INTEGRITY, e.code);
    return ok;
}

static void content_of_every_size_opens_again(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,
                                   1,
                                   15,
                                   16,
                                   4096,
                                   SEAL_CHUNK - 41,
                                   SEAL_CHUNK - 40,
                                   SEAL_CHUNK - 39,
                                   SEAL_CHUNK,
                                   3 * SEAL_CHUNK + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf b;
        struct span data = pattern(sizes[i]), back;
        struct sealed_field f = seal(&b, "prompt", data);
        assert_int_equal(f.size, b.n);
        assert_true(open_with(&f, buf_span(&b), &back, origin, &record));
        assert_true(span_eq(data, back));
        buf_free(&b);
    }
}

static void ciphertext_length_tells_no_more_than_padme(void **state)
{
    (void)state;
    size_t lengths[2000], kinds = 0;
    for (size_t n = 0; n < 2000; n++) {
        struct buf b;
        struct sealed_field f = seal(&b, "x", pattern(n));
        lengths[n] = (size_t)f.size;
        kinds += n == 0 || lengths[n] != lengths[n - 1];
        assert_true(lengths[n] >= n + 56);
        assert_true((double)lengths[n] <= 1.13 * (double)(n + 40) + 16);
        buf_free(&b);
    }
    assert_true(kinds < 80);
}

static void equal_content_gives_unequal_commitments(void **state)
{
    (void)state;
    struct buf a, b;
    struct sealed_field f = seal(&a, "prompt", pattern(10)), g = seal(&b, "prompt", pattern(10));
    assert_false(digest_eq(&f.commitment, &g.commitment));
    assert_false(digest_eq(&f.ciphertext, &g.ciphertext));
    buf_free(&a);
    buf_free(&b);
}

static void altered_moved_or_swapped_content_does_not_open(void **state)
{
    (void)state;
    struct buf b;
    struct span back, data = pattern(3 * SEAL_CHUNK);
    struct sealed_field f = seal(&b, "prompt", data);
    static const struct seal_id other = {{9}};
    assert_false(open_with(&f, buf_span(&b), &back, span_str("example.org/other"), &record));
    assert_false(open_with(&f, buf_span(&b), &back, origin, &other));
    for (size_t at = 0; at < b.n; at += 9973) {
        b.p[at] ^= 1;
        assert_false(open_with(&f, buf_span(&b), &back, origin, &record));
        /* The digest in the leaf is the first guard; the tags are the second. */
        struct sealed_field g = f;
        g.ciphertext = sha256_of(buf_span(&b));
        assert_false(open_with(&g, buf_span(&b), &back, origin, &record));
        b.p[at] ^= 1;
    }
    struct sealed_field g = f; /* cut at a chunk: "last" is authenticated */
    g.size = SEAL_CHUNK + 16;
    g.ciphertext = sha256_of(span_sub(buf_span(&b), 0, (size_t)g.size));
    assert_false(open_with(&g, span_sub(buf_span(&b), 0, (size_t)g.size), &back, origin, &record));
    g = f; /* GCM does not commit to its key; the commitment does */
    g.commitment.b[0] ^= 1;
    assert_false(open_with(&g, buf_span(&b), &back, origin, &record));
    g = f;
    g.name = span_str("answer");
    assert_false(open_with(&g, buf_span(&b), &back, origin, &record));
    buf_free(&b);
}

/* RFC 3394 section 4.6: 256 bits of key data with a 256-bit KEK. */
static void key_wrap_is_that_of_rfc3394(void **state)
{
    (void)state;
    struct seal_key kek, data, back;
    struct seal_wrapped w;
    static const uint8_t expected[8] = {0x28, 0xC9, 0xF4, 0x04, 0xC4, 0xB8, 0x10, 0xF4};
    for (int i = 0; i < SEAL_KEY; i++) {
        kek.b[i] = (uint8_t)i;
        data.b[i] = (uint8_t)(i < 16 ? i * 0x11 : i - 16);
    }
    assert_true(seal_key_wrap(&w, &kek, &data, NULL));
    assert_memory_equal(w.b, expected, sizeof expected);
    assert_true(seal_key_unwrap(&back, &kek, &w, NULL));
    assert_memory_equal(back.b, data.b, SEAL_KEY);
    kek.b[0] ^= 1;
    struct err e = ERR_INIT;
    assert_false(seal_key_unwrap(&back, &kek, &w, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
}

/* ---- keyring ---- */

struct folder {
    char path[32], ring[64], operator_key[64];
};

static void folder_make(struct folder *f)
{
    strcpy(f->path, "/tmp/assay-seal-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    snprintf(f->ring, sizeof f->ring, "%s/keyring", f->path);
    snprintf(f->operator_key, sizeof f->operator_key, "%s/operator.key", f->path);
    assert_true(keyring_create(f->ring, f->operator_key, origin, NULL));
}

static void folder_remove(const struct folder *f)
{
    unlink(f->ring);
    unlink(f->operator_key);
    rmdir(f->path);
}

static void destroyed_epoch_is_gone_and_the_rest_stays(void **state)
{
    (void)state;
    struct folder f;
    struct keyring *k;
    struct seal_key first, second, again;
    struct err e = ERR_INIT;
    folder_make(&f);
    assert_true(keyring_open(&k, f.ring, f.operator_key, &e));
    assert_int_equal(keyring_epoch(k), 1);
    assert_true(keyring_key(k, 1, &first, &e));
    assert_false(keyring_destroy_before(k, 2, &e));
    err_clear(&e);
    assert_true(keyring_advance(k, &e));
    assert_true(keyring_key(k, 2, &second, &e));
    assert_memory_not_equal(first.b, second.b, SEAL_KEY);
    assert_true(keyring_destroy_before(k, 2, &e));
    keyring_close(k);
    assert_true(keyring_open(&k, f.ring, f.operator_key, &e));
    assert_true(span_eq(keyring_origin(k), origin));
    assert_int_equal(keyring_epoch(k), 2);
    assert_true(keyring_key(k, 2, &again, &e));
    assert_memory_equal(again.b, second.b, SEAL_KEY);
    assert_false(keyring_key(k, 1, &again, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    keyring_close(k);
    folder_remove(&f);
}

static size_t read_file(const char *path, uint8_t *bytes, size_t cap)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, cap, f);
    fclose(f);
    return n;
}

static void write_file(const char *path, const uint8_t *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void every_altered_byte_and_every_prefix_is_refused(void **state)
{
    (void)state;
    struct folder f;
    struct keyring *k;
    uint8_t bytes[1024];
    folder_make(&f);
    size_t n = read_file(f.ring, bytes, sizeof bytes);
    for (size_t i = 0; i < n; i++) {
        struct err e = ERR_INIT;
        bytes[i] ^= 1;
        write_file(f.ring, bytes, n);
        bytes[i] ^= 1;
        assert_false(keyring_open(&k, f.ring, f.operator_key, &e));
        err_clear(&e);
        write_file(f.ring, bytes, i);
        assert_false(keyring_open(&k, f.ring, f.operator_key, &e));
    }
    write_file(f.ring, bytes, n);
    assert_true(keyring_open(&k, f.ring, f.operator_key, NULL));
    keyring_close(k);
    assert_int_equal(chmod(f.operator_key, 0640), 0);
    assert_false(keyring_open(&k, f.ring, f.operator_key, NULL));
    folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_of_every_size_opens_again),
        cmocka_unit_test(ciphertext_length_tells_no_more_than_padme),
        cmocka_unit_test(equal_content_gives_unequal_commitments),
        cmocka_unit_test(altered_moved_or_swapped_content_does_not_open),
        cmocka_unit_test(key_wrap_is_that_of_rfc3394),
        cmocka_unit_test(destroyed_epoch_is_gone_and_the_rest_stays),
        cmocka_unit_test(every_altered_byte_and_every_prefix_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
