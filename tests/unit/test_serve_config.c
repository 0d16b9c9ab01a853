/*
 * Configurations that would only be found wrong when it is too late are refused when they are read,
 * at the start and by SIGHUP: then all of what was in force stays, and why is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/serving.h"
#include "support/stub_upstream.h"
#include "support/test_pki.h"

static struct folder place;

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(folder_path(&place, name), "we");
    assert_non_null(f);
    assert_true(fchmod(fileno(f), 0600) == 0 && fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
    (void)state;
    if (!folder_make(&place))
        return -1;
    logs_make(&place);
    write_file("server.pem", TEST_LEAF_PEM);
    write_file("server.key", TEST_LEAF_KEY);
    write_file("other.pem", TEST_ROOT_PEM);
    write_file("empty.key", "\n");
    return chdir(place.path);
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(&place);
    return 0;
}

static bool check(const char *url, const char *upstream, const char *more, struct err *e)
{
    char yaml[4096];
    snprintf(yaml, sizeof yaml,
             "log: audit\nupstreams:\n  - {name: u, url: '%s'%s}\n"
             "models: [{name: m, backends: [{upstream: u}]}]\n%s",
             url, upstream, more);
    write_file("check.yaml", yaml);
    struct serve_options o = {.config = "check.yaml"};
    *e = (struct err)ERR_INIT;
    return serve_check(&o, e);
}

#define LOCAL "http://127.0.0.1:1/v1"
#define HASH "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void urls_that_reach_nothing_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "http://",         "https:///v1",   "http://h:0/v1",      "http://h:65536/v1",
        "http://h:x/v1",   "http://h:/v1",  "http://:80/v1",      "http://[::1/v1",
        "http://[h]/v1",   "http://::1/v1", "http://h:80:80/v1",  "http://h..i/v1",
        "http://.h/v1",    "http://a@h/v1", "http://h/v1?a",      "http://h/../v1",
        "http://h/v1/./x", "http://h/..",   "http://h/%2e%2E/v1", "http://h,i/v1",
        "http://h%41/v1"};
    static const char *const good[] = {"http://h",
                                       "https://h.i:1/",
                                       "http://[::1]:8000/v1",
                                       "http://127.0.0.1:1/a..b/.c",
                                       "http://h_1-x.y./v1",
                                       "https://h:443/v1"};
    struct err e;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (check(bad[i], "", "", &e) || e.code != ERR_CONFIG)
            fail_msg("%s", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!check(good[i], "", "", &e))
            fail_msg("%s: %s", good[i], e.text);
}

static void what_would_serve_nobody_or_anybody_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *upstream, *more, *why;
    } bad[] = {
        {"", "listen: localhost:8080\n", "number"},
        {"", "listen: 127.example.org:8080\n", "number"},
        {"", "listen: '[127.0.0.1]:8080'\n", "number"},
        {"", "admin_listen: 0.0.0.0:8081\n", "0.0.0.0 is not loopback"},
        {"", "listen: 127.0.0.1:8080\nadmin_listen: 127.0.0.1:8080\n", "one address"},
        {", key_file: empty.key", "", "is empty"},
        {", key_file: server.key, key_env: HOME", "", "both"},
        {", ca_file: none.pem", "", "cannot be read"},
        {"", "tls: {certificate: none.pem, key: server.key}\n", "certificate"},
        {"", "tls: {certificate: other.pem, key: server.key}\n", "key"},
        {"", "tls: {certificate: server.pem, key: server.key, client_ca: none.pem}\n",
         "authorities"},
        {"", "keys: [{name: a, sha256: " HASH "}, {name: b, sha256: " HASH "}]\n", "one digest"},
        {"", "keys: [{name: a, certificate_sha256: " HASH "}]\n", "client_ca"},
        {"", "user: \"a\\0b\"\n", "NUL"},
    };
    struct err e;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (check(LOCAL, bad[i].upstream, bad[i].more, &e) || !strstr(e.text, bad[i].why))
            fail_msg("%s%s: %s", bad[i].upstream, bad[i].more, e.text);
    assert_true(check(LOCAL, "",
                      "tls: {certificate: server.pem, key: server.key, client_ca: other.pem}\n"
                      "keys: [{name: a, certificate_sha256: " HASH "}]\n",
                      &e));
}

/* ---- SIGHUP ---- */

static void hup(const struct serving *s, const char *model, const char *more, unsigned upstream)
{
    char yaml[4096];
    snprintf(yaml, sizeof yaml,
             "upstreams: [{name: stub, url: http://127.0.0.1:%u/v1}]\n"
             "models: [{name: %s, backends: [{upstream: stub, model: ok}]}]\n%s",
             upstream, model, more);
    serving_reload(s, &place, yaml);
}

static unsigned ask(const struct serving *s, const char *fields)
{
    struct buf answer;
    client_post(s->port, "/v1/chat/completions", fields, "{\"model\":\"one\",\"messages\":[]}",
                &answer);
    unsigned status = answer_status(&answer);
    buf_free(&answer);
    return status;
}

static void reload_takes_all_of_a_configuration_or_nothing(void **state)
{
    (void)state;
    static char field[5000];
    struct serving s;
    struct stub_upstream *stub = stub_start();
    unsigned port = stub_port(stub);
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "upstreams: [{name: stub, url: http://127.0.0.1:%u/v1}]\n"
             "models: [{name: one, backends: [{upstream: stub, model: ok}]}]\n",
             port);
    serving_start(&s, &place, yaml, 0);
    assert_int_equal(ask(&s, ""), 200);
    hup(&s, "two", "limits: {head: none}\n", port);
    serving_says(&s, "serve.yaml: 'head': expected");
    static const char *const fixed[] = {"admin_listen: 127.0.0.1:0\n", "user: nobody\n",
                                        "tls: {certificate: server.pem, key: server.key}\n"};
    for (size_t i = 0; i < 3; i++) {
        hup(&s, "two", fixed[i], port);
        serving_says(&s, "\"code\":\"needs_restart\",\"why\":\"another '");
    }
    hup(&s, "two", "tls: {certificate: none.pem, key: server.key}\n", port);
    serving_says(&s, "none.pem");
    assert_int_equal(ask(&s, ""), 200); /* as it was */
    memset(field, 'a', sizeof field - 4);
    memcpy(field, "A: ", 3);
    memcpy(field + sizeof field - 3, "\r\n", 3);
    field[sizeof field - 4] = 'a';
    assert_int_equal(ask(&s, field), 200);
    hup(&s, "one", "limits: {head: 4 KiB}\n", port);
    serving_says(&s, "\"event\":\"reloaded\"");
    assert_int_equal(ask(&s, field), 431); /* limits are those of the new one */
    assert_int_equal(ask(&s, ""), 200);
    hup(&s, "two", "", port);
    serving_says(&s, "\"event\":\"reloaded\"");
    assert_int_equal(ask(&s, field), 404);
    assert_true(serving_stop(&s));
    stub_stop(stub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_that_reach_nothing_are_refused),
        cmocka_unit_test(what_would_serve_nobody_or_anybody_is_refused),
        cmocka_unit_test(reload_takes_all_of_a_configuration_or_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
