// llama_cpp.mjs FILE THREADS [ROUNDS]: llama.cpp's speed on the engine's measurement, as JSON, by
// npm's node-llama-cpp: its prebuilt libraries are one for each processor (zen4: AVX-512 with VNNI
// and BF16), where PyPI's xllamacpp is AVX2 alone.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.cwd() + "/build/llama-node/");
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(require.resolve("node-llama-cpp")));
const [file, threads, rounds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4] ?? 1)];
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext(
    { contextSize: 512, batchSize: 256, threads, sequences: 1, flashAttention: true });
const sequence = context.getSequence();
const ids = Array.from({ length: 257 }, (_, i) => (i * 7919 + 1) % 31000 + 300);
let prefill = 0, decode = 0;
await sequence.evaluateWithoutGeneratingNewTokens(ids.slice(100, 116)); // its map is read, its threads run
for (let round = 0; round < rounds; round++) {
    await sequence.clearHistory();
    const start = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(ids.slice(0, 256));
    prefill = Math.max(prefill, 256e3 / (performance.now() - start));
    let n = 0, first = 0;
    for await (const _ of sequence.evaluate([ids[256]], { temperature: 0, yieldEogToken: true })) {
        if (n === 0)
            first = performance.now();
        if (n++ === 32)
            break;
    }
    decode = Math.max(decode, 32e3 / (performance.now() - first));
}
console.log(JSON.stringify({ prefill_tokens_s: prefill, decode_tokens_s: decode,
                             processor: llama.systemInfo.includes("AVX512_VNNI = 1") ? "avx512" : "avx2" }));
process.exit(0); // its threads do not always end in order
