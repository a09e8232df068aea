#!/bin/sh
# Build guest.wasm.zst from python/ and wit/, and write STAMP. Needs python3 (3.9 or newer), pip, node (18 or newer), npm,
# zstd, cargo, and network for pip and npm.
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

# The optimiser of Binaryen. The hash is that of the program in version 132.0.0: another one would make another module.
binaryen="$work/node_modules/binaryen/bin/wasm-opt"
[ -e "$binaryen" ] || npm install --silent --no-audit --no-fund --prefix "$work" binaryen@132.0.0
echo "608c021fa3f2c68cdc26f06a1454341089a0e689abb71cbe5a23ef7300e7f3e3  $binaryen" | sha256sum --check --quiet

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
flatten=${FLATTEN:-cargo run --quiet --release --package flatten --}
$flatten merge "$work/component.wasm" "$work/flat.wasm" handle
# Exact: nothing that assumes that traps do not happen or that numbers may be rounded otherwise. Then what the module executes is counted.
node --stack-size=30000 "$binaryen" "$work/flat.wasm" -o "$work/small.wasm" -O2 -g \
    --enable-bulk-memory --enable-sign-ext --enable-nontrapping-float-to-int --enable-mutable-globals --enable-multivalue --enable-reference-types
$flatten meter "$work/small.wasm" "$work/guest.wasm"
zstd --quiet --force -19 --threads=0 "$work/guest.wasm" -o "$here/guest.wasm.zst"

cd "$here"
find "$here/python" -name __pycache__ -prune -exec rm -rf {} +
sources=$({ find python wit -type f; echo rebuild.sh; } | LC_ALL=C sort | while read -r name; do sha256sum "$name"; done | sha256sum | cut -d' ' -f1)
module=$(sha256sum guest.wasm.zst | cut -d' ' -f1)
printf 'sources %s\nmodule %s\n' "$sources" "$module" >STAMP
ls -l guest.wasm.zst
