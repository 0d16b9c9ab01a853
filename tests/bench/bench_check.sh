#!/bin/sh
# bench_check.sh: a folder of 2,000 small files through `assay check`, and a checkpoint beside
# its digest. ASSAY and MAKER as run.sh sets them.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
"$MAKER/tinymodel" "$work/models"
cp -r "$work/models/tiny-hf" "$work/many"
i=0
while [ $i -lt 2000 ]; do
    folder=$work/many/part$((i % 20))
    mkdir -p "$folder"
    printf '{"number": %d, "text": "%0500d"}\n' $i $i >"$folder/$i.json"
    i=$((i + 1))
done
now() { date +%s%N; }
best() { # least milliseconds of five runs
    least=
    for run in 1 2 3 4 5; do
        begin=$(now)
        "$@" >/dev/null
        took=$((($(now) - begin) / 1000000))
        if [ -z "$least" ] || [ "$took" -lt "$least" ]; then least=$took; fi
    done
    echo "$least"
}
many=$(best "$ASSAY" check --no-cache "$work/many")
whole=$(best "$ASSAY" digest --no-cache "$work/many")
ok() { if [ "$1" -le "$2" ]; then echo ok; else echo missed; fi; }
echo "check 2,000 small files, $many ms, digest $whole ms, -, 2000 ms, $(ok "$many" 2000)"
big=$work/big.safetensors
printf '\120\0\0\0\0\0\0\0{"w":{"dtype":"BF16","shape":[16384,16384],"data_offsets":[0,536870912]}}       ' >"$big"
head -c 536870912 /dev/zero | tr '\0' '<' >>"$big"
check=$(best "$ASSAY" check --no-cache "$big" || true)
digest=$(best "$ASSAY" digest --no-cache "$big" || true)
echo "check of 512 MiB, $check ms, digest $digest ms, $((check * 100 / digest)) %, 130 %, $(ok $((check * 100 / digest)) 130)"
