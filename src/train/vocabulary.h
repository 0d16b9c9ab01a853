/* A trained vocabulary as files: tokenizer.json, tokenizer_config.json, GGUF's metadata. */
#ifndef TRAIN_VOCABULARY_H
#define TRAIN_VOCABULARY_H

#include "assay/model_write.h"
#include "train/bpe.h"

enum { VOCABULARY_END_OF_TEXT = 0, VOCABULARY_BEGIN_TURN = 1, VOCABULARY_END_TURN = 2 };

extern const char vocabulary_template[]; /* ChatML */

/* tokenizer.json and tokenizer_config.json; texts are the arena's. */
bool vocabulary_texts(struct span *tokenizer, struct span *config, const struct bpe *b,
                      size_t context, struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* False when out of memory. */
bool vocabulary_metadata(struct metadata_list *l, const struct bpe *b);

#endif
