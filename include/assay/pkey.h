/*
 * Public-key signatures of more than one kind, and certificates that carry
 * keys: what DSSE envelopes and model signatures need. The log's own keys stay
 * Ed25519 alone (sign.h).
 *
 * ECDSA goes with the curve's hash: P-256 with SHA-256, P-384 with SHA-384,
 * P-521 with SHA-512, signatures in DER. Ed25519 keeps sign.h's verdicts.
 */
#ifndef ASSAY_PKEY_H
#define ASSAY_PKEY_H

#include "assay/sign.h"

enum pkey_kind { PKEY_ED25519, PKEY_P256, PKEY_P384, PKEY_P521 };

struct pkey; /* a public key, or a pair; wiped when freed */

/* PKCS#8 or SEC1, PEM or DER, not encrypted, readable by its owner alone. */
bool pkey_load_private(struct pkey **out, const char *path, struct err *e) ASSAY_MUST_CHECK;
/* SubjectPublicKeyInfo, PEM or DER; text before and after a PEM block is ignored. */
bool pkey_load_public(struct pkey **out, const char *path, struct err *e) ASSAY_MUST_CHECK;
bool pkey_from_public(struct pkey **out, struct span pem_or_der, struct err *e) ASSAY_MUST_CHECK;
bool pkey_from_ed25519(struct pkey **out, const struct sign_public *k,
                       struct err *e) ASSAY_MUST_CHECK;
/* The same pair as `k`, which may be freed before it. */
bool pkey_from_sign_key(struct pkey **out, const struct sign_key *k,
                        struct err *e) ASSAY_MUST_CHECK;
void pkey_free(struct pkey *k); /* NULL is harmless */

enum pkey_kind pkey_kind(const struct pkey *k);
const char *pkey_kind_name(enum pkey_kind kind);          /* "Ed25519", "ECDSA P-256" */
bool pkey_eq(const struct pkey *a, const struct pkey *b); /* the public halves */
/* The public half as PEM, "-----BEGIN PUBLIC KEY-----" to its final line end. */
bool pkey_public_pem(struct buf *out, const struct pkey *k, struct err *e) ASSAY_MUST_CHECK;
/* SHA-256 over that text: the `hint` of OMS bundles, and our name for a key. */
bool pkey_fingerprint(struct digest *out, const struct pkey *k, struct err *e) ASSAY_MUST_CHECK;

/* Append the signature; needs a private half. */
bool pkey_sign(struct buf *out, const struct pkey *k, struct span message,
               struct err *e) ASSAY_MUST_CHECK;
bool pkey_verify(const struct pkey *k, struct span message, struct span signature);

/* ---- certificates (X.509, RFC 5280) ---- */

enum { CERT_MAX_CHAIN = 16, CERT_MAX_FILE = 1 << 20 };

struct cert;

bool cert_from_der(struct cert **out, struct span der, struct err *e) ASSAY_MUST_CHECK;
/* All certificates of a PEM file, or one in DER. */
bool cert_load(struct cert **out, size_t *count, size_t max, const char *path,
               struct err *e) ASSAY_MUST_CHECK;
void cert_free(struct cert *c); /* NULL is harmless */
bool cert_der(struct buf *out, const struct cert *c, struct err *e) ASSAY_MUST_CHECK;
/* The subject on one line, safe to show. */
const char *cert_subject(char *out, size_t size, const struct cert *c);
/* Seconds since 1970. */
bool cert_validity(const struct cert *c, int64_t *from, int64_t *to);
/* Its key, which must be of a pkey_kind. */
bool cert_key(struct pkey **out, const struct cert *c, struct err *e) ASSAY_MUST_CHECK;
/*
 * Does chain[0] lead to one of `roots`, and may its key sign? It must have the
 * key usage digitalSignature or the purpose codeSigning. The rest of the chain
 * is material, not trust. Time is the leaf's notBefore: nothing in a bundle
 * says when it was signed, so what has expired since is for the caller to say.
 */
bool cert_verify_chain(struct cert *const *chain, size_t count, struct cert *const *roots,
                       size_t root_count, struct err *e) ASSAY_MUST_CHECK;

#endif
