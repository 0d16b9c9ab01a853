#!/bin/sh
# bench_engine.sh [PIECE...]: the engine beside a memory-read test and llama.cpp's
# fastest prebuilt (npm node-llama-cpp, else PyPI xllamacpp), the same file, threads
# and prompt. Pieces, all without an operand: Q4_0 Q4_K_M Q6_K Q8_0 F16 (synthetic
# models of 1.1 billion parameters), smollm2 (the file that SMOLLM2 names), call
# (what a log costs, and replay), shared (a core that another process wants).
# Whatever is compared takes turns, the one that was second being first in the next
# round; figures are medians of the rounds, ratios are taken within each round before.
# THREADS and ROUNDS: 2 and 3.
set -u
folder=build/bench
mkdir -p "$folder"
threads=${THREADS:-2} rounds=${ROUNDS:-3}
ASSAY=${ASSAY:-build/release/assay} MAKER=${MAKER:-build/release/fixtures/make}
ours=$folder/ours.json theirs=$folder/peer.json table=$folder/rounds

# field FILE KEY: a number of a flat JSON object.
field() {
    sed -n "s/.*\"$2\": *\([0-9.e+-]*\).*/\1/p" "$1" | head -n 1
}
# median COLUMN [DIVISOR_COLUMN]: of the table's rounds; of the quotient within each.
median() {
    awk -v a="$1" -v b="${2:-0}" 'b == 0 { print $a } b > 0 && $b > 0 { print $a / $b }' "$table" |
        sort -g | awk '{ v[NR] = $1 }
            END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}
# line NAME FIGURE REFERENCE RATIO TARGET UNIT
line() {
    awk -v n="$1" -v f="${2:-0}" -v r="${3:-0}" -v x="${4:-0}" -v t="$5" -v u="$6" -v k="$rounds" 'BEGIN {
        printf "%-24s %9.2f %s   reference %9.2f   ratio %.3f   >= %.2f   %s (%d rounds)\n", n, f, u,
            r, x, t, (r <= 0 ? "no reference" : (x >= t) ? "ok" : "missed"), k }'
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

measure_ours() { # FILE
    "$ASSAY" bench "$1" --threads "$threads" --repeat 1 --answer 33 --json >"$ours"
}
measure_peer() { # FILE
    echo '{}' >"$theirs"
    [ -z "$peer" ] || $peer "$1" "$threads" >"$theirs" 2>/dev/null
}
# both COMMAND COMMAND ROUND ARGUMENT: in turns.
both() {
    if [ $(($3 % 2)) -eq 0 ]; then "$1" "$4" && "$2" "$4"; else "$2" "$4" && "$1" "$4"; fi
}

speed() { # NAME FILE PREFILL_TARGET BANDWIDTH_TARGET
    : >"$table"
    round=0
    while [ $round -lt "$rounds" ]; do
        both measure_ours measure_peer $round "$2" || return
        round=$((round + 1))
        bytes=$(field "$ours" weight_bytes)
        # Loading is asked of a file of 1 GB; a smaller one is not asked for less.
        awk -v p="$(field "$ours" prefill_tokens_s)" -v d="$(field "$ours" decode_tokens_s)" \
            -v m="$(field "$ours" memory_gb_s)" -v b="$bytes" -v t="$threads" \
            -v l="$(field "$ours" load_us)" -v h="$(field "$ours" digest_us)" \
            -v g="$(field "$ours" memory_us)" \
            -v pp="$(field "$theirs" prefill_tokens_s)" -v pd="$(field "$theirs" decode_tokens_s)" 'BEGIN {
            s = (l - h / t) / (b > 1e9 ? b / 1e3 : 1e6)
            print p, d, d * b / 1e9, m, s, pp + 0, pd + 0, g / t / (b > 1e9 ? b / 1e3 : 1e6) }' >>"$table"
    done
    line "decode $1" "$(median 2)" "$(median 7)" "$(median 2 7)" 1.2 tok/s
    line "prefill 256 $1" "$(median 1)" "$(median 6)" "$(median 1 6)" "$3" tok/s
    line "bandwidth $1" "$(median 3)" "$(median 4)" "$(median 3 4)" "$4" GB/s
    most "load $1" "$(median 5)" 1 "s a GB beyond its digest, $(median 8) of it until the system gave memory"
    most "memory $1" "$(awk -v p="$(field "$ours" peak_bytes)" -v b="$bytes" 'BEGIN { print (p - b) / 1e6 }')" \
        100 "MB beyond weights"
}

# Calls on record, bare ones of the same length, and replays, in turns within one process
# (src/cli/bench_record.c); of each the median, and the median of ratios within rounds.
call() {
    file=$(model Q4_0) || return
    rm -rf "$folder/log" && "$ASSAY" log init "$folder/log" --origin bench.example/log >/dev/null || return
    rounds=$((2 * rounds))
    "$ASSAY" bench "$file" --threads "$threads" --repeat $rounds --prompt 16 --answer 128 \
        --log "$folder/log" --json >"$ours" || return
    line "decode on record" "$(field "$ours" recorded_tokens_s)" "$(field "$ours" bare_tokens_s)" \
        "$(field "$ours" decode_ratio)" 0.99 tok/s
    line "whole call on record" "$(field "$ours" recorded_us)" "$(field "$ours" bare_us)" \
        "$(field "$ours" call_ratio)" 0.99 us
    most "its processor time" "$(awk -v a="$(field "$ours" recorded_cpu_us)" \
        -v b="$(field "$ours" bare_cpu_us)" 'BEGIN { print 100 * a / b - 100 }')" 1 \
        "% above $(field "$ours" bare_cpu_us) us a token"
    line "replay Q4_0" "$(field "$ours" recorded_us)" "$(field "$ours" replayed_us)" \
        "$(field "$ours" replay_ratio)" 4 us
    rounds=$((rounds / 2))
}

measure_alone() { # FILE
    measure_ours "$1" && alone=$(field "$ours" decode_tokens_s)
}
measure_beside() { # FILE
    taskset -c 0 sh -c 'while :; do :; done' &
    other=$!
    measure_ours "$1"
    kill "$other"
    wait "$other" 2>/dev/null
    beside=$(field "$ours" decode_tokens_s)
}

# Another process keeps one core busy. A fair share is that core's half and the others whole.
shared() {
    file=$(model Q4_0) || return
    : >"$table"
    round=0
    while [ $round -lt "$rounds" ]; do
        both measure_alone measure_beside $round "$file" || return
        round=$((round + 1))
        awk -v a="$alone" -v b="$beside" -v t="$threads" 'BEGIN { print b, a * (t - 0.5) / t }' >>"$table"
    done
    line "decode beside a process" "$(median 1)" "$(median 2)" "$(median 1 2)" 0.6 tok/s
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
