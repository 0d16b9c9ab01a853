/*
 * Checkpoints on any bytes, with a key of the log and one of a witness: a text that is no
 * checkpoint is refused, one that is gives the same text again, and only with genuine
 * signatures of both is it believed.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/verify.h"

enum { ARENA = 16 << 20, ROOM = 2 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sign_key *key[2];
static struct note_key name[2];

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static void make_key(size_t i, struct span who, enum note_type type)
{
    const uint8_t seed[32] = {(uint8_t)(i + 1)};
    sign_key_free(key[i]);
    key[i] = NULL;
    demand(sign_key_from_seed(&key[i], seed, NULL));
    struct sign_public public = sign_key_public(key[i]);
    demand(note_key_make(&name[i], who, type, &public, NULL));
}

/* The text signed by both, as a log and a witness would: believed, and not with a byte changed. */
static void signed_text(struct span text, const struct checkpoint *c, struct arena *a)
{
    struct note_key probe;
    struct sign_public nobody = {{0}};
    struct buf note;
    struct verified v;
    if (!note_key_make(&probe, c->origin, NOTE_ED25519, &nobody, NULL))
        return; /* an origin that no key can bear */
    make_key(0, c->origin, NOTE_ED25519);
    make_key(1, span_str("fuzz.example/witness"), NOTE_COSIGNATURE);
    struct trust t = {.log_keys = &name[0],
                      .log_key_count = 1,
                      .witnesses = &name[1],
                      .witness_count = 1,
                      .required = 1};
    buf_init(&note, ROOM);
    buf_put_span(&note, text);
    buf_put_u8(&note, '\n');
    demand(note_sign(&note, text, &name[0], key[0], NULL) &&
           note_cosign(&note, text, &name[1], key[1], 1, NULL));
    struct err e = ERR_INIT;
    demand(verify_checkpoint(&v, buf_span(&note), &t, a, &e) && v.cosignatures == 1 && v.pinned);
    demand(v.checkpoint.size == c->size && digest_eq(&v.checkpoint.root, &c->root));
    note.p[c->origin.n + 1] ^= 1; /* the size's first digit */
    demand(!verify_checkpoint(&v, buf_span(&note), &t, a, NULL));
    buf_free(&note);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(ARENA);
    struct span input = {data, size};
    struct note n;
    struct checkpoint c;
    struct buf again;
    struct err e = ERR_INIT;
    bool is_note = note_parse(&n, input, a, NULL);
    struct span text = is_note ? n.text : input;
    bool ok = checkpoint_parse(&c, text, &e);
    demand(ok == (e.code == ERR_NONE));
    if (ok) {
        buf_init(&again, NOTE_MAX_BYTES);
        checkpoint_put(&again, &c);
        demand(span_eq(buf_span(&again), text));
        buf_free(&again);
    }
    if (ok && is_note)
        signed_text(text, &c, a);
    arena_free(a);
    return 0;
}
