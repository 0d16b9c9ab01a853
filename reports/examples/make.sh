#!/bin/sh
# make.sh ASSAY MAKERS [check]: write the example reports, or compare them with those that are here.
set -eu
assay=$(realpath "$1") makers=$(realpath "$2") mode=${3:-write}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
"$makers/tinymodel" "$work/models"
cp -r "$here/input" "$work/input"
chmod 600 "$work/input/published-example.pem"
cd "$work"
export HOME="$work" XDG_CACHE_HOME="$work/cache" LC_ALL=C TZ=UTC
key="--key input/published-example.pem --signer example.org/report"
"$assay" attest input/provider.yaml $key --output provider.dsse.json >trust.txt
trust=$(tr -d '\n' <trust.txt | sed 's/.*--trust *//')
report() { # the exit status is 1: something is contradicted
    "$assay" report --model models/tiny-hf --datasets input/data --training input/training.yaml \
        --attestation provider.dsse.json --trust "$trust" --as-of 2026-11-23 $key "$@" >/dev/null ||
        [ $? = 1 ]
}
report --framework eu-ai-act-gpai --framework g7-sbom-ai --framework mof --format html --format json \
    --format markdown --format csv --format cyclonedx --format spdx --format sarif --format intoto \
    --format card --format croissant --output out
report --framework eu-ai-act-gpai --framework g7-sbom-ai --framework mof --edition DP --output out/report-DP.json
report --framework nist-ai-600-1 --output out/nist-ai-600-1.md
report --framework iso-42001 --output out/iso-42001.md
passed=0 failed=0
for f in out/*; do
    name=$(basename "$f")
    if [ "$mode" = write ]; then
        install -m 644 "$f" "$here/$name"
    elif cmp -s "$f" "$here/$name"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$name is not what is here: run make examples and read the diff"
    fi
done
[ "$mode" = write ] || echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
