/*
 * The gate: findings of every reader and check, judged by a policy.
 *
 * check_run adds what only a whole model shows (contradictions, text that acts,
 * weights, the policy's own demands) to the model's verdict, sorts it, and
 * judges each finding: it fails, is noted, waived, waived by a waiver that ran
 * out, or known from a baseline. Renderers here write to a buffer or a JSON
 * writer; only src/cli prints.
 */
#ifndef ASSAY_CHECK_H
#define ASSAY_CHECK_H

#include "assay/inspect.h"
#include "assay/policy.h"
#include "assay/signature.h"

enum judgement {
    JUDGED_FAILS,
    JUDGED_EXPIRED,
    JUDGED_WAIVED,
    JUDGED_KNOWN,
    JUDGED_NOTED,
    JUDGEMENTS
};
const char *judgement_name(enum judgement j); /* "fails", "expired", "waived", "known", "noted" */

struct judged {
    const struct finding *finding;
    enum judgement judgement;
    const struct waiver *waiver; /* of WAIVED and EXPIRED */
    struct digest fingerprint;   /* of rule, file and detail: the same finding in another run */
};

enum check_result { CHECK_PASS, CHECK_FAIL, CHECK_INCOMPLETE, CHECK_EXPIRED };
const char *check_result_name(enum check_result r); /* as in a log's check entry */

/* ---- baseline and lock ---- */

/* Findings that were there before: a file that `check --json` wrote. */
struct baseline;
bool baseline_read(struct baseline **out, const char *path, struct arena *a,
                   struct err *e) ASSAY_MUST_CHECK;

/* assay.lock: the roots that models must have, by name. */
struct lock_entry {
    struct span name; /* last part of the model's path */
    struct digest manifest_root, tensor_root;
    bool has_manifest_root, has_tensor_root;
};
struct lock {
    struct lock_entry *entries; /* by name */
    size_t count;
};
/* A file that is not there is an empty lock when `may_be_absent`. */
bool lock_read(struct lock *out, const char *path, bool may_be_absent, struct arena *a,
               struct err *e) ASSAY_MUST_CHECK;
const struct lock_entry *lock_find(const struct lock *l, struct span name);
/* The lock's file with `entry` put in or replaced. */
bool lock_write(struct buf *out, const struct lock *l, const struct lock_entry *entry,
                struct err *e) ASSAY_MUST_CHECK;

/* ---- a check ---- */

/* What the log says of the model, when one was given. */
struct check_enrolment {
    bool asked;    /* a log was given */
    bool enrolled; /* it holds a model entry with the same root */
    bool source;   /* and that entry says where the model came from */
};

/* The base that a model claims, read and compared (--base). */
struct check_base {
    const struct model *model;
    const struct facts *facts; /* NULL when not derived, as the next two */
    const struct identity *identity;
    const struct diff *diff; /* of the base (A) and the model (B) */
};

struct check_input {
    struct model *model;
    const struct facts *facts; /* NULL, as the next two, when that step failed */
    const struct scan *scan;
    const struct identity *identity;
    bool complete; /* recognised, and everything was read */
    const struct policy *policy;
    const struct baseline *baseline;     /* NULL: none */
    const struct lock *lock;             /* NULL: none */
    const struct signature_trust *trust; /* who may sign, for the policy; NULL: nobody */
    const struct check_base *base;       /* NULL: none */
    struct check_enrolment enrolment;
    bool deep;     /* read the weights again, for data in their low bits */
    int64_t today; /* days since 1970-01-01 */
};

struct check {
    const struct check_input *in;
    struct judged *items; /* in the verdict's order */
    size_t count;
    size_t totals[JUDGEMENTS]; /* with folded findings */
    bool complete;
    const struct waiver **unused; /* for this model, and nothing to waive */
    size_t unused_count;
    size_t other_waivers; /* for other digests */
};

/* False only when out of memory or interrupted. Memory is the model's arena. */
bool check_run(struct check *out, const struct check_input *in, struct err *e) ASSAY_MUST_CHECK;
/* The gravest that applies: incomplete, expired, fail, pass. */
enum check_result check_result(const struct check *c);
/* What waivers name: the manifest root, else the tensor root; false when there is neither. */
bool check_subject(const struct identity *i, struct digest *out);

/* ---- contradictions ---- */

/* One entry of the catalogue: what is declared against what is there. */
struct contradiction {
    unsigned number; /* public and stable (docs/findings.md, "Contradictions") */
    bool review;     /* for a person to judge; else an error */
    const char *title;
};
extern const struct contradiction contradictions[]; /* up to one without a title */
/* The contradiction that findings of a rule show, or NULL. The claim stands at the finding's
 * origin, what contradicts it at `against`. */
const struct contradiction *contradiction_of(enum rule_id rule);

/* ---- renderers (docs/ci.md) ---- */

struct sarif_options {
    bool failing_only; /* only what fails, each with a line: for code scanning */
    int exit_status;
};
bool check_sarif(struct buf *out, const struct check *c, const struct sarif_options *o,
                 struct err *e) ASSAY_MUST_CHECK;
bool check_junit(struct buf *out, const struct check *c, struct err *e) ASSAY_MUST_CHECK;
/* The last part of a path, without slashes at its end: the name in assay.lock. */
struct span check_name(const char *path);
/* Line (from 1) of an offset in a text file of the model; 1 when it is no text. */
size_t check_line(const struct model *m, struct origin o);

#endif
