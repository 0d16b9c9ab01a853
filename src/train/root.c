/* Roots over what stands in memory: trained tensors, and files as they were read. */
#include <stdlib.h>

#include "assay/inspect.h"
#include "train/run.h"

struct leaf {
    struct span name;
    struct digest hash;
};

static int by_name(const void *pa, const void *pb)
{
    return span_cmp(((const struct leaf *)pa)->name, ((const struct leaf *)pb)->name);
}

static struct digest root_of(struct leaf *leaves, size_t n)
{
    struct merkle m;
    qsort(leaves, n, sizeof *leaves, by_name);
    merkle_start(&m);
    for (size_t i = 0; i < n; i++)
        merkle_append(&m, &leaves[i].hash);
    return merkle_root(&m);
}

static bool tensor_leaf(struct leaf *out, const struct parameter *p)
{
    struct tensor t = {.name = span_str(p->name), .dtype = DTYPE_F32, .rank = (uint32_t)p->rank};
    size_t floats = p->rows * p->columns;
    struct digest bytes = sha256_of((struct span){(const uint8_t *)p->w, floats * sizeof *p->w});
    struct buf b;
    t.shape[0] = p->rank == 1 ? p->columns : p->rows;
    t.shape[1] = p->columns;
    buf_init(&b, 4096);
    identity_tensor_leaf(&b, &t, &bytes);
    *out = (struct leaf){t.name, merkle_leaf(buf_span(&b))};
    bool ok = buf_ok(&b);
    buf_free(&b);
    return ok;
}

bool train_root(const struct train *t, struct digest *out, struct err *e)
{
    const struct network *n = t->network;
    struct leaf *leaves = calloc(n->count, sizeof *leaves);
    size_t count = 0;
    bool ok = leaves != NULL;
    for (size_t i = 0; ok && i < n->count; i++)
        if (n->parameters[i].trained)
            ok = tensor_leaf(&leaves[count++], &n->parameters[i]);
    if (ok)
        *out = root_of(leaves, count);
    free(leaves);
    return ok || err_set(e, ERR_MEMORY, "out of memory for the root of the weights");
}

struct digest root_of_files(const struct data_file *files, size_t n)
{
    struct leaf leaves[64] = {{SPAN_EMPTY, {{0}}}};
    n = n < 64 ? n : 64;
    for (size_t i = 0; i < n; i++) {
        struct buf b;
        buf_init(&b, 1 << 16);
        leaves[i].name = span_str(files[i].name);
        identity_file_leaf(&b, leaves[i].name, files[i].bytes.n, &files[i].digest);
        leaves[i].hash = merkle_leaf(buf_span(&b));
        buf_free(&b);
    }
    return root_of(leaves, n);
}
