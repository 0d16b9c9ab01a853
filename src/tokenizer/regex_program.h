/*
 * Private to the regular expressions: character sets, the parsed program, and
 * the table of states that matching walks.
 */
#ifndef TOKENIZER_REGEX_PROGRAM_H
#define TOKENIZER_REGEX_PROGRAM_H

#include "tokenizer/regex.h"
#include "assay/unicode.h"

/* A set of code points as the pattern writes it. */
enum set_kind { SET_RANGE, SET_CATEGORIES, SET_OR, SET_AND, SET_NOT };

struct set {
    enum set_kind kind;
    uint32_t low, high;  /* RANGE */
    uint32_t categories; /* CATEGORIES: bits */
    const struct set *a, *b;
};

bool set_has(const struct set *s, uint32_t code_point, enum unicode_category category);

enum opcode {
    OP_SET,      /* one character of sets[x] */
    OP_SPLIT,    /* go on at x, and with less right at y */
    OP_JUMP,     /* go on at x */
    OP_NEXT,     /* the next character is in sets[x] */
    OP_NOT_NEXT, /* the next character is not in sets[x], or the text ends */
    OP_END,      /* the text ends */
    OP_LINE_END,
    OP_BEGIN, /* nothing precedes */
    OP_LINE_BEGIN,
    OP_WORD_EDGE, /* x: 0 an edge, 1 none */
    OP_MATCH
};

struct instruction {
    enum opcode op;
    uint32_t x, y;
};

struct program {
    struct arena *arena;
    struct instruction *code;
    size_t count, cap;
    const struct set **sets;
    size_t set_count, set_cap;
    bool looks_back;                   /* holds OP_BEGIN, OP_LINE_BEGIN or OP_WORD_EDGE */
    const struct set *word, *line_end; /* what these ask for; NULL: nothing does */
};

/* A class by one of its members; no character need have both. */
struct sample {
    uint32_t code_point;
    enum unicode_category category;
};

/* What precedes a place, as far as patterns ask. */
enum before { BEFORE_NOTHING, BEFORE_LINE_END, BEFORE_WORD, BEFORE_OTHER };

/*
 * Characters fall into classes that no set of the pattern tells apart. A table
 * row holds, for each class and then for the end of the text, the next state
 * and whether a match ends before that character.
 */
enum { ROW_STATE = 0x7FFF, ROW_MATCH = 0x8000, CLASSES_MAX = 255 };

struct regex {
    uint8_t ascii[128];
    uint32_t *bounds; /* first code point of each segment, ascending; [0] is 0 */
    size_t segment_count;
    uint8_t (*classes)[UC_COUNT]; /* by segment and category */
    size_t class_count;           /* without the end */
    uint16_t *rows;               /* state * (class_count + 1); state 0 is dead */
    uint16_t start[4];            /* by enum before */
    uint8_t *class_before;        /* enum before of each class; NULL: nobody asks */
};

bool regex_parse(struct program *out, struct span pattern, struct err *e) ASSAY_MUST_CHECK;
/* Fill the classes of `re` (allocated in `a`) from the program's sets; *samples: one of each,
 * in the program's arena. */
bool regex_classify(struct regex *re, const struct program *p, struct arena *a,
                    const struct sample **samples, struct err *e) ASSAY_MUST_CHECK;

#endif
