/* Tokenizer and provenance facts from any documents: JSON texts in the order of
 * enum document_kind, separated by NUL, the last one also a chat template. */
#include <string.h>

#include "inspect/facts.h"
#include "model/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool add(struct model *m, size_t kind, struct span text)
{
    struct err e = ERR_INIT;
    struct json root;
    m->documents[kind].file = 0;
    if (json_parse(&root, text, JSON_KEEP_DUPLICATES, m->arena, &e))
        m->documents[kind].root = root;
    struct text *t = model_add_template(m);
    if (t)
        *t = (struct text){.bytes = text, .origin = {0, 0, text.n}};
    return t != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    struct facts f = {0};
    if (!model_read_memory(&m, "folder", (struct span){data, size}, &e))
        return 0;
    for (size_t kind = 0, at = 0; kind < DOC_INDEX && at < size; kind++) {
        const uint8_t *end = memchr(data + at, 0, size - at);
        size_t n = end ? (size_t)(end - data) - at : size - at;
        if (!add(m, kind, (struct span){data + at, n}))
            break;
        at += n + 1;
    }
    if (inspect_tokenizer(&f.tokenizer, m) && inspect_provenance(&f, m))
        verdict_sort(&m->verdict);
    model_free(m);
    return 0;
}
