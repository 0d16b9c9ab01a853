/*
 * Signatures over models: the OpenSSF model signing specification, v1.0 (OMS).
 *
 * A signature is a Sigstore bundle whose DSSE envelope holds an in-toto
 * statement: every file with its digest. Keys and certificate chains are
 * verified offline. What the specification and its reference implementation
 * write differently is accepted in both ways; docs/formats/oms.md lists it.
 * Digests that were taken already are compared, not taken again.
 */
#ifndef ASSAY_SIGNATURE_H
#define ASSAY_SIGNATURE_H

#include "assay/dsse.h"
#include "assay/inspect.h"

enum { SIGNATURE_MAX_BUNDLE = 256 << 20 };

enum signature_material { SIGNED_BY_KEY, SIGNED_BY_CHAIN, SIGNED_KEYLESS };

struct signature;

/* Bundle and statement, whole: ERR_FORMAT when they are not what the specification says,
 * ERR_UNSUPPORTED for hashes that are not SHA-256. Memory is in `a`, but for what
 * signature_close frees. */
bool signature_read(struct signature **out, struct span bundle, struct arena *a,
                    struct err *e) ASSAY_MUST_CHECK;
void signature_close(struct signature *s); /* NULL is harmless */
enum signature_material signature_material(const struct signature *s);
size_t signature_resources(const struct signature *s); /* files, or shards */
struct span signature_subject(const struct signature *s);

struct signature_trust {
    struct pkey *const *keys;
    size_t key_count;
    struct cert *const *roots;
    size_t root_count;
};

struct signature_signer {
    enum signature_material material;
    char name[256]; /* the certificate's subject; empty for a key */
    enum pkey_kind kind;
    struct digest fingerprint; /* of the public key, as pkey_fingerprint */
    bool has_validity;         /* of the certificate; seconds since 1970 */
    int64_t from, to;
};

/* Did one of the trusted sign? ERR_INTEGRITY says what is wrong. Of a keyless signature the
 * certificate and the signature are verified, its transparency log is not. */
bool signature_verify(const struct signature *s, const struct signature_trust *t,
                      struct signature_signer *out, struct err *e) ASSAY_MUST_CHECK;

/* A file as it is now. */
struct signed_file {
    const char *name; /* below the model's folder */
    uint64_t size;
    bool known;            /* sha256 is set */
    struct digest sha256;  /* of the whole file */
    struct source *source; /* for shards; NULL: such files cannot be compared */
    bool link;             /* reached through a symbolic link */
};

/* The files of a model with the digests that a scan took (NULL: none), sorted by name. Folders
 * that were not read stand there by their names, not known. NULL when out of memory. */
struct signed_file *signature_files(const struct model *m, const struct scan *s, struct arena *a,
                                    size_t *count);

enum signature_change { SIGNED_CHANGED, SIGNED_MISSING, SIGNED_EXTRA, SIGNED_UNREAD };
const char *signature_change_name(enum signature_change c);

struct signature_difference {
    enum signature_change change;
    const char *name;
    size_t file; /* index of the file; SIZE_MAX for SIGNED_MISSING */
};

struct signature_comparison {
    struct signature_difference *differences; /* in the order of the files, then of the statement */
    size_t count;
    size_t equal; /* files that are as signed */
};

/* The files, sorted by name, against the statement. `own` names the signature's own file when
 * it lies among them, or is NULL. False when a read fails or memory ran out. */
bool signature_compare(struct signature_comparison *out, const struct signature *s,
                       const struct signed_file *files, size_t count, bool lone_file,
                       const char *own, struct arena *a, struct err *e) ASSAY_MUST_CHECK;

struct signature_order {
    const char *name;                /* of the model: the last part of its path */
    const struct signed_file *files; /* sorted by name, all known */
    size_t count;
    bool lone_file;
    const char *const *ignore; /* NULL-ended: paths that are not signed, each with what is below */
    const struct pkey *key;
    struct cert *const *chain; /* leaf first; its key must be `key` */
    size_t chain_count;        /* 0: signed by the key alone */
};

/* Append a bundle. */
bool signature_write(struct buf *out, const struct signature_order *o,
                     struct err *e) ASSAY_MUST_CHECK;
/* What the specification leaves out unless told otherwise: .git and its like; NULL-ended. */
extern const char *const signature_default_ignore[];
/* Is `name` one of the NULL-ended paths, or below one? */
bool signature_ignores(const char *const *paths, const char *name);

#endif
