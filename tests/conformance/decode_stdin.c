/*
 * Decodes blocks of one element type from standard input, so that a script
 * can compare the values with another implementation's:
 *   decode_stdin TYPE decode|decode-be   floats, little-endian, on standard output
 *   decode_stdin TYPE stats              one line: count nan inf zeros min max sum sum_squares
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/dtype.h"

static uint8_t *read_all(size_t *n)
{
    size_t room = 1 << 16;
    uint8_t *p = malloc(room);
    *n = 0;
    while (p != NULL) {
        size_t got = fread(p + *n, 1, room - *n, stdin);
        *n += got;
        if (*n < room)
            return p;
        uint8_t *more = realloc(p, room *= 2);
        if (more == NULL)
            free(p);
        p = more;
    }
    return NULL;
}

static void print_stats(enum dtype t, const uint8_t *src, size_t blocks)
{
    struct stats all;
    stats_init(&all);
    size_t step = STATS_CHUNK / dtypes[t].block;
    for (size_t done = 0; done < blocks; done += step) {
        struct stats s;
        size_t n = blocks - done < step ? blocks - done : step;
        stats_chunk(&s, t, src + done * dtypes[t].bytes, n, false);
        stats_merge(&all, &s);
    }
    printf("%llu %llu %llu %llu %.17g %.17g %.17g %.17g\n", (unsigned long long)all.count,
           (unsigned long long)all.nan, (unsigned long long)all.inf, (unsigned long long)all.zeros,
           all.min, all.max, all.sum, all.sum_squares);
}

int main(int argc, char **argv)
{
    enum dtype t = argc == 3 ? dtype_from_name(span_str(argv[1])) : DTYPE_NONE;
    if (t == DTYPE_NONE) {
        fprintf(stderr, "usage: decode_stdin TYPE decode|decode-be|stats < blocks\n");
        return 2;
    }
    size_t n;
    uint8_t *src = read_all(&n);
    size_t blocks = n / dtypes[t].bytes;
    size_t floats = blocks * dtypes[t].block;
    float *dst = malloc((floats + 1) * sizeof *dst);
    if (src == NULL || dst == NULL)
        return 3;
    if (strcmp(argv[2], "stats") == 0) {
        print_stats(t, src, blocks);
    } else {
        dtype_decode(t, src, blocks, strcmp(argv[2], "decode-be") == 0, dst);
        fwrite(dst, sizeof *dst, floats, stdout);
    }
    free(dst);
    free(src);
    return ferror(stdout) != 0 ? 3 : 0;
}
