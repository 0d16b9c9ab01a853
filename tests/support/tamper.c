/* A log that will be tampered with, and those who notice. */
#include "support/tamper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "support/logs.h"
#include "support/sealed_log.h"

enum { HALF = 200, FORKED = 240, FILE_MAX = 16 << 20, LOOK = 32 << 20 };

static const char *const files[] = {"log.db",  "log.db-wal",   "head",
                                    "keyring", "operator.key", "log.key"};

/* ---- copies ---- */

void tamper_copy(const struct folder *from, const struct folder *to, const char *name)
{
    struct arena *a = arena_new(LOOK);
    struct span bytes;
    assert_non_null(a);
    if (file_read(&bytes, folder_path(from, name), FILE_MAX, false, a, NULL)) {
        assert_true(folder_put(to, name, bytes));
        assert_int_equal(chmod(folder_path(to, name), 0600), 0);
    }
    arena_free(a);
}

void tamper_copy_all(const struct folder *from, const struct folder *to)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        tamper_copy(from, to, files[i]);
}

/* ---- the log ---- */

static void append(struct log *l, enum record_kind kind, const char *body)
{
    struct log_receipt r;
    struct err e = ERR_INIT;
    struct log_entry entry = {.kind = kind, .body = span_str(body)};
    if (!log_append(l, &entry, &r, &e))
        fail_msg("%s", e.text);
}

static void append_many(struct log *l, unsigned n, const char *who, uint64_t *sealed)
{
    char body[256];
    for (unsigned i = 0; i < n; i++) {
        if (i % 4 == 1)
            *sealed = sealed_append(l, who, "a question that stays between us");
        else if (i % 4 == 2)
            append(l, RECORD_CONFIG, logs_config);
        else {
            snprintf(body, sizeof body,
                     "{\"bytes\":%u,\"complete\":true,\"file_count\":1,\"format\":\"gguf\","
                     "\"software\":\"test\"}",
                     i);
            append(l, RECORD_MODEL, body);
        }
    }
}

static bool add_leaf(void *arg, uint64_t seq, struct span leaf)
{
    struct digest hash = record_hash(leaf);
    (void)seq;
    merkle_append(arg, &hash);
    return true;
}

/* What a state holds, and the newest checkpoint it offers. */
static struct span look(struct tamper *t, enum state s)
{
    struct merkle tree;
    struct buf note;
    struct log_reader *r = logs_reader(&t->state[s]);
    merkle_start(&tree);
    buf_init(&note, 1 << 16);
    assert_true(log_reader_walk(r, 0, add_leaf, &tree, NULL));
    assert_true(log_reader_checkpoint(r, &note, NULL));
    t->size[s] = tree.size;
    t->root[s] = merkle_root(&tree);
    struct span kept = arena_span(t->a, buf_span(&note));
    buf_free(&note);
    log_reader_close(r);
    return kept;
}

static struct span receipt(struct tamper *t, enum state s, uint64_t seq)
{
    struct buf out;
    struct err e = ERR_INIT;
    struct log_reader *r = logs_reader(&t->state[s]);
    buf_init(&out, 1 << 20);
    if (!log_reader_receipt(r, seq, &out, &e))
        fail_msg("%s", e.text);
    struct span kept = arena_span(t->a, buf_span(&out));
    buf_free(&out);
    log_reader_close(r);
    return kept;
}

static void make_key(struct tamper *t)
{
    struct sign_key *key = NULL;
    assert_true(sign_key_load(&key, folder_path(&t->state[STATE_CLOSED], "log.key"), NULL));
    struct sign_public public = sign_key_public(key);
    assert_true(note_key_make(&t->key, span_str("example.org/audit"), NOTE_ED25519, &public, NULL));
    sign_key_free(key);
}

static void continue_as(const struct folder *f, unsigned n, const char *who)
{
    uint64_t ignored;
    struct log *l = logs_open(f);
    append_many(l, n, who, &ignored);
    log_close(l);
}

/* The witness cosigns what the log offers, and the log keeps its line. */
static void cosign(struct tamper *t, struct log *l, const struct folder *f)
{
    struct note n;
    struct buf note, line;
    struct err e = ERR_INIT;
    struct log_reader *r = logs_reader(f);
    buf_init(&note, 1 << 16);
    buf_init(&line, 1 << 16);
    assert_true(log_reader_checkpoint(r, &note, NULL));
    t->witnessed = arena_span(t->a, buf_span(&note));
    assert_true(note_parse(&n, t->witnessed, t->a, NULL));
    assert_true(note_cosign(&line, n.text, &t->witness_key, t->witness, 1790000000, NULL));
    if (!log_keep_cosignatures(l, t->witnessed, buf_span(&line), &e))
        fail_msg("%s", e.text);
    buf_free(&note);
    buf_free(&line);
    log_reader_close(r);
}

static void make_witness(struct tamper *t)
{
    static const uint8_t secret[32] = {9};
    assert_true(sign_key_from_seed(&t->witness, secret, NULL));
    struct sign_public public = sign_key_public(t->witness);
    assert_true(note_key_make(&t->witness_key, span_str("witness.example/w"), NOTE_COSIGNATURE,
                              &public, NULL));
}

/* The second line of a checkpoint. */
static uint64_t size_in_head(const struct folder *f)
{
    struct arena *a = arena_new(LOOK);
    struct span bytes = SPAN_EMPTY;
    bool ok = file_read(&bytes, folder_path(f, "head"), FILE_MAX, false, a, NULL);
    const uint8_t *line = ok && bytes.n ? memchr(bytes.p, '\n', bytes.n) : NULL;
    uint64_t size = line ? strtoull((const char *)line + 1, NULL, 10) : 0;
    arena_free(a);
    return size;
}

/* It is written behind the acknowledgements. */
static void wait_for_head(const struct folder *f)
{
    enum { STEP_US = 20000, PATIENCE = 1000 };
    struct log_reader *r = logs_reader(f);
    uint64_t size = log_reader_size(r);
    log_reader_close(r);
    for (int i = 0; size_in_head(f) != size; i++) {
        assert_true(i < PATIENCE);
        usleep(STEP_US);
    }
}

void tamper_make(struct tamper *t)
{
    const struct folder *f = t->state;
    uint64_t ignored;
    memset(t, 0, sizeof *t);
    t->a = arena_new(LOOK);
    for (int i = 0; i < STATES; i++)
        assert_true(folder_make(&t->state[i]));
    make_witness(t);
    logs_make(&f[STATE_CLOSED]);
    struct log *l = logs_open(&f[STATE_CLOSED]);
    append_many(l, HALF, "alice", &t->sealed);
    cosign(t, l, &f[STATE_CLOSED]);
    log_close(l);
    tamper_copy_all(&f[STATE_CLOSED], &f[STATE_OLDER]);
    tamper_copy_all(&f[STATE_CLOSED], &f[STATE_FORK]);
    l = logs_open(&f[STATE_CLOSED]);
    append_many(l, HALF, "bob", &ignored);
    cosign(t, l, &f[STATE_CLOSED]);
    wait_for_head(&f[STATE_CLOSED]);
    tamper_copy_all(&f[STATE_CLOSED], &f[STATE_LIVE]);
    log_close(l);
    continue_as(&f[STATE_FORK], FORKED, "mallory");
    logs_make(&f[STATE_OTHER]);
    continue_as(&f[STATE_OTHER], 2 * HALF, "mallory");
    make_key(t);
    t->older = look(t, STATE_OLDER);
    t->receipts[0] = receipt(t, STATE_OLDER, HALF / 2);
    t->receipts[1] = receipt(t, STATE_LIVE, HALF + HALF / 2);
    for (int i = 0; i < STATES; i++)
        (void)look(t, (enum state)i);
}

void tamper_free(struct tamper *t)
{
    for (int i = 0; i < STATES; i++)
        folder_remove(&t->state[i]);
    sign_key_free(t->witness);
    arena_free(t->a);
}

/* ---- those who notice: each returns true when nothing is wrong ---- */

struct feed {
    struct verifier *v;
    struct merkle tree;
    uint64_t until;
    bool ok;
};

static bool feed_leaf(void *arg, uint64_t seq, struct span leaf)
{
    struct feed *f = arg;
    if (seq >= f->until)
        return false;
    f->ok = verifier_leaf(f->v, leaf, NULL);
    return f->ok;
}

static bool offered(struct log_reader *r, struct span *note, uint64_t *size, struct arena *a)
{
    struct buf b;
    struct note n;
    struct checkpoint c;
    buf_init(&b, 1 << 16);
    bool ok = log_reader_checkpoint(r, &b, NULL);
    *note = arena_span(a, buf_span(&b));
    buf_free(&b);
    ok = ok && note_parse(&n, *note, a, NULL) && checkpoint_parse(&c, n.text, NULL);
    if (ok)
        *size = c.size;
    return ok;
}

/* Every leaf, against the newest checkpoint and, when given, an older one. */
static bool chain_holds(struct log_reader *r, const struct trust *trust, struct span older,
                        struct arena *a)
{
    struct feed f = {.ok = true};
    struct verified shown;
    struct span note;
    bool ok = offered(r, &note, &f.until, a) && verifier_new(&f.v, trust, NULL) &&
              (older.n == 0 || verifier_expect(f.v, older, NULL)) &&
              log_reader_walk(r, 0, feed_leaf, &f, NULL) && f.ok &&
              verifier_finish(f.v, note, &shown, a, NULL);
    verifier_free(f.v);
    return ok;
}

static bool extends(struct log_reader *r, const struct checkpoint *held,
                    const struct checkpoint *now)
{
    struct proof p;
    struct hash_reader hashes = log_reader_hashes(r);
    if (now->size == held->size)
        return digest_eq(&now->root, &held->root);
    return now->size > held->size && proof_consistency(&p, held->size, now->size, &hashes, NULL) &&
           proof_consistency_ok(held->size, &held->root, now->size, &now->root, &p);
}

/* The log still proves what the receipt shows, and that it goes on from there. */
static bool receipt_holds(struct log_reader *r, struct span held, const struct trust *trust,
                          struct arena *a)
{
    struct verified before, now, again;
    struct span note, leaf;
    struct buf b;
    uint64_t size = 0;
    assert_true(verify_receipt(&before, held, trust, a, NULL));
    if (!offered(r, &note, &size, a) || !verify_checkpoint(&now, note, trust, a, NULL) ||
        !extends(r, &before.checkpoint, &now.checkpoint) ||
        !log_reader_leaf(r, before.index, a, &leaf, NULL) || !span_eq(leaf, before.record.leaf))
        return false;
    buf_init(&b, 1 << 20);
    bool ok = log_reader_receipt(r, before.index, &b, NULL) &&
              verify_receipt(&again, buf_span(&b), trust, a, NULL);
    buf_free(&b);
    return ok;
}

/* The log still shows a cosigned checkpoint, and goes on from what the witness saw last. */
static bool witness_holds(struct log_reader *r, const struct tamper *t, struct arena *a)
{
    struct note_key witness = t->witness_key, key = t->key;
    struct trust asked = {.log_keys = &key,
                          .log_key_count = 1,
                          .witnesses = &witness,
                          .witness_count = 1,
                          .required = 1};
    struct trust pinned = {.log_keys = &key, .log_key_count = 1};
    struct verified shown, seen, now;
    struct span note;
    struct buf b;
    uint64_t size = 0;
    buf_init(&b, 1 << 17);
    bool ok = log_reader_cosigned_note(r, &b, NULL);
    struct span cosigned = arena_span(a, buf_span(&b));
    buf_free(&b);
    return ok && verify_checkpoint(&shown, cosigned, &asked, a, NULL) &&
           verify_checkpoint(&seen, t->witnessed, &pinned, a, NULL) &&
           offered(r, &note, &size, a) && verify_checkpoint(&now, note, &pinned, a, NULL) &&
           extends(r, &seen.checkpoint, &now.checkpoint) &&
           extends(r, &shown.checkpoint, &now.checkpoint);
}

static bool count_leaf(void *arg, uint64_t seq, struct span leaf)
{
    struct feed *f = arg;
    return f->tree.size < f->until && add_leaf(&f->tree, seq, leaf);
}

static bool holds(struct log_reader *r, uint64_t size, const struct digest *root)
{
    struct feed f = {.until = size};
    merkle_start(&f.tree);
    bool walked = log_reader_walk(r, 0, count_leaf, &f, NULL);
    struct digest now = merkle_root(&f.tree);
    return walked && f.tree.size == size && digest_eq(&now, root);
}

static bool head_holds(struct log_reader *r, const struct folder *f, const struct trust *trust,
                       struct arena *a)
{
    struct span note;
    struct verified v;
    return file_read(&note, folder_path(f, "head"), 1 << 16, false, a, NULL) &&
           verify_checkpoint(&v, note, trust, a, NULL) &&
           holds(r, v.checkpoint.size, &v.checkpoint.root);
}

static void ask_readers(const struct tamper *t, const struct folder *f, enum state was,
                        struct noticed *n)
{
    struct note_key key = t->key;
    struct trust pinned = {.log_keys = &key, .log_key_count = 1}, none = {.required = 0};
    struct log_reader *r = NULL;
    struct arena *a = arena_new(LOOK);
    assert_non_null(a);
    if (!log_reader_open(&r, f->path, NULL)) {
        n->by |= BY_OPEN;
        n->blind |= BY_CHAIN | BY_OLDER | BY_RECEIPT | BY_HEAD | BY_WITNESS;
    } else {
        n->by |= chain_holds(r, &pinned, SPAN_EMPTY, a) ? 0 : BY_CHAIN;
        n->by |= chain_holds(r, &none, t->older, a) ? 0 : BY_OLDER;
        n->by |= receipt_holds(r, t->receipts[0], &pinned, a) &&
                         receipt_holds(r, t->receipts[1], &pinned, a)
                     ? 0
                     : BY_RECEIPT;
        n->by |= head_holds(r, f, &pinned, a) ? 0 : BY_HEAD;
        n->by |= witness_holds(r, t, a) ? 0 : BY_WITNESS;
        n->same = holds(r, t->size[was], &t->root[was]);
    }
    log_reader_close(r);
    arena_free(a);
}

/* The owner changes the log when it opens it, so it comes last. */
static void ask_owner(const struct tamper *t, const struct folder *f, struct noticed *n)
{
    struct note_key key = t->key;
    struct trust pinned = {.log_keys = &key, .log_key_count = 1};
    struct log *l = NULL;
    struct verified v;
    struct buf bundle;
    struct arena *a = arena_new(LOOK);
    assert_non_null(a);
    buf_init(&bundle, 1 << 20);
    if (!log_open(&l, f->path, NULL, NULL)) {
        n->by |= BY_OWNER;
        n->blind |= BY_CONTENT;
    } else if (sealed_disclose(l, t->sealed, "prompt", &bundle) != ERR_NONE ||
               !verify_bundle(&v, buf_span(&bundle), &pinned, a, NULL))
        n->by |= BY_CONTENT;
    log_close(l);
    buf_free(&bundle);
    arena_free(a);
}

struct noticed tamper_notice(const struct tamper *t, const struct folder *f, enum state was,
                             unsigned who)
{
    struct noticed n = {.by = 0};
    ask_readers(t, f, was, &n);
    if (who & BY_OWNER)
        ask_owner(t, f, &n);
    return n;
}
