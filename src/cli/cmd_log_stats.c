/* assay log stats: what a log holds, counted from its leaves. */
#include <inttypes.h>

#include "assay/base/text.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/log_filter.h"
#include "cli/log_view.h"
#include "cli/progress.h"

enum { ENTRY_ARENA = 8 << 20 };

struct kind_stats {
    uint64_t entries, bytes;
};

struct stats_work {
    struct kind_stats kind[RECORD_KINDS];
    uint64_t entries, bytes, largest, first_us, last_us;
    uint64_t sealed, sealed_bytes; /* fields, and their ciphertext */
    uint64_t tokens_in, tokens_out;
    struct err *e;
    bool ok;
};

static void add_sealed(struct stats_work *s, const struct record *r)
{
    s->sealed += r->field_count;
    for (size_t i = 0; i < r->field_count; i++)
        if (!size_add(&s->sealed_bytes, s->sealed_bytes, r->fields[i].size))
            s->sealed_bytes = UINT64_MAX;
}

static void add_tokens(struct stats_work *s, const struct record *r)
{
    uint64_t n;
    struct json tokens = json_get(r->body, "tokens");
    if (json_u64(json_get(tokens, "input"), &n))
        s->tokens_in += n;
    if (json_u64(json_get(tokens, "output"), &n))
        s->tokens_out += n;
}

static void add(struct stats_work *s, const struct record *r)
{
    s->kind[r->head.kind].entries++;
    s->kind[r->head.kind].bytes += r->leaf.n;
    s->entries++;
    s->bytes += r->leaf.n;
    s->largest = r->leaf.n > s->largest ? r->leaf.n : s->largest;
    if (s->entries == 1 || r->head.wall_us < s->first_us)
        s->first_us = r->head.wall_us;
    if (r->head.wall_us > s->last_us)
        s->last_us = r->head.wall_us;
    add_sealed(s, r);
    if (r->head.kind == RECORD_CALL_OUTCOME)
        add_tokens(s, r);
}

static bool visit(void *arg, uint64_t seq, struct span leaf)
{
    struct stats_work *s = arg;
    struct record r;
    struct arena *a = arena_new(ENTRY_ARENA);
    s->ok = a ? entry_decode(&r, seq, leaf, a, s->e) : err_set(s->e, ERR_MEMORY, "out of memory");
    if (s->ok)
        add(s, &r);
    arena_free(a);
    if (s->ok && interrupted())
        s->ok = err_set(s->e, ERR_INTERRUPTED, "interrupted: nothing was counted");
    return s->ok;
}

static void text(struct out *o, const struct stats_work *s)
{
    char bytes[40], more[40], when[SHOW_TIME];
    struct table t;
    out_printf(o, "%" PRIu64 " entries\n", s->entries);
    out_field(o, "first", "%s", show_time(when, s->first_us));
    out_field(o, "last", "%s", show_time(when, s->last_us));
    out_field(o, "leaves", "%s, the largest %s", text_bytes(bytes, sizeof bytes, s->bytes),
              text_bytes(more, sizeof more, s->largest));
    out_field(o, "sealed", "%" PRIu64 " fields, %s of ciphertext", s->sealed,
              text_bytes(bytes, sizeof bytes, s->sealed_bytes));
    if (s->kind[RECORD_CALL_OUTCOME].entries)
        out_field(o, "tokens", "%" PRIu64 " read, %" PRIu64 " written", s->tokens_in,
                  s->tokens_out);
    out_heading(o, "Kinds");
    table_init(&t, "lrr", true);
    table_cell(&t, "kind");
    table_cell(&t, "entries");
    table_cell(&t, "bytes");
    for (int k = 0; k < RECORD_KINDS; k++) {
        if (!s->kind[k].entries)
            continue;
        table_cell(&t, "%s", record_kind_name((enum record_kind)k));
        table_cell(&t, "%" PRIu64, s->kind[k].entries);
        table_cell(&t, "%" PRIu64, s->kind[k].bytes);
    }
    table_print(&t, o, 2);
    table_free(&t);
}

static void json(struct out *o, const struct stats_work *s)
{
    struct json_writer w;
    jo_start(&w, o, true);
    jo_head(&w, "assay.log-stats/1");
    jo_u64(&w, "entries", s->entries);
    jo_u64(&w, "bytes", s->bytes);
    jo_u64(&w, "largest", s->largest);
    jo_u64(&w, "first_us", s->first_us);
    jo_u64(&w, "last_us", s->last_us);
    jo_u64(&w, "sealed_fields", s->sealed);
    jo_u64(&w, "sealed_bytes", s->sealed_bytes);
    jo_u64(&w, "tokens_in", s->tokens_in);
    jo_u64(&w, "tokens_out", s->tokens_out);
    jw_key(&w, "kinds");
    jw_object(&w);
    for (int k = 0; k < RECORD_KINDS; k++) {
        if (!s->kind[k].entries)
            continue;
        jw_key(&w, record_kind_name((enum record_kind)k));
        jw_object(&w);
        jo_u64(&w, "entries", s->kind[k].entries);
        jo_u64(&w, "bytes", s->kind[k].bytes);
        jw_end_object(&w);
    }
    jw_end_object(&w);
    jo_finish(&w, o);
}

static int run_log_stats(const struct call *call)
{
    const struct log_show_args *args = call->args;
    struct err e = ERR_INIT;
    struct stats_work s = {.e = &e, .ok = true};
    struct log_reader *r = NULL;
    bool ok =
        log_reader_open(&r, call->operands[0], &e) && log_reader_walk(r, 0, visit, &s, &e) && s.ok;
    log_reader_close(r);
    err_in_file(&e, call->operands[0]);
    if (!ok)
        return cli_error(&e);
    (args->json ? json : text)(call->out, &s);
    return EXIT_PASS;
}

static const struct option log_stats_options[] = {
    {"json", OPTION_FLAG, NULL, offsetof(struct log_show_args, json),
     "write JSON (schema/log-stats.schema.json)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

const struct command log_stats_command = {
    "log stats",
    "Audit log",
    "FOLDER",
    "count what a log holds",
    "Counts entries, bytes, sealed content and tokens, by kind.",
    log_stats_options,
    1,
    1,
    run_log_stats,
    NULL};
