/* Calls that the bundled engine answers: what the client gets, what the log has, and its replay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/json.h"
#include "assay/replay.h"
#include "support/family_model.h"
#include "support/serving.h"

static struct folder place, models;
static struct serving server;
static char model_path[4096];

static int setup(void **state)
{
    static const struct family_change change = {
        .template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"};
    (void)state;
    if (!folder_make(&place) || !folder_make(&models))
        return -1;
    logs_make(&place);
    (void)snprintf(model_path, sizeof model_path, "%s/tiny.gguf", models.path);
    if (!family_write(model_path, "llama", &change))
        return -1;
    serving_start_model(&server, &place, model_path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bool ok = serving_stop(&server);
    folder_remove(&place);
    folder_remove(&models);
    return ok ? 0 : -1;
}

static void post(const char *path, const char *body, unsigned status, struct buf *out)
{
    struct buf answer;
    client_post(server.port, path, "", body, &answer);
    if (answer_status(&answer) != status)
        fail_msg("%s", answer.n ? buf_cstr(&answer) : "no answer");
    answer_body(&answer, out);
    buf_free(&answer);
}

/* The newest call, computed again by an engine of this process; returns its tokens. */
static uint64_t replayed(const char *outcome)
{
    struct told t;
    struct replay r;
    struct engine *g = NULL;
    struct err e = ERR_INIT;
    struct engine_options o = {.threads = 1};
    told_wait(&t, &place);
    assert_string_equal(t.outcome, outcome);
    assert_true(serving_stop(&server));
    if (!engine_load(&g, model_path, &o, &e))
        fail_msg("%s", e.text);
    struct log *l = logs_open(&place);
    struct log_reader *reader = logs_reader(&place);
    if (!replay_run(&r, l, reader, t.outcome_seq, g, &e))
        fail_msg("%s", e.text);
    log_reader_close(reader);
    log_close(l);
    engine_free(g);
    serving_start_model(&server, &place, model_path);
    if (r.verdict != REPLAY_MATCH)
        fail_msg("verdict %d at token %llu: %s", r.verdict, (unsigned long long)r.first, r.reason);
    return r.compared;
}

static struct json parsed(const struct buf *body, struct arena *a)
{
    struct json root;
    struct err e = ERR_INIT;
    if (!json_parse(&root, buf_span(body), JSON_STRICT, a, &e))
        fail_msg("%s: %.*s", e.text, (int)body->n, (const char *)body->p);
    return root;
}

static void chat_is_answered_and_its_replay_reproduces_it(void **state)
{
    (void)state;
    struct buf body;
    struct span text;
    uint64_t n = 0;
    struct arena *a = arena_new(1 << 20);
    post("/v1/chat/completions",
         "{\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],"
         "\"max_tokens\":9,\"temperature\":0.9,\"top_p\":0.95,\"seed\":7}",
         200, &body);
    struct json root = parsed(&body, a), choice = json_at(json_get(root, "choices"), 0);
    assert_true(json_string(json_get(root, "object"), &text) && span_is(text, "chat.completion"));
    assert_true(json_string(json_path(choice, "message", "role", NULL), &text) &&
                span_is(text, "assistant"));
    assert_true(json_string(json_path(choice, "message", "content", NULL), &text));
    assert_true(json_string(json_get(root, "system_fingerprint"), &text) &&
                span_starts(text, "assay-1-"));
    assert_true(json_u64(json_path(root, "usage", "completion_tokens", NULL), &n) && n > 0);
    assert_int_equal(replayed("complete"), n);
    arena_free(a);
    buf_free(&body);
}

static void stream_has_the_shape_that_clients_read_and_is_replayed(void **state)
{
    (void)state;
    struct buf body;
    post("/v1/chat/completions",
         "{\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],"
         "\"max_tokens\":9,\"temperature\":0,\"stream\":true,"
         "\"stream_options\":{\"include_usage\":true}}",
         200, &body);
    const char *role =
        strstr(buf_cstr(&body), "\"delta\":{\"role\":\"assistant\",\"content\":\"\"}");
    const char *finish =
        strstr(buf_cstr(&body), "\"delta\":{},\"logprobs\":null,\"finish_reason\":\"");
    const char *usage = strstr(buf_cstr(&body), "\"choices\":[],\"usage\":{\"prompt_tokens\":");
    const char *done = strstr(buf_cstr(&body), "data: [DONE]\n\n");
    assert_true(role && finish && usage && done);
    assert_true(role < finish && finish < usage && usage < done);
    assert_int_equal(strlen(done), 14);
    assert_true(replayed("complete") > 0);
    buf_free(&body);
}

static void log_has_what_a_replay_needs_and_what_the_client_got(void **state)
{
    (void)state;
    struct buf body, said;
    struct told t;
    post("/v1/completions", "{\"model\":\"tiny\",\"prompt\":\"hello\",\"max_tokens\":5}", 200,
         &body);
    assert_true(has(&body, "\"object\":\"text_completion\""));
    told_wait(&t, &place);
    assert_true(serving_stop(&server));
    buf_init(&said, 1 << 20);
    told_content(&place, t.intent, "response", &said);
    assert_int_equal(said.n, body.n);
    assert_memory_equal(said.p, body.p, body.n);
    buf_clear(&said);
    told_content(&place, t.intent, "prompt", &said);
    assert_string_equal(buf_cstr(&said), "hello");
    buf_clear(&said);
    told_content(&place, t.intent, "digests", &said);
    assert_true(said.n >= DIGEST_SIZE && said.n % DIGEST_SIZE == 0);
    serving_start_model(&server, &place, model_path);
    buf_free(&said);
    buf_free(&body);
}

static void many_at_once_are_each_what_they_are_alone(void **state)
{
    (void)state;
    static const char request[] =
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Connection: close\r\nContent-Length: 62\r\n\r\n"
        "{\"model\":\"tiny\",\"prompt\":\"hello\",\"max_tokens\":20,\"stop\":[\"~\"]}";
    struct buf answer[8], body, alone;
    int fd[8];
    const char *text, *other;
    assert_int_equal(strlen(strstr(request, "\r\n\r\n") + 4), 62);
    client_ask(server.port, request, &alone);
    answer_body(&alone, &body);
    text = strstr(buf_cstr(&body), "\"choices\"");
    assert_non_null(text);
    for (int i = 0; i < 8; i++) {
        fd[i] = client_connect(server.port);
        client_send(fd[i], request);
    }
    for (int i = 0; i < 8; i++) {
        buf_init(&answer[i], 1 << 20);
        client_read(fd[i], &answer[i], NULL, 10000);
        other = strstr(buf_cstr(&answer[i]), "\"choices\"");
        assert_non_null(other);
        size_t n = (size_t)(strstr(text, "\"usage\"") - text);
        assert_memory_equal(text, other, n);
        close(fd[i]);
        buf_free(&answer[i]);
    }
    buf_free(&alone);
    buf_free(&body);
}

static void what_is_not_supported_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *path, *member, *name;
    } cases[] = {
        {"/v1/completions", "\"tools\":[]", "'tools'"},
        {"/v1/completions", "\"unheard_of\":1", "'unheard_of'"},
        {"/v1/completions", "\"temperature\":-1", "temperature"},
        {"/v1/completions", "\"max_tokens\":0", "'max_tokens'"},
        {"/v1/completions", "\"seed\":1e3", "'seed'"},
        {"/v1/completions", "\"stop\":[1]", "'stop'"},
        {"/v1/completions", "\"stream_options\":{\"include_usage\":true}", "'stream_options'"},
        {"/v1/embeddings", "\"input\":\"a3\"", "'prompt'"},
    };
    struct told before, after;
    told_read(&before, &place);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char request[256];
        struct buf body;
        snprintf(request, sizeof request, "{\"model\":\"tiny\",\"prompt\":\"x\",%s}",
                 cases[i].member);
        post(cases[i].path, request, 400, &body);
        if (!has(&body, cases[i].name) || !has(&body, "\"invalid_request_error\""))
            fail_msg("%s: %.*s", cases[i].member, (int)body.n, (const char *)body.p);
        buf_free(&body);
    }
    told_read(&after, &place);
    assert_int_equal(before.intents, after.intents);
}

static void texts_and_chats_are_shown_as_the_model_reads_them(void **state)
{
    (void)state;
    struct buf body;
    post("/tokenize", "{\"content\":\"a3\",\"add_special\":true}", 200, &body);
    assert_true(has(&body, "{\"tokens\":[1,"));
    buf_free(&body);
    post("/apply-template", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", 200, &body);
    assert_true(has(&body, "{\"prompt\":\"<user>hi\"}"));
    buf_free(&body);
    post("/tokenize", "{\"content\":3}", 400, &body);
    assert_true(has(&body, "'content'"));
    buf_free(&body);
}

static void answer_beyond_its_limit_is_an_error_and_no_torn_answer(void **state)
{
    (void)state;
    char yaml[8192], name[1201] = "", request[2048];
    struct buf body;
    struct told t;
    for (int i = 0; i < 200; i++) /* six octets each where the answer repeats it */
        memcpy(name + (size_t)i * 6, "\\u0001", 7);
    assert_true(serving_stop(&server));
    snprintf(yaml, sizeof yaml,
             "{engine: {path: \"%s\"}, limits: {answer: 1024}, "
             "models: [{name: \"*\", backends: [{upstream: engine}]}]}",
             model_path);
    serving_start(&server, &place, yaml, 0);
    snprintf(request, sizeof request, "{\"model\":\"%s\",\"prompt\":\"a3\",\"max_tokens\":4}",
             name);
    post("/v1/completions", request, 502, &body);
    told_wait(&t, &place);
    assert_string_equal(t.outcome, "error");
    assert_string_equal(t.error, "answer_too_large");
    assert_true(serving_stop(&server));
    serving_start_model(&server, &place, model_path);
    buf_free(&body);
}

static void client_that_leaves_ends_the_computation_and_the_log_says_so(void **state)
{
    (void)state;
    static const char request[] =
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 47\r\n\r\n"
        "{\"model\":\"tiny\",\"prompt\":\"hello\",\"stream\":true} ";
    struct told t;
    struct buf body;
    for (int i = 0; i < 10; i++) {
        int fd = client_connect(server.port);
        client_send(fd, request);
        usleep((unsigned)i * 300);
        close(fd);
    }
    told_wait(&t, &place);
    for (int i = 0; i < 500 && t.outcomes < t.intents; i++) {
        usleep(10000);
        told_read(&t, &place);
    }
    assert_int_equal(t.outcomes, t.intents);
    post("/v1/completions", "{\"model\":\"tiny\",\"prompt\":\"a\",\"max_tokens\":3}", 200, &body);
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat_is_answered_and_its_replay_reproduces_it),
        cmocka_unit_test(stream_has_the_shape_that_clients_read_and_is_replayed),
        cmocka_unit_test(log_has_what_a_replay_needs_and_what_the_client_got),
        cmocka_unit_test(many_at_once_are_each_what_they_are_alone),
        cmocka_unit_test(what_is_not_supported_is_refused_by_name),
        cmocka_unit_test(texts_and_chats_are_shown_as_the_model_reads_them),
        cmocka_unit_test(answer_beyond_its_limit_is_an_error_and_no_torn_answer),
        cmocka_unit_test(client_that_leaves_ends_the_computation_and_the_log_says_so),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
