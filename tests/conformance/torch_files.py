#!/usr/bin/env python3
"""Files that PyTorch itself writes: judged benign, listed as the safetensors of the same state dictionary
are, and found out when each container carries something else.

PyTorch comes from tests/conformance/torch.txt, several hundred megabytes: without it this is skipped and
says so.
"""

import argparse
import collections
import io
import json
import os
import pathlib
import pickle
import random
import subprocess
import sys
import tarfile
import tempfile
import warnings
import zipfile

try:
    import torch
except ImportError:
    print("torch_files: skipped: PyTorch is not installed (pip install -r tests/conformance/torch.txt)")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)
import numpy as np
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSAY = os.environ.get("ASSAY", str(ROOT / "build/release/assay"))
warnings.filterwarnings("ignore")
passed = failed = 0
QUIET = {"info", "low"}
# Said of files whose tensors are judged and not all listed.
LISTING = {"identity.no-root", "torch.unlisted"}


def check(ok, what):
    global passed, failed
    passed += bool(ok)
    failed += not ok
    if not ok:
        print("torch_files:", what)


def run(command, *arguments):
    done = subprocess.run([ASSAY, command, "--json", *map(str, arguments)], capture_output=True,
                          timeout=120, env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"})
    return done.returncode, json.loads(done.stdout)


def benign(path, unlisted=False):
    status, value = run("check", "--no-cache", path)
    loud = [f"{f['id']}: {f['detail']}" for f in value["findings"] if f["severity"] not in QUIET
            and not (unlisted and f["id"] in LISTING)]
    check(status == 0 and not loud, f"{path.name}: status {status}, {loud[:2]}")


def malicious(path):
    status, value = run("check", "--no-cache", path)
    bad = {f["id"] for f in value["findings"] if f["severity"] == "critical"}
    check(status in (1, 3) and "pickle.dangerous" in bad, f"{path.name}: status {status}, {bad}")


def root(path):
    return run("digest", "--no-cache", path)[1].get("tensor_root")


# ---- the same tensors in safetensors, written by hand: the format's library has no place here ----

ST = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
      torch.int8: "I8", torch.uint8: "U8", torch.int16: "I16", torch.int32: "I32", torch.int64: "I64",
      torch.uint16: "U16", torch.uint32: "U32", torch.uint64: "U64", torch.bool: "BOOL",
      torch.complex64: "C64", torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
      torch.float8_e4m3fnuz: "F8_E4M3FNUZ", torch.float8_e5m2fnuz: "F8_E5M2FNUZ",
      torch.float8_e8m0fnu: "F8_E8M0"}


def safetensors(path, tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        raw = t.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if t.numel() else b""
        header[name] = {"dtype": ST[t.dtype], "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def as_safetensors(folder, name, tensors, **how):
    """torch.save and safetensors of the same tensors: one root, and diff says so."""
    a, b = folder / f"{name}.pt", folder / f"{name}.safetensors"
    torch.save(tensors, a, **how)
    safetensors(b, tensors)
    benign(a)
    check(root(a) and root(a) == root(b), f"{name}: another tensor root than safetensors")
    listed = {t["name"]: t for t in run("inspect", "--no-cache", "--tensors", a)[1]["tensors"]}
    check(set(listed) == set(tensors), f"{name}: names {sorted(listed)[:4]}")
    check(all(listed[k]["shape"] == list(v.shape) and listed[k]["type"] == ST[v.dtype]
              for k, v in tensors.items() if k in listed), f"{name}: shapes or types")
    diff = run("diff", a, b)[1]
    check(diff["relation"] in ("identical", "re-packed"), f"{name}: diff says {diff['relation']}")


# ---- what is saved ----

class Scripted(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(8, 4)

    def forward(self, x):
        return self.inner(x).relu()


def network():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 4))


def modules():
    return nn.ModuleDict({
        "conv": nn.Conv2d(3, 8, 3), "bn": nn.BatchNorm2d(8), "embedding": nn.Embedding(10, 4),
        "lstm": nn.LSTM(4, 4, 2), "gru": nn.GRU(4, 4), "encoder": nn.TransformerEncoderLayer(8, 2, 16),
        "attention": nn.MultiheadAttention(8, 2), "group": nn.GroupNorm(2, 8), "drop": nn.Dropout(),
        "gelu": nn.GELU(), "silu": nn.SiLU(), "pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(),
        "up": nn.Upsample(scale_factor=2), "back": nn.ConvTranspose2d(3, 4, 2), "softmax": nn.Softmax(-1),
        "list": nn.ModuleList([nn.Linear(2, 2)]), "max": nn.MaxPool2d(2), "pad": nn.ZeroPad2d(1),
        "loss": nn.CrossEntropyLoss(), "rms": nn.RMSNorm(8), "whole": nn.Transformer(8, 2, 1, 1, 16)})


def optimizers(net):
    for name in ("Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "Adadelta", "Adamax", "ASGD", "NAdam", "RAdam", "Rprop"):
        optimizer = getattr(torch.optim, name)(net.parameters(), lr=1e-3)
        net(torch.randn(2, 8)).sum().backward()
        optimizer.step()
        yield name, optimizer


def checkpoint(net, optimizer):
    """A trainer's: numbers, states, times, arguments, NumPy scalars and arrays."""
    return {"epoch": 3, "state_dict": net.state_dict(), "optimizer_states": [optimizer.state_dict()],
            "pytorch-lightning_version": "2.4.0", "hyper_parameters": {"lr": 0.1, "betas": (0.9, 0.99)},
            "scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10).state_dict(),
            "args": argparse.Namespace(lr=1e-3, name="run"), "loss": np.float32(0.25), "steps": np.int64(7),
            "history": np.arange(4.0), "rng": torch.get_rng_state(), "numpy_rng": np.random.get_state(),
            "device": torch.device("cpu"), "dtype": torch.bfloat16, "size": torch.Size([1, 2]),
            "layout": torch.strided, "path": pathlib.PurePosixPath("runs/1"), "best": torch.tensor(1.5),
            "counts": collections.Counter("aab"), "queue": collections.deque([1, 2]), "complex": 1j,
            "groups": collections.defaultdict(list, a=[1]), "set": {1, 2}, "bytes": b"abc", "big": 2**70}


def legacy_tar(path, objects=None):
    """The form before torch 0.1.12: a tar of pickles and raw storages, which torch.load still reads."""
    def pickled(*values):
        return b"".join(pickle.dumps(v, 2) for v in values)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return value[4:] if isinstance(value, str) and value.startswith("key:") else None

    storage, tensor = 94123456789012, 94123456789099
    numbers = lambda *values: b"".join(v.to_bytes(8, "little") for v in values)
    storages = pickled(1, (storage, "cpu", torch.FloatStorage)) + numbers(6) + np.arange(6, dtype="<f4").tobytes() + pickled([])
    tensors = pickled(1, (tensor, storage, torch.FloatTensor)) + numbers(2, 2, 3, 3, 1, 0)
    held = io.BytesIO()
    Pickler(held, 2).dump(objects or collections.OrderedDict(epoch=1, weight=f"key:{tensor}", raw=f"key:{storage}"))
    parts = {"sys_info": pickled({"protocol_version": 1000, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 8}}),
             "pickle": held.getvalue(), "storages": storages, "tensors": tensors}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def save_benign(folder):
    net = network()
    states = net.state_dict()
    x = torch.randn(6, 8)
    for name, how in (("zip", {}), ("legacy", {"_use_new_zipfile_serialization": False}),
                      ("protocol5", {"pickle_protocol": 5})):
        as_safetensors(folder, f"state-{name}", dict(states), **how)
        as_safetensors(folder, f"types-{name}", {str(t).split(".")[1]: (torch.arange(24).reshape(4, 6) % 2).to(t) for t in ST}, **how)
        as_safetensors(folder, f"views-{name}", {"rows": x[1:3], "one": x[4], "scalar": torch.tensor(3.0), "empty": torch.empty(0, 3), "same": x, "again": x}, **how)
    as_safetensors(folder, "hugging-face", {f"model.layers.{i}.self_attn.{k}_proj.weight": torch.randn(8, 8).bfloat16() for i in range(3) for k in "qkvo"})
    for name, value in (("module", net), ("modules", modules()), ("parameter", nn.Parameter(x)), ("tensor", x), ("list", [x, x]),
                        ("turned", {"t": x.t(), "columns": x[:, 2:5], "wide": x[0].expand(4, 8), "steps": x[::2]}),
                        ("channels-last", {"w": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)}),
                        ("conjugate", {"c": torch.randn(3, dtype=torch.complex64).conj()}),
                        ("complex128", {"c": torch.randn(3, dtype=torch.complex128)}),
                        ("meta", {"m": torch.empty(3, device="meta")}),
                        ("sparse", {"coo": torch.eye(4).to_sparse(), "csr": torch.eye(4).to_sparse_csr()}),
                        ("nested", torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(1, 3)])),
                        ("per-channel", torch.quantize_per_channel(torch.randn(4, 4), torch.ones(4) / 8, torch.zeros(4), 0, torch.qint8))):
        for form in (True, False):
            path = folder / f"{name}-{'zip' if form else 'legacy'}.pt"
            torch.save(value, path, _use_new_zipfile_serialization=form)
            benign(path)
    torch.save(torch.quantize_per_tensor(torch.randn(4, 4), 0.1, 0, torch.qint8), folder / "per-tensor.pt")
    benign(folder / "per-tensor.pt", unlisted=True)
    for name, optimizer in optimizers(net):
        torch.save(optimizer, folder / f"{name}.pt")
        torch.save(optimizer.state_dict(), folder / f"{name}-state.pt")
        benign(folder / f"{name}.pt")
        benign(folder / f"{name}-state.pt")
    for form in (True, False):
        path = folder / f"trainer-{form}.ckpt"
        torch.save(checkpoint(net, optimizer), path, _use_new_zipfile_serialization=form)
        benign(path)
    legacy_tar(folder / "before-0.1.12.pt")
    loaded = torch.load(folder / "before-0.1.12.pt", weights_only=False)
    check(loaded["weight"].tolist() == [[0, 1, 2], [3, 4, 5]], "the tar is not one that torch reads")
    benign(folder / "before-0.1.12.pt")
    safetensors(folder / "before.safetensors", {"weight": loaded["weight"]})
    check(root(folder / "before-0.1.12.pt") == root(folder / "before.safetensors"), "the tar has another root")
    for name, module in (("script", torch.jit.script(Scripted())), ("trace", torch.jit.trace(net, torch.randn(1, 8))),
                         ("frozen", torch.jit.freeze(torch.jit.script(Scripted().eval())))):
        torch.jit.save(module, str(folder / f"{name}.pt"))
        benign(folder / f"{name}.pt")
    safetensors(folder / "script.safetensors", Scripted().state_dict())
    listed = {t["name"] for t in run("inspect", "--no-cache", "--tensors", folder / "script.pt")[1]["tensors"]}
    check({"inner.weight", "inner.bias"} <= listed, f"TorchScript lists {sorted(listed)}")
    exported = torch.export.export(net, (torch.randn(1, 8),))
    torch.export.save(exported, str(folder / "exported.pt2"))
    benign(folder / "exported.pt2", unlisted=True)
    for name, value in (("dumped", states), ("dumped-types", {"b": x.bfloat16(), "q": torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), "p": nn.Parameter(x),
                                                              "s": x.to_sparse(), "rng": torch.get_rng_state()}), ("dumped-module", net)):
        for protocol in (2, 4):
            (folder / f"{name}{protocol}.pkl").write_bytes(pickle.dumps(value, protocol))
            benign(folder / f"{name}{protocol}.pkl")
    with torch.serialization.safe_globals([argparse.Namespace, collections.Counter]):
        torch.save({"n": argparse.Namespace(a=1), "c": collections.Counter("ab")}, folder / "safe-globals.pt")
        check(torch.load(folder / "safe-globals.pt", weights_only=True)["n"].a == 1, "safe globals do not load")
    benign(folder / "safe-globals.pt")


# ---- what each container may carry instead ----

class Payload:
    def __reduce__(self):
        return os.system, ("echo never run",)


class ByEval:
    def __reduce__(self):
        return eval, ("1 + 1",)


def reduced(protocol, function, *arguments):
    class Call:
        def __reduce__(self):
            return function, arguments
    return pickle.dumps(Call(), protocol)


def again(source, path, name, change):
    """Copy a zip with one member changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for item in old.infolist():
            data = old.read(item.filename)
            new.writestr(item.filename, change(data) if item.filename.endswith(name) else data)


def exported(folder):
    """torch.export's weights and constants, against those of the program it loads."""
    net = network()
    path = folder / "program.pt2"
    rows = torch.export.Dim.DYNAMIC
    program = torch.export.export(net, (torch.randn(3, 8),), dynamic_shapes=({0: rows},))
    torch.export.save(program, str(path))
    benign(path)
    safetensors(folder / "program.safetensors", {**program.state_dict, **program.constants})
    check(root(path) and root(path) == root(folder / "program.safetensors"), "program.pt2: another tensor root")
    for name, old, new in (("expression", b"Symbol(", b"exec("), ("target", b"torch.ops.aten.linear.default", b"torch.hub.load")):
        bad = folder / f"{name}.pt2"
        again(path, bad, "model.json", lambda d: d.replace(old, new))
        status, value = run("check", "--no-cache", bad)
        check(status == 1 and "torch.export" in {f["id"] for f in value["findings"]}, f"{bad.name}: status {status}")


def save_malicious(folder):
    exported(folder)
    state = network().state_dict()
    for value, what in ((Payload(), "system"), (ByEval(), "eval")):
        for form in (True, False):
            for place, held in (("alone", value), ("beside", {**state, "_metadata": value}), ("deep", {"a": [{"b": (value,)}], **state})):
                path = folder / f"{what}-{place}-{'zip' if form else 'legacy'}.pt"
                torch.save(held, path, _use_new_zipfile_serialization=form)
                malicious(path)
    evil = pickle.dumps(Payload(), 2)
    legacy = io.BytesIO()
    torch.save(state, legacy, _use_new_zipfile_serialization=False)
    for name, held in (("after", legacy.getvalue() + evil), ("within", legacy.getvalue().replace(b"\x80\x02ccollections", evil[:-1] + b"0\x80\x02ccollections", 1)), ("alone", evil)):
        for protocol in (2, 4):
            path = folder / f"storage-{name}{protocol}.pkl"
            path.write_bytes(reduced(protocol, torch.storage._load_from_bytes, held))
            malicious(path)
    torch.save(state, folder / "clean.pt")
    torch.jit.save(torch.jit.script(Scripted()), str(folder / "clean-script.pt"))
    for source, member in (("clean.pt", "data.pkl"), ("clean-script.pt", "data.pkl"), ("clean-script.pt", "constants.pkl")):
        for name, change in (("before", lambda d: evil + d), ("after", lambda d: d + evil), ("instead", lambda d: evil),
                             ("cut", lambda d: evil[:-1]), ("popped", lambda d: d[:2] + evil[2:-1] + b"0" + d[2:])):
            path = folder / f"{source}-{member}-{name}.pt"
            again(folder / source, path, member, change)
            malicious(path)
    again(folder / "clean.pt", folder / "storage.pt", "data/0", lambda d: evil + d[len(evil):])
    legacy = io.BytesIO()
    torch.save(state, legacy, _use_new_zipfile_serialization=False)
    (folder / "legacy-before.pt").write_bytes(evil + legacy.getvalue())
    malicious(folder / "legacy-before.pt")
    (folder / "legacy-after.pt").write_bytes(legacy.getvalue() + evil)
    malicious(folder / "legacy-after.pt")
    with tarfile.open(folder / "tar.pt", "w") as tar:
        info = tarfile.TarInfo("pickle")
        info.size = len(evil)
        tar.addfile(info, io.BytesIO(evil))
    malicious(folder / "tar.pt")
    legacy_tar(folder / "whole-tar.pt", {"a": Payload()})
    malicious(folder / "whole-tar.pt")
    torch.export.save(torch.export.export(network(), (torch.randn(1, 8),)), str(folder / "clean.pt2"))
    inner = io.BytesIO()
    torch.save({"inputs": Payload()}, inner)
    again(folder / "clean.pt2", folder / "exported.pt2", "sample_inputs/model.pt", lambda d: inner.getvalue())
    malicious(folder / "exported.pt2")


def main():
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    for what in (save_benign, save_malicious):
        with tempfile.TemporaryDirectory() as name:
            what(pathlib.Path(name))
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
