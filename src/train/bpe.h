/*
 * Training of a byte-level BPE vocabulary. Ids: the three special tokens of
 * ChatML, the 256 bytes, then one entry a merge, in the order they were learnt.
 */
#ifndef TRAIN_BPE_H
#define TRAIN_BPE_H

#include "assay/base/arena.h"

enum {
    BPE_SPECIALS = 3, /* BPE_SPECIAL_TEXTS */
    BPE_FIRST_BYTE = BPE_SPECIALS,
    BPE_FIRST_MERGE = BPE_FIRST_BYTE + 256,
    BPE_MIN = BPE_FIRST_MERGE,
    BPE_MAX = 8192 /* entries: pairs are counted in a table of BPE_MAX^2 at most */
};

extern const char
    *const bpe_special_texts[BPE_SPECIALS]; /* <|endoftext|> <|im_start|> <|im_end|> */

struct bpe_merge {
    uint16_t left, right;
};

struct bpe {
    struct bpe_merge *merges;
    size_t merge_count;
    struct span *bytes; /* of every entry; a special one's text */
    size_t count;       /* entries */
};

struct bpe_words;

/* Words are counted first. Memory is the arena's. */
bool bpe_words_new(struct bpe_words **out, struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* `text` is borrowed until bpe_train. */
bool bpe_words_add(struct bpe_words *w, struct span text, struct err *e) ASSAY_MUST_CHECK;
/*
 * Merge the most frequent pair of neighbours until there are `entries` or no pair
 * occurs twice. Among equals the pair of the lowest left id, then right id.
 */
bool bpe_train(struct bpe *out, struct bpe_words *w, size_t entries,
               struct err *e) ASSAY_MUST_CHECK;

/* As tokenizer.json and GGUF spell bytes: GPT-2's bytes_to_unicode. Appends. */
void bpe_spell(struct buf *out, struct span bytes);

#endif
