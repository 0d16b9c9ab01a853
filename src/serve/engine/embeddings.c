/* Vectors, as numbers or as the base64 of their little-endian binary32. */
#include <string.h>

#include "assay/sign.h"
#include "serve/engine/dialect.h"
#include "serve/engine/reading.h"

enum { VECTOR_MAX = 64 << 20 };

static void put_vector(struct json_writer *w, const struct engine_answer *a)
{
    const struct buf *v = &a->vector;
    struct buf text;
    if (a->job->base64) {
        buf_init(&text, VECTOR_MAX);
        base64_put(&text, buf_span(v));
        jw_string(w, buf_span(&text));
        w->failed = w->failed || !buf_ok(&text);
        buf_free(&text);
        return;
    }
    jw_array(w);
    for (size_t i = 0; i + 4 <= v->n; i += 4) {
        uint32_t bits = load_u32le(v->p + i);
        float f;
        memcpy(&f, &bits, sizeof f);
        jw_double(w, (double)f);
    }
    jw_end_array(w);
}

static void whole(struct buf *out, struct engine_job *j)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    jw_key(&w, "id");
    jw_str(&w, j->id);
    jw_key(&w, "object");
    jw_str(&w, "list");
    jw_key(&w, "data");
    jw_array(&w);
    for (size_t i = 0; i < j->answer_count; i++) {
        jw_object(&w);
        jw_key(&w, "object");
        jw_str(&w, "embedding");
        jw_key(&w, "index");
        jw_u64(&w, i);
        jw_key(&w, "embedding");
        put_vector(&w, &j->answers[i]);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_key(&w, "model");
    jw_string(&w, j->model);
    jw_key(&w, "system_fingerprint");
    jw_str(&w, j->fingerprint);
    jw_key(&w, "usage");
    jw_object(&w);
    jw_key(&w, "prompt_tokens");
    jw_u64(&w, j->tokens.n);
    jw_key(&w, "total_tokens");
    jw_u64(&w, j->tokens.n);
    jw_end_object(&w);
    jw_end_object(&w);
    out->failed = out->failed || w.failed;
}

const struct dialect embeddings_dialect = {
    .id_prefix = "embd-", .prompt = "input", .read = engine_read_inputs, .whole = whole};
