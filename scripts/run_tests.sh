#!/usr/bin/env bash
# Set up if needed, then run all tests, or those named: bash scripts/run_tests.sh [pytest's arguments]
# All run in several processes, the tests of a file in one; with arguments in one, unless -n is among these.
# Ends with pytest's exit status.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bash "$ROOT/scripts/setup.sh" --quiet
# Users need these for conversion alone; the tests, for what is tested of it, and to run side by side.
"$PY" -c 'import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ("onnx", "safetensors", "scipy", "xdist"))))' ||
    logged "installing the packages of requirements-optional.txt failed" \
        "$PY" -m pip install --disable-pip-version-check --no-input -r "$ROOT/requirements-optional.txt"
# Runtimes of exported networks, where they have files for this Python and machine; else their tests skip.
"$PY" -c 'import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ("onnxruntime", "openvino"))))' ||
    "$PY" -m pip install --disable-pip-version-check --no-input -r "$ROOT/requirements-onnx.txt" >>"$LOG" 2>&1 ||
    say "the packages of requirements-onnx.txt do not install here ($LOG): tests of exported networks skip" >&2
cd "$ROOT"

# One process a core, but few: each takes memory, and what the tests start takes all cores anyway.
[ $# -gt 0 ] || set -- -n auto --maxprocesses 4 --dist loadfile

# Which tests there are says pyproject.toml. SNIPER-mxnet/pyproject.toml would make that folder the root of all.
exec "$PY" -m pytest --rootdir "$ROOT" "$@"
