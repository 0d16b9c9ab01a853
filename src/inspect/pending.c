/*
 * Parts of inspect_facts that have no file of their own yet. Whoever adds the
 * real one deletes its stand-in here, and this file with the last.
 */
#include "inspect/facts.h"

bool inspect_tokenizer(struct tokenizer *out, struct model *m)
{
    (void)m;
    *out = (struct tokenizer){0};
    return true;
}

bool inspect_provenance(struct facts *out, struct model *m)
{
    (void)m;
    out->licence_count = 0;
    return true;
}
