/*
 * `assay inspect --stats --no-digest --threads 1` on a file of one element
 * type, page cache warm: bytes of file per second of the whole command, beside
 * a plain read of the same file in the same run.
 */
#include "assay/base/clock.h"
#include "support/gguf_writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 3, TENSORS = 16, TENSOR_MIB = 32, PIECE = 1 << 20 };

static const struct {
    enum dtype type;
    double target; /* GB/s */
} cases[] = {{DTYPE_F32, 1.5},  {DTYPE_F16, 1.5},  {DTYPE_BF16, 1.5},
             {DTYPE_Q8_0, 1.5}, {DTYPE_Q4_K, 0.5}, {DTYPE_Q6_K, 0.5}};

/* Blocks of small values: any byte pattern decodes, and these are finite in every type. */
static bool write_data(int fd, uint64_t bytes)
{
    static uint8_t piece[PIECE];
    uint32_t x = 1;
    for (size_t i = 0; i < PIECE; i++) {
        x = x * 1664525 + 1013904223;
        piece[i] = (uint8_t)(x >> 24) & 0x37;
    }
    for (uint64_t done = 0; done < bytes; done += PIECE)
        if (write(fd, piece, PIECE) != PIECE)
            return false;
    return true;
}

static bool write_model(const char *path, enum dtype t)
{
    uint64_t bytes = (uint64_t)TENSOR_MIB << 20;
    uint64_t unit = (uint64_t)dtypes[t].bytes * 32;
    bytes -= bytes % unit;
    const uint64_t ne[] = {bytes / dtypes[t].bytes * dtypes[t].block};
    struct gguf_writer w;
    char name[32];
    gw_init(&w);
    gw_header(&w, TENSORS, 1);
    gw_kv_string(&w, "general.architecture", "none");
    for (unsigned i = 0; i < TENSORS; i++) {
        snprintf(name, sizeof name, "t%u", i);
        gw_info(&w, name, 1, ne, (uint32_t)dtypes[t].gguf, i * bytes);
    }
    gw_pad(&w, 32);
    bool ok = buf_ok(&w.out) && gw_save(&w, path);
    size_t header = w.out.n;
    gw_free(&w);
    int fd = ok ? open(path, O_WRONLY | O_APPEND) : -1;
    ok = fd >= 0 && write_data(fd, TENSORS * bytes) &&
         ftruncate(fd, (off_t)(header + TENSORS * bytes)) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static double plain_read(const char *path)
{
    static uint8_t piece[PIECE];
    uint64_t start = clock_monotonic();
    int fd = open(path, O_RDONLY);
    while (fd >= 0 && read(fd, piece, sizeof piece) > 0)
        ;
    if (fd >= 0)
        close(fd);
    return (double)(clock_monotonic() - start) / 1e9;
}

static double command(const char *assay, const char *path)
{
    int status = 1;
    uint64_t start = clock_monotonic();
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        execl(assay, assay, "inspect", "--stats", "--no-digest", "--threads", "1", path,
              (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        return 0;
    return (double)(clock_monotonic() - start) / 1e9;
}

static void measure(const char *assay, const char *path, size_t i)
{
    double best = 0, plain = 0, gb = (double)TENSORS * TENSOR_MIB * 1048576 / 1e9;
    if (!write_model(path, cases[i].type)) {
        printf("inspect --stats %s: no room for the file\n", dtype_name(cases[i].type));
        return;
    }
    for (int round = 0; round < ROUNDS; round++) {
        double p = plain_read(path), t = command(assay, path);
        plain = plain == 0 || p < plain ? p : plain;
        best = best == 0 || (t > 0 && t < best) ? t : best;
    }
    double rate = best > 0 ? gb / best : 0;
    printf("inspect --stats %-5s one core %6.2f GB/s   plain read %6.2f GB/s   ratio %.3f   "
           ">= %.1f GB/s   %s\n",
           dtype_name(cases[i].type), rate, gb / plain, rate / (gb / plain), cases[i].target,
           rate >= cases[i].target ? "ok" : "missed");
}

int main(void)
{
    const char *assay = getenv("ASSAY"), *folder = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/assay-bench-XXXXXX", folder ? folder : "/tmp");
    int fd = assay ? mkstemp(path) : -1;
    if (fd < 0) {
        fprintf(stderr, "bench_inspect: set ASSAY to the program\n");
        return 1;
    }
    close(fd);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        measure(assay, path, i);
    unlink(path);
    return 0;
}
