/* Models made of documents, from texts in memory, and counting of findings. */
#include "support/documents.h"

uint32_t findings_of(const struct model *m, enum rule_id rule)
{
    uint32_t n = 0;
    for (size_t i = 0; i < m->verdict.count; i++)
        if (m->verdict.findings[i].rule == rule)
            n += m->verdict.findings[i].count;
    return n;
}

struct model *text_model(const char *name, struct span text)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    return model_read_memory(&m, name, text, &e) ? m : NULL;
}

bool add_document(struct model *m, enum document_kind kind, const char *json)
{
    struct err e = ERR_INIT;
    m->documents[kind].file = 0;
    return json_parse(&m->documents[kind].root, span_str(json), JSON_KEEP_DUPLICATES, m->arena, &e);
}
