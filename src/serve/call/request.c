/*
 * A request's JSON, judged strictly before anything is recorded or forwarded: two readers
 * of a body with duplicate keys or bad UTF-8 could see two requests. Members that are
 * not known here are passed on and recorded.
 */
#include "serve/call/request.h"

#include <stdio.h>
#include <string.h>

#include "serve/call/call.h"

enum {
    SUBJECT_MAX = 512, /* bytes of a name; services bound it to 64 or 256 */
    FOLDED = 32        /* of a key that is read here, at most */
};

/* "name:types"; a type is one letter: s string, a array, o object, n number, b bool; "!"
 * before them: it must be there. Null counts as absent. */
const char *const request_chat[] = {
    "messages:!a", "n:n",        "max_tokens:n", "tools:a",          "temperature:n",
    "top_p:n",     "logprobs:b", "stop:sa",      "stream_options:o", "response_format:o",
    NULL};
const char *const request_completions[] = {"prompt:!sa",       "n:n",     "max_tokens:n",
                                           "temperature:n",    "top_p:n", "stop:sa",
                                           "stream_options:o", NULL};
const char *const request_responses[] = {"input:sa", "max_output_tokens:n", "temperature:n",
                                         "tools:a", NULL};
const char *const request_embeddings[] = {"input:!sa", "dimensions:n", "encoding_format:s", NULL};
const char *const request_messages[] = {"messages:!a", "max_tokens:!n", "temperature:n", "tools:a",
                                        NULL};

static char letter(enum json_type t)
{
    static const char letters[] = {
        [JSON_MISSING] = '-', [JSON_NULL] = '-',   [JSON_FALSE] = 'b', [JSON_TRUE] = 'b',
        [JSON_NUMBER] = 'n',  [JSON_STRING] = 's', [JSON_ARRAY] = 'a', [JSON_OBJECT] = 'o'};
    return letters[t];
}

static const char *type_words(const char *types)
{
    static const struct {
        const char *types, *words;
    } words[] = {{"s", "a string"}, {"a", "an array"},  {"o", "an object"},
                 {"n", "a number"}, {"b", "a boolean"}, {"sa", "a string or an array"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].types, types) == 0)
            return words[i].words;
    return "of another type";
}

static bool judge_member(struct call *c, struct json root, const char *rule, struct err *why)
{
    char text[PARAM_MAX];
    struct span name = {(const uint8_t *)rule, strcspn(rule, ":")};
    const char *types = rule + name.n + 1;
    bool must = *types == '!';
    types += must;
    char found = letter(json_type(json_get_span(root, name)));
    if (found == '-' ? !must : strchr(types, found) != NULL)
        return true;
    (void)snprintf(text, sizeof text, "%.*s", (int)name.n, rule);
    if (found == '-')
        return complain(&c->wrong, why, "missing_required_parameter", text, "is missing");
    return complain(&c->wrong, why, "invalid_type", text, "must be %s", type_words(types));
}

/* Whom a call is for, where an application says it: its own user, whom a receipt, an incident or an
 * erasure is about. What is no text, or none at all, is the upstream's to judge. */
static bool read_subject(struct call *c, struct json root, struct err *why)
{
    static const char *const names[] = {"safety_identifier", "user"};
    struct json metadata = json_get(root, "metadata");
    struct span s = SPAN_EMPTY;
    const char *said = NULL;
    for (size_t i = 0; i < 2 && s.n == 0; i++)
        if (json_string(json_get(root, names[i]), &s))
            said = names[i];
    if (c->endpoint->api == EXCHANGE_MESSAGES && json_string(json_get(metadata, "user_id"), &s))
        said = "metadata.user_id";
    if (s.n > SUBJECT_MAX)
        return complain(&c->wrong, why, "invalid_value", said,
                        "names whom the call is for in more than %d bytes", SUBJECT_MAX);
    c->subject = arena_span(c->arena, s);
    return true;
}

/* Names that are read of every request, and with them what the log calls sampling. */
static bool is_read(const struct endpoint *ep, struct span name)
{
    static const char *const names[] = {"model",
                                        "stream",
                                        "user",
                                        "safety_identifier",
                                        "metadata",
                                        "stream_options",
                                        "max_tokens",
                                        "max_completion_tokens",
                                        "max_output_tokens",
                                        "frequency_penalty",
                                        "presence_penalty",
                                        "repetition_penalty",
                                        "min_p",
                                        "n",
                                        "seed",
                                        "temperature",
                                        "top_k",
                                        "top_p",
                                        NULL};
    for (const char *const *rule = ep->wanted; rule && *rule; rule++)
        if (strcspn(*rule, ":") == name.n && memcmp(*rule, name.p, name.n) == 0)
            return true;
    for (size_t i = 0; names[i]; i++)
        if (span_is(name, names[i]))
            return true;
    return false;
}

/* The key as a reader takes it that does not tell cases apart, which are Go's (and so Ollama's) and
 * others: there the Kelvin sign is a k and the long s an s. Nothing when it is longer than any that
 * is known. */
static struct span folded(uint8_t out[FOLDED], struct span key)
{
    size_t n = 0;
    for (size_t i = 0; i < key.n; i++) {
        struct span rest = span_sub(key, i, key.n);
        bool long_s = span_starts(rest, "\xc5\xbf"), kelvin = span_starts(rest, "\xe2\x84\xaa");
        uint8_t c = long_s ? 's' : kelvin ? 'k' : key.p[i];
        if (n == FOLDED)
            return SPAN_EMPTY;
        out[n++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
        i += long_s ? 1 : kelvin ? 2 : 0;
    }
    return (struct span){out, n};
}

/* A key that another reader could take for one which is read here, and has other letters: what is
 * judged and recorded would be one request, and what is answered another. */
static bool judge_keys(struct call *c, struct json root, struct err *why)
{
    uint8_t lower[FOLDED];
    char name[FOLDED + 1];
    for (struct json m = json_first(root); json_type(m); m = json_next(m)) {
        struct span key = json_key(m), plain = folded(lower, key);
        if (plain.n == 0 || span_eq(plain, key))
            continue;
        if (json_type(json_get_span(root, plain)) || is_read(c->endpoint, plain)) {
            (void)snprintf(name, sizeof name, "%.*s", (int)plain.n, (const char *)plain.p);
            return complain(&c->wrong, why, "ambiguous_parameter", name,
                            "stands there in other letters");
        }
    }
    return true;
}

static bool read_members(struct call *c, struct json root, struct err *why)
{
    struct json model = json_get(root, "model"), stream = json_get(root, "stream");
    struct span name;
    if (!json_string(model, &name) || name.n == 0 || name.n > 256)
        return complain(&c->wrong, why, json_type(model) ? NULL : "missing_required_parameter",
                        "model", "must be a string of 1 to 256 bytes");
    c->model = arena_span(c->arena, name);
    c->model_at = json_offset(model);
    c->model_end = json_end(model);
    if (json_type(stream) > JSON_NULL && !json_bool(stream, &c->stream))
        return complain(&c->wrong, why, "invalid_type", "stream", "must be a boolean");
    if (!judge_keys(c, root, why))
        return false;
    for (const char *const *rule = c->endpoint->wanted; rule && *rule; rule++)
        if (!judge_member(c, root, *rule, why))
            return false;
    if (c->stream)
        c->usage = usage_edit(root, c->endpoint->api);
    return read_subject(c, root, why);
}

bool request_read(struct call *c, struct span body, struct buf *sampling, struct err *why)
{
    struct json root;
    struct arena *a = arena_new((size_t)512 << 20);
    bool ok = a && body.n && json_parse(&root, body, JSON_STRICT, a, why);
    if (!ok) {
        err_set(why, ERR_FORMAT, "the body is empty");
    } else if (json_type(root) != JSON_OBJECT) {
        ok = err_set(why, ERR_FORMAT, "the body is not a JSON object");
    } else {
        ok = read_members(c, root, why);
        exchange_sampling(sampling, root);
    }
    arena_free(a);
    return ok;
}

/* ---- the client's head, as it is recorded ---- */

static const char *const secret[] = {"authorization", "x-api-key",           "api-key",
                                     "cookie",        "proxy-authorization", NULL};

static void put_value(struct service *s, struct buf *out, const struct http_field *f)
{
    char hex[DIGEST_HEX + 1];
    struct digest hash;
    for (size_t i = 0; secret[i]; i++) {
        if (!http_name_is(f->name, secret[i]))
            continue;
        auth_hash(s, f->value, &hash);
        buf_printf(out, "hmac-sha256:%s", digest_hex(hex, &hash));
        return;
    }
    buf_put_span(out, f->value);
}

enum { HEADS_MORE = 512 }; /* the upstream's follows */

bool request_head_record(struct service *s, const struct conn *c, struct buf *out)
{
    const struct http_request *r = conn_request(c);
    (void)buf_room(out, 2 * conn_head(c).n + HEADS_MORE);
    buf_put_span(out, r->method);
    buf_put_u8(out, ' ');
    buf_put_span(out, r->target);
    buf_printf(out, " HTTP/1.%u\r\n", r->minor);
    for (size_t i = 0; i < r->count; i++) {
        buf_put_span(out, r->fields[i].name);
        buf_put_str(out, ": ");
        put_value(s, out, &r->fields[i]);
        buf_put_str(out, HTTP_CRLF);
    }
    buf_put_str(out, HTTP_CRLF);
    return buf_ok(out);
}
