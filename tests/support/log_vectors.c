/* Made by the modules themselves from inputs that stand in the document. */
#include "support/log_vectors.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define ORIGIN "example.org/audit"
#define SOFTWARE "assay 1.0.0"
#define START_US UINT64_C(1795392000000000)
#define COSIGNED_AT 1795392005

/* RFC 8032 section 7.1, secret keys of tests 1, 2 and 3. */
static const char *const seeds[] = {
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"};

/* The n-th byte ever asked for is 0x20 + n: the first salt is 20 21 22 ... 3f. */
static uint8_t next_random;

ssize_t getrandom(void *out, size_t n, unsigned flags)
{
    uint8_t *p = out;
    (void)flags;
    for (size_t i = 0; i < n; i++)
        p[i] = next_random++;
    return (ssize_t)n;
}

static bool load_key(struct sign_key **key, struct note_key *name, struct buf *vkey, unsigned i,
                     const char *label, enum note_type type, struct err *e)
{
    struct digest seed;
    if (!digest_from_hex(&seed, span_str(seeds[i])) || !sign_key_from_seed(key, seed.b, e))
        return false;
    struct sign_public public = sign_key_public(*key);
    if (!note_key_make(name, span_str(label), type, &public, e))
        return false;
    note_key_put(vkey, name);
    return buf_ok(vkey);
}

struct keys {
    struct sign_key *old_key, *witness, *new_key;
    struct note_key old_name, witness_name, new_name;
};

static bool load_keys(struct keys *k, struct log_vectors *v, struct err *e)
{
    return load_key(&k->old_key, &k->old_name, &v->log_key, 0, ORIGIN, NOTE_ED25519, e) &&
           load_key(&k->witness, &k->witness_name, &v->witness_key, 1, "witness.example.com/w1",
                    NOTE_COSIGNATURE, e) &&
           load_key(&k->new_key, &k->new_name, &v->new_key, 2, ORIGIN, NOTE_ED25519, e);
}

static struct seal_id record_id(unsigned seq)
{
    struct seal_id id;
    memset(id.b, (int)(0xa0 + seq), sizeof id.b);
    return id;
}

static bool seal_fields(struct log_vectors *v, struct err *e)
{
    struct seal_id intent = record_id(2), outcome = record_id(3);
    for (unsigned i = 0; i < SEAL_KEY; i++) {
        v->record_key.b[i] = (uint8_t)i;
        v->subject_key.b[i] = (uint8_t)(0xe0 + i);
        v->prompt_salt[i] = (uint8_t)(0x20 + i);
    }
    v->prompt = span_str("What is the capital of France?");
    v->answer = span_str("Paris.");
    v->sealed_prompt.name = span_str("prompt");
    v->sealed_answer.name = span_str("answer");
    next_random = 0x20;
    seal_field_key(&v->prompt_key, &v->record_key, v->sealed_prompt.name);
    return seal_encrypt(&v->prompt_ciphertext, &v->sealed_prompt, &v->record_key, span_str(ORIGIN),
                        &intent, v->prompt, e) &&
           seal_encrypt(&v->answer_ciphertext, &v->sealed_answer, &v->record_key, span_str(ORIGIN),
                        &outcome, v->answer, e) &&
           seal_key_wrap(&v->wrapped, &v->subject_key, &v->record_key, e);
}

static bool put_record(struct log_vectors *v, unsigned seq, enum record_kind kind,
                       const struct buf *body, const struct sealed_field *sealed, struct err *e)
{
    struct record_head h = {.kind = kind,
                            .seq = seq,
                            .wall_us = START_US + seq * UINT64_C(1000000),
                            .boot_us = 86400000000 + seq * UINT64_C(1000000),
                            .has_subject = sealed != NULL};
    struct record_field f;
    struct seal_id id = record_id(seq);
    memcpy(h.id, id.b, sizeof h.id);
    memset(h.boot_id, 0xb0, sizeof h.boot_id);
    memset(h.subject, 0x5b, sizeof h.subject);
    if (sealed)
        f = (struct record_field){sealed->name, sealed->commitment, sealed->ciphertext,
                                  sealed->size};
    if (!record_encode(&v->leaf[seq], &h, buf_span(body), &f, sealed != NULL, e))
        return false;
    v->hash[seq] = record_hash(buf_span(&v->leaf[seq]));
    return true;
}

static const char *hex_of(char *out, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
    return out;
}

static bool rotation_body(struct buf *b, struct log_vectors *v, const struct keys *k, struct err *e)
{
    uint8_t old_signature[SIGN_SIGNATURE], new_signature[SIGN_SIGNATURE];
    char old_hex[2 * SIGN_SIGNATURE + 1], new_hex[2 * SIGN_SIGNATURE + 1];
    record_key_message(&v->rotation, span_str(ORIGIN), 4, buf_span(&v->log_key),
                       buf_span(&v->new_key));
    if (!sign_bytes(k->old_key, buf_span(&v->rotation), old_signature, e) ||
        !sign_bytes(k->new_key, buf_span(&v->rotation), new_signature, e))
        return false;
    buf_printf(b, "{\"new\":\"%s\",\"old\":\"%s\",\"reason\":\"yearly\",\"signature_new\":\"%s\",",
               buf_cstr(&v->new_key), buf_cstr(&v->log_key),
               hex_of(new_hex, new_signature, SIGN_SIGNATURE));
    buf_printf(b, "\"signature_old\":\"%s\"}", hex_of(old_hex, old_signature, SIGN_SIGNATURE));
    return buf_ok(b);
}

static bool put_records(struct log_vectors *v, const struct keys *k, struct err *e)
{
    struct buf b;
    buf_init(&b, RECORD_MAX);
    buf_printf(&b, "{\"key\":\"%s\",\"origin\":\"" ORIGIN "\",\"software\":\"" SOFTWARE "\"}",
               buf_cstr(&v->log_key));
    bool ok = put_record(v, 0, RECORD_GENESIS, &b, NULL, e);
    buf_clear(&b);
    buf_printf(&b,
               "{\"key\":\"%s\",\"software\":\"" SOFTWARE "\",\"sqlite\":\"3.40.1\","
               "\"sync\":{\"p50_us\":210,\"p99_us\":900,\"samples\":32},\"wal_reset_bug\":true}",
               buf_cstr(&v->log_key));
    ok = ok && put_record(v, 1, RECORD_START, &b, NULL, e);
    buf_clear(&b);
    buf_put_str(&b, "{\"api\":\"chat_completions\",\"durability\":\"answer\",\"model\":{\"name\":"
                    "\"smollm2-135m\"},\"route\":\"engine\",\"stream\":false}");
    ok = ok && put_record(v, 2, RECORD_CALL_INTENT, &b, &v->sealed_prompt, e);
    buf_clear(&b);
    buf_put_str(&b, "{\"attempts\":1,\"durability\":\"answer\",\"finish\":[\"stop\"],\"intent\":2,"
                    "\"outcome\":\"complete\",\"released_bytes\":412,\"status\":200,\"tokens\":{"
                    "\"estimated\":false,\"input\":14,\"output\":3}}");
    ok = ok && put_record(v, 3, RECORD_CALL_OUTCOME, &b, &v->sealed_answer, e);
    buf_clear(&b);
    ok = ok && rotation_body(&b, v, k, e) && put_record(v, 4, RECORD_KEY, &b, NULL, e);
    buf_free(&b);
    return ok;
}

/* Complete subtrees recomputed from the leaf hashes, for the proofs. */
static bool read_hash(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e)
{
    const struct log_vectors *v = arg;
    struct merkle m;
    (void)e;
    merkle_start(&m);
    for (uint64_t i = 0; i < UINT64_C(1) << level; i++)
        merkle_append(&m, &v->hash[(index << level) + i]);
    *out = merkle_root(&m);
    return true;
}

static bool put_trees(struct log_vectors *v, const struct keys *k, struct err *e)
{
    struct hash_reader reader = {read_hash, v};
    struct merkle m;
    struct buf text;
    merkle_start(&m);
    v->root[0] = merkle_root(&m);
    for (unsigned i = 0; i < VECTOR_LEAVES; i++) {
        merkle_append(&m, &v->hash[i]);
        v->root[i + 1] = merkle_root(&m);
    }
    struct checkpoint c = {span_str(ORIGIN), VECTOR_SIGNED, v->root[VECTOR_SIGNED]};
    buf_init(&text, RECORD_MAX);
    checkpoint_put(&text, &c);
    buf_put_span(&v->checkpoint, buf_span(&text));
    buf_put_u8(&v->checkpoint, '\n');
    bool ok =
        note_sign(&v->checkpoint, buf_span(&text), &k->old_name, k->old_key, e) &&
        note_cosign(&v->checkpoint, buf_span(&text), &k->witness_name, k->witness, COSIGNED_AT, e);
    c = (struct checkpoint){span_str(ORIGIN), VECTOR_LEAVES, v->root[VECTOR_LEAVES]};
    buf_clear(&text);
    checkpoint_put(&text, &c);
    buf_put_span(&v->new_checkpoint, buf_span(&text));
    buf_put_u8(&v->new_checkpoint, '\n');
    ok = ok && note_sign(&v->new_checkpoint, buf_span(&text), &k->new_name, k->new_key, e);
    buf_free(&text);
    return ok && proof_inclusion(&v->inclusion, VECTOR_RECEIPT, VECTOR_SIGNED, &reader, e) &&
           proof_consistency(&v->consistency, 3, VECTOR_SIGNED, &reader, e);
}

static void put_receipt(struct log_vectors *v)
{
    struct buf *b = &v->receipt;
    buf_put_str(b, "c2sp.org/tlog-proof@v1\nextra ");
    base64_put(b, buf_span(&v->leaf[VECTOR_RECEIPT]));
    buf_printf(b, "\nindex %d\n", VECTOR_RECEIPT);
    for (size_t i = 0; i < v->inclusion.count; i++) {
        base64_put(b, (struct span){v->inclusion.hash[i].b, DIGEST_SIZE});
        buf_put_u8(b, '\n');
    }
    buf_put_u8(b, '\n');
    buf_put_span(b, buf_span(&v->checkpoint));
}

static void put_bundle(struct log_vectors *v)
{
    struct json_writer w;
    char salt[2 * SEAL_SALT + 1];
    jw_init(&w, json_sink_buf, &v->bundle, true);
    jw_object(&w);
    jw_key(&w, "bundle");
    jw_str(&w, "assay/disclosure/v1");
    jw_key(&w, "fields");
    jw_array(&w);
    jw_object(&w);
    jw_key(&w, "content");
    jw_string(&w, v->prompt);
    jw_key(&w, "field");
    jw_string(&w, v->sealed_prompt.name);
    jw_key(&w, "salt");
    jw_str(&w, hex_of(salt, v->prompt_salt, SEAL_SALT));
    jw_end_object(&w);
    jw_end_array(&w);
    jw_key(&w, "receipt");
    jw_string(&w, buf_span(&v->receipt));
    jw_end_object(&w);
    buf_put_str(&v->bundle, "\n");
}

bool log_vectors_make(struct log_vectors *v, struct err *e)
{
    struct keys k = {.old_key = NULL};
    *v = (struct log_vectors){.prompt = SPAN_EMPTY};
    struct buf *all[] = {&v->log_key,           &v->new_key,
                         &v->witness_key,       &v->rotation,
                         &v->checkpoint,        &v->prompt_ciphertext,
                         &v->answer_ciphertext, &v->new_checkpoint,
                         &v->receipt,           &v->bundle};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_init(all[i], 4 * RECORD_MAX);
    for (size_t i = 0; i < VECTOR_LEAVES; i++)
        buf_init(&v->leaf[i], RECORD_MAX);
    bool ok =
        load_keys(&k, v, e) && seal_fields(v, e) && put_records(v, &k, e) && put_trees(v, &k, e);
    if (ok) {
        put_receipt(v);
        put_bundle(v);
    }
    sign_key_free(k.old_key);
    sign_key_free(k.witness);
    sign_key_free(k.new_key);
    return ok && buf_ok(&v->bundle);
}

void log_vectors_free(struct log_vectors *v)
{
    struct buf *all[] = {&v->log_key,           &v->new_key,
                         &v->witness_key,       &v->rotation,
                         &v->checkpoint,        &v->prompt_ciphertext,
                         &v->answer_ciphertext, &v->new_checkpoint,
                         &v->receipt,           &v->bundle};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_free(all[i]);
    for (size_t i = 0; i < VECTOR_LEAVES; i++)
        buf_free(&v->leaf[i]);
}

/* ---- the document's text ---- */

static void fence(struct buf *out, const char *title, struct span s)
{
    buf_printf(out, "%s:\n\n```\n", title);
    buf_put_span(out, s);
    if (!span_ends(s, "\n"))
        buf_put_u8(out, '\n');
    buf_put_str(out, "```\n\n");
}

static void fence_hex(struct buf *out, const char *title, const uint8_t *p, size_t n)
{
    buf_printf(out, "%s:\n\n```\n", title);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%02x%s", p[i], i % 32 == 31 && i + 1 < n ? "\n" : "");
    buf_put_str(out, "\n```\n\n");
}

static void proof_text(struct buf *out, const char *title, const struct proof *p)
{
    char hex[DIGEST_HEX + 1];
    buf_printf(out, "%s:\n\n```\n", title);
    for (size_t i = 0; i < p->count; i++)
        buf_printf(out, "%s\n", digest_hex(hex, &p->hash[i]));
    buf_put_str(out, "```\n\n");
}

static void seal_text(struct buf *out, const struct log_vectors *v)
{
    fence_hex(out, "Record key (chosen)", v->record_key.b, SEAL_KEY);
    fence_hex(out, "Salt r of `prompt` (chosen)", v->prompt_salt, SEAL_SALT);
    fence(out, "Content of `prompt`", v->prompt);
    fence_hex(out, "Commitment to it", v->sealed_prompt.commitment.b, DIGEST_SIZE);
    fence_hex(out, "Key of the field", v->prompt_key.b, SEAL_KEY);
    fence_hex(out, "Ciphertext, the tag its last 16 bytes", v->prompt_ciphertext.p,
              v->prompt_ciphertext.n);
    fence_hex(out, "SHA-256 of the ciphertext", v->sealed_prompt.ciphertext.b, DIGEST_SIZE);
    fence_hex(out, "Subject key (chosen)", v->subject_key.b, SEAL_KEY);
    fence_hex(out, "Record key wrapped by the subject key (RFC 3394)", v->wrapped.b, SEAL_WRAPPED);
}

void log_vectors_text(struct buf *out, const struct log_vectors *v)
{
    char hex[DIGEST_HEX + 1], title[80];
    fence(out, "Verifier key of the log (secret key of RFC 8032 section 7.1, test 1)",
          buf_span(&v->log_key));
    fence(out, "Verifier key of a witness (test 2)", buf_span(&v->witness_key));
    fence(out, "Verifier key of the log after the rotation (test 3)", buf_span(&v->new_key));
    seal_text(out, v);
    fence(out, "Message that both keys sign at the rotation, index 4", buf_span(&v->rotation));
    for (unsigned i = 0; i < VECTOR_LEAVES; i++) {
        snprintf(title, sizeof title, "Leaf %u, %zu bytes without a line end", i, v->leaf[i].n);
        fence(out, title, buf_span(&v->leaf[i]));
    }
    buf_put_str(out, "Leaf hashes by index, then roots by size from 0:\n\n```\n");
    for (unsigned i = 0; i < VECTOR_LEAVES; i++)
        buf_printf(out, "leaf %u %s\n", i, digest_hex(hex, &v->hash[i]));
    for (unsigned i = 0; i <= VECTOR_LEAVES; i++)
        buf_printf(out, "root %u %s\n", i, digest_hex(hex, &v->root[i]));
    buf_put_str(out, "```\n\n");
    proof_text(out, "Inclusion proof of leaf 2 in the tree of size 4", &v->inclusion);
    proof_text(out, "Consistency proof from size 3 to size 4", &v->consistency);
    snprintf(title, sizeof title, "Checkpoint of size 4, cosigned at %d", COSIGNED_AT);
    fence(out, title, buf_span(&v->checkpoint));
    fence(out, "Checkpoint of size 5, signed by the new key", buf_span(&v->new_checkpoint));
    fence(out, "Receipt of entry 2 in the tree of size 4", buf_span(&v->receipt));
    fence(out, "Disclosure of its field `prompt`", buf_span(&v->bundle));
}
