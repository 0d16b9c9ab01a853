/*
 * Text to ids and back, one core, over a megabyte of prose, names and numbers:
 * the vocabulary of the bundled model, and those of the shared conformance
 * folder where CONFORMANCE names it. There is no target; the figure is here so
 * that a loss shows. Seconds of the processor.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "assay/tokenizer.h"

enum { TEXT = 1 << 20, ROUNDS = 3 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Words of growing rarity, a number in twenty, letters beyond ASCII in thirty. */
static void write_text(struct buf *b)
{
    static const char *const words[] = {"the",     "of",        "and",       "a record",  "proof",
                                        "weights", "tokenizer", "auditable", "entries,",  "model's",
                                        "don't",   "running",   "Every",     "call.\n\n", "is",
                                        "in",      "evidence",  "(see",      "section)",  "that"};
    uint64_t state = 88172645463325252u;
    while (b->n < TEXT) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if (state % 20 == 0)
            buf_printf(b, "%u ", (unsigned)(state >> 40) % 100000);
        else if (state % 30 == 1)
            buf_put_str(b, "na\xc3\xafve \xe6\xa8\xa1\xe5\x9e\x8b ");
        else
            buf_printf(b, "%s ", words[(state >> 33) % (sizeof words / sizeof *words)]);
    }
}

static void measure(const char *path, const char *name, struct span text)
{
    struct model *m = NULL;
    struct tokenizer *t = NULL;
    struct err e = ERR_INIT;
    if (!model_read(&m, path, NULL, &e) || !tokenizer_new(&t, m, &e)) {
        printf("%-24s %s\n", name, e.text);
        model_free(m);
        return;
    }
    double in = 1e9, back = 1e9;
    size_t n = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct tokens ids = {0};
        struct buf out;
        buf_init(&out, 2 * TEXT);
        double start = seconds();
        bool ok = tokenizer_encode_text(&ids, t, text, false, ENCODE_PLAIN, &e);
        double middle = seconds();
        ok = ok && tokenizer_decode(&out, t, ids.id, ids.n, DECODE_PLAIN, &e);
        double end = seconds();
        if (!ok)
            printf("%-24s %s\n", name, e.text);
        in = middle - start < in ? middle - start : in;
        back = end - middle < back ? end - middle : back;
        n = ids.n;
        tokens_free(&ids);
        buf_free(&out);
    }
    printf("encode %-17s %9.2f MB/s    %.2f M ids/s   decode %.2f MB/s\n", name,
           (double)text.n / in / 1e6, (double)n / in / 1e6, (double)text.n / back / 1e6);
    tokenizer_free(t);
    model_free(m);
}

int main(void)
{
    static const char *const names[] = {"llama-bpe", "llama-spm", "qwen2", "gpt-2", "phi-3"};
    const char *folder = getenv("CONFORMANCE");
    struct buf text;
    buf_init(&text, 2 * TEXT);
    write_text(&text);
    measure("models/bundled/model", "bundled", buf_span(&text));
    for (size_t i = 0; folder != NULL && i < sizeof names / sizeof *names; i++) {
        char path[1200];
        (void)snprintf(path, sizeof path, "%s/tokenizers/ggml-vocab-%s.gguf", folder, names[i]);
        measure(path, names[i], buf_span(&text));
    }
    buf_free(&text);
    return 0;
}
