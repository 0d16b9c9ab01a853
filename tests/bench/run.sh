#!/bin/sh
# run.sh BUILD PROGRAM...: every number that an issue names, one line each,
# beside its reference measured in the same run. Never fails CI.
# Columns: name, figure, reference, ratio, target, ok or missed.
set -u
build=$1
shift
tools/deps.sh bench || true
export ASSAY="$build/assay" MAKER="$build/fixtures/make"
uname -srm
sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort | uniq -c | sed 's/^ *//; s/ / x /'
for program in "$@"; do
    "$program" || echo "$program: did not finish"
done
for script in tests/bench/bench_*.sh; do
    [ -e "$script" ] || continue
    sh "$script" || echo "$script: did not finish"
done
exit 0
