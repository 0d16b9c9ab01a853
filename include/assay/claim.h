/*
 * Claims: what a report is made of. One claim is one statement about one subject,
 * with a status, the sources that said it, what was observed, and evidence by
 * which anybody can find out again.
 *
 * A claim's text is one line of canonical JSON (members sorted, only strings and
 * arrays of strings or of flat objects), and it is what is hashed: a salted
 * commitment for each claim, an RFC 9162 tree over the commitments, and the root
 * in a signed statement. An edition for one recipient opens some claims and shows
 * the commitments of the rest, so all editions verify against one root.
 */
#ifndef ASSAY_CLAIM_H
#define ASSAY_CLAIM_H

#include "assay/base/json.h"
#include "assay/digest.h"
#include "assay/seal.h"

enum claim_status {
    CLAIM_VERIFIED,     /* recomputed from bytes or from a proven range of a log */
    CLAIM_ATTESTED,     /* signed by a known key, not recomputable */
    CLAIM_DECLARED,     /* said somewhere, nothing to check it with */
    CLAIM_CONTRADICTED, /* sources disagree, or a source and the bytes do */
    CLAIM_MISSING,      /* required, and no source says it */
    CLAIM_STALE,        /* the evidence is older than the subject, or expired */
    CLAIM_NOT_APPLICABLE,
    CLAIM_STATUSES
};

/* What a statement can be found out from again. */
enum evidence_type {
    EVIDENCE_FILE,        /* a file, or a place in one */
    EVIDENCE_TENSOR,      /* a tensor's bytes */
    EVIDENCE_LEAF,        /* an entry of a log with its inclusion proof */
    EVIDENCE_RANGE,       /* entries of a log and the query over them */
    EVIDENCE_ATTESTATION, /* a DSSE envelope */
    EVIDENCE_TYPES
};

enum {
    CLAIM_MAX = 100000,           /* claims of one report */
    CLAIM_MAX_TEXT = 64 << 10,    /* bytes of one value */
    CLAIM_ID = 32,                /* digits of an evidence's id */
    EVIDENCE_MAX_TEXT = 16 << 20, /* bytes of one evidence */
    CLAIM_MAX_ITEMS = 512         /* sources, evidence, requirements of one claim, each */
};

/* Who said something, and where. */
struct claim_source {
    const char *path;  /* file as shown, or "log", "attestation" */
    const char *place; /* "line 12", "/config/hidden_size", "entry 7"; NULL: the whole */
    const char *says;  /* the words; NULL when only the place matters */
    bool has_digest;
    struct digest digest; /* of the file */
};

struct claim_evidence {
    enum evidence_type type;
    char id[CLAIM_ID + 1]; /* first digits of the SHA-256 of its text */
    struct span text;      /* canonical JSON of the object */
};

struct claim {
    const char *id;       /* unique in its set: the property, or property#n */
    const char *property; /* a row of properties.def, or human.WORD */
    const char *title;
    const char *subject; /* name of what it is about */
    struct digest subject_digest;
    bool has_subject_digest;
    const char *value; /* NULL: none */
    const char *unit;
    const char *tolerance; /* how far apart is not a contradiction; NULL: exact */
    enum claim_status status;
    const char *observed; /* what was found when it is not the value */
    const char *rule;     /* how it was found out, one sentence */
    const char *reason;   /* why missing, stale, contradicted or not applicable */
    const char *expires;
    const char *covers; /* "calls through Assay" and the like: what it does not reach */
    const char *waiver;
    const char *about; /* of a contradiction: the property that it puts in question */
    struct claim_source *sources;
    size_t source_count, source_cap;
    const char **evidence; /* ids */
    size_t evidence_count, evidence_cap;
    const char **counter; /* of a contradiction: ids of what speaks against the value */
    size_t counter_count, counter_cap;
    const char **requirements; /* "framework:id", set by clauses */
    size_t requirement_count, requirement_cap;
    struct span text; /* canonical, set by claims_seal */
};

/* All claims of a report, in the order of adding. */
struct claims {
    struct arena *arena;
    struct claim **claim;
    size_t count, cap;
    struct claim_evidence **evidence;
    size_t evidence_count, evidence_cap;
    bool failed; /* out of memory, or more than CLAIM_MAX */
    const char *observed_at;
};

void claims_init(struct claims *s, struct arena *a);
/* A new claim with an id of its own; NULL when there is no room (and s->failed). */
struct claim *claims_add(struct claims *s, const char *property, const char *title,
                         enum claim_status status);
struct claim *claims_find(const struct claims *s, const char *id); /* NULL when absent */
void claim_value(struct claims *s, struct claim *c, const char *fmt, ...) ASSAY_PRINTF(3, 4);
void claim_says(struct claims *s, struct claim *c, const struct claim_source *source);
/* The id of the evidence whose canonical text is given; equal ones are kept once. */
const char *claims_evidence(struct claims *s, enum evidence_type type, struct span text);
void claim_prove(struct claims *s, struct claim *c, const char *evidence);
/* The same for counter-evidence. */
void claim_refute(struct claims *s, struct claim *c, const char *evidence);
void claim_requirement(struct claims *s, struct claim *c, const char *requirement);
/* Is a the worse of the two? contradicted, missing, stale, declared, attested, verified, n/a. */
bool claim_worse(enum claim_status a, enum claim_status b);

const char *claim_status_name(enum claim_status s); /* "verified" */
bool claim_status_from(struct span name, enum claim_status *out);
const char *evidence_type_name(enum evidence_type t);

/* Fill every claim's canonical text. */
bool claims_seal(struct claims *s, struct err *e) ASSAY_MUST_CHECK;
/* Salt i of a report: HMAC-like, SHA-256("assay/claim-salt/v1\0" || secret || u64be(i)). */
void claim_salt(uint8_t salt[SEAL_SALT], const struct digest *secret, uint64_t index);
/* The commitment to a claim's text; seal_commit with the field "claim". */
void claim_commit(struct digest *out, const uint8_t salt[SEAL_SALT], struct span text);

#endif
