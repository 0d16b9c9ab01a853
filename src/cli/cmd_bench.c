/*
 * assay bench MODEL: how fast the engine reads a prompt and writes an answer on
 * this machine, beside how fast the machine reads memory. Token ids are made
 * up and nothing is answered, so nothing is recorded but what --log asks for.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "assay/numerics.h"
#include "assay/team.h"
#include "cli/bench_record.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/show.h"

enum { MEMORY = 512 << 20, PIECE = 1 << 20, ROUNDS = 4 };

struct bench_args {
    struct engine_args engine;
    struct key_args keys;
    const char *log;
    struct option_u64 prompt, answer;
    unsigned repeat;
    bool json;
};

struct measured {
    double memory, prefill, decode; /* GB/s, tokens/s; the best of the rounds */
    uint64_t peak;                  /* bytes that the process had, the memory test's aside */
    struct bench_record record;     /* rounds 0: not asked for */
};

/* ---- memory --------------------------------------------------------------- */

/* A cache line: whole lines in order are the most that a core can ask for. */
typedef uint64_t line __attribute__((vector_size(64)));

struct sweep {
    const line *p;
    uint64_t sums[MEMORY / PIECE];
};

static void sum_piece(void *arg, uint32_t i, unsigned worker)
{
    struct sweep *s = arg;
    const line *p = s->p + (size_t)i * (PIECE / sizeof *p);
    line a = p[0], b = p[1], c = p[2], d = p[3];
    (void)worker;
    for (size_t k = 4; k < PIECE / sizeof *p; k += 4) {
        a ^= p[k];
        b ^= p[k + 1];
        c ^= p[k + 2];
        d ^= p[k + 3];
    }
    a ^= b ^ c ^ d;
    s->sums[i] = a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7];
}

static bool measure_memory(struct measured *m, unsigned threads, struct err *e)
{
    struct team *team = team_new(threads);
    static struct sweep s;
    line *p = aligned_alloc(2 << 20, MEMORY);
    bool ok = team != NULL && p != NULL;
    if (ok) {
        (void)madvise(p, MEMORY, MADV_HUGEPAGE); /* as the weights have them */
        memset(p, 1, MEMORY);
        s.p = p;
        for (int i = 0; i < ROUNDS; i++) {
            uint64_t start = clock_monotonic();
            team_run(team, MEMORY / PIECE, sum_piece, &s);
            double rate = (double)MEMORY / (double)(clock_monotonic() - start);
            m->memory = rate > m->memory ? rate : m->memory;
        }
    }
    free(p);
    team_free(team);
    return ok || err_set(e, ERR_MEMORY, "no memory for the measurement");
}

/* ---- the engine ----------------------------------------------------------- */

static void keep_result(void *arg, const struct engine_result *r)
{
    *(struct engine_result *)arg = *r;
}

static bool go_on(void *arg, const struct engine_token *t)
{
    (void)arg;
    (void)t;
    return !interrupted();
}

static struct engine_request request_of(const struct bench_args *a)
{
    return (struct engine_request){.count = a->prompt.given ? (size_t)a->prompt.value : 256,
                                   .max_tokens = a->answer.given ? (uint32_t)a->answer.value : 64,
                                   .sampling = engine_greedy(),
                                   .ignore_end = true};
}

static bool measure_engine(struct measured *m, struct engine *g, const struct bench_args *a,
                           uint64_t round, struct err *e)
{
    struct engine_result result = {.finish = ENGINE_FAILED, .error = ERR_INIT};
    struct engine_request r = request_of(a);
    size_t n = r.count;
    uint32_t *ids = calloc(n + 1, sizeof *ids);
    uint64_t id;
    bool work = true;
    if (ids == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a prompt of %zu tokens", n);
    bench_prompt(ids, n, round, g);
    r.tokens = ids;
    r.token = go_on;
    r.done = keep_result;
    r.arg = &result;
    bool ok = engine_submit(g, &r, &id, e);
    free(ids);
    while (ok && work)
        ok = engine_step(g, &work, e);
    if (!ok || result.finish == ENGINE_FAILED)
        return false;
    double prefill = (double)n / ((double)result.prefill_us / 1e6);
    double decode = (double)(result.answer - 1) / ((double)result.decode_us / 1e6);
    m->prefill = prefill > m->prefill ? prefill : m->prefill;
    m->decode = decode > m->decode ? decode : m->decode;
    if (m->peak == 0) { /* before the memory test has grown the process */
        struct rusage use;
        (void)getrusage(RUSAGE_SELF, &use);
        m->peak = (uint64_t)use.ru_maxrss * 1024;
    }
    return true;
}

static bool measure_record(struct measured *m, struct session *s, struct engine *g,
                           const struct bench_args *a, unsigned rounds, struct err *e)
{
    struct engine_request r = request_of(a);
    return session_open(s, g, a->log, &a->keys, e) && bench_record(&m->record, s, &r, rounds, e);
}

/* ---- what came out -------------------------------------------------------- */

static void say(struct out *o, const struct engine *g, const struct measured *m)
{
    const struct engine_info *i = engine_info(g);
    double bytes = (double)i->weight_bytes;
    char name[SHOW_SIZE];
    out_printf(o, "%s · %s · %u threads · %s\n", show_text(name, i->name, SHOW_NAME), i->family,
               i->threads, numerics_isa_name(numerics_isa()));
    out_field(
        o, "weights",
        "%.1f MB · loaded in %.2f s, of which on all threads %.2f s of hashing and %.2f s until "
        "the system gave memory",
        bytes / 1e6, (double)i->load_us / 1e6, (double)i->digest_us / 1e6 / i->threads,
        (double)i->memory_us / 1e6 / i->threads);
    out_field(o, "memory", "%.1f GB/s read · %.1f MB in use", m->memory, (double)m->peak / 1e6);
    out_field(o, "prompt", "%.1f tokens/s", m->prefill);
    out_field(o, "answer", "%.1f tokens/s · %.1f GB/s of weights, %.0f %% of memory", m->decode,
              m->decode * bytes / 1e9, m->decode * bytes / 1e7 / m->memory);
    if (m->record.rounds == 0)
        return;
    const struct bench_record *r = &m->record;
    out_field(o, "on record", "%.1f tokens/s · %.3f of without, the whole call %.3f",
              r->recorded.decode, r->decode_ratio, r->call_ratio);
    out_field(o, "processor", "%.3f ms a token on record, %.3f without",
              r->recorded.processor / 1e3, r->bare.processor / 1e3);
    out_field(o, "replay", "%.2f times as fast as its call · medians of %u rounds", r->replay_ratio,
              r->rounds);
}

static void say_record(struct json_writer *w, const struct bench_record *r)
{
    jw_key(w, "on_record");
    if (r->rounds == 0) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jo_u64(w, "rounds", r->rounds);
    jo_double(w, "recorded_tokens_s", r->recorded.decode);
    jo_double(w, "bare_tokens_s", r->bare.decode);
    jo_double(w, "decode_ratio", r->decode_ratio);
    jo_double(w, "recorded_us", r->recorded.call);
    jo_double(w, "bare_us", r->bare.call);
    jo_double(w, "call_ratio", r->call_ratio);
    jo_double(w, "recorded_cpu_us", r->recorded.processor);
    jo_double(w, "bare_cpu_us", r->bare.processor);
    jo_double(w, "replayed_us", r->replay);
    jo_double(w, "replay_ratio", r->replay_ratio);
    jw_end_object(w);
}

static void say_json(struct out *o, const struct engine *g, const struct measured *m)
{
    const struct engine_info *i = engine_info(g);
    struct json_writer w;
    jo_start(&w, o, true);
    jo_head(&w, "assay.bench/1");
    jo_span(&w, "name", i->name);
    jo_str(&w, "family", i->family);
    jo_str(&w, "instructions", numerics_isa_name(numerics_isa()));
    jo_u64(&w, "threads", i->threads);
    jo_u64(&w, "weight_bytes", i->weight_bytes);
    jo_u64(&w, "load_us", i->load_us);
    jo_u64(&w, "digest_us", i->digest_us);
    jo_u64(&w, "memory_us", i->memory_us);
    jo_u64(&w, "peak_bytes", m->peak);
    jo_double(&w, "memory_gb_s", m->memory);
    jo_double(&w, "prefill_tokens_s", m->prefill);
    jo_double(&w, "decode_tokens_s", m->decode);
    say_record(&w, &m->record);
    jo_finish(&w, o);
}

/* The first token of an answer comes with its prompt: the speed of one alone says nothing. */
static bool lengths_fit(const struct bench_args *a, const struct engine *g, struct err *e)
{
    uint64_t context = engine_info(g)->context;
    if (a->prompt.given && (a->prompt.value == 0 || a->prompt.value > context))
        return err_set(e, ERR_USAGE, "--prompt: expected 1 to %" PRIu64 ", the model's context",
                       context);
    if (a->answer.given && (a->answer.value < 2 || a->answer.value > context))
        return err_set(e, ERR_USAGE, "--answer: expected 2 to %" PRIu64 ", the model's context",
                       context);
    return true;
}

static int run_bench(const struct call *call)
{
    const struct bench_args *args = call->args;
    unsigned rounds = args->repeat ? args->repeat : 3;
    struct measured m = {0};
    struct session s = {0};
    struct engine *g = NULL;
    struct err e = ERR_INIT;
    bool ok = session_load(&g, call->operands[0], &args->engine, &e) && lengths_fit(args, g, &e);
    for (unsigned i = 0; ok && i < rounds && !interrupted(); i++)
        ok = measure_engine(&m, g, args, i, &e) && measure_memory(&m, engine_info(g)->threads, &e);
    if (ok && args->log != NULL && !interrupted())
        ok = measure_record(&m, &s, g, args, rounds, &e);
    if (ok)
        (args->json ? say_json : say)(call->out, g, &m);
    if (s.engine == NULL)
        engine_free(g);
    session_close(&s);
    return ok ? EXIT_PASS : cli_error(&e);
}

#define AT(member) offsetof(struct bench_args, member)
static const struct option bench_options[] = {
    {"prompt", OPTION_U64, "N", AT(prompt), "tokens to read (default: 256)"},
    {"answer", OPTION_U64, "N", AT(answer), "tokens to write (default: 64)"},
    {"repeat", OPTION_NUMBER, "N", AT(repeat), "rounds; the best counts (default: 3)"},
    {"log", OPTION_TEXT, "FOLDER", AT(log),
     "measure also what this log costs, and replays: so many rounds, medians"},
    {"key", OPTION_TEXT, "FILE", AT(keys.key), "the log's signing key (default: log.key)"},
    {"operator-key", OPTION_TEXT, "FILE", AT(keys.operator_key),
     "the key that wraps the keyring (default: operator.key)"},
    {"context", OPTION_U64, "N", AT(engine.context), "positions of a sequence"},
    {"adapter", OPTION_TEXTS, "PATH[=X]", AT(engine.adapters), "a LoRA adapter, scaled by X"},
    {"threads", OPTION_NUMBER, "N", AT(engine.threads), "use N threads (default: all cores)"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command bench_command = {
    "bench",
    "Engine",
    "MODEL",
    "measure how fast a model reads and writes here",
    "Reads a made-up prompt and writes an answer to nobody, several times, beside a test of how "
    "fast this machine reads memory: writing a token reads all weights once.\n"
    "With --log, calls on record and without take turns, and each recorded one is replayed; the "
    "log is given their entries. Processor time is user and system of all threads.",
    bench_options,
    1,
    1,
    run_bench,
    "assay bench model.gguf --threads 2|two threads\n"
    "assay bench model.gguf --log scratch|what a log costs",
};
