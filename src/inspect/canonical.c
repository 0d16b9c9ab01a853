/*
 * The canonical description that the architecture fingerprint hashes: one line
 * of JSON, keys sorted, holding only what GGUF and Hugging Face folders can
 * both state. The bytes are fixed by docs/formats/architecture.md.
 */
#include "assay/inspect.h"

static void put_number(struct json_writer *w, const char *key, uint64_t v)
{
    if (!v)
        return;
    jw_key(w, key);
    jw_u64(w, v);
}

void architecture_canonical(struct buf *out, const struct facts *f)
{
    const struct architecture *a = &f->architecture;
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    if (!a->family && a->declared.n) {
        jw_key(&w, "declared");
        jw_string(&w, a->declared);
    }
    put_number(&w, "expert_ffn", a->expert_ffn);
    put_number(&w, "experts", a->experts);
    put_number(&w, "experts_active", a->experts_active);
    if (a->family) {
        jw_key(&w, "family");
        jw_str(&w, a->family);
    }
    put_number(&w, "ffn", a->ffn);
    put_number(&w, "head_size", a->head_size);
    put_number(&w, "heads", a->heads);
    put_number(&w, "kv_heads", a->kv_heads);
    put_number(&w, "layers", a->layers);
    if (a->tied_known) {
        jw_key(&w, "tied");
        jw_bool(&w, a->tied);
    }
    put_number(&w, "vocabulary", a->vocabulary);
    put_number(&w, "width", a->width);
    jw_end_object(&w);
    if (w.failed)
        out->failed = true;
}
