#!/bin/sh
# lint.sh ASSAY: every static check; each prints its name and the number of
# files, shows what is wrong, and all run before the script fails.
set -u
assay=$1
cd "$(dirname "$0")/.."
build=build/lint
mkdir -p "$build"
status=0 count=0
echo '#define ASSAY_VERSION "lint"' >"$build/version.h"
BASE="-std=c11 -D_GNU_SOURCE -DASSAY_ANALYSIS -Iinclude -Isrc -Itests -include $build/version.h"
sources=$(git ls-files 'src/*.c')
all=$(git ls-files '*.c' '*.h')

# What a tool passed is not asked again while the file, all that it includes (comments with
# NOLINT too), the tool and its configuration stay: LINT_CACHE, or a folder of this user's.
export LINT_CACHE="${LINT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/assay-lint}"
mkdir -p "$LINT_CACHE"
find "$LINT_CACHE" -type f -mtime +30 -delete
cat >"$build/once" <<'ONCE'
#!/bin/sh
# once CONFIGURATION FILE COMMAND...: COMMAND, unless it passed on the same content before.
configuration=$1 file=$2
shift 2
key=$( (cat "$configuration" "$file" && echo "$@" && eval "gcc $BASE -E -CC $file") | sha256sum | cut -d' ' -f1)
[ -e "$LINT_CACHE/$key" ] && exit 0
"$@" && : >"$LINT_CACHE/$key"
ONCE
export BASE

check() { # name, command...
    what=$1
    shift
    count=$((count + 1))
    if "$@" >"$build/$what.log" 2>&1; then
        echo "lint: $what: ok"
    else
        echo "lint: $what: FAILED"
        tail -n 40 "$build/$what.log"
        status=$((status + 1))
    fi
}
headers_alone() {
    bad=0
    for h in $(git ls-files 'include/*.h'); do
        echo "#include \"${h#include/}\"" | gcc $BASE -Wall -Wextra -Werror -fsyntax-only -x c - || bad=1
    done
    return $bad
}
banned() { # functions that invite mistakes; raw printing outside the two programs
    ! grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|alloca|strncpy|system|popen)\(' $sources &&
        ! grep -nE '\b(printf|puts|exit|fprintf|perror)\(' $(git ls-files 'src/*.c' | grep -vE '^src/(cli|verifier)/')
}
long_files() {
    wc -l $all | awk '$2 != "total" && $1 > 800 { print; bad = 1 } END { exit bad }'
}
# The longest first, so that none is left alone at the end.
longest() {
    wc -c $sources | awk '$2 != "total" { print $1, $2 }' | sort -rn | cut -d' ' -f2
}
# Nearly all of its time is the path-sensitive analyzer's: it goes 100,000 nodes deep in a function, for
# 225,000 took twice as long and gcc's analyzer walks the same paths.
tidy() {
    clang-tidy --version | cat - .clang-tidy >"$build/tidy.configuration"
    longest | xargs -P "$(nproc)" -I '{}' sh "$build/once" "$build/tidy.configuration" '{}' \
        clang-tidy --quiet '--warnings-as-errors=*' '{}' -- $BASE -Xclang -analyzer-config -Xclang max-nodes=100000
}
analyzer() {
    gcc --version >"$build/analyzer.configuration"
    longest | xargs -P "$(nproc)" -I '{}' sh "$build/once" "$build/analyzer.configuration" '{}' \
        gcc $BASE -O1 -fanalyzer -Werror -c -o /dev/null '{}'
}
manual() {
    "$assay" man >"$build/assay.1" && ! mandoc -T lint -W warning "$build/assay.1" | grep -v "new sentence, new line"
}
scripts() {
    bad=0
    for s in $(git ls-files '*.sh'); do sh -n "$s" || bad=1; done
    return $bad
}

check layers tools/layers.sh
check headers headers_alone
check findings tools/findings.sh
check banned banned
check length long_files
check scripts scripts
check format clang-format --dry-run --Werror $all
check manual manual
check symbols tools/symbols.sh "$(dirname "$assay")"
check clang env MAKEFLAGS= make -s -j"$(nproc)" CC=clang B=build/clang CI=1 build/clang/assay
check tidy tidy
check cppcheck cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
    --inline-suppr --suppress=missingIncludeSystem -DASSAY_ANALYSIS -j "$(nproc)" -Iinclude -Isrc $sources
check analyzer analyzer
mkdir -p build
echo "lint $((count - status)) $status 0" >>build/totals
echo "lint: $((count - status)) passed, $status failed"
[ "$status" = 0 ]
