"""llama_cpp.py FILE THREADS: llama.cpp's speed on the engine's measurement, as JSON."""
import json
import os
import sys

import xllamacpp

p = xllamacpp.CommonParams()
p.model.path = sys.argv[1]
p.n_ctx, p.n_batch, p.n_ubatch, p.n_parallel, p.warmup = 512, 512, 256, 1, True
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = int(sys.argv[2])
server = xllamacpp.Server(p)
ids = [(i * 7919 + 1) % 31000 + 300 for i in range(256)]
r = server.handle_completions({"prompt": ids, "n_predict": 32, "temperature": 0,
                               "ignore_eos": True, "cache_prompt": False})
t = r["timings"]
print(json.dumps({"prefill_tokens_s": t["prompt_per_second"],
                  "decode_tokens_s": t["predicted_per_second"]}))
sys.stdout.flush()
os._exit(0)  # its threads do not always end in order
