/*
 * Claims and evidence as the makers add them. Evidence is canonical JSON with
 * its members in bytewise order; its id is the digest of that text, so a claim
 * that names the id commits to the evidence.
 */
#include "report/making.h"
#include "report/put.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

enum { SHOWN_MAX = 4096 };

/* "human.provider-name" is "Provider name, as a person states it". */
static const char *human_title(struct making *k, const char *property)
{
    char *title = arena_printf(k->a, "%s, as a person states it", property + strlen("human."));
    for (char *c = title; c && *c; c++)
        if (*c == '-' || *c == '.')
            *c = ' ';
    if (title && title[0] >= 'a' && title[0] <= 'z')
        title[0] = (char)(title[0] - 'a' + 'A');
    if (title && strncmp(title, "Ai ", 3) == 0)
        title[1] = 'I';
    k->s->failed |= !title;
    return title ? title : property;
}

struct claim *make_claim(struct making *k, const char *property, enum claim_status status,
                         const char *rule)
{
    const struct property *p = property_find(span_str(property));
    bool human = span_starts(span_str(property), "human.");
    struct claim *c = claims_add(k->s, property,
                                 p       ? p->title
                                 : human ? human_title(k, property)
                                         : property,
                                 status);
    if (!c)
        return NULL;
    c->rule = rule;
    c->unit = p && p->unit[0] ? p->unit : NULL;
    c->subject = k->subject;
    c->has_subject_digest = k->subject_digest != NULL;
    if (k->subject_digest)
        c->subject_digest = *k->subject_digest;
    return c;
}

struct claim *make_missing(struct making *k, const char *property, const char *reason)
{
    struct claim *c = make_claim(k, property, CLAIM_MISSING, NULL);
    if (c)
        c->reason = reason;
    return c;
}

const char *make_text(struct making *k, const char *fmt, ...)
{
    char text[SHOWN_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const char *kept = n < 0 ? NULL : arena_str(k->a, span_str(text));
    k->s->failed |= !kept;
    return kept;
}

const char *make_shown(struct making *k, struct span s, size_t max)
{
    struct buf b;
    buf_init(&b, CLAIM_MAX_TEXT);
    text_show(&b, s, max);
    const char *kept = buf_ok(&b) ? arena_str(k->a, buf_span(&b)) : NULL;
    buf_free(&b);
    k->s->failed |= !kept;
    return kept;
}

/* ---- evidence ---- */

static const char *keep(struct making *k, enum evidence_type type, struct buf *text)
{
    const char *id = buf_ok(text) ? claims_evidence(k->s, type, buf_span(text)) : NULL;
    buf_free(text);
    return id;
}

static void start(struct json_writer *w, struct buf *text)
{
    buf_init(text, EVIDENCE_MAX_TEXT);
    jw_init(w, json_sink_buf, text, false);
    jw_object(w);
}

const char *prove_place(struct making *k, const struct report_model *m, struct origin at)
{
    struct buf text;
    struct json_writer w;
    if (at.file >= m->model->file_count || !m->scan->file_ok || !m->scan->file_ok[at.file])
        return NULL;
    const struct model_file *f = &m->model->files[at.file];
    start(&w, &text);
    put_count(&w, "bytes", f->size);
    if (at.length) {
        put_count(&w, "length", at.length);
        put_count(&w, "offset", at.offset);
    }
    put_str(&w, "path", f->name);
    put_hex(&w, "sha256", &m->scan->file[at.file]);
    put_str(&w, "type", "file");
    jw_end_object(&w);
    return keep(k, EVIDENCE_FILE, &text);
}

const char *prove_bytes(struct making *k, const char *path, uint64_t bytes,
                        const struct digest *sha256)
{
    struct buf text;
    struct json_writer w;
    start(&w, &text);
    put_count(&w, "bytes", bytes);
    put_str(&w, "path", path);
    put_hex(&w, "sha256", sha256);
    put_str(&w, "type", "file");
    jw_end_object(&w);
    return keep(k, EVIDENCE_FILE, &text);
}

const char *prove_file(struct making *k, const struct report_model *m, uint32_t file)
{
    return prove_place(k, m, (struct origin){file, 0, 0});
}

const char *prove_tensor(struct making *k, const struct report_model *m, size_t i)
{
    struct buf text;
    struct json_writer w;
    if (!m->scan->tensor_ok || !m->scan->tensor_ok[i])
        return NULL;
    const struct tensor *t = &m->model->tensors[i];
    start(&w, &text);
    put_str(&w, "dtype", t->dtype == DTYPE_NONE ? "unknown" : dtypes[t->dtype].name);
    put_count(&w, "length", t->data.length);
    jw_key(&w, "name");
    jw_string(&w, t->name);
    put_count(&w, "offset", t->data.offset);
    put_str(&w, "path", m->model->files[t->data.file].name);
    put_hex(&w, "sha256", &m->scan->tensor[i]);
    jw_key(&w, "shape");
    jw_array(&w);
    for (uint32_t d = 0; d < t->rank; d++) {
        char digits[24];
        snprintf(digits, sizeof digits, "%" PRIu64, t->shape[d]);
        jw_str(&w, digits);
    }
    jw_end_array(&w);
    put_str(&w, "type", "tensor");
    jw_end_object(&w);
    return keep(k, EVIDENCE_TENSOR, &text);
}

static void put_base64(struct json_writer *w, struct span bytes)
{
    struct buf b;
    buf_init(&b, EVIDENCE_MAX_TEXT);
    base64_put(&b, bytes);
    jw_string(w, buf_span(&b));
    buf_free(&b);
}

const char *prove_leaf(struct making *k, uint64_t seq)
{
    struct buf text;
    struct json_writer w;
    struct span leaf;
    struct proof p;
    if (!k->reader || seq >= k->r->head.size)
        return NULL;
    struct hash_reader hashes = log_reader_hashes(k->reader);
    struct err e = ERR_INIT;
    if (!log_reader_leaf(k->reader, seq, k->a, &leaf, &e) ||
        !proof_inclusion(&p, seq, k->r->head.size, &hashes, &e))
        return NULL;
    struct digest hash = record_hash(leaf);
    if (!proof_inclusion_ok(&hash, seq, k->r->head.size, &k->r->head.root, &p))
        return NULL;
    start(&w, &text);
    put_count(&w, "index", seq);
    jw_key(&w, "leaf");
    put_base64(&w, leaf);
    put_hex(&w, "leaf_hash", &hash);
    jw_key(&w, "log");
    jw_string(&w, k->r->head.origin);
    jw_key(&w, "proof");
    jw_array(&w);
    for (size_t i = 0; i < p.count; i++)
        put_base64(&w, (struct span){p.hash[i].b, DIGEST_SIZE});
    jw_end_array(&w);
    put_count(&w, "size", k->r->head.size);
    put_str(&w, "type", "leaf");
    jw_end_object(&w);
    return keep(k, EVIDENCE_LEAF, &text);
}

const char *prove_range(struct making *k, const char *measure, const char *result)
{
    struct buf text;
    struct json_writer w;
    const struct activity *y = k->r->activity;
    if (!y)
        return NULL;
    start(&w, &text);
    put_hex(&w, "calls", &y->found);
    put_count(&w, "from", 0);
    jw_key(&w, "log");
    jw_string(&w, k->r->head.origin);
    put_str(&w, "query", activity_query(y, measure, k->a));
    put_str(&w, "result", result);
    put_hex(&w, "root", &k->r->head.root);
    put_count(&w, "to", k->r->head.size);
    put_str(&w, "type", "range");
    jw_end_object(&w);
    return keep(k, EVIDENCE_RANGE, &text);
}
