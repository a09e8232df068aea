#!/bin/sh
# Build guest.wasm.zst from python/ and wit/, and write STAMP. Needs python3 (3.9 or newer), pip, zstd, cargo, and network for pip.
#
#   sandbox/guest/rebuild.sh [FOLDER]     FOLDER: where the tools are kept between runs (default: a temporary one)
#
# With a C compiler the build's entropy is fixed, so that Python's string hashes (and with them the order of sets) do not change from
# build to build. Every verdict depends on the committed module only, so a module is rebuilt only when its sources change.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$(mktemp -d)}
mkdir -p "$work"

if [ ! -x "$work/venv/bin/componentize-py" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet componentize-py==0.25.1
fi

preload=
if command -v cc >/dev/null; then
    cat >"$work/entropy.c" <<'C'
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
ssize_t getrandom(void *to, size_t size, unsigned flags) { (void)flags; memset(to, 42, size); return (ssize_t)size; }
int getentropy(void *to, size_t size) { memset(to, 42, size); return 0; }
C
    cc -shared -fPIC -O1 -o "$work/entropy.so" "$work/entropy.c" && preload="$work/entropy.so"
fi

find "$here/python" -name __pycache__ -prune -exec rm -rf {} +
cd "$here/python"
LD_PRELOAD="$preload" "$work/venv/bin/componentize-py" -d "$here/wit" -w guest componentize novice_entry -p . -o "$work/component.wasm"
${FLATTEN:-cargo run --quiet --release --package flatten --} "$work/component.wasm" "$work/guest.wasm" handle
zstd --quiet --force -19 --threads=0 "$work/guest.wasm" -o "$here/guest.wasm.zst"

cd "$here"
find "$here/python" -name __pycache__ -prune -exec rm -rf {} +
sources=$({ find python wit -type f; echo rebuild.sh; } | LC_ALL=C sort | while read -r name; do sha256sum "$name"; done | sha256sum | cut -d' ' -f1)
module=$(sha256sum guest.wasm.zst | cut -d' ' -f1)
printf 'sources %s\nmodule %s\n' "$sources" "$module" >STAMP
ls -l guest.wasm.zst
