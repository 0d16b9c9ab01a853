/*
 * Proves a report again from its JSON: the commitments give the root, the root
 * is signed, the evidence is what the claims name, leaves stand in the signed
 * tree. With the model or the log at hand, every claim that came from them is
 * made again and compared.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/map.h"
#include "assay/base/text.h"
#include "assay/dsse.h"
#include "report/activity.h"
#include "report/seal.h"
#include "report/verify_clauses.h"

enum { HEX_ID = CLAIM_ID };

struct proving {
    struct report_verdict *v;
    const struct report_check *with;
    struct arena *a;
    struct json root;
    struct json log;
    struct json statement; /* the payload, parsed */
    struct span statement_text;
    struct digest log_root;
    struct json evidence;
    struct report *again; /* made from the model and log at hand; NULL: neither */
    struct map made;      /* its claims by id */
    const char *again_trouble;
};

/* ---- what is reported ---- */

static void step(struct proving *k, int result, struct span what, const char *why)
{
    struct report_verdict *v = k->v;
    char shown[160];
    struct report_step *grown =
        arena_grow(k->a, v->steps, v->step_count, &v->step_cap, sizeof *grown);
    if (!grown)
        return;
    v->steps = grown;
    struct report_step *s = &v->steps[v->step_count++];
    s->what = arena_str(k->a, span_str(text_shown(shown, sizeof shown, what)));
    s->why = why;
    if (result == STEP_FAILED) {
        s->result = STEP_FAILED;
        v->failed++;
    } else
        s->result = result == STEP_PROVED ? STEP_PROVED : STEP_NOT_PROVED;
}

static struct span text_of(struct json object, const char *key)
{
    struct span s = SPAN_EMPTY;
    return json_string(json_get(object, key), &s) ? s : SPAN_EMPTY;
}

static bool is_digest(struct json object, const char *key, struct digest *out)
{
    return digest_from_hex(out, text_of(object, key));
}

/* ---- claims and their root ---- */

static bool hex_bytes(struct span hex, uint8_t *out, size_t n)
{
    struct digest d;
    if (n != DIGEST_SIZE || !digest_from_hex(&d, hex))
        return false;
    memcpy(out, d.b, n);
    return true;
}

static bool commitment_of(struct proving *k, struct json item, struct digest *out, struct err *e)
{
    uint8_t salt[SEAL_SALT];
    struct json claim = json_get(item, "claim");
    if (json_type(claim) == JSON_MISSING) {
        k->v->hidden++;
        return is_digest(item, "commitment", out) ||
               err_at(e, ERR_FORMAT, NULL, json_offset(item), "neither a claim nor a commitment");
    }
    k->v->claims++;
    if (!hex_bytes(text_of(item, "salt"), salt, sizeof salt))
        return err_at(e, ERR_FORMAT, NULL, json_offset(item), "a claim without its salt");
    claim_commit(out, salt, json_text(claim));
    return true;
}

static bool prove_root(struct proving *k, struct digest *root, struct err *e)
{
    struct json list = json_get(k->root, "claims");
    size_t n = json_count(list), i = 0;
    struct digest named, *all = n <= CLAIM_MAX ? arena_array(k->a, n + 1, sizeof *all) : NULL;
    if (!all)
        return err_set(e, ERR_LIMIT, "more claims than are read (%d)", CLAIM_MAX);
    for (struct json c = json_first(list); json_type(c); c = json_next(c))
        if (!commitment_of(k, c, &all[i++], e))
            return false;
    *root = claims_root(all, n);
    return (is_digest(k->root, "claims_root", &named) && digest_eq(root, &named)) ||
           err_set(e, ERR_INTEGRITY,
                   "the claims do not give the root that the report names: one was changed, "
                   "removed or added");
}

/* ---- the signature ---- */

static bool signed_by(const struct dsse *d, const struct sign_public *key)
{
    struct pkey *p = NULL;
    bool ok = pkey_from_ed25519(&p, key, NULL) && dsse_verify(d, p);
    pkey_free(p);
    return ok;
}

/* By a key of the caller's, or else by the one that the envelope names itself. */
static bool prove_signature(struct proving *k, const struct dsse *d, struct err *e)
{
    const struct trust *t = k->with->trust;
    struct note_key own;
    struct buf vkey;
    for (size_t i = 0; t && i < t->log_key_count && !k->v->pinned; i++)
        if (signed_by(d, &t->log_keys[i].key)) {
            buf_init(&vkey, 4096);
            note_key_put(&vkey, &t->log_keys[i]);
            k->v->signer = arena_str(k->a, buf_span(&vkey));
            buf_free(&vkey);
            k->v->is_signed = k->v->pinned = true;
        }
    for (size_t i = 0; i < d->count && !k->v->is_signed; i++)
        if (note_key_parse(&own, d->signatures[i].keyid, k->a, NULL) && signed_by(d, &own.key)) {
            k->v->signer = arena_str(k->a, d->signatures[i].keyid);
            k->v->is_signed = true;
        }
    return k->v->is_signed ||
           err_set(e, ERR_INTEGRITY,
                   "the signature over the claims is not that of the key it names");
}

static bool take_statement(struct proving *k, struct err *e)
{
    struct json envelope = json_get(k->root, "signed"), plain = json_get(k->root, "statement");
    struct dsse d;
    if (json_type(envelope) == JSON_MISSING) {
        k->statement = plain;
        step(k, STEP_NOT_PROVED, span_str("signature"), "the report is not signed");
        return json_type(plain) == JSON_OBJECT ||
               err_set(e, ERR_FORMAT, "the report holds no statement");
    }
    return dsse_read(&d, envelope, k->a, e) &&
           (span_is(d.type, DSSE_INTOTO) ||
            err_set(e, ERR_FORMAT, "the signed payload is no in-toto statement")) &&
           json_parse(&k->statement, d.payload, JSON_STRICT, k->a, e) && prove_signature(k, &d, e);
}

static bool same(struct proving *k, struct json a, struct json b, const char *key, struct err *e)
{
    char digits[24];
    uint64_t n;
    struct span s = text_of(a, key), t = text_of(b, key);
    if (json_u64(json_get(b, key), &n)) {
        snprintf(digits, sizeof digits, "%" PRIu64, n);
        t = span_str(digits);
    }
    (void)k;
    return span_eq(s, t) ||
           err_set(e, ERR_INTEGRITY, "'%s' is not what the signed statement says", key);
}

/* Everything beside the claims that the statement binds. */
static bool prove_statement(struct proving *k, const struct digest *root, struct err *e)
{
    struct json p = json_get(k->statement, "predicate"), log = json_get(p, "log");
    struct digest named;
    if (!is_digest(p, "claims_root", &named) || !digest_eq(&named, root))
        return err_set(e, ERR_INTEGRITY, "the signed statement names another root of the claims");
    if (json_type(log) != json_type(k->log))
        return err_set(e, ERR_INTEGRITY, "the signed statement speaks of another log");
    k->v->as_of = text_of(k->root, "as_of");
    return same(k, p, k->root, "as_of", e) &&
           (json_type(log) == JSON_MISSING ||
            (same(k, log, k->log, "origin", e) && same(k, log, k->log, "root", e) &&
             same(k, log, k->log, "size", e)));
}

/* The counts on the cover are those of the claims; a redacted edition cannot be counted. */
static bool prove_counts(struct proving *k, struct err *e)
{
    struct json counts = json_get(json_get(k->statement, "predicate"), "counts");
    struct span status;
    for (struct json c = json_first(json_get(k->root, "claims")); json_type(c); c = json_next(c)) {
        enum claim_status s;
        status = text_of(json_get(c, "claim"), "status");
        if (claim_status_from(status, &s))
            k->v->counts[s]++;
    }
    for (int i = 0; i < CLAIM_STATUSES && k->v->hidden == 0; i++) {
        char digits[24];
        const char *name = claim_status_name((enum claim_status)i);
        snprintf(digits, sizeof digits, "%zu", k->v->counts[i]);
        if (!span_is(text_of(counts, name), digits))
            return err_set(e, ERR_INTEGRITY, "%s claims: %s, and the statement counts others", name,
                           digits);
    }
    return true;
}

static bool prove_clauses(struct proving *k, struct err *e)
{
    const char *unread;
    bool whole = k->v->hidden == 0 && span_is(span_str(k->v->edition), "full");
    if (!clauses_prove(&unread, k->root, json_get(k->statement, "predicate"), whole, k->a, e))
        return false;
    if (unread)
        step(k, STEP_NOT_PROVED, span_str(unread),
             "no framework of this program has that digest, so its words were not compared");
    return true;
}

/* The model that the report names is the one that its claims are about. */
static bool prove_model(struct proving *k, struct err *e)
{
    static const char *const roots[][2] = {{"manifest_root", "model.digest.manifest"},
                                           {"tensor_root", "model.digest.tensors"}};
    struct json model = json_get(k->root, "model");
    for (struct json c = json_first(json_get(k->root, "claims")); json_type(c); c = json_next(c))
        for (size_t i = 0; i < 2; i++)
            if (span_is(text_of(json_get(c, "claim"), "id"), roots[i][1]) &&
                !span_eq(text_of(json_get(c, "claim"), "value"), text_of(model, roots[i][0])))
                return err_set(e, ERR_INTEGRITY, "the report names a model of another %s than %s",
                               roots[i][0], roots[i][1]);
    return true;
}

/* ---- the log's head ---- */

static bool prove_checkpoint(struct proving *k, struct err *e)
{
    struct verified v;
    struct trust own = {.origin = SPAN_EMPTY};
    struct note_key key;
    struct span note = text_of(k->log, "checkpoint");
    if (json_type(k->log) == JSON_MISSING)
        return true;
    if (!is_digest(k->log, "root", &k->log_root) ||
        !json_u64(json_get(k->log, "size"), &k->v->log_size))
        return err_set(e, ERR_FORMAT, "the report's log has no root or size");
    if (!note_key_parse(&key, text_of(k->log, "key"), k->a, e))
        return false;
    own.log_keys = &key;
    own.log_key_count = 1;
    if (!verify_checkpoint(&v, note, &own, k->a, e))
        return false;
    k->v->origin = v.checkpoint.origin;
    if (!v.signed_by_log || v.checkpoint.size != k->v->log_size ||
        !digest_eq(&v.checkpoint.root, &k->log_root))
        return err_set(e, ERR_INTEGRITY, "the checkpoint is of another tree than the report's");
    return true;
}

static bool decode64(struct proving *k, struct json v, struct span *out)
{
    struct span text;
    return json_string(v, &text) && base64_decode(text, k->a, out);
}

static bool take_proof(struct proving *k, struct json list, struct proof *p)
{
    struct span hash;
    p->count = 0;
    for (struct json i = json_first(list); json_type(i); i = json_next(i)) {
        if (p->count > PROOF_MAX || !decode64(k, i, &hash) || hash.n != DIGEST_SIZE)
            return false;
        memcpy(p->hash[p->count++].b, hash.p, DIGEST_SIZE);
    }
    return true;
}

/* Does the head extend what witnesses cosigned? A log that shows two histories has a head that does
 * not. */
static bool prove_extension(struct proving *k, const struct checkpoint *c, struct err *e)
{
    struct json list = json_get(k->log, "consistency");
    struct proof p;
    if (json_type(list) != JSON_ARRAY) {
        step(k, STEP_NOT_PROVED, span_str("log.anchor"),
             "no proof that the head extends what witnesses cosigned (--log)");
        return true;
    }
    bool ok = take_proof(k, list, &p) &&
              (c->size == k->v->log_size
                   ? digest_eq(&c->root, &k->log_root) && p.count == 0
                   : proof_consistency_ok(c->size, &c->root, k->v->log_size, &k->log_root, &p));
    return ok || err_set(e, ERR_INTEGRITY,
                         "the report's head does not extend the tree that witnesses cosigned: this "
                         "is another history");
}

/* Cosignatures of witnesses whose keys were given, over the anchor that the report names. */
static bool prove_anchor(struct proving *k, struct err *e)
{
    const struct trust *t = k->with->trust;
    struct span note = text_of(k->log, "anchor");
    struct note parsed;
    struct checkpoint c;
    size_t held = 0;
    if (!note.n)
        return true;
    bool *valid = arena_array(k->a, t ? t->witness_count + 1 : 1, sizeof *valid);
    if (!valid)
        return err_set(e, ERR_MEMORY, "out of memory for cosignatures");
    if (!note_parse(&parsed, note, k->a, e) || !checkpoint_parse(&c, parsed.text, e))
        return false;
    if (!span_eq(c.origin, k->v->origin) || c.size > k->v->log_size)
        return err_set(e, ERR_INTEGRITY, "the anchor is of another log, or beyond the range");
    if (!prove_extension(k, &c, e))
        return false;
    if (t && t->witness_count &&
        !note_verify(&parsed, t->witnesses, t->witness_count, valid, NULL, e))
        return false;
    for (size_t i = 0; t && i < t->witness_count; i++)
        held += valid[i];
    step(k, held ? STEP_PROVED : STEP_NOT_PROVED, span_str("log.anchor"),
         held ? "cosignatures of known witnesses hold" : "needs the witnesses' keys (--policy)");
    return true;
}

/* ---- evidence ---- */

static const char *prove_leaf_evidence(struct proving *k, struct json v)
{
    struct span leaf;
    struct proof p;
    uint64_t index = 0, size = 0;
    struct record_head h;
    if (!decode64(k, json_get(v, "leaf"), &leaf) || !text_u64(text_of(v, "index"), &index) ||
        !text_u64(text_of(v, "size"), &size) || size != k->v->log_size)
        return "a leaf without bytes, index or the report's size";
    if (!take_proof(k, json_get(v, "proof"), &p))
        return "a proof that is none";
    struct digest own = record_hash(leaf);
    if (!record_check(&h, NULL, leaf, NULL) || h.seq != index)
        return "the leaf is no entry, or another's";
    if (!proof_inclusion_ok(&own, index, size, &k->log_root, &p))
        return "the leaf does not stand in the signed tree";
    k->v->leaves++;
    return NULL;
}

static const char *prove_attestation_evidence(struct proving *k, struct json v)
{
    struct span bytes;
    struct json envelope;
    struct dsse d;
    struct digest named;
    if (!decode64(k, json_get(v, "envelope"), &bytes) ||
        !json_parse(&envelope, bytes, JSON_STRICT, k->a, NULL) ||
        !dsse_read(&d, envelope, k->a, NULL))
        return "no envelope";
    struct digest own = sha256_of(d.payload);
    if (!is_digest(v, "sha256", &named) || !digest_eq(&own, &named))
        return "the envelope holds another text";
    k->v->attestations++;
    return NULL;
}

static void prove_evidence(struct proving *k)
{
    char hex[DIGEST_HEX + 1];
    for (struct json v = json_first(k->evidence); json_type(v); v = json_next(v)) {
        struct digest d = sha256_of(json_text(v));
        struct span id = json_key(v), type = text_of(v, "type");
        const char *trouble = NULL;
        digest_hex(hex, &d);
        hex[HEX_ID] = '\0';
        if (!span_is(id, hex))
            trouble = "its id is not the digest of its text";
        else if (span_is(type, "leaf"))
            trouble = prove_leaf_evidence(k, v);
        else if (span_is(type, "attestation"))
            trouble = prove_attestation_evidence(k, v);
        if (trouble)
            step(k, STEP_FAILED, id, trouble);
    }
}

/* ---- making the claims again ---- */

static bool index_claims(struct proving *k, struct err *e)
{
    const struct claims *s = &k->again->claims;
    uint32_t previous;
    if (!map_init(&k->made, k->a, s->count))
        return err_set(e, ERR_MEMORY, "out of memory for claims");
    for (size_t i = 0; i < s->count; i++)
        if (!map_put(&k->made, span_str(s->claim[i]->id), (uint32_t)i, &previous))
            return err_set(e, ERR_MEMORY, "out of memory for claims");
    return true;
}

/* The subject or finding that the report is about. */
static bool take_focus(struct proving *k, struct report_input *in, struct err *e)
{
    struct json focus = json_get(k->root, "focus"), list = json_get(focus, "subjects");
    size_t n = json_count(list);
    struct span finding = text_of(focus, "finding"), hex;
    struct seal_id *ids = NULL;
    if (json_type(list) == JSON_ARRAY) {
        in->subjects = ids = arena_array(k->a, n + 1, sizeof *ids);
        if (!ids)
            return err_set(e, ERR_MEMORY, "out of memory for a subject");
    }
    for (struct json v = json_first(list); json_type(v); v = json_next(v))
        if (!json_string(v, &hex) || !seal_id_from_hex(&ids[in->subject_count++], hex))
            return err_at(e, ERR_FORMAT, NULL, json_offset(v), "no pseudonym of a subject");
    in->finding = finding.n ? arena_str(k->a, finding) : NULL;
    return !finding.n || in->finding || err_set(e, ERR_MEMORY, "out of memory for a report");
}

static bool make_again(struct proving *k, struct report_input *in, struct err *e)
{
    struct json period = json_get(k->root, "period");
    const char *since = arena_str(k->a, text_of(period, "since"));
    const char *until = arena_str(k->a, text_of(period, "until"));
    if (!k->with->model && !k->with->log)
        return true;
    *in = (struct report_input){
        .model = k->with->model,
        .log = k->with->log,
        .log_size = k->v->log_size,
        .until = UINT64_MAX,
        .as_of = arena_str(k->a, k->v->as_of),
        .trust = k->with->trust,
        .edition = FOR_ALL,
        .progress = k->with->progress,
    };
    if (json_type(period) &&
        (!since || !until || !clock_parse(&in->since, since) || !clock_parse(&in->until, until)))
        return err_set(e, ERR_FORMAT, "the report's period is no time");
    return take_focus(k, in, e) && in->as_of && report_make(&k->again, in, e) && index_claims(k, e);
}

static bool lists(struct proving *k, struct json ids, const char *type)
{
    struct span id;
    for (struct json v = json_first(ids); json_type(v); v = json_next(v))
        if (json_string(v, &id) && span_is(text_of(json_get_span(k->evidence, id), "type"), type))
            return true;
    return false;
}

static bool uses(struct proving *k, struct json claim, const char *type)
{
    return lists(k, json_get(claim, "evidence"), type) ||
           lists(k, json_get(claim, "counter_evidence"), type);
}

static const char *differs(struct proving *k, struct json claim, const struct claim *now)
{
    char shown[200];
    struct span value = text_of(claim, "value"), status = text_of(claim, "status");
    if (!span_eq(value, span_str(now->value)))
        return arena_printf(k->a, "is now: %s",
                            text_shown(shown, sizeof shown, span_str(now->value)));
    if (!span_is(status, claim_status_name(now->status)))
        return arena_printf(k->a, "its status is now: %s", claim_status_name(now->status));
    return NULL;
}

/* One claim that says it was recomputed, or that stands in a document at hand. */
static void prove_claim(struct proving *k, struct json claim)
{
    struct span id = text_of(claim, "id");
    bool from_log = uses(k, claim, "range") || uses(k, claim, "leaf");
    bool from_files = uses(k, claim, "file") || uses(k, claim, "tensor");
    uint32_t at = k->again ? map_get(&k->made, id) : MAP_NONE;
    if (span_is(text_of(claim, "status"), "missing") || (!from_log && !from_files)) {
        k->v->trusted++;
        return;
    }
    if ((from_log && !k->with->log) || (from_files && !k->with->model)) {
        step(k, STEP_NOT_PROVED, id,
             from_log && !k->with->log ? "needs the log (--log)" : "needs the model (--model)");
        return;
    }
    if (at == MAP_NONE) {
        step(k, STEP_NOT_PROVED, id, "needs what else the report was made from");
        return;
    }
    const char *trouble = differs(k, claim, k->again->claims.claim[at]);
    if (trouble)
        step(k, STEP_FAILED, id, trouble);
    else
        k->v->proved++;
}

static bool say_failed(const struct report_verdict *v, struct err *e)
{
    size_t i = 0;
    while (i + 1 < v->step_count && v->steps[i].result != STEP_FAILED)
        i++;
    return err_set(e, ERR_INTEGRITY, "%zu of its statements do not hold (%s: %s)", v->failed,
                   v->steps[i].what, v->steps[i].why);
}

static bool prove(struct proving *k, struct err *e)
{
    struct digest root;
    struct report_input in;
    k->log = json_get(k->root, "log");
    k->evidence = json_get(k->root, "evidence");
    k->v->edition = arena_str(k->a, text_of(k->root, "edition"));
    if (!prove_root(k, &root, e) || !take_statement(k, e) || !prove_statement(k, &root, e) ||
        !prove_counts(k, e) || !prove_clauses(k, e) || !prove_model(k, e) ||
        !prove_checkpoint(k, e) || !prove_anchor(k, e))
        return false;
    prove_evidence(k);
    if (!make_again(k, &in, e))
        return false;
    for (struct json c = json_first(json_get(k->root, "claims")); json_type(c); c = json_next(c))
        if (json_type(json_get(c, "claim")) == JSON_OBJECT)
            prove_claim(k, json_get(c, "claim"));
    report_free(k->again);
    return k->v->failed == 0 || say_failed(k->v, e);
}

bool report_is(struct span bytes)
{
    return memmem(bytes.p, bytes.n < 200 ? bytes.n : 200, "\"assay.report/1\"", 16) != NULL;
}

bool report_verify(struct report_verdict *v, struct span json, const struct report_check *with,
                   struct arena *a, struct err *e)
{
    struct proving k = {.v = v, .with = with, .a = a};
    struct span schema = SPAN_EMPTY;
    *v = (struct report_verdict){.arena = a};
    if (!json_parse(&k.root, json, JSON_STRICT, a, e))
        return false;
    if (!json_string(json_get(k.root, "schema"), &schema) || !span_is(schema, "assay.report/1"))
        return err_set(e, ERR_FORMAT, "no report: its schema is not assay.report/1");
    return prove(&k, e);
}
