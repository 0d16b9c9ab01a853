/*
 * Private to the tokenizer: what its loaders fill and its encoder walks.
 *
 * Text goes through the stages of Hugging Face's tokenizers, whichever file
 * the rules came from: added tokens are cut out, what is between is
 * normalised, split into words, and each word becomes tokens by the model.
 */
#ifndef TOKENIZER_TOKENIZER_H
#define TOKENIZER_TOKENIZER_H

#include "assay/tokenizer.h"
#include "tokenizer/regex.h"

/* ---- vocabulary (vocabulary.c) ---- */

struct entry {
    struct span text, bytes; /* p NULL: no token has this id */
    struct span sought;      /* of an added token that is sought in normalised text */
    float score;
    uint8_t type;    /* enum token_type */
    bool added;      /* cut out of the text before anything else */
    bool normalised; /* sought in the normalised text */
    bool left_strip, right_strip, single_word;
    bool spelled;  /* byte level: the text is one of GPT-2's printable characters throughout */
    bool outside;  /* added to a model that does not know it: no merge makes it */
    bool protocol; /* the chat template writes it */
    bool ends;     /* generation ends with it */
};

/* Texts that the model makes words of, to their ids: a keyed hash and id + 1 a slot. */
struct pieces {
    uint64_t *slots;
    size_t mask;
};

/* Parts of merges that are no tokens have numbers from here on; see tokenizer.unspoken. */
#define PIECE_UNSPOKEN UINT32_C(0x80000000)

/* (left, right) to (rank, result): open addressing. */
struct merge {
    uint32_t left, right, rank, result; /* rank TOKEN_NONE: empty */
};

struct merges {
    struct merge *slots;
    size_t mask;
};

/* ---- normalising (normalise.c) ---- */

enum normal_kind {
    NORMALISE_FORM, /* form */
    NORMALISE_LOWER,
    NORMALISE_STRIP_ACCENTS, /* drop marks, or nonspacing ones alone */
    NORMALISE_STRIP,         /* white space at the ends: left, right */
    NORMALISE_PREPEND,       /* text, before a text that is not empty */
    NORMALISE_REPLACE,       /* find (or pattern), text */
    NORMALISE_BERT,          /* controls away, white space to ' ', CJK apart */
    NORMALISE_SPACES,        /* runs of spaces to one, none at the ends: Unigram */
    NORMALISE_CHARSMAP       /* text: SentencePiece's precompiled map */
};

struct normal_step {
    enum normal_kind kind;
    int form; /* enum normal_form */
    bool left, right, nonspacing;
    struct span find, text;
    const struct regex *pattern; /* NULL: find */
};

/* ---- splitting (split.c) ---- */

enum split_kind {
    SPLIT_PATTERN,
    SPLIT_PREFIX_SPACE, /* a space before a piece that does not begin with one */
    SPLIT_METASPACE,    /* ' ' to text, and text before the piece */
    SPLIT_SHOW_BYTES,   /* bytes as GPT-2's characters: what follows sees those */
    SPLIT_DIGITS_3      /* digits in threes, counted from the right */
};

enum split_behaviour {
    SPLIT_ISOLATED,
    SPLIT_REMOVED,
    SPLIT_WITH_PREVIOUS,
    SPLIT_WITH_NEXT,
    SPLIT_CONTIGUOUS
};

enum prepend { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER };

struct split_step {
    enum split_kind kind;
    const struct regex *pattern;
    enum split_behaviour behaviour;
    bool invert;
    enum prepend prepend;
    struct span text;
};

/* ---- everything ---- */

enum { STEPS_MAX = 24, ADDED_AROUND_MAX = 8, RULE_NAME_MAX = 64 };

struct tokenizer {
    struct arena *arena;
    enum tokenizer_kind kind;
    char rule[RULE_NAME_MAX];

    struct entry *entries;
    size_t count;
    struct pieces pieces;
    struct merges merges;
    struct span *unspoken; /* texts of numbers from PIECE_UNSPOKEN */
    size_t unspoken_count, unspoken_cap;

    bool byte_level;        /* words are bytes: vocabulary texts were turned into them */
    bool words_shown;       /* byte level: words arrive as GPT-2 characters */
    bool metaspace;         /* the vocabulary shows a space as U+2581 */
    bool unblocks_added;    /* and so do added tokens, when they are decoded */
    bool byte_fallback;     /* what no token holds becomes byte tokens */
    bool fuse_unknown;      /* unknown characters in a row are one unk */
    bool ignore_merges;     /* a word that is a token is that token */
    bool newlines_whole;    /* a word of line feeds that is a token is that token */
    uint32_t byte_ids[256]; /* byte_level: pieces; else <0xNN> tokens; TOKEN_NONE: none */
    uint64_t *pairs;        /* characters that stand side by side within some piece, hashed */
    float unknown_score;    /* Unigram */
    double *scores;         /* Unigram: as exact as the file has them; NULL: entries[].score */
    size_t longest;         /* bytes of the longest piece */
    struct span subword;    /* WordPiece: before a piece that continues a word ("##") */
    struct span wordstart;  /* WordPiece: before a piece that begins one (GGUF: U+2581) */
    size_t longest_word;    /* WordPiece: characters; more are unknown */

    struct normal_step normal[STEPS_MAX];
    size_t normal_count;
    bool space_prefix; /* SPM: ' ' before text that begins or follows an added token */
    struct split_step split[STEPS_MAX];
    size_t split_count;

    struct added *added[2]; /* before and after normalising; NULL: none */

    struct token_roles roles;
    uint32_t before[ADDED_AROUND_MAX], after[ADDED_AROUND_MAX];
    size_t before_count, after_count;

    bool strip_first;    /* decoding: the first space goes */
    bool spaces_between; /* decoding WordPiece: a space before a piece that begins a word */
};

/* ---- vocabulary.c ---- */

bool pieces_init(struct pieces *p, struct arena *a, size_t n) ASSAY_MUST_CHECK;
/* A text that is there already takes the new number. */
void pieces_put(const struct tokenizer *t, struct pieces *p, struct span text, uint32_t number);
uint32_t pieces_get(const struct tokenizer *t, struct span text); /* TOKEN_NONE */
/* The text a piece was entered under. */
struct span piece_text(const struct tokenizer *t, uint32_t number);

bool merges_init(struct merges *m, struct arena *a, size_t n) ASSAY_MUST_CHECK;
/* The first of equal pairs stays. */
void merges_put(struct merges *m, struct merge merge);
const struct merge *merges_get(const struct merges *m, uint32_t left, uint32_t right);

/* GPT-2's bytes: the printable character that stands for a byte, and back. */
void byte_level_put(struct buf *out, uint8_t byte);
/* False: a character of the text stands for no byte. */
bool byte_level_decode(struct buf *out, struct span text);
/* "<0x0A>": true and the byte. */
bool byte_token(struct span text, uint8_t *byte);
/* Once all entries and roles are there: what they stand for, pieces (with room for `spare`
 * more), byte tokens, added tokens. */
bool vocabulary_finish(struct tokenizer *t, size_t spare, struct err *e) ASSAY_MUST_CHECK;
/* A piece's text counts for the longest and for the pairs. */
void note_piece(struct tokenizer *t, struct span text);
/* May characters a and b belong to one piece? */
bool pair_known(const struct tokenizer *t, uint32_t a, uint32_t b);

/* ---- added.c ---- */

bool added_build(struct tokenizer *t, struct err *e) ASSAY_MUST_CHECK;
/* The longest allowed added token at `at`: TOKEN_NONE when there is none. A control token
 * must end by `trusted`, a protocol token too unless `protocol`. */
uint32_t added_match(const struct tokenizer *t, const struct added *set, struct span text,
                     size_t at, size_t trusted, bool protocol, size_t *length);
/* False: no added token begins with this byte. */
bool added_begins(const struct added *set, uint8_t byte);

/* ---- load ---- */

bool load_gguf(struct tokenizer *t, const struct model *m, struct err *e) ASSAY_MUST_CHECK;
bool load_json(struct tokenizer *t, const struct model *m, struct err *e) ASSAY_MUST_CHECK;
/* rules.c: the splitting that tokenizer.ggml.pre names. */
bool rule_apply(struct tokenizer *t, struct span name, struct err *e) ASSAY_MUST_CHECK;
bool add_pattern(struct tokenizer *t, struct span pattern, enum split_behaviour behaviour,
                 bool invert, struct err *e) ASSAY_MUST_CHECK;
bool add_normal(struct tokenizer *t, struct normal_step step, struct err *e) ASSAY_MUST_CHECK;
bool add_split(struct tokenizer *t, struct split_step step, struct err *e) ASSAY_MUST_CHECK;
/* roles.c: ends of generation by text, protocol tokens by the templates, what models are known
 * to need; the same for both containers. */
void finish_roles(struct tokenizer *t, const struct model *m);

/* ---- encode ---- */

struct symbol {
    uint32_t start, length;  /* length 0: merged into another */
    uint32_t previous, next; /* index, or TOKEN_NONE */
    uint32_t piece;
};

struct candidate {
    uint64_t key; /* rank << 32 | left: the smallest goes first */
    uint32_t size, result;
};

struct encoder {
    const struct tokenizer *t;
    struct tokens *out;
    struct err *e;
    unsigned flags;
    struct buf normal[2], split; /* normalised text; a piece that a split step rewrote */
    struct symbol *symbols;
    size_t symbol_cap;
    struct candidate *heap;
    size_t heap_count, heap_cap;
    struct word_cache *cache; /* NULL: the text is short */
    uint64_t budget;          /* of the patterns */
    bool first;               /* the fragment begins the text */
    bool unknown_last;        /* the last token is an unk that may be fused */
};

/* words: one stage each */
bool encode_split(struct encoder *x, struct span text, size_t step) ASSAY_MUST_CHECK; /* split.c */
bool encode_word(struct encoder *x, struct span word) ASSAY_MUST_CHECK;               /* word.c */
bool encode_merges(struct encoder *x, struct span word) ASSAY_MUST_CHECK;             /* merge.c */
bool encode_unigram(struct encoder *x, struct span word) ASSAY_MUST_CHECK;   /* unigram.c */
bool encode_wordpiece(struct encoder *x, struct span word) ASSAY_MUST_CHECK; /* wordpiece.c */
/* A text that no token holds: byte tokens, unk, or nothing. word.c */
bool encode_unknown(struct encoder *x, struct span text) ASSAY_MUST_CHECK;
bool encode_id(struct encoder *x, uint32_t id) ASSAY_MUST_CHECK;
/* The normalised text, borrowed until the next call. normalise.c */
bool normalise(struct encoder *x, struct span text, struct span *out) ASSAY_MUST_CHECK;

#endif
