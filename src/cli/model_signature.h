/* Model signatures at the command line: what sign and verify --signature share. */
#ifndef ASSAY_CLI_MODEL_SIGNATURE_H
#define ASSAY_CLI_MODEL_SIGNATURE_H

#include "assay/policy.h"
#include "assay/signature.h"
#include "cli/args.h"
#include "cli/cli.h"

enum { MODEL_TRUST_MAX = 64 };

/* Keys and certificates from PEM files, all zero at first; freed by trust_close. */
struct model_trust {
    struct pkey *keys[MODEL_TRUST_MAX];
    struct cert *roots[MODEL_TRUST_MAX];
    struct signature_trust trust;
};
bool trust_add_key(struct model_trust *t, const char *path, struct err *e) ASSAY_MUST_CHECK;
bool trust_add_certificates(struct model_trust *t, const char *path,
                            struct err *e) ASSAY_MUST_CHECK;
/* Those of a policy, whose paths stand beside it. */
bool trust_of_policy(struct model_trust *t, const struct policy *p, struct arena *a,
                     struct err *e) ASSAY_MUST_CHECK;
void trust_close(struct model_trust *t);

/* `path` below `folder`, in the arena; NULL when it is not. */
const char *path_below(const char *folder, const char *path, struct arena *a);

/* verify PATH --signature FILE. */
int verify_signature(const struct call *call, const struct verify_args *args);

#endif
