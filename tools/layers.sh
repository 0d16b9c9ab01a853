#!/bin/sh
# layers.sh: check every include of src/ and include/ against tools/layers.txt.
set -eu
cd "$(dirname "$0")/.."
grep -rnE '^#include' include src --include='*.h' --include='*.c' | awk '
function trim(s) { gsub(/^ +| +$/, "", s); return s }
BEGIN {
    while ((getline line < "tools/layers.txt") > 0) {
        if (line ~ /^module /) {
            split(substr(line, 8), part, ":")
            name = trim(part[1]); known[name] = 1
            n = split(trim(part[2]), names, " "); for (i = 1; i <= n; i++) owner[names[i]] = name
            n = split(trim(part[3]), use, " "); for (i = 1; i <= n; i++) may[name, use[i]] = 1
        } else if (line ~ /^external /) {
            split(substr(line, 10), part, ":"); external[trim(part[1])] = " " trim(part[2]) " "
        }
    }
}
function fail(what) { print $0 ": " what; bad = 1 }
{
    split($0, field, ":"); path = field[1]
    if (path ~ /^include\/assay\//) { door = path; sub(/^include\/assay\//, "", door); sub(/\.h$/, "", door); self = owner[door] }
    else { self = path; sub(/^src\//, "", self); sub(/\/.*/, "", self) }
    if (!(self in known)) { fail("no module owns this file; add it to tools/layers.txt"); next }
    header = $0; sub(/^[^<"]*[<"]/, "", header); sub(/[>"].*/, "", header)
    if (header ~ /^assay\/.*\.def$/) next
    if (header ~ /^assay\//) {
        door = header; sub(/^assay\//, "", door); sub(/\.h$/, "", door)
        if (!(door in owner)) fail("unknown door")
        else if (owner[door] != self && !((self, owner[door]) in may)) fail(self " may not include " owner[door])
        next
    }
    if ($0 ~ /#include "/ && header ~ /\//) { other = header; sub(/\/.*/, "", other); if (other in known && other != self) fail("private header of " other); next }
    for (e in external) if (index(header, e) == 1 && index(external[e], " " self " ") == 0) fail(e " belongs to" external[e])
}
END { exit bad }'
