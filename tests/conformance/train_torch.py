#!/usr/bin/env python3
"""Training against PyTorch: gradients of every tensor, and the losses of fifty steps, in single precision.

PyTorch comes from tests/conformance/torch.txt, with the gigabytes of CUDA libraries without which it
does not load: where it is not installed this is skipped and says so. train_autograd.py asks the
same questions of a package that is always there.
"""
import os
import sys
import types

try:
    import torch
except ImportError:
    print("train_torch: skipped: PyTorch is not installed (pip install -r tests/conformance/torch.txt)")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)
from torch.nn.functional import cross_entropy, silu

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import train_case as case  # noqa: E402

torch.set_default_dtype(torch.float32)


def linear(p, adapter, x, name):
    y = x @ p[name + ".weight"].T
    if adapter:
        low = x @ p[f"base_model.model.{name}.lora_A.weight"].T
        y = y + adapter * low @ p[f"base_model.model.{name}.lora_B.weight"].T
    return y


def norm(x, w):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + case.NORM_EPS) * w


def rotate(x):
    length, head = x.shape[-2], x.shape[-1]
    angle = torch.arange(length)[:, None].double() * \
        case.ROPE_BASE ** (-2.0 * torch.arange(head // 2).double() / head)
    c, s = angle.cos().float(), angle.sin().float()
    a, b = x[..., : head // 2], x[..., head // 2:]
    return torch.cat([a * c - b * s, a * s + b * c], -1)


def attention(p, adapter, h, at, mask):
    batch, length, width = h.shape
    q, k, v = (linear(p, adapter, h, f"{at}self_attn.{n}_proj").view(batch, length, -1, width // case.HEADS)
               .transpose(1, 2) for n in "qkv")
    q, k = rotate(q), rotate(k)
    k, v = (x.repeat_interleave(case.HEADS // case.KV_HEADS, 1) for x in (k, v))
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + mask
    o = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1)
    return linear(p, adapter, o, at + "self_attn.o_proj")


def loss_of(p, adapter, tokens, targets, counts):
    tokens, targets, counts = torch.tensor(tokens), torch.tensor(targets), torch.tensor(counts).float()
    x = p["model.embed_tokens.weight"][tokens]
    mask = torch.full((tokens.shape[1], tokens.shape[1]), float("-inf")).triu(1)
    for i in range(case.LAYERS):
        at = f"model.layers.{i}."
        x = x + attention(p, adapter, norm(x, p[at + "input_layernorm.weight"]), at, mask)
        h = norm(x, p[at + "post_attention_layernorm.weight"])
        gate = silu(linear(p, adapter, h, at + "mlp.gate_proj"))
        x = x + linear(p, adapter, gate * linear(p, adapter, h, at + "mlp.up_proj"), at + "mlp.down_proj")
    logits = norm(x, p["model.norm.weight"]) @ p["model.embed_tokens.weight"].T
    each = cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1), reduction="none")
    return (each * counts.view(-1)).sum() / counts.sum()


def trained(parameters):
    return {name: torch.tensor(x, requires_grad=True) for name, x in parameters.items()}


def loss_and_gradients(parameters, adapter, tokens, targets, counts):
    p = trained(parameters)
    value = loss_of(p, adapter, tokens, targets, counts)
    value.backward()
    return value.item(), {name: x.grad.numpy() for name, x in p.items()}


class Trainer:
    def __init__(self, parameters):
        self.p = trained(parameters)
        groups = [{"params": [p for p in self.p.values() if p.dim() > 1], "weight_decay": case.DECAY},
                  {"params": [p for p in self.p.values() if p.dim() == 1], "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=1, betas=(case.BETA1, case.BETA2), eps=case.EPS)

    def step(self, rate, tokens, targets, counts):
        for g in self.optimiser.param_groups:
            g["lr"] = rate
        self.optimiser.zero_grad()
        value = loss_of(self.p, 0, tokens, targets, counts)
        value.backward()
        length = torch.nn.utils.clip_grad_norm_(list(self.p.values()), case.CLIP)
        self.optimiser.step()
        return value.item(), length.item()

    def weights(self):
        return {name: p.detach().numpy() for name, p in self.p.items()}


case.compare(types.SimpleNamespace(NAME="train_torch", loss_and_gradients=loss_and_gradients, Trainer=Trainer))
