#!/usr/bin/env python3
"""The lenient verdict against the reference implementation.

Files that the reference writes in every type that NumPy can express must be
accepted by both readers; a set of wrong headers and some hundreds of seeded
mutations must be accepted or refused as the reference does.
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np
import safetensors
from safetensors.numpy import save

ASSAY = os.environ["ASSAY"]
MUTATIONS = int(os.environ.get("MUTATIONS", "400"))
BATCH = 100

passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


def reference_accepts(data):
    try:
        safetensors.deserialize(data)
        return True
    except safetensors.SafetensorError:
        return False


def beyond(document):
    """More dimensions than Assay reads: no reader's verdict is given for what was not read."""
    return {f["id"] for f in document["findings"]
            if f["breaks"] == "loader" or f["id"] == "safetensors.rank"} == {"safetensors.rank"}


def verdicts(files):
    """Assay's (strict, lenient) of each, many files in one run."""
    out = []
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, len(files), BATCH):
            paths = []
            for i, data in enumerate(files[start:start + BATCH]):
                paths.append(os.path.join(folder, f"{start + i:06d}.safetensors"))
                with open(paths[-1], "wb") as f:
                    f.write(data)
            run = subprocess.run([ASSAY, "inspect", "--json", "--no-digest", *paths],
                                 capture_output=True, check=False)
            lines = run.stdout.decode().splitlines()
            documents = [json.loads(line) for line in lines] if len(paths) > 1 \
                else [json.loads(run.stdout)]
            if len(documents) != len(paths):
                sys.exit(f"{len(paths)} files, {len(documents)} answers: {run.stderr.decode()}")
            out += [(d["strict"], d["lenient"] or beyond(d)) for d in documents]
    return out


def file_of(header, data=b"\0" * 4):
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header)) + header + data


G = '"dtype":"F32","shape":[1],"data_offsets":[0,4]'
GOOD = '"a":{' + G + "}"
NUMPY = [np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64,
         np.int64, np.float16, np.float32, np.float64, np.complex64, ml_dtypes.bfloat16,
         ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2]

TYPES = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8,
         "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16,
         "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64,
         "U64": 64}  # bits; eight elements take as many bytes


def written():
    for t in NUMPY:
        a = np.arange(6).reshape(2, 3).astype(t)
        try:
            yield f"{np.dtype(t)}", save({"w": a, "z": a[:0], "s": np.array(a[0, 0])})
        except (KeyError, TypeError, ValueError, safetensors.SafetensorError):
            print(f"the reference's NumPy front does not write {np.dtype(t)}")
    for t, bits in TYPES.items():
        header = json.dumps({"w": {"dtype": t, "shape": [2, 4], "data_offsets": [0, bits]}})
        yield t, file_of(header + " " * (-len(header) % 8), bytes(bits))
    yield "many", save({f"t{i}": np.zeros((i % 3, 2), np.float32) for i in range(50)},
                       metadata={"format": "np"})
    yield "nothing", save({})


def wrong():
    deep = lambda n: "[" * n + "]" * n
    yield from (f'{{"a":{{"x":{v},{G}}}}}' for v in (
        "1", "[]", "1e400", "-1e400", "0e400", "1e-400", "9" * 400, '"\\ud800"', '"\\ud83d\\ude00"',
        deep(125), deep(126), deep(127), "tru", "NaN", "01", "-", '"\t"', '{"a":1,"a":2}'))
    yield from (f'{{"a":{{"dtype":{v},"shape":[1],"data_offsets":[0,4]}}}}' for v in (
        '"f32"', "17", "null", '{"F32":null}', '{"F32":{}}', '{"F32":[]}', '{"F32":null,"F32":null}',
        "{}", '["F32"]', '"Q4_0"', '"F\\u0033\\u0032"', '"I32"', '"F64"', '""'))
    yield from (f'{{"a":{{"dtype":"F32","shape":{v},"data_offsets":[0,4]}}}}' for v in (
        "1", "[]", "[1,1]", "{}", "null", "[1.0]", "[1e0]", "[-1]", "[-0]", '["1"]', "[null]", "[2]",
        "[0]", "[18446744073709551615]", "[18446744073709551616]", "[4611686018427387904,4]",
        "[1,1,1,1,1,1,1,1,1]"))
    yield from (f'{{"a":{{"dtype":"F32","shape":[1],"data_offsets":{v}}}}}' for v in (
        "[0]", "[0,4,4]", "[4,0]", "[0,5]", "[1,5]", '["0",4]', "{}", "null", "[0,4.0]",
        "[18446744073709551612,18446744073709551616]"))
    yield from (f"{{{v},{GOOD}}}" for v in (
        '"__metadata__":null', '"__metadata__":{}', '"__metadata__":[]', '"__metadata__":{"a":1}',
        '"__metadata__":{"a":null}', '"__metadata__":{"a":"1","a":"2"}', '"__metadata__":"x"',
        '"__metadata__":{},"__metadata__":{}', '"__metadata__":null,"__metadata__":{}',
        '"__metad\\u0061ta__":{"a":"b"}', '"b":3', '"b":null', '"b":{}', '"b":[]', GOOD,
        '"a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}', '"\\u0061":{' + G + "}",
        '"z":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}',
        '"z":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}',
        '"z":{"dtype":"F32","shape":[0],"data_offsets":[2,2]}',
        '"z":{"dtype":"F32","shape":[9223372036854775808,4,0],"data_offsets":[0,0]}',
        '"z":{"dtype":"F32","shape":[0,9223372036854775808,4],"data_offsets":[0,0]}',
        '"b":["F32",[0],[4,4]]', '"b":["F32",[0],[4,4],0]', '"":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}'))
    yield from (v.replace("@", "{" + GOOD + "}") for v in (
        " @", "\t@\r\n", "@\0", "@x", "@ @", "\ufeff@", "[@]", "null", "", "{", "}", "@}", '"a"', "1"))


def mutations(base, count, seed):
    r = random.Random(seed)
    alphabet = b'0123456789{}[]",:\\ \n\t-+.eEu\xff\x00FIUB'
    words = [b'"dtype"', b"null", b'"__metadata__"', b"[]", b"{}", b'"a"', b"1e400", b"18446744073709551616"]
    for _ in range(count):
        b = bytearray(r.choice(base))
        for _ in range(r.choice((1, 1, 1, 2, 3))):
            at = r.randrange(len(b) + 1)
            how = r.randrange(6)
            if how == 0 and at < len(b):
                b[at] = r.choice(alphabet)
            elif how == 1 and at < len(b):
                b[at] ^= 1 << r.randrange(8)
            elif how == 2:
                del b[at:at + r.randrange(1, 9)]
            elif how == 3:
                b[at:at] = r.choice(words)
            elif how == 4 and len(b) > 16:
                end = min(len(b), at + r.randrange(1, 60))
                b[at:at] = b[at:end]
            else:
                b[at:at] = bytes([r.choice(alphabet)])
        # Half of them keep a true length, so that more than the length is tried.
        if r.randrange(2) and len(b) > 8:
            end = bytes(b).rfind(b"}}", 8)
            if end > 8:
                b[:8] = struct.pack("<Q", end + 2 - 8)
        yield bytes(b)


def main():
    names, files = zip(*written())
    for name, data, (strict, lenient) in zip(names, files, verdicts(list(files))):
        check(strict and lenient and reference_accepts(data), f"{name}: strict {strict} lenient {lenient}")
    cases = [file_of(h) for h in wrong()]
    small = [file_of("{" + GOOD + "}"), file_of('{"__metadata__":{"k":"v"},' + GOOD + "}"),
             file_of("{" + GOOD + ',"b":{"dtype":"F4","shape":[2],"data_offsets":[4,5]}}', b"\0" * 5),
             files[0]]
    cases += mutations(small, MUTATIONS, 20260922)
    accepted = 0
    for data, (strict, lenient) in zip(cases, verdicts(cases)):
        truth = reference_accepts(data)
        accepted += truth
        check(lenient == truth and (lenient or not strict),
              f"reference {truth}, lenient {lenient}, strict {strict}: {data[:300]!r}")
    print(f"of {len(cases)} files the reference accepts {accepted}")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
