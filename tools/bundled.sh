#!/bin/sh
# bundled.sh ASSAY: trains the bundled model in build/bundled, its life in a log of
# its own, and compares every file with the committed one, byte for byte.
set -eu
assay=$(realpath "$1")
cd "$(dirname "$0")/.."
out=build/bundled
rm -rf "$out"
mkdir -p "$out"
"$assay" log init "$out/log" --origin example.org/bundled-again >/dev/null
"$assay" train models/bundled/orrin.yaml --log "$out/log" --output "$out"
status=0
for file in model/config.json model/model.safetensors model/tokenizer.json model/tokenizer_config.json \
    model/README.md model/LICENSE orrin-q8_0.gguf; do
    if cmp -s "$out/$file" "models/bundled/$file"; then
        echo "bundled-model: $file: the same bytes"
    else
        echo "bundled-model: $file: DIFFERS from models/bundled"
        status=1
    fi
done
exit $status
