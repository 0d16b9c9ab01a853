/*
 * The engine in operation: replays and receipts over HTTP, several models, weights that were
 * enrolled, and what happens when the server, the log or the client ends in mid-answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/json.h"
#include "assay/replay.h"
#include "support/family_model.h"
#include "support/gguf_writer.h"
#include "support/serving.h"

/* Streams of so many answers of 100 tokens: long enough to be interrupted, short enough for a
 * sanitizer's build. */
#define STREAM(n)                                                                                  \
    "{\"model\":\"tiny\",\"prompt\":\"a3\",\"n\":" #n ",\"max_tokens\":100,\"stream\":true}"

static struct folder place, models;
static struct serving server;
static char alice[512], bob[512], root[512];
static struct buf keys;

/* ---- the server ---- */

static void start(const char *engine, const char *more)
{
    static char yaml[16384];
    snprintf(yaml, sizeof yaml,
             "engines:\n"
             "  - {name: base, path: \"%s/tiny.gguf\"%s}\n"
             "  - {name: tuned, path: \"%s/tiny.gguf\", adapters: [{path: \"%s/lora.gguf\", scale: "
             "1.5}]}\n"
             "models:\n"
             "  - {name: tiny, backends: [{upstream: base}]}\n"
             "  - {name: tuned, backends: [{upstream: tuned}]}\n"
             "%skeys:\n%s",
             models.path, engine, models.path, models.path, more, buf_cstr(&keys));
    serving_start(&server, &place, yaml, 0);
}

static void restart(const char *engine, const char *more)
{
    assert_true(serving_stop(&server));
    start(engine, more);
}

/* An adapter of rank 2 for one matrix of the model. */
static bool write_adapter(const char *path)
{
    static const uint64_t a[] = {64, 2}, b[] = {2, 96};
    struct gguf_writer w;
    gw_init(&w);
    gw_header(&w, 2, 4);
    gw_kv_string(&w, "general.type", "adapter");
    gw_kv_string(&w, "general.architecture", "llama");
    gw_kv_string(&w, "adapter.type", "lora");
    gw_kv_f32(&w, "adapter.lora.alpha", 4);
    gw_info(&w, "blk.0.ffn_gate.weight.lora_a", 2, a, 0, 0);
    gw_info(&w, "blk.0.ffn_gate.weight.lora_b", 2, b, 0, 64 * 2 * 4);
    gw_pad(&w, 32);
    for (int i = 0; i < 64 * 2 + 2 * 96; i++)
        gw_f32(&w, (float)(i % 13 - 6) / 4);
    bool ok = gw_save(&w, path);
    gw_free(&w);
    return ok;
}

static int setup(void **state)
{
    char path[4096];
    (void)state;
    if (!folder_make(&place) || !folder_make(&models))
        return -1;
    logs_make(&place);
    buf_init(&keys, 16384);
    serving_key("alice", "", &keys, alice, sizeof alice);
    serving_key("bob", "", &keys, bob, sizeof bob);
    serving_key("root", "    admin: true\n", &keys, root, sizeof root);
    (void)snprintf(path, sizeof path, "%s/tiny.gguf", models.path);
    if (!family_write(path, "llama", NULL))
        return -1;
    (void)snprintf(path, sizeof path, "%s/lora.gguf", models.path);
    if (!write_adapter(path))
        return -1;
    start("", "");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bool ok = serving_stop(&server);
    folder_remove(&place);
    folder_remove(&models);
    buf_free(&keys);
    return ok ? 0 : -1;
}

/* ---- asking ---- */

static unsigned post(const char *path, const char *key, const char *body, struct buf *out)
{
    struct buf answer;
    client_post(server.port, path, key, body, &answer);
    unsigned status = answer_status(&answer);
    answer_body(&answer, out);
    buf_put_u8(out, '\0');
    buf_free(&answer);
    return status;
}

/* A string or a number that follows a member's name. */
static const char *member(const struct buf *b, const char *name, char out[128])
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"%s\":", name);
    const char *at = b->n ? strstr((const char *)b->p, wanted) : NULL;
    if (!at)
        fail_msg("no %s in %s", name, b->n ? (const char *)b->p : "nothing");
    at += strlen(wanted);
    at += *at == '"';
    snprintf(out, 128, "%.*s", (int)strcspn(at, "\",}"), at);
    return out;
}

/* A call by alice; its identifier. */
static void call(const char *model, char id[128], char text[128])
{
    char body[256];
    struct buf b;
    snprintf(body, sizeof body,
             "{\"model\":\"%s\",\"prompt\":\"a3\",\"max_tokens\":8,\"temperature\":0,\"n\":2}",
             model);
    assert_int_equal(post("/v1/completions", alice, body, &b), 200);
    member(&b, "id", id);
    member(&b, "text", text);
    buf_free(&b);
}

static void replay(const char *name, const char *key, unsigned status, struct buf *out)
{
    char path[256];
    snprintf(path, sizeof path, "/v1/replay/%s", name);
    unsigned got = post(path, key, "{}", out);
    if (got != status)
        fail_msg("%u: %s", got, (const char *)out->p);
}

static void replay_says(const char *name, const char *result)
{
    char said[128];
    struct buf b;
    replay(name, root, 200, &b);
    if (strcmp(member(&b, "result", said), result) != 0)
        fail_msg("%s", (const char *)b.p);
    buf_free(&b);
}

static unsigned receipt(const char *name, const char *key)
{
    char request[1024];
    struct buf answer;
    unsigned status;
    snprintf(request, sizeof request,
             "GET /v1/receipts/%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n", name, key);
    client_ask(server.port, request, &answer);
    status = answer_status(&answer);
    buf_free(&answer);
    return status;
}

static int begin(const char *body)
{
    char text[2048];
    snprintf(text, sizeof text,
             "POST /v1/completions HTTP/1.1\r\nHost: a\r\n%sContent-Length: %zu\r\n\r\n%s", alice,
             strlen(body), body);
    int fd = client_connect(server.port);
    client_send(fd, text);
    return fd;
}

/* ---- replays ---- */

static void replay_reproduces_a_call_and_shows_nothing_of_it(void **state)
{
    (void)state;
    char id[128], text[128], number[128];
    struct buf b;
    struct told t;
    call("tiny", id, text);
    told_wait(&t, &place);
    replay(id, root, 200, &b);
    assert_string_equal(member(&b, "result", number), "reproduced");
    assert_string_equal(member(&b, "compared", number), "16");
    assert_int_equal(strtoull(member(&b, "outcome", number), NULL, 10), t.outcome_seq);
    assert_true(strlen(text) > 4 && !has(&b, text));
    uint64_t entry = strtoull(member(&b, "entry", number), NULL, 10);
    buf_free(&b);
    struct arena *a = arena_new(1 << 20);
    struct log_reader *r = logs_reader(&place);
    struct record rec;
    struct span leaf, result;
    struct err e = ERR_INIT;
    assert_true(log_reader_leaf(r, entry, a, &leaf, &e) && record_decode(&rec, leaf, a, &e));
    assert_int_equal(rec.head.kind, RECORD_REPLAY);
    assert_true(json_string(json_get(rec.body, "result"), &result) && span_is(result, "match"));
    log_reader_close(r);
    arena_free(a);
}

static void replays_and_receipts_reach_behind_a_restart(void **state)
{
    (void)state;
    char id[128], text[128], entry[32];
    struct told t;
    call("tiny", id, text);
    told_wait(&t, &place);
    restart("", "");
    replay_says(id, "reproduced");
    snprintf(entry, sizeof entry, "%llu", (unsigned long long)t.intent);
    replay_says(entry, "reproduced");
    assert_int_equal(receipt(id, alice), 200);
    assert_int_equal(receipt(id, bob), 404);
    assert_int_equal(receipt("cmpl-unheard-of", alice), 404);
}

static void replay_is_for_administrators_alone(void **state)
{
    (void)state;
    char id[128], text[128];
    struct buf b;
    call("tiny", id, text);
    replay(id, alice, 403, &b);
    buf_free(&b);
    replay(id, "", 401, &b);
    buf_free(&b);
}

static void what_is_no_call_is_not_replayed(void **state)
{
    (void)state;
    struct buf b;
    replay("cmpl-unheard-of", root, 404, &b);
    buf_free(&b);
    replay("999999999", root, 404, &b);
    buf_free(&b);
    replay("0", root, 409, &b);
    buf_free(&b);
}

static void erased_call_answers_erased(void **state)
{
    (void)state;
    char id[128], text[128];
    struct told t;
    struct err e = ERR_INIT;
    struct log_erased erased;
    struct log_order order = {span_str("test"), span_str("test")};
    call("tiny", id, text);
    told_wait(&t, &place);
    struct log *l = logs_open(&place); /* the server owns it: this asks it */
    if (!log_erase_entry(l, t.intent, &order, &erased, NULL, &e))
        fail_msg("%s", e.text);
    log_close(l);
    replay_says(id, "erased");
}

static void replays_are_limited(void **state)
{
    (void)state;
    char id[128], text[128];
    struct buf b;
    call("tiny", id, text);
    restart("", "limits: {replays_per_minute: 2}\n");
    replay_says(id, "reproduced");
    replay_says(id, "reproduced");
    replay(id, root, 429, &b);
    assert_true(has(&b, "replays_per_minute"));
    buf_free(&b);
    restart("", "");
}

/* ---- several models ---- */

static void each_model_answers_by_its_name_and_replays_on_its_engine(void **state)
{
    (void)state;
    char id[2][128], text[2][128];
    call("tiny", id[0], text[0]);
    call("tuned", id[1], text[1]);
    assert_string_not_equal(text[0], text[1]);
    replay_says(id[1], "reproduced");
    replay_says(id[0], "reproduced");
}

static void texts_are_read_as_the_named_model_reads_them(void **state)
{
    (void)state;
    struct buf b;
    assert_int_equal(post("/tokenize", alice, "{\"model\":\"tuned\",\"content\":\"a3\"}", &b), 200);
    buf_free(&b);
    assert_int_equal(post("/tokenize", alice, "{\"model\":\"other\",\"content\":\"a3\"}", &b), 400);
    assert_true(has(&b, "\"param\":\"model\""));
    buf_free(&b);
}

/* `tiny` is enrolled in the log with these weights, whoever owns it. */
static void enrol(const struct folder *f, const char *tensor_root)
{
    char body[512];
    struct log_receipt r;
    struct err e = ERR_INIT;
    struct log *l = NULL;
    if (!log_open(&l, f->path, NULL, &e))
        fail_msg("%s", e.text);
    snprintf(
        body, sizeof body,
        "{\"bytes\":1,\"complete\":true,\"file_count\":1,\"format\":\"gguf\",\"name\":\"tiny\","
        "\"software\":\"test\",\"tensor_root\":\"%s\"}",
        tensor_root);
    struct log_entry entry = {.kind = RECORD_MODEL, .body = span_str(body)};
    if (!log_append(l, &entry, &r, &e))
        fail_msg("%s", e.text);
    log_close(l);
}

static unsigned ask_tiny(const struct serving *s)
{
    struct buf answer;
    client_post(s->port, "/v1/completions", "",
                "{\"model\":\"tiny\",\"prompt\":[5,6],\"max_tokens\":1}", &answer);
    unsigned status = answer_status(&answer);
    buf_free(&answer);
    return status;
}

/* The digest is looked at again at a reload: the newest entry of the name counts. */
static void reload_looks_at_the_enrolled_weights_again(void **state)
{
    (void)state;
    static const char none[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static char path[4096];
    char hex[DIGEST_HEX + 1];
    struct folder own;
    struct serving s;
    struct engine *g = NULL;
    struct err e = ERR_INIT;
    struct engine_options one = {.threads = 1};
    (void)snprintf(path, sizeof path, "%s/tiny.gguf", models.path);
    assert_true(engine_load(&g, path, &one, &e));
    digest_hex(hex, &engine_info(g)->tensor_root);
    engine_free(g);
    assert_true(folder_make(&own));
    logs_make(&own);
    enrol(&own, hex);
    serving_start_model(&s, &own, path);
    assert_int_equal(ask_tiny(&s), 200);
    enrol(&own, none);
    kill(s.pid, SIGHUP);
    serving_says(&s, "\"event\":\"reload_refused\",\"code\":\"weights_not_enrolled\",\"why\":\"the "
                     "weights loaded for");
    assert_int_equal(ask_tiny(&s), 200); /* as it was */
    enrol(&own, hex);
    kill(s.pid, SIGHUP);
    serving_says(&s, "\"event\":\"reloaded\"");
    assert_int_equal(ask_tiny(&s), 200);
    assert_true(serving_stop(&s));
    folder_remove(&own);
}

static void engine_serves_no_other_weights_than_were_enrolled(void **state)
{
    (void)state;
    static char path[4096];
    char hex[DIGEST_HEX + 1];
    struct folder other, same;
    struct engine *g = NULL;
    struct err e = ERR_INIT;
    struct engine_options one = {.threads = 1};
    (void)snprintf(path, sizeof path, "%s/tiny.gguf", models.path);
    assert_true(folder_make(&other) && folder_make(&same));
    logs_make(&other);
    logs_make(&same);
    enrol(&other, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    struct serve_options o = {.log = other.path, .listen = "127.0.0.1:0", .model = path};
    assert_false(serve_run(&o, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    assert_non_null(strstr(e.text, "not those enrolled"));
    err_clear(&e);
    assert_true(engine_load(&g, path, &one, &e));
    digest_hex(hex, &engine_info(g)->tensor_root);
    engine_free(g);
    enrol(&same, hex);
    struct serving s;
    serving_start_model(&s, &same, path);
    assert_true(serving_stop(&s));
    folder_remove(&other);
    folder_remove(&same);
}

/* ---- load ---- */

static void calls_beyond_the_queue_get_503_and_no_intent(void **state)
{
    (void)state;
    enum { CALLS = 6 };
    int fd[CALLS];
    unsigned refused = 0, taken = 0;
    struct told before, after;
    restart(", sequences: 1, waiting: 1", "");
    told_read(&before, &place);
    for (int i = 0; i < CALLS; i++)
        fd[i] = begin(STREAM(16));
    for (int i = 0; i < CALLS; i++) {
        struct buf answer;
        buf_init(&answer, 64 << 20);
        client_read(fd[i], &answer, "\r\n\r\n", 60000);
        refused += answer_status(&answer) == 503 && has(&answer, "engine_busy");
        taken += answer_status(&answer) == 200;
        buf_free(&answer);
    }
    for (int i = 0; i < CALLS; i++)
        close(fd[i]);
    assert_int_equal(refused + taken, CALLS);
    assert_true(refused > 0 && taken >= 2);
    told_read(&after, &place);
    assert_int_equal(after.intents - before.intents, taken);
    restart("", "");
}

/* ---- endings ---- */

static void stream_in_flight_finishes_when_the_server_drains(void **state)
{
    (void)state;
    struct buf answer;
    struct told t;
    buf_init(&answer, 64 << 20);
    int fd = begin(STREAM(32));
    client_read(fd, &answer, "data:", 60000);
    kill(server.pid, SIGTERM);
    client_read(fd, &answer, "\r\n0\r\n\r\n", 60000);
    close(fd);
    assert_true(has(&answer, "[DONE]"));
    assert_true(serving_stop(&server));
    told_read(&t, &place);
    assert_string_equal(t.outcome, "complete");
    buf_free(&answer);
    start("", "");
}

static void durability_end_holds_back_the_end_alone_and_replays(void **state)
{
    (void)state;
    char id[128];
    struct buf b;
    struct record rec;
    struct span leaf, word;
    struct told t;
    struct err e = ERR_INIT;
    restart("", "durability: end\n");
    assert_int_equal(
        post("/v1/completions", alice,
             "{\"model\":\"tiny\",\"prompt\":\"a3\",\"max_tokens\":20,\"stream\":true}", &b),
        200);
    assert_true(has(&b, "[DONE]"));
    told_wait(&t, &place);
    struct arena *a = arena_new(1 << 20);
    struct log_reader *r = logs_reader(&place);
    assert_true(log_reader_leaf(r, t.intent, a, &leaf, &e) && record_decode(&rec, leaf, a, &e));
    assert_true(json_string(json_get(rec.body, "durability"), &word) && span_is(word, "end"));
    log_reader_close(r);
    arena_free(a);
    replay_says(member(&b, "id", id), "reproduced");
    buf_free(&b);
    restart("", "");
}

static void client_that_leaves_has_its_prefix_recorded_and_replayed(void **state)
{
    (void)state;
    struct buf answer, ids;
    struct told t;
    char entry[32];
    buf_init(&answer, 64 << 20);
    int fd = begin(STREAM(64));
    client_read(fd, &answer, "data:", 60000);
    close(fd);
    told_wait(&t, &place);
    assert_string_equal(t.outcome, "client_abort");
    assert_true(t.released > 0);
    snprintf(entry, sizeof entry, "%llu", (unsigned long long)t.outcome_seq);
    replay_says(entry, "reproduced");
    assert_true(serving_stop(&server));
    buf_init(&ids, 64 << 20);
    told_content(&place, t.intent, "tokens_out", &ids);
    assert_true(ids.n > 0 && ids.n < 64 * 100 * 4);
    buf_free(&ids);
    buf_free(&answer);
    start("", "");
}

static void log_that_fails_in_mid_stream_stops_the_answer(void **state)
{
    (void)state;
    struct buf answer, b;
    assert_true(serving_stop(&server));
    folder_remove(&place);
    assert_true(folder_make(&place));
    logs_make(&place);
    serving_file_limit = 600000;
    start("", "");
    serving_file_limit = 0;
    buf_init(&answer, 64 << 20);
    int fd = begin(STREAM(64));
    client_read(fd, &answer, "\r\n0\r\n\r\n", 60000);
    close(fd);
    assert_int_equal(answer_status(&answer), 200);
    assert_false(has(&answer, "[DONE]"));
    assert_int_equal(post("/v1/completions", alice, "{\"model\":\"tiny\",\"prompt\":\"a3\"}", &b),
                     503);
    assert_true(has(&b, "log_unavailable"));
    serving_kill(&server);
    buf_free(&answer);
    buf_free(&b);
    start("", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_reproduces_a_call_and_shows_nothing_of_it),
        cmocka_unit_test(replays_and_receipts_reach_behind_a_restart),
        cmocka_unit_test(replay_is_for_administrators_alone),
        cmocka_unit_test(what_is_no_call_is_not_replayed),
        cmocka_unit_test(erased_call_answers_erased),
        cmocka_unit_test(replays_are_limited),
        cmocka_unit_test(each_model_answers_by_its_name_and_replays_on_its_engine),
        cmocka_unit_test(texts_are_read_as_the_named_model_reads_them),
        cmocka_unit_test(engine_serves_no_other_weights_than_were_enrolled),
        cmocka_unit_test(reload_looks_at_the_enrolled_weights_again),
        cmocka_unit_test(calls_beyond_the_queue_get_503_and_no_intent),
        cmocka_unit_test(stream_in_flight_finishes_when_the_server_drains),
        cmocka_unit_test(durability_end_holds_back_the_end_alone_and_replays),
        cmocka_unit_test(client_that_leaves_has_its_prefix_recorded_and_replayed),
        cmocka_unit_test(log_that_fails_in_mid_stream_stops_the_answer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
