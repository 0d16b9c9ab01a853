#!/usr/bin/env python3
"""Tiny random models of every family: log probabilities against llama.cpp's (xllamacpp).

Some also with their rotation scaled: linear, YaRN, Llama 3's factors and long ones
(for a context within and beyond the original one).
"""
import json
import os
import subprocess
import sys
import tempfile

import gguf
import numpy as np

BUILD = os.environ.get("BUILD", "build/release")
FAMILIES = ["llama", "qwen2", "qwen3", "gemma3", "gemma2", "smollm3", "granite", "olmo2", "phi3",
            "gpt2"]
# name: family, metadata under "<family>.rope.scaling.", tensors of factors for 8 pairs
FACTORS = np.array([1, 1, 1.5, 2, 3, 4.5, 6, 8], dtype=np.float32)
SCALED = {
    "linear": ("llama", {"type": "linear", "factor": 2.5}, {}),
    "yarn": ("llama", {"type": "yarn", "factor": 4.0, "original_context_length": 32}, {}),
    "yarn neox": ("qwen3", {"type": "yarn", "factor": 8.0, "original_context_length": 16}, {}),
    "llama3": ("llama", {}, {"rope_freqs.weight": FACTORS}),
    "long": ("phi3", {"original_context_length": 32, "attn_factor": 1.19},
             {"rope_factors_long.weight": FACTORS, "rope_factors_short.weight": FACTORS ** 0.5}),
    "short": ("phi3", {"original_context_length": 512, "attn_factor": 1.0},
              {"rope_factors_long.weight": FACTORS, "rope_factors_short.weight": FACTORS ** 0.5}),
}
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


def scaled(source, path, family, keys, tensors):
    """The same model with more metadata and tensors."""
    old = gguf.GGUFReader(source)
    new = gguf.GGUFWriter(path, family)
    for field in old.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        kind = field.types[0]
        value = field.contents()
        new.add_key_value(field.name, value, kind, sub_type=field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for key, value in keys.items():
        kind = {str: gguf.GGUFValueType.STRING, float: gguf.GGUFValueType.FLOAT32, int: gguf.GGUFValueType.UINT32}[type(value)]
        new.add_key_value("%s.rope.scaling.%s" % (family, key), value, kind)
    for t in old.tensors:
        new.add_tensor(t.name, t.data, raw_dtype=t.tensor_type)
    for name, data in tensors.items():
        new.add_tensor(name, data)
    new.write_header_to_file()
    new.write_kv_data_to_file()
    new.write_tensors_to_file()
    new.close()


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in FAMILIES + list(SCALED):
            family = SCALED[name][0] if name in SCALED else name
            model = os.path.join(folder, family + ".gguf")
            subprocess.run([BUILD + "/fixtures/make/family_model", family, model], check=True)
            if name in SCALED:
                scaled(model, folder + "/scaled.gguf", *SCALED[name])
                model = folder + "/scaled.gguf"
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
            print("%-9s normalised error %.2e %s" % (name, worst, "ok" if ok else "FAILED"))
            passed += ok
            failed += not ok
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
