/* One model, one server, one arena: what tests of the engine's API share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "assay/replay.h"
#include "support/asking.h"

struct folder asking_place;
struct arena *asking_arena;
static struct folder models;
static struct serving server;
static char model_path[4096];

bool asking_start(const struct family_change *change)
{
    if (!folder_make(&asking_place) || !folder_make(&models))
        return false;
    logs_make(&asking_place);
    (void)snprintf(model_path, sizeof model_path, "%s/tiny.gguf", models.path);
    if (!family_write(model_path, "llama", change))
        return false;
    serving_start_model(&server, &asking_place, model_path);
    return true;
}

bool asking_stop(void)
{
    bool ok = serving_stop(&server);
    folder_remove(&asking_place);
    folder_remove(&models);
    return ok;
}

int asking_fresh(void **state)
{
    (void)state;
    asking_arena = arena_new(16 << 20);
    return asking_arena ? 0 : -1;
}

int asking_done(void **state)
{
    (void)state;
    arena_free(asking_arena);
    return 0;
}

void asking_content(uint64_t intent, const char *field, struct buf *out)
{
    assert_true(serving_stop(&server));
    told_content(&asking_place, intent, field, out);
    serving_start_model(&server, &asking_place, model_path);
}

struct span post(const char *path, unsigned status, const char *body)
{
    struct buf answer, out;
    client_post(server.port, path, "", body, &answer);
    answer_body(&answer, &out);
    if (answer_status(&answer) != status)
        fail_msg("%s: %.*s", body, (int)answer.n, answer.n ? (const char *)answer.p : "");
    struct span copy = {(const uint8_t *)arena_str(asking_arena, buf_span(&out)), out.n};
    buf_free(&answer);
    buf_free(&out);
    return copy;
}

struct span get(const char *path)
{
    struct buf answer, out;
    char request[256];
    (void)snprintf(request, sizeof request,
                   "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path);
    client_ask(server.port, request, &answer);
    assert_int_equal(answer_status(&answer), 200);
    answer_body(&answer, &out);
    struct span copy = {(const uint8_t *)arena_str(asking_arena, buf_span(&out)), out.n};
    buf_free(&answer);
    buf_free(&out);
    return copy;
}

struct json parse(struct span text)
{
    struct json root;
    struct err e = ERR_INIT;
    if (!json_parse(&root, text, JSON_STRICT, asking_arena, &e))
        fail_msg("%s: %.*s", e.text, (int)text.n, (const char *)text.p);
    return root;
}

struct json ask(const char *path, const char *body)
{
    return parse(post(path, 200, body));
}

struct span text_at(struct json v)
{
    struct span s = SPAN_EMPTY;
    if (!json_string(v, &s))
        fail_msg("no string: %.*s", (int)json_text(v).n, (const char *)json_text(v).p);
    return s;
}

void is_text(struct json v, const char *wanted)
{
    struct span s = text_at(v);
    if (!span_is(s, wanted))
        fail_msg("'%.*s' and not '%s'", (int)s.n, (const char *)s.p, wanted);
}

void is_refused_for(const char *path, const char *body, const char *param)
{
    struct json root = parse(post(path, 400, body)), error = json_get(root, "error");
    bool messages = strncmp(path, "/v1/messages", strlen("/v1/messages")) == 0;
    if (messages)
        is_text(json_get(root, "type"), "error");
    is_text(json_get(error, "type"), "invalid_request_error");
    is_text(json_get(messages ? json_get(error, "details") : error, "param"), param);
}

uint64_t number_at(struct json v)
{
    uint64_t n = UINT64_MAX;
    assert_true(json_u64(v, &n));
    return n;
}

size_t events_of(struct span stream, struct json out[EVENTS])
{
    const char *at = (const char *)stream.p;
    size_t n = 0;
    while ((at = strstr(at, "data: ")) != NULL) {
        const char *end = strstr(at, "\n\n");
        assert_non_null(end);
        struct span data = {(const uint8_t *)at + 6, (size_t)(end - at) - 6};
        at = end;
        if (span_is(data, "[DONE]"))
            continue;
        assert_true(n < EVENTS);
        out[n++] = parse(data);
    }
    return n;
}

struct json choice_of(struct json event)
{
    return json_at(json_get(event, "choices"), 0);
}

uint64_t replayed(void)
{
    struct told t;
    struct replay r;
    struct engine *g = NULL;
    struct err e = ERR_INIT;
    struct engine_options o = {.threads = 1};
    told_wait(&t, &asking_place);
    assert_string_equal(t.outcome, "complete");
    assert_true(serving_stop(&server));
    if (!engine_load(&g, model_path, &o, &e))
        fail_msg("%s", e.text);
    struct log *l = logs_open(&asking_place);
    struct log_reader *reader = logs_reader(&asking_place);
    if (!replay_run(&r, l, reader, t.outcome_seq, g, &e))
        fail_msg("%s", e.text);
    log_reader_close(reader);
    log_close(l);
    engine_free(g);
    serving_start_model(&server, &asking_place, model_path);
    if (r.verdict != REPLAY_MATCH)
        fail_msg("verdict %d at token %llu: %s", r.verdict, (unsigned long long)r.first, r.reason);
    return r.compared;
}
