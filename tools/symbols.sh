#!/bin/sh
# symbols.sh BUILD: private names of modules share one link space, where a second definition is taken
# for the first without a word. Reads the objects of a build.
set -eu
twice=$(find "$1/src" -name '*.o' | sort | xargs nm -A -g --defined-only |
    sed -n 's,^.*/\(src/[^:]*\)\.o:[0-9a-f ]* [A-TV-Z] \([A-Za-z_0-9]*\)$,\2 \1.c,p' |
    while read -r name file; do
        # Objects of files that are no more stay behind; each program has its own main.
        [ ! -e "$file" ] || [ "$name" = main ] || echo "$name $file"
    done | sort | awk '$1 == last { print where; print } { last = $1; where = $0 }' | uniq)
[ -z "$twice" ] || {
    echo "symbols: defined by two files; rename one, or make it static:"
    echo "$twice"
    exit 1
}
