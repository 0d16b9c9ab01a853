/*
 * Binds the claims to one root and signs it. The statement is in-toto's, its
 * subjects are the model's files, and its predicate names the root, the counts of
 * claims and clauses, the frameworks with their digests, and the head of the log.
 */
#include "report/put.h"
#include "report/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "assay/dsse.h"

enum { STATEMENT_MAX = 16 << 20, SUBJECTS = 1000 };

struct digest claims_root(const struct digest *commitments, size_t count)
{
    struct merkle tree;
    merkle_start(&tree);
    for (size_t i = 0; i < count; i++) {
        struct digest leaf = merkle_leaf((struct span){commitments[i].b, DIGEST_SIZE});
        merkle_append(&tree, &leaf);
    }
    return merkle_root(&tree);
}

/*
 * What the salts are made of: a signature is the same each time and nobody else can make it, so
 * re-running gives the same bytes and a reader of one edition cannot guess the claims of another.
 * Without a key there is no secret, and no edition may hide anything.
 */
static bool make_secret(struct report *r, struct err *e)
{
    static const char domain[] = "assay/report-secret/v1";
    struct sha256 *h = sha256_new();
    struct digest all;
    uint8_t message[sizeof domain + DIGEST_SIZE], signature[SIGN_SIGNATURE];
    if (!h)
        return err_set(e, ERR_MEMORY, "out of memory for a digest");
    sha256_start(h);
    for (size_t i = 0; i < r->claims.count; i++) {
        sha256_update(h, r->claims.claim[i]->text.p, r->claims.claim[i]->text.n);
        sha256_update(h, "\n", 1);
    }
    sha256_finish(h, &all);
    sha256_free(h);
    r->secret = all;
    if (!r->in->key)
        return r->in->edition == FOR_ALL ||
               err_set(e, ERR_USAGE,
                       "an edition for one recipient hides the rest behind salts that "
                       "only a signing key can make: give --key, or a log");
    memcpy(message, domain, sizeof domain);
    memcpy(message + sizeof domain, all.b, DIGEST_SIZE);
    bool ok = sign_bytes(r->in->key, (struct span){message, sizeof message}, signature, e);
    r->secret = sha256_of((struct span){signature, sizeof signature});
    seal_wipe(signature, sizeof signature);
    return ok;
}

static bool commit(struct report *r, struct err *e)
{
    uint8_t salt[SEAL_SALT];
    r->commitments = arena_array(r->arena, r->claims.count + 1, sizeof *r->commitments);
    if (!r->commitments)
        return err_set(e, ERR_MEMORY, "out of memory for commitments");
    for (size_t i = 0; i < r->claims.count; i++) {
        claim_salt(salt, &r->secret, i);
        claim_commit(&r->commitments[i], salt, r->claims.claim[i]->text);
    }
    r->root = claims_root(r->commitments, r->claims.count);
    return true;
}

/* ---- the statement ---- */

static void put_one_subject(struct json_writer *w, const char *name, const struct digest *sha256)
{
    jw_object(w);
    jw_key(w, "digest");
    jw_object(w);
    put_hex(w, "sha256", sha256);
    jw_end_object(w);
    put_str(w, "name", name);
    jw_end_object(w);
}

/* The files, or, when there is no model, the set of claims itself. */
static void put_subjects(struct json_writer *w, const struct report *r)
{
    const struct report_model *m = r->in->model;
    size_t put = 0;
    jw_key(w, "subject");
    jw_array(w);
    for (size_t i = 0; m && m->scan->file_ok && i < m->model->file_count && put < SUBJECTS; i++)
        if (m->scan->file_ok[i]) {
            put_one_subject(w, m->model->files[i].name, &m->scan->file[i]);
            put++;
        }
    if (put == 0)
        put_one_subject(w, "claims", &r->root);
    jw_end_array(w);
}

static void put_frameworks(struct json_writer *w, const struct report *r)
{
    jw_key(w, "frameworks");
    jw_array(w);
    for (size_t i = 0; i < r->in->framework_count; i++) {
        const struct framework *f = &r->in->frameworks[i];
        jw_object(w);
        put_str(w, "dated", f->dated);
        put_str(w, "id", f->id);
        put_hex(w, "sha256", &f->digest);
        put_str(w, "version", f->version);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_counts(struct json_writer *w, const char *key, const size_t *counts)
{
    /* In bytewise order of the names. */
    static const enum claim_status order[] = {CLAIM_ATTESTED, CLAIM_CONTRADICTED,   CLAIM_DECLARED,
                                              CLAIM_MISSING,  CLAIM_NOT_APPLICABLE, CLAIM_STALE,
                                              CLAIM_VERIFIED};
    jw_key(w, key);
    jw_object(w);
    for (size_t i = 0; i < CLAIM_STATUSES; i++)
        put_count(w, claim_status_name(order[i]), counts[order[i]]);
    jw_end_object(w);
}

static void put_log(struct json_writer *w, const struct report *r)
{
    if (!r->has_log)
        return;
    jw_key(w, "log");
    jw_object(w);
    jw_key(w, "origin");
    jw_string(w, r->head.origin);
    put_hex(w, "root", &r->head.root);
    put_count(w, "size", r->head.size);
    jw_end_object(w);
}

static bool make_statement(struct report *r, struct err *e)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, STATEMENT_MAX);
    jw_init(&w, json_sink_buf, &text, false);
    jw_object(&w);
    put_str(&w, "_type", "https://in-toto.io/Statement/v1");
    jw_key(&w, "predicate");
    jw_object(&w);
    put_str(&w, "as_of", r->in->as_of);
    put_count(&w, "claims", r->claims.count);
    put_hex(&w, "claims_root", &r->root);
    put_counts(&w, "clauses", r->clauses_by);
    put_counts(&w, "counts", r->counts);
    put_frameworks(&w, r);
    put_log(&w, r);
    put_str(&w, "software", "assay " ASSAY_VERSION);
    jw_end_object(&w);
    put_str(&w, "predicateType", REPORT_PREDICATE);
    put_subjects(&w, r);
    jw_end_object(&w);
    r->statement = arena_span(r->arena, buf_span(&text));
    bool ok = buf_ok(&text) && !w.failed && r->statement.p;
    buf_free(&text);
    return ok || err_set(e, ERR_MEMORY, "out of memory for a statement");
}

/* The key id is the verifier key itself, which is how readers of the page get it. */
static bool sign(struct report *r, struct err *e)
{
    struct note_key name;
    struct pkey *pair = NULL;
    struct buf vkey, out;
    struct json_writer w;
    struct sign_public public = sign_key_public(r->in->key);
    buf_init(&vkey, 4096);
    buf_init(&out, STATEMENT_MAX);
    bool ok = note_key_make(&name, r->in->signer, NOTE_ED25519, &public, e) &&
              pkey_from_sign_key(&pair, r->in->key, e);
    if (ok) {
        note_key_put(&vkey, &name);
        const char *id = buf_cstr(&vkey);
        const struct pkey *keys[] = {pair};
        jw_init(&w, json_sink_buf, &out, false);
        ok = dsse_write(&w, DSSE_INTOTO, r->statement, keys, &id, 1, e);
        r->envelope = ok ? arena_span(r->arena, buf_span(&out)) : SPAN_EMPTY;
        ok = ok && ((buf_ok(&out) && r->envelope.p) ||
                    err_set(e, ERR_MEMORY, "out of memory for an envelope"));
    }
    pkey_free(pair);
    buf_free(&vkey);
    buf_free(&out);
    return ok;
}

bool report_bind(struct report *r, struct err *e)
{
    return make_secret(r, e) && commit(r, e) && make_statement(r, e) && (!r->in->key || sign(r, e));
}
