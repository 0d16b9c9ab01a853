#!/bin/sh
# findings.sh: docs/findings.md and include/assay/rules.def must name the same
# rules with the same severity and reach.
set -eu
cd "$(dirname "$0")/.."
table=$(mktemp) page=$(mktemp)
trap 'rm -f "$table" "$page"' EXIT
printf '#define RULE(n,i,s,b,t,r) @ i s b\n#include "assay/rules.def"\n' |
    ${CC:-gcc} -E -P -Iinclude -x c - | sed -n 's/^ *@ *"\([^"]*\)" *SEV_\([A-Z]*\) *BREAKS_\([A-Z]*\).*/\1 \2 \3/p' |
    sed 's/ SPEC$/ SPECIFICATION/' | tr 'A-Z' 'a-z' | sort >"$table"
awk '/^### / { id = $2; getline; if ($0 == "") getline; sub(/ · breaks /, " "); print id " " $0 }' docs/findings.md | sort >"$page"
[ -s "$table" ] || { echo "no rules read from rules.def"; exit 1; }
diff -u "$page" "$table" || { echo "docs/findings.md (-) and rules.def (+) disagree"; exit 1; }
