/*
 * Prints the opcodes of pickles as the machine meets them, so that a script
 * can compare them with another decoder's: standard input is any number of
 * (length, 32 bits little-endian; bytes), standard output one line each:
 * OFFSET:NAME ... END, where END is "stop", or why it ended.
 */
#include <stdio.h>
#include <stdlib.h>

#include "model/pickle.h"

static void print_op(void *arg, uint64_t at, uint8_t op)
{
    (void)arg;
    if (pickle_opcodes[op].name)
        printf("%llu:%s ", (unsigned long long)at, pickle_opcodes[op].name);
}

static bool trace(const struct content *c)
{
    struct pickle p;
    bool ok = pickle_open(&p, c);
    if (ok) {
        p.trace = print_op;
        p.fragment = true; /* framing alone: what is missing on the stack is no matter */
        enum pickle_end end = pickle_stream(&p);
        printf("%s\n", end == PICKLE_STOPPED ? "stop" : p.why ? p.why : "cut");
    }
    pickle_close(&p);
    return ok;
}

int main(void)
{
    uint8_t head[4];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t n = load_u32le(head);
        uint8_t *bytes = malloc(n + 1);
        struct model *m = NULL;
        struct err e = ERR_INIT;
        struct content_budget budget = {0};
        if (!bytes || fread(bytes, 1, n, stdin) != n ||
            !model_read_memory(&m, "trace", span_str("?"), &e))
            return 2;
        struct content c = {
            .m = m, .in = input_memory((struct span){bytes, n}), .where = "", .budget = &budget};
        if (!trace(&c))
            return 2;
        model_free(m);
        free(bytes);
    }
    return 0;
}
