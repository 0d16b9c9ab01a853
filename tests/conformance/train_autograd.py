#!/usr/bin/env python3
"""Training against autograd: gradients of every tensor, and the losses of fifty steps.

The network is written from its definition on NumPy, in double precision, and differentiated by the
autograd package, which shares no code with anything here. train_torch.py asks PyTorch the same.
"""
import os
import sys
import types

import autograd.numpy as np
import numpy
from autograd import value_and_grad

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import train_case as case  # noqa: E402


def linear(p, adapter, x, name):
    y = x @ p[name + ".weight"].T
    if adapter:
        low = x @ p[f"base_model.model.{name}.lora_A.weight"].T
        y = y + adapter * (low @ p[f"base_model.model.{name}.lora_B.weight"].T)
    return y


def norm(x, w):
    return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + case.NORM_EPS) * w


def rotate(x):
    length, half = x.shape[-2], x.shape[-1] // 2
    angle = numpy.arange(length)[:, None] * case.ROPE_BASE ** (-numpy.arange(half) / half)
    c, s, a, b = numpy.cos(angle), numpy.sin(angle), x[..., :half], x[..., half:]
    return np.concatenate([a * c - b * s, a * s + b * c], -1)


def log_softmax(x):
    x = x - np.max(x, -1, keepdims=True)
    return x - np.log(np.sum(np.exp(x), -1, keepdims=True))


def swap(x):
    """Positions and heads."""
    return np.swapaxes(x, 1, 2)


def attention(p, adapter, h, at):
    batch, length, width = h.shape
    head = width // case.HEADS
    q, k, v = (swap(linear(p, adapter, h, f"{at}self_attn.{n}_proj").reshape((batch, length, -1, head)))
               for n in "qkv")
    q, k = rotate(q), rotate(k)
    k, v = (np.repeat(x, case.HEADS // case.KV_HEADS, 1) for x in (k, v))
    later = numpy.triu(numpy.full((length, length), -1e30), 1)
    weight = np.exp(log_softmax(q @ np.swapaxes(k, 2, 3) / head ** 0.5 + later))
    o = swap(weight @ v).reshape((batch, length, width))
    return linear(p, adapter, o, at + "self_attn.o_proj")


def loss(p, adapter, tokens, targets, counts):
    x = p["model.embed_tokens.weight"][tokens]
    for i in range(case.LAYERS):
        at = f"model.layers.{i}."
        x = x + attention(p, adapter, norm(x, p[at + "input_layernorm.weight"]), at)
        h = norm(x, p[at + "post_attention_layernorm.weight"])
        gate = linear(p, adapter, h, at + "mlp.gate_proj")
        gate = gate / (1 + np.exp(-gate))
        x = x + linear(p, adapter, gate * linear(p, adapter, h, at + "mlp.up_proj"), at + "mlp.down_proj")
    z = log_softmax(norm(x, p["model.norm.weight"]) @ p["model.embed_tokens.weight"].T)
    row, column = numpy.indices(targets.shape)
    return -np.sum(z[row, column, targets] * counts) / counts.sum()


def loss_and_gradients(parameters, adapter, tokens, targets, counts):
    p = {name: x.astype(numpy.float64) for name, x in parameters.items()}
    value, gradients = value_and_grad(loss)(p, adapter, tokens, targets, counts)
    return float(value), gradients


class Trainer:
    """AdamW from its paper: Loshchilov and Hutter, algorithm 2; gradients clipped by their norm."""

    def __init__(self, parameters):
        self.p = {name: x.astype(numpy.float64) for name, x in parameters.items()}
        self.m, self.v = ({name: numpy.zeros_like(x) for name, x in self.p.items()} for _ in range(2))
        self.done = 0

    def step(self, rate, tokens, targets, counts):
        value, gradients = loss_and_gradients(self.p, 0, tokens, targets, counts)
        length = sum(float((g * g).sum()) for g in gradients.values()) ** 0.5
        scale = min(1.0, case.CLIP / (length + 1e-6))
        self.done += 1
        for name, g in gradients.items():
            g = g * scale
            self.m[name] = case.BETA1 * self.m[name] + (1 - case.BETA1) * g
            self.v[name] = case.BETA2 * self.v[name] + (1 - case.BETA2) * g * g
            m, v = self.m[name] / (1 - case.BETA1 ** self.done), self.v[name] / (1 - case.BETA2 ** self.done)
            decay = case.DECAY if g.ndim > 1 else 0
            self.p[name] = self.p[name] - rate * (m / (v ** 0.5 + case.EPS) + decay * self.p[name])
        return value, length

    def weights(self):
        return self.p


case.compare(types.SimpleNamespace(NAME="train_autograd", loss_and_gradients=loss_and_gradients, Trainer=Trainer))
