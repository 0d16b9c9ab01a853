/*
 * A report over a log of a million leaves (BENCH_LEAVES) of calls, half intents
 * and half outcomes, and verification of its JSON with the log at hand and
 * without: seconds and peak memory of the program, beside reading the same
 * database's bytes once.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assay/log.h"
#include "support/folder.h"

static struct folder place;

static const char intent[] =
    "{\"api\":\"chat_completions\",\"durability\":\"answer\",\"model\":{\"name\":\"tiny\","
    "\"tensor_root\":\"7d9119242cd350efb31f849c675b856d6f8250db6b0eb51a2881ac7ad998f360\"},"
    "\"route\":\"engine\",\"sampling\":{\"max_tokens\":64,\"seed\":\"17\",\"temperature\":\"0.7\"},"
    "\"stream\":false,\"tokens_in\":412}";

static bool submit(struct log *l, enum record_kind kind, const char *body, struct err *e)
{
    struct log_entry entry = {.kind = kind, .body = span_str(body)};
    for (;;) {
        err_clear(e);
        if (log_submit(l, &entry, NULL, NULL, e))
            return true;
        if (e->code != ERR_LIMIT)
            return false;
        sched_yield(); /* the queue is full */
    }
}

/* Pairs of intent and outcome; the first leaf of a log that was just opened is 2. */
static bool fill(struct log *l, uint64_t leaves, struct err *e)
{
    char body[512];
    for (uint64_t i = 0; i < leaves / 2; i++) {
        snprintf(body, sizeof body,
                 "{\"attempts\":1,\"durability\":\"answer\",\"finish\":[\"stop\"],\"intent\":%llu,"
                 "\"outcome\":\"complete\",\"released_bytes\":1834,\"status\":200,"
                 "\"timings\":{\"decode_us\":812345,\"total_us\":%llu},"
                 "\"tokens\":{\"estimated\":false,\"input\":412,\"output\":377}}",
                 (unsigned long long)(2 + 2 * i), (unsigned long long)(800000 + i % 100000));
        if (!submit(l, RECORD_CALL_INTENT, intent, e) || !submit(l, RECORD_CALL_OUTCOME, body, e))
            return false;
    }
    return true;
}

struct cost {
    double seconds, mib;
    int status;
};

static struct cost run(const char *const *argv)
{
    struct rusage used;
    int status = 0;
    uint64_t start = clock_monotonic();
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    wait4(child, &status, 0, &used);
    return (struct cost){(double)(clock_monotonic() - start) / 1e9, (double)used.ru_maxrss / 1024.0,
                         WIFEXITED(status) ? WEXITSTATUS(status) : 255};
}

static double read_seconds(const char *path)
{
    static char chunk[1 << 20];
    uint64_t start = clock_monotonic();
    int fd = open(path, O_RDONLY);
    while (fd >= 0 && read(fd, chunk, sizeof chunk) > 0)
        ;
    if (fd >= 0)
        close(fd);
    return (double)(clock_monotonic() - start) / 1e9;
}

static void line(const char *name, struct cost c, double reference, double seconds)
{
    printf(
        "%-24s %8.2f s  reading the database %.2f s  ratio %.1f  memory %.0f MiB  target %.0f s, "
        "256 MiB  status %d  %s\n",
        name, c.seconds, reference, c.seconds / reference, c.mib, seconds, c.status,
        c.seconds <= seconds && c.mib <= 256 ? "ok" : "missed");
}

int main(void)
{
    const char *wanted = getenv("BENCH_LEAVES"), *assay = getenv("ASSAY");
    uint64_t leaves = wanted ? strtoull(wanted, NULL, 10) : 1000000;
    struct log *l = NULL;
    struct err e = ERR_INIT;
    char path[4096];
    if (!assay || !folder_make(&place))
        return 1;
    bool ok = log_init(place.path, span_str("bench.example/log"), NULL, &e) &&
              log_open(&l, place.path, NULL, &e) && fill(l, leaves, &e);
    log_close(l);
    if (ok) {
        double target = 5.0 * (double)leaves / 1e6;
        snprintf(path, sizeof path, "%s/log.db", place.path);
        double reference = read_seconds(path);
        snprintf(path, sizeof path, "%s/report.json", place.path);
        const char *const make[] = {assay,      "report",   "--framework", "activity",    "--log",
                                    place.path, "--output", path,          "--no-record", NULL};
        line("report", run(make), reference, target);
        const char *const prove[] = {assay, "verify", path, "--log", place.path, NULL};
        line("verify report --log", run(prove), reference, target);
        const char *const alone[] = {assay, "verify", path, NULL};
        line("verify report", run(alone), reference, target);
    } else
        fprintf(stderr, "bench_report: %s\n", e.text);
    folder_remove(&place);
    return !ok;
}
