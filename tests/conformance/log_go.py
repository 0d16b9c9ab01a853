#!/usr/bin/env python3
"""Our checkpoints, tiles, receipts and proofs, judged by Go's note and tlog packages.

Skipped without Go. The module proxy gives golang.org/x/mod; go.sum fixes its bytes.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", HERE.parents[1] / "build/release"))


def main():
    if not shutil.which("go"):
        print("log-go: there is no go on the PATH\n0 passed, 0 failed, 2 skipped")
        return 0
    passed = failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([BUILD / "fixtures/make/auditlog", folder], check=True)
        subprocess.run(["go", "build", "-o", folder / "gonote", "."], cwd=HERE / "gonote",
                       check=True, timeout=300)
        for log in (folder / "paper", folder / "store"):
            older = ["-", "-"]
            if (log / "older").exists():
                old_key = (log / "old.vkey").read_text().strip()
                older = [f"{log / 'older'} {old_key}", log / "consistency"]
            receipts = sorted(log.glob("*.tlog-proof"))
            done = subprocess.run([folder / "gonote", log / "export",
                                   (log / "log.vkey").read_text().strip(), *older, *receipts],
                                  capture_output=True, text=True, timeout=300)
            lines = done.stdout.splitlines()
            counts = lines[-1].split() if lines else []
            good, bad = (int(counts[0]), int(counts[2])) if len(counts) == 4 else (0, 1)
            passed, failed = passed + good, failed + bad
            if bad or done.returncode:
                print(log.name, done.stdout, done.stderr)
                failed += not bad
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
