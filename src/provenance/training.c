/*
 * Training runs, as trainers leave them behind: Transformers' trainer_state.json,
 * PEFT's adapter_config.json, and YAML. Each file adds what it knows; the first
 * to say something is kept.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/provenance.h"
#include "assay/yaml.h"

enum { FILE_MAX = 64 << 20, SHOWN = 400, NAMES = 64 };

struct reading {
    struct training_run *t;
    struct arena *a;
    struct err *e;
    struct sha256 *config;
};

/* ---- values as text ---- */

static const char *text_of(struct reading *k, struct json v)
{
    struct span s;
    char shown[SHOWN + 8];
    bool truth;
    if (json_string(v, &s))
        return arena_str(k->a, span_str(text_shown(shown, sizeof shown, s)));
    if (json_bool(v, &truth))
        return truth ? "true" : "false";
    if (json_type(v) == JSON_NUMBER)
        return arena_str(k->a, json_text(v));
    if (json_type(v) == JSON_ARRAY && json_count(v) && json_type(json_first(v)) == JSON_STRING)
        return arena_str(k->a, span_str(text_shown(shown, sizeof shown, json_text(v))));
    return NULL;
}

static void keep(struct reading *k, const char **at, struct json v)
{
    if (!*at)
        *at = text_of(k, v);
}

static void hyper(struct reading *k, const char *name, const char *value)
{
    struct training_run *t = k->t;
    for (size_t i = 0; i < t->hyper_count; i++)
        if (strcmp(t->hyper[i].name, name) == 0)
            return;
    if (!name || !value || t->hyper_count == sizeof t->hyper / sizeof t->hyper[0])
        return;
    t->hyper[t->hyper_count].name = name;
    t->hyper[t->hyper_count++].value = value;
}

static void hyper_members(struct reading *k, struct json object)
{
    for (struct json m = json_first(object); json_type(object) == JSON_OBJECT && json_type(m);
         m = json_next(m)) {
        const char *name = arena_str(k->a, json_key(m));
        if (name)
            hyper(k, name, text_of(k, m));
    }
}

static void add_name(struct reading *k, const char ***list, size_t *n, const char *name)
{
    if (!name || *n == NAMES)
        return;
    for (size_t i = 0; i < *n; i++)
        if (strcmp((*list)[i], name) == 0)
            return;
    if (!*list)
        *list = arena_array(k->a, NAMES, sizeof **list);
    if (*list)
        (*list)[(*n)++] = name;
}

/* A text, a list of texts, or a list of mappings with a path or name. */
static void add_names(struct reading *k, const char ***list, size_t *n, struct json v)
{
    static const char *const keys[] = {"name", "path", "id", NULL};
    if (json_type(v) == JSON_STRING)
        add_name(k, list, n, text_of(k, v));
    for (struct json i = json_first(v); json_type(v) == JSON_ARRAY && json_type(i);
         i = json_next(i)) {
        const char *name = json_type(i) == JSON_STRING ? text_of(k, i) : NULL;
        for (size_t at = 0; !name && keys[at]; at++)
            name = text_of(k, json_get(i, keys[at]));
        add_name(k, list, n, name);
    }
}

/* The last value of a name is kept. */
static void metric(struct reading *k, const char *name, struct json v)
{
    struct training_run *t = k->t;
    const char *value = json_type(v) == JSON_NUMBER ? text_of(k, v) : NULL;
    for (size_t i = 0; value && i < t->metric_count; i++)
        if (strcmp(t->metrics[i].name, name) == 0) {
            t->metrics[i].value = value;
            return;
        }
    if (!value || t->metric_count == sizeof t->metrics / sizeof t->metrics[0])
        return;
    t->metrics[t->metric_count].name = name;
    t->metrics[t->metric_count++].value = value;
}

/* ---- the files ---- */

/* eval_accuracy and the like of one line of the history; how fast it was measured is no result. */
static void evaluation(struct reading *k, struct json line)
{
    for (struct json m = json_first(line); json_type(line) == JSON_OBJECT && json_type(m);
         m = json_next(m)) {
        struct span name = json_key(m);
        if (!span_starts(name, "eval_") || span_ends(name, "_per_second") ||
            span_is(name, "eval_runtime"))
            continue;
        const char *kept = arena_str(k->a, name);
        if (kept)
            metric(k, kept, m);
    }
}

static void trainer_state(struct reading *k, struct json root)
{
    struct training_run *t = k->t;
    uint64_t n;
    if (json_u64(json_get(root, "global_step"), &n))
        t->steps = n;
    if (json_u64(json_get(root, "num_input_tokens_seen"), &n))
        t->tokens = n;
    keep(k, &t->epochs, json_get(root, "epoch"));
    keep(k, &t->flops, json_get(root, "total_flos"));
    keep(k, &t->software, json_get(root, "transformers_version"));
    if (!t->method)
        t->method = "training by Transformers' Trainer";
    metric(k, "best_metric", json_get(root, "best_metric"));
    struct json history = json_get(root, "log_history"), last = JSON_NOTHING;
    for (struct json v = json_first(history); json_type(v); v = json_next(v)) {
        evaluation(k, v);
        last = json_type(json_get(v, "loss")) || json_type(json_get(v, "train_loss")) ? v : last;
    }
    metric(k, "loss", json_get(last, "loss"));
    metric(k, "train_loss", json_get(last, "train_loss"));
    if (json_type(json_get(last, "total_flos")))
        keep(k, &t->flops, json_get(last, "total_flos"));
}

static void adapter_config(struct reading *k, struct json root)
{
    static const char *const names[] = {"peft_type",      "r",         "lora_alpha", "lora_dropout",
                                        "target_modules", "task_type", "bias",       NULL};
    struct training_run *t = k->t;
    add_names(k, &t->base_models, &t->base_count, json_get(root, "base_model_name_or_path"));
    for (size_t i = 0; names[i]; i++)
        hyper(k, names[i], text_of(k, json_get(root, names[i])));
    const char *kind = text_of(k, json_get(root, "peft_type"));
    if (kind && (!t->method || strncmp(t->method, "training by", 11) == 0))
        t->method = arena_printf(k->a, "%s adapter (PEFT)", kind);
}

static void own_yaml(struct reading *k, struct json root)
{
    struct training_run *t = k->t;
    struct json compute = json_get(root, "compute");
    uint64_t n;
    struct {
        const char **at;
        struct json value;
    } texts[] = {
        {&t->name, json_get(root, "name")},
        {&t->method, json_get(root, "method")},
        {&t->code, json_get(root, "code")},
        {&t->environment, json_get(root, "environment")},
        {&t->seed, json_get(root, "seed")},
        {&t->started, json_get(root, "started")},
        {&t->finished, json_get(root, "finished")},
        {&t->flops, json_get(compute, "flops")},
        {&t->energy_kwh, json_get(compute, "energy_kwh")},
        {&t->hours, json_get(compute, "hours")},
        {&t->hardware, json_get(compute, "hardware")},
        {&t->optimizer, json_get(root, "optimizer")},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        keep(k, texts[i].at, texts[i].value);
    add_names(k, &t->base_models, &t->base_count, json_get(root, "base_model"));
    add_names(k, &t->base_models, &t->base_count, json_get(root, "base_models"));
    add_names(k, &t->datasets, &t->dataset_count, json_get(root, "datasets"));
    hyper_members(k, json_get(root, "hyperparameters"));
    /* axolotl and the like have them at the top */
    static const char *const top[] = {"learning_rate",
                                      "num_epochs",
                                      "micro_batch_size",
                                      "gradient_accumulation_steps",
                                      "optimizer",
                                      "lr_scheduler",
                                      "adapter",
                                      "lora_r",
                                      "lora_alpha",
                                      "sequence_len",
                                      "seed",
                                      "warmup_steps",
                                      "weight_decay",
                                      NULL};
    for (size_t i = 0; top[i]; i++)
        hyper(k, top[i], text_of(k, json_get(root, top[i])));
    if (json_u64(json_get(root, "steps"), &n))
        t->steps = n;
    if (json_u64(json_get(root, "tokens"), &n))
        t->tokens = n;
}

static void training_args(struct reading *k, struct json root)
{
    hyper_members(k, root);
    keep(k, &k->t->seed, json_get(root, "seed"));
}

static const struct {
    const char *name;
    void (*take)(struct reading *k, struct json root);
} known[] = {
    {"training.yaml", own_yaml},
    {"training.yml", own_yaml},
    {"trainer_state.json", trainer_state},
    {"adapter_config.json", adapter_config},
    {"training_args.json", training_args},
    {"axolotl.yaml", own_yaml},
    {"config.yaml", own_yaml},
};

enum { KNOWN = sizeof known / sizeof known[0] };

/* ---- reading ---- */

static bool take_file(struct reading *k, const char *path, const char *name, size_t which)
{
    struct span bytes;
    struct err why = ERR_INIT;
    struct json root;
    struct yaml y;
    struct training_run *t = k->t;
    bool json = span_ends(span_str(name), ".json");
    if (!file_read(&bytes, path, FILE_MAX, false, k->a, k->e))
        return false;
    sha256_update(k->config, bytes.p, bytes.n);
    if (t->file_count < sizeof t->files / sizeof t->files[0]) {
        t->file_digest[t->file_count] = sha256_of(bytes);
        t->file_bytes[t->file_count] = bytes.n;
        t->files[t->file_count++] = name;
    }
    if (json ? !json_parse(&root, bytes, JSON_KEEP_DUPLICATES, k->a, &why)
             : !yaml_parse(&y, bytes, name, k->a, &why)) {
        t->trouble = arena_printf(k->a, "%s cannot be read: %s", name, why.text);
        return t->trouble || err_set(k->e, ERR_MEMORY, "out of memory for a run");
    }
    known[which].take(k, json ? root : y.root);
    return true;
}

static bool take_folder(struct reading *k, const char *folder)
{
    for (size_t i = 0; i < KNOWN; i++) {
        struct stat st;
        const char *path = arena_printf(k->a, "%s/%s", folder, known[i].name);
        if (!path)
            return err_set(k->e, ERR_MEMORY, "out of memory for a run");
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && !take_file(k, path, known[i].name, i))
            return false;
    }
    return k->t->file_count ||
           err_at(
               k->e, ERR_FORMAT, folder, ERR_NO_OFFSET,
               "no training.yaml, trainer_state.json, adapter_config.json or training_args.json");
}

/* By its name, else as YAML of ours, or as a trainer's JSON by what it holds. */
static bool take_one(struct reading *k, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(known[i].name, name) == 0)
            return take_file(k, path, name, i);
    if (span_ends(span_str(name), ".json"))
        return take_file(k, path, name, 2);
    return take_file(k, path, name, 0);
}

bool training_read(struct training_run *out, const char *path, struct arena *a, struct err *e)
{
    struct stat st;
    *out = (struct training_run){.name = NULL};
    struct reading k = {.t = out, .a = a, .e = e, .config = sha256_new()};
    if (!k.config)
        return err_set(e, ERR_MEMORY, "out of memory for a run");
    sha256_start(k.config);
    bool ok = stat(path, &st) == 0 || err_errno(e, path, "cannot be opened");
    ok = ok && (S_ISDIR(st.st_mode) ? take_folder(&k, path) : take_one(&k, path));
    sha256_finish(k.config, &out->config);
    memcpy(out->id, out->config.b, sizeof out->id);
    sha256_free(k.config);
    return ok;
}
