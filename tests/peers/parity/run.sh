#!/bin/sh
# Compares our logits with those of transformers and PEFT; see README.md.
#
#   ./run.sh [VENV [OPTION…]]  makes VENV (default: .venv-peers in the repository) when it is not there
#   PYTHON=python3 ./run.sh    uses a Python that has torch, transformers and peft already
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
if [ -z "${PYTHON:-}" ]; then
    venv=${1:-$root/.venv-peers}
    [ $# -eq 0 ] || shift
    if [ ! -x "$venv/bin/python" ]; then
        python3 -m venv "$venv"
    fi
    PYTHON=$venv/bin/python
    "$PYTHON" -c 'import torch, transformers, peft' 2>/dev/null ||
        "$PYTHON" -m pip install --quiet 'torch==2.13.0' 'transformers>=5,<6' peft numpy
fi
cd "$root"
cargo build --release --quiet -p novice --example logits
exec "$PYTHON" "$here/parity.py" --binary "${CARGO_TARGET_DIR:-target}/release/examples/logits" "$@"
