/*
 * One log in several states, and everybody who would notice that it was changed: each
 * detector knows only what its holder holds.
 */
#ifndef SUPPORT_TAMPER_H
#define SUPPORT_TAMPER_H

#include "assay/log.h"
#include "assay/verify.h"
#include "support/folder.h"

enum {
    BY_OPEN = 1,     /* a reader, without anything: it does not open */
    BY_CHAIN = 2,    /* who has the log's key: every leaf against the newest checkpoint offered */
    BY_OLDER = 4,    /* who kept an older checkpoint and has no key */
    BY_RECEIPT = 8,  /* who holds a receipt and the key, and asks for proofs, not for leaves */
    BY_HEAD = 16,    /* who looks at the head file beside the database, with the key */
    BY_OWNER = 32,   /* the owner, when it opens the log */
    BY_CONTENT = 64, /* who has sealed content disclosed */
    BY_WITNESS =
        128, /* who asks for a cosignature, with the witness's key; and the witness itself */
    BY_ANYBODY = 255
};

enum state {
    STATE_CLOSED, /* all entries, its owner gone */
    STATE_LIVE,   /* the same without the last leaf; the newest entries are in the WAL alone */
    STATE_OLDER,  /* half of the entries, closed */
    STATE_FORK,   /* STATE_OLDER, continued otherwise by the same owner with the same key */
    STATE_OTHER,  /* another log of the same name, with keys of its own */
    STATES
};

struct tamper {
    struct folder state[STATES];
    uint64_t size[STATES]; /* entries */
    struct digest root[STATES];
    uint64_t sealed; /* an entry with sealed content, in the older half */
    struct arena *a;
    struct note_key key;
    struct span older;       /* the checkpoint of STATE_OLDER */
    struct span receipts[2]; /* of STATE_OLDER and of STATE_LIVE */
    struct sign_key *witness;
    struct note_key witness_key;
    struct span witnessed; /* the newest checkpoint that the witness cosigned, of STATE_LIVE */
};

struct noticed {
    unsigned by;    /* BY_... that noticed */
    unsigned blind; /* BY_... that could not look */
    bool same;      /* the entries of the state before are all there, byte by byte */
};

void tamper_make(struct tamper *t);
void tamper_free(struct tamper *t);
/* A state's files into an empty folder, or some of them over what is there. */
void tamper_copy(const struct folder *from, const struct folder *to, const char *name);
void tamper_copy_all(const struct folder *from, const struct folder *to);
/* What `who` (BY_... ORed) notices of the log in `f`, which was `was` before. */
struct noticed tamper_notice(const struct tamper *t, const struct folder *f, enum state was,
                             unsigned who);

#endif
