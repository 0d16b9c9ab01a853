/* Reading a run's configuration; what it does not say is preset here. */
#include "train/config.h"

#include <string.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/numerics.h"

#define AT(type, member) offsetof(struct type, member)
#define DECIMAL(type, name, member)                                                                \
    {                                                                                              \
        name, CONFIG_DECIMAL, AT(type, member), .required = false                                  \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, CONFIG_ANY, 0, .required = false                                                     \
    }

static const char *const formats[] = {"text", "jsonl", "chat", NULL};
static const char *const losses[] = {"answers", "all", NULL};
static const char *const too_long[] = {"refuse", "split", "skip", NULL};
static const char *const types[] = {"F32",  "F16",  "BF16", "Q8_0", "Q5_1",
                                    "Q5_0", "Q4_1", "Q4_0", NULL};
static const char *const plain_types[] = {"F32", "F16", "BF16", NULL};
static const char *const targets[] = {"q_proj",    "k_proj",  "v_proj",    "o_proj",
                                      "gate_proj", "up_proj", "down_proj", NULL};

static const struct config_field file_fields[] = {
    {"path", CONFIG_TEXT, AT(config_file, path), .required = true, .min = 1},
    {"format", CONFIG_WORD, AT(config_file, format), .required = true, .words = formats},
    {"loss", CONFIG_WORD, AT(config_file, loss), .words = losses},
    {"too_long", CONFIG_WORD, AT(config_file, too_long), .words = too_long},
    END,
};
static const struct config_field dataset_fields[] = {
    {"name", CONFIG_TEXT, AT(config_dataset, name), .required = true, .min = 1, .max = 200},
    {"licence", CONFIG_TEXT, AT(config_dataset, licence), .max = 200},
    {"source", CONFIG_TEXT, AT(config_dataset, source), .max = 500},
    {"card", CONFIG_TEXT, AT(config_dataset, card), .required = false},
    {"files", CONFIG_OBJECTS, AT(config_dataset, files), .required = true, .min = 1, .max = 64,
     .fields = file_fields, .size = sizeof(struct config_file)},
    END,
};
#define SECTION(name)                                                                              \
    {                                                                                              \
#name, CONFIG_TEXT, AT(config_card, name), .min = 1, .max = 4000                           \
    }
static const struct config_field card_fields[] = {
    {"languages", CONFIG_TEXTS, AT(config_card, languages), .max = 64},
    {"tags", CONFIG_TEXTS, AT(config_card, tags), .max = 64},
    {"authors", CONFIG_TEXT, AT(config_card, authors), .min = 1, .max = 200},
    SECTION(intended_use),
    SECTION(out_of_scope),
    SECTION(limitations),
    SECTION(bias),
    SECTION(how_to_use),
    SECTION(contact),
    SECTION(citation),
    END,
};
static const struct config_field model_fields[] = {
    {"layers", CONFIG_INTEGER, AT(config_model, layers), .required = true, .min = 1, .max = 256},
    {"width", CONFIG_INTEGER, AT(config_model, width), .required = true, .min = 1, .max = 16384},
    {"ffn", CONFIG_INTEGER, AT(config_model, ffn), .required = true, .min = 1, .max = 65536},
    {"heads", CONFIG_INTEGER, AT(config_model, heads), .required = true, .min = 1, .max = 256},
    {"kv_heads", CONFIG_INTEGER, AT(config_model, kv_heads), .min = 1, .max = 256},
    {"context", CONFIG_INTEGER, AT(config_model, context), .required = true, .min = 2,
     .max = 65536},
    DECIMAL(config_model, "rope_base", rope_base),
    DECIMAL(config_model, "norm_eps", norm_eps),
    END,
};
static const struct config_field lora_fields[] = {
    {"rank", CONFIG_INTEGER, AT(config_lora, rank), .required = true, .min = 1, .max = 512},
    DECIMAL(config_lora, "alpha", alpha),
    {"targets", CONFIG_TEXTS, AT(config_lora, targets), .required = true, .min = 1, .max = 7,
     .words = targets},
    END,
};
static const struct config_field steps_fields[] = {
    {"steps", CONFIG_INTEGER, AT(config_steps, steps), .required = true, .min = 1,
     .max = 100000000},
    {"batch", CONFIG_INTEGER, AT(config_steps, batch), .min = 1, .max = 4096},
    {"accumulate", CONFIG_INTEGER, AT(config_steps, accumulate), .min = 1, .max = 4096},
    {"warmup", CONFIG_INTEGER, AT(config_steps, warmup), .required = false},
    {"context", CONFIG_INTEGER, AT(config_steps, context), .min = 2, .max = 65536},
    {"record_every", CONFIG_INTEGER, AT(config_steps, record_every), .min = 1},
    {"checkpoint_every", CONFIG_INTEGER, AT(config_steps, checkpoint_every), .min = 1},
    {"validate_every", CONFIG_INTEGER, AT(config_steps, validate_every), .min = 1},
    DECIMAL(config_steps, "learning_rate", rate),
    DECIMAL(config_steps, "min_learning_rate", least_rate),
    DECIMAL(config_steps, "weight_decay", decay),
    DECIMAL(config_steps, "beta1", beta1),
    DECIMAL(config_steps, "beta2", beta2),
    DECIMAL(config_steps, "eps", eps),
    DECIMAL(config_steps, "clip", clip),
    {"packing", CONFIG_BOOL, AT(config_steps, packing), .required = false},
    END,
};
static const struct config_field fields[] = {
    {"name", CONFIG_TEXT, AT(train_config, name), .required = true, .min = 1, .max = 100},
    {"title", CONFIG_TEXT, AT(train_config, title), .max = 200},
    {"description", CONFIG_TEXT, AT(train_config, description), .max = 4000},
    {"licence", CONFIG_TEXT, AT(train_config, licence), .max = 100},
    {"licence_file", CONFIG_TEXT, AT(train_config, licence_file), .min = 1},
    {"card", CONFIG_OBJECT, AT(train_config, card), .fields = card_fields},
    {"seed", CONFIG_INTEGER, AT(train_config, seed), .required = false},
    {"base", CONFIG_TEXT, AT(train_config, base),
     .line = CONFIG_LINE(struct train_config, base_line)},
    {"model", CONFIG_OBJECT, AT(train_config, model), .fields = model_fields,
     .line = CONFIG_LINE(struct train_config, model_line)},
    {"vocabulary", CONFIG_INTEGER, AT(train_config, vocabulary), .min = 259, .max = 8192},
    {"lora", CONFIG_OBJECT, AT(train_config, lora), .fields = lora_fields,
     .line = CONFIG_LINE(struct train_config, lora_line)},
    {"data", CONFIG_OBJECTS, AT(train_config, data), .required = true, .min = 1,
     .max = CONFIG_MAX_DATASETS, .fields = dataset_fields, .size = sizeof(struct config_dataset)},
    {"validation", CONFIG_OBJECTS, AT(train_config, validation), .max = 16, .fields = file_fields,
     .size = sizeof(struct config_file)},
    {"training", CONFIG_OBJECT, AT(train_config, steps), .required = true, .fields = steps_fields},
    {"safetensors", CONFIG_WORD, AT(train_config, safetensors), .words = plain_types},
    {"write", CONFIG_TEXTS, AT(train_config, write), .max = 8, .words = types},
    END,
};

static struct span preset(const char *decimal)
{
    return span_str(decimal);
}

static void presets(struct train_config *c)
{
    c->seed = 1;
    c->vocabulary = 1024;
    c->model.rope_base = preset("10000");
    c->model.norm_eps = preset("1e-5");
    c->lora.alpha = preset("16");
    c->steps = (struct config_steps){.batch = 8,
                                     .accumulate = 1,
                                     .context = 256,
                                     .record_every = 10,
                                     .checkpoint_every = 100,
                                     .validate_every = 100,
                                     .rate = preset("1e-3"),
                                     .least_rate = preset("0"),
                                     .decay = preset("0.1"),
                                     .beta1 = preset("0.9"),
                                     .beta2 = preset("0.95"),
                                     .eps = preset("1e-8"),
                                     .clip = preset("1"),
                                     .packing = true};
}

double train_config_number(struct span decimal)
{
    double v = 0;
    return text_to_double(decimal, &v) ? v : 0;
}

static bool judge_model(const struct train_config *c, struct err *e)
{
    const struct config_model *m = &c->model;
    if (c->base.n && c->model_line)
        return config_error(
            &c->yaml, c->model_line, e,
            "'model' describes a new network and 'base' names one: keep one of them");
    if (!c->base.n && !c->model_line)
        return config_error(&c->yaml, 1, e,
                            "'model' (a new network) or 'base' (one to fine-tune) is missing");
    if (!c->base.n && c->lora_line)
        return config_error(&c->yaml, c->lora_line, e, "'lora' needs a 'base' to adapt");
    if (c->base.n && !c->lora_line)
        return config_error(&c->yaml, c->base_line, e,
                            "'base' is fine-tuned by 'lora', which is missing");
    if (!c->base.n && (m->width % m->heads || m->heads % m->kv_heads || m->width / m->heads % 2))
        return config_error(
            &c->yaml, c->model_line, e,
            "'width' must be 'heads' times an even number, and 'heads' a multiple of "
            "'kv_heads'");
    return true;
}

struct bound {
    const char *group, *key;
    struct span value;
    double least, below; /* least <= value < below */
    bool above;          /* and not least itself */
};

static bool judge_bound(const struct train_config *c, const struct bound *b, struct err *e)
{
    double v = train_config_number(b->value);
    if ((b->above ? v > b->least : v >= b->least) && v < b->below)
        return true;
    struct json at = json_get(json_get(c->yaml.root, b->group), b->key);
    return config_error(&c->yaml, json_type(at) ? yaml_line(&c->yaml, at) : 1, e,
                        "'%s' is %s %g and below %g, not %.*s", b->key,
                        b->above ? "above" : "at least", b->least, b->below, (int)b->value.n,
                        (const char *)b->value.p);
}

static bool judge_steps(const struct train_config *c, struct err *e)
{
    const struct config_steps *s = &c->steps;
    const struct bound bounds[] = {
        {"training", "learning_rate", s->rate, 0, 1e9, true},
        {"training", "min_learning_rate", s->least_rate, 0, 1e9, false},
        {"training", "weight_decay", s->decay, 0, 1e9, false},
        {"training", "beta1", s->beta1, 0, 1, false},
        {"training", "beta2", s->beta2, 0, 1, false},
        {"training", "eps", s->eps, 0, 1e9, true},
        {"training", "clip", s->clip, 0, 1e9, true},
        {"model", "rope_base", c->model.rope_base, 0, 1e9, true},
        {"model", "norm_eps", c->model.norm_eps, 0, 1e9, true},
        {"lora", "alpha", c->lora.alpha, 0, 1e9, true},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        if (!judge_bound(c, &bounds[i], e))
            return false;
    struct json least = json_get(json_get(c->yaml.root, "training"), "min_learning_rate");
    return train_config_number(s->least_rate) <= train_config_number(s->rate) ||
           config_error(&c->yaml, yaml_line(&c->yaml, least), e,
                        "'min_learning_rate' is more than 'learning_rate'");
}

bool train_config_parse(struct train_config *out, struct span text, const char *file,
                        const char *folder, struct arena *a, struct err *e)
{
    memset(out, 0, sizeof *out);
    presets(out);
    out->folder = folder;
    out->text = text;
    if (!yaml_parse(&out->yaml, text, file, a, e) ||
        !config_read(out, &out->yaml, out->yaml.root, fields, a, e))
        return false;
    if (out->model.kv_heads == 0)
        out->model.kv_heads = out->model.heads;
    return judge_model(out, e) && judge_steps(out, e);
}

bool train_config_read(struct train_config *out, const char *path, struct arena *a, struct err *e)
{
    struct span text;
    const char *slash = strrchr(path, '/');
    char *folder = slash
                       ? arena_str(a, (struct span){(const uint8_t *)path, (size_t)(slash - path)})
                       : arena_str(a, span_str("."));
    if (!folder)
        return err_set(e, ERR_MEMORY, "out of memory for the configuration");
    return file_read(&text, path, YAML_MAX_TEXT, false, a, e) &&
           train_config_parse(out, text, path, slash == path ? "/" : folder, a, e);
}

const char *train_config_path(const struct train_config *c, struct span path, struct arena *a)
{
    if (path.n && path.p[0] == '/')
        return arena_str(a, path);
    return arena_printf(a, "%s/%.*s", c->folder, (int)path.n, (const char *)path.p);
}
