/* What check asks of a log, and the entry that it leaves there. */
#include "cli/check_view.h"
#include "cli/json_out.h"

#include "assay/log.h"

enum { ENTRY_ARENA = 16 << 20, BODY_MAX = 1 << 20, TEXT_MAX = 400, WAIVERS_MAX = 100 };

struct search {
    const struct identity *identity;
    struct check_enrolment *out;
    struct err *e;
    bool ok;
};

static bool is_root(struct json v, bool known, const struct digest *d)
{
    struct span hex;
    struct digest have;
    return known && json_string(v, &hex) && digest_from_hex(&have, hex) && digest_eq(&have, d);
}

static void look(struct search *s, struct json body)
{
    const struct identity *i = s->identity;
    struct span source;
    if (!is_root(json_get(body, "manifest_root"), i->has_manifest_root, &i->manifest_root) &&
        !is_root(json_get(body, "tensor_root"), i->has_tensor_root, &i->tensor_root))
        return;
    s->out->enrolled = true;
    if (json_string(json_get(body, "source"), &source) && source.n)
        s->out->source = true;
}

static bool visit(void *arg, uint64_t seq, struct span leaf)
{
    struct search *s = arg;
    struct record_head head;
    struct record r;
    (void)seq;
    if (!record_check(&head, NULL, leaf, s->e))
        return s->ok = false;
    if (head.kind != RECORD_MODEL)
        return true;
    struct arena *a = arena_new(ENTRY_ARENA);
    s->ok = a ? record_decode(&r, leaf, a, s->e) : err_set(s->e, ERR_MEMORY, "out of memory");
    if (s->ok)
        look(s, r.body);
    arena_free(a);
    return s->ok && !s->out->source;
}

bool check_enrolment(struct check_enrolment *out, const char *folder, const struct identity *i,
                     struct err *e)
{
    struct log_reader *r = NULL;
    static const struct identity none;
    struct search s = {i ? i : &none, out, e, true};
    *out = (struct check_enrolment){.asked = true};
    bool ok = log_reader_open(&r, folder, e) && log_reader_walk(r, 0, visit, &s, e) && s.ok;
    log_reader_close(r);
    return ok;
}

/* ---- the entry ---- */

static struct span cut(struct span s)
{
    size_t n = s.n < TEXT_MAX ? s.n : TEXT_MAX;
    while (n && n < s.n && (s.p[n] & 0xC0) == 0x80)
        n--;
    return span_sub(s, 0, n);
}

static void put_text(struct json_writer *w, const char *key, struct span s)
{
    jw_key(w, key);
    jw_string(w, cut(s));
}

static void put_model(struct json_writer *w, const struct subject *s)
{
    const struct identity *d = &s->identity;
    const struct {
        const char *key;
        const struct digest *digest;
        bool known;
    } roots[] = {{"architecture", &d->architecture, d->has_architecture},
                 {"manifest_root", &d->manifest_root, d->has_manifest_root},
                 {"template", &d->chat_template, d->has_template},
                 {"tensor_root", &d->tensor_root, d->has_tensor_root},
                 {"tokenizer", &d->tokenizer, d->has_tokenizer}};
    jw_key(w, "model");
    jw_object(w);
    put_text(w, "name", s->has_facts && s->facts.name.n ? s->facts.name : span_str(s->model->path));
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (s->has_identity && roots[i].known)
            jo_digest(w, roots[i].key, roots[i].digest, true);
    jw_end_object(w);
}

static bool uses(const struct check *c, const struct waiver *x)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].waiver == x)
            return true;
    return false;
}

static void put_waivers(struct json_writer *w, const struct check *c)
{
    const struct policy *p = c->in->policy;
    size_t written = 0;
    if (c->totals[JUDGED_WAIVED] + c->totals[JUDGED_EXPIRED] == 0)
        return;
    jw_key(w, "waivers");
    jw_array(w);
    for (size_t i = 0; i < p->waiver_count && written < WAIVERS_MAX; i++) {
        const struct waiver *x = &p->waivers[i];
        if (!uses(c, x))
            continue;
        written++;
        jw_object(w);
        put_text(w, "approver", x->approver);
        put_text(w, "expires", x->expires_text);
        put_text(w, "id", x->id);
        put_text(w, "rule", x->rule);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_body(struct buf *out, const struct checked *c)
{
    const struct check *k = &c->check;
    const struct policy *p = k->in->policy;
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    jo_bool(&w, "complete", k->complete);
    jo_finding_counts(&w, &c->s.model->verdict);
    put_model(&w, &c->s);
    if (p->file)
        jo_digest(&w, "policy", &p->digest, true);
    put_text(&w, "policy_name", p->name);
    jo_str(&w, "result", check_result_name(check_result(k)));
    jo_str(&w, "software", "assay " ASSAY_VERSION);
    jo_u64(&w, "waived", k->totals[JUDGED_WAIVED]);
    put_waivers(&w, k);
    jw_end_object(&w);
}

bool check_record(const char *folder, const struct key_args *keys, const struct checked *c,
                  struct err *e)
{
    struct log_paths paths = {keys->key, keys->operator_key};
    struct log_receipt receipt = {.ok = false};
    struct log *l = NULL;
    struct buf body;
    buf_init(&body, BODY_MAX);
    put_body(&body, c);
    struct log_entry entry = {.kind = RECORD_CHECK, .body = buf_span(&body)};
    bool ok = (buf_ok(&body) || err_set(e, ERR_MEMORY, "out of memory for the entry")) &&
              log_open(&l, folder, &paths, e) && log_append(l, &entry, &receipt, e);
    log_close(l);
    buf_free(&body);
    return ok;
}
