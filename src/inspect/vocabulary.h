/*
 * Private to the tokenizer's facts: the vocabulary as one array and one map,
 * whichever container it came from. It lives in scratch memory that ends with
 * inspect_tokenizer; texts are borrowed from the model.
 */
#ifndef INSPECT_VOCABULARY_H
#define INSPECT_VOCABULARY_H

#include "assay/base/map.h"
#include "inspect/facts.h"

struct vocabulary {
    struct model *m;
    struct arena *scratch;
    struct span *text; /* by id; p NULL: no token has this id */
    size_t count;      /* highest id + 1 */
    uint64_t *slots;   /* open addressing: keyed hash << 32 | id + 1; 0: empty */
    size_t mask;
};

/* Room for ids below `room`, of which at most n are used; false when out of memory. */
bool vocabulary_init(struct vocabulary *v, size_t n, size_t room) ASSAY_MUST_CHECK;
/* Enter one of the n tokens, id < room; a text or an id met before is a finding
 * at `o`, and the first stays. */
void vocabulary_add(struct vocabulary *v, uint64_t id, struct span text, struct origin o);

/* The id of a text, or MAP_NONE. */
uint32_t vocabulary_id(const struct vocabulary *v, struct span text);

/* tokenizer_gguf.c, tokenizer_json.c: false only when out of memory. */
bool vocabulary_from_gguf(struct vocabulary *v, struct tokenizer_facts *out) ASSAY_MUST_CHECK;
bool vocabulary_from_json(struct vocabulary *v, struct tokenizer_facts *out) ASSAY_MUST_CHECK;
/* tokenizer_special.c: roles from every document, cross-checked. */
void special_tokens(const struct vocabulary *v, struct tokenizer_facts *out);
/* templates.c: copies that differ, characters that nobody sees. */
bool check_templates(struct model *m) ASSAY_MUST_CHECK;
/* hidden.c: offset of the first hidden character that is neither a line end or tab nor
 * part of an emoji, or SIZE_MAX. */
size_t first_hidden(struct span s, uint32_t *code_point);

#endif
