#!/bin/sh
# The engine beside a memory-read test and llama.cpp (PyPI xllamacpp), the same
# file, threads and prompt, runs interleaved, the better of two each. Synthetic
# models of 1.1 billion parameters; SMOLLM2 names a real one.
set -u
folder=build/bench
mkdir -p "$folder"
threads=${THREADS:-2}
venv=build/venv
[ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import xllamacpp' 2>/dev/null || venv=

# field FILE KEY: a number of a flat JSON object.
field() {
    sed -n "s/.*\"$2\": *\([0-9.e+-]*\).*/\1/p" "$1" | head -n 1
}
better() {
    printf '%s\n%s\n' "${1:-0}" "${2:-0}" | sort -g | tail -n 1
}
# line NAME FIGURE REFERENCE TARGET UNIT
line() {
    awk -v n="$1" -v f="${2:-0}" -v r="${3:-0}" -v t="$4" -v u="$5" 'BEGIN {
        x = r > 0 ? f / r : 0
        printf "%-24s %9.2f %s   reference %9.2f   ratio %.2f   >= %.2f   %s\n", n, f, u, r, x, t,
            r <= 0 ? "no reference" : x >= t ? "ok" : "missed" }'
}

measure() { # NAME FILE PREFILL_TARGET
    ours=$folder/ours.json peer=$folder/peer.json
    p=0 d=0 m=0 pp=0 pd=0
    for round in 1 2; do
        "$ASSAY" bench "$2" --threads "$threads" --repeat 1 --answer 32 --json >"$ours" || return
        p=$(better "$p" "$(field "$ours" prefill_tokens_s)")
        d=$(better "$d" "$(field "$ours" decode_tokens_s)")
        m=$(better "$m" "$(field "$ours" memory_gb_s)")
        [ -z "$venv" ] || "$venv/bin/python" tests/bench/llama_cpp.py "$2" "$threads" >"$peer" 2>/dev/null || continue
        [ -z "$venv" ] || pp=$(better "$pp" "$(field "$peer" prefill_tokens_s)")
        [ -z "$venv" ] || pd=$(better "$pd" "$(field "$peer" decode_tokens_s)")
    done
    bytes=$(field "$ours" weight_bytes)
    line "decode $1" "$d" "$pd" 1.2 tok/s
    line "prefill 256 $1" "$p" "$pp" "$3" tok/s
    line "bandwidth $1" "$(awk -v d="$d" -v b="$bytes" 'BEGIN { print d * b / 1e9 }')" "$m" 0.75 GB/s
    load=$(field "$ours" load_us) digest=$(field "$ours" digest_us)
    awk -v l="$load" -v d="$digest" -v t="$threads" -v n="$1" 'BEGIN {
        s = (l - d / t) / 1e6
        printf "%-24s %9.2f s beyond its digest   <= 1.00   %s\n", "load " n, s, s <= 1 ? "ok" : "missed" }'
}

for type in Q4_0 Q4_K_M Q6_K Q8_0 F16; do
    file=$folder/$type.gguf
    [ -e "$file" ] || "$MAKER/big_model" "$type" "$file" || continue
    case $type in Q4_0 | Q8_0) target=1.5 ;; *) target=1.0 ;; esac
    measure "1.1B $type" "$file" "$target"
done
[ -z "${SMOLLM2:-}" ] || measure "SmolLM2 Q4_1" "$SMOLLM2" 1.0
