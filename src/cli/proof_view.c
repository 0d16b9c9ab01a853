/* The outcome of a verification, in words that claim no more than was computed. */
#include "cli/proof_view.h"

#include <inttypes.h>

#include "assay/base/text.h"
#include "cli/json_out.h"
#include "cli/log_view.h"

const char *evidence_name(enum evidence what)
{
    static const char *const names[] = {
        [EVIDENCE_RECEIPT] = "receipt",        [EVIDENCE_CHECKPOINT] = "checkpoint",
        [EVIDENCE_BUNDLE] = "disclosure",      [EVIDENCE_EXPORT] = "export",
        [EVIDENCE_CALL] = "receipt of a call", [EVIDENCE_LOG] = "log",
    };
    return names[what];
}

bool judged_signed(const struct judged *j)
{
    return j->v.signed_by_log;
}

static bool is_whole(const struct judged *j)
{
    return j->what == EVIDENCE_LOG || j->what == EVIDENCE_EXPORT;
}

static bool has_entry(const struct judged *j)
{
    return j->what == EVIDENCE_RECEIPT || j->what == EVIDENCE_BUNDLE || j->what == EVIDENCE_CALL;
}

/* ---- text ---- */

static void head(struct out *o, const struct judged *j)
{
    char path[SHOW_SIZE];
    show_text(path, span_str(j->path), SHOW_NAME);
    out_printf(o, "%s is %s %s: ", path, j->what == EVIDENCE_EXPORT ? "an" : "a",
               evidence_name(j->what));
    if (!judged_signed(j))
        out_style(o, STYLE_WARN, "consistent, and signed by nobody known");
    else
        out_style(o, STYLE_GOOD, j->v.pinned ? "verified" : "verified against its own key");
    out_put(o, "\n");
}

static void signature(struct out *o, const struct judged *j)
{
    struct buf key;
    char shown[SHOW_SIZE];
    if (!judged_signed(j)) {
        out_field_styled(o, STYLE_WARN, "signature", "not checked: no --key, no --policy");
        return;
    }
    buf_init(&key, 1 << 16);
    note_key_put(&key, &j->v.key);
    out_field(o, "signed by", "%s", show_text(shown, buf_span(&key), SHOW_SIZE));
    out_field_styled(o, j->v.pinned ? STYLE_PLAIN : STYLE_WARN, "key",
                     j->v.pinned ? "as you gave it, or descended from it"
                                 : "taken from the log itself: --key pins it");
    buf_free(&key);
}

static void witnesses(struct out *o, const struct judged *j)
{
    char when[SHOW_TIME];
    if (j->witnesses == 0)
        return;
    out_field(o, "witnesses", "%zu of %zu cosigned, %zu required", j->v.cosignatures, j->witnesses,
              j->required);
    if (j->v.cosignatures)
        out_field(o, "", "newest %s", show_time(when, j->v.newest_cosignature * 1000000));
}

static void entry(struct out *o, const struct judged *j)
{
    char gist[SHOW_SIZE], when[SHOW_TIME], hex[DIGEST_HEX + 1];
    const struct record *r = &j->v.record;
    struct digest hash = record_hash(r->leaf);
    show_gist(gist, r);
    out_field(o, "entry", "%" PRIu64 ", %s%s%s", j->v.index, record_kind_name(r->head.kind),
              gist[0] ? ": " : "", gist);
    out_field(o, "recorded", "%s by the clock of its machine", show_time(when, r->head.wall_us));
    out_field(o, "leaf hash", "%s", digest_hex(hex, &hash));
}

static void fields(struct out *o, const struct judged *j)
{
    char name[SHOW_SIZE], content[SHOW_SIZE];
    for (size_t i = 0; i < j->v.field_count; i++) {
        const struct disclosed *f = &j->v.fields[i];
        out_field(o, show_text(name, f->field, SHOW_NAME), "%zu bytes: %s", f->content.n,
                  show_text(content, f->content, 200));
    }
}

static void chain(struct out *o, const struct judged *j)
{
    const struct verified *v = &j->v;
    out_field(o, "recomputed", "%" PRIu64 " entries", v->leaves);
    if (v->checkpoints)
        out_field(o, "extends", "%" PRIu64 " older checkpoint%s", v->checkpoints,
                  v->checkpoints == 1 ? "" : "s");
    if (v->rotations)
        out_field(o, "key changes", "%" PRIu64 ", each signed by both keys", v->rotations);
    if (v->restores)
        out_field(o, "restores", "%" PRIu64 ": entries may be lost before each", v->restores);
    if (v->clock_back)
        out_field(o, "clock", "went back %" PRIu64 " times", v->clock_back);
    if (v->open_intents)
        out_field(o, "open calls", "%" PRIu64 " without an outcome", v->open_intents);
    if (v->stray_outcomes)
        out_field(o, "stray", "%" PRIu64 " outcomes of no open call", v->stray_outcomes);
    if (v->intents_overflowed)
        out_field(o, "calls", "more were open at once than are followed");
    if (j->unsigned_entries)
        out_field_styled(o, STYLE_WARN, "not covered",
                         "entries newer than the newest checkpoint: run this again");
}

static void shown(struct out *o, const struct judged *j)
{
    static const char *const proves[] = {
        [EVIDENCE_RECEIPT] = "The entry is in the tree that the checkpoint covers, byte for byte.",
        [EVIDENCE_CHECKPOINT] = "The checkpoint is well-formed and bears the signatures above.",
        [EVIDENCE_BUNDLE] =
            "The contents are what the entry has committed to since it was written.",
        [EVIDENCE_CALL] = "Every entry of the call is in the tree, none left out, and holds this.",
        [EVIDENCE_EXPORT] = "Every entry and every tile gives the root of the checkpoint.",
        [EVIDENCE_LOG] = "Every entry is in its place, and they give the root of the checkpoint.",
    };
    out_heading(o, "Shown");
    out_wrapped(o, 2, proves[j->what]);
    out_heading(o, "Not shown");
    if (!judged_signed(j))
        out_wrapped(o, 2, "Who signed: anybody can make this without the log's key. Give --key.");
    else if (!j->v.pinned)
        out_wrapped(o, 2,
                    "That the key is the log's: whoever rewrites a log can sign it anew. Give "
                    "--key.");
    if (j->v.cosignatures == 0)
        out_wrapped(o, 2,
                    is_whole(j) ? "That nobody was shown another history: no witness's "
                                  "cosignature was checked, and only older checkpoints and "
                                  "receipts that others hold can tell."
                                : "That nobody was shown another history: no witness's "
                                  "cosignature was checked.");
    out_wrapped(o, 2, "That what was recorded is true, and that nothing happened beside the log.");
}

void proof_text(struct out *o, const struct judged *j)
{
    char text[SHOW_SIZE], root[DIGEST_HEX + 1];
    head(o, j);
    out_field(o, "log", "%s", show_text(text, j->v.checkpoint.origin, SHOW_NAME));
    if (has_entry(j))
        entry(o, j);
    fields(o, j);
    out_field(o, "tree", "%" PRIu64 " entries", j->v.checkpoint.size);
    out_field(o, "root", "%s", digest_hex(root, &j->v.checkpoint.root));
    signature(o, j);
    witnesses(o, j);
    if (is_whole(j))
        chain(o, j);
    shown(o, j);
}

/* ---- JSON ---- */

static void json_fields(struct json_writer *w, const struct judged *j)
{
    jw_key(w, "fields");
    jw_array(w);
    for (size_t i = 0; i < j->v.field_count; i++) {
        jw_object(w);
        jo_span(w, "field", j->v.fields[i].field);
        jo_u64(w, "bytes", j->v.fields[i].content.n);
        jw_key(w, "content");
        jw_string(w, j->v.fields[i].content);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void json_chain(struct json_writer *w, const struct judged *j)
{
    const struct verified *v = &j->v;
    jo_u64(w, "recomputed", v->leaves);
    jo_u64(w, "older_checkpoints", v->checkpoints);
    jo_u64(w, "rotations", v->rotations);
    jo_u64(w, "restores", v->restores);
    jo_u64(w, "clock_back", v->clock_back);
    jo_u64(w, "open_intents", v->open_intents);
    jo_u64(w, "stray_outcomes", v->stray_outcomes);
    jo_bool(w, "intents_overflowed", v->intents_overflowed);
    jo_u64(w, "unsigned_entries", j->unsigned_entries);
}

void proof_json(struct out *o, const struct judged *j)
{
    struct json_writer w;
    jo_start(&w, o, true);
    jo_head(&w, "assay.verify/1");
    jo_str(&w, "path", j->path);
    jo_bool(&w, "consistent", true);
    jo_str(&w, "evidence", evidence_name(j->what));
    jo_span(&w, "origin", j->v.checkpoint.origin);
    jo_u64(&w, "size", j->v.checkpoint.size);
    jo_digest(&w, "root", &j->v.checkpoint.root, true);
    jo_bool(&w, "signed", judged_signed(j));
    jo_bool(&w, "pinned", j->v.pinned);
    jo_u64(&w, "cosignatures", j->v.cosignatures);
    jo_u64(&w, "witnesses_required", j->required);
    if (has_entry(j)) {
        struct digest hash = record_hash(j->v.record.leaf);
        jo_u64(&w, "entry", j->v.index);
        jo_digest(&w, "leaf_hash", &hash, true);
        jw_key(&w, "leaf");
        jw_raw(&w, j->v.record.leaf);
    }
    if (j->what == EVIDENCE_BUNDLE || j->what == EVIDENCE_CALL)
        json_fields(&w, j);
    if (is_whole(j))
        json_chain(&w, j);
    jo_finish(&w, o);
}

void proof_refused_json(struct out *o, const char *path, const struct err *e)
{
    struct json_writer w;
    jo_start(&w, o, true);
    jo_head(&w, "assay.verify/1");
    jo_str(&w, "path", path);
    jo_bool(&w, "consistent", false);
    jw_key(&w, "error");
    jw_object(&w);
    jo_str(&w, "code", err_name(e->code));
    jo_str(&w, "text", e->text);
    jw_end_object(&w);
    jo_finish(&w, o);
}
