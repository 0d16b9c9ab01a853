/* Cosignatures that a log keeps: what goes in comes out, and verifies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "assay/log.h"
#include "assay/verify.h"
#include "support/folder.h"

static struct folder place;
static struct log *owner;
static struct sign_key *key[2];
static struct note_key name[2];
static struct arena *arena;

static int setup(void **state)
{
    static const char *const names[] = {"witness.example/w1", "witness.example/w2"};
    static const char config[] =
        "{\"changes\":[{\"name\":\"a\",\"value\":\"b\"}],\"software\":\"test\"}";
    (void)state;
    arena = arena_new(32 << 20);
    for (size_t i = 0; i < 2; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1)};
        assert_true(sign_key_from_seed(&key[i], seed, NULL));
        struct sign_public p = sign_key_public(key[i]);
        assert_true(note_key_make(&name[i], span_str(names[i]), NOTE_COSIGNATURE, &p, NULL));
    }
    struct log_entry entry = {.kind = RECORD_CONFIG, .body = span_str(config)};
    struct log_receipt receipt;
    return folder_make(&place) && log_init(place.path, span_str("example.org/audit"), NULL, NULL) &&
                   log_open(&owner, place.path, NULL, NULL) &&
                   log_append(owner, &entry, &receipt, NULL)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    log_close(owner);
    folder_remove(&place);
    for (size_t i = 0; i < 2; i++)
        sign_key_free(key[i]);
    arena_free(arena);
    return 0;
}

static struct log_reader *reader(void)
{
    struct log_reader *r;
    struct err e = ERR_INIT;
    if (!log_reader_open(&r, place.path, &e))
        fail_msg("%s: %s", e.file, e.text);
    return r;
}

/* The log's newest checkpoint, copied. */
static struct span checkpoint_now(void)
{
    struct buf b;
    struct log_reader *r = reader();
    buf_init(&b, 1 << 16);
    assert_true(log_reader_checkpoint(r, &b, NULL));
    struct span s = arena_span(arena, buf_span(&b));
    buf_free(&b);
    log_reader_close(r);
    return s;
}

static struct span line_of(struct span note, size_t witness, uint64_t seconds)
{
    struct note n;
    struct buf b;
    assert_true(note_parse(&n, note, arena, NULL));
    buf_init(&b, 4096);
    assert_true(note_cosign(&b, n.text, &name[witness], key[witness], seconds, NULL));
    struct span s = arena_span(arena, buf_span(&b));
    buf_free(&b);
    return s;
}

static void kept(struct log *l, struct span note, struct span lines)
{
    struct err e = ERR_INIT;
    if (!log_keep_cosignatures(l, note, lines, &e))
        fail_msg("%s", e.text);
}

static void append_one(void)
{
    struct log_entry entry = {
        .kind = RECORD_CONFIG,
        .body = span_str("{\"changes\":[{\"name\":\"a\",\"value\":\"c\"}],\"software\":\"test\"}")};
    struct log_receipt receipt;
    assert_true(log_append(owner, &entry, &receipt, NULL));
}

/* How many of the two witnesses the newest cosigned note verifies under. */
static void check_cosigned(size_t expected, uint64_t size, uint64_t newest)
{
    struct log_reader *r = reader();
    struct buf note;
    struct verified v;
    struct err e = ERR_INIT;
    struct trust t = {.witnesses = name, .witness_count = 2, .required = expected};
    buf_init(&note, 1 << 17);
    assert_true(log_reader_cosigned_note(r, &note, NULL));
    if (!verify_checkpoint(&v, buf_span(&note), &t, arena, &e))
        fail_msg("%s", e.text);
    assert_int_equal(v.cosignatures, expected);
    assert_int_equal(v.checkpoint.size, size);
    assert_int_equal(v.newest_cosignature, newest);
    buf_free(&note);
    log_reader_close(r);
}

static uint64_t size_of(struct span note)
{
    struct note n;
    struct checkpoint c;
    assert_true(note_parse(&n, note, arena, NULL) && checkpoint_parse(&c, n.text, NULL));
    return c.size;
}

static void no_witness_is_told(void **state)
{
    (void)state;
    struct log_reader *r = reader();
    struct log_cosigned c;
    struct buf note;
    struct err e = ERR_INIT;
    assert_true(log_reader_cosigned(r, NULL, &c, NULL));
    assert_int_equal(c.time, 0);
    buf_init(&note, 1 << 16);
    assert_false(log_reader_cosigned_note(r, &note, &e));
    assert_int_equal(e.code, ERR_USAGE);
    buf_free(&note);
    log_reader_close(r);
}

static void what_is_kept_comes_back_and_verifies(void **state)
{
    (void)state;
    struct span first = checkpoint_now();
    kept(owner, first, line_of(first, 0, 1700000000));
    check_cosigned(1, size_of(first), 1700000000);
    append_one();
    check_cosigned(1, size_of(first), 1700000000); /* still the older checkpoint's */
    struct span second = checkpoint_now();
    assert_true(size_of(second) > size_of(first));
    kept(owner, second, line_of(second, 0, 1700000100));
    kept(owner, second, line_of(second, 1, 1700000200));
    kept(owner, second, line_of(second, 0, 1700000300)); /* again: the newest counts */
    check_cosigned(2, size_of(second), 1700000300);
}

static void each_witness_has_its_own_newest(void **state)
{
    (void)state;
    struct log_cosigned c;
    struct span note = checkpoint_now();
    append_one();
    struct span newer = checkpoint_now();
    kept(owner, note, line_of(note, 1, 1700000400));
    kept(owner, newer, line_of(newer, 0, 1700000500));
    struct log_reader *r = reader();
    assert_true(log_reader_cosigned(r, &name[1], &c, NULL));
    assert_int_equal(c.size, size_of(note));
    assert_int_equal(c.time, 1700000400);
    assert_true(log_reader_cosigned(r, &name[0], &c, NULL));
    assert_int_equal(c.size, size_of(newer));
    struct note_key stranger = name[0];
    stranger.id++;
    assert_true(log_reader_cosigned(r, &stranger, &c, NULL));
    assert_int_equal(c.time, 0);
    log_reader_close(r);
}

/* Verifies, with this many witnesses required; how many cosigned, or -1. */
static int receipt_of(uint64_t seq, size_t required, uint64_t *size)
{
    struct log_reader *r = reader();
    struct buf b;
    struct verified v = {.cosignatures = 0};
    struct err e = ERR_INIT;
    struct trust t = {.witnesses = name, .witness_count = 2, .required = required};
    buf_init(&b, RECEIPT_MAX);
    if (!log_reader_receipt(r, seq, &b, &e))
        fail_msg("%s", e.text);
    bool ok = verify_receipt(&v, buf_span(&b), &t, arena, &e);
    assert_int_equal(ok ? ERR_NONE : ERR_INTEGRITY, e.code);
    *size = v.checkpoint.size;
    buf_free(&b);
    log_reader_close(r);
    return ok ? (int)v.cosignatures : -1;
}

static void a_receipt_carries_the_cosignatures_that_cover_it(void **state)
{
    (void)state;
    uint64_t size = 0;
    append_one();
    struct span first = checkpoint_now();
    uint64_t entry = size_of(first) - 1;
    assert_int_equal(receipt_of(entry, 0, &size), 0);
    assert_int_equal(receipt_of(entry, 1, &size), -1); /* nobody has cosigned it yet */
    kept(owner, first, line_of(first, 0, 1700000000));
    kept(owner, first, line_of(first, 1, 1700000001));
    append_one();
    assert_int_equal(receipt_of(entry, 2, &size), 2);
    assert_int_equal(size, size_of(first));
    assert_int_equal(receipt_of(size_of(first), 0, &size), 0); /* newer than what was cosigned */
    struct span second = checkpoint_now();
    kept(owner, second, line_of(second, 0, 1700000100));
    assert_int_equal(receipt_of(size_of(first), 1, &size), 1);
    assert_int_equal(size, size_of(second));
    assert_int_equal(receipt_of(entry, 2, &size), 2); /* most witnesses before the newest */
    assert_int_equal(size, size_of(first));
    kept(owner, second, line_of(second, 1, 1700000200));
    assert_int_equal(receipt_of(entry, 2, &size), 2);
    assert_int_equal(size, size_of(second));
}

static void a_client_keeps_through_the_owner(void **state)
{
    (void)state;
    struct log *client;
    struct err e = ERR_INIT;
    append_one();
    struct span note = checkpoint_now();
    if (!log_open(&client, place.path, NULL, &e))
        fail_msg("%s", e.text);
    assert_false(log_is_owner(client));
    kept(client, note, line_of(note, 0, 1700000600));
    assert_false(log_keep_cosignatures(client, note, span_str("garbage\n"), &e));
    assert_int_equal(e.code, ERR_FORMAT);
    log_close(client);
    check_cosigned(1, size_of(note), 1700000600);
}

static void refuses_what_is_not_for_this_log(void **state)
{
    (void)state;
    struct span note = checkpoint_now(), good = line_of(note, 0, 1700000700);
    struct buf other, bad;
    struct err e = ERR_INIT;
    /* The log's name, signed by somebody else. */
    struct checkpoint c = {span_str("example.org/audit"), 3, {{1}}};
    buf_init(&other, 4096);
    checkpoint_put(&other, &c);
    struct span text = arena_span(arena, buf_span(&other));
    struct sign_public p = sign_key_public(key[1]);
    struct note_key forged;
    assert_true(note_key_make(&forged, c.origin, NOTE_ED25519, &p, NULL));
    buf_put_u8(&other, '\n');
    assert_true(note_sign(&other, text, &forged, key[1], NULL));
    assert_false(log_keep_cosignatures(owner, buf_span(&other), good, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    buf_free(&other);
    /* Lines that are none, or that would change the text. */
    buf_init(&bad, 1 << 17);
    buf_put_str(&bad, "more\n\n");
    buf_put_span(&bad, good);
    const struct span lines[] = {SPAN_EMPTY, span_str("x\n"), span_sub(good, 0, good.n - 1),
                                 buf_span(&bad), note};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        err_clear(&e);
        if (log_keep_cosignatures(owner, note, lines[i], &e))
            fail_msg("accepted %zu", i);
    }
    buf_free(&bad);
    append_one(); /* the log goes on */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_witness_is_told),
        cmocka_unit_test(what_is_kept_comes_back_and_verifies),
        cmocka_unit_test(each_witness_has_its_own_newest),
        cmocka_unit_test(a_receipt_carries_the_cosignatures_that_cover_it),
        cmocka_unit_test(a_client_keeps_through_the_owner),
        cmocka_unit_test(refuses_what_is_not_for_this_log),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
