/* An exported folder: what tlog-tiles readers get is what the leaves give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/verify.h"
#include "support/folder.h"
#include "support/paper_log.h"

static struct trust trusted;
static struct note_key key;
static char name[sizeof PAPER_ORIGIN] = PAPER_ORIGIN;

/* A folder with the export of `count` leaves. */
static void make(struct folder *f, size_t count)
{
    struct paper_log l;
    paper_start(&l);
    paper_fill(&l, count);
    assert_true(folder_make(f));
    assert_true(paper_export(&l, f->path));
    key = l.name;
    key.name = span_str(name);
    trusted = (struct trust){.log_keys = &key, .log_key_count = 1};
    paper_free(&l);
}

static enum err_code run(const struct folder *f, struct verified *out)
{
    struct arena *a = arena_new(16 << 20);
    struct err e = ERR_INIT;
    struct verified v;
    bool ok = verify_export(&v, f->path, &trusted, a, &e);
    assert_int_equal(ok, e.code == ERR_NONE);
    if (ok && out) {
        *out = v;
        out->checkpoint.origin = out->key.name = SPAN_EMPTY; /* lay in the arena */
    }
    arena_free(a);
    return e.code;
}

static void exports_of_all_shapes_verify(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 255, 256, 257, 511, 512, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct folder f;
        struct verified v;
        make(&f, sizes[i]);
        assert_int_equal(run(&f, &v), ERR_NONE);
        assert_int_equal(v.leaves, sizes[i]);
        assert_true(v.pinned);
        folder_remove(&f);
    }
}

static void a_tile_of_the_third_level_is_compared(void **state)
{
    (void)state;
    struct folder f;
    make(&f, 65536 + 300);
    assert_int_equal(run(&f, NULL), ERR_NONE);
    assert_int_equal(unlink(folder_path(&f, "tile/2/000.p/1")), 0);
    assert_int_equal(run(&f, NULL), ERR_IO);
    folder_remove(&f);
}

static const char *const files[] = {
    "tile/0/000",       "tile/0/001",       "tile/0/002.p/88",       "tile/1/000.p/2",
    "tile/entries/000", "tile/entries/001", "tile/entries/002.p/88", "checkpoint"};

/* The file's bytes after `change`. */
static void rewrite(const struct folder *f, const char *file, unsigned change)
{
    struct arena *a = arena_new(64 << 20);
    struct span s;
    struct buf b;
    buf_init(&b, 64 << 20);
    assert_true(file_read(&s, folder_path(f, file), 32 << 20, false, a, NULL));
    buf_put_span(&b, change == 1 ? span_sub(s, 0, s.n - 1) : s);
    if (change == 0)
        b.p[b.n / 3] ^= 4;
    if (change == 2)
        buf_put_u8(&b, 'x');
    assert_true(file_replace(folder_path(f, file), buf_span(&b), false, NULL));
    buf_free(&b);
    arena_free(a);
}

static void altered_cut_longer_and_missing_files_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (unsigned change = 0; change < 4; change++) {
            struct folder f;
            make(&f, 600);
            if (change < 3)
                rewrite(&f, files[i], change);
            else
                assert_int_equal(unlink(folder_path(&f, files[i])), 0);
            enum err_code code = run(&f, NULL);
            bool note = strcmp(files[i], "checkpoint") == 0;
            if (change == 3 ? code != ERR_IO
                            : !(code == ERR_INTEGRITY || (note && code == ERR_FORMAT)))
                fail_msg("%s, change %u: %s", files[i], change, err_name(code));
            folder_remove(&f);
        }
}

static void bundles_and_tiles_in_exchange_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i += 4) {
        struct folder f;
        char first[128], second[128], aside[160];
        make(&f, 600);
        snprintf(first, sizeof first, "%s", folder_path(&f, files[i]));
        snprintf(second, sizeof second, "%s", folder_path(&f, files[i + 1]));
        snprintf(aside, sizeof aside, "%s.aside", first);
        assert_true(rename(first, aside) == 0 && rename(second, first) == 0 &&
                    rename(aside, second) == 0);
        assert_int_equal(run(&f, NULL), ERR_INTEGRITY);
        folder_remove(&f);
    }
}

/* A checkpoint of another size over the same leaves: one is older, one newer. */
static void checkpoint_of_another_size_is_refused(void **state)
{
    (void)state;
    static const size_t sizes[] = {599, 601};
    for (size_t i = 0; i < 2; i++) {
        struct folder f, g;
        struct arena *a = arena_new(1 << 20);
        struct span note;
        make(&f, 600);
        make(&g, sizes[i]);
        assert_true(file_read(&note, folder_path(&g, "checkpoint"), 1 << 16, false, a, NULL));
        assert_true(file_replace(folder_path(&f, "checkpoint"), note, false, NULL));
        assert_int_equal(run(&f, NULL), ERR_IO); /* its bundle has another name */
        folder_remove(&f);
        folder_remove(&g);
        arena_free(a);
    }
}

static void an_endless_claim_ends_at_the_first_missing_file(void **state)
{
    (void)state;
    struct folder f;
    struct buf b;
    make(&f, 600);
    buf_init(&b, 4096);
    buf_put_str(&b, PAPER_ORIGIN "\n9223372036854775807\n"
                                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n"
                                 "\xE2\x80\x94 x AAAAAAAA\n");
    assert_true(file_replace(folder_path(&f, "checkpoint"), buf_span(&b), false, NULL));
    assert_int_equal(run(&f, NULL), ERR_IO);
    buf_free(&b);
    folder_remove(&f);
}

/* ---- whatever one was handed ---- */

static enum verified_kind kind_of(const char *path, const struct trust *t, struct buf *text)
{
    struct arena *a = arena_new(16 << 20);
    enum verified_kind kind;
    struct verified v;
    struct err e = ERR_INIT;
    buf_clear(text);
    if (!verify_path(&v, &kind, path, t, a, &e))
        fail_msg("%s: %s", path, e.text);
    verified_text(text, kind, &v);
    arena_free(a);
    return kind;
}

static void files_are_told_apart_and_described(void **state)
{
    (void)state;
    struct folder f;
    struct paper_log l;
    struct paper_sealed s;
    struct buf b, text;
    struct trust none = {.required = 0};
    buf_init(&b, 1 << 20);
    buf_init(&text, 1 << 20);
    make(&f, 600);
    paper_start(&l);
    paper_fill(&l, 5);
    paper_seal(&l, span_str("hello\x1b[2J"), &s);
    paper_receipt(&l, 3, 6, 1, &b);
    assert_true(folder_put(&f, "receipt", buf_span(&b)));
    buf_clear(&b);
    paper_bundle(&l, &s, 6, &b);
    assert_true(folder_put(&f, "bundle", buf_span(&b)));
    paper_free(&l);
    assert_int_equal(kind_of(f.path, &none, &text), VERIFIED_EXPORT);
    assert_non_null(strstr(buf_cstr(&text), "NOT SHOWN   whose log it is"));
    assert_int_equal(kind_of(f.path, &trusted, &text), VERIFIED_EXPORT);
    assert_null(strstr(buf_cstr(&text), "whose log it is"));
    assert_int_equal(kind_of(folder_path(&f, "checkpoint"), &none, &text), VERIFIED_CHECKPOINT);
    assert_non_null(strstr(buf_cstr(&text), "NOT SHOWN   who signed it"));
    assert_int_equal(kind_of(folder_path(&f, "receipt"), &trusted, &text), VERIFIED_RECEIPT);
    assert_non_null(strstr(buf_cstr(&text), "signed by example.org/paper+"));
    assert_non_null(strstr(buf_cstr(&text), "no known witness"));
    assert_int_equal(kind_of(folder_path(&f, "bundle"), &trusted, &text), VERIFIED_DISCLOSURE);
    assert_non_null(strstr(buf_cstr(&text), "prompt, 9 bytes: hello\\x1B[2J\n"));
    buf_free(&b);
    buf_free(&text);
    folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exports_of_all_shapes_verify),
        cmocka_unit_test(a_tile_of_the_third_level_is_compared),
        cmocka_unit_test(altered_cut_longer_and_missing_files_are_found),
        cmocka_unit_test(bundles_and_tiles_in_exchange_are_found),
        cmocka_unit_test(checkpoint_of_another_size_is_refused),
        cmocka_unit_test(files_are_told_apart_and_described),
        cmocka_unit_test(an_endless_claim_ends_at_the_first_missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
