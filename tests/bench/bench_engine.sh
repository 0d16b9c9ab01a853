#!/bin/sh
# bench_engine.sh [PIECE...]: the engine beside a memory-read test and llama.cpp's
# fastest prebuilt (npm node-llama-cpp, else PyPI xllamacpp), the same file, threads
# and prompt, runs interleaved, the best of each. Pieces, all without an operand:
# Q4_0 Q4_K_M Q6_K Q8_0 F16 (synthetic models of 1.1 billion parameters), smollm2
# (the file that SMOLLM2 names), call (what a log costs, and replay), shared (a core
# that another process wants).
# THREADS and ROUNDS: 2 each.
set -u
folder=build/bench
mkdir -p "$folder"
threads=${THREADS:-2} rounds=${ROUNDS:-2}
ASSAY=${ASSAY:-build/release/assay} MAKER=${MAKER:-build/release/fixtures/make}
ours=$folder/ours.json theirs=$folder/peer.json

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
            (r <= 0 ? "no reference" : (x >= t) ? "ok" : "missed") }'
}
# most NAME FIGURE LIMIT UNIT
most() {
    awk -v n="$1" -v f="$2" -v t="$3" -v u="$4" 'BEGIN {
        printf "%-24s %9.2f %s   <= %.2f   %s\n", n, f, u, t, (f != "" && f + 0 <= t ? "ok" : "missed") }'
}

peer=
if command -v node >/dev/null && command -v npm >/dev/null; then
    mkdir -p build/llama-node
    [ -d build/llama-node/node_modules/node-llama-cpp ] ||
        (cd build/llama-node && timeout 300 npm i --silent --no-save --ignore-scripts node-llama-cpp@3.22.1 >/dev/null 2>&1)
    [ ! -d build/llama-node/node_modules/node-llama-cpp ] || peer="node tests/bench/llama_cpp.mjs"
fi
[ -n "$peer" ] || ! build/venv/bin/python -c 'import xllamacpp' 2>/dev/null ||
    peer="build/venv/bin/python tests/bench/llama_cpp.py"

# model TYPE: the synthetic file's path; made when it is not there.
model() {
    [ -e "$folder/$1.gguf" ] || "$MAKER/big_model" "$1" "$folder/$1.gguf" || return
    cat "$folder/$1.gguf" >/dev/null # cached: what is measured is not the disk
    echo "$folder/$1.gguf"
}

speed() { # NAME FILE PREFILL_TARGET BANDWIDTH_TARGET
    p=0 d=0 m=0 pp=0 pd=0 s=1e9 round=0
    while [ $round -lt "$rounds" ]; do
        round=$((round + 1))
        "$ASSAY" bench "$2" --threads "$threads" --repeat 2 --answer 33 --json >"$ours" || return
        p=$(better "$p" "$(field "$ours" prefill_tokens_s)")
        d=$(better "$d" "$(field "$ours" decode_tokens_s)")
        m=$(better "$m" "$(field "$ours" memory_gb_s)")
        load=$(field "$ours" load_us) digest=$(field "$ours" digest_us)
        s=$(awk -v l="$load" -v d="$digest" -v t="$threads" -v s="$s" 'BEGIN {
            x = (l - d / t) / 1e6; print x < s ? x : s }')
        [ -n "$peer" ] && $peer "$2" "$threads" >"$theirs" 2>/dev/null || continue
        pp=$(better "$pp" "$(field "$theirs" prefill_tokens_s)")
        pd=$(better "$pd" "$(field "$theirs" decode_tokens_s)")
    done
    bytes=$(field "$ours" weight_bytes)
    line "decode $1" "$d" "$pd" 1.2 tok/s
    line "prefill 256 $1" "$p" "$pp" "$3" tok/s
    line "bandwidth $1" "$(awk -v d="$d" -v b="$bytes" 'BEGIN { print d * b / 1e9 }')" "$m" "$4" GB/s
    # Asked of a file of 1 GB; a smaller one is not asked for less.
    most "load $1" "$(awk -v s="$s" -v b="$bytes" 'BEGIN { print (b > 1e9 ? s * 1e9 / b : s) }')" 1 \
        "s a GB beyond its digest"
    most "memory $1" "$(awk -v p="$(field "$ours" peak_bytes)" -v b="$bytes" 'BEGIN { print (p - b) / 1e6 }')" \
        100 "MB beyond weights"
}

# least KEY: the smallest number of that name in all objects of a file of one a line.
least() {
    sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" "$theirs" | sort -n | head -n 1
}

# One call of the command, on record, and a bench of the same length in turns; then its replay.
call() {
    file=$(model Q4_0) || return
    rm -rf "$folder/log" && "$ASSAY" log init "$folder/log" --origin bench.example/log >/dev/null || return
    with=0 without=0 round=0
    while [ $round -lt 3 ]; do
        round=$((round + 1))
        "$ASSAY" run "$file" "w300w301w302w303" --raw --max-tokens 128 --threads "$threads" \
            --logit-bias 2=-1000 --log "$folder/log" >/dev/null 2>"$folder/call" || return
        with=$(better "$with" "$(sed -n 's,.* written (\([0-9.]*\)/s).*,\1,p' "$folder/call")")
        "$ASSAY" bench "$file" --threads "$threads" --repeat 1 --prompt 16 --answer 128 --json >"$ours" || return
        without=$(better "$without" "$(field "$ours" decode_tokens_s)")
    done
    line "decode on record" "$with" "$without" 0.99 tok/s
    "$ASSAY" replay "$folder/log" --model "$file" --threads "$threads" --json >"$theirs" || return
    line "replay Q4_0" "$(least recorded_us)" "$(least replayed_us)" 4 us
}

# Another process keeps one core busy. A fair share is that core's half and the others whole.
shared() {
    file=$(model Q4_0) || return
    alone=0 beside=0 round=0
    while [ $round -lt "$rounds" ]; do
        round=$((round + 1))
        "$ASSAY" bench "$file" --threads "$threads" --repeat 1 --answer 33 --json >"$ours" || return
        alone=$(better "$alone" "$(field "$ours" decode_tokens_s)")
        taskset -c 0 sh -c 'while :; do :; done' &
        other=$!
        "$ASSAY" bench "$file" --threads "$threads" --repeat 1 --answer 33 --json >"$ours"
        kill "$other"
        wait "$other" 2>/dev/null
        beside=$(better "$beside" "$(field "$ours" decode_tokens_s)")
    done
    line "decode beside a process" "$beside" \
        "$(awk -v a="$alone" -v t="$threads" 'BEGIN { print a * (t - 0.5) / t }')" 0.6 tok/s
}

[ $# -gt 0 ] || set -- Q4_0 Q4_K_M Q6_K Q8_0 F16 smollm2 call shared
for piece in "$@"; do
    case $piece in
    Q4_0 | Q8_0) file=$(model "$piece") && speed "1.1B $piece" "$file" 1.5 0.75 ;;
    Q4_K_M | Q6_K | F16) file=$(model "$piece") && speed "1.1B $piece" "$file" 1.0 0.75 ;;
    smollm2) [ -z "${SMOLLM2:-}" ] || speed "SmolLM2 Q4_1" "$SMOLLM2" 1.0 0 ;;
    call) call ;;
    shared) shared ;;
    *) echo "bench_engine.sh: no piece \"$piece\"" >&2 && exit 2 ;;
    esac
done
