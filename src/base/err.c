/* Error values: fill, place, map to exit statuses. */
#include "assay/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef ASSAY_ANALYSIS
#undef err_set
#undef err_at
#undef err_errno
#endif

static const struct {
    const char *name;
    int exit_status;
} codes[ERR_CODES] = {
    [ERR_NONE] = {"none", 0},     [ERR_USAGE] = {"usage", 2},
    [ERR_CONFIG] = {"config", 2}, [ERR_IO] = {"io", 3},
    [ERR_FORMAT] = {"format", 3}, [ERR_UNSUPPORTED] = {"unsupported", 3},
    [ERR_LIMIT] = {"limit", 3},   [ERR_CHANGED] = {"changed", 3},
    [ERR_MEMORY] = {"memory", 3}, [ERR_INTEGRITY] = {"integrity", 4},
    [ERR_POLICY] = {"policy", 1}, [ERR_INTERRUPTED] = {"interrupted", 3},
};

ASSAY_PRINTF(5, 0)
static bool fill(struct err *e, enum err_code code, const char *file, uint64_t offset,
                 const char *fmt, va_list args)
{
    if (!e || e->code != ERR_NONE)
        return false;
    e->code = code;
    e->offset = offset;
    snprintf(e->file, sizeof e->file, "%s", file ? file : "");
    vsnprintf(e->text, sizeof e->text, fmt, args);
    return false;
}

bool err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(e, code, NULL, ERR_NO_OFFSET, fmt, args);
    va_end(args);
    return false;
}

bool err_at(struct err *e, enum err_code code, const char *file, uint64_t offset, const char *fmt,
            ...)
{
    va_list args;
    va_start(args, fmt);
    fill(e, code, file, offset, fmt, args);
    va_end(args);
    return false;
}

bool err_errno(struct err *e, const char *file, const char *what)
{
    int saved = errno;
    return err_at(e, ERR_IO, file, ERR_NO_OFFSET, "%s: %s", what, strerror(saved));
}

void err_in_file(struct err *e, const char *file)
{
    if (e && e->code != ERR_NONE && e->file[0] == '\0')
        snprintf(e->file, sizeof e->file, "%s", file ? file : "");
}

void err_clear(struct err *e)
{
    if (!e)
        return;
    e->code = ERR_NONE; /* of texts their beginning alone is cleared: there is one a record */
    e->offset = ERR_NO_OFFSET;
    e->file[0] = e->text[0] = '\0';
}

const char *err_name(enum err_code code)
{
    return (unsigned)code < ERR_CODES ? codes[code].name : "unknown";
}

int err_exit_status(enum err_code code)
{
    return (unsigned)code < ERR_CODES ? codes[code].exit_status : 3;
}
