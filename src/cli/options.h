/*
 * One option parser, driven by tables.
 *
 * Options are long: `--name`, `--name=value`, `--name value`; `--` ends them;
 * they may stand anywhere among the operands. Each row says where in the
 * command's struct its value goes. Abbreviations are not accepted: a script
 * that uses one would break the day a second option begins like it.
 */
#ifndef ASSAY_CLI_OPTIONS_H
#define ASSAY_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "assay/base/err.h"

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_NUMBER, /* unsigned, 1..OPTION_MAX_NUMBER */
    OPTION_U64,    /* struct option_u64, 0..2^53-1 */
    OPTION_TEXT,   /* const char *, borrowed from argv */
    OPTION_TEXTS,  /* struct option_texts: may be given several times */
    OPTION_CHOICE  /* int: index into the '|'-separated choices */
};

enum { OPTION_MAX_NUMBER = 1024, OPTION_MAX_TEXTS = 16, OPTION_ARGS_SIZE = 2048 };

#define OPTION_MAX_U64 ((UINT64_C(1) << 53) - 1)

struct option_u64 {
    bool given;
    uint64_t value;
};

struct option_texts {
    const char *text[OPTION_MAX_TEXTS]; /* borrowed from argv */
    size_t count;
};

struct option {
    const char *name; /* without the dashes; NULL ends a table */
    enum option_kind kind;
    const char *value; /* what the value is called, or the choices; NULL for a flag */
    size_t at;         /* offsetof in the command's struct */
    const char *help;  /* one line, no full stop */
};

/* Where one table's values go. */
struct option_set {
    const struct option *table; /* NULL: empty */
    void *into;
};

/*
 * Parse argv[0..argc-1] (the command's name not among them). Operands are moved
 * to the front of argv, in order; *operands is how many there are. An unknown
 * option, a missing or a wrong value is ERR_USAGE with what was meant, if
 * anything is near.
 */
bool options_parse(const struct option_set *sets, size_t set_count, int argc, char **argv,
                   size_t *operands, struct err *e) ASSAY_MUST_CHECK;

#endif
