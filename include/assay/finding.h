/*
 * Findings: what is wrong or noteworthy, with evidence.
 *
 * The table of rules is include/assay/rules.def (one line a rule) and nowhere
 * else; docs/findings.md is compared with it by `make lint`. A verdict collects
 * findings in the order they are met; verdict_sort puts them into the one order
 * that every renderer uses.
 *
 * Two questions are kept apart. `severity` says how much it matters to whoever
 * uses the model. `breaks` says whose grammar the file breaks: the written
 * specification only (strict readers refuse) or the reference implementation
 * too (lenient readers refuse as well).
 */
#ifndef ASSAY_FINDING_H
#define ASSAY_FINDING_H

#include <stdarg.h>

#include "assay/base/arena.h"

enum severity { SEV_INFO, SEV_LOW, SEV_MEDIUM, SEV_HIGH, SEV_CRITICAL, SEV_COUNT };
enum breaks { BREAKS_NOTHING, BREAKS_SPEC, BREAKS_LOADER };

enum rule_id {
#define RULE(name, id, severity, breaks, title, remedy) RULE_##name,
#include "assay/rules.def"
#undef RULE
    RULE_COUNT
};

struct rule {
    const char *id; /* stable, public: "gguf.offset" */
    enum severity severity;
    enum breaks breaks;
    const char *title;  /* a sentence without a full stop */
    const char *remedy; /* what to do, imperative */
};

extern const struct rule rules[RULE_COUNT];

/* Where in the model something stands. */
struct origin {
    uint32_t file;   /* index into the model's files, or ORIGIN_NO_FILE */
    uint64_t offset; /* first byte */
    uint64_t length; /* 0 when unknown */
};

#define ORIGIN_NO_FILE UINT32_MAX
#define ORIGIN_NOWHERE ((struct origin){ORIGIN_NO_FILE, 0, 0})

struct finding {
    enum rule_id rule;
    struct origin origin;
    struct origin against; /* the other side of a contradiction, or nowhere */
    const char *detail;    /* what was seen, one line; owned by the verdict's arena */
    uint32_t count;        /* how often, when repeats were folded (>= 1) */
};

/* Findings of one rule beyond these numbers are counted, not listed. */
enum {
    FINDING_FOLD = 20,      /* in a row in one file */
    FINDING_FOLD_ALL = 1000 /* in the whole model */
};

/* What folding needs to know of one rule. */
struct rule_seen {
    uint32_t listed;  /* in all */
    uint32_t in_file; /* listed in a row in the file of the last one */
    size_t last;      /* index of the last one listed */
};

struct verdict {
    struct arena *arena;
    struct finding *findings;
    size_t count;
    size_t cap;
    bool incomplete; /* something was not read: never to be called clean */
    bool lost;       /* out of memory while adding: also incomplete */
    bool folded;     /* the last one added was counted, not listed */
    struct rule_seen seen[RULE_COUNT];
};

void verdict_init(struct verdict *v, struct arena *a);
/* Add a finding; the detail is made safe to show (text_show) by the caller of
 * %s arguments through text_shown. Repeats beyond FINDING_FOLD raise `count`
 * of the last one listed. */
void verdict_add(struct verdict *v, enum rule_id rule, struct origin o, const char *fmt, ...)
    ASSAY_PRINTF(4, 5);
void verdict_add_list(struct verdict *v, enum rule_id rule, struct origin o, const char *fmt,
                      va_list args) ASSAY_PRINTF(4, 0);
/* The place that contradicts the finding which was added last, if it was listed. */
void verdict_against(struct verdict *v, struct origin o);
/* Order: severity downwards, then rule, file, offset. */
void verdict_sort(struct verdict *v);
enum severity verdict_worst(const struct verdict *v); /* SEV_INFO when empty */
size_t verdict_count(const struct verdict *v, enum severity s);
/* Does a reader of the given strictness accept? BREAKS_SPEC: the specification;
 * BREAKS_LOADER: the reference implementation. */
bool verdict_accepts(const struct verdict *v, enum breaks reader);
const char *severity_name(enum severity s);
const char *breaks_name(enum breaks b);

#endif
