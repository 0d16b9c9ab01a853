#!/bin/sh
# run.sh ASSAY MAKERS [update]: run each case's `cmd` in a folder of its own, where
# `assay` is on the path, `models/` holds the generated models, `logs/` and `calls/` logs and `bundled/`
# the bundled model, and compare standard output and exit status byte for byte with `stdout` and `exit`.
# With `update` the expectations are rewritten instead; read the diff.
set -u
assay=$(realpath "$1") makers=$(realpath "$2") update=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 2
trap 'chmod -R u+rwX "$work" && rm -rf "$work"' EXIT INT TERM
mkdir "$work/bin" "$work/cases"
ln -s "$assay" "$work/bin/assay"
ln -s "$makers/logowner" "$work/bin/logowner"
ln -s "$makers/descendants" "$work/bin/descendants"
"$makers/tinymodel" "$work/models" || exit 2
"$makers/auditlog" "$work/logs" || exit 2
"$makers/calllog" "$work/calls" || exit 2
passed=0 failed=0

run_case() { # name: leaves the output in $work/out and its status in $work/status
    mkdir -p "$work/cases/$1"
    ln -s ../../models "$work/cases/$1/models"
    ln -s ../../logs "$work/cases/$1/logs"
    ln -s ../../calls "$work/cases/$1/calls"
    ln -s "$here/../../models/bundled" "$work/cases/$1/bundled"
    (
        cd "$work/cases/$1" || exit 2
        env -i PATH="$work/bin:/usr/bin:/bin" HOME="$work/cases/$1" LC_ALL=C TZ=UTC \
            XDG_CACHE_HOME="$work/cases/$1/cache" ASAN_OPTIONS="${ASAN_OPTIONS:-}" \
            timeout 60 sh "$here/$1/cmd" >"$work/out" 2>"$work/err" </dev/null
        echo $? >"$work/status"
    )
}

check() { # name, what, file
    cmp -s "$here/$1/$2" "$3" && return 0
    echo "golden: $1: $2 differs"
    diff -u "$here/$1/$2" "$3" | head -n 40
    return 1
}

for folder in "$here"/*/; do
    name=$(basename "$folder")
    run_case "$name"
    if [ -n "$update" ]; then
        cp "$work/out" "$folder/stdout"
        cp "$work/status" "$folder/exit"
    fi
    if check "$name" stdout "$work/out" && check "$name" exit "$work/status"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        head -n 20 "$work/err"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
