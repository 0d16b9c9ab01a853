/*
 * Notes, checkpoints and verifier keys on any bytes. What is accepted keeps the
 * grammar, and a checkpoint that is written again gives the same text.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/verify.h"

enum { ARENA = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static void try_note(struct span input, struct arena *a)
{
    struct err e = ERR_INIT;
    struct note n;
    bool ok = note_parse(&n, input, a, &e);
    demand(ok == (e.code == ERR_NONE));
    if (!ok)
        return;
    demand(n.count >= 1 && n.count <= NOTE_MAX_SIGNATURES);
    demand(n.text.n && n.text.p[n.text.n - 1] == '\n' && n.text.p == input.p);
    struct checkpoint c;
    struct buf again;
    buf_init(&again, NOTE_MAX_BYTES);
    if (checkpoint_parse(&c, n.text, NULL)) {
        checkpoint_put(&again, &c);
        demand(span_eq(buf_span(&again), n.text));
    }
    buf_free(&again);
}

static void try_key(struct span input, struct arena *a)
{
    struct err e = ERR_INIT;
    struct note_key k, same;
    struct buf again;
    if (!note_key_parse(&k, input, a, &e))
        return;
    buf_init(&again, NOTE_MAX_BYTES);
    note_key_put(&again, &k);
    demand(span_eq(buf_span(&again), input));
    demand(note_key_parse(&same, buf_span(&again), a, &e) && same.id == k.id);
    buf_free(&again);
}

/* Every key of the log and of witnesses that the note names, so that signatures are looked at. */
static void try_trust(struct span input, struct arena *a)
{
    struct note n;
    struct verified v;
    struct err e = ERR_INIT;
    struct note_key keys[2] = {{.type = NOTE_ED25519}, {.type = NOTE_COSIGNATURE}};
    if (!note_parse(&n, input, a, &e))
        return;
    for (size_t i = 0; i < 2; i++) {
        keys[i].name = n.lines[i % n.count].name;
        keys[i].id = n.lines[i % n.count].id;
    }
    struct trust t = {.log_keys = keys,
                      .log_key_count = 1,
                      .witnesses = keys + 1,
                      .witness_count = 1,
                      .required = 1};
    demand(!verify_checkpoint(&v, input, &t, a, &e)); /* the key of zeros signs nothing */
    t = (struct trust){.required = 0};
    err_clear(&e);
    if (verify_checkpoint(&v, input, &t, a, &e))
        demand(!v.pinned && !v.signed_by_log && v.checkpoint.origin.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(ARENA);
    struct span input = {data, size};
    try_note(input, a);
    try_key(input, a);
    try_trust(input, a);
    arena_free(a);
    return 0;
}
