#!/usr/bin/env python3
"""Tensor root and manifest root recomputed from files, after docs/formats/identity.md alone.

    identity.py PATH...     print both roots of a model file or folder of model files
    identity.py             compare `assay digest --json` with it on files made here and on real ones
"""
import glob
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

GGUF_TYPES = {  # number: name, elements per block, bytes per block
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 24: ("I8", 1, 1),
    25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 30: ("BF16", 1, 2)}
GGUF_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def sha(data):
    return hashlib.sha256(data).digest()


def prefixed(text):
    return struct.pack(">Q", len(text)) + text


def merkle(leaves):
    """RFC 9162 section 2.1.1, by its own words."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return sha(b"\0" + leaves[0])
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha(b"\1" + merkle(leaves[:k]) + merkle(leaves[k:]))


def safetensors(data):
    n = struct.unpack("<Q", data[:8])[0]
    for name, t in json.loads(data[8:8 + n]).items():
        if name != "__metadata__":
            a, b = t["data_offsets"]
            yield name.encode(), t["dtype"], t["shape"], data[8 + n + a:8 + n + b]


class Gguf:
    def __init__(self, data):
        self.data, self.at = data, 4

    def num(self, fmt):
        v = struct.unpack_from("<" + fmt, self.data, self.at)[0]
        self.at += struct.calcsize(fmt)
        return v

    def text(self):
        n = self.num("Q")
        self.at += n
        return self.data[self.at - n:self.at]

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            item, n = self.num("I"), self.num("Q")
            for _ in range(n):
                self.value(item)
            return None
        self.at += GGUF_SCALARS[kind]
        return self.data[self.at - GGUF_SCALARS[kind]:self.at]

    def tensors(self):
        _, count, pairs = self.num("I"), self.num("Q"), self.num("Q")
        alignment = 32
        for _ in range(pairs):
            key = self.text()
            value = self.value(self.num("I"))
            if key == b"general.alignment":
                alignment = struct.unpack("<I", value)[0]
        infos = []
        for _ in range(count):
            name, rank = self.text(), self.num("I")
            ne = [self.num("Q") for _ in range(rank)]
            infos.append((name, ne, self.num("I"), self.num("Q")))
        base = -(-self.at // alignment) * alignment
        for name, ne, kind, offset in infos:
            dtype, block, size = GGUF_TYPES[kind]
            n = size
            for d in ne:
                n *= d
            n //= block
            yield name, dtype, ne[::-1], self.data[base + offset:base + offset + n]


def roots(paths):
    tensors, files = {}, {}
    for path in paths:
        with open(path, "rb") as f:
            data = f.read()
        files[os.path.basename(path).encode()] = data
        if data[:4] == b"GGUF":
            found = Gguf(data).tensors()
        elif path.endswith(".safetensors"):
            found = safetensors(data)
        else:
            found = []
        for name, dtype, shape, raw in found:
            leaf = b"assay/tensor/v1\0" + prefixed(name) + prefixed(dtype.encode())
            leaf += struct.pack(">%dQ" % (len(shape) + 1), len(shape), *shape)
            tensors[name] = leaf + sha(raw)
    manifest = [b"assay/file/v1\0" + prefixed(n) + struct.pack(">Q", len(files[n])) + sha(files[n])
                for n in sorted(files)]
    return merkle([tensors[n] for n in sorted(tensors)]).hex(), merkle(manifest).hex()


def members(path):
    return sorted(glob.glob(os.path.join(path, "*"))) if os.path.isdir(path) else [path]


def agrees(path):
    run = subprocess.run([os.environ["ASSAY"], "digest", "--json", path], capture_output=True, timeout=300)
    if run.returncode not in (0, 1):
        print("%s: exit status %d: %s" % (path, run.returncode, run.stderr.decode()[:200]))
        return False
    said = json.dumps(json.loads(run.stdout))
    missing = [r for r in roots(members(path)) if r not in said]
    for root in missing:
        print("%s: %s is not in what assay says" % (path, root))
    return not missing


def make_safetensors(path, tensors):
    header, data = {}, b""
    for name, raw in tensors:
        header[name] = {"dtype": "U8", "shape": [len(raw)], "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def main():
    if len(sys.argv) > 1:
        for path in sys.argv[1:]:
            print("%s\n  tensor root   %s\n  manifest root %s" % ((path,) + roots(members(path))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, "tensors-%d.safetensors" % n) for n in (1, 2, 3, 5, 8)]
        for path, n in zip(paths, (1, 2, 3, 5, 8)):
            make_safetensors(path, [("t%d" % i, bytes([i]) * (i * 7)) for i in range(n)])
        paths += sorted(glob.glob(os.path.join(os.environ.get("CONFORMANCE", ""), "models", "*.gguf")))
        results = [agrees(path) for path in paths]
    print("%d passed, %d failed" % (sum(results), len(results) - sum(results)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
