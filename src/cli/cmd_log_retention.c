/* assay log retention: how long content is kept, set in the log, and how it stands to that. */
#include <inttypes.h>

#include "assay/base/clock.h"
#include "assay/log.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/option_groups.h"
#include "cli/show.h"

static int finish(const struct call *call, bool ok, struct err *e)
{
    err_in_file(e, call->operands[0]);
    return ok ? EXIT_PASS : cli_error(e);
}

static void put_days(struct out *o, const char *name, uint64_t days)
{
    if (days)
        out_field(o, name, "%" PRIu64 " days", days);
    else
        out_field(o, name, "not set");
}

static bool show_retention(const struct call *call, struct err *e)
{
    struct log_reader *r = NULL;
    struct log_stats s;
    struct out *o = call->out;
    bool ok = log_reader_open(&r, call->operands[0], e) && log_reader_stats(r, clock_wall(), &s, e);
    log_reader_close(r);
    if (!ok)
        return false;
    put_days(o, "keep at least", s.floor_days);
    put_days(o, "keep at most", s.ceiling_days);
    out_field(o, "sealed content", "of %" PRIu64 " entries can be opened", s.sealed_entries);
    out_field(o, "beyond", "%" PRIu64 " of them are older than the most", s.beyond_ceiling);
    out_field(o, "erased early", "%" PRIu64 " entries before the least", s.erased_before_floor);
    out_field(o, "holds", "%" PRIu64 " in force", s.holds);
    out_field(o, "pending", "%" PRIu64 " erasures", s.pending_erasures);
    return true;
}

static int run_log_retention(const struct call *call)
{
    const struct retention_args *args = call->args;
    struct log_paths paths = {args->order.keys.key, args->order.keys.operator_key};
    struct err e = ERR_INIT;
    struct log_order order;
    struct log *l = NULL;
    bool ok = true;
    if (args->least.given || args->most.given) {
        if (!order_of(&order, &args->order, &e))
            return usage_error(call->command, &e);
        ok = log_open(&l, call->operands[0], &paths, &e) &&
             log_retention_set(l, args->least.value, args->most.value, &order, &e);
        log_close(l);
    }
    return finish(call, ok && show_retention(call, &e), &e);
}

static const struct option log_retention_options[] = {
    {"floor", OPTION_U64, "DAYS", offsetof(struct retention_args, least),
     "content should be kept at least so long"},
    {"ceiling", OPTION_U64, "DAYS", offsetof(struct retention_args, most), "and at most so long"},
    ORDER(retention_args),
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

const struct command log_retention_command = {
    "log retention",
    "Audit log",
    "FOLDER",
    "set and show how long content is kept",
    "Days that sealed content should be kept at least and at most, as an entry of the log. The "
    "log reports how it stands to them, and erases nothing by itself. Both are set at once; one "
    "that is not given is unset.",
    log_retention_options,
    1,
    1,
    run_log_retention,
    "assay log retention audit --floor 183 --ceiling 1095 --by dpo --basis policy-3|set both\n"};
