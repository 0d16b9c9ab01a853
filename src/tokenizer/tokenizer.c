/*
 * Making a tokenizer, and what it says of its tokens.
 */
#include "tokenizer/tokenizer.h"

#include <stdlib.h>

#include "assay/base/text.h"

enum { MEMORY_CAP = 1 << 30 };

static bool load(struct tokenizer *t, const struct model *m, struct err *e)
{
    if (model_metadata(m, "tokenizer.ggml.model"))
        return load_gguf(t, m, e);
    if (json_type(m->documents[DOC_TOKENIZER].root))
        return load_json(t, m, e);
    return err_set(e, ERR_UNSUPPORTED,
                   "the model holds no tokenizer: neither GGUF metadata nor tokenizer.json");
}

bool tokenizer_new(struct tokenizer **out, const struct model *m, struct err *e)
{
    struct err inner = ERR_INIT;
    struct tokenizer *t = calloc(1, sizeof *t);
    *out = NULL;
    if (!t || !(t->arena = arena_new(MEMORY_CAP))) {
        free(t);
        return err_set(e, ERR_MEMORY, "out of memory");
    }
    struct token_roles *r = &t->roles;
    r->bos = r->eos = r->eot = r->eom = r->unk = r->sep = r->pad = r->cls = r->mask = TOKEN_NONE;
    if (!load(t, m, &inner)) {
        tokenizer_free(t);
        return err_at(e, inner.code, inner.file[0] ? inner.file : m->path, inner.offset,
                      "tokenizer: %s", inner.text);
    }
    *out = t;
    return true;
}

void tokenizer_free(struct tokenizer *t)
{
    if (!t)
        return;
    arena_free(t->arena);
    free(t);
}

enum tokenizer_kind tokenizer_kind(const struct tokenizer *t)
{
    return t->kind;
}

const char *tokenizer_rule(const struct tokenizer *t)
{
    return t->rule[0] ? t->rule : "none";
}

size_t tokenizer_size(const struct tokenizer *t)
{
    return t->count;
}

const struct token_roles *tokenizer_roles(const struct tokenizer *t)
{
    return &t->roles;
}

bool tokenizer_token(struct token *out, const struct tokenizer *t, uint32_t id)
{
    if (id >= t->count || !t->entries[id].text.p)
        return false;
    const struct entry *x = &t->entries[id];
    *out = (struct token){x->text, x->bytes, (enum token_type)x->type, x->score};
    return true;
}

uint32_t tokenizer_id(const struct tokenizer *t, struct span text)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->entries[i].text.p && span_eq(t->entries[i].text, text))
            return (uint32_t)i;
    return TOKEN_NONE;
}

bool tokenizer_ends(const struct tokenizer *t, uint32_t id)
{
    return id < t->count && t->entries[id].ends;
}
