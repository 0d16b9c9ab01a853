/*
 * Private: the cache of words that one encoding keeps.
 */
#ifndef TOKENIZER_WORD_H
#define TOKENIZER_WORD_H

#include "tokenizer/tokenizer.h"

struct word_cache *word_cache_new(void); /* NULL when out of memory; release with free */

#endif
