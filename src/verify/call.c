/*
 * A caller's receipt of a call: every entry from its intent to its outcome with its
 * proof, and what they hold in clear. The outcome says how many windows there are, so
 * that none can be left out unseen.
 */
#include <string.h>

#include "verify/verify.h"

enum { CALL_ENTRIES_MAX = 65536 };

struct call_check {
    struct verified *out;
    uint64_t intent, windows;
    size_t place; /* of the entry that is looked at */
    bool ended;
};

static uint64_t number(struct json body, const char *key)
{
    uint64_t n = 0;
    return json_u64(json_get(body, key), &n) ? n : 0;
}

/* Intent, windows from 0 without gaps, outcome; nothing else and nothing missing. */
static bool in_order(struct call_check *c, const struct verified *v, struct err *e)
{
    struct json body = v->record.body;
    enum record_kind kind = v->record.head.kind;
    if (c->place == 0) {
        c->intent = v->index;
        return kind == RECORD_CALL_INTENT ||
               err_set(e, ERR_INTEGRITY, "the receipt does not begin with a call's intent");
    }
    if (c->ended || (kind != RECORD_CALL_WINDOW && kind != RECORD_CALL_OUTCOME) ||
        number(body, "intent") != c->intent || v->index <= c->out->index)
        return err_set(e, ERR_INTEGRITY, "entry %llu does not follow in this call",
                       (unsigned long long)v->index);
    if (kind == RECORD_CALL_WINDOW)
        return number(body, "number") == c->windows++ ||
               err_set(e, ERR_INTEGRITY, "a window of the call before entry %llu is left out",
                       (unsigned long long)v->index);
    c->ended = true;
    return number(body, "windows") == c->windows ||
           err_set(e, ERR_INTEGRITY, "the call has %llu windows, and %llu are shown",
                   (unsigned long long)number(body, "windows"), (unsigned long long)c->windows);
}

static bool append(struct disclosed *to, struct span more, struct arena *a, struct err *e)
{
    if (more.n == 0)
        return true;
    uint8_t *joined = arena_alloc(a, to->content.n + more.n);
    if (!joined)
        return err_set(e, ERR_MEMORY, "out of memory for the content of a call");
    if (to->content.n)
        memcpy(joined, to->content.p, to->content.n);
    memcpy(joined + to->content.n, more.p, more.n);
    to->content = (struct span){joined, to->content.n + more.n};
    return true;
}

static bool join(struct verified *out, const struct verified *v, struct arena *a, struct err *e)
{
    for (size_t i = 0; i < v->field_count; i++) {
        size_t k = 0;
        while (k < out->field_count && !span_eq(out->fields[k].field, v->fields[i].field))
            k++;
        if (k == RECORD_MAX_FIELDS)
            return err_set(e, ERR_LIMIT, "the call has more than %d fields", RECORD_MAX_FIELDS);
        if (k == out->field_count)
            out->fields[out->field_count++] = (struct disclosed){v->fields[i].field, SPAN_EMPTY};
        if (!append(&out->fields[k], v->fields[i].content, a, e))
            return false;
    }
    return true;
}

static bool take_entry(struct call_check *c, struct json entry, const struct trust *t,
                       struct arena *a, struct err *e)
{
    static const char *const names[] = {"fields", "receipt", NULL};
    struct verified v;
    struct span receipt;
    if (!bundle_members(entry, names, e))
        return false;
    if (!json_string(json_get(entry, "receipt"), &receipt))
        return err_set(e, ERR_FORMAT, "an entry of the call holds no receipt");
    if (!verify_receipt(&v, receipt, t, a, e) ||
        !bundle_fields(&v, json_get(entry, "fields"), a, e) || !in_order(c, &v, e))
        return false;
    if (c->place && !span_eq(v.checkpoint.origin, c->out->checkpoint.origin))
        return err_set(e, ERR_INTEGRITY, "the entries of the call are of different logs");
    struct disclosed *fields = c->out->fields;
    size_t count = c->out->field_count;
    *c->out = v;
    c->out->fields = fields;
    c->out->field_count = count;
    c->place++;
    return join(c->out, &v, a, e);
}

bool verify_call(struct verified *out, struct json bundle, const struct trust *t, struct arena *a,
                 struct err *e)
{
    static const char *const names[] = {"bundle", "entries", NULL};
    struct call_check c = {.out = out};
    struct json entries = json_get(bundle, "entries");
    if (!bundle_members(bundle, names, e))
        return false;
    if (json_type(entries) != JSON_ARRAY || json_count(entries) > CALL_ENTRIES_MAX)
        return err_set(e, ERR_FORMAT, "entries is not a list of at most %d", CALL_ENTRIES_MAX);
    out->fields = arena_array(a, RECORD_MAX_FIELDS, sizeof *out->fields);
    if (!out->fields)
        return err_set(e, ERR_MEMORY, "out of memory for the content of a call");
    for (struct json v = json_first(entries); json_type(v); v = json_next(v))
        if (!take_entry(&c, v, t, a, e))
            return false;
    return c.ended || err_set(e, ERR_INTEGRITY, "the receipt ends before the call's outcome");
}
