/* The growing list of ids. */
#include "assay/tokenizer.h"

#include <stdlib.h>

void tokens_free(struct tokens *out)
{
    free(out->id);
    *out = (struct tokens){.max = out->max};
}

bool tokens_add(struct tokens *out, uint32_t id, struct err *e)
{
    size_t max = out->max ? out->max : TOKENIZER_MAX_TEXT;
    if (out->n >= max)
        return err_set(e, ERR_LIMIT, "the text has more than %zu tokens", max);
    if (out->n == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 64;
        uint32_t *more = realloc(out->id, cap * sizeof *more);
        if (!more)
            return err_set(e, ERR_MEMORY, "out of memory");
        out->id = more;
        out->cap = cap;
    }
    out->id[out->n++] = id;
    return true;
}
