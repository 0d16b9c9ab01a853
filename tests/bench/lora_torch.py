#!/usr/bin/env python3
"""The step of bench_lora.c in PyTorch on as many threads: python3 tests/bench/lora_torch.py [THREADS]

SmolLM2-135M's shape with seeded weights, frozen; LoRA of rank 8 on all seven matrices of a layer;
scaled_dot_product_attention; AdamW over the adapter; best of four steps, and the peak of memory.
"""
import resource
import sys
import time

import torch
from torch.nn.functional import cross_entropy, linear, rms_norm, scaled_dot_product_attention, silu

torch.manual_seed(1)
torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
LAYERS, WIDTH, FFN, HEADS, KV, HEAD, VOCABULARY, LENGTH, RANK = 30, 576, 1536, 9, 3, 64, 49152, 256, 8
SIZES = {"q": (576, 576), "k": (192, 576), "v": (192, 576), "o": (576, 576), "gate": (1536, 576),
         "up": (1536, 576), "down": (576, 1536)}


def frozen(*shape):
    return torch.rand(shape) * 0.06 - 0.03


embedding = frozen(VOCABULARY, WIDTH)
one = torch.ones(WIDTH)
layers = [{k: frozen(*s) for k, s in SIZES.items()} for _ in range(LAYERS)]
lora = [{k: (torch.randn(RANK, s[1]).mul_(0.04).requires_grad_(), torch.zeros(s[0], RANK, requires_grad=True))
         for k, s in SIZES.items()} for _ in range(LAYERS)]
angle = torch.arange(LENGTH)[:, None] * 10000.0 ** (-2.0 * torch.arange(HEAD // 2) / HEAD)
cos, sin = angle.cos(), angle.sin()


def apply(i, name, x):
    a, b = lora[i][name]
    return linear(x, layers[i][name]) + 2 * linear(linear(x, a), b)


def rotate(x):
    a, b = x[..., : HEAD // 2], x[..., HEAD // 2:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def step(tokens, targets, optimiser):
    x = embedding[tokens]
    for i in range(LAYERS):
        h = rms_norm(x, (WIDTH,), one, 1e-5)
        q, k, v = (apply(i, n, h).view(1, LENGTH, -1, HEAD).transpose(1, 2) for n in "qkv")
        q, k = rotate(q), rotate(k)
        k, v = k.repeat_interleave(HEADS // KV, 1), v.repeat_interleave(HEADS // KV, 1)
        o = scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(1, LENGTH, WIDTH)
        x = x + apply(i, "o", o)
        h = rms_norm(x, (WIDTH,), one, 1e-5)
        x = x + apply(i, "down", silu(apply(i, "gate", h)) * apply(i, "up", h))
    logits = linear(rms_norm(x, (WIDTH,), one, 1e-5), embedding)
    cross_entropy(logits.view(-1, VOCABULARY), targets.view(-1)).backward()
    optimiser.step()
    optimiser.zero_grad()


optimiser = torch.optim.AdamW([p for layer in lora for pair in layer.values() for p in pair], lr=1e-4)
tokens, targets = (torch.randint(0, VOCABULARY, (1, LENGTH)) for _ in range(2))
best = 1e9
for _ in range(4):
    start = time.perf_counter()
    step(tokens, targets, optimiser)
    best = min(best, time.perf_counter() - start)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(f"PyTorch {torch.__version__}: LoRA step, SmolLM2-135M, 1 x 256, rank 8: {best * 1000:.0f} ms, "
      f"{LENGTH / best:.0f} tokens/s, {memory} MiB, {torch.get_num_threads()} threads")
