/*
 * The proxy beside nginx on the same core in the same run: the proxy alone on the last core,
 * the upstream and the load on the first. BENCH_SECONDS a line, 4 unless said; SERVE_LOAD_SECONDS=900
 * and the word growth are the fifteen minutes of mixed load.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "assay/base/clock.h"
#include "assay/log.h"
#include "assay/serve.h"
#include "support/folder.h"
#include "support/load.h"
#include "support/stub_upstream.h"

enum {
    SYNCS = 300,
    SYNC_BYTES = 2048,
    STREAMS = 1000,
    EVENTS = 100,
    MIXED_STREAMS = 200,
    CALLERS = 32,
    STUB_PORT = 18765,
    NGINX_PORT
};

static struct folder place;
static double seconds = 4;

static const char call_body[] = "{\"model\":\"ok\",\"messages\":[{\"role\":\"user\",\"content\":"
                                "\"What is the capital of France, "
                                "and on which river does it lie?\"}],\"temperature\":0.7}";
static const char stream_body[] = "{\"model\":\"slow-100-50\",\"messages\":[],\"stream\":true}";
static char request[1024], stream_request[1024];

static void write_request(char *out, size_t size, const char *body)
{
    snprintf(out, size,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
}

static void pin(long core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

static long last_core(void)
{
    return sysconf(_SC_NPROCESSORS_ONLN) - 1;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double fdatasync_ms(void)
{
    static double ms[SYNCS];
    static const char block[SYNC_BYTES];
    int fd = open(folder_path(&place, "sync"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    for (int i = 0; i < SYNCS; i++) {
        uint64_t start = clock_monotonic();
        if (write(fd, block, sizeof block) != sizeof block || fdatasync(fd) != 0)
            break;
        ms[i] = (double)(clock_monotonic() - start) / 1e6;
    }
    close(fd);
    unlink(folder_path(&place, "sync"));
    qsort(ms, SYNCS, sizeof *ms, by_size);
    return ms[SYNCS / 2];
}

/* ---- what the machine itself takes ---- */

struct spinner {
    pthread_t thread;
    long core;
    double paused_ms, longest_ms; /* of stops above half a millisecond */
};

static void *spin(void *arg)
{
    enum { SPIN_MS = 300 };
    struct spinner *s = arg;
    pin(s->core);
    uint64_t start = clock_monotonic(), last = start;
    while (last - start < UINT64_C(1000000) * SPIN_MS) {
        uint64_t now = clock_monotonic();
        double gap = (double)(now - last) / 1e6;
        s->paused_ms += gap > 0.5 ? gap : 0;
        s->longest_ms = gap > s->longest_ms ? gap : s->longest_ms;
        last = now;
    }
    s->paused_ms /= SPIN_MS;
    return NULL;
}

/* Two threads that do nothing else, each on a core: for how much of the time one of them did not
 * run, and the longest of it. On a virtual machine that is what its host gave to others. */
static void look_for_pauses(double *share, double *longest_ms)
{
    struct spinner s[2] = {{.core = 0}, {.core = last_core()}};
    for (int i = 0; i < 2; i++)
        if (pthread_create(&s[i].thread, NULL, spin, &s[i]) != 0)
            exit(1);
    for (int i = 0; i < 2; i++) {
        pthread_join(s[i].thread, NULL);
        *share += s[i].paused_ms;
        *longest_ms = s[i].longest_ms > *longest_ms ? s[i].longest_ms : *longest_ms;
    }
}

/* ---- the servers ---- */

static pid_t child(void)
{
    pid_t p = fork();
    if (p == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return p;
}

static void end(pid_t p, int how)
{
    kill(p, how);
    waitpid(p, NULL, 0);
}

static pid_t start_stub(void)
{
    pid_t p = child();
    if (p == 0) {
        pin(0);
        stub_serve(STUB_PORT);
        _exit(0);
    }
    return p;
}

static void say(void *arg, struct span line)
{
    const char *port = memmem(line.p, line.n, "\"port\":", 7);
    unsigned n = port ? (unsigned)strtoul(port + 7, NULL, 10) : 0;
    if (n && write(*(const int *)arg, &n, sizeof n) != sizeof n)
        _exit(1);
}

static pid_t start_assay(unsigned *port)
{
    int ends[2];
    char url[64];
    if (pipe(ends) != 0)
        abort();
    pid_t p = child();
    if (p == 0) {
        struct serve_options o = {.log = folder_path(&place, "log"),
                                  .listen = "127.0.0.1:0",
                                  .upstream = url,
                                  .say = say,
                                  .say_arg = &ends[1]};
        struct err e = ERR_INIT;
        pin(last_core());
        snprintf(url, sizeof url, "http://127.0.0.1:%d/v1", STUB_PORT);
        if (!serve_run(&o, &e))
            fprintf(stderr, "bench_serve: %s\n", e.text);
        _exit(0);
    }
    if (read(ends[0], port, sizeof *port) != sizeof *port)
        abort();
    close(ends[0]);
    close(ends[1]);
    return p;
}

/* The reference: Debian's nginx, one worker, connections to the upstream kept, no log. */
static pid_t start_nginx(unsigned port)
{
    char path[512];
    snprintf(path, sizeof path, "%s", folder_path(&place, "nginx.conf"));
    FILE *f = fopen(path, "we");
    if (!f)
        return -1;
    fprintf(f,
            "worker_processes 1; daemon off; master_process off; pid %s/nginx.pid;\n"
            "error_log /dev/null; events { worker_connections 8192; }\n"
            "http { access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p;\n"
            "  fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n"
            "  upstream stub { server 127.0.0.1:%d; keepalive 256; }\n"
            "  keepalive_requests 100000000;\n"
            "  server { listen 127.0.0.1:%u; location / { proxy_pass http://stub;\n"
            "    proxy_http_version 1.1; proxy_set_header Connection \"\"; } } }\n",
            place.path, place.path, place.path, place.path, place.path, place.path, STUB_PORT,
            port);
    fclose(f);
    pid_t p = child();
    if (p == 0) {
        pin(last_core());
        execlp("nginx", "nginx", "-c", path, (char *)NULL);
        execl("/usr/sbin/nginx", "nginx", "-c", path, (char *)NULL);
        _exit(127);
    }
    usleep(700000);
    return waitpid(p, NULL, WNOHANG) == 0 ? p : -1;
}

static double resident_mib(pid_t p)
{
    char path[64];
    long pages = 0, resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)p);
    FILE *f = fopen(path, "re");
    if (!f || fscanf(f, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576;
}

/* Time on a core of all threads of a process. */
static double cpu_us(pid_t p)
{
    clockid_t clock;
    struct timespec t = {0, 0};
    if (clock_getcpuclockid(p, &clock) == 0)
        (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- lines ---- */

static void line(const char *name, double figure, const char *unit, double reference, double target,
                 bool most)
{
    bool ok = most ? figure <= target : figure >= target;
    printf("%-28s %9.2f %-5s reference %9.2f  ratio %6.2f  target %9.2f  %s\n", name, figure, unit,
           reference, reference > 0 ? figure / reference : 0, target, ok ? "ok" : "missed");
    fflush(stdout);
}

static struct load_result load(unsigned port, unsigned connections, double rate)
{
    struct load l = {port, request, connections, seconds, rate};
    struct load_result r;
    load_run(&l, &r);
    if (r.answers == 0) {
        fprintf(stderr, "bench_serve: nobody answers on port %u\n", port);
        exit(1);
    }
    if (r.failures)
        printf("%zu answers were no 200\n", r.failures);
    return r;
}

/* As many calls as the proxy's core takes, and what of its time one of them takes. */
static double full_load(unsigned port, pid_t server, double reference)
{
    double used = cpu_us(server);
    struct load_result r = load(port, CALLERS, 0);
    used = (cpu_us(server) - used) / (double)(r.answers ? r.answers : 1);
    line("serve_call_cpu", used, "us", 100, 100, true);
    line("serve_calls_32", r.rate, "/s", reference, 10000, false);
    return r.rate;
}

struct added {
    double p50, p99;
};

/* What somebody between the callers and the upstream adds at 5,000 calls a second. */
static struct added add_at_half(unsigned port, const struct load_result *direct,
                                struct load_result *through)
{
    *through = load(port, CALLERS, 5000);
    return (struct added){through->p50_ms - direct->p50_ms, through->p99_ms - direct->p99_ms};
}

/*
 * What the proxy adds when half of what it could do is asked of it: medians of stretches, each
 * with the upstream alone, the disk's sync, the machine's pauses and nginx, when it is here, beside
 * it, for a second in which the machine does something else says nothing of the proxy. The worst
 * stretch is told.
 */
static void half_load(unsigned port, pid_t nginx)
{
    enum { STRETCHES = 5, P50 = 0, P99, SYNC, LATE, LATE_DIRECT, NGINX_P50, NGINX_P99, KINDS };
    double v[KINDS][STRETCHES] = {{0}}, whole = seconds;
    double share = 0, longest = 0;
    seconds = whole / 2;
    for (int i = 0; i < STRETCHES; i++) {
        struct load_result r, direct = load(STUB_PORT, CALLERS, 5000);
        if (nginx > 0) {
            struct added theirs = add_at_half(NGINX_PORT, &direct, &r);
            v[NGINX_P50][i] = theirs.p50;
            v[NGINX_P99][i] = theirs.p99;
        }
        double sync = fdatasync_ms();
        struct added ours = add_at_half(port, &direct, &r);
        v[SYNC][i] = (sync + fdatasync_ms()) / 2;
        v[P50][i] = ours.p50;
        v[P99][i] = ours.p99;
        v[LATE][i] = r.late_p99_ms;
        v[LATE_DIRECT][i] = direct.late_p99_ms;
        look_for_pauses(&share, &longest);
    }
    seconds = whole;
    for (int k = 0; k < KINDS; k++)
        qsort(v[k], STRETCHES, sizeof **v, by_size);
    const int mid = STRETCHES / 2;
    double sync = v[SYNC][mid];
    line("serve_5000_added_p50", v[P50][mid], "ms", sync, 5 * sync + 0.5, true);
    line("serve_5000_added_p99", v[P99][mid], "ms", sync, 20 * sync, true);
    line("serve_5000_generator_late", v[LATE][mid], "ms", v[LATE_DIRECT][mid], 1, true);
    printf("medians of %d stretches of %.0f s; worst p99 %.2f ms, syncs %.2f to %.2f ms\n",
           STRETCHES, whole / 2, v[P99][STRETCHES - 1], v[SYNC][0], v[SYNC][STRETCHES - 1]);
    if (nginx > 0)
        printf("nginx, which records nothing, adds p50 %.2f, p99 %.2f ms, worst %.2f\n",
               v[NGINX_P50][mid], v[NGINX_P99][mid], v[NGINX_P99][STRETCHES - 1]);
    printf("the machine's own pauses: %.1f %% of the time of two busy cores, up to %.2f ms\n",
           100 * share / STRETCHES, longest);
}

static void calls(unsigned port, pid_t server)
{
    pid_t nginx = start_nginx(NGINX_PORT);
    struct load_result reference = {0};
    if (nginx > 0)
        reference = load(NGINX_PORT, CALLERS, 0);
    double rate = full_load(port, server, reference.rate);
    line("serve_calls_32_of_nginx", reference.rate > 0 ? rate / reference.rate : 0, "", 1, 0.17,
         false);
    half_load(port, nginx);
    if (nginx > 0)
        end(nginx, SIGTERM);
    else
        printf("nginx is not here: no reference\n");
}

struct seen {
    pid_t pid;
    double mib;
};

static void look(void *arg)
{
    struct seen *s = arg;
    s->mib = resident_mib(s->pid);
}

static void streams(unsigned port, pid_t server)
{
    struct load l = {port, stream_request, STREAMS, 6, 0};
    struct streams_result r;
    struct seen s = {server, 0};
    double before = resident_mib(server);
    load_streams(&l, &r, look, &s);
    line("serve_streams_whole", (double)r.whole, "", STREAMS, STREAMS, false);
    line("serve_stream_events", (double)r.events, "", (double)STREAMS * (EVENTS + 1),
         (double)STREAMS * (EVENTS + 1), false);
    line("serve_stream_memory", (s.mib - before) * 1024 / STREAMS, "KiB", 64, 64, true);
}

static void mixed(unsigned port)
{
    struct load l = {port, stream_request, MIXED_STREAMS, 6, 0};
    struct streams_result streams;
    (void)load(port, 64, 0);
    load_streams(&l, &streams, NULL, NULL);
    if (streams.whole != MIXED_STREAMS)
        printf("%zu of %d streams were whole\n", streams.whole, MIXED_STREAMS);
}

/* Calls and streams in turn, for SERVE_LOAD_SECONDS when that is set (the fifteen minutes are
 * 900); otherwise once. What is there after a first round of the same is what it grows from. */
static void growth(unsigned port, pid_t server)
{
    const char *wanted = getenv("SERVE_LOAD_SECONDS");
    double left = wanted ? strtod(wanted, NULL) : 0;
    uint64_t end;
    mixed(port);
    double before = resident_mib(server);
    end = clock_monotonic() + (uint64_t)(left * 1e9);
    do {
        mixed(port);
        if (left > 0)
            printf("resident %.2f MiB\n", resident_mib(server));
    } while (clock_monotonic() < end);
    line("serve_growth", resident_mib(server) - before, "MiB", before, 4, true);
}

/* Without words every part runs; with words those that are named: calls, streams, growth, and
 * cost and rate, which are parts of calls. */
static bool wanted_part(int argc, char **argv, const char *name)
{
    bool found = argc < 2;
    for (int i = 1; i < argc; i++)
        found = found || strcmp(argv[i], name) == 0;
    return found;
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    struct rlimit r;
    unsigned port = 0;
    const char *wanted = getenv("BENCH_SECONDS");
    write_request(request, sizeof request, call_body);
    write_request(stream_request, sizeof stream_request, stream_body);
    if (wanted)
        seconds = strtod(wanted, NULL);
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
    if (!folder_make(&place) ||
        !log_init(folder_path(&place, "log"), span_str("bench.example/log"), NULL, &e)) {
        fprintf(stderr, "bench_serve: %s\n", e.text);
        return 1;
    }
    pid_t stub = start_stub(), server = start_assay(&port);
    pin(0);
    usleep(300000);
    line("serve_idle_memory", resident_mib(server), "MiB", 20, 20, true);
    if (argc > 1 && wanted_part(argc, argv, "cost"))
        (void)full_load(port, server, 0);
    if (argc > 1 && wanted_part(argc, argv, "rate"))
        half_load(port, 0);
    if (wanted_part(argc, argv, "calls"))
        calls(port, server);
    if (wanted_part(argc, argv, "streams"))
        streams(port, server);
    if (wanted_part(argc, argv, "growth"))
        growth(port, server);
    end(server, SIGTERM);
    end(stub, SIGKILL);
    folder_remove(&place);
    return 0;
}
