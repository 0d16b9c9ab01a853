#!/usr/bin/env python3
"""Footers of Parquet files as `assay record dataset` reads them, against pyarrow: rows, row groups, columns.

Tables of many forms and writer settings; then the same files cut, and with bytes changed: named and located,
never a crash, and never another number without a word.
"""
import os
import random
import re
import subprocess
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

ASSAY = os.environ["ASSAY"]
passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


def record(path):
    done = subprocess.run([ASSAY, "record", "dataset", path, "--log", "audit"], capture_output=True, text=True)
    text = " ".join((done.stdout + done.stderr).split())
    said = re.search(r"Parquet ([\d,]+) rows in (\d+) row groups", text)
    columns = re.search(r"columns (.*?) (?:card|tokens|languages) ", text)
    rows = int(said.group(1).replace(",", "")) if said else None
    return done.returncode, rows, int(said.group(2)) if said else None, columns.group(1) if columns else "", text


def tables():
    flat = pa.table({"text": ["one two", None, "three"] * 100, "n": list(range(300))})
    yield "flat", flat, {}
    yield "groups", flat, {"row_group_size": 7}
    yield "plain", flat, {"use_dictionary": False, "write_statistics": False, "store_schema": False, "compression": "none"}
    yield "indexed", flat, {"write_page_index": True, "compression": "zstd"}
    yield "version-1", flat, {"version": "1.0", "data_page_version": "2.0"}
    yield "empty", flat.slice(0, 0), {}
    yield "wide", pa.table({f"column {i}": [i] for i in range(60)}), {}
    yield "nested", pa.table({"chat": [[{"role": "user", "content": "a"}]] * 5, "meta": [{"a": {"b": 1}}] * 5,
                              "map": pa.array([[("k", 1)]] * 5, pa.map_(pa.string(), pa.int64())), "end": [1.5] * 5}), {}
    yield "names", pa.table({"größe": [1], "a\nb": [2]}), {}
    yield "metadata", flat.replace_schema_metadata({"key": "value" * 1000}), {}


def whole():
    for name, table, options in tables():
        path = name + ".parquet"
        pq.write_table(table, path, **options)
        meta = pq.read_metadata(path)
        status, rows, groups, columns, text = record(path)
        check(status == 0, f"{name}: {status} {text}")
        check(rows == meta.num_rows and groups == meta.num_row_groups, f"{name}: {rows} in {groups}: {text}")
        if name not in ("names", "wide"):
            check(columns == ", ".join(table.column_names), f"{name}: {columns!r}")


def broken():
    data = open("groups.parquet", "rb").read()
    r = random.Random(20261126)
    for i in range(40):
        kind = i % 3
        changed = bytearray(data)
        if kind == 0:
            changed = changed[:r.randrange(len(data))]
        elif kind == 1:
            changed[-8:-4] = r.randrange(1 << 32).to_bytes(4, "little")
        else:
            changed[r.randrange(len(data) - 2500, len(data) - 8)] ^= 1 << r.randrange(8)
        with open("broken.parquet", "wb") as f:
            f.write(changed)
        status, rows, _, _, text = record("broken.parquet")
        check(status in (0, 3), f"broken {i}: {status} {text}")
        check(kind == 2 or (rows is None and "broken.parquet" in text), f"broken {i} is named: {text}")
    with open("encrypted.parquet", "wb") as f:
        f.write(data[:-4] + b"PARE")
    status, _, _, _, text = record("encrypted.parquet")
    check(status == 3 and "encrypted footer" in text, text)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    subprocess.run([ASSAY, "log", "init", "audit", "--origin", "example.org/audit"], check=True, stdout=subprocess.DEVNULL)
    whole()
    broken()
    os.chdir("/")
print(f"{passed} passed, {failed} failed")
raise SystemExit(failed != 0)
