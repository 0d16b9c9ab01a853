/*
 * Makes src/model/licences.def from licence texts: run by hand when a licence
 * is added (CONTRIBUTING has the recipe), never by the build. The texts stay
 * outside the repository; only hashes of four words each are kept.
 *
 * Usage: licence_fingerprints FOLDER < tools/licences.txt > src/model/licences.def
 * A line of the list: id | file in FOLDER | first words of the core | first
 * words after the core | variable words, separated by ';'
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/licence.h"

enum { FIELDS = 5, MAX_SEGMENTS = 64, GAP = 12 };

static uint32_t block_total, segment_total;
static struct buf blocks, segments, references;

static void die(const char *what, const char *which)
{
    fprintf(stderr, "licence_fingerprints: %s: %s\n", what, which);
    exit(1);
}

static struct span slurp(const char *folder, const char *name, struct arena *a)
{
    char *path = arena_printf(a, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        die("cannot open", path);
    uint8_t *p = arena_alloc(a, LICENCE_MAX_TEXT);
    size_t n = p ? fread(p, 1, LICENCE_MAX_TEXT, f) : 0;
    fclose(f);
    return (struct span){p, n};
}

/* Copyright lines are nobody's licence text. */
static void drop_notices(struct words *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->count; i++)
        if (!w->items[i].notice)
            w->items[kept++] = w->items[i];
    w->count = kept;
}

/* First place of `phrase` at or after `from`, or w->count. */
static size_t find(const struct words *w, size_t from, const char *phrase, size_t *length,
                   struct arena *a)
{
    struct words p;
    if (!licence_words(&p, span_str(phrase), a))
        die("out of memory", phrase);
    *length = p.count;
    for (size_t i = from; p.count && i + p.count <= w->count; i++) {
        size_t k = 0;
        while (k < p.count && w->items[i + k].hash == p.items[k].hash)
            k++;
        if (k == p.count)
            return i;
    }
    return w->count;
}

static void put_segment(const struct words *w, size_t from, size_t to, unsigned gap, bool optional)
{
    if (to - from < LICENCE_BLOCK)
        return;
    uint32_t count = 0;
    for (size_t i = from; i < to; i += LICENCE_BLOCK, count++) {
        size_t at = i + LICENCE_BLOCK <= to ? i : to - LICENCE_BLOCK;
        buf_printf(&blocks, "0x%08x,%s", licence_block(&w->items[at]),
                   (block_total + count) % 9 == 8 ? "\n" : "");
    }
    buf_printf(&segments, "    {%u, %u, %u, %s},\n", block_total, count, gap,
               optional ? "true" : "false");
    block_total += count;
    segment_total++;
}

/* The range split at each variable phrase. */
static void put_range(const struct words *w, size_t from, size_t to, char *variable, bool optional,
                      struct arena *a)
{
    unsigned gap = 0;
    while (from < to) {
        size_t best = to, best_length = 0;
        char copy[1024];
        snprintf(copy, sizeof copy, "%s", variable);
        char *save = NULL;
        for (char *v = strtok_r(copy, ";", &save); v; v = strtok_r(NULL, ";", &save)) {
            size_t length;
            size_t at = find(w, from, v, &length, a);
            if (at < best && at + length <= to) {
                best = at;
                best_length = length;
            }
        }
        put_segment(w, from, best, gap, optional);
        from = best + best_length;
        gap = GAP;
    }
}

static void put_licence(const char *folder, char *field[FIELDS])
{
    struct arena *a = arena_new((size_t)1 << 30);
    struct words w;
    struct span text = slurp(folder, field[1], a);
    if (span_starts(text, "---\n")) { /* a text that begins with a description of itself */
        size_t at = 4;
        while (at + 4 < text.n && memcmp(text.p + at, "\n---", 4) != 0)
            at++;
        text = span_sub(text, at + 4, text.n);
    }
    if (!licence_words(&w, text, a))
        die("out of memory", field[0]);
    drop_notices(&w);
    size_t length;
    size_t begin = *field[2] ? find(&w, 0, field[2], &length, a) : 0;
    size_t end = *field[3] ? find(&w, begin, field[3], &length, a) : w.count;
    if (begin == w.count || (*field[3] && end == w.count))
        die("phrase not found", field[0]);
    uint32_t first = segment_total;
    put_range(&w, 0, begin, field[4], true, a);
    put_range(&w, begin, end, field[4], false, a);
    put_range(&w, end, w.count, field[4], true, a);
    buf_printf(&references, "    {\"%s\", %u, %u},\n", field[0], first, segment_total - first);
    fprintf(stderr, "%-32s %5zu words, core %5zu\n", field[0], w.count, end - begin);
    arena_free(a);
}

static char *trim(char *s)
{
    while (*s == ' ')
        s++;
    for (size_t n = strlen(s); n && (s[n - 1] == ' ' || s[n - 1] == '\n'); n--)
        s[n - 1] = '\0';
    return s;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        die("usage", "licence_fingerprints FOLDER < LIST");
    buf_init(&blocks, 1 << 26);
    buf_init(&segments, 1 << 24);
    buf_init(&references, 1 << 24);
    char line[2048];
    while (fgets(line, sizeof line, stdin)) {
        if (*line == '#' || *line == '\n')
            continue;
        char *field[FIELDS] = {0}, *rest = line;
        for (int i = 0; i < FIELDS; i++)
            field[i] = trim(rest ? strsep(&rest, "|") : line + strlen(line));
        put_licence(argv[1], field);
    }
    printf("/* Made by tools/licence_fingerprints.c from the texts that tools/licences.txt\n"
           " * names; not to be edited. */\n"
           "#ifdef LICENCE_BLOCKS\n%s\n#endif\n#ifdef LICENCE_SEGMENTS\n%s#endif\n"
           "#ifdef LICENCE_REFERENCES\n%s#endif\n",
           buf_cstr(&blocks), buf_cstr(&segments), buf_cstr(&references));
    return 0;
}
