/* The growing list of ids, and the tokens that templates know by name. */
#include "assay/tokenizer.h"

#include <stdlib.h>

#include "assay/template.h"

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

void tokenizer_words(struct template_word *out, const struct tokenizer *t)
{
    const struct token_roles *r = tokenizer_roles(t);
    const struct {
        const char *name;
        uint32_t id;
    } words[TOKENIZER_WORDS] = {
        {"bos_token", r->bos}, {"eos_token", r->eos}, {"unk_token", r->unk},  {"pad_token", r->pad},
        {"sep_token", r->sep}, {"cls_token", r->cls}, {"mask_token", r->mask}};
    for (size_t i = 0; i < TOKENIZER_WORDS; i++) {
        struct token token;
        bool known = words[i].id != TOKEN_NONE && tokenizer_token(&token, t, words[i].id);
        out[i] = (struct template_word){words[i].name, known ? token.text : SPAN_EMPTY};
    }
}
