/*
 * A call as its entries tell it: the intent and the outcome that name each
 * other, the windows between, and the sealed content under each name put
 * together in their order (docs/log-format.md, "Windows").
 */
#include "replay/replay.h"

#include <string.h>

enum { RECORDED_MAX = 512 << 20, CONTENT_MAX = 256 << 20, ANSWERS_MAX = 4096 };

static bool leaf_at(const struct recorded *c, struct log_reader *r, uint64_t seq,
                    struct record *out, struct err *e)
{
    struct span leaf;
    return log_reader_leaf(r, seq, c->arena, &leaf, e) && record_decode(out, leaf, c->arena, e);
}

struct search {
    uint64_t intent, outcome;
    bool found;
    struct arena *arena;
};

static bool is_outcome_of(void *arg, uint64_t seq, struct span leaf)
{
    struct search *s = arg;
    struct err e = ERR_INIT;
    struct record rec;
    uint64_t intent;
    struct record_head head;
    if (!record_check(&head, NULL, leaf, &e) || head.kind != RECORD_CALL_OUTCOME)
        return true;
    if (record_decode(&rec, leaf, s->arena, &e) &&
        json_u64(json_get(rec.body, "intent"), &intent) && intent == s->intent) {
        s->outcome = seq;
        s->found = true;
    }
    return !s->found;
}

bool recorded_find(struct recorded *out, struct log_reader *r, uint64_t seq, struct err *e)
{
    struct record first, second;
    *out = (struct recorded){.arena = arena_new(RECORDED_MAX), .outcome_seq = seq};
    if (out->arena == NULL)
        return err_set(e, ERR_MEMORY, "no memory to read a call");
    if (!leaf_at(out, r, seq, &first, e))
        return false;
    if (first.head.kind == RECORD_CALL_INTENT) {
        struct search s = {.intent = seq, .arena = out->arena};
        if (!log_reader_walk(r, seq + 1, is_outcome_of, &s, e))
            return false;
        if (!s.found)
            return err_set(e, ERR_USAGE, "the call of entry %llu has no outcome yet",
                           (unsigned long long)seq);
        out->outcome_seq = s.outcome;
        if (!leaf_at(out, r, s.outcome, &first, e))
            return false;
    }
    if (first.head.kind != RECORD_CALL_OUTCOME)
        return err_set(e, ERR_USAGE, "entry %llu is no call but of kind %s: name a call's entry",
                       (unsigned long long)seq, record_kind_name(first.head.kind));
    if (!exchange_read_outcome(&out->outcome, &out->room[1], &out->intent_seq, &first, e) ||
        !leaf_at(out, r, out->intent_seq, &second, e) ||
        !exchange_read_call(&out->call, &out->room[0], &second, e))
        return false;
    return true;
}

/* ---- content -------------------------------------------------------------- */

static bool has_field(const struct record *rec, struct span field)
{
    for (size_t i = 0; i < rec->field_count; i++) {
        if (span_eq(rec->fields[i].name, field))
            return true;
    }
    return false;
}

/* What the call's entries hold under one name, in their order; in the arena. */
static bool content(struct recorded *c, struct log *l, struct log_reader *r, const char *field,
                    struct span *out, struct err *e)
{
    struct buf b;
    bool ok = true;
    buf_init(&b, CONTENT_MAX);
    for (size_t i = 0; ok && i < c->entry_count; i++) {
        struct record rec;
        ok = leaf_at(c, r, c->entries[i], &rec, e);
        if (ok && has_field(&rec, span_str(field)))
            ok = log_open_content(l, c->entries[i], span_str(field), &b, e);
    }
    ok = ok && (buf_ok(&b) || err_set(e, ERR_MEMORY, "no memory for a call's content"));
    if (ok) {
        *out = arena_span(c->arena, buf_span(&b));
        ok = b.n == 0 || out->p != NULL || err_set(e, ERR_MEMORY, "no memory for a call's content");
    }
    buf_free(&b);
    return ok;
}

static bool ids(struct recorded *c, struct span bytes, uint32_t **out, size_t *n, struct err *e)
{
    *n = bytes.n / 4;
    *out = arena_array(c->arena, *n + 1, sizeof **out);
    if (*out == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a call's tokens");
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = load_u32le(bytes.p + 4 * i);
    return true;
}

/* Where each answer begins and ends. What was sealed is ours, and still not believed. */
static bool parts(struct recorded *c, struct span answers, struct err *e)
{
    struct json prompts = json_get(c->parameters, "prompts"), list = JSON_NOTHING, a;
    uint64_t each = 1, n = 0, of = c->count_out;
    size_t in = 0, out = 0, count = json_count(prompts) ? json_count(prompts) : 1;
    (void)json_u64(json_get(c->parameters, "answers"), &each);
    if (answers.n && !json_parse(&list, answers, JSON_STRICT, c->arena, e))
        return false;
    struct json p = json_first(prompts);
    a = json_first(list);
    if (each == 0 || each > ANSWERS_MAX || count > ANSWERS_MAX)
        return err_set(e, ERR_INTEGRITY, "the call has more than %d prompts or answers",
                       ANSWERS_MAX);
    c->parts = arena_array(c->arena, count * each, sizeof *c->parts);
    if (c->parts == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a call's answers");
    for (size_t i = 0; i < count * each; i++) {
        n = c->count_in;
        of = answers.n ? 0 : c->count_out;
        if (json_type(p) && !json_u64(p, &n))
            break;
        if (answers.n)
            (void)json_u64(json_get(a, "tokens"), &of);
        if (n > c->count_in - in || of > c->count_out - out)
            break;
        c->parts[c->part_count++] = (struct recorded_part){c->tokens_in + in, (size_t)n, out,
                                                           (size_t)of, (uint32_t)(i % each)};
        out += (size_t)of;
        a = json_next(a);
        if ((i + 1) % each == 0) {
            in += (size_t)n;
            p = json_next(p);
        }
    }
    return (c->part_count == count * each && out == c->count_out) ||
           err_set(e, ERR_INTEGRITY, "what was recorded of the call's answers does not fit them");
}

static bool form(struct recorded *c, struct err *e)
{
    struct json f = json_get(c->parameters, "form");
    struct engine_form_wrong wrong;
    return !json_type(f) || engine_form_read(&c->form, f, c->arena, &wrong, e);
}

bool recorded_open(struct recorded *c, struct log *l, struct log_reader *r, struct err *e)
{
    struct span parameters, in, out, answers;
    struct log_call call = {c->intent_seq, c->outcome_seq};
    if (!log_reader_call(r, &call, &c->entries, &c->entry_count, c->arena, e) ||
        !content(c, l, r, "parameters", &parameters, e) || !content(c, l, r, "tokens_in", &in, e) ||
        !content(c, l, r, "tokens_out", &out, e) || !content(c, l, r, "digests", &c->digests, e) ||
        !content(c, l, r, "answers", &answers, e) || !content(c, l, r, "logits", &c->logits, e))
        return false;
    if (!ids(c, in, &c->tokens_in, &c->count_in, e) ||
        !ids(c, out, &c->tokens_out, &c->count_out, e) ||
        !json_parse(&c->parameters, parameters.n ? parameters : span_str("{}"), JSON_STRICT,
                    c->arena, e))
        return false;
    (void)json_bool(json_get(c->parameters, "embed"), &c->embed);
    return form(c, e) && parts(c, answers, e);
}

/* ---- the request ---------------------------------------------------------- */

static float number(struct json object, const char *key, float otherwise)
{
    double v;
    return json_double(json_get(object, key), &v) ? (float)v : otherwise;
}

static uint64_t whole(struct json object, const char *key)
{
    uint64_t v = 0;
    (void)json_u64(json_get(object, key), &v);
    return v;
}

static bool biases(const struct recorded *c, struct json list, struct engine_sampling *s,
                   struct err *e)
{
    size_t n = json_count(list), i = 0;
    struct engine_bias *all = arena_array(c->arena, n + 1, sizeof *all);
    if (all == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a call's parameters");
    for (struct json item = json_first(list); json_type(item) != JSON_MISSING && i < n;
         item = json_next(item), i++)
        all[i] = (struct engine_bias){(uint32_t)whole(item, "id"), number(item, "bias", 0)};
    s->bias = all;
    s->bias_count = i;
    return true;
}

bool recorded_request(const struct recorded *c, const struct recorded_part *part,
                      struct engine_request *out, struct err *e)
{
    struct json s = json_get(c->parameters, "sampling");
    if (json_type(s) != JSON_OBJECT)
        return err_set(e, ERR_FORMAT, "the call's parameters were not recorded");
    *out = (struct engine_request){.tokens = part->prompt,
                                   .count = part->prompt_count,
                                   .answer = c->tokens_out + part->first,
                                   .answer_count = part->count,
                                   .embed = c->embed,
                                   .sampling = engine_greedy()};
    out->form = c->form;
    out->sampling.temperature = number(s, "temperature", 0);
    out->sampling.top_k = (uint32_t)whole(s, "top_k");
    out->sampling.top_p = number(s, "top_p", 1);
    out->sampling.min_p = number(s, "min_p", 0);
    out->sampling.typical = number(s, "typical", 1);
    out->sampling.repetition = number(s, "repetition", 1);
    out->sampling.frequency = number(s, "frequency", 0);
    out->sampling.presence = number(s, "presence", 0);
    out->sampling.penalty_last = (uint32_t)whole(s, "penalty_last");
    out->sampling.seed = whole(s, "seed") + part->choice;
    return biases(c, json_get(s, "bias"), &out->sampling, e);
}
