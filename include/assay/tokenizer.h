/*
 * Text to token ids and back, by the rules that the model's own files name.
 *
 * Made from GGUF metadata or from a folder's tokenizer.json; everything is
 * copied, so the model may be freed before its tokenizer. A tokenizer never
 * changes once it is made: any number of threads may use one at once. What
 * the files ask for and this build does not do is refused by name when the
 * tokenizer is made, never guessed while text is encoded.
 *
 * Control tokens are recognised in trusted parts only (base/marked.h).
 */
#ifndef ASSAY_TOKENIZER_H
#define ASSAY_TOKENIZER_H

#include "assay/base/marked.h"
#include "assay/model.h"

#define TOKEN_NONE UINT32_MAX

enum {
    TOKENIZER_MAX_TOKENS = 1 << 22, /* entries of a vocabulary */
    TOKENIZER_MAX_TEXT = 1 << 26    /* bytes of one text to encode */
};

struct tokenizer;

enum tokenizer_kind {
    TOKENIZER_SPM,      /* score-greedy merges of SentencePiece BPE models: "llama" */
    TOKENIZER_BPE,      /* ranked merges, of bytes or of characters: "gpt2", "gemma4" */
    TOKENIZER_UNIGRAM,  /* the most probable segmentation: "t5" */
    TOKENIZER_WORDPIECE /* longest match first: "bert" */
};

enum token_type { /* numbers as in GGUF, llama.h "llama_token_type" */
                  TOKEN_UNDEFINED = 0,
                  TOKEN_NORMAL,
                  TOKEN_UNKNOWN,
                  TOKEN_CONTROL,      /* marks structure: never made of untrusted text */
                  TOKEN_USER_DEFINED, /* matched before anything else, in any text */
                  TOKEN_UNUSED,
                  TOKEN_BYTE /* stands for one byte that no other token holds */
};

struct token {
    struct span text;  /* as the vocabulary spells it */
    struct span bytes; /* what it stands for in text; a control token's own text */
    enum token_type type;
    float score; /* 0 where the vocabulary has none */
};

/* Ids with a role; TOKEN_NONE: the files name none. */
struct token_roles {
    uint32_t bos, eos, eot, eom, unk, sep, pad, cls, mask;
    bool add_bos, add_eos; /* what ENCODE_SPECIAL adds */
};

/* m's GGUF metadata when it holds a vocabulary, else its tokenizer.json. */
bool tokenizer_new(struct tokenizer **out, const struct model *m, struct err *e) ASSAY_MUST_CHECK;
void tokenizer_free(struct tokenizer *t); /* NULL is harmless */

enum tokenizer_kind tokenizer_kind(const struct tokenizer *t);
/* Which splitting rule is in use: "llama-bpe", "tokenizer.json", "none"; part of what a
 * record says of a call. */
const char *tokenizer_rule(const struct tokenizer *t);
size_t tokenizer_size(const struct tokenizer *t); /* highest id + 1 */
const struct token_roles *tokenizer_roles(const struct tokenizer *t);
/* What chat templates call bos_token, eos_token and so on: TOKENIZER_WORDS of them, empty where
 * there is none. Texts live as long as the tokenizer. */
enum { TOKENIZER_WORDS = 7 };
struct template_word;
void tokenizer_words(struct template_word *out, const struct tokenizer *t);
/* Spans live as long as the tokenizer. False for an id without a token. */
bool tokenizer_token(struct token *out, const struct tokenizer *t, uint32_t id);
/* The id of a token spelled so in the vocabulary, or TOKEN_NONE. */
uint32_t tokenizer_id(const struct tokenizer *t, struct span text);
/* Generation ends with this token: eos, eot, eom, and the ends of turn that models use. */
bool tokenizer_ends(const struct tokenizer *t, uint32_t id);

/* ---- text to ids ---- */

/* A growing list of ids with a maximum; zero-initialised but for max. Caller frees. */
struct tokens {
    uint32_t *id;
    size_t n, cap, max; /* max 0: TOKENIZER_MAX_TEXT */
};
void tokens_free(struct tokens *out);
bool tokens_add(struct tokens *out, uint32_t id, struct err *e) ASSAY_MUST_CHECK;

enum encode_flags {
    ENCODE_PLAIN = 0,
    ENCODE_SPECIAL = 1, /* add bos, eos and the like where the model's files say so; a text that
                           begins with its own trusted bos gets no second one */
    ENCODE_PROTOCOL = 2 /* match tokens that the chat template writes but that are no control
                           tokens ("<tool_call>") in untrusted text too: for text that is
                           no part of a chat, as llama.cpp and transformers do */
};

/*
 * Append the ids of the parts as one text. Fails with ERR_LIMIT beyond out->max,
 * ERR_FORMAT when the text is not UTF-8 (with the offset), ERR_MEMORY; then
 * out->n is as before.
 */
bool tokenizer_encode(struct tokens *out, const struct tokenizer *t, const struct marked *parts,
                      size_t count, unsigned flags, struct err *e) ASSAY_MUST_CHECK;
/* One text; trusted: control tokens in it are recognised. */
bool tokenizer_encode_text(struct tokens *out, const struct tokenizer *t, struct span text,
                           bool trusted, unsigned flags, struct err *e) ASSAY_MUST_CHECK;

/* ---- ids to text ---- */

enum decode_flags {
    DECODE_PLAIN = 0,      /* control tokens give nothing, bytes come out as they are */
    DECODE_SPECIAL = 1,    /* control tokens give their text */
    DECODE_CONTINUES = 2,  /* ids that follow others: keep the space that an SPM text begins with */
    DECODE_REPLACE_BAD = 4 /* bytes that are not UTF-8 become U+FFFD, as text in JSON must be */
};

/* Append the text of n ids to out; an id without a token is ERR_FORMAT. */
bool tokenizer_decode(struct buf *out, const struct tokenizer *t, const uint32_t *ids, size_t n,
                      unsigned flags, struct err *e) ASSAY_MUST_CHECK;

/* The same, a token at a time: incomplete UTF-8 is held back until it is complete. */
struct decoder {
    const struct tokenizer *t;
    unsigned flags;
    bool started;    /* a token gave text */
    uint8_t held[4]; /* begins a character */
    unsigned held_count;
};

void decoder_init(struct decoder *d, const struct tokenizer *t, unsigned flags);
bool decoder_push(struct decoder *d, uint32_t id, struct buf *out, struct err *e) ASSAY_MUST_CHECK;
/* What was held back comes out: as it is, or as U+FFFD with DECODE_REPLACE_BAD. */
void decoder_finish(struct decoder *d, struct buf *out);

#endif
