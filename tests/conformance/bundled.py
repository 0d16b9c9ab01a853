#!/usr/bin/env python3
"""The bundled model against its record: its log verifies, its corpus is written again with the
recorded digests, and the first steps of its training, computed again, give the recorded roots.
"""
import json
import os
import subprocess
import sys
import tempfile

ASSAY, BUILD = os.environ["ASSAY"], os.environ["BUILD"]
BUNDLED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models", "bundled")
LOG = os.path.join(BUNDLED, "log")
passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


def run(*arguments, **environment):
    done = subprocess.run([ASSAY, *arguments], capture_output=True, text=True,
                          env={**os.environ, **environment})
    return done.returncode, done.stdout + done.stderr


def leaves(kind):
    _, text = run("log", "query", LOG, "--kind", kind, "--format", "json")
    return [json.loads(line)["leaf"]["record"] for line in text.splitlines() if line.startswith("{")]


def root_of(path):
    _, text = run("digest", path, "--no-cache")
    return next(line.split()[2] for line in text.splitlines() if line.startswith("# tensor-root"))


def replay(folder, steps, isa):
    status, text = run("replay", LOG, "--training", "--folder", folder, "--steps", str(steps),
                       "--no-record", ASSAY_ISA=isa)
    check(status == 0 and "Reproduced to the bit" in text, f"replay of {steps} steps on {isa}: {text}")


def main():
    key = open(os.path.join(BUNDLED, "log.vkey")).read().strip()
    status, text = run("log", "verify", LOG, "--key", key)
    check(status == 0, f"log verify: {text}")
    end = [r for r in leaves("training") if r["phase"] == "end"]
    model = leaves("model")
    check(len(end) == 1 and len(model) == 1, "one end and one model are recorded")
    check(model[0]["tensor_root"] == root_of(os.path.join(BUNDLED, "model")), "tensor root of the model")
    check(model[0]["source"] == end[0]["run"], "the model's source is the run")
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data")
        os.mkdir(data)
        subprocess.run([os.path.join(BUILD, "corpus"), data], check=True)
        with open(os.path.join(BUNDLED, "data", "README.md"), "rb") as a, \
                open(os.path.join(data, "README.md"), "rb") as b:
            check(a.read() == b.read(), "card of the data set")
        replay(folder, 20, "avx512")
        replay(folder, 20, "avx2")
        with open(os.path.join(data, "chats.jsonl"), "a") as f:
            f.write('{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n')
        status, text = run("replay", LOG, "--training", "--folder", folder, "--no-record")
        check(status == 4, f"other data are noticed: {status} {text}")


main()
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
