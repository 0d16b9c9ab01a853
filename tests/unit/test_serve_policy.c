/*
 * Whom the server serves, from where, and whom it asks: addresses, users, enrolled models,
 * budgets, circuits and weights, and what becomes of a call whose client left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/clock.h"
#include "support/serving.h"
#include "support/stub_upstream.h"

static struct folder place;
static struct stub_upstream *stub;
static struct serving server;
static char key[128];

static int setup(void **state)
{
    (void)state;
    if (!folder_make(&place))
        return -1;
    logs_make(&place);
    stub = stub_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stub_stop(stub);
    folder_remove(&place);
    return 0;
}

/* One upstream for any model, called stub, with `upstream` in its entry; then `more`. */
static void start(const char *upstream, const char *more)
{
    char yaml[4096];
    snprintf(yaml, sizeof yaml,
             "upstreams:\n  - {name: stub, url: http://127.0.0.1:%u/v1%s}\n"
             "  - {name: other, url: http://127.0.0.1:%u/v1}\n%s",
             stub_port(stub), upstream, stub_port(stub), more);
    serving_start(&server, &place, yaml, 0);
}

static const char any_model[] = "models: [{name: '*', backends: [{upstream: stub}]}]\n";

static void start_with(const char *more)
{
    char text[2048];
    snprintf(text, sizeof text, "%s%s", any_model, more);
    start("", text);
}

/* Status of a call, and whether its answer says `text`. */
static unsigned ask(unsigned port, const char *fields, const char *model, const char *text)
{
    char body[128];
    struct buf answer;
    snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[]}", model);
    client_post(port, "/v1/chat/completions", fields, body, &answer);
    unsigned status = answer_status(&answer);
    if (!has(&answer, text))
        fail_msg("%s: %u without %s", model, status, text);
    buf_free(&answer);
    return status;
}

/* The keys of a configuration, of which `key` becomes the field that shows the only one. */
static void make_key(const char *more, char *yaml, size_t size)
{
    struct buf keys;
    buf_init(&keys, 4096);
    serving_key("alice", more, &keys, key, sizeof key);
    snprintf(yaml, size, "keys:\n%s", buf_cstr(&keys));
    buf_free(&keys);
}

/* ---- from where ---- */

static void address_beyond_loopback_is_refused_without_keys(void **state)
{
    (void)state;
    static const char *const beyond[] = {"0.0.0.0:0", "[::]:0", "192.0.2.1:80"};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        struct serve_options o = {
            .log = place.path, .listen = beyond[i], .upstream = "http://127.0.0.1:1/v1"};
        struct err e = ERR_INIT;
        assert_false(serve_run(&o, &e));
        assert_int_equal(e.code, ERR_CONFIG);
        assert_non_null(strstr(e.text, "is not loopback and there are no keys"));
    }
    struct serve_options o = {.log = place.path,
                              .listen = "0.0.0.0:0",
                              .upstream = "http://127.0.0.1:1/v1",
                              .open = true};
    struct err e = ERR_INIT;
    assert_true(serve_check(&o, &e));
}

static void administrators_have_an_address_of_their_own(void **state)
{
    (void)state;
    start_with("admin_listen: 127.0.0.1:0\n");
    assert_true(server.admin_port != 0 && server.admin_port != server.port);
    assert_int_equal(client_get(server.port, "/metrics", ""), 404);
    assert_int_equal(client_get(server.admin_port, "/metrics", ""), 200);
    assert_int_equal(client_get(server.admin_port, "/v1/models", ""), 404);
    assert_int_equal(ask(server.admin_port, "", "ok", "not_found"), 404);
    assert_int_equal(ask(server.port, "", "ok", "Assay-Entry"), 200);
    assert_int_equal(client_get(server.port, "/health", ""), 200);
    assert_int_equal(client_get(server.admin_port, "/health", ""), 200);
    assert_true(serving_stop(&server));
}

static void own(const struct folder *f, uid_t uid, gid_t gid)
{
    DIR *d = opendir(f->path);
    struct dirent *e;
    assert_non_null(d);
    assert_int_equal(chown(f->path, uid, gid), 0);
    while ((e = readdir(d)))
        if (e->d_name[0] != '.')
            assert_int_equal(chown(folder_path(f, e->d_name), uid, gid), 0);
    closedir(d);
}

/* The value of a line of /proc/PID/status. */
static void status_line(pid_t pid, const char *name, char *out, size_t size)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    out[0] = '\0';
    while (fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            snprintf(out, size, "%s", line + strlen(name));
    assert_int_equal(fclose(f), 0);
}

static void root_is_given_up_for_the_configured_user(void **state)
{
    (void)state;
    const struct passwd *nobody = getpwnam("nobody");
    char uids[256], wanted[128], set[64];
    if (geteuid() != 0 || !nobody) {
        print_message("only root can give itself up: skipped\n");
        skip();
    }
    own(&place, nobody->pw_uid, nobody->pw_gid);
    start_with("user: nobody\n");
    unsigned uid = (unsigned)nobody->pw_uid;
    snprintf(wanted, sizeof wanted, "\t%u\t%u\t%u\t%u\n", uid, uid, uid, uid);
    status_line(server.pid, "Uid:", uids, sizeof uids);
    assert_string_equal(uids, wanted);
    status_line(server.pid, "CapEff:\t", set, sizeof set);
    assert_string_equal(set, "0000000000000000\n");
    status_line(server.pid, "NoNewPrivs:\t", set, sizeof set);
    assert_string_equal(set, "1\n");
    assert_int_equal(ask(server.port, "", "ok", "Assay-Entry"), 200);
    assert_true(serving_stop(&server));
    own(&place, geteuid(), getegid());
}

/* ---- what ---- */

static void models_that_are_not_enrolled_are_refused(void **state)
{
    (void)state;
    static const char body[] = "{\"bytes\":1,\"complete\":true,\"file_count\":1,\"format\":"
                               "\"gguf\",\"name\":\"ok\",\"software\":\"test\"}";
    struct log_entry entry = {.kind = RECORD_MODEL, .body = span_str(body)};
    struct log_receipt enrolled;
    struct err e = ERR_INIT;
    struct told t;
    struct log *l = logs_open(&place);
    assert_true(log_append(l, &entry, &enrolled, &e));
    log_close(l);
    start_with("enrolled_only: true\n");
    unsigned requests = stub_requests(stub);
    assert_int_equal(ask(server.port, "", "500", "model_not_enrolled"), 403);
    assert_int_equal(stub_requests(stub), requests);
    assert_int_equal(ask(server.port, "", "ok", "Assay-Entry"), 200);
    told_wait(&t, &place);
    assert_string_equal(t.outcome, "complete");
    assert_true(serving_stop(&server));
}

static void sealed_bytes_are_budgeted_for_a_key(void **state)
{
    (void)state;
    char yaml[1024];
    unsigned requests = stub_requests(stub);
    make_key("    sealed_per_day: 3 KiB\n", yaml, sizeof yaml);
    start_with(yaml);
    unsigned served = 0;
    for (int i = 0; i < 12; i++) {
        char body[64] = "{\"model\":\"ok\",\"messages\":[]}";
        struct buf answer;
        client_post(server.port, "/v1/chat/completions", key, body, &answer);
        unsigned status = answer_status(&answer);
        assert_true(status == 200 || (status == 429 && has(&answer, "sealed_per_day")));
        served += status == 200;
        buf_free(&answer);
    }
    assert_true(served >= 1 && served <= 3); /* a call seals more than a KiB */
    assert_int_equal(stub_requests(stub), requests + served);
    assert_true(serving_stop(&server));
}

/* ---- who is asked ---- */

static void names_of_the_upstream_are_listed_where_any_is_served(void **state)
{
    (void)state;
    static const char list[] = "GET /v1/models HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct buf answer;
    serving_start(&server, &place, NULL, stub_port(stub));
    client_ask(server.port, list, &answer);
    assert_int_equal(answer_status(&answer), 200);
    assert_true(has(&answer, "\"id\":\"stub-1\"") && has(&answer, "\"id\":\"stub-2\""));
    buf_free(&answer);
    int fd = client_connect(server.port); /* who leaves meanwhile takes nothing along */
    client_send(fd, list);
    close(fd);
    assert_true(serving_stop(&server));
    start("", "models: [{name: named, backends: [{upstream: stub, model: ok}]}]\n");
    client_ask(server.port, list, &answer);
    assert_true(has(&answer, "\"id\":\"named\"") && !has(&answer, "stub-1"));
    buf_free(&answer);
    assert_true(serving_stop(&server));
}

static void one_model_is_told_by_its_name(void **state)
{
    (void)state;
    struct buf answer;
    start("", "models: [{name: a/b, backends: [{upstream: stub, model: ok}]}]\n");
    client_ask(server.port, "GET /v1/models/a%2fb HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
               &answer);
    assert_int_equal(answer_status(&answer), 200);
    assert_true(has(&answer, "{\"id\":\"a/b\",\"object\":\"model\""));
    buf_free(&answer);
    assert_int_equal(client_get(server.port, "/v1/models/a/b", ""), 200);
    assert_int_equal(client_get(server.port, "/v1/models/a%2", ""), 404);
    assert_int_equal(client_get(server.port, "/v1/models/a", ""), 404);
    assert_true(serving_stop(&server));
}

static void weights_share_the_calls_out(void **state)
{
    (void)state;
    unsigned fine = 0, wrong = 0;
    start("", "models:\n  - name: both\n    backends: [{upstream: stub, model: ok, weight: 3}, "
              "{upstream: other, model: '500', weight: 1}]\n");
    for (int i = 0; i < 16; i++) {
        unsigned status = ask(server.port, "", "both", "Assay-Entry");
        fine += status == 200;
        wrong += status == 500;
    }
    assert_int_equal(fine, 12);
    assert_int_equal(wrong, 4);
    assert_true(serving_stop(&server));
}

static void upstream_that_fails_is_left_alone_and_tried_again_later(void **state)
{
    (void)state;
    start(", break_after: 2, break_ms: 700",
          "models:\n  - name: both\n    backends: [{upstream: stub, model: '503'}, "
          "{upstream: other, model: ok, priority: 1}]\n");
    unsigned before = stub_requests(stub);
    for (int i = 0; i < 2; i++)
        assert_int_equal(ask(server.port, "", "both", "Assay-Entry"), 200);
    assert_int_equal(stub_requests(stub) - before, 4); /* each was asked, and then the other */
    before = stub_requests(stub);
    assert_int_equal(ask(server.port, "", "both", "Assay-Entry"), 200);
    assert_int_equal(stub_requests(stub) - before, 1); /* its circuit is open */
    usleep(800000);
    before = stub_requests(stub);
    assert_int_equal(ask(server.port, "", "both", "Assay-Entry"), 200);
    assert_int_equal(stub_requests(stub) - before, 2);
    assert_true(serving_stop(&server));
}

/* ---- reloads ---- */

static void reload(const char *more)
{
    char yaml[4096];
    snprintf(yaml, sizeof yaml, "upstreams:\n  - {name: stub, url: http://127.0.0.1:%u/v1}\n%s%s",
             stub_port(stub), any_model, more);
    serving_reload(&server, &place, yaml);
}

static unsigned ask_at_length(void)
{
    char body[2048];
    struct buf answer;
    snprintf(body, sizeof body, "{\"model\":\"ok\",\"messages\":[]%*s}", 1900, "");
    client_post(server.port, "/v1/chat/completions", "", body, &answer);
    unsigned status = answer_status(&answer);
    buf_free(&answer);
    return status;
}

static void reload_goes_by_new_limits(void **state)
{
    (void)state;
    struct buf answer;
    start_with("");
    int waiting = client_connect(server.port); /* connections of before go by them too */
    assert_int_equal(ask_at_length(), 200);
    reload("limits: {body: 1 KiB}\n");
    serving_says(&server, "\"event\":\"reloaded\"");
    assert_int_equal(ask_at_length(), 413);
    buf_init(&answer, 1 << 20);
    client_send(waiting, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                         "Content-Length: 2000\r\n\r\n");
    client_read(waiting, &answer, "longer than is accepted", 20000);
    assert_int_equal(answer_status(&answer), 413);
    close(waiting);
    buf_free(&answer);
    assert_true(serving_stop(&server));
}

/* ---- clients that leave ---- */

/* Milliseconds from the client's leaving until the upstream was let go. */
static unsigned leave(const char *model, bool stream)
{
    struct buf answer;
    unsigned requests = stub_requests(stub), aborts = stub_aborts(stub);
    int fd = client_begin_chat(server.port, model, stream);
    buf_init(&answer, 1 << 20);
    for (int i = 0; i < 2000 && stub_requests(stub) == requests; i++)
        usleep(1000);
    if (stream)
        client_read(fd, &answer, "rd0 ", 3000);
    buf_free(&answer);
    uint64_t start = clock_monotonic();
    close(fd);
    while (stub_aborts(stub) == aborts && clock_monotonic() - start < UINT64_C(5000000000))
        usleep(500);
    return (unsigned)((clock_monotonic() - start) / 1000000);
}

/* A machine under load is late at times; a server that looked now and then would be late more
 * often than not, for the clients leave at any time. */
static void client_that_leaves_is_noticed_within_100_ms(void **state)
{
    (void)state;
    enum { TRIES = 9 };
    struct told t;
    start_with("");
    for (int stream = 0; stream < 2; stream++) {
        unsigned in_time = 0;
        for (int i = 0; i < TRIES; i++)
            in_time += leave(stream ? "slow-1000-20" : "stall", stream) < 100;
        assert_true(in_time > TRIES / 2);
        told_wait(&t, &place);
        assert_string_equal(t.outcome, "client_abort");
        assert_true(stream || t.released == 0);
    }
    assert_true(serving_stop(&server));
}

static void upstream_may_finish_when_the_configuration_says_so(void **state)
{
    (void)state;
    struct told t;
    struct buf answer, said;
    unsigned aborts = stub_aborts(stub);
    start_with("on_abort: drain\n");
    int fd = client_begin_chat(server.port, "slow-12-20", true);
    buf_init(&answer, 1 << 20);
    client_read(fd, &answer, "rd1 ", 3000);
    close(fd);
    told_wait(&t, &place);
    assert_string_equal(t.outcome, "client_abort");
    assert_int_equal(stub_aborts(stub), aborts);
    assert_true(serving_stop(&server));
    buf_init(&said, 1 << 20);
    told_content(&place, t.intent, "response", &said);
    assert_true(has(&said, "rd11 ") && has(&said, "[DONE]")); /* all that it said is on record */
    assert_true(t.released < said.n);                         /* and how much of it left */
    buf_free(&answer);
    buf_free(&said);
}

/* ---- for whom ---- */

struct seeking {
    struct log_subject who;
    size_t intents, outcomes;
};

static bool seek(void *arg, uint64_t seq, struct span leaf)
{
    struct seeking *k = arg;
    struct record_head h;
    struct err e = ERR_INIT;
    (void)seq;
    assert_true(record_check(&h, NULL, leaf, &e));
    for (size_t i = 0; h.has_subject && i < k->who.count; i++)
        if (memcmp(h.subject, k->who.pseudonyms[i].b, sizeof h.subject) == 0) {
            k->intents += h.kind == RECORD_CALL_INTENT;
            k->outcomes += h.kind == RECORD_CALL_OUTCOME;
        }
    return true;
}

/* Calls on record under a name; each has an intent and an outcome. */
static size_t calls_of(const char *name)
{
    struct seeking k = {.intents = 0};
    struct err e = ERR_INIT;
    struct arena *a = arena_new(1 << 20);
    struct log_reader *r = logs_reader(&place);
    if (!log_reader_subject(r, NULL, span_str(name), &k.who, a, &e) ||
        !log_reader_walk(r, 0, seek, &k, &e))
        fail_msg("%s: %s", name, e.text);
    log_reader_close(r);
    arena_free(a);
    assert_int_equal(k.intents, k.outcomes);
    return k.intents;
}

static unsigned call_for(const char *path, const char *more)
{
    char body[1024];
    struct buf answer;
    snprintf(body, sizeof body, "{\"model\":\"m\",\"messages\":[],\"max_tokens\":1%s}", more);
    client_post(server.port, path, key, body, &answer);
    unsigned status = answer_status(&answer);
    buf_free(&answer);
    return status;
}

static void call_is_found_and_erased_by_the_user_that_it_names(void **state)
{
    static const char chat[] = "/v1/chat/completions", messages[] = "/v1/messages";
    char yaml[4096], config[5000], too_long[600] = ",\"user\":\"";
    struct err e = ERR_INIT;
    (void)state;
    size_t before = calls_of("alice"); /* of other tests */
    make_key("", yaml, sizeof yaml);
    snprintf(config, sizeof config, "%s%s", any_model, yaml);
    start("", config);
    assert_int_equal(call_for(chat, ",\"user\":\"anna@example.org\""), 200);
    assert_int_equal(
        call_for(chat, ",\"user\":\"anna@example.org\",\"safety_identifier\":\"u-17\""), 200);
    assert_int_equal(call_for(messages, ",\"metadata\":{\"user_id\":\"anna@example.org\"}"), 200);
    assert_int_equal(call_for(chat, ",\"user\":null"), 200);
    assert_int_equal(call_for(chat, ",\"user\":\"\""), 200);
    memset(too_long + 9, 'a', 513);
    too_long[9 + 513] = '"';
    assert_int_equal(call_for(chat, too_long), 400);
    assert_true(serving_stop(&server));
    assert_int_equal(calls_of("anna@example.org"), 2);
    assert_int_equal(calls_of("u-17"), 1);
    assert_int_equal(calls_of("alice"),
                     before + 2); /* the key's own name, where no other is said */
    assert_int_equal(calls_of("nobody"), 0);
    struct log *l = logs_open(&place);
    struct log_order order = {span_str("dpo"), span_str("request 1")};
    struct log_erased erased;
    if (!log_erase_subject(l, span_str("anna@example.org"), &order, &erased, NULL, &e))
        fail_msg("%s", e.text);
    log_close(l);
    assert_int_equal(calls_of("anna@example.org"), 0);
    assert_int_equal(calls_of("u-17"), 1);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_beyond_loopback_is_refused_without_keys),
        cmocka_unit_test(administrators_have_an_address_of_their_own),
        cmocka_unit_test(root_is_given_up_for_the_configured_user),
        cmocka_unit_test(models_that_are_not_enrolled_are_refused),
        cmocka_unit_test(sealed_bytes_are_budgeted_for_a_key),
        cmocka_unit_test(names_of_the_upstream_are_listed_where_any_is_served),
        cmocka_unit_test(one_model_is_told_by_its_name),
        cmocka_unit_test(weights_share_the_calls_out),
        cmocka_unit_test(upstream_that_fails_is_left_alone_and_tried_again_later),
        cmocka_unit_test(reload_goes_by_new_limits),
        cmocka_unit_test(client_that_leaves_is_noticed_within_100_ms),
        cmocka_unit_test(upstream_may_finish_when_the_configuration_says_so),
        cmocka_unit_test(call_is_found_and_erased_by_the_user_that_it_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
