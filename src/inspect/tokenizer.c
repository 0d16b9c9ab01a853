/*
 * The tokenizer's facts: kind, sizes and special tokens from GGUF metadata or
 * a folder's documents, held against each other, the config and the embedding.
 */
#include "inspect/vocabulary.h"

#include <stdio.h>

#include "assay/base/text.h"

enum { VOCABULARY_SCRATCH = 1 << 30 }; /* bytes */

bool vocabulary_init(struct vocabulary *v, size_t n, size_t room)
{
    v->mask = 15;
    while (v->mask / 2 < n && v->mask < SIZE_MAX / 4)
        v->mask = v->mask * 2 + 1;
    v->slots = arena_array(v->scratch, v->mask + 1, sizeof *v->slots);
    v->text = arena_array(v->scratch, room ? room : 1, sizeof *v->text);
    return v->slots && v->text;
}

/* The slot that holds `text`, or the empty one where it belongs: 8 bytes a
 * slot, because the misses of a large map would cost more than all else. */
static uint64_t *slot_of(const struct vocabulary *v, struct span text, uint32_t hash)
{
    for (size_t i = hash & v->mask;; i = (i + 1) & v->mask) {
        uint64_t s = v->slots[i];
        if (s == 0 || ((s >> 32) == hash && span_eq(v->text[(uint32_t)s - 1], text)))
            return &v->slots[i];
    }
}

uint32_t vocabulary_id(const struct vocabulary *v, struct span text)
{
    uint64_t s = v->slots ? *slot_of(v, text, map_hash(text)) : 0;
    return s ? (uint32_t)s - 1 : MAP_NONE;
}

void vocabulary_add(struct vocabulary *v, uint64_t id, struct span text, struct origin o)
{
    char shown[96];
    uint32_t hash = map_hash(text);
    uint64_t *slot = slot_of(v, text, hash);
    if (*slot && (uint32_t)*slot - 1 != id)
        verdict_add(&v->m->verdict, RULE_TOKENIZER_DUPLICATE, o,
                    "tokens %u and %llu have the same text \"%s\"", (uint32_t)*slot - 1,
                    (unsigned long long)id, text_shown(shown, sizeof shown, text));
    else if (v->text[id].p && !span_eq(v->text[id], text))
        verdict_add(&v->m->verdict, RULE_TOKENIZER_DUPLICATE, o,
                    "two texts have the id %llu, one is \"%s\"", (unsigned long long)id,
                    text_shown(shown, sizeof shown, text));
    if (!v->text[id].p)
        v->text[id] = text;
    /* A slot whose id has another text never matches: repeats would pile up behind it. */
    if (!*slot && span_eq(v->text[id], text))
        *slot = (uint64_t)hash << 32 | (id + 1);
    if (v->count <= id)
        v->count = (size_t)id + 1;
}

/* Rows of the token embedding: GGUF's name, then what Hugging Face models call it. */
static const struct tensor *embedding(const struct model *m)
{
    static const char *const names[] = {
        "token_embd.weight",
        "model.embed_tokens.weight",
        "embed_tokens.weight",
        "model.language_model.embed_tokens.weight",
        "language_model.model.embed_tokens.weight",
        "transformer.wte.weight",
        "wte.weight",
        "gpt_neox.embed_in.weight",
        "transformer.word_embeddings.weight",
        "word_embeddings.weight",
        "embeddings.word_embeddings.weight",
        "bert.embeddings.word_embeddings.weight",
        "shared.weight",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct tensor *t = model_tensor(m, span_str(names[i]));
        if (t && t->rank == 2)
            return t;
    }
    return NULL;
}

/* What the metadata or config say the vocabulary's size is; 0: nothing. */
static uint64_t declared_size(const struct model *m)
{
    uint64_t n = 0;
    struct json config = m->documents[DOC_CONFIG].root;
    if (json_u64(json_get(config, "vocab_size"), &n) ||
        json_u64(json_get(json_get(config, "text_config"), "vocab_size"), &n))
        return n;
    struct span family;
    char key[96];
    if (metadata_string(m, "general.architecture", &family) && family.n < 64) {
        snprintf(key, sizeof key, "%.*s.vocab_size", (int)family.n, (const char *)family.p);
        (void)metadata_u64(m, key, &n);
    }
    return n;
}

static void compare_size(const struct vocabulary *v)
{
    const struct tensor *t = embedding(v->m);
    uint64_t rows = t ? t->shape[0] : declared_size(v->m);
    struct origin o = t ? t->entry : ORIGIN_NOWHERE;
    const char *what = t ? "the embedding has" : "the config declares";
    if (v->count == 0 || rows == 0)
        return;
    if (v->count > rows)
        verdict_add(&v->m->verdict, RULE_TOKENIZER_SIZE, o, "ids reach %zu, %s %llu rows",
                    v->count - 1, what, (unsigned long long)rows);
    else if (v->count < rows)
        verdict_add(&v->m->verdict, RULE_TOKENIZER_PADDED, o,
                    "%s %llu rows, the vocabulary %zu entries", what, (unsigned long long)rows,
                    v->count);
}

bool inspect_tokenizer(struct tokenizer_facts *out, struct model *m)
{
    *out = (struct tokenizer_facts){0};
    struct vocabulary v = {.m = m, .scratch = arena_new(VOCABULARY_SCRATCH)};
    bool ok = v.scratch && vocabulary_from_gguf(&v, out);
    if (ok && !out->kind)
        ok = vocabulary_from_json(&v, out);
    if (ok) {
        special_tokens(&v, out);
        compare_size(&v);
        ok = check_templates(m);
    }
    arena_free(v.scratch);
    return ok;
}
