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

/* ---- the two roots ---- */

/* What tells one Merkle tree from the other: its leaves, and what spoils one. */
struct tree {
    const char *what;
    struct span (*name)(const struct model *m, uint32_t i);
    struct origin (*origin)(const struct model *m, uint32_t i);
    const char *(*flaw)(const struct model *m, const struct scan *s, uint32_t i);
    void (*leaf)(struct buf *b, const struct model *m, const struct scan *s, uint32_t i);
};

static void put_prefixed(struct buf *b, struct span s)
{
    buf_put_u64be(b, s.n);
    buf_put_span(b, s);
}

static struct span tensor_name(const struct model *m, uint32_t i)
{
    return m->tensors[i].name;
}

static struct origin tensor_origin(const struct model *m, uint32_t i)
{
    return m->tensors[i].entry;
}

static const char *tensor_flaw(const struct model *m, const struct scan *s, uint32_t i)
{
    if (m->tensors[i].dtype >= DTYPE_COUNT)
        return "has an element type this build does not know";
    return s->tensor_ok[i] ? NULL : "could not be read whole";
}

void identity_tensor_leaf(struct buf *b, const struct tensor *t, const struct digest *bytes)
{
    static const char domain[] = "assay/tensor/v1";
    buf_put(b, domain, sizeof domain);
    put_prefixed(b, t->name);
    put_prefixed(b, span_str(dtype_name(t->dtype)));
    buf_put_u64be(b, t->rank);
    for (uint32_t d = 0; d < t->rank && d < MODEL_MAX_RANK; d++)
        buf_put_u64be(b, t->shape[d]);
    buf_put(b, bytes->b, DIGEST_SIZE);
}

static void tensor_leaf(struct buf *b, const struct model *m, const struct scan *s, uint32_t i)
{
    identity_tensor_leaf(b, &m->tensors[i], &s->tensor[i]);
}

static struct span file_name(const struct model *m, uint32_t i)
{
    return span_str(m->files[i].name);
}

static struct origin file_origin(const struct model *m, uint32_t i)
{
    (void)m;
    return (struct origin){i, 0, 0};
}

static const char *file_flaw(const struct model *m, const struct scan *s, uint32_t i)
{
    (void)m;
    return s->file_ok[i] ? NULL : "could not be read whole";
}

void identity_file_leaf(struct buf *b, struct span name, uint64_t size, const struct digest *bytes)
{
    static const char domain[] = "assay/file/v1";
    buf_put(b, domain, sizeof domain);
    put_prefixed(b, name);
    buf_put_u64be(b, size);
    buf_put(b, bytes->b, DIGEST_SIZE);
}

static void file_leaf(struct buf *b, const struct model *m, const struct scan *s, uint32_t i)
{
    identity_file_leaf(b, file_name(m, i), m->files[i].size, &s->file[i]);
}

static const struct tree tensors = {"tensor", tensor_name, tensor_origin, tensor_flaw, tensor_leaf};
static const struct tree files = {"manifest", file_name, file_origin, file_flaw, file_leaf};

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

/* No two leaves of one name, and none that is spoilt; else a finding says which. */
static bool all_sound(const struct tree *t, struct model *m, const struct scan *s,
                      const struct named *sorted, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t number = sorted[i].number;
        bool twin = i && span_eq(sorted[i].name, sorted[i - 1].name);
        const char *why = twin ? "stands there more than once" : t->flaw(m, s, number);
        if (why) {
            no_root(m, t->origin(m, number), t->what, sorted[i].name, why);
            return false;
        }
    }
    return true;
}

/* False when out of memory. */
static bool form_root(const struct tree *t, struct model *m, const struct scan *s, size_t n,
                      struct digest *out, bool *has)
{
    struct merkle tree;
    struct buf leaf;
    struct named *sorted = calloc(n + 1, sizeof *sorted);
    if (!sorted)
        return false;
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = (struct named){t->name(m, i), i};
    qsort(sorted, n, sizeof *sorted, by_name);
    buf_init(&leaf, SIZE_MAX / 2);
    merkle_start(&tree);
    *has = n && all_sound(t, m, s, sorted, n);
    for (size_t i = 0; *has && i < n; i++) {
        buf_clear(&leaf);
        t->leaf(&leaf, m, s, sorted[i].number);
        struct digest d = merkle_leaf(buf_span(&leaf));
        merkle_append(&tree, &d);
        *has = buf_ok(&leaf);
    }
    bool ok = buf_ok(&leaf);
    if (*has)
        *out = merkle_root(&tree);
    buf_free(&leaf);
    free(sorted);
    return ok;
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
    /* What is listed has a root only when it is all that there is. */
    if (m->unlisted && m->tensor_count)
        no_root(m, ORIGIN_NOWHERE, "tensor", span_str(m->path),
                "holds tensors that are not listed");
    size_t listed = m->unlisted ? 0 : m->tensor_count;
    return form_root(&tensors, m, s, listed, &out->tensor_root, &out->has_tensor_root) &&
           form_root(&files, m, s, m->file_count, &out->manifest_root, &out->has_manifest_root);
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
