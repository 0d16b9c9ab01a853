#!/usr/bin/env python3
"""`assay quantize` against the reference implementation's rounding (gguf.quants), bit for bit.

A model of seeded normal values, of hostile spreads and of exact ties is written by the reference
writer; every element type that Assay writes must hold the very bytes that the reference makes.
"""
import os
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T, GGUFReader, GGUFWriter

ASSAY = os.environ["ASSAY"]
np.seterr(over="ignore")
TYPES = [T.F32, T.F16, T.BF16, T.Q8_0, T.Q5_1, T.Q5_0, T.Q4_1, T.Q4_0]

passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


def values():
    r = np.random.default_rng(20261125)
    normal = r.standard_normal((64, 256)) * 0.05
    wide = r.standard_normal((32, 256)) * np.exp(r.standard_normal((32, 256)) * 4)
    ties = r.integers(-300, 300, (32, 256)) / 2
    zeros = np.zeros((2, 256))
    return {"normal": normal, "wide": wide, "ties": ties, "zeros": zeros}


def main():
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "in.gguf")
        w = GGUFWriter(source, "llama")
        tensors = {k: v.astype(np.float32) for k, v in values().items()}
        for name, data in tensors.items():
            w.add_tensor(name, data)
        w.add_tensor("vector", tensors["normal"][0])
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()
        for kind in TYPES:
            out = os.path.join(folder, kind.name + ".gguf")
            subprocess.run([ASSAY, "quantize", source, out, "--type", kind.name], check=True,
                           stdout=subprocess.DEVNULL)
            read = {t.name: t for t in GGUFReader(out).tensors}
            for name, data in tensors.items():
                expected = gguf.quants.quantize(data, kind)
                same = read[name].tensor_type == kind and \
                    expected.tobytes() == read[name].data.tobytes()
                check(same, f"{kind.name} {name}")
            check(read["vector"].data.tobytes() == tensors["normal"][0].tobytes(), kind.name + " vector")


main()
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
