/*
 * Records: the only producer of the bytes that are hashed.
 *
 * A leaf is one JSON object on one line without a line end, canonical as
 * RFC 8785 (JCS) has it: members sorted bytewise, no spaces, strings escaped
 * only where they must be, UTF-8; and narrower: integers within +-(2^53-1), no
 * other numbers, no null, at most RECORD_MAX bytes. The stored bytes are the
 * hashed bytes; nobody re-serialises. The envelope:
 *
 *   {"assay":1,"boot_id":HEX,"boot_us":N,"id":HEX,"kind":"call-outcome",
 *    "record":{the kind's own members},
 *    "sealed":[{"ciphertext":HEX,"commitment":HEX,"field":"prompt","size":N}],
 *    "seq":N,"subject":HEX,"wall_us":N}
 *
 * `sealed` and `subject` are absent when there are none. docs/log-format.md has
 * every kind, member and test vectors; schema/records/KIND.schema.json the same
 * for machines; src/record/kinds.c is the table that both follow.
 */
#ifndef ASSAY_RECORD_H
#define ASSAY_RECORD_H

#include "assay/base/json.h"
#include "assay/digest.h"

enum {
    RECORD_MAX = 65535,
    RECORD_VERSION = 1,
    RECORD_MAX_FIELDS = 64,    /* sealed fields of one record */
    RECORD_MAX_FIELD_NAME = 64 /* bytes of [a-z0-9._-] */
};

#define RECORD_MAX_INTEGER ((UINT64_C(1) << 53) - 1)

enum record_kind {
    RECORD_GENESIS,
    RECORD_KEY,
    RECORD_MODEL,
    RECORD_DATASET,
    RECORD_TRAINING,
    RECORD_CALL_INTENT,
    RECORD_CALL_OUTCOME,
    RECORD_REPLAY,
    RECORD_CHECK,
    RECORD_REPORT,
    RECORD_DISCLOSURE,
    RECORD_ERASURE,
    RECORD_CONFIG,
    RECORD_START,
    RECORD_STOP,
    RECORD_HOLD,
    RECORD_RESTORE,
    RECORD_REFUSED,     /* requests refused before they were calls, counted */
    RECORD_CALL_WINDOW, /* a part of a call's content, between intent and outcome */
    RECORD_KINDS
};

const char *record_kind_name(enum record_kind k);               /* "call-intent" */
bool record_kind_from(struct span name, enum record_kind *out); /* false when unknown */
/* Does some kind end with this word, as its outcome or result: "complete", "mismatch"? */
bool record_is_outcome(struct span word);

/* What every leaf carries beside its kind's own members (in "body"). */
struct record_head {
    enum record_kind kind;
    uint64_t seq;        /* index in the tree, 0-based */
    uint8_t id[16];      /* random, hex in the leaf */
    uint64_t wall_us;    /* microseconds since 1970 */
    uint64_t boot_us;    /* microseconds of CLOCK_BOOTTIME */
    uint8_t boot_id[16]; /* of this boot of the machine, hashed with the origin */
    bool has_subject;
    uint8_t subject[16]; /* pseudonym */
};

/* One sealed field as the leaf shows it; same as struct sealed_field of seal.h. */
struct record_field {
    struct span name;
    struct digest commitment, ciphertext;
    uint64_t size;
};

struct record {
    struct record_head head;
    struct json body; /* the kind's own members */
    struct record_field *fields;
    size_t field_count;
    struct span leaf; /* the bytes it was read from, borrowed */
};

/*
 * Encode, appending to `leaf`. `body` is the kind's members as any valid JSON
 * object text (what jw_* wrote), in any order; it is made canonical and checked
 * against the kind's table of members (name, type, required). Fields may come
 * in any order; the leaf has them sorted by name. Pure: same arguments, same bytes.
 */
bool record_encode(struct buf *leaf, const struct record_head *h, struct span body,
                   const struct record_field *fields, size_t field_count,
                   struct err *e) ASSAY_MUST_CHECK;
/*
 * Decode strictly: refuses what record_encode would not have written byte for
 * byte. A kind, member or version from a newer program is ERR_UNSUPPORTED, said
 * by name. Borrowed from `leaf` and `a`.
 */
bool record_decode(struct record *out, struct span leaf, struct arena *a,
                   struct err *e) ASSAY_MUST_CHECK;
/*
 * The same law without memory, for whoever reads millions: the head and where
 * the kind's members stand in the leaf. `body` may be NULL.
 */
bool record_check(struct record_head *out, struct span *body, struct span leaf,
                  struct err *e) ASSAY_MUST_CHECK;
/*
 * What both keys sign when a log's key changes, appended: the origin, the index
 * of the key leaf and both verifier keys, a line each after the domain's.
 */
void record_key_message(struct buf *out, struct span origin, uint64_t seq, struct span old_key,
                        struct span new_key);
/*
 * The chain over what is durable of a call, docs/log-format.md, "Calls": it begins with the
 * leaf hash of the intent, and each window makes SHA-256("assay/call-prefix/v1\0" ||
 * chain || leaf hash of the window) of it.
 */
void record_prefix_add(struct digest *chain, const struct digest *window);
/* RFC 9162 leaf hash. */
struct digest record_hash(struct span leaf);

#endif
