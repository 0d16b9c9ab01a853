/*
 * What is asked of a model: a policy in YAML (schema/policy.schema.json,
 * docs/policy.md), its waivers, and SPDX licence expressions.
 *
 * A policy without a file is the default: findings of severity high and
 * critical fail. Nothing in a policy can turn "incomplete" into a pass.
 */
#ifndef ASSAY_POLICY_H
#define ASSAY_POLICY_H

#include "assay/config.h"
#include "assay/digest.h"
#include "assay/model.h"

enum { POLICY_MAX_WAIVERS = 10000, POLICY_MAX_TEXTS = 1000 };

/* One finding accepted, for one digest, by somebody, until a day. */
struct waiver {
    struct span id, rule, subject_text, reason, approver, created_text, expires_text;
    struct digest subject;    /* a manifest root, tensor root or the SHA-256 of a lone file */
    int64_t created, expires; /* days since 1970-01-01; valid through `expires` */
    size_t line;              /* in the policy */
};

struct policy_signature {
    struct span file;                       /* below the model's folder; empty: model.sig */
    struct config_texts keys, certificates; /* PEM files, beside the policy */
    bool unsigned_files; /* files that the signature does not name may be there */
};

struct policy {
    const char *file; /* NULL: the default policy */
    struct span name;
    struct digest digest; /* SHA-256 of the file */

    struct {
        int severity;                      /* enum severity, or SEV_COUNT: never by severity */
        struct config_texts rules, except; /* ids, or families as "gguf.*" */
    } fail;
    struct {
        struct config_texts formats, licences, families;
    } allow;
    struct {
        uint64_t bytes, file_bytes, files, parameters; /* at most; 0: not limited */
    } size;
    struct {
        bool signature;
        struct policy_signature by;
        bool pinned;
        struct config_texts provenance, card;
    } require;
    struct waiver *waivers;
    size_t waiver_count;
};

void policy_default(struct policy *out);
/* ERR_CONFIG names the file and the line. Memory is in `a`; `name` is borrowed. */
bool policy_parse(struct policy *out, struct span text, const char *name, struct arena *a,
                  struct err *e) ASSAY_MUST_CHECK;
bool policy_read(struct policy *out, const char *path, struct arena *a,
                 struct err *e) ASSAY_MUST_CHECK;
/* Does a finding of this rule fail? Findings of policy.* always do. */
bool policy_fails(const struct policy *p, enum rule_id rule);
/* By its name, in any case; a list that is empty allows all. */
bool policy_allows_format(const struct policy *p, enum format f);
/* The words of `provenance` and `card`, NULL-ended. */
extern const char *const policy_provenance_words[], *const policy_card_words[];

/* "2026-11-25" as days since 1970-01-01; a day that is in no calendar is refused. */
bool policy_date(int64_t *days, struct span text) ASSAY_MUST_CHECK;
const char *policy_date_text(char out[16], int64_t days);

/* ---- SPDX licence expressions (SPDX 3.0.1, annex B) ---- */

enum { SPDX_MAX_TEXT = 4096, SPDX_MAX_DEPTH = 64 };

struct spdx;

/* AND, OR, WITH, +, parentheses; the error names the byte. */
bool spdx_parse(const struct spdx **out, struct span text, struct arena *a,
                struct err *e) ASSAY_MUST_CHECK;
/*
 * May the model be used under what the list allows? Both sides of AND must be
 * allowed, one of OR. An item allows its licence, with any exception too, for
 * exceptions only add permissions; "X WITH E" allows just that. A licence "or
 * later" (+) is allowed by any listed version from its own on.
 */
bool spdx_allowed(const struct spdx *x, const struct config_texts *list);

#endif
