/*
 * Errors are values that the caller owns.
 *
 * A function that can fail returns bool and takes `struct err *` last; on
 * failure it fills it through err_set and returns false. Nothing but src/cli
 * prints or exits. Text names what was expected and what to do; the file and
 * offset stand in their own fields so that every renderer can place them.
 */
#ifndef ASSAY_BASE_ERR_H
#define ASSAY_BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

#define ASSAY_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ASSAY_MUST_CHECK __attribute__((warn_unused_result))

/* Offset of an error that belongs to no byte. */
#define ERR_NO_OFFSET UINT64_MAX

enum err_code {
    ERR_NONE = 0,
    ERR_USAGE,       /* wrong arguments or options */
    ERR_CONFIG,      /* a configuration file is wrong */
    ERR_IO,          /* the system refused: open, read, write, permission */
    ERR_FORMAT,      /* the bytes are not what the format demands */
    ERR_UNSUPPORTED, /* well-formed, and this build cannot read it */
    ERR_LIMIT,       /* a named limit was reached; what was read is incomplete */
    ERR_CHANGED,     /* the file changed while it was read */
    ERR_MEMORY,      /* allocation failed, or an arena's cap was reached */
    ERR_INTEGRITY,   /* a digest, proof or signature does not match */
    ERR_POLICY,      /* the policy says no */
    ERR_INTERRUPTED, /* a signal or the caller asked to stop */
    ERR_CODES
};

struct err {
    enum err_code code;
    uint64_t offset; /* byte offset in `file`, or ERR_NO_OFFSET */
    char file[256];  /* empty when no file is concerned */
    char text[512];
};

/* An err that holds nothing. */
/* clang-format off */
#define ERR_INIT {ERR_NONE, ERR_NO_OFFSET, "", ""}
/* clang-format on */

/*
 * Fill `e` (which may be NULL) and return false, so that
 * `return err_set(e, ERR_FORMAT, "...")` reads as one statement. The first
 * error wins: a filled `e` is not overwritten.
 */
bool err_set(struct err *e, enum err_code code, const char *fmt, ...) ASSAY_PRINTF(3, 4);

/* As err_set, with the place. `file` may be NULL. */
bool err_at(struct err *e, enum err_code code, const char *file, uint64_t offset, const char *fmt,
            ...) ASSAY_PRINTF(5, 6);

/* As err_at with errno's words appended: "cannot open: No such file or directory". */
bool err_errno(struct err *e, const char *file, const char *what);

/* Name the file in an error that was raised below the level that knows it. */
void err_in_file(struct err *e, const char *file);

void err_clear(struct err *e);

/* Short lower-case name of a code: "format", "io". */
const char *err_name(enum err_code code);

/*
 * Exit status of a code: 0 pass, 1 policy, 2 usage or
 * configuration, 3 unreadable or incomplete, 4 integrity.
 */
int err_exit_status(enum err_code code);

#ifdef ASSAY_ANALYSIS
/* Static analyzers see one file at a time; this tells them what these return. */
#define err_set(...) ((void)err_set(__VA_ARGS__), false)
#define err_at(...) ((void)err_at(__VA_ARGS__), false)
#define err_errno(...) ((void)err_errno(__VA_ARGS__), false)
#endif

#endif
