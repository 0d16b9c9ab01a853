#include "support/content_fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "model/content.h"
#include "support/prefixes.h"

static void check_tensors(const struct model *m, size_t n)
{
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct tensor *t = &m->tensors[i];
        if (t->data.offset > n || t->data.length > n - t->data.offset)
            abort();
    }
}

/* Findings are counted per rule: the whole verdict in one number. */
static uint64_t read_once(const char *name, struct span bytes,
                          bool (*examine)(const struct content *c))
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    uint64_t sum = 0;
    /* Bytes that no sniff knows, when the reader is called by hand. */
    if (!model_read_memory(&m, name, examine ? span_str("?") : bytes, &e))
        return 0;
    if (examine) {
        struct content_budget budget = {0};
        struct content c = {.m = m, .in = input_memory(bytes), .where = "", .budget = &budget};
        if (!examine(&c))
            abort();
    }
    check_tensors(m, bytes.n);
    for (size_t i = 0; i < m->verdict.count; i++)
        sum = sum * 31 + m->verdict.findings[i].rule + m->verdict.findings[i].origin.offset;
    sum += model_walk(m) + m->verdict.incomplete;
    model_free(m);
    return sum;
}

void content_fuzz(const char *name, struct span bytes, bool (*examine)(const struct content *c))
{
    if (read_once(name, bytes, examine) != read_once(name, bytes, examine))
        abort();
}
