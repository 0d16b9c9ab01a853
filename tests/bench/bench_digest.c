/*
 * All digests of a large safetensors file, page cache warm, beside
 * `openssl dgst -sha256` on the same file in the same run.
 * BENCH_SIZE: bytes of the file (4 GiB by default), made in TMPDIR and removed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/inspect.h"

enum { TENSOR = 48 << 20, BLOCK = 1 << 20, HEADER_MAX = 1 << 20, ROUNDS = 3 };

static bool put(int fd, const void *p, size_t n)
{
    return write(fd, p, n) == (ssize_t)n;
}

static bool put_header(int fd, uint64_t tensors)
{
    struct buf b;
    uint8_t length[8];
    buf_init(&b, HEADER_MAX);
    for (uint64_t i = 0; i < tensors; i++)
        buf_printf(&b,
                   "%c\"layer.%llu.weight\":{\"dtype\":\"F16\",\"shape\":[%d],"
                   "\"data_offsets\":[%llu,%llu]}",
                   i ? ',' : '{', (unsigned long long)i, TENSOR / 2, (unsigned long long)i * TENSOR,
                   (unsigned long long)(i + 1) * TENSOR);
    buf_put_str(&b, "}");
    while (b.n % 8)
        buf_put_u8(&b, ' ');
    store_u64le(length, b.n);
    bool ok = buf_ok(&b) && put(fd, length, sizeof length) && put(fd, b.p, b.n);
    buf_free(&b);
    return ok;
}

/* Values that look like weights' bits would not change the hashing; random ones do not either. */
static bool make_file(const char *path, uint64_t size)
{
    uint64_t tensors = size / TENSOR ? size / TENSOR : 1, x = 88172645463325252u;
    uint64_t *block = malloc(BLOCK);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = block && fd >= 0 && put_header(fd, tensors);
    for (uint64_t n = 0; ok && n < tensors * TENSOR; n += BLOCK) {
        for (size_t i = 0; i < BLOCK / 8; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            block[i] = x & UINT64_C(0x3BFF3BFF3BFF3BFF); /* finite halves */
        }
        ok = put(fd, block, BLOCK);
    }
    if (fd >= 0)
        close(fd);
    free(block);
    return ok;
}

static double seconds_since(uint64_t start)
{
    return (double)(clock_monotonic() - start) * 1e-9;
}

static double time_ours(const char *path)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    struct scan scan;
    struct scan_options opt = {.digests = true};
    uint64_t start = clock_monotonic();
    bool ok = model_read(&m, path, NULL, &e) && inspect_scan(&scan, m, &opt, &e);
    double took = seconds_since(start);
    if (!ok)
        fprintf(stderr, "bench_digest: %s\n", e.text);
    else if (m->tensor_count == 0 || !scan.tensor_ok[0] || !scan.file_ok[0])
        ok = false;
    model_free(m);
    return ok ? took : -1;
}

static double time_reference(const char *path)
{
    char command[4200];
    snprintf(command, sizeof command, "openssl dgst -sha256 '%s' >/dev/null", path);
    uint64_t start = clock_monotonic();
    return system(command) == 0 ? seconds_since(start) : -1;
}

int main(void)
{
    const char *folder = getenv("TMPDIR"), *wanted = getenv("BENCH_SIZE");
    uint64_t size = wanted ? strtoull(wanted, NULL, 10) : UINT64_C(4) << 30;
    double ours = 1e9, reference = 1e9;
    char path[4096];
    snprintf(path, sizeof path, "%s/assay-bench-%d.safetensors", folder ? folder : "/tmp",
             (int)getpid());
    bool ok = make_file(path, size) && time_reference(path) > 0; /* warms the page cache */
    for (int i = 0; ok && i < ROUNDS; i++) {
        double a = time_ours(path), b = time_reference(path);
        ok = a > 0 && b > 0;
        ours = a < ours ? a : ours;
        reference = b < reference ? b : reference;
    }
    unlink(path);
    if (!ok) {
        printf("digests: could not be measured (is openssl there, and room in %s?)\n",
               folder ? folder : "/tmp");
        return 1;
    }
    double ratio = ours / reference;
    printf(
        "all digests, %.1f GiB warm   %.3f s   openssl dgst %.3f s   ratio %.2f   <= 1.10   %s\n",
        (double)size / (1 << 30), ours, reference, ratio, ratio <= 1.1 ? "ok" : "missed");
    return 0;
}
