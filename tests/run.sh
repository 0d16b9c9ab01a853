#!/bin/sh
# run.sh NAME COMMAND...: run test programs, show what fails, close with one line
# "NAME: N passed, N failed, N skipped", and add it to build/totals for CI.
# A program is counted by cmocka's lines or by its own "N passed, N failed" line;
# one that gives neither, crashes or takes longer than TEST_TIMEOUT failed.
set -u
name=$1
shift
passed=0 failed=0 skipped=0
out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT
number() { sed -n "s/$1/\\1/p" "$out" | tail -n 1; }
for command in "$@"; do
    # shellcheck disable=SC2086 # a command with its arguments
    timeout "${TEST_TIMEOUT:-600}" $command >"$out" 2>&1 </dev/null
    status=$?
    p=$(number '^\[  PASSED  \] \([0-9]*\) test.*') f=$(number '^\[  FAILED  \] \([0-9]*\) test.*')
    s=$(number '^\[  SKIPPED \] \([0-9]*\) test.*')
    plain=$(grep -E '^([a-z-]+: )?[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$out" | tail -n 1)
    if [ -n "$plain" ]; then
        p=$(echo "$plain" | sed 's/.*[^0-9]\([0-9]*\) passed.*/\1/; s/^\([0-9]*\) passed.*/\1/')
        f=$(echo "$plain" | sed 's/.* \([0-9]*\) failed.*/\1/')
        s=$(echo "$plain" | sed -n 's/.* \([0-9]*\) skipped.*/\1/p')
    fi
    if [ "$status" != 0 ] && [ "${f:-0}" = 0 ]; then f=1; fi
    if [ -z "$p" ] && [ -z "$s" ] && [ "${f:-0}" = 0 ]; then f=1; fi
    if [ "${f:-0}" != 0 ] || [ -n "${VERBOSE:-}" ]; then
        echo "---- $command (exit $status)"
        grep -v -E '^\[( RUN      |       OK )\]' "$out" | tail -n 60
    fi
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0})) skipped=$((skipped + ${s:-0}))
done
mkdir -p build
echo "$name $passed $failed $skipped" >>build/totals
echo "$name: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ $((passed + skipped)) != 0 ]
