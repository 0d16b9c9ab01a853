#!/bin/sh
# make.sh ASSAY CORPUS [check]: writes the bundled model's reports from what is committed, or
# compares them with those that are here. CORPUS is the program that writes the data.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../common.sh"
cp -r "$root/models/bundled" "$work/bundled"
install -m 600 "$root/reports/examples/input/published-example.pem" "$work/key.pem"
cd "$work"
"$corpus" bundled/data >/dev/null
mkdir out

ask() { # a question, or with --raw a beginning
    printf '\n> %s\n\n' "$1"
    "$assay" run bundled/model "$@" --log answers --temperature 0 2>/dev/null | sed 's/^/    /'
}
"$assay" log init answers --origin example.org/answers >/dev/null
{
    printf '# Orrin 0.82M: samples\n\nGreedy, as they come; made by `make bundled-report`.\n'
    ask 'Where does Quill live?'
    ask 'What are you?'
    ask 'Tell me a story about Quill.'
    ask 'Good morning!'
    printf '\nOutside its world it answers all the same, which is the limitation that its card states:\n'
    ask 'What is the capital of France?'
} >out/samples.md

# @path@ becomes the digest of that file; samples are those just made.
digest() {
    case $1 in
    reports/bundled/samples.md) sha256sum out/samples.md ;;
    *) sha256sum "$root/$1" ;;
    esac | cut -c1-64
}
cp "$here/statements.yaml" statements.yaml
for path in $(grep -o '@[^@ ]*/[^@ ]*@' "$here/statements.yaml" | tr -d @ | sort -u); do
    sed -i "s,@$path@,SHA-256 $(digest "$path"),g" statements.yaml
done
key="--key key.pem --signer example.org/report"
trust=$(attested statements.yaml statements.dsse.json $key)
"$assay" report --framework mof --model bundled/model --datasets bundled/data \
    --tokenizer bundled/model --log bundled/log --no-record --attestation statements.dsse.json --trust "$trust" \
    --as-of 2026-11-25 $key --format html --format json --format markdown --format cyclonedx --format spdx \
    --output out >/dev/null || [ $? = 1 ]
"$assay" lineage bundled/model --log bundled/log >out/lineage.txt
"$assay" lineage bundled/model --log bundled/log --format svg >out/lineage.svg
settle bundled-report
