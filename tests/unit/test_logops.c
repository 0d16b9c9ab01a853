/* Erasure, legal hold, disclosure: what is forgotten is nowhere, what is not is still there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log/ops.h"
#include "support/sealed_log.h"

enum { SUBJECTS = 40, ENTRIES = 400, STEPS = 5 };

static struct folder place;
static struct sealed_keys keys;
static struct buf out;
static struct err e;

#define KEYS_OF_ANNA                                                                               \
    "SELECT key FROM content_key WHERE seq IN (SELECT seq FROM entry WHERE subject = (SELECT "     \
    "subject FROM entry WHERE seq = 2))"

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 1 << 20);
    err_clear(&e);
    if (!folder_make(&place))
        return -1;
    sealed_make(&place);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    erase_step = NULL;
    buf_free(&out);
    folder_remove(&place);
    return 0;
}

static void good(bool ok)
{
    if (!ok)
        fail_msg("%s: %s", e.file, e.text);
}

/* Entry 2 and every third after it are Anna's; the others' order is mixed so that
 * rows of the tables go in between others. */
static uint64_t fill(struct log *l)
{
    char name[32], prompt[400];
    uint64_t first = sealed_append(l, "anna", "anna's secret");
    memset(prompt, 'x', sizeof prompt - 1);
    for (int i = 1; i < ENTRIES; i++) {
        snprintf(name, sizeof name, "person %d", (i * 7919) % SUBJECTS);
        prompt[1 + i % 300] = 0;
        sealed_append(l, i % 3 ? name : "anna", prompt);
        prompt[1 + i % 300] = 'x';
    }
    return first;
}

static bool opens(struct log *l, uint64_t seq)
{
    return sealed_disclose(l, seq, "prompt", &out) == ERR_NONE;
}

static bool says(const char *text)
{
    return memmem(out.p, out.n, text, strlen(text)) != NULL;
}

static int64_t leaves(const char *kind)
{
    char query[128];
    snprintf(query, sizeof query,
             "SELECT count(*) FROM record WHERE CAST(leaf AS TEXT) LIKE '%%\"kind\":\"%s\"%%'",
             kind);
    return sealed_number(&place, query);
}

/* ---- erasure ---- */

static void erasing_a_subject_leaves_no_byte_of_its_keys(void **state)
{
    (void)state;
    struct log *l = sealed_open(&place);
    struct log_erased done;
    uint64_t anna = fill(l), size = anna + ENTRIES;
    assert_int_equal(anna, 2);
    struct digest root = sealed_root(&place, size);
    sealed_keys_of(&place, KEYS_OF_ANNA " UNION ALL SELECT key FROM subject", &keys);
    assert_int_equal(keys.count, 134 + SUBJECTS + 1);
    assert_int_equal(sealed_keys_found(&place, &keys), keys.count);
    good(log_erase_subject(l, span_str("anna"), &sealed_order, &done, &out, &e));
    assert_false(done.pending);
    assert_int_equal(done.entries, 134);
    assert_int_equal(done.keys, 135);
    assert_true(says("\"certificate\": \"assay/erasure/v1\""));
    assert_true(says("from before epoch 2"));
    assert_int_equal(sealed_keys_found(&place, &keys), 0);
    assert_int_equal(sealed_disclose(l, anna, "prompt", &out), ERR_INTEGRITY);
    assert_true(opens(l, anna + 1) && opens(l, anna + 2) && opens(l, size - 2));
    struct digest after = sealed_root(&place, size);
    assert_true(digest_eq(&root, &after));
    log_close(l);
    assert_int_equal(sealed_keys_found(&place, &keys), 0);
    l = sealed_open(&place);
    assert_true(opens(l, anna + 1));
    assert_true(opens(l, sealed_append(l, "anna", "a new beginning")));
    log_close(l);
}

static void a_certificate_is_a_note_of_the_log(void **state)
{
    (void)state;
    struct arena *a = arena_new(4 << 20);
    struct log *l = sealed_open(&place);
    struct log_erased done;
    struct sign_key *key = NULL;
    struct note_key name;
    struct note note;
    struct json root;
    bool valid = false;
    uint64_t entry = 0;
    sealed_append(l, "anna", "a");
    good(log_erase_subject(l, span_str("anna"), &sealed_order, &done, &out, &e));
    log_close(l);
    good(sign_key_load(&key, folder_path(&place, "log.key"), &e));
    struct sign_public public = sign_key_public(key);
    sign_key_free(key);
    good(note_key_make(&name, span_str("example.org/audit"), NOTE_ED25519, &public, &e));
    good(note_parse(&note, buf_span(&out), a, &e));
    good(note_verify(&note, &name, 1, &valid, NULL, &e));
    assert_true(valid);
    good(json_parse(&root, note.text, JSON_STRICT, a, &e));
    assert_true(json_u64(json_get(root, "entry"), &entry));
    assert_int_equal(entry, done.seq);
    assert_true(json_u64(json_path(root, "erasure", "epoch", NULL), &entry));
    assert_int_equal(entry, 1);
    assert_int_equal(json_count(json_path(root, "erasure", "unreachable", NULL)), 3);
    arena_free(a);
}

static void erasing_an_entry_keeps_the_others_of_its_subject(void **state)
{
    (void)state;
    struct log *l = sealed_open(&place);
    struct log_erased done;
    uint64_t anna = fill(l);
    sealed_keys_of(&place,
                   "SELECT key FROM content_key WHERE seq = 2 UNION ALL "
                   "SELECT key FROM subject",
                   &keys);
    assert_int_equal(sealed_keys_found(&place, &keys), keys.count);
    good(log_erase_entry(l, anna, &sealed_order, &done, NULL, &e));
    assert_int_equal(done.entries, 1);
    assert_int_equal(sealed_keys_found(&place, &keys), 0);
    assert_int_equal(sealed_disclose(l, anna, "answer", &out), ERR_INTEGRITY);
    assert_true(opens(l, anna + 3) && opens(l, anna + 1));
    assert_false(log_erase_entry(l, anna, &sealed_order, &done, NULL, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    err_clear(&e);
    assert_false(log_erase_entry(l, 0, &sealed_order, &done, NULL, &e));
    assert_int_equal(e.code, ERR_USAGE);
    log_close(l);
}

static int stop_at;

static void stop_here(int step)
{
    if (step == stop_at)
        _exit(0);
}

static void erase_and_die(int step)
{
    pid_t child = fork();
    if (child == 0) {
        struct log *l = NULL;
        struct log_erased done;
        stop_at = step;
        erase_step = stop_here;
        if (log_open(&l, place.path, NULL, &e) &&
            log_erase_subject(l, span_str("anna"), &sealed_order, &done, NULL, &e))
            _exit(2);
        _exit(1);
    }
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void an_erasure_cut_anywhere_is_finished_or_not_begun(void **state)
{
    (void)state;
    for (int step = 1; step <= STEPS; step++) {
        folder_remove(&place);
        assert_true(folder_make(&place));
        sealed_make(&place);
        struct log *l = sealed_open(&place);
        uint64_t anna = sealed_append(l, "anna", "a"), ben = sealed_append(l, "ben", "b");
        sealed_append(l, "anna", "c");
        log_close(l);
        sealed_keys_of(&place, KEYS_OF_ANNA, &keys);
        assert_int_equal(keys.count, 2);
        erase_and_die(step);
        l = sealed_open(&place);
        assert_true(opens(l, ben));
        assert_int_equal(opens(l, anna), step == 1);
        assert_int_equal(leaves("erasure"), step != 1);
        assert_int_equal(sealed_number(&place, "SELECT count(*) FROM erasure"), 0);
        if (step != 1)
            assert_int_equal(sealed_keys_found(&place, &keys), 0);
        log_close(l);
    }
}

static void an_erasure_is_pending_while_a_reader_holds_the_wal(void **state)
{
    (void)state;
    struct log *l = sealed_open(&place);
    struct log_erased done;
    sqlite3 *db = NULL;
    uint64_t left = 7;
    uint64_t anna = sealed_append(l, "anna", "a");
    sealed_keys_of(&place, KEYS_OF_ANNA, &keys);
    assert_int_equal(
        sqlite3_open_v2(folder_path(&place, "log.db"), &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_exec(db, "BEGIN; SELECT count(*) FROM record", NULL, NULL, NULL);
    good(log_erase_subject(l, span_str("anna"), &sealed_order, &done, &out, &e));
    assert_true(done.pending);
    assert_int_equal(out.n, 0);
    assert_int_equal(leaves("erasure"), 0);
    assert_false(opens(l, anna));
    good(log_erase_resume(l, &left, &e));
    assert_int_equal(left, 1);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(db);
    good(log_erase_resume(l, &left, &e));
    assert_int_equal(left, 0);
    assert_int_equal(leaves("erasure"), 1);
    assert_int_equal(sealed_keys_found(&place, &keys), 0);
    log_close(l);
}

static void a_client_erases_through_the_owner(void **state)
{
    (void)state;
    struct log *owner = sealed_open(&place), *client = sealed_open(&place);
    struct log_erased done;
    assert_false(log_is_owner(client));
    uint64_t anna = sealed_append(client, "anna", "a"), ben = sealed_append(owner, "ben", "b");
    assert_true(opens(client, anna));
    good(log_erase_subject(client, span_str("anna"), &sealed_order, &done, &out, &e));
    assert_int_equal(done.entries, 1);
    assert_true(says("assay/erasure/v1"));
    assert_false(opens(client, anna));
    assert_true(opens(client, ben));
    err_clear(&e);
    assert_false(log_erase_subject(client, span_str("anna"), &sealed_order, &done, NULL, &e));
    assert_int_equal(e.code, ERR_USAGE);
    log_close(client);
    log_close(owner);
}

/* ---- erasing while others append ---- */

enum { WRITERS = 4, ROUNDS = 6 };

struct writer {
    pthread_t thread;
    struct log *log;
    unsigned number;
    uint64_t seqs[400];
    size_t count;
};

static atomic_bool enough;

static void *write_always(void *arg)
{
    struct writer *w = arg;
    char name[32];
    while (!enough && w->count < sizeof w->seqs / sizeof *w->seqs) {
        snprintf(name, sizeof name, "person %u.%zu", w->number, w->count);
        w->seqs[w->count++] = sealed_append(w->log, name, "asked meanwhile");
    }
    return NULL;
}

static void what_is_acknowledged_meanwhile_can_be_opened(void **state)
{
    (void)state;
    static struct writer writers[WRITERS];
    struct log *l = sealed_open(&place);
    struct log_erased done;
    enough = false;
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.log = l, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_always, &writers[i]), 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t anna = sealed_append(l, "anna", "a");
        sealed_append(l, "anna", "b");
        if (i % 2)
            good(log_erase_entry(l, anna, &sealed_order, &done, NULL, &e));
        good(log_erase_subject(l, span_str("anna"), &sealed_order, &done, NULL, &e));
        assert_false(opens(l, anna));
    }
    enough = true;
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    for (unsigned i = 0; i < WRITERS; i++)
        for (size_t k = 0; k < writers[i].count; k++)
            assert_true(opens(l, writers[i].seqs[k]));
    log_close(l);
}

/* ---- legal hold ---- */

static void a_hold_blocks_erasure_and_says_so(void **state)
{
    (void)state;
    struct log *l = sealed_open(&place);
    struct log_erased done;
    struct seal_id subject, range;
    uint64_t anna = sealed_append(l, "anna", "a"), ben = sealed_append(l, "ben", "b");
    struct log_hold on_anna = {span_str("anna"), 0, 0}, on_ben = {SPAN_EMPTY, ben, ben + 1};
    good(log_hold_set(l, &on_anna, &sealed_order, &subject, &e));
    good(log_hold_set(l, &on_ben, &sealed_order, &range, &e));
    assert_false(log_erase_subject(l, span_str("anna"), &sealed_order, &done, NULL, &e));
    assert_int_equal(e.code, ERR_POLICY);
    err_clear(&e);
    assert_false(log_erase_entry(l, ben, &sealed_order, &done, NULL, &e));
    assert_int_equal(e.code, ERR_POLICY);
    err_clear(&e);
    assert_int_equal(leaves("hold"), 4);
    assert_true(opens(l, anna) && opens(l, ben));
    good(log_hold_release(l, &subject, &sealed_order, &e));
    assert_false(log_hold_release(l, &subject, &sealed_order, &e));
    err_clear(&e);
    good(log_erase_subject(l, span_str("anna"), &sealed_order, &done, NULL, &e));
    assert_false(log_erase_entry(l, ben, &sealed_order, &done, NULL, &e));
    assert_int_equal(e.code, ERR_POLICY);
    log_close(l);
}

static void a_hold_of_a_subject_outlives_other_erasures(void **state)
{
    (void)state;
    struct log *l = sealed_open(&place);
    struct log_erased done;
    struct seal_id hold;
    struct log_hold on_anna = {span_str("anna"), 0, 0};
    good(log_hold_set(l, &on_anna, &sealed_order, &hold, &e)); /* before there is anything */
    sealed_append(l, "ben", "b");
    good(log_erase_subject(l, span_str("ben"), &sealed_order, &done, NULL, &e));
    uint64_t later = sealed_append(l, "anna", "in another epoch");
    assert_false(log_erase_entry(l, later, &sealed_order, &done, NULL, &e));
    assert_int_equal(e.code, ERR_POLICY);
    log_close(l);
}

/* ---- disclosure ---- */

static void a_disclosure_is_logged_before_it_is_made(void **state)
{
    (void)state;
    struct log *l = sealed_open(&place);
    uint64_t seq = sealed_append(l, "anna", "what she \"asked\"");
    assert_true(opens(l, seq));
    assert_true(says("\"content\":\"what she \\\"asked\\\"\""));
    assert_false(says("an answer"));
    assert_int_equal(leaves("disclosure"), 1);
    assert_int_equal(sealed_disclose(l, seq, "nothing", &out), ERR_USAGE);
    assert_int_equal(sealed_disclose(l, 1000, "prompt", &out), ERR_USAGE);
    assert_int_equal(leaves("disclosure"), 1);
    log_close(l);
}

/* ---- retention ---- */

static struct log_stats stats_in(uint64_t days)
{
    struct log_reader *r = NULL;
    struct log_stats s;
    good(log_reader_open(&r, place.path, &e));
    good(log_reader_stats(r, clock_wall() + days * 86400 * 1000000, &s, &e));
    log_reader_close(r);
    return s;
}

static void retention_is_reported(void **state)
{
    (void)state;
    struct log *l = sealed_open(&place);
    struct log_erased done;
    struct seal_id hold;
    struct log_hold all = {SPAN_EMPTY, 0, 0};
    sealed_append(l, "anna", "a");
    sealed_append(l, "ben", "b");
    assert_int_equal(stats_in(5000).beyond_ceiling, 0);
    assert_false(log_retention_set(l, 365, 100, &sealed_order, &e));
    err_clear(&e);
    good(log_retention_set(l, 183, 1095, &sealed_order, &e));
    good(log_erase_subject(l, span_str("anna"), &sealed_order, &done, NULL, &e));
    good(log_hold_set(l, &all, &sealed_order, &hold, &e));
    struct log_stats s = stats_in(0);
    assert_int_equal(s.floor_days, 183);
    assert_int_equal(s.ceiling_days, 1095);
    assert_int_equal(s.sealed_entries, 1);
    assert_int_equal(s.holds, 1);
    assert_int_equal(s.erased_before_floor, 1);
    assert_int_equal(s.beyond_ceiling, 0);
    assert_true(s.oldest_sealed_us > 0);
    assert_int_equal(stats_in(1094).beyond_ceiling, 0);
    assert_int_equal(stats_in(1096).beyond_ceiling, 1);
    good(log_retention_set(l, 0, 0, &sealed_order, &e));
    s = stats_in(5000);
    assert_int_equal(s.floor_days + s.ceiling_days + s.beyond_ceiling + s.erased_before_floor, 0);
    assert_false(log_erase_subject(l, span_str("ben"), &sealed_order, &done, NULL, &e));
    assert_int_equal(e.code, ERR_POLICY);
    log_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(erasing_a_subject_leaves_no_byte_of_its_keys, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_certificate_is_a_note_of_the_log, setup, teardown),
        cmocka_unit_test_setup_teardown(erasing_an_entry_keeps_the_others_of_its_subject, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_erasure_cut_anywhere_is_finished_or_not_begun, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_erasure_is_pending_while_a_reader_holds_the_wal, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_client_erases_through_the_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_acknowledged_meanwhile_can_be_opened, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_hold_blocks_erasure_and_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hold_of_a_subject_outlives_other_erasures, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_disclosure_is_logged_before_it_is_made, setup, teardown),
        cmocka_unit_test_setup_teardown(retention_is_reported, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
