/*
 * assay log sample: a sample that two people draw alike (docs/sampling.md). Before
 * anything is drawn, the population is proven: all entries under the checkpoint give its root.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/option_groups.h"
#include "cli/json_out.h"
#include "cli/log_filter.h"
#include "cli/log_view.h"
#include "cli/progress.h"

enum { ENTRY_ARENA = 8 << 20, NOTE_ROOM = 1 << 20, SAMPLE_ARENA = 1 << 30, SAMPLE_MAX = 100000 };

struct sample {
    const struct sample_args *args;
    struct log_filter filter;
    struct checkpoint from;
    struct span note;
    struct merkle tree;
    uint64_t *population; /* entries that the filter lets through */
    size_t count, cap;
    uint64_t *drawn; /* in the order of drawing, later sorted */
    size_t drawn_count;
    struct arena *a;
    struct err *e;
    bool ok;
};

/* ---- the population ---- */

static bool visit(void *arg, uint64_t seq, struct span leaf)
{
    struct sample *s = arg;
    struct record r;
    bool match = false;
    if (seq >= s->from.size)
        return false;
    struct digest hash = record_hash(leaf);
    merkle_append(&s->tree, &hash);
    struct arena *a = arena_new(ENTRY_ARENA);
    s->ok = a ? log_filter_leaf(&s->filter, seq, leaf, &match, &r, a, s->e)
              : err_set(s->e, ERR_MEMORY, "out of memory");
    arena_free(a);
    if (s->ok && interrupted())
        s->ok = err_set(s->e, ERR_INTERRUPTED, "interrupted: nothing was drawn");
    if (!s->ok || !match)
        return s->ok;
    s->population = arena_grow(s->a, s->population, s->count, &s->cap, sizeof *s->population);
    if (!s->population)
        return s->ok = err_set(s->e, ERR_MEMORY, "too many entries for a sample in memory");
    s->population[s->count++] = seq;
    return true;
}

static bool read_checkpoint(struct sample *s, struct log_reader *r, struct err *e)
{
    struct buf bytes;
    struct note note;
    buf_init(&bytes, NOTE_ROOM);
    bool ok = log_reader_checkpoint(r, &bytes, e);
    s->note = arena_span(s->a, buf_span(&bytes));
    ok = ok && (s->note.p || err_set(e, ERR_MEMORY, "out of memory")) &&
         note_parse(&note, s->note, s->a, e) && checkpoint_parse(&s->from, note.text, e);
    buf_free(&bytes);
    return ok;
}

static bool prove_population(struct sample *s, struct log_reader *r, struct err *e)
{
    merkle_start(&s->tree);
    if (!log_reader_walk(r, 0, visit, s, e) || !s->ok)
        return false;
    struct digest root = merkle_root(&s->tree);
    return (s->tree.size == s->from.size && digest_eq(&root, &s->from.root)) ||
           err_set(e, ERR_INTEGRITY,
                   "the entries do not give the root of the checkpoint: nothing was drawn; assay "
                   "log verify says more");
}

/* ---- drawing ---- */

/* The first 48 bits of SHA-256("assay/sample/v1\0" || framed(seed) || root || u64be(counter)). */
static bool number_of(const struct sample *s, uint64_t counter, uint64_t *out, struct err *e)
{
    static const char domain[] = "assay/sample/v1";
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_put(&b, domain, sizeof domain);
    buf_put_u64be(&b, strlen(s->args->seed));
    buf_put_str(&b, s->args->seed);
    buf_put(&b, s->from.root.b, DIGEST_SIZE);
    buf_put_u64be(&b, counter);
    struct digest d = sha256_of(buf_span(&b));
    bool ok = buf_ok(&b) || err_set(e, ERR_MEMORY, "the seed is too long");
    buf_free(&b);
    *out = 0;
    for (size_t i = 0; i < 6; i++)
        *out = *out << 8 | d.b[i];
    return ok;
}

/* Counters 0, 1, 2 ...; numbers that would make some entries likelier and entries
 * drawn before are passed over. */
static bool draw(struct sample *s, uint64_t wanted, struct err *e)
{
    const uint64_t range = UINT64_C(1) << 48, p = s->count;
    if (wanted > p)
        wanted = p;
    s->drawn = arena_array(s->a, wanted + 1, sizeof *s->drawn);
    bool *taken = arena_array(s->a, p + 1, sizeof *taken);
    if (!s->drawn || !taken)
        return err_set(e, ERR_MEMORY, "too many entries for a sample in memory");
    for (uint64_t counter = 0; s->drawn_count < wanted; counter++) {
        uint64_t number;
        if (!number_of(s, counter, &number, e))
            return false;
        if (number >= range - range % p || taken[number % p])
            continue;
        taken[number % p] = true;
        s->drawn[s->drawn_count++] = s->population[number % p];
    }
    return true;
}

static int by_entry(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* ---- saying it ---- */

static bool text_rows(struct sample *s, struct out *o, struct log_reader *r, struct err *e)
{
    struct table t;
    bool ok = true;
    entry_table_start(&t);
    for (size_t i = 0; ok && i < s->drawn_count; i++) {
        struct span leaf;
        struct record record;
        struct arena *a = arena_new(ENTRY_ARENA);
        ok = a ? log_reader_leaf(r, s->drawn[i], a, &leaf, e) &&
                     entry_decode(&record, s->drawn[i], leaf, a, e)
               : err_set(e, ERR_MEMORY, "out of memory");
        if (ok)
            entry_table_row(&t, &record);
        arena_free(a);
    }
    if (s->drawn_count)
        table_print(&t, o, 2);
    table_free(&t);
    return ok;
}

static bool say_text(struct sample *s, struct out *o, struct log_reader *r, struct err *e)
{
    char shown[SHOW_SIZE], root[DIGEST_HEX + 1];
    out_printf(o, "%zu of %zu entries drawn\n", s->drawn_count, s->count);
    out_field(o, "log", "%s", show_text(shown, s->from.origin, SHOW_NAME));
    out_field(o, "checkpoint", "%" PRIu64 " entries", s->from.size);
    out_field(o, "root", "%s", digest_hex(root, &s->from.root));
    out_field(o, "seed", "%s", show_text(shown, span_str(s->args->seed), SHOW_NAME));
    out_field(o, "proof",
              "all entries give this root; assay log prove FOLDER N proves each one drawn");
    out_heading(o, "Entries");
    return text_rows(s, o, r, e);
}

static bool say_json(struct sample *s, struct out *o, struct log_reader *r, struct err *e)
{
    struct json_writer w;
    struct hash_reader hashes = log_reader_hashes(r);
    bool ok = true;
    jo_start(&w, o, true);
    jo_head(&w, "assay.log-sample/1");
    jo_span(&w, "origin", s->from.origin);
    jo_u64(&w, "size", s->from.size);
    jo_digest(&w, "root", &s->from.root, true);
    jo_span(&w, "checkpoint", s->note);
    jo_str(&w, "seed", s->args->seed);
    jo_u64(&w, "population", s->count);
    jw_key(&w, "entries");
    jw_array(&w);
    for (size_t i = 0; ok && i < s->drawn_count; i++) {
        struct digest d;
        ok = hashes.read(hashes.arg, 0, s->drawn[i], &d, e);
        jw_object(&w);
        jo_u64(&w, "entry", s->drawn[i]);
        jo_digest(&w, "leaf_hash", &d, ok);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jo_finish(&w, o);
    return ok;
}

static bool run(struct sample *s, const struct call *call, struct err *e)
{
    struct log_reader *r = NULL;
    uint64_t n = s->args->n.given ? s->args->n.value : 25;
    bool ok = log_reader_open(&r, call->operands[0], e) &&
              log_filter_find(&s->filter, &s->args->filter, r, s->a, e) &&
              read_checkpoint(s, r, e) && prove_population(s, r, e) && draw(s, n, e);
    if (ok)
        qsort(s->drawn, s->drawn_count, sizeof *s->drawn, by_entry);
    ok = ok && (s->args->json ? say_json : say_text)(s, call->out, r, e);
    log_reader_close(r);
    return ok;
}

static int run_log_sample(const struct call *call)
{
    struct err e = ERR_INIT;
    struct sample s = {.args = call->args, .e = &e, .ok = true};
    if (!s.args->seed)
        err_set(&e, ERR_USAGE, "--seed S is what makes the sample the same for whoever draws it");
    else if (s.args->n.given && (s.args->n.value < 1 || s.args->n.value > SAMPLE_MAX))
        err_set(&e, ERR_USAGE, "--n: expected a number from 1 to %d", SAMPLE_MAX);
    else if (!log_filter_set(&s.filter, &s.args->filter, &e))
        s.ok = false;
    if (e.code != ERR_NONE)
        return usage_error(call->command, &e);
    s.a = arena_new(SAMPLE_ARENA);
    bool ok = s.a ? run(&s, call, &e) : err_set(&e, ERR_MEMORY, "out of memory");
    err_in_file(&e, call->operands[0]);
    arena_free(s.a);
    return ok ? EXIT_PASS : cli_error(&e);
}

static const struct option log_sample_options[] = {
    {"seed", OPTION_TEXT, "S", offsetof(struct sample_args, seed),
     "any text; the same seed draws the same sample"},
    {"n", OPTION_U64, "N", offsetof(struct sample_args, n), "how many entries (default: 25)"},
    FILTER(sample_args, filter),
    {"json", OPTION_FLAG, NULL, offsetof(struct sample_args, json),
     "write JSON (schema/log-sample.schema.json)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

const struct command log_sample_command = {
    "log sample",
    "Audit log",
    "FOLDER",
    "draw a sample that anybody can draw again",
    "Recomputes the tree over all entries, and draws entries by SHA-256 from the seed and the "
    "checkpoint's root: whoever has the log and the seed draws the same ones, and nobody could "
    "choose them beforehand if the seed was named after the checkpoint. docs/sampling.md has the "
    "rule to the byte.\n"
    "Filters say which entries the sample is drawn from.",
    log_sample_options,
    1,
    1,
    run_log_sample,
    "assay log sample audit --seed 2026-Q4 --n 25 --kind call-outcome|25 calls to look at\n"};
