#!/usr/bin/env bash
# Makes this checkout ready to build and run: checks the tools, obtains libtorch, fetches the crates.
#
#   scripts/setup.sh
#
# Run it as often as you like: what is there is used, and then nothing touches the network. An active virtual
# environment is used as it is, never changed. So is an exported LIBTORCH: for CUDA, install the full torch of the version
# that scripts/libtorch.py names (pip install torch==…) and export LIBTORCH=…/site-packages/torch.
# The sandbox's Python interpreter comes with the project, in sandbox/guest/.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '   %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# --- tools -----------------------------------------------------------------------------------------------------------
printf '== set-up: tools\n' >&2

command -v cargo > /dev/null || fail 'cargo is not installed; install a Rust toolchain (https://rustup.rs), then open a new shell'
wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)
rustc=$(rustc --version 2> /dev/null | cut -d' ' -f2) || fail 'rustc does not run; repair the Rust toolchain: rustup update stable'
if [ "$(printf '%s\n%s\n' "$wanted" "${rustc%%-*}" | sort -V | head -n1)" != "$wanted" ]; then
    fail "rustc is $rustc, needed is $wanted or newer: rustup update stable"
fi

python=python3
if [ -n "${VIRTUAL_ENV:-}" ] && [ -x "$VIRTUAL_ENV/bin/python" ]; then python=$VIRTUAL_ENV/bin/python; fi
command -v "$python" > /dev/null || fail 'python3 is not installed; install Python 3.8 or newer with pip (Debian, Ubuntu: apt-get install python3-pip)'
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' \
    || fail "$python does not run, or is older than 3.8: $("$python" --version 2>&1 | tail -n1); install Python 3.8 or newer"

cxx=
for candidate in "${CXX:-}" c++ g++ clang++; do
    # CXX may hold flags: only its first word is a program.
    if [ -n "$candidate" ] && command -v "${candidate%% *}" > /dev/null; then cxx=$candidate; break; fi
done
[ -n "$cxx" ] || fail 'no C++ compiler is installed (Debian, Ubuntu: apt-get install build-essential)'
# shellcheck disable=SC2086  # flags in CXX are words of their own
printf '#include <optional>\nint main() { return std::optional<int>(0).value(); }\n' | $cxx -std=c++17 -x c++ -fsyntax-only - \
    || fail "$cxx cannot compile C++17 with the standard library; install g++ 9 or newer, or clang with libstdc++"
say "rustc $rustc, $("$python" --version), $($cxx --version | head -n1)"

# --- libtorch --------------------------------------------------------------------------------------------------------
printf '== set-up: libtorch\n' >&2
if [ -n "${LIBTORCH_USE_PYTORCH:-}" ]; then
    say 'LIBTORCH_USE_PYTORCH is set: the torch of your Python is used, nothing is fetched'
else
    "$python" scripts/libtorch.py third_party/libtorch
fi

# --- crates ----------------------------------------------------------------------------------------------------------
printf '== set-up: crates\n' >&2
# All platforms' crates, not only this one's: tools that read the whole graph (cargo deny, editors) ask for them.
if cargo fetch --locked --offline > /dev/null 2>&1; then
    say 'all there'
else
    say 'fetching what Cargo.lock names'
    CARGO_NET_OFFLINE=false cargo fetch --locked \
        || fail 'cargo could not fetch the crates (see above); this needs a network connection once'
fi
