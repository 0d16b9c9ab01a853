/*
 * Reports: claims gathered from a model, its documents, data sets, a log and
 * people, held against frameworks, signed, rendered, and verified again.
 *
 * report_make reads everything once and gives a set of claims; the renderers are
 * pure functions of it, so the same inputs, as-of and log size give the same
 * bytes. report_verify proves a report's JSON again, offline, with whatever of
 * log and model the verifier has, and lists what it could not prove and why.
 */
#ifndef ASSAY_REPORT_H
#define ASSAY_REPORT_H

#include "assay/base/clock.h"
#include "assay/claim.h"
#include "assay/framework.h"
#include "assay/inspect.h"
#include "assay/log.h"
#include "assay/proof.h"
#include "assay/provenance.h"
#include "assay/verify.h"

enum {
    REPORT_MAX = 512 << 20,   /* bytes of one rendered report */
    REPORT_ATTESTATIONS = 64, /* files of human statements */
    REPORT_DOCUMENTS = 64,    /* documents beside the model */
    REPORT_SCOPES = 16,       /* --scope words */
    REPORT_ARENA = 224 << 20  /* bytes of memory of one report, renderings apart */
};

/* A model that was read: what `assay inspect` has of it. */
struct report_model {
    struct model *model;
    const struct facts *facts;
    const struct scan *scan;
    const struct identity *identity;
    bool complete;
    const char *shown; /* its name in the report: never a path of this machine */
};

/* What tokens cost, in millionths of the currency for a million tokens. */
struct report_prices {
    const char *currency;   /* NULL: no price table */
    uint64_t input, output; /* own: energy, machines */
    bool has_commercial;
    uint64_t commercial_input, commercial_output; /* of the offer it is compared with */
    const char *name, *commercial_name;           /* of the table; of the offer */
    uint64_t watts; /* that computing draws, for the energy of the calls; 0: not said */
};

struct report_attestation {
    const char *path;
    struct span bytes;
};

/* A document that speaks of the model or its calls: a bill of materials (CycloneDX, SPDX 3),
 * evaluation results (YAML), or a disclosure from the log. */
struct report_document {
    const char *path;
    struct span bytes;
};

/* A framework's file that cannot be read, and why, with the line. */
struct report_fault {
    const char *file, *text;
};

struct report_input {
    const struct framework *frameworks;
    size_t framework_count;
    const struct report_fault *faults;
    size_t fault_count;
    const struct report_model *model; /* NULL: none given */
    const struct dataset *datasets;   /* counted */
    size_t dataset_count;
    const struct training_run *training; /* NULL: none given */
    const struct lineage *lineage;       /* of `model`: documents and tensors; NULL: none */
    struct report_prices prices;
    const char *log;                /* folder; NULL: none given */
    uint64_t log_size;              /* entries to read; UINT64_MAX: up to the newest checkpoint */
    uint64_t since, until;          /* wall clock, microseconds: since <= t < until */
    const struct seal_id *subjects; /* pseudonyms of one subject, whose calls alone are counted */
    size_t subject_count;           /* with subjects NULL: everybody's */
    const char *finding;            /* id of a rule: where it was found and who answered; or NULL */
    const char *as_of;              /* YYYY-MM-DDTHH:MM:SSZ */
    const char *scopes[REPORT_SCOPES];
    size_t scope_count;
    const struct report_attestation *attestations;
    size_t attestation_count;
    const struct report_document *documents;
    size_t document_count;
    const struct trust
        *trust;       /* people whose attestations, and witnesses whose cosignatures, count */
    unsigned edition; /* enum framework_recipient, or FOR_ALL */
    const struct sign_key *key; /* signs; NULL: unsigned */
    struct span signer;         /* its name */
    struct progress progress;
};

/* One requirement of one framework and how it stands. */
struct clause {
    const struct framework *framework;
    const struct requirement *requirement;
    enum claim_status status; /* of its worst claim */
    const char *reason;       /* why it does not apply; NULL: it does */
    struct claim **claims;
    size_t count;
};

struct activity;

struct report {
    struct arena *arena;
    const struct report_input *in;
    struct claims claims;
    struct clause *clauses;
    size_t clause_count;
    size_t counts[CLAIM_STATUSES];     /* claims */
    size_t clauses_by[CLAIM_STATUSES]; /* clauses */
    /* The log, when there is one. */
    bool has_log;
    struct checkpoint head; /* root and size that were recomputed */
    struct span checkpoint; /* the signed note over them */
    struct span anchor;     /* the newest cosigned checkpoint within the range; empty: none */
    uint64_t anchor_size;
    struct proof extends; /* that the head extends the anchor's tree; of one size: no hashes */
    const bool
        *witness_held;   /* of the trusted witnesses: its cosignature holds; NULL: none known */
    size_t anchored_by;  /* how many of them */
    struct span log_key; /* verifier key in clear */
    struct activity *activity;
    struct lineage *lineage; /* the input's, and what the log says of the run; NULL: none */
    /* What is signed. */
    struct digest root; /* over the commitments to the claims */
    struct digest *commitments;
    struct digest secret;  /* of which the salts are made; never rendered */
    struct span statement; /* in-toto, JSON */
    struct span envelope;  /* DSSE, JSON; empty: unsigned */
};

bool report_make(struct report **out, const struct report_input *in,
                 struct err *e) ASSAY_MUST_CHECK;
void report_free(struct report *r); /* NULL is harmless */

/* ---- renderings, appended to `out`; pure ---- */

typedef bool report_render(struct buf *out, const struct report *r, struct err *e);

struct report_format {
    const char *name;   /* "html", "json" */
    const char *suffix; /* of a file */
    const char *says;
    report_render *render;
};

extern const struct report_format report_formats[]; /* up to one without a name */
const struct report_format *report_format_find(struct span name);

/* Members of the log's `report` leaf about what was handed over. */
bool report_leaf(struct buf *out, const struct report *r, struct span rendered,
                 struct err *e) ASSAY_MUST_CHECK;

/* ---- verification ---- */

struct report_check {
    const struct trust *trust;
    const struct report_model *model; /* NULL: not given */
    const char *log;                  /* folder; NULL: not given */
    struct progress progress;
};

/* One thing that verification did, or could not do. */
struct report_step {
    enum { STEP_PROVED, STEP_NOT_PROVED, STEP_FAILED } result;
    const char *what; /* claim or part */
    const char *why;  /* what was done, or why it could not be */
};

struct report_verdict {
    struct arena *arena;
    const char *edition;
    const char *signer;
    bool is_signed, pinned;
    size_t claims, hidden;          /* opened here, and present as commitments alone */
    size_t proved, trusted, failed; /* of the opened; trusted: what others said, as recorded */
    size_t leaves, attestations;    /* proofs recomputed */
    struct report_step *steps;      /* what was not proved, and what failed, and parts */
    size_t step_count, step_cap;
    size_t counts[CLAIM_STATUSES];
    struct span as_of, origin;
    uint64_t log_size;
};

/* False when the file is no report or was changed (ERR_INTEGRITY); *v says as much as was seen. */
bool report_verify(struct report_verdict *v, struct span json, const struct report_check *with,
                   struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* Is this the JSON of a report? */
bool report_is(struct span bytes);

#endif
