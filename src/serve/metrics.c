/*
 * Prometheus text (exposition format 0.0.4): the GenAI semantic conventions' names as Envoy
 * writes them, and ours. There is no counter of dropped records, because none is dropped.
 */
#include "serve/metrics.h"
#include "serve/engine/job.h"
#include "serve/service.h"

struct scale {
    const char *name, *help;
    size_t count;
    double bound[HISTOGRAM_MAX];
};

static const struct scale seconds = {
    NULL,
    NULL,
    14,
    {0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}};
static const struct scale fast = {
    NULL,
    NULL,
    12,
    {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5}};
static const struct scale tokens = {
    NULL,
    NULL,
    14,
    {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}};

static void observe(struct histogram *h, const struct scale *s, double v)
{
    size_t i = 0;
    while (i < s->count && v > s->bound[i])
        i++;
    h->bucket[i]++;
    h->count++;
    h->sum += v;
}

void metrics_call(struct metrics *m, const struct call *c)
{
    double total = (double)(service_now_us() - c->start_us) / 1e6;
    double first = (double)c->first_byte_us / 1e6;
    struct exchange_tokens t = facts_tokens(&c->facts, c->upstream_status == 200);
    m->calls[c->endpoint->api][c->result]++;
    observe(&m->duration, &seconds, total);
    if (c->first_byte_us && c->stream)
        observe(&m->first_token, &seconds, first);
    if (c->first_byte_us && c->stream && t.known && t.output > 1)
        observe(&m->per_token, &seconds, (total - first) / (double)(t.output - 1));
    if (t.known) {
        observe(&m->input, &tokens, (double)t.input);
        observe(&m->output, &tokens, (double)t.output);
    }
}

void metrics_commit(struct metrics *m, uint64_t us)
{
    observe(&m->commit, &fast, (double)us / 1e6);
}

void metrics_written(struct metrics *m, uint64_t seq)
{
    if (seq >= m->tree_size) /* outcomes are told in any order */
        m->tree_size = seq + 1;
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void series(struct buf *out, const char *name, const char *labels, const struct histogram *h,
                   const struct scale *s)
{
    uint64_t sum = 0;
    const char *comma = *labels ? "," : "";
    for (size_t i = 0; i < s->count; i++) {
        sum += h->bucket[i];
        buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma, s->bound[i],
                   (unsigned long long)sum);
    }
    buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma,
               (unsigned long long)h->count);
    buf_printf(out, "%s_sum%s%s%s %.6f\n", name, *labels ? "{" : "", labels, *labels ? "}" : "",
               h->sum);
    buf_printf(out, "%s_count%s%s%s %llu\n", name, *labels ? "{" : "", labels, *labels ? "}" : "",
               (unsigned long long)h->count);
}

static void gauge(struct buf *out, const char *name, const char *help, uint64_t v)
{
    head(out, name, "gauge", help);
    buf_printf(out, "%s %llu\n", name, (unsigned long long)v);
}

static void calls(struct buf *out, const struct metrics *m)
{
    head(out, "audit_calls_total", "counter", "Calls by API and outcome.");
    for (unsigned a = 0; a < EXCHANGE_APIS; a++)
        for (unsigned r = 0; r < EXCHANGE_RESULTS; r++)
            if (m->calls[a][r])
                buf_printf(out, "audit_calls_total{api=\"%s\",outcome=\"%s\"} %llu\n",
                           exchange_api_name((enum exchange_api)a),
                           exchange_result_name((enum exchange_result)r),
                           (unsigned long long)m->calls[a][r]);
}

static void attempts(struct buf *out, const struct metrics *m)
{
    head(out, "audit_upstream_attempts_total", "counter",
         "Times that an upstream was asked: as many as the outcomes' attempts.");
    buf_printf(out, "audit_upstream_attempts_total %llu\n", (unsigned long long)m->asked);
    head(out, "audit_upstream_stale_total", "counter",
         "Of them, over a kept connection that the upstream closed without an octet.");
    buf_printf(out, "audit_upstream_stale_total %llu\n", (unsigned long long)m->stale);
}

static void refusals(struct buf *out, const struct metrics *m)
{
    static const char *const names[REASONS] = {"log", "unauthenticated", "malformed", "limited",
                                               "budget"};
    head(out, "audit_refused_total", "counter", "Requests that became no calls.");
    for (unsigned i = 0; i < REASONS; i++)
        buf_printf(out, "audit_refused_total{reason=\"%s\"} %llu\n", names[i],
                   (unsigned long long)m->refused[i]);
}

/* Absent while no witness has cosigned anything. */
static void witnessed(struct buf *out, struct service *s)
{
    struct log_cosigned newest = {.time = 0};
    bool ok = (s->reader || log_reader_open(&s->reader, s->folder, NULL)) &&
              log_reader_cosigned(s->reader, NULL, &newest, NULL);
    uint64_t now = service_now_us() / 1000000;
    if (ok && newest.time)
        gauge(out, "audit_last_witness_age_seconds",
              "Since the newest cosignature of a witness, by the time that it signed.",
              now > newest.time ? now - newest.time : 0);
}

/* ---- engines ---- */

/* What clients ask for to get this engine; its own name where nobody can. */
static struct span served_name(const struct settings *c, size_t engine)
{
    for (size_t i = 0; i < c->models.count; i++) {
        const struct model_config *m = (const struct model_config *)c->models.items + i;
        const struct target_config *t = m->targets.items;
        if (t->engine && t->index == c->upstreams.count + engine)
            return m->name;
    }
    return serve_settings_engine(c, engine)->name;
}

static void put_label(struct buf *out, struct span value)
{
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\n') {
            buf_put_str(out, "\\n");
            continue;
        }
        if (value.p[i] == '"' || value.p[i] == '\\')
            buf_put_u8(out, '\\');
        buf_put_u8(out, value.p[i]);
    }
}

/* vLLM's words for the same things, behind a prefix of ours. */
static void engines(struct buf *out, struct service *s)
{
    static const char *const names[][3] = {
        {"num_requests_running", "gauge", "Sequences that are being computed."},
        {"num_requests_waiting", "gauge", "Sequences that wait for a place."},
        {"num_requests_max", "gauge", "Sequences that are computed at once at most."},
        {"prompt_tokens_total", "counter", "Tokens of prompts that were begun."},
        {"prefix_cache_hits_total", "counter", "Of them, tokens that were not computed anew."},
        {"generation_tokens_total", "counter", "Tokens of answers that ended."}};
    struct engine_now now[ENGINES_MAX];
    for (size_t i = 0; i < s->worker_count; i++)
        now[i] = engine_load_now(s->workers[i]->engine);
    for (size_t k = 0; s->worker_count && k < sizeof names / sizeof *names; k++) {
        buf_printf(out, "# HELP assay_engine_%s %s\n# TYPE assay_engine_%s %s\n", names[k][0],
                   names[k][2], names[k][0], names[k][1]);
        for (size_t i = 0; i < s->worker_count; i++) {
            const uint64_t values[] = {now[i].running,       now[i].waiting,
                                       now[i].sequences,     now[i].prompt_tokens,
                                       now[i].cached_tokens, now[i].answer_tokens};
            buf_printf(out, "assay_engine_%s{model_name=\"", names[k][0]);
            put_label(out, served_name(s->settings, i));
            buf_printf(out, "\"} %llu\n", (unsigned long long)values[k]);
        }
    }
}

void metrics_text(struct service *s, struct buf *out)
{
    const struct metrics *m = &s->metrics;
    head(out, "gen_ai_server_request_duration_seconds", "histogram",
         "From the request's last byte to the outcome's record.");
    series(out, "gen_ai_server_request_duration_seconds", "", &m->duration, &seconds);
    head(out, "gen_ai_server_time_to_first_token_seconds", "histogram",
         "From the request's last byte to the first byte of a stream.");
    series(out, "gen_ai_server_time_to_first_token_seconds", "", &m->first_token, &seconds);
    head(out, "gen_ai_server_time_per_output_token_seconds", "histogram",
         "Of a stream, after its first byte.");
    series(out, "gen_ai_server_time_per_output_token_seconds", "", &m->per_token, &seconds);
    head(out, "gen_ai_client_token_usage", "histogram", "Tokens of a call, reported or estimated.");
    series(out, "gen_ai_client_token_usage", "gen_ai_token_type=\"input\"", &m->input, &tokens);
    series(out, "gen_ai_client_token_usage", "gen_ai_token_type=\"output\"", &m->output, &tokens);
    head(out, "audit_commit_seconds", "histogram", "From handing an intent over until durable.");
    series(out, "audit_commit_seconds", "", &m->commit, &fast);
    head(out, "audit_batch_rows", "summary", "Records that became durable at once.");
    buf_printf(out, "audit_batch_rows_sum %llu\naudit_batch_rows_count %llu\n",
               (unsigned long long)m->rows, (unsigned long long)m->batches);
    gauge(out, "audit_queue_depth", "Records on their way to the disk.",
          exchange_book_pending(s->book));
    head(out, "audit_windows_held_back_total", "counter",
         "Windows of streams that waited because the log's queue was full.");
    buf_printf(out, "audit_windows_held_back_total %llu\n", (unsigned long long)m->held_back);
    attempts(out, m);
    gauge(out, "audit_open_intents", "Calls whose outcome is still to be written.",
          exchange_book_open_calls(s->book));
    gauge(out, "audit_tree_size", "Entries of the log, up to the newest that was told durable.",
          m->tree_size);
    witnessed(out, s);
    engines(out, s);
    calls(out, m);
    refusals(out, m);
}
