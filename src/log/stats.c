/*
 * What a log holds beside its leaves, and how that stands to the retention that was set:
 * a floor that content should live to, a ceiling that it should not outlive. Both are
 * configuration records; the log reports, people and their jobs act.
 */
#include "log/ops.h"
#include "log/read.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "assay/base/text.h"

enum { RETENTION_MAX_DAYS = 100000 };

#define DAY_US (UINT64_C(24) * 3600 * 1000 * 1000)

static const char floor_name[] = "retention.floor_days", ceiling_name[] = "retention.ceiling_days";

/* ---- what was set ---- */

static bool read_setting(void *arg, uint64_t seq, struct json body, struct err *e)
{
    struct log_stats *s = arg;
    (void)seq, (void)e;
    struct json list = json_get(body, "changes");
    for (struct json v = json_first(list); json_type(v); v = json_next(v)) {
        struct span name, value = SPAN_EMPTY;
        uint64_t days = 0;
        if (!json_string(json_get(v, "name"), &name))
            continue;
        (void)json_string(json_get(v, "value"), &value);
        bool set = text_u64(value, &days) && days <= RETENTION_MAX_DAYS;
        if (span_is(name, floor_name))
            s->floor_days = set ? days : 0;
        if (span_is(name, ceiling_name))
            s->ceiling_days = set ? days : 0;
    }
    return true;
}

/* ---- how things stand to it ---- */

static bool number(sqlite3 *db, const char *text, uint64_t *out, struct err *e)
{
    int64_t v = 0;
    bool ok = sql_int(db, text, &v, e);
    *out = v > 0 ? (uint64_t)v : 0;
    return ok;
}

/* Three numbers in, one out. */
static bool count_of(sqlite3 *db, const char *text, uint64_t a, uint64_t b, uint64_t c,
                     uint64_t *out, struct err *e)
{
    sqlite3_stmt *st = sql_prepare(db, text, e);
    if (!st)
        return false;
    uint64_t all[] = {a, b, c};
    for (int i = 0; i < sqlite3_bind_parameter_count(st) && i < 3; i++)
        sqlite3_bind_int64(st, i + 1, (int64_t)all[i]);
    bool ok = sqlite3_step(st) == SQLITE_ROW || sql_fail(db, "counting entries", e);
    if (ok)
        *out = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return ok;
}

struct early {
    sqlite3 *db;
    struct log_stats *stats;
};

/* Erased entries that were younger than the floor when their keys were destroyed. */
static bool count_early(void *arg, uint64_t seq, struct json body, struct err *e)
{
    static const char young[] =
        "SELECT count(*) FROM entry WHERE seq >= ?1 AND seq < ?2 AND time > ?3";
    const struct early *x = arg;
    uint64_t at = 0, from, to, n = 0, floor_us = x->stats->floor_days * DAY_US;
    if (!count_of(x->db, "SELECT time FROM entry WHERE seq = ?1", seq, 0, 0, &at, e))
        return false;
    struct json list = json_get(body, "entries");
    for (struct json v = json_first(list); json_type(v); v = json_next(v)) {
        if (!json_u64(json_get(v, "from"), &from) || !json_u64(json_get(v, "to"), &to))
            continue;
        if (!count_of(x->db, young, from, to, at > floor_us ? at - floor_us : 0, &n, e))
            return false;
        x->stats->erased_before_floor += n;
    }
    return true;
}

static bool read_retention(sqlite3 *db, uint64_t now_us, struct log_stats *s, struct err *e)
{
    static const char old[] = "SELECT count(*) FROM content_key AS k JOIN entry AS n ON n.seq = "
                              "k.seq WHERE n.time < ?1";
    struct early early = {db, s};
    uint64_t ceiling_us = s->ceiling_days * DAY_US;
    if (!number(db,
                "SELECT coalesce((SELECT time FROM entry WHERE seq = (SELECT min(seq) FROM "
                "content_key)), 0)",
                &s->oldest_sealed_us, e))
        return false;
    if (s->ceiling_days && now_us > ceiling_us &&
        !count_of(db, old, now_us - ceiling_us, 0, 0, &s->beyond_ceiling, e))
        return false;
    return s->floor_days == 0 || op_each(db, RECORD_ERASURE, count_early, &early, e);
}

static uint64_t file_size(const struct log_reader *r, const char *name)
{
    struct stat st;
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", r->folder, name);
    return n > 0 && (size_t)n < sizeof path && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

bool log_reader_stats(struct log_reader *r, uint64_t now_us, struct log_stats *out, struct err *e)
{
    sqlite3 *db = r->db;
    *out = (struct log_stats){.entries = r->size,
                              .database_bytes = file_size(r, "log.db"),
                              .wal_bytes = file_size(r, "log.db-wal")};
    return number(db, "SELECT count(*) FROM content_key", &out->sealed_entries, e) &&
           number(db, "SELECT count(*) FROM subject", &out->subjects, e) &&
           number(db, "SELECT count(*) FROM open_intent", &out->open_intents, e) &&
           number(db, "SELECT count(*) FROM erasure", &out->pending_erasures, e) &&
           holds_in_force(db, &out->holds, e) && op_each(db, RECORD_CONFIG, read_setting, out, e) &&
           read_retention(db, now_us, out, e);
}

/* ---- setting it ---- */

static void put_setting(struct op_body *b, const char *name, uint64_t days)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)days);
    jw_object(&b->w);
    body_text(b, "name", span_str(name));
    if (days)
        body_text(b, "value", span_str(text));
    jw_end_object(&b->w);
}

bool log_retention_set(struct log *l, uint64_t floor_days, uint64_t ceiling_days,
                       const struct log_order *o, struct err *e)
{
    struct op_body b;
    struct log_receipt r;
    if (!order_ok(o, e))
        return false;
    if (floor_days > RETENTION_MAX_DAYS || ceiling_days > RETENTION_MAX_DAYS)
        return err_set(e, ERR_USAGE, "retention is at most %d days", RETENTION_MAX_DAYS);
    if (ceiling_days && ceiling_days < floor_days)
        return err_set(e, ERR_USAGE, "the ceiling of retention lies below its floor");
    body_start(&b);
    body_text(&b, "by", o->by);
    jw_key(&b.w, "changes");
    jw_array(&b.w);
    put_setting(&b, ceiling_name, ceiling_days);
    put_setting(&b, floor_name, floor_days);
    jw_end_array(&b.w);
    body_text(&b, "reason", o->basis);
    struct log_entry entry = {.kind = RECORD_CONFIG};
    bool ok = body_end(&b, e);
    entry.body = buf_span(&b.text);
    ok = ok && log_append(l, &entry, &r, e);
    body_free(&b);
    return ok;
}
