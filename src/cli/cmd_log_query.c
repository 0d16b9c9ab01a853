/* assay log query: the entries that are asked for, as a table, JSON lines or CSV. */
#include <inttypes.h>
#include <string.h>

#include "cli/args.h"
#include "cli/cli.h"
#include "cli/option_groups.h"
#include "cli/log_filter.h"
#include "cli/log_view.h"
#include "cli/progress.h"

enum { ENTRY_ARENA = 8 << 20, QUERY_LOOK = 1024 };

struct query {
    const struct query_args *args;
    struct log_filter filter;
    struct out *out;
    struct table table;
    struct err *e;
    uint64_t found;
    bool ok;
};

/* ---- CSV (RFC 4180); every text is safe on a terminal already ---- */

/* What a spreadsheet would take for a formula gets an apostrophe. */
static void csv_text(struct out *o, struct span s)
{
    char shown[SHOW_SIZE];
    show_text(shown, s, SHOW_SIZE);
    out_put(o, strchr("=+-@", shown[0]) && shown[0] ? "\"'" : "\"");
    for (const char *p = shown; *p; p++)
        out_printf(o, *p == '"' ? "\"\"" : "%c", *p);
    out_put(o, "\"");
}

static void csv_row(struct out *o, const struct record *r, const struct digest *hash)
{
    char when[SHOW_TIME], hex[DIGEST_HEX + 1], gist[SHOW_SIZE];
    out_printf(o, "%" PRIu64 ",%s,%s,", r->head.seq, show_time(when, r->head.wall_us),
               record_kind_name(r->head.kind));
    for (size_t i = 0; r->head.has_subject && i < sizeof r->head.subject; i++)
        out_printf(o, "%02x", r->head.subject[i]);
    out_put(o, ",");
    csv_text(o, entry_model(r));
    out_put(o, ",");
    csv_text(o, entry_outcome(r));
    out_put(o, ",");
    csv_text(o, span_str(show_gist(gist, r)));
    out_printf(o, ",%s\n", digest_hex(hex, hash));
}

/* ---- walking ---- */

static void put(struct query *q, const struct record *r)
{
    struct digest hash = record_hash(r->leaf);
    if (q->args->format == QUERY_JSON)
        entry_json(q->out, r, &hash, false);
    else if (q->args->format == QUERY_CSV)
        csv_row(q->out, r, &hash);
    else
        entry_table_row(&q->table, r);
    q->found++;
}

static bool visit(void *arg, uint64_t seq, struct span leaf)
{
    struct query *q = arg;
    struct record r;
    bool match = false;
    if (seq % QUERY_LOOK == 0 && interrupted())
        return q->ok = err_set(q->e, ERR_INTERRUPTED, "interrupted before entry %" PRIu64, seq);
    struct arena *a = arena_new(ENTRY_ARENA);
    q->ok = a ? log_filter_leaf(&q->filter, seq, leaf, &match, &r, a, q->e)
              : err_set(q->e, ERR_MEMORY, "out of memory");
    if (q->ok && match)
        put(q, &r);
    arena_free(a);
    return q->ok && (!q->args->limit.given || q->found < q->args->limit.value);
}

static bool run(struct query *q, const char *folder, struct arena *a, struct err *e)
{
    struct log_reader *r = NULL;
    bool ok =
        log_reader_open(&r, folder, e) && log_filter_find(&q->filter, &q->args->filter, r, a, e);
    if (ok && q->args->format == QUERY_TABLE)
        entry_table_start(&q->table);
    if (ok && q->args->format == QUERY_CSV)
        out_put(q->out, "entry,time,kind,subject,model,outcome,what,leaf_hash\n");
    bool wanted = !q->args->limit.given || q->args->limit.value > 0;
    ok = ok && (!wanted || (log_reader_walk(r, 0, visit, q, e) && q->ok));
    if (q->table.align && q->found)
        table_print(&q->table, q->out, 0);
    if (ok && q->args->format == QUERY_TABLE)
        out_printf(q->out, "%s%" PRIu64 " of %" PRIu64 " entries\n", q->found ? "\n" : "", q->found,
                   log_reader_size(r));
    if (q->table.align)
        table_free(&q->table);
    log_reader_close(r);
    return ok;
}

int query_entries(const struct call *call, const struct query_args *args)
{
    struct err e = ERR_INIT;
    struct query q = {.args = args, .out = call->out, .e = &e, .ok = true};
    if (!log_filter_set(&q.filter, &args->filter, &e))
        return usage_error(call->command, &e);
    struct arena *a = arena_new(ENTRY_ARENA);
    bool ok = a ? run(&q, call->operands[0], a, &e) : err_set(&e, ERR_MEMORY, "out of memory");
    arena_free(a);
    err_in_file(&e, call->operands[0]);
    return ok ? EXIT_PASS : cli_error(&e);
}

static int run_log_query(const struct call *call)
{
    return query_entries(call, call->args);
}

static const struct option log_query_options[] = {
    FILTER(query_args, filter),
    LISTING(query_args, limit, format),
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

const struct command log_query_command = {
    "log query",
    "Audit log",
    "FOLDER",
    "list entries by time, kind, model, outcome",
    "Lists the entries that every filter given lets through, in their order. The leaves "
    "themselves are read, not the database's index; nothing is verified.\n"
    "In CSV, a text that a spreadsheet would take for a formula begins with an apostrophe.",
    log_query_options,
    1,
    1,
    run_log_query,
    "assay log query audit --kind call-outcome --outcome error --since 2026-11-01|failed calls\n"
    "assay log query audit --format json|every entry, one object a line\n"};
