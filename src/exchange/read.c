/*
 * A call's leaves read back: for replay, which executes what they name, and for
 * reports, which count them. The record was decoded strictly, so a member that is
 * there has its type.
 */
#include <string.h>

#include "exchange/body.h"

static struct span text(struct json body, const char *key)
{
    struct span s = SPAN_EMPTY;
    return json_string(json_get(body, key), &s) ? s : SPAN_EMPTY;
}

static uint64_t number(struct json body, const char *key)
{
    uint64_t n = 0;
    return json_u64(json_get(body, key), &n) ? n : 0;
}

static bool truth(struct json body, const char *key)
{
    bool b = false;
    return json_bool(json_get(body, key), &b) && b;
}

static const struct digest *digest(struct json body, const char *key, struct digest *room)
{
    struct span hex;
    return json_string(json_get(body, key), &hex) && digest_from_hex(room, hex) ? room : NULL;
}

static unsigned word(struct json body, const char *key, const char *const *words, unsigned count)
{
    struct span s = text(body, key);
    unsigned i = 0;
    while (i + 1 < count && !span_is(s, words[i]))
        i++;
    return i;
}

static struct exchange_model read_model(struct json m, struct exchange_digests *room)
{
    return (struct exchange_model){
        .name = text(m, "name"),
        .tensor_root = digest(m, "tensor_root", &room->tensor_root),
        .manifest_root = digest(m, "manifest_root", &room->manifest_root),
        .architecture = digest(m, "architecture", &room->architecture),
        .tokenizer = digest(m, "tokenizer", &room->tokenizer),
        .chat_template = digest(m, "template", &room->chat_template),
        .numerics = text(m, "numerics"),
        .enrolled = json_type(json_get(m, "entry")) == JSON_NUMBER,
        .entry = number(m, "entry"),
    };
}

static struct exchange_upstream read_upstream(struct json u, struct exchange_digests *room)
{
    return (struct exchange_upstream){.name = text(u, "name"),
                                      .url = text(u, "url"),
                                      .fingerprint = text(u, "fingerprint"),
                                      .certificate = digest(u, "certificate", &room->certificate)};
}

static bool is_kind(const struct record *r, enum record_kind kind, struct err *e)
{
    return r->head.kind == kind ||
           err_set(e, ERR_USAGE, "entry %llu is a %s, not a %s", (unsigned long long)r->head.seq,
                   record_kind_name(r->head.kind), record_kind_name(kind));
}

bool exchange_read_call(struct exchange_call *out, struct exchange_digests *room,
                        const struct record *intent, struct err *e)
{
    struct json b = intent->body;
    *out = (struct exchange_call){.api = EXCHANGE_RUN};
    if (!is_kind(intent, RECORD_CALL_INTENT, e))
        return false;
    out->api = (enum exchange_api)word(b, "api", exchange_apis, EXCHANGE_APIS);
    out->route = (enum exchange_route)word(b, "route", exchange_routes, EXCHANGE_ROUTES);
    out->durability = (enum exchange_durability)word(b, "durability", exchange_durabilities,
                                                     EXCHANGE_DURABILITIES);
    out->stream = truth(b, "stream");
    out->relayed = truth(b, "relayed");
    out->model = read_model(json_get(b, "model"), room);
    out->upstream = read_upstream(json_get(b, "upstream"), room);
    out->credential = digest(b, "credential", &room->credential);
    out->policy = text(b, "policy");
    if (json_type(json_get(b, "sampling")))
        out->sampling = json_text(json_get(b, "sampling"));
    out->tokens_known = json_type(json_get(b, "tokens_in")) == JSON_NUMBER;
    out->tokens_in = number(b, "tokens_in");
    return true;
}

bool exchange_read_outcome(struct exchange_outcome *out, struct exchange_digests *room,
                           uint64_t *intent, const struct record *outcome, struct err *e)
{
    struct json b = outcome->body, tokens = json_get(b, "tokens"), t = json_get(b, "timings");
    *out = (struct exchange_outcome){.result = EXCHANGE_CRASH};
    if (!is_kind(outcome, RECORD_CALL_OUTCOME, e))
        return false;
    *intent = number(b, "intent");
    out->result = (enum exchange_result)word(b, "outcome", exchange_results, EXCHANGE_RESULTS);
    out->relayed = truth(b, "relayed");
    out->attempts = (unsigned)number(b, "attempts");
    out->status = (unsigned)number(b, "status");
    out->upstream_status = (unsigned)number(b, "upstream_status");
    out->released = number(b, "released_bytes");
    out->error = text(b, "error");
    out->response_id = text(b, "response_id");
    out->model = read_model(json_get(b, "model"), room);
    out->upstream = read_upstream(json_get(b, "upstream"), room);
    out->tokens = (struct exchange_tokens){
        json_type(tokens) == JSON_OBJECT, truth(tokens, "estimated"), number(tokens, "input"),
        number(tokens, "output"),         number(tokens, "cached"),   number(tokens, "reasoning")};
    out->timings = (struct exchange_timings){number(t, "queue_us"), number(t, "prefill_us"),
                                             number(t, "first_byte_us"), number(t, "decode_us"),
                                             number(t, "total_us")};
    return true;
}
