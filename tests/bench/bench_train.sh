#!/bin/sh
# bench_train.sh: a LoRA step beside PyTorch's, run in turns, and the bundled model's training.
# TORCH names a Python that has PyTorch (pip install torch); without one the step stands alone.
# BUNDLED=whole trains the bundled model from scratch, as make bundled-model does.
set -u
python3 tests/bench/train.py "$(dirname "$ASSAY")" "${TORCH:-build/venv/bin/python}"
