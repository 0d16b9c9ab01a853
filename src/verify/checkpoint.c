/*
 * A checkpoint against what the caller trusts: the log's key must have signed,
 * and enough witnesses. "The key name MUST correspond to the log's origin line"
 * (tlog-policy), so a key speaks only for the log that bears its name.
 */
#include "assay/verify.h"

#include "assay/base/text.h"
#include "verify/verify.h"

/* The keys of `keys` that bear the origin's name. */
static size_t keys_of(struct note_key *out, const struct note_key *keys, size_t count,
                      struct span origin)
{
    size_t n = 0;
    for (size_t i = 0; i < count && n < TRUST_MAX; i++)
        if (span_eq(keys[i].name, origin))
            out[n++] = keys[i];
    return n;
}

static bool judge_log(struct verified *out, const struct note *n, const struct note_key *keys,
                      size_t key_count, struct err *e)
{
    struct note_key own[TRUST_MAX];
    bool valid[TRUST_MAX];
    char shown[128];
    size_t count = keys_of(own, keys, key_count, out->checkpoint.origin);
    if (key_count == 0)
        return true;
    text_shown(shown, sizeof shown, out->checkpoint.origin);
    if (count == 0)
        return err_set(e, ERR_INTEGRITY, "the checkpoint is of the log %s, which is not trusted",
                       shown);
    if (!note_verify(n, own, count, valid, NULL, e))
        return false;
    for (size_t i = 0; i < count; i++)
        if (valid[i]) {
            out->signed_by_log = true;
            out->key = own[i];
            return true;
        }
    return err_set(e, ERR_INTEGRITY,
                   "no trusted key of the log %s signed the checkpoint; after a rotation the newer "
                   "key does, which the log's entry of kind key names",
                   shown);
}

/* Groups come after their members, so one pass decides all of them. */
static bool quorum_reached(const struct trust *t, uint64_t cosigned)
{
    uint64_t witnessed = 0;
    bool last = true;
    for (size_t i = 0; i < t->group_count; i++) {
        const struct trust_group *g = &t->groups[i];
        size_t have = (size_t)__builtin_popcountll(g->witnesses & cosigned) +
                      (size_t)__builtin_popcountll(g->groups & witnessed);
        last = have >= g->need;
        if (last && i < TRUST_MAX)
            witnessed |= UINT64_C(1) << i;
    }
    return last;
}

static bool judge_witnesses(struct verified *out, const struct note *n, const struct trust *t,
                            struct err *e)
{
    bool valid[TRUST_MAX];
    uint64_t time[TRUST_MAX], cosigned = 0;
    if (t->witness_count > TRUST_MAX)
        return err_set(e, ERR_LIMIT, "at most %d witnesses", TRUST_MAX);
    if (!note_verify(n, t->witnesses, t->witness_count, valid, time, e))
        return false;
    for (size_t i = 0; i < t->witness_count; i++) {
        if (!valid[i])
            continue;
        cosigned |= UINT64_C(1) << i;
        out->cosignatures++;
        if (time[i] > out->newest_cosignature)
            out->newest_cosignature = time[i];
    }
    if (out->cosignatures < t->required)
        return err_set(e, ERR_INTEGRITY, "%zu of the known witnesses cosigned; %zu are required",
                       out->cosignatures, t->required);
    return quorum_reached(t, cosigned) ||
           err_set(e, ERR_INTEGRITY, "the %zu witnesses that cosigned are not the policy's quorum",
                   out->cosignatures);
}

bool checkpoint_judge(struct verified *out, const struct note *n, const struct trust *t,
                      const struct note_key *keys, size_t key_count, struct err *e)
{
    char shown[128], wanted[128];
    out->signed_by_log = false;
    out->cosignatures = 0;
    out->newest_cosignature = 0;
    if (!checkpoint_parse(&out->checkpoint, n->text, e))
        return false;
    if (t->origin.n && !span_eq(t->origin, out->checkpoint.origin))
        return err_set(e, ERR_INTEGRITY, "the checkpoint is of the log %s, not of %s",
                       text_shown(shown, sizeof shown, out->checkpoint.origin),
                       text_shown(wanted, sizeof wanted, t->origin));
    return judge_log(out, n, keys, key_count, e) && judge_witnesses(out, n, t, e);
}

bool verify_checkpoint(struct verified *out, struct span note, const struct trust *t,
                       struct arena *a, struct err *e)
{
    struct note n;
    *out = (struct verified){.pinned = false};
    if (!note_parse(&n, note, a, e) ||
        !checkpoint_judge(out, &n, t, t->log_keys, t->log_key_count, e))
        return false;
    out->pinned = out->signed_by_log;
    return true;
}
