#!/usr/bin/env python3
"""Compares decoded values with the reference implementations.

Usage: dtype.py [path/to/decode_stdin]   (without it: $BUILD/conformance/decode_stdin)

Every GGUF type against gguf.quants, every safetensors float against ml_dtypes
and numpy, on random blocks and with every code of the narrow types. Values
must be equal to the bit, any NaN counting as any other; statistics must agree
with numpy to 1e-12. Needs the Python packages numpy, ml_dtypes and gguf.
Types that the reference cannot decode are listed, not passed over.
"""

import os
import subprocess
import sys

import gguf
import gguf.quants
import ml_dtypes
import numpy as np

BLOCKS = 4096
if len(sys.argv) > 1:
    HELPER = sys.argv[1]
else:
    HELPER = os.path.join(os.environ.get("BUILD", "build/release"), "conformance", "decode_stdin")
RNG = np.random.default_rng(20240229)

# Fields of a block that hold an f16, so that most random scales are ordinary.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "IQ2_XXS": [0], "IQ2_XS": [0], "IQ3_XXS": [0], "IQ1_S": [0], "IQ4_NL": [0],
    "IQ3_S": [0], "IQ2_S": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64], "Q1_0": [0],
    "MXFP4": [], "NVFP4": [], "IQ1_M": [],
}

SCALARS = {
    "F32": np.float32, "F16": np.float16, "F64": np.float64, "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu, "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16,
    "U32": np.uint32, "I32": np.int32, "U64": np.uint64, "I64": np.int64,
}

passed = failed = 0


def run(dtype, mode, data):
    done = subprocess.run([HELPER, dtype, mode], input=data, capture_output=True, check=True,
                          timeout=120)
    return done.stdout


def judge(dtype, ok, why):
    global passed, failed
    passed += bool(ok)
    failed += not ok
    if not ok:
        print(f"{dtype}: {why}: FAILED")


def same(a, b):
    both_nan = np.isnan(a) & np.isnan(b)
    return both_nan | (a.view(np.uint32) == b.view(np.uint32))


def compare(dtype, data, want, wide=None):
    want = np.ascontiguousarray(want.astype(np.float32).ravel())
    got = np.frombuffer(run(dtype, "decode", data), dtype=np.float32)
    equal = got.size == want.size and same(got, want)
    bad = np.size(equal) - np.count_nonzero(equal)
    judge(dtype, bad == 0 and got.size == want.size, f"{want.size} values, {bad} differ")
    if bad and got.size == want.size:
        i = int(np.argmin(equal))
        print(f"  first at {i}: {got[i]!r}, reference {want[i]!r}")
    compare_stats(dtype, data, want.astype(np.float64) if wide is None else wide)


def compare_stats(dtype, data, values):
    got = [float(x) for x in run(dtype, "stats", data).split()]
    finite = values[np.isfinite(values)]
    exact = [values.size, np.isnan(values).sum(), np.isinf(values).sum(), (values == 0).sum(),
             finite.min(), finite.max()]
    ok = got[:6] == [float(x) for x in exact]
    with np.errstate(over="ignore"):
        sums = ((got[6], finite), (got[7], finite * finite))
        for mine, terms in sums:
            scale = np.abs(terms).sum()
            ok &= bool(np.isinf(scale) or abs(mine - terms.sum()) <= 1e-12 * scale)
    judge(dtype, ok, "statistics")


def random_blocks(qtype):
    _, size = gguf.GGML_QUANT_SIZES[qtype]
    blocks = RNG.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for at in HALVES[qtype.name]:
        halves = RNG.normal(0, 0.05, BLOCKS).astype(np.float16)
        halves[::64] = RNG.integers(0, 65536, BLOCKS // 64).astype(np.uint16).view(np.float16)
        blocks[:, at:at + 2] = halves.view(np.uint8).reshape(-1, 2)
    return blocks


def gguf_types():
    for name in HALVES:
        qtype = gguf.GGMLQuantizationType[name]
        blocks = random_blocks(qtype)
        try:
            with np.errstate(all="ignore"):
                want = gguf.quants.dequantize(blocks, qtype)
        except NotImplementedError:
            print(f"dtype: skipped, not in the reference packages: {name} (hand-made blocks only)")
            continue
        compare(name, blocks.tobytes(), want)


def scalar_types():
    for name, kind in SCALARS.items():
        size = np.dtype(kind).itemsize
        data = RNG.integers(0, 256, 65536 * size, dtype=np.uint8)
        if size == 1:
            data = np.tile(np.arange(256, dtype=np.uint8), 256)
        if size == 2:
            data = np.arange(65536, dtype=np.uint16).view(np.uint8)
        with np.errstate(all="ignore"):
            values = data.view(kind)
            wide = values.astype(np.float64)
            if name == "F64":  # squares beyond double are another test's matter
                wide = np.where(np.abs(wide) > 1e100, 1.0, wide)
                values = wide
                data = wide.view(np.uint8)
            compare(name, data.tobytes(), values.astype(np.float32), wide)


def narrow_types():
    six = RNG.integers(0, 64, 65536, dtype=np.uint32)
    groups = six.reshape(-1, 4)
    words = groups[:, 0] | groups[:, 1] << 6 | groups[:, 2] << 12 | groups[:, 3] << 18
    packed = words.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    codes = six.astype(np.uint8)
    compare("F6_E2M3", packed, codes.view(ml_dtypes.float6_e2m3fn))
    compare("F6_E3M2", packed, codes.view(ml_dtypes.float6_e3m2fn))
    four = RNG.integers(0, 16, 65536, dtype=np.uint8)
    compare("F4", (four[::2] | four[1::2] << 4).astype(np.uint8).tobytes(),
            four.view(ml_dtypes.float4_e2m1fn))
    complexes = RNG.normal(0, 1, 65536).astype(np.float32)
    parts = complexes.reshape(-1, 2).astype(np.float64)
    modulus = np.sqrt(parts[:, 0] ** 2 + parts[:, 1] ** 2)
    compare("C64", complexes.tobytes(), modulus, modulus)
    bools = RNG.integers(0, 2, 65536, dtype=np.uint8)
    compare("BOOL", bools.tobytes(), bools)


gguf_types()
scalar_types()
narrow_types()
print("dtype: skipped, not in the reference packages: Q8_1, Q8_K, Q2_0 (hand-made blocks only)")
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
