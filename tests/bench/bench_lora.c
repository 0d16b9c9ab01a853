/*
 * A LoRA step on a network of SmolLM2-135M's shape: batch 1 x 256 tokens, rank
 * 8 on all seven matrices of a layer, forward, backward and AdamW. With PyTorch
 * in PYTHON's reach, tests/bench/lora_torch.py does the same beside it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "assay/base/clock.h"
#include "assay/numerics.h"
#include "train/network.h"
#include "train/random.h"

enum { LENGTH = 256, STEPS = 4, LAYERS = 30 };

static double step(struct network *n, struct activations *a, struct team *team)
{
    static uint32_t tokens[LENGTH], targets[LENGTH];
    static uint8_t counts[LENGTH];
    struct adamw move = {1e-4f, 0.9f, 0.999f, 1e-8f, 0, 0.1f, 0.001f, 1};
    struct batch b = {1, LENGTH, tokens, targets, counts};
    double loss = 0;
    size_t bad;
    for (size_t i = 0; i < LENGTH; i++) {
        tokens[i] = (uint32_t)(random_bits(1, RANDOM_ORDER, 0, i) % n->shape.vocabulary);
        targets[i] = (uint32_t)(random_bits(1, RANDOM_ORDER, 1, i) % n->shape.vocabulary);
        counts[i] = 1;
    }
    uint64_t start = clock_monotonic();
    network_clear(n);
    if (!network_run(n, a, &b, 1.0f / LENGTH, &loss, &bad, team))
        exit(1);
    network_gather(n);
    numerics_adamw(n->w, n->m, n->v, n->g, n->trained, &move);
    return (double)(clock_monotonic() - start) * 1e-6;
}

int main(void)
{
    static const struct shape shape = {LAYERS, 576,    1536,  9,       3,   64,
                                       49152,  LENGTH, 1e-5f, 10000.0, true};
    struct adapter_plan plan = {8, 16, {true, true, true, true, true, true, true}};
    struct arena *arena = arena_new((size_t)4 << 30);
    struct team *team = team_new(0);
    struct activations *a;
    struct network *n;
    struct rusage use;
    struct err e = ERR_INIT;
    double best = 1e9;
    if (!arena || !team || !network_new(&n, &shape, &plan, arena, &e) ||
        !activations_new(&a, n, LENGTH, team_threads(team), &e))
        return 1;
    for (size_t i = 0; i < n->base_count; i++) /* evenly: quick, and speed is the same */
        random_even(n->parameters[i].w, n->parameters[i].rows * n->parameters[i].columns, 1,
                    RANDOM_WEIGHTS, i, n->parameters[i].rank == 1 ? 1 : 0.03f);
    network_begin_adapter(n, 1);
    for (int i = 0; i < STEPS; i++) {
        double ms = step(n, a, team);
        best = ms < best ? ms : best;
    }
    getrusage(RUSAGE_SELF, &use);
    printf("train: LoRA step, SmolLM2-135M, 1 x 256, rank 8: %.0f ms, %.0f tokens/s, %ld MiB, %u "
           "threads, %s\n",
           best, LENGTH / best * 1000, use.ru_maxrss / 1024, team_threads(team),
           numerics_isa_name(numerics_isa()));
    activations_free(a);
    team_free(team);
    arena_free(arena);
    return 0;
}
