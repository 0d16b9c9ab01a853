/*
 * assay record dataset on JSON lines: 512 MiB, or BENCH_DATA_MIB (10240 for the
 * 10 GB that are promised): seconds and peak memory of the program, beside SHA-256
 * of the same bytes by the same build. Every row differs from the last but for one
 * in a hundred; texts have escapes, several languages, dates and addresses.
 * BENCH_DATA names a file that is kept, and taken when it is there.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/log.h"
#include "support/cost.h"
#include "support/folder.h"

static const char *const sentences[] = {
    "The river was high that year and the bridge was closed for most of the winter.",
    "She said \\\"not today\\\" and went on with the accounts, which nobody else would read.",
    "Die Br\\u00fccke ist alt, und das Wasser steht nicht hoch, aber sie wird nicht mehr benutzt.",
    "Le pont est ferm\xc3\xa9 et les gens passent par la route, qui est plus longue.",
    "\xd0\x9c\xd0\xbe\xd1\x81\xd1\x82 \xd0\xb7\xd0\xb0\xd0\xba\xd1\x80\xd1\x8b\xd1\x82, "
    "\xd0\xb8 \xd0\xb2\xd0\xbe\xd0\xb4\xd0\xb0 \xd1\x81\xd1\x82\xd0\xbe\xd0\xb8\xd1\x82 "
    "\xd0\xb2\xd1\x8b\xd1\x81\xd0\xbe\xd0\xba\xd0\xbe.",
    "def sum(a, b):\\n    return a + b\\n\\nprint(sum(2, 40))\\n",
    "Write to harbour.office@example.org before the boats leave, or wait for the next tide.",
};

enum { SENTENCES = sizeof sentences / sizeof sentences[0] };

/* xorshift; the same rows on every machine. */
static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void put_row(struct buf *b, uint64_t i, uint64_t *state)
{
    uint64_t r = next(state);
    buf_printf(b, "{\"id\":%llu,\"date\":\"20%02u-%02u-%02u\",\"text\":\"",
               (unsigned long long)(i % 100 == 99 ? 99 : i), i % 100 == 99 ? 1 : (unsigned)(r % 25),
               i % 100 == 99 ? 1 : (unsigned)(r >> 8) % 12 + 1,
               i % 100 == 99 ? 1 : (unsigned)(r >> 16) % 28 + 1);
    unsigned n = i % 100 == 99 ? 1 : 1 + (unsigned)(r >> 24) % 6;
    for (unsigned k = 0; k < n; k++)
        buf_printf(b, "%s%s", k ? " " : "",
                   sentences[i % 100 == 99 ? 0 : (r >> (28 + 3 * k)) % SENTENCES]);
    buf_put_str(b, "\"}\n");
}

static bool make_rows(const char *path, uint64_t bytes)
{
    struct buf b;
    uint64_t state = 88172645463325252u, done = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0;
    buf_init(&b, 2 << 20);
    for (uint64_t i = 0; ok && done < bytes; i++) {
        put_row(&b, i, &state);
        if (b.n < (1 << 20))
            continue;
        ok = file_write(fd, buf_span(&b));
        done += b.n;
        buf_clear(&b);
    }
    ok = ok && file_write(fd, buf_span(&b));
    buf_free(&b);
    return close(fd) == 0 && ok;
}

int main(void)
{
    const char *wanted = getenv("BENCH_DATA_MIB"), *assay = getenv("ASSAY");
    uint64_t mib = wanted ? strtoull(wanted, NULL, 10) : 512;
    struct folder place;
    struct err e = ERR_INIT;
    char data[4200], folder[4200];
    if (!assay || !folder_make(&place))
        return 1;
    snprintf(data, sizeof data, "%s",
             getenv("BENCH_DATA") ? getenv("BENCH_DATA") : folder_path(&place, "rows.jsonl"));
    snprintf(folder, sizeof folder, "%s", folder_path(&place, "log"));
    bool ok = (access(data, F_OK) == 0 || make_rows(data, mib << 20)) &&
              log_init(folder, span_str("bench.example/log"), NULL, &e);
    if (ok) {
        const char *const hash[] = {assay, "digest", "--no-cache", data, NULL};
        const char *const record[] = {assay, "record", "dataset", data, "--log", folder, NULL};
        struct cost plain = cost_of(hash), c = cost_of(record);
        double target = 10.0 * (double)mib / 1024; /* 100 seconds for ten GiB */
        printf("%-24s %8.2f s  sha256 of its %llu MiB %.2f s  ratio %.1f  memory %.0f MiB  target "
               "%.0f s, 64 MiB  status %d  %s\n",
               "record dataset", c.seconds, (unsigned long long)mib, plain.seconds,
               c.seconds / plain.seconds, c.mib, target, c.status,
               c.seconds <= target && c.mib <= 64 && c.status == 0 ? "ok" : "missed");
    } else
        fprintf(stderr, "bench_dataset: %s\n", e.text[0] ? e.text : "the rows cannot be written");
    folder_remove(&place);
    return !ok;
}
