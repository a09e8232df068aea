#!/bin/sh
# Compares our metrics with public packages; see README.md.
#
#   ./run.sh TRACES.jsonl [PAIRS]        makes a virtual environment in target/ when it is not there
#   PYTHON=python3 ./run.sh TRACES.jsonl uses a Python that has the packages of requirements.txt already
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
[ $# -ge 1 ] || { echo "usage: $0 TRACES.jsonl [PAIRS]" >&2; exit 2; }
traces=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
if [ -z "${PYTHON:-}" ]; then
    venv=$root/target/peers-metrics
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    PYTHON=$venv/bin/python
    "$PYTHON" -m pip install --quiet -r "$here/requirements.txt"
fi
cd "$root"
cargo build --release --quiet -p novice-rewards --example metrics
exec "$PYTHON" "$here/metrics.py" --binary "${CARGO_TARGET_DIR:-target}/release/examples/metrics" "$traces" "$@"
