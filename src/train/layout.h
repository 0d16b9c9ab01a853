/*
 * A chat through a model's own template: the tokens that its engine would see,
 * and which of them the assistant says.
 */
#ifndef TRAIN_LAYOUT_H
#define TRAIN_LAYOUT_H

#include "assay/template.h"
#include "assay/tokenizer.h"

struct layout_message {
    struct span role, content;
};

/*
 * *counts: one of each token of *ids, the arena's; it is 1 for what follows the prompt of an
 * assistant's turn, up to and with the token that ends it. ERR_UNSUPPORTED when the template
 * writes the beginning of a chat otherwise as soon as more follows: then no turn has a place.
 */
bool layout_chat(struct tokens *ids, uint8_t **counts, const struct template *t,
                 const struct tokenizer *k, const struct layout_message *messages, size_t n,
                 struct arena *a, struct err *e) ASSAY_MUST_CHECK;

#endif
