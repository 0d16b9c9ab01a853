/*
 * Opening a run: configuration, data, vocabulary or base, weights. Everything
 * that the run depends on is read here and hashed from the bytes that were read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/inspect.h"
#include "assay/numerics.h"
#include "train/run.h"

#define ARENA_MAX ((size_t)16 << 30)
enum { LICENCE_MAX = 1 << 20 };

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "out of memory for the run");
}

/* ---- data ---- */

static bool read_dataset(struct train *t, size_t i, struct err *e)
{
    struct run_dataset *d = &t->datasets[i];
    d->config = (const struct config_dataset *)t->config.data.items + i;
    d->count = d->config->files.count;
    d->files = arena_array(t->arena, d->count, sizeof *d->files);
    if (!d->files)
        return no_memory(e);
    for (size_t k = 0; k < d->count; k++) {
        const struct config_file *f = (const struct config_file *)d->config->files.items + k;
        const char *path = train_config_path(&t->config, f->path, t->arena);
        if (!path)
            return no_memory(e);
        if (!data_read_file(&d->files[k], path, t->arena, e))
            return false;
    }
    d->root = root_of_files(d->files, d->count);
    if (d->config->card.n) {
        struct data_file card;
        const char *path = train_config_path(&t->config, d->config->card, t->arena);
        if (!path)
            return no_memory(e);
        if (!data_read_file(&card, path, t->arena, e))
            return false;
        d->card = card.digest;
        d->has_card = true;
    }
    return true;
}

/* What a checkpoint must agree with: the roots of all data sets, in order. */
static bool read_data(struct train *t, struct err *e)
{
    struct buf all;
    t->dataset_count = t->config.data.count;
    t->datasets = arena_array(t->arena, t->dataset_count, sizeof *t->datasets);
    if (!t->datasets)
        return no_memory(e);
    buf_init(&all, 1 << 16);
    for (size_t i = 0; i < t->dataset_count; i++) {
        if (!read_dataset(t, i, e)) {
            buf_free(&all);
            return false;
        }
        buf_put(&all, t->datasets[i].root.b, DIGEST_SIZE);
    }
    t->data_digest = sha256_of(buf_span(&all));
    buf_free(&all);
    return true;
}

/* What is done with each training file. */
typedef bool file_fn(struct train *t, struct data_file *f, const struct config_file *c, void *arg,
                     struct err *e);

static bool each_training_file(struct train *t, file_fn *fn, void *arg, struct err *e)
{
    for (size_t i = 0; i < t->dataset_count; i++)
        for (size_t k = 0; k < t->datasets[i].count; k++) {
            const struct config_file *c =
                (const struct config_file *)t->datasets[i].config->files.items + k;
            if (!fn(t, &t->datasets[i].files[k], c, arg, e))
                return false;
        }
    return true;
}

static bool load_file(struct train *t, struct data_file *f, const struct config_file *c, void *arg,
                      struct err *e)
{
    const struct data_reading how = {t->tokenizer, t->chats, t->network->shape.context};
    return data_documents(arg, f, c, &how, t->arena, e);
}

static bool load_validation(struct train *t, struct err *e)
{
    const struct config_file *held = t->config.validation.items;
    size_t n = t->config.validation.count;
    t->validation_files = arena_array(t->arena, n, sizeof *t->validation_files);
    if (!t->validation_files)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        const char *path = train_config_path(&t->config, held[i].path, t->arena);
        if (!path)
            return no_memory(e);
        if (!data_read_file(&t->validation_files[i], path, t->arena, e) ||
            !load_file(t, &t->validation_files[i], &held[i], &t->validation, e))
            return false;
    }
    t->validation_root = root_of_files(t->validation_files, n);
    return true;
}

/* Read before the first step, so that a wrong path does not wait for the last. */
static bool load_licence(struct train *t, struct err *e)
{
    if (!t->config.licence_file.n || t->options.dry)
        return true;
    const char *path = train_config_path(&t->config, t->config.licence_file, t->arena);
    if (!path)
        return no_memory(e);
    return file_read(&t->licence_text, path, LICENCE_MAX, false, t->arena, e);
}

static bool is_chat(const struct config_objects *files)
{
    const struct config_file *f = files->items;
    for (size_t i = 0; i < files->count; i++)
        if (f[i].format == DATA_CHAT)
            return true;
    return false;
}

/* The base's own template, where chats are read. */
static bool load_template(struct train *t, struct err *e)
{
    bool wanted = is_chat(&t->config.validation);
    for (size_t i = 0; i < t->dataset_count; i++)
        wanted = wanted || is_chat(&t->datasets[i].config->files);
    const struct model *m = t->base.model;
    for (size_t i = 0; m && wanted && i < m->template_count; i++) {
        if (m->templates[i].name.n)
            continue;
        t->chats_digest = sha256_of(m->templates[i].bytes);
        if (template_new(&t->chats, m->templates[i].bytes, e))
            return true;
        err_in_file(e, m->path);
        return false;
    }
    return true;
}

static bool load_documents(struct train *t, struct err *e)
{
    uint64_t counted = 0, longest = 0;
    if (!load_template(t, e) || !each_training_file(t, load_file, &t->data, e) ||
        !load_validation(t, e))
        return false;
    for (size_t i = 0; i < t->data.token_count; i++)
        counted += t->data.counts[i];
    for (size_t i = 0; i < t->data.count; i++) {
        uint64_t n = t->data.starts[i + 1] - t->data.starts[i];
        longest = n > longest ? n : longest;
    }
    if (longest < 3 || counted == 0) /* two tokens, and the one that ends a text */
        return config_error(&t->config.yaml, 1, e,
                            "the data hold nothing to predict: no document has two tokens of which "
                            "the second counts");
    t->facts.tokens = t->data.token_count;
    t->facts.documents = t->data.count;
    t->facts.skipped = t->data.skipped;
    return true;
}

/* ---- vocabulary ---- */

static bool count_text(void *arg, struct span text, struct err *e)
{
    return bpe_words_add(arg, text, e);
}

static bool count_file(struct train *t, struct data_file *f, const struct config_file *c, void *arg,
                       struct err *e)
{
    return data_texts(f, c, count_text, arg, t->arena, e);
}

static bool tokenizer_of(struct train *t, struct model *m, struct err *e)
{
    struct facts facts;
    struct identity id = {.has_tokenizer = false};
    struct scan none = {.tensor = NULL};
    if (!tokenizer_new(&t->tokenizer, m, e) || !inspect_facts(&facts, m, e) ||
        !inspect_identity(&id, m, &facts, &none, e))
        return false;
    t->tokenizer_digest = id.tokenizer;
    t->has_tokenizer_digest = id.has_tokenizer;
    return true;
}

/* The trained vocabulary is read back as GGUF holds it. */
static bool read_vocabulary(struct train *t, struct err *e)
{
    struct metadata_list pairs;
    struct model *m = NULL;
    struct buf file;
    buf_init(&file, 64 << 20);
    metadata_init(&pairs, t->arena);
    metadata_set_str(&pairs, "general.architecture", span_str("llama"));
    bool ok = vocabulary_metadata(&pairs, &t->bpe) || no_memory(e);
    ok = ok && gguf_bytes(&file, &pairs, e) &&
         model_read_memory(&m, "vocabulary.gguf", buf_span(&file), e) && tokenizer_of(t, m, e);
    model_free(m);
    buf_free(&file);
    return ok && vocabulary_texts(&t->tokenizer_json, &t->tokenizer_config, &t->bpe,
                                  (size_t)t->config.model.context, t->arena, e);
}

static bool train_vocabulary(struct train *t, struct err *e)
{
    struct bpe_words *words;
    return bpe_words_new(&words, t->arena, e) && each_training_file(t, count_file, words, e) &&
           bpe_train(&t->bpe, words, (size_t)t->config.vocabulary, e) && read_vocabulary(t, e);
}

/* ---- the network ---- */

static struct shape shape_of_config(const struct train *t)
{
    const struct config_model *m = &t->config.model;
    return (struct shape){.layers = (size_t)m->layers,
                          .width = (size_t)m->width,
                          .ffn = (size_t)m->ffn,
                          .heads = (size_t)m->heads,
                          .kv_heads = (size_t)m->kv_heads,
                          .head = (size_t)(m->width / m->heads),
                          .vocabulary = t->bpe.count,
                          .context = (size_t)m->context,
                          .eps = (float)train_config_number(m->norm_eps),
                          .rope_base = train_config_number(m->rope_base),
                          .tied = true};
}

static bool plan_adapter(const struct train *t, struct adapter_plan *out)
{
    const struct config_lora *l = &t->config.lora;
    memset(out, 0, sizeof *out);
    out->rank = t->config.base.n ? (size_t)l->rank : 0;
    out->alpha = (float)train_config_number(l->alpha);
    for (size_t i = 0; out->rank && i < l->targets.count; i++)
        for (size_t k = 0; k < LAYER_MATRICES; k++)
            if (span_is(l->targets.items[i], strchr(matrix_names[k], '.') + 1))
                out->target[k] = true;
    return out->rank > 0;
}

static bool make_network(struct train *t, struct err *e)
{
    struct shape shape;
    struct adapter_plan plan;
    bool tuning = plan_adapter(t, &plan);
    if (tuning) {
        if (!base_open(t, &shape, e) || !tokenizer_of(t, t->base.model, e))
            return false;
    } else {
        if (!train_vocabulary(t, e))
            return false;
        shape = shape_of_config(t);
    }
    if (!network_new(&t->network, &shape, &plan, t->arena, e))
        return false;
    if (tuning && !base_load(t, e))
        return false;
    if (tuning)
        network_begin_adapter(t->network, t->config.seed);
    else
        network_begin(t->network, t->config.seed);
    t->facts.fine_tuning = tuning;
    t->facts.trained = t->network->trained;
    for (size_t i = 0; i < t->network->base_count; i++)
        t->facts.parameters += t->network->parameters[i].rows * t->network->parameters[i].columns;
    return true;
}

static bool make_room(struct train *t, struct err *e)
{
    const struct config_steps *s = &t->config.steps;
    size_t context = t->network->shape.context, windows = (size_t)(s->batch * s->accumulate);
    t->tokens_in = arena_array(t->arena, windows * context, sizeof *t->tokens_in);
    t->targets = arena_array(t->arena, windows * context, sizeof *t->targets);
    t->counts = arena_array(t->arena, windows * context, sizeof *t->counts);
    t->used = arena_array(t->arena, windows, sizeof *t->used);
    t->team = team_new(t->options.threads);
    if (!t->tokens_in || !t->targets || !t->counts || !t->used || !t->team)
        return no_memory(e);
    return activations_new(&t->activations, t->network, (size_t)s->batch * context,
                           team_threads(t->team), e);
}

/* ---- the run ---- */

/* The program that computes: its own file, as the system runs it. */
static void digest_of_program(struct train *t)
{
    struct err e = ERR_INIT;
    struct arena *a = arena_new((size_t)1 << 30);
    struct span bytes;
    if (a && file_read(&bytes, "/proc/self/exe", (size_t)1 << 29, false, a, &e))
        t->code_digest = sha256_of(bytes);
    arena_free(a);
}

static void name_run(struct train *t)
{
    struct buf b;
    char hex[DIGEST_HEX + 1];
    buf_init(&b, 4096);
    buf_put_str(&b, "assay/training-run/v1");
    buf_put(&b, t->config_digest.b, DIGEST_SIZE);
    buf_put(&b, t->data_digest.b, DIGEST_SIZE);
    buf_put(&b, t->base.tensor_root.b, DIGEST_SIZE);
    if (t->chats) /* the tensors do not say how chats become tokens */
        buf_put(&b, t->chats_digest.b, DIGEST_SIZE);
    struct digest d = sha256_of(buf_span(&b));
    buf_free(&b);
    memcpy(t->run_id, digest_hex(hex, &d), 32);
    t->run_id[32] = '\0';
}

/* Before the first step, not at the first checkpoint. */
static bool make_folder(const char *path, struct err *e)
{
    struct stat st;
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return err_errno(e, path, "cannot be made");
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_at(e, ERR_USAGE, path, ERR_NO_OFFSET, "is no folder; give one to write to");
    return access(path, W_OK | X_OK) == 0 || err_errno(e, path, "cannot be written to");
}

static bool go_on(struct train *t, struct err *e)
{
    char *path;
    if (!checkpoint_newest(t, &path, e))
        return false;
    if (path && !t->options.resume)
        return err_at(
            e, ERR_USAGE, t->options.output, ERR_NO_OFFSET,
            "holds checkpoints of a run; --resume goes on with it, or give another folder");
    return !path || train_restore(t, path, e);
}

static bool prepare(struct train *t, struct err *e)
{
    const struct config_steps *s = &t->config.steps;
    numerics_thread();
    t->config_digest = sha256_of(t->config.text);
    t->facts.seed = t->config.seed;
    t->facts.steps = s->steps;
    t->facts.record_every = s->record_every;
    t->facts.checkpoint_every = s->checkpoint_every;
    t->facts.validate_every = s->validate_every;
    char *name = arena_str(t->arena, t->config.name);
    t->facts.name = name;
    if (!name)
        return no_memory(e);
    if (!load_licence(t, e) || !read_data(t, e) || !make_network(t, e) || !load_documents(t, e) ||
        !make_room(t, e))
        return false;
    digest_of_program(t);
    name_run(t);
    if (t->options.dry)
        return true;
    return make_folder(t->options.output, e) && go_on(t, e);
}

static struct train *train_new(const struct train_options *o, struct err *e)
{
    struct train *t = calloc(1, sizeof *t);
    if (t) {
        t->options = *o;
        t->arena = arena_new(ARENA_MAX);
    }
    if (t && t->arena)
        return t;
    free(t);
    no_memory(e);
    return NULL;
}

bool train_open(struct train **out, const char *config, const struct train_options *o,
                struct err *e)
{
    struct train *t = train_new(o, e);
    *out = t;
    if (t && train_config_read(&t->config, config, t->arena, e) && prepare(t, e))
        return true;
    train_close(t);
    *out = NULL;
    return false;
}

bool train_open_text(struct train **out, struct span config, const char *folder,
                     const struct train_options *o, struct err *e)
{
    struct train *t = train_new(o, e);
    struct span text = t ? arena_span(t->arena, config) : SPAN_EMPTY;
    *out = t;
    if (t &&
        train_config_parse(&t->config, text, "configuration in the log", folder, t->arena, e) &&
        prepare(t, e))
        return true;
    train_close(t);
    *out = NULL;
    return false;
}

void train_close(struct train *t)
{
    if (!t)
        return;
    activations_free(t->activations);
    team_free(t->team);
    template_free(t->chats);
    tokenizer_free(t->tokenizer);
    model_free(t->base.model);
    arena_free(t->epoch_arena);
    arena_free(t->arena);
    free(t);
}

const struct train_facts *train_facts(const struct train *t)
{
    return &t->facts;
}

uint64_t train_steps_done(const struct train *t)
{
    return t->step;
}

const char *train_run_id(const struct train *t)
{
    return t->run_id;
}
