/*
 * A report over a log of a million leaves (BENCH_LEAVES) of calls, half intents
 * and half outcomes, and verification of its JSON with the log at hand and
 * without: seconds and peak memory of the program, beside reading the same
 * database's bytes once; and how many claims a minute are verified. BENCH_LOG names a
 * folder where the log is kept, and taken from when it is there.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/log.h"
#include "support/cost.h"
#include "support/folder.h"

enum { CLAIMS = 2000 };

static struct folder place;
static const char *folder; /* of the log */

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

/* JSON of a report with as many claims as a set may hold: a framework of that many own requirements. */
static bool many_claims(const char *path, struct err *e)
{
    struct buf b;
    buf_init(&b, 64 << 20);
    buf_put_str(&b, "framework: many\ntitle: Many\nversion: '1'\nsource: s\ndated: "
                    "2026-11-23\nrequirements:\n");
    for (int i = 0; i < CLAIMS; i++)
        buf_printf(&b,
                   "  - {id: R.%d, part: All, title: One of many, claims: [human.statement-%d], "
                   "evidence: [human]}\n",
                   i, i);
    bool ok = buf_ok(&b) && file_replace(path, buf_span(&b), false, e);
    buf_free(&b);
    return ok;
}

/* Verifying the JSON of many claims, as claims a minute. */
static void bench_claims(const char *assay)
{
    char framework[4200], json[4200];
    struct err e = ERR_INIT;
    snprintf(framework, sizeof framework, "%s/many.yaml", place.path);
    snprintf(json, sizeof json, "%s/many.json", place.path);
    const char *const make[] = {assay,  "report",   "--framework", framework,     "--log",
                                folder, "--output", json,          "--no-record", NULL};
    const char *const prove[] = {assay, "verify", json, NULL};
    if (!many_claims(framework, &e)) {
        fprintf(stderr, "bench_report: %s\n", e.text);
        return;
    }
    struct cost made = cost_of(make), c = cost_of(prove);
    double rate = CLAIMS / c.seconds * 60;
    printf("%-24s %8.0f claims/min  making them %.2f s  memory %.0f MiB  target 100000 claims/min, "
           "256 MiB  "
           "status %d  %s\n",
           "verify many claims", rate, made.seconds, c.mib, c.status,
           rate >= 100000 && c.mib <= 256 && made.status <= 1 ? "ok" : "missed");
}

static bool make_log(uint64_t leaves, struct err *e)
{
    struct log *l = NULL;
    char db[4200];
    snprintf(db, sizeof db, "%s/log.db", folder);
    if (access(db, F_OK) == 0)
        return true;
    bool ok = log_init(folder, span_str("bench.example/log"), NULL, e) &&
              log_open(&l, folder, NULL, e) && fill(l, leaves, e);
    log_close(l);
    return ok;
}

int main(void)
{
    const char *wanted = getenv("BENCH_LEAVES"), *assay = getenv("ASSAY");
    uint64_t leaves = wanted ? strtoull(wanted, NULL, 10) : 1000000;
    struct err e = ERR_INIT;
    char db[4200], path[4200];
    if (!assay || !folder_make(&place))
        return 1;
    folder = getenv("BENCH_LOG") ? getenv("BENCH_LOG") : place.path;
    bool ok = make_log(leaves, &e);
    if (ok && !getenv("BENCH_MAKE")) {
        double target = 5.0 * (double)leaves / 1e6;
        snprintf(db, sizeof db, "%s/log.db", folder);
        double reference = read_seconds(db);
        snprintf(path, sizeof path, "%s/report.json", place.path);
        const char *const make[] = {assay,  "report",   "--framework", "activity",    "--log",
                                    folder, "--output", path,          "--no-record", NULL};
        line("report", cost_of(make), reference, target);
        const char *const prove[] = {assay, "verify", path, "--log", folder, NULL};
        line("verify report --log", cost_of(prove), reference, target);
        const char *const alone[] = {assay, "verify", path, NULL};
        line("verify report", cost_of(alone), reference, target);
        bench_claims(assay);
    } else if (!ok)
        fprintf(stderr, "bench_report: %s\n", e.text);
    folder_remove(&place);
    return !ok;
}
