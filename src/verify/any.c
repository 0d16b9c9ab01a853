/* Whatever somebody was handed: told apart by content, never by name. */
#include <sys/stat.h>

#include "assay/base/file.h"
#include "assay/verify.h"

const char *verified_kind_name(enum verified_kind kind)
{
    static const char *const names[] = {"checkpoint", "receipt", "disclosure", "receipt of a call",
                                        "export"};
    return names[kind];
}

static enum verified_kind kind_of(struct span s)
{
    size_t at = 0;
    if (span_starts(s, "c2sp.org/tlog-proof@"))
        return VERIFIED_RECEIPT;
    while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\n' || s.p[at] == '\t' || s.p[at] == '\r'))
        at++;
    return at < s.n && s.p[at] == '{' ? VERIFIED_DISCLOSURE : VERIFIED_CHECKPOINT;
}

bool verify_path(struct verified *out, enum verified_kind *kind, const char *path,
                 const struct trust *t, struct arena *a, struct err *e)
{
    static bool (*const verify[])(struct verified *, struct span, const struct trust *,
                                  struct arena *,
                                  struct err *) = {[VERIFIED_CHECKPOINT] = verify_checkpoint,
                                                   [VERIFIED_RECEIPT] = verify_receipt,
                                                   [VERIFIED_DISCLOSURE] = verify_bundle};
    struct stat st;
    struct span bytes;
    *kind = VERIFIED_EXPORT;
    *out = (struct verified){.pinned = false};
    if (stat(path, &st) != 0)
        return err_errno(e, path, "cannot be opened");
    bool ok = false;
    if (S_ISDIR(st.st_mode)) {
        ok = verify_export(out, path, t, a, e);
    } else if (file_read(&bytes, path, BUNDLE_MAX, false, a, e)) {
        *kind = kind_of(bytes);
        ok = verify[*kind](out, bytes, t, a, e);
        if (out->call)
            *kind = VERIFIED_CALL;
    }
    if (!ok && e && e->file[0] == '\0')
        err_in_file(e, path);
    return ok;
}
