/*
 * The canonical text of a claim and the commitment to it. Members stand in
 * bytewise order and everything is a string, so that any JSON library can write
 * the same bytes again (Python: sort_keys, no spaces, ensure_ascii=False).
 */
#include <string.h>

#include "report/put.h"

static void put_texts(struct json_writer *w, const char *key, const char *const *list, size_t n)
{
    if (n == 0)
        return;
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < n; i++)
        jw_str(w, list[i]);
    jw_end_array(w);
}

static void put_sources(struct json_writer *w, const struct claim *c)
{
    if (c->source_count == 0)
        return;
    jw_key(w, "sources");
    jw_array(w);
    for (size_t i = 0; i < c->source_count; i++) {
        const struct claim_source *s = &c->sources[i];
        jw_object(w);
        put_str(w, "path", s->path);
        put_str(w, "place", s->place);
        put_str(w, "says", s->says);
        if (s->has_digest)
            put_hex(w, "sha256", &s->digest);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_subject(struct json_writer *w, const struct claim *c)
{
    if (!c->subject)
        return;
    jw_key(w, "subject");
    jw_object(w);
    if (c->has_subject_digest)
        put_hex(w, "digest", &c->subject_digest);
    put_str(w, "name", c->subject);
    jw_end_object(w);
}

static void put_claim(struct json_writer *w, const struct claims *s, const struct claim *c)
{
    jw_object(w);
    put_str(w, "about", c->about);
    put_str(w, "covers", c->covers);
    put_texts(w, "counter_evidence", c->counter, c->counter_count);
    put_texts(w, "evidence", c->evidence, c->evidence_count);
    put_str(w, "expires", c->expires);
    put_str(w, "id", c->id);
    put_str(w, "observed", c->observed);
    put_str(w, "observed_at", s->observed_at);
    put_str(w, "property", c->property);
    put_str(w, "reason", c->reason);
    put_texts(w, "requirements", c->requirements, c->requirement_count);
    put_str(w, "rule", c->rule);
    put_sources(w, c);
    put_str(w, "status", claim_status_name(c->status));
    put_subject(w, c);
    put_str(w, "title", c->title);
    put_str(w, "tolerance", c->tolerance);
    put_str(w, "unit", c->unit);
    put_str(w, "value", c->value);
    put_str(w, "waiver", c->waiver);
    jw_end_object(w);
}

bool claims_seal(struct claims *s, struct err *e)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, EVIDENCE_MAX_TEXT);
    bool ok = !s->failed;
    for (size_t i = 0; ok && i < s->count; i++) {
        buf_clear(&text);
        jw_init(&w, json_sink_buf, &text, false);
        put_claim(&w, s, s->claim[i]);
        s->claim[i]->text = arena_span(s->arena, buf_span(&text));
        ok = buf_ok(&text) && !w.failed && s->claim[i]->text.p;
    }
    buf_free(&text);
    return ok || err_set(e, ERR_LIMIT, "the claims of a report take more than there is room for");
}

void claim_salt(uint8_t salt[SEAL_SALT], const struct digest *secret, uint64_t index)
{
    static const char domain[] = "assay/claim-salt/v1";
    uint8_t message[sizeof domain + DIGEST_SIZE + 8];
    memcpy(message, domain, sizeof domain);
    memcpy(message + sizeof domain, secret->b, DIGEST_SIZE);
    store_u64be(message + sizeof domain + DIGEST_SIZE, index);
    struct digest d = sha256_of((struct span){message, sizeof message});
    memcpy(salt, d.b, SEAL_SALT);
}

void claim_commit(struct digest *out, const uint8_t salt[SEAL_SALT], struct span text)
{
    seal_commit(out, span_str("claim"), salt, text);
}
