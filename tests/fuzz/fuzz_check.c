/*
 * A whole check of one file: texts that act, secrets, templates and claims. The
 * first byte says under which name; judged twice, it must come out the same.
 */
#include <stdlib.h>

#include "assay/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t judge(const char *name, struct span bytes)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    struct policy policy;
    struct facts facts;
    struct check result;
    uint64_t sum = 0;
    if (!model_read_memory(&m, name, bytes, &e))
        return 0;
    policy_default(&policy);
    bool derived = inspect_facts(&facts, m, &e);
    struct check_input in = {.model = m,
                             .facts = derived ? &facts : NULL,
                             .complete = !m->verdict.incomplete,
                             .policy = &policy,
                             .today = 20000};
    if (check_run(&result, &in, &e))
        for (size_t i = 0; i < result.count; i++)
            sum = sum * 31 + result.items[i].finding->rule + result.items[i].finding->origin.offset;
    sum += check_result(&result);
    model_free(m);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"config.json", "prompt.yaml", "chat_template.jinja",
                                        "README.md",   "x.bin",       "tokenizer_config.json"};
    if (size < 1)
        return 0;
    const char *name = names[data[0] % (sizeof names / sizeof *names)];
    struct span bytes = {data + 1, size - 1};
    if (judge(name, bytes) != judge(name, bytes))
        abort();
    return 0;
}
