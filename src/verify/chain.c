/*
 * A whole log, leaf by leaf, in constant memory. Every leaf is decoded by the
 * one law of records, so what stands in the log is what a reader would be shown;
 * the tree over the leaves' bytes decides whether it is what was signed.
 */
#include "assay/verify.h"

#include <stdlib.h>
#include <string.h>

#include "verify/intents.h"
#include "verify/keys.h"
#include "verify/verify.h"

enum {
    MAX_EXPECTED = 4096,  /* older checkpoints */
    MAX_EXPECTED_MB = 32, /* and their bytes */
    SCRATCH = 4 << 20,    /* one note parsed */
    MAX_ORIGIN = 1 << 20
};

/* An older checkpoint, waiting for the log to reach its size. */
struct expected {
    uint64_t size;
    struct span note;
};

struct verifier {
    struct trust trust;
    struct merkle tree;
    struct keychain keys;
    struct record_head last;
    struct intents calls;
    struct expected *expected; /* descending by size: the next one stands last */
    size_t expected_count, expected_cap;
    uint64_t checkpoints, clock_back, boot_back;
    struct arena *keep;  /* the origin */
    struct arena *notes; /* of `expected` */
    enum err_code failed;
    struct err newer; /* the first leaf of a newer program */
};

bool verifier_new(struct verifier **out, const struct trust *t, struct err *e)
{
    struct verifier *v = calloc(1, sizeof *v);
    *out = v;
    if (!v)
        return err_set(e, ERR_MEMORY, "out of memory for a verifier");
    v->trust = *t;
    v->keep = arena_new(MAX_ORIGIN);
    v->notes = arena_new((size_t)MAX_EXPECTED_MB << 20);
    if (!v->keep || !v->notes) {
        verifier_free(v);
        *out = NULL;
        return err_set(e, ERR_MEMORY, "out of memory for a verifier");
    }
    v->keys = (struct keychain){.trust = &v->trust, .keep = v->keep};
    merkle_start(&v->tree);
    return true;
}

void verifier_free(struct verifier *v)
{
    if (!v)
        return;
    arena_free(v->keep);
    arena_free(v->notes);
    free(v);
}

/* Once a leaf failed, nothing after it can be told apart from its consequences. */
static bool fail(struct verifier *v, const struct err *why, uint64_t seq, struct err *e)
{
    /* What cannot be decoded is not what was written: whoever wrote it wrote canonical leaves. */
    v->failed = why->code == ERR_FORMAT || why->code == ERR_LIMIT || why->code == ERR_CONFIG
                    ? ERR_INTEGRITY
                    : why->code;
    return err_set(e, v->failed, "entry %llu: %s", (unsigned long long)seq, why->text);
}

/* ---- checkpoints ---- */

static bool is_of_tree(const struct verifier *v, const struct checkpoint *c, struct err *e)
{
    struct digest root = merkle_root(&v->tree);
    unsigned long long covered = c->size, there = v->tree.size;
    if (covered > there)
        return err_set(e, ERR_INTEGRITY,
                       "the log was cut: the checkpoint covers %llu leaves, and there are %llu",
                       covered, there);
    if (covered < there)
        return err_set(e, ERR_INTEGRITY, "%llu leaves stand behind the last one that is signed",
                       there - covered);
    return digest_eq(&root, &c->root) ||
           err_set(e, ERR_INTEGRITY,
                   "the leaves do not give the root of the checkpoint of %llu leaves: one of them "
                   "was changed, or this is another history",
                   there);
}

/* A note against the tree as it stands, signed by the key in use. Behind a leaf
 * that only a newer program understands, that key is not known. */
static bool judge(struct verifier *v, struct verified *out, struct span bytes,
                  const struct trust *t, struct arena *a, struct err *e)
{
    struct note n;
    if (!note_parse(&n, bytes, a, e))
        return false;
    if (v->newer.code)
        return checkpoint_parse(&out->checkpoint, n.text, e) &&
               is_of_tree(v, &out->checkpoint, e) && err_set(e, v->newer.code, "%s", v->newer.text);
    return checkpoint_judge(out, &n, t, &v->keys.active, 1, e) &&
           is_of_tree(v, &out->checkpoint, e);
}

/* Witnesses are asked for at the newest checkpoint alone. */
static bool judge_older(struct verifier *v, struct span note, struct err *e)
{
    struct trust t = {.origin = v->trust.origin};
    struct verified ignored;
    struct err inner = ERR_INIT;
    struct arena *a = arena_new(SCRATCH);
    if (!a)
        return err_set(e, ERR_MEMORY, "out of memory for a checkpoint");
    memset(&ignored, 0, sizeof ignored);
    bool ok = judge(v, &ignored, note, &t, a, &inner);
    arena_free(a);
    v->checkpoints += ok;
    return ok || inner.code == ERR_UNSUPPORTED ||
           err_set(e, inner.code, "older checkpoint of %llu leaves: %s",
                   (unsigned long long)v->tree.size, inner.text);
}

static bool judge_due(struct verifier *v, struct err *e)
{
    while (v->expected_count && v->expected[v->expected_count - 1].size == v->tree.size)
        if (!judge_older(v, v->expected[--v->expected_count].note, e)) {
            v->failed = ERR_INTEGRITY;
            return false;
        }
    return true;
}

static bool keep_expected(struct verifier *v, struct span note, uint64_t size, struct err *e)
{
    struct expected x = {size, arena_span(v->notes, note)};
    struct expected *grown =
        arena_grow(v->notes, v->expected, v->expected_count, &v->expected_cap, sizeof *grown);
    if (!grown || !x.note.p)
        return err_set(e, ERR_MEMORY, "out of memory for older checkpoints");
    v->expected = grown;
    size_t at = v->expected_count++;
    for (; at > 0 && grown[at - 1].size < size; at--)
        grown[at] = grown[at - 1];
    grown[at] = x;
    return true;
}

bool verifier_expect(struct verifier *v, struct span older_note, struct err *e)
{
    struct note n;
    struct checkpoint c = {.size = 0};
    if (v->expected_count == MAX_EXPECTED)
        return err_set(e, ERR_LIMIT, "at most %d older checkpoints at once", MAX_EXPECTED);
    struct arena *a = arena_new(SCRATCH);
    if (!a)
        return err_set(e, ERR_MEMORY, "out of memory for a checkpoint");
    bool ok = note_parse(&n, older_note, a, e) && checkpoint_parse(&c, n.text, e);
    arena_free(a);
    if (!ok)
        return false;
    if (c.size == 0)
        return true; /* every log extends the empty one */
    if (c.size < v->tree.size)
        return err_set(e, ERR_USAGE, "a checkpoint of %llu leaves must be given before the leaves",
                       (unsigned long long)c.size);
    return c.size == v->tree.size ? judge_older(v, older_note, e)
                                  : keep_expected(v, older_note, c.size, e);
}

/* ---- leaves ---- */

/* Clocks do not fail a log: they may be set, and cloned machines share a boot. */
static void follow_clocks(struct verifier *v, const struct record_head *h)
{
    if (v->tree.size == 0)
        return;
    bool same_boot = memcmp(h->boot_id, v->last.boot_id, sizeof h->boot_id) == 0;
    v->clock_back += h->wall_us < v->last.wall_us;
    v->boot_back += same_boot && h->boot_us < v->last.boot_us;
}

/* Windows before an outcome are the ones that it commits to; those after it belong to no call. */
static bool check_prefix(struct span body, const struct digest *chain, struct err *e)
{
    struct digest said;
    return !chain || !intents_prefix(body, &said) || digest_eq(chain, &said) ||
           err_set(e, ERR_INTEGRITY, "the outcome commits to other windows than those before it");
}

static bool follow_call(struct verifier *v, const struct record_head *h, struct span body,
                        const struct digest *hash, struct err *e)
{
    uint64_t intent;
    const struct digest *chain;
    if (h->kind == RECORD_CALL_INTENT)
        intents_opened(&v->calls, h->seq, hash);
    if (h->kind != RECORD_CALL_OUTCOME && h->kind != RECORD_CALL_WINDOW)
        return true;
    if (!intents_named(body, &intent))
        return err_set(e, ERR_INTEGRITY, "the record names no intent");
    if (h->kind == RECORD_CALL_WINDOW) {
        intents_window(&v->calls, intent, hash);
        return true;
    }
    intents_closed(&v->calls, intent, &chain);
    return check_prefix(body, chain, e);
}

static bool judge_leaf(struct verifier *v, struct span leaf, const struct digest *hash,
                       struct err *e)
{
    struct record_head h;
    struct span body;
    if (!record_check(&h, &body, leaf, e))
        return false;
    if (h.seq != v->tree.size)
        return err_set(e, ERR_INTEGRITY,
                       "it says it is entry %llu: leaves are missing, added or out of order",
                       (unsigned long long)h.seq);
    if (!keychain_leaf(&v->keys, &h, body, e) || !follow_call(v, &h, body, hash, e))
        return false;
    follow_clocks(v, &h);
    v->last = h;
    return true;
}

bool verifier_leaf(struct verifier *v, struct span leaf, struct err *e)
{
    struct err why = ERR_INIT;
    if (v->failed)
        return err_set(e, v->failed, "verification has failed before");
    struct digest hash = record_hash(leaf);
    bool ok = judge_leaf(v, leaf, &hash, &why);
    /* Its bytes are in the tree all the same: the root still tells tampering from news. */
    if (why.code == ERR_UNSUPPORTED && !v->newer.code)
        err_set(&v->newer, ERR_UNSUPPORTED, "entry %llu: %s", (unsigned long long)v->tree.size,
                why.text);
    if (!ok && why.code != ERR_UNSUPPORTED)
        return fail(v, &why, v->tree.size, e);
    merkle_append(&v->tree, &hash);
    return judge_due(v, e);
}

/* ---- the end ---- */

static void tell(const struct verifier *v, struct verified *out)
{
    out->pinned = v->keys.pinned;
    out->leaves = v->tree.size;
    out->checkpoints = v->checkpoints;
    out->rotations = v->keys.rotations;
    out->restores = v->keys.restores;
    out->clock_back = v->clock_back;
    out->boot_back = v->boot_back;
    out->open_intents = v->calls.open;
    out->stray_outcomes = v->calls.stray;
    out->intents_overflowed = v->calls.overflowed;
}

bool verifier_finish(struct verifier *v, struct span newest_note, struct verified *out,
                     struct arena *a, struct err *e)
{
    *out = (struct verified){.pinned = false};
    if (v->failed)
        return err_set(e, v->failed, "verification has failed before");
    if (v->tree.size == 0)
        return err_set(e, ERR_INTEGRITY, "the log is empty: not even its genesis leaf is there");
    if (!judge(v, out, newest_note, &v->trust, a, e))
        return false;
    if (v->expected_count)
        return err_set(e, ERR_INTEGRITY,
                       "the log was cut: a checkpoint of %llu leaves exists, and there are %llu",
                       (unsigned long long)v->expected[0].size, (unsigned long long)v->tree.size);
    if (v->trust.log_key_count && !v->keys.pinned)
        return err_set(e, ERR_INTEGRITY, "none of the log's keys is one of those that are trusted");
    out->key.name = arena_span(a, out->key.name);
    tell(v, out);
    return true;
}
