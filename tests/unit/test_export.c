/* Tiles as files: every byte against the definition, and what a folder may never become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/tile.h"
#include "log/export.h"
#include "support/folder.h"

enum { LEVELS = 18, NOTHING = -1 };

static struct folder place;
static struct sign_key *key;
static struct note_key name;

static int setup(void **state)
{
    static const uint8_t seed[32] = {7};
    (void)state;
    assert_true(sign_key_from_seed(&key, seed, NULL));
    struct sign_public p = sign_key_public(key);
    assert_true(note_key_make(&name, span_str("example.org/log"), NOTE_ED25519, &p, NULL));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sign_key_free(key);
    return 0;
}

static int make(void **state)
{
    (void)state;
    return folder_make(&place) ? 0 : -1;
}

static int drop(void **state)
{
    (void)state;
    folder_remove(&place);
    return 0;
}

/* ---- a log in memory ---- */

struct memory {
    uint64_t size;
    struct digest *level[LEVELS];
    struct buf note;
    struct export_source source;
    int64_t forked;   /* a leaf that another history has otherwise */
    int64_t tampered; /* a leaf whose bytes no longer have the tree's hash */
    int64_t missing;
};

/* Some bytes, of a length of 0 to 299. */
static struct span leaf_of(const struct memory *m, uint64_t seq, uint8_t out[304])
{
    memset(out, (int)(seq % 251), 304);
    store_u64le(out, seq ^ ((int64_t)seq == m->forked ? 0x8000 : 0));
    return (struct span){out, seq % 7 == 3 ? 8 + seq % 292 : 8};
}

static bool read_hash(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e)
{
    const struct memory *m = arg;
    (void)e;
    assert_true((index + 1) << level <= m->size);
    *out = m->level[level][index];
    return true;
}

static bool walk(void *arg, uint64_t seq, export_visit *visit, void *visit_arg, struct err *e)
{
    const struct memory *m = arg;
    (void)e;
    for (bool more = true; more && seq < m->size; seq++) {
        uint8_t bytes[304];
        struct span leaf = leaf_of(m, seq, bytes);
        if ((int64_t)seq == m->tampered)
            bytes[0] ^= 1;
        if ((int64_t)seq != m->missing)
            more = visit(visit_arg, seq, leaf);
    }
    return true;
}

static void make_tree(struct memory *m)
{
    for (unsigned l = 0; l < LEVELS; l++) {
        uint64_t n = m->size >> l;
        m->level[l] = calloc(n + 1, sizeof *m->level[l]);
        for (uint64_t i = 0; i < n; i++) {
            uint8_t bytes[304];
            m->level[l][i] = l ? merkle_node(&m->level[l - 1][2 * i], &m->level[l - 1][2 * i + 1])
                               : merkle_leaf(leaf_of(m, i, bytes));
        }
    }
}

static struct memory *memory_of(uint64_t size, int64_t forked, const char *origin)
{
    struct memory *m = calloc(1, sizeof *m);
    *m = (struct memory){.size = size, .forked = forked, .tampered = NOTHING, .missing = NOTHING};
    make_tree(m);
    struct buf text;
    struct checkpoint c = {span_str(origin), size, {{0}}};
    m->source = (struct export_source){SPAN_EMPTY, {read_hash, m}, walk, m};
    assert_true(proof_root(&c.root, size, &m->source.hashes, NULL));
    buf_init(&text, 4096);
    checkpoint_put(&text, &c);
    buf_init(&m->note, 4096);
    buf_put_span(&m->note, buf_span(&text));
    buf_put_u8(&m->note, '\n');
    assert_true(note_sign(&m->note, buf_span(&text), &name, key, NULL));
    m->source.checkpoint = buf_span(&m->note);
    buf_free(&text);
    return m;
}

static void forget(struct memory *m)
{
    for (unsigned l = 0; l < LEVELS; l++)
        free(m->level[l]);
    buf_free(&m->note);
    free(m);
}

/* ---- the folder ---- */

static unsigned files_seen;

static int count_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path;
    (void)at;
    assert_true(type == FTW_D || (type == FTW_F && S_ISREG(st->st_mode)));
    files_seen += type == FTW_F;
    return 0;
}

static unsigned files_in_folder(void)
{
    files_seen = 0;
    assert_int_equal(nftw(place.path, count_file, 16, FTW_PHYS), 0);
    return files_seen;
}

static bool file_is(const char *path, struct span bytes)
{
    struct arena *a = arena_new(32 << 20);
    struct span got;
    bool same =
        file_read(&got, folder_path(&place, path), 32 << 20, false, a, NULL) && span_eq(got, bytes);
    arena_free(a);
    return same;
}

/* MTH of the leaves, by the definition of RFC 9162 for powers of two. */
static struct digest naive(const struct memory *m, uint64_t from, uint64_t n)
{
    uint8_t bytes[304];
    if (n == 1)
        return merkle_leaf(leaf_of(m, from, bytes));
    struct digest l = naive(m, from, n / 2), r = naive(m, from + n / 2, n / 2);
    return merkle_node(&l, &r);
}

/* The file of items [from, from + width) of a level, and of their bundle. */
static void check_tile(const struct memory *m, const char *folder, uint64_t leaves_a_hash,
                       uint64_t number, uint64_t width)
{
    char path[128];
    struct buf b;
    buf_init(&b, 1 << 20);
    for (uint64_t i = number * 256; i < number * 256 + width; i++) {
        uint8_t bytes[304];
        struct span leaf = leaf_of(m, i, bytes);
        struct digest d =
            leaves_a_hash ? naive(m, i * leaves_a_hash, leaves_a_hash) : (struct digest){{0}};
        if (leaves_a_hash) {
            buf_put(&b, d.b, sizeof d.b);
        } else {
            buf_put_u8(&b, (uint8_t)(leaf.n / 256));
            buf_put_u8(&b, (uint8_t)(leaf.n % 256));
            buf_put_span(&b, leaf);
        }
    }
    int n = snprintf(path, sizeof path, "tile/%s/%03u", folder, (unsigned)number);
    if (width < 256)
        snprintf(path + n, sizeof path - (size_t)n, ".p/%u", (unsigned)width);
    if (!file_is(path, buf_span(&b)))
        fail_msg("size %u: %s is not what it should be", (unsigned)m->size, path);
    buf_free(&b);
}

/* The folder holds what the specification demands and, unless told, nothing else. */
static void check_folder(const struct memory *m, unsigned more)
{
    static const struct {
        const char *folder;
        uint64_t leaves_a_hash;
    } levels[] = {{"0", 1}, {"1", 256}, {"2", 65536}, {"entries", 0}};
    unsigned files = 1;
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
        uint64_t each = levels[l].leaves_a_hash, hashes = each ? m->size / each : m->size;
        for (uint64_t number = 0; number * 256 < hashes; number++, files++) {
            uint64_t left = hashes - number * 256;
            check_tile(m, levels[l].folder, each, number, left < 256 ? left : 256);
        }
    }
    assert_true(file_is("checkpoint", buf_span(&m->note)));
    assert_int_equal(files_in_folder(), files + more);
}

static struct log_exported exported(const struct memory *m)
{
    struct log_exported x;
    struct err e = ERR_INIT;
    if (!export_tiles(&m->source, place.path, NULL, &x, &e))
        fail_msg("%s: %s", e.file, e.text);
    assert_int_equal(x.size, m->size);
    return x;
}

static void refused(const struct memory *m, enum err_code code, const char *words)
{
    struct log_exported x;
    struct err e = ERR_INIT;
    assert_false(export_tiles(&m->source, place.path, NULL, &x, &e));
    if (e.code != code || !strstr(e.text, words))
        fail_msg("%s: %s", err_name(e.code), e.text);
}

/* ---- tests ---- */

static void holds_what_the_specification_demands(void **state)
{
    (void)state;
    const uint64_t sizes[] = {0, 1, 255, 256, 257, 65536, 65537, 70000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct folder whole = place;
        assert_true(folder_make(&place));
        struct memory *m = memory_of(sizes[i], NOTHING, "example.org/log");
        struct log_exported x = exported(m);
        assert_int_equal(x.previous, 0);
        assert_int_equal(x.kept, 0);
        check_folder(m, 0);
        forget(m);
        folder_remove(&place);
        place = whole;
    }
}

static struct timespec written_at(const char *path, ino_t *inode)
{
    struct stat st;
    assert_int_equal(stat(folder_path(&place, path), &st), 0);
    *inode = st.st_ino;
    return st.st_mtim;
}

static void later_exports_add(void **state)
{
    (void)state;
    const uint64_t sizes[] = {3, 100, 300, 301, 600, 70000, 70001};
    ino_t before = 0, after = 0;
    struct timespec t1 = {0, 0}, t2;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct memory *m = memory_of(sizes[i], NOTHING, "example.org/log");
        struct log_exported x = exported(m);
        assert_int_equal(x.previous, i ? sizes[i - 1] : 0);
        /* Partial tiles of older checkpoints stay until the full tile is there. */
        const unsigned older[] = {0, 2, 0, 2, 1, 0, 2};
        check_folder(m, older[i]);
        if (i == 2)
            t1 = written_at("tile/0/000", &before);
        if (i > 2) {
            t2 = written_at("tile/0/000", &after);
            assert_int_equal(after, before);
            assert_memory_equal(&t1, &t2, sizeof t1);
        }
        if (i == 6)
            assert_int_equal(x.written, 2);
        forget(m);
    }
}

static void the_same_export_again_writes_nothing(void **state)
{
    (void)state;
    struct memory *m = memory_of(700, NOTHING, "example.org/log");
    struct log_exported first = exported(m), second = exported(m);
    assert_int_equal(second.written, 0);
    assert_int_equal(second.kept, first.written);
    assert_int_equal(second.previous, 700);
    check_folder(m, 0);
    forget(m);
}

static void repairs_what_was_lost_or_interrupted(void **state)
{
    (void)state;
    struct memory *m = memory_of(300, NOTHING, "example.org/log");
    /* An interrupted first run: a torn tile, a half-written one, no checkpoint. */
    assert_true(folder_put(&place, "tile/0/000", span_str("torn")));
    assert_true(folder_put(&place, "tile/entries/001.p/44.new", span_str("half")));
    exported(m);
    check_folder(m, 0);
    /* A published tile that was removed or cut. */
    assert_int_equal(unlink(folder_path(&place, "tile/0/000")), 0);
    assert_int_equal(truncate(folder_path(&place, "tile/entries/000"), 0), 0);
    assert_int_equal(exported(m).written, 2);
    check_folder(m, 0);
    forget(m);
}

static void refuses_a_folder_of_another_history(void **state)
{
    (void)state;
    struct memory *old = memory_of(300, NOTHING, "example.org/log");
    exported(old);
    struct memory *forked = memory_of(400, 20, "example.org/log");
    refused(forked, ERR_INTEGRITY, "another history");
    struct memory *same_size = memory_of(300, 299, "example.org/log");
    refused(same_size, ERR_INTEGRITY, "another history");
    struct memory *shorter = memory_of(299, NOTHING, "example.org/log");
    refused(shorter, ERR_INTEGRITY, "rolled back");
    struct memory *other = memory_of(400, NOTHING, "example.org/other");
    refused(other, ERR_CONFIG, "another log");
    check_folder(old, 0);
    /* What came after the published part may differ from an earlier attempt. */
    struct memory *later = memory_of(400, 350, "example.org/log");
    exported(later);
    forget(old);
    forget(forked);
    forget(same_size);
    forget(shorter);
    forget(other);
    forget(later);
}

static void refuses_a_log_that_was_changed(void **state)
{
    (void)state;
    struct memory *old = memory_of(100, NOTHING, "example.org/log");
    exported(old);
    struct memory *m = memory_of(300, NOTHING, "example.org/log");
    m->tampered = 270;
    refused(m, ERR_INTEGRITY, "entry 270 was changed");
    m->tampered = NOTHING;
    m->missing = 270;
    refused(m, ERR_INTEGRITY, "entry 270 is missing");
    m->missing = 299;
    refused(m, ERR_INTEGRITY, "entry 299 is missing");
    m->missing = NOTHING;
    m->level[8][0].b[0] ^= 1;
    refused(m, ERR_INTEGRITY, "does not have the root");
    /* None of this was published. */
    assert_true(file_is("checkpoint", buf_span(&old->note)));
    forget(m);
    forget(old);
}

static void refuses_what_is_no_export(void **state)
{
    (void)state;
    struct memory *m = memory_of(3, NOTHING, "example.org/log");
    assert_true(folder_put(&place, "checkpoint", span_str("something else\n")));
    refused(m, ERR_FORMAT, "not a signed note");
    struct log_exported x;
    struct err e = ERR_INIT;
    assert_false(export_tiles(&m->source, folder_path(&place, "checkpoint"), NULL, &x, &e));
    assert_int_equal(e.code, ERR_IO);
    err_clear(&e);
    assert_false(export_tiles(&m->source, "", NULL, &x, &e));
    assert_int_equal(e.code, ERR_USAGE);
    err_clear(&e);
    m->source.checkpoint = span_str("x\n");
    assert_false(export_tiles(&m->source, folder_path(&place, "new"), NULL, &x, &e));
    assert_int_equal(e.code, ERR_FORMAT);
    forget(m);
}

static bool stop(void *arg, const char *what, uint64_t done, uint64_t total)
{
    uint64_t *told = arg;
    (void)what;
    assert_true(done <= total);
    (*told)++;
    return false;
}

static void stops_when_asked_and_publishes_nothing(void **state)
{
    (void)state;
    uint64_t told = 0;
    struct progress p = {stop, &told};
    struct memory *m = memory_of(3000, NOTHING, "example.org/log");
    struct log_exported x;
    struct err e = ERR_INIT;
    assert_false(export_tiles(&m->source, place.path, &p, &x, &e));
    assert_int_equal(e.code, ERR_INTERRUPTED);
    assert_int_equal(told, 1);
    assert_int_not_equal(access(folder_path(&place, "checkpoint"), F_OK), 0);
    exported(m);
    check_folder(m, 0);
    forget(m);
}

/* ---- a real log ---- */

/* The root that the exported entries have. */
static struct digest root_of_bundle(struct span bundle, uint64_t *entries)
{
    struct merkle m;
    struct cursor c = cursor_over(bundle);
    c.big_endian = true;
    merkle_start(&m);
    while (cursor_left(&c)) {
        struct digest d = merkle_leaf(cursor_take(&c, cursor_u16(&c)));
        merkle_append(&m, &d);
    }
    assert_true(cursor_ok(&c));
    *entries = m.size;
    return merkle_root(&m);
}

static void a_log_exports_what_its_checkpoint_signs(void **state)
{
    (void)state;
    struct log *l;
    struct log_reader *r;
    struct log_exported x;
    struct err e = ERR_INIT;
    char folder[96], out[96], path[64];
    snprintf(folder, sizeof folder, "%s/log", place.path);
    snprintf(out, sizeof out, "%s/out", place.path);
    struct log_entry entry = {
        .kind = RECORD_CONFIG,
        .body = span_str("{\"changes\":[{\"name\":\"a\",\"value\":\"b\"}],\"software\":\"test\"}")};
    struct log_receipt receipt;
    if (!log_init(folder, span_str("example.org/audit"), NULL, &e) ||
        !log_open(&l, folder, NULL, &e))
        fail_msg("%s: %s", e.file, e.text);
    for (int i = 0; i < 20; i++)
        assert_true(log_append(l, &entry, &receipt, &e));
    log_close(l);
    if (!log_reader_open(&r, folder, &e) || !log_export(r, out, NULL, &x, &e))
        fail_msg("%s: %s", e.file, e.text);
    assert_true(x.size > 20);
    assert_int_equal(x.size, log_reader_size(r));
    log_reader_close(r);
    struct arena *a = arena_new(1 << 20);
    struct span bundle, bytes;
    struct note n;
    struct checkpoint c;
    uint64_t entries;
    snprintf(path, sizeof path, "out/tile/entries/000.p/%u", (unsigned)x.size);
    assert_true(file_read(&bundle, folder_path(&place, path), 1 << 19, false, a, &e));
    assert_true(file_read(&bytes, folder_path(&place, "out/checkpoint"), 4096, false, a, &e));
    assert_true(note_parse(&n, bytes, a, &e) && checkpoint_parse(&c, n.text, &e));
    struct digest root = root_of_bundle(bundle, &entries);
    assert_int_equal(entries, c.size);
    assert_true(digest_eq(&root, &c.root));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(holds_what_the_specification_demands, make, drop),
        cmocka_unit_test_setup_teardown(later_exports_add, make, drop),
        cmocka_unit_test_setup_teardown(the_same_export_again_writes_nothing, make, drop),
        cmocka_unit_test_setup_teardown(repairs_what_was_lost_or_interrupted, make, drop),
        cmocka_unit_test_setup_teardown(refuses_a_folder_of_another_history, make, drop),
        cmocka_unit_test_setup_teardown(refuses_a_log_that_was_changed, make, drop),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_export, make, drop),
        cmocka_unit_test_setup_teardown(stops_when_asked_and_publishes_nothing, make, drop),
        cmocka_unit_test_setup_teardown(a_log_exports_what_its_checkpoint_signs, make, drop),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
