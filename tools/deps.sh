#!/bin/sh
# deps.sh GROUP...: install the Debian packages of these groups that are missing.
# Without root it prints the line to run and fails.
set -eu
list=$(dirname "$0")/packages.txt
command -v dpkg-query >/dev/null 2>&1 || {
    echo "assay: not a Debian system; install the equivalents of these yourself:" >&2
    grep -v '^#' "$list" >&2
    exit 0
}
missing=
for group in "$@"; do
    for package in $(awk -v g="$group" '!/^#/ { for (i = 2; i <= NF; i++) if ($i == g) print $1 }' "$list"); do
        case " $missing " in *" $package "*) continue ;; esac
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0
line="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" != 0 ]; then
    echo "assay: packages are missing; run: sudo apt-get update && sudo $line" >&2
    exit 1
fi
echo "assay: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# The lists of a new machine are empty or old: try, refresh, try again.
$line >/dev/null 2>&1 || { apt-get update >/dev/null && $line >/dev/null; }
