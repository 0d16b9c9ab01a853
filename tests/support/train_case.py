"""What the peers of training share: the files of train_dump, and what must agree.

A peer is a module's function `loss_and_gradients(parameters, settings, tokens, targets, counts)` and
an AdamW over it. Gradients must agree to 1e-4 relative to the tensor's norm; the losses of fifty
steps from equal weights, to 1e-4.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

BETA1, BETA2, EPS, DECAY, CLIP = 0.9, 0.95, 1e-8, 0.1, 0.5
LAYERS, HEADS, KV_HEADS, NORM_EPS, ROPE_BASE = 2, 4, 2, 1e-5, 10000.0
passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


def shapes_of(vocabulary, width, ffn, kv_width, rank=0):
    sizes = {"self_attn.q_proj": (width, width), "self_attn.k_proj": (kv_width, width),
             "self_attn.v_proj": (kv_width, width), "self_attn.o_proj": (width, width),
             "mlp.gate_proj": (ffn, width), "mlp.up_proj": (ffn, width), "mlp.down_proj": (width, ffn)}
    out = {"model.embed_tokens.weight": (vocabulary, width), "model.norm.weight": (width,)}
    for i in range(LAYERS):
        at = f"model.layers.{i}."
        out[at + "input_layernorm.weight"] = out[at + "post_attention_layernorm.weight"] = (width,)
        for name, (rows, columns) in sizes.items():
            out[at + name + ".weight"] = (rows, columns)
            if rank:
                out[f"base_model.model.{at}{name}.lora_A.weight"] = (rank, columns)
                out[f"base_model.model.{at}{name}.lora_B.weight"] = (rows, rank)
    return out


def integers(folder, name):
    return np.fromfile(os.path.join(folder, name), dtype=np.uint32).astype(np.int64)


def floats(folder, name, shape):
    return np.fromfile(os.path.join(folder, name), dtype=np.float32).reshape(shape)


def weights(folder, prefix, shapes):
    return {name: floats(folder, f"{prefix}.w.{name}", shape) for name, shape in shapes.items()}


def distance(a, b):
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-12))


def gradients_agree(peer, folder, prefix, loss, rank, adapter):
    parameters = weights(folder, prefix, shapes_of(61, 32, 48, 16, rank))
    tokens, targets, counts = (integers(folder, n).reshape(4, 24) for n in ("tokens", "targets", "counts"))
    theirs, gradients = peer.loss_and_gradients(parameters, adapter, tokens, targets, counts)
    check(abs(theirs - loss) < 1e-5 * loss, f"{prefix} loss {theirs} {loss}")
    worst = 0
    for name, gradient in gradients.items():
        if rank and "lora_" not in name:
            check(not os.path.exists(os.path.join(folder, f"{prefix}.g.{name}")),
                  f"{name} is frozen and has a gradient")
            continue
        d = distance(floats(folder, f"{prefix}.g.{name}", gradient.shape), gradient)
        worst = max(worst, d)
        check(d < 1e-4, f"{prefix} gradient of {name}: {d}")
    print(f"{peer.NAME}: {prefix} gradients: largest relative distance {worst:.2e}")


def fifty_steps(peer, folder, steps):
    shapes = shapes_of(0, 32, 48, 16)
    size = os.path.getsize(os.path.join(folder, "run.w.model.embed_tokens.weight")) // 4
    shapes["model.embed_tokens.weight"] = (size // 32, 32)
    trainer = peer.Trainer(weights(folder, "run", shapes))
    windows = integers(folder, "windows").reshape(len(steps), 8, 3, 32)
    worst = 0
    for step, window in zip(steps, windows):
        loss, norm = trainer.step(step["rate"], *(window[:, i] for i in range(3)))
        d = abs(loss - step["loss"]) / step["loss"]
        worst = max(worst, d)
        check(d < 1e-4, f"loss {loss} {step['loss']}")
        check(abs(norm - step["norm"]) < 1e-2 * step["norm"], f"norm {norm} {step['norm']}")
    for name, end in trainer.weights().items():
        check(distance(floats(folder, f"end.w.{name}", shapes[name]), end) < 1e-2, f"{name} after fifty steps")
    print(f"{peer.NAME}: losses of {len(steps)} steps: largest relative difference {worst:.2e}, "
          f"{steps[0]['loss']:.3f} to {steps[-1]['loss']:.3f}")


def compare(peer):
    program = os.path.join(os.environ["BUILD"], "conformance", "train_dump")
    with tempfile.TemporaryDirectory() as folder:
        out = subprocess.run([program, folder], check=True, capture_output=True, text=True).stdout
        lines = [json.loads(line) for line in out.splitlines()]
        gradients_agree(peer, folder, "full", lines[0]["full_loss"], 0, 0)
        gradients_agree(peer, folder, "lora", lines[1]["lora_loss"], 4, 2)
        fifty_steps(peer, folder, lines[2:])
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0)
