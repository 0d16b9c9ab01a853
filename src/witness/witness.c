/*
 * The client's half of C2SP tlog-witness: build an add-checkpoint request,
 * judge the answer by its status, and let through only cosignatures that
 * verify. Nothing here is believed because a witness said it, except the size
 * it claims to hold, which only chooses the proof of one repetition.
 */
#include "assay/witness.h"

#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/net.h"

enum { ARENA = 8 << 20 }; /* a parsed note of the largest accepted size, and its lines */

/* What every exchange starts from. */
struct request {
    const struct witness *w;
    struct span note;
    struct note parsed;
    struct checkpoint checkpoint;
    struct arena *arena;
};

static const char *const names[WITNESS_OUTCOMES] = {
    [WITNESS_COSIGNED] = "cosigned",   [WITNESS_CONFLICT] = "conflict",
    [WITNESS_AHEAD] = "ahead",         [WITNESS_FORKED] = "forked",
    [WITNESS_UNKNOWN] = "unknown-log", [WITNESS_UNTRUSTED] = "untrusted-key",
    [WITNESS_MALFORMED] = "malformed", [WITNESS_BUSY] = "busy",
    [WITNESS_INVALID] = "invalid",     [WITNESS_UNREACHED] = "unreached",
    [WITNESS_NOT_ASKED] = "not-asked",
};

const char *witness_outcome_name(enum witness_outcome outcome)
{
    return outcome < WITNESS_OUTCOMES ? names[outcome] : "?";
}

void witness_answer_free(struct witness_answer *a)
{
    buf_free(&a->lines);
}

static void start(struct witness_answer *out)
{
    *out = (struct witness_answer){.outcome = WITNESS_NOT_ASKED};
    buf_init(&out->lines, WITNESS_ANSWER_MAX);
}

/* Set the outcome and fail in the witness's name. */
static bool refuse(struct witness_answer *out, const struct witness *w,
                   enum witness_outcome outcome, enum err_code code, const char *text,
                   struct err *e)
{
    char url[160];
    out->outcome = outcome;
    return err_set(e, code, "witness %s: %s", text_shown(url, sizeof url, span_str(w->url)), text);
}

/* ---- the request ---- */

static bool prepare(struct request *q, struct witness_answer *out, const struct witness *w,
                    struct span note, struct err *e)
{
    *q = (struct request){.w = w, .note = note};
    start(out);
    if (w->key->type != NOTE_COSIGNATURE)
        return refuse(out, w, WITNESS_NOT_ASKED, ERR_CONFIG,
                      "its verifier key is not for cosignatures (type 0x04)", e);
    q->arena = arena_new(ARENA);
    if (!q->arena)
        return refuse(out, w, WITNESS_NOT_ASKED, ERR_MEMORY, "out of memory", e);
    return note_parse(&q->parsed, note, q->arena, e) &&
           checkpoint_parse(&q->checkpoint, q->parsed.text, e);
}

/* "old <size>", the proof a hash a line, an empty line, the checkpoint. */
static bool put_request(struct buf *out, const struct request *q, uint64_t old_size,
                        const struct proof *p)
{
    buf_printf(out, "old %llu\n", (unsigned long long)old_size);
    for (size_t i = 0; i < p->count; i++) {
        base64_put(out, (struct span){p->hash[i].b, DIGEST_SIZE});
        buf_put_u8(out, '\n');
    }
    buf_put_u8(out, '\n');
    buf_put_span(out, q->note);
    return buf_ok(out);
}

/* ---- the answers ---- */

static bool same_key(const struct note_line *l, const struct note_key *k)
{
    return l->id == k->id && span_eq(l->name, k->name);
}

/* "— name base64(key id || time and signature)" */
static void put_line(struct buf *out, const struct note_line *l)
{
    struct buf raw;
    buf_init(&raw, 4 + l->signature.n);
    for (unsigned shift = 32; shift; shift -= 8)
        buf_put_u8(&raw, (uint8_t)(l->id >> (shift - 8)));
    buf_put_span(&raw, l->signature);
    buf_put_str(out, "\xE2\x80\x94 ");
    buf_put_span(out, l->name);
    buf_put_u8(out, ' ');
    base64_put(out, buf_span(&raw));
    buf_put_u8(out, '\n');
    out->failed = out->failed || !buf_ok(&raw);
    buf_free(&raw);
}

/*
 * 200: "the client MAY concatenate it to the checkpoint, and use a note
 * verification function". The text stands alone before the answer, so that
 * lines of the checkpoint are never taken for the witness's.
 */
static bool on_cosigned(const struct request *q, struct witness_answer *out, struct span body,
                        struct err *e)
{
    struct note n = {SPAN_EMPTY, NULL, 0};
    struct buf whole;
    struct err why = ERR_INIT;
    bool valid = false;
    const char *fault = NULL;
    buf_init(&whole, q->parsed.text.n + 1 + body.n);
    buf_put_span(&whole, q->parsed.text);
    buf_put_u8(&whole, '\n');
    buf_put_span(&whole, body);
    if (!buf_ok(&whole))
        fault = "out of memory";
    else if (!note_parse(&n, buf_span(&whole), q->arena, &why) || n.text.n != q->parsed.text.n)
        fault = "its answer is not a list of signature lines; check the URL";
    else if (!note_verify(&n, q->w->key, 1, &valid, &out->time, &why))
        fault = "the cosignature in its answer does not verify under its key over this checkpoint";
    else if (!valid)
        fault = "its answer holds no cosignature by the expected key; check the witness's "
                "verifier key";
    else if (out->time == 0)
        fault = "its cosignature carries no time";
    for (size_t i = 0; !fault && i < n.count; i++)
        if (same_key(&n.lines[i], q->w->key))
            put_line(&out->lines, &n.lines[i]);
    buf_free(&whole);
    if (!fault && !buf_ok(&out->lines))
        fault = "out of memory";
    out->outcome = WITNESS_COSIGNED;
    return !fault || refuse(out, q->w, WITNESS_INVALID, ERR_INTEGRITY, fault, e);
}

/* The size of a 409: decimal and one LF, as text/x.tlog.size. */
static bool conflict_size(const struct net_response *r, uint64_t *size)
{
    static const char type[] = "text/x.tlog.size";
    struct span body = buf_span(&r->body), sent = span_str(r->content_type);
    bool typed = span_is(sent, type) || span_starts(sent, "text/x.tlog.size;");
    if (!typed || !span_ends(body, "\n") || (body.n > 2 && body.p[0] == '0'))
        return false;
    return text_u64(span_sub(body, 0, body.n - 1), size);
}

static bool on_conflict(const struct request *q, struct witness_answer *out, uint64_t old_size,
                        const struct net_response *r, struct err *e)
{
    char text[256];
    uint64_t size = q->checkpoint.size;
    /* "If the old size matches the checkpoint size, ... root hashes ... don't match ... 409",
     * with or without a size. */
    bool sized = conflict_size(r, &out->size);
    if (old_size == size && (!sized || out->size == size))
        return refuse(out, q->w, WITNESS_FORKED, ERR_INTEGRITY,
                      "it cosigned another root for this very size: two histories exist under "
                      "this log's name; keep both and find out which is true",
                      e);
    if (!sized || out->size == old_size)
        return refuse(out, q->w, WITNESS_INVALID, ERR_FORMAT,
                      "it answered 409 without the size that it holds (text/x.tlog.size)", e);
    if (out->size > size) {
        snprintf(text, sizeof text,
                 "it cosigned %llu entries and this checkpoint has %llu: this log was rolled "
                 "back, or another copy of it is running",
                 (unsigned long long)out->size, (unsigned long long)size);
        return refuse(out, q->w, WITNESS_AHEAD, ERR_INTEGRITY, text, e);
    }
    snprintf(text, sizeof text, "it holds size %llu, not %llu; submit again from there",
             (unsigned long long)out->size, (unsigned long long)old_size);
    return refuse(out, q->w, WITNESS_CONFLICT, ERR_IO, text, e);
}

static const struct {
    unsigned status;
    enum witness_outcome outcome;
    enum err_code code;
    const char *text;
} refusals[] = {
    {400, WITNESS_MALFORMED, ERR_FORMAT, "400: it could not read the request"},
    {403, WITNESS_UNTRUSTED, ERR_CONFIG,
     "403: it trusts no key that signed the checkpoint; give its operator this log's verifier "
     "key"},
    {404, WITNESS_UNKNOWN, ERR_CONFIG,
     "404: it does not know this log; check the URL, and give its operator this log's origin and "
     "verifier key"},
    {422, WITNESS_FORKED, ERR_INTEGRITY,
     "422: it finds no consistency between what it cosigned before and this checkpoint; history "
     "was rewritten, here or there"},
    {408, WITNESS_BUSY, ERR_IO, "408: it waited too long; try again later"},
    {429, WITNESS_BUSY, ERR_IO, "429: too many requests; try again later"},
};

static bool judge(const struct request *q, struct witness_answer *out, uint64_t old_size,
                  const struct net_response *r, struct err *e)
{
    char text[128];
    out->status = r->status;
    if (r->status == 200)
        return on_cosigned(q, out, buf_span(&r->body), e);
    if (r->status == 409)
        return on_conflict(q, out, old_size, r, e);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (refusals[i].status == r->status)
            return refuse(out, q->w, refusals[i].outcome, refusals[i].code, refusals[i].text, e);
    bool busy = r->status >= 500;
    bool moved = r->status >= 300 && r->status < 400;
    snprintf(text, sizeof text, "%u: %s", r->status,
             busy    ? "it has a fault of its own; try again later"
             : moved ? "it moved; use the URL that it moved to"
                     : "not an answer of this protocol; check the URL");
    return refuse(out, q->w, busy ? WITNESS_BUSY : WITNESS_INVALID, busy ? ERR_IO : ERR_FORMAT,
                  text, e);
}

static bool exchange(const struct request *q, struct witness_answer *out, uint64_t old_size,
                     const struct proof *proof, struct err *e)
{
    struct buf body, url;
    struct net_response response;
    bool ok = false;
    buf_init(&body, WITNESS_REQUEST_MAX);
    buf_init(&url, NET_URL_MAX + 1);
    size_t length = strlen(q->w->url);
    while (length && q->w->url[length - 1] == '/')
        length--;
    buf_put(&url, q->w->url, length);
    buf_put_str(&url, "/add-checkpoint");
    if (proof->count > WITNESS_PROOF_MAX || !put_request(&body, q, old_size, proof) ||
        !buf_ok(&url)) {
        refuse(out, q->w, WITNESS_NOT_ASKED, ERR_LIMIT,
               "the request exceeds what a witness must read", e);
    } else {
        struct net_request request = {.url = buf_cstr(&url),
                                      .post = true,
                                      .body = buf_span(&body),
                                      .content_type = "text/plain; charset=utf-8",
                                      .answer_max = WITNESS_ANSWER_MAX,
                                      .timeout_ms = q->w->timeout_ms,
                                      .ca_file = q->w->ca_file};
        struct err why = ERR_INIT;
        if (net_fetch(&response, &request, &why)) {
            ok = judge(q, out, old_size, &response, e);
        } else {
            out->outcome = why.code == ERR_LIMIT   ? WITNESS_INVALID
                           : why.code == ERR_USAGE ? WITNESS_NOT_ASKED
                                                   : WITNESS_UNREACHED;
            err_set(e, why.code, "witness %s", why.text);
        }
        net_response_free(&response);
    }
    buf_free(&url);
    buf_free(&body);
    return ok;
}

static bool old_size_ok(const struct request *q, struct witness_answer *out, uint64_t old_size,
                        struct err *e)
{
    if (old_size <= q->checkpoint.size)
        return true;
    char text[200];
    out->size = old_size;
    snprintf(text, sizeof text,
             "it is known to have cosigned %llu entries and this checkpoint has %llu: this log "
             "was rolled back",
             (unsigned long long)old_size, (unsigned long long)q->checkpoint.size);
    return refuse(out, q->w, WITNESS_AHEAD, ERR_INTEGRITY, text, e);
}

bool witness_submit(struct witness_answer *out, const struct witness *w, uint64_t old_size,
                    const struct proof *proof, struct span checkpoint, struct err *e)
{
    struct request q;
    bool ok = prepare(&q, out, w, checkpoint, e) && old_size_ok(&q, out, old_size, e) &&
              exchange(&q, out, old_size, proof, e);
    arena_free(q.arena);
    return ok;
}

/* ---- with the log's own tree ---- */

static bool cosign_from(const struct request *q, struct witness_answer *out, uint64_t old_size,
                        const struct hash_reader *tree, struct err *e)
{
    struct proof proof = {.count = 0};
    out->outcome = WITNESS_NOT_ASKED;
    bool needed = old_size > 0 && old_size < q->checkpoint.size;
    if (needed && !proof_consistency(&proof, old_size, q->checkpoint.size, tree, e))
        return false;
    return exchange(q, out, old_size, &proof, e);
}

/* A witness must not be shown a checkpoint that our own tree does not bear out. */
static bool tree_ok(const struct request *q, struct witness_answer *out,
                    const struct hash_reader *tree, struct err *e)
{
    struct digest root;
    if (!proof_root(&root, q->checkpoint.size, tree, e))
        return false;
    return digest_eq(&root, &q->checkpoint.root) ||
           refuse(out, q->w, WITNESS_NOT_ASKED, ERR_INTEGRITY,
                  "not asked: the log's tree does not have the root of its checkpoint", e);
}

bool witness_cosign(struct witness_answer *out, const struct witness *w, uint64_t old_size,
                    struct span checkpoint, const struct hash_reader *tree, struct err *e)
{
    struct request q;
    struct err first = ERR_INIT;
    bool ok = prepare(&q, out, w, checkpoint, e) && old_size_ok(&q, out, old_size, e) &&
              tree_ok(&q, out, tree, e);
    if (ok && !cosign_from(&q, out, old_size, tree, &first)) {
        bool again = out->outcome == WITNESS_CONFLICT;
        ok = again ? cosign_from(&q, out, out->size, tree, e)
                   : err_at(e, first.code, first.file, first.offset, "%s", first.text);
    }
    arena_free(q.arena);
    return ok;
}
