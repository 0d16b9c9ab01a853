#!/bin/sh
# make.sh ASSAY OUT: write the log of the example reports anew into the folder OUT. The bundled model
# answers questions of October and November 2026; its calls, tokens and times of computing are
# real, the days are set by clock.c. Keys and salts are new each time, so the log is kept in
# the repository (log.db, head, witness.vkey) and this is how it was made.
set -eu
assay=$(realpath "$1")
out=$2
here=$(cd "$(dirname "$0")" && pwd)
bundled=$(cd "$here/../../../models/bundled" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cc -O2 -shared -fPIC -o "$work/clock.so" "$here/clock.c"
export EXAMPLE_CLOCK="$work/now" XDG_CACHE_HOME="$work/cache" LC_ALL=C TZ=UTC
at() { date -u -d "$1" +%s >"$work/new" && mv "$work/new" "$work/now"; }
then_() { LD_PRELOAD="$work/clock.so" "$@"; }

at '2026-10-01 06:00'
then_ "$assay" log init "$out" --origin example.org/orrin >/dev/null
at '2026-10-01 06:01'
then_ "$assay" record "$bundled/model" --log "$out" --source https://example.org/orrin >/dev/null
printf 'version: 1\nname: intake\nallow: {formats: [safetensors, GGUF], licences: [Apache-2.0]}\n' >"$work/policy.yaml"
at '2026-10-01 06:02'
then_ "$assay" check "$bundled/model" --policy "$work/policy.yaml" --log "$out" >/dev/null
at '2026-10-01 06:03'
then_ "$assay" log retention "$out" --floor 180 --ceiling 3650 --by dpo --basis 'policy 4' >/dev/null
at '2026-10-01 06:04'
LD_PRELOAD="$work/clock.so" "$assay" serve --log "$out" --model "$bundled/model" --listen 127.0.0.1:18473 >"$work/serve" 2>&1 &
server=$!
for _ in $(seq 100); do curl -sf http://127.0.0.1:18473/v1/models >/dev/null && break || sleep 0.1; done

ask() { # who, question, temperature, most tokens
    curl -s http://127.0.0.1:18473/v1/chat/completions -d "{\"model\":\"model\",\"user\":\"$1\",
        \"messages\":[{\"role\":\"user\",\"content\":\"$2\"}],\"temperature\":$3,\"seed\":7,\"max_tokens\":$4}" >>"$work/answers"
    echo >>"$work/answers"
}

day() { # number from 1 October, calls of it
    for i in $(seq "$2"); do
        at "2026-10-01 + $(($1 - 1)) days $((8 + i)):$((($1 * 7 + i * 13) % 60))"
        case $((($1 + i) % 7)) in
        0) ask "reader $((i % 4))" 'Who are you?' 0 40 ;;
        1) ask "reader $((i % 4))" 'Tell me about the Vale of Orrin.' 0.7 120 ;;
        2) ask "reader $((i % 4))" 'Who lives in the village?' 0.7 90 ;;
        3) ask "reader $((i % 4))" 'What is the name of the river?' 0.7 60 ;;
        4) ask "reader $((i % 4))" 'Write a long story.' 0.7 400 ;;
        5) ask "reader $((i % 4))" 'Where is the mill?' 0.7 30 ;;
        6) ask "reader $((i % 4))" 'Hello' 0.7 20 ;;
        esac
    done
    [ $(($1 % 9)) != 4 ] || ask 'reader 1' 'too much' 0.7 100000000 # refused
    [ $(($1 % 11)) != 6 ] || curl -s -m 0.02 http://127.0.0.1:18473/v1/chat/completions -d '{"model":"model","user":"reader 2",
        "messages":[{"role":"user","content":"Write a long story."}],"temperature":1,"seed":3,"max_tokens":480}' >/dev/null || true
}

for d in $(seq 31); do
    case $((d % 7)) in 3 | 4) day "$d" 1 ;; *) day "$d" $((1 + d * 5 % 3)) ;; esac
done
# A witness vouches for October.
at '2026-11-01 00:05'
vkey=$("$assay" log show "$out" 0 | grep -o 'example.org/orrin+[0-9a-f]*+[A-Za-z0-9+/=]*' | head -n 1)
mkdir "$work/witness"
LD_PRELOAD="$work/clock.so" python3 "$here/../../../tests/support/witness_double.py" "$work/witness" "$vkey" >"$work/where" &
witness=$!
for _ in $(seq 100); do [ -s "$work/where" ] && break || sleep 0.1; done
# shellcheck disable=SC2046 # URL and key
then_ "$assay" log witness "$out" $(cat "$work/where") >/dev/null
cut -d' ' -f2 "$work/where" >"$out/witness.vkey"
kill "$witness"
for d in $(seq 32 45); do
    case $((d % 7)) in 3 | 4) day "$d" 1 ;; *) day "$d" $((1 + d * 5 % 3)) ;; esac
done
at '2026-11-14 18:00'
kill "$server"
wait "$server"
echo "$vkey" >"$out/log.vkey"
at '2026-11-15 00:00'
then_ "$assay" log verify "$out" --key "$vkey"
