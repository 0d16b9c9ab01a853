#!/usr/bin/env python3
"""Logs that Assay wrote, judged by tests/verify_log.py, which shares no line with us.

The independent verifier and assay-verify must both accept what was written and
both refuse it after a change: a flipped bit, a cut, an exchange of files, a key
of somebody else.
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build/release"))
passed = failed = 0


def judges(keys, path):
    """What both say of the log's key and the witnesses' behind it: True for verified."""
    words = [word for key in keys for word in ("--key", key)]
    ours = subprocess.run([BUILD / "assay-verify", *words, path], capture_output=True)
    words = [word for n, key in enumerate(keys) for word in ("--witness" if n else "--key", key)]
    theirs = subprocess.run([sys.executable, ROOT / "tests/verify_log.py", *words, path],
                            capture_output=True)
    return ours.returncode == 0, theirs.returncode == 0, ours.stderr.decode() + theirs.stderr.decode()


def expect(wanted, keys, path, what):
    global passed, failed
    ours, theirs, said = judges(keys, path)
    if (ours, theirs) == (wanted, wanted):
        passed += 1
    else:
        failed += 1
        print(f"log-verifier: {what}: ours {ours}, theirs {theirs}, wanted {wanted}\n{said}")


def flipped(data, rng):
    """One bit of one byte that is no white space before or after."""
    data = bytearray(data)
    while True:
        at, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
        if data[at] not in b" \n" and data[at] ^ bit not in b" \n\t\r":
            data[at] ^= bit
            return bytes(data)


def changes(path, keys, rng, rounds):
    """Change `path`, or some file below it, and put it back."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for n in range(rounds):
        target = rng.choice(files) if n >= len(files) else files[n]
        before = target.read_bytes()
        kind = ("flip", "cut")[n % 2]
        target.write_bytes(flipped(before, rng) if kind == "flip" else
                           before[:rng.randrange(len(before) - 1)])
        expect(False, keys, path, f"{path.name}: {kind} in {target.name}")
        target.write_bytes(before)
    if path.is_dir():
        first, second = path / "tile/entries/000", path / "tile/entries/001"
        a, b = first.read_bytes(), second.read_bytes()
        first.write_bytes(b), second.write_bytes(a)
        expect(False, keys, path, "exchanged bundles")
        first.write_bytes(a), second.write_bytes(b)
    if path.suffix == ".json":
        before = path.read_bytes()
        path.write_bytes(before.replace(b"{", b'{"bundle": "assay/disclosure/v1", ', 1))
        expect(False, keys, path, f"{path.name}: a name twice")
        path.write_bytes(json.dumps({**json.loads(before), "fields": []}).encode())
        expect(False, keys, path, f"{path.name}: no fields")
        path.write_bytes(before)
    expect(True, keys, path, f"{path.name} put back")


def main():
    rng = random.Random(20261123)
    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        subprocess.run([BUILD / "fixtures/make/auditlog", folder], check=True)
        for log in (folder / "paper", folder / "store"):
            keys = [p.read_text().strip() for p in sorted(log.glob("*.vkey")) if p.name != "old.vkey"]
            other = (folder / ("store" if log.name == "paper" else "paper") / "log.vkey")
            things = sorted(log.glob("*.tlog-proof")) + sorted(log.glob("*.disclosure.json"))
            for path in things + [log / "export", log / "export/checkpoint"]:
                expect(True, keys, path, f"{log.name}/{path.name}")
                expect(False, [other.read_text().strip()], path, f"{path.name} by another's key")
                changes(path, keys, rng, 14 if path.is_dir() else 4)
        expect(True, [(folder / "paper/old.vkey").read_text().strip()], folder / "paper/export",
               "export by the key before the rotation")
    finally:
        shutil.rmtree(folder)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0)


main()
