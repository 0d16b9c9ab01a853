/* One entry of a log, as a screenful, a row or a JSON object. */
#include "cli/log_view.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "assay/base/text.h"
#include "cli/json_out.h"

enum {
    VIEW_DEPTH = 8,   /* objects within objects */
    VIEW_ITEMS = 20,  /* of one list; --json has all */
    VIEW_VALUE = 400, /* characters of one text */
    GIST_VALUE = 40
};

bool log_is_there(const char *folder, struct err *e)
{
    struct log_reader *r = NULL;
    bool ok = log_reader_open(&r, folder, e);
    log_reader_close(r);
    return ok;
}

bool entry_decode(struct record *out, uint64_t seq, struct span leaf, struct arena *a,
                  struct err *e)
{
    struct err why = ERR_INIT;
    if (!record_decode(out, leaf, a, &why))
        return err_set(e, why.code, "entry %" PRIu64 ": %s", seq, why.text);
    return out->head.seq == seq ||
           err_set(e, ERR_INTEGRITY, "entry %" PRIu64 " calls itself entry %" PRIu64, seq,
                   out->head.seq);
}

const char *show_time(char out[SHOW_TIME], uint64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm t;
    size_t n = gmtime_r(&seconds, &t) ? strftime(out, SHOW_TIME, "%Y-%m-%d %H:%M:%S", &t) : 0;
    if (n == 0)
        snprintf(out, SHOW_TIME, "%" PRIu64 " us", wall_us);
    else
        snprintf(out + n, SHOW_TIME - n, ".%06" PRIu64 "Z", wall_us % 1000000);
    return out;
}

/* ---- the gist ---- */

/* Members that say what an entry of a kind is about; "a.b" is b within a. */
static const char *const gists[RECORD_KINDS][3] = {
    [RECORD_GENESIS] = {"origin"},
    [RECORD_KEY] = {"new"},
    [RECORD_MODEL] = {"name", "architecture.family", "format"},
    [RECORD_DATASET] = {"name", "revision"},
    [RECORD_TRAINING] = {"phase", "model.name"},
    [RECORD_CALL_INTENT] = {"api", "model.name"},
    [RECORD_CALL_OUTCOME] = {"outcome", "model.name"},
    [RECORD_REPLAY] = {"result", "model.name"},
    [RECORD_CHECK] = {"result", "model.name", "policy_name"},
    [RECORD_REPORT] = {"framework", "model.name"},
    [RECORD_DISCLOSURE] = {"field", "recipient"},
    [RECORD_ERASURE] = {"scope", "basis"},
    [RECORD_CONFIG] = {"by", "reason"},
    [RECORD_START] = {"software"},
    [RECORD_STOP] = {"reason", "error"},
    [RECORD_HOLD] = {"action", "basis"},
    [RECORD_RESTORE] = {"reason"},
    [RECORD_REFUSED] = {NULL},
    [RECORD_CALL_WINDOW] = {NULL},
};

static struct json member(struct json body, const char *path)
{
    const char *dot = strchr(path, '.');
    if (!dot)
        return json_get(body, path);
    struct span outer = {(const uint8_t *)path, (size_t)(dot - path)};
    return json_get(json_get_span(body, outer), dot + 1);
}

const char *show_gist(char out[SHOW_SIZE], const struct record *r)
{
    size_t n = 0;
    char word[SHOW_SIZE];
    out[0] = '\0';
    for (size_t i = 0; i < 3 && gists[r->head.kind][i]; i++) {
        struct span s;
        if (!json_string(member(r->body, gists[r->head.kind][i]), &s) || s.n == 0)
            continue;
        show_text(word, s, GIST_VALUE);
        n += (size_t)snprintf(out + n, SHOW_SIZE - n, "%s%s", n ? ", " : "", word);
        if (n >= SHOW_SIZE)
            break;
    }
    return out;
}

/* ---- tables ---- */

void entry_table_start(struct table *t)
{
    table_init(t, "rlll", true);
    table_cell(t, "entry");
    table_cell(t, "time");
    table_cell(t, "kind");
    table_cell(t, "what");
}

void entry_table_row(struct table *t, const struct record *r)
{
    char when[SHOW_TIME], gist[SHOW_SIZE];
    table_cell(t, "%" PRIu64, r->head.seq);
    table_cell(t, "%s", show_time(when, r->head.wall_us));
    table_cell(t, "%s", record_kind_name(r->head.kind));
    table_cell(t, "%s", show_gist(gist, r));
}

/* ---- one entry in full ---- */

static const char *hex16(char out[33], const uint8_t *p)
{
    for (size_t i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", p[i]);
    return out;
}

static const char *scalar(char out[SHOW_SIZE], struct json v)
{
    struct span s;
    if (json_string(v, &s))
        return show_text(out, s, VIEW_VALUE);
    return show_text(out, json_text(v), VIEW_VALUE);
}

static bool is_nested(struct json v)
{
    return json_type(v) == JSON_OBJECT || json_type(v) == JSON_ARRAY;
}

/* "count 3, rule gguf.offset": an object of a list, on one line. */
static const char *one_line(char out[SHOW_SIZE], struct json v)
{
    size_t n = 0;
    if (json_type(v) != JSON_OBJECT)
        return scalar(out, v);
    out[0] = '\0';
    for (struct json m = json_first(v); json_type(m) && n < SHOW_SIZE; m = json_next(m)) {
        char key[SHOW_SIZE], value[SHOW_SIZE];
        show_text(key, json_key(m), SHOW_NAME);
        n += (size_t)snprintf(out + n, SHOW_SIZE - n, "%s%s %s", n ? ", " : "", key,
                              is_nested(m) ? "{...}" : scalar(value, m));
    }
    return out;
}

static void list(struct out *o, const char *label, struct json v)
{
    char text[SHOW_SIZE];
    size_t n = 0;
    if (json_count(v) == 0)
        out_field(o, label, "none");
    for (struct json m = json_first(v); json_type(m); m = json_next(m), n++) {
        if (n == VIEW_ITEMS) {
            out_field(o, "", "... and %zu more", json_count(v) - n);
            return;
        }
        out_field(o, n ? "" : label, "%s", one_line(text, m));
    }
}

static void members(struct out *o, const char *prefix, struct json v, unsigned depth)
{
    char key[SHOW_SIZE], label[2 * SHOW_SIZE], value[SHOW_SIZE];
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        show_text(key, json_key(m), SHOW_NAME);
        snprintf(label, sizeof label, "%s%s%s", prefix, prefix[0] ? "." : "", key);
        if (json_type(m) == JSON_OBJECT && depth < VIEW_DEPTH)
            members(o, key, m, depth + 1);
        else if (json_type(m) == JSON_ARRAY)
            list(o, label, m);
        else
            out_field(o, label, "%s", scalar(value, m));
    }
}

static void sealed(struct out *o, const struct record *r)
{
    char name[SHOW_SIZE], hex[DIGEST_HEX + 1];
    if (r->field_count == 0)
        return;
    out_heading(o, "Sealed content");
    for (size_t i = 0; i < r->field_count; i++) {
        const struct record_field *f = &r->fields[i];
        out_field(o, show_text(name, f->name, SHOW_NAME),
                  "%" PRIu64 " bytes of ciphertext, commitment %s", f->size,
                  digest_hex(hex, &f->commitment));
    }
}

void entry_text(struct out *o, const struct record *r, const struct digest *hash)
{
    char hex[DIGEST_HEX + 1], id[33], when[SHOW_TIME];
    const char *kind = record_kind_name(r->head.kind);
    out_printf(o, "Entry %" PRIu64 ": %s\n", r->head.seq, kind);
    out_field(o, "time", "%s", show_time(when, r->head.wall_us));
    out_field(o, "leaf hash", "%s", digest_hex(hex, hash));
    out_field(o, "id", "%s", hex16(id, r->head.id));
    if (r->head.has_subject)
        out_field(o, "subject", "%s", hex16(id, r->head.subject));
    out_heading(o, "Record");
    members(o, "", r->body, 0);
    sealed(o, r);
}

void entry_json(struct out *o, const struct record *r, const struct digest *hash, bool pretty)
{
    struct json_writer w;
    jo_start(&w, o, pretty);
    jo_head(&w, "assay.log-entry/1");
    jo_u64(&w, "entry", r->head.seq);
    jo_digest(&w, "leaf_hash", hash, true);
    jw_key(&w, "leaf");
    jw_raw(&w, r->leaf); /* decoded strictly before: canonical JSON on one line */
    jo_finish(&w, o);
}
