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

static void put_heading(struct buf *b, const char *heading)
{
    buf_printf(b, "## %s\n\n", heading);
}

/* ---- front matter ---- */

/* What was measured, as model-index has it (huggingface_hub, repocard_data.py). */
static void put_index(struct buf *b, const struct train *t, struct span title)
{
    const struct config_file *held = t->config.validation.items;
    char hex[DIGEST_HEX + 1], text[40];
    if (t->last_validation <= 0)
        return;
    buf_put_str(b, "model-index:\n");
    card_put(b, "- name", title);
    buf_put_str(b, "  results:\n  - task:\n      type: text-generation\n    dataset:\n");
    card_put(b, "      type", span_str("local"));
    card_put(b, "      name", held[0].path);
    card_put(b, "      revision", span_str(digest_hex(hex, &t->validation_root)));
    buf_put_str(b, "    metrics:\n    - type: loss\n      name: validation loss\n");
    buf_printf(b, "      value: %s\n", text_double(text, sizeof text, t->last_validation));
}

/* The Hub writes SPDX's names in lower case. */
static struct span hub_licence(struct arena *a, struct span licence)
{
    char *name = arena_str(a, licence);
    for (char *c = name; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return name ? span_str(name) : licence;
}

static void put_front(struct buf *b, const struct train *t, struct span title)
{
    const struct config_dataset *d = t->config.data.items;
    const struct config_card *c = &t->config.card;
    struct span names[CONFIG_MAX_DATASETS];
    for (size_t i = 0; i < t->dataset_count; i++)
        names[i] = d[i].name;
    buf_put_str(b, "---\n");
    card_put(b, "license", hub_licence(t->arena, t->config.licence));
    if (t->facts.fine_tuning) {
        card_put(b, "base_model", span_str(t->base.name));
        card_put(b, "base_model_relation", span_str("adapter"));
    }
    card_put(b, "library_name", span_str(t->facts.fine_tuning ? "peft" : "transformers"));
    card_put(b, "pipeline_tag", span_str("text-generation"));
    card_put_list(b, "language", c->languages.items, c->languages.count);
    card_put_list(b, "tags", c->tags.items, c->tags.count);
    card_put_list(b, "datasets", names, t->dataset_count);
    put_index(b, t, title);
    buf_put_str(b, "---\n\n");
}

/* ---- what its authors say ---- */

static const struct {
    const char *heading;
    size_t at; /* of the text in struct config_card */
} sections[] = {
    {"Intended use", offsetof(struct config_card, intended_use)},
    {"Out-of-scope use", offsetof(struct config_card, out_of_scope)},
    {"Limitations", offsetof(struct config_card, limitations)},
    {"Bias and risks", offsetof(struct config_card, bias)},
    {"How to use", offsetof(struct config_card, how_to_use)},
    {"Citation", offsetof(struct config_card, citation)},
    {"Contact", offsetof(struct config_card, contact)},
};
enum { SECTIONS = sizeof sections / sizeof sections[0] };

static struct span section_text(const struct train *t, size_t i)
{
    struct span text;
    memcpy(&text, (const char *)&t->config.card + sections[i].at, sizeof text);
    return text;
}

/* What nobody said is named at the end, so that a gap is seen and not guessed. */
static void put_sections(struct buf *b, const struct train *t)
{
    size_t silent = 0;
    for (size_t i = 0; i < SECTIONS; i++) {
        struct span text = section_text(t, i);
        silent += text.n == 0;
        if (text.n == 0)
            continue;
        put_heading(b, sections[i].heading);
        buf_put_span(b, text);
        buf_put_str(b, "\n\n");
    }
    if (silent == 0)
        return;
    put_heading(b, "Not stated");
    for (size_t i = 0, n = 0; i < SECTIONS; i++)
        if (section_text(t, i).n == 0)
            buf_printf(b, "%s%s", n++ ? ", " : "", sections[i].heading);
    buf_put_str(b, ".\n\n");
}

/* ---- what was counted and computed ---- */

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
    put_heading(b, "What it is");
    buf_put_str(b, "| | |\n|---|---|\n");
    if (t->config.card.authors.n) {
        buf_put_str(b, "| authors | ");
        buf_put_span(b, t->config.card.authors);
        buf_put_str(b, " |\n");
    }
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
    put_heading(b, "Training data");
    buf_put_str(b, "| data set | licence (declared) | files | bytes | manifest root |\n"
                   "|---|---|---|---|---|\n");
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
    put_heading(b, "Training procedure");
    buf_put_str(b, "| | |\n|---|---|\n");
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
    buf_put_str(
        b,
        "\nThe run is a function of the configuration, the data and the program: `assay "
        "train` with the same configuration gives the same weights on any number of "
        "threads and any x86-64 or arm64 processor, and `assay replay --training LOG` "
        "executes a recorded part of it again and compares roots. Time, processor time and memory "
        "stand in the log.\n");
}

static void put_evaluation(struct buf *b, const struct train *t)
{
    char loss[40], hex[DIGEST_HEX + 1];
    if (t->last_validation <= 0)
        return;
    put_heading(b, "Evaluation");
    buf_printf(b,
               "Mean loss %s a token (natural logarithm) over the %zu documents of the validation "
               "files; manifest root of those files `%s`.\n\n",
               text_double(loss, sizeof loss, t->last_validation), t->validation.count,
               digest_hex(hex, &t->validation_root));
}

bool card_write(struct train *t, const char *folder, const struct digest *root, struct err *e)
{
    struct span title = t->config.title.n ? t->config.title : t->config.name;
    const char *path = arena_printf(t->arena, "%s/README.md", folder);
    struct buf b;
    buf_init(&b, CARD_MAX);
    put_front(&b, t, title);
    buf_printf(&b, "# %.*s\n\n", (int)title.n, (const char *)title.p);
    if (t->config.description.n) {
        put_heading(&b, "Model description");
        buf_put_span(&b, t->config.description);
        buf_put_str(&b, "\n\n");
    }
    put_what(&b, t);
    put_sections(&b, t);
    put_data(&b, t);
    put_evaluation(&b, t);
    put_run(&b, t, root);
    bool ok = path && buf_ok(&b);
    ok = ok ? file_replace(path, buf_span(&b), false, e) &&
                  (chmod(path, 0644) == 0 || err_errno(e, path, "cannot be made readable"))
            : err_set(e, ERR_MEMORY, "out of memory for the card");
    buf_free(&b);
    return ok;
}
