#!/usr/bin/env python3
"""train.py BUILD TORCH: medians of runs in turns, one line for each number that was promised."""
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS, STEPS, ALL_STEPS, LIMIT_SECONDS = 3, 100, 1800, 900
BUILD, TORCH = os.path.abspath(sys.argv[1]), sys.argv[2]
HERE = os.path.dirname(os.path.abspath(__file__))
BUNDLED = os.path.join(HERE, "..", "..", "models", "bundled")


def one(command):
    """Milliseconds of the best step and MiB of a run; None when it does not run."""
    try:
        out = subprocess.run(command, capture_output=True, text=True).stdout
    except OSError:
        return None
    found = re.search(r": ([0-9.]+) ms, .* ([0-9]+) MiB", out)
    return found and (float(found[1]), int(found[2]))


def line(name, figure, unit, reference, ratio, target, ok):
    print(f"{name:<28} {figure:8.0f} {unit:<4} reference {reference:8.0f} {unit:<4} ratio {ratio:6.2f}  "
          f"target {target:<8} {'ok' if ok else 'missed'}", flush=True)


def lora():
    torch = [TORCH, os.path.join(HERE, "lora_torch.py"), str(len(os.sched_getaffinity(0)))]
    runs = [(one([os.path.join(BUILD, "bench", "bench_lora")]), one(torch)) for _ in range(ROUNDS)]
    if not all(ours for ours, _ in runs):
        print("train: the LoRA step could not be measured")
        return
    ours, mib = (statistics.median(r[0][i] for r in runs) for i in range(2))
    if not all(theirs for _, theirs in runs):
        print(f"train_lora_step {ours:21.0f} ms, {mib:.0f} MiB; PyTorch is not there (TORCH=PYTHON)")
        return
    theirs, their_mib = (statistics.median(r[1][i] for r in runs) for i in range(2))
    line("train_lora_step", ours, "ms", theirs, theirs / ours, ">= 0.50", theirs / ours >= 0.5)
    line("train_lora_memory", mib, "MiB", their_mib, their_mib / mib, "> 1.00", mib < their_mib)


def bundled():
    """Wall time of the whole training, or what STEPS of its steps make of it."""
    start = time.monotonic()
    if os.environ.get("BUNDLED") == "whole":
        done = subprocess.run(["tools/bundled.sh", os.path.join(BUILD, "assay")], capture_output=True)
        seconds, name = time.monotonic() - start, "train_bundled"
    else:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["cp", "-r", BUNDLED, folder], check=True)
            at = os.path.join(folder, "bundled")
            subprocess.run([os.path.join(BUILD, "corpus"), os.path.join(at, "data")], check=True)
            start = time.monotonic()
            done = subprocess.run([os.path.join(BUILD, "assay"), "replay", "--training", os.path.join(at, "log"),
                                   "--folder", at, "--no-record", "--steps", str(STEPS)], capture_output=True)
        seconds, name = (time.monotonic() - start) / STEPS * ALL_STEPS, f"train_bundled, {STEPS} steps"
    if done.returncode != 0:
        print("train: the bundled model's training was not reproduced")
        return
    line(name, seconds, "s", LIMIT_SECONDS, LIMIT_SECONDS / seconds, "<= 900", seconds <= LIMIT_SECONDS)


bundled()
lora()
