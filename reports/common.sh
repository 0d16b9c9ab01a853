# common.sh: what the two make.sh share; sourced with ASSAY CORPUS [check] as arguments and `here` set.
assay=$(realpath "$1") corpus=$(realpath "$2") mode=${3:-write}
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
export HOME="$work" XDG_CACHE_HOME="$work/cache" LC_ALL=C TZ=UTC

# Statements signed into FILE with the key's options: prints who is to be trusted.
attested() { # statements, file, key options
    statements=$1 signed=$2
    shift 2
    "$assay" attest "$statements" "$@" --output "$signed" >trust.txt || return
    tr -d '\n' <trust.txt | sed 's/.*--trust *//'
}

# Everything in `out` is written to its place, or held against what is there.
settle() { # the target of make that writes it
    passed=0 failed=0
    for f in out/*; do
        name=$(basename "$f")
        if [ "$mode" = write ]; then
            install -m 644 "$f" "$here/$name"
        elif cmp -s "$f" "$here/$name"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "$name is not what is here: run make $1 and read the diff"
            diff "$here/$name" "$f" | head -n 4 | cut -c 1-300
        fi
    done
    [ "$mode" = write ] || echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
