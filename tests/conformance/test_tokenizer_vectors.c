/*
 * llama.cpp's own vectors: every string of every vocabulary encodes to the ids
 * of its .out file and decodes back. Five vocabularies are in the shared
 * folder; LLAMA_VOCABS names a folder with more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/file.h"
#include "assay/tokenizer.h"

static const char separator[] = "\n__ggml_vocab_test__\n";

struct tally {
    size_t strings, wrong, not_back;
};

static bool read_text(struct span *out, struct arena *a, const char *path, const char *suffix)
{
    char name[1200];
    struct err e = ERR_INIT;
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return file_read(out, name, 1 << 20, false, a, &e);
}

/* One line of ids, space-separated. */
static size_t read_ids(uint32_t *ids, size_t room, const char **line)
{
    size_t n = 0;
    const char *p = *line;
    while (*p && *p != '\n' && n < room) {
        char *end;
        ids[n++] = (uint32_t)strtoul(p, &end, 10);
        if (end == p) {
            n--;
            break;
        }
        p = end;
        while (*p == ' ')
            p++;
    }
    while (*p && *p != '\n')
        p++;
    *line = *p ? p + 1 : p;
    return n;
}

static void show(const char *what, const uint32_t *ids, size_t n)
{
    printf("  %s:", what);
    for (size_t i = 0; i < n && i < 40; i++)
        printf(" %u", ids[i]);
    printf("\n");
}

static void one(const struct tokenizer *t, struct span text, const uint32_t *ids, size_t n,
                struct tally *all)
{
    struct tokens got = {0};
    struct err e = ERR_INIT;
    struct buf back;
    buf_init(&back, 1 << 20);
    all->strings++;
    assert_true(tokenizer_encode_text(&got, t, text, false, ENCODE_PROTOCOL, &e));
    bool same = got.n == n && memcmp(got.id, ids, n * sizeof *ids) == 0;
    if (!same) {
        all->wrong++;
        printf("  differs: \"%.*s\"\n", (int)text.n, (const char *)text.p);
        show("expected", ids, n);
        show("got", got.id, got.n);
    }
    assert_true(tokenizer_decode(&back, t, got.id, got.n, DECODE_SPECIAL, &e));
    all->not_back += !span_eq(buf_span(&back), text);
    buf_free(&back);
    tokens_free(&got);
}

static void vocabulary(const char *path, const char *name)
{
    static uint32_t ids[1 << 14];
    struct arena *a = arena_new(16 << 20);
    struct model *m = NULL;
    struct tokenizer *t = NULL;
    struct err e = ERR_INIT;
    struct span in, out;
    struct tally all = {0};
    if (!read_text(&in, a, path, ".inp") || !read_text(&out, a, path, ".out")) {
        arena_free(a);
        return;
    }
    const char *line = arena_str(a, out);
    assert_true(model_read(&m, path, NULL, &e));
    if (!tokenizer_new(&t, m, &e))
        fail_msg("%s: %s", name, e.text);
    for (size_t at = 0; at <= in.n;) {
        struct span rest = span_sub(in, at, in.n);
        const uint8_t *end =
            rest.n ? memmem(rest.p, rest.n, separator, sizeof separator - 1) : NULL;
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        if (!end && n && rest.p[n - 1] == '\n')
            n--; /* the file's last line end */
        size_t count = read_ids(ids, sizeof ids / sizeof *ids, &line);
        one(t, span_sub(rest, 0, n), ids, count, &all);
        at = end ? at + n + sizeof separator - 1 : in.n + 1;
    }
    bool keeps = tokenizer_kind(t) != TOKENIZER_WORDPIECE; /* which lowers and cleans */
    printf("%s (%s): %zu strings, %zu differ, %zu do not come back\n", name, tokenizer_rule(t),
           all.strings, all.wrong, all.not_back);
    assert_int_equal(all.wrong, 0);
    if (keeps)
        assert_int_equal(all.not_back, 0);
    tokenizer_free(t);
    model_free(m);
    arena_free(a);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static size_t folder(const char *path)
{
    struct dirent **entries;
    size_t found = 0;
    int n = scandir(path, &entries, NULL, by_name);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        size_t length = strlen(name);
        char file[1100];
        snprintf(file, sizeof file, "%s/%s", path, name);
        if (length > 5 && strcmp(name + length - 5, ".gguf") == 0) {
            vocabulary(file, name);
            found++;
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return found;
}

static void vectors_of_llama_cpp_encode_exactly_and_come_back(void **state)
{
    (void)state;
    char path[1024];
    const char *shared = getenv("CONFORMANCE"), *more = getenv("LLAMA_VOCABS");
    snprintf(path, sizeof path, "%s/tokenizers", shared ? shared : "../shared/conformance");
    size_t found = folder(path);
    if (more)
        found += folder(more);
    if (!found) {
        print_message("skipped: no vocabularies; set CONFORMANCE\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_llama_cpp_encode_exactly_and_come_back)};
    return cmocka_run_group_tests_name("tokenizer vectors", tests, NULL, NULL);
}
