#!/bin/sh
# make.sh ASSAY CORPUS [check]: write the example reports, or compare them with those that are here.
# CORPUS is the program that writes the bundled model's data set.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../common.sh"
bundled=$root/models/bundled
cp -r "$here/input" "$work/input"
cp -r "$here/log" "$work/log"
chmod -R u+w "$work/input" "$work/log"
chmod 600 "$work/input/published-example.pem"
mkdir "$work/data"
cp "$bundled/data/README.md" "$work/data/"
"$corpus" "$work/data" >/dev/null
cd "$work"
key="--key input/published-example.pem --signer example.org/report"
trust=$(attested input/provider.yaml provider.dsse.json $key)
as_of=2026-11-20
report() { # the exit status is 1: something is contradicted
    "$assay" report --model "$bundled/model" --log log --datasets data --training input/training.yaml \
        --attestation provider.dsse.json --trust "$trust" --trust "$(cat log/witness.vkey)" \
        --prices input/prices.yaml --as-of "$as_of" --no-record $key "$@" >/dev/null || [ $? = 1 ]
}
main='--framework eu-ai-act-gpai --framework eu-ai-act-operation --framework activity'
report $main --format html --format json --format markdown --format csv --format cyclonedx --format spdx \
    --format sarif --format intoto --format card --format croissant --output out
for edition in AIO NCA DP; do
    report $main --edition $edition --output "out/report-$edition.json"
done
for framework in eu-ai-act-annex-iv eu-ai-act-gpai eu-ai-act-operation eu-ai-act-training-summary nist-ai-rmf \
    nist-ai-600-1 iso-42001 mof g7-sbom-ai; do
    report --framework $framework --output "out/$framework.md"
done
report --framework inventory --output out/inventory.md
report --framework activity --period 2026-10-01..2026-11-01 --output out/activity-october.html
report --framework activity --period 2026-10-01..2026-11-01 --output out/activity-october.json
report --framework incident --period 2026-10-13..2026-10-15 --output out/incident.md
report --framework retention --output out/retention.md
as_of=2028-01-01 # when more of the law applies
report --framework eu-ai-act-annex-iv --output out/eu-ai-act-annex-iv-2028.md
for f in out/report.json out/report-*.json out/activity-october.json; do # as whoever is handed one would
    "$assay" verify "$f" --key "$(cat input/published-example.vkey)" --log log --model "$bundled/model" >/dev/null
done
settle examples
