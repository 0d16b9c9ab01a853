#!/bin/sh
# bench_formats.sh: pickles, archives and folders, each in a process of its own,
# beside picklescan from PyPI and the digest of the same bytes in the same run.
set -u
venv=build/venv-bench
if [ ! -e "$venv/ready" ]; then
    python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check picklescan==1.0.5 &&
        touch "$venv/ready"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
python3 tests/bench/formats.py "$ASSAY" "$venv/bin/picklescan" "$work"
