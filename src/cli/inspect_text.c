/*
 * One screen about one model. Unknown is said as "unknown" where a reader
 * would otherwise wonder, and left out where nothing is expected.
 */
#include "cli/inspect_view.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "assay/base/text.h"
#include "cli/show.h"

#define DOT "\x01\xc2\xb7 " /* NO_BREAK before it: no line begins with one */

enum { LINE = 1024, TEMPLATES = 8 };

/* A line that grows piece by piece; pieces that do not fit are left out. */
struct line {
    char text[LINE];
    size_t n;
    const char *separator;
};

static void piece(struct line *l, const char *fmt, ...) ASSAY_PRINTF(2, 3);
static void piece(struct line *l, const char *fmt, ...)
{
    char text[SHOW_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *p = text; *p; p++)
        if (*p == ' ')
            *p = NO_BREAK;
    size_t separator = l->n ? strlen(l->separator) : 0;
    if (l->n + separator + strlen(text) >= LINE)
        return;
    l->n += (size_t)snprintf(l->text + l->n, LINE - l->n, "%s%s", l->n ? l->separator : "", text);
}

static const char *grouped(char out[32], uint64_t n)
{
    return text_grouped(out, 32, n);
}

static void put_names(struct out *o, const char *label, const struct span *s, size_t n)
{
    char shown[SHOW_SIZE];
    struct line l = {.separator = ", "};
    for (size_t i = 0; i < n && i < 8; i++)
        piece(&l, "%s", show_text(shown, s[i], 80));
    if (n > 8)
        piece(&l, "and %zu more", n - 8);
    if (n)
        out_field(o, label, "%s", l.text);
}

/* ---- what it is ---- */

/* The element type that holds most of the elements. */
static enum dtype main_type(const struct facts *f)
{
    enum dtype best = DTYPE_NONE;
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (f->types[t].elements &&
            (best == DTYPE_NONE || f->types[t].elements > f->types[best].elements))
            best = (enum dtype)t;
    return best;
}

static void put_containers(struct line *l, const struct model *m)
{
    uint64_t files[FORMAT_COUNT] = {0};
    const struct model_file *gguf = NULL;
    for (size_t i = 0; i < m->file_count; i++) {
        files[m->files[i].format]++;
        if (m->files[i].format == FORMAT_GGUF && !gguf)
            gguf = &m->files[i];
    }
    if (gguf)
        piece(l, "GGUF %" PRIu32 "%s", gguf->version, gguf->big_endian ? " big-endian" : "");
    if (files[FORMAT_SAFETENSORS])
        piece(l, "safetensors");
    if (files[FORMAT_PYTORCH])
        piece(l, "PyTorch");
    if (files[FORMAT_HDF5])
        piece(l, "HDF5");
    if (files[FORMAT_KERAS])
        piece(l, "Keras");
    uint64_t parts = files[FORMAT_GGUF] + files[FORMAT_SAFETENSORS] + files[FORMAT_PYTORCH] +
                     files[FORMAT_HDF5] + files[FORMAT_KERAS];
    if (parts > 1)
        piece(l, "%" PRIu64 " weight files", parts);
    if (parts == 0)
        piece(l, "no weights");
}

static void put_family(struct line *l, const struct architecture *a)
{
    char shown[SHOW_SIZE];
    if (a->is_adapter)
        piece(l, "adapter");
    if (a->family)
        piece(l, "%s", a->family);
    else if (a->declared.n)
        piece(l, "unknown family (\"%s\")", show_text(shown, a->declared, 40));
    else
        piece(l, "unknown family");
}

static const char *title(char out[SHOW_SIZE], const struct subject *s)
{
    const struct model *m = s->model;
    if (s->has_facts && s->facts.name.n)
        return show_text(out, s->facts.name, 70);
    struct span path = span_str(m->path);
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    size_t start = path.n;
    while (start > 0 && path.p[start - 1] != '/')
        start--;
    return show_text(out, span_sub(path, start, path.n), 70);
}

static void put_title(struct out *o, const struct subject *s)
{
    char name[SHOW_SIZE], count[32];
    struct line l = {.separator = DOT};
    out_style(o, STYLE_BOLD, title(name, s));
    out_put(o, "\n");
    if (!s->recognised) {
        piece(&l, "unknown format");
    } else if (s->has_facts) {
        const struct architecture *a = &s->facts.architecture;
        put_family(&l, a);
        if (a->parameters.total)
            piece(&l, "%s parameters", text_count(count, sizeof count, a->parameters.total));
        if (main_type(&s->facts) != DTYPE_NONE)
            piece(&l, "%s", dtype_name(main_type(&s->facts)));
    }
    if (s->recognised)
        put_containers(&l, s->model);
    uint64_t size = 0;
    for (size_t i = 0; i < s->model->file_count; i++)
        size += s->model->files[i].size;
    piece(&l, "%s", text_bytes(count, sizeof count, size));
    out_wrapped(o, 0, l.text);
    out_put(o, "\n");
    show_text(name, span_str(s->model->path), 400);
    if (s->model->file_count == 1)
        out_field(o, s->model->folder ? "folder" : "file", "%s", name);
    else
        out_field(o, s->model->folder ? "folder" : "files", "%s (%zu files)", name,
                  s->model->file_count);
}

/* ---- architecture ---- */

static void put_shape(struct out *o, const struct architecture *a)
{
    char n[32];
    struct line l = {.separator = DOT};
    if (a->layers)
        piece(&l, "%" PRIu64 " layers", a->layers);
    if (a->width)
        piece(&l, "width %s", grouped(n, a->width));
    if (a->ffn)
        piece(&l, "feed-forward %s", grouped(n, a->ffn));
    out_field(o, "shape", "%s", l.n ? l.text : "unknown");
    if (!a->heads)
        return;
    l = (struct line){.separator = DOT};
    if (a->head_size)
        piece(&l, "%" PRIu64 " heads of %" PRIu64, a->heads, a->head_size);
    else
        piece(&l, "%" PRIu64 " heads", a->heads);
    if (a->kv_heads)
        piece(&l, "%" PRIu64 " KV heads", a->kv_heads);
    if (a->window)
        piece(&l, "window of %s tokens", grouped(n, a->window));
    out_field(o, "attention", "%s", l.text);
}

static void put_experts(struct out *o, const struct architecture *a)
{
    char n[32];
    struct line l = {.separator = DOT};
    if (!a->experts)
        return;
    piece(&l, "%" PRIu64 " experts", a->experts);
    if (a->experts_active)
        piece(&l, "%" PRIu64 " active", a->experts_active);
    if (a->shared_experts)
        piece(&l, "%" PRIu64 " shared", a->shared_experts);
    if (a->expert_ffn)
        piece(&l, "feed-forward %s each", grouped(n, a->expert_ffn));
    out_field(o, "experts", "%s", l.text);
}

static void put_context(struct out *o, const struct architecture *a)
{
    char n[32], number[SHOW_SIZE], scaling[SHOW_SIZE];
    struct line l = {.separator = DOT};
    if (a->context)
        piece(&l, "%s tokens", grouped(n, a->context));
    if (a->rope.base > 0)
        piece(&l, "RoPE base %s",
              a->rope.base < 1e15 && a->rope.base == floor(a->rope.base)
                  ? grouped(n, (uint64_t)a->rope.base)
                  : show_number(number, a->rope.base));
    if (a->rope.scaling.n)
        piece(&l, "scaling %s", show_text(scaling, a->rope.scaling, 30));
    if (a->rope.factor > 0)
        piece(&l, "factor %s", show_number(number, a->rope.factor));
    if (a->rope.original_context)
        piece(&l, "from %s", grouped(n, a->rope.original_context));
    out_field(o, "context", "%s", l.n ? l.text : "unknown");
    if (!a->vocabulary)
        return;
    out_field(o, "vocabulary", "%s%s", grouped(n, a->vocabulary),
              !a->tied_known ? ""
              : a->tied      ? DOT "output head tied to the embedding"
                             : DOT "output head of its own");
}

static void put_parameters(struct out *o, const struct architecture *a)
{
    char total[32], active[32], embedding[32], other[32], buffers[32], bytes[32], kv[32];
    const struct parameters *p = &a->parameters;
    struct line l = {.separator = DOT};
    if (p->total) {
        piece(&l, "%s", grouped(total, p->total));
        if (p->active && p->active != p->total)
            piece(&l, "%s active per token", grouped(active, p->active));
        piece(&l, "%s embedding", grouped(embedding, p->embedding));
        piece(&l, "%s other", grouped(other, p->non_embedding));
        if (p->buffers)
            piece(&l, "and %s constants", grouped(buffers, p->buffers));
    }
    out_field(o, "parameters", "%s", l.n ? l.text : "unknown");
    if (!a->weight_bytes)
        return;
    l = (struct line){.separator = DOT};
    piece(&l, "%s of weights", text_bytes(bytes, sizeof bytes, a->weight_bytes));
    piece(&l, "%.2f bits each", a->bits_per_weight);
    if (a->kv_bytes_per_1000)
        piece(&l, "KV cache %s per 1,000 tokens (F16)",
              text_bytes(kv, sizeof kv, a->kv_bytes_per_1000));
    out_field(o, "memory", "%s", l.text);
}

static void put_type(struct line *l, enum dtype t, const struct dtype_use *u, uint64_t total)
{
    char share[SHOW_SIZE];
    piece(l, "%s %s (%" PRIu64 " tensor%s)", dtypes[t].name,
          show_share(share, total ? (double)u->elements / (double)total : 0), u->tensors,
          u->tensors == 1 ? "" : "s");
}

/* Largest share first; equal shares in the order of the table of types. */
static void put_types(struct out *o, const struct subject *s)
{
    struct dtype_use left[DTYPE_COUNT];
    uint64_t total = 0, listed = 0;
    struct line l = {.separator = DOT};
    memcpy(left, s->facts.types, sizeof left);
    for (int t = 0; t < DTYPE_COUNT; t++)
        total += left[t].elements;
    for (;;) {
        int most = -1;
        for (int t = 0; t < DTYPE_COUNT; t++)
            if (left[t].tensors && (most < 0 || left[t].elements > left[most].elements))
                most = t;
        if (most < 0)
            break;
        put_type(&l, (enum dtype)most, &left[most], total);
        listed += left[most].tensors;
        left[most].tensors = 0;
    }
    if (listed < s->model->tensor_count)
        piece(&l, "of unknown type %" PRIu64, (uint64_t)s->model->tensor_count - listed);
    if (s->model->tensor_count)
        out_field(o, "elements", "%s", l.text);
}

static void put_adapter(struct out *o, const struct adapter *a)
{
    char shown[SHOW_SIZE];
    struct line l = {.separator = DOT};
    piece(&l, "%s", a->type.n ? show_text(shown, a->type, 30) : "unknown type");
    if (a->rank)
        piece(&l, "rank %" PRIu64, a->rank);
    if (a->alpha > 0)
        piece(&l, "alpha %s", show_number(shown, a->alpha));
    out_field(o, "adapter", "%s", l.text);
    put_names(o, "targets", a->targets, a->target_count);
}

static void put_architecture(struct out *o, const struct subject *s)
{
    const struct architecture *a = &s->facts.architecture;
    char shown[SHOW_SIZE];
    out_heading(o, "Architecture");
    if (a->declared.n && !(a->family && span_is(a->declared, a->family)))
        out_field(o, "declared as", "%s", show_text(shown, a->declared, 60));
    if (a->is_adapter)
        put_adapter(o, &a->adapter);
    put_shape(o, a);
    put_experts(o, a);
    put_context(o, a);
    put_parameters(o, a);
    put_types(o, s);
}

/* ---- text side ---- */

static void put_tokenizer(struct out *o, const struct tokenizer_facts *t)
{
    char n[32], shown[SHOW_SIZE];
    struct line l = {.separator = DOT};
    if (t->kind)
        piece(&l, "%s", t->kind);
    if (t->pre.n)
        piece(&l, "pre-tokenizer %s", show_text(shown, t->pre, 30));
    if (t->size)
        piece(&l, "%s entries", grouped(n, t->size));
    if (t->merges)
        piece(&l, "%s merges", grouped(n, t->merges));
    if (t->added)
        piece(&l, "%s added", grouped(n, t->added));
    out_field(o, "tokenizer", "%s", l.n ? l.text : "unknown");
    l = (struct line){.separator = DOT};
    for (size_t i = 0; i < t->special_count; i++) {
        const struct special *p = &t->special[i];
        char id[24] = "";
        if (p->has_id)
            snprintf(id, sizeof id, " %" PRIu64, p->id);
        piece(&l, "%s%s%s%s", p->role, id, p->text.n ? " " : "", show_text(shown, p->text, 32));
    }
    if (l.n)
        out_field(o, "special", "%s", l.text);
}

/* How many templates before `i` hold the same bytes under the same name. */
static size_t copies_before(const struct model *m, size_t i)
{
    size_t n = 0;
    for (size_t k = 0; k < i; k++)
        n += span_eq(m->templates[k].bytes, m->templates[i].bytes) &&
             span_eq(m->templates[k].name, m->templates[i].name);
    return n;
}

static size_t copies_of(const struct model *m, size_t i)
{
    size_t n = 0;
    for (size_t k = i; k < m->template_count; k++)
        n += span_eq(m->templates[k].bytes, m->templates[i].bytes) &&
             span_eq(m->templates[k].name, m->templates[i].name);
    return n;
}

static void put_template(struct out *o, const struct model *m, size_t i, bool alone)
{
    char shown[SHOW_SIZE], n[32], hex[DIGEST_HEX + 1];
    const struct text *t = &m->templates[i];
    const char *kind = template_kind(t->bytes);
    struct line l = {.separator = DOT};
    struct digest d = sha256_of(t->bytes);
    if (t->name.n)
        piece(&l, "\"%s\"", show_text(shown, t->name, 30));
    piece(&l, "%s", kind ? kind : "of no known kind");
    piece(&l, "%s bytes", grouped(n, t->bytes.n));
    if (copies_of(m, i) > 1)
        piece(&l, "in %zu places", copies_of(m, i));
    if (!alone) /* a lone one's digest stands under Identity */
        piece(&l, "sha256 %.16s\xe2\x80\xa6", digest_hex(hex, &d));
    out_field(o, i ? "" : "template", "%s", l.text);
}

static void put_templates(struct out *o, const struct model *m)
{
    size_t most = m->template_count < TEMPLATES ? m->template_count : TEMPLATES;
    if (m->template_count == 0)
        out_field(o, "template", "none");
    for (size_t i = 0; i < most; i++)
        if (copies_before(m, i) == 0)
            put_template(o, m, i, copies_of(m, 0) == m->template_count);
    if (m->template_count > most)
        out_field(o, "", "and %zu more", m->template_count - most);
}

/* ---- origin ---- */

static void put_licence(struct out *o, const struct facts *f)
{
    char named[SHOW_SIZE];
    if (f->licence_count == 0)
        out_field(o, "licence", "unknown: none is named");
    for (size_t i = 0; i < f->licence_count; i++) {
        const struct licence_claim *c = &f->licences[i];
        show_text(named, c->named, 60);
        if (c->spdx && c->named.n && !span_is(c->named, c->spdx))
            out_field(o, i ? "" : "licence", "%s (\"%s\" in %s)", c->spdx, named, c->where);
        else if (c->spdx)
            out_field(o, i ? "" : "licence", "%s (%s)", c->spdx, c->where);
        else
            out_field(o, i ? "" : "licence", "\"%s\" in %s: no SPDX licence", named, c->where);
    }
}

static void put_origin(struct out *o, const struct facts *f)
{
    put_licence(o, f);
    put_names(o, "base model", f->base_models, f->base_model_count);
    put_names(o, "datasets", f->datasets, f->dataset_count);
    put_names(o, "languages", f->languages, f->language_count);
}

/* ---- identity ---- */

static void put_digest(struct out *o, const char *label, const struct digest *d, bool known)
{
    char hex[DIGEST_HEX + 1];
    if (known)
        out_field(o, label, "%s", digest_hex(hex, d));
}

static void put_identity(struct out *o, const struct subject *s, const struct inspect_args *args)
{
    const struct identity *i = &s->identity;
    const struct scan *c = &s->scan;
    out_heading(o, "Identity");
    put_digest(o, "tensor root", &i->tensor_root, i->has_tensor_root);
    if (s->model->file_count == 1 && c->file && c->file_ok && c->file_ok[0])
        put_digest(o, "file sha256", &c->file[0], true);
    put_digest(o, "manifest", &i->manifest_root, i->has_manifest_root);
    put_digest(o, "architecture", &i->architecture, i->has_architecture);
    put_digest(o, "tokenizer", &i->tokenizer, i->has_tokenizer);
    put_digest(o, "template", &i->chat_template, i->has_template);
    if (args->no_digest)
        out_field(o, "weights", "not read (--no-digest)");
    else if (s->has_scan && c->from_cache)
        out_field(o, "cache", "digests taken before were used; --no-cache takes them anew");
}

static void put_coverage(struct out *o, const struct subject *s)
{
    const struct coverage *c = &s->scan.coverage;
    char size[32], part[32];
    struct line l = {.separator = DOT};
    if (!s->has_coverage)
        return;
    piece(&l, "%s", text_bytes(size, sizeof size, c->size));
    if (c->tensors)
        piece(&l, "%s tensors", text_bytes(part, sizeof part, c->tensors));
    if (c->parsed)
        piece(&l, "%s headers and documents", text_bytes(part, sizeof part, c->parsed));
    if (c->padding)
        piece(&l, "%s padding", text_bytes(part, sizeof part, c->padding));
    piece(&l, "%s unexplained", text_bytes(part, sizeof part, c->unexplained));
    if (c->hashed == c->size)
        piece(&l, "all hashed");
    else if (c->hashed)
        piece(&l, "%s hashed", text_bytes(part, sizeof part, c->hashed));
    else
        piece(&l, "none hashed");
    out_field(o, "coverage", "%s", l.text);
}

static void put_verdict(struct out *o, const struct subject *s)
{
    static const char *const words[2][2] = {
        {"complete" DOT "breaks the specification" DOT "refused by the loader",
         "complete" DOT "breaks the specification" DOT "accepted by the loader"},
        {"complete" DOT "keeps the specification" DOT "refused by the loader",
         "complete" DOT "keeps the specification" DOT "accepted by the loader"}};
    const char *text = words[s->strict][s->lenient];
    enum style style = s->strict ? STYLE_GOOD : s->lenient ? STYLE_WARN : STYLE_BAD;
    if (s->interrupted)
        text = "INCOMPLETE: interrupted; what was read so far is shown above";
    else if (!s->recognised)
        text = "NOT A MODEL: no file of a known format; nothing could be read";
    else if (!s->complete)
        text = "INCOMPLETE: not everything could be read; see the findings";
    out_put(o, "\n");
    out_field_styled(o, s->complete ? style : STYLE_BAD, "verdict", text);
}

void inspect_text(struct out *o, const struct subject *s, const struct inspect_args *args)
{
    put_title(o, s);
    if (s->has_facts && s->recognised) {
        put_architecture(o, s);
        out_heading(o, "Text and origin");
        put_tokenizer(o, &s->facts.tokenizer);
        put_templates(o, s->model);
        put_origin(o, &s->facts);
    }
    put_identity(o, s, args);
    put_coverage(o, s);
    inspect_lists(o, s, args);
    findings_text(o, s->model, args->all);
    put_verdict(o, s);
}
