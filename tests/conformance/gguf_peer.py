#!/usr/bin/env python3
"""GGUF against the reference implementation: written by its writer, read by both readers.

Every value type, arrays of each, every tensor type, both byte orders, an alignment of its own and
a split set. Names, types, shapes, places, metadata, and the digest of every tensor's bytes (as
gguf-hash takes it) must be equal; so must the statistics where the reference can dequantise.
"""
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T, GGUFEndian, GGUFReader, GGUFValueType as V, GGUFWriter

ASSAY = os.environ["ASSAY"]
PLAIN = {T.F32: np.float32, T.F16: np.float16, T.F64: np.float64, T.I8: np.int8, T.I16: np.int16,
         T.I32: np.int32, T.I64: np.int64}
SCALARS = {V.UINT8: [0, 255], V.INT8: [-128, 127], V.UINT16: [65535], V.INT16: [-32768],
           V.UINT32: [4294967295], V.INT32: [-2147483648], V.FLOAT32: [0.1, -3.5e38 / 2, 1e-45],
           V.BOOL: [True, False], V.STRING: ["", "plain", "\u00e9 \U0001f600\n"],
           V.UINT64: [2 ** 64 - 1], V.INT64: [-2 ** 63], V.FLOAT64: [math.pi, 5e-324]}
SHORT = 16  # items of an array that Assay shows

passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


def add_metadata(w):
    for kind, values in SCALARS.items():
        for i, value in enumerate(values):
            w.add_key_value(f"peer.{kind.name.lower()}_{i}", value, kind)
        w.add_key_value(f"peer.array_of_{kind.name.lower()}", list(values) * 7, V.ARRAY, kind)


def add_tensors(w, endian):
    r = np.random.default_rng(20261123)
    for kind, numpy_type in PLAIN.items():
        data = (r.standard_normal((3, 2, 64)) * 50).astype(numpy_type)
        w.add_tensor(f"plain.{kind.name}", data)
    for rank in (1, 2, 4):
        w.add_tensor(f"rank.{rank}", r.standard_normal((2, 3, 4, 5)[:rank]).astype(np.float32))
    for kind, (block, size) in gguf.GGML_QUANT_SIZES.items():
        # Q8_1 never stands in a file, and the reference has 40 bytes for ggml's block of 36.
        if kind in PLAIN or kind == T.Q8_1:
            continue
        values = (r.standard_normal((4, 2 * block)) * 0.05).astype(np.float32)
        try:
            data, name = gguf.quantize(values, kind), "quantised"
        except NotImplementedError:
            data, name = r.integers(0, 256, (4, 2 * size), dtype=np.uint8), "bytes"
        # The reference swaps elements, not blocks; BF16 comes as bytes already.
        w.add_tensor(f"{name}.{kind.name}", data.view(np.uint8), raw_dtype=kind,
                     tensor_endianess=endian)


def write(path, endian, alignment=None, split=0):
    w = GGUFWriter(path, "peer", endianess=endian, split_max_tensors=split)
    if alignment:
        w.add_custom_alignment(alignment)
    add_metadata(w)
    add_tensors(w, endian)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def assay(*args):
    run = subprocess.run([ASSAY, "inspect", "--json", "--no-cache", *args], capture_output=True,
                         check=False)
    if not run.stdout:
        sys.exit(f"{args}: {run.stderr.decode()}")
    return json.loads(run.stdout)


def of_field(field):
    """Type, element type, and the values that Assay shows of them."""
    value = field.contents()
    if field.types[0] != V.ARRAY:
        return field.types[0], None, value
    return V.ARRAY, field.types[1], value[:SHORT]


def exact(value):
    """Whole numbers beyond 2^53 are strings in Assay's JSON."""
    big = isinstance(value, int) and abs(value) > 2 ** 53 - 1
    return str(value) if big else value


def compare_metadata(what, ours, reader):
    fields = {k: f for k, f in reader.fields.items() if not k.startswith("GGUF.")}
    ours = [m for m in ours if m["file"] == what]
    check([m["key"] for m in ours] == list(fields), f"{what}: keys")
    for m in ours:
        kind, element, value = of_field(fields[m["key"]])
        names = {v: k for k, v in TYPE_NAMES.items()}
        check(names.get(m["type"]) == kind and names.get(m["element"]) == element,
              f"{what}: {m['key']}: {m['type']} of {m['element']}, the reference has {kind}, {element}")
        shown = [exact(v) for v in value] if kind == V.ARRAY else exact(value)
        check(m["value"] == shown, f"{what}: {m['key']}: {m['value']}, the reference has {value}")


TYPE_NAMES = {V.UINT8: "u8", V.INT8: "i8", V.UINT16: "u16", V.INT16: "i16", V.UINT32: "u32",
              V.INT32: "i32", V.FLOAT32: "f32", V.BOOL: "bool", V.STRING: "string",
              V.ARRAY: "array", V.UINT64: "u64", V.INT64: "i64", V.FLOAT64: "f64"}


def compare_tensors(what, ours, hashed, reader, raw):
    theirs = {t.name: t for t in reader.tensors}
    ours = [t for t in ours if t["file"] == what]
    check([t["name"] for t in ours] == list(theirs), f"{what}: tensor names")
    for t in ours:
        u = theirs[t["name"]]
        start, size = int(u.data_offset), int(u.n_bytes)
        check((t["type"], t["shape"], t["elements"], t["offset"], t["length"]) ==
              (u.tensor_type.name, [int(n) for n in reversed(u.shape)], int(u.n_elements), start, size),
              f"{what}: {t['name']}: {t}, the reference has {u.tensor_type}, {u.shape}, {start}, {size}")
        check(hashed[t["name"]] == hashlib.sha256(raw[start:start + size]).hexdigest(),
              f"{what}: digest of {t['name']}")
        check(hashed[t["name"]] == hashlib.sha256(np.ascontiguousarray(u.data).data).hexdigest(),
              f"{what}: digest of {t['name']} as gguf-hash takes it")


def compare_statistics(what, ours, reader):
    theirs = {t.name: t for t in reader.tensors}
    compared = 0
    for t in (t for t in ours if t["file"] == what):
        u = theirs[t["name"]]
        if t["name"].startswith("bytes.") or (reader.byte_order == "S" and u.tensor_type not in PLAIN):
            continue
        v = (u.data if u.tensor_type in PLAIN else gguf.dequantize(u.data, u.tensor_type))
        v = v.astype(np.float64)
        s = t["statistics"]
        want = [v.min(), v.max(), v.mean(), math.sqrt((v * v).mean())]
        got = [s["min"], s["max"], s["mean"], s["rms"]]
        close = all(abs(a - b) <= 1e-9 * max(1, abs(a)) for a, b in zip(want, got))
        check(close and s["count"] == v.size and s["zeros"] == int((v == 0).sum()),
              f"{what}: {t['name']}: {s}, the reference has {want}")
        compared += 1
    return compared


def compare(paths, given):
    ours = assay("--tensors", "--metadata", "--stats", "--no-digest", given)
    check(ours["complete"] and ours["lenient"], f"{given}: {ours['findings']}")
    hashed = {t["name"]: t["sha256"] for t in assay("--tensors", given)["tensors"]}
    count = statistics = 0
    for path in paths:
        name = os.path.basename(path)
        reader = GGUFReader(path)
        with open(path, "rb") as f:
            raw = f.read()
        compare_metadata(name, ours["metadata"], reader)
        compare_tensors(name, ours["tensors"], hashed, reader, raw)
        statistics += compare_statistics(name, ours["tensors"], reader)
        count += len(reader.tensors)
    check(count == len(ours["tensors"]), f"{given}: {len(ours['tensors'])} tensors of {count}")
    print(f"{os.path.basename(given)}: {count} tensors, {statistics} with statistics, "
          f"{len(ours['metadata'])} keys")


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, endian, alignment, split in (("little", GGUFEndian.LITTLE, None, 0),
                                               ("big", GGUFEndian.BIG, None, 0),
                                               ("aligned", GGUFEndian.LITTLE, 256, 0),
                                               ("split", GGUFEndian.LITTLE, None, 9),
                                               ("split-big", GGUFEndian.BIG, None, 20)):
            write(os.path.join(folder, name + ".gguf"), endian, alignment, split)
            paths = sorted(os.path.join(folder, p) for p in os.listdir(folder)
                           if p == name + ".gguf" or p.startswith(name + "-0"))
            compare(paths, paths[-1])
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
