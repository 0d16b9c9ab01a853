/*
 * What a verification showed, in words. What was not shown stands there as
 * plainly: a proof that nobody pinned to a key is a proof of consistency alone.
 */
#include <time.h>

#include "assay/base/text.h"
#include "assay/verify.h"

enum { CONTENT_SHOWN = 2000, LEAF_SHOWN = 4000, LABEL = 12 };

static void put_label(struct buf *b, const char *label)
{
    buf_printf(b, "%-*s", LABEL, label);
}

static void put_time(struct buf *b, uint64_t seconds)
{
    char text[64];
    struct tm tm;
    time_t t = (time_t)seconds;
    if (seconds < INT32_MAX && gmtime_r(&t, &tm) &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm))
        buf_put_str(b, text);
    else
        buf_printf(b, "second %llu", (unsigned long long)seconds);
}

static void put_checkpoint(struct buf *b, const struct verified *v)
{
    char hex[DIGEST_HEX + 1];
    put_label(b, "log");
    text_show(b, v->checkpoint.origin, 200);
    buf_put_u8(b, '\n');
    put_label(b, "size");
    buf_printf(b, "%llu entries\n", (unsigned long long)v->checkpoint.size);
    put_label(b, "root");
    buf_printf(b, "%s\n", digest_hex(hex, &v->checkpoint.root));
}

static void put_record(struct buf *b, const struct verified *v)
{
    put_label(b, "entry");
    buf_printf(b, "%llu, %s, ", (unsigned long long)v->index,
               record_kind_name(v->record.head.kind));
    put_time(b, v->record.head.wall_us / 1000000);
    buf_put_str(b, " by the log's clock\n");
    put_label(b, "leaf");
    text_show(b, v->record.leaf, LEAF_SHOWN);
    buf_put_u8(b, '\n');
}

static void put_fields(struct buf *b, const struct verified *v)
{
    for (size_t i = 0; i < v->field_count; i++) {
        put_label(b, i ? "" : "content");
        text_show(b, v->fields[i].field, 64);
        buf_printf(b, ", %zu bytes: ", v->fields[i].content.n);
        text_show(b, v->fields[i].content, CONTENT_SHOWN);
        buf_put_u8(b, '\n');
    }
}

/* What a log may hold without being false, and its reader should know. */
static void put_noted(struct buf *b, uint64_t count, const char *what)
{
    if (count == 0)
        return;
    put_label(b, "noted");
    buf_printf(b, "%llu %s\n", (unsigned long long)count, what);
}

static void put_log(struct buf *b, const struct verified *v)
{
    put_noted(b, v->checkpoints, "older checkpoints lead to this log");
    put_noted(b, v->rotations, "changes of the key, each signed by both");
    put_noted(b, v->restores, "times the log went on from a backup");
    put_noted(b, v->clock_back, "entries stand before their predecessor by the wall clock");
    put_noted(b, v->boot_back, "entries stand before their predecessor by the boot's clock");
    put_noted(b, v->open_intents, "calls have no outcome");
    put_noted(b, v->stray_outcomes, "outcomes close no open call");
    put_noted(b, v->intents_overflowed,
              "time more calls were open than are followed: the counts "
              "of calls are not exact");
}

static void put_shown(struct buf *b, enum verified_kind kind, const struct verified *v)
{
    static const char *const shown[] = {
        [VERIFIED_CHECKPOINT] = "the checkpoint is well formed",
        [VERIFIED_RECEIPT] = "the entry stands in the log at that place",
        [VERIFIED_DISCLOSURE] = "the entry stands in the log and commits to the content",
        [VERIFIED_CALL] = "every entry of the call stands in the log and commits to its content",
        [VERIFIED_EXPORT] = "every entry and every tile gives the checkpoint's root",
    };
    put_label(b, "shown");
    buf_printf(b, "%s\n", shown[kind]);
    if (v->signed_by_log) {
        put_label(b, "shown");
        buf_put_str(b, "signed by ");
        note_key_put(b, &v->key);
        buf_put_u8(b, '\n');
    }
    if (v->cosignatures) {
        put_label(b, "shown");
        buf_printf(b, "cosigned by %zu known witnesses, last ", v->cosignatures);
        put_time(b, v->newest_cosignature);
        buf_put_u8(b, '\n');
    }
}

static void put_not_shown(struct buf *b, enum verified_kind kind, const struct verified *v)
{
    if (!v->signed_by_log) {
        put_label(b, "NOT SHOWN");
        buf_put_str(b, "who signed it: no key was given\n");
    } else if (!v->pinned) {
        put_label(b, "NOT SHOWN");
        buf_put_str(b, "whose log it is: the key came from the log itself, none was given\n");
    }
    if (v->cosignatures == 0) {
        put_label(b, "NOT SHOWN");
        buf_put_str(b, "that others saw the same log: no known witness cosigned\n");
    }
    if (kind != VERIFIED_EXPORT) {
        put_label(b, "NOT SHOWN");
        buf_put_str(b, "the log's other entries: an export shows them\n");
    }
}

void verified_text(struct buf *out, enum verified_kind kind, const struct verified *v)
{
    put_checkpoint(out, v);
    if (kind == VERIFIED_RECEIPT || kind == VERIFIED_DISCLOSURE || kind == VERIFIED_CALL)
        put_record(out, v);
    put_fields(out, v);
    put_log(out, v);
    put_shown(out, kind, v);
    put_not_shown(out, kind, v);
}
