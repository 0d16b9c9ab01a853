#!/usr/bin/env python3
"""Training against PyTorch: gradients of every tensor, and the losses of fifty steps.

The network is written from the definition (Hugging Face's layout, rotary pairs in halves). Gradients
must agree to 1e-4 relative to the tensor's norm, losses of fifty AdamW steps from equal weights to
1e-4. PyTorch comes from tests/conformance/torch.txt, several hundred megabytes: without it this is
skipped and says so.
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError:
    print("train_torch: skipped: PyTorch is not installed (pip install -r tests/conformance/torch.txt)")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)
import numpy as np

torch.set_default_dtype(torch.float32)
passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


class Llama:
    def __init__(self, folder, prefix, heads, kv_heads, shapes, adapter):
        self.heads, self.kv_heads, self.adapter = heads, kv_heads, adapter
        self.p = {}
        for name, shape in shapes.items():
            data = np.fromfile(os.path.join(folder, f"{prefix}.w.{name}"), dtype=np.float32)
            self.p[name] = torch.tensor(data.reshape(shape), requires_grad=True)
        self.layers = 2

    def linear(self, x, name):
        y = x @ self.p[name + ".weight"].T
        if self.adapter:
            a = self.p[f"base_model.model.{name}.lora_A.weight"]
            b = self.p[f"base_model.model.{name}.lora_B.weight"]
            y = y + self.adapter * (x @ a.T) @ b.T
        return y

    def norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.p[name]

    def rotate(self, x):
        length, head = x.shape[-2], x.shape[-1]
        angle = torch.arange(length)[:, None].double() * \
            10000.0 ** (-2.0 * torch.arange(head // 2).double() / head)
        c, s = angle.cos().float(), angle.sin().float()
        a, b = x[..., : head // 2], x[..., head // 2:]
        return torch.cat([a * c - b * s, a * s + b * c], -1)

    def loss(self, tokens, targets, counts):
        batch, length = tokens.shape
        x = self.p["model.embed_tokens.weight"][tokens]
        mask = torch.full((length, length), float("-inf")).triu(1)
        for i in range(self.layers):
            at = f"model.layers.{i}."
            h = self.norm(x, at + "input_layernorm.weight")
            q, k, v = (self.linear(h, at + f"self_attn.{n}_proj").view(batch, length, -1, x.shape[-1] // self.heads)
                       .transpose(1, 2) for n in "qkv")
            q, k = self.rotate(q), self.rotate(k)
            group = self.heads // self.kv_heads
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
            scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + mask
            o = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1)
            x = x + self.linear(o, at + "self_attn.o_proj")
            h = self.norm(x, at + "post_attention_layernorm.weight")
            gate = torch.nn.functional.silu(self.linear(h, at + "mlp.gate_proj"))
            x = x + self.linear(gate * self.linear(h, at + "mlp.up_proj"), at + "mlp.down_proj")
        logits = self.norm(x, "model.norm.weight") @ self.p["model.embed_tokens.weight"].T
        each = torch.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1),
                                                 reduction="none")
        return (each * counts.view(-1)).sum() / counts.sum()


def shapes_of(vocabulary, width, ffn, kv_width, rank=0):
    sizes = {"self_attn.q_proj": (width, width), "self_attn.k_proj": (kv_width, width),
             "self_attn.v_proj": (kv_width, width), "self_attn.o_proj": (width, width),
             "mlp.gate_proj": (ffn, width), "mlp.up_proj": (ffn, width), "mlp.down_proj": (width, ffn)}
    out = {"model.embed_tokens.weight": (vocabulary, width), "model.norm.weight": (width,)}
    for i in range(2):
        at = f"model.layers.{i}."
        out[at + "input_layernorm.weight"] = out[at + "post_attention_layernorm.weight"] = (width,)
        for name, (rows, columns) in sizes.items():
            out[at + name + ".weight"] = (rows, columns)
            if rank:
                out[f"base_model.model.{at}{name}.lora_A.weight"] = (rank, columns)
                out[f"base_model.model.{at}{name}.lora_B.weight"] = (rows, rank)
    return out


def read(folder, name):
    return np.fromfile(os.path.join(folder, name), dtype=np.uint32).astype(np.int64)


def distance(a, b):
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-12))


def gradients(folder, prefix, loss, rank, scale):
    model = Llama(folder, prefix, 4, 2, shapes_of(61, 32, 48, 16, rank), scale)
    tokens, targets = (torch.tensor(read(folder, n).reshape(4, 24)) for n in ("tokens", "targets"))
    counts = torch.tensor(read(folder, "counts").reshape(4, 24)).float()
    ours = model.loss(tokens, targets, counts)
    ours.backward()
    check(abs(float(ours) - loss) < 1e-5 * loss, f"{prefix} loss {float(ours)} {loss}")
    worst = 0
    for name, p in model.p.items():
        path = os.path.join(folder, f"{prefix}.g.{name}")
        if rank and "lora_" not in name:
            check(not os.path.exists(path), f"{name} is frozen and has a gradient")
            continue
        d = distance(np.fromfile(path, dtype=np.float32).reshape(p.shape), p.grad.numpy())
        worst = max(worst, d)
        check(d < 1e-4, f"{prefix} gradient of {name}: {d}")
    print(f"train_torch: {prefix} gradients: largest relative distance {worst:.2e}")


def fifty_steps(folder, steps):
    shapes = shapes_of(0, 32, 48, 16)
    size = os.path.getsize(os.path.join(folder, "run.w.model.embed_tokens.weight")) // 4
    shapes["model.embed_tokens.weight"] = (size // 32, 32)
    model = Llama(folder, "run", 4, 2, shapes, 0)
    windows = read(folder, "windows").reshape(len(steps), 8, 3, 32)
    groups = [{"params": [p for p in model.p.values() if p.dim() > 1], "weight_decay": 0.1},
              {"params": [p for p in model.p.values() if p.dim() == 1], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=1, betas=(0.9, 0.95), eps=1e-8)
    worst = 0
    for step, window in zip(steps, windows):
        tokens, targets, counts = (torch.tensor(window[:, i]) for i in range(3))
        for g in optimiser.param_groups:
            g["lr"] = step["rate"]
        optimiser.zero_grad()
        loss = model.loss(tokens, targets, counts.float())
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(model.p.values()), 0.5)
        optimiser.step()
        d = abs(float(loss) - step["loss"]) / step["loss"]
        worst = max(worst, d)
        check(d < 1e-4, f"loss {float(loss)} {step['loss']}")
        check(abs(float(norm) - step["norm"]) < 1e-2 * step["norm"], f"norm {float(norm)} {step['norm']}")
    for name, p in model.p.items():
        end = np.fromfile(os.path.join(folder, f"end.w.{name}"), dtype=np.float32).reshape(p.shape)
        check(distance(end, p.detach().numpy()) < 1e-2, f"{name} after fifty steps")
    print(f"train_torch: losses of {len(steps)} steps: largest relative difference {worst:.2e}, "
          f"{steps[0]['loss']:.3f} to {steps[-1]['loss']:.3f}")


def main():
    program = os.path.join(os.environ["BUILD"], "conformance", "train_dump")
    with tempfile.TemporaryDirectory() as folder:
        out = subprocess.run([program, folder], check=True, capture_output=True, text=True).stdout
        lines = [json.loads(line) for line in out.splitlines()]
        gradients(folder, "full", lines[0]["full_loss"], 0, 0)
        gradients(folder, "lora", lines[1]["lora_loss"], 4, 2)
        fifty_steps(folder, lines[2:])


main()
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
