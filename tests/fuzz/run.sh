#!/bin/sh
# run.sh FOLDER SECONDS [TARGET...]: fuzz each target; a crash is kept and fails.
# Prints a line a target with the number of executions. New inputs stay in
# build/fuzz/corpus; worthwhile ones are copied to tests/fuzz/corpus by hand.
set -u
folder=$1 seconds=$2
shift 2
[ $# -gt 0 ] || set -- $(cd "$folder" && ls | grep '^fuzz_')
mkdir -p build/fuzz/crashes
failed=0
for target in "$@"; do
    name=${target#fuzz_}
    mkdir -p "build/fuzz/corpus/$name"
    log=build/fuzz/$name.log
    "$folder/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        -print_final_stats=1 -artifact_prefix="build/fuzz/crashes/$name-" \
        "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1 || {
        failed=1
        echo "$target: FINDING, see $log"
    }
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions in ${seconds} s"
done
exit $failed
