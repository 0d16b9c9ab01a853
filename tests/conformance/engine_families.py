#!/usr/bin/env python3
"""Tiny random models of every family: log probabilities against llama.cpp's (xllamacpp)."""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

BUILD = os.environ.get("BUILD", "build/release")
FAMILIES = ["llama", "qwen2", "qwen3", "gemma3", "gemma2", "smollm3", "granite", "olmo2", "phi3",
            "gpt2"]
WORDS = 320
PROMPTS = [[1], [1, 270, 300, 261, 305], [1] + [260 + i * 7 % 59 for i in range(40)]]
LIMIT = 1e-3


def log_softmax(x):
    x = x.astype(np.float64)
    return x - x.max() - np.log(np.exp(x - x.max()).sum())


def ours(model, ids):
    out = subprocess.run([BUILD + "/conformance/engine_logits", model] + [str(i) for i in ids],
                         capture_output=True, check=True).stdout
    return log_softmax(np.frombuffer(out, dtype="<f4"))


def peers(model):
    """In a process of its own: one server per process, and its log stays out of ours."""
    code = """
import json, sys, xllamacpp as x
p = x.CommonParams()
p.model.path = sys.argv[1]
p.n_ctx = 128; p.n_parallel = 1; p.warmup = False
p.cpuparams.n_threads = 1; p.cpuparams_batch.n_threads = 1
s = x.Server(p)
out = []
for ids in json.loads(sys.argv[2]):
    r = s.handle_completions({"prompt": ids, "n_predict": 1, "temperature": 0, "n_probs": %d, "ignore_eos": True,
                              "cache_prompt": False})
    r = json.loads(r) if isinstance(r, (str, bytes)) else r
    top = r["choices"][0]["logprobs"]["content"][0]
    out.append({t["id"]: t["logprob"] for t in top["top_logprobs"]})
open(sys.argv[3], "w").write(json.dumps(out))
import os
os._exit(0)  # its threads do not always end in order
""" % WORDS
    with tempfile.NamedTemporaryFile(suffix=".json") as f:
        subprocess.run([sys.executable, "-c", code, model, json.dumps(PROMPTS), f.name],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return json.load(open(f.name))


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for family in FAMILIES:
            model = os.path.join(folder, family + ".gguf")
            subprocess.run([BUILD + "/fixtures/make/family_model", family, model], check=True)
            worst = 0.0
            try:
                for ids, theirs in zip(PROMPTS, peers(model)):
                    mine = ours(model, ids)
                    at = np.array(sorted(int(i) for i in theirs))
                    b = np.array([theirs[str(i)] for i in at])
                    a = mine[at]
                    assert len(at) > WORDS // 2
                    worst = max(worst, ((a - b) ** 2).sum() / ((b - b.mean()) ** 2).sum())
                ok = worst < LIMIT
            except (subprocess.CalledProcessError, AssertionError, KeyError) as e:
                print(type(e).__name__)
                ok = False
            print("%-8s normalised error %.2e %s" % (family, worst, "ok" if ok else "FAILED"))
            passed += ok
            failed += not ok
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
