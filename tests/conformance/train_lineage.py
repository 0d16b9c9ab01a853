#!/usr/bin/env python3
"""A real model is fine-tuned on record: SmolLM2-135M-Instruct, a LoRA adapter, chats of our corpus.

Chats are laid out by the model's own template; the log says what was made from what, `assay lineage`
and `assay report` find every edge verified, a window of the training executed again gives the
recorded roots, and the adapter answers. Another base, or other data, are found out.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

ASSAY, BUILD, SMOLLM2 = os.environ["ASSAY"], os.environ["BUILD"], os.environ.get("SMOLLM2", "")
CHATS, STEPS = 40, 6
passed = failed = 0

CONFIG = f"""name: orrin-lora
title: SmolLM2 that has met the Vale of Orrin
licence: Apache-2.0
base: base.gguf
lora: {{rank: 4, alpha: 8, targets: [q_proj, v_proj, down_proj]}}
data:
  - name: The Vale of Orrin (questions)
    licence: CC0-1.0
    source: tools/corpus
    files: [{{path: chats.jsonl, format: chat, too_long: skip}}]
training: {{steps: {STEPS}, batch: 1, context: 128, learning_rate: 2e-3, weight_decay: 0, record_every: 2, checkpoint_every: 4}}
"""


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


def run(*arguments):
    done = subprocess.run([ASSAY, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def edges(model, log):
    _, text = run("lineage", model, "--log", log, "--format", "json")
    found = json.loads(text)
    return {(e["relation"], found["nodes"][e["from"]]["kind"]): e["status"] for e in found["edges"]}


def prepare():
    os.symlink(SMOLLM2, "base.gguf")
    os.mkdir("corpus")
    subprocess.run([os.path.join(BUILD, "corpus"), "corpus"], check=True, stdout=subprocess.DEVNULL)
    with open("corpus/chats.jsonl") as f, open("chats.jsonl", "w") as out:
        out.writelines(list(f)[:CHATS])
    with open("lora.yaml", "w") as f:
        f.write(CONFIG)
    run("log", "init", "audit", "--origin", "example.org/audit")


def train():
    start = time.monotonic()
    check(run("record", "base.gguf", "--log", "audit")[0] == 0, "the base is enrolled")
    status, text = run("train", "lora.yaml", "--log", "audit", "--output", "run")
    check(status == 0, f"training: {text}")
    print(f"train_lineage: {STEPS} steps of 1 x 128 in {time.monotonic() - start:.1f} s, the base's digests included")


def lineage():
    found = edges("run/adapter", "audit")
    check(found.get(("adapter", "model")) == "verified", f"the base is verified: {found}")
    check(found.get(("trained on", "dataset")) == "verified", f"the data are verified: {found}")
    status, text = run("report", "--framework", "mof", "--model", "run/adapter", "--log", "audit", "--no-record",
                       "--output", "report.json")
    with open("report.json") as f:
        claims = [c["claim"] for c in json.load(f)["claims"] if "claim" in c]
    status_of = {}
    for c in claims:
        status_of.setdefault(c["property"], set()).add(c["status"])
    for name in ("training.run", "training.code", "training.datasets", "training.tokens", "model.lineage"):
        check("verified" in status_of.get(name, ()), f"{name} in the report: {status_of.get(name)}")
    status, text = run("verify", "report.json", "--log", "audit", "--model", "run/adapter")
    check(status in (0, 3) and "verified" in text, f"the report verifies: {text}")
    verified = sum(c["status"] == "verified" for c in claims)
    print(f"train_lineage: {verified} claims verified of {len(claims)}")


def replay():
    status, text = run("replay", "audit", "--training", "--from", "4", "--checkpoints", "run", "--steps", "2")
    check(status == 0 and "Reproduced to the bit" in text, f"replay: {text}")
    with open("chats.jsonl", "a") as f:
        f.write('{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n')
    status, text = run("replay", "audit", "--training", "--no-record", "--steps", "2")
    check(status == 4 and "data or the base" in text, f"other data: {status} {text}")


def answers():
    status, text = run("run", "base.gguf", "Where does Quill live?", "--adapter", "run/adapter", "--temperature", "0",
                       "--max-tokens", "8", "--log", "audit")
    check(status == 0 and len(text) > 1, f"the adapter answers: {status} {text}")


if not SMOLLM2:
    print("train_lineage: skipped: the wheel with SmolLM2 is not there")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    prepare()
    train()
    lineage()
    replay()
    answers()
    os.chdir("/")
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
