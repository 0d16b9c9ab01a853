/* What a model is, put together from its parts; nothing is decided here. */
#include "inspect/facts.h"

bool inspect_facts(struct facts *out, struct model *m, struct err *e)
{
    *out = (struct facts){0};
    if (inspect_architecture(out, m) && inspect_tokenizer(&out->tokenizer, m) &&
        inspect_provenance(out, m))
        return true;
    return err_at(e, ERR_MEMORY, m->path, ERR_NO_OFFSET,
                  "out of memory while the facts were derived; raise the memory cap");
}
