/*
 * Makes a report: reads the log once, gathers claims from every source, holds
 * them against the frameworks, and binds them to one signed root.
 */
#include <stdlib.h>
#include <string.h>

#include "report/clauses.h"
#include "report/seal.h"

enum { NOTE_MAX = 1 << 20 };

/* ---- the log ---- */

/* The signed checkpoint to stand on: of the size asked for, or the newest. */
static bool take_checkpoint(struct making *k, struct err *e)
{
    struct buf note;
    struct note parsed;
    struct report *r = k->r;
    buf_init(&note, NOTE_MAX);
    bool ok = k->in->log_size == UINT64_MAX
                  ? log_reader_checkpoint(k->reader, &note, e)
                  : log_reader_checkpoint_at(k->reader, k->in->log_size, &note, e);
    r->checkpoint = ok ? arena_span(k->a, buf_span(&note)) : SPAN_EMPTY;
    buf_free(&note);
    return ok && (r->checkpoint.p || err_set(e, ERR_MEMORY, "out of memory for a checkpoint")) &&
           note_parse(&parsed, r->checkpoint, k->a, e) &&
           checkpoint_parse(&r->head, parsed.text, e);
}

static bool take_anchor(struct making *k, struct digest *root, struct err *e)
{
    struct buf note;
    struct note parsed;
    struct checkpoint c = {.size = 0};
    uint64_t now = 0;
    struct report *r = k->r;
    buf_init(&note, NOTE_MAX);
    bool ok = clock_parse(&now, k->in->as_of) &&
              log_reader_anchor(k->reader, r->head.size, now / 1000000, &note, e);
    if (ok && note.n) {
        r->anchor = arena_span(k->a, buf_span(&note));
        ok = (r->anchor.p || err_set(e, ERR_MEMORY, "out of memory for a checkpoint")) &&
             note_parse(&parsed, r->anchor, k->a, e) && checkpoint_parse(&c, parsed.text, e);
        r->anchor_size = c.size;
        *root = c.root;
    }
    buf_free(&note);
    struct hash_reader hashes = log_reader_hashes(k->reader);
    return ok && (c.size == 0 || c.size == r->head.size ||
                  proof_consistency(&r->extends, c.size, r->head.size, &hashes, e));
}

static bool count_witnesses(struct making *k, struct err *e)
{
    const struct trust *t = k->in->trust;
    struct note parsed;
    if (!k->r->anchor.n || !t || t->witness_count == 0)
        return true;
    bool *valid = arena_array(k->a, t->witness_count, sizeof *valid);
    if (!valid || !note_parse(&parsed, k->r->anchor, k->a, e))
        return err_set(e, ERR_MEMORY, "out of memory for cosignatures");
    if (!note_verify(&parsed, t->witnesses, t->witness_count, valid, NULL, e))
        return false;
    for (size_t i = 0; i < t->witness_count; i++)
        k->r->anchored_by += valid[i];
    k->r->witness_held = valid;
    return true;
}

/* The key that the log itself names must have signed the checkpoint. */
static bool check_signature(struct making *k, struct err *e)
{
    struct report *r = k->r;
    struct note parsed;
    struct note_key key;
    bool valid = false;
    r->log_key = r->activity->key;
    return note_parse(&parsed, r->checkpoint, k->a, e) &&
           note_key_parse(&key, r->log_key, k->a, e) &&
           note_verify(&parsed, &key, 1, &valid, NULL, e) &&
           (valid || err_set(e, ERR_INTEGRITY,
                             "the checkpoint is not signed by the key that the log names"));
}

static bool read_log(struct making *k, struct err *e)
{
    struct report *r = k->r;
    const struct identity *id = k->in->model ? k->in->model->identity : NULL;
    struct digest root, anchor_root = {{0}}, anchor_found = {{0}};
    if (!take_checkpoint(k, e) || !take_anchor(k, &anchor_root, e))
        return false;
    struct activity_wanted w = {
        .size = r->head.size,
        .root = r->head.root,
        .since = k->in->since,
        .until = k->in->until,
        .subjects = k->in->subjects,
        .subject_count = k->in->subject_count,
        .finding = k->in->finding,
        .tensor_root = id && id->has_tensor_root ? &id->tensor_root : NULL,
        .manifest_root = id && id->has_manifest_root ? &id->manifest_root : NULL,
        .anchor_size = r->anchor_size,
        .progress = k->in->progress,
    };
    r->activity = arena_alloc(k->a, sizeof *r->activity);
    if (!r->activity)
        return err_set(e, ERR_MEMORY, "out of memory for a report");
    if (!activity_read(r->activity, &root, &anchor_found, k->reader, &w, k->a, e))
        return false;
    if (!digest_eq(&root, &r->head.root))
        return err_set(e, ERR_INTEGRITY,
                       "the entries do not give the root that the checkpoint of %llu entries "
                       "signs: one of them was changed, or this is another history",
                       (unsigned long long)r->head.size);
    if (r->anchor_size && !digest_eq(&anchor_found, &anchor_root))
        return err_set(e, ERR_INTEGRITY,
                       "the entries do not give the root that witnesses cosigned at %llu entries",
                       (unsigned long long)r->anchor_size);
    r->has_log = true;
    return check_signature(k, e) && count_witnesses(k, e);
}

/* ---- making ---- */

static const char *model_name(struct making *k, const struct report_model *m)
{
    struct span name = m->facts->name;
    return name.n ? make_shown(k, name, 120) : make_shown(k, span_str(m->shown), 120);
}

static void gather_model(struct making *k)
{
    const struct report_model *m = k->in->model;
    if (!m)
        return;
    k->subject = model_name(k, m);
    k->subject_digest = m->identity->has_manifest_root ? &m->identity->manifest_root : NULL;
    claims_from_model(k, m);
    claims_from_signature(k, m);
    claims_from_card(k, m);
    contradictions_from_model(k, m);
}

/* Claims that the frameworks miss are about the model, or about the log when there is none. */
static void set_subject(struct making *k)
{
    const struct report_model *m = k->in->model;
    if (!m)
        return;
    k->subject = model_name(k, m);
    k->subject_digest = m->identity->has_manifest_root ? &m->identity->manifest_root : NULL;
}

static bool gather_log(struct making *k, struct err *e)
{
    if (!k->in->log)
        return true;
    if (!log_reader_open(&k->reader, k->in->log, e) || !read_log(k, e)) {
        err_in_file(e, k->in->log);
        return false;
    }
    k->subject = make_shown(k, k->r->head.origin, 120);
    k->subject_digest = &k->r->head.root;
    claims_from_log(k);
    claims_from_calls(k);
    if (!k->in->model)
        return true;
    set_subject(k);
    return claims_from_recorded(k, e);
}

static void gather_data(struct making *k)
{
    for (size_t i = 0; i < k->in->dataset_count; i++)
        claims_from_dataset(k, &k->in->datasets[i]);
}

/* The report's own: the log may know more of it than documents and tensors. */
static bool take_lineage(struct making *k, struct err *e)
{
    if (!k->in->lineage)
        return true;
    k->r->lineage = arena_alloc(k->a, sizeof *k->r->lineage);
    if (!k->r->lineage)
        return err_set(e, ERR_MEMORY, "out of memory for a lineage");
    return lineage_copy(k->r->lineage, k->in->lineage, k->a, e);
}

static bool make(struct making *k, struct err *e)
{
    k->s->observed_at = k->in->as_of;
    if (!take_lineage(k, e))
        return false;
    gather_model(k);
    if (!gather_log(k, e))
        return false;
    gather_data(k);
    set_subject(k);
    if (k->in->training)
        claims_from_training(k, k->in->training);
    if (k->in->lineage)
        claims_from_lineage(k);
    claims_from_attestations(k);
    claims_from_documents(k);
    contradictions_from_data(k);
    if (k->r->has_log)
        contradictions_from_calls(k);
    return clauses_make(k, e) && claims_seal(k->s, e) && report_bind(k->r, e);
}

bool report_make(struct report **out, const struct report_input *in, struct err *e)
{
    struct arena *a = arena_new(REPORT_ARENA);
    struct report *r = a ? arena_alloc(a, sizeof *r) : NULL;
    if (!r) {
        arena_free(a);
        return err_set(e, ERR_MEMORY, "out of memory for a report");
    }
    r->arena = a;
    r->in = in;
    claims_init(&r->claims, a);
    struct making k = {.in = in, .r = r, .s = &r->claims, .a = a};
    bool ok = make(&k, e);
    log_reader_close(k.reader);
    if (!ok) {
        report_free(r);
        return false;
    }
    *out = r;
    return true;
}

void report_free(struct report *r)
{
    if (r) {
        seal_wipe(&r->secret, sizeof r->secret);
        arena_free(r->arena);
    }
}
