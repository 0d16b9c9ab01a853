/*
 * The card of what a run made. Whatever it says was counted or computed by the
 * run; what the configuration declares is said to be declared.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "train/run.h"

enum { CARD_MAX = 1 << 20 };

static void put_front(struct buf *b, const struct train *t)
{
    const struct config_dataset *d = t->config.data.items;
    buf_put_str(b, "---\n");
    if (t->config.licence.n)
        buf_printf(b, "license: %.*s\n", (int)t->config.licence.n,
                   (const char *)t->config.licence.p);
    if (t->facts.fine_tuning)
        buf_printf(b, "base_model: %s\nbase_model_relation: adapter\nlibrary_name: peft\n",
                   t->base.name);
    buf_put_str(b, "datasets:\n");
    for (size_t i = 0; i < t->dataset_count; i++)
        buf_printf(b, "- %.*s\n", (int)d[i].name.n, (const char *)d[i].name.p);
    buf_put_str(b, "pipeline_tag: text-generation\n---\n\n");
}

static void put_digest(struct buf *b, const char *what, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];
    buf_printf(b, "| %s | `%s` |\n", what, digest_hex(hex, d));
}

static void put_what(struct buf *b, const struct train *t)
{
    const struct shape *s = &t->network->shape;
    char parameters[32], trained[32];
    text_grouped(parameters, sizeof parameters, t->facts.parameters);
    text_grouped(trained, sizeof trained, t->facts.trained);
    buf_put_str(b, "## What it is\n\n| | |\n|---|---|\n");
    if (t->facts.fine_tuning) {
        buf_printf(b, "| kind | LoRA adapter of rank %zu for %s |\n", t->network->adapter_rank,
                   t->base.name);
        put_digest(b, "base, tensor root", &t->base.tensor_root);
    }
    buf_printf(b,
               "| architecture | llama: %zu layers, width %zu, feed-forward %zu, %zu heads of "
               "%zu, %zu KV heads |\n",
               s->layers, s->width, s->ffn, s->heads, s->head, s->kv_heads);
    buf_printf(b, "| parameters | %s, of which %s were trained |\n", parameters, trained);
    buf_printf(b, "| vocabulary | %zu entries, byte-level BPE%s |\n", s->vocabulary,
               t->facts.fine_tuning ? " of the base" : ", trained on the training data");
    buf_printf(b, "| context | %zu tokens |\n\n", s->context);
}

static void put_data(struct buf *b, const struct train *t)
{
    buf_put_str(b, "## Training data\n\n| data set | licence (declared) | files | bytes | manifest "
                   "root |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < t->dataset_count; i++) {
        const struct run_dataset *d = &t->datasets[i];
        char hex[DIGEST_HEX + 1];
        uint64_t bytes = 0;
        for (size_t k = 0; k < d->count; k++)
            bytes += d->files[k].bytes.n;
        buf_printf(b, "| %.*s | %.*s | %zu | %" PRIu64 " | `%s` |\n", (int)d->config->name.n,
                   (const char *)d->config->name.p, (int)d->config->licence.n,
                   (const char *)d->config->licence.p, d->count, bytes, digest_hex(hex, &d->root));
    }
    buf_printf(b, "\n%" PRIu64 " documents, %" PRIu64 " tokens.\n\n", t->facts.documents,
               t->facts.tokens);
}

static void put_run(struct buf *b, const struct train *t, const struct digest *root)
{
    const struct config_steps *s = &t->config.steps;
    buf_put_str(b, "## Training\n\n| | |\n|---|---|\n");
    buf_printf(b, "| run | `%s` |\n", t->run_id);
    put_digest(b, "configuration, SHA-256", &t->config_digest);
    if (t->has_tokenizer_digest)
        put_digest(b, "tokenizer digest", &t->tokenizer_digest);
    put_digest(b, "final weights in F32, tensor root", root);
    buf_printf(b,
               "| steps | %" PRIu64 " of %" PRIu64 " windows each, %" PRIu64
               " tokens counted in the loss |\n",
               t->step, s->batch * s->accumulate, t->tokens);
    buf_printf(b,
               "| optimiser | AdamW, learning rate %.*s (cosine to %.*s, %" PRIu64
               " steps of warm-up), weight decay %.*s, gradients clipped at %.*s |\n",
               (int)s->rate.n, (const char *)s->rate.p, (int)s->least_rate.n,
               (const char *)s->least_rate.p, s->warmup, (int)s->decay.n, (const char *)s->decay.p,
               (int)s->clip.n, (const char *)s->clip.p);
    buf_printf(b, "| seed | %" PRIu64 " |\n", t->config.seed);
    if (t->last_validation > 0) {
        char text[40];
        buf_printf(b, "| validation loss | %s |\n",
                   text_double(text, sizeof text, t->last_validation));
    }
    buf_put_str(b, "\nThe run is a function of the configuration, the data and the program: `assay "
                   "train` with the same configuration gives the same weights on any number of "
                   "threads and any x86-64 or arm64 processor, and `assay replay --training LOG` "
                   "executes a recorded part of it again and compares roots.\n");
}

bool card_write(struct train *t, const char *folder, const struct digest *root, struct err *e)
{
    struct span title = t->config.title.n ? t->config.title : t->config.name;
    const char *path = arena_printf(t->arena, "%s/README.md", folder);
    struct buf b;
    buf_init(&b, CARD_MAX);
    put_front(&b, t);
    buf_printf(&b, "# %.*s\n\n%.*s\n\n", (int)title.n, (const char *)title.p,
               (int)t->config.description.n, (const char *)t->config.description.p);
    put_what(&b, t);
    put_data(&b, t);
    put_run(&b, t, root);
    bool ok = path && buf_ok(&b);
    ok = ok ? file_replace(path, buf_span(&b), false, e) &&
                  (chmod(path, 0644) == 0 || err_errno(e, path, "cannot be made readable"))
            : err_set(e, ERR_MEMORY, "out of memory for the card");
    buf_free(&b);
    return ok;
}
