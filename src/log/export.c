/* `assay log export`: the tiles of a reader's snapshot. */
#include "log/export.h"

static bool walk(void *arg, uint64_t seq, export_visit *visit, void *visit_arg, struct err *e)
{
    return log_reader_walk(arg, seq, visit, visit_arg, e);
}

bool log_export(struct log_reader *r, const char *folder, const struct progress *p,
                struct log_exported *out, struct err *e)
{
    struct buf note;
    struct export_source from = {.hashes = log_reader_hashes(r), .walk = walk, .arg = r};
    *out = (struct log_exported){0};
    buf_init(&note, NOTE_MAX_BYTES);
    bool ok = log_reader_checkpoint(r, &note, e);
    from.checkpoint = buf_span(&note);
    ok = ok && export_tiles(&from, folder, p, out, e);
    buf_free(&note);
    return ok;
}
