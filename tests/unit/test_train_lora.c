/*
 * Fine-tuning: the same adapter from a base's GGUF file and from its folder,
 * loaded by the engine at run time, and merged; what a base must be.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assay/base/file.h"
#include "assay/engine.h"
#include "assay/inspect.h"
#include "support/folder.h"
#include "train/run.h"

static struct folder here;
static struct arena *arena;

enum { BASE_STEPS = 30, TUNE_STEPS = 20, VOCABULARY_MAX = 300 };

static const char *in(const char *name)
{
    const char *p = arena_printf(arena, "%s/%s", here.path, name);
    assert_non_null(p);
    return p;
}

static struct train *opened(const char *config, const char *text, const char *output)
{
    struct train_options o = {.output = output, .threads = 2};
    struct train *t;
    struct err e = ERR_INIT;
    assert_true(folder_put(&here, config, span_str(text)));
    if (!train_open(&t, in(config), &o, &e))
        print_error("%s: %s\n", e.file, e.text);
    assert_int_equal(e.code, ERR_NONE);
    return t;
}

static struct train_step run_to(struct train *t, uint64_t step)
{
    struct train_step s = {.step = 0};
    struct err e = ERR_INIT;
    while (train_steps_done(t) < step)
        assert_true(train_step(t, &s, &e));
    return s;
}

static int begin(void **state)
{
    (void)state;
    const char *folder;
    char lines[4096] = "", other[4096] = "";
    struct err e = ERR_INIT;
    for (int i = 0; i < 20; i++) {
        strcat(lines, i % 2 ? "{\"text\":\"Mira walks to the mill.\"}\n"
                            : "{\"text\":\"Tobin walks to the lake.\"}\n");
        strcat(other, "{\"text\":\"Mira swims to the lake and sings.\"}\n");
    }
    arena = arena_new(64 << 20);
    if (!arena || !folder_make(&here) || !folder_put(&here, "a.jsonl", span_str(lines)) ||
        !folder_put(&here, "b.jsonl", span_str(other)))
        return -1;
    struct train *t =
        opened("base.yaml",
               "name: base\nvocabulary: 300\n"
               "model: {layers: 2, width: 32, ffn: 48, heads: 4, kv_heads: 2, context: 32}\n"
               "data: [{name: a, files: [{path: a.jsonl, format: jsonl}]}]\n"
               "training: {steps: 30, batch: 2, learning_rate: 1e-2}\n"
               "write: [F32]\n",
               in("base"));
    run_to(t, BASE_STEPS);
    bool ok = train_export(t, &folder, &e);
    train_close(t);
    return ok ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    folder_remove(&here);
    return 0;
}

static const char *tune(const char *base, const char *lora, const char *context)
{
    return arena_printf(arena,
                        "name: tuned\nlicence: MIT\nbase: %s\nlora: %s\n"
                        "data: [{name: b, files: [{path: b.jsonl, format: jsonl}]}]\n"
                        "training: {steps: 20, batch: 2, context: %s, learning_rate: 1e-2, "
                        "weight_decay: 0}\n",
                        base, lora, context);
}

static const char all[] =
    "{rank: 4, alpha: 8, targets: [q_proj, k_proj, v_proj, o_proj, gate_proj, "
    "up_proj, down_proj]}";

/* The weights of a base, as a run that tunes it has them. */
static struct network *loaded(const char *base, const struct adapter_plan *plan)
{
    struct train t = {.arena = arena};
    struct shape shape;
    struct err e = ERR_INIT;
    t.config.folder = here.path;
    t.config.base = span_str(base);
    t.config.steps.context = 32;
    assert_true(base_open(&t, &shape, &e));
    assert_true(network_new(&t.network, &shape, plan, arena, &e));
    assert_true(base_load(&t, &e));
    model_free(t.base.model);
    return t.network;
}

/* GGUF's rows of q and k stand in another order; the files of one run hold one model. */
static void gguf_and_folder_are_the_same_base(void **state)
{
    (void)state;
    struct adapter_plan plan = {.rank = 1, .alpha = 1, .target = {true}};
    struct network *a = loaded("base/base-f32.gguf", &plan), *b = loaded("base/model", &plan);
    for (size_t i = 0; i < a->base_count; i++)
        assert_memory_equal(a->parameters[i].w, b->parameters[i].w,
                            a->parameters[i].rows * a->parameters[i].columns * sizeof(float));
}

static void tuning_learns_and_leaves_an_adapter(void **state)
{
    (void)state;
    struct train *t = opened("g.yaml", tune("base/base-f32.gguf", all, "32"), in("tuned"));
    struct train_step first = run_to(t, 1), last = run_to(t, TUNE_STEPS);
    const char *folder;
    struct err e = ERR_INIT;
    assert_true(last.loss < first.loss / 2);
    assert_true(train_export(t, &folder, &e));
    train_close(t);
}

static void the_adapter_reads_back_as_one_with_the_recorded_root(void **state)
{
    (void)state;
    struct train *t = opened("g.yaml", tune("base/base-f32.gguf", all, "32"), in("again"));
    struct digest root;
    struct model *m;
    struct facts f;
    struct scan s;
    struct identity id;
    struct scan_options o = {.digests = true};
    struct err e = ERR_INIT;
    run_to(t, TUNE_STEPS);
    assert_true(train_root(t, &root, &e));
    train_close(t);
    assert_true(model_read(&m, in("tuned/adapter"), NULL, &e));
    assert_true(inspect_facts(&f, m, &e) && inspect_scan(&s, m, &o, &e) &&
                inspect_identity(&id, m, &f, &s, &e));
    assert_true(f.architecture.is_adapter);
    assert_int_equal(f.architecture.adapter.rank, 4);
    assert_int_equal(m->verdict.count, 0);
    assert_true(digest_eq(&id.tensor_root, &root));
    model_free(m);
}

/* ---- the same numbers in the engine, and merged ---- */

static float engine_logits[VOCABULARY_MAX];
static bool engine_done;

static void keep_logits(void *arg, uint32_t position, const float *logits, size_t n)
{
    (void)arg;
    (void)position;
    assert_true(n <= VOCABULARY_MAX);
    memcpy(engine_logits, logits, n * sizeof *logits);
}

static void note_done(void *arg, const struct engine_result *r)
{
    (void)arg;
    assert_int_not_equal(r->finish, ENGINE_FAILED);
    engine_done = true;
}

static void ask_engine(const uint32_t *ids, size_t n, const char *adapter)
{
    struct engine_adapter one = {adapter, 1};
    struct engine_options o = {.threads = 1, .adapters = &one, .adapter_count = adapter ? 1 : 0};
    struct engine_request r = {.tokens = ids, .count = n, .max_tokens = 1};
    struct engine *g;
    uint64_t id;
    bool work = true;
    struct err e = ERR_INIT;
    r.sampling = engine_greedy();
    r.logits = keep_logits;
    r.done = note_done;
    engine_done = false;
    if (!engine_load(&g, in("base/base-f32.gguf"), &o, &e))
        print_error("%s: %s\n", e.file, e.text);
    assert_int_equal(e.code, ERR_NONE);
    assert_true(engine_submit(g, &r, &id, &e));
    while (work && !engine_done)
        assert_true(engine_step(g, &work, &e));
    engine_free(g);
}

static const float *trained_logits(struct train *t, struct network *n, const struct tokens *ids)
{
    struct batch b = {1, ids->n, ids->id, ids->id, t->counts};
    double loss = 0;
    size_t bad;
    memset(t->counts, 0, ids->n);
    assert_true(network_run(n, t->activations, &b, 0, &loss, &bad, t->team));
    return network_logits(n, t->activations, ids->n - 1, t->team);
}

static double largest_difference(const float *a, const float *b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

/* w + scale b a, in a network without an adapter. */
static struct network *merged(const struct network *n)
{
    struct network *m;
    struct adapter_plan none = {.rank = 0};
    struct err e = ERR_INIT;
    assert_true(network_new(&m, &n->shape, &none, arena, &e));
    for (size_t i = 0; i < n->base_count; i++)
        memcpy(m->parameters[i].w, n->parameters[i].w,
               n->parameters[i].rows * n->parameters[i].columns * sizeof(float));
    for (size_t l = 0; l < n->shape.layers; l++)
        for (size_t k = 0; k < LAYER_MATRICES; k++) {
            const struct matrix *x = &n->layers[l].m[k];
            struct matrix *y = &m->layers[l].m[k];
            for (size_t i = 0; i < x->rows; i++)
                for (size_t j = 0; j < x->columns; j++)
                    for (size_t r = 0; r < x->adapter->rank; r++)
                        y->w[i * x->columns + j] += x->adapter->scale *
                                                    x->adapter->b[i * x->adapter->rank + r] *
                                                    x->adapter->a[r * x->columns + j];
        }
    return m;
}

static void the_engine_computes_what_was_trained(void **state)
{
    (void)state;
    struct train *t = opened("g.yaml", tune("base/base-f32.gguf", all, "32"), in("logits"));
    float base[VOCABULARY_MAX], tuned[VOCABULARY_MAX];
    struct tokens ids = {.max = 32};
    struct err e = ERR_INIT;
    size_t vocabulary = t->network->shape.vocabulary;
    assert_true(tokenizer_encode_text(&ids, t->tokenizer, span_str("Mira swims to"), false,
                                      ENCODE_PLAIN, &e));
    memcpy(base, trained_logits(t, t->network, &ids), vocabulary * sizeof *base);
    ask_engine(ids.id, ids.n, NULL);
    assert_true(largest_difference(base, engine_logits, vocabulary) < 0.01);
    run_to(t, TUNE_STEPS);
    memcpy(tuned, trained_logits(t, t->network, &ids), vocabulary * sizeof *tuned);
    ask_engine(ids.id, ids.n, in("tuned/adapter"));
    assert_true(largest_difference(tuned, engine_logits, vocabulary) < 0.01);
    assert_true(largest_difference(tuned, base, vocabulary) > 1);
    const float *whole = trained_logits(t, merged(t->network), &ids);
    assert_true(largest_difference(tuned, whole, vocabulary) < 1e-4);
    tokens_free(&ids);
    train_close(t);
}

/* ---- refusals ---- */

static void expect_refused(const char *text, enum err_code code)
{
    struct train_options o = {.output = in("none"), .threads = 1};
    struct train *t;
    struct err e = ERR_INIT;
    assert_true(folder_put(&here, "x.yaml", span_str(text)));
    assert_false(train_open(&t, in("x.yaml"), &o, &e));
    assert_int_equal(e.code, code);
}

static void bases_that_cannot_be_tuned_are_refused(void **state)
{
    (void)state;
    expect_refused(tune("base/none.gguf", all, "32"), ERR_IO);
    expect_refused(tune("base/base-f32.gguf", all, "64"), ERR_UNSUPPORTED); /* its context is 32 */
    expect_refused(tune("tuned/adapter", all, "32"), ERR_UNSUPPORTED);
    expect_refused(tune("a.jsonl", all, "32"), ERR_UNSUPPORTED);
    expect_refused(tune("base/base-f32.gguf", "{rank: 4, targets: [z_proj]}", "32"), ERR_CONFIG);
    expect_refused(tune("base/base-f32.gguf", "{rank: 0, targets: [q_proj]}", "32"), ERR_CONFIG);
}

/* ---- bases made to mislead ---- */

static struct span read_file(const char *path)
{
    struct span s;
    struct err e = ERR_INIT;
    assert_true(file_read(&s, path, 1 << 22, false, arena, &e));
    return s;
}

static void replace(const char *path, const char *was, const char *is)
{
    const char *text = arena_str(arena, read_file(path)), *at = strstr(text, was);
    struct err e = ERR_INIT;
    assert_non_null(at);
    const char *changed =
        arena_printf(arena, "%.*s%s%s", (int)(at - text), text, is, at + strlen(was));
    assert_true(file_replace(path, span_str(changed), false, &e));
}

/* The folder of the base under another name. */
static void copy_base(const char *name)
{
    static const char *const files[] = {"config.json", "tokenizer.json", "tokenizer_config.json",
                                        "model.safetensors"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_true(folder_put(&here, arena_printf(arena, "%s/%s", name, files[i]),
                               read_file(in(arena_printf(arena, "base/model/%s", files[i])))));
}

static struct err refusal(const char *base)
{
    struct train_options o = {.output = in("none"), .threads = 1};
    struct train *t;
    struct err e = ERR_INIT;
    assert_true(folder_put(&here, "x.yaml", span_str(tune(base, all, "32"))));
    assert_false(train_open(&t, in("x.yaml"), &o, &e));
    return e;
}

/* Layers, width and vocabulary are counted from the tensors; what the configuration alone says is
 * bounded before anything is allocated by it. */
static void a_base_that_says_it_is_huge_is_refused(void **state)
{
    (void)state;
    static const char *const claims[][2] = {
        {"\"num_attention_heads\": 4", "\"num_attention_heads\": 900000000"},
        {"\"head_dim\": 8", "\"head_dim\": 900000000"},
    };
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        copy_base("huge");
        replace(in("huge/config.json"), claims[i][0], claims[i][1]);
        struct err e = refusal("huge");
        assert_int_equal(e.code, ERR_UNSUPPORTED);
        assert_non_null(strstr(e.text, "larger than any"));
    }
}

/* Within the bounds, and not what the file holds. */
static void a_base_whose_tensors_are_of_another_shape_is_refused(void **state)
{
    (void)state;
    copy_base("shape");
    replace(in("shape/config.json"), "\"num_attention_heads\": 4", "\"num_attention_heads\": 8");
    struct err e = refusal("shape");
    assert_int_equal(e.code, ERR_FORMAT);
    assert_non_null(strstr(e.text, "q_proj"));
}

/* The base's weights with one tensor more. */
static void put_with(const char *path, const char *extra)
{
    struct model *m;
    struct model_writer *w;
    struct write_tensor tensors[64];
    struct metadata_list pairs;
    struct err e = ERR_INIT;
    uint8_t row[32 * 4] = {0};
    assert_true(model_read(&m, in("base/model/model.safetensors"), NULL, &e));
    size_t n = m->tensor_count;
    assert_true(n < 63);
    for (size_t i = 0; i < n; i++) {
        tensors[i] =
            (struct write_tensor){m->tensors[i].name, m->tensors[i].dtype, m->tensors[i].rank, {0}};
        memcpy(tensors[i].shape, m->tensors[i].shape, sizeof tensors[i].shape);
    }
    tensors[n] = (struct write_tensor){span_str(extra), DTYPE_F32, 1, {32}};
    metadata_init(&pairs, arena);
    assert_true(safetensors_begin(&w, path, &pairs, tensors, n + 1, &e));
    for (size_t i = 0; i < n; i++) {
        uint8_t *bytes = arena_alloc(arena, (size_t)m->tensors[i].data.length);
        assert_true(source_read(m->files[0].source, bytes, m->tensors[i].data.offset,
                                (size_t)m->tensors[i].data.length, &e));
        assert_true(model_writer_put(w, bytes, (size_t)m->tensors[i].data.length, &e));
    }
    assert_true(model_writer_put(w, row, sizeof row, &e));
    assert_true(model_writer_finish(w, &e));
    model_free(m);
}

static void a_tensor_that_would_be_left_out_is_named(void **state)
{
    (void)state;
    copy_base("more");
    put_with(in("more/model.safetensors"), "model.layers.1.self_attn.k_proj.bias");
    struct err e = refusal("more");
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    assert_non_null(strstr(e.text, "model.layers.1.self_attn.k_proj.bias"));
    put_with(in("more/model.safetensors"), "model.layers.0.self_attn.rotary_emb.inv_freq");
    struct train *t = opened("y.yaml", tune("more", all, "32"), in("derived"));
    train_close(t);
}

static void a_checkpoint_under_another_template_is_refused(void **state)
{
    (void)state;
    struct train_options o = {.output = in("chats"), .threads = 1, .resume = true};
    struct digest d;
    struct err e = ERR_INIT;
    copy_base("chatty");
    assert_true(folder_put(&here, "c.jsonl",
                           span_str("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},"
                                    "{\"role\":\"assistant\",\"content\":\"b\"}]}\n")));
    const char *text = "name: tuned\nbase: chatty\nlora: {rank: 2, targets: [q_proj]}\n"
                       "data: [{name: c, files: [{path: c.jsonl, format: chat}]}]\n"
                       "training: {steps: 2, batch: 1, context: 32}\n";
    struct train *t = opened("chat.yaml", text, o.output);
    assert_true(train_checkpoint(t, &d, &e));
    train_close(t);
    assert_true(train_open(&t, in("chat.yaml"), &o, &e));
    train_close(t);
    replace(in("chatty/tokenizer_config.json"), "'<|im_end|>' + '", "'<|im_end|>' + ' ");
    assert_false(train_open(&t, in("chat.yaml"), &o, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    assert_non_null(strstr(e.text, "chat template"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gguf_and_folder_are_the_same_base),
        cmocka_unit_test(tuning_learns_and_leaves_an_adapter),
        cmocka_unit_test(the_adapter_reads_back_as_one_with_the_recorded_root),
        cmocka_unit_test(the_engine_computes_what_was_trained),
        cmocka_unit_test(bases_that_cannot_be_tuned_are_refused),
        cmocka_unit_test(a_base_that_says_it_is_huge_is_refused),
        cmocka_unit_test(a_base_whose_tensors_are_of_another_shape_is_refused),
        cmocka_unit_test(a_tensor_that_would_be_left_out_is_named),
        cmocka_unit_test(a_checkpoint_under_another_template_is_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
