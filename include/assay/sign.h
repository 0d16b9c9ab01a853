/*
 * Ed25519 keys and C2SP signed notes.
 *
 * Keys are RFC 8032 Ed25519 through OpenSSL, stored as PKCS#8 PEM (0600).
 * Notes are C2SP signed-note v1.0.0; checkpoints tlog-checkpoint v1.0.0;
 * cosignatures tlog-cosignature v1.0.1 (Ed25519, type 0x04). Verdicts on
 * malformed keys and signatures are in docs/log-format.md, "Ed25519", and tested against the
 * CCTV vectors.
 */
#ifndef ASSAY_SIGN_H
#define ASSAY_SIGN_H

#include "assay/base/arena.h"
#include "assay/base/base64.h"
#include "assay/digest.h"

enum { SIGN_PUBLIC = 32, SIGN_SIGNATURE = 64 };

struct sign_public {
    uint8_t b[SIGN_PUBLIC];
};

struct sign_key; /* a private key; wiped when freed */

/* Make a key and write it to `path`, which must not exist (O_EXCL, 0600, synced with its folder). */
bool sign_key_create(struct sign_key **out, const char *path, struct err *e) ASSAY_MUST_CHECK;
/* PKCS#8 PEM or DER, Ed25519 only, at most 64 KiB, readable by its owner alone. */
bool sign_key_load(struct sign_key **out, const char *path, struct err *e) ASSAY_MUST_CHECK;
/* From a 32-byte seed (RFC 8032 section 5.1.5), for tests and vectors. */
bool sign_key_from_seed(struct sign_key **out, const uint8_t seed[32],
                        struct err *e) ASSAY_MUST_CHECK;
void sign_key_free(struct sign_key *k); /* NULL is harmless */
struct sign_public sign_key_public(const struct sign_key *k);
bool sign_bytes(const struct sign_key *k, struct span message, uint8_t signature[SIGN_SIGNATURE],
                struct err *e) ASSAY_MUST_CHECK;
/* False for any signature that is not valid by our documented verdict. */
bool sign_verify(const struct sign_public *k, struct span message,
                 const uint8_t signature[SIGN_SIGNATURE]);

/* ---- signed notes ---- */

enum note_type { NOTE_ED25519 = 0x01, NOTE_COSIGNATURE = 0x04 };

enum { NOTE_MAX_SIGNATURES = 64, NOTE_MAX_BYTES = 1 << 20 };

/* A verifier key: "name+hex8(id)+base64(type || public key)". */
struct note_key {
    struct span name;
    uint32_t id; /* big-endian first four bytes of SHA-256(name || 0x0A || type || key) */
    enum note_type type;
    struct sign_public key;
};

bool note_key_parse(struct note_key *out, struct span vkey, struct arena *a,
                    struct err *e) ASSAY_MUST_CHECK;
/* Name: not empty, no space, no '+', no control characters, UTF-8. */
bool note_key_make(struct note_key *out, struct span name, enum note_type type,
                   const struct sign_public *k, struct err *e) ASSAY_MUST_CHECK;
void note_key_put(struct buf *out, const struct note_key *k);

struct note_line {
    struct span name;
    uint32_t id;
    struct span signature; /* after the four bytes of id: 64 bytes, or 8 + 64 for a cosignature */
};

/* Borrowed from the parsed bytes and the arena. */
struct note {
    struct span text; /* with its final newline */
    struct note_line *lines;
    size_t count;
};

/* Grammar only: UTF-8, no control characters but \n, the last blank line divides. */
bool note_parse(struct note *out, struct span bytes, struct arena *a,
                struct err *e) ASSAY_MUST_CHECK;
/*
 * How many of `keys` signed: valid[i] says so for keys[i], time[i] (may be
 * NULL) gets a cosignature's Unix seconds. A line that names a known key and
 * fails makes the whole note fail (ERR_INTEGRITY); unknown keys are ignored.
 */
bool note_verify(const struct note *n, const struct note_key *keys, size_t count, bool *valid,
                 uint64_t *time, struct err *e) ASSAY_MUST_CHECK;
/* Append the signature line over `text`; the caller has put the text, an empty line and
 * earlier lines. */
bool note_sign(struct buf *out, struct span text, const struct note_key *name,
               const struct sign_key *k, struct err *e) ASSAY_MUST_CHECK;
/* A cosignature line (type 0x04) over a checkpoint's text at `seconds`. */
bool note_cosign(struct buf *out, struct span text, const struct note_key *name,
                 const struct sign_key *k, uint64_t seconds, struct err *e) ASSAY_MUST_CHECK;

/* ---- checkpoints ---- */

struct checkpoint {
    struct span origin;
    uint64_t size;
    struct digest root;
};

/* The text: origin, size, base64 root; extension lines are refused, we write none. */
bool checkpoint_parse(struct checkpoint *out, struct span text, struct err *e) ASSAY_MUST_CHECK;
void checkpoint_put(struct buf *out, const struct checkpoint *c);

#endif
