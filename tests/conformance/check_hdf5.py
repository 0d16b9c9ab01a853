#!/usr/bin/env python3
"""HDF5 as h5py writes it, in the oldest and the newest form: tensors have the bytes that NumPy has, what Keras
or PyTables would run is found wherever it stands, what leads out is named, and what is not read is incomplete.
"""

import hashlib
import json
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import zipfile

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSAY = os.environ.get("ASSAY", str(ROOT / "build/release/assay"))
passed = failed = 0


def check(ok, what):
    global passed, failed
    passed += bool(ok)
    failed += not ok
    if not ok:
        print("check_hdf5:", what)


def run(command, path, *options):
    done = subprocess.run([ASSAY, command, "--json", "--no-cache", *options, str(path)], capture_output=True, timeout=60,
                          env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"})
    return done.returncode, json.loads(done.stdout)


class System:
    def __reduce__(self):
        return os.system, ("echo never run",)


def config(*layers):
    return json.dumps({"class_name": "Sequential", "config": {"layers": list(layers)}})


DENSE = {"class_name": "Dense", "config": {"units": 10}}
LAMBDA = {"class_name": "Lambda", "config": {"function": "lambda x: eval('1')"}}


def virtual(f):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    f.create_virtual_dataset("v", layout)


def named(f):
    f["t"] = np.dtype("f4")
    f.create_dataset("w", data=np.ones(3, "f4"), dtype=f["t"])


EVIL = pickle.dumps(System(), 2)


def opaque(f, **how):
    return f.create_dataset("o", data=np.array([np.void(EVIL)]), **how)


def named_opaque(f):
    f["t"] = np.dtype(f"V{len(EVIL)}")
    opaque(f, dtype=f["t"])
    f.attrs.create("a", np.void(EVIL), dtype=f["t"])


def sequences(f, **how):
    f.create_dataset("v", (3,), dtype=h5py.vlen_dtype("u1"), **how)[1] = np.frombuffer(EVIL, "u1")


def dense(f, padding=0):
    """Attributes in a fractal heap: managed, or huge beyond what a block holds."""
    f.attrs.update({f"a{k}": k for k in range(20)})
    f.attrs["cfg"] = config(LAMBDA) + " " * padding


def removed(f):
    f.attrs.update({f"a{k}": k for k in range(60)})
    for k in range(5, 55):
        del f.attrs[f"a{k}"]


def links(f, n):
    for k in range(n):
        f.create_group(f"g{k:05d}")
    f[f"g{n // 2:05d}"].attrs["cfg"] = config(LAMBDA)


def loop(f):
    f.create_group("a")["loop"] = f["/"]
    f["same"] = f["a"]
    f["soft"] = h5py.SoftLink("/nowhere")


# name: what fills the file, the status in the oldest and the newest form, a finding that must be there
CASES = {
    "lambda deep within": (lambda f: f.create_group("x/y/z").attrs.update(model_config=config(LAMBDA)), 1, 1, "keras.lambda"),
    "lambda under another name": (lambda f: f.attrs.update(cfg=config(LAMBDA)), 1, 1, "keras.lambda"),
    "lambda after 20,000 layers": (lambda f: f.attrs.update(model_config=config(*[DENSE] * 20000, LAMBDA)), 1, 1, "keras.lambda"),
    "second of an array of texts": (lambda f: f.attrs.update(model_config=[config(DENSE), config(LAMBDA)]), 1, 1, "keras.lambda"),
    "pickle in an attribute": (lambda f: f.create_group("g").attrs.update(o=np.bytes_(pickle.dumps(System(), 0))), 1, 1, "pickle.dangerous"),
    "pickle in a dataset": (lambda f: f.__setitem__("o", np.void(pickle.dumps(System(), 2))), 1, 1, "pickle.dangerous"),
    "external link": (lambda f: f.__setitem__("l", h5py.ExternalLink("/etc/passwd", "/x")), 1, 1, "hdf5.external"),
    "external storage": (lambda f: f.create_dataset("e", (10,), "f4", external=[("/etc/passwd", 0, 40)]), 1, 1, "hdf5.external"),
    "virtual dataset": (virtual, 3, 3, "hdf5.external"),
    "a type of its own": (named, 0, 0, None),
    "pickle under a type of its own": (named_opaque, 1, 1, "pickle.dangerous"),
    "pickle in a chunk": (lambda f: opaque(f, chunks=(1,)), 1, 1, "pickle.dangerous"),
    "pickle in a compressed chunk": (lambda f: opaque(f, chunks=(1,), compression="gzip"), 3, 3, "folder.not-read"),
    "pickle in a sequence": (sequences, 1, 1, "pickle.dangerous"),
    "pickle in a sequence of chunks": (lambda f: sequences(f, chunks=(2,)), 1, 3, None),
    "lambda in a heap": (dense, 1, 1, "keras.lambda"),
    "lambda larger than a block of the heap": (lambda f: dense(f, 5000), 1, 1, "keras.lambda"),
    "lambda of more than 64 KiB": (lambda f: dense(f, 70000), 1, 1, "keras.lambda"),
    "attributes that were removed": (removed, 0, 0, None),
    "a group of 20,000 links": (lambda f: links(f, 20000), 1, 1, "keras.lambda"),
    "a group that keeps the order of its links": (lambda f: [f.require_group("g").create_group(str(k)) for k in range(40)] + [f.create_group("h", track_order=True).create_group("x")], 0, 0, None),
    "lambda in a dataset of texts": (lambda f: f.__setitem__("s", ["a", config(LAMBDA)]), 1, 1, "keras.lambda"),
    "chunks": (lambda f: f.create_dataset("c", data=np.ones((50, 50)), chunks=(10, 10), compression="gzip"), 0, 0, "keras.weights"),
    "links in a circle": (loop, 0, 0, None),
    "twenty attributes": (lambda f: f.attrs.update({f"a{k}": k for k in range(20)}), 0, 0, None),
    "texts in a heap": (lambda f: f.__setitem__("s", [f"text {k}" for k in range(2000)]), 0, 0, "keras.weights"),
    "nothing": (lambda f: None, 0, 0, None),
}


def arrays():
    rng = np.random.default_rng(5)
    found = {f"model_weights/dense_{k}/dense_{k}/{part}": rng.normal(size=shape).astype("f4")
             for k in range(120) for part, shape in (("kernel:0", (3, 4)), ("bias:0", (4,)))}
    return found | {"half": rng.normal(size=(2, 3)).astype("f2"), "double": rng.normal(size=5), "byte": np.arange(4, dtype="i1"),
                    "word": np.arange(1, 4, dtype="u2"), "long": np.arange(1, 4, dtype="i8"), "scalar": np.float64(3.5)}


def compare(path, values):
    """The tensors of the file are these arrays, to the byte."""
    status, out = run("inspect", path, "--tensors")
    check(status == 0, f"{path.name}: status {status}")
    found = {t["name"]: t for t in out["tensors"]}
    check(set(found) == set(values), f"{path.name}: {sorted(set(found) ^ set(values))[:3]}")
    for name, value in values.items():
        t = found.get(name, {})
        check(t.get("sha256") == hashlib.sha256(value.tobytes()).hexdigest(), f"{name}: other bytes")
        check(t.get("shape") == list(np.shape(value)), f"{name}: shape {t.get('shape')}")
    check(run("check", path)[0] == 0, f"{path.name}: a benign file fails")


def one_chunk(folder):
    """A chunk of the shape is the array; a larger one has gaps between its rows, and is not listed."""
    path, value = folder / "chunk.h5", np.arange(12, dtype="f4").reshape(3, 4)
    with h5py.File(path, "w", libver="latest") as f:
        f.attrs["model_config"] = config(DENSE)
        f.create_dataset("w", data=value, chunks=(3, 4))
    compare(path, {"w": value})
    for how in ({"chunks": (5, 6), "maxshape": (5, 6)}, {"chunks": (3, 4), "compression": "gzip"}):
        with h5py.File(path, "w", libver="latest") as f:
            f.create_dataset("w", data=value, **how)
        status, out = run("inspect", path, "--tensors")
        check(status == 0 and not out["tensors"], f"{how}: status {status}, {len(out['tensors'])} tensors")


def tensors(folder):
    values = arrays()
    for form in ("latest", "earliest"):
        path = folder / f"weights-{form}.h5"
        with h5py.File(path, "w", libver=form) as f:
            f.attrs["model_config"] = config(DENSE)
            for name, value in values.items():
                f[name] = value
        compare(path, values)
    root = run("digest", path)[1]["tensor_root"]
    for method, listed in ((zipfile.ZIP_STORED, True), (zipfile.ZIP_DEFLATED, False)):
        with zipfile.ZipFile(folder / "model.keras", "w", method) as z:
            z.writestr("metadata.json", "{}")
            z.writestr("config.json", config(DENSE))
            z.writestr("model.weights.h5", path.read_bytes())
        check(run("check", folder / "model.keras")[0] == 0, "keras: a benign file fails")
        check((run("digest", folder / "model.keras")[1]["tensor_root"] == root) == listed, "keras: another tensor root")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tensors(folder)
        one_chunk(folder)
        for what, (fill, *statuses, rule) in CASES.items():
            for form, expected in zip(("earliest", "latest"), statuses):
                path = folder / f"{form}.h5"
                with h5py.File(path, "w", libver=form) as f:
                    fill(f)
                status, out = run("check", path)
                found = {f["id"] for f in out["findings"]}
                check(status == expected and (not rule or rule in found), f"{what}, {form}: status {status}, {sorted(found)}")
        with h5py.File(path, "w") as f:
            f.create_group("g")["w"] = np.ones(3, "f4")
        data = path.read_bytes()
        for n in range(0, len(data), 67):
            path.write_bytes(data[:n])
            check(run("check", path)[0] == 3, f"cut at {n}: not incomplete")
        path.write_bytes(data + pickle.dumps(System(), 2))
        check(run("check", path)[0] == 1, "a pickle after the end")
        with h5py.File(path, "w", libver="latest") as f:
            f.attrs.update({f"a{k}": k for k in range(20)})
            [f.create_group(f"g{k}") for k in range(20)]
        data = path.read_bytes()
        for n in range(0, len(data), 331):
            path.write_bytes(data[:n])
            check(run("check", path)[0] == 3, f"heaps cut at {n}: not incomplete")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
