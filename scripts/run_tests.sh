#!/usr/bin/env bash
# Set up if needed, then run all tests, or those named: bash scripts/run_tests.sh [pytest's arguments]
# Ends with pytest's exit status.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bash "$ROOT/scripts/setup.sh" --quiet
# Users need these for conversion alone; the tests, for what is tested of it.
"$PY" -c 'import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ("onnx", "safetensors"))))' ||
    logged "installing the packages of requirements-optional.txt failed" \
        "$PY" -m pip install --disable-pip-version-check --no-input -r "$ROOT/requirements-optional.txt"
cd "$ROOT"

# Which tests there are says pyproject.toml. SNIPER-mxnet/pyproject.toml would make that folder the root of all.
exec "$PY" -m pytest --rootdir "$ROOT" "$@"
