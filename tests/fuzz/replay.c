/*
 * Runs a fuzz target over files, so that every corpus is a regression test
 * under plain gcc and the sanitizers. Each file also runs cut short at every
 * length up to 512 bytes, which catches reads past a truncated end.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { CUTS = 512 };

/* A copy of exactly n bytes, so that the sanitizer sees one byte too many. */
static void run_exact(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        abort();
    if (n)
        memcpy(copy, bytes, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    size_t cap = 16 << 20;
    uint8_t *bytes = malloc(cap);
    size_t n = bytes ? fread(bytes, 1, cap, f) : 0;
    fclose(f);
    run_exact(bytes, n);
    for (size_t cut = 0; cut < n && cut < CUTS; cut++)
        run_exact(bytes, cut);
    free(bytes);
    return 1;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int run_folder(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, by_name), ran = 0;
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            ran += run_file(file);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return ran;
}

int main(int argc, char **argv)
{
    int ran = 0;
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        if (d)
            closedir(d);
        ran += d ? run_folder(argv[i]) : run_file(argv[i]);
    }
    printf("%d passed, %d failed\n", ran, ran == 0);
    return ran == 0;
}
