/* Processes, sockets and a reader of logs, for tests of the server. */
#include "log/store.h"
#include "support/serving.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assay/base/clock.h"
#include "assay/http.h"

enum { PATIENCE_MS = 10000, SAYS_MS = 20000, ANSWER_MAX = 64 << 20 };

/* ---- the server ---- */

static void say(void *arg, struct span line)
{
    const int *fd = arg;
    char text[8192];
    int n = snprintf(text, sizeof text, "%.*s\n", (int)line.n, (const char *)line.p);
    if (n > 0 && write(*fd, text, (size_t)n) != n)
        _exit(3);
}

unsigned long serving_file_limit;

static void limit_files(void)
{
    struct rlimit r = {serving_file_limit, serving_file_limit};
    if (serving_file_limit && setrlimit(RLIMIT_FSIZE, &r) != 0)
        _exit(4);
    (void)signal(SIGXFSZ, SIG_IGN);
}

enum { LINES = 3, ARGUMENTS = 6 }; /* descriptor of what the server says */

/*
 * The server's process: this program again, from its beginning, since a child of a process
 * with threads may not allocate. Arguments: SERVING, the log, its configuration or "", an
 * upstream's URL or "", a model or "". Runs before main and returns when it is none of that.
 */
static const char serving_word[] = "--serving";

static void fill_queue(int signal)
{
    queue_limit(signal == SIGUSR1 ? 0 : LOG_QUEUE_MAX);
}

__attribute__((constructor)) static void serve_when_asked(int argc, char **argv)
{
    int out = LINES;
    struct err e = ERR_INIT;
    if (argc != ARGUMENTS || strcmp(argv[1], serving_word) != 0)
        return;
    struct serve_options o = {.log = argv[2], .listen = "127.0.0.1:0", .say = say, .say_arg = &out};
    if (argv[3][0])
        o.config = argv[3];
    if (argv[4][0])
        o.upstream = argv[4];
    if (argv[5][0])
        o.model = argv[5];
    (void)signal(SIGUSR1, fill_queue);
    (void)signal(SIGUSR2, fill_queue);
    if (!serve_run(&o, &e)) {
        fprintf(stderr, "serve: %s: %s\n", e.file, e.text);
        _exit(1);
    }
    _exit(0);
}

static void become_server(const char *folder, const char *config, const char *url,
                          const char *model, int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Connections of the parent would never end while this process holds them too. */
    if (dup2(out, LINES) != LINES || close_range(LINES + 1, ~0U, 0) != 0)
        _exit(5);
    limit_files();
    execl("/proc/self/exe", "serving", serving_word, folder, config, url, model, (char *)NULL);
    _exit(6);
}

static void write_config(const struct folder *f, const char *yaml)
{
    FILE *out = fopen(folder_path(f, "serve.yaml"), "we");
    assert_non_null(out);
    assert_true(fputs(yaml, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void start(struct serving *s, const struct folder *f, const char *config, const char *url,
                  const char *model)
{
    int ends[2];
    char line[8192] = "";
    size_t n = 0;
    assert_int_equal(pipe(ends), 0);
    s->pid = fork();
    if (s->pid == 0)
        become_server(f->path, config, url, model, ends[1]);
    close(ends[1]);
    s->lines = ends[0];
    s->port = 0;
    while (s->port == 0 && n < sizeof line - 1 && read(s->lines, line + n, 1) == 1) {
        n++;
        line[n] = '\0';
        const char *port = strstr(line, "\"port\":");
        if (port && line[n - 1] == '\n')
            s->port = (unsigned)strtoul(port + 7, NULL, 10);
        port = strstr(line, "\"admin_port\":");
        if (s->port && port)
            s->admin_port = (unsigned)strtoul(port + 13, NULL, 10);
    }
    assert_true(s->port != 0);
}

void serving_start(struct serving *s, const struct folder *f, const char *yaml, unsigned upstream)
{
    char config[4096] = "", url[64] = "";
    if (yaml) {
        write_config(f, yaml);
        snprintf(config, sizeof config, "%s/serve.yaml", f->path);
    } else {
        snprintf(url, sizeof url, "http://127.0.0.1:%u/v1", upstream);
    }
    start(s, f, config, url, "");
}

void serving_start_model(struct serving *s, const struct folder *f, const char *model)
{
    start(s, f, "", "", model);
}

bool serving_stop(struct serving *s)
{
    int status = 1;
    kill(s->pid, SIGTERM);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    close(s->lines);
    if (status)
        print_message("the server ended with wait status %#x\n", (unsigned)status);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void serving_kill(struct serving *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    close(s->lines);
}

void serving_says(const struct serving *s, const char *text)
{
    static char said[65536];
    size_t n = 0, line = 0;
    struct pollfd p = {.fd = s->lines, .events = POLLIN};
    while (n < sizeof said - 1 && poll(&p, 1, SAYS_MS) > 0 && read(s->lines, said + n, 1) == 1) {
        said[++n] = '\0';
        if (said[n - 1] != '\n')
            continue;
        if (strstr(said + line, text))
            return;
        line = n;
    }
    fail_msg("no %s in %s", text, said);
}

void serving_reload(const struct serving *s, const struct folder *f, const char *yaml)
{
    write_config(f, yaml);
    kill(s->pid, SIGHUP);
}

void serving_key(const char *name, const char *more, struct buf *keys, char *field, size_t size)
{
    struct buf key;
    struct err e = ERR_INIT;
    buf_init(&key, 4096);
    assert_true(serve_make_key(span_str(name), &key, keys, &e));
    buf_put_str(keys, more);
    snprintf(field, size, "Authorization: Bearer %s\r\n", buf_cstr(&key));
    buf_free(&key);
}

/* ---- clients ---- */

int client_connect(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

void client_send(int fd, const char *text)
{
    size_t n = strlen(text), at = 0;
    while (at < n) {
        ssize_t done = send(fd, text + at, n - at, MSG_NOSIGNAL);
        if (done < 0)
            return;
        at += (size_t)done;
    }
}

void client_read(int fd, struct buf *answer, const char *wanted, int ms)
{
    static char block[65536];
    uint64_t end = clock_monotonic() / 1000000 + (uint64_t)ms;
    for (;;) {
        uint64_t now = clock_monotonic() / 1000000;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (wanted && answer->n && memmem(answer->p, answer->n, wanted, strlen(wanted)))
            return;
        if (now >= end || poll(&p, 1, (int)(end - now)) <= 0)
            return;
        ssize_t n = recv(fd, block, sizeof block, 0);
        if (n <= 0)
            return;
        buf_put(answer, block, (size_t)n);
    }
}

void client_ask(unsigned port, const char *request, struct buf *answer)
{
    int fd = client_connect(port);
    assert_true(fd >= 0);
    buf_init(answer, ANSWER_MAX);
    client_send(fd, request);
    client_read(fd, answer, NULL, PATIENCE_MS);
    close(fd);
}

void client_post(unsigned port, const char *path, const char *fields, const char *body,
                 struct buf *answer)
{
    struct buf text;
    buf_init(&text, ANSWER_MAX);
    buf_printf(&text,
               "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               "Connection: close\r\n%sContent-Length: %zu\r\n\r\n",
               path, fields, strlen(body));
    buf_put_str(&text, body);
    client_ask(port, buf_cstr(&text), answer);
    buf_free(&text);
}

unsigned client_get(unsigned port, const char *path, const char *fields)
{
    char text[1024];
    struct buf answer;
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n", path,
             fields);
    client_ask(port, text, &answer);
    unsigned status = answer_status(&answer);
    buf_free(&answer);
    return status;
}

int client_begin_chat(unsigned port, const char *model, bool stream)
{
    char text[512], body[256];
    snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[]%s}", model,
             stream ? ",\"stream\":true" : "");
    snprintf(text, sizeof text,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    int fd = client_connect(port);
    client_send(fd, text);
    return fd;
}

bool has(const struct buf *b, const char *text)
{
    return b->n && memmem(b->p, b->n, text, strlen(text));
}

unsigned answer_status(const struct buf *answer)
{
    return answer->n > 12 ? (unsigned)strtoul((const char *)answer->p + 9, NULL, 10) : 0;
}

static const uint8_t *end_of_head(const struct buf *answer)
{
    return answer->n ? memmem(answer->p, answer->n, "\r\n\r\n", 4) : NULL;
}

void answer_field(const struct buf *answer, const char *name, char *out, size_t size)
{
    char wanted[128];
    const uint8_t *end = end_of_head(answer);
    size_t n = 0;
    int length = snprintf(wanted, sizeof wanted, "\r\n%s: ", name);
    const uint8_t *at =
        end ? memmem(answer->p, (size_t)(end - answer->p) + 2, wanted, (size_t)length) : NULL;
    if (at)
        for (at += length; at[n] != '\r' && n < size - 1; n++)
            out[n] = (char)at[n];
    out[n] = '\0';
}

void answer_body(const struct buf *answer, struct buf *out)
{
    char coding[32];
    struct http_chunks c = {0};
    const uint8_t *end = end_of_head(answer);
    size_t used;
    struct err e = ERR_INIT;
    buf_init(out, ANSWER_MAX);
    if (!end)
        return;
    size_t at = (size_t)(end - answer->p) + 4;
    struct span rest = {answer->p + at, answer->n - at};
    answer_field(answer, "Transfer-Encoding", coding, sizeof coding);
    if (strcmp(coding, "chunked") != 0)
        buf_put_span(out, rest);
    else if (!http_chunks_feed(&c, rest, &used, out, &e))
        fail_msg("%s", e.text);
}

/* ---- what the log says ---- */

static void text_of(char *out, size_t size, struct json v)
{
    struct span s = SPAN_EMPTY;
    (void)json_string(v, &s);
    snprintf(out, size, "%.*s", (int)s.n, (const char *)s.p);
}

struct reading {
    struct told *told;
    uint64_t only; /* of this intent; UINT64_MAX: of the newest */
};

static void read_outcome(struct told *t, const struct record *r)
{
    uint64_t intent = UINT64_MAX;
    (void)json_u64(json_get(r->body, "intent"), &intent);
    t->outcomes++;
    if (intent != t->intent)
        return;
    t->has_outcome = true;
    t->outcome_seq = r->head.seq;
    text_of(t->outcome, sizeof t->outcome, json_get(r->body, "outcome"));
    text_of(t->error, sizeof t->error, json_get(r->body, "error"));
    t->status = 0;
    (void)json_u64(json_get(r->body, "status"), &t->status);
    (void)json_u64(json_get(r->body, "released_bytes"), &t->released);
    (void)json_u64(json_get(r->body, "attempts"), &t->attempts);
    t->window_count = 0;
    (void)json_u64(json_get(r->body, "windows"), &t->window_count);
    struct json tokens = json_get(r->body, "tokens");
    t->estimated = t->relayed = false;
    (void)json_bool(json_get(r->body, "relayed"), &t->relayed);
    (void)json_bool(json_get(tokens, "estimated"), &t->estimated);
    (void)json_u64(json_get(tokens, "input"), &t->tokens_in);
    (void)json_u64(json_get(tokens, "output"), &t->tokens_out);
}

static bool read_leaf(void *arg, uint64_t seq, struct span leaf)
{
    struct told *t = arg;
    struct record r;
    struct err e = ERR_INIT;
    struct arena *a = arena_new(1 << 20);
    if (!record_decode(&r, leaf, a, &e))
        fail_msg("entry %llu: %s", (unsigned long long)seq, e.text);
    if (r.head.kind == RECORD_CALL_INTENT) {
        t->intents++;
        t->intent = seq;
        t->has_outcome = false;
        text_of(t->api, sizeof t->api, json_get(r.body, "api"));
    } else if (r.head.kind == RECORD_CALL_WINDOW) {
        t->windows++;
    } else if (r.head.kind == RECORD_CALL_OUTCOME) {
        read_outcome(t, &r);
    } else if (r.head.kind == RECORD_REFUSED) {
        static const char *const names[] = {"limited", "malformed", "unauthenticated"};
        t->refused++;
        for (size_t i = 0; i < 3; i++) {
            uint64_t n = 0;
            (void)json_u64(json_get(r.body, names[i]), &n);
            t->refused_count += n;
        }
    }
    arena_free(a);
    return true;
}

void told_read(struct told *t, const struct folder *f)
{
    struct err e = ERR_INIT;
    struct log_reader *r = logs_reader(f);
    memset(t, 0, sizeof *t);
    t->intent = UINT64_MAX - 1;
    if (!log_reader_walk(r, 0, read_leaf, t, &e))
        fail_msg("%s", e.text);
    log_reader_close(r);
}

void told_wait(struct told *t, const struct folder *f)
{
    for (int i = 0; i < 2000; i++) { /* a loaded machine takes its time */
        told_read(t, f);
        if (t->intents && t->has_outcome)
            return;
        usleep(10000);
    }
    fail_msg("the newest call got no outcome");
}

/* ---- content ---- */

struct gathering {
    struct log *log;
    uint64_t intent;
    const char *field;
    struct buf *out;
    uint64_t seqs[4096];
    size_t count;
};

static bool gather(void *arg, uint64_t seq, struct span leaf)
{
    struct gathering *g = arg;
    struct record r;
    struct err e = ERR_INIT;
    struct arena *a = arena_new(1 << 20);
    uint64_t intent = seq;
    assert_true(record_decode(&r, leaf, a, &e));
    (void)json_u64(json_get(r.body, "intent"), &intent);
    bool call = r.head.kind == RECORD_CALL_INTENT || r.head.kind == RECORD_CALL_WINDOW ||
                r.head.kind == RECORD_CALL_OUTCOME;
    for (size_t i = 0; call && intent == g->intent && i < r.field_count; i++)
        if (span_is(r.fields[i].name, g->field) && g->count < 4096)
            g->seqs[g->count++] = seq;
    arena_free(a);
    return true;
}

static void open_one(struct gathering *g, uint64_t seq)
{
    struct log_disclosure what = {
        seq, span_str(g->field), span_str("test"), {span_str("test"), span_str("test")}};
    struct buf bundle;
    struct json root = JSON_NOTHING, field;
    struct span content = SPAN_EMPTY;
    struct err e = ERR_INIT;
    struct arena *a = arena_new((size_t)256 << 20);
    uint64_t leaf;
    buf_init(&bundle, 128 << 20);
    if (!log_disclose(g->log, &what, &leaf, &bundle, &e) ||
        !json_parse(&root, buf_span(&bundle), JSON_STRICT, a, &e))
        fail_msg("%s", e.text);
    field = json_at(json_get(root, "fields"), 0);
    if (!json_string(json_get(field, "content"), &content)) {
        assert_true(json_string(json_get(field, "content_base64"), &content));
        assert_true(base64_decode(content, a, &content));
    }
    buf_put_span(g->out, content);
    buf_free(&bundle);
    arena_free(a);
}

void told_content(const struct folder *f, uint64_t intent, const char *field, struct buf *out)
{
    struct err e = ERR_INIT;
    static struct gathering g;
    struct log_reader *r = logs_reader(f);
    g = (struct gathering){.intent = intent, .field = field, .out = out};
    if (!log_reader_walk(r, 0, gather, &g, &e))
        fail_msg("%s", e.text);
    log_reader_close(r);
    g.log = logs_open(f);
    for (size_t i = 0; i < g.count; i++)
        open_one(&g, g.seqs[i]);
    log_close(g.log);
}
