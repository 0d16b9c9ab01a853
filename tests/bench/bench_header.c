/*
 * Reading the header of a large GGUF file: 100,000 tensors and a vocabulary of
 * 150,000 entries, beside a plain read of the same bytes in the same run. Then
 * the peak of resident memory, against 64 MiB and twice the metadata.
 */
#include "assay/base/clock.h"
#include "support/gguf_writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TENSORS = 100000, TOKENS = 150000, ROUNDS = 7 };

static void vocabulary(struct gguf_writer *w)
{
    char text[64];
    gw_kv_array(w, "tokenizer.ggml.tokens", VALUE_STRING, TOKENS);
    for (unsigned i = 0; i < TOKENS; i++) {
        snprintf(text, sizeof text, "%s%u", i % 3 ? "\xc4\xa0token" : "t", i);
        gw_string(w, text);
    }
    gw_kv_array(w, "tokenizer.ggml.scores", VALUE_F32, TOKENS);
    for (unsigned i = 0; i < TOKENS; i++)
        gw_f32(w, -(float)i);
    gw_kv_array(w, "tokenizer.ggml.token_type", VALUE_I32, TOKENS);
    for (unsigned i = 0; i < TOKENS; i++)
        gw_u32(w, 1);
    gw_kv_array(w, "tokenizer.ggml.merges", VALUE_STRING, TOKENS);
    for (unsigned i = 0; i < TOKENS; i++) {
        snprintf(text, sizeof text, "to%u \xc4\xa0ken%u", i, i);
        gw_string(w, text);
    }
}

/* Returns the bytes before the data. */
static size_t write_file(const char *path)
{
    struct gguf_writer w;
    char name[64];
    const uint64_t ne[] = {32, 1};
    gw_init(&w);
    gw_header(&w, TENSORS, 7);
    gw_kv_string(&w, "general.architecture", "llama");
    gw_kv_u32(&w, "general.quantization_version", 2);
    gw_kv_u32(&w, "llama.block_count", 500);
    vocabulary(&w);
    for (unsigned i = 0; i < TENSORS; i++) {
        snprintf(name, sizeof name, "blk.%u.ffn_gate_exps.%u.weight", i / 200, i % 200);
        gw_info(&w, name, 2, ne, 1, (uint64_t)i * 64);
    }
    gw_pad(&w, 32);
    size_t header = w.out.n;
    gw_zeros(&w, (size_t)TENSORS * 64);
    bool ok = buf_ok(&w.out) && gw_save(&w, path);
    gw_free(&w);
    return ok ? header : 0;
}

static double seconds_since(uint64_t start)
{
    return (double)(clock_monotonic() - start) / 1e9;
}

/* The same bytes, read once into memory and no more. */
static double plain_read(const char *path, size_t n)
{
    uint64_t start = clock_monotonic();
    char *p = malloc(n);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t done = 0;
    ssize_t got = 1;
    while (p && fd >= 0 && done < n && got > 0) {
        got = read(fd, p + done, n - done);
        done += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0)
        close(fd);
    free(p);
    return seconds_since(start);
}

static double model_header(const char *path)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    uint64_t start = clock_monotonic();
    bool ok = model_read(&m, path, NULL, &e);
    double t = seconds_since(start);
    if (!ok || m->tensor_count != TENSORS || m->verdict.count)
        fprintf(stderr, "bench_header: the file was not read as it should be\n");
    model_free(m);
    return t;
}

/* Peak resident bytes of a process that reads the file and nothing else. */
static double peak_memory(const char *path)
{
    struct rusage use = {0};
    pid_t child = fork();
    if (child == 0) {
        model_header(path);
        _exit(0);
    }
    if (child < 0 || wait4(child, NULL, 0, &use) != child)
        return 0;
    return (double)use.ru_maxrss * 1024;
}

/* `assay inspect --no-digest` as a person runs it: wall seconds, and peak resident bytes. */
static double command(const char *path, double *peak)
{
    const char *assay = getenv("ASSAY");
    struct rusage use = {0};
    int status = 1;
    uint64_t start = clock_monotonic();
    pid_t child = assay ? fork() : -1;
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        execl(assay, assay, "inspect", "--no-digest", path, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &use) != child || status != 0)
        fprintf(stderr, "bench_header: assay inspect did not run (set ASSAY)\n");
    *peak = (double)use.ru_maxrss * 1024;
    return seconds_since(start);
}

static double best_of(double a, double b)
{
    return b == 0 || a < b ? a : b;
}

static void line(const char *name, const char *unit, double figure, double reference, double target)
{
    printf("%-28s %8.2f %s  reference %8.2f %s  ratio %6.2f  target %8.2f %s  %s\n", name, figure,
           unit, reference, unit, reference > 0 ? figure / reference : 0, target, unit,
           figure <= target ? "ok" : "missed");
}

int main(void)
{
    char path[] = "/tmp/assay-bench-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    pid_t writer = fork(); /* so that its memory is not part of what is measured */
    if (writer == 0)
        _exit(write_file(path) ? 0 : 1);
    int status = 1;
    if (writer < 0 || waitpid(writer, &status, 0) != writer || status != 0) {
        unlink(path);
        return 1;
    }
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read(&m, path, NULL, &e)) {
        unlink(path);
        return 1;
    }
    size_t header = (size_t)m->files[0].data;
    model_free(m);
    double best = 0, plain = 0, whole = 0, peak = 0, mib = 1024 * 1024;
    for (int i = 0; i < ROUNDS; i++) {
        plain = best_of(plain_read(path, header), plain);
        best = best_of(model_header(path), best);
        whole = best_of(command(path, &peak), whole);
    }
    line("header_100k_tensors", "ms ", best * 1e3, plain * 1e3, 200);
    line("inspect_100k_no_digest", "ms ", whole * 1e3, plain * 1e3, 200);
    line("header_100k_memory", "MiB", peak_memory(path) / mib, (double)header / mib,
         64 + 2 * (double)header / mib);
    line("inspect_100k_memory", "MiB", peak / mib, (double)header / mib,
         64 + 2 * (double)header / mib);
    unlink(path);
    return 0;
}
