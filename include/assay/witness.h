/*
 * Asking a witness to cosign a checkpoint (C2SP tlog-witness v1.0.0).
 *
 * A witness remembers the last checkpoint of a log that it cosigned and
 * cosigns another only when a consistency proof leads there from the old one. Its
 * cosignature is accepted only after it verified under the witness's key; an
 * answer of any other kind is an outcome with a name, because a witness that
 * refuses a history says something else than a witness that is not there.
 */
#ifndef ASSAY_WITNESS_H
#define ASSAY_WITNESS_H

#include "assay/proof.h"
#include "assay/sign.h"

enum {
    WITNESS_PROOF_MAX = 63,          /* proof lines of a request (specification) */
    WITNESS_ANSWER_MAX = 64 * 1024,  /* bytes of an answer */
    WITNESS_REQUEST_MAX = 128 * 1024 /* bytes of a request */
};

struct witness {
    const char *url;            /* submission prefix, "https://witness.example/w1" */
    const struct note_key *key; /* of type NOTE_COSIGNATURE */
    unsigned timeout_ms;        /* of one exchange; 0: the HTTP client's */
    const char *ca_file;        /* PEM of its authority; NULL: the system's */
};

enum witness_outcome {
    WITNESS_COSIGNED,
    WITNESS_CONFLICT,  /* it holds another size; see `size` */
    WITNESS_AHEAD,     /* it cosigned more than this log has: rolled back, or another copy runs */
    WITNESS_FORKED,    /* it cosigned another root of the same size, or the proof does not hold */
    WITNESS_UNKNOWN,   /* it does not know this log's origin */
    WITNESS_UNTRUSTED, /* it does not trust the key that signed the checkpoint */
    WITNESS_MALFORMED, /* it could not read the request */
    WITNESS_BUSY,      /* it has a fault or too much to do: try again later */
    WITNESS_INVALID,   /* its answer is not one: no valid cosignature by its key, or garbage */
    WITNESS_UNREACHED, /* no answer at all */
    WITNESS_NOT_ASKED, /* the request was not sent: this side is wrong */
    WITNESS_OUTCOMES
};

struct witness_answer {
    enum witness_outcome outcome;
    unsigned status;  /* of HTTP; 0 without an answer */
    uint64_t size;    /* WITNESS_CONFLICT, WITNESS_AHEAD: what the witness says it holds */
    uint64_t time;    /* WITNESS_COSIGNED: Unix seconds in the newest of `lines` */
    struct buf lines; /* WITNESS_COSIGNED: signature lines, each verified, to append to the note */
};

/* "cosigned", "conflict", "ahead"... */
const char *witness_outcome_name(enum witness_outcome outcome);
void witness_answer_free(struct witness_answer *a);

/*
 * One exchange. True when cosigned; otherwise `e` names the witness, what it
 * said and what to do, with ERR_INTEGRITY where history is in question. The
 * answer is always filled and must be freed. `checkpoint` is a whole signed note; `proof`
 * leads from old_size to its size and is empty when old_size is 0 or equal.
 */
bool witness_submit(struct witness_answer *out, const struct witness *w, uint64_t old_size,
                    const struct proof *proof, struct span checkpoint,
                    struct err *e) ASSAY_MUST_CHECK;

/*
 * As witness_submit, with the proof taken from the log's tree; when the
 * witness holds another size than old_size (0 where nothing is known), the
 * exchange is repeated once from the size it names.
 */
bool witness_cosign(struct witness_answer *out, const struct witness *w, uint64_t old_size,
                    struct span checkpoint, const struct hash_reader *tree,
                    struct err *e) ASSAY_MUST_CHECK;

#endif
