/*
 * train_dump FOLDER: what tests/conformance/train_torch.py compares with
 * PyTorch: weights, a batch and its gradients of a tiny network, with and
 * without an adapter; and a run of fifty steps with its windows and losses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/random.h"
#include "train/run.h"

enum { SEQUENCES = 4, LENGTH = 24, ROWS = SEQUENCES * LENGTH, STEPS = 50 };

static const char *folder;

static void fail(const char *what)
{
    fprintf(stderr, "train_dump: %s\n", what);
    exit(1);
}

static void dump(const char *name, const void *p, size_t n, const char *mode)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, mode);
    if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0)
        fail(path);
}

static void dump_network(const struct network *n, const char *prefix)
{
    for (size_t i = 0; i < n->count; i++) {
        const struct parameter *p = &n->parameters[i];
        char name[200];
        size_t bytes = p->rows * p->columns * sizeof(float);
        snprintf(name, sizeof name, "%s.w.%s", prefix, p->name);
        dump(name, p->w, bytes, "wb");
        snprintf(name, sizeof name, "%s.g.%s", prefix, p->name);
        if (p->trained)
            dump(name, p->g, bytes, "wb");
    }
}

static void gradients(const char *prefix, const struct adapter_plan *plan, struct arena *a,
                      struct team *team)
{
    static const struct shape shape = {2, 32, 48, 4, 2, 8, 61, LENGTH, 1e-5f, 10000, true};
    static uint32_t tokens[ROWS], targets[ROWS], wide[ROWS];
    static uint8_t counts[ROWS];
    struct activations *acts;
    struct network *n;
    struct err e = ERR_INIT;
    double loss = 0;
    size_t bad, counted = 0;
    if (!network_new(&n, &shape, plan, a, &e) ||
        !activations_new(&acts, n, ROWS, team_threads(team), &e))
        fail(e.text);
    for (size_t i = 0; i < n->count; i++)
        random_normal(n->parameters[i].w, n->parameters[i].rows * n->parameters[i].columns, 3,
                      RANDOM_WEIGHTS, i, n->parameters[i].rank == 1 ? 1 : 0.2f);
    for (size_t i = 0; i < ROWS; i++) {
        tokens[i] = (uint32_t)(random_bits(3, RANDOM_ORDER, 0, i) % shape.vocabulary);
        targets[i] = (uint32_t)(random_bits(3, RANDOM_ORDER, 1, i) % shape.vocabulary);
        counts[i] = random_bits(3, RANDOM_ORDER, 2, i) % 3 != 0;
        wide[i] = counts[i];
        counted += counts[i];
    }
    struct batch b = {SEQUENCES, LENGTH, tokens, targets, counts};
    network_clear(n);
    if (!network_run(n, acts, &b, 1 / (float)counted, &loss, &bad, team))
        fail("the loss is not finite");
    network_gather(n);
    dump("tokens", tokens, sizeof tokens, "wb");
    dump("targets", targets, sizeof targets, "wb");
    dump("counts", wide, sizeof wide, "wb");
    dump_network(n, prefix);
    printf("{\"%s_loss\":%.17g}\n", prefix, loss / (double)counted);
    activations_free(acts);
}

/* ---- fifty steps ---- */

static const char config[] =
    "name: torch\nvocabulary: 300\n"
    "model: {layers: 2, width: 32, ffn: 48, heads: 4, kv_heads: 2, context: 32}\n"
    "data: [{name: d, files: [{path: d.jsonl, format: jsonl}]}]\n"
    "training: {steps: 50, batch: 4, accumulate: 2, learning_rate: 5e-3, min_learning_rate: 5e-4,\n"
    "  warmup: 5, weight_decay: 0.1, clip: 0.5}\n";

static void write_data(void)
{
    static const char *const words[] = {"red", "blue", "cat", "dog", "runs", "sleeps", "the", "a"};
    char text[16384] = "";
    for (size_t i = 0; i < 120; i++) {
        strcat(text, "{\"text\":\"");
        for (size_t k = 0; k < 6; k++) {
            strcat(text, words[random_bits(4, RANDOM_ORDER, i, k) % 8]);
            strcat(text, k < 5 ? " " : ".\"}\n");
        }
    }
    dump("d.jsonl", text, strlen(text), "wb");
    dump("run.yaml", config, sizeof config - 1, "wb");
}

static void dump_windows(const struct train *t, uint64_t step)
{
    size_t context = t->network->shape.context, windows = 8;
    uint32_t tokens[32], targets[32], wide[32];
    uint8_t counts[32];
    struct epoch p = {.count = 0};
    struct arena *a = arena_new(64 << 20);
    struct err e = ERR_INIT;
    uint64_t first = 0, number = 0;
    for (size_t i = 0; i < windows; i++) {
        uint64_t window = step * windows + i;
        while (p.count == 0 || window >= first + p.count) {
            first += p.count;
            if (!epoch_make(&p, &t->data, t->config.seed, number++, false, true, context, a, &e))
                fail(e.text);
        }
        window_fill(&t->data, &p, (size_t)(window - first), context, tokens, targets, counts);
        for (size_t k = 0; k < context; k++)
            wide[k] = counts[k];
        dump("windows", tokens, sizeof tokens, "ab");
        dump("windows", targets, sizeof targets, "ab");
        dump("windows", wide, sizeof wide, "ab");
    }
    arena_free(a);
}

static void fifty_steps(void)
{
    char path[4096];
    struct train_options o = {.output = folder, .dry = true};
    struct train *t;
    struct train_step s;
    struct err e = ERR_INIT;
    write_data();
    snprintf(path, sizeof path, "%s/run.yaml", folder);
    if (!train_open(&t, path, &o, &e))
        fail(e.text);
    dump_network(t->network, "run");
    dump("windows", "", 0, "wb");
    for (uint64_t i = 0; i < STEPS; i++) {
        dump_windows(t, i);
        if (!train_step(t, &s, &e))
            fail(e.text);
        printf("{\"loss\":%.17g,\"rate\":%.17g,\"norm\":%.17g}\n", s.loss, s.rate, s.norm);
    }
    dump_network(t->network, "end");
    train_close(t);
}

int main(int argc, char **argv)
{
    struct arena *a = arena_new(256 << 20);
    struct team *team = team_new(0);
    struct adapter_plan none = {.rank = 0};
    struct adapter_plan lora = {4, 8, {true, true, true, true, true, true, true}};
    if (argc != 2 || !a || !team)
        fail("usage: train_dump FOLDER");
    folder = argv[1];
    gradients("full", &none, a, team);
    gradients("lora", &lora, a, team);
    fifty_steps();
    team_free(team);
    arena_free(a);
    return 0;
}
