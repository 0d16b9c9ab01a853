/*
 * The digests of the whole: tensor root, manifest root, architecture, tokenizer
 * and chat template. The bytes under each are fixed by docs/formats/identity.md;
 * a change there is a new version of the domain string.
 */
#include "inspect/identity.h"

#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"

enum { CANONICAL_MAX = 64 << 10 };

bool encode_start(struct encoder *x, const char *domain)
{
    x->n = 0;
    x->sha = sha256_new();
    if (!x->sha)
        return false;
    encode_raw(x, domain, strlen(domain) + 1);
    return true;
}

void encode_raw(struct encoder *x, const void *p, size_t n)
{
    if (n > sizeof x->bytes - x->n) {
        sha256_update(x->sha, x->bytes, x->n);
        x->n = 0;
    }
    if (n > sizeof x->bytes) {
        sha256_update(x->sha, p, n);
    } else if (n) {
        memcpy(x->bytes + x->n, p, n);
        x->n += n;
    }
}

void encode_u64(struct encoder *x, uint64_t v)
{
    uint8_t b[8];
    store_u64be(b, v);
    encode_raw(x, b, sizeof b);
}

void encode_span(struct encoder *x, struct span s)
{
    encode_u64(x, s.n);
    encode_raw(x, s.p, s.n);
}

void encode_finish(struct encoder *x, struct digest *out)
{
    sha256_update(x->sha, x->bytes, x->n);
    sha256_finish(x->sha, out);
    sha256_free(x->sha);
    x->sha = NULL;
}

/* ---- Merkle leaves ---- */

static void put_prefixed(struct buf *b, struct span s)
{
    buf_put_u64be(b, s.n);
    buf_put_span(b, s);
}

static void tensor_leaf(struct buf *b, const struct tensor *t, const struct digest *d)
{
    static const char domain[] = "assay/tensor/v1";
    buf_put(b, domain, sizeof domain);
    put_prefixed(b, t->name);
    put_prefixed(b, span_str(dtype_name(t->dtype)));
    buf_put_u64be(b, t->rank);
    for (uint32_t i = 0; i < t->rank && i < MODEL_MAX_RANK; i++)
        buf_put_u64be(b, t->shape[i]);
    buf_put(b, d->b, DIGEST_SIZE);
}

static void file_leaf(struct buf *b, const struct model_file *f, const struct digest *d)
{
    static const char domain[] = "assay/file/v1";
    buf_put(b, domain, sizeof domain);
    put_prefixed(b, span_str(f->name));
    buf_put_u64be(b, f->size);
    buf_put(b, d->b, DIGEST_SIZE);
}

struct named {
    struct span name;
    uint32_t number;
};

static int by_name(const void *pa, const void *pb)
{
    const struct named *a = pa, *b = pb;
    int order = span_cmp(a->name, b->name);
    return order ? order : (a->number > b->number) - (a->number < b->number);
}

static void no_root(struct model *m, struct origin o, const char *root, struct span name,
                    const char *why)
{
    char shown[160];
    verdict_add(&m->verdict, RULE_IDENTITY_NO_ROOT, o, "no %s root: \"%s\" %s", root,
                text_shown(shown, sizeof shown, name), why);
}

/* Sorted names; *twin is the first that stands there twice, or UINT32_MAX. */
static void sort_names(struct named *all, size_t n, uint32_t *twin)
{
    *twin = UINT32_MAX;
    if (n)
        qsort(all, n, sizeof *all, by_name);
    for (size_t i = 1; i < n; i++)
        if (*twin == UINT32_MAX && span_eq(all[i].name, all[i - 1].name))
            *twin = all[i].number;
}

/* ---- the two roots ---- */

static const char *tensor_flaw(const struct model *m, const struct scan *s, uint32_t i)
{
    if (m->tensors[i].dtype >= DTYPE_COUNT)
        return "has an element type this build does not know";
    return s->tensor_ok[i] ? NULL : "could not be read whole";
}

static bool tensor_root(struct identity *out, struct model *m, const struct scan *s)
{
    size_t n = m->tensor_count;
    struct merkle tree;
    struct buf leaf;
    uint32_t twin;
    struct named *names = calloc(n + 1, sizeof *names);
    if (!names)
        return false;
    buf_init(&leaf, SIZE_MAX / 2);
    for (uint32_t i = 0; i < n; i++)
        names[i] = (struct named){m->tensors[i].name, i};
    sort_names(names, n, &twin);
    if (twin != UINT32_MAX)
        no_root(m, m->tensors[twin].entry, "tensor", m->tensors[twin].name,
                "names more than one tensor");
    bool ok = n && twin == UINT32_MAX;
    merkle_start(&tree);
    for (size_t i = 0; ok && i < n; i++) {
        uint32_t t = names[i].number;
        const char *flaw = tensor_flaw(m, s, t);
        if (flaw) {
            no_root(m, m->tensors[t].entry, "tensor", m->tensors[t].name, flaw);
            ok = false;
            break;
        }
        buf_clear(&leaf);
        tensor_leaf(&leaf, &m->tensors[t], &s->tensor[t]);
        struct digest d = merkle_leaf(buf_span(&leaf));
        merkle_append(&tree, &d);
    }
    bool memory = buf_ok(&leaf);
    out->has_tensor_root = ok && memory;
    if (out->has_tensor_root)
        out->tensor_root = merkle_root(&tree);
    buf_free(&leaf);
    free(names);
    return memory;
}

static bool manifest_root(struct identity *out, struct model *m, const struct scan *s)
{
    size_t n = m->file_count;
    struct merkle tree;
    struct buf leaf;
    uint32_t twin;
    struct named *names = calloc(n + 1, sizeof *names);
    if (!names)
        return false;
    buf_init(&leaf, SIZE_MAX / 2);
    for (uint32_t i = 0; i < n; i++)
        names[i] = (struct named){span_str(m->files[i].name), i};
    sort_names(names, n, &twin);
    bool ok = n && twin == UINT32_MAX;
    merkle_start(&tree);
    for (size_t i = 0; ok && i < n; i++) {
        uint32_t f = names[i].number;
        if (!s->file_ok[f]) {
            no_root(m, (struct origin){f, 0, 0}, "manifest", names[i].name,
                    "could not be read whole");
            ok = false;
            break;
        }
        buf_clear(&leaf);
        file_leaf(&leaf, &m->files[f], &s->file[f]);
        struct digest d = merkle_leaf(buf_span(&leaf));
        merkle_append(&tree, &d);
    }
    bool memory = buf_ok(&leaf);
    out->has_manifest_root = ok && memory;
    if (out->has_manifest_root)
        out->manifest_root = merkle_root(&tree);
    buf_free(&leaf);
    free(names);
    return memory;
}

/* ---- the others ---- */

static bool architecture_digest(struct identity *out, const struct facts *f)
{
    struct encoder x;
    struct buf line;
    buf_init(&line, CANONICAL_MAX);
    architecture_canonical(&line, f);
    bool ok = buf_ok(&line);
    if (ok && !span_is(buf_span(&line), "{}")) {
        ok = encode_start(&x, "assay/architecture/v1");
        if (ok) {
            encode_raw(&x, line.p, line.n);
            encode_finish(&x, &out->architecture);
            out->has_architecture = true;
        }
    }
    buf_free(&line);
    return ok;
}

static void template_digest(struct identity *out, const struct model *m)
{
    for (size_t i = 0; i < m->template_count; i++) {
        if (m->templates[i].name.n)
            continue;
        out->chat_template = sha256_of(m->templates[i].bytes);
        out->has_template = true;
        return;
    }
}

/* A root over part of a model would pass for the root of a smaller one. */
static bool both_roots(struct identity *out, struct model *m, const struct scan *s)
{
    if (!s->tensor || !s->file)
        return true;
    if (m->verdict.incomplete) {
        no_root(m, ORIGIN_NOWHERE, "tensor or manifest", span_str(m->path), "was not read whole");
        return true;
    }
    return tensor_root(out, m, s) && manifest_root(out, m, s);
}

bool inspect_identity(struct identity *out, struct model *m, const struct facts *f,
                      const struct scan *s, struct err *e)
{
    *out = (struct identity){0};
    if (!both_roots(out, m, s) || !architecture_digest(out, f) ||
        !identity_tokenizer(&out->tokenizer, &out->has_tokenizer, m, f))
        return err_set(e, ERR_MEMORY, "out of memory while forming the digests of %s", m->path);
    template_digest(out, m);
    return true;
}
