/*
 * What a run reads from outside, on any bytes: a configuration; rows of data,
 * from which a vocabulary is learnt. Nothing is computed with them, and every
 * entry that was learnt is what was merged.
 */
#include <stdlib.h>
#include <string.h>

#include "train/bpe.h"
#include "train/data.h"

enum { ARENA = 64 << 20, ENTRIES = BPE_MIN + 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static void read_config(struct span text, struct arena *a)
{
    struct train_config c;
    struct err e = ERR_INIT;
    bool ok = train_config_parse(&c, text, "fuzz", ".", a, &e);
    demand(ok == (e.code == ERR_NONE));
    if (!ok)
        return;
    demand(c.steps.steps > 0 && c.steps.batch > 0 && c.steps.accumulate > 0 && c.data.count > 0);
    demand((c.base.n > 0) == (c.lora_line > 0) && (c.base.n > 0) != (c.model_line > 0));
    demand(c.base.n > 0 || (c.model.heads % c.model.kv_heads == 0 && c.model.layers > 0));
}

static bool count(void *arg, struct span text, struct err *e)
{
    return bpe_words_add(arg, text, e);
}

static void read_rows(struct span text, int format, struct arena *a)
{
    struct data_file f = {.path = "fuzz", .name = "fuzz", .bytes = text};
    struct config_file c = {.format = format};
    struct bpe_words *w;
    struct bpe b;
    struct err e = ERR_INIT;
    if (!bpe_words_new(&w, a, &e) || !data_texts(&f, &c, count, w, a, &e)) {
        demand(e.code != ERR_NONE);
        return;
    }
    if (!bpe_train(&b, w, ENTRIES, &e))
        return;
    for (size_t i = 0; i < b.merge_count; i++) {
        struct span l = b.bytes[b.merges[i].left], r = b.bytes[b.merges[i].right];
        struct span both = b.bytes[BPE_MIN + i];
        demand(both.n == l.n + r.n && memcmp(both.p, l.p, l.n) == 0 &&
               memcmp(both.p + l.n, r.p, r.n) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(ARENA);
    if (a && size > 0) {
        struct span rest = {data + 1, size - 1};
        if (data[0] == 'c')
            read_config(rest, a);
        else
            read_rows(rest, data[0] % 3, a);
    }
    arena_free(a);
    return 0;
}
