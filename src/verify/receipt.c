/*
 * C2SP tlog-proof: an entry's index, its inclusion proof and the checkpoint that
 * it leads to. Our `extra` carries the leaf's bytes: they need no signature of
 * their own, because the proof begins with their hash.
 */
#include "assay/verify.h"

#include <string.h>

#include "assay/base/text.h"
#include "verify/verify.h"

struct receipt {
    struct span leaf;
    uint64_t index;
    struct proof proof;
    struct span note;
};

static bool read_hash(struct proof *p, struct span line, struct arena *a, struct err *e)
{
    struct span raw;
    if (p->count == PROOF_MAX)
        return err_set(e, ERR_LIMIT, "an inclusion proof has at most %d hashes", PROOF_MAX);
    if (!base64_decode(line, a, &raw) || raw.n != DIGEST_SIZE)
        return err_set(e, ERR_FORMAT, "hash %zu of the proof is not the base64 of %d bytes",
                       p->count, DIGEST_SIZE);
    memcpy(p->hash[p->count++].b, raw.p, DIGEST_SIZE);
    return true;
}

static bool read_index(uint64_t *out, struct span text, struct err *e)
{
    bool leading = text.n > 1 && text.p[0] == '0';
    return (!leading && text_u64(text, out)) ||
           err_set(e, ERR_FORMAT, "the receipt's index is not a plain decimal number");
}

static bool read_leaf(struct span *out, struct span text, struct arena *a, struct err *e)
{
    return (base64_decode(text, a, out) && out->n <= RECORD_MAX) ||
           err_set(e, ERR_FORMAT, "the receipt's extra is not the base64 of at most %d bytes",
                   RECORD_MAX);
}

static bool read_receipt(struct receipt *out, struct span rest, struct arena *a, struct err *e)
{
    struct span line, text;
    *out = (struct receipt){.index = 0};
    if (rest.n > RECEIPT_MAX)
        return err_set(e, ERR_LIMIT, "a receipt has at most %d bytes", RECEIPT_MAX);
    if (!take_line(&rest, &line) || !span_is(line, "c2sp.org/tlog-proof@v1"))
        return err_set(e, ERR_FORMAT, "not a receipt; expected the line c2sp.org/tlog-proof@v1");
    if (!take_line(&rest, &line) || !line_after(line, "extra ", &text))
        return err_set(e, ERR_FORMAT, "expected the line: extra BASE64, the bytes of the leaf");
    if (!read_leaf(&out->leaf, text, a, e))
        return false;
    if (!take_line(&rest, &line) || !line_after(line, "index ", &text))
        return err_set(e, ERR_FORMAT, "expected the line: index NUMBER");
    if (!read_index(&out->index, text, e))
        return false;
    while (take_line(&rest, &line)) {
        if (line.n == 0) {
            out->note = rest;
            return true;
        }
        if (!read_hash(&out->proof, line, a, e))
            return false;
    }
    return err_set(e, ERR_FORMAT, "the receipt ends before its checkpoint");
}

bool verify_receipt(struct verified *out, struct span receipt, const struct trust *t,
                    struct arena *a, struct err *e)
{
    struct receipt r;
    *out = (struct verified){.pinned = false};
    if (!read_receipt(&r, receipt, a, e) || !verify_checkpoint(out, r.note, t, a, e))
        return false;
    out->index = r.index;
    if (r.index >= out->checkpoint.size)
        return err_set(e, ERR_INTEGRITY, "entry %llu is beyond the %llu that the checkpoint covers",
                       (unsigned long long)r.index, (unsigned long long)out->checkpoint.size);
    struct digest leaf = record_hash(r.leaf);
    if (!proof_inclusion_ok(&leaf, r.index, out->checkpoint.size, &out->checkpoint.root, &r.proof))
        return err_set(e, ERR_INTEGRITY,
                       "the proof does not lead from the leaf, as entry %llu, to the checkpoint",
                       (unsigned long long)r.index);
    if (!record_decode(&out->record, r.leaf, a, e))
        return false;
    return out->record.head.seq == r.index ||
           err_set(e, ERR_INTEGRITY, "the leaf says it is entry %llu, and it stands at %llu",
                   (unsigned long long)out->record.head.seq, (unsigned long long)r.index);
}
